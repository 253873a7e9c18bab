// Event delivery through the IVT and the IDT. Source: Intel SDM vol. 2, "INT
// n/INTO/INT3/INT1"; vol. 3, "Interrupt and Exception Handling" and "8086
// Emulation". Nothing is committed before the whole frame is written.
import { raiseErr } from "./fault";
import { getFlags } from "./flags";
import {
  frameCommit,
  frameCurrent,
  frameFlat,
  frameNew,
  framePush,
  tssRsp,
  tssStack,
} from "./frame";
import {
  CPL,
  CR4,
  EFL,
  FAULT,
  IDTR,
  MODE,
  MODE_REAL,
  MODE_V86,
  RIP,
  RSP,
  S_CS,
  S_DS,
  S_ES,
  S_FS,
  S_GS,
  S_SS,
  S_TR,
  SEG_LIMIT,
  SEG_SEL,
  SHADOW,
} from "../layout";
import { rdSys } from "../memory/access";
import { updateMode } from "./mode";
import {
  canonical,
  checkCodeKind,
  checkIp,
  checkStack,
  longActive,
  putDescriptor,
  putNull,
  putRealSeg,
  putSeg,
  segOf,
  selErr,
} from "./segment";
import { taskGate } from "./task";
import { EventType } from "../x86/events";
import { CR4_VME } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import {
  RFLAGS_AC,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VIF,
  RFLAGS_VM,
} from "../x86/flags";
import {
  BIG,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  LONG,
  PRESENT,
  SYSTEM_32_BIT,
  SystemType,
  TRAP_GATE,
} from "../x86/segments";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  markAccessed,
  readDescriptor,
} from "./descriptor";

function selector(seg: u32): u64 {
  return load<u16>(segOf(seg), SEG_SEL);
}

// RFLAGS as pushed: RF tells the handler's IRET to skip the instruction
// breakpoint of the faulting instruction; #DB decides for itself, and #BP and
// #OF are traps, also where the caller injects them.
function flagsImage(vector: u32, type: u32): u32 {
  const flags = getFlags();
  const trap = vector == Vector.DB || vector == Vector.BP ||
    vector == Vector.OF;
  if (type == EventType.Exception && !trap) return flags | RFLAGS_RF;
  return type >= EventType.SoftwareInterrupt ? flags & ~RFLAGS_RF : flags;
}

/**
 * Through a table of far pointers at `table`: real mode, or VME's redirection.
 */
function deliverVector(
  table: u64,
  vector: u32,
  image: u32,
  retIp: u64,
  clear: u32,
): bool {
  const entry = rdSys<u32>(table + (vector << 2));
  if (load<u32>(FAULT)) return false;
  frameCurrent(0);
  if (!framePush(1, image)) return false;
  if (!framePush(1, selector(S_CS))) return false;
  if (!framePush(1, retIp)) return false;
  const ip = entry & 0xffff;
  if (ip > load<u32>(segOf(S_CS), SEG_LIMIT)) {
    raiseErr(Vector.GP, 0);
    return false;
  }
  frameCommit();
  putRealSeg(S_CS, entry >> 16);
  store<u64>(RIP, ip);
  store<u32>(EFL, load<u32>(EFL) & ~clear);
  store<u8>(SHADOW, 0);
  updateMode();
  return true;
}

function deliverReal(vector: u32, type: u32, retIp: u64): bool {
  if ((vector << 2) + 3 > load<u32>(IDTR, SEG_LIMIT)) {
    raiseErr(Vector.GP, (vector << 3) | 2);
    return false;
  }
  return deliverVector(
    load<u64>(IDTR),
    vector,
    flagsImage(vector, type) & 0xffff,
    retIp,
    RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF,
  );
}

/**
 * Whether VME's redirection bitmap in the TSS sends INT n to the 8086 handler;
 * FAULT may be set.
 */
function redirected(vector: u32): bool {
  const tr = segOf(S_TR);
  const limit = load<u32>(tr, SEG_LIMIT);
  if (limit < 0x67) return false;
  const map = <u32> rdSys<u16>(load<u64>(tr) + 0x66);
  if (load<u32>(FAULT)) return false;
  const at = map - 32 + (vector >> 3);
  if (map < 32 || at > limit) return false;
  const bits = rdSys<u8>(load<u64>(tr) + at);
  if (load<u32>(FAULT)) return false;
  return (<u32> bits >> (vector & 7) & 1) == 0;
}

/**
 * INT n in virtual-8086 mode with VME: 1 delivered, 0 failed, -1 the IDT's
 * business.
 */
