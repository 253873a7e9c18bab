// MMX and SSE integer instructions that are element by element, and shifts.
// Source: SDM vol. 2.
import {
  all,
  def,
  grp,
  IMM_B,
  M_0F,
  M_0F38,
  MODRM,
  P_66,
  P_NONE,
  REGONLY,
} from "../optable";
import { REC, rImm8, rModrm, rOpcode } from "../record";
import {
  mmReg,
  mmRm,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sseReady,
  xmmReg,
  xmmRm,
} from "./simd";
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
} from "./simd_lanes";

/** Operation of an opcode: one byte each for the 0F and the 0F 38 map (value + 1). */
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

// @ts-ignore: decorator
@inline
function opOf(p: usize, map: usize): u32 {
  return <u32> load<u8>(OPS + map + rOpcode(p)) - 1;
}

/** XORPS/ANDPS family and PXOR & co. with 16-byte operands, quickly. */
function both(map: u32, opcode: u32, k: u32): void {
  setOp(map, opcode, k);
  def(map, opcode, MODRM | P_NONE);
  if (map == M_0F) all((p) => mmxLanes(p, opOf(p, 0)));
  else all((p) => mmxLanes(p, opOf(p, 256)));
  xmm(map, opcode, k);
}

function xmm(map: u32, opcode: u32, k: u32): void {
  setOp(map, opcode, k);
  def(map, opcode, MODRM | P_66);
  if (map == M_0F) all((p) => xmmLanes(p, opOf(p, 0)));
  else all((p) => xmmLanes(p, opOf(p, 256)));
}

// --- shifts by a register or memory count, and by an immediate

function mmxShift(p: usize, k: u32): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  shiftLanes(k, d, 8, load<u64>(s));
  mmxDone(d);
  return p + REC;
}

function xmmShift(p: usize, k: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  shiftLanes(k, xmmReg(p), 16, load<u64>(s));
  return p + REC;
}

function mmxShiftImm(p: usize, k: u32): usize {
  if (!mmxOpen()) return 0;
  const d = mmRm(p);
  shiftLanes(k, d, 8, rImm8(p));
  mmxDone(d);
  return p + REC;
}

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

/** Immediate shifts: SHIFTS by opcode's low two bits and ModRM.reg. */
function shiftImm(opcode: u32, n: u32, k: u32): void {
  store<u8>(SHIFTS + ((opcode & 3) << 3) + n, <u8> k);
  grp(M_0F, opcode, n, IMM_B | REGONLY | P_NONE);
  all((p) => mmxShiftImm(p, immKind(p)));
  grp(M_0F, opcode, n, IMM_B | REGONLY | P_66);
  all((p) => xmmShiftImm(p, immKind(p)));
}

function immKind(p: usize): u32 {
  return load<u8>(
    SHIFTS + ((rOpcode(p) & 3) << 3) + ((rModrm(p) >> 3) & 7),
  );
}

function logicOp(opcode: u32, k: u32): void {
  setOp(M_0F, opcode, k);
  def(M_0F, opcode, MODRM | P_NONE | P_66);
  all((p) => xmmLanes(p, opOf(p, 0)));
}

export function registerSimdInt(): void {
  both(M_0F, 0x64, L_PCMPGTB);
  both(M_0F, 0x65, L_PCMPGTW);
  both(M_0F, 0x66, L_PCMPGTD);
  both(M_0F, 0x74, L_PCMPEQB);
  both(M_0F, 0x75, L_PCMPEQW);
  both(M_0F, 0x76, L_PCMPEQD);
  both(M_0F, 0xd4, L_PADDQ);
  both(M_0F, 0xd5, L_PMULLW);
  both(M_0F, 0xd8, L_PSUBUSB);
  both(M_0F, 0xd9, L_PSUBUSW);
  both(M_0F, 0xda, L_PMINUB);
  both(M_0F, 0xdb, L_PAND);
  both(M_0F, 0xdc, L_PADDUSB);
  both(M_0F, 0xdd, L_PADDUSW);
  both(M_0F, 0xde, L_PMAXUB);
  both(M_0F, 0xdf, L_PANDN);
  both(M_0F, 0xe0, L_PAVGB);
  both(M_0F, 0xe3, L_PAVGW);
  both(M_0F, 0xe4, L_PMULHUW);
  both(M_0F, 0xe5, L_PMULHW);
  both(M_0F, 0xe8, L_PSUBSB);
  both(M_0F, 0xe9, L_PSUBSW);
  both(M_0F, 0xea, L_PMINSW);
  both(M_0F, 0xeb, L_POR);
  both(M_0F, 0xec, L_PADDSB);
  both(M_0F, 0xed, L_PADDSW);
  both(M_0F, 0xee, L_PMAXSW);
  both(M_0F, 0xef, L_PXOR);
  both(M_0F, 0xf4, L_PMULUDQ);
  both(M_0F, 0xf5, L_PMADDWD);
  both(M_0F, 0xf6, L_PSADBW);
  both(M_0F, 0xf8, L_PSUBB);
  both(M_0F, 0xf9, L_PSUBW);
  both(M_0F, 0xfa, L_PSUBD);
  both(M_0F, 0xfb, L_PSUBQ);
  both(M_0F, 0xfc, L_PADDB);
  both(M_0F, 0xfd, L_PADDW);
  both(M_0F, 0xfe, L_PADDD);
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
  logicOp(0x54, L_PAND);
  logicOp(0x55, L_PANDN);
  logicOp(0x56, L_POR);
  logicOp(0x57, L_PXOR);
  shift(0xd1, SH_RLW);
  shift(0xd2, SH_RLD);
  shift(0xd3, SH_RLQ);
  shift(0xe1, SH_RAW);
  shift(0xe2, SH_RAD);
  shift(0xf1, SH_LLW);
  shift(0xf2, SH_LLD);
  shift(0xf3, SH_LLQ);
  shiftImm(0x71, 2, SH_RLW);
  shiftImm(0x71, 4, SH_RAW);
  shiftImm(0x71, 6, SH_LLW);
  shiftImm(0x72, 2, SH_RLD);
  shiftImm(0x72, 4, SH_RAD);
  shiftImm(0x72, 6, SH_LLD);
  shiftImm(0x73, 2, SH_RLQ);
  shiftImm(0x73, 6, SH_LLQ);
  grp(M_0F, 0x73, 3, IMM_B | REGONLY | P_66);
  all((p) => byteShift(p));
  grp(M_0F, 0x73, 7, IMM_B | REGONLY | P_66);
  all((p) => byteShift(p));
}
