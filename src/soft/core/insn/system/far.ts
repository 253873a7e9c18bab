// Far JMP and CALL: direct, through call gates, and to tasks. Source: Intel SDM
// vol. 2, "JMP", "CALL"; vol. 3, "Protection", "Task Management".
import { gp, raiseErr } from "../../cpu/fault";
import {
  frameCommit,
  frameCurrent,
  frameFlat,
  frameNew,
  framePush,
  stackMask,
  tssRsp,
  tssStack,
} from "../../cpu/frame";
import {
  CPL,
  FAULT,
  MODE,
  MODE_PROT,
  RIP,
  RSP,
  S_CS,
  S_SS,
  SEG_LIMIT,
  SEG_SEL,
} from "../../layout";
import { rd } from "../../memory/access";
import { updateMode } from "../../cpu/mode";
import {
  all,
  def,
  END,
  grp,
  IMM_FAR,
  INV64,
  M_ONE,
  MEMONLY,
  SZ_V,
} from "../../code/optable";
import { rDisp, rImm, rOsz } from "../../code/record";
import {
  canonical,
  checkCode,
  checkCodeKind,
  checkIp,
  checkStack,
  longActive,
  putDescriptor,
  putRealSeg,
  putSeg,
  segOf,
  selErr,
} from "../../cpu/segment";
import { BY_CALL, BY_JMP, taskSwitch } from "../../cpu/task";
import { nextIp } from "../../code/ip";
import { eaPart, linear } from "../../code/operand";
import { Vector } from "../../x86/vectors";
import {
  BIG,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  LONG,
  SystemType,
} from "../../x86/segments";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  markAccessed,
  readDescriptor,
  readUpper,
} from "../../cpu/descriptor";

/** Pushes CS and the return address; false with FAULT set. */
function pushReturn(size: u32, retIp: u64): bool {
  return framePush(size, load<u16>(segOf(S_CS), SEG_SEL)) &&
    framePush(size, retIp);
}

const TARGET: usize = memory.data(DESCRIPTOR_BYTES, 8);
const THROUGH_GATE: usize = memory.data(DESCRIPTOR_BYTES, 8);
const INNER: usize = memory.data(DESCRIPTOR_BYTES, 8);

/** Enters a code segment. */
function enterCode(code: Descriptor, sel: u32, level: u32, ip: u64): void {
  putDescriptor(S_CS, (sel & ~3) | level, code);
  store<u8>(CPL, <u8> level);
  store<u64>(RIP, ip);
  updateMode();
}

/** Whether a code segment can be entered at the current privilege. */
function sameLevel(code: Descriptor, sel: u32): bool {
  const cpl = <u32> load<u8>(CPL);
  if (code.attributes & CONFORMING_OR_DOWN) return code.dpl <= cpl;
  return (sel & 3) <= cpl && code.dpl == cpl;
}

function farReal(
  sel: u32,
  ip: u64,
  size: u32,
  call: bool,
  retIp: u64,
): bool {
  if (ip > <u64> load<u32>(segOf(S_CS), SEG_LIMIT)) return gp(0);
  if (call) {
    frameCurrent(0);
    if (!pushReturn(size, retIp)) return false;
    frameCommit();
  }
  putRealSeg(S_CS, sel);
  store<u64>(RIP, ip);
  updateMode();
  return true;
}

/** Through a call gate. */
function farGate(gate: Descriptor, sel: u32, call: bool, retIp: u64): bool {
  const err = selErr(sel);
  const cpl = <u32> load<u8>(CPL);
  if (gate.dpl < cpl || gate.dpl < (sel & 3)) return gp(err);
  if (!gate.present) {
    raiseErr(Vector.NP, err);
    return false;
  }
  const long = longActive();
  const wide = gate.type == SystemType.CallGate32;
  const count = gate.high & 31;
  const target = gate.low >> 16;
  let ip: u64 = gate.low & 0xffff;
  if (wide) ip |= gate.high & 0xffff0000;
  if (long) {
    const upper = readUpper(gate, sel, Vector.GP, err);
    if (load<u32>(FAULT)) return false;
    ip |= upper << 32;
  }
  const about = selErr(target);
  if (!about) return gp(0);
  const code = changetype<Descriptor>(THROUGH_GATE);
  if (!readDescriptor(code, target, Vector.GP, about)) return false;
  const attr = code.attributes;
  if ((attr & (CODE_OR_DATA | CODE)) != (CODE_OR_DATA | CODE)) return gp(about);
  if (long && (attr & (LONG | BIG)) != LONG) return gp(about);
  const conforming = (attr & CONFORMING_OR_DOWN) != 0;
  if (code.dpl > cpl || (!call && !conforming && code.dpl != cpl)) {
    return gp(about);
  }
  if (!checkCodeKind(code, target, 0)) return false;
  const size: u32 = long ? 3 : wide ? 2 : 1;
  const level = conforming ? cpl : code.dpl;
  if (!call || level == cpl) {
    if (!checkIp(ip, code, 0)) return false;
    if (call) {
      // through a 64-bit gate the frame is 64-bit, whatever the code was
      if (long) frameFlat(load<u64>(RSP), cpl);
      else frameCurrent(0);
      if (!pushReturn(size, retIp)) return false;
    }
    if (!markAccessed(code)) return false;
    if (call) frameCommit();
    enterCode(code, target, cpl, ip);
    return true;
  }
  return long
    ? outerLong(code, target, level, ip, retIp)
    : outerLegacy(code, target, level, ip, retIp, size, count);
}

