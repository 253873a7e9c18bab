// Task switches. Source: Intel SDM vol. 3, chapter "Task Management".
// Everything that can fail before the switch commits is tried first. Exceptions
// afterwards (by the new task's segments) are the new task's: left in
// WHvRegisterPendingEvent for the loop to inject at its first instruction. What
// lies outside memory has the whole switch taken back, to be made again when
// the caller has seen to it.
import { raiseErr } from "./fault";
import { getFlags, setFlagsRaw } from "./flags";
import { frameCommit, frameCurrent, framePush } from "./frame";
import {
  CPL,
  CR0,
  CR3,
  DBGPEND,
  DR7,
  EFL,
  F_EXC,
  FADDR,
  FAULT,
  FERR,
  GDTR,
  NEW_TASK,
  P_INT,
  PEND_EVENT,
  PENDING,
  REGS,
  RIP,
  S_CS,
  S_DS,
  S_ES,
  S_FS,
  S_GS,
  S_LDTR,
  S_SS,
  S_TR,
  SEG_ATTR,
  SEG_LIMIT,
  SEG_SEL,
  STATE,
} from "../layout";
import { rdSys, wrSys } from "../memory/access";
import { flagsChanged, updateMode } from "./mode";
import {
  checkCode,
  checkData,
  checkStack,
  putDescriptor,
  putNull,
  putSeg,
  segOf,
  selErr,
} from "./segment";
import { needSync, synced } from "../system/time";
import { tlbFlush } from "../memory/tlb";
import { CR0_PG, CR0_TS } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import { RFLAGS_BITS, RFLAGS_CLEAR, RFLAGS_NT, RFLAGS_VM } from "../x86/flags";
import {
  Attributes,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  PRESENT,
  SYSTEM_32_BIT,
  SystemType,
  TABLE_INDICATOR,
  TSS_BUSY,
} from "../x86/segments";
import { DR6_BT, DR7_LOCAL } from "../x86/debug_registers";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  markAccessed,
  readDescriptor,
  setBusy,
} from "./descriptor";
import { watching } from "../points/data";
import { PendingException } from "../whv/structures";

/** What asks for the switch. */
export const BY_JMP: u32 = 0;
export const BY_CALL: u32 = 1;
const BY_IRET: u32 = 2;
const BY_GATE: u32 = 3;

// Offsets in the TSS: 32-bit, 16-bit.
const LIMIT32: u32 = 0x67;
const LIMIT16: u32 = 0x2b;
const PDBR_32: u32 = 0x1c;
const IP_32: u32 = 0x20;
const IP_16: u32 = 0x0e;
const SEL_32: u32 = 0x48; // ES CS SS DS FS GS, 4 bytes each
const SEL_16: u32 = 0x22; // ES CS SS DS, 2 bytes each
const LDT_32: u32 = 0x60;
const LDT_16: u32 = 0x2a;
const TRAP_32: u32 = 0x64;

function newReg(i: u32): u32 {
  return load<u32>(NEW_TASK + (<usize> i << 2));
}

/** Reads the new TSS whole, so that nothing can fail there later. */
function readTask(base: u64, wide: bool): bool {
  const count: u32 = 10;
  for (let i: u32 = 0; i < count; i++) {
    const v = wide
      ? rdSys<u32>(base + IP_32 + (i << 2))
      : <u32> rdSys<u16>(base + IP_16 + (i << 1));
    if (load<u32>(FAULT)) return false;
    store<u32>(NEW_TASK + (<usize> i << 2), v);
  }
  for (let i: u32 = 0; i < 7; i++) {
    let v: u32 = 0;
    if (wide) {
      v = rdSys<u16>(base + (i == 6 ? LDT_32 : SEL_32 + (i << 2)));
    } else if (i == 6) v = rdSys<u16>(base + LDT_16);
    else if (i < 4) v = rdSys<u16>(base + SEL_16 + (i << 1));
    if (load<u32>(FAULT)) return false;
    store<u32>(NEW_TASK + 40 + (<usize> i << 2), v);
  }
  return true;
}

