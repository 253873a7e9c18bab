/**
 * The x87 instructions (SDM vol.2; vol.1 chapter 8).
 *
 * What is undefined: most instructions say "C0, C2, C3 Undefined" and give C1
 * a meaning (rounded up, or overflow against underflow of the stack); those
 * that only move control or environment say "C0, C1, C2, C3 undefined".
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Feature } from "../features.ts";
import type { Family, Form } from "../form.ts";
import { f32Value, f64Value, f80Value } from "../values.ts";

const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;
/** SDM vol.2, of arithmetic, loads and stores: "C0, C2, C3 Undefined." */
const NOT_C1 = C0 | C2 | C3;
/** SDM vol.2, of control instructions: "C0, C1, C2, C3 undefined." */
const ALL = C0 | C1 | C2 | C3;
/** Comparisons define C0, C2 and C3, and set C1 to 0. */
const NONE = 0;

type Content = "f32" | "f64" | "f80" | "i16" | "i32" | "i64" | "bcd" | "none";

const BYTES: Record<Content, number> = {
  f32: 4,
  f64: 8,
  f80: 10,
  i16: 2,
  i32: 4,
  i64: 8,
  bcd: 10,
  none: 0,
};

function contentOf(g: Builder, kind: Content): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const { rng } = g;
  switch (kind) {
    case "f32":
      view.setUint32(0, f32Value(rng), true);
      break;
    case "f64": {
      const words = new Uint32Array(2);
      f64Value(rng, words, 0);
      view.setUint32(0, words[0], true);
      view.setUint32(4, words[1], true);
      break;
    }
    case "f80":
      f80Value(rng, view, 0);
      break;
    case "bcd":
      for (let i = 0; i < 9; i++) {
        bytes[i] = rng.int(10) | rng.int(10) << 4;
      }
      bytes[9] = rng.int(2) << 7;
      if (rng.chance(15)) bytes.fill(0, 0, 9);
      break;
    default:
      view.setUint32(0, rng.u32());
      view.setUint32(4, rng.u32());
      if (rng.chance(30)) {
        bytes.fill(rng.chance(50) ? 0 : 0xff, 1);
        if (rng.chance(50)) bytes[BYTES[kind] - 1] ^= 0x80;
      }
  }
  return bytes.subarray(0, BYTES[kind]);
}

function memoryForm(
  name: string,
  opcode: number,
  digit: number,
  kind: Content,
  undefinedFsw: number,
  feature?: Feature,
): Form {
  return {
    name,
    fx: true,
    feature,
    build(g) {
      g.begin(64);
      g.undefined.fsw = undefinedFsw;
      const bytes = BYTES[kind];
      const rm = g.rng.chance(85)
        ? g.memory(bytes, { content: contentOf(g, kind), faults: false })
        : g.memory(bytes);
      g.emit({ opcode: [opcode], reg: digit, rm });
    },
  };
}

const ARITHMETIC = [
  "FADD",
  "FMUL",
  "FCOM",
  "FCOMP",
  "FSUB",
  "FSUBR",
  "FDIV",
  "FDIVR",
];

function arithmeticForms(): Form[] {
  const forms: Form[] = [];
  const sources: [string, number, Content, boolean][] = [
    ["m32fp", 0xd8, "f32", false],
    ["m64fp", 0xdc, "f64", false],
    ["m32int", 0xda, "i32", true],
    ["m16int", 0xde, "i16", true],
  ];
  ARITHMETIC.forEach((op, digit) => {
    const mask = op.startsWith("FCOM") ? NONE : NOT_C1;
    for (const [operand, opcode, kind, integer] of sources) {
      const name = integer ? `FI${op.slice(1)}` : op;
      forms.push(
        memoryForm(`${name} ${operand}`, opcode, digit, kind, mask),
      );
    }
    // DC and DE swap the meanings of SUB and SUBR, DIV and DIVR.
    const swapped = ["FSUBR", "FSUB", "FDIVR", "FDIV"][digit - 4] ?? op;
    forms.push(stackForm(`${op} ST(0), ST(i)`, 0xd8, digit, mask));
    if (mask === NONE) return;
    forms.push(stackForm(`${swapped} ST(i), ST(0)`, 0xdc, digit, mask));
    forms.push(stackForm(`${swapped}P ST(i), ST(0)`, 0xde, digit, mask));
  });
  return forms;
}

function stackForm(
  name: string,
  opcode: number,
  digit: number,
  undefinedFsw: number,
  feature?: Feature,
): Form {
  return {
    name,
    fx: true,
    feature,
    build(g) {
      g.begin(64);
      g.undefined.fsw = undefinedFsw;
      g.code.push(opcode, 0xc0 | digit << 3 | g.rng.int(8));
    },
  };
}

