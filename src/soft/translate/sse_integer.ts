// SSE instructions that move and compute integers: what WebAssembly's vectors do in one
// or few instructions. Meaning: SDM vol. 2, as core/insn/simd has it.

import { OF, OF38, OF3A } from "./encodings.ts";
import type { Emitter, Generator, Size } from "./generator.ts";
import type { Instruction } from "./records.ts";
import {
  F2,
  F3,
  fetch,
  fetch16,
  NONE,
  onSized,
  onVector,
  P66,
  put,
  put16,
  regAt,
  rmAt,
  source16,
  sourcePart,
  toRegister,
} from "./vectors.ts";
import { Op, Simd } from "./wasm.ts";

// --- MOVAPS MOVAPD MOVDQA, MOVUPS MOVUPD MOVDQU LDDQU, MOVNTxx

const load = (aligned: boolean): Emitter => (g, i) =>
  put16(g, regAt(i), () => source16(g, i, aligned));
const store = (aligned: boolean): Emitter => (g, i, _size, memory) => {
  if (!memory) return put16(g, rmAt(i), () => fetch16(g, regAt(i)));
  g.operand16(i, aligned, true);
  g.code.get(g.host);
  fetch16(g, regAt(i));
  g.code.simdMemory(Simd.v128_store);
};
onVector(OF, [NONE, P66], 0x10, load(false));
onVector(OF, [NONE, P66], 0x11, store(false));
onVector(OF, [NONE, P66], 0x28, load(true));
onVector(OF, [NONE, P66], 0x29, store(true));
onVector(OF, [NONE, P66], 0x2b, store(true), "memory");
onVector(OF, [P66], 0x6f, load(true));
onVector(OF, [F3], 0x6f, load(false));
onVector(OF, [P66], 0x7f, store(true));
onVector(OF, [F3], 0x7f, store(false));
onVector(OF, [P66], 0xe7, store(true), "memory");
onVector(OF, [F2], 0xf0, load(false), "memory");
onVector(OF38, [P66], 0x2a, load(true), "memory");

// --- MOVSS MOVSD MOVD MOVQ

/** From memory, with zeros above. */
const loadPart = (size: 2 | 3): Emitter => (g, i) => {
  g.operand(i, size, false);
  put16(g, regAt(i), () => {
    g.code.get(g.host);
    g.code.simdMemory(
      size === 2 ? Simd.v128_load32_zero : Simd.v128_load64_zero,
    );
  });
};
const storePart = (size: 2 | 3): Emitter => (g, i) => {
  g.operand(i, size, true);
  g.storeHost(size, () => fetch(g, regAt(i), size));
};
for (const [prefix, size] of [[F3, 2], [F2, 3]] as const) {
  onVector(OF, [prefix], 0x10, loadPart(size), "memory");
  onVector(OF, [prefix], 0x11, storePart(size), "memory");
  onVector(
    OF,
    [prefix],
    0x10,
    (g, i) => put(g, regAt(i), size, () => fetch(g, rmAt(i), size)),
    "register",
  );
  onVector(
    OF,
    [prefix],
    0x11,
    (g, i) => put(g, rmAt(i), size, () => fetch(g, regAt(i), size)),
    "register",
  );
}
const quad = (to: typeof regAt, from: typeof regAt): Emitter => (g, i) =>
  put16(g, to(i), () => {
    g.code.i32(0);
    g.code.simdMemory(Simd.v128_load64_zero, from(i));
  });
onVector(OF, [F3], 0x7e, loadPart(3), "memory");
onVector(OF, [F3], 0x7e, quad(regAt, rmAt), "register");
onVector(OF, [P66], 0xd6, storePart(3), "memory");
onVector(OF, [P66], 0xd6, quad(rmAt, regAt), "register");
onSized(
  OF,
  P66,
  0x6e,
  (g, i, size) => loadPart(size as 2 | 3)(g, i, size, true),
  "memory",
);
onSized(
  OF,
  P66,
  0x7e,
  (g, i, size) => storePart(size as 2 | 3)(g, i, size, true),
  "memory",
);
onSized(OF, P66, 0x6e, (g, i, size) => {
  const wide = () => {
    g.getRegister(i.rm, size);
    if (size === 2) g.code.op(Op.i64_extend_i32_u);
  };
  put(g, regAt(i), 3, wide);
  put(g, regAt(i, 8), 3, () => g.code.i64(0n));
}, "register");
onSized(OF, P66, 0x7e, (g, i, size) => {
  fetch(g, regAt(i), size);
  g.setRegister(i.rm, size);
}, "register");

