// Linear memory: the software TLB, page walks and every kind of access.
//
// A TLB entry is 32 bytes: tagR u64, tagW u64, addend u32 (host = low 32 bits of the
// linear address + addend), lines u32, tagX u64. A tag is the page's linear
// address, or has low bits set when invalid. An access hits when the page of its
// last byte equals the tag found by its first byte, so one compare covers
// presence, permission and page crossing.
//
// No write tag is given to a page that is dirty-tracked and clean, or has its PTE's D
// bit clear; no tag at all to a page with a data breakpoint. Those go the slow way,
// which does the bookkeeping. So do writes to a page that holds decoded code, or that
// has not changed since the last snapshot, by WITHHELD in the write tag, and accesses to
// a page with a data point (points.ts), by WATCHED in both; what is unused otherwise has
// the page's watched lines then, so that an access beside them costs little.
import { answering, asking, askRead, askWrite } from "./access";
import { codeWritten, flushJumps } from "./cache";
import { raise, raiseErr, raisePF } from "./fault";
import { AC_, GP } from "./fault";
import { AC } from "./flags";
import {
  apicPage,
  apicRead,
  apicWrite,
  emulating,
  emuTranslate,
  exitMemory,
  mmioRead,
  mmioWrite,
  needSync,
  synced,
  vpCount,
} from "./hooks";
import { completing, deviceRead, deviceWrite } from "./device";
import { hostDoorbell } from "./host";
import {
  BKIND,
  BLIN,
  BOUNCE,
  BSIZE,
  CODELINES,
  CPL,
  CR0,
  CR3,
  CR4,
  DBGPEND,
  DR0,
  DR7,
  EFER,
  EFL,
  F_EXIT,
  F_NONCANON,
  FAULT,
  LPBASE,
  LPMASK,
  MODE,
  MODE_LONG,
  P_DEBUG,
  PENDING,
  TLB_ENTRIES,
  TLB_SET,
  TLB_VP,
  TLBB,
  TLBS,
  VPINDEX,
} from "./layout";
import {
  isChanged,
  isDirty,
  MAP_DIRTY,
  MAP_EXEC,
  MAP_READ,
  MAP_WRITE,
  mapFlags,
  physHost,
  setChanged,
  setDirty,
} from "./phys";
import {
  linesOf,
  noteAccess,
  physicalData,
  watchedLines,
  WATCHED,
  watches,
  watching,
  WITHHELD,
} from "./points";

export const ACC_READ: u32 = 1;
export const ACC_WRITE: u32 = 2;
export const ACC_EXEC: u32 = 4;

export const MAXPHYADDR: u32 = 40;
const PHYS_MASK: u64 = ((<u64> 1 << 40) - 1) & ~0xfff;
const RSVD_HI: u64 = 0x000fffffffffffff & ~((<u64> 1 << 40) - 1);
/** PAE paging outside long mode reserves bits 62:52, too. */
const RSVD_PAE: u64 = RSVD_HI | 0x7ff0000000000000;

// --- TLB maintenance

/** Counters for --stats. */
export let statTlbMisses: u64 = 0;
/** Of the misses: writes to pages with decoded code, which always miss. */
export let statBesideCode: u64 = 0;
export let statTlbFlushes: u64 = 0;

export function tlbFlush(): void {
  statTlbFlushes++;
  memory.fill(TLBS + <usize> load<u32>(VPINDEX) * TLB_VP, 0xff, TLB_VP);
  store<u64>(LPMASK, 0);
  store<u64>(LPBASE, ~<u64> 0);
  flushJumps();
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
  flushJumps();
}

/** Takes write tags for a host page out of every TLB: the page holds decoded code now. */
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

/** Remembers that a large page is in the TLB, so that INVLPG inside it flushes all. */
function noteLarge(linear: u64, bytes: u64): void {
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
  if (emulating) set = 3;
  else if (load<u8>(CPL) == 3) {
    set = (load<u64>(CR0) & 0x40000) != 0 && (load<u32>(EFL) & AC) != 0 ? 3 : 0;
  } else {
    set = (load<u64>(CR4) & 0x200000) != 0 && (load<u32>(EFL) & AC) != 0
      ? 2
      : 1;
  }
  store<u32>(TLBB, <u32> (vp + set * TLB_SET));
}

// @ts-ignore: decorator
@inline
function entry(base: usize, linear: u64): usize {
  return base + ((<usize> (linear >> 12) & (TLB_ENTRIES - 1)) << 5);
}

// --- translation

