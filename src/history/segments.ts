/** The pieces that the past is made of, each a snapshot and what followed it, and how they
 * are joined so that all together take no more than they may. */
import type { ScheduleLog } from "../../ffi/mod.ts";
import type { Moment } from "./moment.ts";
import type { PageSet } from "./pages.ts";

/** Instructions between two snapshots, while there is room. */
export const INTERVAL = 8_000_000;
/** Snapshots near the end that are never thinned out. */
const RECENT = 4;
/** What a snapshot takes besides pages, processors and schedule, about. */
const BOARD_BYTES = 16_384;

/** A snapshot and what followed it. */
export interface Segment extends Moment {
  /** Whether processors were being run, between two instructions; else none was. */
  readonly quiet: boolean;
  /** Whether the log before leads here: nothing else happened between. */
  readonly continues: boolean;
  /** Whether `pages` are all that are not zero; else what changed since the segment
   * before. */
  full: boolean;
  pages: PageSet;
  /** Of each disk, the same. */
  disks: readonly PageSet[];
  /** What followed; null where that cannot be repeated. */
  log: ScheduleLog | null;
}

/** All segments, the oldest first. */
export class Segments {
  readonly #all: Segment[] = [];
  /** Host memory that they may take. */
  readonly most: number;
  /** What they took when they were last added up, and those since. */
  #estimate = 0;

  constructor(most: number) {
    this.most = most;
  }

  get all(): readonly Segment[] {
    return this.#all;
  }

  get last(): Segment {
    return this.#all.at(-1)!;
  }

  /** The position of a segment's snapshot. */
  startOf(index: number): number {
    return this.#all[index].processors.instructions;
  }

  /** How much host memory they take, about. */
  get bytes(): number {
    return this.#all.reduce((sum, segment) => sum + sizeOf(segment), 0);
  }

  /** Puts segments behind the last one, as they are. */
  append(...segments: readonly Segment[]): void {
    this.#all.push(...segments);
  }

  /** Puts one in that another one was split for. */
  insert(index: number, segment: Segment): void {
    this.#all.splice(index, 0, segment);
    this.#estimate += sizeOf(segment);
  }

  /** Joins segments, the last of which is new, until they take no more than they may. */
  thin(): void {
    // All are gone through only where their sum may be too much.
    this.#estimate += sizeOf(this.last);
    if (this.#estimate <= this.most) return;
    let bytes = this.bytes;
    while (bytes > this.most && this.#all.length > RECENT + 1) {
      const before = bytes;
      this.join(this.#leastMissed());
      bytes = this.bytes;
      if (bytes >= before && this.#all.length <= RECENT + 1) break;
    }
    this.#estimate = bytes;
  }

  /** The segment whose snapshot is missed least: the gap that it leaves is the
   * smallest, for its distance from now. Never the first, unless no other can go. */
  #leastMissed(): number {
    const all = this.#all;
    const now = this.last.processors.instructions;
    let best = 0, least = Infinity;
    for (let i = 1; i < all.length - RECENT; i++) {
      if (!all[i].continues || all[i - 1].log === null) continue;
      const missed = (this.startOf(i + 1) - this.startOf(i - 1)) /
        (now - this.startOf(i) + INTERVAL);
      if (missed < least) {
        least = missed;
        best = i;
      }
    }
    return best;
  }

  /** Takes a segment's snapshot away; the one before it is repeated further. The first
   * segment goes as a whole. */
  join(index: number): void {
    const segment = this.#all[index];
    if (index > 0) {
      const before = this.#all[index - 1];
      if (segment.log === null) before.log = null;
      else before.log!.append(segment.log);
    }
    this.drop(index);
  }

  /** Takes a segment away, whatever followed it. */
  drop(index: number): void {
    const segment = this.#all[index], next = this.#all[index + 1];
    if (!next.full) {
      next.pages = next.pages.over(segment.pages);
      next.full = segment.full;
    } else segment.pages.release();
    next.disks = next.disks.map((disk, i) => disk.over(segment.disks[i]));
    this.#all.splice(index, 1);
  }

  /** Takes all away from one on. */
  forget(index: number): void {
    for (const { pages } of this.#all.splice(index)) pages.release();
  }
}

function sizeOf({ pages, disks, processors, log }: Segment): number {
  return [pages, ...disks].reduce((sum, { bytes }) => sum + bytes, 0) +
    processors.core.length + (log?.bytes ?? 0) + BOARD_BYTES;
}
