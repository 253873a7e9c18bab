// FSIN, FCOS, FSINCOS, FPTAN, FPATAN: within an ulp of the correctly rounded
// 64-bit result, whatever PC says, the reduction being by a pi of 66 bits.
// Source of the special cases: Intel SDM volume 2; of the 66 bits: volume 1,
// 8.3.8.
import {
  ATAN_SIXTEENTHS,
  COS_SERIES,
  HALF_PI_HI,
  HALF_PI_LO,
  ODD_SERIES,
  PI_HI,
  PI_LO,
  REDUCTION_HI,
  REDUCTION_LO,
  SIN_SERIES,
  THREE_QUARTERS_PI_HI,
  THREE_QUARTERS_PI_LO,
} from "./constants";
import { series, xDiv, xFraction, xMul } from "./extended";
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
import { kExp, kHi, kLo, kSet, kSign } from "./kernel";
import { f80M, f80Se, f80Set, roundF80 } from "./round";
import { DE, masks, raise } from "./state";
import { divWide, mulWide, shiftRightSticky, wHi, wLo, wSet } from "./wide";

/** FSINCOS's cosine; the sine is the ordinary result. */
export let cosineSe: u32 = 0;
export let cosineM: u64 = 0;
/** The argument was 2^63 or more and nothing was done (C2). */
export let trigOutOfRange: bool = false;

/** The reduced argument: sign, exponent, significand, quadrant. */
let rSign: bool = false;
let rExp: i32 = 0;
let rHi: u64 = 0;
let rLo: u64 = 0;
let quadrant: i32 = 0;

/** Reduces a finite non-zero |a| to at most pi / 4, exactly. */
function reduce(e: i32, m: u64): void {
  quadrant = 0;
  rSign = false;
  if (e < -1) {
    rExp = e;
    rHi = m;
    rLo = 0;
    return;
  }
  let h = m, l: u64 = 0;
  if (e < 0) {
    h = m >> 1;
    l = m << 63;
  } else {
    let carry = false;
    let q: u32 = 0;
    for (let i = e;; i--) {
      q <<= 1;
      if (
        carry || h > REDUCTION_HI || (h == REDUCTION_HI && l >= REDUCTION_LO)
      ) {
        h = h - REDUCTION_HI - u64(l < REDUCTION_LO);
        l -= REDUCTION_LO;
        q |= 1;
      }
      if (i == 0) break;
      carry = i64(h) < 0;
      h = (h << 1) | (l >> 63);
      l <<= 1;
    }
    quadrant = i32(q & 3);
  }
  const ch = REDUCTION_HI - h - u64(REDUCTION_LO < l);
  const cl = REDUCTION_LO - l;
  if (h > ch || (h == ch && l > cl)) {
    h = ch;
    l = cl;
    rSign = true;
    quadrant = (quadrant + 1) & 3;
  }
  kSet(rSign, 0, h, l);
  rExp = kExp;
  rHi = kHi;
  rLo = kLo;
}

/** kernel = sin or cos of the reduced argument itself (`cosine`). */
function reducedSinCos(cosine: bool): void {
  xMul(false, rExp, rHi, rLo, rExp, rHi, rLo);
  xFraction();
  if (cosine) {
    series(COS_SERIES, 18, wHi, wLo, true);
    kSet(false, 0, wHi, wLo);
  } else {
    series(SIN_SERIES, 18, wHi, wLo, true);
    xMul(rSign, rExp, rHi, rLo, 0, wHi, wLo);
  }
}

/** Rounds the kernel's value, known to be inexact, its sign turned or not. */
function roundInexact(negate: bool): void {
  kSet(kSign != negate, kExp, kHi, kLo | 1);
  roundF80(64);
}

/** Handles what all of FSIN, FCOS, FSINCOS, FPTAN do alike; false: done. */
function prepare(se: u32, m: u64): bool {
  trigOutOfRange = false;
  const c = classify(se, m);
  if (c >= QNAN) {
    propagateOne(c, se, m);
    return false;
  }
  if (c == INFINITY) {
    invalid();
    return false;
  }
  f80Set(se, m);
  if (c == ZERO) return true;
  if ((se & 0x7fff) >= 0x3fff + 63) {
    trigOutOfRange = true;
    return false;
  }
  if (c == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return false;
  }
  reduce(exponentOf(se, m), significandOf(m));
  return true;
}

function sine(se: u32, m: u64): void {
  if (m == 0) return;
  reducedSinCos((quadrant & 1) != 0);
  roundInexact(((se & 0x8000) != 0) != (quadrant >= 2));
}

function cosine(m: u64): void {
  if (m == 0) {
    f80Set(0x3fff, TOP);
    return;
  }
  reducedSinCos((quadrant & 1) == 0);
  roundInexact(quadrant == 1 || quadrant == 2);
}

/** FSIN. */
export function f80Sin(se: u32, m: u64): void {
  if (prepare(se, m)) sine(se, m);
}

/** FCOS. */
export function f80Cos(se: u32, m: u64): void {
  if (prepare(se, m)) cosine(m);
}

/** FSINCOS: sine as the result, cosine in cosineSe, cosineM. */
export function f80SinCos(se: u32, m: u64): void {
  const goOn = prepare(se, m);
  if (goOn) cosine(m);
  cosineSe = f80Se;
  cosineM = f80M;
  if (!goOn) return;
  f80Set(se, m);
  sine(se, m);
}

