// MUL IMUL DIV IDIV (SDM vol. 2). SF, ZF and PF after a multiplication are
// undefined: here they are those of the low half, and AF 0. Divisions leave the
// flags alone.
import { raise } from "../../cpu/fault";
import { flagsSet } from "../../cpu/flags";
import { FAULT, RAX, RDX } from "../../layout";
import {
  def,
  grp,
  hx,
  IMM_B,
  IMM_Z,
  M_0F,
  M_ONE,
  MODRM,
  RM8,
  SZ_B,
  SZ_V,
  v3,
} from "../../code/optable";
import { REC, rImm, rReg, setReg } from "../../code/record";
import { divide, mulHigh, mulHighSigned } from "./wide";
import { ldRM } from "../../code/operand";
import { Vector } from "../../x86/vectors";

// --- one-operand multiplications: S is signed T

@inline
function mulHalves<T>(low: T, high: T, overflow: bool): void {
  if (sizeof<T>() == 1) {
    store<u8>(RAX, <u8> low);
    store<u8>(RAX, <u8> high, 1);
  } else {
    setReg<T>(RAX, low);
    setReg<T>(RDX, high);
  }
  flagsSet<T>(low, <u64> overflow, <u64> overflow);
}

@inline
function mul<T>(p: usize): usize {
  const b = ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = load<T>(RAX);
  if (sizeof<T>() == 8) {
    const high = <T> mulHigh(<u64> a, <u64> b);
    mulHalves<T>(<T> (a * b), high, high != 0);
  } else {
    const v = <u64> a * <u64> b;
    const high = <T> (v >> (sizeof<T>() * 8));
    mulHalves<T>(<T> v, high, high != 0);
  }
  return p + REC;
}

@inline
function imul1<T, S>(p: usize): usize {
  const b = <S> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = load<S>(RAX);
  if (sizeof<T>() == 8) {
    const low = <T> (a * b);
    const high = <T> mulHighSigned(<i64> a, <i64> b);
    mulHalves<T>(low, high, high != <T> (<i64> low >> 63));
  } else {
    const v = <i64> a * <i64> b;
    mulHalves<T>(<T> v, <T> (v >> (sizeof<T>() * 8)), v != <i64> <S> v);
  }
  return p + REC;
}

// --- two- and three-operand multiplications

@inline
function imulTo<T, S>(p: usize, a: S, b: S): usize {
  let low: T;
  let over: bool;
  if (sizeof<T>() == 8) {
    low = <T> (a * b);
    // factors of 32 bits cannot overflow
    over = (<i64> <i32> a != <i64> a || <i64> <i32> b != <i64> b) &&
      mulHighSigned(<i64> a, <i64> b) != <u64> (<i64> low >> 63);
  } else {
    const v = <i64> a * <i64> b;
    low = <T> v;
    over = v != <i64> <S> v;
  }
  setReg<T>(rReg(p), low);
  flagsSet<T>(low, <u64> over, <u64> over);
  return p + REC;
}

@inline
function imul2<T, S>(p: usize): usize {
  const b = <S> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  return imulTo<T, S>(p, load<S>(rReg(p)), b);
}

@inline
function imul3<T, S>(p: usize): usize {
  const b = <S> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  return imulTo<T, S>(p, b, <S> rImm(p));
}

// --- divisions

function div8(p: usize): usize {
  const d: u32 = ldRM<u8>(p);
  if (load<u32>(FAULT)) return 0;
  const a: u32 = load<u16>(RAX);
  if (d == 0 || a / d > 0xff) return raise(Vector.DE);
  store<u8>(RAX, <u8> (a / d));
  store<u8>(RAX, <u8> (a % d), 1);
  return p + REC;
}
function idiv8(p: usize): usize {
  const d = <i32> <i8> ldRM<u8>(p);
  if (load<u32>(FAULT)) return 0;
  const a = <i32> load<i16>(RAX);
  if (d == 0) return raise(Vector.DE);
  const q = a / d;
  if (q != <i32> <i8> q) return raise(Vector.DE);
  store<u8>(RAX, <u8> q);
  store<u8>(RAX, <u8> (a % d), 1);
  return p + REC;
}

