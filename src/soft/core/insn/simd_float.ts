// SSE floating point: arithmetic, compares, conversions, rounding. The arithmetic is
// fp/sse*.ts; here are operands and the way of an exception: all lanes are computed
// into TEMP, MXCSR gets the flags, and the destination is written unless an
// unmasked one is among them. Source: SDM vol. 1 chapter 11, vol. 2.
import { raise, UD, XM } from "../fault";
import { CF, PF, setArith, ZF } from "../flags";
import { EQUAL, GREATER, LESS } from "../fp/f80";
import {
  f32Add,
  f32Cmp,
  f32Div,
  f32Max,
  f32Min,
  f32Mul,
  f32Relation,
  f32Sqrt,
  f32Sub,
} from "../fp/sse32";
import {
  f64Add,
  f64Cmp,
  f64Div,
  f64Max,
  f64Min,
  f64Mul,
  f64Relation,
  f64Sqrt,
  f64Sub,
} from "../fp/sse64";
import {
  f32Reciprocal,
  f32ReciprocalSqrt,
  f32Round,
  f32ToF64,
  f32ToI32,
  f32ToI64,
  f64Round,
  f64ToF32,
  f64ToI32,
  f64ToI64,
  i32ToF64,
  i64ToF32,
  i64ToF64,
} from "../fp/sse_convert";
import { sseBegin, sseEnd, sseFaults } from "../fp/state";
import { CR4, FAULT, MXCSR } from "../layout";
import {
  all,
  def,
  hm,
  hr,
  IMM_B,
  M_0F,
  M_0F3A,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
  SZ_Y,
} from "../optable";
import {
  isMem,
  ldm,
  REC,
  rImm8,
  rOpcode,
  rReg,
  rRm,
  setReg,
} from "../record";
import {
  mmReg,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sourcePart,
  sseReady,
  TEMP,
  xmmReg,
} from "./simd";
import { mmxUsed } from "./x87_state";

/** Stores MXCSR's new flags; false with #XM (#UD without OSXMMEXCPT) raised. */
function settled(): bool {
  store<u32>(MXCSR, sseEnd(load<u32>(MXCSR)));
  if (!sseFaults()) return true;
  raise(load<u32>(CR4) & 0x400 ? XM : UD);
  return false;
}

function begin(): void {
  sseBegin(load<u32>(MXCSR));
}

/** a op b for the opcodes 51..5F of the 0F map, single precision. */
function op32(op: u32, a: u32, b: u32): u32 {
  switch (op) {
    case 0x51:
      return f32Sqrt(b);
    case 0x52:
      return f32ReciprocalSqrt(b);
    case 0x53:
      return f32Reciprocal(b);
    case 0x58:
      return f32Add(a, b);
    case 0x59:
      return f32Mul(a, b);
    case 0x5c:
      return f32Sub(a, b);
    case 0x5d:
      return f32Min(a, b);
    case 0x5e:
      return f32Div(a, b);
    default:
      return f32Max(a, b);
  }
}
function op64(op: u32, a: u64, b: u64): u64 {
  switch (op) {
    case 0x51:
      return f64Sqrt(b);
    case 0x58:
      return f64Add(a, b);
    case 0x59:
      return f64Mul(a, b);
    case 0x5c:
      return f64Sub(a, b);
    case 0x5d:
      return f64Min(a, b);
    case 0x5e:
      return f64Div(a, b);
    default:
      return f64Max(a, b);
  }
}

function packed32(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(TEMP + i, op32(rOpcode(p), load<u32>(d + i), load<u32>(s + i)));
  }
  if (!settled()) return 0;
  memory.copy(d, TEMP, 16);
  return p + REC;
}
function packed64(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  begin();
  const lo = op64(rOpcode(p), load<u64>(d), load<u64>(s));
  const hi = op64(rOpcode(p), load<u64>(d, 8), load<u64>(s, 8));
  if (!settled()) return 0;
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}
function scalar32(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 4);
  if (s == 0) return 0;
  const d = xmmReg(p);
  begin();
  const r = op32(rOpcode(p), load<u32>(d), load<u32>(s));
  if (!settled()) return 0;
  store<u32>(d, r);
  return p + REC;
}
function scalar64(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 8);
  if (s == 0) return 0;
  const d = xmmReg(p);
  begin();
  const r = op64(rOpcode(p), load<u64>(d), load<u64>(s));
  if (!settled()) return 0;
  store<u64>(d, r);
  return p + REC;
}

