/**
 * What it means that a processor has exited for an exception or a debug point: a reason
 * to stop, a breakpoint that nobody wants to be told of, or nothing more to do.
 */
import type { DebugPointExit } from "../../platform/mod.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import { Conditions } from "../breakpoints/conditions.ts";
import type { SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { Gates } from "../stepping/gates.ts";
import type { Occurrence } from "../stepping/results.ts";
import type { StopReason } from "../target.ts";
import { DebugExceptions } from "./exceptions.ts";

export class Meaning {
  /** How often a processor went on at a debug point that nobody wanted to be told of. */
  passed = 0;
  readonly #guest: Guest;
  readonly #breakpoints: Breakpoints;
  readonly #conditions: Conditions;
  readonly #exceptions: DebugExceptions;

  constructor(guest: Guest, breakpoints: Breakpoints, gates: Gates) {
    this.#guest = guest;
    this.#breakpoints = breakpoints;
    this.#conditions = new Conditions(guest.memory);
    this.#exceptions = new DebugExceptions(
      guest,
      breakpoints,
      gates,
      this.#conditions,
    );
    if (breakpoints.points === null) return;
    guest.machine.partition.setDebugPointFilter((index, id) =>
      this.#stopsAt(index, id) ? 1 : 0
    );
  }

  /** What the exception, or the debug point, that a processor exited with means; an
   * exception of the guest's own has been given back to it ("go on"). */
  of(v: Vcpu, why: Occurrence): StopReason | SoftwareBreakpoint | "go on" {
    if (why.kind === "exception") return this.#exceptions.handle(v, why.exit);
    const point = why.exit;
    v.read();
    const points = this.#breakpoints.points!;
    const breakpoint = points.breakpointOf(point);
    if (breakpoint !== undefined) {
      return this.#conditions.told(v, breakpoint) ?? breakpoint;
    }
    const [reason, ...more] = points.reasons(point.hits);
    v.untold.push(...more);
    return reason ?? "go on";
  }

  /** What a debug point that a processor has exited for is told as; null if nobody wants
   * to be told. */
  ofPoint(v: Vcpu, point: DebugPointExit): StopReason | null {
    v.read();
    const points = this.#breakpoints.points!;
    const breakpoint = points.breakpointOf(point);
    return breakpoint !== undefined
      ? this.#conditions.told(v, breakpoint)
      : points.reasons(point.hits)[0] ?? null;
  }

  /** What a processor is told where it is, if a breakpoint wants to stop it there. */
  breaksAt(v: Vcpu): StopReason | null {
    const { table } = this.#breakpoints;
    const breakpoint = table.size === 0 ? undefined : table.at(v.linear);
    const told = breakpoint && this.#conditions.told(v, breakpoint);
    return told ?? this.#exceptions.hardwareAt(v);
  }

  /** Whether a processor that has come to an instruction point is to exit: asked while it
   * runs. */
  #stopsAt(index: number, id: number): boolean {
    if (this.#judge(index, id)) return true;
    this.passed++;
    return false;
  }

  #judge(index: number, id: number): boolean {
    const breakpoint = this.#breakpoints.points!.codeAt(id);
    if (breakpoint === undefined) return false;
    if (breakpoint.plants > 0) return true;
    // Its registers are other ones than at the last exit.
    if (breakpoint.conditional) this.#guest.changed();
    return this.#conditions.told(this.#guest.vcpus[index], breakpoint) !== null;
  }
}
