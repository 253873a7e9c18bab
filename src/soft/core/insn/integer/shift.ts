// Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR, SHLD SHRD (SDM vol. 2).
// Flags that the manual leaves undefined for counts above 1 are those of the
// same formula as for count 1, which is what processors give.
import { flagsSet, getCF, setCFOF } from "../../cpu/flags";
import { RCX } from "../../layout";
import {
  def,
  grp,
  hm,
  hr,
  IMM_B,
  M_0F,
  M_ONE,
  MODRM,
  RM8,
  SZ_B,
  SZ_V,
  v3m,
  v3r,
} from "../../code/optable";
import { REC, rImm8, rReg, rRm, setReg } from "../../code/record";
import { N0, N1, N2, N3, N4, N5, N7, num } from "../number";
import { rmwFailed } from "../rmw";
import { rwm } from "../../code/operand";

const ROL: u32 = 0;
const ROR: u32 = 1;
const RCL: u32 = 2;
const RCR: u32 = 3;
const SHR: u32 = 5;
const SAR: u32 = 7;

@inline
function bits<T>(): u32 {
  return sizeof<T>() * 8;
}

/** Bit i of v. */
@inline
function bit<T>(v: T, i: u32): u64 {
  return (<u64> v >> <u64> i) & 1;
}

/** OF of right rotations and shifts: whether the top two bits differ. */
@inline
function topDiffers<T>(r: T): u64 {
  return bit<T>(r, bits<T>() - 1) ^ bit<T>(r, bits<T>() - 2);
}

/** Carry out of the last shift(). */
let carry: u64 = 0;

/**
 * The result of operation k for a masked count > 0. RCL and RCR: count below
 * bits + 1.
 */
@inline
function shift<T>(k: u32, a: T, n: u32): T {
  const w = bits<T>();
  let r: T;
  if (k == ROL) {
    r = rotl<T>(a, <T> (n & (w - 1)));
    carry = <u64> r & 1;
  } else if (k == ROR) {
    r = rotr<T>(a, <T> (n & (w - 1)));
    carry = bit<T>(r, w - 1);
  } else if (k == RCL) {
    const c = getCF();
    carry = bit<T>(a, w - n);
    r = <T> ((<u64> c << (n - 1)) |
      (n < w || w < 64 ? <u64> a << n : 0) |
      (n > 1 ? <u64> a >> (w + 1 - n) : 0));
  } else if (k == RCR) {
    const c = getCF();
    carry = bit<T>(a, n - 1);
    r = <T> ((<u64> a >> n) | (<u64> c << (w - n)) |
      (n > 1 ? <u64> a << (w + 1 - n) : 0));
  } else if (k == SHR) {
    carry = n <= w ? bit<T>(a, n - 1) : 0;
    r = n < w ? <T> (<u64> a >> n) : 0;
  } else if (k == SAR) {
    const top = bit<T>(a, w - 1);
    const v: i64 = sizeof<T>() == 1
      ? <i64> <i8> a
      : sizeof<T>() == 2
      ? <i64> <i16> a
      : sizeof<T>() == 4
      ? <i64> <i32> a
      : <i64> a;
    carry = n <= w ? bit<T>(a, n - 1) : top;
    r = <T> (v >> n);
  } else {
    carry = n <= w ? bit<T>(a, w - n) : 0;
    r = n < w ? <T> (<u64> a << n) : 0;
  }
  return r;
}

@inline
function shiftFlags<T>(k: u32, r: T, c: u64): void {
  if (k == ROL || k == RCL) setCFOF(c, bit<T>(r, bits<T>() - 1) ^ c);
  else if (k == ROR || k == RCR) setCFOF(c, topDiffers<T>(r));
  else if (k == SHR) flagsSet<T>(r, c, topDiffers<T>(r));
  else if (k == SAR) flagsSet<T>(r, c, 0);
  else flagsSet<T>(r, c, bit<T>(r, bits<T>() - 1) ^ c);
}

/** The count as the processor uses it. */
@inline
function masked<T>(k: u32, n: u32): u32 {
  n &= sizeof<T>() == 8 ? 63 : 31;
  if ((k == RCL || k == RCR) && sizeof<T>() < 4) n %= bits<T>() + 1;
  return n;
}

@inline
function shiftR<T>(p: usize, k: u32, count: u32): usize {
  const n = masked<T>(k, count);
  const cell = rRm(p);
  if (n == 0) {
    if (sizeof<T>() == 4) setReg<T>(cell, load<T>(cell));
    return p + REC;
  }
  const r = shift<T>(k, load<T>(cell), n);
  setReg<T>(cell, r);
  shiftFlags<T>(k, r, carry);
  return p + REC;
}

@inline
function shiftM<T>(p: usize, k: u32, count: u32): usize {
  const n = masked<T>(k, count);
  const h = rwm<T>(p);
  if (!h) return 0;
  const a = load<T>(h);
  const r = n == 0 ? a : shift<T>(k, a, n);
  const c = carry;
  store<T>(h, r);
  if (rmwFailed()) return 0;
  if (n != 0) shiftFlags<T>(k, r, c);
  return p + REC;
}

// one function for each operation and form; the count forms share it
function opR<T, K>(p: usize, n: u32): usize {
  return shiftR<T>(p, num<K>(), n);
}
function opM<T, K>(p: usize, n: u32): usize {
  return shiftM<T>(p, num<K>(), n);
}

