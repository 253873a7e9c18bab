// Jumps by linear address: JCACHE, the look-up that goes no further. A look-up
// of a VP in a TLB set has a generation of its own (JGEN), which is also where
// in JCACHE it begins: VPs do not displace each other, and each finds its own
// again when it has its next turn.
import {
  CODEBASE,
  JC_ENTRIES,
  JCACHE,
  JGEN,
  JGLOBAL_PAGES,
  JLOCAL,
  JLOCAL_PAGES,
  JP_ENTRIES,
  MAPPINGS,
  MAX_VPS,
  RIP,
  TLB_SET,
  TLBB,
} from "../layout";
import { linearIp } from "./ip";

/** The current VP's, of its first TLB set; each of the four has its own. */
let generation: u32 = 4;
/** The last that was given, and the first that is still valid. */
let newest: u32 = 4;
let oldest: u32 = 4;
/** Those of VPs that are not the current one, u32. */
const OTHERS: usize = memory.data(<i32> MAX_VPS << 2, 4);

function renew(): void {
  newest += 4;
  if (newest == 0) {
    memory.fill(JCACHE, 0, <usize> JC_ENTRIES << 4);
    memory.fill(OTHERS, 0, <usize> MAX_VPS << 2);
    oldest = newest = 4;
  }
  generation = newest;
}

/** Forgets the current VP's look-ups (its mappings or its mode changed). */
export function flushJumps(): void {
  renew();
  store<u32>(MAPPINGS, load<u32>(MAPPINGS) + 1);
  switchJumps();
}

/** Forgets the look-ups of all VPs (records or memory changed). */
export function flushAllJumps(): void {
  flushJumps();
  oldest = generation;
  memory.fill(JGLOBAL_PAGES, 0, JP_ENTRIES >> 3);
  memory.fill(JLOCAL_PAGES, 0, JP_ENTRIES >> 3);
}

/** The TLB set is another one: its look-ups are as when it was left. */
export function switchJumps(): void {
  store<u32>(JGEN, generation + (load<u32>(TLBB) / <u32> TLB_SET & 3));
}

/** VP `to` is the current one instead of `from`. */
export function switchJumpsVp(from: u32, to: u32): void {
  store<u32>(OTHERS + (<usize> from << 2), generation);
  generation = load<u32>(OTHERS + (<usize> to << 2));
  if (generation < oldest) renew();
  switchJumps();
}

@inline
function pageByte(pages: usize, linear: u64): usize {
  return pages + (<usize> (linear >> 15) & ((JP_ENTRIES >> 3) - 1));
}

@inline
function pageBit(linear: u64): u32 {
  return 1 << (<u32> (linear >> 12) & 7);
}

/** Forgets the look-ups in a page; all, if there may be any in it. */
export function flushPageJumps(linear: u64): void {
  const noted = load<u8>(pageByte(JGLOBAL_PAGES, linear)) |
    load<u8>(pageByte(JLOCAL_PAGES, linear));
  if (noted & pageBit(linear)) flushJumps();
  else store<u32>(MAPPINGS, load<u32>(MAPPINGS) + 1);
}

/** Forgets the look-ups in pages that may not be global. */
export function flushLocalJumps(): void {
  for (let w: u32 = 0; w < JC_ENTRIES >> 6; w++) {
    const at = JLOCAL + (<usize> w << 3);
    let bits = load<u64>(at);
    if (bits == 0) continue;
    store<u64>(at, 0);
    for (; bits != 0; bits &= bits - 1) {
      const n = (<usize> w << 6) + <usize> ctz<u64>(bits);
      store<u32>(JCACHE + (n << 4), 0, 8);
    }
  }
  memory.fill(JLOCAL_PAGES, 0, JP_ENTRIES >> 3);
  store<u32>(MAPPINGS, load<u32>(MAPPINGS) + 1);
}

/** The entry of a linear address. Functions begin at round ones. */
@inline
export function jumpSlot(linear: u64): usize {
  const n = (<u32> linear ^ (<u32> linear >> 12)) + load<u32>(JGEN);
  return JCACHE + (<usize> (n & (JC_ENTRIES - 1)) << 4);
}

/** Whether an entry is the address's. */
@inline
export function isJump(j: usize, linear: u64): bool {
  return load<u64>(j) == linear && load<u32>(j, 8) == load<u32>(JGEN);
}

/** Has the look-up know that `linear`, whose entry is at `j`, leads to r. */
export function noteJump(j: usize, linear: u64, r: usize, global: bool): void {
  store<u64>(j, linear);
  store<u32>(j, load<u32>(JGEN), 8);
  store<u32>(j, <u32> r, 12);
  const n = (j - JCACHE) >> 4;
  const at = JLOCAL + ((n >> 6) << 3);
  const bit = <u64> 1 << (<u64> n & 63);
  store<u64>(at, global ? load<u64>(at) & ~bit : load<u64>(at) | bit);
  const page = pageByte(global ? JGLOBAL_PAGES : JLOCAL_PAGES, linear);
  store<u8>(page, <u8> (load<u8>(page) | pageBit(linear)));
}

/**
 * In 64-bit code: the record at `ip` if the look-up has it (CODEBASE then set),
 * or 0.
 */
@inline
export function jumpHit(ip: u64): usize {
  const j = jumpSlot(ip);
  if (!isJump(j, ip)) return 0;
  store<u64>(CODEBASE, ip - (ip & 0xfff));
  return load<u32>(j, 12);
}

/**
 * Jumps to `ip` from a handler: the record there, or 0 with RIP set and the
 * loop to find out.
 */
@inline
export function jumpTo(ip: u64): usize {
  const lin = linearIp(ip);
  const j = jumpSlot(lin);
  if (isJump(j, lin)) {
    store<u64>(CODEBASE, ip - (lin & 0xfff));
    return load<u32>(j, 12);
  }
  store<u64>(RIP, ip);
  return 0;
}
