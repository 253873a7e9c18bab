// Descriptors and segment registers. Source: Intel SDM vol. 3, chapters
// "Protected-Mode Memory Management" and "Protection".
import { EFER_LMA } from "./bits";
import { GP, NP, raiseErr, SS_ } from "./fault";
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

// Descriptor attributes as segment registers hold them (SEG_ATTR).
export const A_ACCESSED: u32 = 1;
/** Writable (data) or readable (code). */
export const A_RW: u32 = 2;
/** Expand-down (data) or conforming (code). */
export const A_EC: u32 = 4;
export const A_CODE: u32 = 8;
export const A_S: u32 = 0x10;
export const A_P: u32 = 0x80;
export const A_L: u32 = 0x2000;
export const A_DB: u32 = 0x4000;

// Types of system descriptors.
export const T_TSS16: u32 = 1;
export const T_LDT: u32 = 2;
export const T_CALL16: u32 = 4;
export const T_TASK: u32 = 5;
export const T_TSS32: u32 = 9;
export const T_CALL32: u32 = 12;
/** Busy bit of a TSS type. */
export const T_BUSY: u32 = 2;

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
  if (sel & 4) {
    table = segOf(S_LDTR);
    if (!(load<u16>(table, SEG_ATTR) & A_P)) return false;
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
  return (dHi & 0x8000) != 0;
}

@inline
export function dSystem(): bool {
  return (dHi & 0x1000) == 0;
}
export function dBase(): u64 {
  return (dLo >> 16) | ((dHi & 0xff) << 16) | (dHi & 0xff000000);
}
export function dLimit(): u32 {
  const limit = (dLo & 0xffff) | (dHi & 0xf0000);
  return dHi & 0x800000 ? (limit << 12) | 0xfff : limit;
}

/** Sets the accessed bit of the descriptor just read; false with FAULT set. */
export function markAccessed(): bool {
  if (dHi & 0x100) return true;
  dHi |= 0x100;
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
  wrSys<u8>(at + 5, busy ? b | 2 : b & ~2);
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
    putSeg(seg, sel, <u64> sel << 4, 0xffff, 0xf3);
    return;
  }
  let attr: u32 = load<u16>(s, SEG_ATTR);
  if (!(attr & A_P)) {
    store<u32>(s, 0xffff, SEG_LIMIT);
    attr = 0;
  }
  const type: u32 = seg == S_CS ? 0x9b : 0x93;
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
    (dAttr() & (A_S | A_CODE | A_RW)) != (A_S | A_RW)
  ) {
    raiseErr(vector, err);
    return false;
  }
  if (!dPresent()) {
    raiseErr(SS_, err);
    return false;
  }
  return true;
}

/** Checks `sel` (not null) for ES, DS, FS or GS; raises `vector` or #NP. */
export function checkData(sel: u32, cpl: u32, vector: u32): bool {
  const err = selErr(sel);
  if (!readDescriptor(sel, vector, err)) return false;
  const attr = dAttr();
  const code = (attr & A_CODE) != 0;
  let ok = (attr & A_S) != 0 && (!code || (attr & A_RW) != 0);
  if (ok && !(code && attr & A_EC)) {
    ok = dDpl() >= cpl && dDpl() >= (sel & 3);
  }
  if (!ok) {
    raiseErr(vector, err);
    return false;
  }
  if (!dPresent()) {
    raiseErr(NP, err);
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
        raiseErr(GP, 0);
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
    if (!checkStack(sel, cpl, GP, 0)) return false;
  } else if (!checkData(sel, cpl, GP)) return false;
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
  if (longActive() && (dAttr() & (A_L | A_DB)) == (A_L | A_DB)) {
    raiseErr(GP, selErr(sel) | ext);
    return false;
  }
  if (!dPresent()) {
    raiseErr(NP, selErr(sel) | ext);
    return false;
  }
  return true;
}

/**
 * Whether `ip` lies in a code segment of these limit and attributes; else
 * #GP(ext).
 */
export function checkIp(ip: u64, limit: u32, attr: u32, ext: u32): bool {
  const inside = longActive() && attr & A_L ? canonical(ip) : ip <= <u64> limit;
  if (!inside) raiseErr(GP, ext);
  return inside;
}

/** checkCodeKind() and checkIp() of the descriptor just read. */
export function checkCode(sel: u32, ip: u64, ext: u32): bool {
  return checkCodeKind(sel, ext) && checkIp(ip, dLimit(), dAttr(), ext);
}
