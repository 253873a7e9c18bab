/**
 * x87 encodings that no manual names (any more) and silicon executes all the
 * same, and those that are undefined: every register form of D9, DA, DB, DD,
 * DE and DF that has no form of its own.
 *
 * @module
 */
import type { Family, Form } from "../form.ts";

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;

function form(
  name: string,
  opcode: number,
  first: number,
  count: number,
  undefinedFsw: number,
): Form {
  return {
    name,
    fx: true,
    build(g) {
      g.begin(64);
      g.undefined.fsw = undefinedFsw;
      g.code.push(opcode, first + g.rng.int(count));
    },
  };
}

const NOT_C1 = C0 | C2 | C3;
const ALL = NOT_C1 | C1;

export const x87Aliases: Family[] = [{
  name: "x87 aliases and undefined encodings",
  forms: [
    form("FCOM2 ST(i)", 0xdc, 0xd0, 8, 0),
    form("FCOMP3 ST(i)", 0xdc, 0xd8, 8, 0),
    form("FCOMP5 ST(i)", 0xde, 0xd0, 8, 0),
    form("FXCH4 ST(i)", 0xdd, 0xc8, 8, NOT_C1),
    form("FXCH7 ST(i)", 0xdf, 0xc8, 8, NOT_C1),
    form("FSTP8 ST(i)", 0xdf, 0xd0, 8, NOT_C1),
    form("FSTP9 ST(i)", 0xdf, 0xd8, 8, NOT_C1),
    form("FFREEP ST(i)", 0xdf, 0xc0, 8, ALL),
    form("FNENI, FNDISI", 0xdb, 0xe0, 2, ALL),
    form("FNSETPM", 0xdb, 0xe4, 1, ALL),
    form("D9 D1-D7", 0xd9, 0xd1, 7, ALL),
    form("D9 E2-E3", 0xd9, 0xe2, 2, ALL),
    form("D9 E6-E7", 0xd9, 0xe6, 2, ALL),
    form("D9 EF", 0xd9, 0xef, 1, ALL),
    form("DA E0-E8", 0xda, 0xe0, 9, ALL),
    form("DA EA-FF", 0xda, 0xea, 22, ALL),
    form("DB E5-E7", 0xdb, 0xe5, 3, ALL),
    form("DB F8-FF", 0xdb, 0xf8, 8, ALL),
    form("DD F0-FF", 0xdd, 0xf0, 16, ALL),
    form("DE D8", 0xde, 0xd8, 1, ALL),
    form("DE DA-DF", 0xde, 0xda, 6, ALL),
    form("DF E1-E7", 0xdf, 0xe1, 7, ALL),
    form("DF F8-FF", 0xdf, 0xf8, 8, ALL),
    form("FSTP1 ST(i)", 0xd9, 0xd8, 8, NOT_C1),
  ],
}];