function outerLong(
  code: Descriptor,
  target: u32,
  level: u32,
  ip: u64,
  retIp: u64,
): bool {
  const sp = tssRsp(4 + (level << 3), 0);
  if (load<u32>(FAULT) || !checkIp(ip, code, 0)) return false;
  if (!canonical(sp)) {
    raiseErr(Vector.SS, 0);
    return false;
  }
  frameFlat(sp, level);
  if (!framePush(3, load<u16>(segOf(S_SS), SEG_SEL))) return false;
  if (!framePush(3, load<u64>(RSP))) return false;
  if (!pushReturn(3, retIp) || !markAccessed(code)) return false;
  putSeg(S_SS, level, 0, 0, level << 5);
  frameCommit();
  enterCode(code, target, level, ip);
  return true;
}

function outerLegacy(
  code: Descriptor,
  target: u32,
  level: u32,
  ip: u64,
  retIp: u64,
  size: u32,
  count: u32,
): bool {
  const inner = tssStack(level, 0);
  if (!inner) return false;
  const ss = inner.ss;
  if (!selErr(ss)) {
    raiseErr(Vector.TS, 0);
    return false;
  }
  const stack = changetype<Descriptor>(INNER);
  if (!checkStack(stack, ss, level, Vector.TS, 0)) return false;
  if (!checkIp(ip, code, 0) || !markAccessed(stack)) return false;
  frameNew(stack, inner.sp, level, selErr(ss));
  if (!framePush(size, load<u16>(segOf(S_SS), SEG_SEL))) return false;
  if (!framePush(size, load<u64>(RSP))) return false;
  // parameters, the deepest first
  for (let i = count; i-- > 0;) {
    const off = (load<u64>(RSP) + (<u64> i << size)) & stackMask();
    const at = linear(S_SS, off, 1 << size, false);
    if (load<u32>(FAULT)) return false;
    const v = size == 2 ? <u64> rd<u32>(at) : <u64> rd<u16>(at);
    if (load<u32>(FAULT) || !framePush(size, v)) return false;
  }
  if (!pushReturn(size, retIp) || !markAccessed(code)) return false;
  putDescriptor(S_SS, ss, stack);
  frameCommit();
  enterCode(code, target, level, ip);
  return true;
}

/** Where a task gate leads; 0 with FAULT set when it may not be used. */
function taskOf(d: Descriptor, sel: u32): u32 {
  const cpl = <u32> load<u8>(CPL);
  const err = selErr(sel);
  if (d.dpl < cpl || d.dpl < (sel & 3)) {
    raiseErr(Vector.GP, err);
    return 0;
  }
  if (d.type != SystemType.TaskGate) return sel;
  if (!d.present) {
    raiseErr(Vector.NP, err);
    return 0;
  }
  return d.low >> 16;
}

/**
 * A far JMP or CALL to `sel`:`ip`; false with FAULT set and nothing changed.
 */
function far(sel: u32, ip: u64, size: u32, call: bool, retIp: u64): bool {
  if (load<u8>(MODE) < MODE_PROT) return farReal(sel, ip, size, call, retIp);
  const err = selErr(sel);
  if (!err) return gp(0);
  const d = changetype<Descriptor>(TARGET);
  if (!readDescriptor(d, sel, Vector.GP, err)) return false;
  if (!d.system) {
    if (!(d.attributes & CODE) || !sameLevel(d, sel)) return gp(err);
    if (!checkCode(d, sel, ip, 0)) return false;
    if (call) {
      frameCurrent(0);
      if (!pushReturn(size, retIp)) return false;
    }
    if (!markAccessed(d)) return false;
    if (call) frameCommit();
    enterCode(d, sel, load<u8>(CPL), ip);
    return true;
  }
  const type = d.type;
  const long = longActive();
  if (
    type == SystemType.CallGate32 || (type == SystemType.CallGate16 && !long)
  ) {
    return farGate(d, sel, call, retIp);
  }
  // busy TSSs come to checkTask's refusal
  const task = type == SystemType.TaskGate || (type & ~2) == SystemType.Tss16 ||
    (type & ~2) == SystemType.Tss32;
  if (long || !task) return gp(err);
  const tss = taskOf(d, sel);
  if (load<u32>(FAULT)) return false;
  return taskSwitch(tss, call ? BY_CALL : BY_JMP, retIp, 0, false, 0);
}

function direct(p: usize, call: bool): usize {
  far(<u32> rImm(p), rDisp(p), rOsz(p), call, nextIp(p));
  return 0;
}

function indirect(p: usize, call: bool): usize {
  const size = rOsz(p);
  const at = eaPart(p, 0, 1 << size, false);
  if (load<u32>(FAULT)) return 0;
  const ip = size == 3
    ? rd<u64>(at)
    : size == 2
    ? <u64> rd<u32>(at)
    : <u64> rd<u16>(at);
  if (load<u32>(FAULT)) return 0;
  const second = eaPart(p, (<u64> 1) << size, 2, false);
  if (load<u32>(FAULT)) return 0;
  const sel = <u32> rd<u16>(second);
  if (load<u32>(FAULT)) return 0;
  far(sel, ip, size, call, nextIp(p));
  return 0;
}

export function registerFar(): void {
  def(M_ONE, 0xea, SZ_V | IMM_FAR | INV64 | END);
  all((p) => direct(p, false));
  def(M_ONE, 0x9a, SZ_V | IMM_FAR | INV64 | END);
  all((p) => direct(p, true));
  grp(M_ONE, 0xff, 5, SZ_V | MEMONLY | END);
  all((p) => indirect(p, false));
  grp(M_ONE, 0xff, 3, SZ_V | MEMONLY | END);
  all((p) => indirect(p, true));
}
