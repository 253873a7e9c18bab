// What emitters of SSE instructions have in common: XMM registers, which stay in the
// module's memory, and operands of 16 bytes.

import "../number_types.ts";
import { XMM } from "../core/layout.ts";
import { RF_MEM } from "../core/shared.ts";
import { on, WIDE } from "./encodings.ts";
import type { Emitter, Generator, Size } from "./generator.ts";
import type { Instruction } from "./records.ts";
import { Op, Simd } from "./wasm.ts";

/** Mandatory prefixes. */
export const NONE = 0, P66 = 1, F3 = 2, F2 = 3;

/** Has an SSE encoding be emitted by `emit`, which comes behind the check that SSE may be used. */
export function onVector(
  map: number,
  prefixes: readonly number[],
  opcode: number,
  emit: Emitter,
  forms: "both" | "memory" | "register" = "both",
  digit = -1,
): void {
  on(map, opcode, digit, WIDE, ready(emit), {
    anyPrefix: true,
    anySize: true,
    forms,
    prefixes,
  });
}

/** The same where the operand's size counts: 32 bits, or 64 with REX.W. */
export function onSized(
  map: number,
  prefix: number,
  opcode: number,
  emit: Emitter,
  forms: "both" | "memory" | "register" = "both",
): void {
  on(map, opcode, -1, [2, 3], ready(emit), {
    anyPrefix: true,
    forms,
    prefixes: [prefix],
  });
}

function ready(emit: Emitter): Emitter {
  return (g, i, size, memory) => {
    g.needVectors(i);
    emit(g, i, size, memory);
  };
}

/** Address of a part of the XMM register that ModRM.reg or ModRM.rm names. */
export const regAt = (i: Instruction, at = 0) => XMM + 2 * i.reg + at;
export const rmAt = (i: Instruction, at = 0) => XMM + 2 * i.rm + at;

const LOADS = [Op.i32_load8_u, Op.i32_load16_u, Op.i32_load, Op.i64_load];
const STORES = [Op.i32_store8, Op.i32_store16, Op.i32_store, Op.i64_store];

/** Pushes what is in the module's memory at a fixed address. */
export function fetch(g: Generator, at: number, size: Size): void {
  g.code.i32(0);
  g.code.memory(LOADS[size], at);
}

/** Stores what `push` pushes at a fixed address. */
export function put(
  g: Generator,
  at: number,
  size: Size,
  push: () => void,
): void {
  g.code.i32(0);
  push();
  g.code.memory(STORES[size], at);
}

export function fetch16(g: Generator, at: number): void {
  g.code.i32(0);
  g.code.simdMemory(Simd.v128_load, at);
}

export function put16(g: Generator, at: number, push: () => void): void {
  g.code.i32(0);
  push();
  g.code.simdMemory(Simd.v128_store, at);
}

/** Pushes the source of 16 bytes: a register, or memory. */
export function source16(g: Generator, i: Instruction, aligned = true): void {
  if ((i.flags & RF_MEM) === 0) return fetch16(g, rmAt(i));
  g.operand16(i, aligned, false);
  g.code.get(g.host);
  g.code.simdMemory(Simd.v128_load);
}

/** Pushes a source of 4 or 8 bytes as an integer. */
export function sourcePart(g: Generator, i: Instruction, size: Size): void {
  if ((i.flags & RF_MEM) === 0) return fetch(g, rmAt(i), size);
  g.operand(i, size, false);
  g.loadHost(size);
}

/** The destination is a function of itself, in vx, and the source, in vy. */
export function toRegister(
  emit: (g: Generator, i: Instruction) => void,
): Emitter {
  return (g, i) => {
    source16(g, i);
    g.code.set(g.vy);
    fetch16(g, regAt(i));
    g.code.set(g.vx);
    put16(g, regAt(i), () => emit(g, i));
  };
}
