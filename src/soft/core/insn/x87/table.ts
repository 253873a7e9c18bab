// Registration of the x87 instructions: opcodes D8 to DF and WAIT, every form
// that silicon executes, the undocumented aliases included.
// Source: Intel SDM volume 2, appendix A.5.
import { raise } from "../../cpu/fault";
import { def, grp, hm, hr, M_ONE, REGONLY } from "../../code/optable";
import { rModrm } from "../../code/record";
import {
  ADD,
  arithI16,
  arithI32,
  arithM32,
  arithM64,
  arithToOther,
  arithToTop,
  COM,
  COMP,
  compare,
  compareFlags,
  comparePop2,
  DIV,
  DIVR,
  MUL,
  SUB,
  SUBR,
  test,
} from "./arith";
import {
  fclex,
  finit,
  fldcw,
  fldenv,
  fnop,
  fnsave,
  fnstcw,
  fnstenv,
  fnstswAx,
  fnstswMem,
  frstor,
  fwait,
  nothing,
} from "./control";
import {
  binaryPop,
  examine,
  extract,
  remainder,
  scale,
  sineAndCosine,
  sineOrCosine,
  tangent,
  unary,
} from "./math";
import {
  changeSign,
  exchange,
  free,
  loadBcd,
  loadConstant,
  loadF32,
  loadF64,
  loadF80,
  loadI16,
  loadI32,
  loadI64,
  loadSt,
  moveIf,
  moveTop,
  storeBcd,
  storeF32,
  storeF64,
  storeF80,
  storeInt,
  storeSt,
  storeStQuiet,
} from "./move";
import { Vector } from "../../x86/vectors";

// Condition codes of FCMOVcc, as Jcc numbers them; +1 is the opposite.
const CC_B: u32 = 2;
const CC_E: u32 = 4;
const CC_BE: u32 = 6;
const CC_U: u32 = 10;

function fcom(p: usize, pops: u32): usize {
  return compare(p, rModrm(p) & 7, false, pops);
}

function fucom(p: usize, pops: u32): usize {
  return compare(p, rModrm(p) & 7, true, pops);
}

/** D9 D0: FNOP; the other numbers are undefined. */
function d9d0(p: usize): usize {
  return rModrm(p) == 0xd0 ? fnop(p) : raise(Vector.UD);
}

/** D9 E0 to E7. */
function d9e0(p: usize): usize {
  switch (rModrm(p)) {
    case 0xe0:
      return changeSign(p, false);
    case 0xe1:
      return changeSign(p, true);
    case 0xe4:
      return test(p);
    case 0xe5:
      return examine(p);
  }
  return raise(Vector.UD);
}

/** D9 F0 to F7. */
function d9f0(p: usize): usize {
  switch (rModrm(p)) {
    case 0xf0:
      return unary(p);
    case 0xf2:
      return tangent(p);
    case 0xf4:
      return extract(p);
    case 0xf5:
      return remainder(p, true);
    case 0xf6:
      return moveTop(p, -1);
    case 0xf7:
      return moveTop(p, 1);
  }
  return binaryPop(p);
}

/** D9 F8 to FF. */
function d9f8(p: usize): usize {
  switch (rModrm(p)) {
    case 0xf8:
      return remainder(p, false);
    case 0xf9:
      return binaryPop(p);
    case 0xfb:
      return sineAndCosine(p);
    case 0xfd:
      return scale(p);
    case 0xfe:
      return sineOrCosine(p, false);
    case 0xff:
      return sineOrCosine(p, true);
  }
  return unary(p);
}

/** DB E0 to E7. */
function dbe0(p: usize): usize {
  switch (rModrm(p)) {
    case 0xe2:
      return fclex(p);
    case 0xe3:
      return finit(p);
    case 0xe0:
    case 0xe1:
    case 0xe4:
      return nothing(p);
  }
  return raise(Vector.UD);
}

function dfe0(p: usize): usize {
  return rModrm(p) == 0xe0 ? fnstswAx(p) : raise(Vector.UD);
}

function d8(): void {
  grp(M_ONE, 0xd8, 0, 0);
  hm(2, (p) => arithM32(p, ADD));
  hr(2, (p) => arithToTop(p, ADD));
  grp(M_ONE, 0xd8, 1, 0);
  hm(2, (p) => arithM32(p, MUL));
  hr(2, (p) => arithToTop(p, MUL));
  grp(M_ONE, 0xd8, 2, 0);
  hm(2, (p) => arithM32(p, COM));
  hr(2, (p) => fcom(p, 0));
  grp(M_ONE, 0xd8, 3, 0);
  hm(2, (p) => arithM32(p, COMP));
  hr(2, (p) => fcom(p, 1));
  grp(M_ONE, 0xd8, 4, 0);
  hm(2, (p) => arithM32(p, SUB));
  hr(2, (p) => arithToTop(p, SUB));
  grp(M_ONE, 0xd8, 5, 0);
  hm(2, (p) => arithM32(p, SUBR));
  hr(2, (p) => arithToTop(p, SUBR));
  grp(M_ONE, 0xd8, 6, 0);
  hm(2, (p) => arithM32(p, DIV));
  hr(2, (p) => arithToTop(p, DIV));
  grp(M_ONE, 0xd8, 7, 0);
  hm(2, (p) => arithM32(p, DIVR));
  hr(2, (p) => arithToTop(p, DIVR));
}

