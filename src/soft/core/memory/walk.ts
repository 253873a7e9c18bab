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
import { physRange, rangeFlags, rangeHost } from "./phys";
import { exitMemory } from "../system/exit";
import { MapFlag } from "../whv/names";
import { setChanged, setDirty } from "./marks";
import {
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
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
  PAGE_BYTES,
  PAGE_OFFSET,
  PageFault,
  PDPTE_RESERVED,
  PSE_PAGE_BYTES,
  TABLE_ENTRIES,
} from "../x86/paging";

export const ACC_READ: u32 = 1;
export const ACC_WRITE: u32 = 2;
export const ACC_EXEC: u32 = 4;
export const MAXPHYADDR: u32 = 40;
const PHYS_MASK: u64 = ((<u64> 1 << MAXPHYADDR) - 1) & ~PAGE_OFFSET;
const RSVD_HI: u64 = 0x000fffffffffffff & ~((<u64> 1 << MAXPHYADDR) - 1);

/** PAE paging outside long mode reserves bits 62:52, too. */
const RSVD_PAE: u64 = RSVD_HI | 0x7ff0000000000000;

/** Above an entry's bit PAT, a large page's entry has its address. */
const ABOVE_PAT: u64 = ~<u64> 0x1fff;

/** An entry that is there has reserved bits. */
const RESERVED: u32 = PageFault.Reserved | PageFault.Protection;

const BOTH: u64 = ENTRY.Write | ENTRY.User;

/** Where a linear address leads: what translate() found. */
@unmanaged
export class Translation {
  /** The guest physical address. */
  gpa: u64 = 0;
  /** Of the page: R/W, U/S and NX, over all levels. */
  rights: u64 = 0;
  /** Bytes of the page. */
  size: u64 = 0;
  /** The entry that was read last. */
  entry: u64 = 0;
  /** Accesses of the same kind that may be cached; not of a quiet walk. */
  perm: u32 = 0;
  /** Why there is no such address: a page fault's error code, or WHY_*. */
  why: u32 = 0;
  /** Flags that all mappings have which hold the paging structures. */
  tables: u32 = 0;
  /** It is global, and stays where translations of one space go. */
  global: bool = false;
  /** The level of the page's entry; that of a page table's is 0. */
  level: u32 = 0;
  /** Host addresses of the entries, by level; 0: of none. */
  host0: u32 = 0;
  host1: u32 = 0;
  host2: u32 = 0;
  host3: u32 = 0;
}

/** Room for a {@link Translation}. */
export const TRANSLATION_BYTES: i32 = offsetof<Translation>();

/** A paging structure is outside memory, */
export const WHY_UNMAPPED: u32 = 0x100;
/** or in memory that cannot be read. */
export const WHY_UNREADABLE: u32 = 0x200;

@inline
function hostAt(t: Translation, level: u32): u32 {
  return load<u32>(
    changetype<usize>(t) + (<usize> level << 2),
    offsetof<Translation>("host0"),
  );
}

/**
 * Reads the paging-structure entry at `gpa`, of `level`; false with FAULT set
 * when it is not memory.
 */
function readEntry(
  t: Translation,
  gpa: u64,
  level: u32,
  wide: bool,
  linear: u64,
  quiet: bool,
): bool {
  const range = physRange(gpa);
  const flags = rangeFlags(range);
  if (!(flags & MapFlag.Read)) {
    if (!quiet) exitMemory(gpa, linear, ACC_READ, flags == 0, 8);
    t.why = flags == 0 ? WHY_UNMAPPED : WHY_UNREADABLE;
    return false;
  }
  t.tables &= flags;
  const host = rangeHost(range, gpa);
  store<u32>(
    changetype<usize>(t) + (<usize> level << 2),
    host,
    offsetof<Translation>("host0"),
  );
  t.entry = wide ? load<u64>(host) : load<u32>(host);
  return true;
}

