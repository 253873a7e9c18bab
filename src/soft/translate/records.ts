// Decoded code as the interpreter has it (core/code/record.ts, core/code/cache.ts), read from the
// module's memory.

import "../number_types.ts";
import { POOL, POOL_END } from "../core/layout.ts";
import { REC } from "../core/shared.ts";
import type { Core, Instance } from "../module.ts";

/** A decoded instruction. */
export interface Instruction {
  /** Address of its record. */
  readonly p: number;
  readonly handler: number;
  readonly length: number;
  /** Byte offsets from rAX: of ModRM.reg and ModRM.rm, of base and index. */
  readonly reg: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly segment: number;
  /** Log2 of the operand size. */
  readonly osz: number;
  readonly eak: number;
  readonly modrm: number;
  /** Offset in its page. */
  readonly offset: number;
  readonly opcode: number;
  readonly flags: number;
  readonly disp: bigint;
  readonly imm: number;
  /** A direct branch's target, once it was taken: a record, or 0. */
  readonly link: number;
}

/** A run of decoded instructions. */
export interface Block {
  /** Its first record. */
  readonly head: number;
  /** Host address of its first byte. */
  readonly host: number;
  readonly key: number;
  readonly instructions: readonly Instruction[];
  /** The record behind the last instruction if that does not end the block; else 0. */
  readonly end: number;
}

export class Records {
  readonly #view: DataView;
  readonly #core: Core;

  constructor({ view, core }: Instance) {
    this.#view = view;
    this.#core = core;
  }

  instruction(p: number): Instruction {
    const v = this.#view;
    const lengthScale = v.getUint8(p + 2);
    const segmentSize = v.getUint8(p + 9);
    return {
      p,
      handler: v.getUint16(p, true),
      length: lengthScale & 15,
      reg: v.getUint8(p + 4),
      rm: v.getUint8(p + 5),
      base: v.getUint8(p + 6),
      index: v.getUint8(p + 7),
      scale: lengthScale >> 6,
      segment: segmentSize & 15,
      osz: segmentSize >> 4,
      eak: v.getUint8(p + 10),
      modrm: v.getUint8(p + 11),
      offset: v.getUint16(p + 12, true),
      opcode: v.getUint8(p + 14),
      flags: v.getUint8(p + 15),
      disp: v.getBigInt64(p + 16, true),
      imm: v.getInt32(p + 24, true),
      link: v.getUint32(p + 28, true),
    };
  }

  /** The block whose first record is `p`; null if that is not one, or has debug points. */
  block(p: number): Block | null {
    const v = this.#view;
    if (p < POOL + REC || p >= POOL_END) return null;
    const header = p - REC;
    const host = v.getUint32(header, true);
    if (v.getUint32(header + 28, true) !== 0) return null;
    const count = v.getUint8(header + 8);
    const key = v.getUint8(header + 9);
    if (this.find(host, key) !== p) return null;
    const instructions: Instruction[] = [];
    for (let i = 0; i < count; i++) {
      const instruction = this.instruction(p + i * REC);
      if (instruction.length === 0) {
        return { head: p, host, key, instructions, end: instruction.p };
      }
      instructions.push(instruction);
    }
    return { head: p, host, key, instructions, end: 0 };
  }

  /** The first record of the block without debug points at a host address, or 0. */
  find(host: number, key: number): number {
    return this.#core.blockOf(host, key, 0) >>> 0;
  }
}
