// Operand generators for the comparisons with silicon: random bits, and values
// at the edges of every class and range.

import type { Fill, Random } from "./harness.ts";

const edges80: [number, number, number][] = [
  // sign-exponent, significand high, low
  [0x0000, 0, 0],
  [0x0000, 0, 1],
  [0x0000, 0x7fffffff, 0xffffffff],
  [0x0000, 0x80000000, 0], // pseudo-denormal
  [0x0000, 0xffffffff, 0xffffffff],
  [0x0001, 0x80000000, 0],
  [0x0001, 0xffffffff, 0xffffffff],
  [0x0001, 0x7fffffff, 1], // unnormal
  [0x3fff, 0x80000000, 0],
  [0x3fff, 0x80000000, 1],
  [0x3ffe, 0xffffffff, 0xffffffff],
  [0x3ffe, 0x80000000, 0],
  [0x4000, 0xc0000000, 0],
  [0x3fff, 0x00000000, 0], // unnormal zero
  [0x400e, 0x80000000, 0],
  [0x401e, 0x80000000, 0],
  [0x403e, 0x80000000, 0],
  [0x403e, 0xffffffff, 0xffffffff],
  [0x403d, 0xffffffff, 0xfffffffe],
  [0x7ffe, 0xffffffff, 0xffffffff],
  [0x7ffe, 0x80000000, 0],
  [0x7fff, 0x80000000, 0], // infinity
  [0x7fff, 0x00000000, 0], // pseudo-infinity
  [0x7fff, 0x40000000, 1], // pseudo-NaN
  [0x7fff, 0xc0000000, 0],
  [0x7fff, 0xc0000000, 5],
  [0x7fff, 0xffffffff, 0xffffffff],
  [0x7fff, 0x80000000, 1],
  [0x7fff, 0xbfffffff, 0xffffffff],
];

/** Writes an 80-bit number whose exponent is around `centre` +- `spread`. */
export function number80(
  random: Random,
  view: DataView,
  offset: number,
  centre: number,
  spread: number,
): void {
  let high = (random.u32() | 0x80000000) >>> 0;
  let low = random.u32();
  const shape = random.below(8);
  if (shape === 0) low = 0;
  else if (shape === 1) {
    low = 0;
    high = (high & 0xffffff00) >>> 0;
  } else if (shape === 2) {
    high = 0xffffffff;
    low = (0xffffffff << random.below(32)) >>> 0;
  } else if (shape === 3) {
    high = 0x80000000;
    low = random.below(4);
  } else if (shape === 4) low &= 0xfffff800;
  const exponent = centre - spread + random.below(2 * spread + 1);
  const sign = random.below(2) << 15;
  view.setUint32(offset, low, true);
  view.setUint32(offset + 4, high, true);
  view.setUint32(
    offset + 8,
    Math.min(Math.max(exponent, 0), 0x7ffe) | sign,
    true,
  );
  view.setUint32(offset + 12, 0, true);
}

/** Writes any 80-bit number. */
export function any80(random: Random, view: DataView, offset: number): void {
  const kind = random.below(16);
  if (kind < 4) {
    const [se, high, low] = edges80[random.below(edges80.length)];
    view.setUint32(offset, low, true);
    view.setUint32(offset + 4, high, true);
    view.setUint32(offset + 8, se | (random.below(2) << 15), true);
    view.setUint32(offset + 12, 0, true);
    return;
  }
  if (kind < 9) number80(random, view, offset, 16383, 66);
  else if (kind < 11) number80(random, view, offset, 0, 70);
  else if (kind < 12) number80(random, view, offset, 0x7fff, 70);
  else if (kind < 13) number80(random, view, offset, 8191, 40);
  else if (kind < 14) number80(random, view, offset, 24575, 40);
  else number80(random, view, offset, 16383, 16383);
  if (kind === 9) {
    // denormal
    const high = view.getUint32(offset + 4, true) >>> random.below(32);
    view.setUint32(offset + 4, high, true);
    view.setUint32(offset + 8, random.below(2) << 15, true);
  }
}

