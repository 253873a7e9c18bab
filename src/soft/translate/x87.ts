// x87 instructions in line where nothing is special: exceptions masked, 64 bits, to
// nearest; registers there that are read, and empty that are pushed into; normal numbers.
// Else the handler is called. The registers stay in the module's memory. Meaning: SDM
// vol. 2, as core/insn/x87 has it.

import "../number_types.ts";
import {
  FCS,
  FDP,
  FDS,
  FIP,
  FOP,
  FPR,
  FSW,
  FTW,
  S_CS,
  SEG_SEL,
  SEGS,
} from "../core/layout.ts";
import { RF_MEM } from "../core/shared.ts";
import { on, ONE, WIDE } from "./encodings.ts";
import type { Emitter, Generator, Size } from "./generator.ts";
import type { Instruction } from "./records.ts";
import { F_PRODUCT, F_QUOTIENT, F_SUM } from "./shared_functions.ts";
import { Op } from "./wasm.ts";
import { RESULT } from "./x87_arithmetic.ts";

type Forms = "memory" | "register";

function onX87(
  opcode: number,
  digit: number,
  forms: Forms,
  emit: Emitter,
): void {
  on(ONE, opcode, digit, WIDE, emit, {
    anyPrefix: true,
    anySize: true,
    forms,
  });
}

const TOP = -0x8000_0000_0000_0000n;
/** B, ES, C1, and TOP. */
const B_ES_C1 = 0x8280, TOP_MASK = 0x3800, TOP_ONE = 0x800;

// In x32 is the status word, in y32 the tags (1: full).

/** Fetches status and tags, and pushes that the usual conditions do not hold. */
function open(g: Generator): void {
  const { code: c } = g;
  c.i32(0);
  c.memory(Op.i32_load16_u, FSW);
  c.set(g.x32);
  c.i32(0);
  c.memory(Op.i32_load8_u, FTW);
  c.set(g.y32);
  c.get(g.noX87);
}

/** Pushes the number of ST(k). */
function number(g: Generator, k: number): void {
  const { code: c } = g;
  c.get(g.x32);
  c.i32(11);
  c.op(Op.i32_shr_u);
  if (k !== 0) {
    c.i32(k);
    c.op(Op.i32_add);
  }
  c.i32(7);
  c.op(Op.i32_and);
}

/** Pushes ST(k)'s tag. */
function tag(g: Generator, k: number): void {
  const { code: c } = g;
  c.get(g.y32);
  number(g, k);
  c.op(Op.i32_shr_u);
  c.i32(1);
  c.op(Op.i32_and);
}

/** Adds to the conditions that do not hold: ST(k) is full. */
function full(g: Generator, k: number): void {
  tag(g, k);
  g.code.op(Op.i32_eqz);
  g.code.op(Op.i32_or);
}

/** The same: what a push makes ST(0) is empty. */
function room(g: Generator): void {
  tag(g, 7);
  g.code.op(Op.i32_or);
}

/** Sets a local to where ST(k) is, behind FPR. */
function locate(g: Generator, k: number, cell: number): void {
  const { code: c } = g;
  c.get(g.x32);
  c.i32(7);
  c.op(Op.i32_shr_u);
  if (k !== 0) {
    c.i32(k << 4);
    c.op(Op.i32_add);
  }
  c.i32(0x70);
  c.op(Op.i32_and);
  c.set(cell);
}

function significand(g: Generator, cell: number): void {
  g.code.get(cell);
  g.code.memory(Op.i64_load, FPR);
}
function exponentWord(g: Generator, cell: number): void {
  g.code.get(cell);
  g.code.memory(Op.i32_load16_u, FPR + 8);
}

/** Stores what is pushed as the register at `cell`. */
function putRegister(
  g: Generator,
  cell: number,
  m: () => void,
  se: () => void,
): void {
  g.code.get(cell);
  m();
  g.code.memory(Op.i64_store, FPR);
  g.code.get(cell);
  se();
  g.code.memory(Op.i32_store16, FPR + 8);
}

/** Tags ST(k) as full or empty, in y32. */
function setTag(g: Generator, k: number, isFull: boolean): void {
  const { code: c } = g;
  c.get(g.y32);
  c.i32(1);
  number(g, k);
  c.op(Op.i32_shl);
  if (!isFull) {
    c.i32(-1);
    c.op(Op.i32_xor);
  }
  c.op(isFull ? Op.i32_or : Op.i32_and);
  c.set(g.y32);
}

