/**
 * Stepping until RIP leaves a range, without telling anybody in between.
 */
import type { Ending, RunControl } from "./control.ts";
import type { Vcpu } from "./vcpu.ts";

/** Steps `v` while RIP is in [start, end); at least once. */
export async function rangeStep(
  control: RunControl,
  v: Vcpu,
  start: bigint,
  end: bigint,
): Promise<Ending> {
  for (;;) {
    if (!control.goesOn) return null;
    const result = await control.stepOne(v);
    if (result !== "done") return result === "machine" ? result : null;
    v.read();
    const watched = control.watchReason(v);
    if (watched !== null) return watched;
    if (v.rip < start || v.rip >= end) return { kind: "step" };
    if (control.breaksAt(v)) return { kind: "breakpoint" };
  }
}
