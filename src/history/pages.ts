/** Copies of pages that a snapshot has: the changed ones since the one before. */
import { PAGE_BYTES } from "../x86/paging.ts";

/** Pages of a piece of a pool. */
const PIECE_PAGES = 256;

/**
 * Memory for pages, in pieces of so many. What is given back is used again: a page that
 * was used before is filled in half a microsecond, one that the system has yet to find
 * takes two more.
 */
export class PagePool {
  readonly #piecePages: number;
  readonly #pieces: Uint8Array[] = [];
  /** Places that are free, the next one last. */
  readonly #free: number[] = [];

  constructor(piecePages = PIECE_PAGES) {
    this.#piecePages = piecePages;
  }

  /** Whole pages that are in use, in their order, and nothing else. */
  static of(bytes: Uint8Array): PagePool {
    const pool = new PagePool(bytes.length / PAGE_BYTES);
    pool.#pieces.push(bytes);
    return pool;
  }

  /** The place of a page that nobody uses. */
  take(): number {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop()!;
  }

  /** Nobody uses it any more. */
  give(place: number): void {
    this.#free.push(place);
  }

  /** The bytes of as many pages, 1 if absent, from a place on: they are together. */
  at(place: number, pages = 1): Uint8Array {
    const from = place % this.#piecePages * PAGE_BYTES;
    return this.#pieces[Math.floor(place / this.#piecePages)]
      .subarray(from, from + pages * PAGE_BYTES);
  }

  /** Whether two places are one behind the other in memory. */
  follows(place: number, next: number): boolean {
    return next === place + 1 && next % this.#piecePages !== 0;
  }

  /** Has the system find memory for up to `most` pages now, so that `wanted` can be
   * taken soon. */
  prepare(wanted: number, most: number): void {
    for (
      let n = 0;
      n < most && this.#free.length < wanted;
      n += this.#piecePages
    ) {
      const piece = this.#grow();
      for (let at = 0; at < piece.length; at += PAGE_BYTES) piece[at] = 0;
    }
  }

  #grow(): Uint8Array {
    const first = this.#pieces.length * this.#piecePages;
    const piece = new Uint8Array(this.#piecePages * PAGE_BYTES);
    this.#pieces.push(piece);
    for (let i = this.#piecePages; i-- > 0;) this.#free.push(first + i);
    return piece;
  }
}

/** Pages with their numbers, in ascending order. */
export class PageSet {
  readonly numbers: Uint32Array;
  readonly #pool: PagePool;
  /** Where each page is. */
  readonly #places: Uint32Array;

  private constructor(
    numbers: Uint32Array,
    pool: PagePool,
    places: Uint32Array,
  ) {
    this.numbers = numbers;
    this.#pool = pool;
    this.#places = places;
  }

  /** No pages. */
  static readonly none = PageSet.of(new Uint32Array(0), new Uint8Array(0));