function storeTags(g: Generator): void {
  g.code.i32(0);
  g.code.get(g.y32);
  g.code.memory(Op.i32_store8, FTW);
}

/**
 * The instruction's end: TOP moved, exceptions and C1 that `flags` pushes added, and where the
 * instruction and its operand were.
 */
function close(
  g: Generator,
  i: Instruction,
  move: -1 | 0 | 1,
  flags?: () => void,
): void {
  const { code: c } = g;
  c.i32(0);
  c.get(g.x32);
  c.i32(~(B_ES_C1 | (move === 0 ? 0 : TOP_MASK)));
  c.op(Op.i32_and);
  if (move !== 0) {
    c.get(g.x32);
    c.i32(move * TOP_ONE);
    c.op(Op.i32_add);
    c.i32(TOP_MASK);
    c.op(Op.i32_and);
    c.op(Op.i32_or);
  }
  if (flags !== undefined) {
    flags();
    c.op(Op.i32_or);
  }
  c.memory(Op.i32_store16, FSW);
  c.i32(0);
  g.instructionPointer(i.offset);
  c.memory(Op.i64_store, FIP);
  const selector = (segment: number) => {
    c.i32(0);
    c.memory(Op.i32_load16_u, SEGS + (segment << 5) + SEG_SEL);
  };
  c.i32(0);
  selector(S_CS);
  c.memory(Op.i32_store16, FCS);
  c.i32(0);
  c.i32((i.opcode & 7) << 8 | i.modrm);
  c.memory(Op.i32_store16, FOP);
  if ((i.flags & RF_MEM) === 0) return;
  c.i32(0);
  g.offset(i);
  c.memory(Op.i64_store, FDP);
  c.i32(0);
  selector(i.segment);
  c.memory(Op.i32_store16, FDS);
}

/** Does it in line unless one of the conditions on the stack does not hold. */
function unless(g: Generator, i: Instruction, quick: () => void): void {
  g.code.op(Op.i32_eqz);
  g.quickly(quick, () => g.callFloating(i));
}

/** Pushes a number, whose parts `m` and `se` push, onto the register stack. */
function pushNumber(
  g: Generator,
  i: Instruction,
  m: () => void,
  se: () => void,
): void {
  locate(g, 7, g.cell2);
  putRegister(g, g.cell2, m, se);
  setTag(g, 7, true);
  storeTags(g);
  close(g, i, -1);
}

// --- loads

/** Layout of single and double precision. */
interface Format {
  readonly size: 2 | 3;
  readonly fraction: bigint;
  readonly most: bigint;
  /** What an exponent is more by in 80 bits. */
  readonly more: bigint;
}
const SINGLE: Format = { size: 2, fraction: 23n, most: 0xffn, more: 16256n };
const DOUBLE: Format = { size: 3, fraction: 52n, most: 0x7ffn, more: 15360n };

/**
 * Fetches a memory operand: its 80-bit significand to x, its sign and exponent to z32. Of
 * anything but a normal number x is 0; z is the operand's bits.
 */
function widen(g: Generator, i: Instruction, f: Format): void {
  const { code: c } = g;
  const signAt = f.size === 3 ? 63n : 31n;
  g.operand(i, f.size, false);
  g.loadHost(f.size);
  if (f.size === 2) c.op(Op.i64_extend_i32_u);
  c.tee(g.z);
  c.i64(f.fraction);
  c.op(Op.i64_shr_u);
  c.i64(f.most);
  c.op(Op.i64_and);
  c.set(g.y);
  c.get(g.z);
  c.i64(63n - f.fraction);
  c.op(Op.i64_shl);
  c.i64(TOP);
  c.op(Op.i64_or);
  c.i64(0n);
  c.get(g.y);
  c.i64(1n);
  c.op(Op.i64_sub);
  c.i64(f.most - 1n);
  c.op(Op.i64_lt_u);
  c.op(Op.select);
  c.set(g.x);
  c.get(g.y);
  c.i64(f.more);
  c.op(Op.i64_add);
  c.get(g.z);
  c.i64(signAt - 15n);
  c.op(Op.i64_shr_u);
  c.i64(0x8000n);
  c.op(Op.i64_and);
  c.op(Op.i64_or);
  c.op(Op.i32_wrap_i64);
  c.set(g.z32);
}