function d9(): void {
  grp(M_ONE, 0xd9, 0, 0);
  hm(2, (p) => loadF32(p));
  hr(2, (p) => loadSt(p));
  grp(M_ONE, 0xd9, 1, REGONLY);
  hr(2, (p) => exchange(p));
  grp(M_ONE, 0xd9, 2, 0);
  hm(2, (p) => storeF32(p, false));
  hr(2, (p) => d9d0(p));
  grp(M_ONE, 0xd9, 3, 0);
  hm(2, (p) => storeF32(p, true));
  hr(2, (p) => storeStQuiet(p));
  grp(M_ONE, 0xd9, 4, 0);
  hm(2, (p) => fldenv(p));
  hr(2, (p) => d9e0(p));
  grp(M_ONE, 0xd9, 5, 0);
  hm(2, (p) => fldcw(p));
  hr(2, (p) => loadConstant(p));
  grp(M_ONE, 0xd9, 6, 0);
  hm(2, (p) => fnstenv(p));
  hr(2, (p) => d9f0(p));
  grp(M_ONE, 0xd9, 7, 0);
  hm(2, (p) => fnstcw(p));
  hr(2, (p) => d9f8(p));
}

function da(): void {
  grp(M_ONE, 0xda, 0, 0);
  hm(2, (p) => arithI32(p, ADD));
  hr(2, (p) => moveIf(p, CC_B));
  grp(M_ONE, 0xda, 1, 0);
  hm(2, (p) => arithI32(p, MUL));
  hr(2, (p) => moveIf(p, CC_E));
  grp(M_ONE, 0xda, 2, 0);
  hm(2, (p) => arithI32(p, COM));
  hr(2, (p) => moveIf(p, CC_BE));
  grp(M_ONE, 0xda, 3, 0);
  hm(2, (p) => arithI32(p, COMP));
  hr(2, (p) => moveIf(p, CC_U));
  grp(M_ONE, 0xda, 4, 0);
  hm(2, (p) => arithI32(p, SUB));
  grp(M_ONE, 0xda, 5, 0);
  hm(2, (p) => arithI32(p, SUBR));
  hr(2, (p) => comparePop2(p, true));
  grp(M_ONE, 0xda, 6, 0);
  hm(2, (p) => arithI32(p, DIV));
  grp(M_ONE, 0xda, 7, 0);
  hm(2, (p) => arithI32(p, DIVR));
}

function db(): void {
  grp(M_ONE, 0xdb, 0, 0);
  hm(2, (p) => loadI32(p));
  hr(2, (p) => moveIf(p, CC_B + 1));
  grp(M_ONE, 0xdb, 1, 0);
  hm(2, (p) => storeInt(p, 32, true, true));
  hr(2, (p) => moveIf(p, CC_E + 1));
  grp(M_ONE, 0xdb, 2, 0);
  hm(2, (p) => storeInt(p, 32, false, false));
  hr(2, (p) => moveIf(p, CC_BE + 1));
  grp(M_ONE, 0xdb, 3, 0);
  hm(2, (p) => storeInt(p, 32, false, true));
  hr(2, (p) => moveIf(p, CC_U + 1));
  grp(M_ONE, 0xdb, 4, REGONLY);
  hr(2, (p) => dbe0(p));
  grp(M_ONE, 0xdb, 5, 0);
  hm(2, (p) => loadF80(p));
  hr(2, (p) => compareFlags(p, true, false));
  grp(M_ONE, 0xdb, 6, REGONLY);
  hr(2, (p) => compareFlags(p, false, false));
  grp(M_ONE, 0xdb, 7, 0);
  hm(2, (p) => storeF80(p));
}