/** RCPPS and RSQRTPS raise nothing. */
function approximate(p: usize, single: bool): usize {
  if (!sseReady()) return 0;
  const s = single ? sourcePart(p, 4) : source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  begin();
  const n: u32 = single ? 4 : 16;
  for (let i: u32 = 0; i < n; i += 4) {
    store<u32>(d + i, op32(rOpcode(p), 0, load<u32>(s + i)));
  }
  return p + REC;
}

// --- horizontal and alternating

/** HADDPS HSUBPS ADDSUBPS by opcode 7C 7D D0. */
function pairs32(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const op = rOpcode(p);
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    let r: u32;
    if (op == 0xd0) {
      const a = load<u32>(d + i);
      const b = load<u32>(s + i);
      r = i & 4 ? f32Add(a, b) : f32Sub(a, b);
    } else {
      const from = (i < 8 ? d : s) + ((i & 4) << 1);
      const a = load<u32>(from);
      const b = load<u32>(from, 4);
      r = op == 0x7c ? f32Add(a, b) : f32Sub(a, b);
    }
    store<u32>(TEMP + i, r);
  }
  if (!settled()) return 0;
  memory.copy(d, TEMP, 16);
  return p + REC;
}
function pairs64(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const op = rOpcode(p);
  begin();
  let lo: u64;
  let hi: u64;
  if (op == 0xd0) {
    lo = f64Sub(load<u64>(d), load<u64>(s));
    hi = f64Add(load<u64>(d, 8), load<u64>(s, 8));
  } else if (op == 0x7c) {
    lo = f64Add(load<u64>(d), load<u64>(d, 8));
    hi = f64Add(load<u64>(s), load<u64>(s, 8));
  } else {
    lo = f64Sub(load<u64>(d), load<u64>(d, 8));
    hi = f64Sub(load<u64>(s), load<u64>(s, 8));
  }
  if (!settled()) return 0;
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}

/** DPPS: sums are made as (0 + 1) + (2 + 3); an unmasked exception ends it at its step. */
function dpps(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  begin();
  for (let i: u32 = 0; i < 4; i++) {
    const at = i << 2;
    store<u32>(
      TEMP + at,
      (imm >> (4 + i)) & 1
        ? f32Mul(load<u32>(d + at), load<u32>(s + at))
        : 0,
    );
  }
  if (!settled()) return 0;
  begin();
  const a = f32Add(load<u32>(TEMP), load<u32>(TEMP, 4));
  const b = f32Add(load<u32>(TEMP, 8), load<u32>(TEMP, 12));
  if (!settled()) return 0;
  begin();
  const sum = f32Add(a, b);
  if (!settled()) return 0;
  for (let i: u32 = 0; i < 4; i++) {
    store<u32>(d + (i << 2), (imm >> i) & 1 ? sum : 0);
  }
  return p + REC;
}
function dppd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  begin();
  const a = imm & 0x10 ? f64Mul(load<u64>(d), load<u64>(s)) : 0;
  const b = imm & 0x20 ? f64Mul(load<u64>(d, 8), load<u64>(s, 8)) : 0;
  if (!settled()) return 0;
  begin();
  const sum = f64Add(a, b);
  if (!settled()) return 0;
  store<u64>(d, imm & 1 ? sum : 0);
  store<u64>(d, imm & 2 ? sum : 0, 8);
  return p + REC;
}

// --- compares

