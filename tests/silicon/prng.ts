/**
 * The seeded generator all random choices come from (sfc32, by Chris
 * Doty-Humphrey, public domain algorithm): equal seeds give equal cases.
 *
 * @module
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `stream` tells apart generators with the same seed. */
  constructor(seed: number, stream = "") {
    let hash = 0x811c_9dc5;
    for (let i = 0; i < stream.length; i++) {
      hash = Math.imul(hash ^ stream.charCodeAt(i), 0x0100_0193);
    }
    this.#a = seed | 0;
    this.#b = hash | 0;
    this.#c = 0x9e37_79b9 | 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** 0 to n - 1. */
  int(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  /** True `percent` times of a hundred. */
  chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  pick<T>(from: ArrayLike<T>): T {
    return from[this.int(from.length)];
  }
}
