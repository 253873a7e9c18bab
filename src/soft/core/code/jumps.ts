// Jumps by linear address: JCACHE, the look-up that goes no further.
import {
  CODEBASE,
  JC_ENTRIES,
  JCACHE,
  JGEN,
  MODE,
  MODE_LONG,
  RIP,
  S_CS,
  SEG_BASE,
  SEGS,
} from "../layout";

/** Forgets the linear-address look-ups (mappings or modes changed). */
export function flushJumps(): void {
  const generation = load<u32>(JGEN) + 1;
  if (generation == 0) memory.fill(JCACHE, 0, <usize> JC_ENTRIES << 4);
  store<u32>(JGEN, generation == 0 ? 1 : generation);
}

/**
 * In 64-bit code: the record at `ip` if the look-up has it (CODEBASE then set),
 * or 0.
 */
@inline
export function jumpHit(ip: u64): usize {
  const j = JCACHE + (<usize> (<u32> ip & (JC_ENTRIES - 1)) << 4);
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
  const j = JCACHE + (<usize> (<u32> lin & (JC_ENTRIES - 1)) << 4);
  if (load<u64>(j) == lin && load<u32>(j, 8) == load<u32>(JGEN)) {
    store<u64>(CODEBASE, ip - (lin & 0xfff));
    return load<u32>(j, 12);
  }
  store<u64>(RIP, ip);
  return 0;
}
