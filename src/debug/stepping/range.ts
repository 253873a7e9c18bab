/**
 * Stepping until RIP leaves a range, without telling anybody in between. A few
 * instructions are stepped; after that the processor runs inside a fence.
 *
 * Only what the range's own frame does ends it. Interrupts come as ever, but for the
 * steps, which hold them off for an instruction; their handlers, and whatever else runs
 * until they return, may go through the same code.
 */
import { INTERRUPT_SHADOW } from "../../../ffi/values.ts";
import { RFLAGS_IF } from "../../x86/flags.ts";
import type { Return } from "../../machine/outcome.ts";
import type { ExceptionExit } from "../../platform/mod.ts";
import { SoftwareBreakpoint } from "../breakpoints/table.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Guest } from "../guest/guest.ts";
import type { StopReason } from "../target.ts";
import { Fence, type FenceSite } from "./fence.ts";
import type { Ending, Occurrence, StepResult } from "./results.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { isTrap } from "../breakpoints/trap.ts";

/** Most lines are left in fewer steps than a fence costs. */
const STEPS_FIRST = 12;
/** Where most instructions are stepped, interrupts are let in this often. */
const STEPS_HELD = 16;

/** What stepping through a range needs of run control. */
export interface RangeControl {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly course: { readonly goesOn: boolean };
  readonly meaning: {
    of(v: Vcpu, why: Occurrence): StopReason | SoftwareBreakpoint | "go on";
    breaksAt(v: Vcpu): StopReason | null;
  };
  readonly steps: {
    run(v: Vcpu): Promise<Return>;
    one(v: Vcpu): Promise<StepResult>;
    over(v: Vcpu, breakpoint: SoftwareBreakpoint): Promise<StepResult>;
    into(v: Vcpu, exit: ExceptionExit): Promise<StepResult>;
    watched(v: Vcpu): StopReason | null;
  };
}

/** Steps `v` while RIP is in [start, end); at least once. */
export async function rangeStep(
  control: RangeControl,
  v: Vcpu,
  start: bigint,
  end: bigint,
): Promise<Ending> {
  const inside = () => v.rip >= start && v.rip < end;
  v.read();
  if (v.pendingInterrupt) {
    const ending = await admit(control, v);
    if (ending !== "go on") return ending;
  }
  for (let steps = 0;; steps++) {
    if (!control.course.goesOn) return null;
    if (steps >= STEPS_FIRST) {
      const ending = await fenced(control, v, start, end, inside);
      if (ending === "new fence") continue;
      if (ending !== "no fence") return ending;
      steps = 0;
      const admitted = await admit(control, v);
      if (admitted !== "go on") return admitted;
    }
    const result = await control.steps.one(v);
    const ending = endOfStep(control, v, result, inside);
    if (ending !== "go on") return ending;
  }
}

async function fenced(
  control: RangeControl,
  v: Vcpu,
  start: bigint,
  end: bigint,
  inside: () => boolean,
): Promise<Ending | "new fence" | "no fence"> {
  const fence = new Fence(v, siteOf(control), start, end);
  if (!fence.sound || !plant(control, v, fence)) return "no fence";
  try {
    return await runFenced(control, v, fence, inside);
  } finally {
    for (const address of fence.stops) control.breakpoints.table.pull(address);
  }
}

function siteOf(control: RangeControl): FenceSite {
  const { memory, walker, machine } = control.guest;
  const { inMemory } = control.breakpoints;
  return {
    memory,
    inMemory: inMemory !== null,
    canStop(v, linear) {
      if (inMemory === null) return true;
      const gpa = walker.translate(v, linear);
      return gpa >= 0 && machine.memory.offsetOf(gpa) >= 0;
    },
  };
}

/** What a step that was made inside the range means; "go on" if nothing. */
function endOfStep(
  control: RangeControl,
  v: Vcpu,
  result: StepResult,
  inside: () => boolean,
): Ending | "go on" {
  if (result !== "done") return result === "canceled" ? null : result;
  const watched = control.steps.watched(v);
  if (watched !== null) return watched;
  if (!inside()) return { kind: "step" };
  return control.meaning.breaksAt(v) ?? "go on";
}

