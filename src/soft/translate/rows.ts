// The general instructions that are translated: for each encoding, what is emitted.
// Meaning: SDM vol. 2, as the handlers in core/insn have it.

import "../number_types.ts";
import { EAK_16, EAK_32, EAK_64, RF_MEM } from "../core/shared.ts";
import { both, BYTE, OF, on, ONE, WIDE } from "./encodings.ts";
import {
  type Emitter,
  extend,
  type Generator,
  Lazy,
  type Size,
} from "./generator.ts";
import type { Instruction } from "./records.ts";
import { Op } from "./wasm.ts";

const RAX = 0, RCX = 8, RDX = 16;

/** Stores into the ModRM.rm operand what `push` pushes; `host` is set for memory. */
function putRm(
  g: Generator,
  i: Instruction,
  size: Size,
  push: () => void,
): void {
  if (i.flags & RF_MEM) g.storeHost(size, push);
  else {
    push();
    g.setRegister(i.rm, size);
  }
}

/** Pushes the ModRM.rm operand of an instruction that writes it, too. */
function getForWrite(g: Generator, i: Instruction, size: Size): void {
  if (i.flags & RF_MEM) {
    g.operand(i, size, true);
    g.loadHost(size);
  } else g.getRegister(i.rm, size);
}

const immediate = (g: Generator, i: Instruction, size: Size) =>
  g.constant(BigInt(i.imm), size);

// --- MOV, MOVZX, MOVSX, LEA, XCHG

both(ONE, 0x88, -1, (g, i, size, memory) => {
  if (memory) g.operand(i, size, true);
  putRm(g, i, size, () => g.getRegister(i.reg, size));
});
both(ONE, 0x8a, -1, (g, i, size) => {
  g.getRm(i, size);
  g.setRegister(i.reg, size);
});
for (let r = 0; r < 8; r++) {
  on(ONE, 0xb0 + r, -1, BYTE, (g, i) => {
    immediate(g, i, 0);
    g.setRegister(i.reg, 0);
  });
  on(ONE, 0xb8 + r, -1, WIDE, (g, i, size) => {
    g.constant(i.disp, size);
    g.setRegister(i.reg, size);
  });
}
both(ONE, 0xc6, 0, (g, i, size, memory) => {
  if (memory) g.operand(i, size, true);
  putRm(g, i, size, () => immediate(g, i, size));
});
both(ONE, 0xa0, -1, (g, i, size) => {
  g.operand(i, size, false);
  g.loadHost(size);
  g.setRegister(RAX, size);
});
both(ONE, 0xa2, -1, (g, i, size) => {
  g.operand(i, size, true);
  g.storeHost(size, () => g.getRegister(RAX, size));
});

/** MOVZX and MOVSX from `from`, MOVSXD. */
function extension(from: 0 | 1 | 2, signed: boolean): Emitter {
  return (g, i, size, memory) => {
    const { code: c } = g;
    if (memory) {
      g.operand(i, from, false);
      if (signed) g.loadHostSigned(from);
      else g.loadHost(from);
    } else {
      g.getRegister(i.rm, from);
      if (signed && from === 0) c.op(Op.i32_extend8_s);
      else if (signed && from === 1) c.op(Op.i32_extend16_s);
    }
    if (size === 3) {
      c.op(signed ? Op.i64_extend_i32_s : Op.i64_extend_i32_u);
    }
    g.setRegister(i.reg, size);
  };
}
on(OF, 0xb6, -1, WIDE, extension(0, false));
on(OF, 0xb7, -1, WIDE, extension(1, false));
on(OF, 0xbe, -1, WIDE, extension(0, true));
on(OF, 0xbf, -1, WIDE, extension(1, true));
on(ONE, 0x63, -1, [3], extension(2, true));

on(ONE, 0x8d, -1, WIDE, (g, i, size) => {
  g.offset(i);
  if (size < 3) g.code.op(Op.i32_wrap_i64);
  g.setRegister(i.reg, size);
});

