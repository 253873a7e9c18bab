// ADD OR ADC SBB AND SUB XOR CMP, TEST, INC DEC NOT NEG (SDM vol. 2). One
// handler for each operation, operand form and size; the generic bodies are
// inlined into each.
import {
  flagsAdc,
  flagsAdd,
  flagsLogic,
  flagsSbb,
  flagsSub,
  getCF,
  sx,
} from "../../cpu/flags";
import { FAULT, FC, FS, FX, FZ, RAX } from "../../layout";
import {
  def,
  grp,
  hm,
  hr,
  IMM_B,
  IMM_Z,
  INV64,
  LOCKOK,
  M_ONE,
  MODRM,
  OPREG,
  REG8,
  RM8,
  SZ_B,
  SZ_V,
  v3m,
  v3r,
} from "../../code/optable";
import { EAK_64, REC, rImm, rReg, rRm, setReg } from "../../code/record";
import { hostOf, readHit, tlbEntry, writeHit } from "../../memory/span";
import { N0, N1, N2, N3, N4, N5, N6, N7, num } from "../number";
import { getReg, getRm } from "../regs";
import { rmwFailed } from "../rmw";
import { eaSum, ldm, rwm } from "../../code/operand";

const ADD: u32 = 0;
const OR: u32 = 1;
const ADC: u32 = 2;
const SBB: u32 = 3;
const AND: u32 = 4;
const SUB: u32 = 5;
const XOR: u32 = 6;
const CMP: u32 = 7;

@inline
function calc<T>(k: u32, a: T, b: T, c: u64): T {
  if (k == ADD) return <T> (a + b);
  if (k == OR) return <T> (a | b);
  if (k == ADC) return <T> (a + b + <T> c);
  if (k == SBB) return <T> (a - b - <T> c);
  if (k == AND) return <T> (a & b);
  if (k == XOR) return <T> (a ^ b);
  return <T> (a - b);
}

@inline
function setFlags<T>(k: u32, a: T, b: T, r: T, c: u64): void {
  if (k == ADD) flagsAdd<T>(a, b, r);
  else if (k == ADC) flagsAdc<T>(a, b, r, c);
  else if (k == SBB) flagsSbb<T>(a, b, r, c);
  else if (k == SUB || k == CMP) flagsSub<T>(a, b, r);
  else flagsLogic<T>(r);
}

@inline
function carry(k: u32): u64 {
  return k == ADC || k == SBB ? getCF() : 0;
}

@inline
function toReg<T, K>(p: usize, cell: usize, b: T): usize {
  const k = num<K>();
  const a = load<T>(cell);
  const c = carry(k);
  const r = calc<T>(k, a, b, c);
  if (k != CMP) setReg<T>(cell, r);
  setFlags<T>(k, a, b, r, c);
  return p + REC;
}

/** Memory destination with source b, by any addressing and with any outcome. */
function toMemSlow<T, K>(p: usize, b: T): usize {
  const k = num<K>();
  if (k == CMP) {
    const a = ldm<T>(p);
    if (load<u32>(FAULT)) return 0;
    setFlags<T>(k, a, b, calc<T>(k, a, b, 0), 0);
    return p + REC;
  }
  const h = rwm<T>(p);
  if (!h) return 0;
  const a = load<T>(h);
  const c = carry(k);
  const r = calc<T>(k, a, b, c);
  store<T>(h, r);
  if (rmwFailed()) return 0;
  setFlags<T>(k, a, b, r, c);
  return p + REC;
}

/** Memory destination with source b: the TLB hit of 64-bit code inlined. */
@inline
function toMem<T, K>(p: usize, b: T): usize {
  const k = num<K>();
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (k == CMP ? readHit<T>(e, at) : writeHit<T>(e, at)) {
      const h = hostOf(e, at);
      const a = load<T>(h);
      const c = carry(k);
      const r = calc<T>(k, a, b, c);
      if (k != CMP) store<T>(h, r);
      setFlags<T>(k, a, b, r, c);
      return p + REC;
    }
  }
  return toMemSlow<T, K>(p, b);
}

@inline
function rr<T, K>(p: usize): usize {
  return toReg<T, K>(p, rRm(p), getReg<T>(p));
}
@inline
function mr<T, K>(p: usize): usize {
  return toMem<T, K>(p, getReg<T>(p));
}
@inline
function rrm<T, K>(p: usize): usize {
  return toReg<T, K>(p, rReg(p), getRm<T>(p));
}
function rmSlow<T, K>(p: usize): usize {
  const b = ldm<T>(p);
  if (load<u32>(FAULT)) return 0;
  return toReg<T, K>(p, rReg(p), b);
}
@inline
function rm_<T, K>(p: usize): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (readHit<T>(e, at)) {
      return toReg<T, K>(p, rReg(p), load<T>(hostOf(e, at)));
    }
  }
  return rmSlow<T, K>(p);
}
@inline
function ri<T, K>(p: usize): usize {
  return toReg<T, K>(p, rRm(p), <T> rImm(p));
}
@inline
function mi<T, K>(p: usize): usize {
  return toMem<T, K>(p, <T> rImm(p));
}
@inline
function ai<T, K>(p: usize): usize {
  return toReg<T, K>(p, RAX, <T> rImm(p));
}

