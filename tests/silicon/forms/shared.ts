/**
 * What the tables of forms share: operand sizes, registers and operands.
 *
 * @module
 */
import type { Builder, MemoryOptions } from "../builder.ts";
import type { Memory } from "../encode.ts";
import { Flag } from "../layout.ts";

export const { CF, PF, AF, ZF, SF, OF } = Flag;
export const SIZES = [8, 16, 32, 64];
export const WIDE_SIZES = [16, 32, 64];

/** Any of the 16 general registers. */
export function anyRegister(g: Builder): number {
  return g.anyRegister();
}

/** r/m: a register or, two times of three, a memory operand. */
export function registerOrMemory(
  g: Builder,
  size: number,
  options: MemoryOptions = {},
): number | Memory {
  if (g.rng.chance(35)) return anyRegister(g);
  return g.memory(size / 8, options);
}

/** An immediate of `bytes` bytes, small or random or at an edge. */
export function immediate(g: Builder, bytes: number): number[] {
  const { rng } = g;
  const kind = rng.int(4);
  let value = rng.u32();
  if (kind === 0) value = rng.int(33) - 16;
  if (kind === 1) value = rng.pick([0, -1, 1, 0x7fff_ffff, -0x8000_0000]);
  if (kind === 2) value = rng.pick([0x7f, 0x80, 0x7fff, 0x8000, 0xff, 0xffff]);
  return Array.from({ length: bytes }, (_, i) => (value >> (8 * i)) & 0xff);
}
