// The instruction table: which opcode has which operands and handlers. Families
// (insn/) register here once at start; the decoder only reads.
//
// A spec is 64 bytes: flags u32, handlers for register forms u16 x 4 (operand
// size 8, 16, 32, 64) at 8, for memory forms u16 x 4 at 16, group u32 at 24 (16
// spec addresses: ModRM.reg 0..7 with memory, then with a register), numbers of
// cases in the inner loop (inner.ts) u8 x 4 at 32 for register forms, at 36 for
// memory forms.
import { OPTAB, SPECS, SPECS_END } from "../layout";

/**
 * Executes one record; returns the next one, or 0 for the loop to look (see
 * cpu/run.ts).
 */
export type Handler = (p: usize) => usize;

// opcode maps
export const M_ONE: u32 = 0;
export const M_0F: u32 = 1;
export const M_0F38: u32 = 2;
export const M_0F3A: u32 = 3;
export const M_VEX0F: u32 = 4;
export const M_VEX0F38: u32 = 5;
export const M_VEX0F3A: u32 = 6;

// spec flags
export const MODRM: u32 = 1;
export const SZ_B: u32 = 2; // byte operands
export const SZ_V: u32 = 4; // 16, 32 or 64 by prefix and REX.W
/** like V, but 64 by default in 64-bit code and never 32 there */
export const SZ_D64: u32 = 8;
export const SZ_F64: u32 = 0x10; // always 64 in 64-bit code (near branches)
export const SZ_Y: u32 = 0x20; // 32, or 64 with REX.W
export const REG8: u32 = 0x40; // ModRM.reg names a byte register
export const RM8: u32 = 0x80; // ModRM.rm names a byte register
/** register in the opcode's low bits -> field reg */
export const OPREG: u32 = 0x100;
export const LOCKOK: u32 = 0x200; // LOCK allowed with a memory destination
export const INV64: u32 = 0x400; // #UD in 64-bit code
export const ONLY64: u32 = 0x800; // #UD outside 64-bit code
export const END: u32 = 0x1000; // nothing falls through to the next instruction
export const MEMONLY: u32 = 0x2000;
export const REGONLY: u32 = 0x4000;
export const VVVV: u32 = 0x8000; // VEX.vvvv names a general register
// mandatory prefix variants this definition is for (none given = all four)
export const P_NONE: u32 = 0x10000;
export const P_66: u32 = 0x20000;
export const P_F3: u32 = 0x40000;
export const P_F2: u32 = 0x80000;
const P_ALL: u32 = 0xf0000;
// immediates
export const IMM_MASK: u32 = 0xf00000;
export const IMM_B: u32 = 0x100000; // 8 bits, sign-extended
/** 16 or 32 bits by operand size, sign-extended */
export const IMM_Z: u32 = 0x200000;
export const IMM_V: u32 = 0x300000; // 16, 32 or 64 bits -> field disp
export const IMM_W: u32 = 0x400000; // 16 bits, zero-extended
export const IMM_WB: u32 = 0x500000; // ENTER: 16 bits in imm, 8 bits in disp
/** offset (by operand size) in disp, selector in imm */
export const IMM_FAR: u32 = 0x600000;
/** an address by address size -> memory operand */
export const IMM_MOFFS: u32 = 0x700000;
export const REL8: u32 = 0x800000;
export const RELZ: u32 = 0x900000;
/** two bytes, the second in disp (EXTRQ and its like) */
export const IMM_BB: u32 = 0xa00000;
/** MOV CR, MOV DR: ModRM.mod counts as 3 always */
export const NOMOD: u32 = 0x1000000;
const GROUP: u32 = 0x80000000;
export const IS_GROUP: u32 = GROUP;

let specAt: usize = SPECS;
let cur: usize = 0;

function newSpec(flags: u32): usize {
  const s = specAt;
  specAt += 64;
  if (specAt > SPECS_END) unreachable();
  memory.fill(s, 0, 64);
  store<u32>(s, flags);
  return s;
}

