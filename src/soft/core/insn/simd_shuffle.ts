// MMX and SSE instructions that move elements between lanes: pack, unpack, shuffle,
// blend, insert, extract, extend, horizontal arithmetic. Source: SDM vol. 2.
import { CF, setArith, ZF } from "../flags";
import { FAULT, XMM } from "../layout";
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
  P_F2,
  P_F3,
  P_NONE,
  REGONLY,
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
  stm,
} from "../record";
import {
  mmReg,
  mmRm,
  mmxDone,
  mmxOpen,
  OPERAND,
  source16,
  source8,
  sourcePart,
  sseReady,
  TEMP,
  xmmReg,
  xmmRm,
} from "./simd";
import { clamp } from "./simd_lanes";
import { mmxUsed } from "./x87_state";

/** What a two-operand shuffle computes into TEMP from d and s, n bytes each. */
function shuffle(op: u32, d: usize, s: usize, n: u32, imm: u32): void {
  const half = n >> 1;
  switch (op) {
    case 0x60: // PUNPCKLBW and on: width 1, 2, 4, 8
    case 0x61:
    case 0x62:
    case 0x6c:
      interleave(d, s, n, op == 0x6c ? 8 : 1 << (op - 0x60));
      break;
    case 0x68: // PUNPCKHBW and on
    case 0x69:
    case 0x6a:
    case 0x6d:
      interleave(d + half, s + half, n, op == 0x6d ? 8 : 1 << (op - 0x68));
      break;
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
    case 0x00: // PSHUFB
      for (let i: u32 = 0; i < n; i++) {
        const c = load<u8>(s + i);
        store<u8>(TEMP + i, c & 0x80 ? 0 : load<u8>(d + (c & (n - 1))));
      }
      break;
    case 0x0f: // PALIGNR: bytes imm.. of d:s
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
  memory.copy(d, TEMP, n);
}

function interleave(d: usize, s: usize, n: u32, w: u32): void {
  for (let i: u32 = 0; i < n; i += w << 1) {
    memory.copy(TEMP + i, d + (i >> 1), w);
    memory.copy(TEMP + i + w, s + (i >> 1), w);
  }
}

function mmxShuffle(p: usize): usize {
  if (!mmxOpen()) return 0;
  const op = rOpcode(p);
  let s: usize;
  if (op <= 0x62 && op >= 0x60 && isMem(p)) {
    // the low half only: a 32-bit memory operand
    const v = ldm<u32>(p);
    if (load<u32>(FAULT)) return 0;
    store<u64>(OPERAND, <u64> v);
    s = OPERAND;
  } else s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  shuffle(op, d, s, 8, rImm8(p));
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
function pshufd(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const imm = rImm8(p);
  for (let i: u32 = 0; i < 4; i++) {
    store<u32>(TEMP + (i << 2), load<u32>(s + (((imm >> (i << 1)) & 3) << 2)));
  }
  memory.copy(xmmReg(p), TEMP, 16);
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
  for (let i: u32 = 0; i < 4; i++) {
    const from = i < 2 ? d : s;
    store<u32>(
      TEMP + (i << 2),
      load<u32>(from + (((imm >> (i << 1)) & 3) << 2)),
    );
  }
  memory.copy(d, TEMP, 16);
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
/** UNPCKLPS, UNPCKHPS, UNPCKLPD, UNPCKHPD. */
function unpack(p: usize, w: u32, half: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  interleave(d + half, s + half, 16, w);
  memory.copy(d, TEMP, 16);
  return p + REC;
}

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

/** Copies elements of w bytes from s to d where `mask` has a bit. */
function blendImm(p: usize, w: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const mask = rImm8(p);
  for (let i: u32 = 0; i < 16 / w; i++) {
    if ((mask >> i) & 1) memory.copy(d + i * w, s + i * w, w);
  }
  return p + REC;
}
/** The same by the sign of XMM0's elements. */
function blendXmm0(p: usize, w: u32): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  memory.copy(TEMP, XMM, 16);
  for (let i: u32 = 0; i < 16; i += w) {
    if (load<i8>(TEMP + i + w - 1) < 0) memory.copy(d + i, s + i, w);
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
  setArith((and == 0 ? ZF : 0) | (andn == 0 ? CF : 0));
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
  memory.copy(d, TEMP, 16);
  return p + REC;
}

/** Both forms of a two-operand shuffle. */
function two(map: u32, opcode: u32, flags: u32): void {
  def(map, opcode, MODRM | flags | P_NONE);
  all((p) => mmxShuffle(p));
  one(map, opcode, flags);
}
function one(map: u32, opcode: u32, flags: u32): void {
  def(map, opcode, MODRM | flags | P_66);
  all((p) => xmmShuffle(p));
}

export function registerSimdShuffle(): void {
  for (let op: u32 = 0x60; op <= 0x63; op++) two(M_0F, op, 0);
  for (let op: u32 = 0x67; op <= 0x6b; op++) two(M_0F, op, 0);
  one(M_0F, 0x6c, 0);
  one(M_0F, 0x6d, 0);
  two(M_0F38, 0x00, 0);
  for (let op: u32 = 1; op <= 3; op++) two(M_0F38, op, 0);
  for (let op: u32 = 5; op <= 7; op++) two(M_0F38, op, 0);
  one(M_0F38, 0x2b, 0);
  two(M_0F3A, 0x0f, IMM_B);
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
