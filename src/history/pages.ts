/** Copies of pages that a snapshot has: the changed ones since the one before. */
import { PAGE_BYTES } from "../x86/paging.ts";

/** Pages with their numbers, in ascending order. */
export class PageSet {
  readonly numbers: Uint32Array;
  /** The pages' bytes, in the same order. */
  readonly bytes: Uint8Array;

  constructor(numbers: Uint32Array, bytes: Uint8Array) {
    this.numbers = numbers;
    this.bytes = bytes;
  }

  /** No pages. */
  static readonly none = new PageSet(new Uint32Array(0), new Uint8Array(0));

  /** Copies these pages of `memory`; `numbers` ascend. */
  static of(numbers: Uint32Array, memory: Uint8Array): PageSet {
    const bytes = new Uint8Array(numbers.length * PAGE_BYTES);
    for (let i = 0; i < numbers.length; i++) {
      const from = numbers[i] * PAGE_BYTES;
      bytes.set(memory.subarray(from, from + PAGE_BYTES), i * PAGE_BYTES);
    }
    return new PageSet(numbers, bytes);
  }

  /** The pages that are not all zeros. */
  static nonZero(memory: Uint8Array): PageSet {
    return PageSet.of(nonZeroPages(memory), memory);
  }

  /** These pages, and of an older set those that these are not. */
  over(older: PageSet): PageSet {
    const a = this.numbers, b = older.numbers;
    const numbers = new Uint32Array(a.length + b.length);
    const bytes = new Uint8Array(numbers.length * PAGE_BYTES);
    let n = 0;
    for (let i = 0, j = 0; i < a.length || j < b.length; n++) {
      const mine = j >= b.length || (i < a.length && a[i] <= b[j]);
      const set = mine ? this : older;
      const at = mine ? i : j;
      numbers[n] = set.numbers[at];
      bytes.set(
        set.bytes.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES),
        n * PAGE_BYTES,
      );
      if (mine) {
        if (j < b.length && a[i] === b[j]) j++;
        i++;
      } else j++;
    }
    return new PageSet(numbers.slice(0, n), bytes.slice(0, n * PAGE_BYTES));
  }
}

/** The numbers of the pages that are not all zeros. */
export function nonZeroPages(memory: Uint8Array): Uint32Array {
  const words = new Int32Array(
    memory.buffer,
    memory.byteOffset,
    memory.byteLength >> 2,
  );
  const numbers: number[] = [];
  for (let page = 0; page * PAGE_BYTES < memory.byteLength; page++) {
    const to = (page + 1) * PAGE_BYTES / 4;
    for (let i = page * PAGE_BYTES / 4; i < to; i += 4) {
      if ((words[i] | words[i + 1] | words[i + 2] | words[i + 3]) === 0) {
        continue;
      }
      numbers.push(page);
      break;
    }
  }
  return Uint32Array.from(numbers);
}