// --- halves: MOVLPx MOVHPx MOVHLPS MOVLHPS, and MOVDDUP MOVSLDUP MOVSHDUP

for (const [opcode, half] of [[0x12, 0], [0x16, 8]] as const) {
  onVector(OF, [NONE, P66], opcode, (g, i) => {
    g.operand(i, 3, false);
    put(g, regAt(i, half), 3, () => g.loadHost(3));
  }, "memory");
  onVector(OF, [NONE, P66], opcode + 1, (g, i) => {
    g.operand(i, 3, true);
    g.storeHost(3, () => fetch(g, regAt(i, half), 3));
  }, "memory");
  onVector(
    OF,
    [NONE],
    opcode,
    (g, i) => put(g, regAt(i, half), 3, () => fetch(g, rmAt(i, 8 - half), 3)),
    "register",
  );
}
onVector(OF, [F2], 0x12, (g, i) => {
  sourcePart(g, i, 3);
  g.code.set(g.x);
  put16(g, regAt(i), () => {
    g.code.get(g.x);
    g.code.simd(Simd.i64x2_splat);
  });
});

// --- shuffles

const BYTES = Array.from({ length: 16 }, (_, n) => n);
/** Bytes of elements of `width`, by their numbers in the first and the second vector. */
const elements = (width: number, numbers: readonly number[]) =>
  numbers.flatMap((n) => BYTES.slice(0, width).map((k) => n * width + k));

/** The destination's bytes are some of its own (0 to 15) and of the source's. */
const shuffle = (lanes: (i: Instruction) => readonly number[]) =>
  toRegister((g, i) => {
    g.code.get(g.vx);
    g.code.get(g.vy);
    g.code.shuffle(lanes(i));
  });
/** They are the source's alone. */
const pick =
  (lanes: (i: Instruction) => readonly number[]): Emitter => (g, i) => {
    source16(g, i);
    g.code.set(g.vy);
    put16(g, regAt(i), () => {
      g.code.get(g.vy);
      g.code.get(g.vy);
      g.code.shuffle(lanes(i));
    });
  };
const two = (i: Instruction, n: number) => i.imm >> (2 * n) & 3;

onVector(OF, [F3], 0x12, pick(() => elements(4, [0, 0, 2, 2])));
onVector(OF, [F3], 0x16, pick(() => elements(4, [1, 1, 3, 3])));
onVector(
  OF,
  [P66],
  0x70,
  pick((i) => elements(4, [0, 1, 2, 3].map((n) => two(i, n)))),
);
onVector(
  OF,
  [F2],
  0x70,
  pick((i) => elements(2, [...[0, 1, 2, 3].map((n) => two(i, n)), 4, 5, 6, 7])),
);
onVector(
  OF,
  [F3],
  0x70,
  pick((i) =>
    elements(2, [0, 1, 2, 3, ...[0, 1, 2, 3].map((n) => 4 + two(i, n))])
  ),
);
onVector(
  OF,
  [NONE],
  0xc6,
  shuffle((i) =>
    elements(4, [two(i, 0), two(i, 1), 4 + two(i, 2), 4 + two(i, 3)])
  ),
);
onVector(
  OF,
  [P66],
  0xc6,
  shuffle((i) => elements(8, [i.imm & 1, 2 + (i.imm >> 1 & 1)])),
);
/** PUNPCKxxx, UNPCKxPx: elements of both halves in turn. */
const unpack = (width: number, high: boolean) => {
  const count = 16 / width, first = high ? count / 2 : 0;
  const numbers = Array.from(
    { length: count },
    (_, n) => first + (n >> 1) + (n & 1 ? count : 0),
  );
  return shuffle(() => elements(width, numbers));
};
for (const [opcode, width] of [[0x60, 1], [0x61, 2], [0x62, 4]] as const) {
  onVector(OF, [P66], opcode, unpack(width, false));
  onVector(OF, [P66], opcode + 8, unpack(width, true));
}
onVector(OF, [P66], 0x6c, unpack(8, false));
onVector(OF, [P66], 0x6d, unpack(8, true));
for (const [prefix, width] of [[NONE, 4], [P66, 8]] as const) {
  onVector(OF, [prefix], 0x14, unpack(width, false));
  onVector(OF, [prefix], 0x15, unpack(width, true));
}

