/**
 * A split virtqueue as the device sees it (Virtual I/O Device specification 1.2,
 * 2.7): takes chains of buffers from the available ring, gives them back in the
 * used ring. Everything in it was written by the guest and is checked.
 */
import { flag, integer, record, type ValueOf } from "../../state.ts";

/**
 * Guest memory as a device reaches it. Both return the bytes that are memory.
 *
 * @example
 * ```ts
 * import { type DmaMemory, Machine, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 1 << 20 });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes: 1 << 20,
 * });
 * const memory: DmaMemory = machine.dma("disk");
 * assertEquals(memory.write(0x1000, Uint8Array.of(1, 2)), 2);
 * // Nothing is there: no byte of it is memory.
 * assertEquals(memory.read(0xd000_0000, new Uint8Array(2)), 0);
 * ```
 */
export interface DmaMemory {
  /** Fills `into` from a guest physical address on. */
  read(gpa: number, into: Uint8Array): number;
  /** Writes from a guest physical address on. */
  write(gpa: number, bytes: Uint8Array): number;
}

/** The driver broke the rules: the device stops until it is reset. */
export class VirtqueueError extends Error {
  override readonly name = "VirtqueueError";
}

/** Most entries a queue may have. */
export const QUEUE_SIZE_MAX = 256;

const Desc = { NEXT: 1, WRITE: 2, INDIRECT: 4, bytes: 16 } as const;
const AVAIL_NO_INTERRUPT = 1;
/** A chain may not hold more than this: drivers keep far below. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Where a queue lies and how far it is; the transport's registers. */
export const QUEUE_STATE = record({
  size: integer(QUEUE_SIZE_MAX),
  ready: flag(false),
  desc: integer(0),
  driver: integer(0),
  device: integer(0),
  /** The next available entry to take. */
  nextAvail: integer(0),
  /** The next used entry to fill. */
  nextUsed: integer(0),
});

/** A queue's registers and counters. */
export type QueueState = ValueOf<typeof QUEUE_STATE>;

interface Buffer {
  readonly gpa: number;
  readonly length: number;
}

/** A chain of buffers: first what the device reads, then what it writes. */
export class Chain {
  readonly head: number;
  readonly #memory: DmaMemory;
  readonly #readable: Buffer[];
  readonly #writable: Buffer[];
  /** Bytes written so far. */
  written = 0;

  constructor(
    head: number,
    memory: DmaMemory,
    readable: Buffer[],
    writable: Buffer[],
  ) {
    this.head = head;
    this.#memory = memory;
    this.#readable = readable;
    this.#writable = writable;
  }

  get readableBytes(): number {
    return this.#readable.reduce((sum, { length }) => sum + length, 0);
  }

  get writableBytes(): number {
    return this.#writable.reduce((sum, { length }) => sum + length, 0);
  }

  /** All that the driver wrote for the device, in one piece. */
  read(): Uint8Array {
    const all = new Uint8Array(this.readableBytes);
    let at = 0;
    for (const { gpa, length } of this.#readable) {
      if (this.#memory.read(gpa, all.subarray(at, at + length)) < length) {
        throw new VirtqueueError(`buffer at 0x${gpa.toString(16)}: no memory`);
      }
      at += length;
    }
    return all;
  }

  /** Writes `bytes` at offset `at` of the writable part; what does not fit is
   * left out. */
  write(bytes: Uint8Array, at = this.written): void {
    let offset = 0, done = 0;
    for (const { gpa, length } of this.#writable) {
      const from = Math.max(at + done, offset);
      const count = Math.min(offset + length - from, bytes.length - done);
      if (count > 0 && from === at + done) {
        const part = bytes.subarray(done, done + count);
        if (this.#memory.write(gpa + from - offset, part) < count) {
          throw new VirtqueueError(
            `buffer at 0x${gpa.toString(16)}: no memory`,
          );
        }
        done += count;
      }
      offset += length;
    }
    this.written = Math.max(this.written, at + done);
  }
}

/** A queue with the memory it lies in. */
export class Virtqueue {
  readonly #memory: DmaMemory;
  readonly state: QueueState;

  constructor(memory: DmaMemory, state: QueueState) {
    this.#memory = memory;
    this.state = state;
  }

  /** The next chain that the driver made available; null if there is none. */
  take(): Chain | null {
    const { state } = this;
    if (!state.ready) return null;
    const index = this.#u16(state.driver + 2);
    const waiting = (index - state.nextAvail) & 0xffff;
    if (waiting === 0) return null;
    if (waiting > state.size) {
      throw new VirtqueueError(`${waiting} entries in a ring of ${state.size}`);
    }
    const slot = state.nextAvail % state.size;
    const head = this.#u16(state.driver + 4 + 2 * slot);
    state.nextAvail = (state.nextAvail + 1) & 0xffff;
    return this.#chain(head);
  }

  /** Gives a chain back; true if the driver wants to be interrupted. */
  give(chain: Chain): boolean {
    const { state } = this;
    const entry = new DataView(new ArrayBuffer(8));
    entry.setUint32(0, chain.head, true);
    entry.setUint32(4, chain.written, true);
    const slot = state.nextUsed % state.size;
    this.#write(state.device + 4 + 8 * slot, new Uint8Array(entry.buffer));
    state.nextUsed = (state.nextUsed + 1) & 0xffff;
    this.#write(
      state.device + 2,
      Uint8Array.of(state.nextUsed & 0xff, state.nextUsed >> 8),
    );
    return (this.#u16(state.driver) & AVAIL_NO_INTERRUPT) === 0;
  }

  #chain(head: number): Chain {
    const readable: Buffer[] = [], writable: Buffer[] = [];
    let table = this.state.desc, entries = this.state.size;
    let index = head, steps = 0, bytes = 0, indirect = false;
    for (;;) {
      if (index >= entries || ++steps > QUEUE_SIZE_MAX + entries) {
        throw new VirtqueueError(`descriptor ${index} of ${entries}`);
      }
      const raw = this.#read(table + Desc.bytes * index, Desc.bytes);
      const gpa = Number(raw.getBigUint64(0, true));
      const length = raw.getUint32(8, true);
      const flags = raw.getUint16(12, true);
      if (flags & Desc.INDIRECT) {
        if (indirect || length === 0 || length % Desc.bytes !== 0) {
          throw new VirtqueueError(`indirect descriptor of ${length} bytes`);
        }
        indirect = true;
        table = gpa;
        entries = length / Desc.bytes;
        index = 0;
        continue;
      }
      bytes += length;
      if (bytes > MOST_BYTES) {
        throw new VirtqueueError(`chain of ${bytes} bytes`);
      }
      if (flags & Desc.WRITE) writable.push({ gpa, length });
      else if (writable.length > 0) {
        throw new VirtqueueError("a readable buffer after a writable one");
      } else readable.push({ gpa, length });
      if (!(flags & Desc.NEXT)) break;
      index = raw.getUint16(14, true);
    }
    return new Chain(head, this.#memory, readable, writable);
  }

  #read(gpa: number, length: number): DataView {
    const bytes = new Uint8Array(length);
    if (this.#memory.read(gpa, bytes) < length) {
      throw new VirtqueueError(`queue at 0x${gpa.toString(16)}: no memory`);
    }
    return new DataView(bytes.buffer);
  }

  #u16(gpa: number): number {
    return this.#read(gpa, 2).getUint16(0, true);
  }

  #write(gpa: number, bytes: Uint8Array): void {
    if (this.#memory.write(gpa, bytes) < bytes.length) {
      throw new VirtqueueError(`queue at 0x${gpa.toString(16)}: no memory`);
    }
  }
}
