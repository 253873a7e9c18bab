// Near branches: Jcc, JMP, CALL, RET, LOOP, JCXZ, and BOUND (SDM vol. 2). A
// branch to where the instruction pointer may not be is #GP(0) at the branch
// itself. Direct branches remember their target's record (the link), which
// skips every check.
import { gp0, raise } from "../../cpu/fault";
import {
  CODEBASE,
  FAULT,
  FC,
  FS,
  FX,
  FZ,
  MODE,
  MODE_LONG,
  RCX,
  RSP,
  S_CS,
  SEG_LIMIT,
  SEGS,
} from "../../layout";
import { rd } from "../../memory/access";
import {
  def,
  END,
  grp,
  hm,
  IMM_W,
  INV64,
  M_0F,
  M_ONE,
  MEMONLY,
  MODRM,
  REL8,
  RELZ,
  SZ_F64,
  SZ_V,
  v3m,
  v3r,
} from "../../code/optable";
import { getPF, getZF } from "../../cpu/flags";
import {
  addrMask,
  REC,
  rImm,
  rLen,
  rOff,
  rOsz,
  rReg,
  rRm,
} from "../../code/record";
import { getSP, pushV, setSP, stackGetV, stackWritable } from "../../cpu/stack";
import { hostOf, readHit, tlbEntry, writeHit } from "../../memory/span";
import {
  N0,
  N1,
  N10,
  N11,
  N12,
  N13,
  N14,
  N15,
  N2,
  N3,
  N4,
  N5,
  N6,
  N7,
  N8,
  N9,
  num,
} from "../number";
import { nextIp } from "../../code/ip";
import { jumpHit, jumpTo } from "../../code/jumps";
import { branchTo } from "../../code/lookup";
import { eaPart, ldmI } from "../../code/operand";
import { Vector } from "../../x86/vectors";

/**
 * Whether the instruction pointer may become `ip`: canonical, or within CS's
 * limit.
 */
@inline
function reachable(ip: u64): bool {
  if (load<u8>(MODE) == MODE_LONG) return <u64> (<i64> (ip << 16) >> 16) == ip;
  return ip <= <u64> load<u32>(SEGS + (<usize> S_CS << 5), SEG_LIMIT);
}

/** The target of a relative branch, cut to the operand size. */
function target(p: usize): u64 {
  const ip = nextIp(p) + rImm(p);
  const size = rOsz(p);
  return size == 3 ? ip : size == 2 ? ip & 0xffffffff : ip & 0xffff;
}

/** Takes a relative branch that has no link yet. */
function branch(p: usize): usize {
  const ip = target(p);
  if (!reachable(ip)) return gp0();
  return branchTo(p, ip);
}

@inline
function take(p: usize): usize {
  const l = load<u32>(p, 28);
  return l ? l : branch(p);
}

// --- Jcc

@inline
function less(): bool {
  return (((load<u64>(FS) ^ load<u64>(FX)) >> 63) ^ load<u64>(FC)) != 0;
}

/** Condition k, a constant. */
@inline
function holds(k: u32): bool {
  if (k == 0) return ((load<u64>(FX) >> 63) ^ load<u64>(FC)) != 0;
  if (k == 1) return ((load<u64>(FX) >> 63) ^ load<u64>(FC)) == 0;
  if (k == 2) return load<u32>(FC) != 0;
  if (k == 3) return load<u32>(FC) == 0;
  if (k == 4) return load<u64>(FZ) == 0;
  if (k == 5) return load<u64>(FZ) != 0;
  if (k == 6) return load<u32>(FC) != 0 || load<u64>(FZ) == 0;
  if (k == 7) return load<u32>(FC) == 0 && load<u64>(FZ) != 0;
  if (k == 8) return load<i64>(FS) < 0;
  if (k == 9) return load<i64>(FS) >= 0;
  if (k == 10) return getPF();
  if (k == 11) return !getPF();
  if (k == 12) return less();
  if (k == 13) return !less();
  if (k == 14) return load<u64>(FZ) == 0 || less();
  return load<u64>(FZ) != 0 && !less();
}