@inline
function cl(): u32 {
  return load<u8>(RCX);
}

/**
 * C0 C1 (imm8), D0 D1 (1), D2 D3 (CL) /n. The constant counts of registers are
 * inlined.
 */
function registerShift<K>(digit: u32): void {
  grp(M_ONE, 0xc0, digit, SZ_B | RM8 | IMM_B);
  hr(0, (p) => opR<u8, K>(p, rImm8(p)));
  hm(0, (p) => opM<u8, K>(p, rImm8(p)));
  grp(M_ONE, 0xc1, digit, SZ_V | IMM_B);
  v3r(
    (p) => opR<u16, K>(p, rImm8(p)),
    (p) => shiftR<u32>(p, num<K>(), rImm8(p)),
    (p) => shiftR<u64>(p, num<K>(), rImm8(p)),
  );
  v3m(
    (p) => opM<u16, K>(p, rImm8(p)),
    (p) => opM<u32, K>(p, rImm8(p)),
    (p) => opM<u64, K>(p, rImm8(p)),
  );
  grp(M_ONE, 0xd0, digit, SZ_B | RM8);
  hr(0, (p) => opR<u8, K>(p, 1));
  hm(0, (p) => opM<u8, K>(p, 1));
  grp(M_ONE, 0xd1, digit, SZ_V);
  v3r(
    (p) => opR<u16, K>(p, 1),
    (p) => shiftR<u32>(p, num<K>(), 1),
    (p) => shiftR<u64>(p, num<K>(), 1),
  );
  v3m(
    (p) => opM<u16, K>(p, 1),
    (p) => opM<u32, K>(p, 1),
    (p) => opM<u64, K>(p, 1),
  );
  grp(M_ONE, 0xd2, digit, SZ_B | RM8);
  hr(0, (p) => opR<u8, K>(p, cl()));
  hm(0, (p) => opM<u8, K>(p, cl()));
  grp(M_ONE, 0xd3, digit, SZ_V);
  v3r(
    (p) => opR<u16, K>(p, cl()),
    (p) => opR<u32, K>(p, cl()),
    (p) => opR<u64, K>(p, cl()),
  );
  v3m(
    (p) => opM<u16, K>(p, cl()),
    (p) => opM<u32, K>(p, cl()),
    (p) => opM<u64, K>(p, cl()),
  );
}

// --- SHLD SHRD

/** SHLD of a by the bits of b; n is masked and not 0. Sets carry. */
@inline
function double<T>(right: bool, a: T, b: T, n: u32): T {
  const w = bits<T>();
  if (sizeof<T>() == 2) {
    // counts above 16 go on with the destination's own bits
    const both = (<u64> a << 32) | (<u64> b << 16) | <u64> a;
    if (right) {
      carry = (both >> (n - 1)) & 1;
      return <T> (both >> n);
    }
    carry = (both >> (48 - n)) & 1;
    return <T> (both >> (32 - n));
  }
  if (right) {
    carry = bit<T>(a, n - 1);
    return <T> ((<u64> a >> n) | (<u64> b << (w - n)));
  }
  carry = bit<T>(a, w - n);
  return <T> ((<u64> a << n) | (<u64> b >> (w - n)));
}

function doubleShift<T, K>(p: usize, count: u32, mem: bool): usize {
  const right = num<K>() == 1;
  const n: u32 = count & (sizeof<T>() == 8 ? 63 : 31);
  const h = mem ? rwm<T>(p) : rRm(p);
  if (!h) return 0;
  const a = load<T>(h);
  const r = n == 0 ? a : double<T>(right, a, load<T>(rReg(p)), n);
  const c = carry;
  if (mem) {
    store<T>(h, r);
    if (rmwFailed()) return 0;
  } else setReg<T>(h, r);
  if (n != 0) {
    flagsSet<T>(
      r,
      c,
      right ? topDiffers<T>(r) : bit<T>(r, bits<T>() - 1) ^ c,
    );
  }
  return p + REC;
}

function registerDouble<K>(op: u32): void {
  def(M_0F, op, MODRM | SZ_V | IMM_B);
  v3r(
    (p) => doubleShift<u16, K>(p, rImm8(p), false),
    (p) => doubleShift<u32, K>(p, rImm8(p), false),
    (p) => doubleShift<u64, K>(p, rImm8(p), false),
  );
  v3m(
    (p) => doubleShift<u16, K>(p, rImm8(p), true),
    (p) => doubleShift<u32, K>(p, rImm8(p), true),
    (p) => doubleShift<u64, K>(p, rImm8(p), true),
  );
  def(M_0F, op + 1, MODRM | SZ_V);
  v3r(
    (p) => doubleShift<u16, K>(p, cl(), false),
    (p) => doubleShift<u32, K>(p, cl(), false),
    (p) => doubleShift<u64, K>(p, cl(), false),
  );
  v3m(
    (p) => doubleShift<u16, K>(p, cl(), true),
    (p) => doubleShift<u32, K>(p, cl(), true),
    (p) => doubleShift<u64, K>(p, cl(), true),
  );
}

export function registerShifts(): void {
  registerShift<N0>(0);
  registerShift<N1>(1);
  registerShift<N2>(2);
  registerShift<N3>(3);
  registerShift<N4>(4);
  registerShift<N5>(5);
  registerShift<N4>(6); // SAL, the other encoding of SHL
  registerShift<N7>(7);
  registerDouble<N0>(0xa4);
  registerDouble<N1>(0xac);
}
