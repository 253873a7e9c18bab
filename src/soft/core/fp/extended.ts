// 128-bit floating point for the transcendental functions: value is
// x.hi:x.lo * 2^(x.e - 127), hi's top bit set, sign apart. Errors are a few
// units in the 128th bit; results go through the kernel's registers
// (kSign, kExp, kHi, kLo), which the rounding reads.
import { kExp, kHi, kLo, kSet, kSign } from "./kernel";
import {
  divFraction,
  mulFraction,
  mulHigh,
  shiftRightSticky,
  wHi,
  wLo,
  wSet,
} from "./wide";

const LOW: u64 = 0xffffffff;

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
  // wide.ts' mulFraction(), its second operand's digits taken apart once
  const x0 = xh & LOW, x1 = xh >> 32, y0 = xl & LOW, y1 = xl >> 32;
  // x^i is below 2^(-i * zeros): what is below 2^-138 is left out, and 64 bits
  // are enough as long as what they lack is
  const zeros = i32(clz(xh));
  let i = n - 1;
  if (zeros > 0 && i > 139 / zeros + 1) i = 139 / zeros + 1;
  let at = table + (usize(i) << 4);
  let h = load<u64>(at), l = load<u64>(at, 8);
  for (; i > 1 && (i - 1) * zeros >= 76; i--) {
    at -= 16;
    const p = mulHigh(h, xh);
    h = load<u64>(at) + (alternating ? 0 - p : p);
    l = 0;
  }
  // the last coefficients of a series with factorials begin in l
  while (at > table && h == 0) {
    at -= 16;
    const ch = load<u64>(at), cl = load<u64>(at, 8);
    const p = mulHigh(l, xh) | 1;
    if (alternating) {
      h = ch - u64(cl < p);
      l = cl - p;
    } else {
      l = cl + p;
      h = ch + u64(l < cl);
    }
  }
  while (at > table) {
    at -= 16;
    const h0 = h & LOW, h1 = h >> 32, l0 = l & LOW, l1 = l >> 32;
    let a = h0 * y1;
    let middle = ((h0 * y0) >> 32) + (a & LOW) + h1 * y0;
    const x = h1 * y1 + (a >> 32) + (middle >> 32);
    a = l0 * x1;
    middle = ((l0 * x0) >> 32) + (a & LOW) + l1 * x0;
    const y = l1 * x1 + (a >> 32) + (middle >> 32);
    const low = h0 * x0;
    a = h0 * x1;
    middle = (low >> 32) + (a & LOW) + h1 * x0;
    let ph = h1 * x1 + (a >> 32) + (middle >> 32);
    let p = (middle << 32) | (low & LOW);
    p += x;
    ph += u64(p < x);
    p += y;
    ph += u64(p < y);
    p |= 1;
    const ch = load<u64>(at), cl = load<u64>(at, 8);
    if (alternating) {
      h = ch - ph - u64(cl < p);
      l = cl - p;
    } else {
      l = cl + p;
      h = ch + ph + u64(l < cl);
    }
  }
  wSet(h, l);
}