function dc(): void {
  grp(M_ONE, 0xdc, 0, 0);
  hm(2, (p) => arithM64(p, ADD));
  hr(2, (p) => arithToOther(p, ADD));
  grp(M_ONE, 0xdc, 1, 0);
  hm(2, (p) => arithM64(p, MUL));
  hr(2, (p) => arithToOther(p, MUL));
  grp(M_ONE, 0xdc, 2, 0);
  hm(2, (p) => arithM64(p, COM));
  hr(2, (p) => fcom(p, 0));
  grp(M_ONE, 0xdc, 3, 0);
  hm(2, (p) => arithM64(p, COMP));
  hr(2, (p) => fcom(p, 1));
  grp(M_ONE, 0xdc, 4, 0);
  hm(2, (p) => arithM64(p, SUB));
  hr(2, (p) => arithToOther(p, SUB));
  grp(M_ONE, 0xdc, 5, 0);
  hm(2, (p) => arithM64(p, SUBR));
  hr(2, (p) => arithToOther(p, SUBR));
  grp(M_ONE, 0xdc, 6, 0);
  hm(2, (p) => arithM64(p, DIV));
  hr(2, (p) => arithToOther(p, DIV));
  grp(M_ONE, 0xdc, 7, 0);
  hm(2, (p) => arithM64(p, DIVR));
  hr(2, (p) => arithToOther(p, DIVR));
}

function dd(): void {
  grp(M_ONE, 0xdd, 0, 0);
  hm(2, (p) => loadF64(p));
  hr(2, (p) => free(p, false));
  grp(M_ONE, 0xdd, 1, 0);
  hm(2, (p) => storeInt(p, 64, true, true));
  hr(2, (p) => exchange(p));
  grp(M_ONE, 0xdd, 2, 0);
  hm(2, (p) => storeF64(p, false));
  hr(2, (p) => storeSt(p, false));
  grp(M_ONE, 0xdd, 3, 0);
  hm(2, (p) => storeF64(p, true));
  hr(2, (p) => storeSt(p, true));
  grp(M_ONE, 0xdd, 4, 0);
  hm(2, (p) => frstor(p));
  hr(2, (p) => fucom(p, 0));
  grp(M_ONE, 0xdd, 5, REGONLY);
  hr(2, (p) => fucom(p, 1));
  grp(M_ONE, 0xdd, 6, 0);
  hm(2, (p) => fnsave(p));
  grp(M_ONE, 0xdd, 7, 0);
  hm(2, (p) => fnstswMem(p));
}

function de(): void {
  grp(M_ONE, 0xde, 0, 0);
  hm(2, (p) => arithI16(p, ADD));
  hr(2, (p) => arithToOther(p, ADD));
  grp(M_ONE, 0xde, 1, 0);
  hm(2, (p) => arithI16(p, MUL));
  hr(2, (p) => arithToOther(p, MUL));
  grp(M_ONE, 0xde, 2, 0);
  hm(2, (p) => arithI16(p, COM));
  hr(2, (p) => fcom(p, 1));
  grp(M_ONE, 0xde, 3, 0);
  hm(2, (p) => arithI16(p, COMP));
  hr(2, (p) => comparePop2(p, false));
  grp(M_ONE, 0xde, 4, 0);
  hm(2, (p) => arithI16(p, SUB));
  hr(2, (p) => arithToOther(p, SUB));
  grp(M_ONE, 0xde, 5, 0);
  hm(2, (p) => arithI16(p, SUBR));
  hr(2, (p) => arithToOther(p, SUBR));
  grp(M_ONE, 0xde, 6, 0);
  hm(2, (p) => arithI16(p, DIV));
  hr(2, (p) => arithToOther(p, DIV));
  grp(M_ONE, 0xde, 7, 0);
  hm(2, (p) => arithI16(p, DIVR));
  hr(2, (p) => arithToOther(p, DIVR));
}

function df(): void {
  grp(M_ONE, 0xdf, 0, 0);
  hm(2, (p) => loadI16(p));
  hr(2, (p) => free(p, true));
  grp(M_ONE, 0xdf, 1, 0);
  hm(2, (p) => storeInt(p, 16, true, true));
  hr(2, (p) => exchange(p));
  grp(M_ONE, 0xdf, 2, 0);
  hm(2, (p) => storeInt(p, 16, false, false));
  hr(2, (p) => storeSt(p, true));
  grp(M_ONE, 0xdf, 3, 0);
  hm(2, (p) => storeInt(p, 16, false, true));
  hr(2, (p) => storeSt(p, true));
  grp(M_ONE, 0xdf, 4, 0);
  hm(2, (p) => loadBcd(p));
  hr(2, (p) => dfe0(p));
  grp(M_ONE, 0xdf, 5, 0);
  hm(2, (p) => loadI64(p));
  hr(2, (p) => compareFlags(p, true, true));
  grp(M_ONE, 0xdf, 6, 0);
  hm(2, (p) => storeBcd(p));
  hr(2, (p) => compareFlags(p, false, true));
  grp(M_ONE, 0xdf, 7, 0);
  hm(2, (p) => storeInt(p, 64, false, true));
}

/** Registers the x87 instructions. */
export function registerX87(): void {
  d8();
  d9();
  da();
  db();
  dc();
  dd();
  de();
  df();
  def(M_ONE, 0x9b, 0);
  hr(2, (p) => fwait(p));
}
