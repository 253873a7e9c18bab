// 80-bit sums, products and quotients of normal numbers, to nearest and with 64 bits, as
// functions that regions import: what core/fp (kernel.ts, round.ts) computes for any
// operands and modes, for those that nearly all are.

import "../number_types.ts";
import { Code, type FunctionType, I32, I64, Op } from "./wasm.ts";

/** Of significands and sign and exponent words to a significand, and what RESULT says. */
export const ARITHMETIC: FunctionType = {
  params: [I64, I32, I64, I32],
  results: [I64, I32],
};
/** Of 128 bits of significand, the exponent and the sign, to the same. */
export const ROUNDING: FunctionType = {
  params: [I64, I64, I32, I32],
  results: [I64, I32],
};

/** The second result: sign and exponent, and these; negative if the first is none. */
export const RESULT = { PE: 16, ROUNDED_UP: 17 } as const;

const TOP = -0x8000_0000_0000_0000n;
const LOW = 0xffff_ffffn;
const BIAS = 16383;

/** Rounds (hi, lo, exponent, sign) to 64 bits. */
function rounding(): Code {
  const c = new Code(4);
  const hi = 0, lo = 1, e = 2, sign = 3;
  const up = c.local(I32);
  c.get(lo);
  c.i64(TOP);
  c.op(Op.i64_gt_u);
  c.get(lo);
  c.i64(TOP);
  c.op(Op.i64_eq);
  c.get(hi);
  c.op(Op.i32_wrap_i64);
  c.op(Op.i32_and);
  c.op(Op.i32_or);
  c.set(up);
  c.get(hi);
  c.get(up);
  c.op(Op.i64_extend_i32_u);
  c.op(Op.i64_add);
  c.tee(hi);
  c.op(Op.i64_eqz);
  c.ifUnlikely();
  c.i64(TOP);
  c.set(hi);
  c.get(e);
  c.i32(1);
  c.op(Op.i32_add);
  c.set(e);
  c.end();
  c.get(hi);
  c.get(sign);
  c.get(e);
  c.op(Op.i32_or);
  c.get(lo);
  c.i64(0n);
  c.op(Op.i64_ne);
  c.i32(RESULT.PE);
  c.op(Op.i32_shl);
  c.op(Op.i32_or);
  c.get(up);
  c.i32(RESULT.ROUNDED_UP);
  c.op(Op.i32_shl);
  c.op(Op.i32_or);
  c.i32(-1);
  normalExponent(c, e);
  c.op(Op.select);
  return c;
}

/** Pushes whether an exponent is a normal number's. */
function normalExponent(c: Code, e: number): void {
  c.get(e);
  c.i32(1);
  c.op(Op.i32_sub);
  c.i32(0x7ffe);
  c.op(Op.i32_lt_u);
}

/** The beginning of operations: exponents, and -1 unless both operands are normal. */
function begin(): {
  readonly c: Code;
  readonly e1: number;
  readonly e2: number;
} {
  const c = new Code(4);
  const e1 = c.local(I32), e2 = c.local(I32);
  for (const [word, e] of [[1, e1], [3, e2]]) {
    c.get(word);
    c.i32(0x7fff);
    c.op(Op.i32_and);
    c.set(e);
  }
  c.get(0);
  c.get(2);
  c.op(Op.i64_and);
  c.i64(0n);
  c.op(Op.i64_ge_s);
  for (const e of [e1, e2]) {
    normalExponent(c, e);
    c.op(Op.i32_eqz);
    c.op(Op.i32_or);
  }
  c.ifUnlikely();
  c.i64(0n);
  c.i32(-1);
  c.return_();
  c.end();
  return { c, e1, e2 };
}

/** Pushes the result's sign of a product or quotient. */
function pushSign(c: Code): void {
  c.get(1);
  c.get(3);
  c.op(Op.i32_xor);
  c.i32(0x8000);
  c.op(Op.i32_and);
}

