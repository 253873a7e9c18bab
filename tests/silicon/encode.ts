/**
 * Encodes instructions: prefixes, REX or VEX, opcode, ModRM, SIB,
 * displacement, immediate (Intel SDM vol.2, chapter 2).
 *
 * @module
 */
import type { Prng } from "./prng.ts";

/** Code segment sizes: 64-bit mode, or compatibility mode of 32 or 16 bits. */
export type Mode = 64 | 32 | 16;

/** A memory operand with its addressing form chosen. */
export interface Memory {
  /** Where it is in linear memory, if the address is canonical. */
  target: number;
  /** Register numbers, or -1. */
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** Bytes of the displacement: 0, 1, 2 (16-bit addresses) or 4. */
  displacementBytes: number;
  ripRelative: boolean;
  /** A segment prefix, or 0. */
  segment: number;
  /** With 67h: not the mode's own address size. */
  otherAddressSize: boolean;
  /** ModRM.rm of a 16-bit addressing form, or -1. */
  rm16: number;
}

/** An instruction to encode. `rm` is a register or a memory operand. */
export interface Instruction {
  opcode: number[];
  reg: number;
  rm: number | Memory;
  /** A mandatory prefix: 0x66, 0xF2 or 0xF3. */
  mandatory?: number;
  /** Operand size where 66 and REX.W select it. */
  size?: number;
  /** `reg` or `rm` is a byte register: REX tells SPL from AH. */
  byteRegisters?: boolean;
  rexW?: boolean;
  lock?: boolean;
  immediate?: number[];
  vex?: { map: number; pp: number; w: number; vvvv: number; l?: number };
}

/** Whether an operand size needs the prefix 66. */
export function needs66(mode: Mode, size: number | undefined): boolean {
  return mode === 16 ? size === 32 : size === 16;
}

function push(code: number[], value: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) code.push((value >>> (8 * i)) & 0xff);
}

/**
 * The instruction's bytes. `rip` is its linear address; choices without
 * meaning (order of prefixes, empty REX, needless SIB) are random.
 */
export function encode(
  i: Instruction,
  mode: Mode,
  rip: number,
  rng: Prng,
): number[] {
  const memory = typeof i.rm === "number" ? null : i.rm;
  const code = prefixesOf(i, memory, mode, rng);
  const rm = memory === null ? i.rm as number : Math.max(memory.base, 0);
  const index = memory === null ? 0 : Math.max(memory.index, 0);
  if (i.vex) vexPrefix(code, i, index, rm, rng);
  else if (mode === 64) rexPrefix(code, i, memory, index, rm, rng);
  code.push(...i.opcode);
  const immediate = i.immediate ?? [];
  if (memory === null) {
    code.push(0xc0 | ((i.reg & 7) << 3) | (rm & 7));
  } else if (memory.rm16 >= 0) {
    modrm16(code, i.reg, memory);
  } else if (memory.ripRelative) {
    code.push(((i.reg & 7) << 3) | 5);
    const next = rip + code.length + 4 + immediate.length;
    push(code, memory.displacement - next, 4);
  } else {
    modrm(code, i.reg, memory, mode, rng);
  }
  code.push(...immediate);
  return code;
}

function prefixesOf(
  i: Instruction,
  memory: Memory | null,
  mode: Mode,
  rng: Prng,
): number[] {
  const prefixes: number[] = [];
  if (i.lock) prefixes.push(0xf0);
  if (memory?.otherAddressSize) prefixes.push(0x67);
  if (memory?.segment) prefixes.push(memory.segment);
  if (needs66(mode, i.size)) prefixes.push(0x66);
  if (i.mandatory) prefixes.push(i.mandatory);
  for (let k = prefixes.length - 1; k > 0; k--) {
    const other = rng.int(k + 1);
    [prefixes[k], prefixes[other]] = [prefixes[other], prefixes[k]];
  }
  return prefixes;
}

function rexPrefix(
  code: number[],
  i: Instruction,
  memory: Memory | null,
  index: number,
  rm: number,
  rng: Prng,
): void {
  const w = i.rexW || i.size === 64;
  const rex = (w ? 8 : 0) | (i.reg > 7 ? 4 : 0) | (index > 7 ? 2 : 0) |
    (rm > 7 ? 1 : 0);
  // An empty REX changes only which byte registers are meant.
  const empty = rng.chance(i.byteRegisters ? 40 : 5);
  if (rex === 0 && !empty) return;
  // REX.X without an index register has no meaning.
  const idle = memory === null && rng.chance(5) ? 2 : 0;
  code.push(0x40 | rex | idle);
}

function vexPrefix(
  code: number[],
  i: Instruction,
  index: number,
  rm: number,
  rng: Prng,
): void {
  const { map, pp, w, vvvv, l } = i.vex!;
  const r = i.reg > 7 ? 0 : 0x80;
  const x = index > 7 ? 0 : 0x40;
  const b = rm > 7 ? 0 : 0x20;
  const tail = ((~vvvv & 15) << 3) | ((l ?? 0) << 2) | pp;
  if (map === 1 && w === 0 && x && b && rng.chance(50)) {
    code.push(0xc5, r | tail);
  } else {
    code.push(0xc4, r | x | b | map, (w << 7) | tail);
  }
}

function modrm16(code: number[], reg: number, m: Memory): void {
  let bytes = m.displacementBytes;
  const absolute = m.rm16 === 6 && m.base < 0;
  if (!absolute && m.rm16 === 6 && bytes === 0) bytes = 1;
  const mode = absolute || bytes === 0 ? 0 : bytes === 1 ? 0x40 : 0x80;
  code.push(mode | ((reg & 7) << 3) | m.rm16);
  push(code, m.displacement, absolute ? 2 : bytes);
}

function modrm(
  code: number[],
  reg: number,
  m: Memory,
  codeMode: Mode,
  rng: Prng,
): void {
  const field = (reg & 7) << 3;
  let bytes = m.displacementBytes;
  const base = m.base & 7;
  const none = m.base < 0;
  // Without base and index, 64-bit mode needs a SIB byte.
  if (none && m.index < 0 && codeMode !== 64 && rng.chance(80)) {
    code.push(field | 5);
    push(code, m.displacement, 4);
    return;
  }
  const sib = m.index >= 0 || none || base === 4 || rng.chance(5);
  if (none) bytes = 0;
  else if (bytes === 0 && base === 5) bytes = 1;
  const mode = bytes === 0 ? 0 : bytes === 1 ? 0x40 : 0x80;
  code.push(mode | field | (sib ? 4 : base));
  if (sib) {
    const index = m.index < 0 ? 4 : m.index & 7;
    code.push((m.scale << 6) | (index << 3) | (none ? 5 : base));
  }
  push(code, m.displacement, none ? 4 : bytes);
}