/** Saves the running task in its TSS; false with FAULT set. */
function saveTask(base: u64, wide: bool, ip: u64, flags: u32): bool {
  for (let i: u32 = 0; i < 10; i++) {
    const v: u32 = i == 0
      ? <u32> ip
      : i == 1
      ? flags
      : load<u32>(REGS + (<usize> (i - 2) << 3));
    if (wide) wrSys<u32>(base + IP_32 + (i << 2), v);
    else wrSys<u16>(base + IP_16 + (i << 1), <u16> v);
    if (load<u32>(FAULT)) return false;
  }
  const count: u32 = wide ? 6 : 4;
  for (let i: u32 = 0; i < count; i++) {
    const sel = load<u16>(segOf(i), SEG_SEL);
    if (wide) wrSys<u16>(base + SEL_32 + (i << 2), sel);
    else wrSys<u16>(base + SEL_16 + (i << 1), sel);
    if (load<u32>(FAULT)) return false;
  }
  return true;
}

/** Leaves the exception just raised to the new task's first boundary. */
function defer(): void {
  const vector = load<u32>(FAULT) & 0xff;
  const err = load<u32>(FERR);
  store<u32>(FAULT, 0);
  store<u64>(
    PEND_EVENT,
    PendingException.EventPending | PendingException.DeliverErrorCode |
      (<u64> vector << 16) | (<u64> err << 32),
  );
  store<u64>(PEND_EVENT, vector == Vector.PF ? load<u64>(FADDR) : 0, 8);
  store<u32>(PENDING, load<u32>(PENDING) | P_INT);
}

/** What a switch changes of a VP's state is in front of this. */
const UNCHANGED: usize = GDTR;
const BEFORE: usize = memory.data(<i32> (UNCHANGED - STATE), 8);

/** The VP's state is as it was at BEFORE. */
function takeBack(): void {
  memory.copy(STATE, BEFORE, UNCHANGED - STATE);
  tlbFlush();
  updateMode();
  flagsChanged();
}

const NEXT: usize = memory.data(DESCRIPTOR_BYTES, 8);
const TSS: usize = memory.data(DESCRIPTOR_BYTES, 8);

function loadLdt(sel: u32): bool {
  putNull(S_LDTR, sel);
  if (!selErr(sel)) return true;
  const err = selErr(sel);
  if (sel & TABLE_INDICATOR) {
    raiseErr(Vector.TS, err);
    return false;
  }
  const d = changetype<Descriptor>(NEXT);
  if (!readDescriptor(d, sel, Vector.TS, err)) return false;
  if (
    (d.attributes & (CODE_OR_DATA | PRESENT | 15)) != (PRESENT | SystemType.Ldt)
  ) {
    raiseErr(Vector.TS, err);
    return false;
  }
  putDescriptor(S_LDTR, sel, d);
  return true;
}

function loadCode(sel: u32, ip: u64): bool {
  const err = selErr(sel);
  if (!err) {
    raiseErr(Vector.TS, 0);
    return false;
  }
  const d = changetype<Descriptor>(NEXT);
  if (!readDescriptor(d, sel, Vector.TS, err)) return false;
  const attr = d.attributes;
  const rpl = sel & 3;
  if (
    (attr & (CODE_OR_DATA | CODE)) != (CODE_OR_DATA | CODE) ||
    (attr & CONFORMING_OR_DOWN ? d.dpl > rpl : d.dpl != rpl)
  ) {
    raiseErr(Vector.TS, err);
    return false;
  }
  if (!d.present) {
    raiseErr(Vector.NP, err);
    return false;
  }
  if (!markAccessed(d)) return false;
  putDescriptor(S_CS, sel, d);
  return checkCode(d, sel, ip, 0);
}

