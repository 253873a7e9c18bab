/** Disks that can be brought back to what they were: every block that is written is
 * noted, and what it was at first is kept. */
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { PageSet } from "./pages.ts";

/** A disk's store with a memory of what it was. */
export class JournaledStore implements BlockStore {
  readonly bytes: number;
  readonly readOnly: boolean;
  readonly label: string;
  readonly #store: BlockStore;
  /** Blocks as they were before they were ever written, by number. */
  readonly #first = new Map<number, Uint8Array>();
  /** Blocks written since takeChanged(). */
  readonly #changed = new Set<number>();

  constructor(store: BlockStore) {
    this.bytes = store.bytes;
    this.readOnly = store.readOnly;
    this.label = store.label;
    this.#store = store;
  }

  read(offset: number, into: Uint8Array): void {
    this.#store.read(offset, into);
  }

  write(offset: number, bytes: Uint8Array): void {
    const last = Math.floor((offset + bytes.length - 1) / PAGE_BYTES);
    for (let block = Math.floor(offset / PAGE_BYTES); block <= last; block++) {
      if (!this.#first.has(block)) this.#first.set(block, this.#block(block));
      this.#changed.add(block);
    }
    this.#store.write(offset, bytes);
  }

  flush(): void {
    this.#store.flush();
  }

  /** Host memory that what blocks were takes. */
  get keptBytes(): number {
    return this.#first.size * PAGE_BYTES;
  }

  /** A block; the last one may be shorter. */
  #block(block: number): Uint8Array {
    const at = block * PAGE_BYTES;
    const bytes = new Uint8Array(Math.min(PAGE_BYTES, this.bytes - at));
    this.#store.read(at, bytes);
    return bytes;
  }

  /** The blocks written since the last call, in ascending order, as they are. */
  takeChanged(): PageSet {
    const numbers = Uint32Array.from(this.#changed).sort();
    this.#changed.clear();
    return PageSet.from(
      numbers,
      (block, into) => into.set(this.#block(block)),
    );
  }

  /** Makes blocks what the newest of `sets` that has them says, the last one first; or
   * what they were at first. */
  restore(blocks: Iterable<number>, sets: readonly PageSet[]): void {
    const needed = new Set(blocks);
    for (let i = sets.length; i-- > 0 && needed.size > 0;) {
      const set = sets[i];
      set.numbers.forEach((block, k) => {
        if (!needed.delete(block)) return;
        const at = block * PAGE_BYTES;
        const length = Math.min(PAGE_BYTES, this.bytes - at);
        this.#store.write(
          at,
          set.page(k).subarray(0, length),
        );
      });
    }
    for (const block of needed) {
      const first = this.#first.get(block);
      if (first !== undefined) this.#store.write(block * PAGE_BYTES, first);
    }
  }
}
