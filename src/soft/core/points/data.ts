// Points on data. A TLB entry of a page with a watched byte has WATCHED in its
// tags, so that every access misses the fast path, and the page's 128-byte
// lines that are watched as a bitmap (memory/resolve.ts). An access to one is
// noted with the values before and after, and exits behind its instruction.
import { POINT_DATA, TLB_VP, TLBS } from "../layout";
import { DebugSpace } from "../whv/names";
import { setChanged } from "../memory/marks";
import { WITHHELD } from "../memory/tlb";
import { WATCHED } from "../shared";
import { vpCount } from "../system/processors";
import { noteHit } from "./hits";
import {
  inSpace,
  P_ACCESS,
  P_ADDRESS,
  P_HOST,
  P_LENGTH,
  P_SPACE,
  pointOf,
} from "./point";

/** Data points: identifiers at POINT_DATA. */
let dataCount: u32 = 0;

/** Whether any data is watched. */
export let watching: bool = false;

/** Data points by physical address. */
export let physicalData: u32 = 0;

/** The lines of a page, of 128 bytes, that an access inside it touches. */
@inline
export function linesOf(linear: u64, bytes: u32): u32 {
  const first = (<u32> linear >> 7) & 31;
  const last = ((<u32> linear + bytes - 1) >> 7) & 31;
  return ((<u32> 2 << last) - 1) & ~((<u32> 1 << first) - 1);
}

/** The lines of the page at `base` that [from, from + length) has a part in. */
function linesIn(from: u64, length: u64, base: u64): u32 {
  const last = from + length - 1;
  if (last < base || from > base + 0xfff) return 0;
  const a = from < base ? base : from;
  const b = last > base + 0xfff ? base + 0xfff : last;
  return linesOf(a, <u32> (b - a) + 1);
}

/**
 * The watched lines of the page that `linear` is in, whose memory is at `host`.
 */
export function watchedLines(linear: u64, host: u32): u32 {
  let lines: u32 = 0;
  for (let i: u32 = 0; i < dataCount; i++) {
    const p = pointOf(load<u32>(POINT_DATA + (<usize> i << 2)));
    const length = load<u64>(p, P_LENGTH);
    if (load<u32>(p, P_SPACE) == DebugSpace.Physical) {
      const at = load<u32>(p, P_HOST);
      if (at) lines |= linesIn(at, length, host & ~0xfff);
    } else lines |= linesIn(load<u64>(p, P_ADDRESS), length, linear & ~0xfff);
  }
  return lines;
}

/**
 * For translated code, which looks a page up once for many accesses: where the
 * bytes next to an access, of `more` bytes beside its first one, begin and end
 * that no data point is for, as offsets in the page, in the low and the high
 * half. 0: there is a point for the access.
 */
export function unwatched(linear: u64, more: u64, host: u32): u64 {
  let begin: u64 = 0;
  let end: u64 = 0x1000;
  for (let i: u32 = 0; i < dataCount; i++) {
    const p = pointOf(load<u32>(POINT_DATA + (<usize> i << 2)));
    const first = load<u32>(p, P_SPACE) == DebugSpace.Physical
      ? linear - <u64> host + load<u32>(p, P_HOST)
      : load<u64>(p, P_ADDRESS);
    const last = first + load<u64>(p, P_LENGTH) - 1;
    if (last < linear) {
      if (last < (linear & ~0xfff)) continue;
      const behind = (last & 0xfff) + 1;
      if (behind > begin) begin = behind;
    } else if (first > linear + more) {
      if (first > (linear | 0xfff)) continue;
      const before = first & 0xfff;
      if (before < end) end = before;
    } else return 0;
  }
  return begin | (end << 32);
}

/** Whether the data point of identifier `id` counts for an access. */
function hits(
  id: u32,
  access: u32,
  linear: u64,
  bytes: u32,
  host: u32,
): bool {
  const p = pointOf(id);
  if (!(load<u32>(p, P_ACCESS) & access) || !inSpace(p)) return false;
  const length = load<u64>(p, P_LENGTH);
  let at = load<u64>(p, P_ADDRESS);
  if (load<u32>(p, P_SPACE) == DebugSpace.Physical) {
    at = load<u32>(p, P_HOST);
    if (!at || !host) return false;
    linear = host;
  }
  return linear <= at + length - 1 && at <= linear + bytes - 1;
}

/** Whether an access inside one page touches watched data. */
export function watches(
  access: u32,
  linear: u64,
  bytes: u32,
  host: u32,
): bool {
  for (let i: u32 = 0; i < dataCount; i++) {
    const id = load<u32>(POINT_DATA + (<usize> i << 2));
    if (hits(id, access, linear, bytes, host)) return true;
  }
  return false;
}

/**
 * Notes what an access of `bytes` at `linear` has touched with its `part` bytes
 * at `at`, which are in one page, at `host` if that is memory.
 */
export function noteAccess(
  access: u32,
  linear: u64,
  bytes: u32,
  at: u64,
  part: u32,
  host: u32,
  before: u64,
  after: u64,
): void {
  for (let i: u32 = 0; i < dataCount; i++) {
    const id = load<u32>(POINT_DATA + (<usize> i << 2));
    if (hits(id, access, at, part, host)) {
      noteHit(id, access, linear, bytes, before, after);
    }
  }
}

/** Data points changed: every TLB entry that is there gets its lines. */
export function retag(): void {
  const end = TLBS + <usize> vpCount * TLB_VP;
  for (let e = TLBS; e < end; e += 32) {
    const read = load<u64>(e);
    const write = load<u64>(e, 8);
    if (read & write & 1) continue;
    const page = (read & 1 ? write : read) & ~0xfff;
    const host = <u32> page + load<u32>(e, 16);
    const lines = watching ? watchedLines(page, host) : 0;
    const mark = lines ? WATCHED : 0;
    if (!(read & 1)) store<u64>(e, page | mark);
    if (!(write & 1)) {
      const withheld = write & WITHHELD;
      if (!withheld) setChanged(host);
      store<u64>(e, page | mark | withheld, 8);
    }
    store<u32>(e, lines, 20);
  }
}

/** A data point comes. */
export function addData(id: u32, physical: bool): void {
  store<u32>(POINT_DATA + (<usize> dataCount << 2), id);
  dataCount++;
  if (physical) physicalData++;
  watching = true;
}

/** A data point goes. */
export function removeData(id: u32, physical: bool): void {
  let i: u32 = 0;
  while (load<u32>(POINT_DATA + (<usize> i << 2)) != id) i++;
  dataCount--;
  store<u32>(
    POINT_DATA + (<usize> i << 2),
    load<u32>(POINT_DATA + (<usize> dataCount << 2)),
  );
  if (physical) physicalData--;
  watching = dataCount != 0;
}

/** There are none. */
export function dataReset(): void {
  physicalData = dataCount = 0;
  watching = false;
}
