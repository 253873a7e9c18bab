// Conversions between 80-bit numbers and f32, f64, integers and packed BCD, as
// FLD, FILD, FBLD, FST, FIST, FISTT and FBSTP make them.
// Source: Intel SDM volume 2 (those instructions), volume 1, table 4-13.
import { kSet } from "./kernel";
import { f80Set, rInexact, roundBits, roundF32, roundF64, rUp } from "./round";
import {
  classify,
  DENORMAL,
  exponentOf,
  INFINITY,
  NORMAL,
  noteOperandFlags,
  QNAN,
  QUIET,
  significandOf,
  SNAN,
  TOP,
  UNSUPPORTED,
  ZERO,
} from "./f80";
import {
  DE,
  IE,
  masks,
  PE,
  raise,
  ROUND_ZERO,
  rounding,
  setRoundedUp,
  setRounding,
} from "./state";
import { shiftRightSticky, wHi, wLo } from "./wide";

function widen64(v: u64): i32 {
  const sign = u32(v >> 48) & 0x8000;
  const e = u32(v >> 52) & 0x7ff;
  const f = v & 0x000fffffffffffff;
  if (e == 0x7ff) {
    f80Set(sign | 0x7fff, TOP | (f << 11));
    if (f == 0) return INFINITY;
    return (f >> 51) != 0 ? QNAN : SNAN;
  }
  if (e != 0) {
    f80Set(sign | (e + 15360), TOP | (f << 11));
    return NORMAL;
  }
  if (f == 0) {
    f80Set(sign, 0);
    return ZERO;
  }
  const z = u32(clz(f));
  f80Set(sign | (15372 - z), f << z);
  return DENORMAL;
}

function widen32(v: u32): i32 {
  const sign = (v >> 16) & 0x8000;
  const e = (v >> 23) & 0xff;
  const f = u64(v & 0x7fffff) << 40;
  if (e == 0xff) {
    f80Set(sign | 0x7fff, TOP | f);
    if (f == 0) return INFINITY;
    return (f >> 62) != 0 ? QNAN : SNAN;
  }
  if (e != 0) {
    f80Set(sign | (e + 16256), TOP | f);
    return NORMAL;
  }
  if (f == 0) {
    f80Set(sign, 0);
    return ZERO;
  }
  const z = u32(clz(f));
  f80Set(sign | (16257 - z), f << z);
  return DENORMAL;
}

/**
 * FLD m64: a denormal raises DE, an SNaN IE and becomes quiet. FLD pushes
 * even when DE is unmasked; only an unmasked IE keeps it from doing so.
 */
export function f80FromF64(v: u64): void {
  const c = widen64(v);
  if (c == DENORMAL) raise(DE);
  else if (c == SNAN) {
    raise(IE);
    widen64(v | 0x0008000000000000);
  }
}

/** FLD m32. */
export function f80FromF32(v: u32): void {
  const c = widen32(v);
  if (c == DENORMAL) raise(DE);
  else if (c == SNAN) {
    raise(IE);
    widen32(v | 0x00400000);
  }
}

/**
 * Widens an m64 operand of an arithmetic instruction: an SNaN stays one, and
 * DE is left to the operation, which may have a reason not to raise it.
 */
export function f80OperandF64(v: u64): void {
  noteOperandFlags(widen64(v) == DENORMAL ? DE : 0);
}

/** Widens an m32 operand of an arithmetic instruction. */
export function f80OperandF32(v: u32): void {
  noteOperandFlags(widen32(v) == DENORMAL ? DE : 0);
}

/** FILD and integer operands: exact. */
export function f80FromI64(v: i64): void {
  if (v == 0) {
    f80Set(0, 0);
    return;
  }
  const sign: u32 = v < 0 ? 0x8000 : 0;
  const m = v < 0 ? u64(0) - u64(v) : u64(v);
  const z = u32(clz(m));
  f80Set(sign | (16446 - z), m << z);
}

/** FST m64; when OE or UE is unmasked and raised, nothing is to be stored. */
export function f80ToF64(se: u32, m: u64): u64 {
  const c = classify(se, m);
  const sign = u64(se & 0x8000) << 48;
  if (c == ZERO) return sign;
  if (c == INFINITY) return sign | 0x7ff0000000000000;
  if (c == UNSUPPORTED) {
    raise(IE);
    return 0xfff8000000000000;
  }
  if (c >= QNAN) {
    if (c == SNAN) raise(IE);
    return sign | 0x7ff8000000000000 | ((m & ~TOP) >> 11);
  }
  kSet((se & 0x8000) != 0, exponentOf(se, m), significandOf(m), 0);
  return roundF64(true);
}

