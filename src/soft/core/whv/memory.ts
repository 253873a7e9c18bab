// Guest physical memory for the caller: map, unmap, dirty pages, small reads
// and writes, advice. Arguments that are buffers lie at IOBUF; a call that
// fails changes nothing.
import { hostWrote } from "../code/cache";
import { GUEST, IOBUF, TLB_VP, TLBS } from "../layout";
import {
  hostTouched,
  mapAdd,
  mapCovers,
  mapPages,
  mapRemove,
  physHost,
  physRange,
  rangeFlags,
  rangeHost,
} from "../memory/phys";
import {
  E_ACCESSDENIED,
  E_INVALIDARG,
  E_OUTOFMEMORY,
  S_OK,
  WHV_E_GPA_RANGE_NOT_FOUND,
  WHV_E_INSUFFICIENT_BUFFER,
  WHV_E_VP_DOES_NOT_EXIST,
} from "./hresult";
import { vpCount } from "../system/processors";
import { flushAllJumps } from "../code/jumps";
import { MAXPHYADDR } from "../memory/walk";
import { exists, ready, whvCheckVp } from "./state";
import { clearDirty, isDirty } from "../memory/marks";
import {
  Advice,
  ANY_VP,
  MapFlag,
  READ_WRITE_GPA_RANGE_MAX_SIZE,
} from "./names";
import { pointsRemap } from "../points/set";

const MAP_FLAGS: u32 = MapFlag.Read | MapFlag.Write | MapFlag.Execute |
  MapFlag.TrackDirtyPages;

function flushAll(): void {
  memory.fill(TLBS, 0xff, <usize> vpCount * TLB_VP);
  flushAllJumps();
}

/** Whether a range is of whole pages and within the address space. */
function isRange(gpa: u64, bytes: u64): bool {
  if ((<u32> gpa | <u32> bytes) & 0xfff || bytes == 0) return false;
  const limit = <u64> 1 << MAXPHYADDR;
  return gpa < limit && bytes <= limit - gpa;
}

/** Maps `bytes` at linear-memory address `host` to `gpa`. */
export function whvMapGpaRange(
  host: u32,
  gpa: u64,
  bytes: u64,
  flags: u32,
): i32 {
  if (!exists || !ready || !isRange(gpa, bytes)) return E_INVALIDARG;
  if (host & 0xfff || flags & ~MAP_FLAGS) return E_INVALIDARG;
  if (<usize> host < GUEST || <u64> host + bytes > <u64> memory.size() << 16) {
    return E_INVALIDARG;
  }
  if (!mapAdd(gpa, bytes, host, flags)) return E_OUTOFMEMORY;
  flushAll();
  pointsRemap();
  return S_OK;
}

export function whvUnmapGpaRange(gpa: u64, bytes: u64): i32 {
  if (!exists || !ready || !isRange(gpa, bytes)) return E_INVALIDARG;
  if (!mapCovers(gpa, bytes)) return WHV_E_GPA_RANGE_NOT_FOUND;
  if (!mapRemove(gpa, bytes)) return E_OUTOFMEMORY;
  flushAll();
  pointsRemap();
  return S_OK;
}

/**
 * The bytes at host [host, host + bytes), whole pages, are other ones from now
 * on.
 */
export function hostReleased(host: u32, bytes: u32): void {
  hostWrote(host, bytes);
  for (let at = <u64> host; at < <u64> host + bytes; at += 0x1000) {
    clearDirty(<u32> at);
  }
}

/**
 * Whether the dirty pages of a range can be asked for, with a bitmap of `words`
 * u64 (0: none).
 */
export function whvCheckDirty(gpa: u64, bytes: u64, words: u32): i32 {
  if (!exists || !ready || !isRange(gpa, bytes)) return E_INVALIDARG;
  if (!mapCovers(gpa, bytes)) return WHV_E_GPA_RANGE_NOT_FOUND;
  const pages = bytes >> 12;
  if (words && (pages + 63) >> 6 > words) return WHV_E_INSUFFICIENT_BUFFER;
  for (let i: u64 = 0; i < pages; i++) {
    const flags = rangeFlags(physRange(gpa + (i << 12)));
    if (!(flags & MapFlag.TrackDirtyPages)) return E_INVALIDARG;
  }
  return S_OK;
}

