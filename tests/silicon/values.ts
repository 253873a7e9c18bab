/**
 * Operand values: random ones, and those at the edges of each data type.
 *
 * @module
 */
import type { Prng } from "./prng.ts";

/** Upper and lower 32 bits of edge values for a width, as [lo, hi]. */
function edge(rng: Prng, bits: number): [number, number] {
  const bit = (n: number): [number, number] =>
    n < 32 ? [(1 << n) >>> 0, 0] : [0, (1 << (n - 32)) >>> 0];
  switch (rng.int(9)) {
    case 0:
      return [0, 0];
    case 1:
      return [0xffff_ffff, 0xffff_ffff];
    case 2: // most negative
      return bit(bits - 1);
    case 3: { // most positive
      const [lo, hi] = bit(bits - 1);
      return lo === 0 ? [0xffff_ffff, hi - 1] : [lo - 1, 0];
    }
    case 4:
      return bit(rng.int(bits));
    case 5: { // all ones but one bit
      const [lo, hi] = bit(rng.int(bits));
      return [~lo >>> 0, ~hi >>> 0];
    }
    case 6: { // a run of ones from bit 0
      const [lo, hi] = bit(rng.int(bits));
      return lo === 0 ? [0xffff_ffff, hi - 1] : [lo - 1, 0];
    }
    case 7: { // the same byte throughout
      const b = rng.pick([0x00, 0x7f, 0x80, 0xff, 0x55, 0xaa, 0x0f, 0x99]);
      const word = Math.imul(b, 0x0101_0101) >>> 0;
      return [word, word];
    }
    default:
      return [1, 0];
  }
}

/**
 * Writes one 64-bit value at index `at` (two 32-bit words). `bits` is the
 * width whose edges matter; what is above it is often garbage on purpose.
 */
export function integerValue(
  rng: Prng,
  words: Uint32Array,
  at: number,
  bits: number,
): void {
  switch (rng.int(8)) {
    case 0:
    case 1:
    case 2:
      words[at] = rng.u32();
      words[at + 1] = rng.u32();
      break;
    case 3: { // small and signed
      const small = rng.int(65) - 32;
      words[at] = small;
      words[at + 1] = small >> 31;
      break;
    }
    case 4: { // an edge with garbage above it
      const [lo, hi] = edge(rng, bits);
      const r = rng.u32();
      const keep = bits >= 32 ? 0xffff_ffff : (1 << bits) - 1;
      words[at] = (lo & keep) | (r & ~keep);
      words[at + 1] = bits === 64 ? hi : rng.u32();
      break;
    }
    default: {
      const [lo, hi] = edge(rng, bits);
      words[at] = lo;
      words[at + 1] = hi;
    }
  }
}

/** What the lanes of a vector hold. */
export type Lane = "i8" | "i16" | "i32" | "i64" | "f32" | "f64";

const F32_EDGES = [
  0x0000_0000,
  0x8000_0000,
  0x3f80_0000, // 1
  0xbf80_0000,
  0x0000_0001, // smallest denormal
  0x807f_ffff, // largest denormal, negative
  0x0080_0000, // smallest normal
  0x7f7f_ffff, // largest
  0xff7f_ffff,
  0x7f80_0000, // infinity
  0xff80_0000,
  0x7fc0_0000, // QNaN
  0xffc0_1234,
  0x7f80_0001, // SNaN
  0xffbf_ffff,
  0x4f00_0000, // 2^31
  0xcf00_0000,
  0x4eff_ffff,
  0x5f00_0000, // 2^63
  0x3f00_0000, // 0.5
  0x3fc0_0000, // 1.5
  0x4020_0000, // 2.5
  0x4b00_0001, // 2^23 + 1
];

/** One f32, as bits. */
export function f32Value(rng: Prng): number {
  switch (rng.int(6)) {
    case 0:
    case 1:
      return rng.pick(F32_EDGES);
    case 2:
      return rng.u32();
    case 3: // near zero exponent
      return ((rng.u32() & 0x81ff_ffff) >>> 0);
    default: { // of a size people compute with
      const exponent = 127 - 24 + rng.int(64);
      return ((rng.u32() & 0x807f_ffff) | (exponent << 23)) >>> 0;
    }
  }
}

const F64_EDGES: [number, number][] = [
  [0, 0],
  [0, 0x8000_0000],
  [0, 0x3ff0_0000],
  [0, 0xbff0_0000],
  [1, 0],
  [0xffff_ffff, 0x800f_ffff],
  [0, 0x0010_0000],
  [0xffff_ffff, 0x7fef_ffff],
  [0xffff_ffff, 0xffef_ffff],
  [0, 0x7ff0_0000],
  [0, 0xfff0_0000],
  [0, 0x7ff8_0000],
  [0x1234, 0xfff8_0000],
  [1, 0x7ff0_0000],
  [0xffff_ffff, 0xfff7_ffff],
  [0, 0x41e0_0000], // 2^31
  [0, 0xc1e0_0000],
  [0xffc0_0000, 0x41df_ffff], // 2^31 - 1
  [0, 0x43e0_0000], // 2^63
  [0, 0x3fe0_0000], // 0.5
  [0, 0x3ff8_0000], // 1.5
  [0, 0x4004_0000], // 2.5
  [1, 0x4330_0000], // 2^52 + 1
  [0xe000_0000, 0x47ef_ffff], // largest f32
  [0, 0x3810_0000], // smallest normal f32
  [0, 0x36a0_0000], // smallest denormal f32
];