function fixedForm(name: string, code: number[], undefinedFsw: number): Form {
  return {
    name,
    fx: true,
    build(g) {
      g.begin(64);
      g.undefined.fsw = undefinedFsw;
      g.code.push(...code);
    },
  };
}

function transferForms(): Form[] {
  const memory: [string, number, number, Content, Feature?][] = [
    ["FLD m32fp", 0xd9, 0, "f32"],
    ["FST m32fp", 0xd9, 2, "f32"],
    ["FSTP m32fp", 0xd9, 3, "f32"],
    ["FLD m64fp", 0xdd, 0, "f64"],
    ["FST m64fp", 0xdd, 2, "f64"],
    ["FSTP m64fp", 0xdd, 3, "f64"],
    ["FLD m80fp", 0xdb, 5, "f80"],
    ["FSTP m80fp", 0xdb, 7, "f80"],
    ["FILD m16int", 0xdf, 0, "i16"],
    ["FILD m32int", 0xdb, 0, "i32"],
    ["FILD m64int", 0xdf, 5, "i64"],
    ["FIST m16int", 0xdf, 2, "i16"],
    ["FIST m32int", 0xdb, 2, "i32"],
    ["FISTP m16int", 0xdf, 3, "i16"],
    ["FISTP m32int", 0xdb, 3, "i32"],
    ["FISTP m64int", 0xdf, 7, "i64"],
    ["FISTTP m16int", 0xdf, 1, "i16", "sse3"],
    ["FISTTP m32int", 0xdb, 1, "i32", "sse3"],
    ["FISTTP m64int", 0xdd, 1, "i64", "sse3"],
    ["FBLD m80bcd", 0xdf, 4, "bcd"],
    ["FBSTP m80bcd", 0xdf, 6, "bcd"],
  ];
  return [
    ...memory.map(([name, opcode, digit, kind, feature]) =>
      memoryForm(name, opcode, digit, kind, NOT_C1, feature)
    ),
    stackForm("FLD ST(i)", 0xd9, 0, NOT_C1),
    stackForm("FST ST(i)", 0xdd, 2, NOT_C1),
    stackForm("FSTP ST(i)", 0xdd, 3, NOT_C1),
    stackForm("FXCH ST(i)", 0xd9, 1, NOT_C1),
    stackForm("FFREE ST(i)", 0xdd, 0, ALL),
    ...["B", "E", "BE", "U"].flatMap((condition, digit) => [
      stackForm(`FCMOV${condition} ST(0), ST(i)`, 0xda, digit, NOT_C1, "cmov"),
      stackForm(`FCMOVN${condition} ST(0), ST(i)`, 0xdb, digit, NOT_C1, "cmov"),
    ]),
    ...["1", "L2T", "L2E", "PI", "LG2", "LN2", "Z"].map((constant, i) =>
      fixedForm(`FLD${constant}`, [0xd9, 0xe8 + i], NOT_C1)
    ),
  ];
}

function compareForms(): Form[] {
  return [
    stackForm("FUCOM ST(i)", 0xdd, 4, NONE),
    stackForm("FUCOMP ST(i)", 0xdd, 5, NONE),
    fixedForm("FUCOMPP", [0xda, 0xe9], NONE),
    fixedForm("FCOMPP", [0xde, 0xd9], NONE),
    stackForm("FUCOMI ST(0), ST(i)", 0xdb, 5, NONE, "cmov"),
    stackForm("FCOMI ST(0), ST(i)", 0xdb, 6, NONE, "cmov"),
    stackForm("FUCOMIP ST(0), ST(i)", 0xdf, 5, NONE, "cmov"),
    stackForm("FCOMIP ST(0), ST(i)", 0xdf, 6, NONE, "cmov"),
    fixedForm("FTST", [0xd9, 0xe4], NONE),
    fixedForm("FXAM", [0xd9, 0xe5], NONE),
  ];
}

