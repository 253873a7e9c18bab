/**
 * One instruction of one processor where the platform makes it (DebugPass.Step): nothing
 * of a step is in the guest then, and it can be repeated.
 */
import { DebugPass } from "../../../ffi/debug_points.ts";
import type { Return } from "../../machine/processor.ts";
import type { DebugHit } from "../../platform/mod.ts";
import { RFLAGS_IF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { ProcessorPoints } from "../breakpoints/points.ts";
import { decode, Kind, newDecoded } from "../guest/decode.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { type StopReason, TargetError } from "../target.ts";
import { faultOf } from "./faults.ts";
import { apicVector, takesInterrupts } from "./interrupts.ts";
import type { StepResult } from "./results.ts";
import type { StepControl } from "./stepper.ts";

export class PointStepper {
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

  /** Runs a processor freely, with a debug exception of its own that was intercepted
   * first. */
  run(v: Vcpu): Promise<Return> {
    this.#giveTrap(v);
    return this.#control.runner.run(v, false);
  }

  /** Makes one instruction; `v` has been read, and is when it is done. With `interrupts`
   * takeInterrupt() comes first. */
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

  /** The interrupt that comes before the next instruction of `v` (read), up to its
   * handler; null if none does. */
  async takeInterrupt(v: Vcpu): Promise<StepResult | null> {
    this.watched = null;
    if (!takesInterrupts(v)) return null;
    if (!v.processor.takeExtInt() && apicVector(v) < 0) return null;
    return await this.#make(v, DebugPass.StepOpen);
  }

  /** Has the guest take the fault that `v` has exited with, up to the handler's first
   * instruction. */
  takeFault(v: Vcpu): Promise<StepResult> {
    const { vector, code, parameter } = faultOf(v.processor.exception!);
    v.inject(vector, code, parameter);
    return this.#make(v, DebugPass.Step);
  }

  async #make(v: Vcpu, how: number): Promise<StepResult> {
    v.passDebugPoints(how);
    for (;;) {
      switch (await this.#control.runner.run(v, true)) {
        case "completed":
          this.#note(v, v.takeDebugHits());
          v.read();
          return "done";
        case "machine":
          return "machine";
        case "point":
          this.#note(v, v.processor.point!.hits);
          v.read();
          return "done";
        case "fault": {
          const { faultVector, faultCode } = v.processor.handler;
          v.inject(faultVector, faultCode);
          v.passDebugPoints(DebugPass.Step);
          break;
        }
        case "exception":
          // Of a range's, which all exit.
          this.#control.meaning.of(v);
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
    return this.#decoded.kind === Kind.Jump && this.#decoded.target === 0;
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
        const why = await this.#control.runner.run(v, false);
        if (why === "machine") return why;
        if (why === "exception" || why === "point") {
          if (this.#control.meaning.of(v) !== "go on") break;
        } else if (!this.#control.course.goesOn) break;
      }
    } finally {
      this.#points.pull(at);
    }
    v.read();
    return "done";
  }
}
