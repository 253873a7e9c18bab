// SSE arithmetic in full: any rounding mode, any masks, DAZ, FTZ, every flag.
// One implementation for f32 and f64 (`single`), values as bits in a u64.
// sse32.ts and sse64.ts come here when native arithmetic cannot be used.
// Source: Intel SDM volume 1, 4.8.3.5, 10.2.3, 11.5; table 4-7 (NaNs).
import { TOP } from "./f80";
import { kAdd, kDiv, kHi, kMul, kSqrt } from "./kernel";
import { roundF32, roundF64 } from "./round";
import { daz, DE, IE, raise, ROUND_DOWN, rounding, ZE } from "./state";

export const ADD: i32 = 0;
export const SUB: i32 = 1;
export const MUL: i32 = 2;
export const DIV: i32 = 3;
export const SQRT: i32 = 4;

const SIGN64: u64 = 0x8000000000000000;
const SIGN32: u64 = 0x80000000;
const INF64: u64 = 0x7ff0000000000000;
const INF32: u64 = 0x7f800000;
const QUIET64: u64 = 0x0008000000000000;
const QUIET32: u64 = 0x00400000;

/** The top bit of a significand with an exponent of 0: plain 1.0. */

function exponent(v: u64, single: bool): i32 {
  if (single) {
    const e = i32(v >> 23) & 0xff;
    return e != 0 ? e - 127 : -86 - i32(clz(v & 0x7fffff));
  }
  const e = i32(v >> 52) & 0x7ff;
  return e != 0 ? e - 1023 : -1011 - i32(clz(v & 0x000fffffffffffff));
}

function significand(v: u64, single: bool): u64 {
  if (single) {
    const f = v & 0x7fffff;
    return (v & INF32) != 0 ? TOP | (f << 40) : f << clz(f);
  }
  const f = v & 0x000fffffffffffff;
  return (v & INF64) != 0 ? TOP | (f << 11) : f << clz(f);
}

function round(single: bool): u64 {
  return single ? u64(roundF32(false)) : roundF64(false);
}

/** a op b (SQRT: of a). Both operands and the result are f32 or f64 bits. */
export function sseSoft(op: i32, single: bool, a: u64, b: u64): u64 {
  const sign = single ? SIGN32 : SIGN64;
  const inf = single ? INF32 : INF64;
  const quiet = single ? QUIET32 : QUIET64;
  const least = single ? u64(0x800000) : u64(0x0010000000000000);
  const indefinite = sign | inf | quiet;
  let absA = a & ~sign, absB = b & ~sign;
  if (absA > inf || absB > inf) {
    const nanA = absA > inf, nanB = absB > inf;
    if ((nanA && (a & quiet) == 0) || (nanB && (b & quiet) == 0)) raise(IE);
    return (nanA ? a : b) | quiet;
  }
  let denormal = false;
  if (absA < least && absA != 0) {
    if (daz) absA = 0;
    else denormal = true;
  }
  if (absB < least && absB != 0) {
    if (daz) absB = 0;
    else denormal = true;
  }
  const sa = a & sign;
  let sb = b & sign;
  if (op == SQRT) {
    if (absA == 0) return sa;
    if (sa != 0) {
      raise(IE);
      return indefinite;
    }
    if (absA == inf) return a;
    if (denormal) raise(DE);
    kSqrt(exponent(a, single), significand(a, single));
    return round(single);
  }
  if (op == SUB) sb ^= sign;
  const s = sa ^ sb;
  if (op == MUL) {
    if (absA == inf || absB == inf) {
      if (absA == 0 || absB == 0) {
        raise(IE);
        return indefinite;
      }
      if (denormal) raise(DE);
      return s | inf;
    }
    if (denormal) raise(DE);
    if (absA == 0 || absB == 0) return s;
    kMul(
      s != 0,
      exponent(a, single),
      significand(a, single),
      false,
      exponent(b, single),
      significand(b, single),
    );
    return round(single);
  }
  if (op == DIV) {
    if ((absA == inf && absB == inf) || (absA == 0 && absB == 0)) {
      raise(IE);
      return indefinite;
    }
    if (absA == inf) {
      if (denormal) raise(DE);
      return s | inf;
    }
    if (absB == 0) {
      raise(ZE);
      return s | inf;
    }
    if (denormal) raise(DE);
    if (absA == 0 || absB == inf) return s;
    kDiv(
      s != 0,
      exponent(a, single),
      significand(a, single),
      false,
      exponent(b, single),
      significand(b, single),
    );
    return round(single);
  }
  if (absA == inf || absB == inf) {
    if (absA == absB && s != 0) {
      raise(IE);
      return indefinite;
    }
    if (denormal) raise(DE);
    return absA == inf ? sa | inf : sb | inf;
  }
  if (denormal) raise(DE);
  const zero = rounding == ROUND_DOWN ? sign : 0;
  if (absA == 0 && absB == 0) return s != 0 ? zero : sa;
  if (absA == 0 || absB == 0) {
    const v = absA == 0 ? b : a;
    kMul(
      (absA == 0 ? sb : sa) != 0,
      exponent(v, single),
      significand(v, single),
      false,
      0,
      TOP,
    );
    return round(single);
  }
  kAdd(
    sa != 0,
    exponent(a, single),
    significand(a, single),
    sb != 0,
    exponent(b, single),
    significand(b, single),
  );
  if (kHi == 0) return zero;
  return round(single);
}