@inline
export function opCell(map: u32, prefix: u32, opcode: u32): usize {
  return OPTAB + (<usize> (((map << 2) | prefix) << 8 | opcode) << 2);
}

/**
 * Starts the definition of an opcode; the h* calls after it name its handlers.
 */
export function def(map: u32, opcode: u32, flags: u32): void {
  if (!(flags & P_ALL)) flags |= P_ALL;
  cur = newSpec(flags & ~P_ALL);
  for (let i: u32 = 0; i < 4; i++) {
    if (flags & (P_NONE << i)) store<u32>(opCell(map, i, opcode), <u32> cur);
  }
}

/**
 * Starts the definition of ModRM.reg = n of a group opcode (memory and/or
 * register forms).
 */
export function grp(map: u32, opcode: u32, n: u32, flags: u32): void {
  if (!(flags & P_ALL)) flags |= P_ALL;
  cur = newSpec((flags & ~P_ALL) | MODRM);
  for (let i: u32 = 0; i < 4; i++) {
    if (!(flags & (P_NONE << i))) continue;
    const cell = opCell(map, i, opcode);
    let g = <usize> load<u32>(cell);
    if (g == 0 || !(load<u32>(g) & GROUP)) {
      g = newSpec(GROUP | MODRM);
      store<u32>(cell, <u32> g);
    }
    if (load<u32>(g, 24) == 0) store<u32>(g, <u32> newSpec(0), 24);
    const t = <usize> load<u32>(g, 24);
    if (!(flags & REGONLY)) store<u32>(t + (n << 2), <u32> cur);
    if (!(flags & MEMONLY)) store<u32>(t + 32 + (n << 2), <u32> cur);
  }
}

@inline
export function indexOf(h: Handler): u32 {
  return load<u32>(changetype<usize>(h));
}

/**
 * Handler for register forms of operand size index 0..3 (8, 16, 32, 64 bits).
 */
export function hr(size: u32, h: Handler): void {
  store<u16>(cur + (<usize> size << 1), <u16> indexOf(h), 8);
}
/** Handler for memory forms. */
export function hm(size: u32, h: Handler): void {
  store<u16>(cur + (<usize> size << 1), <u16> indexOf(h), 16);
}
/** One handler for both forms of one size. */
export function hx(size: u32, h: Handler): void {
  hr(size, h);
  hm(size, h);
}
/** Gives a form of a spec the number of its case in the inner loop. */
export function setFast(spec: usize, size: u32, mem: bool, id: u32): void {
  store<u8>(spec + (mem ? 36 : 32) + size, <u8> id);
}
/**
 * Case of the inner loop for two records in a row, by their own cases; 0 if
 * they have none.
 */
export const FUSED = memory.data(65536);
/**
 * Makes `both` the case of a record with case `first` that one with case
 * `second` follows.
 */
export function fuse(first: u32, second: u32, both: u32): void {
  store<u8>(FUSED + (<usize> first << 8) + second, <u8> both);
}
/** One handler for everything. */
export function all(h: Handler): void {
  for (let i: u32 = 0; i < 4; i++) hx(i, h);
}
/** Handlers for 16, 32, 64 bits, both forms. */
export function v3(h16: Handler, h32: Handler, h64: Handler): void {
  hx(1, h16);
  hx(2, h32);
  hx(3, h64);
}
export function v3r(h16: Handler, h32: Handler, h64: Handler): void {
  hr(1, h16);
  hr(2, h32);
  hr(3, h64);
}
export function v3m(h16: Handler, h32: Handler, h64: Handler): void {
  hm(1, h16);
  hm(2, h32);
  hm(3, h64);
}
/** Register-form and memory-form handlers for every size. */
export function allrm(reg: Handler, mem: Handler): void {
  for (let i: u32 = 0; i < 4; i++) {
    hr(i, reg);
    hm(i, mem);
  }
}
