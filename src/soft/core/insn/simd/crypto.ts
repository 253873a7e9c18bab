// AES-NI and PCLMULQDQ. The S-boxes are computed once from their definition
// (FIPS 197: inverse in GF(2^8), then an affine map). Source: SDM vol. 2; the
// state's byte i is row i & 3, column i >> 2.
import {
  all,
  def,
  IMM_B,
  M_0F38,
  M_0F3A,
  MODRM,
  P_66,
} from "../../code/optable";
import { REC, rImm8 } from "../../code/record";
import { source16, sseReady, xmmReg } from "./operands";

const SBOX = memory.data(256);
const INVERSE = memory.data(256);

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function gmul(a: u32, b: u32): u32 {
  let r: u32 = 0;
  while (b) {
    if (b & 1) r ^= a;
    a = a & 0x80 ? ((a << 1) ^ 0x11b) & 0xff : a << 1;
    b >>= 1;
  }
  return r;
}

/**
 * x and 1 / x run through the powers of 3 and of its inverse, F6: 3 generates
 * the field.
 */
function makeSboxes(): void {
  let x: u32 = 1;
  let inverse: u32 = 1;
  do {
    setSbox(x, inverse);
    x = gmul(x, 3);
    inverse = gmul(inverse, 0xf6);
  } while (x != 1);
  setSbox(0, 0);
}

function setSbox(x: u32, inverse: u32): void {
  const b = inverse | (inverse << 8);
  const s = (b ^ (b >> 4) ^ (b >> 5) ^ (b >> 6) ^ (b >> 7) ^ 0x63) & 0xff;
  store<u8>(SBOX + x, <u8> s);
  store<u8>(INVERSE + s, <u8> x);
}

/** A column out of the S-box of bytes a..d of the state at s. */
@inline
function column(
  box: usize,
  s: usize,
  a: usize,
  b: usize,
  c: usize,
  d: usize,
): u32 {
  return <u32> load<u8>(box + load<u8>(s + a)) |
    (<u32> load<u8>(box + load<u8>(s + b)) << 8) |
    (<u32> load<u8>(box + load<u8>(s + c)) << 16) |
    (<u32> load<u8>(box + load<u8>(s + d)) << 24);
}

/** Every byte of v times x. */
@inline
function doubled(v: u32): u32 {
  return ((v & 0x7f7f7f7f) << 1) ^ (((v >> 7) & 0x01010101) * 0x1b);
}

/** MixColumns of one column: 2 3 1 1 and its rotations. */
@inline
function mix(v: u32): u32 {
  const v2 = doubled(v);
  return v2 ^ rotr<u32>(v ^ v2, 8) ^ rotr<u32>(v, 16) ^ rotr<u32>(v, 24);
}

/** InvMixColumns, 14 11 13 9, is MixColumns after 5 0 4 0. */
@inline
function unmix(v: u32): u32 {
  return mix(v ^ doubled(doubled(v ^ rotr<u32>(v, 16))));
}

/** AESENC AESENCLAST AESDEC AESDECLAST: 0F 38 DC..DF. */
@inline
function aesRound(p: usize, inverse: bool, last: bool): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const box: usize = inverse ? INVERSE : SBOX;
  // ShiftRows: row r comes from r columns on (back)
  let c0 = inverse
    ? column(box, d, 0, 13, 10, 7)
    : column(box, d, 0, 5, 10, 15);
  let c1 = inverse ? column(box, d, 4, 1, 14, 11) : column(box, d, 4, 9, 14, 3);
  let c2 = inverse ? column(box, d, 8, 5, 2, 15) : column(box, d, 8, 13, 2, 7);
  let c3 = inverse ? column(box, d, 12, 9, 6, 3) : column(box, d, 12, 1, 6, 11);
  if (!last) {
    c0 = inverse ? unmix(c0) : mix(c0);
    c1 = inverse ? unmix(c1) : mix(c1);
    c2 = inverse ? unmix(c2) : mix(c2);
    c3 = inverse ? unmix(c3) : mix(c3);
  }
  c0 ^= load<u32>(s);
  c1 ^= load<u32>(s, 4);
  c2 ^= load<u32>(s, 8);
  c3 ^= load<u32>(s, 12);
  store<u32>(d, c0);
  store<u32>(d, c1, 4);
  store<u32>(d, c2, 8);
  store<u32>(d, c3, 12);
  return p + REC;
}

function aesimc(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  for (let i: u32 = 0; i < 16; i += 4) {
    store<u32>(d + i, unmix(load<u32>(s + i)));
  }
  return p + REC;
}

function subWord(v: u32): u32 {
  return <u32> load<u8>(SBOX + (v & 0xff)) |
    (<u32> load<u8>(SBOX + ((v >> 8) & 0xff)) << 8) |
    (<u32> load<u8>(SBOX + ((v >> 16) & 0xff)) << 16) |
    (<u32> load<u8>(SBOX + (v >> 24)) << 24);
}

function keygenassist(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const x1 = subWord(load<u32>(s, 4));
  const x3 = subWord(load<u32>(s, 12));
  const d = xmmReg(p);
  const rcon = rImm8(p);
  store<u32>(d, x1);
  store<u32>(d, rotr<u32>(x1, 8) ^ rcon, 4);
  store<u32>(d, x3, 8);
  store<u32>(d, rotr<u32>(x3, 8) ^ rcon, 12);
  return p + REC;
}

/**
 * Products of a number with every polynomial of degree 3, low and high halves.
 */
const MULTIPLES = memory.data(256);

function pclmulqdq(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const a = load<u64>(d + ((imm & 1) << 3));
  const b = load<u64>(s + ((imm & 0x10) >> 1));
  for (let i: usize = 0; i < 16; i++) {
    const half = MULTIPLES + ((i >> 1) << 4);
    const to = MULTIPLES + (i << 4);
    const lo = i ? load<u64>(half) : 0;
    const hi = i ? load<u64>(half, 8) : 0;
    store<u64>(to, (lo << 1) ^ (i & 1 ? a : 0));
    store<u64>(to, (hi << 1) | (lo >> 63), 8);
  }
  let lo: u64 = 0;
  let hi: u64 = 0;
  for (let i = 60; i >= 0; i -= 4) {
    const m = MULTIPLES + ((<usize> (b >> i) & 15) << 4);
    hi = ((hi << 4) | (lo >> 60)) ^ load<u64>(m, 8);
    lo = (lo << 4) ^ load<u64>(m);
  }
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}

export function registerSimdCrypto(): void {
  makeSboxes();
  def(M_0F38, 0xdb, MODRM | P_66);
  all((p) => aesimc(p));
  def(M_0F38, 0xdc, MODRM | P_66);
  all((p) => aesRound(p, false, false));
  def(M_0F38, 0xdd, MODRM | P_66);
  all((p) => aesRound(p, false, true));
  def(M_0F38, 0xde, MODRM | P_66);
  all((p) => aesRound(p, true, false));
  def(M_0F38, 0xdf, MODRM | P_66);
  all((p) => aesRound(p, true, true));
  def(M_0F3A, 0xdf, MODRM | IMM_B | P_66);
  all((p) => keygenassist(p));
  def(M_0F3A, 0x44, MODRM | IMM_B | P_66);
  all((p) => pclmulqdq(p));
}
