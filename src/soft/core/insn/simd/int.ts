// MMX and SSE integer instructions that are element by element, and shifts.
// Source: SDM vol. 2.
import {
  all,
  allrm,
  def,
  grp,
  Handler,
  IMM_B,
  M_0F,
  M_0F38,
  MODRM,
  P_66,
  P_NONE,
  REGONLY,
} from "../../code/optable";
import { REC, rImm8, rModrm, rOpcode } from "../../code/record";
import {
  memory16,
  mmReg,
  mmRm,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sseReady,
  xmmReg,
  xmmRm,
} from "./operands";
import {
  L_PABSB,
  L_PABSD,
  L_PABSW,
  L_PADDB,
  L_PADDD,
  L_PADDQ,
  L_PADDSB,
  L_PADDSW,
  L_PADDUSB,
  L_PADDUSW,
  L_PADDW,
  L_PAND,
  L_PANDN,
  L_PAVGB,
  L_PAVGW,
  L_PCMPEQB,
  L_PCMPEQD,
  L_PCMPEQQ,
  L_PCMPEQW,
  L_PCMPGTB,
  L_PCMPGTD,
  L_PCMPGTQ,
  L_PCMPGTW,
  L_PMADDUBSW,
  L_PMADDWD,
  L_PMAXSB,
  L_PMAXSD,
  L_PMAXSW,
  L_PMAXUB,
  L_PMAXUD,
  L_PMAXUW,
  L_PMINSB,
  L_PMINSD,
  L_PMINSW,
  L_PMINUB,
  L_PMINUD,
  L_PMINUW,
  L_PMULDQ,
  L_PMULHRSW,
  L_PMULHUW,
  L_PMULHW,
  L_PMULLD,
  L_PMULLW,
  L_PMULUDQ,
  L_POR,
  L_PSADBW,
  L_PSIGNB,
  L_PSIGND,
  L_PSIGNW,
  L_PSUBB,
  L_PSUBD,
  L_PSUBQ,
  L_PSUBSB,
  L_PSUBSW,
  L_PSUBUSB,
  L_PSUBUSW,
  L_PSUBW,
  L_PXOR,
  lanes,
  SH_LLD,
  SH_LLQ,
  SH_LLW,
  SH_RAD,
  SH_RAW,
  SH_RLD,
  SH_RLQ,
  SH_RLW,
  shiftLanes,
  wide,
} from "./lanes";

/**
 * Operation of an opcode: one byte each for the 0F and the 0F 38 map (value +
 * 1).
 */
const OPS = memory.data(512);

function setOp(map: u32, opcode: u32, k: u32): void {
  store<u8>(OPS + (map == M_0F ? 0 : 256) + opcode, <u8> (k + 1));
}

function mmxLanes(p: usize, k: u32): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  lanes(k, d, s, 8);
  mmxDone(d);
  return p + REC;
}

function xmmLanes(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  lanes(k, xmmReg(p), s, 16);
  return p + REC;
}

@inline
function opOf(p: usize, map: usize): u32 {
  return <u32> load<u8>(OPS + map + rOpcode(p)) - 1;
}

function mmx(map: u32, opcode: u32, k: u32): void {
  setOp(map, opcode, k);
  def(map, opcode, MODRM | P_NONE);
  if (map == M_0F) all((p) => mmxLanes(p, opOf(p, 0)));
  else all((p) => mmxLanes(p, opOf(p, 256)));
}

function xmm(map: u32, opcode: u32, k: u32): void {
  setOp(map, opcode, k);
  def(map, opcode, MODRM | P_66);
  if (map == M_0F) all((p) => xmmLanes(p, opOf(p, 0)));
  else all((p) => xmmLanes(p, opOf(p, 256)));
}

function both(map: u32, opcode: u32, k: u32): void {
  mmx(map, opcode, k);
  xmm(map, opcode, k);
}

/** An opcode of the 0F map whose XMM forms have handlers of their own. */
function direct(opcode: u32, k: u32, reg: Handler, mem: Handler): void {
  mmx(M_0F, opcode, k);
  def(M_0F, opcode, MODRM | P_66);
  allrm(reg, mem);
}

