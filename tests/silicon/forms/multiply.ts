/**
 * MUL, IMUL, DIV, IDIV, sign extensions of the accumulator (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Memory } from "../encode.ts";
import type { Family, Form } from "../form.ts";
import { RAX, RDX, STATUS_FLAGS } from "../layout.ts";
import {
  AF,
  anyRegister,
  immediate,
  PF,
  registerOrMemory,
  SF,
  SIZES,
  WIDE_SIZES,
  ZF,
} from "./shared.ts";

/** SDM vol.2 MUL, IMUL: "The SF, ZF, AF, and PF flags are undefined." */
const MULTIPLY_UNDEFINED = SF | ZF | AF | PF;

function multiplyForms(): Form[] {
  const forms: Form[] = [];
  for (const size of SIZES) {
    for (const [op, digit] of [["MUL", 4], ["IMUL", 5]] as const) {
      forms.push({
        name: `${op} r/m${size}`,
        build(g) {
          g.begin(size);
          g.pin(RAX);
          g.undefined.flags = MULTIPLY_UNDEFINED;
          g.emit({
            opcode: [size === 8 ? 0xf6 : 0xf7],
            size,
            byteRegisters: size === 8,
            reg: digit,
            rm: registerOrMemory(g, size),
          });
        },
      });
    }
  }
  for (const size of WIDE_SIZES) {
    forms.push({
      name: `IMUL r${size}, r/m${size}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = MULTIPLY_UNDEFINED;
        const reg = anyRegister(g);
        const rm = registerOrMemory(g, size);
        g.emit({ opcode: [0x0f, 0xaf], size, reg, rm });
      },
    });
    for (const bytes of [1, Math.min(size / 8, 4)]) {
      forms.push({
        name: `IMUL r${size}, r/m${size}, imm${8 * bytes}`,
        build(g) {
          g.begin(size);
          g.undefined.flags = MULTIPLY_UNDEFINED;
          g.emit({
            opcode: [bytes === 1 ? 0x6b : 0x69],
            size,
            reg: anyRegister(g),
            rm: registerOrMemory(g, size),
            immediate: immediate(g, bytes),
          });
        },
      });
    }
  }
  return forms;
}

/** A dividend whose quotient often fits: high half 0, sign, or small. */
function dividend(g: Builder, size: number): void {
  g.pin(RAX, RDX);
  const kind = g.rng.int(5);
  if (size === 8) {
    // AH is the high half.
    const low = g.gpr[RAX] & 0xffn;
    if (kind === 0) g.setGpr(RAX, low);
    if (kind === 1) g.setGpr(RAX, BigInt.asIntN(8, low));
    if (kind === 2) g.setGpr(RAX, low | BigInt(g.rng.int(64)) << 8n);
    return;
  }
  if (kind <= 1) g.setGpr(RDX, 0n);
  if (kind === 2) {
    g.setGpr(RDX, BigInt.asIntN(size, g.gpr[RAX]) < 0n ? -1n : 0n);
  }
  if (kind === 3) g.setGpr(RDX, BigInt(g.rng.int(256) - 128));
}

function divideForms(): Form[] {
  return SIZES.flatMap((size) =>
    ([["DIV", 6], ["IDIV", 7]] as const).map(([op, digit]): Form => ({
      name: `${op} r/m${size}`,
      build(g) {
        g.begin(size);
        dividend(g, size);
        // SDM vol.2 DIV, IDIV: "The CF, OF, SF, ZF, AF, and PF flags are
        // undefined."
        g.undefined.flags = STATUS_FLAGS;
        let rm: number | Memory = registerOrMemory(g, size);
        if (rm === RAX || rm === RDX) rm = g.rng.chance(20) ? rm : g.freeGpr();
        g.emit({
          opcode: [size === 8 ? 0xf6 : 0xf7],
          size,
          byteRegisters: size === 8,
          reg: digit,
          rm,
        });
      },
    }))
  );
}

function extendForms(): Form[] {
  const table: [string, number, number, number][] = [
    // name, operand size, opcode, width of the source
    ["CBW", 16, 0x98, 8],
    ["CWDE", 32, 0x98, 16],
    ["CDQE", 64, 0x98, 32],
    ["CWD", 16, 0x99, 16],
    ["CDQ", 32, 0x99, 32],
    ["CQO", 64, 0x99, 64],
  ];
  return table.map(([name, size, opcode, width]): Form => ({
    name,
    build(g) {
      g.begin(width);
      g.plain(size, 0, opcode);
    },
  }));
}

export const multiply: Family[] = [
  { name: "MUL IMUL", forms: multiplyForms() },
  { name: "DIV IDIV", forms: divideForms() },
  { name: "CBW to CQO", forms: extendForms() },
];
