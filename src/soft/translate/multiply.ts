// Multiplications and divisions.

import "../number_types.ts";
import { A, E, form, G } from "../instructions/forms.ts";
import { OF, ONE, WIDE } from "./encodings.ts";
import { extend, type Generator } from "./generator.ts";
import { Lazy } from "./lazy.ts";
import { type Emission, RAX, RDX, type Value } from "./machine.ts";
import { row } from "./row.ts";
import { Op } from "./wasm.ts";

/** Has an i64 local be an operand, sign- or zero-extended. */
function widen(
  m: Emission,
  local: number,
  value: Value,
  signed: boolean,
): void {
  const { g, size } = m;
  const { code: c } = g;
  value.push();
  if (size < 3) c.op(Op.i64_extend_i32_u);
  if (size < 3 && signed) extend(c, size);
  c.set(local);
}

/** Pushes the sign of an i64 local in all bits. */
function pushSign({ code: c }: Generator, local: number): void {
  c.get(local);
  c.i64(63n);
  c.op(Op.i64_shr_s);
}

/** High half of the signed product of x and y, left in z; fa and fb are used. */
function highSigned(g: Generator): void {
  const { code: c } = g;
  highUnsigned(g);
  // minus y where x is negative, and x where y is
  const correct = (sign: number, value: number) => {
    c.get(g.z);
    pushSign(g, sign);
    c.get(value);
    c.op(Op.i64_and);
    c.op(Op.i64_sub);
    c.set(g.z);
  };
  correct(g.x, g.y);
  correct(g.y, g.x);
}

/** High half of the product of x and y, left in z; fa and fb are used. */
function highUnsigned(g: Generator): void {
  const { code: c } = g;
  const low = (v: number) => {
    c.get(v);
    c.i64(0xffff_ffffn);
    c.op(Op.i64_and);
  };
  const high = (v: number) => {
    c.get(v);
    c.i64(32n);
    c.op(Op.i64_shr_u);
  };
  // fa = xl * yl >> 32, plus xh * yl
  low(g.x);
  low(g.y);
  c.op(Op.i64_mul);
  c.i64(32n);
  c.op(Op.i64_shr_u);
  high(g.x);
  low(g.y);
  c.op(Op.i64_mul);
  c.op(Op.i64_add);
  c.set(g.fa);
  // fb = low half of that, plus xl * yh
  low(g.fa);
  low(g.x);
  high(g.y);
  c.op(Op.i64_mul);
  c.op(Op.i64_add);
  c.set(g.fb);
  high(g.x);
  high(g.y);
  c.op(Op.i64_mul);
  high(g.fa);
  c.op(Op.i64_add);
  high(g.fb);
  c.op(Op.i64_add);
  c.set(g.z);
}

/**
 * The product of x and y: its low half, of the operand size, is left in fr. If `isWide` all
 * of it is left in z, of 8-byte operands the high half. CF and OF say whether the low half
 * is enough.
 */
function multiply(
  { g, size }: Emission,
  signed: boolean,
  isWide: boolean,
): void {
  const { code: c } = g;
  const high = () => {
    if (size < 3) return;
    if (signed) highSigned(g);
    else highUnsigned(g);
  };
  if (isWide) high();
  c.get(g.x);
  c.get(g.y);
  c.op(Op.i64_mul);
  if (size < 3) {
    c.tee(g.z);
    c.i64((1n << BigInt(8 << size)) - 1n);
    c.op(Op.i64_and);
  }
  c.set(g.fr);
  g.setFlags(Lazy.SET, size, () => {
    if (!isWide) high();
    c.get(g.z);
    if (size === 3) {
      if (signed) pushSign(g, g.fr);
      else c.i64(0n);
    } else {
      c.get(g.fr);
      if (signed) extend(c, size);
    }
    c.op(Op.i64_ne);
    c.op(Op.i64_extend_i32_u);
    c.tee(g.fa);
    c.set(g.fb);
  });
}

const low = ({ g, size }: Emission): Value => ({
  push: () => g.getNarrow(g.fr, size),
});

// IMUL of two operands, and of three
row([form(OF, 0xaf, -1, WIDE, G, E)], (m, to, by) => {
  const { g } = m;
  widen(m, g.y, m.read(by), true);
  widen(m, g.x, m.read(to), true);
  multiply(m, true, false);
  m.write(to, low(m));
});
row([
  form(ONE, 0x69, -1, WIDE, G, E),
  form(ONE, 0x6b, -1, WIDE, G, E),
], (m, to, from) => {
  const { g, i } = m;
  widen(m, g.x, m.read(from), true);
  g.code.i64(BigInt(i.imm));
  g.code.set(g.y);
  multiply(m, true, false);
  m.write(to, low(m));
});

// MUL and IMUL of rAX into rDX:rAX
for (const [digit, signed] of [[4, false], [5, true]] as const) {
  row([form(ONE, 0xf7, digit, WIDE, A, E)], (m, to, by) => {
    const { g, size } = m;
    const { code: c } = g;
    widen(m, g.y, m.read(by), signed);
    widen(m, g.x, m.read(to), signed);
    multiply(m, signed, true);
    m.write(to, low(m));
    c.get(g.z);
    if (size < 3) {
      c.i64(BigInt(8 << size));
      c.op(Op.i64_shr_u);
      c.op(Op.i32_wrap_i64);
    }
    g.setRegister(RDX, size);
  });
}

// DIV and IDIV of rDX:rAX where the dividend fits 64 bits; else they are the interpreter's
for (const [digit, signed] of [[6, false], [7, true]] as const) {
  row([form(ONE, 0xf7, digit, WIDE, A, E)], (m, to, by) => {
    const { g, i, size } = m;
    const { code: c } = g;
    if (size === 1) {
      g.callHandler(i);
      return;
    }
    widen(m, g.y, m.read(by), signed);
    c.get(g.y);
    c.op(Op.i64_eqz);
    g.exitIf(i);
    if (size === 3) {
      g.getRegister(RAX, 3);
      c.set(g.x);
      g.getRegister(RDX, 3);
      if (signed) pushSign(g, g.x);
      else c.i64(0n);
      c.op(Op.i64_ne);
    } else {
      g.getRegister(RDX, 2);
      c.op(Op.i64_extend_i32_u);
      c.i64(32n);
      c.op(Op.i64_shl);
      g.getRegister(RAX, 2);
      c.op(Op.i64_extend_i32_u);
      c.op(Op.i64_or);
      c.set(g.x);
      c.i32(0);
    }
    if (signed) {
      // the one quotient that does not fit
      c.get(g.y);
      c.i64(-1n);
      c.op(Op.i64_eq);
      c.get(g.x);
      c.i64(-(1n << 63n));
      c.op(Op.i64_eq);
      c.op(Op.i32_and);
      c.op(Op.i32_or);
    }
    g.exitIf(i);
    c.get(g.x);
    c.get(g.y);
    c.op(signed ? Op.i64_div_s : Op.i64_div_u);
    c.set(g.z);
    if (size === 2) {
      c.get(g.z);
      c.get(g.z);
      if (signed) extend(c, 2);
      else {
        c.i64(0xffff_ffffn);
        c.op(Op.i64_and);
      }
      c.op(Op.i64_ne);
      g.exitIf(i);
    }
    m.write(to, { push: () => g.getNarrow(g.z, size) });
    c.get(g.x);
    c.get(g.z);
    c.get(g.y);
    c.op(Op.i64_mul);
    c.op(Op.i64_sub);
    if (size < 3) c.op(Op.i32_wrap_i64);
    g.setRegister(RDX, size);
  });
}
