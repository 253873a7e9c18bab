/** Random bytes that repeat from run to run: splitmix64 (Steele et al., 2014). */
import type { Entropy } from "../machine/device.ts";

const INCREMENT = 0x9e3779b97f4a7c15n;
const MIX_1 = 0xbf58476d1ce4e5b9n, MIX_2 = 0x94d049bb133111ebn;

/** A generator with a seed. Not for secrets: that is the point of it. */
export class SeededEntropy implements Entropy {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed;
  }

  fill(into: Uint8Array): void {
    let bits = 0n;
    for (let i = 0; i < into.length; i++) {
      if (i % 8 === 0) bits = this.#next();
      into[i] = Number(bits & 0xffn);
      bits >>= 8n;
    }
  }

  save(): string {
    return this.#state.toString(16);
  }

  load(saved: string): void {
    this.#state = BigInt(`0x${saved}`);
  }

  #next(): bigint {
    const wrap = (value: bigint) => BigInt.asUintN(64, value);
    this.#state = wrap(this.#state + INCREMENT);
    let z = this.#state;
    z = wrap((z ^ (z >> 30n)) * MIX_1);
    z = wrap((z ^ (z >> 27n)) * MIX_2);
    return z ^ (z >> 31n);
  }
}