/**
 * Defines the two-operand forms of one operation: 00+8k..05+8k and 80, 81, 83
 * /k.
 */
function registerOperation<K>(): void {
  const k = num<K>();
  const lock: u32 = k == CMP ? 0 : LOCKOK;
  const at = k << 3;
  def(M_ONE, at, MODRM | SZ_B | REG8 | RM8 | lock);
  hr(0, (p) => rr<u8, K>(p));
  hm(0, (p) => mr<u8, K>(p));
  def(M_ONE, at + 1, MODRM | SZ_V | lock);
  v3r(
    (p) => rr<u16, K>(p),
    (p) => rr<u32, K>(p),
    (p) => rr<u64, K>(p),
  );
  v3m(
    (p) => mr<u16, K>(p),
    (p) => mr<u32, K>(p),
    (p) => mr<u64, K>(p),
  );
  def(M_ONE, at + 2, MODRM | SZ_B | REG8 | RM8);
  hr(0, (p) => rrm<u8, K>(p));
  hm(0, (p) => rm_<u8, K>(p));
  def(M_ONE, at + 3, MODRM | SZ_V);
  v3r(
    (p) => rrm<u16, K>(p),
    (p) => rrm<u32, K>(p),
    (p) => rrm<u64, K>(p),
  );
  v3m(
    (p) => rm_<u16, K>(p),
    (p) => rm_<u32, K>(p),
    (p) => rm_<u64, K>(p),
  );
  def(M_ONE, at + 4, SZ_B | IMM_B);
  hr(0, (p) => ai<u8, K>(p));
  def(M_ONE, at + 5, SZ_V | IMM_Z);
  v3r(
    (p) => ai<u16, K>(p),
    (p) => ai<u32, K>(p),
    (p) => ai<u64, K>(p),
  );
  for (let op: u32 = 0x80; op <= 0x83; op++) {
    // 82 repeats 80 outside 64-bit code; 81 and 83 differ in what the decoder
    // extends
    const imm = op == 0x81 ? IMM_Z : IMM_B;
    if (op == 0x81 || op == 0x83) {
      grp(M_ONE, op, k, SZ_V | imm | lock);
      v3r(
        (p) => ri<u16, K>(p),
        (p) => ri<u32, K>(p),
        (p) => ri<u64, K>(p),
      );
      v3m(
        (p) => mi<u16, K>(p),
        (p) => mi<u32, K>(p),
        (p) => mi<u64, K>(p),
      );
    } else {
      grp(M_ONE, op, k, SZ_B | RM8 | imm | lock | (op == 0x82 ? INV64 : 0));
      hr(0, (p) => ri<u8, K>(p));
      hm(0, (p) => mi<u8, K>(p));
    }
  }
}

// --- TEST

function testSlow<T>(p: usize, b: T): usize {
  const a = ldm<T>(p);
  if (load<u32>(FAULT)) return 0;
  flagsLogic<T>(<T> (a & b));
  return p + REC;
}
@inline
function testM<T>(p: usize, b: T): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (readHit<T>(e, at)) {
      flagsLogic<T>(<T> (load<T>(hostOf(e, at)) & b));
      return p + REC;
    }
  }
  return testSlow<T>(p, b);
}
@inline
function testMR<T>(p: usize): usize {
  return testM<T>(p, getReg<T>(p));
}
@inline
function testMI<T>(p: usize): usize {
  return testM<T>(p, <T> rImm(p));
}
@inline
function testRR<T>(p: usize): usize {
  flagsLogic<T>(<T> (getRm<T>(p) & getReg<T>(p)));
  return p + REC;
}

@inline
function testRI<T>(p: usize, cell: usize): usize {
  flagsLogic<T>(<T> (load<T>(cell) & <T> rImm(p)));
  return p + REC;
}

