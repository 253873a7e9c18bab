/**
 * Guest physical memory as the host sees it: where RAM and ROM lie, and the one
 * function through which the host writes to them.
 *
 * The map is a PC's: RAM from 0 up to the hole below 4 GiB, what does not fit
 * from 4 GiB on. 0xA0000-0xFFFFF is RAM too: small kernels and boot loaders
 * keep BIOS data and their own things there.
 */
import { Subscribers } from "../util/subscribers.ts";
import { PAGE_BYTES } from "../x86/paging.ts";

/** Guest physical addresses from here to 4 GiB are devices, not RAM. */
export const HOLE_START = 0xc0000000;
/** Where the RAM that is left over continues. */
export const HIGH_START = 0x100000000;

/**
 * A stretch of guest physical memory and the bytes behind it.
 *
 * @example
 * ```ts
 * import { GuestMemory, type MemoryRegion } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new GuestMemory(new Uint8Array(0x2000), 0x2000);
 * const [ram]: readonly MemoryRegion[] = memory.regions;
 * assertEquals(ram, { gpa: 0, bytes: 0x2000, offset: 0, kind: "ram" });
 * ```
 */
export interface MemoryRegion {
  /** The first guest physical address. */
  readonly gpa: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Where it begins in the guest memory view. */
  readonly offset: number;
  /** Whether the guest may write it. */
  readonly kind: "ram" | "rom";
}

/**
 * The memory of a machine.
 *
 * @example
 * ```ts
 * import { GuestMemory } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new GuestMemory(new Uint8Array(0x3000), 0x2000);
 * memory.addRom(0xfffff000, Uint8Array.of(0xf4));
 * assertEquals(memory.write(0x1fff, Uint8Array.of(1, 2)), 1);
 * assertEquals(memory.kindOf(0xffffffff), "rom");
 * assertEquals(memory.readByte(0x2000), -1);
 * ```
 */
export class GuestMemory {
  /** All of the guest's bytes; regions say where each is. */
  readonly view: Uint8Array;
  /** RAM in bytes. */
  readonly ramBytes: number;
  /** Told after every write by the host: `length` bytes at `gpa`, which are at
   * `offset` of `view`. Decoded code may be stale. */
  readonly onHostWrite = new Subscribers<
    [gpa: number, length: number, offset: number]
  >();
  readonly #regions: MemoryRegion[] = [];
  #used: number;
  /** Low RAM's end: the region nearly every access falls into. */
  readonly #lowEnd: number;