/** Results of translate(). */
export let xGpa: u64 = 0;
let xPerm: u32 = 0; // accesses that may be cached
/** Of a quiet walk: the page's R/W, U/S and NX, over all levels. */
export let xRights: u64 = 0;
/** Why a quiet walk failed: a page fault's error code, or XW_*. */
export let xWhy: u32 = 0;
/** Rights of the mappings that hold the paging structures. */
export let xTables: u32 = 0;
export const XW_UNMAPPED: u32 = 0x100; // a paging structure is outside memory
export const XW_UNREADABLE: u32 = 0x200; // or in memory that cannot be read
let xHost0: u32 = 0;
let xHost1: u32 = 0;
let xHost2: u32 = 0;
let xLeaf: u32 = 0;
let xLarge: u64 = 0; // bytes of a large page, or 0

const PT_PRESENT: u64 = 1;
export const PT_WRITE: u64 = 2;
export const PT_USER: u64 = 4;
const PT_ACCESSED: u64 = 0x20;
const PT_DIRTY: u64 = 0x40;
const PT_PS: u64 = 0x80;
export const PT_NX: u64 = <u64> 1 << 63;

let ptHost: u32 = 0;

/** Reads a paging-structure entry; false with FAULT set when it is not memory. */
function readEntry(gpa: u64, wide: bool, linear: u64, quiet: bool): bool {
  ptHost = physHost(gpa);
  if (ptHost == 0 || !(mapFlags & MAP_READ)) {
    if (!quiet) exitMemory(gpa, linear, ACC_READ, mapFlags == 0, 8);
    xWhy = mapFlags == 0 ? XW_UNMAPPED : XW_UNREADABLE;
    return false;
  }
  xTables &= mapFlags;
  ptEntry = wide ? load<u64>(ptHost) : load<u32>(ptHost);
  return true;
}
let ptEntry: u64 = 0;

function markEntry(bits: u64, host: u32): void {
  // A and D live in the low 32 bits for every format
  const v = load<u32>(host);
  if ((v & <u32> bits) == <u32> bits) return;
  if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) codeWritten(host, 8);
  setDirty(host);
  setChanged(host);
  store<u32>(host, v | <u32> bits);
}

/**
 * Walks the page tables for one access. True with xGpa set; false with FAULT set
 * (#PF, or a memory exit for a paging structure outside memory). `quiet` sets
 * neither FAULT nor accessed and dirty bits (a debugger's walk).
 */
