/**
 * SSE, SSE2 and SSE3 floating point, SSE4.1's rounding and dot products,
 * MXCSR and FXSAVE (SDM vol.2).
 *
 * @module
 */
import type { Feature } from "../features.ts";
import type { Family, Form } from "../form.ts";
import { DATA, DATA_BYTES, Fx } from "../layout.ts";
import type { Lane } from "../values.ts";
import { NP, P66, PF2, PF3, vector, type VectorOptions } from "./vector.ts";

/** Prefix, suffix, lane, memory bytes and feature of the four types. */
const TYPES: [number, string, Lane, number, Feature][] = [
  [NP, "PS", "f32", 16, "sse"],
  [P66, "PD", "f64", 16, "sse2"],
  [PF3, "SS", "f32", 4, "sse"],
  [PF2, "SD", "f64", 8, "sse2"],
];

const ARITHMETIC: [string, number][] = [
  ["SQRT", 0x51],
  ["ADD", 0x58],
  ["MUL", 0x59],
  ["SUB", 0x5c],
  ["MIN", 0x5d],
  ["DIV", 0x5e],
  ["MAX", 0x5f],
];

const operand = (bytes: number) => `xmm, xmm/m${8 * bytes}`;

function arithmeticForms(): Form[] {
  const forms = ARITHMETIC.flatMap(([op, opcode]) =>
    TYPES.map(([prefix, suffix, lane, bytes, feature]) =>
      vector(
        `${op}${suffix} ${operand(bytes)}`,
        feature,
        prefix,
        [opcode],
        lane,
        { bytes },
      )
    )
  );
  for (const [op, opcode] of [["RSQRT", 0x52], ["RCP", 0x53]] as const) {
    for (const [prefix, suffix, lane, bytes] of [TYPES[0], TYPES[2]]) {
      forms.push(
        vector(
          `${op}${suffix} ${operand(bytes)}`,
          "sse",
          prefix,
          [opcode],
          lane,
          { bytes },
        ),
      );
    }
  }
  const horizontal: [string, number][] = [
    ["HADD", 0x7c],
    ["HSUB", 0x7d],
    ["ADDSUB", 0xd0],
  ];
  for (const [op, opcode] of horizontal) {
    forms.push(
      vector(`${op}PD xmm, xmm/m128`, "sse3", P66, [opcode], "f64"),
      vector(`${op}PS xmm, xmm/m128`, "sse3", PF2, [opcode], "f32"),
    );
  }
  return forms;
}

function compareForms(): Form[] {
  const immediate = [0, 1, 2, 3, 4, 5, 6, 7];
  const forms = TYPES.map(([prefix, suffix, lane, bytes, feature]) =>
    vector(
      `CMP${suffix} ${operand(bytes)}, imm8`,
      feature,
      prefix,
      [0xc2],
      lane,
      { bytes, immediate },
    )
  );
  for (const [op, opcode] of [["UCOMI", 0x2e], ["COMI", 0x2f]] as const) {
    forms.push(
      vector(`${op}SS xmm, xmm/m32`, "sse", NP, [opcode], "f32", { bytes: 4 }),
      vector(`${op}SD xmm, xmm/m64`, "sse2", P66, [opcode], "f64", {
        bytes: 8,
      }),
    );
  }
  return forms;
}

/** name, prefix, opcode, lane, options beyond an aligned m128. */
type Row = [string, Feature, number, number, Lane, VectorOptions?];

