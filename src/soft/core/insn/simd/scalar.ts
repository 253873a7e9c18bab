// SSE floating point of one element, and its conversions. Each has a quick way
// (quick.ts); every other case goes through fp/sse*.ts as the vectors do.
// U is the bits' type (u32, u64), F the number's. Source: SDM vol. 1 chapter
// 11, vol. 2.
import { flagsSet, setArith, setZF } from "../../cpu/flags";
import { EQUAL, GREATER, LESS } from "../../fp/f80";
import { f32Relation } from "../../fp/sse32";
import { f64Relation } from "../../fp/sse64";
import {
  f32ToF64,
  f32ToI32,
  f32ToI64,
  f64ToF32,
  f64ToI32,
  f64ToI64,
  i64ToF32,
  i64ToF64,
} from "../../fp/sse_convert";
import { FAULT } from "../../layout";
import {
  allrm,
  def,
  Handler,
  hm,
  hr,
  M_0F,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
  SZ_Y,
} from "../../code/optable";
import { REC, rReg, rRm } from "../../code/record";
import { sseReady, xmmReg, xmmRm } from "./operands";
import { begin, op32, op64, settled } from "./float";
import {
  ADD,
  DIV,
  fits,
  isDenormal,
  MAX,
  mayBeQuick,
  MIN,
  MUL,
  native,
  ordinary,
  quick,
  SQRT,
  SUB,
} from "./quick";
import { ldmI } from "../../code/operand";
import { RFLAGS_CF, RFLAGS_PF, RFLAGS_ZF } from "../../x86/flags";

/** The source: register or memory; FAULT set when it cannot be read. */
@inline
function source<U>(p: usize, mem: bool): U {
  return mem ? ldmI<U>(p) : load<U>(xmmRm(p));
}

// --- arithmetic

function carefully<U>(p: usize, op: u32, b: U): usize {
  const d = xmmReg(p);
  begin();
  const r: U = sizeof<U>() == 8
    ? <U> op64(op, load<u64>(d), b)
    : <U> op32(op, load<u32>(d), <u32> b);
  if (!settled()) return 0;
  store<U>(d, r);
  return p + REC;
}

@inline
function scalar<U, F>(p: usize, op: u32, mem: bool): usize {
  if (!sseReady()) return 0;
  const b = source<U>(p, mem);
  if (mem && load<u32>(FAULT)) return 0;
  const d = xmmReg(p);
  const a = load<U>(d);
  if (mayBeQuick(op)) {
    const r = native<F>(op, reinterpret<F>(a), reinterpret<F>(b));
    if (fits<U, F>(op, a, b, reinterpret<U>(r))) {
      store<F>(d, r);
      return p + REC;
    }
  }
  return carefully<U>(p, op, b);
}

// --- UCOMISS UCOMISD COMISS COMISD

function compareCarefully<U>(p: usize, b: U, quiet: bool): usize {
  const d = xmmReg(p);
  begin();
  const r = sizeof<U>() == 8
    ? f64Relation(load<u64>(d), b, quiet)
    : f32Relation(load<u32>(d), <u32> b, quiet);
  if (!settled()) return 0;
  setArith(
    r == EQUAL
      ? RFLAGS_ZF
      : r == LESS
      ? RFLAGS_CF
      : r == GREATER
      ? 0
      : RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF,
  );
  return p + REC;
}

@inline
function compare<U, F>(p: usize, quiet: bool, mem: bool): usize {
  if (!sseReady()) return 0;
  const b = source<U>(p, mem);
  if (mem && load<u32>(FAULT)) return 0;
  const a = load<U>(xmmReg(p));
  const x = reinterpret<F>(a);
  const y = reinterpret<F>(b);
  if (x == x && y == y && !isDenormal<U>(a) && !isDenormal<U>(b)) {
    flagsSet<u8>(1, <u64> (x < y), 0); // SF OF AF PF clear
    if (x == y) setZF(true);
    return p + REC;
  }
  return compareCarefully<U>(p, b, quiet);
}

// --- CVTSI2SS CVTSI2SD from T = i32 or i64

function fromIntegerCarefully<F>(p: usize, v: i64): usize {
  const d = xmmReg(p);
  begin();
  if (sizeof<F>() == 8) {
    const r = i64ToF64(v);
    if (!settled()) return 0;
    store<u64>(d, r);
  } else {
    const r = i64ToF32(v);
    if (!settled()) return 0;
    store<u32>(d, r);
  }
  return p + REC;
}

