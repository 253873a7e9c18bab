/**
 * All breakpoints and watchpoints of a guest, whichever way they are held: as 0xF1 in
 * memory and in debug registers, or as the platform's debug points.
 */
import type { Guest } from "../guest/guest.ts";
import { type Breakpoint, type StopReason, TargetError } from "../target.ts";
import { HardwareBreakpoints, type WatchedData } from "./hardware.ts";
import { MemoryBreakpoints } from "./memory.ts";
import { ProcessorPoints } from "./points.ts";
import type { BreakpointTable } from "./table.ts";
import { INT1, INT3 } from "./trap.ts";

/** How breakpoints are held: as 0xF1 in memory and in debug registers, or as the
 * platform's debug points, where it has such. */
export type BreakpointWay = "memory" | "processor";

export class Breakpoints {
  /** Those on code, but for debug registers. */
  readonly table: BreakpointTable;
  /** The platform's debug points; null where breakpoints are in memory. */
  readonly points: ProcessorPoints | null;
  /** Breakpoints in memory; null where they are debug points. */
  readonly inMemory: MemoryBreakpoints | null;
  readonly hardware: HardwareBreakpoints;
  readonly #guest: Guest;

  /** Throws a TargetError for a way that the platform does not have. */
  constructor(guest: Guest, way?: BreakpointWay) {
    const { machine, walker, memory } = guest;
    const { partition } = machine;
    if (way === "processor" && !partition.hasDebugPoints) {
      throw new TargetError(
        `${partition.functions.name} has no breakpoints in the processor: ` +
          "they are in memory there",
      );
    }
    this.#guest = guest;
    if (partition.hasDebugPoints && way !== "memory") {
      this.points = this.table = new ProcessorPoints(partition);
      this.inMemory = null;
    } else {
      this.points = null;
      this.table = this.inMemory = new MemoryBreakpoints(
        machine.memory,
        walker,
        machine.options.host?.int1Exits === false ? INT3 : INT1,
      );
      memory.overlay = this.inMemory;
    }
    this.hardware = new HardwareBreakpoints(memory);
  }

  /** One more owner. Throws a TargetError if it cannot be. */
  insert(breakpoint: Breakpoint): void {
    const { kind, address, conditions } = breakpoint;
    if (kind === "software" || this.points !== null && kind === "hardware") {
      this.table.insert(address, conditions, kind);
    } else if (this.points !== null) this.points.watch(breakpoint);
    else this.hardware.insert(breakpoint);
  }

  /** One owner less; false if there was none. */
  remove(breakpoint: Breakpoint): boolean {
    const { kind, address } = breakpoint;
    if (kind === "software" || this.points !== null && kind === "hardware") {
      return this.table.remove(address, kind);
    }
    return this.points !== null
      ? this.points.unwatch(breakpoint)
      : this.hardware.remove(breakpoint);
  }

  removeAll(): void {
    this.table.removeAll();
    this.hardware.removeAll();
    this.points?.unwatchAll();
  }

  /** The data that is watched. */
  get watched(): readonly WatchedData[] {
    return (this.points ?? this.hardware).watched;
  }

  /** Whether somebody still wants to be told of this. */
  wants(reason: StopReason): boolean {
    return reason.kind !== "watchpoint" ||
      (this.points ?? this.hardware).watches(reason.access, reason.address);
  }

  /** Writes what is pending into memory, but for what debug registers are going to do; no
   * processor runs. `chosen` is true at the end of a stop: what is set then is set in
   * the program that was looked at. */
  set(chosen = false): void {
    const { machine, vcpus } = this.#guest;
    const now = machine.options.clock.now();
    if (this.inMemory === null) {
      this.points!.sync(now);
      return;
    }
    if (this.table.size === 0) return;
    const spaces = this.#guest.spaces();
    const registers = this.hardware.lendable(vcpus);
    this.inMemory.set(spaces, registers, now, chosen ? spaces : []);
  }
}