function registerTest(): void {
  def(M_ONE, 0x84, MODRM | SZ_B | REG8 | RM8);
  hr(0, (p) => testRR<u8>(p));
  hm(0, (p) => testMR<u8>(p));
  def(M_ONE, 0x85, MODRM | SZ_V);
  v3r((p) => testRR<u16>(p), (p) => testRR<u32>(p), (p) => testRR<u64>(p));
  v3m((p) => testMR<u16>(p), (p) => testMR<u32>(p), (p) => testMR<u64>(p));
  def(M_ONE, 0xa8, SZ_B | IMM_B);
  hr(0, (p) => testRI<u8>(p, RAX));
  def(M_ONE, 0xa9, SZ_V | IMM_Z);
  v3r(
    (p) => testRI<u16>(p, RAX),
    (p) => testRI<u32>(p, RAX),
    (p) => testRI<u64>(p, RAX),
  );
  for (let n: u32 = 0; n < 2; n++) {
    grp(M_ONE, 0xf6, n, SZ_B | RM8 | IMM_B);
    hr(0, (p) => testRI<u8>(p, rRm(p)));
    hm(0, (p) => testMI<u8>(p));
    grp(M_ONE, 0xf7, n, SZ_V | IMM_Z);
    v3r(
      (p) => testRI<u16>(p, rRm(p)),
      (p) => testRI<u32>(p, rRm(p)),
      (p) => testRI<u64>(p, rRm(p)),
    );
    v3m((p) => testMI<u16>(p), (p) => testMI<u32>(p), (p) => testMI<u64>(p));
  }
}

// --- INC DEC NOT NEG

const INC: u32 = 0;
const DEC: u32 = 1;
const NOT: u32 = 2;
const NEG: u32 = 3;

@inline
function one<T>(k: u32, a: T): T {
  if (k == INC) return <T> (a + 1);
  if (k == DEC) return <T> (a - 1);
  if (k == NOT) return <T> ~a;
  return <T> (0 - a);
}

/** INC and DEC keep CF, so OF is put in place for the CF that is there. */
@inline
function oneFlags<T>(k: u32, a: T, r: T): void {
  if (k == NOT) return;
  if (k == NEG) {
    flagsSub<T>(0, a, r);
    return;
  }
  const v = sx<T>(r);
  store<u64>(FZ, v);
  store<u64>(FS, v);
  const top = <T> (<u64> 1 << (sizeof<T>() * 8 - 1));
  const o: u64 = k == INC ? <u64> (r == top) : <u64> (a == top);
  store<u64>(
    FX,
    (<u64> (<u32> a ^ <u32> r ^ 1) & 0x10) | ((o ^ load<u64>(FC)) << 63),
  );
}

@inline
function oneR<T>(p: usize, k: u32, cell: usize): usize {
  const a = load<T>(cell);
  const r = one<T>(k, a);
  setReg<T>(cell, r);
  oneFlags<T>(k, a, r);
  return p + REC;
}

function oneSlow<T, K>(p: usize): usize {
  const h = rwm<T>(p);
  if (!h) return 0;
  const a = load<T>(h);
  const r = one<T>(num<K>(), a);
  store<T>(h, r);
  if (rmwFailed()) return 0;
  oneFlags<T>(num<K>(), a, r);
  return p + REC;
}
@inline
function oneM<T, K>(p: usize): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (writeHit<T>(e, at)) {
      const h = hostOf(e, at);
      const a = load<T>(h);
      const r = one<T>(num<K>(), a);
      store<T>(h, r);
      oneFlags<T>(num<K>(), a, r);
      return p + REC;
    }
  }
  return oneSlow<T, K>(p);
}

function registerOne<K>(byteOp: u32, digit: u32): void {
  grp(M_ONE, byteOp, digit, SZ_B | RM8 | LOCKOK);
  hr(0, (p) => oneR<u8>(p, num<K>(), rRm(p)));
  hm(0, (p) => oneM<u8, K>(p));
  grp(M_ONE, byteOp + 1, digit, SZ_V | LOCKOK);
  v3r(
    (p) => oneR<u16>(p, num<K>(), rRm(p)),
    (p) => oneR<u32>(p, num<K>(), rRm(p)),
    (p) => oneR<u64>(p, num<K>(), rRm(p)),
  );
  v3m(
    (p) => oneM<u16, K>(p),
    (p) => oneM<u32, K>(p),
    (p) => oneM<u64, K>(p),
  );
}

export function registerAlu(): void {
  registerOperation<N0>();
  registerOperation<N1>();
  registerOperation<N2>();
  registerOperation<N3>();
  registerOperation<N4>();
  registerOperation<N5>();
  registerOperation<N6>();
  registerOperation<N7>();
  registerTest();
  registerOne<N0>(0xfe, 0);
  registerOne<N1>(0xfe, 1);
  registerOne<N2>(0xf6, 2);
  registerOne<N3>(0xf6, 3);
  // 40..4F, REX prefixes in 64-bit code
  for (let r: u32 = 0; r < 8; r++) {
    def(M_ONE, 0x40 + r, SZ_V | OPREG | INV64);
    hr(1, (p) => oneR<u16>(p, INC, rReg(p)));
    hr(2, (p) => oneR<u32>(p, INC, rReg(p)));
    def(M_ONE, 0x48 + r, SZ_V | OPREG | INV64);
    hr(1, (p) => oneR<u16>(p, DEC, rReg(p)));
    hr(2, (p) => oneR<u32>(p, DEC, rReg(p)));
  }
}