function cmp(p: usize, single: bool, scalar: bool): usize {
  if (!sseReady()) return 0;
  const w: u32 = single ? 4 : 8;
  const s = scalar ? sourcePart(p, w) : source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const n: u32 = scalar ? w : 16;
  const pred = <i32> (rImm8(p) & 7);
  begin();
  for (let i: u32 = 0; i < n; i += w) {
    if (single) {
      store<u32>(
        TEMP + i,
        f32Cmp(load<u32>(d + i), load<u32>(s + i), pred),
      );
    } else {
      store<u64>(
        TEMP + i,
        f64Cmp(load<u64>(d + i), load<u64>(s + i), pred),
      );
    }
  }
  if (!settled()) return 0;
  memory.copy(d, TEMP, n);
  return p + REC;
}

function comi(p: usize, single: bool): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, single ? 4 : 8);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const quiet = rOpcode(p) == 0x2e;
  begin();
  const r = single
    ? f32Relation(load<u32>(d), load<u32>(s), quiet)
    : f64Relation(load<u64>(d), load<u64>(s), quiet);
  if (!settled()) return 0;
  setArith(
    r == EQUAL ? ZF : r == LESS ? CF : r == GREATER ? 0 : ZF | PF | CF,
  );
  return p + REC;
}

// --- conversions

/** CVTPI2PS, CVTPI2PD: two integers of an MMX register or 64 bits of memory. */
function fromMm(p: usize, single: bool): usize {
  if (!sseReady()) return 0;
  // a memory source of CVTPI2PD does not touch the x87 registers
  const mmx = !isMem(p) || single;
  if (mmx && !mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const a = load<i32>(s);
  const b = load<i32>(s, 4);
  const d = xmmReg(p);
  if (single) {
    begin();
    const x = i64ToF32(a);
    const y = i64ToF32(b);
    if (!settled()) return 0;
    store<u32>(d, x);
    store<u32>(d, y, 4);
  } else {
    store<u64>(d, i32ToF64(a));
    store<u64>(d, i32ToF64(b), 8);
  }
  if (mmx) mmxUsed();
  return p + REC;
}
/** CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI. */
function toMm(p: usize, single: bool): usize {
  if (!sseReady() || !mmxOpen()) return 0;
  const s = single ? sourcePart(p, 8) : source16(p);
  if (s == 0) return 0;
  const truncate = rOpcode(p) == 0x2c;
  begin();
  let a: i32;
  let b: i32;
  if (single) {
    a = f32ToI32(load<u32>(s), truncate);
    b = f32ToI32(load<u32>(s, 4), truncate);
  } else {
    a = f64ToI32(load<u64>(s), truncate);
    b = f64ToI32(load<u64>(s, 8), truncate);
  }
  if (!settled()) return 0;
  const d = mmReg(p);
  store<i32>(d, a);
  store<i32>(d, b, 4);
  mmxDone(d);
  return p + REC;
}
/** CVTSI2SS, CVTSI2SD from T = i32 or i64. */
function fromGpr<T>(p: usize, single: bool): usize {
  if (!sseReady()) return 0;
  const v = isMem(p) ? ldm<T>(p) : load<T>(rRm(p));
  if (load<u32>(FAULT)) return 0;
  const d = xmmReg(p);
  begin();
  if (single) {
    const r = i64ToF32(<i64> v);
    if (!settled()) return 0;
    store<u32>(d, r);
  } else {
    const r = i64ToF64(<i64> v);
    if (!settled()) return 0;
    store<u64>(d, r);
  }
  return p + REC;
}
/** CVTSS2SI, CVTTSS2SI, CVTSD2SI, CVTTSD2SI. */
function toGpr(p: usize, single: bool, wide: bool): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, single ? 4 : 8);
  if (s == 0) return 0;
  const t = rOpcode(p) == 0x2c;
  begin();
  let v: u64;
  if (wide) {
    v = <u64> (single ? f32ToI64(load<u32>(s), t) : f64ToI64(load<u64>(s), t));
  } else {
    v = <u64> <u32> (single
      ? f32ToI32(load<u32>(s), t)
      : f64ToI32(load<u64>(s), t));
  }
  if (!settled()) return 0;
  store<u64>(rReg(p), v);
  return p + REC;
}
function ps2pd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 8);
  if (s == 0) return 0;
  begin();
  const a = f32ToF64(load<u32>(s));
  const b = f32ToF64(load<u32>(s, 4));
  if (!settled()) return 0;
  const d = xmmReg(p);
  store<u64>(d, a);
  store<u64>(d, b, 8);
  return p + REC;
}
function pd2ps(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  begin();
  const a = f64ToF32(load<u64>(s));
  const b = f64ToF32(load<u64>(s, 8));
  if (!settled()) return 0;
  const d = xmmReg(p);
  store<u32>(d, a);
  store<u32>(d, b, 4);
  store<u64>(d, 0, 8);
  return p + REC;
}
function ss2sd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 4);
  if (s == 0) return 0;
  begin();
  const r = f32ToF64(load<u32>(s));
  if (!settled()) return 0;
  store<u64>(xmmReg(p), r);
  return p + REC;
}
function sd2ss(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 8);
  if (s == 0) return 0;
  begin();
  const r = f64ToF32(load<u64>(s));
  if (!settled()) return 0;
  store<u32>(xmmReg(p), r);
  return p + REC;
}
function dq2ps(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(TEMP + i, i64ToF32(load<i32>(s + i)));
  }
  if (!settled()) return 0;
  memory.copy(xmmReg(p), TEMP, 16);
  return p + REC;
}
function ps2dq(p: usize, truncate: bool): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    store<i32>(TEMP + i, f32ToI32(load<u32>(s + i), truncate));
  }
  if (!settled()) return 0;
  memory.copy(xmmReg(p), TEMP, 16);
  return p + REC;
}
function dq2pd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 8);
  if (s == 0) return 0;
  const a = load<i32>(s);
  const b = load<i32>(s, 4);
  const d = xmmReg(p);
  store<u64>(d, i32ToF64(a));
  store<u64>(d, i32ToF64(b), 8);
  return p + REC;
}
function pd2dq(p: usize, truncate: bool): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  begin();
  const a = f64ToI32(load<u64>(s), truncate);
  const b = f64ToI32(load<u64>(s, 8), truncate);
  if (!settled()) return 0;
  const d = xmmReg(p);
  store<i32>(d, a);
  store<i32>(d, b, 4);
  store<u64>(d, 0, 8);
  return p + REC;
}

