// Which instructions leave the flags of those before them unseen: all six are overwritten
// (SDM vol. 1, appendix A) before anything reads them, and nothing between can leave the
// region. Register forms only: an access to memory may.

import "../number_types.ts";
import { OPTAB } from "../core/layout.ts";
import { RF_MEM, RF_REP, RF_REPNE } from "../core/shared.ts";
import type { Instruction } from "./records.ts";

/** What an instruction does to the flags of one before it: it may read them, or leave the
 * region; it reads none, though it may keep some; it overwrites them all. */
export const Effect = { SEEN: 0, KEPT: 1, OVERWRITTEN: 2 } as const;
export type Effect = typeof Effect[keyof typeof Effect];

/** The effect of an instruction. */
export type Effects = (i: Instruction) => Effect;

const ONE = 0, OF = 1;
const LEA = 0x8d;
/** Any ModRM.reg. */
const ANY = 8;
/** Where a spec has its handlers. */
const REGISTER = 8, MEMORY = 16;
const GROUP = 0x8000_0000;

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** Effects by the interpreter's handlers, as its instruction table has them
 * (core/code/optable.ts). */
export function flagEffects(view: DataView): Effects {
  const effects = new Map<number, Effect>();
  /** Of an opcode's register form; `digit` is ModRM.reg of a group's member, or ANY. */
  const on = (
    map: number,
    opcode: number,
    digit: number,
    effect: Effect,
    form = REGISTER,
  ) => {
    let spec = view.getUint32(OPTAB + ((map << 10 | opcode) << 2), true);
    if (spec === 0) return;
    if ((view.getUint32(spec, true) & GROUP) !== 0) {
      const members = view.getUint32(spec + 24, true);
      spec = view.getUint32(members + 32 + digit * 4, true);
      if (spec === 0) return;
    }
    for (const size of [0, 1, 2, 3]) {
      const handler = view.getUint16(spec + form + size * 2, true);
      if (handler !== 0) effects.set(keyOf(handler, opcode, digit), effect);
    }
  };
  const { KEPT, OVERWRITTEN } = Effect;
  // ADD OR AND SUB XOR CMP, not ADC and SBB
  for (const k of [0, 1, 4, 5, 6, 7]) {
    for (const n of range(0, 5)) on(ONE, k << 3 | n, ANY, OVERWRITTEN);
    for (const opcode of [0x80, 0x81, 0x83]) on(ONE, opcode, k, OVERWRITTEN);
  }
  // TEST NEG IMUL
  for (const opcode of [0x84, 0x85, 0xa8, 0xa9, 0x69, 0x6b]) {
    on(ONE, opcode, ANY, OVERWRITTEN);
  }
  for (const opcode of [0xf6, 0xf7]) {
    for (const k of [0, 1, 3]) on(ONE, opcode, k, OVERWRITTEN);
    on(ONE, opcode, 2, KEPT);
  }
  on(OF, 0xaf, ANY, OVERWRITTEN);
  // LEA accesses nothing
  on(ONE, LEA, ANY, KEPT, MEMORY);
  // MOV MOVZX MOVSX XCHG NOT BSWAP
  const moves = [0x63, ...range(0x86, 0x8b), ...range(0x90, 0x99)];
  for (const opcode of [...moves, ...range(0xb0, 0xbf)]) {
    on(ONE, opcode, ANY, KEPT);
  }
  for (const opcode of [0xc6, 0xc7]) on(ONE, opcode, 0, KEPT);
  for (const opcode of [0xb6, 0xb7, 0xbe, 0xbf, ...range(0xc8, 0xcf)]) {
    on(OF, opcode, ANY, KEPT);
  }
  // INC DEC, which keep CF
  for (const opcode of range(0x40, 0x4f)) on(ONE, opcode, ANY, KEPT);
  for (const k of [0, 1]) {
    for (const opcode of [0xfe, 0xff]) on(ONE, opcode, k, KEPT);
  }
  // ROL ROR SHL SHR SAR by a known count, which keep all if it is 0
  for (const k of [0, 1, 4, 5, 6, 7]) {
    for (const opcode of [0xc1, 0xd1]) on(ONE, opcode, k, KEPT);
  }
  return (i) => {
    if ((i.flags & (RF_REP | RF_REPNE)) !== 0) return Effect.SEEN;
    if ((i.flags & RF_MEM) !== 0 && i.opcode !== LEA) return Effect.SEEN;
    // the handler is called for some of them
    if ((i.opcode === 0xc1 || i.opcode === 0xd1) && i.osz < 2) {
      return Effect.SEEN;
    }
    const digit = i.modrm >> 3 & 7;
    return effects.get(keyOf(i.handler, i.opcode, ANY)) ??
      effects.get(keyOf(i.handler, i.opcode, digit)) ?? Effect.SEEN;
  };
}

function keyOf(handler: number, opcode: number, digit: number): number {
  return (handler << 8 | opcode) << 4 | digit;
}