export function translate(
  linear: u64,
  acc: u32,
  user: bool,
  implicit: bool,
  quiet: bool,
): bool {
  xLarge = 0;
  xWhy = 0;
  xTables = 7;
  const cr0 = load<u64>(CR0);
  if (!(cr0 & 0x80000000)) {
    xGpa = linear & 0xffffffff;
    xRights = PT_WRITE | PT_USER;
    xLeaf = 0;
    xPerm = 7;
    return true;
  }
  const cr4 = load<u64>(CR4);
  const efer = load<u64>(EFER);
  const long = (efer & 0x400) != 0;
  const pae = (cr4 & 0x20) != 0;
  const nxe = (efer & 0x800) != 0;
  const pcidMask: u64 = PHYS_MASK;
  let err: u32 = (acc & ACC_WRITE ? 2 : 0) | (user ? 4 : 0);
  if (acc & ACC_EXEC && (nxe && (pae || long) || cr4 & 0x100000)) err |= 16;
  let perm: u64 = PT_WRITE | PT_USER; // accumulated R/W and U/S
  let nx: u64 = 0;
  let gpa: u64;
  let hosts0: u32 = 0, hosts1: u32 = 0, hosts2: u32 = 0, leaf: u32 = 0;
  let e: u64 = 0;
  let size: u64 = 0x1000;
  if (pae) {
    const rsvd: u64 = (long ? RSVD_HI : RSVD_PAE) | (nxe ? 0 : PT_NX);
    let table: u64;
    if (long) {
      if (<i64> (linear << 16) >> 16 != <i64> linear) {
        if (!quiet) store<u32>(FAULT, F_NONCANON);
        return false;
      }
      gpa = (load<u64>(CR3) & pcidMask) + (((linear >> 39) & 511) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      hosts0 = ptHost;
      if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
      if (e & (rsvd | PT_PS)) return pf(linear, err | 9, quiet);
      perm &= e;
      nx |= e & PT_NX;
      gpa = (e & PHYS_MASK) + (((linear >> 30) & 511) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      hosts1 = ptHost;
      if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
      if (e & rsvd) return pf(linear, err | 9, quiet);
      perm &= e;
      nx |= e & PT_NX;
      if (e & PT_PS) {
        if (e & 0x3fffe000) return pf(linear, err | 9, quiet);
        size = 0x40000000;
        leaf = hosts1;
      }
      table = e & PHYS_MASK;
    } else {
      gpa = (load<u64>(CR3) & 0xffffffe0) + (((linear >> 30) & 3) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
      if (e & (RSVD_PAE | PT_NX | 0x1e6)) return pf(linear, err | 9, quiet);
      table = e & PHYS_MASK;
    }
    if (leaf == 0) {
      gpa = table + (((linear >> 21) & 511) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      hosts2 = ptHost;
      if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
      if (e & rsvd) return pf(linear, err | 9, quiet);
      perm &= e;
      nx |= e & PT_NX;
      if (e & PT_PS) {
        if (e & 0x1fe000) return pf(linear, err | 9, quiet);
        size = 0x200000;
        leaf = hosts2;
      } else {
        gpa = (e & PHYS_MASK) + (((linear >> 12) & 511) << 3);
        if (!readEntry(gpa, true, linear, quiet)) return false;
        e = ptEntry;
        leaf = ptHost;
        if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
        if (e & rsvd) return pf(linear, err | 9, quiet);
        perm &= e;
        nx |= e & PT_NX;
      }
    }
    gpa = (e & PHYS_MASK & ~(size - 1)) | (linear & (size - 1));
  } else {
    gpa = (load<u64>(CR3) & 0xfffff000) + (((linear >> 22) & 1023) << 2);
    if (!readEntry(gpa, false, linear, quiet)) return false;
    e = ptEntry;
    hosts2 = ptHost;
    if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
    perm &= e;
    if (e & PT_PS && cr4 & 0x10) {
      // PSE-36: bits 20..13 are physical address bits 39..32
      if (e & 0x200000) return pf(linear, err | 9, quiet);
      size = 0x400000;
      leaf = hosts2;
      gpa = (e & 0xffc00000) | (((e >> 13) & 0xff) << 32) |
        (linear & 0x3fffff);
    } else {
      gpa = (e & 0xfffff000) + (((linear >> 12) & 1023) << 2);
      if (!readEntry(gpa, false, linear, quiet)) return false;
      e = ptEntry;
      leaf = ptHost;
      if (!(e & PT_PRESENT)) return pf(linear, err, quiet);
      perm &= e;
      gpa = (e & 0xfffff000) | (linear & 0xfff);
    }
  }
  if (!nxe) nx = 0;
  // what this page allows to an access of this kind
  let allow: u32 = 0;
  const wp = (cr0 & 0x10000) != 0;
  if (user) {
    if (perm & PT_USER) {
      allow = ACC_READ | (perm & PT_WRITE ? ACC_WRITE : 0) |
        (nx ? 0 : ACC_EXEC);
    }
  } else {
    const ac = !implicit && (load<u32>(EFL) & AC) != 0;
    if (!(perm & PT_USER) || !(cr4 & 0x200000) || ac) {
      allow = ACC_READ | (perm & PT_WRITE || !wp ? ACC_WRITE : 0);
    }
    if (!nx && !(perm & PT_USER && cr4 & 0x100000)) allow |= ACC_EXEC;
  }
  if ((allow & acc) != acc) {
    return pf(linear, err | 1, quiet);
  }
  xGpa = gpa;
  if (size > 0x1000) xLarge = size;
  if (quiet) {
    xRights = (perm & (PT_WRITE | PT_USER)) | nx;
    xHost0 = hosts0;
    xHost1 = hosts1;
    xHost2 = hosts2;
    xLeaf = leaf;
    return true;
  }
  if (hosts0 && hosts0 != leaf) markEntry(PT_ACCESSED, hosts0);
  if (hosts1 && hosts1 != leaf) markEntry(PT_ACCESSED, hosts1);
  if (hosts2 && hosts2 != leaf) markEntry(PT_ACCESSED, hosts2);
  const dirty = (acc & ACC_WRITE) != 0;
  markEntry(dirty ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED, leaf);
  if (!dirty && !(e & PT_DIRTY)) allow &= ~ACC_WRITE;
  xPerm = allow;
  return true;
}

function pf(linear: u64, err: u32, quiet: bool): bool {
  if (!quiet) raisePF(linear, err);
  xWhy = err;
  return false;
}

/** Sets the accessed bits of the last quiet walk's entries, and the page's dirty bit. */
export function markWalk(dirty: bool): void {
  if (!xLeaf) return;
  if (xHost0 && xHost0 != xLeaf) markEntry(PT_ACCESSED, xHost0);
  if (xHost1 && xHost1 != xLeaf) markEntry(PT_ACCESSED, xHost1);
  if (xHost2 && xHost2 != xLeaf) markEntry(PT_ACCESSED, xHost2);
  markEntry(dirty ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED, xLeaf);
}

/** True when a data breakpoint lies in the page. */
function watched(linear: u64): bool {
  const dr7 = <u32> load<u64>(DR7);
  if (!(dr7 & 0xff)) return false;
  for (let i: u32 = 0; i < 4; i++) {
    if (!(dr7 & (3 << (i * 2))) || !((dr7 >> (16 + i * 4)) & 1)) continue;
    if ((load<u64>(DR0 + i * 8) ^ linear) >> 12 == 0) return true;
  }
  return false;
}

/** DR6 bits of the data breakpoints that an access touches; 0 when none of them is enabled. */
function watchHits(linear: u64, bytes: u32, write: bool): u64 {
  const dr7 = <u32> load<u64>(DR7);
  let hits: u64 = 0;
  let armed = false;
  for (let i: u32 = 0; i < 4; i++) {
    const rw = (dr7 >> (16 + i * 4)) & 3;
    if (rw == 0 || rw == 2 || (rw == 1 && !write)) continue;
    const l = (dr7 >> (18 + i * 4)) & 3;
    const len: u64 = l == 2 ? 8 : l + 1;
    const a = load<u64>(DR0 + i * 8) & ~(len - 1);
    if (linear < a + len && a < linear + bytes) {
      hits |= (<u64> 1) << i;
      if (dr7 & (3 << (i * 2))) armed = true;
    }
  }
  return armed ? hits : 0;
}

/** After a data access: notes matching data breakpoints. */
export function checkWatch(linear: u64, bytes: u32, write: bool): void {
  if (!(load<u64>(DR7) & 0xff)) return;
  const hits = watchHits(linear, bytes, write);
  if (hits) {
    store<u64>(DBGPEND, load<u64>(DBGPEND) | hits);
    store<u32>(PENDING, load<u32>(PENDING) | P_DEBUG);
  }
}

/** What hostFor() found when it returned 0 without FAULT. */
export let special: u32 = 0;
export const SP_APIC: u32 = 1;
export const SP_MMIO: u32 = 2; // of an instruction that is emulated or completed, or asks

/**
 * Number of the linear page where a device was found last: an access to it waits for its
 * turn alone before it is looked at. Right or not, nothing but time depends on it.
 */
let devicePage: u64 = ~<u64> 0;

/**
 * Host address for an access that stays inside one page, or 0: then FAULT is set,
 * or `special` says what lies there and xGpa where.
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
  if (linear >> 12 == devicePage && answering && !synced && !(acc & ACC_EXEC)) {
    needSync();
    return 0;
  }
  statTlbMisses++;
  const vp = TLBS + <usize> load<u32>(VPINDEX) * TLB_VP;
  const set: usize = user
    ? 0
    : implicit || !(load<u64>(CR4) & 0x200000) || !(load<u32>(EFL) & AC)
    ? 1
    : 2;
  const t = entry(vp + set * TLB_SET, linear);
  const page = linear & ~0xfff;
  if (acc & ACC_WRITE) {
    const tag = load<u64>(t, 8);
    if ((tag & ~WATCHED) == (page | WITHHELD)) {
      const host = <u32> linear + load<u32>(t, 16);
      setChanged(host);
      if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) statBesideCode++;
      else store<u64>(t, tag & ~WITHHELD, 8);
      return host;
    }
  }
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
    if ((completing || asking) && !(acc & ACC_EXEC)) {
      special = SP_MMIO;
      devicePage = linear >> 12;
    } else if (answering && !synced && !(acc & ACC_EXEC)) needSync();
    else exitMemory(gpa, linear, acc, flags == 0, 8);
    return 0;
  }
  if (acc & ACC_WRITE) {
    setChanged(host);
    if (flags & MAP_DIRTY) setDirty(host);
  }
  // cache it
  let perm = xPerm & (flags & 7);
  let withheld: u64 = 0;
  if (perm & ACC_WRITE) {
    if (flags & MAP_DIRTY && !isDirty(host)) perm &= ~ACC_WRITE;
    else if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) {
      withheld = WITHHELD;
      if (acc & ACC_WRITE) statBesideCode++;
    } else if (!isChanged(host)) withheld = WITHHELD;
  }
  if (watched(linear)) perm &= ACC_EXEC;
  if (xLarge) noteLarge(linear, xLarge);
  const lines = watching ? watchedLines(linear, host) : 0;
  const data = lines ? page | WATCHED : page;
  store<u64>(t, perm & ACC_READ ? data : -1);
  store<u64>(t, perm & ACC_WRITE ? data | withheld : -1, 8);
  store<u64>(t, perm & ACC_EXEC ? page : -1, 24);
  store<u32>(t, host - <u32> linear, 16);
  store<u32>(t, lines, 20);
  return host;
}

// @ts-ignore: decorator
@inline
function isUser(): bool {
  return load<u8>(CPL) == 3;
}

/**
 * True (with #AC raised) when alignment checking forbids the access. A non-canonical
 * address is for the translation to refuse.
 */
function misaligned(linear: u64, bytes: u32): bool {
  if (
    isUser() && (load<u64>(CR0) & 0x40000) != 0 &&
    (load<u32>(EFL) & AC) != 0 && linear & (bytes - 1) &&
    <i64> (linear << 16) >> 16 == <i64> linear
  ) {
    raise(AC_);
    return true;
  }
  return false;
}

// --- accesses inside one page, bytes <= 8

function loadBytes(h: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(h);
  if (bytes == 4) return load<u32>(h);
  let v: u64 = 0;
  for (let i = bytes; i-- > 0;) v = (v << 8) | load<u8>(h + i);
  return v;
}

function partRead(linear: u64, bytes: u32, user: bool, implicit: bool): u64 {
  const h = hostFor(linear, ACC_READ, user, implicit);
  if (h != 0) return loadBytes(h, bytes);
  if (load<u32>(FAULT)) return 0;
  if (special == SP_APIC) return apicRead(<u32> xGpa & 0xfff, bytes);
  if (completing) return deviceRead(xGpa, bytes, false);
  if (asking) return askRead(xGpa, bytes, false);
  return mmioRead(xGpa, bytes);
}

function storeBytes(h: usize, bytes: u32, v: u64): void {
  if (bytes == 8) store<u64>(h, v);
  else if (bytes == 4) store<u32>(h, <u32> v);
  else if (bytes == 2) store<u16>(h, <u16> v);
  else if (bytes == 1) store<u8>(h, <u8> v);
  else {
    for (let i: u32 = 0; i < bytes; i++) {
      store<u8>(h + i, <u8> v);
      v >>= 8;
    }
  }
}

/** Whether there are doorbells (hostDoorbell). */
let doorbells: bool = false;
export function setDoorbells(there: bool): void {
  doorbells = there;
}

/** A write that would make a memory access exit is done if a doorbell takes it. */
function ring(bytes: u32, v: u64): void {
  if (load<u32>(FAULT) == F_EXIT && hostDoorbell(xGpa, bytes, v)) {
    store<u32>(FAULT, 0);
  }
}

function partWrite(
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  const h = hostFor(linear, ACC_WRITE, user, implicit);
  if (h != 0) {
    if (load<u64>(CODELINES + (<usize> (h >> 12) << 3))) codeWritten(h, bytes);
    storeBytes(h, bytes, v);
    return;
  }
  if (load<u32>(FAULT)) {
    if (doorbells) ring(bytes, v);
    return;
  }
  if (special == SP_APIC) apicWrite(<u32> xGpa & 0xfff, bytes, v);
  else if (completing) deviceWrite(xGpa, bytes, v, false);
  else if (asking) askWrite(xGpa, bytes, v, false);
  else mmioWrite(xGpa, bytes, v);
}

/** Bytes of the access before the page boundary; all when it does not cross. */
// @ts-ignore: decorator
@inline
function firstPart(linear: u64, bytes: u32): u32 {
  const room: u32 = 0x1000 - (<u32> linear & 0xfff);
  return room < bytes ? room : bytes;
}

/** In 32-bit address spaces the second part of an access wraps at 4 GiB. */
// @ts-ignore: decorator
@inline
function wrap(linear: u64): u64 {
  return load<u64>(EFER) & 0x400 ? linear : linear & 0xffffffff;
}

/** True (with FAULT set) when the access runs out of the canonical addresses. */
function runsOut(linear: u64, bytes: u32): bool {
  if (load<u8>(MODE) != MODE_LONG) return false;
  const last = linear + bytes - 1;
  if (<i64> (last << 16) >> 16 == <i64> last) return false;
  store<u32>(FAULT, F_NONCANON);
  return true;
}

function readAny(linear: u64, bytes: u32, user: bool, implicit: bool): u64 {
  const n = firstPart(linear, bytes);
  if (n < bytes && runsOut(linear, bytes)) return 0;
  let v = partRead(linear, n, user, implicit);
  if (n < bytes && !load<u32>(FAULT)) {
    const w = partRead(wrap(linear + n), bytes - n, user, implicit);
    v |= w << (n * 8);
  }
  return v;
}

function writeAny(
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  const n = firstPart(linear, bytes);
  if (n < bytes) {
    if (runsOut(linear, bytes)) return;
    // both pages must allow the write before either changes
    hostFor(linear, ACC_WRITE, user, implicit);
    if (load<u32>(FAULT)) return;
    hostFor(wrap(linear + n), ACC_WRITE, user, implicit);
    if (load<u32>(FAULT)) return;
    partWrite(linear, n, v, user, implicit);
    if (load<u32>(FAULT)) return;
    partWrite(wrap(linear + n), bytes - n, v >> (n * 8), user, implicit);
    return;
  }
  partWrite(linear, bytes, v, user, implicit);
}

// --- accesses to pages with data points

/** Memory behind a byte that an access may touch, or 0; nothing changes by asking. */
function quietHost(linear: u64, acc: u32, user: bool, implicit: bool): u32 {
  if (!translate(linear, acc, user, implicit, true)) return 0;
  return physHost(xGpa);
}

/** What is there, as far as it is memory. */
function peek(linear: u64, bytes: u32, user: bool, implicit: bool): u64 {
  const n = firstPart(linear, bytes);
  const h = quietHost(linear, ACC_READ, user, implicit);
  let v = h ? loadBytes(h, n) : 0;
  if (n < bytes) {
    const w = quietHost(wrap(linear + n), ACC_READ, user, implicit);
    if (w) v |= loadBytes(w, bytes - n) << (n * 8);
  }
  return v;
}

/** Whether an access touches watched data. */
function touches(
  acc: u32,
  linear: u64,
  bytes: u32,
  user: bool,
  implicit: bool,
): bool {
  const n = firstPart(linear, bytes);
  let h = physicalData ? quietHost(linear, ACC_READ, user, implicit) : 0;
  if (watches(acc, linear, n, h)) return true;
  if (n == bytes) return false;
  const next = wrap(linear + n);
  h = physicalData ? quietHost(next, ACC_READ, user, implicit) : 0;
  return watches(acc, next, bytes - n, h);
}

/** Notes an access that touched watched data, for the exit behind its instruction. */
function note(
  acc: u32,
  linear: u64,
  bytes: u32,
  before: u64,
  after: u64,
  user: bool,
  implicit: bool,
): void {
  const n = firstPart(linear, bytes);
  let h = physicalData ? quietHost(linear, ACC_READ, user, implicit) : 0;
  noteAccess(acc, linear, bytes, linear, n, h, before, after);
  if (n == bytes) return;
  const next = wrap(linear + n);
  h = physicalData ? quietHost(next, ACC_READ, user, implicit) : 0;
  noteAccess(acc, linear, bytes, next, bytes - n, h, before, after);
}

/** Reads with regard to data points; `set` is the TLB set for the access. */
function readAt(
  set: usize,
  linear: u64,
  bytes: u32,
  user: bool,
  implicit: bool,
): u64 {
  if (!watching || emulating) return readAny(linear, bytes, user, implicit);
  const e = entry(set, linear);
  const known =
    load<u64>(e) == (((linear + bytes - 1) & ~0xfff) | WATCHED);
  const h = <usize> (<u32> linear + load<u32>(e, 16));
  if (known && !(load<u32>(e, 20) & linesOf(linear, bytes))) {
    return loadBytes(h, bytes);
  }
  const hit = touches(ACC_READ, linear, bytes, user, implicit);
  if (hit && !synced) {
    needSync();
    return 0;
  }
  const v = known
    ? loadBytes(h, bytes)
    : readAny(linear, bytes, user, implicit);
  if (hit && !load<u32>(FAULT)) {
    note(ACC_READ, linear, bytes, v, v, user, implicit);
  }
  return v;
}

/** Writes with regard to data points. */
function writeAt(
  set: usize,
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  if (!watching || emulating) {
    writeAny(linear, bytes, v, user, implicit);
    return;
  }
  const e = entry(set, linear);
  const known =
    load<u64>(e, 8) == (((linear + bytes - 1) & ~0xfff) | WATCHED);
  const h = <usize> (<u32> linear + load<u32>(e, 16));
  if (known) setChanged(<u32> h);
  if (known && !(load<u32>(e, 20) & linesOf(linear, bytes))) {
    storeBytes(h, bytes, v);
    return;
  }
  const hit = touches(ACC_WRITE, linear, bytes, user, implicit);
  if (hit && !synced) {
    needSync();
    return;
  }
  const before = hit ? peek(linear, bytes, user, implicit) : 0;
  if (known) storeBytes(h, bytes, v);
  else writeAny(linear, bytes, v, user, implicit);
  if (hit && !load<u32>(FAULT)) {
    note(ACC_WRITE, linear, bytes, before, v, user, implicit);
  }
}

/** The TLB set of accesses with the rights of level `cpl`. */
// @ts-ignore: decorator
@inline
function setOf(cpl: u32): usize {
  return TLBS + <usize> load<u32>(VPINDEX) * TLB_VP + (cpl == 3 ? 0 : TLB_SET);
}

/**
 * A data breakpoint traps after its instruction, so the instruction has to run alone: true
 * with F_SYNC raised when it does not yet.
 */
function watchAlone(linear: u64, bytes: u32, write: bool): bool {
  if (!(load<u64>(DR7) & 0xff) || synced || !watchHits(linear, bytes, write)) {
    return false;
  }
  needSync();
  return true;
}

export function rdSlow(linear: u64, bytes: u32): u64 {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, false)) return 0;
  const v = readAt(load<u32>(TLBB), linear, bytes, isUser(), false);
  if (load<u64>(DR7) & 0xff && !load<u32>(FAULT)) {
    checkWatch(linear, bytes, false);
  }
  return v;
}

export function wrSlow(linear: u64, bytes: u32, v: u64): void {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, true)) return;
  writeAt(load<u32>(TLBB), linear, bytes, v, isUser(), false);
  if (load<u64>(DR7) & 0xff && !load<u32>(FAULT)) {
    checkWatch(linear, bytes, true);
  }
}

