/** While the guest runs live: what it does is noted, and snapshots are made on the way. */
import type { PlatformTimeTravel } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { Inputs } from "./inputs.ts";
import type { Present } from "./present.ts";
import type { RecordedInput, Recorder } from "./recording.ts";
import type { Segments } from "./segments.ts";

/** How often between two snapshots memory is found for the next one. */
const PREPARATIONS = 8;
/** The part of the time that snapshots of steps may take, and the most that is put by. */
const STEPS_SHARE = 0.05;
const MOST_BUDGET_MS = 100;

/** Keeps the history of what runs live. */
export class Live {
  readonly #platform: PlatformTimeTravel;
  readonly #segments: Segments;
  readonly #present: Present;
  readonly #inputs: Inputs;
  readonly #recorder: Recorder | null;
  readonly #interval: number;
  /** Whether the last segment's log goes on: all that changed the machine is in it. */
  #open = false;
  /** The platform's count of changes when the guest stopped. */
  #changes = 0;
  /** Whether the guest runs as no log has it. */
  #opaque = false;
  /** Host time that snapshots of steps may take yet, and when that was so. */
  #budgetMs = MOST_BUDGET_MS;
  #budgetAt = performance.now();

  /** `interval`: instructions between two snapshots. */
  constructor(
    machine: Machine,
    segments: Segments,
    present: Present,
    inputs: Inputs,
    recorder: Recorder | null,
    interval: number,
  ) {
    this.#platform = machine.options.platform.timeTravel!;
    this.#segments = segments;
    this.#present = present;
    this.#inputs = inputs;
    this.#recorder = recorder;
    this.#interval = interval;
  }

  /** Something comes from outside now. */
  input(input: RecordedInput): void {
    const log = this.#open ? this.#segments.last.log : null;
    if (log) {
      log.event(this.#inputs.noted);
      const noted = { ...input, bytes: input.bytes.slice() };
      this.#inputs.note(noted);
      this.#recorder?.input(noted);
    }
    this.#inputs.deliver(input);
  }

  /** The guest is about to run. `repeatable`: the log of what is run is all that
   * happens; steps that the platform makes are in it, too. */
  resuming(repeatable: boolean): void {
    this.#opaque = !repeatable;
    if (this.#platform.changes() !== this.#changes) this.close();
    if (!repeatable) {
      this.close();
      if (this.#segments.all.length === 0) this.#present.add(false, false);
      return;
    }
    if (!this.#open) {
      this.#present.add(false, false);
      this.#record();
    }
    this.#platform.whenQuiet(this.#due, this.#snap);
  }

  /** Where the last snapshot is. */
  get #from(): number {
    return this.#segments.last.processors.instructions;
  }

  /** Where the next snapshot is due. */
  get #next(): number {
    return this.#from + this.#interval;
  }

  /** Where that is due, or before it to find memory for it. */
  get #due(): number {
    const part = Math.ceil(this.#interval / (PREPARATIONS + 1));
    const done = this.#platform.instructions() - this.#from;
    const over = Math.floor(done / part);
    return Math.min(this.#from + (over + 1) * part, this.#next);
  }

  /** While the guest runs: a snapshot, or what makes the next one short. */
  readonly #snap = (): void => {
    if (this.#platform.instructions() >= this.#next) {
      this.#present.add(true, true);
      this.#record();
    } else this.#present.prepare();
    this.#platform.whenQuiet(this.#due, this.#snap);
  };

  /** What follows the last snapshot is noted from now on. */
  #record(): void {
    const log = this.#platform.record();
    this.#segments.last.log = log;
    this.#recorder?.follow(log);
    this.#open = true;
  }

  /** The last segment's log ends here. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#platform.stopRecording();
    this.#recorder?.settle();
  }

  /** The guest has stopped: no processor is run. What is noted goes on with the next
   * resume, unless something is changed before. */
  stopped(): void {
    this.#platform.whenQuiet(0, null);
    this.#recorder?.flush();
    this.#changes = this.#platform.changes();
    if (this.#opaque) this.#addIfCheap();
  }

  /**
   * A snapshot where the guest was stepped to. A person's steps each have one; a script
   * that steps without a pause has one now and then, and between two of them history is
   * gone over as a whole.
   */
  #addIfCheap(): void {
    const now = performance.now();
    this.#budgetMs += (now - this.#budgetAt) * STEPS_SHARE;
    if (this.#budgetMs > MOST_BUDGET_MS) this.#budgetMs = MOST_BUDGET_MS;
    this.#budgetAt = now;
    if (this.#budgetMs <= 0) return;
    this.#present.add(false, false);
    this.#budgetMs -= performance.now() - now;
  }
}
