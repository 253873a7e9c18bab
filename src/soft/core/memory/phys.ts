// Guest physical memory: the GPA ranges of WHvMapGpaRange (MAPS), dirty bits,
// and reads and writes by physical address. A range is 32 bytes: gpa u64, bytes
// u64, host u32 (offset in linear memory), flags u32 (WHvMapGpaRangeFlag*).
// Ranges are sorted by gpa and do not overlap (map and unmap split what they
// cut).
import { codeWritten } from "../code/cache";
import { CODELINES, MAPS } from "../layout";
import { setChanged, setDirty } from "./marks";
import { MapFlag } from "../whv/names";

const MAX_RANGES: u32 = 1024;
const FIRST: usize = MAPS + 64;
let count: u32 = 0;
let hit: usize = 0;

export function mapsReset(): void {
  count = 0;
  hit = 0;
}

function insertAt(i: u32): usize {
  const p = FIRST + (<usize> i << 5);
  memory.copy(p + 32, p, <usize> (count - i) << 5);
  count++;
  return p;
}

function set(p: usize, gpa: u64, bytes: u64, host: u32, flags: u32): void {
  store<u64>(p, gpa);
  store<u64>(p, bytes, 8);
  store<u32>(p, host, 16);
  store<u32>(p, flags, 20);
}

/** Whether every page of the range is mapped. */
export function mapCovers(gpa: u64, bytes: u64): bool {
  let at = gpa;
  const end = gpa + bytes;
  for (let i: u32 = 0; i < count && at < end; i++) {
    const p = FIRST + (<usize> i << 5);
    const a = load<u64>(p);
    const e = a + load<u64>(p, 8);
    if (a <= at && at < e) at = e;
  }
  return at >= end;
}

/** Whether a byte of [host, host + bytes) is mapped anywhere. */
export function mapsHost(host: u32, bytes: u32): bool {
  for (let i: u32 = 0; i < count; i++) {
    const p = FIRST + (<usize> i << 5);
    const from = <u64> load<u32>(p, 16);
    if (from < <u64> host + bytes && <u64> host < from + load<u64>(p, 8)) {
      return true;
    }
  }
  return false;
}

/** How many pages are mapped. */
export function mapPages(): u64 {
  let pages: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    pages += load<u64>(FIRST + (<usize> i << 5), 8) >> 12;
  }
  return pages;
}

/** Removes mappings in the range; false when the table is full. */
export function mapRemove(gpa: u64, bytes: u64): bool {
  const end = gpa + bytes;
  hit = 0;
  for (let i: u32 = 0; i < count;) {
    const p = FIRST + (<usize> i << 5);
    const a = load<u64>(p);
    const n = load<u64>(p, 8);
    const e = a + n;
    if (e <= gpa || a >= end) {
      i++;
      continue;
    }
    const host = load<u32>(p, 16);
    const flags = load<u32>(p, 20);
    if (a < gpa && e > end) {
      if (count >= MAX_RANGES) return false;
      set(p, a, gpa - a, host, flags);
      set(insertAt(i + 1), end, e - end, host + <u32> (end - a), flags);
      return true;
    }
    if (a < gpa) {
      store<u64>(p, gpa - a, 8);
      i++;
    } else if (e > end) {
      set(p, end, e - end, host + <u32> (end - a), flags);
      i++;
    } else {
      memory.copy(p, p + 32, <usize> (count - i - 1) << 5);
      count--;
    }
  }
  return true;
}

/** Maps a range, replacing what was there; false when the table is full. */
export function mapAdd(gpa: u64, bytes: u64, host: u32, flags: u32): bool {
  if (count + 2 > MAX_RANGES) return false;
  mapRemove(gpa, bytes);
  let i: u32 = 0;
  while (i < count && load<u64>(FIRST + (<usize> i << 5)) < gpa) i++;
  set(insertAt(i), gpa, bytes, host, flags);
  hit = 0;
  return true;
}

/** The range that a guest physical byte is in, or 0 when it is unmapped. */
export function physRange(gpa: u64): usize {
  let p = hit;
  if (p != 0 && gpa - load<u64>(p) < load<u64>(p, 8)) return p;
  let lo: u32 = 0;
  let hi = count;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    p = FIRST + (<usize> mid << 5);
    if (gpa >= load<u64>(p) && gpa - load<u64>(p) < load<u64>(p, 8)) {
      hit = p;
      return p;
    }
    if (gpa < load<u64>(p)) hi = mid;
    else lo = mid + 1;
  }
  return 0;
}

/** The flags (MapFlag) of a range; 0 of none. */
@inline
export function rangeFlags(range: usize): u32 {
  return range ? load<u32>(range, 20) : 0;
}

/** The host address of a byte of a range; 0 of none. */
@inline
export function rangeHost(range: usize, gpa: u64): u32 {
  return range ? load<u32>(range, 16) + <u32> (gpa - load<u64>(range)) : 0;
}

/** Host address of a guest physical byte, or 0 when unmapped. */
export function physHost(gpa: u64): u32 {
  return rangeHost(physRange(gpa), gpa);
}

/**
 * Bookkeeping before bytes of one host page, mapped with `flags`, change: dirty
 * bit, stale code.
 */
export function hostTouched(host: u32, bytes: u32, flags: u32): void {
  setChanged(host);
  if (flags & MapFlag.TrackDirtyPages) setDirty(host);
  if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) {
    codeWritten(host, bytes);
  }
}
