// Page walks: linear to guest physical addresses by the page tables, in every
// paging mode.
import { codeWritten } from "../code/cache";
import { raisePF } from "../cpu/fault";
import {
  CODELINES,
  CR0,
  CR3,
  CR4,
  EFER,
  EFL,
  F_NONCANON,
  FAULT,
} from "../layout";
import { mapFlags, physHost } from "./phys";
import { exitMemory } from "../system/exit";
import { setChanged, setDirty } from "./marks";
import {
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LMA,
  EFER_NXE,
} from "../x86/control_registers";
import { RFLAGS_AC } from "../x86/flags";
import {
  ENTRY,
  ENTRY_NO_EXECUTE,
  HUGE_PAGE_BYTES,
  LARGE_PAGE_BYTES,
  PAGE_BYTES,
  PageFault,
  PDPTE_RESERVED,
} from "../x86/paging";
import { MapFlag } from "../whv/names";

export const ACC_READ: u32 = 1;
export const ACC_WRITE: u32 = 2;
export const ACC_EXEC: u32 = 4;
export const MAXPHYADDR: u32 = 40;
const PHYS_MASK: u64 = ((<u64> 1 << 40) - 1) & ~0xfff;
const RSVD_HI: u64 = 0x000fffffffffffff & ~((<u64> 1 << 40) - 1);

/** PAE paging outside long mode reserves bits 62:52, too. */
const RSVD_PAE: u64 = RSVD_HI | 0x7ff0000000000000;

/** An entry that is there has reserved bits. */
const RESERVED: u32 = PageFault.Reserved | PageFault.Protection;

/** Results of translate(). */
export let xGpa: u64 = 0;

export let xPerm: u32 = 0; // accesses that may be cached

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
export let xLarge: u64 = 0; // bytes of a large page, or 0
let ptHost: u32 = 0;

/**
 * Reads a paging-structure entry; false with FAULT set when it is not memory.
 */
