// Far RET and IRET. Source: Intel SDM vol. 2, "RET", "IRET"; vol. 3, "Returning
// from a Called Procedure", "8086 Emulation".
import { gp, raiseErr } from "../../cpu/fault";
import { getFlags, setFlagsRaw } from "../../cpu/flags";
import { putSp, stackMask } from "../../cpu/frame";
import {
  CPL,
  CR4,
  EFL,
  F_NONCANON,
  FAULT,
  MODE,
  MODE_LONG,
  MODE_PROT,
  MODE_V86,
  NMIMASK,
  RIP,
  RSP,
  S_CS,
  S_DS,
  S_ES,
  S_FS,
  S_GS,
  S_SS,
  SEG_ATTR,
  SEG_LIMIT,
  SEG_SEL,
  V86_FRAME,
} from "../../layout";
import { rd } from "../../memory/access";
import { flagsChanged, updateMode } from "../../cpu/mode";
import { all, def, END, IMM_W, M_ONE, SZ_V } from "../../code/optable";
import { rImm, rOsz } from "../../code/record";
import {
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
import { taskReturn } from "../../cpu/task";
import { nextIp } from "../../code/ip";
import { jumpTo } from "../../code/jumps";
import { quiet } from "../../cpu/quiet";
import { linear } from "../../code/operand";
import { CR4_VME } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import {
  RFLAGS_AC,
  RFLAGS_ARITHMETIC,
  RFLAGS_BITS,
  RFLAGS_CLEAR,
  RFLAGS_DF,
  RFLAGS_ID,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_NT,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VIF,
  RFLAGS_VIP,
  RFLAGS_VM,
} from "../../x86/flags";
import {
  Attributes,
  BIG,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  LONG,
} from "../../x86/segments";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  markAccessed,
  readDescriptor,
} from "../../cpu/descriptor";

/** The stack's `index`th item of 1 << size bytes, `skip` bytes further on. */
function peek(index: u32, size: u32, skip: u64): u64 {
  const off = (load<u64>(RSP) + (<u64> index << size) + skip) & stackMask();
  const at = linear(S_SS, off, 1 << size, false);
  if (load<u32>(FAULT)) return 0;
  const v = size == 3
    ? rd<u64>(at)
    : size == 2
    ? <u64> rd<u32>(at)
    : <u64> rd<u16>(at);
  if (load<u32>(FAULT) == F_NONCANON) raiseErr(Vector.SS, 0);
  return v;
}

/** RFLAGS bits that IRET may change at the current privilege. */
function writableFlags(size: u32): u32 {
  let mask = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
  if (size != 1) mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
  const cpl = <u32> load<u8>(CPL);
  if (cpl <= (load<u32>(EFL) & RFLAGS_IOPL) >> 12) mask |= RFLAGS_IF;
  if (cpl == 0) {
    mask |= size != 1 ? RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP : RFLAGS_IOPL;
  }
  return mask;
}

function putFlags(image: u32, mask: u32): void {
  setFlagsRaw((getFlags() & ~mask) | (image & mask));
}

/**
 * Drops a data segment that the new, lower privilege may not hold. Its base
 * stays, as that of one that is null already does: what 64-bit code sees of FS
 * and GS (SDM vol. 2, RET and IRET clear the selector and say no word of the
 * base).
 */
function demote(seg: u32, cpl: u32): void {
  if (!(load<u16>(segOf(seg), SEG_SEL) & 0xfffc)) return;
  const attr = <u32> load<u16>(segOf(seg), SEG_ATTR);
  const conforming =
    (attr & (CODE | CONFORMING_OR_DOWN)) == (CODE | CONFORMING_OR_DOWN);
  if (!conforming && (attr >> 5 & 3) < cpl) {
    putSeg(seg, 0, load<u64>(segOf(seg)), 0, 0);
  }
}

const CODE_SEGMENT: usize = memory.data(DESCRIPTOR_BYTES, 8);
const STACK_SEGMENT: usize = memory.data(DESCRIPTOR_BYTES, 8);

/**
 * Returns to sel:ip in protected or long mode. The stack then continues at item
 * `items`, `extra` bytes further on; with SS:RSP after that if the privilege
 * changes or `always` says so. `flags`/`mask` are the flags to load (IRET).
 */
