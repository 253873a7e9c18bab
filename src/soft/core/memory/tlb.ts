// The software TLB. An entry is 32 bytes: tagR u64, tagW u64, addend u32 (host
// = low 32 bits of the linear address + addend), lines u32, tagX u64. A tag is
// the page's linear address, or has low bits set when invalid. An access hits
// when the page of its last byte equals the tag found by its first byte, so one
// compare covers presence, permission and page crossing.
import { flushJumps, flushLocalJumps, flushPageJumps } from "../code/jumps";
import {
  CPL,
  CR0,
  CR4,
  EFL,
  LPBASE,
  LPMASK,
  TLB_ENTRIES,
  TLB_SET,
  TLB_VP,
  TLBB,
  TLBS,
  VPINDEX,
} from "../layout";
import { vpCount } from "../system/processors";
import { CR0_AM, CR4_PGE, CR4_SMAP } from "../x86/control_registers";
import { RFLAGS_AC } from "../x86/flags";
import { CALLS, way } from "../system/way";

/**
 * In an entry's write tag: the walk has allowed writes, but each is to be seen,
 * for the page holds decoded code or counts as unchanged. Such a write is not
 * walked for again, so that what a guest sees does not depend on either.
 */
export const WITHHELD: u64 = 32;

/**
 * In an entry's tag to execute: the page is global, if it may be executed; if
 * not, it is one if this bit is clear.
 */
export const GLOBAL: u64 = 64;

/** The tag to execute. */
@inline
export function execTag(page: u64, exec: bool, global: bool): u64 {
  if (exec) return global ? page | GLOBAL : page;
  return global ? ~GLOBAL : -1;
}

export let statTlbFlushes: u64 = 0;

export function tlbFlush(): void {
  statTlbFlushes++;
  memory.fill(TLBS + <usize> load<u32>(VPINDEX) * TLB_VP, 0xff, TLB_VP);
  store<u64>(LPMASK, 0);
  store<u64>(LPBASE, ~<u64> 0);
  flushJumps();
}

/**
 * What a load of CR3 empties: all but global pages (SDM vol. 3, 4.10.4.1),
 * which a kernel has its own as. That some of them were large stays noted.
 */
export function tlbFlushLocal(): void {
  if (!(load<u64>(CR4) & CR4_PGE)) {
    tlbFlush();
    return;
  }
  statTlbFlushes++;
  const vp = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP;
  for (let e = vp; e < vp + 3 * TLB_SET; e += 32) {
    const tag = load<u64>(e, 24);
    if (((tag >> 6) ^ tag) & 1) continue;
    store<u64>(e, -1);
    store<u64>(e, -1, 8);
    store<u64>(e, -1, 24);
  }
  flushLocalJumps();
}

export function tlbFlushPage(linear: u64): void {
  if ((linear & load<u64>(LPMASK)) == load<u64>(LPBASE)) {
    tlbFlush();
    return;
  }
  let e = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP +
    ((<usize> (linear >> 12) & (TLB_ENTRIES - 1)) << 5);
  for (let i = 0; i < 3; i++) {
    store<u64>(e, -1);
    store<u64>(e, -1, 8);
    store<u64>(e, -1, 24);
    e += TLB_SET;
  }
  flushPageJumps(linear);
}

/**
 * Takes write tags for a host page out of every TLB: the page holds decoded
 * code now.
 */
export function dropWriteTags(page: u32): void {
  const end = TLBS + <usize> vpCount * TLB_VP;
  for (let e = TLBS; e < end; e += 32) {
    const tag = load<u64>(e, 8);
    if (!(tag & 1) && (<u32> tag + load<u32>(e, 16)) >> 12 == page) {
      store<u64>(e, tag | WITHHELD, 8);
    }
  }
}

/** Takes all write tags out of every TLB: pages count as unchanged now. */
export function withholdWrites(): void {
  const end = TLBS + <usize> vpCount * TLB_VP;
  for (let e = TLBS; e < end; e += 32) {
    const tag = load<u64>(e, 8);
    if (!(tag & 1)) store<u64>(e, tag | WITHHELD, 8);
  }
}

/**
 * Remembers that a large page is in the TLB, so that INVLPG inside it flushes
 * all.
 */
export function noteLarge(linear: u64, bytes: u64): void {
  let mask = ~(bytes - 1);
  const base = load<u64>(LPBASE);
  if (base == ~<u64> 0) {
    store<u64>(LPBASE, linear & mask);
    store<u64>(LPMASK, mask);
    return;
  }
  mask &= load<u64>(LPMASK);
  while ((base ^ linear) & mask) mask <<= 1;
  store<u64>(LPBASE, base & mask);
  store<u64>(LPMASK, mask);
}

/** The TLB set for the current privilege; called by updateMode(). */
export function selectTlb(): void {
  const vp = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP;
  let set: usize;
  if (way == CALLS) set = 3;
  else if (load<u8>(CPL) == 3) {
    set = (load<u64>(CR0) & CR0_AM) != 0 && (load<u32>(EFL) & RFLAGS_AC) != 0
      ? 3
      : 0;
  } else {
    set = (load<u64>(CR4) & CR4_SMAP) != 0 && (load<u32>(EFL) & RFLAGS_AC) != 0
      ? 2
      : 1;
  }
  store<u32>(TLBB, <u32> (vp + set * TLB_SET));
}

@inline
export function entry(base: usize, linear: u64): usize {
  return base + ((<usize> (linear >> 12) & (TLB_ENTRIES - 1)) << 5);
}

/** The TLB set of accesses with the rights of level `cpl`. */
@inline
export function setOf(cpl: u32): usize {
  return TLBS + <usize> load<u32>(VPINDEX) * TLB_VP + (cpl == 3 ? 0 : TLB_SET);
}
