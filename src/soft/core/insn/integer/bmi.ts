// BMI1 and BMI2, the VEX-encoded general-register instructions (SDM vol. 2).
// Flags that the manual leaves undefined (AF, PF, and SF for BEXTR) follow the
// result.
import { flagsLogic, flagsSet } from "../../cpu/flags";
import { FAULT, RDX } from "../../layout";
import {
  def,
  grp,
  hx,
  IMM_B,
  M_VEX0F38,
  M_VEX0F3A,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
  SZ_Y,
  VVVV,
} from "../../code/optable";
import { REC, rImm8, rReg, rVvvv, setReg } from "../../code/record";
import { mulHigh } from "./wide";
import { ldRM } from "../../code/operand";

@inline
function andn<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const r = <T> (~load<T>(rVvvv(p)) & v);
  setReg<T>(rReg(p), r);
  flagsLogic<T>(r);
  return p + REC;
}

const BLSR: u32 = 1;
const BLSMSK: u32 = 2;

@inline
function bls<T>(p: usize, k: u32): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const r: T = k == BLSR
    ? <T> (v & (v - 1))
    : k == BLSMSK
    ? <T> (v ^ (v - 1))
    : <T> (v & (0 - v));
  setReg<T>(rVvvv(p), r);
  flagsSet<T>(r, <u64> (k <= BLSMSK ? v == 0 : v != 0), 0);
  return p + REC;
}

@inline
function bextr<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const control = load<u32>(rVvvv(p));
  const start = control & 0xff;
  const length = (control >> 8) & 0xff;
  const w: u32 = sizeof<T>() * 8;
  let r: T = start < w ? <T> (v >> <T> start) : 0;
  if (length < w) r &= <T> (((<u64> 1) << length) - 1);
  setReg<T>(rReg(p), r);
  flagsLogic<T>(r);
  return p + REC;
}

@inline
function bzhi<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const n: u32 = load<u8>(rVvvv(p));
  const w: u32 = sizeof<T>() * 8;
  const r: T = n < w ? <T> (v & <T> (((<u64> 1) << n) - 1)) : v;
  setReg<T>(rReg(p), r);
  flagsSet<T>(r, <u64> (n >= w), 0);
  return p + REC;
}

@inline
function pdep<T>(p: usize): usize {
  let mask = <u64> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  let v = <u64> load<T>(rVvvv(p));
  let r: u64 = 0;
  while (mask != 0) {
    const low = mask & (0 - mask);
    if (v & 1) r |= low;
    v >>= 1;
    mask ^= low;
  }
  setReg<T>(rReg(p), <T> r);
  return p + REC;
}

@inline
function pext<T>(p: usize): usize {
  let mask = <u64> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const v = <u64> load<T>(rVvvv(p));
  let r: u64 = 0;
  let bit: u64 = 1;
  while (mask != 0) {
    const low = mask & (0 - mask);
    if (v & low) r |= bit;
    bit <<= 1;
    mask ^= low;
  }
  setReg<T>(rReg(p), <T> r);
  return p + REC;
}

/**
 * Both halves of RDX * r/m; the high half wins when the destinations are the
 * same.
 */
@inline
function mulx<T>(p: usize): usize {
  const b = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = load<T>(RDX);
  const high: T = sizeof<T>() == 8
    ? <T> mulHigh(<u64> a, <u64> b)
    : <T> ((<u64> a * <u64> b) >> 32);
  setReg<T>(rVvvv(p), <T> (a * b));
  setReg<T>(rReg(p), high);
  return p + REC;
}

const SHLX: u32 = 0;
const SHRX: u32 = 1;

@inline
function shx<T, S>(p: usize, k: u32): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const n = <T> (load<u32>(rVvvv(p)) & (sizeof<T>() * 8 - 1));
  const r: T = k == SHLX
    ? <T> (v << n)
    : k == SHRX
    ? <T> (v >> n)
    : <T> (<S> v >> <S> n);
  setReg<T>(rReg(p), r);
  return p + REC;
}

@inline
function rorx<T>(p: usize): usize {
  const v = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  setReg<T>(rReg(p), rotr<T>(v, <T> rImm8(p)));
  return p + REC;
}

export function registerBmi(): void {
  const y = MODRM | SZ_Y | VVVV;
  def(M_VEX0F38, 0xf2, y | P_NONE);
  hx(2, (p) => andn<u32>(p));
  hx(3, (p) => andn<u64>(p));
  grp(M_VEX0F38, 0xf3, 1, y | P_NONE);
  hx(2, (p) => bls<u32>(p, BLSR));
  hx(3, (p) => bls<u64>(p, BLSR));
  grp(M_VEX0F38, 0xf3, 2, y | P_NONE);
  hx(2, (p) => bls<u32>(p, BLSMSK));
  hx(3, (p) => bls<u64>(p, BLSMSK));
  grp(M_VEX0F38, 0xf3, 3, y | P_NONE);
  hx(2, (p) => bls<u32>(p, 3));
  hx(3, (p) => bls<u64>(p, 3));
  def(M_VEX0F38, 0xf5, y | P_NONE);
  hx(2, (p) => bzhi<u32>(p));
  hx(3, (p) => bzhi<u64>(p));
  def(M_VEX0F38, 0xf5, y | P_F2);
  hx(2, (p) => pdep<u32>(p));
  hx(3, (p) => pdep<u64>(p));
  def(M_VEX0F38, 0xf5, y | P_F3);
  hx(2, (p) => pext<u32>(p));
  hx(3, (p) => pext<u64>(p));
  def(M_VEX0F38, 0xf6, y | P_F2);
  hx(2, (p) => mulx<u32>(p));
  hx(3, (p) => mulx<u64>(p));
  def(M_VEX0F38, 0xf7, y | P_NONE);
  hx(2, (p) => bextr<u32>(p));
  hx(3, (p) => bextr<u64>(p));
  def(M_VEX0F38, 0xf7, y | P_66);
  hx(2, (p) => shx<u32, i32>(p, SHLX));
  hx(3, (p) => shx<u64, i64>(p, SHLX));
  def(M_VEX0F38, 0xf7, y | P_F2);
  hx(2, (p) => shx<u32, i32>(p, SHRX));
  hx(3, (p) => shx<u64, i64>(p, SHRX));
  def(M_VEX0F38, 0xf7, y | P_F3);
  hx(2, (p) => shx<u32, i32>(p, 2));
  hx(3, (p) => shx<u64, i64>(p, 2));
  def(M_VEX0F3A, 0xf0, MODRM | SZ_Y | IMM_B | P_F2);
  hx(2, (p) => rorx<u32>(p));
  hx(3, (p) => rorx<u64>(p));
}
