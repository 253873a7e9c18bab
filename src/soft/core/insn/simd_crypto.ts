// AES-NI and PCLMULQDQ. The S-boxes are computed once from their definition (FIPS 197:
// inverse in GF(2^8), then an affine map). Source: SDM vol. 2; the state's byte i is
// row i & 3, column i >> 2.
import { all, def, IMM_B, M_0F38, M_0F3A, MODRM, P_66 } from "../optable";
import { REC, rImm8, rOpcode } from "../record";
import { copy16, source16, sseReady, TEMP, xmmReg } from "./simd";

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

/** x and 1 / x run through the powers of 3 and of its inverse, F6: 3 generates the field. */
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

/** ShiftRows then SubBytes of the state at d, to TEMP. */
function shiftAndSubstitute(d: usize, inverse: bool): void {
  const box: usize = inverse ? INVERSE : SBOX;
  for (let i: u32 = 0; i < 16; i++) {
    const row = i & 3;
    const from = (inverse ? i - (row << 2) : i + (row << 2)) & 15;
    store<u8>(TEMP + i, load<u8>(box + load<u8>(d + from)));
  }
}

/** MixColumns of the 16 bytes at `at`, in place. */
function mixColumns(at: usize, inverse: bool): void {
  for (let c: u32 = 0; c < 16; c += 4) {
    const a0 = <u32> load<u8>(at + c);
    const a1 = <u32> load<u8>(at + c, 1);
    const a2 = <u32> load<u8>(at + c, 2);
    const a3 = <u32> load<u8>(at + c, 3);
    store<u8>(at + c, mixed(a0, a1, a2, a3, inverse));
    store<u8>(at + c, mixed(a1, a2, a3, a0, inverse), 1);
    store<u8>(at + c, mixed(a2, a3, a0, a1, inverse), 2);
    store<u8>(at + c, mixed(a3, a0, a1, a2, inverse), 3);
  }
}
function mixed(a: u32, b: u32, c: u32, d: u32, inverse: bool): u8 {
  return <u8> (inverse
    ? gmul(a, 14) ^ gmul(b, 11) ^ gmul(c, 13) ^ gmul(d, 9)
    : gmul(a, 2) ^ gmul(b, 3) ^ c ^ d);
}

/** AESENC AESENCLAST AESDEC AESDECLAST: 0F 38 DC..DF. */
function aesRound(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const op = rOpcode(p);
  const inverse = op >= 0xde;
  shiftAndSubstitute(d, inverse);
  if (!(op & 1)) mixColumns(TEMP, inverse);
  store<u64>(d, load<u64>(TEMP) ^ load<u64>(s));
  store<u64>(d, load<u64>(TEMP, 8) ^ load<u64>(s, 8), 8);
  return p + REC;
}

function aesimc(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  copy16(TEMP, s);
  mixColumns(TEMP, true);
  copy16(xmmReg(p), TEMP);
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

function pclmulqdq(p: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const d = xmmReg(p);
  const imm = rImm8(p);
  const a = load<u64>(d + ((imm & 1) << 3));
  const b = load<u64>(s + ((imm & 0x10) >> 1));
  let lo: u64 = 0;
  let hi: u64 = 0;
  for (let i: u64 = 0; i < 64; i++) {
    if ((b >> i) & 1) {
      lo ^= a << i;
      if (i) hi ^= a >> (64 - i);
    }
  }
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
  return p + REC;
}

export function registerSimdCrypto(): void {
  makeSboxes();
  def(M_0F38, 0xdb, MODRM | P_66);
  all((p) => aesimc(p));
  for (let op: u32 = 0xdc; op <= 0xdf; op++) {
    def(M_0F38, op, MODRM | P_66);
    all((p) => aesRound(p));
  }
  def(M_0F3A, 0xdf, MODRM | IMM_B | P_66);
  all((p) => keygenassist(p));
  def(M_0F3A, 0x44, MODRM | IMM_B | P_66);
  all((p) => pclmulqdq(p));
}
