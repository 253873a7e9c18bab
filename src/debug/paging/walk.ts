/**
 * The debugger's own walk of the guest's page tables: no privilege checks, no
 * accessed bits set, no exit, and any CR3 one likes (Intel SDM volume 3,
 * chapter 4, "Paging"; AMD APM volume 2, chapter 5).
 */
import type { GuestMemory } from "../../machine/memory.ts";
import {
  CR0_PG,
  CR3_TABLE,
  CR4_CET,
  CR4_LA57,
  CR4_PAE,
  CR4_PKE,
  CR4_PKS,
  CR4_PSE,
  CR4_SMAP,
  EFER_LMA,
} from "../../x86/control_registers.ts";
import {
  ENTRY,
  HUGE_PAGE_BYTES,
  LARGE_PAGE_BYTES,
  PAGE_BYTES,
  PAGE_OFFSET,
  PSE_PAGE_BYTES,
  TABLE_ENTRIES,
} from "../../x86/paging.ts";

/** The control registers that choose a translation. */
export interface Paging {
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

/** Reasons of their own for a fault. */
const CR4_PROTECTION = CR4_SMAP | CR4_PKE | CR4_CET | CR4_PKS;

/** What one step of a walk read, for showing it. */
export interface WalkEntry {
  readonly level: string;
  /** Guest physical address of the entry. */
  readonly address: number;
  readonly value: bigint;
}

/** How a linear address translates. */
export interface Walk {
  /** -1 if it does not. */
  readonly gpa: number;
  /** Bytes of the page found. */
  readonly pageBytes: number;
  readonly entries: readonly WalkEntry[];
}

const LEVELS = ["PTE", "PDE", "PDPTE", "PML4E", "PML5E"];

/** How the tables are read: "none" is real mode and paging off. */
export type PagingMode = "none" | "32-bit" | "PAE" | "4-level" | "5-level";

export function pagingMode(p: Paging): PagingMode {
  if ((p.cr0 & CR0_PG) === 0n) return "none";
  if ((p.cr4 & CR4_PAE) === 0n) return "32-bit";
  if ((p.efer & EFER_LMA) === 0n) return "PAE";
  return (p.cr4 & CR4_LA57) === 0n ? "4-level" : "5-level";
}

/** Reads page tables of a guest. `translate` allocates nothing. */
export class PageWalker {
  readonly #memory: GuestMemory;
  readonly #data: DataView;
  /** Bytes of the page that the last translate() found; or, with long mode's
   * tables, of the hole. */
  pageBytes = PAGE_BYTES;
  /** Whether the tables let a supervisor write to that page. */
  pageWritable = false;
  /** Whether they let programs (CPL 3) reach it. */
  pageUser = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    const view = memory.view;
    this.#data = new DataView(view.buffer, view.byteOffset, view.byteLength);
  }

  /** The guest physical address of `linear`, or -1 if it is not mapped (or a
   * table is not in memory). `trace` gets every entry that was read. */
  translate(p: Paging, linear: bigint, trace?: WalkEntry[]): number {
    const mode = pagingMode(p);
    this.pageBytes = PAGE_BYTES;
    this.pageWritable = this.pageUser = false;
    if (mode === "none") {
      this.pageWritable = true;
      return Number(linear & 0xffffffffn);
    }
    // 48 bits of address as two numbers; 5-level paging has 57.
    const low = Number(linear & 0xffffffffn);
    if (mode === "32-bit") return this.#walk32(p, low, trace);
    if (mode === "PAE") return this.#walkLong(p.cr3 & ~31n, 2, low, 0, trace);
    const high = Number((linear >> 32n) & 0xffffffffn);
    const top = mode === "4-level" ? 3 : 4;
    // Not canonical: no address at all.
    const signBits = mode === "4-level" ? high >>> 15 : high >>> 24;
    const ones = mode === "4-level" ? 0x1ffff : 0xff;
    if (signBits !== 0 && signBits !== ones) return -1;
    return this.#walkLong(p.cr3 & CR3_TABLE, top, low, high, trace);
  }