@inline
function fromInteger<T, F>(p: usize, mem: bool): usize {
  if (!sseReady()) return 0;
  const v = mem ? ldmI<T>(p) : load<T>(rRm(p));
  if (mem && load<u32>(FAULT)) return 0;
  // to nearest it is the native conversion; exact if it always is
  if ((sizeof<T>() == 4 && sizeof<F>() == 8) || quick()) {
    store<F>(xmmReg(p), <F> v);
    return p + REC;
  }
  return fromIntegerCarefully<F>(p, <i64> v);
}

// --- CVTSS2SI CVTTSS2SI CVTSD2SI CVTTSD2SI to T = i32 or i64

function toIntegerCarefully<U>(p: usize, b: U, cut: bool, wide: bool): usize {
  begin();
  let v: u64;
  if (sizeof<U>() == 8) {
    v = wide ? <u64> f64ToI64(b, cut) : <u64> <u32> f64ToI32(b, cut);
  } else {
    v = wide
      ? <u64> f32ToI64(<u32> b, cut)
      : <u64> <u32> f32ToI32(<u32> b, cut);
  }
  if (!settled()) return 0;
  store<u64>(rReg(p), v);
  return p + REC;
}

@inline
function toInteger<U, F, T>(p: usize, cut: bool, mem: bool): usize {
  if (!sseReady()) return 0;
  const b = source<U>(p, mem);
  if (mem && load<u32>(FAULT)) return 0;
  const x = reinterpret<F>(b);
  const limit: F = sizeof<T>() == 4 ? 2147483648.0 : 9223372036854775808.0;
  const n = cut ? trunc<F>(x) : nearest<F>(x);
  if (n < limit && n >= -limit && ((cut && n == x) || quick())) {
    store<u64>(
      rReg(p),
      sizeof<T>() == 4 ? <u64> <u32> <i32> n : <u64> <i64> n,
    );
    return p + REC;
  }
  return toIntegerCarefully<U>(p, b, cut, sizeof<T>() == 8);
}

// --- CVTSS2SD, CVTSD2SS

@inline
function ss2sd(p: usize, mem: bool): usize {
  if (!sseReady()) return 0;
  const b = source<u32>(p, mem);
  if (mem && load<u32>(FAULT)) return 0;
  if (ordinary<u32>(b) || b << 1 == 0) {
    store<f64>(xmmReg(p), <f64> reinterpret<f32>(b));
    return p + REC;
  }
  begin();
  const r = f32ToF64(b);
  if (!settled()) return 0;
  store<u64>(xmmReg(p), r);
  return p + REC;
}

@inline
function sd2ss(p: usize, mem: bool): usize {
  if (!sseReady()) return 0;
  const b = source<u64>(p, mem);
  if (mem && load<u32>(FAULT)) return 0;
  if (quick()) {
    const r = <f32> reinterpret<f64>(b);
    if (ordinary<u32>(reinterpret<u32>(r)) || b << 1 == 0) {
      store<f32>(xmmReg(p), r);
      return p + REC;
    }
  }
  begin();
  const r = f64ToF32(b);
  if (!settled()) return 0;
  store<u32>(xmmReg(p), r);
  return p + REC;
}

function single(op: u32, reg: Handler, mem: Handler): void {
  def(M_0F, op, MODRM | P_F3);
  allrm(reg, mem);
}
function double(op: u32, reg: Handler, mem: Handler): void {
  def(M_0F, op, MODRM | P_F2);
  allrm(reg, mem);
}
/** Starts a conversion from or to a general register. */
function general(op: u32, prefix: u32): void {
  def(M_0F, op, MODRM | SZ_Y | prefix);
}
function narrow(reg: Handler, mem: Handler): void {
  hr(2, reg);
  hm(2, mem);
}
function wide(reg: Handler, mem: Handler): void {
  hr(3, reg);
  hm(3, mem);
}