/** Prepares a read-modify-write: see rw(). */
export function rwSlow(linear: u64, bytes: u32): usize {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, true)) return 0;
  const user = isUser();
  let hit = false;
  if (watching && !emulating) {
    const e = entry(load<u32>(TLBB), linear);
    if (
      load<u64>(e, 8) == (((linear + bytes - 1) & ~0xfff) | WATCHED) &&
      !(load<u32>(e, 20) & linesOf(linear, bytes))
    ) {
      store<u32>(BKIND, 0);
      setChanged(<u32> linear + load<u32>(e, 16));
      return <usize> (<u32> linear + load<u32>(e, 16));
    }
    hit = touches(ACC_READ | ACC_WRITE, linear, bytes, user, false);
    if (hit && !synced) return needSync();
  }
  const n = firstPart(linear, bytes);
  if (n < bytes && runsOut(linear, bytes)) return 0;
  const h = hostFor(linear, ACC_WRITE, user, false);
  if (load<u32>(FAULT)) return 0;
  if (
    n == bytes && h != 0 && !(load<u64>(DR7) & 0xff) && !hit &&
    !load<u64>(CODELINES + (<usize> (h >> 12) << 3))
  ) {
    store<u32>(BKIND, 0);
    return h;
  }
  if (n < bytes) {
    hostFor(wrap(linear + n), ACC_WRITE, user, false);
    if (load<u32>(FAULT)) return 0;
  }
  const v = readAny(linear, bytes, user, false);
  if (load<u32>(FAULT)) return 0;
  if (hit) note(ACC_READ, linear, bytes, v, v, user, false);
  store<u64>(BOUNCE, v);
  store<u64>(BLIN, linear);
  store<u32>(BSIZE, bytes);
  store<u32>(BKIND, 1);
  return BOUNCE;
}

