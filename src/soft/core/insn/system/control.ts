// Control and debug registers, TLB and cache instructions, HLT, XCR0: MOV CR,
// MOV DR, LMSW SMSW CLTS, INVLPG INVPCID INVD WBINVD, CLAC STAC, XGETBV XSETBV.
// Source: Intel SDM vol. 2.
import {
  readDr,
  writeCr0,
  writeCr3,
  writeCr4,
  writeCr8,
  writeDr,
} from "../../cpu/control";
import { gp0, raise } from "../../cpu/fault";
import { lapicCr8 } from "../../lapic/interrupt";
import {
  A_HALT,
  ACTIVITY,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  DR7,
  EFL,
  FADDR,
  FAULT,
  lapicOf,
  MODE,
  MODE_LONG,
  RAX,
  RCX,
  RDX,
  S_FS,
  VPINDEX,
  XCR0,
} from "../../layout";
import { rd } from "../../memory/access";
import { acChanged } from "../../cpu/mode";
import {
  all,
  def,
  END,
  grp,
  M_0F,
  M_0F38,
  M_ONE,
  MEMONLY,
  MODRM,
  NOMOD,
  P_66,
  REGONLY,
  SZ_F64,
  SZ_V,
} from "../../code/optable";
import { REC, rModrm, rReg, rRm, rSeg } from "../../code/record";
import { canonical, segOf } from "../../cpu/segment";
import { stWord, umip } from "./descriptor";
import { leave } from "../../code/ip";
import { apicMode } from "../../system/processors";
import { needSync, synced } from "../../system/time";
import { eaLinear, eaOffset, ldRM } from "../../code/operand";
import { tlbFlush, tlbFlushPage } from "../../memory/tlb";
import {
  CR0_PE,
  CR0_TS,
  CR4_DE,
  CR4_OSXSAVE,
  CR4_PCIDE,
} from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import { RFLAGS_AC } from "../../x86/flags";
import { DR6_BD, DR7_GD } from "../../x86/debug_registers";

@inline
function number(p: usize): u32 {
  return load<u8>(p, 4) >> 3;
}

function putNatural(cell: usize, v: u64): void {
  store<u64>(cell, load<u8>(MODE) == MODE_LONG ? v : v & 0xffffffff);
}

function getNatural(cell: usize): u64 {
  return load<u8>(MODE) == MODE_LONG ? load<u64>(cell) : load<u32>(cell);
}

function movFromCr(p: usize): usize {
  const n = number(p);
  let cell = CR0;
  if (n == 2) cell = CR2;
  else if (n == 3) cell = CR3;
  else if (n == 4) cell = CR4;
  else if (n == 8) cell = CR8;
  else if (n != 0) return raise(Vector.UD);
  if (load<u8>(CPL)) return gp0();
  if (n == 8 && apicMode) {
    if (!synced) return needSync();
    store<u64>(rRm(p), lapicCr8(lapicOf(load<u32>(VPINDEX))));
    return p + REC;
  }
  putNatural(rRm(p), load<u64>(cell));
  return p + REC;
}

function movToCr(p: usize): usize {
  const n = number(p);
  if (n != 0 && n != 2 && n != 3 && n != 4 && n != 8) return raise(Vector.UD);
  if (load<u8>(CPL)) return gp0();
  const v = getNatural(rRm(p));
  if (n == 2) {
    store<u64>(CR2, v);
    return p + REC;
  }
  let done: bool;
  if (n == 0) done = writeCr0(v);
  else if (n == 3) done = writeCr3(v);
  else if (n == 4) done = writeCr4(v);
  else {
    if (!synced) return needSync();
    done = writeCr8(v);
  }
  return done ? leave(p) : 0;
}

/** The debug register meant, or -1 with FAULT set. */
function debugRegister(p: usize): i32 {
  let n = number(p);
  if (n > 7) {
    raise(Vector.UD);
    return -1;
  }
  if (n == 4 || n == 5) {
    if (load<u64>(CR4) & CR4_DE) {
      raise(Vector.UD);
      return -1;
    }
    n += 2;
  }
  if (load<u8>(CPL)) {
    gp0();
    return -1;
  }
  if (load<u64>(DR7) & DR7_GD) {
    // general detect
    raise(Vector.DB);
    store<u64>(FADDR, DR6_BD);
    return -1;
  }
  return n;
}

function movFromDr(p: usize): usize {
  const n = debugRegister(p);
  if (n < 0) return 0;
  putNatural(rRm(p), readDr(n));
  return p + REC;
}

function movToDr(p: usize): usize {
  const n = debugRegister(p);
  if (n < 0) return 0;
  return writeDr(n, getNatural(rRm(p))) ? leave(p) : 0;
}

