/**
 * Shifts, rotates, double shifts (SDM vol.2).
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Family, Form } from "../form.ts";
import { RCX } from "../layout.ts";
import {
  AF,
  anyRegister,
  CF,
  OF,
  PF,
  registerOrMemory,
  SF,
  SIZES,
  WIDE_SIZES,
  ZF,
} from "./shared.ts";

const OPERATIONS = ["ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAL", "SAR"];

/**
 * SDM vol.2 SAL/SAR/SHL/SHR: CF "is undefined for SHL and SHR instructions
 * where the count is greater than or equal to the size"; OF "is affected only
 * for 1-bit shifts. Otherwise, it is undefined"; "for a non-zero count, the
 * AF flag is undefined". RCL/RCR/ROL/ROR: "OF is defined only for the 1-bit
 * rotates". A count of 0 changes no flag.
 */
function undefinedAfter(digit: number, size: number, count: number): number {
  const masked = count & (size === 64 ? 63 : 31);
  if (masked === 0) return 0;
  let flags = masked === 1 ? 0 : OF;
  if (digit >= 4) flags |= AF;
  if (digit >= 4 && digit !== 7 && masked >= size) flags |= CF;
  return flags;
}

/** A count: all of them matter, the small ones and those near sizes more. */
function shiftCount(g: Builder): number {
  const { rng } = g;
  if (rng.chance(30)) return rng.int(256);
  return rng.pick([0, 1, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65]);
}

function shiftForms(): Form[] {
  return OPERATIONS.flatMap((op, digit) =>
    SIZES.flatMap((size): Form[] => {
      const wide = size === 8 ? 0 : 1;
      const byteRegisters = size === 8;
      return [{
        name: `${op} r/m${size}, 1`,
        build(g) {
          g.begin(size);
          g.undefined.flags = undefinedAfter(digit, size, 1);
          const rm = registerOrMemory(g, size);
          g.emit({
            opcode: [0xd0 + wide],
            size,
            byteRegisters,
            reg: digit,
            rm,
          });
        },
      }, {
        name: `${op} r/m${size}, CL`,
        build(g) {
          g.begin(size);
          const count = shiftCount(g);
          g.words[2 * RCX] = (g.words[2 * RCX] & ~0xff) | count;
          g.pin(RCX);
          g.undefined.flags = undefinedAfter(digit, size, count);
          const rm = registerOrMemory(g, size);
          g.emit({
            opcode: [0xd2 + wide],
            size,
            byteRegisters,
            reg: digit,
            rm,
          });
        },
      }, {
        name: `${op} r/m${size}, imm8`,
        build(g) {
          g.begin(size);
          const count = shiftCount(g);
          g.undefined.flags = undefinedAfter(digit, size, count);
          const rm = registerOrMemory(g, size);
          g.emit({
            opcode: [0xc0 + wide],
            size,
            byteRegisters,
            reg: digit,
            rm,
            immediate: [count],
          });
        },
      }];
    })
  );
}

/**
 * SDM vol.2 SHLD/SHRD: "If the count is greater than the operand size, the
 * result is undefined" with all flags; OF defined for 1-bit shifts; AF
 * undefined unless the count is 0.
 */
function markDouble(
  g: Builder,
  size: number,
  count: number,
  destination: number | object,
): void {
  const masked = count & (size === 64 ? 63 : 31);
  if (masked === 0) return;
  g.undefined.flags = AF | (masked === 1 ? 0 : OF);
  if (masked <= size) return;
  g.undefined.flags = AF | OF | CF | SF | ZF | PF;
  if (typeof destination === "number") g.undefined.gprs = 1 << destination;
  else g.undefined.memory = true;
}

function doubleShiftForms(): Form[] {
  const operations: [string, number][] = [["SHLD", 0xa4], ["SHRD", 0xac]];
  return operations.flatMap(([op, opcode]) =>
    WIDE_SIZES.flatMap((size): Form[] => [{
      name: `${op} r/m${size}, r${size}, imm8`,
      build(g) {
        g.begin(size);
        const count = shiftCount(g);
        const rm = registerOrMemory(g, size);
        markDouble(g, size, count, rm);
        g.emit({
          opcode: [0x0f, opcode],
          size,
          reg: anyRegister(g),
          rm,
          immediate: [count],
        });
      },
    }, {
      name: `${op} r/m${size}, r${size}, CL`,
      build(g) {
        g.begin(size);
        const count = shiftCount(g);
        g.words[2 * RCX] = (g.words[2 * RCX] & ~0xff) | count;
        g.pin(RCX);
        const rm = registerOrMemory(g, size);
        markDouble(g, size, count, rm);
        g.emit({ opcode: [0x0f, opcode + 1], size, reg: anyRegister(g), rm });
      },
    }])
  );
}

export const shift: Family[] = [
  { name: "shifts and rotates", forms: shiftForms() },
  { name: "SHLD SHRD", forms: doubleShiftForms() },
];