function farReturn(
  sel: u32,
  ip: u64,
  size: u32,
  items: u32,
  extra: u32,
  always: bool,
  flags: u32,
  mask: u32,
): bool {
  const err = selErr(sel);
  const cpl = <u32> load<u8>(CPL);
  const rpl = sel & 3;
  if (!err) return gp(0);
  const code = changetype<Descriptor>(CODE_SEGMENT);
  if (!readDescriptor(code, sel, Vector.GP, err)) return false;
  const attr = code.attributes;
  if ((attr & (CODE_OR_DATA | CODE)) != (CODE_OR_DATA | CODE) || rpl < cpl) {
    return gp(err);
  }
  if (attr & CONFORMING_OR_DOWN ? code.dpl > rpl : code.dpl != rpl) {
    return gp(err);
  }
  const long64 = longActive() && (attr & LONG) != 0;
  if (!checkCodeKind(code, sel, 0)) return false;
  const mine = stackMask();
  // at the same privilege the address comes first, to an outer one SS does
  if (rpl == cpl && !checkIp(ip, code, 0)) return false;
  if (rpl == cpl && !always) {
    if (!markAccessed(code)) return false;
    putSp(load<u64>(RSP) + (<u64> items << size) + extra, mine);
    putDescriptor(S_CS, sel, code);
    store<u64>(RIP, ip);
    if (mask) putFlags(flags, mask);
    updateMode();
    return true;
  }
  const sp = peek(items, size, extra);
  if (load<u32>(FAULT)) return false;
  const ss = <u32> peek(items + 1, size, extra) & 0xffff;
  if (load<u32>(FAULT)) return false;
  const stack = changetype<Descriptor>(STACK_SEGMENT);
  const none = selErr(ss) == 0;
  if (none) {
    // null is a stack only for 64-bit code above ring 3
    if (!long64 || rpl == 3 || (ss & 3) != rpl) return gp(0);
    if (!checkIp(ip, code, 0)) return false;
  } else {
    // the stack segment first, then the address; accessed is set when all is
    // well
    if (!checkStack(stack, ss, rpl, Vector.GP, 0)) return false;
    if (!checkIp(ip, code, 0) || !markAccessed(stack)) return false;
  }
  if (!markAccessed(code)) return false;
  putDescriptor(S_CS, sel, code);
  if (none) putSeg(S_SS, ss, 0, 0, rpl << 5);
  else putDescriptor(S_SS, ss, stack);
  store<u64>(RIP, ip);
  const outer = rpl != cpl;
  if (mask) putFlags(flags, mask);
  store<u8>(CPL, <u8> rpl);
  const width: u64 = long64
    ? ~<u64> 0
    : stack.attributes & BIG
    ? 0xffffffff
    : 0xffff;
  putSp(sp + (outer ? extra : 0), width);
  if (outer) {
    demote(S_ES, rpl);
    demote(S_DS, rpl);
    demote(S_FS, rpl);
    demote(S_GS, rpl);
  }
  updateMode();
  return true;
}

function retf(p: usize, extra: u32): usize {
  const size = rOsz(p);
  const ip = peek(0, size, 0);
  if (load<u32>(FAULT)) return 0;
  const sel = <u32> peek(1, size, 0) & 0xffff;
  if (load<u32>(FAULT)) return 0;
  if (load<u8>(MODE) >= MODE_PROT) {
    farReturn(sel, ip, size, 2, extra, false, 0, 0);
    return 0;
  }
  if (ip > <u64> load<u32>(segOf(S_CS), SEG_LIMIT)) {
    gp(0);
    return 0;
  }
  putSp(load<u64>(RSP) + (<u64> 2 << size) + extra, stackMask());
  putRealSeg(S_CS, sel);
  store<u64>(RIP, ip);
  updateMode();
  return 0;
}

