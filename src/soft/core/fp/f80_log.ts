// F2XM1, FYL2X, FYL2XP1: within an ulp of the correctly rounded 64-bit result,
// whatever PC says. Source of the special cases: Intel SDM volume 2.
import {
  EXP_SERIES,
  LN2_HI,
  LN2_LO,
  ODD_SERIES,
  TWO_LOG2E_HI,
  TWO_LOG2E_LO,
} from "./constants";
import { series, xAddTo, xDiv, xFraction, xMul } from "./extended";
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
import { kExp, kHi, kLo, kMul, kSet, kSign } from "./kernel";
import { f80Se, f80Set, roundF80 } from "./round";
import { DE, masks, PE, raise, UE, ZE } from "./state";
import { shiftRightSticky, wHi, wLo } from "./wide";

/** The significand of sqrt(2). */
const SQRT2: u64 = 0xb504f333f9de6484;

/** Rounds the kernel's value, known to be inexact. */
function roundInexact(): void {
  kSet(kSign, kExp, kHi, kLo | 1);
  roundF80(64);
}

/** F2XM1: 2^a - 1 for -1 <= a <= 1; greater numbers are left as they are. */
export function f80Exp2Minus1(se: u32, m: u64): void {
  const c = classify(se, m);
  if (c >= QNAN) {
    propagateOne(c, se, m);
    return;
  }
  const negative = (se & 0x8000) != 0;
  f80Set(se, m);
  if (c == ZERO) return;
  if (c == INFINITY) {
    if (negative) f80Set(0xbfff, TOP);
    return;
  }
  if (c == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  const e = exponentOf(se, m);
  const n = significandOf(m);
  if (e >= 0) {
    // Out of range, but for 1 and -1. Their results count as inexact, too.
    if (e != 0 || n != TOP) return;
    if (negative) kSet(true, -1, TOP, 0);
    else kSet(false, -1, -1, -1);
    roundInexact();
    return;
  }
  // 2^a - 1 = y (1 + y / 2! + y^2 / 3! + ...), y = a ln 2
  xMul(negative, e, n, 0, -1, LN2_HI, LN2_LO);
  const ye = kExp, yh = kHi, yl = kLo;
  xFraction();
  series(EXP_SERIES, 28, wHi, wLo, negative);
  xMul(negative, ye, yh, yl, 0, wHi, wLo);
  roundInexact();
}

/**
 * kernel = log2 of 1 + u given u (ue, uh:ul, not 0) and 2 + u, both exact to
 * 128 bits, 1 / sqrt(2) <= 1 + u <= sqrt(2):
 * ln(1 + u) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...), s = u / (2 + u).
 */
function log2Near1(
  sign: bool,
  ue: i32,
  uh: u64,
  ul: u64,
  de: i32,
  dh: u64,
  dl: u64,
): void {
  xDiv(sign, ue, uh, ul, de, dh, dl);
  const e = kExp, h = kHi, l = kLo;
  xMul(false, e, h, l, e, h, l);
  xFraction();
  series(ODD_SERIES, 24, wHi, wLo, false);
  xMul(sign, e, h, l, 0, wHi, wLo);
  xMul(sign, kExp, kHi, kLo, 1, TWO_LOG2E_HI, TWO_LOG2E_LO);
}

/**
 * kernel = log2 of h:l * 2^(k - 127), false when that is 0. `logExact`: the
 * argument is a power of two.
 */
let logExact: bool = false;
function log2(k: i32, h: u64, l: u64): bool {
  logExact = h == TOP && l == 0;
  if (!logExact) {
    if (h >= SQRT2) {
      // m in [0.7, 1): 1 - m, and 1 + m with an exponent of 0
      k++;
      kSet(true, -1, 0 - h - u64(l != 0), 0 - l);
      log2Near1(
        true,
        kExp,
        kHi,
        kLo,
        0,
        TOP | (h >> 1),
        (h << 63) | (l >> 1),
      );
    } else {
      kSet(false, 0, h - TOP, l);
      log2Near1(
        false,
        kExp,
        kHi,
        kLo,
        1,
        (h >> 1) + 0x4000000000000000,
        (h << 63) | (l >> 1),
      );
    }
    if (k == 0) return true;
  } else if (k == 0) return false;
  const sign = k < 0;
  const n = u64(sign ? -k : k);
  const z = i32(clz(n));
  if (logExact) kSet(sign, 63 - z, n << z, 0);
  else xAddTo(sign, 63 - z, n << z, 0);
  return true;
}

/** The result y * kernel, for a finite y != 0. */
function timesY(seY: u32, mY: u64, exact: bool): void {
  const sign = ((seY & 0x8000) != 0) != kSign;
  const e = exponentOf(seY, mY), n = significandOf(mY);
  if (exact) {
    // Reported as inexact all the same, as hardware does.
    kMul(sign, e, n, false, kExp, kHi);
    raise(PE);
    roundF80(64);
    if ((f80Se & 0x7fff) == 0) raise(UE);
    return;
  }
  xMul(sign, e, n, 0, kExp, kHi, kLo);
  roundInexact();
}

/** FYL2X: y * log2(x). */
export function f80YLog2X(seX: u32, mX: u64, seY: u32, mY: u64): void {
  const cx = classify(seX, mX), cy = classify(seY, mY);
  if (cx >= QNAN || cy >= QNAN) {
    propagateNaN(cx, seX, mX, cy, seY, mY);
    return;
  }
  const signY = seY & 0x8000;
  if (cx == ZERO) {
    if (cy == ZERO) {
      invalid();
      return;
    }
    if (cy != INFINITY) raise(ZE);
    f80Set(signY ^ 0xffff, TOP);
    return;
  }
  if ((seX & 0x8000) != 0) {
    invalid();
    return;
  }
  const one = seX == 0x3fff && mX == TOP;
  const below = (seX & 0x7fff) < 0x3fff;
  if ((cx == INFINITY && cy == ZERO) || (cy == INFINITY && one)) {
    invalid();
    return;
  }
  if (cx == DENORMAL || cy == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  const flip: u32 = below ? 0x8000 : 0;
  if (cx == INFINITY || cy == INFINITY) {
    f80Set((signY ^ flip) | 0x7fff, TOP);
    return;
  }
  if (cy == ZERO || one) {
    f80Set(signY ^ flip, 0);
    return;
  }
  log2(exponentOf(seX, mX), significandOf(mX), 0);
  timesY(seY, mY, logExact);
}

/** FYL2XP1: y * log2(1 + x). */
export function f80YLog2XPlus1(seX: u32, mX: u64, seY: u32, mY: u64): void {
  const cx = classify(seX, mX), cy = classify(seY, mY);
  if (cx >= QNAN || cy >= QNAN) {
    propagateNaN(cx, seX, mX, cy, seY, mY);
    return;
  }
  const negative = (seX & 0x8000) != 0;
  const sign = (seX ^ seY) & 0x8000;
  if (
    (cx == INFINITY && (negative || cy == ZERO)) ||
    (cy == INFINITY && cx == ZERO)
  ) {
    invalid();
    return;
  }
  if (cx == DENORMAL || cy == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  if (cx == INFINITY || cy == INFINITY) {
    f80Set(sign | 0x7fff, TOP);
    return;
  }
  if (cx == ZERO || cy == ZERO) {
    f80Set(sign, 0);
    return;
  }
  const e = exponentOf(seX, mX);
  const n = significandOf(mX);
  if (e < -2) {
    // 2 + x, exact enough
    shiftRightSticky(n, 0, 1 - e);
    if (negative) kSet(false, 1, TOP - wHi - u64(wLo != 0), 0 - wLo);
    else kSet(false, 1, TOP + wHi, wLo);
    log2Near1(negative, e, n, 0, kExp, kHi, kLo);
    timesY(seY, mY, false);
    return;
  }
  // 1 + x, exact for e >= -64
  if (e < 0) {
    shiftRightSticky(n, 0, -e);
    if (negative) kSet(false, 0, TOP - wHi - u64(wLo != 0), 0 - wLo);
    else kSet(false, 0, TOP + wHi, wLo);
  } else if (negative) {
    // The logarithm of a number not above zero.
    f80Set(seX, mX);
    return;
  } else {
    kSet(false, e, n, 0);
    shiftRightSticky(TOP, 0, e);
    const h = n + wHi;
    if (h < n) kSet(false, e + 1, TOP | (h >> 1), (h << 63) | (wLo >> 1));
    else kSet(false, e, h, wLo);
  }
  if (!log2(kExp, kHi, kLo)) {
    f80Set(sign, 0);
    return;
  }
  timesY(seY, mY, logExact);
}