/**
 * Whether `bytes` (at most 16) at `linear` can be written with the current privilege,
 * which no device notices; false with FAULT set.
 */
export function writable(linear: u64, bytes: u32): bool {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (bytes - 1)) & ~0xfff)) return true;
  if (misaligned(linear, bytes)) return false;
  if (firstPart(linear, bytes) < bytes && runsOut(linear, bytes)) return false;
  return probe(linear, bytes, ACC_WRITE);
}

/** Completes a read-modify-write whose rw() address was not plain memory (BKIND != 0). */
export function rwCommit(): void {
  store<u32>(BKIND, 0);
  wrSlow(load<u64>(BLIN), load<u32>(BSIZE), load<u64>(BOUNCE));
}

// --- the fast paths

/** Reads a T at a linear address with the current privilege. On a fault: FAULT set, 0. */
// @ts-ignore: decorator
@inline
export function rd<T>(linear: u64): T {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return load<T>(<usize> (<u32> linear + load<u32>(e, 16)));
  }
  return <T> rdSlow(linear, sizeof<T>());
}

/** Writes a T at a linear address with the current privilege. On a fault: FAULT set, nothing written. */
// @ts-ignore: decorator
@inline
export function wr<T>(linear: u64, v: T): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    store<T>(<usize> (<u32> linear + load<u32>(e, 16)), v);
    return;
  }
  wrSlow(linear, sizeof<T>(), <u64> v);
}