function readEntry(gpa: u64, wide: bool, linear: u64, quiet: bool): bool {
  ptHost = physHost(gpa);
  if (ptHost == 0 || !(mapFlags & MapFlag.Read)) {
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
 * Walks the page tables for one access. True with xGpa set; false with FAULT
 * set (#PF, or a memory exit for a paging structure outside memory). `quiet`
 * sets neither FAULT nor accessed and dirty bits (a debugger's walk).
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
  if (!(cr0 & CR0_PG)) {
    xGpa = linear & 0xffffffff;
    xRights = ENTRY.Write | ENTRY.User;
    xLeaf = 0;
    xPerm = 7;
    return true;
  }
  const cr4 = load<u64>(CR4);
  const efer = load<u64>(EFER);
  const long = (efer & EFER_LMA) != 0;
  const pae = (cr4 & CR4_PAE) != 0;
  const nxe = (efer & EFER_NXE) != 0;
  const pcidMask: u64 = PHYS_MASK;
  let err: u32 = (acc & ACC_WRITE ? PageFault.Write : 0) |
    (user ? PageFault.User : 0);
  if (acc & ACC_EXEC && (nxe && (pae || long) || cr4 & CR4_SMEP)) {
    err |= PageFault.Fetch;
  }
  let perm: u64 = ENTRY.Write | ENTRY.User; // accumulated R/W and U/S
  let nx: u64 = 0;
  let gpa: u64;
  let hosts0: u32 = 0, hosts1: u32 = 0, hosts2: u32 = 0, leaf: u32 = 0;
  let e: u64 = 0;
  let size: u64 = PAGE_BYTES;
  if (pae) {
    const rsvd: u64 = (long ? RSVD_HI : RSVD_PAE) |
      (nxe ? 0 : ENTRY_NO_EXECUTE);
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
      if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
      if (e & (rsvd | ENTRY.Large)) return pf(linear, err | RESERVED, quiet);
      perm &= e;
      nx |= e & ENTRY_NO_EXECUTE;
      gpa = (e & PHYS_MASK) + (((linear >> 30) & 511) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      hosts1 = ptHost;
      if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
      if (e & rsvd) return pf(linear, err | RESERVED, quiet);
      perm &= e;
      nx |= e & ENTRY_NO_EXECUTE;
      if (e & ENTRY.Large) {
        if (e & 0x3fffe000) return pf(linear, err | RESERVED, quiet);
        size = HUGE_PAGE_BYTES;
        leaf = hosts1;
      }
      table = e & PHYS_MASK;
    } else {
      gpa = (load<u64>(CR3) & 0xffffffe0) + (((linear >> 30) & 3) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
      if (e & (RSVD_PAE | ENTRY_NO_EXECUTE | PDPTE_RESERVED)) {
        return pf(linear, err | RESERVED, quiet);
      }
      table = e & PHYS_MASK;
    }
    if (leaf == 0) {
      gpa = table + (((linear >> 21) & 511) << 3);
      if (!readEntry(gpa, true, linear, quiet)) return false;
      e = ptEntry;
      hosts2 = ptHost;
      if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
      if (e & rsvd) return pf(linear, err | RESERVED, quiet);
      perm &= e;
      nx |= e & ENTRY_NO_EXECUTE;
      if (e & ENTRY.Large) {
        if (e & 0x1fe000) return pf(linear, err | RESERVED, quiet);
        size = LARGE_PAGE_BYTES;
        leaf = hosts2;
      } else {
        gpa = (e & PHYS_MASK) + (((linear >> 12) & 511) << 3);
        if (!readEntry(gpa, true, linear, quiet)) return false;
        e = ptEntry;
        leaf = ptHost;
        if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
        if (e & rsvd) return pf(linear, err | RESERVED, quiet);
        perm &= e;
        nx |= e & ENTRY_NO_EXECUTE;
      }
    }
    gpa = (e & PHYS_MASK & ~(size - 1)) | (linear & (size - 1));
  } else {
    gpa = (load<u64>(CR3) & 0xfffff000) + (((linear >> 22) & 1023) << 2);
    if (!readEntry(gpa, false, linear, quiet)) return false;
    e = ptEntry;
    hosts2 = ptHost;
    if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
    perm &= e;
    if (e & ENTRY.Large && cr4 & CR4_PSE) {
      // PSE-36: bits 20..13 are physical address bits 39..32
      if (e & 0x200000) return pf(linear, err | RESERVED, quiet);
      size = 0x400000;
      leaf = hosts2;
      gpa = (e & 0xffc00000) | (((e >> 13) & 0xff) << 32) |
        (linear & 0x3fffff);
    } else {
      gpa = (e & 0xfffff000) + (((linear >> 12) & 1023) << 2);
      if (!readEntry(gpa, false, linear, quiet)) return false;
      e = ptEntry;
      leaf = ptHost;
      if (!(e & ENTRY.Present)) return pf(linear, err, quiet);
      perm &= e;
      gpa = (e & 0xfffff000) | (linear & 0xfff);
    }
  }
  if (!nxe) nx = 0;
  // what this page allows to an access of this kind
  let allow: u32 = 0;
  const wp = (cr0 & CR0_WP) != 0;
  if (user) {
    if (perm & ENTRY.User) {
      allow = ACC_READ | (perm & ENTRY.Write ? ACC_WRITE : 0) |
        (nx ? 0 : ACC_EXEC);
    }
  } else {
    const ac = !implicit && (load<u32>(EFL) & RFLAGS_AC) != 0;
    if (!(perm & ENTRY.User) || !(cr4 & CR4_SMAP) || ac) {
      allow = ACC_READ | (perm & ENTRY.Write || !wp ? ACC_WRITE : 0);
    }
    if (!nx && !(perm & ENTRY.User && cr4 & CR4_SMEP)) allow |= ACC_EXEC;
  }
  if ((allow & acc) != acc) {
    return pf(linear, err | PageFault.Protection, quiet);
  }
  xGpa = gpa;
  if (size > PAGE_BYTES) xLarge = size;
  if (quiet) {
    xRights = (perm & (ENTRY.Write | ENTRY.User)) | nx;
    xHost0 = hosts0;
    xHost1 = hosts1;
    xHost2 = hosts2;
    xLeaf = leaf;
    return true;
  }
  if (hosts0 && hosts0 != leaf) markEntry(ENTRY.Accessed, hosts0);
  if (hosts1 && hosts1 != leaf) markEntry(ENTRY.Accessed, hosts1);
  if (hosts2 && hosts2 != leaf) markEntry(ENTRY.Accessed, hosts2);
  const dirty = (acc & ACC_WRITE) != 0;
  markEntry(dirty ? ENTRY.Accessed | ENTRY.Dirty : ENTRY.Accessed, leaf);
  if (!dirty && !(e & ENTRY.Dirty)) allow &= ~ACC_WRITE;
  xPerm = allow;
  return true;
}

function pf(linear: u64, err: u32, quiet: bool): bool {
  if (!quiet) raisePF(linear, err);
  xWhy = err;
  return false;
}

/**
 * Sets the accessed bits of the last quiet walk's entries, and the page's dirty
 * bit.
 */
export function markWalk(dirty: bool): void {
  if (!xLeaf) return;
  if (xHost0 && xHost0 != xLeaf) markEntry(ENTRY.Accessed, xHost0);
  if (xHost1 && xHost1 != xLeaf) markEntry(ENTRY.Accessed, xHost1);
  if (xHost2 && xHost2 != xLeaf) markEntry(ENTRY.Accessed, xHost2);
  markEntry(dirty ? ENTRY.Accessed | ENTRY.Dirty : ENTRY.Accessed, xLeaf);
}
