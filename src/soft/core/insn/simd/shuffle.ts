// MMX and SSE instructions that move elements between lanes: pack, unpack,
// shuffle, horizontal arithmetic. Source: SDM vol. 2.
import { FAULT, TEMP } from "../../layout";
import {
  all,
  def,
  IMM_B,
  M_0F,
  M_0F38,
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
  mmRm,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sseReady,
  xmmReg,
} from "./operands";
import { clamp } from "./lanes";
import { ldm } from "../../code/operand";

/** What a two-operand shuffle computes into TEMP from d and s, n bytes each. */
function shuffle(op: u32, d: usize, s: usize, n: u32, imm: u32): void {
  const half = n >> 1;
  switch (op) {
    case 0x63: // PACKSSWB, PACKUSWB
    case 0x67:
      for (let i: u32 = 0; i < n; i++) {
        const from = i < half ? d + (i << 1) : s + ((i - half) << 1);
        const v = <i32> load<i16>(from);
        store<u8>(
          TEMP + i,
          <u8> (op == 0x63 ? clamp(v, -128, 127) : clamp(v, 0, 255)),
        );
      }
      break;
    case 0x6b: // PACKSSDW
    case 0x2b: // PACKUSDW
      for (let i: u32 = 0; i < n; i += 2) {
        const from = i < half ? d + (i << 1) : s + ((i - half) << 1);
        const v = load<i32>(from);
        store<u16>(
          TEMP + i,
          <u16> (op == 0x6b ? clamp(v, -32768, 32767) : clamp(v, 0, 65535)),
        );
      }
      break;
    case 0x00: // PSHUFB (MMX)
      for (let i: u32 = 0; i < n; i++) {
        const c = load<u8>(s + i);
        store<u8>(TEMP + i, c & 0x80 ? 0 : load<u8>(d + (c & (n - 1))));
      }
      break;
    case 0x0f: // PALIGNR (MMX): bytes imm.. of d:s
      for (let i: u32 = 0; i < n; i++) {
        const j = i + imm;
        store<u8>(
          TEMP + i,
          j < n ? load<u8>(s + j) : j < 2 * n ? load<u8>(d + j - n) : 0,
        );
      }
      break;
    case 0x01: // PHADDW PHADDD PHADDSW PHSUBW PHSUBD PHSUBSW
    case 0x03:
    case 0x05:
    case 0x07:
      for (let i: u32 = 0; i < n; i += 2) {
        const from = i < half ? d + (i << 1) : s + ((i - half) << 1);
        const a = <i32> load<i16>(from);
        const b = <i32> load<i16>(from, 2);
        const v = op >= 5 ? a - b : a + b;
        store<u16>(
          TEMP + i,
          <u16> (op == 3 || op == 7 ? clamp(v, -32768, 32767) : v),
        );
      }
      break;
    default: // 0x02, 0x06
      for (let i: u32 = 0; i < n; i += 4) {
        const from = i < half ? d + (i << 1) : s + ((i - half) << 1);
        const a = load<u32>(from);
        const b = load<u32>(from, 4);
        store<u32>(TEMP + i, op == 6 ? a - b : a + b);
      }
  }
  store<u64>(d, load<u64>(TEMP));
  if (n == 16) store<u64>(d, load<u64>(TEMP, 8), 8);
}

/** Puts zeros above every element of w bytes of the 32 bits in x. */
@inline
function spread(x: u64, w: u32): u64 {
  if (w < 4) x = (x | (x << 16)) & 0x0000ffff0000ffff;
  if (w < 2) x = (x | (x << 8)) & 0x00ff00ff00ff00ff;
  return x;
}

/** Elements of w bytes of a and b in turn, from their low 32 bits. */
@inline
function interleave(a: u64, b: u64, w: u32): u64 {
  return spread(a & 0xffffffff, w) | (spread(b & 0xffffffff, w) << (w << 3));
}

