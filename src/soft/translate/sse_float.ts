// SSE floating point in WebAssembly's, where its result and MXCSR's flags are certain to be
// the processor's (core/insn/simd/quick.ts, whose conditions these are); the handler
// finds out what else there is. Source: SDM vol. 1, 11.5; vol. 2.

import "../number_types.ts";
import { MXCSR } from "../core/layout.ts";
import { OF } from "./encodings.ts";
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
  source16,
  sourcePart,
} from "./vectors.ts";
import { Op, Saturating, Simd } from "./wasm.ts";

/** MXCSR: all exceptions masked, to nearest, and PE set, so that it stays. */
function pushQuick(g: Generator): void {
  const { code: c } = g;
  c.i32(0);
  c.memory(Op.i32_load, MXCSR);
  c.i32(0x7fa0);
  c.op(Op.i32_and);
  c.i32(0x1fa0);
  c.op(Op.i32_eq);
}

/** Single or double precision: instructions on the bits (an integer) and on the number. */
interface Precision {
  readonly size: Size;
  /** Bits of a fraction. */
  readonly fraction: bigint;
  readonly exponents: bigint;
  readonly constant: (g: Generator, value: bigint) => void;
  readonly shl: number;
  readonly sub: number;
  readonly lessUnsigned: number;
  readonly eqz: number;
  readonly greaterSigned: number;
  readonly toFloat: number;
  readonly toBits: number;
  readonly lt: number;
  readonly ge: number;
  readonly eq: number;
  readonly trunc: number;
  readonly nearest: number;
  readonly arithmetic: Readonly<Record<number, number>>;
  readonly vectors: Readonly<Record<number, number>>;
  readonly vectorCompare: readonly number[];
  readonly vectorGreater: number;
  readonly vectorNe: number;
}

// the operations by their opcodes
const SQRT = 0x51, ADD = 0x58, MUL = 0x59, SUB = 0x5c, MIN = 0x5d, DIV = 0x5e;
const MAX = 0x5f;

/** The instructions of a precision, by the names that they have for it. */
function precision(
  f: "f32" | "f64",
  i: "i32" | "i64",
  v: "f32x4" | "f64x2",
  lanes: "i32x4" | "i64x2",
  own: Pick<Precision, "size" | "fraction" | "exponents" | "constant">,
): Precision {
  return {
    ...own,
    shl: Op[`${i}_shl`],
    sub: Op[`${i}_sub`],
    lessUnsigned: Op[`${i}_lt_u`],
    eqz: Op[`${i}_eqz`],
    greaterSigned: Op[`${i}_gt_s`],
    toFloat: f === "f32" ? Op.f32_reinterpret_i32 : Op.f64_reinterpret_i64,
    toBits: f === "f32" ? Op.i32_reinterpret_f32 : Op.i64_reinterpret_f64,
    lt: Op[`${f}_lt`],
    ge: Op[`${f}_ge`],
    eq: Op[`${f}_eq`],
    trunc: Op[`${f}_trunc`],
    nearest: Op[`${f}_nearest`],
    arithmetic: {
      [SQRT]: Op[`${f}_sqrt`],
      [ADD]: Op[`${f}_add`],
      [MUL]: Op[`${f}_mul`],
      [SUB]: Op[`${f}_sub`],
      [DIV]: Op[`${f}_div`],
    },
    vectors: {
      [SQRT]: Simd[`${v}_sqrt`],
      [ADD]: Simd[`${v}_add`],
      [MUL]: Simd[`${v}_mul`],
      [SUB]: Simd[`${v}_sub`],
      [MIN]: Simd[`${v}_pmin`],
      [DIV]: Simd[`${v}_div`],
      [MAX]: Simd[`${v}_pmax`],
    },
    vectorCompare: [Simd[`${v}_eq`], Simd[`${v}_lt`], Simd[`${v}_le`]],
    vectorGreater: Simd[`${lanes}_gt_s`],
    vectorNe: Simd[`${v}_ne`],
  };
}

const SINGLE = precision("f32", "i32", "f32x4", "i32x4", {
  size: 2,
  fraction: 23n,
  exponents: 0xffn,
  constant: (g, value) => g.code.i32(Number(BigInt.asIntN(32, value))),
});
const DOUBLE = precision("f64", "i64", "f64x2", "i64x2", {
  size: 3,
  fraction: 52n,
  exponents: 0x7ffn,
  constant: (g, value) => g.code.i64(value),
});