  /**
   * Where a write to `linear` goes in long mode if it certainly goes through
   * and leaves no mark: every table writable, accessed, the page dirty. Else -1,
   * which says nothing.
   */
  writable(p: Paging, linear: bigint, user: boolean): number {
    const mode = pagingMode(p);
    if (mode !== "4-level" || (p.cr4 & CR4_PROTECTION) !== 0n) return -1;
    let index = Number((linear >> 12n) & 0xfffffffffn);
    let table = Number(p.cr3 & CR3_TABLE);
    let needed = ENTRY.Present | ENTRY.Write | ENTRY.Accessed;
    if (user) needed |= ENTRY.User;
    for (let level = 3; level >= 0; level--) {
      const shift = TABLE_ENTRIES ** level;
      const at = table + Math.floor(index / shift) * 8;
      index %= shift;
      const offset = this.#memory.offsetOf(at);
      if (offset < 0) return -1;
      const low = this.#data.getUint32(offset, true);
      const large = level > 0 && (low & ENTRY.Large) !== 0;
      if (level === 0 || large) needed |= ENTRY.Dirty;
      if ((low & needed) !== needed) return -1;
      table = (this.#data.getUint32(offset + 4, true) & 0xfffff) * 0x100000000 +
        ((low & 0xfffff000) >>> 0);
      if (level === 0) break;
      if (large) {
        const bytes = PAGE_BYTES * shift;
        return table - (table % bytes) + index * PAGE_BYTES +
          Number(linear & PAGE_OFFSET);
      }
    }
    return table + Number(linear & PAGE_OFFSET);
  }

  /** The same with every entry on the way. */
  walk(p: Paging, linear: bigint): Walk {
    const entries: WalkEntry[] = [];
    const gpa = this.translate(p, linear, entries);
    return { gpa, pageBytes: this.pageBytes, entries };
  }

  #walk32(p: Paging, low: number, trace?: WalkEntry[]): number {
    const pde = this.#entry32(
      Number(p.cr3 & 0xfffff000n) + (low >>> 22) * 4,
      1,
      trace,
    );
    if (pde < 0 || (pde & ENTRY.Present) === 0) return -1;
    if ((pde & ENTRY.Large) !== 0 && (p.cr4 & CR4_PSE) !== 0n) {
      this.pageBytes = PSE_PAGE_BYTES;
      this.#found(pde);
      // PSE-36: bits 13-20 of the entry are bits 32-39 of the address.
      const above = ((pde >>> 13) & 0xff) * 0x100000000;
      return above + ((pde & 0xffc00000) >>> 0) + (low & PSE_PAGE_BYTES - 1);
    }
    const pte = this.#entry32(
      ((pde & 0xfffff000) >>> 0) + ((low >>> 12) & 0x3ff) * 4,
      0,
      trace,
    );
    if (pte < 0 || (pte & ENTRY.Present) === 0) return -1;
    this.#found(pde & pte);
    return ((pte & 0xfffff000) >>> 0) + (low & PAGE_BYTES - 1);
  }

  /** Tables of 8-byte entries, from `level` (0 is the page table) down. */
  #walkLong(
    root: bigint,
    level: number,
    low: number,
    high: number,
    trace?: WalkEntry[],
  ): number {
    // CR3 has 52 bits of address at most: an exact number.
    let table = Number(root & 0xfffffffffffffn);
    const pae = level === 2;
    let flags = ENTRY.Write | ENTRY.User;
    for (;; level--) {
      let index: number;
      switch (level) {
        case 4:
          index = (high >>> 16) & 0x1ff;
          break;
        case 3:
          index = (high >>> 7) & 0x1ff;
          break;
        case 2:
          index = pae ? low >>> 30 : ((high << 2) | (low >>> 30)) & 0x1ff;
          break;
        case 1:
          index = (low >>> 21) & 0x1ff;
          break;
        default:
          index = (low >>> 12) & 0x1ff;
      }
      const at = table + index * 8;
      const offset = this.#memory.offsetOf(at);
      if (offset < 0) return -1;
      const entryLow = this.#data.getUint32(offset, true);
      const entryHigh = this.#data.getUint32(offset + 4, true);
      if (trace !== undefined) {
        trace.push({
          level: LEVELS[level],
          address: at,
          value: (BigInt(entryHigh) << 32n) | BigInt(entryLow),
        });
      }
      if ((entryLow & ENTRY.Present) === 0) {
        this.pageBytes = PAGE_BYTES * TABLE_ENTRIES ** level;
        return -1;
      }
      // PAE's four top entries have reserved bits there.
      if (!pae || level !== 2) flags &= entryLow;
      // Bits 12-51 are the address.
      table = (entryHigh & 0xfffff) * 0x100000000 +
        ((entryLow & 0xfffff000) >>> 0);
      if (level === 0) {
        this.#found(flags);
        return table + (low & PAGE_BYTES - 1);
      }
      if (
        (entryLow & ENTRY.Large) !== 0 && (level === 1 || (level === 2 && !pae))
      ) {
        this.#found(flags);
        this.pageBytes = level === 1 ? LARGE_PAGE_BYTES : HUGE_PAGE_BYTES;
        const mask = this.pageBytes - 1;
        return table - (table % this.pageBytes) + (low & mask);
      }
    }
  }

  /** What all entries on the way to a page have in common. */
  #found(flags: number): void {
    this.pageWritable = (flags & ENTRY.Write) !== 0;
    this.pageUser = (flags & ENTRY.User) !== 0;
  }

  #entry32(address: number, level: number, trace?: WalkEntry[]): number {
    const offset = this.#memory.offsetOf(address);
    if (offset < 0) return -1;
    const value = this.#data.getUint32(offset, true);
    if (trace !== undefined) {
      trace.push({ level: LEVELS[level], address, value: BigInt(value) });
    }
    return value;
  }
}

/** The flags of a table entry as letters, for people. */
export function entryFlags(value: bigint): string {
  const low = Number(value & PAGE_OFFSET);
  return [
    low & ENTRY.Present ? "P" : "-",
    low & ENTRY.Write ? "W" : "R",
    low & ENTRY.User ? "U" : "S",
    low & ENTRY.Accessed ? "A" : "-",
    low & ENTRY.Dirty ? "D" : "-",
    low & ENTRY.Large ? "L" : "-",
    low & ENTRY.Global ? "G" : "-",
    value >> 63n ? "N" : "-",
  ].join("");
}