const edges64: bigint[] = [
  0n,
  1n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x0010000000000001n,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
  0x3fefffffffffffffn,
  0x3fe0000000000000n,
  0x4000000000000000n,
  0x41dfffffffc00000n,
  0x41e0000000000000n,
  0x41dfffffffffffffn,
  0x43e0000000000000n,
  0x43dfffffffffffffn,
  0x4330000000000000n,
  0x4330000000000001n,
  0x432fffffffffffffn,
  0x7fefffffffffffffn,
  0x7fe0000000000000n,
  0x7ff0000000000000n,
  0x7ff8000000000000n,
  0x7ff8000000000005n,
  0x7fffffffffffffffn,
  0x7ff0000000000001n,
  0x7ff7ffffffffffffn,
  0x36a0000000000000n,
  0x380fffffffffffffn,
  0x3810000000000000n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
];

/** Writes any f64. */
export function any64(random: Random, view: DataView, offset: number): void {
  const kind = random.below(16);
  let low = random.u32();
  let high = random.u32();
  if (kind < 3) {
    const edge = edges64[random.below(edges64.length)];
    view.setBigUint64(offset, edge, true);
    high = view.getUint32(offset + 4, true) |
      (random.below(2) << 31);
    view.setUint32(offset + 4, high >>> 0, true);
    return;
  }
  let exponent = (high >>> 20) & 0x7ff;
  if (kind < 8) exponent = 1023 - 66 + random.below(133);
  else if (kind < 10) exponent = random.below(60);
  else if (kind < 11) exponent = 0;
  else if (kind < 12) exponent = 2046 - random.below(60);
  else if (kind < 13) exponent = 1023 - 130 + random.below(30);
  else if (kind < 14) exponent = 512 - 30 + random.below(60);
  const shape = random.below(6);
  if (shape === 0) low = 0;
  else if (shape === 1) {
    low = 0;
    high &= 0xfffff000;
  } else if (shape === 2) low &= 0xe0000000;
  else if (shape === 3) {
    high |= 0xfffff;
    low = (0xffffffff << random.below(32)) >>> 0;
  }
  view.setUint32(offset, low, true);
  view.setUint32(
    offset + 4,
    ((high & 0x800fffff) | (exponent << 20)) >>> 0,
    true,
  );
}

const edges32: number[] = [
  0,
  1,
  0x7fffff,
  0x800000,
  0x800001,
  0x3f800000,
  0x3f800001,
  0x3f7fffff,
  0x3f000000,
  0x40000000,
  0x4effffff,
  0x4f000000,
  0x5effffff,
  0x5f000000,
  0x4b000000,
  0x4b000001,
  0x7f7fffff,
  0x7f000000,
  0x7f800000,
  0x7fc00000,
  0x7fc00005,
  0x7fffffff,
  0x7f800001,
  0x7fbfffff,
];

/** Writes any f32. */
export function any32(random: Random, view: DataView, offset: number): void {
  const kind = random.below(16);
  let bits = random.u32();
  if (kind < 3) {
    bits = edges32[random.below(edges32.length)] | (random.below(2) << 31);
    view.setUint32(offset, bits >>> 0, true);
    return;
  }
  let exponent = (bits >>> 23) & 0xff;
  if (kind < 8) exponent = 127 - 34 + random.below(69);
  else if (kind < 10) exponent = random.below(30);
  else if (kind < 11) exponent = 0;
  else if (kind < 12) exponent = 254 - random.below(30);
  else if (kind < 13) exponent = 64 - 14 + random.below(28);
  const shape = random.below(6);
  if (shape === 0) bits &= 0xfffff000;
  else if (shape === 1) bits &= 0xffff0000;
  else if (shape === 2) bits |= 0x7fff00;
  view.setUint32(
    offset,
    ((bits & 0x807fffff) | (exponent << 23)) >>> 0,
    true,
  );
}

/** A control word: any RC and PC, masked mostly, else random masks. */
export function controlWord(random: Random): number {
  const masks = random.below(4) === 0 ? random.below(64) : 0x3f;
  const pc = random.below(3) === 0 ? random.below(4) : 3;
  return 0x40 | masks | (pc << 8) | (random.below(4) << 10);
}

export const two80: Fill = (random, view, offset) => {
  view.setUint32(offset, controlWord(random), true);
  any80(random, view, offset + 8);
  any80(random, view, offset + 24);
};

/** a is any 80-bit number, b an f32. */
export const with32: Fill = (random, view, offset) => {
  two80(random, view, offset);
  any32(random, view, offset + 24);
};

/** a is any 80-bit number, b an f64. */
export const with64: Fill = (random, view, offset) => {
  two80(random, view, offset);
  any64(random, view, offset + 24);
};