// --- one element: the operands' bits are in x and y, the result's in z

const bits = (g: Generator, p: Precision) =>
  p.size === 3 ? [g.x, g.y, g.z] : [g.x32, g.y32, g.z32];

/** Pushes a number's bits without the sign, shifted up. */
function doubled(g: Generator, p: Precision, v: number): void {
  g.code.get(v);
  p.constant(g, 1n);
  g.code.op(p.shl);
}

/** Pushes whether v is denormal. */
function denormal(g: Generator, p: Precision, v: number): void {
  doubled(g, p, v);
  p.constant(g, 1n);
  g.code.op(p.sub);
  p.constant(g, (1n << (p.fraction + 1n)) - 1n);
  g.code.op(p.lessUnsigned);
}

/** Pushes whether v is neither zero, denormal, in the least normal binade, infinite nor NaN. */
function ordinary(g: Generator, p: Precision, v: number): void {
  doubled(g, p, v);
  p.constant(g, 2n << (p.fraction + 1n));
  g.code.op(p.sub);
  p.constant(g, (p.exponents - 2n) << (p.fraction + 1n));
  g.code.op(p.lessUnsigned);
}

function zero(g: Generator, p: Precision, v: number): void {
  doubled(g, p, v);
  g.code.op(p.eqz);
}

function pushFloat(g: Generator, p: Precision, v: number): void {
  g.code.get(v);
  g.code.op(p.toFloat);
}

/** Pushes whether neither x nor y is denormal. */
function bothNormal(g: Generator, p: Precision): void {
  const [x, y] = bits(g, p);
  denormal(g, p, x);
  denormal(g, p, y);
  g.code.op(Op.i32_or);
  g.code.op(Op.i32_eqz);
}

/** Pushes whether neither x nor y is a NaN. */
function bothNumbers(g: Generator, p: Precision): void {
  const [x, y] = bits(g, p);
  for (const v of [x, y]) {
    pushFloat(g, p, v);
    pushFloat(g, p, v);
    g.code.op(p.eq);
  }
  g.code.op(Op.i32_and);
}

/** Pushes whether z, the result of an operation on x and y, raises nothing but PE. */
function fits(g: Generator, p: Precision, opcode: number): void {
  const { code: c } = g;
  const [x, y, z] = bits(g, p);
  if (opcode === SQRT) {
    ordinary(g, p, y);
    c.get(y);
    p.constant(g, 0n);
    c.op(p.greaterSigned);
    c.op(Op.i32_and);
    return;
  }
  bothNormal(g, p);
  if (opcode === MIN || opcode === MAX) bothNumbers(g, p);
  else {
    ordinary(g, p, z);
    if (opcode !== DIV) {
      zero(g, p, z);
      if (opcode === MUL) {
        // not by underflow
        zero(g, p, x);
        zero(g, p, y);
        c.op(Op.i32_or);
        c.op(Op.i32_and);
      }
      c.op(Op.i32_or);
    }
  }
  c.op(Op.i32_and);
}

const scalar = (p: Precision, opcode: number): Emitter => (g, i) => {
  const { code: c } = g;
  const [x, y, z] = bits(g, p);
  sourcePart(g, i, p.size);
  c.set(y);
  fetch(g, regAt(i), p.size);
  c.set(x);
  if (opcode === MIN || opcode === MAX) {
    c.get(x);
    c.get(y);
    pushFloat(g, p, opcode === MIN ? x : y);
    pushFloat(g, p, opcode === MIN ? y : x);
    c.op(p.lt);
    c.op(Op.select);
  } else {
    if (opcode !== SQRT) pushFloat(g, p, x);
    pushFloat(g, p, y);
    c.op(p.arithmetic[opcode]);
    c.op(p.toBits);
  }
  c.set(z);
  fits(g, p, opcode);
  if (opcode !== MIN && opcode !== MAX) {
    pushQuick(g);
    c.op(Op.i32_and);
  }
  g.quickly(
    () => put(g, regAt(i), p.size, () => c.get(z)),
    () => g.callFloating(i),
  );
};

// --- all elements: the operands are in vx and vy, the result in vz

/** Pushes one element's bits in all elements. */
function all(g: Generator, p: Precision, value: bigint): void {
  const half = p.size === 3 ? value : value << 32n | value;
  g.code.v128(half, half);
}