const loadNumber = (f: Format): Emitter => (g, i) => {
  const { code: c } = g;
  widen(g, i, f);
  // a zero has no exponent in 80 bits either
  c.get(g.z);
  c.i64(f.size === 3 ? 1n : 33n);
  c.op(Op.i64_shl);
  c.op(Op.i64_eqz);
  c.if_();
  c.get(g.z32);
  c.i32(0x8000);
  c.op(Op.i32_and);
  c.set(g.z32);
  c.end();
  open(g);
  room(g);
  c.get(g.x);
  c.op(Op.i64_eqz);
  c.get(g.z32);
  c.i32(0x7fff);
  c.op(Op.i32_and);
  c.i32(0);
  c.op(Op.i32_ne);
  c.op(Op.i32_and);
  c.op(Op.i32_or);
  unless(g, i, () => pushNumber(g, i, () => c.get(g.x), () => c.get(g.z32)));
};
onX87(0xd9, 0, "memory", loadNumber(SINGLE));
onX87(0xdd, 0, "memory", loadNumber(DOUBLE));

/** FILD. */
const loadInteger = (size: Size): Emitter => (g, i) => {
  const { code: c } = g;
  g.operand(i, size, false);
  if (size === 3) g.loadHost(3);
  else {
    g.loadHostSigned(size);
    c.op(Op.i64_extend_i32_s);
  }
  c.set(g.x);
  open(g);
  room(g);
  unless(g, i, () => {
    // the magnitude, and how far it is shifted up
    c.get(g.x);
    c.get(g.x);
    c.i64(63n);
    c.op(Op.i64_shr_s);
    c.tee(g.z);
    c.op(Op.i64_xor);
    c.get(g.z);
    c.op(Op.i64_sub);
    c.tee(g.x);
    c.op(Op.i64_clz);
    c.set(g.y);
    pushNumber(g, i, () => {
      c.get(g.x);
      c.get(g.y);
      c.op(Op.i64_shl);
    }, () => {
      c.i64(16446n);
      c.get(g.y);
      c.op(Op.i64_sub);
      c.get(g.z);
      c.i64(0x8000n);
      c.op(Op.i64_and);
      c.op(Op.i64_or);
      c.op(Op.i32_wrap_i64);
      c.i32(0);
      c.get(g.x);
      c.op(Op.i64_eqz);
      c.op(Op.i32_eqz);
      c.op(Op.select);
    });
  });
};
onX87(0xdf, 0, "memory", loadInteger(1));
onX87(0xdb, 0, "memory", loadInteger(2));
onX87(0xdf, 5, "memory", loadInteger(3));

// FLD ST(i)
onX87(0xd9, 0, "register", (g, i) => {
  const from = i.modrm & 7;
  open(g);
  full(g, from);
  room(g);
  unless(g, i, () => {
    locate(g, from, g.cell);
    pushNumber(
      g,
      i,
      () => significand(g, g.cell),
      () => exponentWord(g, g.cell),
    );
  });
});

// FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ
const CONSTANTS = [
  [0x3fff, 0x8000000000000000n],
  [0x4000, 0xd49a784bcd1b8afen],
  [0x3fff, 0xb8aa3b295c17f0bcn],
  [0x4000, 0xc90fdaa22168c235n],
  [0x3ffd, 0x9a209a84fbcff799n],
  [0x3ffe, 0xb17217f7d1cf79acn],
  [0, 0n],
] as const;
onX87(0xd9, 5, "register", (g, i) => {
  const constant = CONSTANTS[i.modrm & 7];
  if (constant === undefined) return g.callFloating(i);
  const [se, m] = constant;
  open(g);
  room(g);
  unless(g, i, () =>
    pushNumber(
      g,
      i,
      () => g.code.i64(BigInt.asIntN(64, m)),
      () => g.code.i32(se),
    ));
});

// --- moves, signs

// FXCH
onX87(0xd9, 1, "register", (g, i) => {
  const { code: c } = g;
  const other = i.modrm & 7;
  open(g);
  full(g, 0);
  full(g, other);
  unless(g, i, () => {
    locate(g, 0, g.cell);
    locate(g, other, g.cell2);
    significand(g, g.cell);
    c.set(g.x);
    exponentWord(g, g.cell);
    c.set(g.z32);
    putRegister(
      g,
      g.cell,
      () => significand(g, g.cell2),
      () => exponentWord(g, g.cell2),
    );
    putRegister(g, g.cell2, () => c.get(g.x), () => c.get(g.z32));
    close(g, i, 0);
  });
});

