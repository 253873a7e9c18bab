/** Numbers that look random, each below what is asked for, the same in every run
 * (Marsaglia's xorshift with 32 bits; `seed` is not 0). */
export function numbers(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}
