// A replay: what its log says is next, and whether the guest did that.

import type { ReplayOptions, ScheduleEntry } from "../../ffi/time_travel.ts";
import type { Core } from "./module.ts";
import { Cursor, type Schedule } from "./schedule.ts";

/** Instructions of a replay at a time. */
const MOST_AT_ONCE = 400_000;

/** A way along a log. */
export class Follow {
  readonly cursor: Cursor;
  /** Where it ends: a number of instructions, the log's end at most. */
  to: number;
  readonly #core: Core;
  readonly #told: ReplayOptions;

  /** At the log's beginning. */
  constructor(core: Core, told: ReplayOptions) {
    this.#core = core;
    this.#told = told;
    this.cursor = new Cursor(told.log as Schedule);
    this.to = this.cursor.total;
  }

  /** What is next; null where it ends. */
  get next(): ScheduleEntry | null {
    const entry = this.cursor.peek();
    return this.cursor.total >= this.to && entry?.kind !== "met" ? null : entry;
  }

  /** It is where it ends. */
  arrived(): void {
    this.#told.arrived(null);
  }

  /** Carries out what comes between two instructions, at guest time `now` (ns); false for
   * what a processor is to be run for. */
  happened({ kind, vp, value }: ScheduleEntry, now: number): boolean {
    switch (kind) {
      case "skip":
        this.cursor.advance(0);
        this.#core.skipTime(BigInt(now + value));
        return true;
      case "event":
        this.cursor.advance(0);
        this.#told.event(value);
        return true;
      case "pass":
        this.cursor.advance(0);
        this.#told.passed(vp);
        this.#core.whvPassDebugPoints(vp, value);
        return true;
      case "cut":
        this.cursor.advance(0);
        this.#core.limitRepeat(value);
        return true;
    }
    return false;
  }

  /** How many instructions the processor is run for at a time, at most: with none to do
   * there may still be something between two. */
  budgetOf(entry: ScheduleEntry): number {
    return Math.min(
      wholeOf(entry) - this.cursor.done,
      this.to - this.cursor.total,
      MOST_AT_ONCE,
    );
  }

  /** The processor was run and completed so many. False if it did none where it was to:
   * it neither came out of the core (`left`), nor does its caller get an exit (`exited`). */
  ran(
    entry: ScheduleEntry,
    executed: number,
    left: boolean,
    exited: boolean,
  ): boolean {
    const isDone = wholeOf(entry) === 0 && !(entry.kind === "met" && exited);
    if (executed === 0 && !isDone) return exited || left;
    this.cursor.advance(executed);
    return true;
  }

  /** It ends, since that was so. */
  stuck({ vp }: ScheduleEntry): void {
    this.#told.arrived(
      new Error(
        `the guest did not do again what it did: processor ${vp} waits ` +
          `after ${this.cursor.total} instructions`,
      ),
    );
  }
}

/** How many instructions an entry has. */
function wholeOf({ kind, value }: ScheduleEntry): number {
  return kind === "met" ? 0 : value;
}