function markEntry(bits: u32, host: u32): void {
  // A and D live in the low 32 bits for every format
  const v = load<u32>(host);
  if ((v & bits) == bits) return;
  if (load<u64>(CODELINES + (<usize> (host >> 12) << 3))) codeWritten(host, 8);
  setDirty(host);
  setChanged(host);
  store<u32>(host, v | bits);
}

/** Sets the accessed bits of the walk's entries, and the page's dirty bit. */
export function markWalk(t: Translation, dirty: bool): void {
  const leaf = t.level;
  for (let level: u32 = 3; level > leaf; level--) {
    const host = hostAt(t, level);
    if (host) markEntry(ENTRY.Accessed, host);
  }
  const host = hostAt(t, leaf);
  if (host) {
    markEntry(dirty ? ENTRY.Accessed | ENTRY.Dirty : ENTRY.Accessed, host);
  }
}

function pf(t: Translation, linear: u64, err: u32, quiet: bool): bool {
  if (!quiet) raisePF(linear, err);
  t.why = err;
  return false;
}

/** Tables with entries of 8 bytes: long mode's, and PAE's outside of it. */
function walkWide(
  t: Translation,
  linear: u64,
  long: bool,
  nxe: bool,
  err: u32,
  quiet: bool,
): bool {
  const reserved: u64 = (long ? RSVD_HI : RSVD_PAE) |
    (nxe ? 0 : ENTRY_NO_EXECUTE);
  let table = load<u64>(CR3) & PHYS_MASK;
  let level: u32 = 3;
  if (!long) {
    // the topmost of PAE's has four entries without rights or marks
    const gpa = (load<u64>(CR3) & 0xffffffe0) + (((linear >> 30) & 3) << 3);
    if (!readEntry(t, gpa, 3, true, linear, quiet)) return false;
    t.host3 = 0;
    const e = t.entry;
    if (!(e & ENTRY.Present)) return pf(t, linear, err, quiet);
    if (e & (RSVD_PAE | ENTRY_NO_EXECUTE | PDPTE_RESERVED)) {
      return pf(t, linear, err | RESERVED, quiet);
    }
    table = e & PHYS_MASK;
    level = 1;
  }
  let rights: u64 = BOTH;
  let noExecute: u64 = 0;
  let size: u64;
  for (;; level--) {
    const shift = 12 + 9 * level;
    const gpa = table + (((linear >> shift) & (TABLE_ENTRIES - 1)) << 3);
    if (!readEntry(t, gpa, level, true, linear, quiet)) return false;
    const e = t.entry;
    if (!(e & ENTRY.Present)) return pf(t, linear, err, quiet);
    if (e & reserved) return pf(t, linear, err | RESERVED, quiet);
    rights &= e;
    noExecute |= e & ENTRY_NO_EXECUTE;
    size = <u64> 1 << shift;
    if (level == 0) break;
    if (e & ENTRY.Large) {
      if (level == 3 || e & (size - 1) & ABOVE_PAT) {
        return pf(t, linear, err | RESERVED, quiet);
      }
      break;
    }
    table = e & PHYS_MASK;
  }
  t.level = level;
  t.size = size;
  t.rights = rights | noExecute;
  t.gpa = (t.entry & PHYS_MASK & ~(size - 1)) | (linear & (size - 1));
  return true;
}

/** 32-bit paging's tables. */
function walkNarrow(
  t: Translation,
  linear: u64,
  err: u32,
  quiet: bool,
): bool {
  const gpa = (load<u64>(CR3) & 0xfffff000) + (((linear >> 22) & 1023) << 2);
  if (!readEntry(t, gpa, 1, false, linear, quiet)) return false;
  const pde = t.entry;
  if (!(pde & ENTRY.Present)) return pf(t, linear, err, quiet);
  if (pde & ENTRY.Large && load<u64>(CR4) & CR4_PSE) {
    // PSE-36: bits 20..13 are physical address bits 39..32
    if (pde & 0x200000) return pf(t, linear, err | RESERVED, quiet);
    t.level = 1;
    t.size = PSE_PAGE_BYTES;
    t.rights = pde & BOTH;
    t.gpa = (pde & 0xffc00000) | (((pde >> 13) & 0xff) << 32) |
      (linear & (PSE_PAGE_BYTES - 1));
    return true;
  }
  const at = (pde & 0xfffff000) + (((linear >> 12) & 1023) << 2);
  if (!readEntry(t, at, 0, false, linear, quiet)) return false;
  const pte = t.entry;
  if (!(pte & ENTRY.Present)) return pf(t, linear, err, quiet);
  t.rights = pde & pte & BOTH;
  t.gpa = (pte & 0xfffff000) | (linear & PAGE_OFFSET);
  return true;
}

