/** The machine as it is now, beside the segments: makes a snapshot of it, and makes it what
 * a snapshot has. */
import type { PlatformTimeTravel, ScheduleLog } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import type { JournaledStore } from "./disks.ts";
import { bringBack, momentOf } from "./moment.ts";
import { type LoadedMemory, PagePool, PageSet } from "./pages.ts";
import type { SegmentWriter } from "./segment_writer.ts";
import type { Segment, Segments } from "./segments.ts";

/** How many pages memory is found for at a time, and for how many at most. */
const PREPARED_PAGES = 1280;
const MOST_PREPARED = 10_240;

/** The machine, and the segment that it was last. */
export class Present {
  readonly #machine: Machine;
  readonly #platform: PlatformTimeTravel;
  readonly #memory: Uint8Array;
  readonly #disks: readonly JournaledStore[];
  readonly #segments: Segments;
  readonly #writer: SegmentWriter | null;
  /** Where the pages of snapshots are. */
  readonly #pool = new PagePool();
  /** The segment that memory is made of, but for what changed since. */
  #base: Segment | null = null;
  /** What memory is but for what changed since, until something else is known. */
  #loaded: LoadedMemory | null;
  /** What came behind here is gone: in a file, too, nothing leads here. */
  #forked = false;

  /** `loaded`: what memory is but for what changed since, if that is known; `writer`
   * writes all that is added to a file. */
  constructor(
    machine: Machine,
    disks: readonly JournaledStore[],
    segments: Segments,
    loaded: LoadedMemory | null,
    writer: SegmentWriter | null,
  ) {
    this.#loaded = loaded;
    this.#machine = machine;
    this.#platform = machine.options.platform.timeTravel!;
    this.#memory = machine.options.guestMemory;
    this.#disks = disks;
    this.#segments = segments;
    this.#writer = writer;
    machine.onReset.subscribe(() => {
      if (!writer?.reloaded()) return;
      this.#platform.takeChanged();
      this.forked();
    });
  }

  /** No segment leads here: the next one has all of memory. */
  forked(): void {
    this.#forked = true;
  }

  /** Has the system find memory for some of the next snapshot's pages. */
  prepare(): void {
    const { most } = this.#segments;
    const pages = Math.min(this.#memory.length, most / 4) / PAGE_BYTES;
    this.#pool.prepare(Math.min(pages, MOST_PREPARED), PREPARED_PAGES);
  }

  /** A snapshot behind all others. */
  add(quiet: boolean, continues: boolean): void {
    const memory = this.#memory;
    const changed = this.#platform.takeChanged();
    // After a reset most pages are zeros that were written.
    const full = this.#segments.all.length === 0 || this.#forked ||
      changed.length * PAGE_BYTES > memory.length / 4;
    this.#forked = false;
    const loaded = this.#loaded;
    this.#loaded = null;
    const segment: Segment = {
      ...momentOf(this.#machine),
      quiet,
      continues,
      full,
      pages: full
        ? PageSet.nonZero(
          memory,
          this.#pool,
          loaded ? union(loaded.pages, changed) : undefined,
        )
        : PageSet.of(changed, memory, this.#pool),
      disks: this.#disks.map((disk) => disk.takeChanged()),
      log: null,
    };
    this.#segments.append(segment);
    this.#base = segment;
    this.#writer?.write(segment, changed);
    this.#segments.thin();
  }

  /** A snapshot between two others, in the midst of a replay; `log` is what follows it. */
  insert(index: number, log: ScheduleLog): Segment {
    const segment: Segment = {
      ...momentOf(this.#machine),
      quiet: true,
      continues: true,
      full: false,
      pages: PageSet.of(
        this.#platform.takeChanged(),
        this.#memory,
        this.#pool,
      ),
      disks: this.#disks.map((disk) => disk.takeChanged()),
      log,
    };
    this.#segments.insert(index, segment);
    this.#base = segment;
    return segment;
  }

  /** Makes memory what the first segment has, whatever it was. */
  begin(): void {
    const memory = this.#memory;
    const [first] = this.#segments.all;
    memory.fill(0);
    first.pages.numbers.forEach((page, i) =>
      memory.set(first.pages.page(i), page * PAGE_BYTES)
    );
    for (let page = 0; page * PAGE_BYTES < memory.length; page++) {
      this.#platform.replaced(page);
    }
    this.#base = first;
  }

  /** Makes the machine what it was at the beginning of a segment. */
  restore(index: number): void {
    const segment = this.#segments.all[index];
    const base = this.#base === null
      ? -1
      : this.#segments.all.indexOf(this.#base);
    bringBack(this.#machine, segment, () => {
      this.#restorePages(base, index);
      this.#restoreDisks(base, index);
    });
    this.#base = segment;
  }

  #restoreDisks(base: number, index: number): void {
    const { all } = this.#segments;
    const from = Math.min(base, index), to = Math.max(base, index);
    this.#disks.forEach((disk, d) => {
      const { numbers } = disk.takeChanged();
      const between = all.slice(from + 1, to + 1)
        .flatMap(({ disks }) => [...disks[d].numbers]);
      disk.restore(
        [...numbers, ...between],
        all.slice(0, index + 1).map(({ disks }) => disks[d]),
      );
    });
  }

  #restorePages(base: number, index: number): void {
    const { all } = this.#segments;
    const memory = this.#memory;
    const needed = new Uint8Array(Math.ceil(memory.length / PAGE_BYTES));
    let left = 0;
    const need = (numbers: Uint32Array) => {
      for (const page of numbers) {
        if (needed[page] === 0) left++;
        needed[page] = 1;
      }
    };
    need(this.#platform.takeChanged());
    const from = Math.min(base, index), to = Math.max(base, index);
    // What has all of memory does not say which pages became zeros.
    const isWhole = all.slice(from + 1, to + 1).some(({ full }) => full);
    for (let i = isWhole ? 0 : from + 1; i <= to; i++) {
      need(all[i].pages.numbers);
    }
    for (let i = index; i >= 0 && left > 0; i--) {
      const { pages } = all[i];
      const { numbers } = pages;
      for (let k = 0; k < numbers.length && left > 0; k++) {
        const page = numbers[k];
        if (needed[page] === 0) continue;
        needed[page] = 0;
        left--;
        memory.set(pages.page(k), page * PAGE_BYTES);
        this.#platform.replaced(page);
      }
      if (all[i].full) break;
    }
    for (let page = 0; left > 0; page++) {
      if (needed[page] === 0) continue;
      left--;
      memory.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      this.#platform.replaced(page);
    }
  }
}

/** Numbers that are in one of two sets or in both, in ascending order. */
function union(a: Uint32Array, b: Uint32Array): Uint32Array {
  return Uint32Array.from(new Set([...a, ...b])).sort();
}
