// Points that were hit and not told yet: at most MAX_DEBUG_HITS of one
// instruction.
import { EXITBUF, HIT_COUNT, HITS, IOBUF, P_POINT, PENDING } from "../layout";
import { DEBUG_POINT, MAX_DEBUG_HITS } from "../whv/names";
import { beginExit, finishExit } from "../system/exit";
import { DebugHit } from "../whv/structures";

/**
 * Notes that point `id` was hit; several accesses of one instruction are one
 * hit.
 */
export function noteHit(
  id: u32,
  access: u32,
  linear: u64,
  bytes: u32,
  before: u64,
  after: u64,
): void {
  const n = load<u32>(HIT_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const h = HITS + <usize> i * DebugHit.BYTES;
    if (load<u32>(h) != id) continue;
    store<u32>(h, load<u32>(h, DebugHit.Access) | access, DebugHit.Access);
    if (load<u64>(h, DebugHit.Address) == linear) {
      store<u64>(h, after, DebugHit.After);
    }
    return;
  }
  if (n == MAX_DEBUG_HITS) return;
  const h = HITS + <usize> n * DebugHit.BYTES;
  store<u32>(h, id);
  store<u32>(h, access, DebugHit.Access);
  store<u64>(h, linear, DebugHit.Address);
  store<u32>(h, bytes, DebugHit.Bytes);
  store<u32>(h, 0, DebugHit.Bytes + 4);
  store<u64>(h, before, DebugHit.Before);
  store<u64>(h, after, DebugHit.After);
  store<u32>(HIT_COUNT, n + 1);
  store<u32>(PENDING, load<u32>(PENDING) | P_POINT);
}

/** Moves the current VP's hits to `to`: count u32, 4 bytes, then the hits. */
function takeHits(to: usize): void {
  const n = load<u32>(HIT_COUNT);
  store<u64>(to, n);
  memory.copy(to + 8, HITS, <usize> n * DebugHit.BYTES);
  store<u32>(HIT_COUNT, 0);
  store<u32>(PENDING, load<u32>(PENDING) & ~P_POINT);
}

/** Describes the exit for the hits or a step's end; RIP is in its cell. */
export function pointExit(): void {
  beginExit(DEBUG_POINT);
  takeHits(EXITBUF + 48);
  finishExit(0, false);
}

/** The hits that wait for the VP in STATE to be run again, to IOBUF. */
export function pointHits(): void {
  takeHits(IOBUF);
}