/** What a page with `rights` allows to an access of this kind: ACC_*. */
function allowed(rights: u64, user: bool, implicit: bool): u32 {
  const runs: u32 = rights & ENTRY_NO_EXECUTE ? 0 : ACC_EXEC;
  if (user) {
    if (!(rights & ENTRY.User)) return 0;
    return ACC_READ | (rights & ENTRY.Write ? ACC_WRITE : 0) | runs;
  }
  const cr4 = load<u64>(CR4);
  const users = (rights & ENTRY.User) != 0;
  let allow: u32 = users && cr4 & CR4_SMEP ? 0 : runs;
  const ac = !implicit && (load<u32>(EFL) & RFLAGS_AC) != 0;
  if (!users || !(cr4 & CR4_SMAP) || ac) {
    allow |= ACC_READ;
    if (rights & ENTRY.Write || !(load<u64>(CR0) & CR0_WP)) allow |= ACC_WRITE;
  }
  return allow;
}

/**
 * Walks the page tables for one access. True with `t` filled; false with FAULT
 * set (#PF, or a memory exit for a paging structure outside memory). `quiet`
 * sets neither FAULT nor accessed and dirty bits (a debugger's walk).
 */
export function translate(
  t: Translation,
  linear: u64,
  acc: u32,
  user: bool,
  implicit: bool,
  quiet: bool,
): bool {
  t.why = 0;
  t.global = false;
  t.tables = MapFlag.Read | MapFlag.Write | MapFlag.Execute;
  t.level = 0;
  t.size = PAGE_BYTES;
  t.host0 =
    t.host1 =
    t.host2 =
    t.host3 =
      0;
  if (!(load<u64>(CR0) & CR0_PG)) {
    t.gpa = linear & 0xffffffff;
    t.rights = BOTH;
    t.perm = ACC_READ | ACC_WRITE | ACC_EXEC;
    return true;
  }
  const cr4 = load<u64>(CR4);
  const efer = load<u64>(EFER);
  const long = (efer & EFER_LMA) != 0;
  const wide = (cr4 & CR4_PAE) != 0;
  const nxe = (efer & EFER_NXE) != 0;
  if (long && <i64> (linear << 16) >> 16 != <i64> linear) {
    if (!quiet) store<u32>(FAULT, F_NONCANON);
    return false;
  }
  let err: u32 = (acc & ACC_WRITE ? PageFault.Write : 0) |
    (user ? PageFault.User : 0);
  if (acc & ACC_EXEC && ((nxe && wide) || cr4 & CR4_SMEP)) {
    err |= PageFault.Fetch;
  }
  const found = wide
    ? walkWide(t, linear, long, nxe, err, quiet)
    : walkNarrow(t, linear, err, quiet);
  if (!found) return false;
  let allow = allowed(t.rights, user, implicit);
  if ((allow & acc) != acc) {
    return pf(t, linear, err | PageFault.Protection, quiet);
  }
  t.global = (t.entry & ENTRY.Global) != 0 && (cr4 & CR4_PGE) != 0;
  if (quiet) return true;
  const dirty = (acc & ACC_WRITE) != 0;
  markWalk(t, dirty);
  if (!dirty && !(t.entry & ENTRY.Dirty)) allow &= ~ACC_WRITE;
  t.perm = allow;
  return true;
}