function sum(round: number): Code {
  const { c, e1, e2 } = begin();
  const m1 = 0, se1 = 1, m2 = 2, se2 = 3;
  const d = c.local(I32), t = c.local(I32);
  const hi = c.local(I64), lo = c.local(I64), x = c.local(I64);
  // the greater magnitude first
  c.get(e1);
  c.get(e2);
  c.op(Op.i32_lt_u);
  c.get(e1);
  c.get(e2);
  c.op(Op.i32_eq);
  c.get(m1);
  c.get(m2);
  c.op(Op.i64_lt_u);
  c.op(Op.i32_and);
  c.op(Op.i32_or);
  c.if_();
  for (const [a, b, spare] of [[m1, m2, x], [se1, se2, t], [e1, e2, t]]) {
    c.get(a);
    c.set(spare);
    c.get(b);
    c.set(a);
    c.get(spare);
    c.set(b);
  }
  c.end();
  // hi:lo is the other one, shifted to the same exponent; a bit that is lost counts in lo's last
  const shift = (op: number, back: boolean) => {
    c.get(m2);
    if (back) {
      c.i32(64);
      c.get(d);
      c.op(Op.i32_sub);
    } else c.get(d);
    c.op(Op.i64_extend_i32_u);
    c.op(op);
  };
  c.get(e1);
  c.get(e2);
  c.op(Op.i32_sub);
  c.tee(d);
  c.i32(64);
  c.op(Op.i32_lt_u);
  c.if_();
  shift(Op.i64_shr_u, false);
  c.set(hi);
  c.get(d);
  c.if_();
  shift(Op.i64_shl, true);
  c.set(lo);
  c.end();
  c.else_();
  c.get(d);
  c.i32(128);
  c.op(Op.i32_lt_u);
  c.if_();
  // by d - 64, which is d to WebAssembly
  shift(Op.i64_shr_u, false);
  c.get(m2);
  c.i64(1n);
  c.get(d);
  c.op(Op.i64_extend_i32_u);
  c.op(Op.i64_shl);
  c.i64(1n);
  c.op(Op.i64_sub);
  c.op(Op.i64_and);
  c.i64(0n);
  c.op(Op.i64_ne);
  c.op(Op.i64_extend_i32_u);
  c.op(Op.i64_or);
  c.set(lo);
  c.else_();
  c.i64(1n);
  c.set(lo);
  c.end();
  c.end();
  c.get(se1);
  c.get(se2);
  c.op(Op.i32_xor);
  c.i32(0x8000);
  c.op(Op.i32_and);
  c.op(Op.i32_eqz);
  c.if_();
  c.get(m1);
  c.get(hi);
  c.op(Op.i64_add);
  c.tee(hi);
  c.get(m1);
  c.op(Op.i64_lt_u);
  c.if_();
  c.get(hi);
  c.i64(63n);
  c.op(Op.i64_shl);
  c.get(lo);
  c.i64(1n);
  c.op(Op.i64_shr_u);
  c.op(Op.i64_or);
  c.get(lo);
  c.i64(1n);
  c.op(Op.i64_and);
  c.op(Op.i64_or);
  c.set(lo);
  c.get(hi);
  c.i64(1n);
  c.op(Op.i64_shr_u);
  c.i64(TOP);
  c.op(Op.i64_or);
  c.set(hi);
  c.get(e1);
  c.i32(1);
  c.op(Op.i32_add);
  c.set(e1);
  c.end();
  c.else_();
  c.get(m1);
  c.get(hi);
  c.op(Op.i64_sub);
  c.get(lo);
  c.i64(0n);
  c.op(Op.i64_ne);
  c.op(Op.i64_extend_i32_u);
  c.op(Op.i64_sub);
  c.set(hi);
  c.i64(0n);
  c.get(lo);
  c.op(Op.i64_sub);
  c.set(lo);
  c.get(hi);
  c.op(Op.i64_eqz);
  c.ifUnlikely();
  c.get(lo);
  c.op(Op.i64_eqz);
  c.if_();
  c.i64(0n); // +0, to nearest
  c.i32(0);
  c.return_();
  c.end();
  c.get(lo);
  c.set(hi);
  c.i64(0n);
  c.set(lo);
  c.get(e1);
  c.i32(64);
  c.op(Op.i32_sub);
  c.set(e1);
  c.end();
  normalise();
  c.end();
  c.get(hi);
  c.get(lo);
  c.get(e1);
  c.get(se1);
  c.i32(0x8000);
  c.op(Op.i32_and);
  c.call(round);
  return c;

  /** Shifts hi:lo up to hi's top bit. */
  function normalise(): void {
    c.get(hi);
    c.op(Op.i64_clz);
    c.tee(x);
    c.op(Op.i64_eqz);
    c.op(Op.i32_eqz);
    c.if_();
    c.get(hi);
    c.get(x);
    c.op(Op.i64_shl);
    c.get(lo);
    c.i64(64n);
    c.get(x);
    c.op(Op.i64_sub);
    c.op(Op.i64_shr_u);
    c.op(Op.i64_or);
    c.set(hi);
    c.get(lo);
    c.get(x);
    c.op(Op.i64_shl);
    c.set(lo);
    c.get(e1);
    c.get(x);
    c.op(Op.i32_wrap_i64);
    c.op(Op.i32_sub);
    c.set(e1);
    c.end();
  }
}