/** FST m32. */
export function f80ToF32(se: u32, m: u64): u32 {
  const c = classify(se, m);
  const sign = (se & 0x8000) << 16;
  if (c == ZERO) return sign;
  if (c == INFINITY) return sign | 0x7f800000;
  if (c == UNSUPPORTED) {
    raise(IE);
    return 0xffc00000;
  }
  if (c >= QNAN) {
    if (c == SNAN) raise(IE);
    return sign | 0x7fc00000 | u32((m & ~TOP) >> 40);
  }
  kSet((se & 0x8000) != 0, exponentOf(se, m), significandOf(m), 0);
  return roundF32(true);
}

/** Whether the last `roundMagnitude` left 64 bits. */
let magnitudeTooLarge: bool = false;

/** |a| of a finite number rounded to an integer below 2^64. */
function roundMagnitude(sign: bool, e: i32, m: u64): u64 {
  magnitudeTooLarge = e > 63;
  if (magnitudeTooLarge) return 0;
  shiftRightSticky(m, 0, 63 - e);
  const v = roundBits(sign, wHi, wLo, 64);
  magnitudeTooLarge = rUp && v == 0;
  return v;
}

/**
 * FIST and FISTTP (`truncate`) to an integer of `bits` bits, sign-extended.
 * NaNs and numbers out of range raise IE and give the integer indefinite.
 */
export function f80ToInt(se: u32, m: u64, bits: i32, truncate: bool): i64 {
  const indefinite = i64(u64(-1) << (bits - 1));
  const c = classify(se, m);
  if (c == ZERO) return 0;
  if (c >= INFINITY) {
    raise(IE);
    return indefinite;
  }
  const sign = (se & 0x8000) != 0;
  const saved = rounding;
  if (truncate) setRounding(ROUND_ZERO);
  const v = roundMagnitude(sign, exponentOf(se, m), significandOf(m));
  setRounding(saved);
  const limit = (u64(1) << (bits - 1)) - u64(!sign);
  if (magnitudeTooLarge || v > limit) {
    raise(IE);
    return indefinite;
  }
  if (rInexact) raise(PE);
  setRoundedUp(rUp);
  return sign ? i64(0 - v) : i64(v);
}

/** FRNDINT. */
export function f80RoundToInt(se: u32, m: u64): void {
  const c = classify(se, m);
  f80Set(se, m);
  if (c == UNSUPPORTED) {
    raise(IE);
    f80Set(0xffff, 0xc000000000000000);
    return;
  }
  if (c == SNAN) {
    raise(IE);
    f80Set(se, m | QUIET);
    return;
  }
  if (c == ZERO || c >= INFINITY) return;
  if (c == DENORMAL) {
    raise(DE);
    if ((masks & DE) == 0) return;
  }
  const e = exponentOf(se, m);
  if (e >= 63) return;
  const sign = (se & 0x8000) != 0;
  const v = roundMagnitude(sign, e, significandOf(m));
  if (rInexact) raise(PE);
  setRoundedUp(rUp);
  if (v == 0) f80Set(se & 0x8000, 0);
  else {
    const z = u32(clz(v));
    f80Set((se & 0x8000) | (16446 - z), v << z);
  }
}

/**
 * FBLD: 18 decimal digits, `lo` the first eight bytes, `hi` the last two
 * (digits in its low byte, sign in bit 15). Digits above 9 give what their
 * weights give (undefined by the manual).
 */
export function f80FromBcd(lo: u64, hi: u32): void {
  let v: u64 = 0;
  v = u64((hi >> 4) & 15) * 10 + u64(hi & 15);
  for (let i = 60; i >= 0; i -= 4) v = v * 10 + ((lo >> i) & 15);
  const sign = hi & 0x8000;
  if (v == 0) {
    f80Set(sign, 0);
    return;
  }
  const z = u32(clz(v));
  f80Set(sign | (16446 - z), v << z);
}

/** FBSTP's result: low eight bytes, and the last two. */
export let bcdLo: u64 = 0;
export let bcdHi: u32 = 0;

/** FBSTP into bcdLo, bcdHi; NaNs and |a| >= 10^18 give the BCD indefinite. */
export function f80ToBcd(se: u32, m: u64): void {
  const c = classify(se, m);
  bcdLo = 0;
  bcdHi = se & 0x8000;
  if (c == ZERO) return;
  const sign = (se & 0x8000) != 0;
  let v: u64 = 0;
  let ok = c < INFINITY;
  if (ok) {
    v = roundMagnitude(sign, exponentOf(se, m), significandOf(m));
    ok = !magnitudeTooLarge && v < 1000000000000000000;
  }
  if (!ok) {
    raise(IE);
    bcdLo = 0xc000000000000000;
    bcdHi = 0xffff;
    return;
  }
  if (rInexact) raise(PE);
  setRoundedUp(rUp);
  for (let i = 0; i < 64; i += 4) {
    const q = v / 10;
    bcdLo |= (v - q * 10) << i;
    v = q;
  }
  bcdHi |= u32(v / 10) << 4 | u32(v % 10);
}