// PALIGNR, PSRLDQ, PSLLDQ: bytes of two vectors in a row, one of them 0s perhaps
const zero = (g: Generator) => g.code.v128(0n, 0n);
onVector(OF3A, [P66], 0x0f, (g, i) => {
  source16(g, i);
  g.code.set(g.vy);
  const by = Math.min(i.imm & 0xff, 32);
  put16(g, regAt(i), () => {
    if (by < 16) g.code.get(g.vy);
    else fetch16(g, regAt(i));
    if (by < 16) fetch16(g, regAt(i));
    else zero(g);
    g.code.shuffle(BYTES.map((n) => n + (by < 16 ? by : by - 16)));
  });
});
const byteShift = (left: boolean): Emitter => (g, i) => {
  const by = Math.min(i.imm & 0xff, 16);
  put16(g, rmAt(i), () => {
    if (left) zero(g);
    fetch16(g, rmAt(i));
    if (!left) zero(g);
    g.code.shuffle(BYTES.map((n) => n + (left ? 16 - by : by)));
  });
};
onVector(OF, [P66], 0x73, byteShift(false), "register", 3);
onVector(OF, [P66], 0x73, byteShift(true), "register", 7);
// PSHUFB: an index above 15 gives 0 in WebAssembly, one with the top bit set here
onVector(
  OF38,
  [P66],
  0x00,
  toRegister((g) => {
    g.code.get(g.vx);
    g.code.get(g.vy);
    g.code.v128(0x8f8f8f8f8f8f8f8fn, 0x8f8f8f8f8f8f8f8fn);
    g.code.simd(Simd.v128_and);
    g.code.simd(Simd.i8x16_swizzle);
  }),
);

// --- element by element

/** One vector instruction of destination and source; or of source and destination. */
const simple = (op: number, turned = false) =>
  toRegister((g) => {
    g.code.get(turned ? g.vy : g.vx);
    g.code.get(turned ? g.vx : g.vy);
    g.code.simd(op);
  });
for (
  const [opcode, op] of [
    [0x63, Simd.i8x16_narrow_i16x8_s],
    [0x64, Simd.i8x16_gt_s],
    [0x65, Simd.i16x8_gt_s],
    [0x66, Simd.i32x4_gt_s],
    [0x67, Simd.i8x16_narrow_i16x8_u],
    [0x6b, Simd.i16x8_narrow_i32x4_s],
    [0x74, Simd.i8x16_eq],
    [0x75, Simd.i16x8_eq],
    [0x76, Simd.i32x4_eq],
    [0xd4, Simd.i64x2_add],
    [0xd5, Simd.i16x8_mul],
    [0xd8, Simd.i8x16_sub_sat_u],
    [0xd9, Simd.i16x8_sub_sat_u],
    [0xda, Simd.i8x16_min_u],
    [0xdb, Simd.v128_and],
    [0xdc, Simd.i8x16_add_sat_u],
    [0xdd, Simd.i16x8_add_sat_u],
    [0xde, Simd.i8x16_max_u],
    [0xe0, Simd.i8x16_avgr_u],
    [0xe3, Simd.i16x8_avgr_u],
    [0xe8, Simd.i8x16_sub_sat_s],
    [0xe9, Simd.i16x8_sub_sat_s],
    [0xea, Simd.i16x8_min_s],
    [0xeb, Simd.v128_or],
    [0xec, Simd.i8x16_add_sat_s],
    [0xed, Simd.i16x8_add_sat_s],
    [0xee, Simd.i16x8_max_s],
    [0xef, Simd.v128_xor],
    [0xf5, Simd.i32x4_dot_i16x8_s],
    [0xf8, Simd.i8x16_sub],
    [0xf9, Simd.i16x8_sub],
    [0xfa, Simd.i32x4_sub],
    [0xfb, Simd.i64x2_sub],
    [0xfc, Simd.i8x16_add],
    [0xfd, Simd.i16x8_add],
    [0xfe, Simd.i32x4_add],
  ]
) onVector(OF, [P66], opcode, simple(op));
for (
  const [opcode, op] of [
    [0x29, Simd.i64x2_eq],
    [0x2b, Simd.i16x8_narrow_i32x4_u],
    [0x37, Simd.i64x2_gt_s],
    [0x38, Simd.i8x16_min_s],
    [0x39, Simd.i32x4_min_s],
    [0x3a, Simd.i16x8_min_u],
    [0x3b, Simd.i32x4_min_u],
    [0x3c, Simd.i8x16_max_s],
    [0x3d, Simd.i32x4_max_s],
    [0x3e, Simd.i16x8_max_u],
    [0x3f, Simd.i32x4_max_u],
    [0x40, Simd.i32x4_mul],
  ]
) onVector(OF38, [P66], opcode, simple(op));
// ~destination & source
onVector(OF, [P66], 0xdf, simple(Simd.v128_andnot, true));
for (
  const [opcode, op, turned] of [
    [0x54, Simd.v128_and, false],
    [0x55, Simd.v128_andnot, true],
    [0x56, Simd.v128_or, false],
    [0x57, Simd.v128_xor, false],
  ] as const
) onVector(OF, [NONE, P66], opcode, simple(op, turned));

