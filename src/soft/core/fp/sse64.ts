// SSE2 double-precision operations on f64 bits: native WebAssembly arithmetic
// where it provably gives the same result and flags, sse_soft.ts otherwise.
//
// Native is right when rounding is to nearest, everything is masked, no operand
// is denormal and the result is normal and above the least normal (which an
// underflow may round to). Then the only flag is PE: nothing to find out once
// it is set (it is sticky), otherwise decided exactly from the operands.
import { ADD, DIV, MUL, SQRT, sseSoft, SUB } from "./sse_soft";
import { daz, DE, flags, IE, native, PE, raise } from "./state";
import { EQUAL, GREATER, LESS, UNORDERED } from "./f80";

const SIGN: u64 = 0x8000000000000000;
const INF: u64 = 0x7ff0000000000000;
const QUIET: u64 = 0x0008000000000000;
const FRACTION: u64 = 0x000fffffffffffff;

/** Whether v is denormal (and not zero). */
export function isDenormal64(v: u64): bool {
  return (v << 1) - 1 < 0x001fffffffffffff;
}

export function isNaN64(v: u64): bool {
  return (v & ~SIGN) > INF;
}

/** Whether v is a NaN with its quiet bit clear. */
export function isSignalling64(v: u64): bool {
  return (v & ~SIGN) > INF && (v & QUIET) == 0;
}

/** Whether v is normal and greater than the least normal's binade. */
function safe(v: u64): bool {
  return (u32(v >> 52) & 0x7ff) - 2 < 0x7fd;
}

/** The significand of a normal number without its trailing zeros. */
function odd(v: u64): u64 {
  const m = (v & FRACTION) | 0x0010000000000000;
  return m >> ctz(m);
}

/** Whether x * y of odd significands has at most 53 bits; then oddProduct. */
function fits(x: u64, y: u64): bool {
  return clz(x) + clz(y) >= 74 && (x * y) >> 53 == 0;
}

function addNative(x: f64, y: f64, a: u64, b: u64, op: i32): u64 {
  const r = x + y;
  const v = reinterpret<u64>(r);
  if (
    (!safe(v) && v << 1 != 0) || isDenormal64(a) || isDenormal64(b)
  ) return sseSoft(op, false, a, b);
  if ((flags & PE) == 0) {
    // Knuth's exact error of a sum.
    const t = r - x;
    if ((x - (r - t)) + (y - t) != 0) raise(PE);
  }
  return v;
}

/** a + b. */
export function f64Add(a: u64, b: u64): u64 {
  if (!native) return sseSoft(ADD, false, a, b);
  return addNative(reinterpret<f64>(a), reinterpret<f64>(b), a, b, ADD);
}

/** a - b. */
export function f64Sub(a: u64, b: u64): u64 {
  if (!native) return sseSoft(SUB, false, a, b);
  return addNative(reinterpret<f64>(a), -reinterpret<f64>(b), a, b, SUB);
}

/** a * b. */
export function f64Mul(a: u64, b: u64): u64 {
  if (native && !isDenormal64(a) && !isDenormal64(b)) {
    const v = reinterpret<u64>(reinterpret<f64>(a) * reinterpret<f64>(b));
    if (safe(v)) {
      if ((flags & PE) == 0 && !fits(odd(a), odd(b))) raise(PE);
      return v;
    }
    if (v << 1 == 0 && (a << 1 == 0 || b << 1 == 0)) return v;
  }
  return sseSoft(MUL, false, a, b);
}

/** a / b. */
export function f64Div(a: u64, b: u64): u64 {
  if (native && !isDenormal64(a) && !isDenormal64(b)) {
    const v = reinterpret<u64>(reinterpret<f64>(a) / reinterpret<f64>(b));
    if (safe(v)) {
      if ((flags & PE) == 0) {
        const q = odd(v), d = odd(b);
        if (!fits(q, d) || q * d != odd(a)) raise(PE);
      }
      return v;
    }
  }
  return sseSoft(DIV, false, a, b);
}

/** The square root of a. */
export function f64Sqrt(a: u64): u64 {
  if (native && i64(a) > 0 && safe(a)) {
    const v = reinterpret<u64>(sqrt<f64>(reinterpret<f64>(a)));
    if ((flags & PE) == 0) {
      const q = odd(v);
      if (!fits(q, q) || q * q != odd(a)) raise(PE);
    }
    return v;
  }
  return sseSoft(SQRT, false, a, 0);
}

/** A denormal taken for zero under DAZ. */
export function daz64(v: u64): u64 {
  return daz && isDenormal64(v) ? v & SIGN : v;
}

function raiseForOrder(a: u64, b: u64): void {
  if (isNaN64(a) || isNaN64(b)) raise(IE);
  else if (isDenormal64(a) || isDenormal64(b)) raise(DE);
}

/** MINSD: b when either is a NaN or both are zeros. */
export function f64Min(a: u64, b: u64): u64 {
  a = daz64(a);
  b = daz64(b);
  raiseForOrder(a, b);
  return reinterpret<f64>(a) < reinterpret<f64>(b) ? a : b;
}

/** MAXSD: b when either is a NaN or both are zeros. */
export function f64Max(a: u64, b: u64): u64 {
  a = daz64(a);
  b = daz64(b);
  raiseForOrder(a, b);
  return reinterpret<f64>(a) > reinterpret<f64>(b) ? a : b;
}

/**
 * EQUAL, LESS, GREATER or UNORDERED (f80.ts). `quiet` (UCOMISD): a QNaN
 * raises nothing.
 */
export function f64Relation(a: u64, b: u64, quiet: bool): i32 {
  a = daz64(a);
  b = daz64(b);
  if (isNaN64(a) || isNaN64(b)) {
    if (!quiet || isSignalling64(a) || isSignalling64(b)) raise(IE);
    return UNORDERED;
  }
  if (isDenormal64(a) || isDenormal64(b)) raise(DE);
  const x = reinterpret<f64>(a), y = reinterpret<f64>(b);
  if (x == y) return EQUAL;
  return x < y ? LESS : GREATER;
}

/** Whether CMPxx's predicate (0 to 7) holds for a relation. */
export function predicateHolds(predicate: i32, relation: i32): bool {
  let holds: bool;
  switch (predicate & 3) {
    case 0:
      holds = relation == EQUAL;
      break;
    case 1:
      holds = relation == LESS;
      break;
    case 2:
      holds = relation == LESS || relation == EQUAL;
      break;
    default:
      holds = relation == UNORDERED;
  }
  return holds != ((predicate & 4) != 0);
}

/** Whether CMPxx's predicate raises IE for a QNaN: LT, LE, NLT, NLE. */
export function predicateSignals(predicate: i32): bool {
  const p = predicate & 3;
  return p == 1 || p == 2;
}

/** CMPSD: all ones or zero. */
export function f64Cmp(a: u64, b: u64, predicate: i32): u64 {
  const relation = f64Relation(a, b, !predicateSignals(predicate));
  return predicateHolds(predicate, relation) ? u64(-1) : 0;
}