function controlForms(): Form[] {
  const forms = [
    fixedForm("FNOP", [0xd9, 0xd0], ALL),
    fixedForm("FWAIT", [0x9b], ALL),
    fixedForm("FNCLEX", [0xdb, 0xe2], ALL),
    fixedForm("FNINIT", [0xdb, 0xe3], NONE),
    fixedForm("FNSTSW AX", [0xdf, 0xe0], ALL),
    fixedForm("FINCSTP", [0xd9, 0xf7], NOT_C1),
    fixedForm("FDECSTP", [0xd9, 0xf6], NOT_C1),
    memoryForm("FNSTSW m2byte", 0xdd, 7, "i16", ALL),
    memoryForm("FNSTCW m2byte", 0xd9, 7, "i16", ALL),
    memoryForm("FLDCW m2byte", 0xd9, 5, "i16", ALL),
  ];
  forms.push({
    name: "EMMS",
    fx: true,
    build(g) {
      g.begin(64);
      g.setTop(0); // AMD's EMMS sets it, Intel's leaves it
      g.code.push(0x0f, 0x77);
    },
  });
  // The instruction and data pointers are not compared: FXRSTOR, which gives
  // a case its state, does not load them on every CPU.
  const images: [string, number, number, number, boolean][] = [
    ["FNSTENV m14/28byte", 0xd9, 6, 28, true],
    ["FLDENV m14/28byte", 0xd9, 4, 28, false],
    ["FNSAVE m94/108byte", 0xdd, 6, 108, true],
    ["FRSTOR m94/108byte", 0xdd, 4, 108, false],
  ];
  for (const [name, opcode, digit, bytes, store] of images) {
    for (const size of [16, 32]) {
      const length = size === 16 ? bytes - 14 : bytes;
      forms.push({
        name: `${name} (${size})`,
        fx: true,
        build(g) {
          g.begin(64);
          if (!store) g.undefined.fsw = 0;
          const content = new Uint8Array(length);
          for (let i = 0; i < length; i++) content[i] = g.rng.int(256);
          const field = size / 8;
          if (!store && g.rng.chance(70)) content[0] |= 0x3f; // masked
          const rm = g.memory(length, { content, faults: false });
          if (store) {
            g.undefined.ranges.push([
              rm.target + 3 * field,
              rm.target + 7 * field,
            ]);
          }
          g.emit({
            opcode: [opcode],
            size,
            reg: digit,
            rm,
          });
        },
      });
    }
  }
  return forms;
}

/** Arguments in the range the manual gives, where results are defined. */
type Range = "unit" | "reduced" | "log1p" | "any";

function transcendental(name: string, code: number, range: Range): Form {
  return {
    name,
    fx: true,
    build(g) {
      g.begin(64);
      const { rng } = g;
      // C1 says whether the last bit was rounded up, which is where CPUs
      // differ by one unit.
      g.undefined.fsw = C0 | C1 | C3 | (range === "reduced" ? 0 : C2);
      if (rng.chance(85)) g.setAllValid();
      g.setFcw(0x37f | rng.int(4) << 10);
      g.code.push(0xd9, code);
      if (range === "any" || (range === "reduced" && rng.chance(15))) return;
      // Below pi/4, and below 1 - sqrt(2)/2 for FYL2XP1.
      const top = range === "unit"
        ? 0x3ffe
        : range === "log1p"
        ? 0x3ffc
        : 0x3ffd;
      const exponent = top - rng.int(rng.chance(50) ? 4 : 40);
      const mantissa = 1n << 63n | BigInt(rng.u32()) << 31n | BigInt(rng.u32());
      g.setSt(0, exponent | rng.int(2) << 15, mantissa);
    },
  };
}

function functionForms(): Form[] {
  const exact: [string, number, number][] = [
    ["FCHS", 0xe0, NOT_C1],
    ["FABS", 0xe1, NOT_C1],
    ["FXTRACT", 0xf4, NOT_C1],
    ["FPREM1", 0xf5, NONE],
    ["FPREM", 0xf8, NONE],
    ["FSQRT", 0xfa, NOT_C1],
    ["FRNDINT", 0xfc, NOT_C1],
    ["FSCALE", 0xfd, NOT_C1],
  ];
  const approximate: [string, number, Range][] = [
    ["F2XM1", 0xf0, "unit"],
    ["FYL2X", 0xf1, "any"],
    ["FPTAN", 0xf2, "reduced"],
    ["FPATAN", 0xf3, "any"],
    ["FYL2XP1", 0xf9, "log1p"],
    ["FSINCOS", 0xfb, "reduced"],
    ["FSIN", 0xfe, "reduced"],
    ["FCOS", 0xff, "reduced"],
  ];
  return [
    ...exact.map(([name, code, mask]) => fixedForm(name, [0xd9, code], mask)),
    ...approximate.map(([name, code, range]) =>
      transcendental(name, code, range)
    ),
  ];
}

export const x87: Family[] = [
  { name: "x87 arithmetic", forms: arithmeticForms() },
  { name: "x87 transfers", forms: transferForms() },
  { name: "x87 comparisons", forms: compareForms() },
  { name: "x87 control", forms: controlForms() },
  { name: "x87 functions", forms: functionForms() },
];
