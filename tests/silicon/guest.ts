/**
 * The guest in which the core runs cases: 64-bit user mode as Linux sets it
 * up for a process, with the cases' regions at the same linear addresses.
 * Layouts: Intel SDM vol.3, chapters 3 to 7.
 *
 * @module
 */
import {
  CODE,
  CODE_BYTES,
  DATA,
  DATA_BYTES,
  READ_ONLY,
  READ_ONLY_BYTES,
} from "./layout.ts";
import { descriptors } from "./ldt.ts";
import { readOnlyPage } from "./pages.ts";

/** Guest-physical places. */
export const Gpa = {
  pml4: 0x1000,
  userPdpt: 0x2000,
  userPd: 0x3000,
  dataPt: 0x4000,
  codePt: 0x5000,
  gdt: 0x6000,
  idt: 0x7000,
  tss: 0x8000,
  systemPdpt: 0x9000,
  ldt: 0xb000,
  systemPd: 0xa000,
  data: 0x1_0000,
  readOnly: 0x1_4000,
  code: 0x2_0000,
} as const;

export const GUEST_BYTES = 0x4_0000;

/** Where the supervisor's tables are: everything from GPA 0, at this base. */
export const SYSTEM_BASE = 0xffff_8000_0000_0000n;

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;
const ACCESSED = 0x20n;
const DIRTY = 0x40n;
const LARGE = 0x80n;
const NO_EXECUTE = 1n << 63n;

/** Attributes as WHV has them: accessed, DPL 3, present. */
export const Attributes = {
  code64: 0xa0fb,
  code32: 0xc0fb,
  data: 0xc0f3,
  tss: 0x008b,
  ldt: 0x0082,
} as const;

export const GDT_LIMIT = 0x7f;
export const TSS_LIMIT = 0x67;
export const IDT_LIMIT = 0xfff;

/** PE, MP, ET, NE, WP, AM, PG. */
export const CR0 = 0x8005_0033n;
/** PAE, PGE, OSFXSR, OSXMMEXCPT, UMIP, FSGSBASE. */
export const CR4 = 0x1_0ea0n;
/** SCE, LME, LMA, NXE. */
export const EFER = 0xd01n;

/** Writes page tables, descriptor tables and the fixed pages. */
export function buildGuest(memory: Uint8Array): void {
  const view = new DataView(
    memory.buffer,
    memory.byteOffset,
    memory.byteLength,
  );
  const entry = (table: number, index: number, value: bigint) =>
    view.setBigUint64(table + 8 * index, value, true);
  const table = PRESENT | WRITABLE | USER | ACCESSED;
  entry(Gpa.pml4, 0, BigInt(Gpa.userPdpt) | table);
  entry(Gpa.userPdpt, 0, BigInt(Gpa.userPd) | table);
  entry(Gpa.userPd, DATA >>> 21, BigInt(Gpa.dataPt) | table);
  entry(Gpa.userPd, CODE >>> 21, BigInt(Gpa.codePt) | table);
  const pages = (
    pt: number,
    linear: number,
    gpa: number,
    bytes: number,
    flags: bigint,
  ) => {
    for (let at = 0; at < bytes; at += 0x1000) {
      entry(pt, ((linear + at) >>> 12) & 511, BigInt(gpa + at) | flags);
    }
  };
  const page = PRESENT | USER | ACCESSED | DIRTY;
  pages(
    Gpa.dataPt,
    DATA,
    Gpa.data,
    DATA_BYTES,
    page | WRITABLE | NO_EXECUTE,
  );
  pages(
    Gpa.dataPt,
    READ_ONLY,
    Gpa.readOnly,
    READ_ONLY_BYTES,
    page | NO_EXECUTE,
  );
  pages(Gpa.codePt, CODE, Gpa.code, CODE_BYTES, page | WRITABLE);
  const system = PRESENT | WRITABLE | ACCESSED;
  entry(Gpa.pml4, 256, BigInt(Gpa.systemPdpt) | system);
  entry(Gpa.systemPdpt, 0, BigInt(Gpa.systemPd) | system);
  entry(Gpa.systemPd, 0, system | DIRTY | LARGE);

  // Linux's GDT: kernel CS32, CS, DS, user CS32, DS, CS.
  const gdt = [
    0n,
    0x00cf_9b00_0000_ffffn,
    0x00af_9b00_0000_ffffn,
    0x00cf_9300_0000_ffffn,
    0x00cf_fb00_0000_ffffn,
    0x00cf_f300_0000_ffffn,
    0x00af_fb00_0000_ffffn,
  ];
  gdt.forEach((descriptor, i) => entry(Gpa.gdt, i, descriptor));
  descriptors().forEach((descriptor, i) => entry(Gpa.ldt, i, descriptor));
  // Interrupt gates of DPL 0, of DPL 3 for INT3 and INTO; none is ever used.
  for (let vector = 0; vector < 256; vector++) {
    const dpl = vector === 3 || vector === 4 ? 3 : 0;
    const at = Gpa.idt + 16 * vector;
    view.setUint32(at + 4, 0x8e00 | dpl << 13, true);
    view.setUint32(at, 0x10 << 16, true);
    view.setBigUint64(at + 8, SYSTEM_BASE >> 32n, true);
  }
  // No I/O permission bitmap: its base is beyond the TSS's limit.
  view.setUint16(Gpa.tss + 0x66, TSS_LIMIT + 1, true);
  memory.set(readOnlyPage(), Gpa.readOnly);
}