@inline
function wideBoth(d: usize, s: usize, k: u32): void {
  store<u64>(d, wide(k, load<u64>(d), load<u64>(s)));
  store<u64>(d, wide(k, load<u64>(d, 8), load<u64>(s, 8)), 8);
}
@inline
function wideReg(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  wideBoth(xmmReg(p), xmmRm(p), k);
  return p + REC;
}
@inline
function wideMem(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  const s = memory16(p);
  if (s == 0) return 0;
  wideBoth(xmmReg(p), s, k);
  return p + REC;
}

// --- shifts by a register or memory count, and by an immediate

function shiftAny(k: u32, d: usize, n: u32, count: u64): void {
  shiftLanes(k, d, n, count);
}

function mmxShift(p: usize, k: u32): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  shiftAny(k, d, 8, load<u64>(s));
  mmxDone(d);
  return p + REC;
}

function xmmShift(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  shiftAny(k, xmmReg(p), 16, load<u64>(s));
  return p + REC;
}

function mmxShiftImm(p: usize, k: u32): usize {
  if (!mmxOpen()) return 0;
  const d = mmRm(p);
  shiftAny(k, d, 8, rImm8(p));
  mmxDone(d);
  return p + REC;
}

@inline
function xmmShiftImm(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  shiftLanes(k, xmmRm(p), 16, rImm8(p));
  return p + REC;
}

/** PSRLDQ and PSLLDQ: the whole register by bytes. */
function byteShift(p: usize): usize {
  if (!sseReady()) return 0;
  const d = xmmRm(p);
  const n = rImm8(p);
  const lo = load<u64>(d);
  const hi = load<u64>(d, 8);
  const left = (rModrm(p) & 0x38) == 0x38;
  let rlo: u64 = 0;
  let rhi: u64 = 0;
  if (n < 16) {
    const bits = <u64> (n & 7) << 3;
    if (left) {
      if (n >= 8) rhi = lo << bits;
      else {
        rlo = lo << bits;
        rhi = bits ? (hi << bits) | (lo >> (64 - bits)) : hi;
      }
    } else if (n >= 8) rlo = hi >> bits;
    else {
      rhi = hi >> bits;
      rlo = bits ? (lo >> bits) | (hi << (64 - bits)) : lo;
    }
  }
  store<u64>(d, rlo);
  store<u64>(d, rhi, 8);
  return p + REC;
}

const SHIFTS = memory.data(256);

function shift(opcode: u32, k: u32): void {
  store<u8>(SHIFTS + opcode, <u8> k);
  def(M_0F, opcode, MODRM | P_NONE);
  all((p) => mmxShift(p, load<u8>(SHIFTS + rOpcode(p))));
  def(M_0F, opcode, MODRM | P_66);
  all((p) => xmmShift(p, load<u8>(SHIFTS + rOpcode(p))));
}

/** One shift by an immediate. */
function shiftImm(opcode: u32, n: u32, mm: Handler, xmm: Handler): void {
  grp(M_0F, opcode, n, IMM_B | REGONLY | P_NONE);
  all(mm);
  grp(M_0F, opcode, n, IMM_B | REGONLY | P_66);
  all(xmm);
}

/** ANDPS and the like: with and without 66. */
function logicOp(opcode: u32, reg: Handler, mem: Handler): void {
  def(M_0F, opcode, MODRM | P_NONE | P_66);
  allrm(reg, mem);
}

