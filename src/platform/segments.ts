// Segment and table registers as JavaScript objects.

import {
  WHV_X64_SEGMENT_REGISTER as SEGMENT,
  WHV_X64_TABLE_REGISTER as TABLE,
} from "../../ffi/values.ts";

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
export interface Segment {
  /** The linear address it starts at. */
  readonly base: bigint;
  /** In bytes, whatever the granularity bit says. */
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
export interface Table {
  /** The linear address of the table. */
  readonly base: bigint;
  /** Its size in bytes, less one. */
  readonly limit: number;
}

/** A segment register read from where the platform wrote it. */
export class SegmentView implements Segment {
  readonly #view: DataView;
  readonly #at: number;
  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }
  get base(): bigint {
    return SEGMENT.Base.get(this.#view, this.#at);
  }
  get limit(): number {
    return SEGMENT.Limit.get(this.#view, this.#at);
  }
  get selector(): number {
    return SEGMENT.Selector.get(this.#view, this.#at);
  }
  get attributes(): number {
    return SEGMENT.Attributes.get(this.#view, this.#at);
  }
}

/** Reads a segment register's value at `at`. */
export function readSegment(view: DataView, at = 0): Segment {
  return {
    base: SEGMENT.Base.get(view, at),
    limit: SEGMENT.Limit.get(view, at),
    selector: SEGMENT.Selector.get(view, at),
    attributes: SEGMENT.Attributes.get(view, at),
  };
}

/** Writes a segment register's value at `at`. */
export function writeSegment(view: DataView, segment: Segment, at = 0): void {
  SEGMENT.Base.set(view, segment.base, at);
  SEGMENT.Limit.set(view, segment.limit, at);
  SEGMENT.Selector.set(view, segment.selector, at);
  SEGMENT.Attributes.set(view, segment.attributes, at);
}

/** Reads a table register's value at `at`. */
export function readTable(view: DataView, at = 0): Table {
  return { base: TABLE.Base.get(view, at), limit: TABLE.Limit.get(view, at) };
}

/** Writes a table register's value at `at`. */
export function writeTable(view: DataView, table: Table, at = 0): void {
  view.setBigUint64(at, 0n, true);
  TABLE.Base.set(view, table.base, at);
  TABLE.Limit.set(view, table.limit, at);
}