function product(round: number): Code {
  const { c, e1, e2 } = begin();
  const m1 = 0, m2 = 2;
  const middle = c.local(I64), lh = c.local(I64), hi = c.local(I64);
  const lo = c.local(I64);
  const part = (m: number, high: boolean) => {
    c.get(m);
    c.i64(high ? 32n : LOW);
    c.op(high ? Op.i64_shr_u : Op.i64_and);
  };
  const times = (high1: boolean, high2: boolean) => {
    part(m1, high1);
    part(m2, high2);
    c.op(Op.i64_mul);
  };
  times(false, true);
  c.set(lh);
  times(false, false);
  c.i64(32n);
  c.op(Op.i64_shr_u);
  part(lh, false);
  c.op(Op.i64_add);
  times(true, false);
  c.op(Op.i64_add);
  c.set(middle);
  times(true, true);
  part(lh, true);
  c.op(Op.i64_add);
  part(middle, true);
  c.op(Op.i64_add);
  c.set(hi);
  c.get(m1);
  c.get(m2);
  c.op(Op.i64_mul);
  c.set(lo);
  c.get(e1);
  c.get(e2);
  c.op(Op.i32_add);
  c.i32(BIAS - 1);
  c.op(Op.i32_sub);
  c.set(e1);
  c.get(hi);
  c.i64(0n);
  c.op(Op.i64_ge_s);
  c.if_();
  c.get(hi);
  c.i64(1n);
  c.op(Op.i64_shl);
  c.get(lo);
  c.i64(63n);
  c.op(Op.i64_shr_u);
  c.op(Op.i64_or);
  c.set(hi);
  c.get(lo);
  c.i64(1n);
  c.op(Op.i64_shl);
  c.set(lo);
  c.get(e1);
  c.i32(1);
  c.op(Op.i32_sub);
  c.set(e1);
  c.end();
  c.get(hi);
  c.get(lo);
  c.get(e1);
  pushSign(c);
  c.call(round);
  return c;
}