@inline
function jcc(p: usize, k: u32): usize {
  return holds(k) ? take(p) : p + REC;
}

function registerJcc<K>(): void {
  const k = num<K>();
  def(M_ONE, 0x70 + k, SZ_F64 | REL8);
  v3r(
    (p) => jcc(p, num<K>()),
    (p) => jcc(p, num<K>()),
    (p) => jcc(p, num<K>()),
  );
  def(M_0F, 0x80 + k, SZ_F64 | RELZ);
  v3r(
    (p) => jcc(p, num<K>()),
    (p) => jcc(p, num<K>()),
    (p) => jcc(p, num<K>()),
  );
}

// --- JMP

function jmpRel(p: usize): usize {
  return take(p);
}

@inline
function jmpTo<T>(ip: T): usize {
  if (!reachable(ip)) return gp0();
  return jumpTo(ip);
}

@inline
function jmpM<T>(p: usize): usize {
  const ip = ldmI<T>(p);
  if (load<u32>(FAULT)) return 0;
  return jmpTo<T>(ip);
}

// --- CALL

/**
 * A CALL to where RIP may not be: a fault of its push has priority over the
 * #GP(0).
 */
function callFault(p: usize): usize {
  const size = rOsz(p);
  return stackWritable(size, getSP() - ((<u64> 1) << size)) ? gp0() : 0;
}

/**
 * CALL rel64: the return address goes to the stack before the link is followed.
 */
function callRel64(p: usize): usize {
  const l = load<u32>(p, 28);
  if (l) {
    const sp = load<u64>(RSP) - 8;
    const e = tlbEntry(sp);
    if (writeHit<u64>(e, sp)) {
      store<u64>(hostOf(e, sp), load<u64>(CODEBASE) + rOff(p) + rLen(p));
      store<u64>(RSP, sp);
      return l;
    }
  }
  return callRel(p);
}

function callRel(p: usize): usize {
  const to = target(p);
  if (!reachable(to)) return callFault(p);
  if (!pushV(rOsz(p), nextIp(p))) return 0;
  const l = load<u32>(p, 28);
  return l ? l : branchTo(p, to);
}

@inline
function callTo<T>(p: usize, to: T): usize {
  if (!reachable(to)) return callFault(p);
  if (!pushV(rOsz(p), nextIp(p))) return 0;
  return jumpTo(to);
}

@inline
function callM<T>(p: usize): usize {
  const to = ldmI<T>(p);
  if (load<u32>(FAULT)) return 0;
  return callTo<T>(p, to);
}

// --- RET

@inline
function ret64(p: usize, release: u64): usize {
  const sp = load<u64>(RSP);
  const e = tlbEntry(sp);
  if (readHit<u64>(e, sp)) {
    const ip = load<u64>(hostOf(e, sp));
    // what the look-up knows is canonical
    const t = jumpHit(ip);
    if (t) {
      store<u64>(RSP, sp + 8 + release);
      return t;
    }
  }
  return retV(p, release);
}

function retV(p: usize, release: u64): usize {
  const sp = getSP();
  const size = rOsz(p);
  const ip = stackGetV(size, sp);
  if (load<u32>(FAULT)) return 0;
  if (!reachable(ip)) return gp0();
  setSP(sp + ((<u64> 1) << size) + release);
  return jumpTo(ip);
}

// --- LOOP, JCXZ

/** LOOPNE, LOOPE, LOOP (E0..E2): the counter has the address size. */
function loopCC(p: usize, ok: bool): usize {
  const mask = addrMask(p);
  const n = (load<u64>(RCX) - 1) & mask;
  if (n != 0 && ok) {
    // the branch may fault, then the counter must not have changed
    const t = take(p);
    if (load<u32>(FAULT)) return 0;
    setCount(mask, n);
    return t;
  }
  setCount(mask, n);
  return p + REC;
}

function setCount(mask: u64, n: u64): void {
  if (mask == 0xffff) store<u16>(RCX, <u16> n);
  else store<u64>(RCX, n);
}