function loadStack(sel: u32, cpl: u32): bool {
  if (!selErr(sel)) {
    raiseErr(Vector.TS, 0);
    return false;
  }
  const d = changetype<Descriptor>(NEXT);
  if (!checkStack(d, sel, cpl, Vector.TS, 0) || !markAccessed(d)) return false;
  putDescriptor(S_SS, sel, d);
  return true;
}

function loadData(seg: u32, sel: u32): bool {
  if (!selErr(sel)) return true;
  const d = changetype<Descriptor>(NEXT);
  if (!checkData(d, sel, load<u8>(CPL), Vector.TS) || !markAccessed(d)) {
    return false;
  }
  putDescriptor(seg, sel, d);
  return true;
}

/** Loads the new task's segments; false with FAULT set, as far as it came. */
function loadSegments(): bool {
  const sel = NEW_TASK + 40;
  for (let i: u32 = 0; i < 6; i++) putNull(i, load<u32>(sel + (i << 2)));
  // until there is a stack, an exception has to take ring 0's from the TSS
  store<u8>(CPL, 3);
  if (!loadLdt(load<u32>(sel, 24))) return false;
  if (load<u32>(EFL) & RFLAGS_VM) {
    for (let i: u32 = 0; i < 6; i++) {
      const s = load<u32>(sel + (i << 2));
      putSeg(i, s, <u64> s << 4, 0xffff, Attributes.v86);
    }
    store<u8>(CPL, 3);
    return true;
  }
  const cpl = load<u32>(sel, 4) & 3;
  if (!loadCode(load<u32>(sel, 4), load<u64>(RIP))) return false;
  if (!loadStack(load<u32>(sel, 8), cpl)) return false;
  store<u8>(CPL, <u8> cpl);
  if (!loadData(S_ES, load<u32>(sel))) return false;
  if (!loadData(S_DS, load<u32>(sel, 12))) return false;
  if (!loadData(S_FS, load<u32>(sel, 16))) return false;
  return loadData(S_GS, load<u32>(sel, 20));
}

/**
 * Switches to the task of a TSS (its descriptor's type and presence checked).
 * `retIp` is where the old task resumes. False with FAULT set and nothing
 * changed; true once the switch is made.
 */
