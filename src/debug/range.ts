/**
 * Stepping until RIP leaves a range, without telling anybody in between. A few
 * instructions are stepped; after that the processor runs inside a fence.
 */
import { Reg } from "../../ffi/registers.ts";
import { SoftwareBreakpoint } from "./breakpoints.ts";
import type { Driver, Ending } from "./driver.ts";
import { type Fence, fenceOf } from "./fence.ts";
import type { StepResult } from "./stepper.ts";
import { RFLAGS_IF, type Vcpu } from "./vcpu.ts";

/** Most lines are left in fewer steps than a fence costs. */
const STEPS_FIRST = 12;

/** Steps `v` while RIP is in [start, end); at least once. */
export async function rangeStep(
  control: Driver,
  v: Vcpu,
  start: bigint,
  end: bigint,
): Promise<Ending> {
  const inside = () => v.rip >= start && v.rip < end;
  v.read();
  for (let steps = 0;; steps++) {
    if (!control.goesOn) return null;
    if (steps >= STEPS_FIRST) {
      const fence = fenceOf(v, control.memory, start, end);
      if (fence !== null && plant(control, v, fence)) {
        let ending: Ending | "new fence";
        try {
          ending = await runFenced(control, v, fence, inside);
        } finally {
          pull(control, fence);
        }
        if (ending !== "new fence") return ending;
        continue;
      }
      steps = 0;
    }
    const result = await control.stepOne(v);
    const ending = endOfStep(control, v, result, inside);
    if (ending !== "go on") return ending;
  }
}

/** What a step that was made inside the range means; "go on" if nothing. */
function endOfStep(
  control: Driver,
  v: Vcpu,
  result: StepResult,
  inside: () => boolean,
): Ending | "go on" {
  if (result !== "done") return result === "machine" ? result : null;
  const watched = control.watchReason(v);
  if (watched !== null) return watched;
  if (!inside()) return { kind: "step" };
  return control.breaksAt(v) ?? "go on";
}

/** Puts the fence up; false (and nothing is up) if some of it is not mapped. */
function plant(control: Driver, v: Vcpu, { exits, gates }: Fence): boolean {
  const { breakpoints } = control;
  const planted: bigint[] = [];
  for (const address of [...exits, ...gates]) {
    if (!breakpoints.plant(address, [v])) {
      for (const done of planted) breakpoints.pull(done);
      return false;
    }
    planted.push(address);
  }
  control.setPlants();
  return true;
}

function pull({ breakpoints }: Driver, { exits, gates }: Fence): void {
  for (const address of exits) breakpoints.pull(address);
  for (const address of gates) breakpoints.pull(address);
}

/** Runs inside the fence. "new fence" if it went where this one has not looked. */
async function runFenced(
  control: Driver,
  v: Vcpu,
  fence: Fence,
  inside: () => boolean,
): Promise<Ending | "new fence"> {
  for (;;) {
    if (!control.goesOn) return null;
    const why = await control.run(v, false);
    if (why === "machine") return why;
    if (why !== "exception" && why !== "point") continue;
    const fault = v.processor.exception;
    v.read();
    let result: StepResult;
    if (fault !== null && fault.vector !== 1 && inside()) {
      // A fault of the range's code is stepped into; one of an interrupt handler
      // that came in between is the guest's.
      result = await control.stepInto(v);
    } else {
      const meaning = control.meaningOf(v);
      if (meaning === "go on") continue;
      if (!(meaning instanceof SoftwareBreakpoint)) return meaning;
      if (fence.exits.includes(meaning.address)) return { kind: "step" };
      const here = inside();
      // A gate; or somebody else's plant, or a breakpoint whose condition does not
      // hold, which may as well be in a handler that came in between.
      result = await control.stepOver(v, meaning);
      if (!here) {
        if (result !== "done") return result === "machine" ? result : null;
        const watched = control.watchReason(v);
        if (watched !== null) return watched;
        continue;
      }
    }
    const ending = endOfStep(control, v, result, inside);
    if (ending !== "go on") return ending;
    if (!fence.covers(v.rip)) return "new fence";
    // Stepped through, HLT does not wait for what cannot come.
    if (v.halted && (v.rflags & RFLAGS_IF) === 0n) {
      v.processor.vp.set(Reg.InternalActivityState, 0n);
    }
  }
}
