// Arithmetic on unpacked numbers of any format: a sign, an exponent e and a
// significand with its top bit set, worth m * 2^(e - 63). Results are exact up
// to a sticky lowest bit, ready for rounding (round.ts).
import { divWide, mulWide, shiftRightSticky, wHi, wLo, wRem } from "./wide";

/** The result: sign, exponent of the top bit of kHi, 128-bit significand. */
export let kSign: bool = false;
export let kExp: i32 = 0;
export let kHi: u64 = 0;
export let kLo: u64 = 0;

/** Sets the result, normalising the significand; zero stays zero. */
export function kSet(sign: bool, e: i32, hi: u64, lo: u64): void {
  kSign = sign;
  if (hi == 0) {
    if (lo == 0) {
      kHi = 0;
      kLo = 0;
      return;
    }
    hi = lo;
    lo = 0;
    e -= 64;
  }
  const z = i32(clz(hi));
  if (z != 0) {
    hi = (hi << z) | (lo >> (64 - z));
    lo <<= z;
  }
  kExp = e - z;
  kHi = hi;
  kLo = lo;
}

/**
 * Sum of two non-zero numbers; kHi:kLo = 0 when they cancel (the caller knows
 * the sign of that zero).
 */
export function kAdd(
  s1: bool,
  e1: i32,
  m1: u64,
  s2: bool,
  e2: i32,
  m2: u64,
): void {
  if (e1 < e2 || (e1 == e2 && m1 < m2)) {
    const s = s1, e = e1, m = m1;
    s1 = s2;
    e1 = e2;
    m1 = m2;
    s2 = s;
    e2 = e;
    m2 = m;
  }
  shiftRightSticky(m2, 0, e1 - e2);
  let lo = wLo;
  if (s1 == s2) {
    let hi = m1 + wHi;
    if (hi < m1) {
      lo = (hi << 63) | (lo >> 1) | (lo & 1);
      hi = (hi >> 1) | 0x8000000000000000;
      e1++;
    }
    kSign = s1;
    kExp = e1;
    kHi = hi;
    kLo = lo;
  } else {
    kSet(s1, e1, m1 - wHi - u64(lo != 0), 0 - lo);
  }
}

/** Product of two non-zero numbers. */
export function kMul(
  s1: bool,
  e1: i32,
  m1: u64,
  s2: bool,
  e2: i32,
  m2: u64,
): void {
  mulWide(m1, m2);
  kSign = s1 != s2;
  if (i64(wHi) < 0) {
    kExp = e1 + e2 + 1;
    kHi = wHi;
    kLo = wLo;
  } else {
    kExp = e1 + e2;
    kHi = (wHi << 1) | (wLo >> 63);
    kLo = wLo << 1;
  }
}

/** Quotient of two non-zero numbers. */
export function kDiv(
  s1: bool,
  e1: i32,
  m1: u64,
  s2: bool,
  e2: i32,
  m2: u64,
): void {
  kSign = s1 != s2;
  if (m1 >= m2) {
    kExp = e1 - e2;
    kHi = divWide(m1 >> 1, m1 << 63, m2);
  } else {
    kExp = e1 - e2 - 1;
    kHi = divWide(m1, 0, m2);
  }
  const twice = wRem << 1;
  if (wRem == 0) kLo = 0;
  else if (i64(wRem) < 0 || twice > m2) kLo = 0xc000000000000000;
  else kLo = twice == m2 ? 0x8000000000000000 : 0x4000000000000000;
}

/**
 * Square root of a positive number, by Zimmermann's recursion: the root of
 * the upper half, then one division for the lower digits.
 */
export function kSqrt(e: i32, m: u64): void {
  let hi = m, lo: u64 = 0;
  if ((e & 1) == 0) {
    lo = hi << 63;
    hi >>= 1;
  }
  // hi:lo in [2^126, 2^128); its root has 64 bits.
  let s1 = u64(Math.sqrt(f64(hi)));
  if (s1 > 0xffffffff) s1 = 0xffffffff;
  while (s1 * s1 > hi) s1--;
  while (s1 < 0xffffffff && (s1 + 1) * (s1 + 1) <= hi) s1++;
  const r1 = hi - s1 * s1;
  const next = lo >> 32;
  const num = (r1 << 31) | (next >> 1);
  const q = num / s1;
  const u = ((num - q * s1) << 1) | (next & 1);
  // remainder = u * 2^32 + low digit - q^2, as a signed 128-bit value
  mulWide(q, q);
  const rl0 = (u << 32) | (lo & 0xffffffff);
  let rh = (u >> 32) - wHi - u64(rl0 < wLo);
  let rl = rl0 - wLo;
  // q may be 2^32; the addition then carries into s1's digit, or past 2^64
  // when the root is all ones, in which case the correction brings it back.
  let s = (s1 << 32) + q;
  while (i64(rh) < 0) {
    s--;
    // r += 2 s + 1
    const add = (s << 1) | 1;
    rl += add;
    rh += (s >> 63) + u64(rl < add);
  }
  kSign = false;
  kExp = e >> 1;
  kHi = s;
  // The next bit of the root is 1 when r > s (r = s + 1/4 cannot occur).
  if ((rh | rl) == 0) kLo = 0;
  else kLo = rh != 0 || rl > s ? 0xc000000000000000 : 0x4000000000000000;
}