function jcxz(p: usize): usize {
  return load<u64>(RCX) & addrMask(p) ? p + REC : take(p);
}

// --- BOUND

@inline
function bound<T, S>(p: usize): usize {
  const a = eaPart(p, 0, sizeof<T>(), false);
  if (load<u32>(FAULT)) return 0;
  const low = <S> rd<T>(a);
  if (load<u32>(FAULT)) return 0;
  const b = eaPart(p, sizeof<T>(), sizeof<T>(), false);
  if (load<u32>(FAULT)) return 0;
  const high = <S> rd<T>(b);
  if (load<u32>(FAULT)) return 0;
  const i = <S> load<T>(rReg(p));
  if (i < low || i > high) return raise(Vector.BR);
  return p + REC;
}

export function registerFlow(): void {
  registerJcc<N0>();
  registerJcc<N1>();
  registerJcc<N2>();
  registerJcc<N3>();
  registerJcc<N4>();
  registerJcc<N5>();
  registerJcc<N6>();
  registerJcc<N7>();
  registerJcc<N8>();
  registerJcc<N9>();
  registerJcc<N10>();
  registerJcc<N11>();
  registerJcc<N12>();
  registerJcc<N13>();
  registerJcc<N14>();
  registerJcc<N15>();
  def(M_ONE, 0xeb, SZ_F64 | REL8 | END);
  v3r((p) => jmpRel(p), (p) => jmpRel(p), (p) => jmpRel(p));
  def(M_ONE, 0xe9, SZ_F64 | RELZ | END);
  v3r((p) => jmpRel(p), (p) => jmpRel(p), (p) => jmpRel(p));
  grp(M_ONE, 0xff, 4, SZ_F64 | END);
  v3r(
    (p) => jmpTo<u16>(load<u16>(rRm(p))),
    (p) => jmpTo<u32>(load<u32>(rRm(p))),
    (p) => jmpTo<u64>(load<u64>(rRm(p))),
  );
  v3m((p) => jmpM<u16>(p), (p) => jmpM<u32>(p), (p) => jmpM<u64>(p));
  def(M_ONE, 0xe8, SZ_F64 | RELZ | END);
  v3r((p) => callRel(p), (p) => callRel(p), (p) => callRel64(p));
  grp(M_ONE, 0xff, 2, SZ_F64 | END);
  v3r(
    (p) => callTo<u16>(p, load<u16>(rRm(p))),
    (p) => callTo<u32>(p, load<u32>(rRm(p))),
    (p) => callTo<u64>(p, load<u64>(rRm(p))),
  );
  v3m((p) => callM<u16>(p), (p) => callM<u32>(p), (p) => callM<u64>(p));
  def(M_ONE, 0xc3, SZ_F64 | END);
  v3r((p) => retV(p, 0), (p) => retV(p, 0), (p) => ret64(p, 0));
  def(M_ONE, 0xc2, SZ_F64 | IMM_W | END);
  v3r(
    (p) => retV(p, rImm(p)),
    (p) => retV(p, rImm(p)),
    (p) => ret64(p, rImm(p)),
  );
  def(M_ONE, 0xe0, SZ_F64 | REL8);
  v3r(
    (p) => loopCC(p, !getZF()),
    (p) => loopCC(p, !getZF()),
    (p) => loopCC(p, !getZF()),
  );
  def(M_ONE, 0xe1, SZ_F64 | REL8);
  v3r(
    (p) => loopCC(p, getZF()),
    (p) => loopCC(p, getZF()),
    (p) => loopCC(p, getZF()),
  );
  def(M_ONE, 0xe2, SZ_F64 | REL8);
  v3r(
    (p) => loopCC(p, true),
    (p) => loopCC(p, true),
    (p) => loopCC(p, true),
  );
  def(M_ONE, 0xe3, SZ_F64 | REL8);
  v3r((p) => jcxz(p), (p) => jcxz(p), (p) => jcxz(p));
  def(M_ONE, 0x62, MODRM | SZ_V | MEMONLY | INV64);
  hm(1, (p) => bound<u16, i16>(p));
  hm(2, (p) => bound<u32, i32>(p));
}