/** FPTAN: the tangent (1.0 is pushed by the instruction). */
export function f80Tan(se: u32, m: u64): void {
  if (!prepare(se, m) || m == 0) return;
  const odd = (quadrant & 1) != 0;
  if (!odd && rExp < -64) {
    // a (1 + a^2 / 3): just above a, which a quotient would not tell
    kSet(rSign, rExp, rHi, rLo);
    roundInexact((se & 0x8000) != 0);
    return;
  }
  reducedSinCos(true);
  const e = kExp, h = kHi, l = kLo;
  reducedSinCos(false);
  if (odd) xDiv(!kSign, e, h, l, kExp, kHi, kLo);
  else xDiv(kSign, kExp, kHi, kLo, e, h, l);
  roundInexact((se & 0x8000) != 0);
}

/** The result: an angle in Q2.126 with y's sign, inexact. */
function angle(signY: u32, hi: u64, lo: u64): void {
  kSet(signY != 0, 1, hi, lo | 1);
  roundF80(64);
}

/** wHi:wLo = hi:lo * n for a small n. */
function times(hi: u64, lo: u64, n: u64): void {
  const top = hi * n;
  mulWide(lo, n);
  wSet(wHi + top, wLo);
}

/** FPATAN: the angle of the point (x, y), y's sign. */
export function f80Atan2(seY: u32, mY: u64, seX: u32, mX: u64): void {
  const cy = classify(seY, mY), cx = classify(seX, mX);
  if (cx >= QNAN || cy >= QNAN) {
    propagateNaN(cx, seX, mX, cy, seY, mY);
    return;
  }
  if (cx == DENORMAL || cy == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  const signY = seY & 0x8000;
  const left = (seX & 0x8000) != 0;
  if (cy == INFINITY) {
    if (cx != INFINITY) angle(signY, HALF_PI_HI, HALF_PI_LO);
    else if (left) angle(signY, THREE_QUARTERS_PI_HI, THREE_QUARTERS_PI_LO);
    else angle(signY, HALF_PI_HI >> 1, (HALF_PI_HI << 63) | (HALF_PI_LO >> 1));
    return;
  }
  if (cx == INFINITY || cy == ZERO) {
    if (left) angle(signY, PI_HI, PI_LO);
    else f80Set(signY, 0);
    return;
  }
  if (cx == ZERO) {
    angle(signY, HALF_PI_HI, HALF_PI_LO);
    return;
  }
  let ne = exponentOf(seY, mY), n = significandOf(mY);
  let de = exponentOf(seX, mX), d = significandOf(mX);
  const steep = ne > de || (ne == de && n > d);
  if (steep) {
    const e = ne, m = n;
    ne = de;
    n = d;
    de = e;
    d = m;
  }
  // The nearest sixteenth to the ratio, by 12 bits of it.
  const below = de - ne;
  let i: i32 = 0;
  if (below < 8) {
    const ratio = divWide(n >> 1, n << 63, d);
    i = (i32(ratio >> u64(51 + below)) + 128) >> 8;
  }
  if (i == 0) xDiv(false, ne, n, 0, de, d, 0);
  let sign = false;
  if (i != 0) {
    // u = (16 n - i d) / (16 d + i n), exactly
    const c = u64(i);
    shiftRightSticky(n, 0, 14 + de - ne);
    const nh = wHi, nl = wLo;
    times(nh, nl, c);
    const inh = wHi, inl = wLo;
    shiftRightSticky(d, 0, 14);
    const dh = wHi, dl = wLo;
    times(dh, dl, c);
    const idh = wHi, idl = wLo;
    times(nh, nl, 16);
    let uh = wHi - idh - u64(wLo < idl);
    let ul = wLo - idl;
    sign = i64(uh) < 0;
    if (sign) {
      uh = ~uh + u64(ul == 0);
      ul = 0 - ul;
    }
    times(dh, dl, 16);
    const lo = wLo + inl;
    const hi = wHi + inh + u64(lo < inl);
    kSet(sign, 0, uh, ul);
    const ue = kExp, vh = kHi, vl = kLo;
    if (vh != 0) {
      kSet(false, 0, hi, lo);
      xDiv(sign, ue, vh, vl, kExp, kHi, kLo);
    }
  }
  // atan u = u (1 - u^2 / 3 + u^4 / 5 - ...)
  if (kHi != 0) {
    const e = kExp, h = kHi, l = kLo;
    xMul(false, e, h, l, e, h, l);
    xFraction();
    series(ODD_SERIES, 14, wHi, wLo, true);
    xMul(sign, e, h, l, 0, wHi, wLo);
    if (i == 0 && !steep && !left) {
      roundInexact(signY != 0);
      return;
    }
    shiftRightSticky(kHi, kLo, 1 - kExp);
  } else wSet(0, 0);
  // The angle of the ratio, Q2.126, then that of the octant.
  const at = ATAN_SIXTEENTHS + (usize(i) << 4);
  let ah = load<u64>(at), al = load<u64>(at, 8);
  if (sign) {
    ah = ah - wHi - u64(al < wLo);
    al -= wLo;
  } else {
    al += wLo;
    ah = ah + wHi + u64(al < wLo);
  }
  if (steep && left) {
    al += HALF_PI_LO;
    ah = ah + HALF_PI_HI + u64(al < HALF_PI_LO);
  } else if (steep) {
    ah = HALF_PI_HI - ah - u64(HALF_PI_LO < al);
    al = HALF_PI_LO - al;
  } else if (left) {
    ah = PI_HI - ah - u64(PI_LO < al);
    al = PI_LO - al;
  }
  angle(signY, ah, al);
}
