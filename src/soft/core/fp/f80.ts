// x87 arithmetic on 80-bit numbers (sign and exponent word, significand), the
// result in f80Se:f80M (round.ts), flags and C1 in state.ts. The caller asks
// `x87Stores` before it writes. Source: Intel SDM volume 1, 4.8.3 and 8.5,
// table 4-7 (NaN selection).
import { kAdd, kDiv, kHi, kMul, kSqrt } from "./kernel";
import { f80Set, roundF80 } from "./round";
import { DE, IE, precision, raise, ROUND_DOWN, rounding, ZE } from "./state";

/** Classes of an 80-bit number; the NaN-like ones are the greatest. */
export const ZERO: i32 = 0;
export const NORMAL: i32 = 1;
export const DENORMAL: i32 = 2;
export const INFINITY: i32 = 3;
export const QNAN: i32 = 4;
export const SNAN: i32 = 5;
/** Encodings without a meaning: unnormals, pseudo-NaNs, pseudo-infinities. */
export const UNSUPPORTED: i32 = 6;

/** A significand's integer bit. */
export const TOP: u64 = 0x8000000000000000;
/** What makes a NaN's significand quiet. */
export const QUIET: u64 = 0x4000000000000000;

/**
 * The DE flag of a memory operand already widened to 80 bits (where it is a
 * normal number). The next arithmetic operation takes it.
 */
let operandFlags: i32 = 0;

/** Notes DE for the second operand of the next operation. */
export function noteOperandFlags(f: i32): void {
  operandFlags = f;
}

export function classify(se: u32, m: u64): i32 {
  const e = se & 0x7fff;
  if (e == 0) return m == 0 ? ZERO : DENORMAL;
  if ((m & TOP) == 0) return UNSUPPORTED;
  if (e != 0x7fff) return NORMAL;
  if (m == TOP) return INFINITY;
  return (m & QUIET) != 0 ? QNAN : SNAN;
}

/** The exponent of the top bit of a finite number's normalised significand. */
export function exponentOf(se: u32, m: u64): i32 {
  const e = se & 0x7fff;
  return e == 0 ? -16382 - i32(clz(m)) : i32(e) - 16383;
}

/** A finite number's significand shifted up to have its top bit set. */
export function significandOf(m: u64): u64 {
  return m << clz(m);
}

/** Raises IE and sets the result to the QNaN floating-point indefinite. */
export function invalid(): void {
  raise(IE);
  f80Set(0xffff, 0xc000000000000000);
}

/** Handles operands of which one at least is a NaN or unsupported. */
export function propagateNaN(
  ca: i32,
  seA: u32,
  mA: u64,
  cb: i32,
  seB: u32,
  mB: u64,
): void {
  operandFlags = 0;
  if (ca == UNSUPPORTED || cb == UNSUPPORTED) {
    invalid();
    return;
  }
  if (ca == SNAN || cb == SNAN) raise(IE);
  let first: bool;
  if (cb < QNAN) first = true;
  else if (ca < QNAN) first = false;
  else if (ca != cb) first = ca == QNAN;
  else if (mA != mB) first = mA > mB;
  else first = (seA & 0x8000) == 0;
  if (first) f80Set(seA, mA | QUIET);
  else f80Set(seB, mB | QUIET);
}

/** Handles a single NaN or unsupported operand. */
export function propagateOne(c: i32, se: u32, m: u64): void {
  operandFlags = 0;
  if (c == UNSUPPORTED) {
    invalid();
    return;
  }
  if (c == SNAN) raise(IE);
  f80Set(se, m | QUIET);
}

function raiseDenormal(ca: i32, cb: i32): void {
  raise(operandFlags);
  operandFlags = 0;
  if (ca == DENORMAL || cb == DENORMAL) raise(DE);
}

function addSigned(seA: u32, mA: u64, seB: u32, mB: u64, flip: u32): void {
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    propagateNaN(ca, seA, mA, cb, seB, mB);
    return;
  }
  const sb = seB ^ flip;
  const differ = ((seA ^ sb) & 0x8000) != 0;
  if (ca == INFINITY || cb == INFINITY) {
    if (ca == cb && differ) {
      operandFlags = 0;
      invalid();
      return;
    }
    raiseDenormal(ca, cb);
    f80Set((ca == INFINITY ? seA : sb) | 0x7fff, TOP);
    return;
  }
  raiseDenormal(ca, cb);
  const zeroSign: u32 = rounding == ROUND_DOWN ? 0x8000 : 0;
  if (ca == ZERO && cb == ZERO) {
    f80Set(differ ? zeroSign : seA & 0x8000, 0);
    return;
  }
  const ea = exponentOf(seA, mA), eb = exponentOf(sb, mB);
  if (cb == ZERO) {
    kMul((seA & 0x8000) != 0, ea, significandOf(mA), false, 0, TOP);
  } else if (ca == ZERO) {
    kMul((sb & 0x8000) != 0, eb, significandOf(mB), false, 0, TOP);
  } else {
    kAdd(
      (seA & 0x8000) != 0,
      ea,
      significandOf(mA),
      (sb & 0x8000) != 0,
      eb,
      significandOf(mB),
    );
    if (kHi == 0) {
      f80Set(zeroSign, 0);
      return;
    }
  }
  roundF80(precision);
}

