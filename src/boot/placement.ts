/**
 * Where things go in guest memory: every write is checked against RAM and
 * against the others, free room is found, the memory map for the guest is made.
 */
import { HIGH_START, HOLE_START } from "../machine/memory.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { BootError, hex, type MemoryWrite, size } from "./image.ts";

const KIB = 1024, MIB = 1024 * 1024;
/** End of conventional memory: above it lies what PCs keep for their firmware. */
export const LOW_END = 639 * KIB;
/** Firmware's area below 1 MiB: the ACPI tables are here. */
export const FIRMWARE_BASE = 0xe0000;
/** First address of extended memory. */
export const HIGH_BASE = MIB;
/** Least RAM a guest can be given, bytes. */
export const LEAST_RAM = 2 * MIB;

/** Types of e820 entries. */
export const MemoryType = { usable: 1, reserved: 2 } as const;

/** A range of the memory map, as e820 has it. */
export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/** The memory map of a guest with `ramBytes` of RAM. */
export function memoryMap(ramBytes: number): MemoryRange[] {
  const { usable, reserved } = MemoryType;
  return [
    { base: 0, length: LOW_END, type: usable },
    { base: LOW_END, length: 0xa0000 - LOW_END, type: reserved },
    {
      base: FIRMWARE_BASE,
      length: HIGH_BASE - FIRMWARE_BASE,
      type: reserved,
    },
    {
      base: HIGH_BASE,
      length: lowRam(ramBytes) - HIGH_BASE,
      type: usable,
    },
    ...ramBytes > HOLE_START
      ? [{ base: HIGH_START, length: ramBytes - HOLE_START, type: usable }]
      : [],
  ];
}

/** Where RAM ends below the devices' hole; loaders use nothing above it. */
export function lowRam(ramBytes: number): number {
  return Math.min(ramBytes, HOLE_START);
}

interface Taken {
  readonly first: number;
  /** One past the last byte. */
  readonly end: number;
  readonly what: string;
}

/** What may be asked of a place. */
export interface PlaceWanted {
  readonly align?: number;
  /** No byte below this address. */
  readonly from?: number;
  /** No byte at or above this address. */
  readonly below?: number;
}

/** Guest memory being filled. */
export class Placement {
  readonly #writes: MemoryWrite[] = [];
  readonly #taken: Taken[] = [];

  /** RAM that can be written to: all of it that is below the hole. */
  readonly ramBytes: number;

  constructor(ramBytes: number) {
    this.ramBytes = lowRam(ramBytes);
    if (ramBytes < LEAST_RAM) {
      throw new BootError(
        `${size(ramBytes)} of memory are too few: a guest needs ${
          size(LEAST_RAM)
        }`,
      );
    }
  }

  get writes(): readonly MemoryWrite[] {
    return this.#writes;
  }

  /** The end of the highest range taken. */
  get top(): number {
    return this.#taken.reduce((top, range) => Math.max(top, range.end), 0);
  }

  /**
   * Keeps `length` bytes at `gpa` for `what`; throws a BootError when they
   * leave RAM or overlap something.
   */
  reserve(gpa: number | bigint, length: number | bigint, what: string): void {
    const end = BigInt(gpa) + BigInt(length);
    if (end > BigInt(HOLE_START)) {
      throw new BootError(
        `${what} at ${hex(gpa)} ends at ${hex(end)}, and no guest has memory ` +
          `for images from ${hex(HOLE_START)} on (an image linked to high ` +
          `virtual addresses needs physical ones, too)`,
      );
    }
    if (end > BigInt(this.ramBytes)) {
      throw new BootError(
        `${what} needs memory up to ${hex(end)}, the guest has ${
          size(this.ramBytes)
        } (${hex(this.ramBytes)}): --memory gives it more`,
      );
    }
    const range = { first: Number(gpa), end: Number(end), what };
    for (const other of this.#taken) {
      if (range.first < other.end && other.first < range.end) {
        throw new BootError(
          `${what} at ${hex(range.first)} overlaps ${other.what} at ${
            hex(other.first)
          }`,
        );
      }
    }
    if (range.end > range.first) this.#taken.push(range);
  }

  /** Writes `bytes` at `gpa`, where nothing else may be. */
  place(gpa: number, bytes: Uint8Array, what: string): void {
    this.reserve(gpa, bytes.length, what);
    this.fill(gpa, bytes);
  }

  /** Writes `bytes` at `gpa` unless something else is there or RAM ends before. */
  placeIfFree(gpa: number, bytes: Uint8Array, what: string): void {
    const end = gpa + bytes.length;
    if (end > this.ramBytes || this.#conflict(gpa, end) !== undefined) return;
    this.place(gpa, bytes, what);
  }

  /** Writes into a range that was reserved before. */
  fill(gpa: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#writes.push({ gpa, bytes });
  }

  /** Finds the lowest room that suits and keeps it. */
  allocate(length: number, what: string, wanted: PlaceWanted = {}): number {
    const align = wanted.align ?? PAGE_BYTES;
    const below = Math.min(wanted.below ?? this.ramBytes, this.ramBytes);
    let at = roundUp(wanted.from ?? 0, align);
    for (;;) {
      if (at + length > below) {
        throw new BootError(
          `no room for ${what} (${size(length)}) below ${hex(below)}`,
        );
      }
      const other = this.#conflict(at, at + length);
      if (other === undefined) break;
      at = roundUp(other.end, align);
    }
    this.reserve(at, length, what);
    return at;
  }

  /** Finds the highest room that suits and keeps it. */
  allocateHigh(length: number, what: string, wanted: PlaceWanted = {}): number {
    const align = wanted.align ?? PAGE_BYTES;
    const from = wanted.from ?? 0;
    const below = Math.min(wanted.below ?? this.ramBytes, this.ramBytes);
    let at = roundDown(below - length, align);
    for (;;) {
      if (at < from) {
        throw new BootError(
          `no room for ${what} (${size(length)}) between ${hex(from)} and ${
            hex(below)
          }: give the guest more memory`,
        );
      }
      const other = this.#conflict(at, at + length);
      if (other === undefined) break;
      at = roundDown(other.first - length, align);
    }
    this.reserve(at, length, what);
    return at;
  }

  /** Low memory for small tables; above 1 MiB when the image fills it. */
  allocateTable(length: number, what: string): number {
    const low = { from: 0x9000, below: LOW_END, align: 16 };
    if (this.#fits(length, low)) return this.allocate(length, what, low);
    return this.allocate(length, what, { from: HIGH_BASE, align: 16 });
  }

  #fits(length: number, wanted: Required<PlaceWanted>): boolean {
    let at = wanted.from;
    while (at + length <= wanted.below) {
      const other = this.#conflict(at, at + length);
      if (other === undefined) return true;
      at = roundUp(other.end, wanted.align);
    }
    return false;
  }

  #conflict(first: number, end: number): Taken | undefined {
    return this.#taken.find((other) => first < other.end && other.first < end);
  }
}

export function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

export function roundDown(value: number, align: number): number {
  return Math.floor(value / align) * align;
}