/** Knuth's algorithm D with digits of 32 bits. */
function quotient(round: number): Code {
  const { c, e1, e2 } = begin();
  const m1 = 0, m2 = 2;
  const high = c.local(I64), low = c.local(I64), dh = c.local(I64);
  const dl = c.local(I64), r = c.local(I64), q1 = c.local(I64);
  const q0 = c.local(I64);
  c.get(e1);
  c.get(e2);
  c.op(Op.i32_sub);
  c.i32(BIAS);
  c.op(Op.i32_add);
  c.set(e1);
  c.get(m1);
  c.get(m2);
  c.op(Op.i64_ge_u);
  c.if_();
  c.get(m1);
  c.i64(63n);
  c.op(Op.i64_shl);
  c.set(low);
  c.get(m1);
  c.i64(1n);
  c.op(Op.i64_shr_u);
  c.set(high);
  c.else_();
  c.get(m1);
  c.set(high);
  c.get(e1);
  c.i32(1);
  c.op(Op.i32_sub);
  c.set(e1);
  c.end();
  c.get(m2);
  c.i64(32n);
  c.op(Op.i64_shr_u);
  c.set(dh);
  c.get(m2);
  c.i64(LOW);
  c.op(Op.i64_and);
  c.set(dl);
  /** Pushes `n` times 2^32 plus a digit of `low`. */
  const joined = (n: number, first: boolean) => {
    c.get(n);
    c.i64(32n);
    c.op(Op.i64_shl);
    c.get(low);
    c.i64(first ? 32n : LOW);
    c.op(first ? Op.i64_shr_u : Op.i64_and);
    c.op(Op.i64_or);
  };
  /** Sets q to a digit of the quotient of `high` and the next digit; `high` is what is left. */
  const digit = (q: number, first: boolean) => {
    c.get(high);
    c.get(dh);
    c.op(Op.i64_div_u);
    c.set(q);
    c.get(high);
    c.get(q);
    c.get(dh);
    c.op(Op.i64_mul);
    c.op(Op.i64_sub);
    c.set(r);
    c.block("good");
    c.loop("less");
    c.get(q);
    c.i64(LOW);
    c.op(Op.i64_gt_u);
    c.get(q);
    c.get(dl);
    c.op(Op.i64_mul);
    joined(r, first);
    c.op(Op.i64_gt_u);
    c.op(Op.i32_or);
    c.op(Op.i32_eqz);
    c.brIf("good");
    c.get(q);
    c.i64(1n);
    c.op(Op.i64_sub);
    c.set(q);
    c.get(r);
    c.get(dh);
    c.op(Op.i64_add);
    c.tee(r);
    c.i64(LOW);
    c.op(Op.i64_le_u);
    c.brIf("less");
    c.end();
    c.end();
    joined(high, first);
    c.get(q);
    c.get(m2);
    c.op(Op.i64_mul);
    c.op(Op.i64_sub);
    c.set(high);
  };
  digit(q1, true);
  digit(q0, false);
  c.get(q1);
  c.i64(32n);
  c.op(Op.i64_shl);
  c.get(q0);
  c.op(Op.i64_or);
  // what is left, against half the divisor
  c.i64(0n);
  c.i64(0x4000_0000_0000_0000n);
  c.i64(TOP);
  c.i64(-0x4000_0000_0000_0000n);
  c.get(high);
  c.i64(1n);
  c.op(Op.i64_shl);
  c.tee(r);
  c.get(m2);
  c.op(Op.i64_eq);
  c.get(high);
  c.i64(0n);
  c.op(Op.i64_ge_s);
  c.op(Op.i32_and);
  c.op(Op.select);
  c.get(high);
  c.i64(0n);
  c.op(Op.i64_lt_s);
  c.get(r);
  c.get(m2);
  c.op(Op.i64_ge_u);
  c.op(Op.i32_or);
  c.op(Op.i32_eqz);
  c.op(Op.select);
  c.get(high);
  c.op(Op.i64_eqz);
  c.op(Op.select);
  c.get(e1);
  pushSign(c);
  c.call(round);
  return c;
}

/** Sum, product, quotient and rounding, for a module in which `round` is the last's number. */
export function x87Functions(round: number): readonly Code[] {
  return [sum(round), product(round), quotient(round), rounding()];
}
