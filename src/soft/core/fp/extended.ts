// 128-bit floating point for the transcendental functions: value is
// x.hi:x.lo * 2^(x.e - 127), hi's top bit set, sign apart. Errors are a few
// units in the 128th bit; results go through the kernel's registers
// (kSign, kExp, kHi, kLo), which the rounding reads.
import { kExp, kHi, kLo, kSet, kSign } from "./kernel";
import {
  divFraction,
  mulFraction,
  shiftRightSticky,
  wHi,
  wLo,
  wSet,
} from "./wide";

/** kernel = product. */
export function xMul(
  sign: bool,
  e1: i32,
  h1: u64,
  l1: u64,
  e2: i32,
  h2: u64,
  l2: u64,
): void {
  mulFraction(h1, l1, h2, l2);
  kSet(sign, e1 + e2 + 1, wHi, wLo);
}

/** kernel = quotient. */
export function xDiv(
  sign: bool,
  e1: i32,
  h1: u64,
  l1: u64,
  e2: i32,
  h2: u64,
  l2: u64,
): void {
  divFraction(h1, l1, h2, l2);
  kSet(sign, e1 - e2, wHi, wLo);
}

/** kernel = kernel + (sign, e, h:l), which has the greater magnitude. */
export function xAddTo(sign: bool, e: i32, h: u64, l: u64): void {
  shiftRightSticky(kHi, kLo, e - kExp);
  if (sign == kSign) {
    const lo = l + wLo;
    let hi = h + wHi;
    let carry = hi < h;
    if (lo < l) {
      hi++;
      if (hi == 0) carry = true;
    }
    if (carry) {
      kSet(sign, e + 1, (hi >> 1) | 0x8000000000000000, (hi << 63) | (lo >> 1));
    } else kSet(sign, e, hi, lo);
  } else {
    kSet(sign, e, h - wHi - u64(l < wLo), l - wLo);
  }
}

/** The kernel's value (below 1) as a Q0.128 fraction in wHi:wLo. */
export function xFraction(): void {
  shiftRightSticky(kHi, kLo, -1 - kExp);
}

/**
 * The sum of c[i] x^i (or of c[i] (-x)^i: `alternating`), i = 0 to n - 1, for
 * a Q0.128 fraction x and Q1.127 coefficients; the result Q1.127, in wHi:wLo.
 * Each product counts as more than nothing, so that a tiny x still shows in
 * the direction of rounding.
 */
export function series(
  table: usize,
  n: i32,
  xh: u64,
  xl: u64,
  alternating: bool,
): void {
  let at = table + (usize(n - 1) << 4);
  let h = load<u64>(at), l = load<u64>(at, 8);
  while (at > table) {
    at -= 16;
    mulFraction(h, l, xh, xl);
    const ch = load<u64>(at), cl = load<u64>(at, 8);
    const p = wLo | 1;
    if (alternating) {
      h = ch - wHi - u64(cl < p);
      l = cl - p;
    } else {
      l = cl + p;
      h = ch + wHi + u64(l < cl);
    }
  }
  wSet(h, l);
}
