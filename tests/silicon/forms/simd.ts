/**
 * MMX and SSE beyond the table of named instructions: every opcode under every
 * sequence of prefixes (so also the encodings that are undefined), masked
 * stores at pages' ends, and the named ones again with the usual MXCSR and in
 * 32-bit code.
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Family, Form } from "../form.ts";
import { Fx, RDI } from "../layout.ts";
import type { Lane } from "../values.ts";
import { packed } from "./packed.ts";
import { sse } from "./sse.ts";

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** name, opcode map after 0F, opcodes, lanes, whether an immediate follows. */
const OPCODES: [string, number[], number[], Lane[], boolean][] = [
  [
    "0F 10-17, 28-29",
    [],
    [...range(0x10, 0x17), 0x28, 0x29],
    ["f32", "f64"],
    false,
  ],
  ["0F 2A, 2C-2F", [], [0x2a, ...range(0x2c, 0x2f)], ["f32", "f64"], false],
  // Without 52 and 53, approximations: only their own forms may differ.
  [
    "0F 50-51, 54-5F",
    [],
    [0x50, 0x51, ...range(0x54, 0x5f)],
    ["f32", "f64"],
    false,
  ],
  ["0F 60-6F", [], range(0x60, 0x6f), ["i8", "i16", "i32"], false],
  ["0F 70-73", [], range(0x70, 0x73), ["i16", "i32", "i64"], true],
  [
    "0F 74-76, 7C-7F",
    [],
    [...range(0x74, 0x76), ...range(0x7c, 0x7f)],
    ["i8", "i32", "f32", "f64"],
    false,
  ],
  ["0F C2, C4-C6", [], [0xc2, 0xc4, 0xc5, 0xc6], ["f32", "f64"], true],
  ["0F D0-DF", [], range(0xd0, 0xdf), ["i8", "i16", "f64"], false],
  ["0F E0-EF", [], range(0xe0, 0xef), ["i8", "i16", "f64"], false],
  ["0F F0-FF", [], range(0xf0, 0xff), ["i8", "i16", "i32"], false],
  ["0F 38 00-1F", [0x38], range(0x00, 0x1f), ["i8", "i16", "i32"], false],
  ["0F 38 20-41", [0x38], range(0x20, 0x41), ["i8", "i16", "i32"], false],
  ["0F 38 DB-DF", [0x38], range(0xdb, 0xdf), ["i8"], false],
  ["0F 3A 08-22", [0x3a], range(0x08, 0x22), ["i8", "f32", "f64"], true],
  [
    "0F 3A 40-63, DF",
    [0x3a],
    [...range(0x40, 0x42), 0x44, ...range(0x60, 0x63), 0xdf],
    ["i8", "f32", "f64"],
    true,
  ],
];

/** Some of 66, F2 and F3, in any order, now and then one that repeats. */
function mandatory(g: Builder): number[] {
  const count = g.rng.chance(70) ? g.rng.int(2) : g.rng.int(4);
  return Array.from({ length: count }, () => g.rng.pick([0x66, 0xf2, 0xf3]));
}

/**
 * The transition to MMX is not compared here: whether CVTPI2PS from memory
 * makes it differs between vendors (sse.ts).
 */
function plainStack(g: Builder): void {
  g.fx.setUint16(g.fxAt + Fx.fsw, 0, true); // TOP and exceptions
  g.setAllValid();
}

function prefixForms(): Form[] {
  return OPCODES.map(([name, map, opcodes, lanes, immediate]): Form => ({
    name: `${name}, any prefixes`,
    feature: ["sse42", "aes", "pclmulqdq"],
    fx: true,
    build(g) {
      const lane = g.rng.pick(lanes);
      g.begin(32, lane);
      plainStack(g);
      g.pin(RDI);
      g.setAddress(RDI, g.target(16, { faults: false }));
      const opcode = g.rng.pick(opcodes);
      const rm = g.rng.chance(50)
        ? g.memory(16, { lane, align: 16 })
        : g.anyRegister();
      if (g.rng.chance(2)) g.code.push(0xf0);
      g.code.push(...mandatory(g));
      const instruction = {
        opcode: [0x0f, ...map, opcode],
        rexW: g.rng.chance(15),
        reg: g.anyRegister(),
        rm,
        immediate: immediate ? [g.rng.int(256)] : undefined,
      };
      g.emit(instruction);
      // Longer ones are #GP on some CPUs before they are undefined.
      if (g.code.length <= 15) return;
      g.code.length = 0;
      g.emit({ ...instruction, rm: g.anyRegister() });
    },
  }));
}

function maskedStores(): Form[] {
  return [0, 0x66].map((prefix): Form => ({
    name: prefix === 0
      ? "MASKMOVQ mm, mm at the end of a page"
      : "MASKMOVDQU xmm, xmm at the end of a page",
    feature: "sse2",
    fx: true,
    build(g) {
      g.begin(32, "i8");
      plainStack(g);
      g.fillMmx("i8");
      g.setAddress(RDI, g.target(prefix === 0 ? 8 : 16, { align: 1 }));
      const segment = g.rng.chance(20) ? [g.rng.pick([0x26, 0x2e, 0x3e])] : [];
      const address = g.rng.chance(20) ? [0x67] : [];
      g.code.push(...segment, ...address);
      g.emit({
        opcode: [0x0f, 0xf7],
        mandatory: prefix || undefined,
        reg: g.anyRegister(),
        rm: g.anyRegister(),
      });
    },
  }));
}

/**
 * The same with MXCSR as programs have it: to nearest, all masked, PE set. The
 * core then takes a shorter way, which the random MXCSR of the others rarely
 * allows.
 */
function settled(families: Family[]): Family[] {
  return families.filter(({ name }) => /arith|compar|conver/.test(name)).map(
    ({ name, forms }) => ({
      name: `${name}, MXCSR as programs have it`,
      forms: forms.map((form) => ({
        ...form,
        name: `${form.name} (inexact before)`,
        build(g: Builder) {
          form.build(g);
          const sticky = g.rng.chance(20) ? g.rng.int(32) : 0;
          const zeros = g.rng.chance(20) ? g.rng.pick([0x40, 0x8000]) : 0;
          const value = 0x1fa0 | sticky | zeros;
          g.fx.setUint32(g.fxAt + Fx.mxcsr, value, true);
        },
      })),
    }),
  );
}

/** Forms that have REX.W, or are built for 64-bit mode alone. */
const LONG_ONLY = /r\/m64|r64|\(REX|FXSAVE|FXRSTOR|PEXTRQ|PINSRQ|MASKMOV/;

function again(families: Family[]): Family[] {
  return families.map(({ name, forms }) => ({
    name: `${name}, 32-bit code`,
    forms: forms.filter((form) => !LONG_ONLY.test(form.name)).map((form) => ({
      ...form,
      name: `${form.name} (32-bit code)`,
      mode: 32 as const,
    })),
  }));
}

export const simd: Family[] = [
  { name: "SSE opcodes under any prefixes", forms: prefixForms() },
  { name: "masked stores", forms: maskedStores() },
  ...settled(sse),
];

export const simd32: Family[] = again([...packed, ...sse]);