/** FST and FSTP to ST(i). */
const storeRegister = (pop: boolean): Emitter => (g, i) => {
  const to = i.modrm & 7;
  open(g);
  full(g, 0);
  unless(g, i, () => {
    locate(g, 0, g.cell);
    locate(g, to, g.cell2);
    putRegister(
      g,
      g.cell2,
      () => significand(g, g.cell),
      () => exponentWord(g, g.cell),
    );
    setTag(g, to, true);
    if (pop) setTag(g, 0, false);
    storeTags(g);
    close(g, i, pop ? 1 : 0);
  });
};
onX87(0xdd, 2, "register", storeRegister(false));
onX87(0xdd, 3, "register", storeRegister(true));

// FCHS FABS; beside them FTST and FXAM
onX87(0xd9, 4, "register", (g, i) => {
  const { code: c } = g;
  if ((i.modrm & 7) > 1) return g.callFloating(i);
  open(g);
  full(g, 0);
  unless(g, i, () => {
    locate(g, 0, g.cell);
    c.get(g.cell);
    exponentWord(g, g.cell);
    if (i.modrm & 1) {
      c.i32(0x7fff);
      c.op(Op.i32_and);
    } else {
      c.i32(0x8000);
      c.op(Op.i32_xor);
    }
    c.memory(Op.i32_store16, FPR + 8);
    close(g, i, 0);
  });
});

// --- stores

/** FST and FSTP to memory: x is the significand, z32 sign and exponent. */
const storeNumber = (f: Format, pop: boolean): Emitter => (g, i) => {
  const { code: c } = g;
  g.operand(i, f.size, true);
  open(g);
  full(g, 0);
  locate(g, 0, g.cell);
  significand(g, g.cell);
  c.set(g.x);
  exponentWord(g, g.cell);
  c.tee(g.z32);
  // a normal number that stays one, or zero
  c.i32(0x7fff);
  c.op(Op.i32_and);
  c.i32(Number(f.more) + 1);
  c.op(Op.i32_sub);
  c.i32(Number(f.most) - 2);
  c.op(Op.i32_ge_u);
  c.get(g.x);
  c.i64(0n);
  c.op(Op.i64_ge_s);
  c.op(Op.i32_or);
  c.get(g.z32);
  c.i32(0x7fff);
  c.op(Op.i32_and);
  c.op(Op.i64_extend_i32_u);
  c.get(g.x);
  c.op(Op.i64_or);
  c.i64(0n);
  c.op(Op.i64_ne);
  c.op(Op.i32_and);
  c.op(Op.i32_or);
  const cut = 63n - f.fraction;
  unless(g, i, () => {
    // y: what is cut off; z: whether that rounds up
    c.get(g.x);
    c.i64((1n << cut) - 1n);
    c.op(Op.i64_and);
    c.set(g.y);
    c.get(g.y);
    c.get(g.x);
    c.i64(cut);
    c.op(Op.i64_shr_u);
    c.i64(1n);
    c.op(Op.i64_and);
    c.op(Op.i64_add);
    c.i64(1n << (cut - 1n));
    c.op(Op.i64_gt_u);
    c.op(Op.i64_extend_i32_u);
    c.set(g.z);
    g.storeHost(f.size, () => {
      // the significand's top bit and the last rounding go into the exponent
      c.get(g.z32);
      c.i32(0x7fff);
      c.op(Op.i32_and);
      c.i32(Number(f.more) + 1);
      c.op(Op.i32_sub);
      c.op(Op.i64_extend_i32_u);
      c.i64(f.fraction);
      c.op(Op.i64_shl);
      c.get(g.x);
      c.i64(cut);
      c.op(Op.i64_shr_u);
      c.op(Op.i64_add);
      c.get(g.z);
      c.op(Op.i64_add);
      c.i64(0n);
      c.get(g.x);
      c.i64(0n);
      c.op(Op.i64_ne);
      c.op(Op.select);
      c.get(g.z32);
      c.op(Op.i64_extend_i32_u);
      c.i64(0x8000n);
      c.op(Op.i64_and);
      c.i64(f.size === 3 ? 48n : 16n);
      c.op(Op.i64_shl);
      c.op(Op.i64_or);
      if (f.size === 2) c.op(Op.i32_wrap_i64);
    });
    if (pop) {
      setTag(g, 0, false);
      storeTags(g);
    }
    close(g, i, pop ? 1 : 0, () => {
      c.get(g.y);
      c.i64(0n);
      c.op(Op.i64_ne);
      c.i32(5);
      c.op(Op.i32_shl);
      c.get(g.z);
      c.op(Op.i32_wrap_i64);
      c.i32(9);
      c.op(Op.i32_shl);
      c.op(Op.i32_or);
    });
  });
};
for (const pop of [false, true]) {
  onX87(0xd9, pop ? 3 : 2, "memory", storeNumber(SINGLE, pop));
  onX87(0xdd, pop ? 3 : 2, "memory", storeNumber(DOUBLE, pop));
}

