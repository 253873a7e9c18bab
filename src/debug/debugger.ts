/**
 * A guest under run control as a protocol server sees it: run control, and
 * memory, registers and commands of a stopped guest.
 */
import { getLogger } from "@logtape/logtape";
import { PAGE_BYTES, PAGE_OFFSET, UPPER_HALF } from "../x86/paging.ts";
import { DeviceMemory } from "./guest/device_memory.ts";
import { kernelSpace } from "./linux/kernel.ts";
import { runMonitorCommand } from "./monitor/monitor.ts";
import { type ExamineFormat, FIRST_FORMAT } from "./monitor/qemu/examine.ts";
import { type MemoryRegion, regionAt } from "./guest/regions.ts";
import type { Architecture } from "./guest/register_sets.ts";
import {
  readRegisterRange,
  registerNumber,
  writeRegisterRange,
} from "./guest/registers.ts";
import { loadSegment, SEGMENTS } from "./guest/segments.ts";
import {
  type DebugTarget,
  type ProcessorDescription,
  TargetError,
} from "./target.ts";
import { TimedControl } from "./control/timed_control.ts";
import type { Vcpu } from "./guest/vcpu.ts";

const RIP = registerNumber("rip");
const log = getLogger(["icebp", "debug"]);

/** What a debugger's protocol needs of a machine: state, memory, breakpoints, running. */
export class Debugger extends TimedControl implements DebugTarget {
  readonly #devices = new DeviceMemory(this.machine, this.vcpus);
  /** How the monitor showed memory the last time. */
  examineFormat: ExamineFormat = FIRST_FORMAT;

  /** Device registers, to be looked at. */
  get devices(): DeviceMemory {
    return this.#devices;
  }

  /** A processor of the stopped guest, its context read. */
  #stopped(processor: number): Vcpu {
    this.needStopped();
    const v = this.vcpus[processor];
    if (v === undefined) throw new TargetError(`no processor ${processor}`);
    v.read();
    return v;
  }

  /** A processor's name and what it is doing. */
  describe(processor: number): ProcessorDescription {
    const name = `CPU${processor}`;
    if (this.stop === null) return { name, state: "running" };
    const v = this.#stopped(processor);
    return {
      name,
      state: v.waitsForSipi
        ? "waiting for SIPI"
        : v.halted
        ? "halted"
        : "running",
    };
  }

  codeAddress(processor: number): bigint {
    return this.#stopped(processor).linear;
  }

  codeBits(processor: number): 16 | 32 | 64 {
    return this.#stopped(processor).codeBits;
  }

  architecture(): Architecture {
    this.needStopped();
    for (const v of this.vcpus) {
      v.read();
      if (v.longMode) return "x86-64";
    }
    return this.machine.booted?.architecture ?? "x86-64";
  }

  readMemory(processor: number, address: bigint, into: Uint8Array): number {
    const v = this.#stopped(processor);
    let done = this.memory.read(v, address, into);
    while (done < into.length) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const page = into.subarray(
        done,
        done + PAGE_BYTES - Number(at & PAGE_OFFSET),
      );
      const gpa = this.memory.translate(v, at);
      const count = gpa < 0 ? 0 : this.#devices.peek(processor, gpa, page);
      if (count === 0) {
        if (gpa >= 0 && done === 0) {
          log.info("{why}", { why: this.#devices.refusal(processor, gpa) });
        }
        break;
      }
      done += count;
      done += this.memory.read(v, at + BigInt(count), into.subarray(done));
    }
    return done;
  }

  regionAt(processor: number, address: bigint): MemoryRegion {
    const { machine, walker } = this;
    const v = this.#stopped(processor);
    const kernel = address < UPPER_HALF ? null : kernelSpace(machine.memory, v);
    return regionAt(
      machine.memory,
      (gpa) => this.#devices.nameAt(processor, gpa) !== null,
      walker,
      kernel ?? v,
      address,
    );
  }

  writeMemory(processor: number, address: bigint, bytes: Uint8Array): boolean {
    const v = this.#stopped(processor);
    this.changing();
    return this.memory.write(v, address, bytes);
  }

  readPhysical(address: bigint, into: Uint8Array, processor = 0): number {
    this.needStopped();
    const gpa = Number(address);
    const done = this.machine.memory.read(gpa, into);
    if (done === into.length) return done;
    return done +
      this.#devices.peek(processor, gpa + done, into.subarray(done));
  }

  writePhysical(address: bigint, bytes: Uint8Array): boolean {
    this.needStopped();
    const { memory } = this.machine;
    const gpa = Number(address);
    if (memory.slice(gpa, bytes.length) === null) return false;
    this.changing();
    memory.write(gpa, bytes);
    return true;
  }

  readRegisters(
    processor: number,
    first: number,
    count: number,
    into: Uint8Array,
  ): void {
    this.needStopped();
    readRegisterRange(
      this.vcpus[processor],
      first,
      count,
      into,
    );
  }

  writeRegisters(
    processor: number,
    first: number,
    count: number,
    bytes: Uint8Array,
  ): void {
    const v = this.#stopped(processor);
    const { linear } = v;
    this.changing();
    const selectors = [...SEGMENTS.keys()].map((register) => ({
      register,
      before: v.getSegment(register),
    }));
    writeRegisterRange(v, first, count, bytes);
    for (const { register, before } of selectors) {
      const { selector } = v.getSegment(register);
      if (selector === before.selector) continue;
      try {
        v.read();
        loadSegment(v, this.memory, register, selector);
      } catch (error) {
        v.setSegment(register, before);
        throw error;
      }
    }
    v.read();
    const jumps = first === RIP && count === 1;
    if (!jumps && v.linear === linear) return;
    // It is sent somewhere: a breakpoint there is a new one, and it does not wait.
    v.toldAt = v.passAt = null;
    if (v.halted) v.wake();
  }

  monitor(command: string, processor: number): string | Promise<string> {
    return runMonitorCommand(this, command, processor);
  }

  detach(run: boolean): void {
    this.removeAllBreakpoints();
    this.stopWhen = null;
    for (const v of this.vcpus) v.untold.length = 0;
    if (run) this.letGo();
  }
}