/** Puts the fence up; false (and nothing is up) if some of it is not mapped. */
function plant(control: RangeControl, v: Vcpu, { stops }: Fence): boolean {
  const { table } = control.breakpoints;
  for (const [count, address] of stops.entries()) {
    if (table.plant(address, [v])) continue;
    for (const done of stops.slice(0, count)) table.pull(done);
    return false;
  }
  return true;
}

/** Lets interrupts come that steps have held off, and their handlers return; of the
 * range's own code nothing runs. */
async function admit(
  control: RangeControl,
  v: Vcpu,
): Promise<Ending | "go on"> {
  const { table } = control.breakpoints;
  const closed = (v.rflags & RFLAGS_IF) === 0n ||
    (v.interruptState & INTERRUPT_SHADOW) !== 0n;
  if (closed && !v.pendingInterrupt) return "go on";
  const { linear, stack, cpl } = v;
  if (!table.plant(linear, [v])) return "go on";
  try {
    for (;;) {
      if (!control.course.goesOn) return null;
      const why = await control.steps.run(v);
      if (why.kind === "power") return why;
      if (why.kind !== "exception" && why.kind !== "point") continue;
      v.read();
      // Also with a fault of its own, which it will have again.
      if (v.linear === linear && v.stack === stack && v.cpl === cpl) {
        return "go on";
      }
      const meaning = control.meaning.of(v, why);
      if (meaning === "go on") continue;
      if (!(meaning instanceof SoftwareBreakpoint)) return meaning;
      const over = await stepElsewhere(control, v, meaning);
      if (over !== "go on") return over;
    }
  } finally {
    table.pull(linear);
  }
}

/** Past a breakpoint, or a stop of a fence, that is nobody's where the range's frame
 * is not. */
async function stepElsewhere(
  control: RangeControl,
  v: Vcpu,
  breakpoint: SoftwareBreakpoint,
): Promise<Ending | "go on"> {
  const result = await control.steps.over(v, breakpoint);
  if (result !== "done") return result === "canceled" ? null : result;
  return control.steps.watched(v) ?? "go on";
}

/** Runs inside the fence. "new fence" if it went where this one has not looked. */
async function runFenced(
  control: RangeControl,
  v: Vcpu,
  fence: Fence,
  inside: () => boolean,
): Promise<Ending | "new fence"> {
  for (let steps = 1;; steps++) {
    if (!control.course.goesOn) return null;
    const why = await control.steps.run(v);
    if (why.kind === "power") return why;
    if (why.kind !== "exception" && why.kind !== "point") continue;
    v.read();
    const place = fence.placeOf(v);
    const gate = v.rip;
    let result: StepResult;
    if (
      why.kind === "exception" && place !== null &&
      !isTrap(why.exit.vector, control.breakpoints.inMemory)
    ) {
      // Outside it is of the fetch there: the next step will have it again.
      if (place === "exit") return { kind: "step" };
      result = await control.steps.into(v, why.exit);
    } else {
      const meaning = control.meaning.of(v, why);
      if (meaning === "go on") continue;
      if (!(meaning instanceof SoftwareBreakpoint)) return meaning;
      if (place === "exit") return { kind: "step" };
      if (place === null) {
        const over = await stepElsewhere(control, v, meaning);
        if (over !== "go on") return over;
        continue;
      }
      if (steps % STEPS_HELD === 0) {
        const admitted = await admit(control, v);
        if (admitted !== "go on") return admitted;
      }
      // A gate; or somebody else's stop, or a breakpoint whose condition does not hold.
      result = await control.steps.over(v, meaning);
    }
    const ending = endOfStep(control, v, result, inside);
    if (ending !== "go on") return ending;
    if (fence.renewsBehind(gate) || fence.placeOf(v) === null) {
      return "new fence";
    }
    // Stepped through, HLT does not wait for what cannot come.
    if (v.halted && (v.rflags & RFLAGS_IF) === 0n) {
      v.wake();
    }
  }
}
