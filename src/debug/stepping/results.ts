/** What becomes of a step, and of a processor's part of a plan. */
import type {
  ExceptionReturn,
  PointReturn,
  Power,
} from "../../machine/outcome.ts";
import type { StopReason } from "../target.ts";
import type { Fault } from "./faults.ts";

/** What a processor has come back with that somebody may want to be told of. */
export type Occurrence = ExceptionReturn | PointReturn;

/** "canceled": the instruction has not run; the guest is to stop, or if it goes on there
 * is a breakpoint there now. Power: the machine has come to its end. */
export type StepResult = "done" | "canceled" | Power;

/** What a processor's part of a plan ended with: a reason to stop everybody, the
 * machine's end, or null (somebody else stops). */
export type Ending = StopReason | Power | null;

/** A step, and the fault that it ran into, which the guest has still to take. */
export interface Stepped {
  readonly result: StepResult;
  readonly fault: Fault | null;
}
