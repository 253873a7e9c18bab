/**
 * A guest under run control as a protocol server sees it: run control, and
 * memory, registers and commands of a stopped guest.
 */
import { RunControl } from "./control.ts";
import { runMonitorCommand } from "./monitor.ts";
import { readRegisterRange, writeRegisterRange } from "./registers.ts";
import {
  type DebugTarget,
  type ProcessorDescription,
  TargetError,
} from "./target.ts";
import type { Vcpu } from "./vcpu.ts";

/** What a debugger's protocol needs of a machine: state, memory, breakpoints, running. */
export class Debugger extends RunControl implements DebugTarget {
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

  readMemory(processor: number, address: bigint, into: Uint8Array): number {
    return this.memory.read(this.#stopped(processor), address, into);
  }

  writeMemory(processor: number, address: bigint, bytes: Uint8Array): boolean {
    return this.memory.write(this.#stopped(processor), address, bytes);
  }

  readPhysical(address: bigint, into: Uint8Array): number {
    this.needStopped();
    return this.machine.memory.read(Number(address), into);
  }

  writePhysical(address: bigint, bytes: Uint8Array): boolean {
    this.needStopped();
    const { memory } = this.machine;
    const gpa = Number(address);
    if (memory.slice(gpa, bytes.length) === null) return false;
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
      this.machine.processors[processor].vp,
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
    this.needStopped();
    writeRegisterRange(
      this.machine.processors[processor].vp,
      first,
      count,
      bytes,
    );
  }

  monitor(command: string, processor: number): string {
    return runMonitorCommand(this, command, processor);
  }

  detach(run: boolean): void {
    this.removeAllBreakpoints();
    for (const v of this.vcpus) v.untold.length = 0;
    if (run) this.letGo();
  }
}