  /** Copies these pages of `memory`; `numbers` ascend. */
  static of(
    numbers: Uint32Array,
    memory: Uint8Array,
    pool = new PagePool(numbers.length),
  ): PageSet {
    return PageSet.#filled(numbers, pool, (first, into) => {
      const from = first * PAGE_BYTES;
      into.set(memory.subarray(from, from + into.length));
    });
  }

  /** The pages that are not all zeros; `among` as {@linkcode nonZeroPages} has it. */
  static nonZero(
    memory: Uint8Array,
    pool?: PagePool,
    among?: Iterable<number>,
  ): PageSet {
    return PageSet.of(nonZeroPages(memory, among), memory, pool);
  }

  /** Pages, of which `fill` writes each. */
  static from(
    numbers: Uint32Array,
    fill: (number: number, into: Uint8Array) => void,
  ): PageSet {
    const pool = new PagePool(numbers.length);
    return PageSet.#filled(numbers, pool, (first, into) => {
      for (let at = 0; at < into.length; at += PAGE_BYTES) {
        const page = into.subarray(at, at + PAGE_BYTES);
        fill(first + at / PAGE_BYTES, page);
      }
    });
  }

  /** Pages whose bytes, one behind the other, these are. */
  static joined(numbers: Uint32Array, bytes: Uint8Array): PageSet {
    const places = Uint32Array.from(numbers, (_, i) => i);
    return new PageSet(numbers, PagePool.of(bytes), places);
  }

  /** `fill` writes neighbours, from a first one on. */
  static #filled(
    numbers: Uint32Array,
    pool: PagePool,
    fill: (first: number, into: Uint8Array) => void,
  ): PageSet {
    const places = new Uint32Array(numbers.length);
    for (let i = 0; i < numbers.length; i++) places[i] = pool.take();
    for (let i = 0, next; i < numbers.length; i = next) {
      next = i + 1;
      while (
        next < numbers.length && numbers[next] === numbers[next - 1] + 1 &&
        pool.follows(places[next - 1], places[next])
      ) next++;
      fill(numbers[i], pool.at(places[i], next - i));
    }
    return new PageSet(numbers, pool, places);
  }

  /** The bytes of the page that `numbers` has there. */
  page(index: number): Uint8Array {
    return this.#pool.at(this.#places[index]);
  }

  /** Host memory that it takes. */
  get bytes(): number {
    return this.numbers.length * (PAGE_BYTES + 8);
  }

  /** These pages, and of an older set those that these are not. Neither set is used any
   * more then. */
  over(older: PageSet): PageSet {
    const a = this.numbers, b = older.numbers;
    if (a.length === 0) return older;
    if (b.length === 0) return this;
    const numbers = new Uint32Array(a.length + b.length);
    const places = new Uint32Array(numbers.length);
    const isOne = this.#pool === older.#pool;
    let n = 0;
    for (let i = 0, j = 0; i < a.length || j < b.length; n++) {
      const mine = j >= b.length || (i < a.length && a[i] <= b[j]);
      if (mine) {
        if (j < b.length && a[i] === b[j]) older.#pool.give(older.#places[j++]);
        numbers[n] = a[i];
        places[n] = this.#places[i++];
      } else {
        numbers[n] = b[j];
        places[n] = isOne
          ? older.#places[j]
          : this.#takeCopy(older.#pool, older.#places[j]);
        j++;
      }
    }
    return new PageSet(numbers.slice(0, n), this.#pool, places.slice(0, n));
  }

  #takeCopy(pool: PagePool, place: number): number {
    const copy = this.#pool.take();
    this.#pool.at(copy).set(pool.at(place));
    pool.give(place);
    return copy;
  }

  /** The same pages once more. */
  copy(): PageSet {
    let i = 0;
    return PageSet.from(
      this.numbers,
      (_, into) => into.set(this.page(i++)),
    );
  }

  /** It is not used any more. */
  release(): void {
    for (let i = this.#places.length; i-- > 0;) {
      this.#pool.give(this.#places[i]);
    }
  }
}

/** Memory that was zeros, and what has been loaded there. */
export interface LoadedMemory {
  readonly memory: Uint8Array;
  /** The numbers of all pages that were written, in ascending order. */
  readonly pages: Uint32Array;
}

/** The numbers of the pages that are not all zeros, in ascending order. `among`: pages
 * outside of which all are, ascending; looking at each of a large memory takes a
 * quarter of a second. */
export function nonZeroPages(
  memory: Uint8Array,
  among: Iterable<number> = all(memory.byteLength / PAGE_BYTES),
): Uint32Array {
  const words = new Int32Array(
    memory.buffer,
    memory.byteOffset,
    memory.byteLength >> 2,
  );
  const numbers: number[] = [];
  for (const page of among) {
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

function* all(pages: number): Generator<number> {
  for (let page = 0; page < pages; page++) yield page;
}
