// SSE floating point: packed arithmetic and CMPxx (scalars: scalar.ts,
// conversions: convert.ts). The arithmetic is fp/sse*.ts; here are
// operands and the way of an exception: all lanes are computed into TEMP, MXCSR
// gets the flags, and the destination is written unless an unmasked one is
// among them. Source: SDM vol. 1 chapter 11, vol. 2.
import { raise } from "../../cpu/fault";
import {
  f32Add,
  f32Cmp,
  f32Div,
  f32Max,
  f32Min,
  f32Mul,
  f32Sqrt,
  f32Sub,
} from "../../fp/sse32";
import {
  f64Add,
  f64Cmp,
  f64Div,
  f64Max,
  f64Min,
  f64Mul,
  f64Sqrt,
  f64Sub,
} from "../../fp/sse64";
import { f32Reciprocal, f32ReciprocalSqrt } from "../../fp/sse_convert";
import { sseBegin, sseEnd, sseFaults } from "../../fp/state";
import { CR4, MXCSR, TEMP } from "../../layout";
import {
  all,
  def,
  Handler,
  IMM_B,
  M_0F,
  M_0F3A,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
} from "../../code/optable";
import { REC, rImm8, rOpcode } from "../../code/record";
import { copy16, source16, sourcePart, sseReady, xmmReg } from "./operands";
import {
  ADD,
  DIV,
  fits,
  MAX,
  mayBeQuick,
  MIN,
  MUL,
  native,
  SQRT,
  SUB,
} from "./quick";
import { CR4_OSXMMEXCPT } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";

/** Stores MXCSR's new flags; false with #XM (#UD without OSXMMEXCPT) raised. */
export function settled(): bool {
  store<u32>(MXCSR, sseEnd(load<u32>(MXCSR)));
  if (!sseFaults()) return true;
  raise(load<u32>(CR4) & CR4_OSXMMEXCPT ? Vector.XM : Vector.UD);
  return false;
}

export function begin(): void {
  sseBegin(load<u32>(MXCSR));
}

/** a op b for the opcodes 51..5F of the 0F map, single precision. */
export function op32(op: u32, a: u32, b: u32): u32 {
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
/** The same in double precision. */
export function op64(op: u32, a: u64, b: u64): u64 {
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

/** Packed arithmetic through fp/sse*.ts, s the source's address. */
function carefully32(p: usize, op: u32, s: usize): usize {
  const d = xmmReg(p);
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(TEMP + i, op32(op, load<u32>(d + i), load<u32>(s + i)));
  }
  if (!settled()) return 0;
  copy16(d, TEMP);
  return p + REC;
}
function carefully64(p: usize, op: u32, s: usize): usize {
  const d = xmmReg(p);
  begin();
  const lo = op64(op, load<u64>(d), load<u64>(s));
  const hi = op64(op, load<u64>(d, 8), load<u64>(s, 8));
  if (!settled()) return 0;
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}

/** One element natively to TEMP; false if it does not fit. */
@inline
function lane<U, F>(op: u32, d: usize, s: usize, at: usize): bool {
  const r = native<F>(op, load<F>(d + at), load<F>(s + at));
  store<F>(TEMP + at, r);
  return fits<U, F>(
    op,
    load<U>(d + at),
    load<U>(s + at),
    reinterpret<U>(r),
  );
}

@inline
function packed32(p: usize, op: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  if (
    mayBeQuick(op) && lane<u32, f32>(op, d, s, 0) &&
    lane<u32, f32>(op, d, s, 4) && lane<u32, f32>(op, d, s, 8) &&
    lane<u32, f32>(op, d, s, 12)
  ) {
    copy16(d, TEMP);
    return p + REC;
  }
  return carefully32(p, op, s);
}
@inline
function packed64(p: usize, op: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  if (
    mayBeQuick(op) && lane<u64, f64>(op, d, s, 0) &&
    lane<u64, f64>(op, d, s, 8)
  ) {
    copy16(d, TEMP);
    return p + REC;
  }
  return carefully64(p, op, s);
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
  copy16(d, TEMP);
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

/**
 * Between the stages of a dot product: false with #XM raised when it ends here.
 */
function stage(): bool {
  if (!settled()) return false;
  begin();
  return true;
}

/**
 * DPPS: sums are made as (0 + 1) + (2 + 3); an unmasked exception ends it after
 * its stage.
 */
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
      (imm >> (4 + i)) & 1 ? f32Mul(load<u32>(d + at), load<u32>(s + at)) : 0,
    );
  }
  if (!stage()) return 0;
  const a = f32Add(load<u32>(TEMP), load<u32>(TEMP, 4));
  const b = f32Add(load<u32>(TEMP, 8), load<u32>(TEMP, 12));
  if (!stage()) return 0;
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
  if (!stage()) return 0;
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
  if (!scalar) copy16(d, TEMP);
  else if (single) store<u32>(d, load<u32>(TEMP));
  else store<u64>(d, load<u64>(TEMP));
  return p + REC;
}

function packed(op: u32, single: Handler, double: Handler): void {
  def(M_0F, op, MODRM | P_NONE);
  all(single);
  def(M_0F, op, MODRM | P_66);
  all(double);
}

export function registerSimdFloat(): void {
  packed(SQRT, (p) => packed32(p, SQRT), (p) => packed64(p, SQRT));
  packed(ADD, (p) => packed32(p, ADD), (p) => packed64(p, ADD));
  packed(MUL, (p) => packed32(p, MUL), (p) => packed64(p, MUL));
  packed(SUB, (p) => packed32(p, SUB), (p) => packed64(p, SUB));
  packed(MIN, (p) => packed32(p, MIN), (p) => packed64(p, MIN));
  packed(DIV, (p) => packed32(p, DIV), (p) => packed64(p, DIV));
  packed(MAX, (p) => packed32(p, MAX), (p) => packed64(p, MAX));
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
}
