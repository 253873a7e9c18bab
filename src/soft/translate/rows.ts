// The general instructions that are translated: those of the table that the interpreter's
// inner loop takes its own from (src/soft/instructions/table.ts), and others, told with what
// only the translator has. Meaning: SDM vol. 2, as the handlers in core/insn have it.

import "../number_types.ts";
import {
  A,
  arithmeticForms,
  byteAndWide,
  E,
  form,
  G,
  I,
  type Operand,
  registers,
  shiftForms,
  Z,
} from "../instructions/forms.ts";
import { EAK_16, EAK_32, EAK_64 } from "../core/shared.ts";
import { TABLE } from "../instructions/table.ts";
import { BYTE, OF, on, ONE, WIDE } from "./encodings.ts";
import type { Generator, Size } from "./generator.ts";
import { type Emission, RAX, RCX, RDX, type Value } from "./machine.ts";
import { row } from "./row.ts";
import { Op } from "./wasm.ts";

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

// --- conditions

for (let cc = 0; cc < 16; cc++) {
  row(
    [form(OF, 0x90 + cc, -1, BYTE, E)],
    (m, to) => m.write(to, { push: () => m.g.condition(cc) }),
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

// LOOPNE LOOPE LOOP JrCXZ: counters without an address prefix
for (let k = 0; k < 4; k++) {
  on(ONE, 0xe0 + k, -1, WIDE, (g, i) => {
    const { code: c } = g;
    const size = g.stackSize;
    const addressSize = [EAK_16, EAK_32, EAK_64][g.key];
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

row(
  [form(ONE, 0xc2, -1, WIDE)],
  (m) => m.return(m.i.imm & 0xffff),
  { anyPrefix: true, stack: true },
);
row([form(ONE, 0xc9, -1, WIDE)], (m) => {
  const { g, i, size } = m;
  if (size === 1) return g.callHandler(i);
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

// BT BTS BTR BTC of a register
for (
  const [k, operation] of [undefined, Op.i64_or, Op.i64_and, Op.i64_xor]
    .entries()
) {
  const forms = [
    form(OF, 0xa3 + (k << 3), -1, WIDE, E, G),
    form(OF, 0xba, 4 + k, WIDE, E, I),
  ];
  row(forms, (m, to, by) => {
    const { g, i, size } = m;
    const { code: c } = g;
    if (m.memory) {
      g.callHandler(i);
      return;
    }
    const mask = BigInt((8 << size) - 1);
    m.read(to).push();
    g.setWide(g.x, size);
    if (by === I) c.i64(BigInt(i.imm) & mask);
    else {
      m.read(by).push();
      if (size < 3) c.op(Op.i64_extend_i32_u);
      c.i64(mask);
      c.op(Op.i64_and);
    }
    c.set(g.y);
    if (operation !== undefined) {
      c.get(g.x);
      c.i64(1n);
      c.get(g.y);
      c.op(Op.i64_shl);
      if (operation === Op.i64_and) {
        c.i64(-1n);
        c.op(Op.i64_xor);
      }
      c.op(operation);
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
  });
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
  m.write(from, { push: () => g.getNarrow(g.x, size) });
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
  m.operateLocals("-");
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
