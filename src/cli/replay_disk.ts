/** Disks of a run that is repeated: what the guest writes stays in memory. */
import type { BlockStore } from "../machine/devices/virtio/block.ts";

const BLOCK = 4096;

/** A disk over another one, or over bytes, that is not written to. */
export class Overlay implements BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly label: string;
  readonly #under: Pick<BlockStore, "read">;
  readonly #written = new Map<number, Uint8Array>();

  constructor(
    under: Pick<BlockStore, "read" | "bytes" | "label">,
    readOnly: boolean,
  ) {
    this.bytes = under.bytes;
    this.label = under.label;
    this.readOnly = readOnly;
    this.#under = under;
  }

  read(offset: number, into: Uint8Array): void {
    this.#each(offset, into.length, (block, from, at, length) => {
      const bytes = this.#written.get(block);
      const part = into.subarray(at, at + length);
      if (bytes === undefined) this.#under.read(block * BLOCK + from, part);
      else part.set(bytes.subarray(from, from + length));
    });
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#each(offset, bytes.length, (block, from, at, length) => {
      let whole = this.#written.get(block);
      if (whole === undefined) {
        whole = new Uint8Array(Math.min(BLOCK, this.bytes - block * BLOCK));
        this.#under.read(block * BLOCK, whole);
        this.#written.set(block, whole);
      }
      whole.set(bytes.subarray(at, at + length), from);
    });
  }

  flush(): void {}

  /** The parts of a range by blocks: where each begins in its block, and in the range. */
  #each(
    offset: number,
    length: number,
    part: (block: number, from: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < length;) {
      const block = Math.floor((offset + at) / BLOCK);
      const from = (offset + at) % BLOCK;
      const count = Math.min(BLOCK - from, length - at);
      part(block, from, at, count);
      at += count;
    }
  }
}

/** A disk's content in memory. */
export function inMemory(
  content: Uint8Array,
  label: string,
): Pick<BlockStore, "read" | "bytes" | "label"> {
  return {
    bytes: content.length,
    label,
    read: (offset, into) =>
      into.set(content.subarray(offset, offset + into.length)),
  };
}
