/** What steppers need of run control, and what they do for it. */
import type { Return } from "../../machine/outcome.ts";
import type { ExceptionExit } from "../../platform/mod.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StopReason } from "../target.ts";
import type { Gates } from "./gates.ts";
import type { Occurrence, StepResult } from "./results.ts";

/** What a stepper needs of run control. */
export interface StepControl {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly gates: Gates;
  /** Runs a processor with regard to those who hold others. */
  readonly runner: { run(v: Vcpu, single: boolean): Promise<Return> };
  /** What it means that a processor has exited; exceptions of the guest's own are given
   * back ("go on"). */
  readonly meaning: {
    of(v: Vcpu, why: Occurrence): StopReason | SoftwareBreakpoint | "go on";
  };
  /** goesOn is false if the guest is to stop. */
  readonly course: { readonly goesOn: boolean };
}

/** What steps one processor. */
export interface ProcessorStepper {
  /** The watchpoint that the last step hit, if any. */
  readonly watched: StopReason | null;
  /** Runs the processor freely, with a debug exception of the guest's own first that a
   * step took or that was intercepted. */
  run(v: Vcpu): Promise<Return>;
  /** Makes one instruction; `v` has been read, and is when it is done. With `interrupts`
   * takeInterrupt() comes first. */
  step(v: Vcpu, interrupts?: boolean): Promise<StepResult>;
  /** The interrupt that comes before the next instruction of `v` (read), up to its
   * handler; null if none does, or where that is is not known. */
  takeInterrupt(v: Vcpu): Promise<StepResult | null>;
  /** Has the guest take the fault that `v` (read) has exited with, up to the
   * handler's first instruction. */
  takeFault(v: Vcpu, exit: ExceptionExit): Promise<StepResult>;
}
