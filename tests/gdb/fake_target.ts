/**
 * A guest for the protocol's tests: memory in one place, registers that hold
 * what was written, and processors whose every instruction is one byte long and
 * does nothing.
 */
import {
  readRegisterRange,
  type RegisterAccess,
  registerNumber,
  writeRegisterRange,
} from "../../src/debug/guest/registers.ts";
import type { Architecture } from "../../src/debug/guest/register_sets.ts";
import type { MemoryRegion } from "../../src/debug/paging/regions.ts";
import { conditionsHold } from "../../src/debug/breakpoints/agent.ts";
import {
  type Action,
  type Breakpoint,
  type DebugTarget,
  type Plan,
  type ProcessorDescription,
  type Stop,
  type StopReason,
  TargetError,
} from "../../src/debug/target.ts";
import { Subscribers } from "../../src/util/subscribers.ts";

export const MEMORY_START = 0x100000n;
export const MEMORY_BYTES = 0x40000;

const RIP = registerNumber("rip");

/** Registers by WHV_REGISTER_NAME. */
class FakeProcessor implements RegisterAccess {
  readonly values = new Map<number, Uint8Array>();

  value(name: number): Uint8Array {
    let value = this.values.get(name);
    if (value === undefined) {
      value = new Uint8Array(16);
      this.values.set(name, value);
    }
    return value;
  }

  getRegisters(names: Uint32Array, values: Uint8Array): void {
    names.forEach((name, i) => values.set(this.value(name), 16 * i));
  }

  setRegisters(names: Uint32Array, values: Uint8Array): void {
    names.forEach((name, i) =>
      this.value(name).set(values.subarray(16 * i, 16 * i + 16))
    );
  }
}

export class FakeTarget implements DebugTarget {
  readonly processors: number;
  stop: Stop | null = { processor: 0, reason: { kind: "paused" } };
  readonly onStop = new Subscribers<[stop: Stop]>();

  readonly cpus: FakeProcessor[];
  readonly memory = new Uint8Array(MEMORY_BYTES);
  readonly breakpoints: Breakpoint[] = [];
  /** What was called, for tests to look at. */
  readonly calls: string[] = [];
  readonly plans: Plan[] = [];
  /** Stop before resume() returns, as a fast target may. */
  synchronous = false;
  /** Where the code segment begins. */
  codeBase = 0n;
  bits: 16 | 32 | 64 = 64;
  /** What architecture() says. */
  taken: Architecture = "x86-64";
  /** Every call that touches the guest fails with this. */
  failure: Error | null = null;

  constructor(processors = 2) {
    this.processors = processors;
    this.cpus = Array.from({ length: processors }, () => new FakeProcessor());
    for (let i = 0; i < processors; i++) this.setRip(i, MEMORY_START);
  }

  rip(processor: number): bigint {
    const bytes = new Uint8Array(8);
    readRegisterRange(this.cpus[processor], RIP, 1, bytes);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  setRip(processor: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    writeRegisterRange(this.cpus[processor], RIP, 1, bytes);
  }

  codeAddress(processor: number): bigint {
    return this.codeBase + this.rip(processor);
  }

  codeBits(): 16 | 32 | 64 {
    return this.bits;
  }

  architecture(): Architecture {
    return this.taken;
  }

  describe(processor: number): ProcessorDescription {
    return { name: `CPU${processor}`, state: "running" };
  }

  resume(plan: Plan): void {
    this.#mayFail();
    if (this.stop === null) throw new TargetError("the guest is running");
    this.calls.push("resume");
    this.plans.push(plan);
    this.stop = null;
    if (this.synchronous) this.#run(plan);
    else queueMicrotask(() => this.#run(plan));
  }

  interrupt(): void {
    this.calls.push("interrupt");
    if (this.stop === null) this.stopNow({ kind: "interrupted" });
  }

  /** Something happens in the guest. */
  stopNow(reason: StopReason, processor = 0): void {
    this.stop = { processor, reason };
    this.onStop.tell(this.stop);
  }

  #run(plan: Plan): void {
    for (const [processor, action] of plan.entries()) {
      if (this.stop !== null) return;
      const reason = this.#act(processor, action);
      if (reason !== null) return this.stopNow(reason, processor);
    }
  }

  /** Null if the processor runs on. */
  #act(processor: number, action: Action): StopReason | null {
    const rip = this.rip(processor);
    switch (action.kind) {
      case "stay":
        return null;
      case "step":
        this.setRip(processor, rip + 1n);
        return { kind: "step" };
      case "range":
        this.setRip(processor, action.end > rip ? action.end : rip + 1n);
        return { kind: "step" };
      case "continue":
        return this.#goOn(processor, rip);
    }
  }