/** a + b. */
export function f80Add(seA: u32, mA: u64, seB: u32, mB: u64): void {
  addSigned(seA, mA, seB, mB, 0);
}

/** a - b. */
export function f80Sub(seA: u32, mA: u64, seB: u32, mB: u64): void {
  addSigned(seA, mA, seB, mB, 0x8000);
}

/** a * b. */
export function f80Mul(seA: u32, mA: u64, seB: u32, mB: u64): void {
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    propagateNaN(ca, seA, mA, cb, seB, mB);
    return;
  }
  const sign = (seA ^ seB) & 0x8000;
  if (ca == INFINITY || cb == INFINITY) {
    if (ca == ZERO || cb == ZERO) {
      operandFlags = 0;
      invalid();
      return;
    }
    raiseDenormal(ca, cb);
    f80Set(sign | 0x7fff, TOP);
    return;
  }
  raiseDenormal(ca, cb);
  if (ca == ZERO || cb == ZERO) {
    f80Set(sign, 0);
    return;
  }
  kMul(
    sign != 0,
    exponentOf(seA, mA),
    significandOf(mA),
    false,
    exponentOf(seB, mB),
    significandOf(mB),
  );
  roundF80(precision);
}

/** a / b. */
export function f80Div(seA: u32, mA: u64, seB: u32, mB: u64): void {
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    propagateNaN(ca, seA, mA, cb, seB, mB);
    return;
  }
  const sign = (seA ^ seB) & 0x8000;
  if (ca == cb && (ca == INFINITY || ca == ZERO)) {
    operandFlags = 0;
    invalid();
    return;
  }
  if (ca == INFINITY) {
    raiseDenormal(ca, cb);
    f80Set(sign | 0x7fff, TOP);
    return;
  }
  if (cb == ZERO) {
    // A denormal dividend is not reported beside ZE.
    operandFlags = 0;
    raise(ZE);
    f80Set(sign | 0x7fff, TOP);
    return;
  }
  raiseDenormal(ca, cb);
  if (ca == ZERO || cb == INFINITY) {
    f80Set(sign, 0);
    return;
  }
  kDiv(
    sign != 0,
    exponentOf(seA, mA),
    significandOf(mA),
    false,
    exponentOf(seB, mB),
    significandOf(mB),
  );
  roundF80(precision);
}

/** The square root of a. */
export function f80Sqrt(se: u32, m: u64): void {
  const c = classify(se, m);
  if (c >= QNAN) {
    propagateOne(c, se, m);
    return;
  }
  if (c == ZERO) {
    f80Set(se, m);
    return;
  }
  if ((se & 0x8000) != 0) {
    invalid();
    return;
  }
  if (c == INFINITY) {
    f80Set(se, m);
    return;
  }
  raiseDenormal(c, ZERO);
  kSqrt(exponentOf(se, m), significandOf(m));
  roundF80(precision);
}

/** Results of a comparison; `UNORDERED` raised IE if it had to. */
export const EQUAL: i32 = 0;
export const LESS: i32 = 1;
export const GREATER: i32 = 2;
export const UNORDERED: i32 = 3;

/**
 * Compares a with b. `quiet` (FUCOM): a QNaN raises nothing.
 */
export function f80Compare(
  seA: u32,
  mA: u64,
  seB: u32,
  mB: u64,
  quiet: bool,
): i32 {
  const ca = classify(seA, mA), cb = classify(seB, mB);
  if (ca >= QNAN || cb >= QNAN) {
    operandFlags = 0;
    if (!quiet || ca > QNAN || cb > QNAN) raise(IE);
    return UNORDERED;
  }
  raiseDenormal(ca, cb);
  if (ca == ZERO && cb == ZERO) return EQUAL;
  const sa = (seA & 0x8000) != 0;
  if (cb == ZERO) return sa ? LESS : GREATER;
  const sb = (seB & 0x8000) != 0;
  if (ca == ZERO || sa != sb) return sb ? GREATER : LESS;
  const ea = ca == INFINITY ? 0x7fff : exponentOf(seA, mA);
  const eb = cb == INFINITY ? 0x7fff : exponentOf(seB, mB);
  const na = significandOf(mA), nb = significandOf(mB);
  if (ea == eb && na == nb) return EQUAL;
  const less = ea < eb || (ea == eb && na < nb);
  return less != sa ? LESS : GREATER;
}
