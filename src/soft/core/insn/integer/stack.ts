// PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF and POPF (SDM vol. 2). In 64-bit
// code the operand is 64 or 16 bits; POP of a segment register loads it through
// cpu/segment.ts.
import { getFlags, setArith } from "../../cpu/flags";
import {
  CPL,
  CR4,
  EFL,
  FAULT,
  MODE,
  MODE_V86,
  RBP,
  REGS,
  RSP,
  S_CS,
  S_DS,
  S_ES,
  S_FS,
  S_GS,
  S_SS,
  SEG_SEL,
  SEGS,
} from "../../layout";
import { rd } from "../../memory/access";
import { acChanged, flagsChanged } from "../../cpu/mode";
import {
  def,
  grp,
  IMM_B,
  IMM_WB,
  IMM_Z,
  INV64,
  M_0F,
  M_ONE,
  OPREG,
  SZ_D64,
  SZ_V,
  v3m,
  v3r,
} from "../../code/optable";
import { rDisp, REC, rImm, rOsz, rReg, rRm, setReg } from "../../code/record";
import {
  getSP,
  pop,
  popV,
  push,
  pushV,
  setSP,
  stackFault,
  stackGetV,
  stackMask,
  stackPutV,
  stackWritable,
} from "../../cpu/stack";
import { hostOf, readHit, tlbEntry, writeHit } from "../../memory/span";
import { getReg } from "../regs";
import { leave } from "../../code/ip";
import { ldmI, stm } from "../../code/operand";
import { gp0 } from "../../cpu/fault";
import { CR4_VME } from "../../x86/control_registers";
import {
  RFLAGS_AC,
  RFLAGS_ARITHMETIC,
  RFLAGS_BITS,
  RFLAGS_CLEAR,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VIF,
  RFLAGS_VIP,
  RFLAGS_VM,
} from "../../x86/flags";

// --- PUSH

@inline
function push64(p: usize, v: u64): usize {
  const sp = load<u64>(RSP) - 8;
  const e = tlbEntry(sp);
  if (writeHit<u64>(e, sp)) {
    store<u64>(hostOf(e, sp), v);
    store<u64>(RSP, sp);
    return p + REC;
  }
  return pushSlow(p, v);
}
function pushSlow(p: usize, v: u64): usize {
  return push<u64>(v) ? p + REC : 0;
}

@inline
function pushT<T>(p: usize, v: T): usize {
  if (sizeof<T>() == 8) return push64(p, v);
  return push<T>(v) ? p + REC : 0;
}

@inline
function pushM<T>(p: usize): usize {
  const v = ldmI<T>(p);
  if (load<u32>(FAULT)) return 0;
  return pushT<T>(p, v);
}

/** PUSH Sreg: zero-extended to the operand size. */
function pushSeg(p: usize, seg: u32): usize {
  const v = load<u16>(SEGS + (<usize> seg << 5), SEG_SEL);
  return pushV(rOsz(p), v) ? p + REC : 0;
}

// --- POP

function popSlow(p: usize, cell: usize): usize {
  const v = pop<u64>();
  if (load<u32>(FAULT)) return 0;
  store<u64>(cell, v);
  return p + REC;
}
@inline
function popR<T>(p: usize, cell: usize): usize {
  if (sizeof<T>() == 8) {
    const sp = load<u64>(RSP);
    const e = tlbEntry(sp);
    if (readHit<u64>(e, sp)) {
      const v = load<u64>(hostOf(e, sp));
      store<u64>(RSP, sp + 8);
      store<u64>(cell, v);
      return p + REC;
    }
    return popSlow(p, cell);
  }
  const v = pop<T>();
  if (load<u32>(FAULT)) return 0;
  setReg<T>(cell, v);
  return p + REC;
}

/** POP m: an address that uses RSP uses it as incremented by this POP. */
@inline
function popM<T>(p: usize): usize {
  const sp = load<u64>(RSP);
  const v = pop<T>();
  if (load<u32>(FAULT)) return 0;
  stm<T>(p, v);
  if (load<u32>(FAULT)) {
    store<u64>(RSP, sp);
    return 0;
  }
  return p + REC;
}

// --- PUSHA POPA

function pusha(p: usize): usize {
  const size = rOsz(p);
  const step = (<u64> 1) << size;
  const sp = getSP();
  // the last write is the lowest: all must succeed before RSP moves
  for (let i: u32 = 0; i < 8; i++) {
    const v = load<u64>(REGS + (<usize> i << 3));
    if (!stackPutV(size, sp - (i + 1) * step, v)) return 0;
  }
  setSP(sp - 8 * step);
  return p + REC;
}

