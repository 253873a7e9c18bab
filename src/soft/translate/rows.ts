// The general instructions that are translated: those of the table that the interpreter's
// inner loop takes its own from (src/soft/instructions/table.ts), and others, told with what
// only the translator has. Meaning: SDM vol. 2, as the handlers in core/insn have it.

import "../number_types.ts";
import {
  A,
  arithmeticForms,
  byteAndWide,
  E,
  type Form,
  form,
  G,
  type Operand,
  registers,
  shiftForms,
  Z,
} from "../instructions/forms.ts";
import { type RowOptions, TABLE } from "../instructions/table.ts";
import { BYTE, OF, on, ONE, WIDE } from "./encodings.ts";
import {
  type Emitter,
  extend,
  type Generator,
  Lazy,
  type Size,
} from "./generator.ts";
import { Emission, RAX, RCX, RDX, type Value } from "./machine.ts";
import { type Instruction, KEY_64 } from "./records.ts";
import { Op } from "./wasm.ts";

/** Has forms be emitted as `meaning` tells. */
function row(
  forms: readonly Form[],
  meaning: (m: Emission, first: Operand, second: Operand) => void,
  { anyPrefix = false, stack = false, counts = false }: RowOptions = {},
): void {
  for (const { map, opcode, digit, sizes, operands } of forms) {
    const [first, second] = operands;
    on(map, opcode, digit, sizes, (g, i, size, memory) => {
      const m = new Emission(g, i, size, memory);
      if (
        stack && size !== g.stackSize || counts && !m.isUsualCount(second)
      ) g.callHandler(i);
      else meaning(m, first, second);
    }, { anyPrefix });
  }
}

for (const { forms, meaning, ...options } of TABLE) {
  row(forms, meaning, options);
}

// --- XCHG, BSWAP, CWD

row(byteAndWide(ONE, 0x86, -1, E, G), (m, to, from) => {
  const value = m.let(m.modify(to));
  if (m.memory) {
    // nothing changes: it may wait for another processor (core/cpu/spin.ts)
    value.push();
    m.read(from).push();
    m.g.code.op(m.size === 3 ? Op.i64_eq : Op.i32_eq);
    m.g.exitIf(m.i);
  }
  m.write(to, m.read(from));
  m.write(from, value);
});
row(registers(ONE, 0x90, WIDE, A, Z), (m, to, from) => {
  // NOP, or as good as one
  if (m.i.reg === RAX) return;
  const value = m.let(m.read(to));
  m.write(to, m.read(from));
  m.write(from, value);
});
row(registers(OF, 0xc8, [2, 3], Z), (m, to) => {
  const { g, size } = m;
  const value = m.read(to);
  m.write(to, { push: () => swapBytes(g, size, value) });
});

/** Pushes a value with its bytes in the other order. */
function swapBytes(g: Generator, size: Size, value: Value): void {
  const { code: c } = g;
  value.push();
  if (size === 2) {
    c.set(g.x32);
    c.get(g.x32);
    c.i32(8);
    c.op(Op.i32_rotl);
    c.i32(0x00ff00ff);
    c.op(Op.i32_and);
    c.get(g.x32);
    c.i32(8);
    c.op(Op.i32_rotr);
    c.i32(0xff00ff00 | 0);
    c.op(Op.i32_and);
    c.op(Op.i32_or);
  } else {
    const swap = (by: bigint, mask: bigint) => {
      c.set(g.x);
      c.get(g.x);
      c.i64(by);
      c.op(Op.i64_shr_u);
      c.i64(mask);
      c.op(Op.i64_and);
      c.get(g.x);
      c.i64(mask);
      c.op(Op.i64_and);
      c.i64(by);
      c.op(Op.i64_shl);
      c.op(Op.i64_or);
    };
    swap(8n, 0x00ff00ff00ff00ffn);
    swap(16n, 0x0000ffff0000ffffn);
    c.i64(32n);
    c.op(Op.i64_rotl);
  }
}

