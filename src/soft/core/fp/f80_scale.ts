// x87 operations on exponents and remainders: FPREM, FPREM1, FSCALE, FXTRACT.
// All are exact (but for FSCALE's overflow and underflow) and ignore PC.
// Source: Intel SDM volume 2, those instructions.
import { kSet } from "./kernel";
import { f80FromI64 } from "./f80_convert";
import { f80M, f80Se, f80Set, roundF80 } from "./round";
import {
  classify,
  DENORMAL,
  exponentOf,
  INFINITY,
  invalid,
  propagateNaN,
  propagateOne,
  QNAN,
  significandOf,
  TOP,
  ZERO,
} from "./f80";
import { DE, masks, raise, ZE } from "./state";

/** The low quotient bits of the last remainder. */
export let remQuotient: u32 = 0;
/** The last remainder is not reduced to the end (C2). */
export let remPartial: bool = false;
/** There was a remainder to find: the condition codes tell of it. */
export let remDefined: bool = false;

/**
 * FPREM, or FPREM1 (`nearest`): the remainder of a / b, its quotient's low
 * bits in remQuotient. A difference of exponents of 64 or more is reduced by
 * 32 to 63 quotient bits a time and leaves remPartial.
 */
export function f80Rem(
  seA: u32,
  mA: u64,
  seB: u32,
  mB: u64,
  nearest: bool,
): void {
  remQuotient = 0;
  remPartial = false;
  remDefined = false;
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    propagateNaN(ca, seA, mA, cb, seB, mB);
    return;
  }
  if (ca == INFINITY || cb == ZERO) {
    invalid();
    return;
  }
  if (ca == DENORMAL || cb == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  remDefined = true;
  if (ca == ZERO) {
    f80Set(seA, mA);
    return;
  }
  let sign = (seA & 0x8000) != 0;
  const ea = exponentOf(seA, mA);
  let r = significandOf(mA);
  if (cb == INFINITY) {
    kSet(sign, ea, r, 0);
    roundF80(64);
    return;
  }
  let eb = exponentOf(seB, mB);
  const b = significandOf(mB);
  let d = ea - eb;
  if (d < -1 || (d == -1 && !nearest)) {
    kSet(sign, ea, r, 0);
    roundF80(64);
    return;
  }
  if (d == -1) {
    if (r > b) {
      r = b - (r - b);
      sign = !sign;
      remQuotient = 1;
    }
    kSet(sign, ea, r, 0);
    roundF80(64);
    return;
  }
  if (d >= 64) {
    remPartial = true;
    const n = (d & 31) | 32;
    eb += d - n;
    d = n;
  }
  let q: u64 = 0;
  let carry = false;
  for (let i = d;; i--) {
    q <<= 1;
    if (carry || r >= b) {
      r -= b;
      q |= 1;
    }
    if (i == 0) break;
    carry = i64(r) < 0;
    r <<= 1;
  }
  if (nearest && !remPartial) {
    const rest = b - r;
    if (r > rest || (r == rest && (q & 1) != 0)) {
      r = rest;
      q++;
      sign = !sign;
    }
  }
  if (!remPartial) remQuotient = u32(q) & 7;
  if (r == 0) {
    f80Set(seA & 0x8000, 0);
    return;
  }
  kSet(sign, eb, r, 0);
  roundF80(64);
}

/** FSCALE: a * 2^trunc(b). */
export function f80Scale(seA: u32, mA: u64, seB: u32, mB: u64): void {
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    propagateNaN(ca, seA, mA, cb, seB, mB);
    return;
  }
  const down = (seB & 0x8000) != 0;
  if (cb == INFINITY) {
    if (ca == (down ? INFINITY : ZERO)) {
      invalid();
      return;
    }
    if (ca == DENORMAL) raise(DE);
    if (down) f80Set(seA & 0x8000, 0);
    else f80Set(seA | 0x7fff, TOP);
    return;
  }
  if (ca == DENORMAL || cb == DENORMAL) raise(DE);
  if (ca == ZERO || ca == INFINITY) {
    f80Set(seA, mA);
    return;
  }
  let n: i32 = 0;
  if (cb != ZERO) {
    const eb = exponentOf(seB, mB);
    if (eb > 16) n = 1 << 17;
    else if (eb >= 0) n = i32(significandOf(mB) >> (63 - eb));
    if (down) n = -n;
  }
  kSet((seA & 0x8000) != 0, exponentOf(seA, mA) + n, significandOf(mA), 0);
  roundF80(64);
}

/** FXTRACT's significand; its exponent is the ordinary result. */
export let significandSe: u32 = 0;
export let significandM: u64 = 0;

/** FXTRACT. */
export function f80Extract(se: u32, m: u64): void {
  const c = classify(se, m);
  if (c >= QNAN) {
    propagateOne(c, se, m);
    significandSe = f80Se;
    significandM = f80M;
    return;
  }
  significandSe = se;
  significandM = m;
  if (c == INFINITY) {
    f80Set(0x7fff, TOP);
    return;
  }
  if (c == ZERO) {
    raise(ZE);
    f80Set(0xffff, TOP);
    return;
  }
  if (c == DENORMAL) raise(DE);
  significandSe = (se & 0x8000) | 0x3fff;
  significandM = significandOf(m);
  f80FromI64(exponentOf(se, m));
}
