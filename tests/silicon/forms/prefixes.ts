/**
 * Decoding: prefixes in any number and order, a REX that is not the last,
 * instructions of 15 bytes and of more (SDM vol.2, 2.1.1 and 2.2.1). Only
 * register operands, so that every combination can be run.
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Mode } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import { AF } from "./shared.ts";

const LEGACY = [0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];

/** Name, opcode, ModRM (1) or not (0), bytes of immediate, undefined flags. */
const TABLE: [string, number[], number, number, number][] = [
  ["ADD r/m, r", [0x01], 1, 0, 0],
  ["ADC r, r/m", [0x13], 1, 0, 0],
  ["SUB r/m8, r8", [0x28], 1, 0, 0],
  ["CMP r/m, imm8", [0x83], 1, 1, AF],
  ["TEST r/m, r", [0x85], 1, 0, AF],
  ["MOV r/m, r", [0x89], 1, 0, 0],
  ["MOV r/m8, imm8", [0xb3], 0, 1, 0],
  ["XCHG r/m, r", [0x87], 1, 0, 0],
  ["XCHG rAX, r", [0x91], 0, 0, 0],
  ["CBW", [0x98], 0, 0, 0],
  ["CWD", [0x99], 0, 0, 0],
  ["MOVZX r, r/m8", [0x0f, 0xb6], 1, 0, 0],
  ["MOVSX r, r/m16", [0x0f, 0xbf], 1, 0, 0],
  ["CMOVNZ r, r/m", [0x0f, 0x45], 1, 0, 0],
  ["SETB r/m8", [0x0f, 0x92], 1, 0, 0],
  ["NOP r/m", [0x0f, 0x1f], 1, 0, 0],
  ["STC", [0xf9], 0, 0, 0],
];

/** Opcodes whose meaning a prefix chooses. */
const MANDATORY: [string, number[], number][] = [
  ["MOVUPS and others", [0x0f, 0x10], 0],
  ["UNPCKLPS and others", [0x0f, 0x14], 0],
  ["ADDPS and others", [0x0f, 0x58], 0],
  ["MOVQ and others", [0x0f, 0x6f], 0],
  ["PSHUFW and others", [0x0f, 0x70], 1],
  ["PCMPEQB", [0x0f, 0x74], 0],
  ["MOVD and others", [0x0f, 0x7e], 0],
  ["PADDB", [0x0f, 0xfc], 0],
  ["PSHUFB", [0x0f, 0x38, 0x00], 0],
  ["PALIGNR", [0x0f, 0x3a, 0x0f], 1],
];

/** Prefixes before an opcode; `most` bounds their number. */
function prefixes(g: Builder, from: number[], most: number): number[] {
  const { rng } = g;
  const code = Array.from({ length: rng.int(most + 1) }, () => rng.pick(from));
  if (g.mode !== 64) return code;
  // A REX that another prefix follows counts for nothing.
  if (code.length > 0 && rng.chance(25)) {
    code.splice(rng.int(code.length), 0, 0x40 | rng.int(16));
  }
  if (rng.chance(50)) code.push(0x40 | rng.int(16));
  return code;
}

/** How many prefixes: few mostly, and now and then too many. */
function most(g: Builder): number {
  return g.rng.chance(80) ? 3 : 14;
}

/** For code segments of `mode` bits. */
export function prefixFamilies(mode: Mode): Family[] {
  const plain = TABLE.map((
    [name, opcode, modrm, bytes, undefinedFlags],
  ): Form => ({
    name: `prefixes: ${name}`,
    mode,
    build(g) {
      g.begin(32);
      g.undefined.flags = undefinedFlags;
      g.code.push(...prefixes(g, LEGACY, most(g)), ...opcode);
      if (modrm) g.code.push(0xc0 | g.rng.int(64));
      if (bytes) g.code.push(g.rng.int(256));
    },
  }));
  const chosen = MANDATORY.map(([name, opcode, bytes]): Form => ({
    name: `prefixes: ${name}`,
    mode,
    fx: true,
    feature: opcode.length === 3 ? "ssse3" : "sse2",
    build(g) {
      g.begin(32, "f32");
      const from = g.rng.chance(70) ? [0x66, 0xf2, 0xf3] : LEGACY;
      // Which comes first is not said: #GP for more than 15 bytes, or #UD for
      // an opcode that does not exist with these prefixes.
      const room = 15 - opcode.length - 1 - bytes;
      g.code.push(...prefixes(g, from, most(g)).slice(-room), ...opcode);
      g.code.push(0xc0 | g.rng.int(64));
      if (bytes) g.code.push(g.rng.int(256));
    },
  }));
  return [{ name: "prefixes", forms: [...plain, ...chosen] }];
}