  /**
   * `ramBytes` is a number of whole pages and not more than `view` has.
   *
   * @throws {RangeError} `ramBytes` is none of these.
   */
  constructor(view: Uint8Array, ramBytes: number) {
    if (ramBytes <= 0 || ramBytes % PAGE_BYTES !== 0) {
      throw new RangeError(`RAM of ${ramBytes} bytes is not whole pages`);
    }
    if (ramBytes > view.byteLength) {
      throw new RangeError(
        `RAM of ${ramBytes} bytes does not fit in ${view.byteLength}`,
      );
    }
    this.view = view;
    this.ramBytes = ramBytes;
    const low = Math.min(ramBytes, HOLE_START);
    this.#lowEnd = low;
    this.#regions.push({ gpa: 0, bytes: low, offset: 0, kind: "ram" });
    if (ramBytes > low) {
      this.#regions.push({
        gpa: HIGH_START,
        bytes: ramBytes - low,
        offset: low,
        kind: "ram",
      });
    }
    this.#used = ramBytes;
  }

  /** What is mapped where. */
  get regions(): readonly MemoryRegion[] {
    return this.#regions;
  }

  /**
   * Puts `image` at `gpa` as memory that the guest cannot write. Its bytes
   * live behind RAM in the view, which must have room for them.
   *
   * @throws {RangeError} It is not at a page, overlaps other memory, or has no room.
   */
  addRom(gpa: number, image: Uint8Array): MemoryRegion {
    const bytes = Math.ceil(image.length / PAGE_BYTES) * PAGE_BYTES;
    if (gpa % PAGE_BYTES !== 0 || bytes === 0) {
      throw new RangeError(`a ROM at 0x${gpa.toString(16)} is not whole pages`);
    }
    if (this.#used + bytes > this.view.byteLength) {
      throw new RangeError(`no room for a ROM of ${image.length} bytes`);
    }
    for (const region of this.#regions) {
      if (gpa < region.gpa + region.bytes && region.gpa < gpa + bytes) {
        throw new RangeError(
          `a ROM at 0x${gpa.toString(16)} overlaps ${region.kind}`,
        );
      }
    }
    const region: MemoryRegion = {
      gpa,
      bytes,
      offset: this.#used,
      kind: "rom",
    };
    this.#used += bytes;
    this.#regions.push(region);
    this.view.fill(0, region.offset, region.offset + bytes);
    this.write(gpa, image);
    return region;
  }

  /** Where `gpa` is in the view; -1 if it is no memory. */
  offsetOf(gpa: number): number {
    if (gpa >= 0 && gpa < this.#lowEnd) return gpa;
    for (const region of this.#regions) {
      if (gpa >= region.gpa && gpa < region.gpa + region.bytes) {
        return region.offset + (gpa - region.gpa);
      }
    }
    return -1;
  }

  /** What `gpa` is; null if it is no memory. */
  kindOf(gpa: number): "ram" | "rom" | null {
    if (gpa >= 0 && gpa < this.#lowEnd) return "ram";
    for (const region of this.#regions) {
      if (gpa >= region.gpa && gpa < region.gpa + region.bytes) {
        return region.kind;
      }
    }
    return null;
  }

  /** How many bytes from `gpa` on are of one region, `length` at most. */
  #run(gpa: number, length: number): number {
    for (const region of this.#regions) {
      if (gpa >= region.gpa && gpa < region.gpa + region.bytes) {
        return Math.min(length, region.gpa + region.bytes - gpa);
      }
    }
    return 0;
  }

  /** The bytes at `gpa` themselves, not to be written to; null unless all of
   * them are of one region. */
  slice(gpa: number, length: number): Uint8Array | null {
    if (this.#run(gpa, length) < length) return null;
    const offset = this.offsetOf(gpa);
    return this.view.subarray(offset, offset + length);
  }

  /** Fills `into` and returns the number of bytes that are memory. */
  read(gpa: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const count = this.#run(gpa + done, into.length - done);
      if (count === 0) break;
      const offset = this.offsetOf(gpa + done);
      into.set(this.view.subarray(offset, offset + count), done);
      done += count;
    }
    return done;
  }

  /** Writes RAM or ROM for the host (loader, debugger, DMA) and returns the
   * number of bytes that were memory. */
  write(gpa: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const count = this.#run(gpa + done, bytes.length - done);
      if (count === 0) break;
      const offset = this.offsetOf(gpa + done);
      this.view.set(
        done === 0 && count === bytes.length
          ? bytes
          : bytes.subarray(done, done + count),
        offset,
      );
      this.#wrote(gpa + done, count, offset);
      done += count;
    }
    return done;
  }

  /** The byte at `gpa`; -1 if it is no memory. */
  readByte(gpa: number): number {
    const offset = this.offsetOf(gpa);
    return offset < 0 ? -1 : this.view[offset];
  }

  /** Writes one byte without allocating; false if it is no memory. */
  writeByte(gpa: number, value: number): boolean {
    const offset = this.offsetOf(gpa);
    if (offset < 0) return false;
    this.view[offset] = value;
    this.#wrote(gpa, 1, offset);
    return true;
  }

  /** Fills a range of memory with one byte; returns the bytes written. */
  fill(gpa: number, length: number, value: number): number {
    let done = 0;
    while (done < length) {
      const count = this.#run(gpa + done, length - done);
      if (count === 0) break;
      const offset = this.offsetOf(gpa + done);
      this.view.fill(value, offset, offset + count);
      this.#wrote(gpa + done, count, offset);
      done += count;
    }
    return done;
  }

  /** After writing through `view`: `length` bytes at `gpa`, of one region. */
  wrote(gpa: number, length: number): void {
    this.#wrote(gpa, length, this.offsetOf(gpa));
  }

  #wrote(gpa: number, length: number, offset: number): void {
    this.onHostWrite.tell(gpa, length, offset);
  }
}
