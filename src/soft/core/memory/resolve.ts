// What lies at a linear address when the TLB does not say: memory, which goes
// into the TLB, the local APIC, or a device.
//
// No write tag is given to a page that holds decoded code, is dirty-tracked and
// clean, or has its PTE's D bit clear; no tag at all to a page with a data
// breakpoint. Those go the slow way, which does the bookkeeping. So do those of
// a page with a data point (system/points.ts), by WATCHED in its tags; what is
// unused otherwise has the page's watched lines then, so that an access beside
// them costs little.
import { CR4_SMAP } from "../cpu/bits";
import { AC } from "../cpu/flags";
import {
  CODELINES,
  CPL,
  CR4,
  EFL,
  TLB_SET,
  TLB_VP,
  TLBS,
  VPINDEX,
} from "../layout";
import { watched } from "./breakpoints";
import {
  isDirty,
  MAP_DIRTY,
  MAP_EXEC,
  MAP_READ,
  MAP_WRITE,
  mapFlags,
  physHost,
  setDirty,
} from "./phys";
import { entry, noteLarge } from "./tlb";
import {
  ACC_EXEC,
  ACC_READ,
  ACC_WRITE,
  translate,
  xGpa,
  xLarge,
  xPerm,
} from "./walk";
import { apicPage } from "../system/apic";
import { completing } from "../system/device";
import { emulating, emuTranslate } from "../system/emulation";
import { exitMemory } from "../system/exit";
import { WATCHED, watchedLines, watching } from "../system/points";

/** Counters for --stats. */
export let statTlbMisses: u64 = 0;

/** Of the misses: writes to pages with decoded code, which always miss. */
export let statBesideCode: u64 = 0;

/** What hostFor() found when it returned 0 without FAULT. */
export let special: u32 = 0;

export const SP_APIC: u32 = 1;

/** only while emulating or completing an instruction */
const SP_MMIO: u32 = 2;

/**
 * Host address for an access that stays inside one page, or 0: then FAULT is
 * set, or `special` says what lies there and xGpa where.
 */
export function hostFor(
  linear: u64,
  acc: u32,
  user: bool,
  implicit: bool,
): u32 {
  if (emulating) {
    special = SP_MMIO;
    if (acc & ACC_EXEC) return 0;
    if (!emuTranslate(linear, acc)) return 0;
    return 0;
  }
  statTlbMisses++;
  if (!translate(linear, acc, user, implicit, false)) return 0;
  const gpa = xGpa;
  if (gpa >> 12 == apicPage && !(acc & ACC_EXEC)) {
    special = SP_APIC;
    return 0;
  }
  const host = physHost(gpa);
  const flags = mapFlags;
  const need: u32 = acc & ACC_EXEC
    ? MAP_EXEC
    : acc & ACC_WRITE
    ? MAP_WRITE
    : MAP_READ;
  if (host == 0 || !(flags & need)) {
    if (completing && !(acc & ACC_EXEC)) special = SP_MMIO;
    else exitMemory(gpa, linear, acc, flags == 0, 8);
    return 0;
  }
  if (acc & ACC_WRITE && flags & MAP_DIRTY) setDirty(host);
  // cache it
  let perm = xPerm & (flags & 7);
  if (perm & ACC_WRITE) {
    if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) {
      perm &= ~ACC_WRITE;
      if (acc & ACC_WRITE) statBesideCode++;
    } else if (flags & MAP_DIRTY && !isDirty(host)) perm &= ~ACC_WRITE;
  }
  if (watched(linear)) perm &= ACC_EXEC;
  if (xLarge) noteLarge(linear, xLarge);
  const vp = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP;
  const set: usize = user
    ? 0
    : implicit || !(load<u64>(CR4) & CR4_SMAP) || !(load<u32>(EFL) & AC)
    ? 1
    : 2;
  const t = entry(vp + set * TLB_SET, linear);
  const page = linear & ~0xfff;
  const lines = watching ? watchedLines(linear, host) : 0;
  const data = lines ? page | WATCHED : page;
  store<u64>(t, perm & ACC_READ ? data : -1);
  store<u64>(t, perm & ACC_WRITE ? data : -1, 8);
  store<u64>(t, perm & ACC_EXEC ? page : -1, 24);
  store<u32>(t, host - <u32> linear, 16);
  store<u32>(t, lines, 20);
  return host;
}

@inline
export function isUser(): bool {
  return load<u8>(CPL) == 3;
}
