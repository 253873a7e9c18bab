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
import { REGS } from "../layout";
import { EAK_16, EAK_64SEG, RF_REP, RF_REPNE } from "../shared";
export {
  EAK_16,
  EAK_32,
  EAK_64,
  EAK_64A32,
  EAK_64SEG,
  REC,
  RF_ADDR,
  RF_LOCK,
  RF_MEM,
  RF_OPSIZE,
  RF_REP,
  RF_REPNE,
  RF_REXW,
  RF_VEXL,
} from "../shared";

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

/** The same, but INS and OUTS. */
export function isRepeatedInMemory(p: usize): bool {
  return isRepeated(p) && (rOpcode(p) & 0xfc) != 0x6c;
}