// --- arithmetic

const ADD = 0, MUL = 1, SUB = 4, SUBR = 5, DIV = 6, DIVR = 7;

/**
 * ST(to) op= what `operand` pushes, significand first; z and z32 become the result. The
 * conditions that do not hold are on the stack.
 */
function compute(
  g: Generator,
  i: Instruction,
  op: number,
  to: number,
  pop: boolean,
  operand: (negative: boolean) => void,
): void {
  const { code: c } = g;
  locate(g, to, g.cell);
  const own = (negative: boolean) => {
    significand(g, g.cell);
    exponentWord(g, g.cell);
    if (negative) negate(g);
  };
  if (op === DIVR) {
    operand(false);
    own(false);
  } else {
    own(op === SUBR);
    operand(op === SUB);
  }
  c.call(op === MUL ? F_PRODUCT : op >= DIV ? F_QUOTIENT : F_SUM);
  c.tee(g.z32);
  c.i32(0);
  c.op(Op.i32_lt_s);
  // under the condition is the significand
  c.set(g.host);
  c.set(g.z);
  c.get(g.host);
  c.op(Op.i32_or);
  unless(g, i, () => {
    putRegister(g, g.cell, () => c.get(g.z), () => c.get(g.z32));
    if (pop) {
      setTag(g, 0, false);
      storeTags(g);
    }
    const flag = (from: number, to: number) => {
      c.get(g.z32);
      c.i32(from - to);
      c.op(Op.i32_shr_u);
      c.i32(1 << to);
      c.op(Op.i32_and);
    };
    close(g, i, pop ? 1 : 0, () => {
      flag(RESULT.PE, 5);
      flag(RESULT.ROUNDED_UP, 9);
      c.op(Op.i32_or);
    });
  });
}

function negate(g: Generator): void {
  g.code.i32(0x8000);
  g.code.op(Op.i32_xor);
}

for (const op of [ADD, MUL, SUB, SUBR, DIV, DIVR]) {
  for (const [opcode, f] of [[0xd8, SINGLE], [0xdc, DOUBLE]] as const) {
    onX87(opcode, op, "memory", (g, i) => {
      const { code: c } = g;
      widen(g, i, f);
      open(g);
      full(g, 0);
      compute(g, i, op, 0, false, (negative) => {
        c.get(g.x);
        c.get(g.z32);
        if (negative) negate(g);
      });
    });
  }
  // D8: ST(0) and ST(i); DC and DE: ST(i) and ST(0), differences and quotients turned
  for (const opcode of [0xd8, 0xdc, 0xde]) {
    onX87(opcode, op, "register", (g, i) => {
      const k = i.modrm & 7;
      const [to, from] = opcode === 0xd8 ? [0, k] : [k, 0];
      open(g);
      full(g, to);
      full(g, from);
      locate(g, from, g.cell2);
      const turned = opcode !== 0xd8 && op >= SUB;
      compute(
        g,
        i,
        turned ? op ^ 1 : op,
        to,
        opcode === 0xde,
        (negative) => {
          significand(g, g.cell2);
          exponentWord(g, g.cell2);
          if (negative) negate(g);
        },
      );
    });
  }
}

// --- what may change the control word: FLDENV FLDCW, FNINIT and its like, FRSTOR FNSAVE

for (const digit of [4, 5]) {
  onX87(0xd9, digit, "memory", (g, i) => g.callHandler(i));
}
for (const digit of [4, 6]) {
  onX87(0xdd, digit, "memory", (g, i) => g.callHandler(i));
}
onX87(0xdb, 4, "register", (g, i) => g.callHandler(i));
// FNSTENV masks all exceptions
onX87(0xd9, 6, "memory", (g, i) => g.callHandler(i));
