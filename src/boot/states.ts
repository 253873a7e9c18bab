/**
 * The processor states guests are entered in: real mode, flat 32-bit protected
 * mode, 64-bit mode. Values are the Intel SDM's (vol. 3, 2.5, 3.4.5, 5.2).
 */
import { Attributes, encodeDescriptor, realBase } from "../x86/segments.ts";
import { RFLAGS_CLEAR } from "../x86/flags.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import {
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
} from "../x86/control_registers.ts";
import type {
  InitialGpr,
  InitialSegment,
  InitialState,
  InitialTable,
} from "./image.ts";
import type { Placement } from "./placement.ts";

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
  const [low, high] = encodeDescriptor({
    base: 0,
    limit: FLAT_LIMIT,
    attributes,
  });
  return BigInt(high) << 32n | BigInt(low);
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

/** A page for the stack; the address of its end. */
export function placeStack(placement: Placement): bigint {
  return BigInt(placement.allocateTable(PAGE_BYTES, "the stack") + PAGE_BYTES);
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
    cr0: CR0_PE | CR0_ET,
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
    cr0: CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG,
    cr3: BigInt(cr3),
    cr4: CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT,
    efer: EFER_LME | EFER_LMA,
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
    base: realBase(selector),
    limit: REAL_LIMIT,
    selector,
    attributes,
  });
  return {
    rip: BigInt(offset),
    rflags: RFLAGS_CLEAR,
    gpr,
    cr0: CR0_ET,
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