// --- ROUNDPS ROUNDPD ROUNDSS ROUNDSD (0F 3A 08..0B)

function round(p: usize): usize {
  if (!sseReady()) return 0;
  const op = rOpcode(p);
  const single = !(op & 1);
  const w: u32 = single ? 4 : 8;
  const scalar = op >= 0x0a;
  const s = scalar ? sourcePart(p, w) : source16(p);
  if (s == 0) return 0;
  const n: u32 = scalar ? w : 16;
  const imm = <i32> rImm8(p);
  begin();
  for (let i: u32 = 0; i < n; i += w) {
    if (single) store<u32>(TEMP + i, f32Round(load<u32>(s + i), imm));
    else store<u64>(TEMP + i, f64Round(load<u64>(s + i), imm));
  }
  if (!settled()) return 0;
  memory.copy(xmmReg(p), TEMP, n);
  return p + REC;
}

function arith(op: u32): void {
  def(M_0F, op, MODRM | P_NONE);
  all((p) => packed32(p));
  def(M_0F, op, MODRM | P_66);
  all((p) => packed64(p));
  def(M_0F, op, MODRM | P_F3);
  all((p) => scalar32(p));
  def(M_0F, op, MODRM | P_F2);
  all((p) => scalar64(p));
}

export function registerSimdFloat(): void {
  arith(0x51);
  arith(0x58);
  arith(0x59);
  arith(0x5c);
  arith(0x5d);
  arith(0x5e);
  arith(0x5f);
  for (let op: u32 = 0x52; op <= 0x53; op++) {
    def(M_0F, op, MODRM | P_NONE);
    all((p) => approximate(p, false));
    def(M_0F, op, MODRM | P_F3);
    all((p) => approximate(p, true));
  }
  for (let i: u32 = 0; i < 3; i++) {
    const op: u32 = i == 0 ? 0x7c : i == 1 ? 0x7d : 0xd0;
    def(M_0F, op, MODRM | P_F2);
    all((p) => pairs32(p));
    def(M_0F, op, MODRM | P_66);
    all((p) => pairs64(p));
  }
  def(M_0F3A, 0x40, MODRM | IMM_B | P_66);
  all((p) => dpps(p));
  def(M_0F3A, 0x41, MODRM | IMM_B | P_66);
  all((p) => dppd(p));
  def(M_0F, 0xc2, MODRM | IMM_B | P_NONE);
  all((p) => cmp(p, true, false));
  def(M_0F, 0xc2, MODRM | IMM_B | P_66);
  all((p) => cmp(p, false, false));
  def(M_0F, 0xc2, MODRM | IMM_B | P_F3);
  all((p) => cmp(p, true, true));
  def(M_0F, 0xc2, MODRM | IMM_B | P_F2);
  all((p) => cmp(p, false, true));
  for (let op: u32 = 0x2e; op <= 0x2f; op++) {
    def(M_0F, op, MODRM | P_NONE);
    all((p) => comi(p, true));
    def(M_0F, op, MODRM | P_66);
    all((p) => comi(p, false));
  }
  def(M_0F, 0x2a, MODRM | P_NONE);
  all((p) => fromMm(p, true));
  def(M_0F, 0x2a, MODRM | P_66);
  all((p) => fromMm(p, false));
  def(M_0F, 0x2a, MODRM | SZ_Y | P_F3);
  hr(2, (p) => fromGpr<i32>(p, true));
  hm(2, (p) => fromGpr<i32>(p, true));
  hr(3, (p) => fromGpr<i64>(p, true));
  hm(3, (p) => fromGpr<i64>(p, true));
  def(M_0F, 0x2a, MODRM | SZ_Y | P_F2);
  hr(2, (p) => fromGpr<i32>(p, false));
  hm(2, (p) => fromGpr<i32>(p, false));
  hr(3, (p) => fromGpr<i64>(p, false));
  hm(3, (p) => fromGpr<i64>(p, false));
  for (let op: u32 = 0x2c; op <= 0x2d; op++) {
    def(M_0F, op, MODRM | P_NONE);
    all((p) => toMm(p, true));
    def(M_0F, op, MODRM | P_66);
    all((p) => toMm(p, false));
    def(M_0F, op, MODRM | SZ_Y | P_F3);
    hr(2, (p) => toGpr(p, true, false));
    hm(2, (p) => toGpr(p, true, false));
    hr(3, (p) => toGpr(p, true, true));
    hm(3, (p) => toGpr(p, true, true));
    def(M_0F, op, MODRM | SZ_Y | P_F2);
    hr(2, (p) => toGpr(p, false, false));
    hm(2, (p) => toGpr(p, false, false));
    hr(3, (p) => toGpr(p, false, true));
    hm(3, (p) => toGpr(p, false, true));
  }
  def(M_0F, 0x5a, MODRM | P_NONE);
  all((p) => ps2pd(p));
  def(M_0F, 0x5a, MODRM | P_66);
  all((p) => pd2ps(p));
  def(M_0F, 0x5a, MODRM | P_F3);
  all((p) => ss2sd(p));
  def(M_0F, 0x5a, MODRM | P_F2);
  all((p) => sd2ss(p));
  def(M_0F, 0x5b, MODRM | P_NONE);
  all((p) => dq2ps(p));
  def(M_0F, 0x5b, MODRM | P_66);
  all((p) => ps2dq(p, false));
  def(M_0F, 0x5b, MODRM | P_F3);
  all((p) => ps2dq(p, true));
  def(M_0F, 0xe6, MODRM | P_F3);
  all((p) => dq2pd(p));
  def(M_0F, 0xe6, MODRM | P_F2);
  all((p) => pd2dq(p, false));
  def(M_0F, 0xe6, MODRM | P_66);
  all((p) => pd2dq(p, true));
  for (let op: u32 = 0x08; op <= 0x0b; op++) {
    def(M_0F3A, op, MODRM | IMM_B | P_66);
    all((p) => round(p));
  }
}
