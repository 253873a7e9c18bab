// SSE (and two MMX) instructions that pick elements: insert, extract, blend,
// extend, test, minimum of words, MPSADBW. Source: SDM vol. 2.
import { setArith } from "../../cpu/flags";
import { FAULT, TEMP, XMM } from "../../layout";
import {
  all,
  def,
  hm,
  hr,
  IMM_B,
  M_0F,
  M_0F38,
  M_0F3A,
  MODRM,
  P_66,
  P_NONE,
  REGONLY,
  SZ_Y,
} from "../../code/optable";
import { isMem, REC, rImm8, rOpcode, rReg, rRm } from "../../code/record";
import {
  copy16,
  mmReg,
  mmRm,
  mmxDone,
  mmxOpen,
  source16,
  sourcePart,
  sseReady,
  xmmReg,
  xmmRm,
} from "./operands";
import { mmxUsed } from "../x87/state";
import { ldm, stm } from "../../code/operand";
import { RFLAGS_CF, RFLAGS_ZF } from "../../x86/flags";

// --- inserts and extracts

function pinsrwMm(p: usize): usize {
  if (!mmxOpen()) return 0;
  const v = isMem(p) ? ldm<u16>(p) : load<u16>(rRm(p));
  if (load<u32>(FAULT)) return 0;
  const d = mmReg(p);
  store<u16>(d + ((rImm8(p) & 3) << 1), v);
  mmxDone(d);
  return p + REC;
}
function pextrwMm(p: usize): usize {
  if (!mmxOpen()) return 0;
  store<u64>(rReg(p), <u64> load<u16>(mmRm(p) + ((rImm8(p) & 3) << 1)));
  mmxUsed();
  return p + REC;
}
function insert<T>(p: usize): usize {
  if (!sseReady()) return 0;
  const v = isMem(p) ? ldm<T>(p) : load<T>(rRm(p));
  if (load<u32>(FAULT)) return 0;
  const n = (rImm8(p) * sizeof<T>()) & 15;
  store<T>(xmmReg(p) + n, v);
  return p + REC;
}
/** PEXTRB, PEXTRW (0F 3A 15), PEXTRD, PEXTRQ, EXTRACTPS. */
function extract<T>(p: usize): usize {
  if (!sseReady()) return 0;
  const n = (rImm8(p) * sizeof<T>()) & 15;
  const v = load<T>(xmmReg(p) + n);
  if (isMem(p)) {
    stm<T>(p, v);
    return load<u32>(FAULT) ? 0 : p + REC;
  }
  store<u64>(rRm(p), <u64> v);
  return p + REC;
}
function pextrw(p: usize): usize {
  if (!sseReady()) return 0;
  store<u64>(rReg(p), <u64> load<u16>(xmmRm(p) + ((rImm8(p) & 7) << 1)));
  return p + REC;
}
function insertps(p: usize): usize {
  if (!sseReady()) return 0;
  const imm = rImm8(p);
  const v = isMem(p) ? ldm<u32>(p) : load<u32>(xmmRm(p) + ((imm >> 6) << 2));
  if (load<u32>(FAULT)) return 0;
  const d = xmmReg(p);
  store<u32>(d + (((imm >> 4) & 3) << 2), v);
  for (let i: u32 = 0; i < 4; i++) {
    if ((imm >> i) & 1) store<u32>(d + (i << 2), 0);
  }
  return p + REC;
}

// --- blends

function copyElement(d: usize, s: usize, w: u32): void {
  if (w == 1) store<u8>(d, load<u8>(s));
  else if (w == 2) store<u16>(d, load<u16>(s));
  else if (w == 4) store<u32>(d, load<u32>(s));
  else store<u64>(d, load<u64>(s));
}

/** Copies elements of w bytes from s to d where `mask` has a bit. */
function blendImm(p: usize, w: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const mask = rImm8(p);
  for (let i: u32 = 0; i < 16 / w; i++) {
    if ((mask >> i) & 1) copyElement(d + i * w, s + i * w, w);
  }
  return p + REC;
}
/** The same by the sign of XMM0's elements. */
function blendXmm0(p: usize, w: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  copy16(TEMP, XMM);
  for (let i: u32 = 0; i < 16; i += w) {
    if (load<i8>(TEMP + i + w - 1) < 0) copyElement(d + i, s + i, w);
  }
  return p + REC;
}
function ptest(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const and = (load<u64>(d) & load<u64>(s)) |
    (load<u64>(d, 8) & load<u64>(s, 8));
  const andn = (~load<u64>(d) & load<u64>(s)) |
    (~load<u64>(d, 8) & load<u64>(s, 8));
  setArith((and == 0 ? RFLAGS_ZF : 0) | (andn == 0 ? RFLAGS_CF : 0));
  return p + REC;
}

// --- PMOVSX, PMOVZX: opcode low three bits give BW BD BQ WD WQ DQ