/** A vector instruction of the source alone. */
const unary = (op: number): Emitter => (g, i) =>
  put16(g, regAt(i), () => {
    source16(g, i);
    g.code.simd(op);
  });
onVector(OF38, [P66], 0x1c, unary(Simd.i8x16_abs));
onVector(OF38, [P66], 0x1d, unary(Simd.i16x8_abs));
onVector(OF38, [P66], 0x1e, unary(Simd.i32x4_abs));

// PMULHW PMULHUW: the upper words of products
for (
  const [opcode, low, high] of [
    [0xe5, Simd.i32x4_extmul_low_i16x8_s, Simd.i32x4_extmul_high_i16x8_s],
    [0xe4, Simd.i32x4_extmul_low_i16x8_u, Simd.i32x4_extmul_high_i16x8_u],
  ] as const
) {
  onVector(
    OF,
    [P66],
    opcode,
    toRegister((g) => {
      for (const op of [low, high]) {
        g.code.get(g.vx);
        g.code.get(g.vy);
        g.code.simd(op);
      }
      g.code.shuffle(elements(2, [1, 3, 5, 7, 9, 11, 13, 15]));
    }),
  );
}
// PMULUDQ PMULDQ: of the even double words
for (
  const [map, opcode, op] of [
    [OF, 0xf4, Simd.i64x2_extmul_low_i32x4_u],
    [OF38, 0x28, Simd.i64x2_extmul_low_i32x4_s],
  ] as const
) {
  onVector(
    map,
    [P66],
    opcode,
    toRegister((g) => {
      for (const v of [g.vx, g.vy]) {
        g.code.get(v);
        g.code.get(v);
        g.code.shuffle(elements(4, [0, 2, 0, 2]));
      }
      g.code.simd(op);
    }),
  );
}

// PMOVSX PMOVZX of half a vector
for (
  const [opcode, op] of [
    [0x20, Simd.i16x8_extend_low_i8x16_s],
    [0x23, Simd.i32x4_extend_low_i16x8_s],
    [0x25, Simd.i64x2_extend_low_i32x4_s],
    [0x30, Simd.i16x8_extend_low_i8x16_u],
    [0x33, Simd.i32x4_extend_low_i16x8_u],
    [0x35, Simd.i64x2_extend_low_i32x4_u],
  ]
) {
  onVector(OF38, [P66], opcode, (g, i, _size, memory) => {
    if (memory) g.operand(i, 3, false);
    put16(g, regAt(i), () => {
      if (memory) g.code.get(g.host);
      else g.code.i32(0);
      g.code.simdMemory(Simd.v128_load64_zero, memory ? 0 : rmAt(i));
      g.code.simd(op);
    });
  });
}

// --- shifts