/** Sets `to` to the absolute value of `v`: as a signed integer it is in the numbers' order. */
function magnitude(g: Generator, p: Precision, v: number, to: number): void {
  g.code.get(v);
  all(g, p, (p.exponents << p.fraction) | ((1n << p.fraction) - 1n));
  g.code.simd(Simd.v128_and);
  g.code.set(to);
}

/** Pushes ones in each element whose magnitude, in `m`, is below `limit`, but for 0 if `zero`. */
function below(
  g: Generator,
  p: Precision,
  m: number,
  limit: bigint,
  exceptZero: boolean,
): void {
  const { code: c } = g;
  all(g, p, limit);
  c.get(m);
  c.simd(p.vectorGreater);
  if (!exceptZero) return;
  c.get(m);
  c.v128(0n, 0n);
  c.simd(p.vectorGreater);
  c.simd(Simd.v128_and);
}

/** Pushes ones in each element of the vectors that is denormal. */
function denormals(
  g: Generator,
  p: Precision,
  vectors: readonly number[],
): void {
  vectors.forEach((v, n) => {
    magnitude(g, p, v, g.vt);
    below(g, p, g.vt, 1n << p.fraction, true);
    if (n > 0) g.code.simd(Simd.v128_or);
  });
}

/** Pushes ones in each element of the vectors that is a NaN. */
function notNumbers(
  g: Generator,
  p: Precision,
  vectors: readonly number[],
): void {
  vectors.forEach((v, n) => {
    g.code.get(v);
    g.code.get(v);
    g.code.simd(p.vectorNe);
    if (n > 0) g.code.simd(Simd.v128_or);
  });
}

/** Pushes ones in each element of v that is not ordinary(), nor zero if that is allowed. */
function unordinary(
  g: Generator,
  p: Precision,
  v: number,
  zeroAllowed: boolean,
): void {
  const { code: c } = g;
  magnitude(g, p, v, g.vt);
  c.get(g.vt);
  all(g, p, (p.exponents << p.fraction) - 1n);
  c.simd(p.vectorGreater);
  below(g, p, g.vt, 2n << p.fraction, zeroAllowed);
  c.simd(Simd.v128_or);
}

const packed = (p: Precision, opcode: number): Emitter => (g, i) => {
  const { code: c } = g;
  source16(g, i);
  c.set(g.vy);
  fetch16(g, regAt(i));
  c.set(g.vx);
  const least = opcode === MIN || opcode === MAX;
  // pmin is "second < first ? second : first"
  if (least) c.get(g.vy);
  if (opcode !== SQRT) c.get(g.vx);
  if (!least) c.get(g.vy);
  c.simd(p.vectors[opcode]);
  c.set(g.vz);
  if (opcode === SQRT) {
    // positive and ordinary
    c.get(g.vy);
    all(g, p, (p.exponents << p.fraction) - 1n);
    c.simd(p.vectorGreater);
    below(g, p, g.vy, 2n << p.fraction, false);
    c.simd(Simd.v128_or);
  } else {
    denormals(g, p, [g.vx, g.vy]);
    if (least) notNumbers(g, p, [g.vx, g.vy]);
    // a product of 0 is left to the handler, which sees whether it is one of zeros
    else unordinary(g, p, g.vz, opcode === ADD || opcode === SUB);
    c.simd(Simd.v128_or);
  }
  c.simd(Simd.v128_any_true);
  c.op(Op.i32_eqz);
  if (!least) {
    pushQuick(g);
    c.op(Op.i32_and);
  }
  g.quickly(
    () => put16(g, regAt(i), () => c.get(g.vz)),
    () => g.callFloating(i),
  );
};

for (const opcode of [SQRT, ADD, MUL, SUB, MIN, DIV, MAX]) {
  onVector(OF, [NONE], opcode, packed(SINGLE, opcode));
  onVector(OF, [P66], opcode, packed(DOUBLE, opcode));
  onVector(OF, [F3], opcode, scalar(SINGLE, opcode));
  onVector(OF, [F2], opcode, scalar(DOUBLE, opcode));
}

// --- comparisons

