// Stack frames that the processor itself builds: on the current stack or,
// before anything is committed, on a more privileged one. Source: Intel SDM
// vol. 3, "Stack Switching", "Exception- or Interrupt-Handler Procedures".
import { raise, raiseErr } from "./fault";
import {
  CPL,
  CR0,
  EFL,
  F_NONCANON,
  FAULT,
  MODE,
  MODE_LONG,
  MODE_PROT,
  RSP,
  S_SS,
  S_TR,
  SEG_ATTR,
  SEG_LIMIT,
  SEG_SEL,
  STACKW,
} from "../layout";
import { rdSys, wrAs } from "../memory/access";
import { segOf, selErr } from "./segment";
import { CR0_AM } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import { RFLAGS_AC } from "../x86/flags";
import { BIG, CONFORMING_OR_DOWN, SYSTEM_32_BIT } from "../x86/segments";
import { Descriptor } from "./descriptor";

let base: u64 = 0;
let limit: u32 = 0;
let attr: u32 = 0;
let mask: u64 = 0;
let cpl: u32 = 0;
let flat: bool = false;
let error: u32 = 0;
/** The stack pointer of the frame so far. */
let frameSp: u64 = 0;

/** Mask of the current stack pointer's width. */
export function stackMask(): u64 {
  const w = load<u8>(STACKW);
  return w == 1 ? 0xffff : w == 2 ? 0xffffffff : ~<u64> 0;
}

/** Begins a frame on the current stack; `err` is #SS's error code. */
export function frameCurrent(err: u32): void {
  const s = segOf(S_SS);
  base = load<u64>(s);
  limit = load<u32>(s, SEG_LIMIT);
  // real-mode and virtual-8086 stacks grow in plain segments
  attr = load<u8>(MODE) < MODE_PROT ? 0 : load<u16>(s, SEG_ATTR);
  mask = stackMask();
  cpl = load<u8>(CPL);
  flat = load<u8>(MODE) == MODE_LONG;
  error = err;
  frameSp = load<u64>(RSP) & mask;
}

/** Begins a frame on a stack of descriptor `d`. */
export function frameNew(
  d: Descriptor,
  sp: u64,
  level: u32,
  err: u32,
): void {
  base = d.base;
  limit = d.limit;
  attr = d.attributes;
  mask = attr & BIG ? 0xffffffff : 0xffff;
  cpl = level;
  flat = false;
  error = err;
  frameSp = sp & mask;
}

/** Begins a frame on a 64-bit stack. */
export function frameFlat(sp: u64, level: u32): void {
  mask = ~<u64> 0;
  cpl = level;
  flat = true;
  frameSp = sp;
}

/** Pushes 1 << size bytes; false with FAULT set. */
export function framePush(size: u32, v: u64): bool {
  const n = (<u64> 1) << size;
  const sp = (frameSp - n) & mask;
  let at = sp;
  if (!flat) {
    const last = sp + n - 1;
    const ok = (attr & CONFORMING_OR_DOWN) != 0
      ? sp > <u64> limit && last <= (attr & BIG ? <u64> 0xffffffff : 0xffff)
      : last <= <u64> limit;
    if (!ok) {
      raiseErr(Vector.SS, error);
      return false;
    }
    at = (base + sp) & 0xffffffff;
  }
  if (
    cpl == 3 && (load<u32>(EFL) & RFLAGS_AC) != 0 &&
    (load<u64>(CR0) & CR0_AM) != 0 && at & (n - 1)
  ) {
    raise(Vector.AC);
    return false;
  }
  if (size == 3) wrAs<u64>(at, v, cpl);
  else if (size == 2) wrAs<u32>(at, <u32> v, cpl);
  else wrAs<u16>(at, <u16> v, cpl);
  if (load<u32>(FAULT)) {
    if (load<u32>(FAULT) == F_NONCANON) raiseErr(Vector.SS, 0);
    return false;
  }
  frameSp = sp;
  return true;
}

/** Writes a stack pointer of the given mask's width. */
export function putSp(sp: u64, width: u64): void {
  if (width == 0xffff) store<u16>(RSP, <u16> sp);
  else store<u64>(RSP, sp & width);
}

/** Makes the frame the stack (SS is the caller's matter). */
export function frameCommit(): void {
  putSp(frameSp, mask);
}

/** A stack that the TSS names. */
@unmanaged
export class TssStack {
  sp: u64 = 0;
  /** Of a 64-bit TSS there is none. */
  ss: u32 = 0;
}

const STACK: usize = memory.data(offsetof<TssStack>(), 8);

/**
 * The stack of privilege `level` from the current TSS, until it is asked again;
 * null with FAULT set.
 */
export function tssStack(level: u32, ext: u32): TssStack | null {
  const tr = segOf(S_TR);
  const wide = (load<u16>(tr, SEG_ATTR) & SYSTEM_32_BIT) != 0;
  const off: u32 = wide ? (level << 3) + 4 : (level << 2) + 2;
  if (off + (wide ? 5 : 3) > load<u32>(tr, SEG_LIMIT)) {
    raiseErr(Vector.TS, selErr(load<u16>(tr, SEG_SEL)) | ext);
    return null;
  }
  const stack = changetype<TssStack>(STACK);
  const at = load<u64>(tr) + off;
  stack.sp = wide ? rdSys<u32>(at) : rdSys<u16>(at);
  if (load<u32>(FAULT)) return null;
  stack.ss = rdSys<u16>(at + (wide ? 4 : 2));
  return load<u32>(FAULT) ? null : stack;
}

/**
 * The stack pointer at offset `off` of the 64-bit TSS; 0 with FAULT set.
 */
export function tssRsp(off: u32, ext: u32): u64 {
  const tr = segOf(S_TR);
  if (off + 7 > load<u32>(tr, SEG_LIMIT)) {
    raiseErr(Vector.TS, selErr(load<u16>(tr, SEG_SEL)) | ext);
    return 0;
  }
  return rdSys<u64>(load<u64>(tr) + off);
}