/** IRET in real or virtual-8086 mode, its three items read. */
function iretReal(ip: u64, sel: u32, image: u32, size: u32): bool {
  const efl = load<u32>(EFL);
  let mask = writableFlags(size);
  if (load<u8>(MODE) == MODE_V86) {
    if ((efl & RFLAGS_IOPL) == RFLAGS_IOPL) mask |= RFLAGS_IF;
    else {
      // with VME the virtual IF stands in for IF; without it, trap
      if (!(load<u64>(CR4) & CR4_VME) || size != 1) return gp(0);
      if (image & RFLAGS_TF || (image & RFLAGS_IF && efl & RFLAGS_VIP)) {
        return gp(0);
      }
      mask = (mask & ~(RFLAGS_IF | RFLAGS_IOPL)) | RFLAGS_VIF;
      image = (image & ~RFLAGS_VIF) | (image & RFLAGS_IF ? RFLAGS_VIF : 0);
    }
    mask &= ~RFLAGS_IOPL;
  }
  if (ip > <u64> load<u32>(segOf(S_CS), SEG_LIMIT)) return gp(0);
  putSp(load<u64>(RSP) + (<u64> 3 << size), stackMask());
  putRealSeg(S_CS, sel);
  store<u64>(RIP, ip);
  // VIF and VIP are not IRET's to change here, except as VME has it
  putFlags(
    image,
    mask &
      (load<u8>(MODE) == MODE_V86 ? ~RFLAGS_VIP : ~(RFLAGS_VIP | RFLAGS_VIF)),
  );
  updateMode();
  return true;
}

/** IRETD from ring 0 to virtual-8086 mode. */
function iretV86(ip: u64, sel: u32, image: u32): bool {
  for (let i: u32 = 3; i < 9; i++) {
    const v = peek(i, 2, 0);
    if (load<u32>(FAULT)) return false;
    store<u32>(V86_FRAME + (<usize> i << 2), <u32> v);
  }
  if (ip > 0xffff) return gp(0);
  setFlagsRaw((image & RFLAGS_BITS) | RFLAGS_CLEAR);
  store<u8>(CPL, 3);
  v86Seg(S_CS, sel);
  v86Seg(S_SS, load<u32>(V86_FRAME, 16));
  v86Seg(S_ES, load<u32>(V86_FRAME, 20));
  v86Seg(S_DS, load<u32>(V86_FRAME, 24));
  v86Seg(S_FS, load<u32>(V86_FRAME, 28));
  v86Seg(S_GS, load<u32>(V86_FRAME, 32));
  store<u64>(RSP, load<u32>(V86_FRAME, 12));
  store<u64>(RIP, ip & 0xffff);
  updateMode();
  return true;
}

function v86Seg(seg: u32, sel: u32): void {
  sel &= 0xffff;
  putSeg(seg, sel, <u64> sel << 4, 0xffff, Attributes.v86);
}

function iretAny(p: usize): bool {
  const size = rOsz(p);
  const mode = load<u8>(MODE);
  if (mode >= MODE_PROT && load<u32>(EFL) & RFLAGS_NT) {
    if (longActive()) return gp(0);
    return taskReturn(nextIp(p));
  }
  if (
    mode == MODE_V86 && (load<u32>(EFL) & RFLAGS_IOPL) != RFLAGS_IOPL &&
    !(load<u64>(CR4) & CR4_VME)
  ) return gp(0);
  const ip = peek(0, size, 0);
  if (load<u32>(FAULT)) return false;
  const sel = <u32> peek(1, size, 0) & 0xffff;
  if (load<u32>(FAULT)) return false;
  const image = <u32> peek(2, size, 0);
  if (load<u32>(FAULT)) return false;
  if (mode < MODE_PROT) return iretReal(ip, sel, image, size);
  if (
    image & RFLAGS_VM && size == 2 && load<u8>(CPL) == 0 && !longActive()
  ) return iretV86(ip, sel, image);
  return farReturn(
    sel,
    ip,
    size,
    3,
    0,
    mode == MODE_LONG,
    image,
    writableFlags(size),
  );
}

function iret(p: usize): usize {
  if (!iretAny(p)) return 0;
  if (load<u8>(MODE) == MODE_LONG && !load<u8>(NMIMASK) && quiet()) {
    return jumpTo(load<u64>(RIP));
  }
  store<u8>(NMIMASK, 0);
  flagsChanged();
  return 0;
}

export function registerRet(): void {
  def(M_ONE, 0xcb, SZ_V | END);
  all((p) => retf(p, 0));
  def(M_ONE, 0xca, SZ_V | IMM_W | END);
  all((p) => retf(p, <u32> rImm(p) & 0xffff));
  def(M_ONE, 0xcf, SZ_V | END);
  all((p) => iret(p));
}
