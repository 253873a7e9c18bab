// SSE single-precision operations on f32 bits: native WebAssembly arithmetic
// where it provably gives the same result and flags, sse_soft.ts otherwise
// (the conditions are sse64.ts's).
import { ADD, DIV, MUL, SQRT, sseSoft, SUB } from "./sse_soft";
import { daz, DE, flags, IE, native, PE, raise } from "./state";
import { predicateHolds, predicateSignals } from "./sse64";
import { EQUAL, GREATER, LESS, UNORDERED } from "./f80";

const SIGN: u32 = 0x80000000;
const INF: u32 = 0x7f800000;
const QUIET: u32 = 0x00400000;

/** Whether v is denormal (and not zero). */
export function isDenormal32(v: u32): bool {
  return (v << 1) - 1 < 0x00ffffff;
}

export function isNaN32(v: u32): bool {
  return (v & ~SIGN) > INF;
}

/** Whether v is a NaN with its quiet bit clear. */
export function isSignalling32(v: u32): bool {
  return (v & ~SIGN) > INF && (v & QUIET) == 0;
}

/** Whether v is normal and greater than the least normal's binade. */
function safe(v: u32): bool {
  return ((v >> 23) & 0xff) - 2 < 0xfd;
}

function soft(op: i32, a: u32, b: u32): u32 {
  return u32(sseSoft(op, true, a, b));
}

function addNative(x: f32, y: f32, a: u32, b: u32, op: i32): u32 {
  const r = x + y;
  const v = reinterpret<u32>(r);
  if (
    (!safe(v) && v << 1 != 0) || isDenormal32(a) || isDenormal32(b)
  ) return soft(op, a, b);
  if ((flags & PE) == 0) {
    // Knuth's exact error of a sum.
    const t = r - x;
    if ((x - (r - t)) + (y - t) != 0) raise(PE);
  }
  return v;
}

/** a + b. */
export function f32Add(a: u32, b: u32): u32 {
  if (!native) return soft(ADD, a, b);
  return addNative(reinterpret<f32>(a), reinterpret<f32>(b), a, b, ADD);
}

/** a - b. */
export function f32Sub(a: u32, b: u32): u32 {
  if (!native) return soft(SUB, a, b);
  return addNative(reinterpret<f32>(a), -reinterpret<f32>(b), a, b, SUB);
}

/** a * b. */
export function f32Mul(a: u32, b: u32): u32 {
  if (native && !isDenormal32(a) && !isDenormal32(b)) {
    const x = reinterpret<f32>(a), y = reinterpret<f32>(b);
    const r = x * y;
    const v = reinterpret<u32>(r);
    if (safe(v)) {
      // The product of two f32 is exact in f64.
      if ((flags & PE) == 0 && f64(r) != f64(x) * f64(y)) raise(PE);
      return v;
    }
    if (v << 1 == 0 && (a << 1 == 0 || b << 1 == 0)) return v;
  }
  return soft(MUL, a, b);
}

/** a / b. */
export function f32Div(a: u32, b: u32): u32 {
  if (native && !isDenormal32(a) && !isDenormal32(b)) {
    const x = reinterpret<f32>(a), y = reinterpret<f32>(b);
    const r = x / y;
    const v = reinterpret<u32>(r);
    if (safe(v)) {
      if ((flags & PE) == 0 && f64(r) * f64(y) != f64(x)) raise(PE);
      return v;
    }
  }
  return soft(DIV, a, b);
}

/** The square root of a. */
export function f32Sqrt(a: u32): u32 {
  if (native && i32(a) > 0 && safe(a)) {
    const x = reinterpret<f32>(a);
    const r = sqrt<f32>(x);
    if ((flags & PE) == 0 && f64(r) * f64(r) != f64(x)) raise(PE);
    return reinterpret<u32>(r);
  }
  return soft(SQRT, a, 0);
}

/** A denormal taken for zero under DAZ. */
export function daz32(v: u32): u32 {
  return daz && isDenormal32(v) ? v & SIGN : v;
}

function raiseForOrder(a: u32, b: u32): void {
  if (isNaN32(a) || isNaN32(b)) raise(IE);
  else if (isDenormal32(a) || isDenormal32(b)) raise(DE);
}

/** MINSS: b when either is a NaN or both are zeros. */
export function f32Min(a: u32, b: u32): u32 {
  a = daz32(a);
  b = daz32(b);
  raiseForOrder(a, b);
  return reinterpret<f32>(a) < reinterpret<f32>(b) ? a : b;
}

/** MAXSS: b when either is a NaN or both are zeros. */
export function f32Max(a: u32, b: u32): u32 {
  a = daz32(a);
  b = daz32(b);
  raiseForOrder(a, b);
  return reinterpret<f32>(a) > reinterpret<f32>(b) ? a : b;
}

/**
 * EQUAL, LESS, GREATER or UNORDERED (f80.ts). `quiet` (UCOMISS): a QNaN
 * raises nothing.
 */
export function f32Relation(a: u32, b: u32, quiet: bool): i32 {
  a = daz32(a);
  b = daz32(b);
  if (isNaN32(a) || isNaN32(b)) {
    if (!quiet || isSignalling32(a) || isSignalling32(b)) raise(IE);
    return UNORDERED;
  }
  if (isDenormal32(a) || isDenormal32(b)) raise(DE);
  const x = reinterpret<f32>(a), y = reinterpret<f32>(b);
  if (x == y) return EQUAL;
  return x < y ? LESS : GREATER;
}

/** CMPSS: all ones or zero. */
export function f32Cmp(a: u32, b: u32, predicate: i32): u32 {
  const relation = f32Relation(a, b, !predicateSignals(predicate));
  return predicateHolds(predicate, relation) ? u32(-1) : 0;
}