function popa(p: usize): usize {
  const size = rOsz(p);
  const step = (<u64> 1) << size;
  const sp = getSP();
  // registers are loaded one by one, so a fault leaves those before it loaded:
  // with RSP unchanged the instruction can begin again (seen on AMD processors)
  for (let i: u32 = 0; i < 8; i++) {
    const v = stackGetV(size, sp + i * step);
    if (load<u32>(FAULT)) return 0;
    const r = 7 - i;
    if (r == 4) continue;
    const cell = REGS + (<usize> r << 3);
    if (size == 1) store<u16>(cell, <u16> v);
    else store<u64>(cell, v);
  }
  setSP(sp + 8 * step);
  return p + REC;
}

// --- ENTER LEAVE

function enter(p: usize): usize {
  const size = rOsz(p);
  const step = (<u64> 1) << size;
  const mask = stackMask();
  const level = <u32> rDisp(p) & 31;
  let sp = (getSP() - step) & mask;
  if (!stackPutV(size, sp, load<u64>(RBP))) return 0;
  // the frame pointer has the operand size, whatever the stack pointer's width
  const frame = (load<u64>(RSP) & ~mask) | sp;
  if (level > 0) {
    let bp = load<u64>(RBP);
    for (let i: u32 = 1; i < level; i++) {
      bp = (bp - step) & mask;
      const v = stackGetV(size, bp);
      if (load<u32>(FAULT)) return 0;
      sp = (sp - step) & mask;
      if (!stackPutV(size, sp, v)) return 0;
    }
    sp = (sp - step) & mask;
    if (!stackPutV(size, sp, frame)) return 0;
  }
  sp = (sp - rImm(p)) & mask;
  // a write at the final stack pointer must be possible
  if (!stackWritable(size, sp)) return 0;
  setSP(sp);
  if (size == 1) store<u16>(RBP, <u16> frame);
  else if (size == 2) store<u64>(RBP, frame & 0xffffffff);
  else store<u64>(RBP, frame);
  return p + REC;
}

function leave64(p: usize): usize {
  const bp = load<u64>(RBP);
  const v = rd<u64>(bp);
  if (load<u32>(FAULT)) return stackFault();
  store<u64>(RSP, bp + 8);
  store<u64>(RBP, v);
  return p + REC;
}
function leaveV(p: usize): usize {
  const bp = load<u64>(RBP) & stackMask();
  const size = rOsz(p);
  const v = stackGetV(size, bp);
  if (load<u32>(FAULT)) return 0;
  setSP(bp + ((<u64> 1) << size));
  if (size == 1) store<u16>(RBP, <u16> v);
  else store<u64>(RBP, v);
  return p + REC;
}

// --- PUSHF POPF

function iopl(): u32 {
  return (load<u32>(EFL) & RFLAGS_IOPL) >> 12;
}

function pushf(p: usize): usize {
  const size = rOsz(p);
  let f = getFlags();
  if (load<u8>(MODE) == MODE_V86 && iopl() < 3) {
    if (size != 1 || !(load<u64>(CR4) & CR4_VME)) return gp0();
    // virtual-8086 mode extensions: the image has VIF as IF, and IOPL 3
    f = (f & ~RFLAGS_IF) | RFLAGS_IOPL | (f & RFLAGS_VIF ? RFLAGS_IF : 0);
  }
  return pushV(size, f & ~(RFLAGS_VM | RFLAGS_RF)) ? p + REC : 0;
}

/**
 * What POPF changes where nothing forbids it; RF is cleared but by its 16-bit
 * form.
 */
const POPF: u32 = RFLAGS_BITS &
  ~(RFLAGS_CLEAR | RFLAGS_RF | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP);

function popf(p: usize): usize {
  const size = rOsz(p);
  const sp = load<u64>(RSP);
  const v = <u32> popV(size);
  if (load<u32>(FAULT)) return 0;
  const old = load<u32>(EFL);
  let mask: u32 = POPF;
  let virtualIf = false;
  const v86 = load<u8>(MODE) == MODE_V86;
  const cpl: u32 = load<u8>(CPL);
  if (v86 && iopl() < 3) {
    if (size != 1 || !(load<u64>(CR4) & CR4_VME)) {
      store<u64>(RSP, sp);
      return gp0();
    }
    if (v & RFLAGS_TF || (v & RFLAGS_IF && old & RFLAGS_VIP)) {
      store<u64>(RSP, sp);
      return gp0();
    }
    mask &= ~(RFLAGS_IF | RFLAGS_IOPL);
    virtualIf = true;
  } else if (v86) mask &= ~RFLAGS_IOPL;
  else if (cpl > 0) {
    mask &= ~RFLAGS_IOPL;
    if (cpl > iopl()) mask &= ~RFLAGS_IF;
  }
  if (size == 1) mask &= 0xffff;
  let f = (old & ~mask) | (v & mask);
  if (size != 1) f &= ~RFLAGS_RF;
  if (virtualIf) f = (f & ~RFLAGS_VIF) | (v & RFLAGS_IF ? RFLAGS_VIF : 0);
  setArith(v);
  f = (f & ~RFLAGS_ARITHMETIC) | RFLAGS_CLEAR;
  store<u32>(EFL, f);
  const changed = f ^ old;
  if (!changed) return p + REC;
  flagsChanged();
  if (changed & RFLAGS_AC) acChanged();
  return leave(p);
}

