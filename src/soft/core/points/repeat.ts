// Debug points inside of a REP. Its iterations are executed many at a time and
// count as one instruction; a hit cuts that short, and how far it came is told,
// so that a replay, which may have other points, can do the same.
import { P_DEBUG, P_POINT, PENDING } from "../layout";
import { ipOf, linearIp } from "../code/ip";
import { DebugAccess } from "../whv/names";
import { liveAt, UNTOLD } from "./addresses";
import { noteHit } from "./hits";

/**
 * The record of the point whose condition is asked before each iteration of the
 * REP behind it; 0: there is none.
 */
let judged: usize = 0;

/** Whether iterations are executed one by one, since a condition is asked. */
@inline
export function judging(): bool {
  return judged != 0;
}

/** Iterations that the next REP does, at most; 0: as many as it may. */
let limit: u32 = 0;

/** Iterations that the REP which is executed may do. */
let allowed: u32 = 0;

/** As many could still be done when an iteration could not be. */
let undone: u32 = 0;

/** The next REP goes on with one that could not: so many it may do; or 0. */
let resumed: u32 = 0;

/** Whether hits wait for the end of what is executed at a time (a replay). */
let waiting: bool = false;

/** Iterations behind which a hit cut the last REP short; 0: it did not. */
let cutAfter: u32 = 0;

/** Has the condition of point record p, if not 0, asked between iterations. */
export function judge(p: usize): void {
  judged = p;
}

/** How many iterations a REP may do that could do `most`. */
@inline
export function allow(most: u32): u32 {
  if (resumed) {
    const left = resumed;
    resumed = 0;
    return left;
  }
  allowed = most;
  if (limit) {
    allowed = limit;
    limit = 0;
  }
  return allowed;
}

/** Whether the condition that was 0 holds before the next iteration. */
function holdsNow(): bool {
  const linear = linearIp(ipOf(judged));
  const id = liveAt(linear, load<u32>(judged, 24));
  if (!id || id == UNTOLD) return false;
  noteHit(id - 1, DebugAccess.Execute, linear, 0, 0, 0);
  return true;
}

/** As cutsRepeat(), where something may. */
function cuts(left: u32): bool {
  const pending = load<u32>(PENDING);
  // the guest's own: the same in every run
  if (pending & P_DEBUG) return true;
  if (waiting || (!(pending & P_POINT) && !holdsNow())) return false;
  cutAfter = allowed - left;
  return true;
}

/**
 * After an iteration that is not the last: whether the REP, which may do `left`
 * more, must stop here for a trap or a point.
 */
@inline
export function cutsRepeat(left: u32): bool {
  return ((load<u32>(PENDING) & (P_DEBUG | P_POINT)) != 0 || judging()) &&
    cuts(left);
}

/** An iteration faults; `left` could still be done. Returns 0. */
export function stuckRepeat(left: u32): usize {
  undone = left;
  return 0;
}

/**
 * Whether the REP that is executed next is one that could not do an iteration,
 * with time up to date now: both together do what one would.
 */
export function resumeRepeat(on: bool): void {
  resumed = on ? undone : 0;
}

/** Has the next REP do so many iterations. */
export function limitRepeat(iterations: u32): void {
  limit = iterations;
}

/** Has hits wait for the end of what is executed at a time, or not. */
export function waitRepeats(on: bool): void {
  waiting = on;
}

/** How many iterations a REP did before a hit cut it short, once; 0: none. */
export function takeRepeatCut(): u32 {
  const n = cutAfter;
  cutAfter = 0;
  return n;
}
