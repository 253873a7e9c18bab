// x87 arithmetic and comparisons: the D8 and DC families with their integer
// forms (DA, DE), compares of every kind. Source: Intel SDM volume 2.
import { setArith } from "../../cpu/flags";
import {
  EQUAL,
  f80Add,
  f80Compare,
  f80Div,
  f80Mul,
  f80Sub,
  LESS,
  noteOperandFlags,
  UNORDERED,
} from "../../fp/f80";
import { f80FromI64, f80OperandF32, f80OperandF64 } from "../../fp/f80_convert";
import { f80M, f80Se } from "../../fp/round";
import { x87Stores } from "../../fp/state";
import { raise } from "../../cpu/fault";
import { FAULT } from "../../layout";
import { REC, rModrm, rOpcode } from "../../code/record";
import {
  C0,
  C2,
  C3,
  isEmpty,
  mOf,
  popStack,
  put,
  putIndefinite,
  ready,
  seOf,
  settle,
  settleConditions,
  settleConditionsMem,
  settleKeepingC1,
  settleMem,
  st,
  underflow,
} from "./state";
import { ldm } from "../../code/operand";
import { Vector } from "../../x86/vectors";

/** Operations, numbered as ModRM.reg of D8. */
export const ADD: u32 = 0;
export const MUL: u32 = 1;
export const COM: u32 = 2;
export const COMP: u32 = 3;
export const SUB: u32 = 4;
export const SUBR: u32 = 5;
export const DIV: u32 = 6;
export const DIVR: u32 = 7;

const CONDITIONS: u32 = C0 | C2 | C3;

function compute(op: u32, seA: u32, mA: u64, seB: u32, mB: u64): void {
  switch (op) {
    case ADD:
      f80Add(seA, mA, seB, mB);
      break;
    case MUL:
      f80Mul(seA, mA, seB, mB);
      break;
    case SUB:
      f80Sub(seA, mA, seB, mB);
      break;
    case SUBR:
      f80Sub(seB, mB, seA, mA);
      break;
    case DIV:
      f80Div(seA, mA, seB, mB);
      break;
    default:
      f80Div(seB, mB, seA, mA);
  }
}

/** C3, C2, C0 of a comparison's result. */
function codesOf(relation: i32): u32 {
  if (relation == EQUAL) return C3;
  if (relation == LESS) return C0;
  return relation == UNORDERED ? CONDITIONS : 0;
}

/** ST(to) = ST(to) op ST(from), then pops if asked. */
function arith(p: usize, op: u32, to: u32, from: u32, pop: bool): usize {
  if (!ready()) return 0;
  if (isEmpty(to) || isEmpty(from)) {
    if (underflow()) {
      putIndefinite(to);
      if (pop) popStack();
    }
  } else {
    const a = st(to), b = st(from);
    compute(op, seOf(a), mOf(a), seOf(b), mOf(b));
    if (x87Stores()) {
      put(to, f80Se, f80M);
      if (pop) popStack();
    }
  }
  settle(p);
  return p + REC;
}

/** D8 register forms: ST(0) op= ST(i). */
export function arithToTop(p: usize, op: u32): usize {
  return arith(p, op, 0, rModrm(p) & 7, false);
}

/**
 * DC and DE register forms: ST(i) op= ST(0). Their SUB and DIV encodings are
 * the other way round than D8's: /4 is st(0) - st(i).
 */
export function arithToOther(p: usize, op: u32): usize {
  if (op >= SUB) op ^= 1;
  return arith(p, op, rModrm(p) & 7, 0, rOpcode(p) == 0xde);
}

/** ST(0) op= the memory operand that is in f80Se:f80M. */
function arithWidened(p: usize, op: u32): usize {
  if (op == COM || op == COMP) {
    let codes = CONDITIONS;
    let ok = true;
    if (isEmpty(0)) {
      noteOperandFlags(0);
      ok = underflow();
    } else {
      const a = st(0);
      codes = codesOf(f80Compare(seOf(a), mOf(a), f80Se, f80M, false));
      ok = x87Stores();
    }
    if (ok && op == COMP) popStack();
    settleConditionsMem(p, CONDITIONS, codes);
    return p + REC;
  }
  if (isEmpty(0)) {
    noteOperandFlags(0);
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0);
    compute(op, seOf(a), mOf(a), f80Se, f80M);
    if (x87Stores()) put(0, f80Se, f80M);
  }
  settleMem(p);
  return p + REC;
}

/** D8 memory forms: m32. */
export function arithM32(p: usize, op: u32): usize {
  if (!ready()) return 0;
  const v = ldm<u32>(p);
  if (load<u32>(FAULT)) return 0;
  f80OperandF32(v);
  return arithWidened(p, op);
}

/** DC memory forms: m64. */
export function arithM64(p: usize, op: u32): usize {
  if (!ready()) return 0;
  const v = ldm<u64>(p);
  if (load<u32>(FAULT)) return 0;
  f80OperandF64(v);
  return arithWidened(p, op);
}

/** DA memory forms: a 32-bit integer. */
export function arithI32(p: usize, op: u32): usize {
  if (!ready()) return 0;
  const v = ldm<u32>(p);
  if (load<u32>(FAULT)) return 0;
  f80FromI64(<i64> <i32> v);
  return arithWidened(p, op);
}

/** DE memory forms: a 16-bit integer. */
export function arithI16(p: usize, op: u32): usize {
  if (!ready()) return 0;
  const v = ldm<u16>(p);
  if (load<u32>(FAULT)) return 0;
  f80FromI64(<i64> <i16> v);
  return arithWidened(p, op);
}

/** FCOM and FUCOM (`quiet`) with ST(i), popping `pops` times. */
export function compare(p: usize, i: u32, quiet: bool, pops: u32): usize {
  if (!ready()) return 0;
  let codes = CONDITIONS;
  let ok = true;
  if (isEmpty(0) || isEmpty(i)) ok = underflow();
  else {
    const a = st(0), b = st(i);
    codes = codesOf(f80Compare(seOf(a), mOf(a), seOf(b), mOf(b), quiet));
    ok = x87Stores();
  }
  if (ok) {
    if (pops > 0) popStack();
    if (pops > 1) popStack();
  }
  settleConditions(p, CONDITIONS, codes);
  return p + REC;
}

/** FCOMI, FUCOMI and their popping forms: results to ZF, PF, CF. */
export function compareFlags(p: usize, quiet: bool, pop: bool): usize {
  if (!ready()) return 0;
  const i = rModrm(p) & 7;
  let ok = true;
  let f: u32 = 0x45;
  if (isEmpty(0) || isEmpty(i)) ok = underflow();
  else {
    const a = st(0), b = st(i);
    const codes = codesOf(
      f80Compare(seOf(a), mOf(a), seOf(b), mOf(b), quiet),
    );
    f = codes >> 8;
    ok = x87Stores();
  }
  setArith(f);
  if (ok && pop) popStack();
  settleKeepingC1(p);
  return p + REC;
}

/** FTST. */
export function test(p: usize): usize {
  if (!ready()) return 0;
  let codes = CONDITIONS;
  if (isEmpty(0)) underflow();
  else {
    const a = st(0);
    codes = codesOf(f80Compare(seOf(a), mOf(a), 0, 0, false));
    x87Stores();
  }
  settleConditions(p, CONDITIONS, codes);
  return p + REC;
}

/** FUCOMPP (DA E9) and FCOMPP (DE D9): other numbers are undefined. */
export function comparePop2(p: usize, quiet: bool): usize {
  if ((rModrm(p) & 7) != 1) return raise(Vector.UD);
  return compare(p, 1, quiet, 2);
}
