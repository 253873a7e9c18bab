/**
 * The processor states guests are entered in: real mode, flat 32-bit protected
 * mode, 64-bit mode. Values are the Intel SDM's (vol. 3, 2.5, 3.4.5, 5.2).
 */
import type {
  InitialGpr,
  InitialSegment,
  InitialState,
  InitialTable,
} from "./image.ts";
import type { Placement } from "./placement.ts";

const Cr0 = { PE: 1n, MP: 2n, ET: 0x10n, NE: 0x20n, PG: 0x8000_0000n };
const Cr4 = { PAE: 0x20n, OSFXSR: 0x200n, OSXMMEXCPT: 0x400n };
const Efer = { LME: 0x100n, LMA: 0x400n };
/** RFLAGS with nothing but the bit that is always 1. */
const RFLAGS_CLEAR = 2n;

/** Segment attributes: type, S, P and L, D/B, G. */
const Attributes = {
  code16: 0x009b,
  data16: 0x0093,
  code32: 0xc09b,
  data32: 0xc093,
  code64: 0xa09b,
  ldt: 0x0082,
  busyTss: 0x008b,
} as const;

const FLAT_LIMIT = 0xffffffff;
const REAL_LIMIT = 0xffff;
const EMPTY_TABLE: InitialTable = { base: 0, limit: 0 };

/** Selectors of the GDT that `placeGdt` makes. */
interface Selectors {
  readonly code: number;
  readonly data: number;
}

/** Linux' boot protocol fixes these; others may have any. */
const LINUX_SELECTORS: Selectors = { code: 0x10, data: 0x18 };
const SELECTORS: Selectors = { code: 0x08, data: 0x10 };

const flat = (selector: number, attributes: number): InitialSegment => ({
  base: 0,
  limit: FLAT_LIMIT,
  selector,
  attributes,
});

const SYSTEM_SEGMENTS = {
  tr: {
    base: 0,
    limit: REAL_LIMIT,
    selector: 0,
    attributes: Attributes.busyTss,
  },
  ldtr: { base: 0, limit: REAL_LIMIT, selector: 0, attributes: Attributes.ldt },
} as const;

/** A GDT descriptor of a flat segment with these attributes. */
function flatDescriptor(attributes: number): bigint {
  const a = BigInt(attributes);
  return 0x000f_0000_0000_ffffn | ((a & 0xffn) << 40n) | ((a >> 12n) << 52n);
}

function placeGdt(
  placement: Placement,
  codeAttributes: number,
  selectors: Selectors,
): InitialTable {
  const table = new BigUint64Array(selectors.data / 8 + 1);
  table[selectors.code / 8] = flatDescriptor(codeAttributes);
  table[selectors.data / 8] = flatDescriptor(Attributes.data32);
  const bytes = new Uint8Array(table.buffer);
  const base = placement.allocateTable(bytes.length, "the GDT");
  placement.fill(base, bytes);
  return { base, limit: bytes.length - 1 };
}

function dataSegments(data: InitialSegment) {
  return { ds: data, es: data, fs: data, gs: data, ss: data };
}

/** Options of the protected and long mode states. */
export interface EntryOptions {
  readonly entry: bigint;
  readonly gpr: InitialGpr;
  /** Use the selectors that Linux asks for. */
  readonly linux?: boolean;
}

/** Flat 32-bit protected mode, paging off, interrupts off. */
export function protectedMode(
  placement: Placement,
  options: EntryOptions,
): InitialState {
  const selectors = options.linux ? LINUX_SELECTORS : SELECTORS;
  return {
    rip: options.entry,
    rflags: RFLAGS_CLEAR,
    gpr: options.gpr,
    cr0: Cr0.PE | Cr0.ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    cs: flat(selectors.code, Attributes.code32),
    ...dataSegments(flat(selectors.data, Attributes.data32)),
    ...SYSTEM_SEGMENTS,
    gdtr: placeGdt(placement, Attributes.code32, selectors),
    idtr: EMPTY_TABLE,
  };
}

/** 64-bit mode with the page tables at `cr3`; SSE usable, interrupts off. */
export function longMode(
  placement: Placement,
  cr3: number,
  options: EntryOptions,
): InitialState {
  const selectors = options.linux ? LINUX_SELECTORS : SELECTORS;
  return {
    rip: options.entry,
    rflags: RFLAGS_CLEAR,
    gpr: options.gpr,
    cr0: Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.PG,
    cr3: BigInt(cr3),
    cr4: Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT,
    efer: Efer.LME | Efer.LMA,
    cs: flat(selectors.code, Attributes.code64),
    ...dataSegments(flat(selectors.data, Attributes.data32)),
    ...SYSTEM_SEGMENTS,
    gdtr: placeGdt(placement, Attributes.code64, selectors),
    idtr: EMPTY_TABLE,
  };
}

/** Real mode at `segment`:`offset`; the other segments are 0. */
export function realMode(
  segment: number,
  offset: number,
  gpr: InitialGpr,
): InitialState {
  const real = (selector: number, attributes: number): InitialSegment => ({
    base: selector * 16,
    limit: REAL_LIMIT,
    selector,
    attributes,
  });
  return {
    rip: BigInt(offset),
    rflags: RFLAGS_CLEAR,
    gpr,
    cr0: Cr0.ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    cs: real(segment, Attributes.code16),
    ...dataSegments(real(0, Attributes.data16)),
    ...SYSTEM_SEGMENTS,
    gdtr: EMPTY_TABLE,
    idtr: { base: 0, limit: 0x3ff },
  };
}
