/**
 * What one processor does for its part of a plan: run, step, step through a
 * range; past breakpoints that nobody is told of, and held while others step
 * over theirs. Whether it goes on at all is run control's to say.
 */
import { Reg } from "../../../ffi/registers.ts";
import { RFLAGS_RF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import { SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { timerAsks } from "../stepping/interrupts.ts";
import { rangeStep } from "../stepping/range.ts";
import type { Ending } from "../stepping/results.ts";
import { Simulator } from "../stepping/simulate.ts";
import type { Action } from "../target.ts";
import type { Course } from "./course.ts";
import type { Meaning } from "./meaning.ts";
import type { Steps } from "./steps.ts";

/** What driving needs. */
export interface Driving {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly course: Course;
  readonly meaning: Meaning;
  readonly steps: Steps;
}

export class Driver {
  readonly #parts: Driving;
  readonly #simulator: Simulator;

  constructor(parts: Driving) {
    this.#parts = parts;
    const { machine, memory, walker } = parts.guest;
    this.#simulator = new Simulator(machine.memory, memory, walker);
  }

  /** A processor's part of a plan, to its end. */
  perform(v: Vcpu, action: Action): Promise<Ending> {
    switch (action.kind) {
      case "step":
        return this.#step(v, action);
      case "range":
        return rangeStep(this.#parts, v, action.start, action.end);
      default:
        return this.#continue(v);
    }
  }

  async #step(
    v: Vcpu,
    { interrupts = false, holdTimers = false }: Action & { kind: "step" },
  ): Promise<Ending> {
    const { guest: { machine }, steps } = this.#parts;
    v.read();
    // There is nothing to step yet: it waits as it would running.
    if (v.waitsForSipi) return await this.#continue(v);
    const taken = interrupts && !(holdTimers && timerAsks(machine, v))
      ? await steps.interrupt(v)
      : null;
    const result = taken ?? await steps.one(v, interrupts);
    if (result !== "done") return result === "canceled" ? null : result;
    return steps.watched(v) ?? { kind: "step" };
  }

  async #continue(v: Vcpu): Promise<Ending> {
    const { breakpoints, course, meaning, steps } = this.#parts;
    const off = await this.#stepOff(v);
    if (off !== "done") return off;
    for (;;) {
      if (!course.goesOn) return null;
      const why = await steps.run(v);
      if (why.kind === "power") return why;
      if (why.kind !== "exception" && why.kind !== "point") continue;
      const ending = meaning.of(v, why);
      if (ending === "go on") {
        if (!v.isStepped) continue;
        v.read();
        const { rip } = v;
        const stepped = await steps.plain(v);
        v.isStepped = false;
        if (typeof stepped === "object") return stepped;
        // Behind an iteration of a REP a processor has set it.
        if (v.rip === rip && (v.rflags & RFLAGS_RF) !== 0n) {
          v.set(Reg.Rflags, v.rflags & ~RFLAGS_RF);
        }
        const watched = steps.watched(v);
        if (watched !== null) return watched;
        continue;
      }
      if (!(ending instanceof SoftwareBreakpoint)) return ending;
      // A breakpoint that nobody wants to be told about.
      if (breakpoints.points !== null) {
        v.passDebugPoints();
        continue;
      }
      if (this.#simulator.simulate(v)) continue;
      const over = await this.#overUntold(v, ending);
      if (over !== "done") return over;
    }
  }

  /** Leaves the breakpoint that was told at the last stop. */
  async #stepOff(v: Vcpu): Promise<Ending | "done"> {
    const { points, inMemory, hardware } = this.#parts.breakpoints;
    if (hardware.installed(v)) {
      v.read();
      if (v.pendingVector === Vector.DB) {
        // As Stepper.run() does.
        const result = await this.#parts.steps.plain(v);
        if (result !== "done") return result === "canceled" ? null : result;
      }
    }
    const at = v.toldAt ?? v.passAt;
    if (at === null) return "done";
    v.toldAt = v.passAt = null;
    v.read();
    if (v.linear !== at) return "done";
    if (points !== null) {
      v.passDebugPoints();
      return "done";
    }
    const breakpoint = inMemory?.at(at);
    if (breakpoint !== undefined && breakpoint.sites.length > 0) {
      if (this.#simulator.simulate(v)) return "done";
      return await this.#overUntold(v, breakpoint);
    }
    if (hardware.installed(v)) v.set(Reg.Rflags, v.rflags | RFLAGS_RF);
    return "done";
  }

  async #overUntold(
    v: Vcpu,
    breakpoint: SoftwareBreakpoint,
  ): Promise<Ending | "done"> {
    const { steps } = this.#parts;
    const result = await steps.over(v, breakpoint);
    if (typeof result === "object") return result;
    if (result === "canceled") {
      // It has been decided on: the next resume goes past it.
      v.passAt = breakpoint.address;
      return null;
    }
    return steps.watched(v) ?? "done";
  }
}