/**
 * Host address of a T to read and then write at a linear address, or 0 with FAULT
 * set. After storing there, call rwDone().
 */
// @ts-ignore: decorator
@inline
export function rw<T>(linear: u64): usize {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return <usize> (<u32> linear + load<u32>(e, 16));
  }
  return rwSlow(linear, sizeof<T>());
}

// @ts-ignore: decorator
@inline
export function rwDone(): void {
  if (load<u32>(BKIND)) rwCommit();
}

// --- system accesses: descriptor tables, TSS, interrupt stacks

/** Reads a T as the supervisor, whatever CPL is (GDT, LDT, IDT, TSS). */
export function rdSys<T>(linear: u64): T {
  const set = setOf(0);
  const e = entry(set, linear);
  if (load<u64>(e) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return load<T>(<usize> (<u32> linear + load<u32>(e, 16)));
  }
  return <T> readAt(set, wrap(linear), sizeof<T>(), false, true);
}

/** Writes a T as the supervisor, whatever CPL is. */
export function wrSys<T>(linear: u64, v: T): void {
  const set = setOf(0);
  const e = entry(set, linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    store<T>(<usize> (<u32> linear + load<u32>(e, 16)), v);
    return;
  }
  writeAt(set, wrap(linear), sizeof<T>(), <u64> v, false, true);
}