/** PUNPCKxxx, UNPCKxPx with XMM registers: elements of w bytes of a half. */
@inline
function unpack(p: usize, w: u32, half: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const a = load<u64>(d + half);
  const b = load<u64>(s + half);
  if (w == 8) {
    store<u64>(d, a);
    store<u64>(d, b, 8);
  } else {
    store<u64>(d, interleave(a, b, w));
    store<u64>(d, interleave(a >> 32, b >> 32, w), 8);
  }
  return p + REC;
}

/** PUNPCKxxx with MMX registers; the low ones have a 32-bit memory operand. */
@inline
function unpackMm(p: usize, w: u32, high: bool): usize {
  if (!mmxOpen()) return 0;
  let b: u64;
  if (isMem(p)) b = high ? ldm<u64>(p) : <u64> ldm<u32>(p);
  else b = load<u64>(mmRm(p));
  if (load<u32>(FAULT)) return 0;
  const d = mmReg(p);
  const a = load<u64>(d);
  store<u64>(d, high ? interleave(a >> 32, b >> 32, w) : interleave(a, b, w));
  mmxDone(d);
  return p + REC;
}

function mmxShuffle(p: usize): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  shuffle(rOpcode(p), d, s, 8, rImm8(p));
  mmxDone(d);
  return p + REC;
}

function xmmShuffle(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  shuffle(rOpcode(p), xmmReg(p), s, 16, rImm8(p));
  return p + REC;
}

/** Byte i of PSHUFB's result, at its place in 64 bits. */
@inline
function picked(d: usize, s: usize, i: usize): u64 {
  const c = <u32> load<u8>(s + i);
  // the mask is 0 where the index is negative
  return <u64> (load<u8>(d + (c & 15)) & ((c >> 7) - 1)) << ((i & 7) << 3);
}
@inline
function picked8(d: usize, s: usize): u64 {
  return picked(d, s, 0) | picked(d, s, 1) | picked(d, s, 2) |
    picked(d, s, 3) | picked(d, s, 4) | picked(d, s, 5) | picked(d, s, 6) |
    picked(d, s, 7);
}
function pshufb(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const lo = picked8(d, s);
  const hi = picked8(d, s + 8);
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}

/** Source, destination and zeros above them. */
const BOTH = memory.data(48);

function palignr(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const n = rImm8(p);
  copy16(BOTH, s);
  copy16(BOTH + 16, d);
  const from = BOTH + (n < 32 ? n : 32);
  store<u64>(d, load<u64>(from));
  store<u64>(d, load<u64>(from, 8), 8);
  return p + REC;
}

// --- shuffles by an immediate

function pshufw(p: usize): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  words(s, rImm8(p));
  const d = mmReg(p);
  store<u64>(d, load<u64>(TEMP));
  mmxDone(d);
  return p + REC;
}
/** Four words of s by the immediate, to TEMP. */
function words(s: usize, imm: u32): void {
  for (let i: u32 = 0; i < 4; i++) {
    store<u16>(TEMP + (i << 1), load<u16>(s + (((imm >> (i << 1)) & 3) << 1)));
  }
}
@inline
function dword(at: usize, which: u32): u64 {
  return <u64> load<u32>(at + ((which & 3) << 2));
}
function pshufd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const imm = rImm8(p);
  const lo = dword(s, imm) | (dword(s, imm >> 2) << 32);
  const hi = dword(s, imm >> 4) | (dword(s, imm >> 6) << 32);
  const d = xmmReg(p);
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}
function pshufHalf(p: usize, half: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  words(s + half, rImm8(p));
  const v = load<u64>(TEMP);
  const other = load<u64>(s + (8 - half));
  const d = xmmReg(p);
  store<u64>(d + half, v);
  store<u64>(d + (8 - half), other);
  return p + REC;
}
function shufps(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const lo = dword(d, imm) | (dword(d, imm >> 2) << 32);
  const hi = dword(s, imm >> 4) | (dword(s, imm >> 6) << 32);
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}
function shufpd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const lo = load<u64>(d + ((imm & 1) << 3));
  const hi = load<u64>(s + ((imm & 2) << 2));
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}
/** Both forms of a two-operand shuffle. */
function two(map: u32, opcode: u32, flags: u32): void {
  mmx(map, opcode, flags);
  one(map, opcode, flags);
}
function mmx(map: u32, opcode: u32, flags: u32): void {
  def(map, opcode, MODRM | flags | P_NONE);
  all((p) => mmxShuffle(p));
}
function one(map: u32, opcode: u32, flags: u32): void {
  def(map, opcode, MODRM | flags | P_66);
  all((p) => xmmShuffle(p));
}