/**
 * Takes and clears the dirty bits of `pages` pages: one bit each, at IOBUF.
 * After whvCheckDirty().
 */
export function takeDirty(gpa: u64, pages: u32): void {
  memory.fill(IOBUF, 0, <usize> ((pages + 63) >> 6) << 3);
  for (let i: u32 = 0; i < pages; i++) {
    const host = physHost(gpa + (<u64> i << 12));
    if (!isDirty(host)) continue;
    clearDirty(host);
    const at = IOBUF + (<usize> i >> 3);
    store<u8>(at, load<u8>(at) | (<u8> 1 << <u8> (i & 7)));
  }
  // clean pages have no write tags
  flushAll();
}

/** Checks an access of at most 16 bytes: S_OK if every byte has the right. */
function checkAccess(
  vp: u32,
  gpa: u64,
  cacheType: u64,
  bytes: u32,
  right: u32,
): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (vp != ANY_VP && whvCheckVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if (bytes == 0 || bytes > READ_WRITE_GPA_RANGE_MAX_SIZE || cacheType > 6) {
    return E_INVALIDARG;
  }
  const limit = <u64> 1 << MAXPHYADDR;
  if (gpa >= limit || bytes > limit - gpa) return E_INVALIDARG;
  for (let i: u32 = 0; i < bytes; i++) {
    const range = physRange(gpa + i);
    if (range == 0) return WHV_E_GPA_RANGE_NOT_FOUND;
    if (!(rangeFlags(range) & right)) return E_ACCESSDENIED;
  }
  return S_OK;
}

/** Reads `bytes` bytes to IOBUF. */
export function whvReadGpaRange(
  vp: u32,
  gpa: u64,
  cacheType: u64,
  bytes: u32,
): i32 {
  const hresult = checkAccess(vp, gpa, cacheType, bytes, MapFlag.Read);
  if (hresult) return hresult;
  for (let i: u32 = 0; i < bytes; i++) {
    store<u8>(IOBUF + i, load<u8>(physHost(gpa + i)));
  }
  return S_OK;
}

/** Writes `bytes` bytes from IOBUF. */
export function whvWriteGpaRange(
  vp: u32,
  gpa: u64,
  cacheType: u64,
  bytes: u32,
): i32 {
  const hresult = checkAccess(vp, gpa, cacheType, bytes, MapFlag.Write);
  if (hresult) return hresult;
  for (let i: u32 = 0; i < bytes; i++) {
    const range = physRange(gpa + i);
    const host = rangeHost(range, gpa + i);
    hostTouched(host, 1, rangeFlags(range));
    store<u8>(host, load<u8>(IOBUF + i));
  }
  return S_OK;
}

/**
 * Advice about `count` ranges at IOBUF (gpa and size, u64 each). All memory is
 * always there, so it is only checked. `buffer` is the size of the advice's own
 * argument.
 */
export function whvAdviseGpaRange(count: u32, advice: u32, buffer: u32): i32 {
  if (!exists || !ready || count == 0 || advice > Advice.Unpin) {
    return E_INVALIDARG;
  }
  if (buffer != (advice == Advice.Populate ? 8 : 0)) return E_INVALIDARG;
  for (let i: u32 = 0; i < count; i++) {
    const at = IOBUF + (<usize> i << 4);
    const gpa = load<u64>(at);
    const bytes = load<u64>(at, 8);
    if (!isRange(gpa, bytes)) return E_INVALIDARG;
    if (!mapCovers(gpa, bytes)) return WHV_E_GPA_RANGE_NOT_FOUND;
  }
  return S_OK;
}

/**
 * WHV_PARTITION_MEMORY_COUNTERS to IOBUF: mapped pages of 4 KiB, 2 MiB, 1 GiB.
 */
export function whvGetMemoryCounters(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  memory.fill(IOBUF, 0, 24);
  store<u64>(IOBUF, mapPages());
  return S_OK;
}