  #goOn(processor: number, rip: bigint): StopReason | null {
    const next = this.breakpoints
      .filter((b) => b.address > rip && b.address < rip + 0x10000n)
      .filter((b) => b.kind === "software" || b.kind === "hardware")
      .filter((b) =>
        conditionsHold(b.conditions, {
          register: (n) => n === RIP ? b.address : 0n,
          memory: (address, into) =>
            this.readMemory(processor, address, into) === into.length,
        })
      )
      .sort((a, b) => Number(a.address - b.address))[0];
    if (next === undefined) return null;
    this.setRip(processor, next.address);
    return {
      kind: next.kind === "software" ? "breakpoint" : "hardwareBreakpoint",
    };
  }

  readMemory(_processor: number, address: bigint, into: Uint8Array): number {
    this.#mayFail();
    const at = address - MEMORY_START;
    if (at < 0n || at >= BigInt(MEMORY_BYTES)) return 0;
    const part = this.memory.subarray(Number(at), Number(at) + into.length);
    into.set(part);
    return part.length;
  }

  regionAt(_processor: number, address: bigint): MemoryRegion {
    const start = address & ~0xfffn;
    return { start, bytes: 0x1000n, permissions: "rx" };
  }

  writeMemory(
    _processor: number,
    address: bigint,
    bytes: Uint8Array,
  ): boolean {
    this.#mayFail();
    const at = address - MEMORY_START;
    if (at < 0n || at + BigInt(bytes.length) > BigInt(MEMORY_BYTES)) {
      return false;
    }
    this.memory.set(bytes, Number(at));
    return true;
  }

  /** The same memory, as if virtual addresses were 0x1000 higher. */
  readPhysical(address: bigint, into: Uint8Array): number {
    return this.readMemory(0, address + 0x1000n, into);
  }

  writePhysical(address: bigint, bytes: Uint8Array): boolean {
    return this.writeMemory(0, address + 0x1000n, bytes);
  }

  readRegisters(
    processor: number,
    first: number,
    count: number,
    into: Uint8Array,
  ): void {
    this.#mayFail();
    readRegisterRange(this.cpus[processor], first, count, into);
  }

  writeRegisters(
    processor: number,
    first: number,
    count: number,
    bytes: Uint8Array,
  ): void {
    this.#mayFail();
    writeRegisterRange(this.cpus[processor], first, count, bytes);
  }

  insertBreakpoint(breakpoint: Breakpoint): void {
    this.#mayFail();
    if (breakpoint.kind !== "software") {
      const used = this.breakpoints.filter((b) => b.kind !== "software");
      if (used.length === 4) throw new TargetError("no free debug register");
    }
    this.breakpoints.push(breakpoint);
  }

  removeBreakpoint(breakpoint: Breakpoint): boolean {
    const at = this.breakpoints.findIndex((b) =>
      b.kind === breakpoint.kind && b.address === breakpoint.address &&
      b.length === breakpoint.length
    );
    if (at >= 0) this.breakpoints.splice(at, 1);
    return at >= 0;
  }

  monitor(command: string, processor: number): string {
    if (command === "fail") throw new TargetError("no such command: fail");
    return command === "quiet" ? "" : `${command} on CPU${processor}`;
  }

  detach(run: boolean): void {
    this.calls.push(run ? "detach and run" : "detach and stay");
    this.breakpoints.length = 0;
    if (run) this.stop = null;
  }

  kill(): void {
    this.calls.push("kill");
    this.stop = { processor: 0, reason: { kind: "exited", code: 0 } };
  }

  restart(): void {
    this.calls.push("restart");
    this.stop = { processor: 0, reason: { kind: "paused" } };
  }

  #mayFail(): void {
    if (this.failure !== null) throw this.failure;
  }
}
