// What RDRAND and RDSEED give: a xorshift64* sequence (Vigna, "An experimental
// exploration of Marsaglia's xorshift generators, scrambled"), so that a run
// can be repeated. The caller seeds it.

let state: u64 = 0x9e3779b97f4a7c15;

/** Starts the sequence anew; 0 stands for the default seed. */
export function seedRandom(seed: u64): void {
  state = seed ? seed : 0x9e3779b97f4a7c15;
}

/** Where the sequence is, for snapshots; seedRandom() takes it back. */
export function randomState(): u64 {
  return state;
}

/** The next 64 bits. */
export function random(): u64 {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1d;
}
