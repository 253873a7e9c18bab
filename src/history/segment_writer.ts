/** Writes to a file those segments that are repeated from there: in it each has all that
 * changed since the one that was written before. */
import type { Machine } from "../machine/machine.ts";
import { PageSet } from "./pages.ts";
import type { Recorder } from "./recording.ts";
import type { Segment } from "./segments.ts";

/** What was not written yet, and what writes it. */
export class SegmentWriter {
  readonly #memory: Uint8Array;
  readonly #recorder: Recorder;
  /** Pages, and of each disk blocks, that changed since a segment was written. */
  readonly #pages = new Set<number>();
  #blocks: PageSet[] = [];

  constructor(machine: Machine, recorder: Recorder) {
    this.#memory = machine.options.guestMemory;
    this.#recorder = recorder;
  }

  /** The guest has been loaded anew. Whether that made of memory what its files make:
   * changed pages are taken from now on then. */
  reloaded(): boolean {
    const isSame = this.#recorder.reloaded(this.#memory);
    if (isSame) this.#pages.clear();
    return isSame;
  }

  /** Writes a new segment, with the pages that changed since the one before, unless what
   * was written leads there. */
  write(segment: Segment, changed: Uint32Array): void {
    for (const page of changed) this.#pages.add(page);
    segment.disks.forEach((set, i) => {
      this.#blocks[i] = set.copy().over(this.#blocks[i] ?? PageSet.none);
    });
    if (segment.continues) return;
    const loaded = this.#recorder.based;
    const full = segment.full && !loaded;
    this.#recorder.segment({
      ...segment,
      full,
      loaded,
      pages: full
        ? segment.pages
        : PageSet.of(Uint32Array.from(this.#pages).sort(), this.#memory),
      disks: this.#blocks,
    }, null);
    this.#pages.clear();
    this.#blocks = [];
  }
}
