/**
 * ADD, OR, ADC, SBB, AND, SUB, XOR, CMP and TEST, INC, DEC, NEG, NOT, with
 * and without LOCK (SDM vol.2; opcode map of appendix A).
 *
 * @module
 */
import type { Family, Form } from "../form.ts";
import {
  AF,
  anyRegister,
  immediate,
  registerOrMemory,
  SIZES,
  WIDE_SIZES,
} from "./shared.ts";

const OPERATIONS = ["ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"];
/** SDM vol.2 AND, OR, XOR, TEST: "The state of the AF flag is undefined." */
const AF_UNDEFINED = new Set(["AND", "OR", "XOR", "TEST"]);

const accumulator = (size: number) =>
  ({ 8: "AL", 16: "AX", 32: "EAX", 64: "RAX" })[size];

function undefinedFlags(op: string): number {
  return AF_UNDEFINED.has(op) ? AF : 0;
}

/** The forms with a register and an r/m operand, both directions. */
function registerForms(op: string, digit: number): Form[] {
  return SIZES.flatMap((size) =>
    [0, 2].map((direction): Form => ({
      name: direction === 0
        ? `${op} r/m${size}, r${size}`
        : `${op} r${size}, r/m${size}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags(op);
        const opcode = digit * 8 + direction + (size === 8 ? 0 : 1);
        g.emit({
          opcode: [opcode],
          size,
          byteRegisters: size === 8,
          reg: anyRegister(g),
          rm: registerOrMemory(g, size),
        });
      },
    }))
  );
}

function immediateForms(op: string, digit: number): Form[] {
  const forms: Form[] = [];
  const add = (size: number, opcode: number, bytes: number) =>
    forms.push({
      name: `${op} r/m${size}, imm${8 * bytes}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags(op);
        g.emit({
          opcode: [opcode],
          size,
          byteRegisters: size === 8,
          reg: digit,
          rm: registerOrMemory(g, size),
          immediate: immediate(g, bytes),
        });
      },
    });
  add(8, 0x80, 1);
  for (const size of WIDE_SIZES) {
    add(size, 0x81, size === 16 ? 2 : 4);
    add(size, 0x83, 1);
  }
  for (const size of SIZES) {
    const bytes = Math.min(size / 8, 4);
    forms.push({
      name: `${op} ${accumulator(size)}, imm${8 * bytes}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags(op);
        g.plain(size, 0, digit * 8 + (size === 8 ? 4 : 5));
        g.code.push(...immediate(g, bytes));
      },
    });
  }
  return forms;
}

function lockForms(op: string, digit: number): Form[] {
  return SIZES.flatMap((size): Form[] => {
    const wide = size === 8 ? 0 : 1;
    return [{
      name: `LOCK ${op} m${size}, r${size}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags(op);
        // LOCK with a register destination is #UD.
        const rm = g.rng.chance(3)
          ? anyRegister(g)
          : g.memory(size / 8, { natural: true });
        g.emit({
          opcode: [digit * 8 + wide],
          size,
          lock: true,
          byteRegisters: size === 8,
          reg: anyRegister(g),
          rm,
        });
      },
    }, {
      name: `LOCK ${op} m${size}, imm8`,
      build(g) {
        g.begin(size);
        g.undefined.flags = undefinedFlags(op);
        g.emit({
          opcode: [wide ? 0x83 : 0x80],
          size,
          lock: true,
          reg: digit,
          rm: g.memory(size / 8, { natural: true }),
          immediate: immediate(g, 1),
        });
      },
    }];
  });
}

function testForms(): Form[] {
  const forms = SIZES.flatMap((size): Form[] => {
    const wide = size === 8 ? 0 : 1;
    const bytes = Math.min(size / 8, 4);
    return [{
      name: `TEST r/m${size}, r${size}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = AF;
        g.emit({
          opcode: [0x84 + wide],
          size,
          byteRegisters: size === 8,
          reg: anyRegister(g),
          rm: registerOrMemory(g, size),
        });
      },
    }, {
      name: `TEST r/m${size}, imm${8 * bytes}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = AF;
        g.emit({
          opcode: [0xf6 + wide],
          size,
          byteRegisters: size === 8,
          reg: g.rng.int(2), // F6 /1 is the same as F6 /0
          rm: registerOrMemory(g, size),
          immediate: immediate(g, bytes),
        });
      },
    }, {
      name: `TEST ${accumulator(size)}, imm${8 * bytes}`,
      build(g) {
        g.begin(size);
        g.undefined.flags = AF;
        g.plain(size, 0, 0xa8 + wide);
        g.code.push(...immediate(g, bytes));
      },
    }];
  });
  return forms;
}

/** INC, DEC, NOT and NEG: opcode of the byte form, and digit. */
const UNARY: [string, number, number][] = [
  ["INC", 0xfe, 0],
  ["DEC", 0xfe, 1],
  ["NOT", 0xf6, 2],
  ["NEG", 0xf6, 3],
];

function unaryForms(): Form[] {
  return UNARY.flatMap(([op, opcode, digit]) =>
    SIZES.flatMap((size) =>
      [false, true].map((lock): Form => ({
        name: lock ? `LOCK ${op} m${size}` : `${op} r/m${size}`,
        build(g) {
          g.begin(size);
          g.emit({
            opcode: [opcode + (size === 8 ? 0 : 1)],
            size,
            lock,
            byteRegisters: size === 8,
            reg: digit,
            rm: lock
              ? g.memory(size / 8, { natural: true })
              : registerOrMemory(g, size),
          });
        },
      }))
    )
  );
}

export const alu: Family[] = [
  ...OPERATIONS.map((op, digit): Family => ({
    name: op,
    forms: [
      ...registerForms(op, digit),
      ...immediateForms(op, digit),
      ...(op === "CMP" ? [] : lockForms(op, digit)),
    ],
  })),
  { name: "TEST", forms: testForms() },
  { name: "INC DEC NOT NEG", forms: unaryForms() },
];
