// SSE conversions: between f32, f64 and 32- and 64-bit integers, ROUNDxx, and
// the approximations RCPxx and RSQRTxx. Values are bits.
// Source: Intel SDM volume 2 (those instructions), volume 1, table 4-7.
import { kSet } from "./kernel";
import { roundF32, roundF64 } from "./round";
import { daz32, isDenormal32, isNaN32, isSignalling32 } from "./sse32";
import { daz64, isNaN64, isSignalling64 } from "./sse64";
import {
  DE,
  IE,
  native,
  PE,
  raise,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_ZERO,
  rounding,
} from "./state";

/** CVTSS2SD. */
export function f32ToF64(a: u32): u64 {
  a = daz32(a);
  const sign = u64(a & 0x80000000) << 32;
  const e = (a >> 23) & 0xff;
  const f = u64(a & 0x7fffff) << 29;
  if (e == 0xff) {
    if (f == 0) return sign | 0x7ff0000000000000;
    if (isSignalling32(a)) raise(IE);
    return sign | 0x7ff8000000000000 | f;
  }
  if (e != 0) return sign | (u64(e + 896) << 52) | f;
  if (f == 0) return sign;
  raise(DE);
  return sign | reinterpret<u64>(f64(reinterpret<f32>(a & 0x7fffffff)));
}

/** CVTSD2SS. */
export function f64ToF32(a: u64): u32 {
  a = daz64(a);
  const x = reinterpret<f64>(a);
  if (native) {
    const r = f32(x);
    const v = reinterpret<u32>(r);
    if (((v >> 23) & 0xff) - 2 < 0xfd) {
      if (f64(r) != x) raise(PE);
      return v;
    }
  }
  const sign = u32(a >> 32) & 0x80000000;
  if (isNaN64(a)) {
    if (isSignalling64(a)) raise(IE);
    return sign | 0x7fc00000 | (u32(a >> 29) & 0x3fffff);
  }
  if (a << 1 == 0) return sign;
  const e = i32(a >> 52) & 0x7ff;
  if (e == 0x7ff) return sign | 0x7f800000;
  if (e == 0) raise(DE);
  const f = (a & 0x000fffffffffffff) << 11;
  if (e == 0) kSet(sign != 0, -1022, f, 0);
  else kSet(sign != 0, e - 1023, f | 0x8000000000000000, 0);
  return roundF32(false);
}

/** x rounded to an integer under a rounding mode (ROUND_*). */
function integral(x: f64, mode: i32): f64 {
  if (mode == ROUND_NEAREST) return nearest<f64>(x);
  if (mode == ROUND_ZERO) return trunc<f64>(x);
  return mode == ROUND_DOWN ? floor<f64>(x) : ceil<f64>(x);
}

/** CVTSD2SI, CVTPD2DQ and (`truncate`) CVTTxx to 32 bits. */
export function f64ToI32(a: u64, truncate: bool): i32 {
  const x = reinterpret<f64>(daz64(a));
  const r = integral(x, truncate ? ROUND_ZERO : rounding);
  if (!(r >= -2147483648.0 && r <= 2147483647.0)) {
    raise(IE);
    return i32.MIN_VALUE;
  }
  if (r != x) raise(PE);
  return i32(r);
}

/** CVTSD2SI and (`truncate`) CVTTSD2SI to 64 bits. */
export function f64ToI64(a: u64, truncate: bool): i64 {
  const x = reinterpret<f64>(daz64(a));
  const r = integral(x, truncate ? ROUND_ZERO : rounding);
  if (!(r >= -9223372036854775808.0 && r < 9223372036854775808.0)) {
    raise(IE);
    return i64.MIN_VALUE;
  }
  if (r != x) raise(PE);
  return i64(r);
}

/** An f32 that may be a NaN as f64 bits, without flags. */
function widen(a: u32): u64 {
  if (isNaN32(a)) return 0x7ff8000000000000;
  return reinterpret<u64>(f64(reinterpret<f32>(daz32(a))));
}

/** CVTSS2SI, CVTPS2DQ, CVTPS2PI and (`truncate`) CVTTxx to 32 bits. */
export function f32ToI32(a: u32, truncate: bool): i32 {
  return f64ToI32(widen(a), truncate);
}

/** CVTSS2SI and (`truncate`) CVTTSS2SI to 64 bits. */
export function f32ToI64(a: u32, truncate: bool): i64 {
  return f64ToI64(widen(a), truncate);
}

/** CVTSI2SD, CVTDQ2PD, CVTPI2PD from 32 bits: exact. */
export function i32ToF64(v: i32): u64 {
  return reinterpret<u64>(f64(v));
}

function setInteger(v: i64): void {
  kSet(v < 0, 63, v < 0 ? u64(0) - u64(v) : u64(v), 0);
}

/** CVTSI2SD from 64 bits. */
export function i64ToF64(v: i64): u64 {
  if (v == 0) return 0;
  setInteger(v);
  return roundF64(false);
}

/** CVTSI2SS from 64 bits; CVTDQ2PS, CVTPI2PS and CVTSI2SS from 32. */
export function i64ToF32(v: i64): u32 {
  if (v == 0) return 0;
  setInteger(v);
  return roundF32(false);
}

/** The rounding mode an immediate of ROUNDxx asks for. */
function roundMode(imm: i32): i32 {
  return (imm & 4) != 0 ? rounding : imm & 3;
}

/** ROUNDSD, ROUNDPD: imm is mode, 4 = MXCSR's mode, 8 = no PE. */
export function f64Round(a: u64, imm: i32): u64 {
  a = daz64(a);
  if (isNaN64(a)) {
    if (isSignalling64(a)) raise(IE);
    return a | 0x0008000000000000;
  }
  const x = reinterpret<f64>(a);
  const r = integral(x, roundMode(imm));
  if (r != x && (imm & 8) == 0) raise(PE);
  return reinterpret<u64>(r) | (a & 0x8000000000000000);
}

/** ROUNDSS, ROUNDPS. */
export function f32Round(a: u32, imm: i32): u32 {
  a = daz32(a);
  if (isNaN32(a)) {
    if (isSignalling32(a)) raise(IE);
    return a | 0x00400000;
  }
  const x = f64(reinterpret<f32>(a));
  const r = integral(x, roundMode(imm));
  if (r != x && (imm & 8) == 0) raise(PE);
  return reinterpret<u32>(f32(r)) | (a & 0x80000000);
}

/** RCPSS, RCPPS: within 1.5 * 2^-12 of 1/a, no flags. */
export function f32Reciprocal(a: u32): u32 {
  const sign = a & 0x80000000;
  if (isNaN32(a)) return a | 0x00400000;
  if (a << 1 == 0 || isDenormal32(a)) return sign | 0x7f800000;
  const r = reinterpret<u32>(f32(1.0 / f64(reinterpret<f32>(a))));
  return isDenormal32(r) ? sign : r;
}

/** RSQRTSS, RSQRTPS: within 1.5 * 2^-12 of 1/sqrt(a), no flags. */
export function f32ReciprocalSqrt(a: u32): u32 {
  const sign = a & 0x80000000;
  if (isNaN32(a)) return a | 0x00400000;
  if (a << 1 == 0 || isDenormal32(a)) return sign | 0x7f800000;
  if (sign != 0) return 0xffc00000;
  return reinterpret<u32>(
    f32(1.0 / sqrt<f64>(f64(reinterpret<f32>(a)))),
  );
}