function extend(p: usize): usize {
  if (!sseReady()) return 0;
  const op = rOpcode(p);
  const kind = op & 7;
  const from: u32 = kind < 3 ? 1 : kind < 5 ? 2 : 4;
  const to: u32 = kind == 0 ? 2 : kind == 1 || kind == 3 ? 4 : 8;
  const n: u32 = 16 / to;
  const s = sourcePart(p, n * from);
  if (s == 0) return 0;
  const v = load<u64>(s);
  const signed = op < 0x30;
  const d = xmmReg(p);
  const bits = <u64> from << 3;
  for (let i: u32 = 0; i < n; i++) {
    let e = v >> (bits * i);
    e <<= 64 - bits;
    e = signed ? <u64> (<i64> e >> (64 - bits)) : e >> (64 - bits);
    const at = d + i * to;
    if (to == 2) store<u16>(at, <u16> e);
    else if (to == 4) store<u32>(at, <u32> e);
    else store<u64>(at, e);
  }
  return p + REC;
}

function phminposuw(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  let best: u32 = load<u16>(s);
  let at: u32 = 0;
  for (let i: u32 = 1; i < 8; i++) {
    const v = <u32> load<u16>(s + (i << 1));
    if (v < best) {
      best = v;
      at = i;
    }
  }
  const d = xmmReg(p);
  store<u64>(d, <u64> (best | (at << 16)));
  store<u64>(d, 0, 8);
  return p + REC;
}

function mpsadbw(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const block = s + ((imm & 3) << 2);
  const start = d + (imm & 4);
  for (let i: u32 = 0; i < 8; i++) {
    let sum: u32 = 0;
    for (let j: u32 = 0; j < 4; j++) {
      const a = <i32> load<u8>(start + i + j);
      const b = <i32> load<u8>(block + j);
      sum += a > b ? a - b : b - a;
    }
    store<u16>(TEMP + (i << 1), <u16> sum);
  }
  copy16(d, TEMP);
  return p + REC;
}

export function registerSimdSelect(): void {
  def(M_0F, 0xc4, MODRM | IMM_B | P_NONE);
  all((p) => pinsrwMm(p));
  def(M_0F, 0xc4, MODRM | IMM_B | P_66);
  all((p) => insert<u16>(p));
  def(M_0F, 0xc5, MODRM | IMM_B | REGONLY | P_NONE);
  all((p) => pextrwMm(p));
  def(M_0F, 0xc5, MODRM | IMM_B | REGONLY | P_66);
  all((p) => pextrw(p));
  def(M_0F3A, 0x14, MODRM | IMM_B | P_66);
  all((p) => extract<u8>(p));
  def(M_0F3A, 0x15, MODRM | IMM_B | P_66);
  all((p) => extract<u16>(p));
  def(M_0F3A, 0x16, MODRM | IMM_B | SZ_Y | P_66);
  hr(2, (p) => extract<u32>(p));
  hm(2, (p) => extract<u32>(p));
  hr(3, (p) => extract<u64>(p));
  hm(3, (p) => extract<u64>(p));
  def(M_0F3A, 0x17, MODRM | IMM_B | P_66);
  all((p) => extract<u32>(p));
  def(M_0F3A, 0x20, MODRM | IMM_B | P_66);
  all((p) => insert<u8>(p));
  def(M_0F3A, 0x21, MODRM | IMM_B | P_66);
  all((p) => insertps(p));
  def(M_0F3A, 0x22, MODRM | IMM_B | SZ_Y | P_66);
  hr(2, (p) => insert<u32>(p));
  hm(2, (p) => insert<u32>(p));
  hr(3, (p) => insert<u64>(p));
  hm(3, (p) => insert<u64>(p));
  def(M_0F3A, 0x0c, MODRM | IMM_B | P_66);
  all((p) => blendImm(p, 4));
  def(M_0F3A, 0x0d, MODRM | IMM_B | P_66);
  all((p) => blendImm(p, 8));
  def(M_0F3A, 0x0e, MODRM | IMM_B | P_66);
  all((p) => blendImm(p, 2));
  def(M_0F38, 0x10, MODRM | P_66);
  all((p) => blendXmm0(p, 1));
  def(M_0F38, 0x14, MODRM | P_66);
  all((p) => blendXmm0(p, 4));
  def(M_0F38, 0x15, MODRM | P_66);
  all((p) => blendXmm0(p, 8));
  def(M_0F38, 0x17, MODRM | P_66);
  all((p) => ptest(p));
  for (let i: u32 = 0; i < 6; i++) {
    def(M_0F38, 0x20 + i, MODRM | P_66);
    all((p) => extend(p));
    def(M_0F38, 0x30 + i, MODRM | P_66);
    all((p) => extend(p));
  }
  def(M_0F38, 0x41, MODRM | P_66);
  all((p) => phminposuw(p));
  def(M_0F3A, 0x42, MODRM | IMM_B | P_66);
  all((p) => mpsadbw(p));
}