const LOGIC: Row[] = [
  ["ANDPS xmm, xmm/m128", "sse", NP, 0x54, "f32"],
  ["ANDPD xmm, xmm/m128", "sse2", P66, 0x54, "f64"],
  ["ANDNPS xmm, xmm/m128", "sse", NP, 0x55, "f32"],
  ["ANDNPD xmm, xmm/m128", "sse2", P66, 0x55, "f64"],
  ["ORPS xmm, xmm/m128", "sse", NP, 0x56, "f32"],
  ["ORPD xmm, xmm/m128", "sse2", P66, 0x56, "f64"],
  ["XORPS xmm, xmm/m128", "sse", NP, 0x57, "f32"],
  ["XORPD xmm, xmm/m128", "sse2", P66, 0x57, "f64"],
  ["UNPCKLPS xmm, xmm/m128", "sse", NP, 0x14, "f32"],
  ["UNPCKLPD xmm, xmm/m128", "sse2", P66, 0x14, "f64"],
  ["UNPCKHPS xmm, xmm/m128", "sse", NP, 0x15, "f32"],
  ["UNPCKHPD xmm, xmm/m128", "sse2", P66, 0x15, "f64"],
  ["SHUFPS xmm, xmm/m128, imm8", "sse", NP, 0xc6, "f32", { immediate: true }],
  ["SHUFPD xmm, xmm/m128, imm8", "sse2", P66, 0xc6, "f64", {
    immediate: true,
  }],
];

const store: VectorOptions = { memoryOnly: true };
const half: VectorOptions = { bytes: 8, memoryOnly: true };

const MOVES: Row[] = [
  ["MOVUPS xmm, xmm/m128", "sse", NP, 0x10, "f32", { aligned: false }],
  ["MOVUPS xmm/m128, xmm", "sse", NP, 0x11, "f32", { aligned: false }],
  ["MOVUPD xmm, xmm/m128", "sse2", P66, 0x10, "f64", { aligned: false }],
  ["MOVUPD xmm/m128, xmm", "sse2", P66, 0x11, "f64", { aligned: false }],
  ["MOVSS xmm, xmm/m32", "sse", PF3, 0x10, "f32", { bytes: 4 }],
  ["MOVSS xmm/m32, xmm", "sse", PF3, 0x11, "f32", { bytes: 4 }],
  ["MOVSD xmm, xmm/m64", "sse2", PF2, 0x10, "f64", { bytes: 8 }],
  ["MOVSD xmm/m64, xmm", "sse2", PF2, 0x11, "f64", { bytes: 8 }],
  ["MOVLPS xmm, m64; MOVHLPS", "sse", NP, 0x12, "f32", { bytes: 8 }],
  ["MOVLPS m64, xmm", "sse", NP, 0x13, "f32", half],
  ["MOVLPD xmm, m64", "sse2", P66, 0x12, "f64", half],
  ["MOVLPD m64, xmm", "sse2", P66, 0x13, "f64", half],
  ["MOVHPS xmm, m64; MOVLHPS", "sse", NP, 0x16, "f32", { bytes: 8 }],
  ["MOVHPS m64, xmm", "sse", NP, 0x17, "f32", half],
  ["MOVHPD xmm, m64", "sse2", P66, 0x16, "f64", half],
  ["MOVHPD m64, xmm", "sse2", P66, 0x17, "f64", half],
  ["MOVSLDUP xmm, xmm/m128", "sse3", PF3, 0x12, "f32"],
  ["MOVSHDUP xmm, xmm/m128", "sse3", PF3, 0x16, "f32"],
  ["MOVDDUP xmm, xmm/m64", "sse3", PF2, 0x12, "f64", { bytes: 8 }],
  ["MOVAPS xmm, xmm/m128", "sse", NP, 0x28, "f32"],
  ["MOVAPS xmm/m128, xmm", "sse", NP, 0x29, "f32"],
  ["MOVAPD xmm, xmm/m128", "sse2", P66, 0x28, "f64"],
  ["MOVAPD xmm/m128, xmm", "sse2", P66, 0x29, "f64"],
  ["MOVNTPS m128, xmm", "sse", NP, 0x2b, "f32", store],
  ["MOVNTPD m128, xmm", "sse2", P66, 0x2b, "f64", store],
  ["MOVMSKPS r32, xmm", "sse", NP, 0x50, "f32", { bytes: 0 }],
  ["MOVMSKPD r32, xmm", "sse2", P66, 0x50, "f64", { bytes: 0 }],
];

