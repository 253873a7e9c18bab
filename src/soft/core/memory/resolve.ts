// What lies at a linear address when the TLB does not say: memory, which goes
// into the TLB, the local APIC, or a device.
//
// No write tag is given to a page that is dirty-tracked and clean, or has its
// PTE's D bit clear; no tag at all to a page with a data breakpoint. Those go
// the slow way, which does the bookkeeping. So do writes to a page that holds
// decoded code, or that has not changed since the last snapshot, by WITHHELD in
// the write tag, and accesses to a page with a data point (points/data.ts),
// by WATCHED in both; what is unused otherwise has the page's watched lines
// then, so that an access beside them costs little.
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
import { entry, execTag, noteLarge, WITHHELD } from "./tlb";
import {
  ACC_EXEC,
  ACC_READ,
  ACC_WRITE,
  translate,
  Translation,
  TRANSLATION_BYTES,
} from "./walk";
import { apicPage } from "../system/apic";
import { emuTranslate } from "../system/emulation";
import { exitMemory } from "../system/exit";
import { answering } from "../system/access";
import { needSync, synced } from "../system/time";
import { isChanged, isDirty, setChanged, setDirty } from "./marks";
import { CR4_SMAP } from "../x86/control_registers";
import { RFLAGS_AC } from "../x86/flags";
import { MapFlag } from "../whv/names";
import { WATCHED } from "../shared";
import { physRange, rangeFlags, rangeHost } from "./phys";
import { PAGE_BYTES } from "../x86/paging";
import { Hole, HOLE_APIC, HOLE_DEVICE, HOLE_EXIT, HOLE_NONE } from "./hole";
import { CALLS, EXITS, way } from "../system/way";
import { watchedLines, watching } from "../points/data";

/** Counters for --stats. */
export let statTlbMisses: u64 = 0;

/** Of the misses: writes to pages with decoded code, which always miss. */
export let statBesideCode: u64 = 0;

const HOLE: usize = memory.data(offsetof<Hole>(), 8);

/** What hostFor() found when it returned 0. */
@inline
export function hole(): Hole {
  return changetype<Hole>(HOLE);
}

/** No memory: `kind` is at `gpa`. 0 for hostFor() to return. */
function noMemory(kind: u32, gpa: u64): u32 {
  hole().kind = kind;
  hole().gpa = gpa;
  return 0;
}

const MISSED: usize = memory.data(TRANSLATION_BYTES, 8);

/**
 * Number of the linear page where a device was found last: an access to it
 * waits for its turn alone before it is looked at. Right or not, nothing but
 * time depends on it.
 */
let devicePage: u64 = ~<u64> 0;

/**
 * Host address for an access that stays inside one page, or 0: then FAULT is
 * set, or hole() says what lies there, or both.
 */
export function hostFor(
  linear: u64,
  acc: u32,
  user: bool,
  implicit: bool,
): u32 {
  if (way == CALLS) {
    if (!(acc & ACC_EXEC)) emuTranslate(linear, acc);
    return noMemory(HOLE_DEVICE, 0);
  }
  if (linear >> 12 == devicePage && answering && !synced && !(acc & ACC_EXEC)) {
    needSync();
    return noMemory(HOLE_NONE, 0);
  }
  statTlbMisses++;
  const vp = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP;
  const set: usize = user
    ? 0
    : implicit || !(load<u64>(CR4) & CR4_SMAP) || !(load<u32>(EFL) & RFLAGS_AC)
    ? 1
    : 2;
  const t = entry(vp + set * TLB_SET, linear);
  const page = linear & ~0xfff;
  // who comes here although the entry allows it is not walked for: whether
  // accesses come here (WITHHELD, WATCHED, two pages) is nothing a guest sees
  if (acc & ACC_WRITE) {
    const tag = load<u64>(t, 8);
    if ((tag & ~(WATCHED | WITHHELD)) == page) {
      const host = <u32> linear + load<u32>(t, 16);
      setChanged(host);
      if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) statBesideCode++;
      else store<u64>(t, tag & ~WITHHELD, 8);
      return host;
    }
  } else if (!(acc & ACC_EXEC) && (load<u64>(t) & ~WATCHED) == page) {
    return <u32> linear + load<u32>(t, 16);
  }
  const found = changetype<Translation>(MISSED);
  if (!translate(found, linear, acc, user, implicit, false)) {
    return noMemory(HOLE_NONE, 0);
  }
  const gpa = found.gpa;
  if (gpa >> 12 == apicPage && !(acc & ACC_EXEC)) {
    return noMemory(HOLE_APIC, gpa);
  }
  const range = physRange(gpa);
  const flags = rangeFlags(range);
  const need: u32 = acc & ACC_EXEC
    ? MapFlag.Execute
    : acc & ACC_WRITE
    ? MapFlag.Write
    : MapFlag.Read;
  if (!(flags & need)) {
    if (way != EXITS && !(acc & ACC_EXEC)) {
      devicePage = linear >> 12;
      return noMemory(HOLE_DEVICE, gpa);
    }
    if (answering && !synced && !(acc & ACC_EXEC)) {
      needSync();
      return noMemory(HOLE_NONE, 0);
    }
    exitMemory(gpa, linear, acc, flags == 0, 8);
    return noMemory(HOLE_EXIT, gpa);
  }
  const host = rangeHost(range, gpa);
  if (acc & ACC_WRITE) {
    setChanged(host);
    if (flags & MapFlag.TrackDirtyPages) setDirty(host);
  }
  // cache it
  let perm = found.perm & flags;
  let withheld: u64 = 0;
  if (perm & ACC_WRITE) {
    if (flags & MapFlag.TrackDirtyPages && !isDirty(host)) perm &= ~ACC_WRITE;
    else if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) {
      withheld = WITHHELD;
      if (acc & ACC_WRITE) statBesideCode++;
    } else if (!isChanged(host)) withheld = WITHHELD;
  }
  if (watched(linear)) perm &= ACC_EXEC;
  if (found.size > PAGE_BYTES) noteLarge(linear, found.size);
  const lines = watching ? watchedLines(linear, host) : 0;
  const data = lines ? page | WATCHED : page;
  store<u64>(t, perm & ACC_READ ? data : -1);
  store<u64>(t, perm & ACC_WRITE ? data | withheld : -1, 8);
  store<u64>(t, execTag(page, (perm & ACC_EXEC) != 0, found.global), 24);
  store<u32>(t, host - <u32> linear, 16);
  store<u32>(t, lines, 20);
  return host;
}

@inline
export function isUser(): bool {
  return load<u8>(CPL) == 3;
}
