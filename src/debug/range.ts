/**
 * Stepping until RIP leaves a range, without telling anybody in between. A few
 * instructions are stepped; after that the processor runs inside a fence.
 */
import { SoftwareBreakpoint } from "./breakpoints.ts";
import type { Driver, Ending } from "./driver.ts";
import { type Fence, fenceOf } from "./fence.ts";
import type { Vcpu } from "./vcpu.ts";

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
      steps = 0;
      const fence = fenceOf(v, control.memory, start, end);
      if (fence !== null && plant(control, fence)) {
        let ending: Ending | "step on";
        try {
          ending = await runFenced(control, v, fence, inside);
        } finally {
          pull(control, fence);
        }
        if (ending !== "step on") return ending;
      }
    }
    const result = await control.stepOne(v);
    if (result !== "done") return result === "machine" ? result : null;
    const watched = control.watchReason(v);
    if (watched !== null) return watched;
    if (!inside()) return { kind: "step" };
    const told = control.breaksAt(v);
    if (told !== null) return told;
  }
}

/** Puts the fence up; false (and nothing is up) if some of it is not mapped. */
function plant(control: Driver, { exits, gates }: Fence): boolean {
  const { breakpoints, vcpus } = control;
  const planted: bigint[] = [];
  for (const address of [...exits, ...gates]) {
    if (!breakpoints.plant(address, vcpus)) {
      for (const done of planted) breakpoints.pull(done);
      return false;
    }
    planted.push(address);
  }
  control.setBreakpoints();
  return true;
}

function pull({ breakpoints }: Driver, { exits, gates }: Fence): void {
  for (const address of exits) breakpoints.pull(address);
  for (const address of gates) breakpoints.pull(address);
}

/** Runs inside the fence. "step on" if the processor is where a step is due. */
async function runFenced(
  control: Driver,
  v: Vcpu,
  fence: Fence,
  inside: () => boolean,
): Promise<Ending | "step on"> {
  for (;;) {
    if (!control.goesOn) return null;
    const why = await control.run(v, false);
    if (why === "machine") return why;
    if (why !== "exception" && why !== "point") continue;
    const fault = v.processor.exception;
    v.read();
    // A fault of the range's code is stepped into; one of an interrupt handler
    // that came in between is the guest's.
    if (fault !== null && fault.vector !== 1 && inside()) {
      const result = await control.stepInto(v);
      if (result !== "done") return result === "machine" ? result : null;
      return inside() ? "step on" : { kind: "step" };
    }
    const meaning = control.meaningOf(v);
    if (meaning === "go on") continue;
    if (!(meaning instanceof SoftwareBreakpoint)) return meaning;
    if (fence.exits.includes(meaning.address)) return { kind: "step" };
    if (fence.gates.includes(meaning.address)) {
      const result = await control.stepOver(v, meaning);
      if (result !== "done") return result === "machine" ? result : null;
      const watched = control.watchReason(v);
      if (watched !== null) return watched;
      if (!inside()) return { kind: "step" };
      const told = control.breaksAt(v);
      if (told !== null) return told;
      continue;
    }
    // Somebody else's plant, or a breakpoint whose condition does not hold.
    const result = await control.stepOver(v, meaning);
    if (result !== "done") return result === "machine" ? result : null;
  }
}