/** UCOMISx COMISx: between numbers that are not denormal they raise nothing. */
const compare = (p: Precision): Emitter => (g, i) => {
  const { code: c } = g;
  const [x, y] = bits(g, p);
  sourcePart(g, i, p.size);
  c.set(y);
  fetch(g, regAt(i), p.size);
  c.set(x);
  bothNormal(g, p);
  bothNumbers(g, p);
  c.op(Op.i32_and);
  g.quickly(() => {
    pushFloat(g, p, x);
    pushFloat(g, p, y);
    c.op(p.eq);
    c.set(g.z32);
    pushFloat(g, p, x);
    pushFloat(g, p, y);
    c.op(p.lt);
    c.set(g.x32);
    g.setComparison(g.x32, g.z32);
  }, () => g.callHandler(i));
};
for (const opcode of [0x2e, 0x2f]) {
  onVector(OF, [NONE], opcode, compare(SINGLE));
  onVector(OF, [P66], opcode, compare(DOUBLE));
}

/** CMPxx: predicates EQ LT LE UNORD, and their opposites. */
const comparePacked = (p: Precision): Emitter => (g, i) => {
  const { code: c } = g;
  source16(g, i);
  c.set(g.vy);
  fetch16(g, regAt(i));
  c.set(g.vx);
  denormals(g, p, [g.vx, g.vy]);
  notNumbers(g, p, [g.vx, g.vy]);
  c.simd(Simd.v128_or);
  c.simd(Simd.v128_any_true);
  c.op(Op.i32_eqz);
  const predicate = i.imm & 3;
  g.quickly(() =>
    put16(g, regAt(i), () => {
      if (predicate === 3) c.v128(0n, 0n);
      else {
        c.get(g.vx);
        c.get(g.vy);
        c.simd(p.vectorCompare[predicate]);
      }
      if (i.imm & 4) c.simd(Simd.v128_not);
    }), () => g.callFloating(i));
};
const compareScalar = (p: Precision): Emitter => (g, i) => {
  const { code: c } = g;
  const [x, y] = bits(g, p);
  sourcePart(g, i, p.size);
  c.set(y);
  fetch(g, regAt(i), p.size);
  c.set(x);
  bothNormal(g, p);
  bothNumbers(g, p);
  c.op(Op.i32_and);
  const predicate = i.imm & 3;
  g.quickly(() =>
    put(g, regAt(i), p.size, () => {
      p.constant(g, -1n);
      p.constant(g, 0n);
      if (predicate === 3) c.i32(0);
      else if (predicate === 2) {
        pushFloat(g, p, y);
        pushFloat(g, p, x);
        c.op(p.ge);
      } else {
        pushFloat(g, p, x);
        pushFloat(g, p, y);
        c.op(predicate === 0 ? p.eq : p.lt);
      }
      if (i.imm & 4) c.op(Op.i32_eqz);
      c.op(Op.select);
    }), () => g.callFloating(i));
};
onVector(OF, [NONE], 0xc2, comparePacked(SINGLE));
onVector(OF, [P66], 0xc2, comparePacked(DOUBLE));
onVector(OF, [F3], 0xc2, compareScalar(SINGLE));
onVector(OF, [F2], 0xc2, compareScalar(DOUBLE));

// --- conversions

/** CVTSI2SS CVTSI2SD. */
const fromInteger = (p: Precision): Emitter => (g, i, size, memory) => {
  const { code: c } = g;
  if (memory) {
    g.operand(i, size, false);
    g.loadHost(size);
  } else g.getRegister(i.rm, size);
  if (p.size === 2) {
    c.op(size === 3 ? Op.f32_convert_i64_s : Op.f32_convert_i32_s);
  } else c.op(size === 3 ? Op.f64_convert_i64_s : Op.f64_convert_i32_s);
  c.op(p.toBits);
  const [, , z] = bits(g, p);
  c.set(z);
  const result = () => put(g, regAt(i), p.size, () => c.get(z));
  // exact
  if (size === 2 && p.size === 3) return result();
  pushQuick(g);
  g.quickly(result, () => g.callFloating(i));
};
onSized(OF, F3, 0x2a, fromInteger(SINGLE));
onSized(OF, F2, 0x2a, fromInteger(DOUBLE));