function deliverVme(vector: u32, retIp: u64): i32 {
  const direct = redirected(vector);
  if (load<u32>(FAULT)) return 0;
  const trusted = (load<u32>(EFL) & RFLAGS_IOPL) == RFLAGS_IOPL;
  if (!direct) {
    if (trusted) return -1;
    raiseErr(Vector.GP, 0);
    return 0;
  }
  let image = getFlags() & 0xffff;
  if (!trusted) {
    // the virtual IF stands in for IF, and IOPL reads 3
    image = (image & ~RFLAGS_IF) | RFLAGS_IOPL |
      (load<u32>(EFL) & RFLAGS_VIF ? RFLAGS_IF : 0);
  }
  // NT stays as it is (SDM vol. 3, 20.3.3.4)
  const clear = RFLAGS_TF | RFLAGS_RF | (trusted ? RFLAGS_IF : RFLAGS_VIF);
  return deliverVector(0, vector, image, retIp, clear) ? 1 : 0;
}

const HANDLER: usize = memory.data(DESCRIPTOR_BYTES, 8);
const STACK: usize = memory.data(DESCRIPTOR_BYTES, 8);

/** The last common step: the handler's code segment and flags. */
function enterHandler(
  code: Descriptor,
  sel: u32,
  level: u32,
  ip: u64,
  maskIf: bool,
): void {
  putDescriptor(S_CS, (sel & ~3) | level, code);
  store<u8>(CPL, <u8> level);
  store<u64>(RIP, ip);
  let clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
  if (maskIf) clear |= RFLAGS_IF;
  store<u32>(EFL, load<u32>(EFL) & ~clear);
  store<u8>(SHADOW, 0);
  updateMode();
}

function gateError(vector: u32, code: u32, ext: u32): bool {
  raiseErr(code, (vector << 3) | 2 | ext);
  return false;
}

// Reads and checks the gate's code segment up to its privilege.
function checkTarget(code: Descriptor, sel: u32, ext: u32): bool {
  if (!selErr(sel)) {
    raiseErr(Vector.GP, ext);
    return false;
  }
  const err = selErr(sel) | ext;
  if (!readDescriptor(code, sel, Vector.GP, err)) return false;
  const attr = code.attributes;
  if (
    (attr & (CODE_OR_DATA | CODE)) != (CODE_OR_DATA | CODE) ||
    code.dpl > <u32> load<u8>(CPL)
  ) {
    raiseErr(Vector.GP, err);
    return false;
  }
  if (longActive() && (attr & (LONG | BIG)) != LONG) {
    raiseErr(Vector.GP, err);
    return false;
  }
  return true;
}

function deliverLegacy(
  vector: u32,
  type: u32,
  hasErr: bool,
  err: u32,
  retIp: u64,
  ext: u32,
): bool {
  if ((vector << 3) + 7 > load<u32>(IDTR, SEG_LIMIT)) {
    return gateError(vector, Vector.GP, ext);
  }
  const gate = rdSys<u64>(load<u64>(IDTR) + (vector << 3));
  if (load<u32>(FAULT)) return false;
  const hi = <u32> (gate >> 32);
  const kind = (hi >> 8) & 31;
  if (kind != SystemType.TaskGate && (kind & 0x16) != 6) {
    return gateError(vector, Vector.GP, ext);
  }
  const cpl = <u32> load<u8>(CPL);
  const soft = type == EventType.SoftwareInterrupt ||
    type == EventType.SoftwareException;
  if (soft && ((hi >> 13) & 3) < cpl) return gateError(vector, Vector.GP, ext);
  if (!(hi & (PRESENT << 8))) return gateError(vector, Vector.NP, ext);
  const sel = <u32> (gate >> 16) & 0xffff;
  if (kind == SystemType.TaskGate) {
    return taskGate(sel, ext, retIp, hasErr, err);
  }
  const code = changetype<Descriptor>(HANDLER);
  if (!checkTarget(code, sel, ext)) return false;
  const size: u32 = kind & SYSTEM_32_BIT ? 2 : 1;
  const ip: u64 = kind & SYSTEM_32_BIT
    ? (<u32> gate & 0xffff) | (hi & 0xffff0000)
    : <u32> gate & 0xffff;
  const v86 = load<u8>(MODE) == MODE_V86;
  const conforming = (code.attributes & CONFORMING_OR_DOWN) != 0;
  if (v86 && (conforming || code.dpl != 0)) {
    raiseErr(Vector.GP, selErr(sel) | ext);
    return false;
  }
  const level = conforming ? cpl : code.dpl;
  if (!checkCodeKind(code, sel, ext)) return false;
  const image = flagsImage(vector, type);
  const stack = changetype<Descriptor>(STACK);
  let ss: u32 = 0;
  const outer = level != cpl;
  if (outer) {
    const inner = tssStack(level, ext);
    if (!inner) return false;
    ss = inner.ss;
    if (!selErr(ss)) {
      raiseErr(Vector.TS, ext);
      return false;
    }
    if (!checkStack(stack, ss, level, Vector.TS, ext)) return false;
    if (!checkIp(ip, code, ext) || !markAccessed(stack)) return false;
    frameNew(stack, inner.sp, level, selErr(ss) | ext);
    if (v86) {
      if (!framePush(size, selector(S_GS))) return false;
      if (!framePush(size, selector(S_FS))) return false;
      if (!framePush(size, selector(S_DS))) return false;
      if (!framePush(size, selector(S_ES))) return false;
    }
    if (!framePush(size, selector(S_SS))) return false;
    if (!framePush(size, load<u64>(RSP))) return false;
  } else {
    if (!checkIp(ip, code, ext)) return false;
    frameCurrent(ext);
  }
  if (!framePush(size, image)) return false;
  if (!framePush(size, selector(S_CS))) return false;
  if (!framePush(size, retIp)) return false;
  if (hasErr && !framePush(size, err)) return false;
  if (!markAccessed(code)) return false;
  if (outer) {
    if (v86) {
      putNull(S_ES, 0);
      putNull(S_DS, 0);
      putNull(S_FS, 0);
      putNull(S_GS, 0);
    }
    putDescriptor(S_SS, ss, stack);
    // pushes kept the width of the new stack
  }
  frameCommit();
  enterHandler(code, sel, level, ip, (kind & TRAP_GATE) == 0);
  return true;
}

