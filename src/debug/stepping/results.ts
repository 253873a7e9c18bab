/** What becomes of a step, and of a processor's part of a plan. */
import type { StopReason } from "../target.ts";

/** "canceled": the instruction has not run; the guest is to stop, or if it goes on there
 * is a breakpoint there now. "machine": the machine has an event. */
export type StepResult = "done" | "canceled" | "machine";

/** What a processor's part of a plan ended with: a reason to stop everybody,
 * "machine" (the machine has an event), or null (somebody else stops). */
export type Ending = StopReason | "machine" | null;
