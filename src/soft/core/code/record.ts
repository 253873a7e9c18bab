// A decoded instruction: 32 bytes that handlers read. Layout:
//    0 u16 handler (table index)
//    2 u8 length, scale << 6
//    3 u8 case of the inner loop, or 0
//    4 u8 reg, 5 u8 rm: byte offsets from REGS; AH..BH as 1, 9, 17, 25
//    6 u8 base, 7 u8 index: byte offsets from REGS; R_ZERO, R_CODEBASE
//    9 u8 segment, operand size << 4 (log2: 1, 2, 3)
//   10 u8 EA kind (EAK_*)
//   11 u8 ModRM
//   12 u16 page offset of the instruction
//   14 u8 opcode
//   15 u8 flags (RF_*)
//   16 i64 displacement (or a 64-bit immediate)
//   24 i32 immediate
//   28 u32 link: a direct branch's target record, the real handler of a group,
//      or VEX.vvvv as a register offset
// The first 8 bytes are all that most cases of the inner loop need: one load.
// XMM registers: reg and rm are register number * 8, so XMM + 2 * offset.
import { GP, raiseErr, SS_ } from "../cpu/fault";
import { rd, rw, wr } from "../memory/access";
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

export const REC: usize = 32;

export const RF_MEM: u32 = 1;
export const RF_LOCK: u32 = 2;
export const RF_REP: u32 = 4; // F3
export const RF_REPNE: u32 = 8; // F2
export const RF_OPSIZE: u32 = 16; // 66
export const RF_REXW: u32 = 32;
export const RF_VEXL: u32 = 64;
export const RF_ADDR: u32 = 128; // 67

export const EAK_64: u32 = 0; // 64-bit address, no segment base
export const EAK_64SEG: u32 = 1; // 64-bit address, FS or GS
export const EAK_64A32: u32 = 2; // 32-bit address in 64-bit code
export const EAK_32: u32 = 3; // legacy, 32-bit address
export const EAK_16: u32 = 4; // legacy, 16-bit address

@inline
export function rLen(p: usize): u32 {
  return load<u8>(p, 2) & 15;
}
@inline
export function rFlags(p: usize): u32 {
  return load<u8>(p, 15);
}
@inline
export function isMem(p: usize): bool {
  return (load<u8>(p, 15) & 1) != 0;
}
/** Address of the cell of the ModRM.reg (or opcode-embedded) register. */
@inline
export function rReg(p: usize): usize {
  return REGS + load<u8>(p, 4);
}
/** Address of the cell of the ModRM.rm register (mod = 3). */
@inline
export function rRm(p: usize): usize {
  return REGS + load<u8>(p, 5);
}
@inline
export function rSeg(p: usize): u32 {
  return load<u8>(p, 9) & 15;
}
@inline
export function rEak(p: usize): u32 {
  return load<u8>(p, 10);
}
@inline
export function rModrm(p: usize): u32 {
  return load<u8>(p, 11);
}
@inline
export function rOff(p: usize): u32 {
  return load<u16>(p, 12);
}
@inline
export function rOpcode(p: usize): u32 {
  return load<u8>(p, 14);
}
/** Operand size as log2 of bytes: 1, 2 or 3. */
@inline
export function rOsz(p: usize): u32 {
  return load<u8>(p, 9) >> 4;
}
@inline
export function rDisp(p: usize): u64 {
  return load<u64>(p, 16);
}
/** The immediate, sign-extended. */
@inline
export function rImm(p: usize): i64 {
  return <i64> load<i32>(p, 24);
}
@inline
export function rImm8(p: usize): u32 {
  return load<u8>(p, 24);
}
/** Cell of the VEX.vvvv register. */
@inline
export function rVvvv(p: usize): usize {
  return REGS + load<u32>(p, 28);
}

/** Log2 of the address size: 1, 2 or 3 bytes. */
@inline
export function addrMask(p: usize): u64 {
  const k = rEak(p);
  return k <= EAK_64SEG ? ~<u64> 0 : k == EAK_16 ? 0xffff : 0xffffffff;
}

/**
 * Writes a T register the way x86-64 does: 32-bit writes clear the upper half.
 */
@inline
export function setReg<T>(cell: usize, v: T): void {
  if (sizeof<T>() == 4) store<u64>(cell, <u64> <u32> v);
  else store<T>(cell, v);
}

/**
 * Whether it is a string instruction with REP, which may end at itself and go
 * on.
 */
export function isRepeated(p: usize): bool {
  if (!(rFlags(p) & (RF_REP | RF_REPNE))) return false;
  const op = rOpcode(p);
  return (op & 0xfc) == 0x6c || (op & 0xfc) == 0xa4 || (op & 0xfe) == 0xaa ||
    (op & 0xfc) == 0xac;
}

// --- effective addresses

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
    ok = (attr & 0x80) != 0;
    if (ok) {
      if (type & 8) ok = !write && (type & 2) != 0;
      else if (write) ok = (type & 2) != 0;
    }
    if (ok) {
      if ((type & 12) == 4) {
        ok = off > limit &&
          last <= (attr & 0x4000 ? <u64> 0xffffffff : <u64> 0xffff);
      } else ok = last <= limit;
    }
  } else {
    ok = last <= limit;
  }
  if (!ok) raiseErr(seg == S_SS ? SS_ : GP, 0);
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

// --- memory operands: on a fault FAULT is set; loads then give 0

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

/** Raises #GP(0). Returns 0. */
export function gp0(): usize {
  return raiseErr(GP, 0);
}