function smsw(p: usize): usize {
  if (umip()) return 0;
  return stWord(p, load<u64>(CR0));
}

function lmsw(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  const v = <u64> ldRM<u16>(p);
  if (load<u32>(FAULT)) return 0;
  const old = load<u64>(CR0);
  // PE can be set but not cleared
  const next = (old & ~0xf) | (v & 0xf) | (old & CR0_PE);
  return writeCr0(next) ? leave(p) : 0;
}

function clts(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  store<u64>(CR0, load<u64>(CR0) & ~<u64> CR0_TS);
  return p + REC;
}

function invlpg(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  // no segment check: the address is not accessed
  let at = eaOffset(p);
  const seg = rSeg(p);
  if (load<u8>(MODE) != MODE_LONG) {
    at = (at + load<u64>(segOf(seg))) & 0xffffffff;
  } else if (seg >= S_FS) at += load<u64>(segOf(seg));
  tlbFlushPage(at);
  return leave(p);
}

function invpcid(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  const type = getNatural(rReg(p));
  const at = eaLinear(p, 16, false);
  if (load<u32>(FAULT)) return 0;
  const pcid = rd<u64>(at);
  if (load<u32>(FAULT)) return 0;
  const linear = rd<u64>(at + 8);
  if (load<u32>(FAULT)) return 0;
  if (type > 3 || pcid >> 12) return gp0();
  if (type < 2) {
    const pcids = (load<u64>(CR4) & CR4_PCIDE) != 0;
    if (pcid && !pcids) return gp0();
    if (type == 0 && !canonical(linear)) return gp0();
  }
  tlbFlush();
  return leave(p);
}

/** INVD, WBINVD: there are no caches to write back. */
function invd(p: usize): usize {
  return load<u8>(CPL) ? gp0() : p + REC;
}

function hlt(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  if (!synced) return needSync();
  store<u8>(ACTIVITY, <u8> A_HALT);
  return leave(p);
}

/** 0F 01 /1 with a register: CLAC, STAC. */
function group1(p: usize): usize {
  const rm = rModrm(p) & 7;
  if (rm != 2 && rm != 3) return raise(Vector.UD);
  if (load<u8>(CPL)) return raise(Vector.UD);
  const flags = load<u32>(EFL);
  store<u32>(EFL, rm == 3 ? flags | RFLAGS_AC : flags & ~RFLAGS_AC);
  acChanged();
  return leave(p);
}

/** 0F 01 /2 with a register: XGETBV, XSETBV. */
function group2(p: usize): usize {
  const rm = rModrm(p) & 7;
  if (rm > 1 || !(load<u64>(CR4) & CR4_OSXSAVE)) return raise(Vector.UD);
  const index = load<u32>(RCX);
  if (rm == 0) {
    if (index) return gp0();
    store<u64>(RAX, load<u32>(XCR0));
    store<u64>(RDX, load<u32>(XCR0, 4));
    return p + REC;
  }
  if (load<u8>(CPL)) return gp0();
  const v = (<u64> load<u32>(RDX) << 32) | load<u32>(RAX);
  if (index || !(v & 1) || v & ~<u64> 3) return gp0();
  store<u64>(XCR0, v);
  return leave(p);
}

export function registerControl(): void {
  def(M_0F, 0x20, MODRM | SZ_F64 | NOMOD);
  all((p) => movFromCr(p));
  def(M_0F, 0x22, MODRM | SZ_F64 | NOMOD);
  all((p) => movToCr(p));
  def(M_0F, 0x21, MODRM | SZ_F64 | NOMOD);
  all((p) => movFromDr(p));
  def(M_0F, 0x23, MODRM | SZ_F64 | NOMOD);
  all((p) => movToDr(p));
  grp(M_0F, 0x01, 4, SZ_V);
  all((p) => smsw(p));
  grp(M_0F, 0x01, 6, SZ_V);
  all((p) => lmsw(p));
  grp(M_0F, 0x01, 7, MEMONLY);
  all((p) => invlpg(p));
  grp(M_0F, 0x01, 1, REGONLY);
  all((p) => group1(p));
  grp(M_0F, 0x01, 2, REGONLY);
  all((p) => group2(p));
  def(M_0F, 0x06, 0);
  all((p) => clts(p));
  def(M_0F, 0x08, 0);
  all((p) => invd(p));
  def(M_0F, 0x09, 0);
  all((p) => invd(p));
  def(M_0F38, 0x82, MODRM | MEMONLY | SZ_F64 | P_66);
  all((p) => invpcid(p));
  def(M_ONE, 0xf4, END);
  all((p) => hlt(p));
}