// CWD CDQ CQO
row([form(ONE, 0x99, -1, WIDE, A)], (m, from) => {
  const { g, size } = m;
  const { code: c } = g;
  m.read(from).push();
  if (size === 3) {
    c.i64(63n);
    c.op(Op.i64_shr_s);
  } else {
    if (size === 1) c.op(Op.i32_extend16_s);
    c.i32(31);
    c.op(Op.i32_shr_s);
  }
  g.setRegister(RDX, size);
});

// --- ADC SBB, NOT NEG

for (const [k, operator] of [[2, "+"], [3, "-"]] as const) {
  row(
    arithmeticForms(k),
    (m, to, from) =>
      m.write(to, m.operateWithCarry(operator, m.modify(to), m.read(from))),
  );
}
row(byteAndWide(ONE, 0xf6, 2, E), (m, to) => {
  const { g, size } = m;
  const value = m.modify(to);
  m.write(to, {
    push: () => {
      value.push();
      g.constant(-1n, size);
      g.operate(Op.i32_xor, Op.i64_xor, size);
    },
  });
});
row(byteAndWide(ONE, 0xf6, 3, E), (m, to) => {
  const zero = { push: () => m.g.constant(0n, m.size) };
  m.write(to, m.operate("-", zero, m.modify(to)));
});

// --- rotations

const rotate = (left: boolean) => (m: Emission, to: Operand, by: Operand) => {
  const { g, size } = m;
  const { code: c } = g;
  const bits = 8 << size;
  const n = m.count(by);
  const value = m.modify(to);
  value.push();
  g.setWide(g.x, size);
  if (n.known === 0) {
    m.write(to, { push: () => g.getNarrow(g.x, size) });
    return;
  }
  if (size < 2) {
    // two copies side by side
    c.get(g.x);
    c.get(g.x);
    c.i64(BigInt(bits));
    c.op(Op.i64_shl);
    c.op(Op.i64_or);
    c.i64(BigInt(left ? bits - n.known! : n.known!));
    c.op(Op.i64_shr_u);
    c.i64((1n << BigInt(bits)) - 1n);
    c.op(Op.i64_and);
  } else if (size === 2) {
    g.getNarrow(g.x, size);
    n.push();
    c.op(Op.i32_wrap_i64);
    c.op(left ? Op.i32_rotl : Op.i32_rotr);
    c.op(Op.i64_extend_i32_u);
  } else {
    c.get(g.x);
    n.push();
    c.op(left ? Op.i64_rotl : Op.i64_rotr);
  }
  c.set(g.z);
  m.write(to, { push: () => g.getNarrow(g.z, size) });
  // x and y serve as CF and OF
  const top = m.bitOf(g.z, bits - 1);
  const out = left ? m.bitOf(g.z, 0) : top;
  out.push();
  c.set(g.x);
  if (left) m.differ(top, { push: () => c.get(g.x) }).push();
  else m.differ(top, m.bitOf(g.z, bits - 2)).push();
  c.set(g.y);
  g.setCarryOverflow(g.x, g.y);
};
row(shiftForms(0), rotate(true), { counts: true });
row(shiftForms(1), rotate(false), { counts: true });

// --- multiplications and divisions

/** IMUL of what is in x and y (signed, wide) into ModRM.reg. */
function multiply(g: Generator, i: Instruction, size: Size): void {
  const { code: c } = g;
  c.get(g.x);
  c.get(g.y);
  c.op(Op.i64_mul);
  c.set(g.z);
  // whether the product fits
  c.get(g.z);
  c.get(g.z);
  extend(c, size);
  c.op(Op.i64_ne);
  c.op(Op.i64_extend_i32_u);
  c.tee(g.fa);
  c.set(g.fb);
  g.getNarrow(g.z, size);
  if (size === 1) {
    c.i32(0xffff);
    c.op(Op.i32_and);
  }
  g.setWide(g.fr, size);
  g.getNarrow(g.fr, size);
  g.setRegister(i.reg, size);
  g.setFlags(Lazy.SET, size);
}

