/**
 * Operands at the end of 16-bit addressing, where those of several parts (far
 * pointers, BOUND's limits, 80 bits, environments) wrap between them and others
 * do not, and SSE operands beyond the limit of SS that are misaligned, too.
 *
 * @module
 */
import type { Builder } from "../builder.ts";
import type { Family, Form } from "../form.ts";
import { DATA, DS, RBP, RBX, SS } from "../layout.ts";
import { Local } from "../ldt.ts";

/** Name, code before ModRM, ModRM.reg, bytes of the operand. */
const OPERANDS: [string, number[], number, number][] = [
  ["MOV r16, m16", [0x8b], 1, 2],
  ["MOV r32, m32", [0x66, 0x8b], 1, 4],
  ["MOV m32, r32", [0x66, 0x89], 1, 4],
  ["LES r16, m16:16", [0xc4], 1, 4],
  ["LES r32, m16:32", [0x66, 0xc4], 1, 6],
  ["LDS r16, m16:16", [0xc5], 1, 4],
  ["LFS r32, m16:32", [0x66, 0x0f, 0xb4], 1, 6],
  ["JMP m16:16", [0xff], 5, 4],
  ["CALL m16:32", [0x66, 0xff], 3, 6],
  ["BOUND r16, m16&16", [0x62], 1, 4],
  ["BOUND r32, m32&32", [0x66, 0x62], 1, 8],
  ["CMPXCHG8B m64", [0x0f, 0xc7], 1, 8],
  ["FLD m64fp", [0xdd], 0, 8],
  ["FLD m80fp", [0xdb], 5, 10],
  ["FSTP m80fp", [0xdb], 7, 10],
  ["FBLD m80bcd", [0xdf], 4, 10],
  ["FBSTP m80bcd", [0xdf], 6, 10],
  ["FLDENV m14byte", [0xd9], 4, 14],
  ["FLDENV m28byte", [0x66, 0xd9], 4, 28],
  ["FNSTENV m14byte", [0xd9], 6, 14],
  ["FNSTENV m28byte", [0x66, 0xd9], 6, 28],
  ["MOVUPS xmm, m128", [0x0f, 0x10], 1, 16],
  ["MOVUPS m128, xmm", [0x0f, 0x11], 1, 16],
  ["FXSAVE m512byte", [0x0f, 0xae], 0, 512],
  ["FXRSTOR m512byte", [0x0f, 0xae], 1, 512],
];

function atEnd(g: Builder, code: number[], reg: number, bytes: number): void {
  g.begin(32);
  g.setSegment(DS, Local.last);
  g.setAllValid();
  g.setFsw(0);
  g.setFcw(0x37f);
  const offset = bytes === 512
    ? 0x10000 - 16 * (1 + g.rng.int(33))
    : 0x10000 - 1 - g.rng.int(bytes + 3);
  g.setAddress(RBX, offset & 0xffff);
  // Zeros: selectors, limits and numbers that are right.
  g.patch(DATA + 0xd00, new Uint8Array(0x300));
  g.undefined.memory = true; // what of a store is done before it faults
  g.undefined.bases = true;
  g.code.push(...code, reg << 3 | 7); // [BX]
}

const wraps = OPERANDS.map(([name, code, reg, bytes]): Form => ({
  name: `at 64 KiB: ${name}`,
  mode: 16,
  fx: true,
  feature: "sse2",
  build: (g) => atEnd(g, code, reg, bytes),
}));

const ALIGNED: [string, number[]][] = [
  ["MOVAPS xmm, m128", [0x0f, 0x28]],
  ["MOVAPS m128, xmm", [0x0f, 0x29]],
  ["ADDPS xmm, m128", [0x0f, 0x58]],
  ["MOVUPS xmm, m128", [0x0f, 0x10]],
];

const misaligned = ALIGNED.flatMap(([name, code]) =>
  ([SS, DS] as const).map((segment): Form => ({
    name: `at the limit of ${segment === SS ? "SS" : "DS"}: ${name}`,
    mode: 32,
    fx: true,
    feature: "sse2",
    build(g) {
      g.begin(32);
      g.setSegment(segment, Local.small);
      g.setAddress(segment === SS ? RBP : RBX, 0x7e0 + g.rng.int(0x30));
      g.undefined.memory = true;
      g.code.push(...code, segment === SS ? 0x45 : 0x43, 0); // [EBP], [EBX]
    },
  }))
);

export const wrap: Family[] = [
  { name: "16-bit addresses at 64 KiB", forms: wraps },
  { name: "aligned operands at limits", forms: misaligned },
];