const mm32: VectorOptions = { bytes: 8, mmx: "i32" };

/**
 * Whether CVTPI2PS from memory makes the transition to MMX and asks for x87
 * exceptions differs (alternatives.ts): here it shows in the tags alone.
 */
const transition: VectorOptions = {
  ...mm32,
  memoryLane: "i32",
  prepare(g) {
    g.fx.setUint16(g.fxAt + Fx.fsw, 0, true); // TOP and exceptions
  },
};

const CONVERSIONS: Row[] = [
  ["CVTPI2PS xmm, mm/m64", "sse", NP, 0x2a, "f32", transition],
  ["CVTPI2PS xmm, mm", "sse", NP, 0x2a, "f32", { ...mm32, bytes: 0 }],
  ["CVTPI2PD xmm, mm/m64", "sse2", P66, 0x2a, "f64", {
    ...mm32,
    memoryLane: "i32",
  }],
  ["CVTTPS2PI mm, xmm/m64", "sse", NP, 0x2c, "f32", mm32],
  ["CVTPS2PI mm, xmm/m64", "sse", NP, 0x2d, "f32", mm32],
  ["CVTTPD2PI mm, xmm/m128", "sse2", P66, 0x2c, "f64", { mmx: "i32" }],
  ["CVTPD2PI mm, xmm/m128", "sse2", P66, 0x2d, "f64", { mmx: "i32" }],
  ["CVTPS2PD xmm, xmm/m64", "sse2", NP, 0x5a, "f32", { bytes: 8 }],
  ["CVTPD2PS xmm, xmm/m128", "sse2", P66, 0x5a, "f64"],
  ["CVTSS2SD xmm, xmm/m32", "sse2", PF3, 0x5a, "f32", { bytes: 4 }],
  ["CVTSD2SS xmm, xmm/m64", "sse2", PF2, 0x5a, "f64", { bytes: 8 }],
  ["CVTDQ2PS xmm, xmm/m128", "sse2", NP, 0x5b, "i32"],
  ["CVTPS2DQ xmm, xmm/m128", "sse2", P66, 0x5b, "f32"],
  ["CVTTPS2DQ xmm, xmm/m128", "sse2", PF3, 0x5b, "f32"],
  ["CVTTPD2DQ xmm, xmm/m128", "sse2", P66, 0xe6, "f64"],
  ["CVTDQ2PD xmm, xmm/m64", "sse2", PF3, 0xe6, "i32", { bytes: 8 }],
  ["CVTPD2DQ xmm, xmm/m128", "sse2", PF2, 0xe6, "f64"],
];

/** Between general registers and scalars, with and without REX.W. */
const SCALAR_CONVERSIONS: Row[] = [false, true].flatMap((rexW): Row[] => {
  const reg = rexW ? "r64" : "r32";
  const rm = rexW ? "r/m64" : "r/m32";
  const from: VectorOptions = {
    rexW,
    bytes: rexW ? 8 : 4,
    memoryLane: rexW ? "i64" : "i32",
  };
  return [
    [`CVTSI2SS xmm, ${rm}`, "sse", PF3, 0x2a, "f32", from],
    [`CVTSI2SD xmm, ${rm}`, "sse2", PF2, 0x2a, "f64", from],
    [`CVTTSS2SI ${reg}, xmm/m32`, "sse", PF3, 0x2c, "f32", { rexW, bytes: 4 }],
    [`CVTSS2SI ${reg}, xmm/m32`, "sse", PF3, 0x2d, "f32", { rexW, bytes: 4 }],
    [`CVTTSD2SI ${reg}, xmm/m64`, "sse2", PF2, 0x2c, "f64", { rexW, bytes: 8 }],
    [`CVTSD2SI ${reg}, xmm/m64`, "sse2", PF2, 0x2d, "f64", { rexW, bytes: 8 }],
  ];
});

const rows = (table: Row[]) =>
  table.map(([name, feature, prefix, opcode, lane, options]) =>
    vector(name, feature, prefix, [opcode], lane, options)
  );