/** DIV by 16 or 32 bits. */
@inline
function div<T>(p: usize): usize {
  const d = <u64> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = (<u64> load<T>(RDX) << (sizeof<T>() * 8)) | <u64> load<T>(RAX);
  if (d == 0 || <u64> load<T>(RDX) >= d) return raise(Vector.DE);
  setReg<T>(RAX, <T> (a / d));
  setReg<T>(RDX, <T> (a % d));
  return p + REC;
}

/** IDIV by 16 or 32 bits; S is signed T. */
@inline
function idiv<T, S>(p: usize): usize {
  const d = <i64> <S> ldRM<T>(p);
  if (load<u32>(FAULT)) return 0;
  const a = <i64> load<S>(RDX) << (sizeof<T>() * 8) | <i64> load<T>(RAX);
  // the one dividend whose quotient by -1 does not fit into 64 bits
  if (d == 0 || (d == -1 && a == i64.MIN_VALUE)) return raise(Vector.DE);
  const q = a / d;
  if (q != <i64> <S> q) return raise(Vector.DE);
  setReg<T>(RAX, <T> q);
  setReg<T>(RDX, <T> (a % d));
  return p + REC;
}
function div64(p: usize): usize {
  const d = ldRM<u64>(p);
  if (load<u32>(FAULT)) return 0;
  const high = load<u64>(RDX);
  if (high >= d) return raise(Vector.DE);
  const low = load<u64>(RAX);
  const q = divide(high, low, d);
  store<u64>(RAX, q);
  store<u64>(RDX, low - q * d);
  return p + REC;
}
function idiv64(p: usize): usize {
  const v = <i64> ldRM<u64>(p);
  if (load<u32>(FAULT)) return 0;
  let high = load<u64>(RDX);
  let low = load<u64>(RAX);
  const minus = <i64> high < 0;
  if (minus) {
    low = 0 - low;
    high = ~high + (low == 0 ? 1 : 0);
  }
  const d = v < 0 ? <u64> (0 - v) : <u64> v;
  if (high >= d) return raise(Vector.DE);
  const q = divide(high, low, d);
  const negative = minus != (v < 0);
  if (q > (negative ? 0x8000000000000000 : 0x7fffffffffffffff)) {
    return raise(Vector.DE);
  }
  store<u64>(RAX, negative ? 0 - q : q);
  const rest = low - q * d;
  store<u64>(RDX, minus ? 0 - rest : rest);
  return p + REC;
}

export function registerMulDiv(): void {
  grp(M_ONE, 0xf6, 4, SZ_B | RM8);
  hx(0, (p) => mul<u8>(p));
  grp(M_ONE, 0xf7, 4, SZ_V);
  v3((p) => mul<u16>(p), (p) => mul<u32>(p), (p) => mul<u64>(p));
  grp(M_ONE, 0xf6, 5, SZ_B | RM8);
  hx(0, (p) => imul1<u8, i8>(p));
  grp(M_ONE, 0xf7, 5, SZ_V);
  v3(
    (p) => imul1<u16, i16>(p),
    (p) => imul1<u32, i32>(p),
    (p) => imul1<u64, i64>(p),
  );
  def(M_0F, 0xaf, MODRM | SZ_V);
  v3(
    (p) => imul2<u16, i16>(p),
    (p) => imul2<u32, i32>(p),
    (p) => imul2<u64, i64>(p),
  );
  def(M_ONE, 0x69, MODRM | SZ_V | IMM_Z);
  v3(
    (p) => imul3<u16, i16>(p),
    (p) => imul3<u32, i32>(p),
    (p) => imul3<u64, i64>(p),
  );
  def(M_ONE, 0x6b, MODRM | SZ_V | IMM_B);
  v3(
    (p) => imul3<u16, i16>(p),
    (p) => imul3<u32, i32>(p),
    (p) => imul3<u64, i64>(p),
  );
  grp(M_ONE, 0xf6, 6, SZ_B | RM8);
  hx(0, div8);
  grp(M_ONE, 0xf7, 6, SZ_V);
  v3((p) => div<u16>(p), (p) => div<u32>(p), div64);
  grp(M_ONE, 0xf6, 7, SZ_B | RM8);
  hx(0, idiv8);
  grp(M_ONE, 0xf7, 7, SZ_V);
  v3((p) => idiv<u16, i16>(p), (p) => idiv<u32, i32>(p), idiv64);
}