interface Shift {
  readonly op: number;
  readonly bits: number;
  /** Signed ones fill with the sign. */
  readonly signed: boolean;
}
const SHIFTS: Readonly<Record<string, Shift>> = {
  rlw: { op: Simd.i16x8_shr_u, bits: 16, signed: false },
  rld: { op: Simd.i32x4_shr_u, bits: 32, signed: false },
  rlq: { op: Simd.i64x2_shr_u, bits: 64, signed: false },
  raw: { op: Simd.i16x8_shr_s, bits: 16, signed: true },
  rad: { op: Simd.i32x4_shr_s, bits: 32, signed: true },
  llw: { op: Simd.i16x8_shl, bits: 16, signed: false },
  lld: { op: Simd.i32x4_shl, bits: 32, signed: false },
  llq: { op: Simd.i64x2_shl, bits: 64, signed: false },
};

const shiftImmediate = ({ op, bits, signed }: Shift): Emitter => (g, i) => {
  const by = i.imm & 0xff;
  put16(g, rmAt(i), () => {
    if (by >= bits && !signed) return zero(g);
    fetch16(g, rmAt(i));
    g.code.i32(Math.min(by, bits - 1));
    g.code.simd(op);
  });
};
/** By the lower 64 bits of the source. */
const shiftBy = ({ op, bits, signed }: Shift) =>
  toRegister((g) => {
    const { code: c } = g;
    const most = signed ? bits - 1 : bits;
    c.get(g.vy);
    c.simd(Simd.i64x2_extract_lane);
    c.op(0);
    c.tee(g.x);
    c.i64(BigInt(most));
    c.get(g.x);
    c.i64(BigInt(most));
    c.op(Op.i64_lt_u);
    c.op(Op.select);
    c.op(Op.i32_wrap_i64);
    c.set(g.x32);
    c.get(g.vx);
    c.get(g.x32);
    c.simd(op);
    if (signed) return;
    // WebAssembly takes counts modulo the elements' bits
    c.get(g.x32);
    c.i32(bits);
    c.op(Op.i32_lt_u);
    c.i32(0);
    c.op(Op.i32_gt_s);
    c.op(Op.i64_extend_i32_u);
    c.set(g.x);
    c.i64(0n);
    c.get(g.x);
    c.op(Op.i64_sub);
    c.simd(Simd.i64x2_splat);
    c.simd(Simd.v128_and);
  });
for (
  const [opcode, digit, by, shift] of [
    [0x71, 2, 0xd1, SHIFTS.rlw],
    [0x71, 4, 0xe1, SHIFTS.raw],
    [0x71, 6, 0xf1, SHIFTS.llw],
    [0x72, 2, 0xd2, SHIFTS.rld],
    [0x72, 4, 0xe2, SHIFTS.rad],
    [0x72, 6, 0xf2, SHIFTS.lld],
    [0x73, 2, 0xd3, SHIFTS.rlq],
    [0x73, 6, 0xf3, SHIFTS.llq],
  ] as const
) {
  onVector(OF, [P66], opcode, shiftImmediate(shift), "register", digit);
  onVector(OF, [P66], by, shiftBy(shift));
}

// --- to general registers: PMOVMSKB MOVMSKPS MOVMSKPD PEXTRW; and PINSRW

for (
  const [prefix, opcode, op] of [
    [P66, 0xd7, Simd.i8x16_bitmask],
    [NONE, 0x50, Simd.i32x4_bitmask],
    [P66, 0x50, Simd.i64x2_bitmask],
  ] as const
) {
  onVector(OF, [prefix], opcode, (g, i) => {
    fetch16(g, rmAt(i));
    g.code.simd(op);
    g.setRegister(i.reg, 2);
  }, "register");
}
onVector(OF, [P66], 0xc5, (g, i) => {
  fetch(g, rmAt(i, (i.imm & 7) * 2), 1);
  g.setRegister(i.reg, 2);
}, "register");
onVector(OF, [P66], 0xc4, (g, i, _size, memory) => {
  const size: Size = 1;
  if (memory) g.operand(i, size, false);
  put(g, regAt(i, (i.imm & 7) * 2), size, () => {
    if (memory) g.loadHost(size);
    else g.getRegister(i.rm, size);
  });
});