export function registerSimdInt(): void {
  direct(
    0x64,
    L_PCMPGTB,
    (p) => wideReg(p, L_PCMPGTB),
    (p) => wideMem(p, L_PCMPGTB),
  );
  direct(
    0x65,
    L_PCMPGTW,
    (p) => wideReg(p, L_PCMPGTW),
    (p) => wideMem(p, L_PCMPGTW),
  );
  direct(
    0x66,
    L_PCMPGTD,
    (p) => wideReg(p, L_PCMPGTD),
    (p) => wideMem(p, L_PCMPGTD),
  );
  direct(
    0x74,
    L_PCMPEQB,
    (p) => wideReg(p, L_PCMPEQB),
    (p) => wideMem(p, L_PCMPEQB),
  );
  direct(
    0x75,
    L_PCMPEQW,
    (p) => wideReg(p, L_PCMPEQW),
    (p) => wideMem(p, L_PCMPEQW),
  );
  direct(
    0x76,
    L_PCMPEQD,
    (p) => wideReg(p, L_PCMPEQD),
    (p) => wideMem(p, L_PCMPEQD),
  );
  direct(0xd4, L_PADDQ, (p) => wideReg(p, L_PADDQ), (p) => wideMem(p, L_PADDQ));
  both(M_0F, 0xd5, L_PMULLW);
  direct(
    0xd8,
    L_PSUBUSB,
    (p) => wideReg(p, L_PSUBUSB),
    (p) => wideMem(p, L_PSUBUSB),
  );
  direct(
    0xd9,
    L_PSUBUSW,
    (p) => wideReg(p, L_PSUBUSW),
    (p) => wideMem(p, L_PSUBUSW),
  );
  direct(
    0xda,
    L_PMINUB,
    (p) => wideReg(p, L_PMINUB),
    (p) => wideMem(p, L_PMINUB),
  );
  direct(0xdb, L_PAND, (p) => wideReg(p, L_PAND), (p) => wideMem(p, L_PAND));
  direct(
    0xdc,
    L_PADDUSB,
    (p) => wideReg(p, L_PADDUSB),
    (p) => wideMem(p, L_PADDUSB),
  );
  direct(
    0xdd,
    L_PADDUSW,
    (p) => wideReg(p, L_PADDUSW),
    (p) => wideMem(p, L_PADDUSW),
  );
  direct(
    0xde,
    L_PMAXUB,
    (p) => wideReg(p, L_PMAXUB),
    (p) => wideMem(p, L_PMAXUB),
  );
  direct(0xdf, L_PANDN, (p) => wideReg(p, L_PANDN), (p) => wideMem(p, L_PANDN));
  both(M_0F, 0xe0, L_PAVGB);
  both(M_0F, 0xe3, L_PAVGW);
  both(M_0F, 0xe4, L_PMULHUW);
  both(M_0F, 0xe5, L_PMULHW);
  both(M_0F, 0xe8, L_PSUBSB);
  both(M_0F, 0xe9, L_PSUBSW);
  direct(
    0xea,
    L_PMINSW,
    (p) => wideReg(p, L_PMINSW),
    (p) => wideMem(p, L_PMINSW),
  );
  direct(0xeb, L_POR, (p) => wideReg(p, L_POR), (p) => wideMem(p, L_POR));
  both(M_0F, 0xec, L_PADDSB);
  both(M_0F, 0xed, L_PADDSW);
  direct(
    0xee,
    L_PMAXSW,
    (p) => wideReg(p, L_PMAXSW),
    (p) => wideMem(p, L_PMAXSW),
  );
  direct(0xef, L_PXOR, (p) => wideReg(p, L_PXOR), (p) => wideMem(p, L_PXOR));
  direct(
    0xf4,
    L_PMULUDQ,
    (p) => wideReg(p, L_PMULUDQ),
    (p) => wideMem(p, L_PMULUDQ),
  );
  both(M_0F, 0xf5, L_PMADDWD);
  both(M_0F, 0xf6, L_PSADBW);
  direct(0xf8, L_PSUBB, (p) => wideReg(p, L_PSUBB), (p) => wideMem(p, L_PSUBB));
  direct(0xf9, L_PSUBW, (p) => wideReg(p, L_PSUBW), (p) => wideMem(p, L_PSUBW));
  direct(0xfa, L_PSUBD, (p) => wideReg(p, L_PSUBD), (p) => wideMem(p, L_PSUBD));
  direct(0xfb, L_PSUBQ, (p) => wideReg(p, L_PSUBQ), (p) => wideMem(p, L_PSUBQ));
  direct(0xfc, L_PADDB, (p) => wideReg(p, L_PADDB), (p) => wideMem(p, L_PADDB));
  direct(0xfd, L_PADDW, (p) => wideReg(p, L_PADDW), (p) => wideMem(p, L_PADDW));
  direct(0xfe, L_PADDD, (p) => wideReg(p, L_PADDD), (p) => wideMem(p, L_PADDD));
  // SSSE3
  both(M_0F38, 0x04, L_PMADDUBSW);
  both(M_0F38, 0x08, L_PSIGNB);
  both(M_0F38, 0x09, L_PSIGNW);
  both(M_0F38, 0x0a, L_PSIGND);
  both(M_0F38, 0x0b, L_PMULHRSW);
  both(M_0F38, 0x1c, L_PABSB);
  both(M_0F38, 0x1d, L_PABSW);
  both(M_0F38, 0x1e, L_PABSD);
  // SSE4
  xmm(M_0F38, 0x28, L_PMULDQ);
  xmm(M_0F38, 0x29, L_PCMPEQQ);
  xmm(M_0F38, 0x37, L_PCMPGTQ);
  xmm(M_0F38, 0x38, L_PMINSB);
  xmm(M_0F38, 0x39, L_PMINSD);
  xmm(M_0F38, 0x3a, L_PMINUW);
  xmm(M_0F38, 0x3b, L_PMINUD);
  xmm(M_0F38, 0x3c, L_PMAXSB);
  xmm(M_0F38, 0x3d, L_PMAXSD);
  xmm(M_0F38, 0x3e, L_PMAXUW);
  xmm(M_0F38, 0x3f, L_PMAXUD);
  xmm(M_0F38, 0x40, L_PMULLD);
  // ANDPS ANDPD ANDNPS ANDNPD ORPS ORPD XORPS XORPD
  logicOp(0x54, (p) => wideReg(p, L_PAND), (p) => wideMem(p, L_PAND));
  logicOp(0x55, (p) => wideReg(p, L_PANDN), (p) => wideMem(p, L_PANDN));
  logicOp(0x56, (p) => wideReg(p, L_POR), (p) => wideMem(p, L_POR));
  logicOp(0x57, (p) => wideReg(p, L_PXOR), (p) => wideMem(p, L_PXOR));
  shift(0xd1, SH_RLW);
  shift(0xd2, SH_RLD);
  shift(0xd3, SH_RLQ);
  shift(0xe1, SH_RAW);
  shift(0xe2, SH_RAD);
  shift(0xf1, SH_LLW);
  shift(0xf2, SH_LLD);
  shift(0xf3, SH_LLQ);
  shiftImm(
    0x71,
    2,
    (p) => mmxShiftImm(p, SH_RLW),
    (p) => xmmShiftImm(p, SH_RLW),
  );
  shiftImm(
    0x71,
    4,
    (p) => mmxShiftImm(p, SH_RAW),
    (p) => xmmShiftImm(p, SH_RAW),
  );
  shiftImm(
    0x71,
    6,
    (p) => mmxShiftImm(p, SH_LLW),
    (p) => xmmShiftImm(p, SH_LLW),
  );
  shiftImm(
    0x72,
    2,
    (p) => mmxShiftImm(p, SH_RLD),
    (p) => xmmShiftImm(p, SH_RLD),
  );
  shiftImm(
    0x72,
    4,
    (p) => mmxShiftImm(p, SH_RAD),
    (p) => xmmShiftImm(p, SH_RAD),
  );
  shiftImm(
    0x72,
    6,
    (p) => mmxShiftImm(p, SH_LLD),
    (p) => xmmShiftImm(p, SH_LLD),
  );
  shiftImm(
    0x73,
    2,
    (p) => mmxShiftImm(p, SH_RLQ),
    (p) => xmmShiftImm(p, SH_RLQ),
  );
  shiftImm(
    0x73,
    6,
    (p) => mmxShiftImm(p, SH_LLQ),
    (p) => xmmShiftImm(p, SH_LLQ),
  );
  grp(M_0F, 0x73, 3, IMM_B | REGONLY | P_66);
  all((p) => byteShift(p));
  grp(M_0F, 0x73, 7, IMM_B | REGONLY | P_66);
  all((p) => byteShift(p));
}
