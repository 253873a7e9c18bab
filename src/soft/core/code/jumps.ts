// Jumps by linear address: JCACHE, the look-up that goes no further.
import {
  CODEBASE,
  JC_ENTRIES,
  JCACHE,
  JGEN,
  JLOCAL,
  MAPPINGS,
  MODE,
  MODE_LONG,
  RIP,
  S_CS,
  SEG_BASE,
  SEGS,
  TLB_SET,
  TLBB,
} from "../layout";

/** Where the look-up has a linear address. Functions begin at round ones. */
@inline
export function jumpSlot(linear: u64): usize {
  const n = <u32> linear ^ (<u32> linear >> 12);
  return JCACHE + (<usize> (n & (JC_ENTRIES - 1)) << 4);
}

/** Of the first TLB set; each of the four has its own. */
let generation: u32 = 4;

/** Forgets the linear-address look-ups (mappings or modes changed). */
export function flushJumps(): void {
  generation += 4;
  if (generation == 0) {
    memory.fill(JCACHE, 0, <usize> JC_ENTRIES << 4);
    generation = 4;
  }
  store<u32>(MAPPINGS, load<u32>(MAPPINGS) + 1);
  switchJumps();
}

/** The TLB set is another one: its look-ups are as when it was left. */
export function switchJumps(): void {
  store<u32>(JGEN, generation + (load<u32>(TLBB) / <u32> TLB_SET & 3));
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
  store<u32>(MAPPINGS, load<u32>(MAPPINGS) + 1);
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
}

/**
 * In 64-bit code: the record at `ip` if the look-up has it (CODEBASE then set),
 * or 0.
 */
@inline
export function jumpHit(ip: u64): usize {
  const j = jumpSlot(ip);
  if (load<u64>(j) != ip || load<u32>(j, 8) != load<u32>(JGEN)) return 0;
  store<u64>(CODEBASE, ip - (ip & 0xfff));
  return load<u32>(j, 12);
}

/**
 * Jumps to `ip` from a handler: the record there, or 0 with RIP set and the
 * loop to find out.
 */
@inline
export function jumpTo(ip: u64): usize {
  const lin = load<u8>(MODE) == MODE_LONG
    ? ip
    : (ip + load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE)) & 0xffffffff;
  const j = jumpSlot(lin);
  if (load<u64>(j) == lin && load<u32>(j, 8) == load<u32>(JGEN)) {
    store<u64>(CODEBASE, ip - (lin & 0xfff));
    return load<u32>(j, 12);
  }
  store<u64>(RIP, ip);
  return 0;
}
