// A machine of toy processors under the debugger.

import { Reg } from "../../ffi/registers.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import type { Action, Stop } from "../../src/debug/target.ts";
import { Machine } from "../../src/machine/machine.ts";
import { once } from "../util/once.ts";
import { ToyPlatform } from "./toy_platform.ts";

export const CODE = 0x1000;
export const STACK = 0x8000;

export class Toy {
  readonly platform = new ToyPlatform(0x10000);
  readonly machine: Machine;
  readonly debugger: Debugger;

  /** `code` (hex) is at CODE for every processor; each has its own stack. */
  constructor(code: string, cpus = 1) {
    this.machine = new Machine({
      platform: this.platform,
      guestMemory: this.platform.memory,
      clock: { now: () => 0n, setAlarm() {} },
      entropy: { fill() {} },
      cpus,
      ramBytes: this.platform.memory.length,
    });
    this.load(CODE, code);
    this.machine.processors.forEach(({ vp }, i) => {
      const flat = { base: 0n, limit: 0xffff, selector: 0, attributes: 0x9b };
      vp.setSegment(Reg.Cs, flat);
      vp.set(Reg.Rip, BigInt(CODE));
      vp.set(Reg.Rsp, BigInt(STACK + i * 0x1000));
      vp.set(Reg.InternalActivityState, 0n);
    });
    this.debugger = new Debugger(this.machine);
    this.platform.calls.length = 0;
  }

  load(at: number, hex: string): void {
    this.platform.memory.set(Uint8Array.fromHex(hex.replaceAll(" ", "")), at);
  }

  /** The real-mode vector table's entry. */
  vector(number: number, handler: number): void {
    new DataView(this.platform.memory.buffer)
      .setUint32(number * 4, handler, true);
  }

  reg(name: number, processor = 0): number {
    return Number(this.machine.processors[processor].vp.get(name));
  }

  setReg(name: number, value: number, processor = 0): void {
    this.machine.processors[processor].vp.set(name, BigInt(value));
  }

  rip(processor = 0): number {
    return this.reg(Reg.Rip, processor);
  }

  break(address: number): void {
    this.debugger.insertBreakpoint({
      kind: "software",
      address: BigInt(address),
      length: 1,
      conditions: [],
    });
  }

  unbreak(address: number): boolean {
    return this.debugger.removeBreakpoint({
      kind: "software",
      address: BigInt(address),
      length: 1,
      conditions: [],
    });
  }

  /** Resumes, and resolves with the stop. */
  resume(...plan: Action["kind"][] | Action[]): Promise<Stop> {
    const actions = plan.map((a) =>
      typeof a === "string" ? { kind: a } as Action : a
    );
    while (actions.length < this.debugger.processors) {
      actions.push({ kind: "stay" });
    }
    return new Promise((resolve) => {
      once(this.debugger.onStop, resolve);
      this.debugger.resume(actions);
    });
  }

  step(): Promise<Stop> {
    return this.resume("step");
  }

  run(): Promise<Stop> {
    return this.resume(
      ...this.machine.processors.map(() => ({ kind: "continue" } as Action)),
    );
  }

  word(at: number): number {
    return new DataView(this.platform.memory.buffer).getUint16(at, true);
  }
}