/** Writes one f64 at word index `at`. */
export function f64Value(rng: Prng, words: Uint32Array, at: number): void {
  switch (rng.int(6)) {
    case 0:
    case 1: {
      const [lo, hi] = rng.pick(F64_EDGES);
      words[at] = lo;
      words[at + 1] = hi;
      break;
    }
    case 2:
      words[at] = rng.u32();
      words[at + 1] = rng.u32();
      break;
    case 3: // near zero exponent
      words[at] = rng.u32();
      words[at + 1] = rng.u32() & 0x803f_ffff;
      break;
    default: {
      const exponent = 1023 - 60 + rng.int(128);
      words[at] = rng.chance(50) ? rng.u32() : 0;
      words[at + 1] = (rng.u32() & 0x800f_ffff) | (exponent << 20);
    }
  }
}

/** Fills `count` 32-bit words (an even number) with lanes of one kind. */
export function laneValues(
  rng: Prng,
  words: Uint32Array,
  at: number,
  count: number,
  lane: Lane,
): void {
  for (let i = at; i < at + count; i += 2) {
    switch (lane) {
      case "f32":
        words[i] = f32Value(rng);
        words[i + 1] = f32Value(rng);
        break;
      case "f64":
        f64Value(rng, words, i);
        break;
      case "i64":
        integerValue(rng, words, i, 64);
        break;
      default: {
        const bits = lane === "i8" ? 8 : lane === "i16" ? 16 : 32;
        if (rng.chance(50)) {
          integerValue(rng, words, i, bits);
        } else {
          words[i] = smallLanes(rng, bits);
          words[i + 1] = smallLanes(rng, bits);
        }
      }
    }
  }
}

function smallLanes(rng: Prng, bits: number): number {
  const mask = bits === 32 ? 0xffff_ffff : (1 << bits) - 1;
  let word = 0;
  for (let shift = 0; shift < 32; shift += bits) {
    const value = rng.pick([
      0,
      1,
      mask,
      mask >>> 1,
      (mask >>> 1) + 1,
      rng.u32() & mask,
      rng.u32() & mask,
    ]);
    word |= value << shift;
  }
  return word >>> 0;
}

/** Writes one 80-bit number (10 bytes) in the x87's format. */
export function f80Value(rng: Prng, into: DataView, at: number): void {
  let lo = rng.u32();
  let hi = rng.u32() | 0x8000_0000;
  let exponent = 0x3fff;
  const sign = rng.int(2) << 15;
  switch (rng.int(14)) {
    case 0:
      lo = hi = exponent = 0;
      break;
    case 1: // an integer of few bits, or a half
      lo = 0;
      hi = (rng.int(256) << 24) | 0x8000_0000;
      exponent = 0x3fff - 1 + rng.int(9);
      break;
    case 2: // denormal, or pseudo-denormal
      exponent = 0;
      if (rng.chance(80)) hi &= 0x7fff_ffff;
      if (rng.chance(30)) lo = rng.int(2), hi &= 0x8000_0000;
      break;
    case 3:
      lo = 0;
      hi = 0x8000_0000;
      exponent = 0x7fff;
      break;
    case 4: // QNaN
      hi |= 0xc000_0000;
      if (rng.chance(30)) lo = 0, hi = 0xc000_0000;
      exponent = 0x7fff;
      break;
    case 5: // SNaN
      hi &= 0xbfff_ffff;
      lo |= 1;
      exponent = 0x7fff;
      break;
    case 6: // unsupported: unnormal, pseudo-infinity, pseudo-NaN
      hi &= 0x7fff_ffff;
      exponent = rng.chance(50) ? 0x7fff : 1 + rng.int(0x7ffe);
      break;
    case 7: // near overflow or underflow
      exponent = rng.pick([1, 2, 0x40, 0x7ffe, 0x7ffd, 0x7fc0]);
      if (rng.chance(30)) lo = 0xffff_ffff, hi = 0xffff_ffff;
      break;
    case 8: // around the ranges of f32, f64 and the integers
      exponent = 0x3fff + rng.pick([
        -150,
        -149,
        -127,
        -126,
        127,
        128,
        -1075,
        -1074,
        -1023,
        -1022,
        1023,
        1024,
        14,
        15,
        30,
        31,
        62,
        63,
      ]);
      if (rng.chance(40)) lo = 0, hi = 0x8000_0000;
      else if (rng.chance(30)) lo = 0xffff_ffff, hi = 0xffff_ffff;
      break;
    case 9:
      exponent = rng.int(0x8000);
      break;
    default:
      exponent = 0x3fff - 70 + rng.int(140);
      if (rng.chance(30)) lo = 0;
  }
  into.setUint32(at, lo >>> 0, true);
  into.setUint32(at + 4, hi >>> 0, true);
  into.setUint16(at + 8, exponent | sign, true);
}
