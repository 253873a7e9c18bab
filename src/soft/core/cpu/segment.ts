// Descriptors and segment registers. Source: Intel SDM vol. 3, chapters
// "Protected-Mode Memory Management" and "Protection".
import { raiseErr } from "./fault";
import {
  CPL,
  EFER,
  MODE,
  MODE_LONG,
  MODE_PROT,
  MODE_V86,
  S_CS,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
} from "../layout";
import { updateMode } from "./mode";
import { EFER_LMA } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import {
  Attributes,
  BIG,
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  LONG,
  PRESENT,
  READ_OR_WRITE,
} from "../x86/segments";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  markAccessed,
  readDescriptor,
} from "./descriptor";

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

/** Loads a segment register from a descriptor. */
export function putDescriptor(seg: u32, sel: u32, d: Descriptor): void {
  putSeg(seg, sel, d.base, d.limit, d.attributes);
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
  d: Descriptor,
  sel: u32,
  cpl: u32,
  vector: u32,
  ext: u32,
): bool {
  const err = selErr(sel) | ext;
  if (!readDescriptor(d, sel, vector, err)) return false;
  if (
    (sel & 3) != cpl || d.dpl != cpl ||
    (d.attributes & (CODE_OR_DATA | CODE | READ_OR_WRITE)) !=
      (CODE_OR_DATA | READ_OR_WRITE)
  ) {
    raiseErr(vector, err);
    return false;
  }
  if (!d.present) {
    raiseErr(Vector.SS, err);
    return false;
  }
  return true;
}

/** Checks `sel` (not null) for ES, DS, FS or GS; raises `vector` or #NP. */
export function checkData(
  d: Descriptor,
  sel: u32,
  cpl: u32,
  vector: u32,
): bool {
  const err = selErr(sel);
  if (!readDescriptor(d, sel, vector, err)) return false;
  const attr = d.attributes;
  const code = (attr & CODE) != 0;
  let ok = (attr & CODE_OR_DATA) != 0 && (!code || (attr & READ_OR_WRITE) != 0);
  if (ok && !(code && attr & CONFORMING_OR_DOWN)) {
    ok = d.dpl >= cpl && d.dpl >= (sel & 3);
  }
  if (!ok) {
    raiseErr(vector, err);
    return false;
  }
  if (!d.present) {
    raiseErr(Vector.NP, err);
    return false;
  }
  return true;
}

const LOADED: usize = memory.data(DESCRIPTOR_BYTES, 8);

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
  const d = changetype<Descriptor>(LOADED);
  if (seg == S_SS) {
    if (!checkStack(d, sel, cpl, Vector.GP, 0)) return false;
  } else if (!checkData(d, sel, cpl, Vector.GP)) return false;
  if (!markAccessed(d)) return false;
  putDescriptor(seg, sel, d);
  if (seg == S_SS) updateMode();
  return true;
}

/**
 * Of the descriptor of a code segment whose privilege was checked: the L/D
 * combination, then presence. False with FAULT set.
 */
export function checkCodeKind(d: Descriptor, sel: u32, ext: u32): bool {
  if (longActive() && (d.attributes & (LONG | BIG)) == (LONG | BIG)) {
    raiseErr(Vector.GP, selErr(sel) | ext);
    return false;
  }
  if (!d.present) {
    raiseErr(Vector.NP, selErr(sel) | ext);
    return false;
  }
  return true;
}

/** Whether `ip` lies in a code segment; else #GP(ext). */
export function checkIp(ip: u64, d: Descriptor, ext: u32): bool {
  const inside = longActive() && d.attributes & LONG
    ? canonical(ip)
    : ip <= <u64> d.limit;
  if (!inside) raiseErr(Vector.GP, ext);
  return inside;
}

/** checkCodeKind(), and whether `ip` lies in the segment. */
export function checkCode(
  d: Descriptor,
  sel: u32,
  ip: u64,
  ext: u32,
): bool {
  return checkCodeKind(d, sel, ext) && checkIp(ip, d, ext);
}
