/** The segments of a run that was recorded. */
import type { PlatformTimeTravel } from "../../ffi/mod.ts";
import { PageSet } from "./pages.ts";
import type { RecordedRun } from "./recording.ts";
import type { Segment } from "./segments.ts";

/** Segments of what a file has; where one begins from what the guest's files make, guest
 * memory is it now. */
export function segmentsOf(
  run: RecordedRun,
  memory: Uint8Array,
  platform: PlatformTimeTravel,
): Segment[] {
  const asLoaded = PageSet.nonZero(memory);
  const segments: Segment[] = [];
  for (const { state, log } of run.segments) {
    const { instructions } = state.processors;
    forgetFrom(instructions, segments);
    segments.push({
      ...state,
      full: state.full || state.loaded,
      pages: state.loaded ? state.pages.over(asLoaded.copy()) : state.pages,
      continues: false,
      log: log && platform.logOf(instructions, log),
    });
  }
  return segments;
}

/** Another future began: what was recorded before and came later is gone. */
function forgetFrom(instructions: number, segments: Segment[]): void {
  for (; segments.length > 0; segments.pop()) {
    const { processors, log } = segments.at(-1)!;
    if (processors.instructions > instructions) continue;
    if (log && log.end > instructions) log.cutAt(instructions);
    return;
  }
}