/** Writes a T with the privilege of level `cpl` (stack switches). */
export function wrAs<T>(linear: u64, v: T, cpl: u32): void {
  writeAt(setOf(cpl), wrap(linear), sizeof<T>(), <u64> v, cpl == 3, false);
}

/** Reads a T with the privilege of level `cpl`. */
export function rdAs<T>(linear: u64, cpl: u32): T {
  return <T> readAt(setOf(cpl), wrap(linear), sizeof<T>(), cpl == 3, false);
}

/** Makes sure that `bytes` (any number) at `linear` can be accessed; false with FAULT set. */
export function probe(linear: u64, bytes: u32, acc: u32): bool {
  let at = linear;
  const user = isUser();
  let left = <i64> bytes;
  while (left > 0) {
    hostFor(wrap(at), acc, user, false);
    if (load<u32>(FAULT)) return false;
    const step = <i64> (0x1000 - (at & 0xfff));
    at += step;
    left -= step;
  }
  return true;
}

/** 16-byte accesses: into and out of a 16-byte cell. On a fault nothing changes. */
export function rd128(linear: u64, to: usize): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e) == ((linear + 15) & ~0xfff)) {
    const h = <usize> (<u32> linear + load<u32>(e, 16));
    store<u64>(to, load<u64>(h));
    store<u64>(to, load<u64>(h, 8), 8);
    return;
  }
  const lo = rdSlow(linear, 8);
  if (load<u32>(FAULT)) return;
  const hi = rdSlow(wrap(linear + 8), 8);
  if (load<u32>(FAULT)) return;
  store<u64>(to, lo);
  store<u64>(to, hi, 8);
}

export function wr128(linear: u64, lo: u64, hi: u64): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + 15) & ~0xfff)) {
    const h = <usize> (<u32> linear + load<u32>(e, 16));
    store<u64>(h, lo);
    store<u64>(h, hi, 8);
    return;
  }
  if ((linear & 0xfff) > 0xff0 && !probe(linear, 16, ACC_WRITE)) return;
  wrSlow(linear, 8, lo);
  if (load<u32>(FAULT)) return;
  wrSlow(wrap(linear + 8), 8, hi);
}

/** Host address to fetch code from, or 0 with FAULT set. */
export function fetchHost(linear: u64): u32 {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 24) == (linear & ~0xfff)) {
    return <u32> linear + load<u32>(e, 16);
  }
  const h = hostFor(linear, ACC_EXEC, isUser(), false);
  return h;
}