export function registerStack(): void {
  for (let r: u32 = 0; r < 8; r++) {
    def(M_ONE, 0x50 + r, SZ_D64 | OPREG);
    v3r(
      (p) => pushT<u16>(p, getReg<u16>(p)),
      (p) => pushT<u32>(p, getReg<u32>(p)),
      (p) => pushT<u64>(p, getReg<u64>(p)),
    );
    def(M_ONE, 0x58 + r, SZ_D64 | OPREG);
    v3r(
      (p) => popR<u16>(p, rReg(p)),
      (p) => popR<u32>(p, rReg(p)),
      (p) => popR<u64>(p, rReg(p)),
    );
  }
  def(M_ONE, 0x68, SZ_D64 | IMM_Z);
  v3r(
    (p) => pushT<u16>(p, <u16> rImm(p)),
    (p) => pushT<u32>(p, <u32> rImm(p)),
    (p) => pushT<u64>(p, <u64> rImm(p)),
  );
  def(M_ONE, 0x6a, SZ_D64 | IMM_B);
  v3r(
    (p) => pushT<u16>(p, <u16> rImm(p)),
    (p) => pushT<u32>(p, <u32> rImm(p)),
    (p) => pushT<u64>(p, <u64> rImm(p)),
  );
  grp(M_ONE, 0xff, 6, SZ_D64);
  v3r(
    (p) => pushT<u16>(p, load<u16>(rRm(p))),
    (p) => pushT<u32>(p, load<u32>(rRm(p))),
    (p) => pushT<u64>(p, load<u64>(rRm(p))),
  );
  v3m((p) => pushM<u16>(p), (p) => pushM<u32>(p), (p) => pushM<u64>(p));
  grp(M_ONE, 0x8f, 0, SZ_D64);
  v3r(
    (p) => popR<u16>(p, rRm(p)),
    (p) => popR<u32>(p, rRm(p)),
    (p) => popR<u64>(p, rRm(p)),
  );
  v3m((p) => popM<u16>(p), (p) => popM<u32>(p), (p) => popM<u64>(p));
  def(M_ONE, 0x06, SZ_V | INV64);
  v3r(
    (p) => pushSeg(p, S_ES),
    (p) => pushSeg(p, S_ES),
    (p) => pushSeg(p, S_ES),
  );
  def(M_ONE, 0x0e, SZ_V | INV64);
  v3r(
    (p) => pushSeg(p, S_CS),
    (p) => pushSeg(p, S_CS),
    (p) => pushSeg(p, S_CS),
  );
  def(M_ONE, 0x16, SZ_V | INV64);
  v3r(
    (p) => pushSeg(p, S_SS),
    (p) => pushSeg(p, S_SS),
    (p) => pushSeg(p, S_SS),
  );
  def(M_ONE, 0x1e, SZ_V | INV64);
  v3r(
    (p) => pushSeg(p, S_DS),
    (p) => pushSeg(p, S_DS),
    (p) => pushSeg(p, S_DS),
  );
  def(M_0F, 0xa0, SZ_D64);
  v3r(
    (p) => pushSeg(p, S_FS),
    (p) => pushSeg(p, S_FS),
    (p) => pushSeg(p, S_FS),
  );
  def(M_0F, 0xa8, SZ_D64);
  v3r(
    (p) => pushSeg(p, S_GS),
    (p) => pushSeg(p, S_GS),
    (p) => pushSeg(p, S_GS),
  );
  def(M_ONE, 0x60, SZ_V | INV64);
  v3r((p) => pusha(p), (p) => pusha(p), (p) => pusha(p));
  def(M_ONE, 0x61, SZ_V | INV64);
  v3r((p) => popa(p), (p) => popa(p), (p) => popa(p));
  def(M_ONE, 0xc8, SZ_D64 | IMM_WB);
  v3r((p) => enter(p), (p) => enter(p), (p) => enter(p));
  def(M_ONE, 0xc9, SZ_D64);
  v3r((p) => leaveV(p), (p) => leaveV(p), (p) => leave64(p));
  def(M_ONE, 0x9c, SZ_D64);
  v3r((p) => pushf(p), (p) => pushf(p), (p) => pushf(p));
  def(M_ONE, 0x9d, SZ_D64);
  v3r((p) => popf(p), (p) => popf(p), (p) => popf(p));
}