both(ONE, 0x86, -1, (g, i, size, memory) => {
  getForWrite(g, i, size);
  const t = size === 3 ? g.x : g.x32;
  g.code.set(t);
  if (memory) {
    // nothing changes: it may wait for another processor (core/cpu/spin.ts)
    g.code.get(t);
    g.getRegister(i.reg, size);
    g.code.op(size === 3 ? Op.i64_eq : Op.i32_eq);
    g.exitIf(i);
  }
  putRm(g, i, size, () => g.getRegister(i.reg, size));
  g.code.get(t);
  g.setRegister(i.reg, size);
});
for (let r = 0; r < 8; r++) {
  on(ONE, 0x90 + r, -1, WIDE, (g, i, size) => {
    if (i.reg === RAX) return;
    const t = size === 3 ? g.x : g.x32;
    g.getRegister(RAX, size);
    g.code.set(t);
    g.getRegister(i.reg, size);
    g.setRegister(RAX, size);
    g.code.get(t);
    g.setRegister(i.reg, size);
  });
  on(OF, 0xc8 + r, -1, [2, 3], (g, i, size) => bswap(g, i.reg, size));
}
on(OF, 0x1f, -1, WIDE, () => {});

function bswap(g: Generator, reg: number, size: Size): void {
  const { code: c } = g;
  g.getRegister(reg, size);
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
  g.setRegister(reg, size);
}

