/**
 * One instruction of one processor where the platform makes it (DebugPass.Step): nothing
 * of a step is in the guest then, and it can be repeated.
 */
import { DebugPass } from "../../../ffi/debug_points.ts";
import type { Return } from "../../machine/outcome.ts";
import type { DebugHit, ExceptionExit } from "../../platform/mod.ts";
import { RFLAGS_IF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { ProcessorPoints } from "../breakpoints/points.ts";
import { decode, isSpin, newDecoded } from "../../x86/decode.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { type StopReason, TargetError } from "../target.ts";
import { faultOf } from "./faults.ts";
import { apicVector, takesInterrupts } from "./interrupts.ts";
import type { ProcessorStepper, StepControl } from "./control.ts";
import type { StepResult } from "./results.ts";

export class PointStepper implements ProcessorStepper {
  /** The watchpoint that the last step hit, if any. */
  watched: StopReason | null = null;
  readonly #control: StepControl;
  readonly #points: ProcessorPoints;
  readonly #code = new Uint8Array(15);
  readonly #decoded = newDecoded();

  constructor(control: StepControl, points: ProcessorPoints) {
    this.#control = control;
    this.#points = points;
  }

  run(v: Vcpu): Promise<Return> {
    if (v.guestTrap !== 0n) {
      v.read();
      this.#giveTrap(v);
    }
    return this.#control.runner.run(v, false);
  }

  async step(v: Vcpu, interrupts = false): Promise<StepResult> {
    if (v.waitsForSipi) {
      throw new TargetError(`CPU${v.index} waits for a SIPI: nothing to step`);
    }
    this.watched = null;
    const { rip } = v;
    this.#giveTrap(v);
    const result = await this.#make(v, DebugPass.Step);
    if (result === "done" && !interrupts && v.rip === rip && this.#spins(v)) {
      return await this.#spin(v);
    }
    return result;
  }

  async takeInterrupt(v: Vcpu): Promise<StepResult | null> {
    this.watched = null;
    if (!takesInterrupts(v)) return null;
    if (!v.processor.takeExtInt() && apicVector(v) < 0) return null;
    return await this.#make(v, DebugPass.StepOpen);
  }

  takeFault(v: Vcpu, exit: ExceptionExit): Promise<StepResult> {
    const { vector, code, parameter } = faultOf(exit);
    v.inject(vector, code, parameter);
    return this.#make(v, DebugPass.Step);
  }

  async #make(v: Vcpu, how: number): Promise<StepResult> {
    v.passDebugPoints(how);
    for (;;) {
      const why = await this.#control.runner.run(v, true);
      switch (why.kind) {
        case "completed":
          this.#note(v, v.takeDebugHits());
          v.read();
          return "done";
        case "power":
          return why;
        case "point":
          this.#note(v, why.exit.hits);
          v.read();
          return "done";
        case "fault":
          v.inject(why.vector, why.errorCode);
          v.passDebugPoints(DebugPass.Step);
          break;
        case "exception":
          // Of a range's, which all exit.
          this.#control.meaning.of(v, why);
          this.#giveTrap(v);
          v.passDebugPoints(DebugPass.Step);
          break;
        default:
          if (this.#control.course.goesOn) break;
          v.passDebugPoints(DebugPass.None);
          return "canceled";
      }
    }
  }

  /** A debug exception of the guest's own that was intercepted comes next. */
  #giveTrap(v: Vcpu): void {
    if (v.guestTrap === 0n) return;
    this.#control.breakpoints.hardware.addGuestStatus(v, v.guestTrap);
    v.inject(Vector.DB, null);
    v.guestTrap = 0n;
  }

  /** Notes the data that was accessed; the first counts, the others are told later. */
  #note(v: Vcpu, hits: readonly DebugHit[]): void {
    const [first = null, ...more] = this.#points.reasons(hits);
    this.watched = first;
    v.untold.push(...more);
  }

  /** Whether `v` (read) is at a JMP to itself, and takes interrupts. */
  #spins(v: Vcpu): boolean {
    if ((v.rflags & RFLAGS_IF) === 0n) return false;
    const length = this.#control.guest.memory.read(v, v.linear, this.#code);
    decode(this.#code.subarray(0, length), 0, v.codeBits, this.#decoded);
    return isSpin(this.#decoded);
  }

  /** A JMP to itself waits for an interrupt: one turn of it and a million are the same.
   * Stepped with interrupts held off, as by a debugger that judges a condition there
   * by itself, it would wait for ever. */
  async #spin(v: Vcpu): Promise<StepResult> {
    const at = v.linear;
    this.#points.plant(at);
    try {
      v.passDebugPoints(DebugPass.Spin);
      for (;;) {
        const why = await this.run(v);
        if (why.kind === "power") return why;
        if (why.kind === "exception" || why.kind === "point") {
          if (this.#control.meaning.of(v, why) !== "go on") break;
        } else if (!this.#control.course.goesOn) break;
      }
    } finally {
      this.#points.pull(at);
    }
    v.read();
    return "done";
  }
}
