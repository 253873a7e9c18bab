/** What is told of positions without going there: by where segments begin, and by what
 * their logs say. The methods are TimeTravel's. */
import type { ScheduleLog } from "../../ffi/mod.ts";
import type { Segment, Segments } from "./segments.ts";
import type { Position } from "./time_travel.ts";

/** Guest time that an instruction takes where runs can be repeated. */
const NS_OF_INSTRUCTION = 10n;

/** Positions in segments. */
export class Positions {
  readonly #segments: Segments;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  /** Where the first segment begins. */
  get start(): Position {
    return positionOf(this.#segments.all[0]);
  }

  /** Where the last segment ends. */
  get end(): Position {
    const { last } = this.#segments;
    return last.log === null ? positionOf(last) : endOf(last, last.log);
  }

  before(instructions: bigint): bigint | null {
    for (let i = this.#segments.all.length; i-- > 0;) {
      const at = BigInt(this.#segments.startOf(i));
      if (at < instructions) return at;
    }
    return null;
  }

  after(instructions: bigint): bigint | null {
    for (const { processors } of this.#segments.all) {
      const at = BigInt(processors.instructions);
      if (at > instructions) return at;
    }
    return null;
  }

  gap(instructions: bigint): bigint | null {
    const position = Number(instructions);
    const first = this.segmentOf(position);
    for (let i = first; i + 1 < this.#segments.all.length; i++) {
      const at = this.#gapOf(i);
      if (at !== null && this.#segments.startOf(i + 1) > position) {
        return BigInt(Math.max(at, position));
      }
    }
    return null;
  }

  wasChanged(instructions: bigint): boolean {
    const position = Number(instructions);
    const index = this.segmentOf(position);
    const { all } = this.#segments;
    return index > 0 && this.#segments.startOf(index) === position &&
      !all[index].continues && all[index - 1].log?.end === position;
  }

  lastOf(processor: number, instructions: bigint): bigint | null {
    const limit = Number(instructions);
    const { all } = this.#segments;
    for (let i = all.length; i-- > 0;) {
      const { log } = all[i];
      if (this.#segments.startOf(i) >= limit) continue;
      const gap = this.#gapOf(i);
      if (gap !== null && gap < limit) return BigInt(gap);
      if (log === null) continue;
      let found = -1;
      for (const { kind, vp, value, from } of log) {
        if (from >= limit) break;
        if (kind !== "run" || vp !== processor || value === 0) continue;
        found = Math.min(from + value, limit) - 1;
      }
      if (found >= 0) return BigInt(found);
    }
    return null;
  }

  nextOf(processor: number, instructions: bigint): bigint | null {
    const from = this.#nextRun(instructions, processor);
    if (from === null) return null;
    return from.vp === null ? from.at : from.at + 1n;
  }

  processorAt(instructions: bigint): number | null {
    return this.#nextRun(instructions, null)?.vp ?? null;
  }

  /** The newest segment that begins at a position or before it. */
  segmentOf(position: number): number {
    for (let i = this.#segments.all.length; i-- > 0;) {
      if (this.#segments.startOf(i) <= position) return i;
    }
    return 0;
  }

  /** Where a segment's log ends, if the next one begins later; null if it does not. */
  #gapOf(index: number): number | null {
    const { all } = this.#segments;
    if (index + 1 >= all.length) return null;
    const end = all[index].log?.end ?? this.#segments.startOf(index);
    return this.#segments.startOf(index + 1) > end ? end : null;
  }

  /** The first instruction from a position on, of a processor or of any; what cannot be
   * repeated may be of any (null), and then it is its end. */
  #nextRun(
    instructions: bigint,
    processor: number | null,
  ): { vp: number | null; at: bigint } | null {
    const position = Number(instructions);
    const { all } = this.#segments;
    for (let i = this.segmentOf(position); i < all.length; i++) {
      const { log } = all[i];
      if (log === null || log.end <= position) {
        if (
          this.#gapOf(i) === null || this.#segments.startOf(i + 1) <= position
        ) continue;
        return { vp: null, at: BigInt(this.#segments.startOf(i + 1)) };
      }
      for (const { kind, vp, value, from } of log) {
        if (kind !== "run" || from + value <= position) continue;
        if (processor !== null && vp !== processor) continue;
        return { vp, at: BigInt(Math.max(from, position)) };
      }
      if (this.#gapOf(i) !== null) {
        return { vp: null, at: BigInt(this.#segments.startOf(i + 1)) };
      }
    }
    return null;
  }
}

function positionOf({ processors }: Segment): Position {
  return {
    instructions: BigInt(processors.instructions),
    time: processors.time,
  };
}

/** Where a log ends: guest time goes by its instructions and by what was skipped. */
function endOf({ processors }: Segment, log: ScheduleLog): Position {
  let { time } = processors;
  for (const { kind, value } of log) {
    if (kind === "run") time += NS_OF_INSTRUCTION * BigInt(value);
    else if (kind === "skip") time += BigInt(value);
  }
  return { instructions: BigInt(log.end), time };
}