function switchTask(
  tss: Descriptor,
  sel: u32,
  by: u32,
  retIp: u64,
  ext: u32,
  hasErr: bool,
  err: u32,
): bool {
  // what follows cannot be begun twice
  if (watching && !synced) {
    needSync();
    return false;
  }
  const base = tss.base;
  const wide = (tss.type & SYSTEM_32_BIT) != 0;
  const need = wide ? LIMIT32 : LIMIT16;
  if (tss.limit < need) {
    raiseErr(Vector.TS, selErr(sel) | ext);
    return false;
  }
  const tr = segOf(S_TR);
  const oldSel = load<u16>(tr, SEG_SEL);
  const oldBase = load<u64>(tr);
  const oldWide = (load<u16>(tr, SEG_ATTR) & SYSTEM_32_BIT) != 0;
  const oldNeed = oldWide ? LIMIT32 : LIMIT16;
  if (load<u32>(tr, SEG_LIMIT) < oldNeed) {
    raiseErr(Vector.TS, selErr(oldSel) | ext);
    return false;
  }
  if (!readTask(base, wide)) return false;
  const cr3 = wide ? rdSys<u32>(base + PDBR_32) : 0;
  const trap = wide ? <u32> rdSys<u16>(base + TRAP_32) & 1 : 0;
  if (load<u32>(FAULT)) return false;
  let flags = getFlags();
  if (by == BY_IRET) flags &= ~RFLAGS_NT;
  if (!saveTask(oldBase, oldWide, retIp, flags)) return false;
  if (by == BY_CALL || by == BY_GATE) {
    wrSys<u16>(base, oldSel);
    if (load<u32>(FAULT)) return false;
  }
  const old = load<u64>(GDTR) + (oldSel & 0xfff8);
  if (by != BY_IRET && !setBusy(tss.address, true)) return false;
  const ends = by == BY_JMP || by == BY_IRET;
  if (ends && !setBusy(old, false)) return false;
  // committed
  memory.copy(BEFORE, STATE, UNCHANGED - STATE);
  putSeg(S_TR, sel, base, tss.limit, tss.attributes | TSS_BUSY);
  store<u64>(CR0, load<u64>(CR0) | CR0_TS);
  store<u64>(DR7, load<u64>(DR7) & ~DR7_LOCAL);
  if (wide && load<u64>(CR0) & CR0_PG) {
    store<u64>(CR3, cr3);
    tlbFlush();
  }
  const high: u32 = wide ? 0 : 0xffff0000;
  for (let i: u32 = 0; i < 8; i++) {
    store<u64>(REGS + (<usize> i << 3), newReg(i + 2) | high);
  }
  store<u64>(RIP, newReg(0));
  let next = newReg(1);
  if (!wide) next &= ~RFLAGS_VM;
  if (by == BY_CALL || by == BY_GATE) next |= RFLAGS_NT;
  setFlagsRaw((next & RFLAGS_BITS) | RFLAGS_CLEAR);
  const done = loadSegments();
  updateMode();
  if (done && hasErr) {
    frameCurrent(ext);
    if (framePush(wide ? 2 : 1, err)) frameCommit();
  }
  const fault = load<u32>(FAULT);
  if (fault && (fault & 0xf00) != F_EXC) {
    takeBack(); // FAULT, too: nothing
    if (by != BY_IRET) setBusy(tss.address, false);
    if (ends) setBusy(old, true);
    store<u32>(FAULT, fault);
    return false;
  }
  // a switch that failed has the exception alone, whatever T is
  if (fault) defer();
  else if (trap) store<u64>(DBGPEND, load<u64>(DBGPEND) | DR6_BT);
  flagsChanged();
  return true;
}

/**
 * Checks `sel` as the TSS to switch to: in the GDT, a TSS, available (busy for
 * IRET), present. `vector` is #GP, or #TS for IRET. False with FAULT set.
 */
function checkTask(
  tss: Descriptor,
  sel: u32,
  busy: bool,
  vector: u32,
  ext: u32,
): bool {
  const err = selErr(sel) | ext;
  if (sel & TABLE_INDICATOR) {
    raiseErr(vector, err);
    return false;
  }
  if (!readDescriptor(tss, sel, vector, err)) return false;
  if (
    (tss.high & 0x1700) !=
      (busy ? SystemType.Tss16 | TSS_BUSY : SystemType.Tss16) << 8
  ) {
    raiseErr(vector, err);
    return false;
  }
  if (!tss.present) {
    raiseErr(Vector.NP, err);
    return false;
  }
  return true;
}

/** A switch by JMP, CALL or a gate: to the TSS `sel`, checked. */
export function taskSwitch(
  sel: u32,
  by: u32,
  retIp: u64,
  ext: u32,
  hasErr: bool,
  err: u32,
): bool {
  const tss = changetype<Descriptor>(TSS);
  return checkTask(tss, sel, false, Vector.GP, ext) &&
    switchTask(tss, sel, by, retIp, ext, hasErr, err);
}

/** An event through a task gate to the TSS `sel`. */
export function taskGate(
  sel: u32,
  ext: u32,
  retIp: u64,
  hasErr: bool,
  err: u32,
): bool {
  return taskSwitch(sel, BY_GATE, retIp, ext, hasErr, err);
}

/** IRET with NT set: back to the task that the current TSS links to. */
export function taskReturn(nextIp: u64): bool {
  const link = <u32> rdSys<u16>(load<u64>(segOf(S_TR)));
  if (load<u32>(FAULT)) return false;
  const tss = changetype<Descriptor>(TSS);
  return checkTask(tss, link, true, Vector.TS, 0) &&
    switchTask(tss, link, BY_IRET, nextIp, 0, false, 0);
}
