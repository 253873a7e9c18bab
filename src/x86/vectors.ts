/** Exceptions by their vectors (Intel SDM volume 3, table 6-1). */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** Two of them, one while the other is delivered, are a double fault (table 6-5). */
export const CONTRIBUTORY: ReadonlySet<number> = new Set([
  Vector.DE,
  Vector.TS,
  Vector.NP,
  Vector.SS,
  Vector.GP,
]);

/** A bit for every vector, as bitmaps of them have it. */
export function vectorBits(...vectors: readonly number[]): bigint {
  return vectors.reduce((bits, vector) => bits | (1n << BigInt(vector)), 0n);
}

/** All exceptions: everything but NMI. */
export const EXCEPTIONS: bigint = vectorBits(
  ...Object.values(Vector).filter((vector) => vector !== Vector.NMI),
);