// CBW CWDE CDQE, CWD CDQ CQO
on(ONE, 0x98, -1, WIDE, (g, _i, size) => {
  const { code: c } = g;
  g.getRegister(RAX, size === 3 ? 2 : size === 2 ? 1 : 0);
  if (size === 3) c.op(Op.i64_extend_i32_s);
  else c.op(size === 2 ? Op.i32_extend16_s : Op.i32_extend8_s);
  g.setRegister(RAX, size);
});
on(ONE, 0x99, -1, WIDE, (g, _i, size) => {
  const { code: c } = g;
  g.getRegister(RAX, size);
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

// --- ADD OR ADC SBB AND SUB XOR CMP, TEST

interface Operation {
  readonly op32: number;
  readonly op64: number;
  readonly lazy: Lazy;
  readonly writes: boolean;
  /** Adds or subtracts CF, too. */
  readonly carry: boolean;
}

const operation = (
  op32: number,
  op64: number,
  lazy: Lazy,
  writes = true,
  carry = false,
): Operation => ({ op32, op64, lazy, writes, carry });

const OPERATIONS: readonly Operation[] = [
  operation(Op.i32_add, Op.i64_add, Lazy.ADD),
  operation(Op.i32_or, Op.i64_or, Lazy.LOGIC),
  operation(Op.i32_add, Op.i64_add, Lazy.ADD, true, true),
  operation(Op.i32_sub, Op.i64_sub, Lazy.SUB, true, true),
  operation(Op.i32_and, Op.i64_and, Lazy.LOGIC),
  operation(Op.i32_sub, Op.i64_sub, Lazy.SUB),
  operation(Op.i32_xor, Op.i64_xor, Lazy.LOGIC),
  operation(Op.i32_sub, Op.i64_sub, Lazy.SUB, false),
];
const TEST = operation(Op.i32_and, Op.i64_and, Lazy.LOGIC, false);

/** An operation of what `first` and `second` push; `put` takes the result. */
function arithmetic(
  g: Generator,
  o: Operation,
  size: Size,
  first: () => void,
  second: () => void,
  put: (push: () => void) => void,
): void {
  const { code: c } = g;
  first();
  g.setWide(g.x, size);
  second();
  g.setWide(g.y, size);
  if (o.carry) {
    g.carry();
    c.set(g.z);
  }
  g.getNarrow(g.x, size);
  g.getNarrow(g.y, size);
  c.op(size === 3 ? o.op64 : o.op32);
  if (o.carry) {
    g.getNarrow(g.z, size);
    c.op(size === 3 ? o.op64 : o.op32);
  }
  if (size < 2) {
    c.i32(size === 0 ? 0xff : 0xffff);
    c.op(Op.i32_and);
  }
  c.get(g.x);
  c.set(g.fa);
  c.get(g.y);
  c.set(g.fb);
  g.setWide(g.fr, size);
  if (o.writes) put(() => g.getNarrow(g.fr, size));
  if (!o.carry) {
    g.setFlags(o.lazy, size);
    return;
  }
  g.setCells(size, () => {
    c.get(g.fa);
    c.get(g.fb);
    c.op(Op.i64_xor);
    c.get(g.fr);
    c.op(Op.i64_xor);
  }, () => {
    // r < a, or r <= a with a carry in; for SBB of a and b
    const [a, b] = o.lazy === Lazy.ADD ? [g.fr, g.fa] : [g.fa, g.fb];
    c.get(a);
    c.get(b);
    c.op(Op.i64_lt_u);
    c.get(a);
    c.get(b);
    c.op(Op.i64_eq);
    c.get(g.z);
    c.op(Op.i32_wrap_i64);
    c.op(Op.i32_and);
    c.op(Op.i32_or);
    c.op(Op.i64_extend_i32_u);
  });
}

/** The destination is ModRM.rm. */
function toRm(
  o: Operation,
  second: (g: Generator, i: Instruction, size: Size) => void,
): Emitter {
  return (g, i, size) =>
    arithmetic(
      g,
      o,
      size,
      () => o.writes ? getForWrite(g, i, size) : g.getRm(i, size),
      () => second(g, i, size),
      (push) => putRm(g, i, size, push),
    );
}

const register = (g: Generator, i: Instruction, size: Size) =>
  g.getRegister(i.reg, size);

/** The destination is a register, by its offset. */
function toRegister(
  o: Operation,
  where: (i: Instruction) => number,
  second: (g: Generator, i: Instruction, size: Size) => void,
): Emitter {
  return (g, i, size) =>
    arithmetic(
      g,
      o,
      size,
      () => g.getRegister(where(i), size),
      () => second(g, i, size),
      (push) => {
        push();
        g.setRegister(where(i), size);
      },
    );
}

OPERATIONS.forEach((o, k) => {
  both(ONE, k << 3, -1, toRm(o, register));
  // memory first: it may fault
  both(ONE, (k << 3) + 2, -1, (g, i, size) => {
    g.getRm(i, size);
    const t = size === 3 ? g.z : g.y32;
    g.code.set(t);
    arithmetic(
      g,
      o,
      size,
      () => g.getRegister(i.reg, size),
      () => g.code.get(t),
      (push) => {
        push();
        g.setRegister(i.reg, size);
      },
    );
  });
  both(ONE, (k << 3) + 4, -1, toRegister(o, () => RAX, immediate));
  on(ONE, 0x80, k, BYTE, toRm(o, immediate));
  on(ONE, 0x81, k, WIDE, toRm(o, immediate));
  on(ONE, 0x83, k, WIDE, toRm(o, immediate));
});
both(ONE, 0x84, -1, toRm(TEST, register));
both(ONE, 0xa8, -1, toRegister(TEST, () => RAX, immediate));
for (const digit of [0, 1]) both(ONE, 0xf6, digit, toRm(TEST, immediate));

// --- INC DEC NOT NEG

function step(lazy: Lazy): Emitter {
  return (g, i, size) => {
    getForWrite(g, i, size);
    stepValue(g, lazy, size, (push) => putRm(g, i, size, push));
  };
}

/** INC or DEC of the value on the stack. */
function stepValue(
  g: Generator,
  lazy: Lazy,
  size: Size,
  put: (push: () => void) => void,
): void {
  const { code: c } = g;
  g.setWide(g.x, size);
  g.keepCarry();
  c.get(g.x);
  c.set(g.fa);
  g.getNarrow(g.x, size);
  g.constant(1n, size);
  if (lazy === Lazy.INC) g.operate(Op.i32_add, Op.i64_add, size);
  else g.operate(Op.i32_sub, Op.i64_sub, size);
  g.setWide(g.fr, size);
  put(() => g.getNarrow(g.fr, size));
  g.setFlags(lazy, size);
}
both(ONE, 0xfe, 0, step(Lazy.INC));
both(ONE, 0xfe, 1, step(Lazy.DEC));
for (let r = 0; r < 8; r++) {
  for (const [opcode, lazy] of [[0x40, Lazy.INC], [0x48, Lazy.DEC]] as const) {
    on(ONE, opcode + r, -1, [1, 2], (g, i, size) => {
      g.getRegister(i.reg, size);
      stepValue(g, lazy, size, (push) => {
        push();
        g.setRegister(i.reg, size);
      });
    });
  }
}
both(ONE, 0xf6, 2, (g, i, size) => {
  getForWrite(g, i, size);
  g.setWide(g.x, size);
  putRm(g, i, size, () => {
    g.getNarrow(g.x, size);
    g.constant(-1n, size);
    g.operate(Op.i32_xor, Op.i64_xor, size);
  });
});
both(ONE, 0xf6, 3, (g, i, size) =>
  arithmetic(
    g,
    OPERATIONS[5],
    size,
    () => {
      // the operand first: it may fault
      getForWrite(g, i, size);
      g.code.set(size === 3 ? g.z : g.y32);
      g.constant(0n, size);
    },
    () => g.code.get(size === 3 ? g.z : g.y32),
    (push) => putRm(g, i, size, push),
  ));

// --- shifts and rotations

const ROL = 0, ROR = 1, SHR = 5, SAR = 7;

/** Shifts by a count that `count` pushes as an i32; `fixed` if that is known. */
function shift(
  k: number,
  count: (g: Generator, i: Instruction) => void,
  fixed: (i: Instruction) => number | undefined,
): Emitter {
  return (g, i, size) => {
    const { code: c } = g;
    const mask = size === 3 ? 63 : 31;
    const known = fixed(i);
    const bits = 8 << size;
    // few shift bytes and words by more than they have: leave that to the handler
    if (size < 2 && (known === undefined || (known & mask) >= bits)) {
      g.callHandler(i);
      return;
    }
    if (known !== undefined && (known & mask) === 0) {
      getForWrite(g, i, size);
      g.setWide(g.x, size);
      if (size === 2) putRm(g, i, size, () => g.getNarrow(g.x, size));
      return;
    }
    if (known === undefined) {
      // a count of 0 changes no flag: rare enough for the interpreter
      count(g, i);
      c.i32(mask);
      c.op(Op.i32_and);
      c.op(Op.i32_eqz);
      g.exitIf(i);
    }
    getForWrite(g, i, size);
    g.setWide(g.x, size);
    const push = () => {
      if (known === undefined) {
        count(g, i);
        c.i32(mask);
        c.op(Op.i32_and);
        c.op(Op.i64_extend_i32_u);
      } else c.i64(BigInt(known & mask));
    };
    push();
    c.set(g.y);
    // result
    c.get(g.x);
    if (k === ROL || k === ROR) {
      if (size < 2) {
        // two copies side by side
        const half = BigInt(bits);
        c.get(g.x);
        c.i64(half);
        c.op(Op.i64_shl);
        c.op(Op.i64_or);
        const n = (known! & mask) % bits;
        c.i64(BigInt(k === ROL ? bits - n : n));
        c.op(Op.i64_shr_u);
        c.i64((1n << half) - 1n);
        c.op(Op.i64_and);
      } else if (size === 2) {
        c.op(Op.i32_wrap_i64);
        c.get(g.y);
        c.op(Op.i32_wrap_i64);
        c.op(k === ROL ? Op.i32_rotl : Op.i32_rotr);
        c.op(Op.i64_extend_i32_u);
      } else {
        c.get(g.y);
        c.op(k === ROL ? Op.i64_rotl : Op.i64_rotr);
      }
    } else {
      if (k === SAR) extend(c, size);
      c.get(g.y);
      c.op(k === SHR ? Op.i64_shr_u : k === SAR ? Op.i64_shr_s : Op.i64_shl);
      if (size < 3) {
        c.i64((1n << BigInt(bits)) - 1n);
        c.op(Op.i64_and);
      }
    }
    c.set(g.z);
    putRm(g, i, size, () => g.getNarrow(g.z, size));
    const bit = (local: number, n: number) => {
      c.get(local);
      if (n > 0) {
        c.i64(BigInt(n));
        c.op(Op.i64_shr_u);
      }
      if (n < 63) {
        c.i64(1n);
        c.op(Op.i64_and);
      }
    };
    // the bit that went out last
    const out = () => {
      c.get(g.x);
      if (k === SHR || k === SAR) {
        c.get(g.y);
        c.i64(1n);
        c.op(Op.i64_sub);
      } else {
        c.i64(BigInt(bits));
        c.get(g.y);
        c.op(Op.i64_sub);
      }
      c.op(Op.i64_shr_u);
      c.i64(1n);
      c.op(Op.i64_and);
    };
    const topDiffers = () => {
      bit(g.z, bits - 1);
      bit(g.z, bits - 2);
      c.i64(1n);
      c.op(Op.i64_and);
      c.op(Op.i64_xor);
    };
    if (k === ROL || k === ROR) {
      // x and y serve as CF and OF
      if (k === ROL) bit(g.z, 0);
      else bit(g.z, bits - 1);
      c.set(g.x);
      if (k === ROL) {
        bit(g.z, bits - 1);
        c.get(g.x);
        c.op(Op.i64_xor);
      } else topDiffers();
      c.set(g.y);
      g.setCarryOverflow(g.x, g.y);
      return;
    }
    out();
    c.set(g.fa);
    if (k === SAR) c.i64(0n);
    else if (k === SHR) topDiffers();
    else {
      bit(g.z, bits - 1);
      c.get(g.fa);
      c.op(Op.i64_xor);
    }
    c.set(g.fb);
    c.get(g.z);
    c.set(g.fr);
    g.setFlags(Lazy.SET, size);
  };
}

for (const k of [ROL, ROR, 4, SHR, 6, SAR]) {
  const byImmediate = shift(k, () => {}, (i) => i.imm & 0xff);
  const byOne = shift(k, () => {}, () => 1);
  const byCl = shift(k, (g) => g.getRegister(RCX, 0), () => undefined);
  both(ONE, 0xc0, k, byImmediate);
  both(ONE, 0xd0, k, byOne);
  both(ONE, 0xd2, k, byCl);
}

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

/** REP and REPNE mean nothing. */
const ANY = { anyPrefix: true };

// --- conditions

for (let cc = 0; cc < 16; cc++) {
  const jump: Emitter = (g, i) => {
    g.condition(cc);
    g.code.if_();
    g.branch(i);
    g.code.end();
  };
  on(ONE, 0x70 + cc, -1, WIDE, jump, ANY);
  on(OF, 0x80 + cc, -1, WIDE, jump, ANY);
  on(OF, 0x90 + cc, -1, BYTE, (g, i, size, memory) => {
    if (memory) g.operand(i, size, true);
    g.condition(cc);
    g.code.set(g.x32);
    putRm(g, i, size, () => g.code.get(g.x32));
  });
  on(OF, 0x40 + cc, -1, WIDE, (g, i, size) => {
    const t = size === 3 ? g.x : g.x32;
    g.getRm(i, size);
    g.code.set(t);
    g.condition(cc);
    g.code.set(g.z32);
    g.code.get(t);
    g.getRegister(i.reg, size);
    g.code.get(g.z32);
    g.code.op(Op.select);
    g.setRegister(i.reg, size);
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

// --- JMP CALL RET

for (const opcode of [0xeb, 0xe9]) {
  on(ONE, opcode, -1, WIDE, (g, i) => {
    g.branch(i);
    g.endBlock();
  }, ANY);
}

/** What moves the stack by its own size; other sizes are rare. */
function stackSized(
  emit: (g: Generator, i: Instruction, size: Size) => void,
): Emitter {
  return (g, i, size) => {
    if (size === g.stackSize) emit(g, i, size);
    else g.callHandler(i);
  };
}

/** Pushes what `value` pushes onto the guest's stack; may leave the region before. */
function pushOnStack(
  g: Generator,
  i: Instruction,
  size: Size,
  value: () => void,
): void {
  const bytes = 1 << size;
  g.stack(i, -bytes, true);
  g.storeHost(size, value);
  g.moveStack(-bytes);
}

/** Pushes the address behind a CALL onto the guest's stack. */
function pushReturn(g: Generator, i: Instruction, size: Size): void {
  pushOnStack(g, i, size, () => {
    g.instructionPointer(i.offset + i.length);
    if (size < 3) g.code.op(Op.i32_wrap_i64);
  });
}

const callNear = stackSized((g, i, size) => {
  if (i.link === 0) {
    // in another page
    g.nearPointer(i.offset + i.length + i.imm);
    g.code.set(g.x);
    g.lookUp(i.p, g.x);
  }
  pushReturn(g, i, size);
  if (i.link !== 0) g.goTo(i.link, 1);
  else g.jumpTo(g.x, []);
  g.endBlock();
});
on(ONE, 0xe8, -1, WIDE, callNear, ANY);

const ret = (release: (i: Instruction) => number) =>
  stackSized((g, i, size) => {
    g.stack(i, 0, false);
    g.loadHost(size);
    g.setWide(g.x, size);
    g.lookUp(i.p, g.x);
    g.moveStack((1 << size) + release(i));
    g.jumpTo(g.x, g.returnSites());
    g.endBlock();
  });
on(ONE, 0xc3, -1, WIDE, ret(() => 0), ANY);
on(ONE, 0xc2, -1, WIDE, ret((i) => i.imm & 0xffff), ANY);

/** JMP and CALL to where ModRM.rm says. */
const indirect = (call: boolean) =>
  stackSized((g, i, size) => {
    g.getRm(i, size);
    g.setWide(g.x, size);
    g.lookUp(i.p, g.x);
    if (call) pushReturn(g, i, size);
    g.jumpTo(g.x, []);
    g.endBlock();
  });
on(ONE, 0xff, 2, WIDE, indirect(true), ANY);
on(ONE, 0xff, 4, WIDE, indirect(false), ANY);

// --- PUSH POP LEAVE

/** A PUSH of what `value` pushes, which may leave the region. */
const push = (value: (g: Generator, i: Instruction, size: Size) => void) =>
  stackSized((g, i, size) => {
    const t = size === 3 ? g.x : g.x32;
    value(g, i, size);
    g.code.set(t);
    pushOnStack(g, i, size, () => g.code.get(t));
  });
const pop = stackSized((g, i, size) => {
  const t = size === 3 ? g.x : g.x32;
  g.stack(i, 0, false);
  g.loadHost(size);
  g.code.set(t);
  g.moveStack(1 << size);
  g.code.get(t);
  g.setRegister(i.reg, size);
});
for (let r = 0; r < 8; r++) {
  on(ONE, 0x50 + r, -1, WIDE, push(register));
  on(ONE, 0x58 + r, -1, WIDE, pop);
}
on(ONE, 0x68, -1, WIDE, push(immediate));
on(ONE, 0x6a, -1, WIDE, push(immediate));
on(ONE, 0xff, 6, WIDE, push((g, i, size) => g.getRm(i, size)));
const leave = stackSized((g, i, size) => {
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
});
on(ONE, 0xc9, -1, WIDE, leave);

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

both(OF, 0xc0, -1, (g, i, size, memory) =>
  arithmetic(
    g,
    OPERATIONS[0],
    size,
    () => getForWrite(g, i, size),
    () => g.getRegister(i.reg, size),
    (push) => {
      if (memory) putRm(g, i, size, push);
      g.getNarrow(g.fa, size);
      g.setRegister(i.reg, size);
      // the sum goes last where both are the same register
      if (!memory) putRm(g, i, size, push);
    },
  ));
both(OF, 0xb0, -1, (g, i, size, memory) => {
  const { code: c } = g;
  getForWrite(g, i, size);
  g.setWide(g.y, size);
  g.getRegister(RAX, size);
  g.setWide(g.x, size);
  const equal = () => {
    c.get(g.x);
    c.get(g.y);
    c.op(Op.i64_eq);
  };
  if (memory) {
    // it fails: it may wait for another processor (core/cpu/spin.ts)
    equal();
    c.op(Op.i32_eqz);
    g.exitIf(i);
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
  if (memory) {
    putRm(g, i, size, () => g.getRegister(i.reg, size));
    return;
  }
  equal();
  c.if_();
  putRm(g, i, size, () => g.getRegister(i.reg, size));
  c.else_();
  g.getNarrow(g.y, size);
  g.setRegister(RAX, size);
  c.end();
});