export function registerSimdScalar(): void {
  single(
    SQRT,
    (p) => scalar<u32, f32>(p, SQRT, false),
    (p) => scalar<u32, f32>(p, SQRT, true),
  );
  single(
    ADD,
    (p) => scalar<u32, f32>(p, ADD, false),
    (p) => scalar<u32, f32>(p, ADD, true),
  );
  single(
    MUL,
    (p) => scalar<u32, f32>(p, MUL, false),
    (p) => scalar<u32, f32>(p, MUL, true),
  );
  single(
    SUB,
    (p) => scalar<u32, f32>(p, SUB, false),
    (p) => scalar<u32, f32>(p, SUB, true),
  );
  single(
    MIN,
    (p) => scalar<u32, f32>(p, MIN, false),
    (p) => scalar<u32, f32>(p, MIN, true),
  );
  single(
    DIV,
    (p) => scalar<u32, f32>(p, DIV, false),
    (p) => scalar<u32, f32>(p, DIV, true),
  );
  single(
    MAX,
    (p) => scalar<u32, f32>(p, MAX, false),
    (p) => scalar<u32, f32>(p, MAX, true),
  );
  double(
    SQRT,
    (p) => scalar<u64, f64>(p, SQRT, false),
    (p) => scalar<u64, f64>(p, SQRT, true),
  );
  double(
    ADD,
    (p) => scalar<u64, f64>(p, ADD, false),
    (p) => scalar<u64, f64>(p, ADD, true),
  );
  double(
    MUL,
    (p) => scalar<u64, f64>(p, MUL, false),
    (p) => scalar<u64, f64>(p, MUL, true),
  );
  double(
    SUB,
    (p) => scalar<u64, f64>(p, SUB, false),
    (p) => scalar<u64, f64>(p, SUB, true),
  );
  double(
    MIN,
    (p) => scalar<u64, f64>(p, MIN, false),
    (p) => scalar<u64, f64>(p, MIN, true),
  );
  double(
    DIV,
    (p) => scalar<u64, f64>(p, DIV, false),
    (p) => scalar<u64, f64>(p, DIV, true),
  );
  double(
    MAX,
    (p) => scalar<u64, f64>(p, MAX, false),
    (p) => scalar<u64, f64>(p, MAX, true),
  );

  def(M_0F, 0x2e, MODRM | P_NONE);
  allrm(
    (p) => compare<u32, f32>(p, true, false),
    (p) => compare<u32, f32>(p, true, true),
  );
  def(M_0F, 0x2e, MODRM | P_66);
  allrm(
    (p) => compare<u64, f64>(p, true, false),
    (p) => compare<u64, f64>(p, true, true),
  );
  def(M_0F, 0x2f, MODRM | P_NONE);
  allrm(
    (p) => compare<u32, f32>(p, false, false),
    (p) => compare<u32, f32>(p, false, true),
  );
  def(M_0F, 0x2f, MODRM | P_66);
  allrm(
    (p) => compare<u64, f64>(p, false, false),
    (p) => compare<u64, f64>(p, false, true),
  );

  general(0x2a, P_F3);
  narrow(
    (p) => fromInteger<i32, f32>(p, false),
    (p) => fromInteger<i32, f32>(p, true),
  );
  wide(
    (p) => fromInteger<i64, f32>(p, false),
    (p) => fromInteger<i64, f32>(p, true),
  );
  general(0x2a, P_F2);
  narrow(
    (p) => fromInteger<i32, f64>(p, false),
    (p) => fromInteger<i32, f64>(p, true),
  );
  wide(
    (p) => fromInteger<i64, f64>(p, false),
    (p) => fromInteger<i64, f64>(p, true),
  );
  general(0x2c, P_F3);
  narrow(
    (p) => toInteger<u32, f32, i32>(p, true, false),
    (p) => toInteger<u32, f32, i32>(p, true, true),
  );
  wide(
    (p) => toInteger<u32, f32, i64>(p, true, false),
    (p) => toInteger<u32, f32, i64>(p, true, true),
  );
  general(0x2c, P_F2);
  narrow(
    (p) => toInteger<u64, f64, i32>(p, true, false),
    (p) => toInteger<u64, f64, i32>(p, true, true),
  );
  wide(
    (p) => toInteger<u64, f64, i64>(p, true, false),
    (p) => toInteger<u64, f64, i64>(p, true, true),
  );
  general(0x2d, P_F3);
  narrow(
    (p) => toInteger<u32, f32, i32>(p, false, false),
    (p) => toInteger<u32, f32, i32>(p, false, true),
  );
  wide(
    (p) => toInteger<u32, f32, i64>(p, false, false),
    (p) => toInteger<u32, f32, i64>(p, false, true),
  );
  general(0x2d, P_F2);
  narrow(
    (p) => toInteger<u64, f64, i32>(p, false, false),
    (p) => toInteger<u64, f64, i32>(p, false, true),
  );
  wide(
    (p) => toInteger<u64, f64, i64>(p, false, false),
    (p) => toInteger<u64, f64, i64>(p, false, true),
  );

  single(0x5a, (p) => ss2sd(p, false), (p) => ss2sd(p, true));
  double(0x5a, (p) => sd2ss(p, false), (p) => sd2ss(p, true));
}
