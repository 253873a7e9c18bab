/**
 * Segments: the one form that a segment register's value has here, what its
 * attributes mean, and descriptors (Intel SDM volume 3, 3.4.5 and tables 3-1, 3-2).
 */

/**
 * A segment register with its hidden part.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg, type Segment } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const cs: Segment = vp.getSegment(Reg.Cs); // as RESET leaves it
 * assertEquals([cs.base, cs.selector], [0xffff0000n, 0xf000]);
 * const flat: Segment = {
 *   base: 0n,
 *   limit: 0xffffffff,
 *   selector: 0x08,
 *   attributes: 0xc09b, // G, D/B, present, code: execute and read, accessed
 * };
 * vp.setSegment(Reg.Cs, flat);
 * assertEquals(vp.getSegment(Reg.Cs), flat);
 * ```
 */
export interface Segment<Address extends number | bigint = bigint> {
  /** The linear address it starts at. */
  readonly base: Address;
  /** The last valid offset in bytes, whatever the granularity bit says. */
  readonly limit: number;
  /** The visible part. */
  readonly selector: number;
  /** Type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15. */
  readonly attributes: number;
}

/**
 * GDTR or IDTR.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg, type Table } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const idtr: Table = { base: 0x1000n, limit: 256 * 8 - 1 };
 * vp.setTable(Reg.Idtr, idtr);
 * assertEquals(vp.getTable(Reg.Idtr), idtr);
 * ```
 */
export interface Table<Address extends number | bigint = bigint> {
  /** The linear address of the table. */
  readonly base: Address;
  /** The last valid offset in bytes: its size less one. */
  readonly limit: number;
}

// Bits of the attributes: a descriptor's bits 40 to 55 but for the limit's.
export const ACCESSED = 1;
/** Code can be read, data written. */
export const READ_OR_WRITE = 2;
/** Code is conforming, data expands down. */
export const CONFORMING_OR_DOWN = 4;
/** Of code or data: it is code. */
export const CODE = 8;
/** Of a gate or TSS: it is none of the 80286's. */
export const SYSTEM_32_BIT = 8;
/** S: clear for system segments. */
export const CODE_OR_DATA = 0x10;
export const PRESENT = 0x80;
/** DPL, all of it. */
export const PRIVILEGE = 0x60;
/** L: 64-bit code. */
export const LONG = 0x2000;
/** D/B: 32-bit code, or a stack with ESP. */
export const BIG = 0x4000;
/** G: the limit counts pages. */
export const GRANULARITY = 0x8000;

/** Types of system segments and gates, S clear (table 3-2). */
export const SystemType = {
  Tss16: 1,
  Ldt: 2,
  CallGate16: 4,
  TaskGate: 5,
  InterruptGate16: 6,
  Tss32: 9,
  CallGate32: 12,
  InterruptGate32: 14,
} as const;
/** Of a TSS' type: it is busy. */
export const TSS_BUSY = 2;
/** Of an interrupt gate's type: it is a trap gate. */
export const TRAP_GATE = 1;

/** A selector's RPL. */
export const REQUESTED_PRIVILEGE = 3;
/** A selector's TI: of the LDT. */
export const TABLE_INDICATOR = 4;

/** Where a segment begins in real and virtual-8086 mode. */
export function realBase(selector: number): number {
  return selector * 16;
}

/** Where a selector's descriptor is in its table, in bytes. */
export function descriptorOffset(selector: number): number {
  return selector & ~7;
}

/** The lowest privilege that may use it, 0 to 3. */
export function dplOf(attributes: number): number {
  return attributes >> 5 & 3;
}

const DATA = PRESENT | CODE_OR_DATA | READ_OR_WRITE | ACCESSED;
const FLAT = GRANULARITY | BIG;

/** Attributes of segments that are loaded, hence accessed. */
export const Attributes = {
  /** Not present, of no type: WHP's way of a null selector. */
  unusable: 0,
  data16: DATA,
  code16: DATA | CODE,
  data32: DATA | FLAT,
  code32: DATA | CODE | FLAT,
  code64: DATA | CODE | LONG | GRANULARITY,
  /** What virtual-8086 mode has for all of them. */
  v86: DATA | PRIVILEGE,
  ldt: PRESENT | SystemType.Ldt,
  busyTss: PRESENT | SystemType.Tss32 | TSS_BUSY,
} as const;

/** How code decodes; `longMode` is EFER.LMA. */
export function codeBitsOf(
  attributes: number,
  longMode: boolean,
): 16 | 32 | 64 {
  if (longMode && (attributes & LONG) !== 0) return 64;
  return (attributes & BIG) !== 0 ? 32 : 16;
}

/** A segment's value but for its selector, from the two doublewords of its descriptor. */
export function decodeDescriptor(
  low: number,
  high: number,
): Omit<Segment<number>, "selector"> {
  const attributes = high >>> 8 & 0xf0ff;
  const limit = (low & 0xffff) | (high & 0xf0000);
  return {
    base: ((low >>> 16) | (high << 16 & 0xff0000) | (high & 0xff000000)) >>> 0,
    limit: (attributes & GRANULARITY) !== 0
      ? (limit << 12 | 0xfff) >>> 0
      : limit,
    attributes,
  };
}

/** The two doublewords of a segment's descriptor. */
export function encodeDescriptor(
  { base, limit, attributes }: Omit<Segment<number>, "selector">,
): [low: number, high: number] {
  const units = (attributes & GRANULARITY) !== 0 ? limit >>> 12 : limit;
  return [
    ((units & 0xffff) | base << 16) >>> 0,
    ((base >>> 16 & 0xff) | (attributes & 0xf0ff) << 8 | (units & 0xf0000) |
      (base & 0xff000000)) >>> 0,
  ];
}
