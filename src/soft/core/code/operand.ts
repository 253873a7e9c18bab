// A record's memory operands: effective addresses, segments, accesses.
import {
  addrMask,
  EAK_64,
  EAK_64A32,
  EAK_64SEG,
  isMem,
  rEak,
  rRm,
  rSeg,
} from "./record";
import { raiseErr } from "../cpu/fault";
import {
  F_NONCANON,
  FAULT,
  MODE,
  MODE_LONG,
  MODE_PROT,
  REGS,
  S_FS,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEGS,
} from "../layout";
import { rd, rw, wr } from "../memory/access";
import { Vector } from "../x86/vectors";
import {
  BIG,
  CODE,
  CONFORMING_OR_DOWN,
  PRESENT,
  READ_OR_WRITE,
} from "../x86/segments";

/** The raw sum base + index * scale + displacement. */
@inline
export function eaSum(p: usize): u64 {
  return load<u64>(REGS + load<u8>(p, 6)) +
    (load<u64>(REGS + load<u8>(p, 7)) << (load<u8>(p, 2) >> 6)) +
    load<u64>(p, 16);
}

/** The offset (what LEA gives), cut to the address size. */
@inline
export function eaOffset(p: usize): u64 {
  return eaSum(p) & addrMask(p);
}

/**
 * Linear address of offset `off` in segment `seg` for an access; checks the
 * segment outside 64-bit code.
 */
export function linear(
  seg: u32,
  off: u64,
  bytes: u32,
  write: bool,
): u64 {
  const s = SEGS + (<usize> seg << 5);
  if (load<u8>(MODE) == MODE_LONG) {
    return seg >= S_FS ? off + load<u64>(s, SEG_BASE) : off;
  }
  off &= 0xffffffff;
  // a present, writable data segment of 4 GiB allows everything
  if (
    (load<u64>(s, SEG_LIMIT) & 0x009e0000ffffffff) != 0x00920000ffffffff ||
    off > 0x100000000 - <u64> bytes
  ) {
    if (!segCheck(seg, off, bytes, write)) return 0;
  }
  return (off + load<u64>(s, SEG_BASE)) & 0xffffffff;
}

/**
 * Limit, presence and type of a data access in a legacy mode; raises #GP(0) or
 * #SS(0).
 */
function segCheck(
  seg: u32,
  off: u64,
  bytes: u32,
  write: bool,
): bool {
  const s = SEGS + (<usize> seg << 5);
  const attr = load<u16>(s, SEG_ATTR);
  const last = off + bytes - 1;
  const limit = <u64> load<u32>(s, SEG_LIMIT);
  let ok: bool;
  if (load<u8>(MODE) >= MODE_PROT) {
    const type = attr & 15;
    ok = (attr & PRESENT) != 0;
    if (ok) {
      if (type & CODE) ok = !write && (type & READ_OR_WRITE) != 0;
      else if (write) ok = (type & READ_OR_WRITE) != 0;
    }
    if (ok) {
      if ((type & (CODE | CONFORMING_OR_DOWN)) == CONFORMING_OR_DOWN) {
        ok = off > limit &&
          last <= (attr & BIG ? <u64> 0xffffffff : <u64> 0xffff);
      } else ok = last <= limit;
    }
  } else {
    ok = last <= limit;
  }
  if (!ok) raiseErr(seg == S_SS ? Vector.SS : Vector.GP, 0);
  return ok;
}

/**
 * Linear address of the memory operand; FAULT set when its segment forbids it.
 */
export function eaLinear(p: usize, bytes: u32, write: bool): u64 {
  return rEak(p) == EAK_64 ? eaSum(p) : eaSlow(p, 0, bytes, write);
}

/**
 * The same of a part of the operand, `skip` bytes behind its first: an operand
 * of several parts (a far pointer, BOUND's limits, 80 bits) is so many
 * accesses. The offset of each wraps at the address size, and each has checks
 * of its own.
 */
export function eaPart(p: usize, skip: u64, bytes: u32, write: bool): u64 {
  return eaSlow(p, skip, bytes, write);
}

function eaSlow(p: usize, skip: u64, bytes: u32, write: bool): u64 {
  const k = rEak(p);
  const sum = eaSum(p) + skip;
  if (k == EAK_64) return sum;
  const s = SEGS + (<usize> rSeg(p) << 5);
  if (k == EAK_64SEG) {
    // as AMD processors do: the offset must be canonical even before the base
    // is added
    const o = sum;
    if (<i64> (o << 16) >> 16 != <i64> o) store<u32>(FAULT, F_NONCANON);
    return o + load<u64>(s, SEG_BASE);
  }
  if (k == EAK_64A32) {
    const o = sum & 0xffffffff;
    return rSeg(p) >= S_FS ? o + load<u64>(s, SEG_BASE) : o;
  }
  return linear(rSeg(p), sum & addrMask(p), bytes, write);
}

function ldSlow<T>(p: usize): T {
  const a = eaLinear(p, sizeof<T>(), false);
  if (load<u32>(FAULT)) return 0;
  return rd<T>(a);
}

/** Reads the memory operand (inlined: for hot handlers). */
@inline
export function ldmI<T>(p: usize): T {
  if (load<u8>(p, 10) == EAK_64) return rd<T>(eaSum(p));
  return ldSlow<T>(p);
}

/** Reads the memory operand. */
export function ldm<T>(p: usize): T {
  return ldmI<T>(p);
}

function stSlow<T>(p: usize, v: T): void {
  const a = eaLinear(p, sizeof<T>(), true);
  if (load<u32>(FAULT)) return;
  wr<T>(a, v);
}

/** Writes the memory operand (inlined: for hot handlers). */
@inline
export function stmI<T>(p: usize, v: T): void {
  if (load<u8>(p, 10) == EAK_64) wr<T>(eaSum(p), v);
  else stSlow<T>(p, v);
}

/** Writes the memory operand. */
export function stm<T>(p: usize, v: T): void {
  stmI<T>(p, v);
}

function rwmSlow<T>(p: usize): usize {
  const a = eaLinear(p, sizeof<T>(), true);
  if (load<u32>(FAULT)) return 0;
  return rw<T>(a);
}

/**
 * Host address of the memory operand for read-modify-write, or 0; finish with
 * rmwFailed() (insn/rmw.ts).
 */
@inline
export function rwm<T>(p: usize): usize {
  if (load<u8>(p, 10) == EAK_64) return rw<T>(eaSum(p));
  return rwmSlow<T>(p);
}

/** Reads the rm operand, register or memory. */
@inline
export function ldRM<T>(p: usize): T {
  return isMem(p) ? ldm<T>(p) : load<T>(rRm(p));
}