export function registerSimdShuffle(): void {
  def(M_0F, 0x60, MODRM | P_NONE);
  all((p) => unpackMm(p, 1, false));
  def(M_0F, 0x60, MODRM | P_66);
  all((p) => unpack(p, 1, 0));
  def(M_0F, 0x68, MODRM | P_NONE);
  all((p) => unpackMm(p, 1, true));
  def(M_0F, 0x68, MODRM | P_66);
  all((p) => unpack(p, 1, 8));
  def(M_0F, 0x61, MODRM | P_NONE);
  all((p) => unpackMm(p, 2, false));
  def(M_0F, 0x61, MODRM | P_66);
  all((p) => unpack(p, 2, 0));
  def(M_0F, 0x69, MODRM | P_NONE);
  all((p) => unpackMm(p, 2, true));
  def(M_0F, 0x69, MODRM | P_66);
  all((p) => unpack(p, 2, 8));
  def(M_0F, 0x62, MODRM | P_NONE);
  all((p) => unpackMm(p, 4, false));
  def(M_0F, 0x62, MODRM | P_66);
  all((p) => unpack(p, 4, 0));
  def(M_0F, 0x6a, MODRM | P_NONE);
  all((p) => unpackMm(p, 4, true));
  def(M_0F, 0x6a, MODRM | P_66);
  all((p) => unpack(p, 4, 8));
  def(M_0F, 0x6c, MODRM | P_66);
  all((p) => unpack(p, 8, 0));
  def(M_0F, 0x6d, MODRM | P_66);
  all((p) => unpack(p, 8, 8));
  two(M_0F, 0x63, 0);
  two(M_0F, 0x67, 0);
  two(M_0F, 0x6b, 0);
  mmx(M_0F38, 0x00, 0);
  def(M_0F38, 0x00, MODRM | P_66);
  all((p) => pshufb(p));
  for (let op: u32 = 1; op <= 3; op++) two(M_0F38, op, 0);
  for (let op: u32 = 5; op <= 7; op++) two(M_0F38, op, 0);
  one(M_0F38, 0x2b, 0);
  mmx(M_0F3A, 0x0f, IMM_B);
  def(M_0F3A, 0x0f, MODRM | IMM_B | P_66);
  all((p) => palignr(p));
  def(M_0F, 0x70, MODRM | IMM_B | P_NONE);
  all((p) => pshufw(p));
  def(M_0F, 0x70, MODRM | IMM_B | P_66);
  all((p) => pshufd(p));
  def(M_0F, 0x70, MODRM | IMM_B | P_F2);
  all((p) => pshufHalf(p, 0));
  def(M_0F, 0x70, MODRM | IMM_B | P_F3);
  all((p) => pshufHalf(p, 8));
  def(M_0F, 0xc6, MODRM | IMM_B | P_NONE);
  all((p) => shufps(p));
  def(M_0F, 0xc6, MODRM | IMM_B | P_66);
  all((p) => shufpd(p));
  def(M_0F, 0x14, MODRM | P_NONE);
  all((p) => unpack(p, 4, 0));
  def(M_0F, 0x14, MODRM | P_66);
  all((p) => unpack(p, 8, 0));
  def(M_0F, 0x15, MODRM | P_NONE);
  all((p) => unpack(p, 4, 8));
  def(M_0F, 0x15, MODRM | P_66);
  all((p) => unpack(p, 8, 8));
}
