// SSE conversions of vectors, to and from MMX registers, and ROUNDxx; those of
// scalars are in scalar.ts. The conversions themselves: fp/sse_convert.ts.
// Source: SDM vol. 2.
import { TEMP } from "../../layout";
import {
  f32Round,
  f32ToF64,
  f32ToI32,
  f64Round,
  f64ToF32,
  f64ToI32,
  i32ToF64,
  i64ToF32,
} from "../../fp/sse_convert";
import {
  all,
  def,
  IMM_B,
  M_0F,
  M_0F3A,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
} from "../../code/optable";
import { isMem, REC, rImm8, rOpcode } from "../../code/record";
import {
  copy16,
  mmReg,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sourcePart,
  sseReady,
  xmmReg,
} from "./operands";
import { begin, settled } from "./float";
import { mmxUsed } from "../x87/state";

/**
 * CVTPI2PS, CVTPI2PD: two integers of an MMX register or 64 bits of memory.
 * From a register they are, like their opposites, MMX instructions before they
 * raise #XM: TOP is 0 then, tags valid. From memory they do not touch the x87
 * registers; SDM vol. 2 excepts only CVTPI2PD, processors (AMD's at least)
 * both.
 */
function fromMm(p: usize, single: bool): usize {
  if (!sseReady()) return 0;
  const mmx = !isMem(p);
  if (mmx && !mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const a = load<i32>(s);
  const b = load<i32>(s, 4);
  const d = xmmReg(p);
  if (mmx) mmxUsed();
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
  return p + REC;
}
/** CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI. */
function toMm(p: usize, single: bool): usize {
  if (!sseReady() || !mmxOpen()) return 0;
  const s = single ? sourcePart(p, 8) : source16(p);
  if (s == 0) return 0;
  mmxUsed();
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
function dq2ps(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  begin();
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(TEMP + i, i64ToF32(load<i32>(s + i)));
  }
  if (!settled()) return 0;
  copy16(xmmReg(p), TEMP);
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
  copy16(xmmReg(p), TEMP);
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
  const d = xmmReg(p);
  if (!scalar) copy16(d, TEMP);
  else if (single) store<u32>(d, load<u32>(TEMP));
  else store<u64>(d, load<u64>(TEMP));
  return p + REC;
}

export function registerSimdConvert(): void {
  def(M_0F, 0x2a, MODRM | P_NONE);
  all((p) => fromMm(p, true));
  def(M_0F, 0x2a, MODRM | P_66);
  all((p) => fromMm(p, false));
  for (let op: u32 = 0x2c; op <= 0x2d; op++) {
    def(M_0F, op, MODRM | P_NONE);
    all((p) => toMm(p, true));
    def(M_0F, op, MODRM | P_66);
    all((p) => toMm(p, false));
  }
  def(M_0F, 0x5a, MODRM | P_NONE);
  all((p) => ps2pd(p));
  def(M_0F, 0x5a, MODRM | P_66);
  all((p) => pd2ps(p));
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
