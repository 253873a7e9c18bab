// Descriptors and segment registers. Source: Intel SDM vol. 3, chapters
// "Protected-Mode Memory Management" and "Protection".
import { raiseErr } from "./fault";
import {
  CPL,
  EFER,
  FAULT,
  GDTR,
  MODE,
  MODE_LONG,
  MODE_PROT,
  MODE_V86,
  S_CS,
  S_LDTR,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
} from "../layout";
import { rdSys, wrSys } from "../memory/access";
import { updateMode } from "./mode";
import { EFER_LMA } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import {
  ACCESSED,
  Attributes,
  BIG,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  GRANULARITY,
  LONG,
  PRESENT,
  READ_OR_WRITE,
  TABLE_INDICATOR,
  TSS_BUSY,
} from "../x86/segments";

/** The descriptor that readDescriptor() found: both halves and its address. */
export let dLo: u32 = 0;
export let dHi: u32 = 0;
export let dAddr: u64 = 0;

@inline
export function longActive(): bool {
  return (load<u64>(EFER) & EFER_LMA) != 0;
}

@inline
export function canonical(a: u64): bool {
  return <i64> (a << 16) >> 16 == <i64> a;
}

@inline
export function segOf(seg: u32): usize {
  return SEGS + (<usize> seg << 5);
}

/** The selector part of an error code. */
@inline
export function selErr(sel: u32): u32 {
  return sel & 0xfffc;
}

function tableOf(sel: u32, bytes: u32): bool {
  let table = GDTR;
  if (sel & TABLE_INDICATOR) {
    table = segOf(S_LDTR);
    if (!(load<u16>(table, SEG_ATTR) & PRESENT)) return false;
  }
  const off = sel & 0xfff8;
  if (off + bytes - 1 > load<u32>(table, SEG_LIMIT)) return false;
  dAddr = load<u64>(table) + off;
  return true;
}

/**
 * Reads the descriptor of `sel`; outside its table raises `vector` with error
 * code `err`. False with FAULT set.
 */
export function readDescriptor(sel: u32, vector: u32, err: u32): bool {
  if (!tableOf(sel, 8)) {
    raiseErr(vector, err);
    return false;
  }
  const d = rdSys<u64>(dAddr);
  if (load<u32>(FAULT)) return false;
  dLo = <u32> d;
  dHi = <u32> (d >> 32);
  return true;
}

/**
 * Whether `sel` names a descriptor; true with no FAULT, reads it. For LAR and
 * its like.
 */
export function tryDescriptor(sel: u32): bool {
  if (!(sel & 0xfffc) || !tableOf(sel, 8)) return false;
  const d = rdSys<u64>(dAddr);
  if (load<u32>(FAULT)) return false;
  dLo = <u32> d;
  dHi = <u32> (d >> 32);
  return true;
}

/**
 * The upper half of a 16-byte descriptor (long mode) whose lower half was just
 * read.
 */
export function readUpper(sel: u32, vector: u32, err: u32): u64 {
  if (!tableOf(sel, 16)) {
    raiseErr(vector, err);
    return 0;
  }
  const d = rdSys<u64>(dAddr + 8);
  if (!load<u32>(FAULT) && (d >> 40) & 31) raiseErr(vector, err);
  return d;
}

// Parts of the descriptor just read.
@inline
export function dAttr(): u32 {
  return (dHi >> 8) & 0xf0ff;
}

@inline
export function dDpl(): u32 {
  return (dHi >> 13) & 3;
}

@inline
export function dType(): u32 {
  return (dHi >> 8) & 15;
}

@inline
export function dPresent(): bool {
  return (dHi & (PRESENT << 8)) != 0;
}

@inline
export function dSystem(): bool {
  return (dHi & (CODE_OR_DATA << 8)) == 0;
}
export function dBase(): u64 {
  return (dLo >> 16) | ((dHi & 0xff) << 16) | (dHi & 0xff000000);
}
export function dLimit(): u32 {
  const limit = (dLo & 0xffff) | (dHi & 0xf0000);
  return dHi & (GRANULARITY << 8) ? (limit << 12) | 0xfff : limit;
}

/** Sets the accessed bit of the descriptor just read; false with FAULT set. */
export function markAccessed(): bool {
  if (dHi & (ACCESSED << 8)) return true;
  dHi |= ACCESSED << 8;
  wrSys<u8>(dAddr + 5, <u8> (dHi >> 8));
  return load<u32>(FAULT) == 0;
}

/**
 * Sets or clears the busy bit of the TSS descriptor just read; false with FAULT
 * set.
 */
export function setBusy(at: u64, busy: bool): bool {
  const b = rdSys<u8>(at + 5);
  if (load<u32>(FAULT)) return false;
  wrSys<u8>(at + 5, busy ? b | <u8> TSS_BUSY : b & ~(<u8> TSS_BUSY));
  return load<u32>(FAULT) == 0;
}

/** Writes a segment register whole. */
export function putSeg(
  seg: u32,
  sel: u32,
  base: u64,
  limit: u32,
  attr: u32,
): void {
  const s = segOf(seg);
  store<u64>(s, base, SEG_BASE);
  store<u32>(s, limit, SEG_LIMIT);
  store<u16>(s, <u16> sel, SEG_SEL);
  store<u16>(s, <u16> attr, SEG_ATTR);
}