/** CVTSS2SI CVTSD2SI and, `cut`, those that truncate. */
const toInteger = (p: Precision, cut: boolean): Emitter => (g, i, size) => {
  const { code: c } = g;
  const [x, y] = bits(g, p);
  sourcePart(g, i, p.size);
  c.tee(y);
  c.op(p.toFloat);
  c.op(cut ? p.trunc : p.nearest);
  c.op(p.toBits);
  c.set(x);
  // -2^31 or -2^63, and less than its opposite
  const bias = (p.exponents >> 1n) + (size === 3 ? 63n : 31n);
  const limit = bias << p.fraction, sign = (p.exponents + 1n) << p.fraction;
  pushFloat(g, p, x);
  p.constant(g, BigInt.asIntN(64, limit));
  c.op(p.toFloat);
  c.op(p.lt);
  pushFloat(g, p, x);
  p.constant(g, BigInt.asIntN(p.size === 3 ? 64 : 32, limit | sign));
  c.op(p.toFloat);
  c.op(p.ge);
  c.op(Op.i32_and);
  pushQuick(g);
  if (cut) {
    pushFloat(g, p, x);
    pushFloat(g, p, y);
    c.op(p.eq);
    c.op(Op.i32_or);
  }
  c.op(Op.i32_and);
  g.quickly(() => {
    pushFloat(g, p, x);
    if (p.size === 2) {
      c.saturating(size === 3 ? Saturating.i64_f32_s : Saturating.i32_f32_s);
    } else {
      c.saturating(size === 3 ? Saturating.i64_f64_s : Saturating.i32_f64_s);
    }
    g.setRegister(i.reg, size);
  }, () => g.callFloating(i, i.reg));
};
for (const [prefix, p] of [[F3, SINGLE], [F2, DOUBLE]] as const) {
  onSized(OF, prefix, 0x2c, toInteger(p, true));
  onSized(OF, prefix, 0x2d, toInteger(p, false));
}

// CVTSS2SD: exact
onVector(OF, [F3], 0x5a, (g, i) => {
  const { code: c } = g;
  sourcePart(g, i, 2);
  c.set(g.x32);
  ordinary(g, SINGLE, g.x32);
  zero(g, SINGLE, g.x32);
  c.op(Op.i32_or);
  g.quickly(() =>
    put(g, regAt(i), 3, () => {
      pushFloat(g, SINGLE, g.x32);
      c.op(Op.f64_promote_f32);
      c.op(Op.i64_reinterpret_f64);
    }), () => g.callFloating(i));
});
// CVTSD2SS
onVector(OF, [F2], 0x5a, (g, i) => {
  const { code: c } = g;
  sourcePart(g, i, 3);
  c.set(g.x);
  pushFloat(g, DOUBLE, g.x);
  c.op(Op.f32_demote_f64);
  c.op(Op.i32_reinterpret_f32);
  c.set(g.z32);
  ordinary(g, SINGLE, g.z32);
  zero(g, DOUBLE, g.x);
  c.op(Op.i32_or);
  pushQuick(g);
  c.op(Op.i32_and);
  g.quickly(
    () => put(g, regAt(i), 2, () => c.get(g.z32)),
    () => g.callFloating(i),
  );
});
/** Sets vy to the source's lower 8 bytes. */
function half(g: Generator, i: Instruction): void {
  sourcePart(g, i, 3);
  g.code.simd(Simd.i64x2_splat);
  g.code.set(g.vy);
}
// CVTPS2PD: exact
onVector(OF, [NONE], 0x5a, (g, i) => {
  const { code: c } = g;
  half(g, i);
  unordinary(g, SINGLE, g.vy, true);
  c.simd(Simd.v128_any_true);
  c.op(Op.i32_eqz);
  g.quickly(() =>
    put16(g, regAt(i), () => {
      c.get(g.vy);
      c.simd(Simd.f64x2_promote_low_f32x4);
    }), () => g.callFloating(i));
});
// CVTDQ2PD: exact
onVector(OF, [F3], 0xe6, (g, i) => {
  half(g, i);
  put16(g, regAt(i), () => {
    g.code.get(g.vy);
    g.code.simd(Simd.f64x2_convert_low_i32x4_s);
  });
});
// CVTDQ2PS
onVector(OF, [NONE], 0x5b, (g, i) => {
  const { code: c } = g;
  source16(g, i);
  c.set(g.vy);
  pushQuick(g);
  g.quickly(() =>
    put16(g, regAt(i), () => {
      c.get(g.vy);
      c.simd(Simd.f32x4_convert_i32x4_s);
    }), () => g.callFloating(i));
});