/** Pushes an operand on the stack as a signed i64. */
function widen(g: Generator, size: Size): void {
  if (size === 3) return;
  g.code.op(Op.i64_extend_i32_u);
  extend(g.code, size);
}

on(OF, 0xaf, -1, WIDE, (g, i, size) => {
  g.getRm(i, size);
  widen(g, size);
  g.code.set(g.y);
  g.getRegister(i.reg, size);
  widen(g, size);
  g.code.set(g.x);
  if (size === 3) wideMultiply(g, i);
  else multiply(g, i, size);
});
for (const opcode of [0x69, 0x6b]) {
  on(ONE, opcode, -1, WIDE, (g, i, size) => {
    g.getRm(i, size);
    widen(g, size);
    g.code.set(g.x);
    g.code.i64(BigInt(i.imm));
    g.code.set(g.y);
    if (size === 3) wideMultiply(g, i);
    else multiply(g, i, size);
  });
}

/** High half of the signed product of x and y, left in z; fa and fb are used. */
function highSigned(g: Generator): void {
  const { code: c } = g;
  highUnsigned(g);
  // minus y where x is negative, and x where y is
  const correct = (sign: number, value: number) => {
    c.get(g.z);
    c.get(sign);
    c.i64(63n);
    c.op(Op.i64_shr_s);
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

function wideMultiply(g: Generator, i: Instruction): void {
  const { code: c } = g;
  highSigned(g);
  c.get(g.x);
  c.get(g.y);
  c.op(Op.i64_mul);
  c.set(g.fr);
  c.get(g.z);
  c.get(g.fr);
  c.i64(63n);
  c.op(Op.i64_shr_s);
  c.op(Op.i64_ne);
  c.op(Op.i64_extend_i32_u);
  c.tee(g.fa);
  c.set(g.fb);
  c.get(g.fr);
  g.setRegister(i.reg, 3);
  g.setFlags(Lazy.SET, 3);
}

/** MUL and IMUL of rAX into rDX:rAX. */
function multiplyAccumulator(signed: boolean): Emitter {
  return (g, i, size) => {
    const { code: c } = g;
    g.getRm(i, size);
    if (signed) widen(g, size);
    else if (size < 3) c.op(Op.i64_extend_i32_u);
    c.set(g.y);
    g.getRegister(RAX, size);
    if (signed) widen(g, size);
    else if (size < 3) c.op(Op.i64_extend_i32_u);
    c.set(g.x);
    if (size === 3) {
      if (signed) highSigned(g);
      else highUnsigned(g);
      c.get(g.x);
      c.get(g.y);
      c.op(Op.i64_mul);
      c.set(g.fr);
      c.get(g.fr);
      g.setRegister(RAX, 3);
      c.get(g.z);
      g.setRegister(RDX, 3);
      c.get(g.z);
      if (signed) {
        c.get(g.fr);
        c.i64(63n);
        c.op(Op.i64_shr_s);
      } else c.i64(0n);
    } else {
      c.get(g.x);
      c.get(g.y);
      c.op(Op.i64_mul);
      c.set(g.z);
      const mask = (1n << BigInt(8 << size)) - 1n;
      c.get(g.z);
      c.i64(mask);
      c.op(Op.i64_and);
      c.set(g.fr);
      g.getNarrow(g.fr, size);
      g.setRegister(RAX, size);
      c.get(g.z);
      c.i64(BigInt(8 << size));
      c.op(Op.i64_shr_u);
      c.i64(mask);
      c.op(Op.i64_and);
      c.op(Op.i32_wrap_i64);
      g.setRegister(RDX, size);
      c.get(g.z);
      if (signed) {
        c.get(g.fr);
        extend(c, size);
      } else c.get(g.fr);
    }
    c.op(Op.i64_ne);
    c.op(Op.i64_extend_i32_u);
    c.tee(g.fa);
    c.set(g.fb);
    g.setFlags(Lazy.SET, size);
  };
}
on(ONE, 0xf7, 4, WIDE, multiplyAccumulator(false));
on(ONE, 0xf7, 5, WIDE, multiplyAccumulator(true));

/** DIV and IDIV of rDX:rAX where the dividend fits 64 bits; else the interpreter's. */
function divide(signed: boolean): Emitter {
  return (g, i, size) => {
    const { code: c } = g;
    if (size === 1) {
      g.callHandler(i);
      return;
    }
    g.getRm(i, size);
    if (signed) widen(g, size);
    else if (size < 3) c.op(Op.i64_extend_i32_u);
    c.tee(g.y);
    c.op(Op.i64_eqz);
    g.exitIf(i);
    if (size === 3) {
      g.getRegister(RAX, 3);
      c.set(g.x);
      g.getRegister(RDX, 3);
      if (signed) {
        c.get(g.x);
        c.i64(63n);
        c.op(Op.i64_shr_s);
      } else c.i64(0n);
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
    g.getNarrow(g.z, size);
    g.setRegister(RAX, size);
    c.get(g.x);
    c.get(g.z);
    c.get(g.y);
    c.op(Op.i64_mul);
    c.op(Op.i64_sub);
    if (size < 3) c.op(Op.i32_wrap_i64);
    g.setRegister(RDX, size);
  };
}
on(ONE, 0xf7, 6, WIDE, divide(false));
on(ONE, 0xf7, 7, WIDE, divide(true));

// --- conditions

for (let cc = 0; cc < 16; cc++) {
  row(
    [form(OF, 0x90 + cc, -1, BYTE, E)],
    (m, to) => m.write(to, m.let({ push: () => m.g.condition(cc) })),
  );
  row([form(OF, 0x40 + cc, -1, WIDE, G, E)], (m, to, from) => {
    const { g } = m;
    const value = m.read(from);
    m.write(to, {
      push: () => {
        value.push();
        m.read(to).push();
        g.condition(cc);
        g.code.op(Op.select);
      },
    });
  });
}

// LOOPNE LOOPE LOOP JrCXZ: 64-bit and 32-bit counters without an address prefix
for (let k = 0; k < 4; k++) {
  on(ONE, 0xe0 + k, -1, WIDE, (g, i) => {
    const { code: c } = g;
    const size: Size = g.key === KEY_64 ? 3 : 2;
    const addressSize = g.key === KEY_64 ? 0 : 3; // EAK_64, EAK_32
    if (i.eak !== addressSize) {
      g.callHandler(i);
      return;
    }
    const zero = () => c.op(size === 3 ? Op.i64_eqz : Op.i32_eqz);
    if (k === 3) {
      g.getRegister(RCX, size);
      zero();
    } else {
      if (i.link === 0) {
        // its first jump may fault, and the counter has to be as it was
        g.exit(i.p);
        g.endBlock();
        return;
      }
      if (k < 2) {
        g.condition(4 + (k === 0 ? 1 : 0));
        c.set(g.x32);
      }
      g.getRegister(RCX, size);
      g.constant(1n, size);
      g.operate(Op.i32_sub, Op.i64_sub, size);
      g.setRegister(RCX, size);
      g.getRegister(RCX, size);
      zero();
      c.op(Op.i32_eqz);
      if (k < 2) {
        c.get(g.x32);
        c.op(Op.i32_and);
      }
    }
    c.if_();
    g.branch(i);
    c.end();
  });
}

// --- RET with a number, LEAVE

row([form(ONE, 0xc2, -1, WIDE)], (m) => {
  const to = m.lookUp(m.top());
  m.pop(m.i.imm & 0xffff);
  m.jump(to, true);
}, { anyPrefix: true, stack: true });
row([form(ONE, 0xc9, -1, WIDE)], (m) => {
  const { g, i, size } = m;
  const { code: c } = g;
  const RBP = 5 << 3, RSP = 4 << 3;
  g.getRegister(RBP, size);
  g.setWide(g.address, size);
  if (size === 2) g.usesStackSegment();
  g.access(i, size, false);
  g.loadHost(size);
  g.setWide(g.x, size);
  c.get(g.address);
  c.i64(BigInt(1 << size));
  c.op(Op.i64_add);
  if (size === 2) {
    c.i64(0xffff_ffffn);
    c.op(Op.i64_and);
  }
  g.setRegister(RSP, 3);
  g.getNarrow(g.x, size);
  g.setRegister(RBP, size);
}, { stack: true });

// --- bits

/** BT BTS BTR BTC of a register; k is 0 to 3. */
function bitOf(k: number, byRegister: boolean): Emitter {
  return (g, i, size, memory) => {
    if (memory) {
      g.callHandler(i);
      return;
    }
    const { code: c } = g;
    const mask = BigInt((8 << size) - 1);
    g.getRegister(i.rm, size);
    g.setWide(g.x, size);
    if (byRegister) {
      g.getRegister(i.reg, size);
      g.setWide(g.y, size);
      c.get(g.y);
      c.i64(mask);
      c.op(Op.i64_and);
    } else c.i64(BigInt(i.imm) & mask);
    c.set(g.y);
    if (k > 0) {
      c.get(g.x);
      c.i64(1n);
      c.get(g.y);
      c.op(Op.i64_shl);
      if (k === 2) {
        c.i64(-1n);
        c.op(Op.i64_xor);
      }
      c.op(k === 1 ? Op.i64_or : k === 2 ? Op.i64_and : Op.i64_xor);
      if (size < 3) c.op(Op.i32_wrap_i64);
      g.setRegister(i.rm, size);
    }
    g.setCarry(() => {
      c.get(g.x);
      c.get(g.y);
      c.op(Op.i64_shr_u);
      c.i64(1n);
      c.op(Op.i64_and);
    });
  };
}
for (let k = 0; k < 4; k++) {
  on(OF, 0xa3 + (k << 3), -1, WIDE, bitOf(k, true));
  on(OF, 0xba, 4 + k, WIDE, bitOf(k, false));
}

// CLC STC CMC
for (const [opcode, value] of [[0xf8, 0n], [0xf9, 1n]] as const) {
  on(ONE, opcode, -1, WIDE, (g) => g.setCarry(() => g.code.i64(value)));
}
on(ONE, 0xf5, -1, WIDE, (g) =>
  g.setCarry(() => {
    g.carry();
    g.code.i64(1n);
    g.code.op(Op.i64_xor);
  }));

// --- XADD CMPXCHG

row(byteAndWide(OF, 0xc0, -1, E, G), (m, to, from) => {
  const { g, size } = m;
  const sum = m.operate("+", m.modify(to), m.read(from));
  // where both are the same register it is the sum's
  m.write(from, { push: () => g.getNarrow(g.fa, size) });
  m.write(to, sum);
});
row(byteAndWide(OF, 0xb0, -1, E, G), (m, to, from) => {
  const { g, size } = m;
  const { code: c } = g;
  m.modify(to).push();
  g.setWide(g.y, size);
  m.read(A).push();
  g.setWide(g.x, size);
  const equal = () => {
    c.get(g.x);
    c.get(g.y);
    c.op(Op.i64_eq);
  };
  if (m.memory) {
    // it fails: it may wait for another processor (core/cpu/spin.ts)
    equal();
    c.op(Op.i32_eqz);
    g.exitIf(m.i);
  }
  c.get(g.x);
  c.set(g.fa);
  c.get(g.y);
  c.set(g.fb);
  g.getNarrow(g.x, size);
  g.getNarrow(g.y, size);
  g.operate(Op.i32_sub, Op.i64_sub, size);
  g.setWide(g.fr, size);
  g.setFlags(Lazy.SUB, size);
  if (m.memory) {
    m.write(to, m.read(from));
    return;
  }
  equal();
  c.if_();
  m.write(to, m.read(from));
  c.else_();
  m.write(A, { push: () => g.getNarrow(g.y, size) });
  c.end();
});