function sse41Forms(): Form[] {
  const table: [string, number, Lane, number][] = [
    ["ROUNDPS", 0x08, "f32", 16],
    ["ROUNDPD", 0x09, "f64", 16],
    ["ROUNDSS", 0x0a, "f32", 4],
    ["ROUNDSD", 0x0b, "f64", 8],
    ["DPPS", 0x40, "f32", 16],
    ["DPPD", 0x41, "f64", 16],
  ];
  return table.map(([name, opcode, lane, bytes]) =>
    vector(
      `${name} ${operand(bytes)}, imm8`,
      "sse41",
      P66,
      [0x3a, opcode],
      lane,
      { bytes, immediate: true },
    )
  );
}

/**
 * Bits 16-23 of MXCSR, which are reserved: #GP. Not bit 17, which AMD has as
 * the misaligned exception mask.
 */
const RESERVED = [0x01, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];

function stateForms(): Form[] {
  const forms: Form[] = [
    vector("STMXCSR m32", "sse", NP, [0xae], "i32", {
      bytes: 4,
      digit: 3,
      memoryOnly: true,
    }),
    {
      name: "LDMXCSR m32",
      feature: "sse",
      fx: true,
      build(g) {
        g.begin(32);
        const content = new Uint8Array(4);
        content[0] = g.rng.int(256);
        content[1] = g.rng.int(256);
        if (g.rng.chance(5)) content[2] = g.rng.pick(RESERVED);
        const rm = g.memory(
          4,
          g.rng.chance(85) ? { content, faults: false } : {},
        );
        // What memory() leaves there may have AMD's bit alone.
        if (rm.target >= DATA && rm.target + 4 <= DATA + DATA_BYTES) {
          g.patch(rm.target, content);
        }
        g.emit({ opcode: [0x0f, 0xae], reg: 2, rm });
      },
    },
  ];
  for (const rexW of [false, true]) {
    const suffix = rexW ? "64" : "";
    forms.push({
      name: `FXSAVE${suffix} m512byte`,
      feature: "fxsr",
      fx: true,
      build(g) {
        g.begin(64, g.rng.pick(["f32", "f64", "i8"]));
        const rm = g.memory(512, {
          align: 16,
          content: new Uint8Array(512).fill(0xa5),
          faults: false,
        });
        // FOP, FIP, FDP: written only with a pending exception on some CPUs.
        // MXCSR_MASK depends on the CPU; bytes 416-511 are not written.
        g.undefined.ranges.push([rm.target + 6, rm.target + 24]);
        g.undefined.ranges.push([rm.target + 28, rm.target + 32]);
        g.emit({ opcode: [0x0f, 0xae], rexW, reg: 0, rm });
      },
    }, {
      name: `FXRSTOR${suffix} m512byte`,
      feature: "fxsr",
      fx: true,
      build(g) {
        g.begin(64);
        const content = new Uint8Array(512);
        for (let i = 0; i < 512; i++) content[i] = g.rng.int(256);
        content[0] |= g.rng.chance(80) ? 0x3f : 0;
        content[26] = content[27] = 0;
        if (g.rng.chance(5)) content[26] = g.rng.pick(RESERVED);
        const rm = g.memory(512, { align: 16, content, faults: false });
        g.emit({ opcode: [0x0f, 0xae], rexW, reg: 1, rm });
      },
    });
  }
  return forms;
}

export const sse: Family[] = [
  { name: "SSE arithmetic", forms: arithmeticForms() },
  { name: "SSE comparisons", forms: compareForms() },
  { name: "SSE logic and moves", forms: rows([...LOGIC, ...MOVES]) },
  {
    name: "SSE conversions",
    forms: rows([...CONVERSIONS, ...SCALAR_CONVERSIONS]),
  },
  { name: "SSE4.1 rounding and dot products", forms: sse41Forms() },
  { name: "MXCSR FXSAVE", forms: stateForms() },
];