/** Loads a segment register from the descriptor just read. */
export function putDescriptor(seg: u32, sel: u32): void {
  putSeg(seg, sel, dBase(), dLimit(), dAttr());
}

/** Makes a segment register unusable. */
export function putNull(seg: u32, sel: u32): void {
  putSeg(seg, sel, 0, 0, 0);
}

/**
 * A segment register in real mode (limit and size stay) or virtual-8086 mode.
 */
export function putRealSeg(seg: u32, sel: u32): void {
  const s = segOf(seg);
  if (load<u8>(MODE) == MODE_V86) {
    putSeg(seg, sel, <u64> sel << 4, 0xffff, Attributes.v86);
    return;
  }
  let attr: u32 = load<u16>(s, SEG_ATTR);
  if (!(attr & PRESENT)) {
    store<u32>(s, 0xffff, SEG_LIMIT);
    attr = 0;
  }
  const type: u32 = seg == S_CS ? Attributes.code16 : Attributes.data16;
  store<u64>(s, <u64> sel << 4, SEG_BASE);
  store<u16>(s, <u16> sel, SEG_SEL);
  store<u16>(s, <u16> ((attr & 0xff00) | type), SEG_ATTR);
}

/**
 * Checks `sel` as a stack segment for privilege `cpl` and reads its
 * descriptor. Raises `vector` (#GP, #TS), or #SS when absent; `ext` is ored
 * into error codes. Null is the caller's matter.
 */
export function checkStack(
  sel: u32,
  cpl: u32,
  vector: u32,
  ext: u32,
): bool {
  const err = selErr(sel) | ext;
  if (!readDescriptor(sel, vector, err)) return false;
  if (
    (sel & 3) != cpl || dDpl() != cpl ||
    (dAttr() & (CODE_OR_DATA | CODE | READ_OR_WRITE)) !=
      (CODE_OR_DATA | READ_OR_WRITE)
  ) {
    raiseErr(vector, err);
    return false;
  }
  if (!dPresent()) {
    raiseErr(Vector.SS, err);
    return false;
  }
  return true;
}

/** Checks `sel` (not null) for ES, DS, FS or GS; raises `vector` or #NP. */
export function checkData(sel: u32, cpl: u32, vector: u32): bool {
  const err = selErr(sel);
  if (!readDescriptor(sel, vector, err)) return false;
  const attr = dAttr();
  const code = (attr & CODE) != 0;
  let ok = (attr & CODE_OR_DATA) != 0 && (!code || (attr & READ_OR_WRITE) != 0);
  if (ok && !(code && attr & CONFORMING_OR_DOWN)) {
    ok = dDpl() >= cpl && dDpl() >= (sel & 3);
  }
  if (!ok) {
    raiseErr(vector, err);
    return false;
  }
  if (!dPresent()) {
    raiseErr(Vector.NP, err);
    return false;
  }
  return true;
}

/**
 * MOV/POP to ES, SS, DS, FS or GS, LDS and its like: loads the segment register
 * with every check of the mode. False with FAULT set and nothing changed.
 */
export function loadSegment(seg: u32, sel: u32): bool {
  const mode = load<u8>(MODE);
  if (mode < MODE_PROT) {
    putRealSeg(seg, sel);
    if (seg == S_SS) updateMode();
    return true;
  }
  const cpl = <u32> load<u8>(CPL);
  if (!(sel & 0xfffc)) {
    if (seg == S_SS) {
      if (mode != MODE_LONG || cpl == 3 || (sel & 3) != cpl) {
        raiseErr(Vector.GP, 0);
        return false;
      }
      // unusable, but its DPL is the CPL
      putSeg(seg, sel, 0, 0, cpl << 5);
      return true;
    }
    putNull(seg, sel);
    return true;
  }
  if (seg == S_SS) {
    if (!checkStack(sel, cpl, Vector.GP, 0)) return false;
  } else if (!checkData(sel, cpl, Vector.GP)) return false;
  if (!markAccessed()) return false;
  putDescriptor(seg, sel);
  if (seg == S_SS) updateMode();
  return true;
}

/**
 * After the descriptor of a code segment was read and its privilege checked:
 * the L/D combination, then presence. False with FAULT set.
 */
export function checkCodeKind(sel: u32, ext: u32): bool {
  if (longActive() && (dAttr() & (LONG | BIG)) == (LONG | BIG)) {
    raiseErr(Vector.GP, selErr(sel) | ext);
    return false;
  }
  if (!dPresent()) {
    raiseErr(Vector.NP, selErr(sel) | ext);
    return false;
  }
  return true;
}

/**
 * Whether `ip` lies in a code segment of these limit and attributes; else
 * #GP(ext).
 */
export function checkIp(ip: u64, limit: u32, attr: u32, ext: u32): bool {
  const inside = longActive() && attr & LONG
    ? canonical(ip)
    : ip <= <u64> limit;
  if (!inside) raiseErr(Vector.GP, ext);
  return inside;
}

/** checkCodeKind() and checkIp() of the descriptor just read. */
export function checkCode(sel: u32, ip: u64, ext: u32): bool {
  return checkCodeKind(sel, ext) && checkIp(ip, dLimit(), dAttr(), ext);
}
