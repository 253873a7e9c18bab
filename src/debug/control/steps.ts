/**
 * Steps of all processors, also where breakpoints are: one in memory is taken out for
 * the instruction, with all others held.
 */
import type { Return } from "../../machine/outcome.ts";
import type { ExceptionExit } from "../../platform/mod.ts";
import type { SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { STEP_VECTORS } from "../stepping/faults.ts";
import type { ProcessorStepper, StepControl } from "../stepping/control.ts";
import { PointStepper } from "../stepping/point_stepper.ts";
import type { StepResult } from "../stepping/results.ts";
import { Stepper } from "../stepping/stepper.ts";
import type { StopReason } from "../target.ts";
import type { Exclusive } from "./exclusive.ts";

/** What stepping needs. */
export interface Stepping extends StepControl {
  readonly exclusive: Exclusive;
}

export class Steps {
  readonly #parts: Stepping;
  readonly #steppers: readonly ProcessorStepper[];

  constructor(parts: Stepping) {
    this.#parts = parts;
    const { guest: { vcpus }, breakpoints: { points, inMemory } } = parts;
    this.#steppers = vcpus.map(() =>
      inMemory === null
        ? new PointStepper(parts, points!)
        : new Stepper(parts, inMemory)
    );
  }

  /** Runs a processor freely, with a debug exception of its own first. */
  run(v: Vcpu): Promise<Return> {
    return this.#steppers[v.index].run(v);
  }

  /** One instruction where no breakpoint is; `v` has been read, and is when it is
   * done. */
  plain(v: Vcpu): Promise<StepResult> {
    return this.#steppers[v.index].step(v);
  }

  /** One instruction, also where a breakpoint is; `v` has been read, and is when
   * it is done. */
  async one(v: Vcpu, interrupts = false): Promise<StepResult> {
    const { guest, breakpoints: { inMemory }, course } = this.#parts;
    if (inMemory === null) {
      return await this.#steppers[v.index].step(v, interrupts);
    }
    for (;;) {
      const breakpoint = inMemory.at(v.linear) ??
        inMemory.heldAt(guest.walker.translate(v, v.linear));
      if (breakpoint !== undefined && breakpoint.sites.length > 0) {
        return await this.over(v, breakpoint, interrupts);
      }
      const result = await this.#steppers[v.index].step(v, interrupts);
      if (result !== "canceled" || !course.goesOn) return result;
    }
  }

  /** One instruction at a breakpoint, with all others held; `v` has been read. */
  async over(
    v: Vcpu,
    breakpoint: SoftwareBreakpoint,
    interrupts = false,
  ): Promise<StepResult> {
    const { guest: { machine }, breakpoints, course, exclusive } = this.#parts;
    const { inMemory } = breakpoints;
    if (inMemory === null) return await this.#steppers[v.index].step(v);
    const held = exclusive.acquire(v.index);
    if (held !== null) await held;
    const sites = inMemory.at(breakpoint.address);
    const bitmap = machine.exceptionBitmap;
    try {
      // Nobody else runs: what exits may change for the one instruction.
      machine.setExceptionBitmap(bitmap | STEP_VECTORS);
      if (sites !== undefined) inMemory.lift(sites);
      try {
        return await this.#steppers[v.index].step(v, interrupts);
      } finally {
        if (sites !== undefined) inMemory.settle(sites);
      }
    } finally {
      try {
        machine.setExceptionBitmap(bitmap);
      } finally {
        exclusive.release(course.goesOn);
      }
    }
  }

  /** The interrupt that comes before the next instruction, up to its handler; null if none
   * does. */
  interrupt(v: Vcpu): Promise<StepResult | null> {
    return this.#steppers[v.index].takeInterrupt(v);
  }

  /** Takes the fault that a processor exited with, into its handler. */
  into(v: Vcpu, exit: ExceptionExit): Promise<StepResult> {
    return this.#steppers[v.index].takeFault(v, exit);
  }

  /** The watchpoint that the last step of a processor hit. */
  watched(v: Vcpu): StopReason | null {
    return this.#steppers[v.index].watched;
  }
}