function deliverLong(
  vector: u32,
  type: u32,
  hasErr: bool,
  err: u32,
  retIp: u64,
  ext: u32,
): bool {
  if ((vector << 4) + 15 > load<u32>(IDTR, SEG_LIMIT)) {
    return gateError(vector, Vector.GP, ext);
  }
  const at = load<u64>(IDTR) + (vector << 4);
  const gate = rdSys<u64>(at);
  if (load<u32>(FAULT)) return false;
  // its last dword is reserved, and not checked as a call gate's
  const upper = rdSys<u64>(at + 8);
  if (load<u32>(FAULT)) return false;
  const hi = <u32> (gate >> 32);
  if ((hi & 0x1e00) != SystemType.InterruptGate32 << 8) {
    return gateError(vector, Vector.GP, ext);
  }
  const cpl = <u32> load<u8>(CPL);
  const soft = type == EventType.SoftwareInterrupt ||
    type == EventType.SoftwareException;
  if (soft && ((hi >> 13) & 3) < cpl) return gateError(vector, Vector.GP, ext);
  if (!(hi & (PRESENT << 8))) return gateError(vector, Vector.NP, ext);
  const sel = <u32> (gate >> 16) & 0xffff;
  const code = changetype<Descriptor>(HANDLER);
  if (!checkTarget(code, sel, ext)) return false;
  if (!code.present) {
    raiseErr(Vector.NP, selErr(sel) | ext);
    return false;
  }
  const ip = (upper << 32) | (hi & 0xffff0000) | (<u32> gate & 0xffff);
  if (!canonical(ip)) {
    raiseErr(Vector.GP, ext);
    return false;
  }
  if (!markAccessed(code)) return false;
  const level = code.attributes & CONFORMING_OR_DOWN ? cpl : code.dpl;
  const ist = hi & 7;
  let rsp = load<u64>(RSP);
  if (ist || level != cpl) {
    const off: u32 = ist ? 0x1c + (ist << 3) : 4 + (level << 3);
    rsp = tssRsp(off, ext);
    if (load<u32>(FAULT)) return false;
  }
  if (!canonical(rsp)) {
    raiseErr(Vector.SS, ext);
    return false;
  }
  frameFlat(rsp & ~15, level);
  if (!framePush(3, selector(S_SS))) return false;
  if (!framePush(3, load<u64>(RSP))) return false;
  if (!framePush(3, flagsImage(vector, type))) return false;
  if (!framePush(3, selector(S_CS))) return false;
  if (!framePush(3, retIp)) return false;
  if (hasErr && !framePush(3, err)) return false;
  if (level != cpl) putSeg(S_SS, level, 0, 0, level << 5);
  frameCommit();
  enterHandler(code, sel, level, ip, (hi & (TRAP_GATE << 8)) == 0);
  return true;
}

/**
 * Delivers an event of `type` (events.ts); `retIp` is the RIP to push. True:
 * RIP, CS, SS, RSP and flags are the handler's. False: FAULT describes the
 * nested fault and nothing has changed.
 */
export function deliverEvent(
  vector: u32,
  type: u32,
  hasErr: bool,
  err: u32,
  retIp: u64,
): bool {
  const mode = load<u8>(MODE);
  if (mode == MODE_REAL) return deliverReal(vector, type, retIp);
  const ext: u32 =
    type == EventType.SoftwareInterrupt || type == EventType.SoftwareException
      ? 0
      : 1;
  if (mode == MODE_V86 && type == EventType.SoftwareInterrupt) {
    if (load<u64>(CR4) & CR4_VME) {
      const r = deliverVme(vector, retIp);
      if (r >= 0) return r != 0;
    } else if ((load<u32>(EFL) & RFLAGS_IOPL) != RFLAGS_IOPL) {
      raiseErr(Vector.GP, 0);
      return false;
    }
  }
  return longActive()
    ? deliverLong(vector, type, hasErr, err, retIp, ext)
    : deliverLegacy(vector, type, hasErr, err, retIp, ext);
}
