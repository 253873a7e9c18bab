/**
 * What a debugger needs to go back in time. A position is a count of instructions of
 * all processors together; the machine at a position has completed exactly so many,
 * every exit among them carried out, and nothing that comes before the next one.
 *
 * How the requests of a debugger are made of it:
 * - one processor back by one of its instructions: `goTo(lastOf(vp, now))`.
 * - one processor forward by one in the past: `goTo(nextOf(vp, now))`.
 * - back to the last hit: for `from = before(now)`, then `before(from)` and so on:
 *   `goTo(from)`, `replay(to, ...)` with points armed where `to` is where the scan
 *   before began; the last hit that counts is where to `goTo`.
 * - forward in the past: `replay(end, ...)`; when it comes to the end without a stop, the
 *   guest goes on live by an ordinary resume.
 * - a change of registers or memory in the past: `fork()` first; the future is gone then.
 *
 * All methods are called while run control is stopped, and no processor is in a run
 * when their promises resolve. `RunControl.history` is the machine's (`History`), or null;
 * whether a machine can have one says whyNoHistory(). Run control tells it of every live
 * start and stop; a live start in the past forks first.
 */
import type { DebugPointExit } from "../platform/exits.ts";

/** A moment of a machine's life. */
export interface Position {
  /** Instructions of all processors together. */
  readonly instructions: bigint;
  /** Guest time, ns. */
  readonly time: bigint;
}

/**
 * What a replay came to: a debug point (the processor has not passed it), or a place
 * where the guest was stopped, or let pass points, when it ran live. There the points of
 * now are not met by themselves: whoever looks for breakpoints looks whether the
 * processor is at one. A device's accesses to memory are told by Machine.onDma, as live.
 */
export interface Hit {
  /** Instructions of all processors together. For an instruction point this is the
   * position before it; for data, behind the instruction that did it. */
  readonly instructions: bigint;
  /** The processor. */
  readonly processor: number;
  /** The exit; null for a place without one. Valid during the call. */
  readonly point: DebugPointExit | null;
  /** Whether the machine was changed here afterwards, at the same position. */
  readonly left: boolean;
}

/** What is to become of a replay after a hit. */
export type HitVerdict = "go on" | "stop";

/** The past of a machine. */
export interface TimeTravel {
  /** Why there is none, in one line for the user; null if there is. */
  readonly available: string | null;
  /** Whether the machine is before its history's end. */
  readonly inPast: boolean;
  /** Where the machine is. */
  now(): Position;
  /** The first position that can be reached. */
  start(): Position;
  /** The last one: where the machine went on live. */
  end(): Position;
  /** The newest position before `instructions` that is reached without replaying;
   * null if there is none. */
  before(instructions: bigint): bigint | null;
  /** The first such position behind `instructions`; null if there is none. */
  after(instructions: bigint): bigint | null;
  /** The first position, `instructions` or behind, from which what followed cannot be
   * repeated: it is gone over as a whole, up to the next position that after() tells.
   * Null if there is none. */
  gap(instructions: bigint): bigint | null;
  /** Whether somebody changed the machine at a position: there it is what it was made, and
   * was another one before. */
  wasChanged(instructions: bigint): boolean;
  /** The position from which `processor` executed its last instruction before
   * `instructions`, or where the piece begins that it was in and that cannot be repeated;
   * null if that is before the start. */
  lastOf(processor: number, instructions: bigint): bigint | null;
  /** The position behind the next instruction that `processor` executes from
   * `instructions` on; null if it executes none before the end. */
  nextOf(processor: number, instructions: bigint): bigint | null;
  /** Which processor executes the next instruction from `instructions` on; null at the
   * end, and where that is not known. */
  processorAt(instructions: bigint): number | null;
  /** Puts the machine to a position between start and end. Debug points are not met. With
   * `near` positions shortly before it are soon reached from now on. With `left` it is the
   * machine as it was before somebody changed it there. */
  goTo(instructions: bigint, near?: boolean, left?: boolean): Promise<void>;
  /** Runs on to a position not before now, up to the end, with the debug points that are
   * armed. `onHit` judges each; after "stop" the machine is where the hit is, and a
   * processor that has not passed its point passes it when it is run next. */
  replay(to: bigint, onHit: (hit: Hit) => HitVerdict): Promise<"hit" | "end">;
  /** The same instructions until `instructions` are to be followed by something else:
   * what came after them is forgotten, and the machine, there, is at the end. */
  fork(): void;
}
