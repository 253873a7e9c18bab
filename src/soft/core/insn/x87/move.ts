// x87 loads, stores, exchanges, conditional moves and constants. Source: Intel
// SDM volume 2; the aliases (FXCH4, FXCH7, FSTP1, FSTP8, FSTP9) are
// undocumented encodings that silicon accepts.
import { cond } from "../../cpu/flags";
import {
  bcdHi,
  bcdLo,
  f80FromBcd,
  f80FromF32,
  f80FromF64,
  f80FromI64,
  f80ToBcd,
  f80ToF32,
  f80ToF64,
  f80ToInt,
} from "../../fp/f80_convert";
import { f80M, f80Se } from "../../fp/round";
import {
  flags,
  IE,
  masks,
  ROUND_DOWN,
  ROUND_UP,
  ROUND_ZERO,
  rounding,
  x87Stores,
} from "../../fp/state";
import { raise } from "../../cpu/fault";
import { FAULT } from "../../layout";
import { rd, wr } from "../../memory/access";
import { REC, rModrm } from "../../code/record";
import {
  advance,
  checkWritable,
  isEmpty,
  mOf,
  operand,
  overflow,
  popStack,
  pushRaw,
  put,
  putIndefinite,
  read80,
  readM,
  readSe,
  ready,
  seOf,
  setEmpty,
  settle,
  settleKeepingC1,
  settleMem,
  setTop,
  st,
  storable,
  top,
  underflow,
  writable,
  write80,
} from "./state";
import { ldm, stm } from "../../code/operand";
import { Vector } from "../../x86/vectors";

/** Pushes the converted memory operand in f80Se:f80M. */
function pushLoaded(p: usize): usize {
  if (!isEmpty(7)) {
    if (overflow()) pushRaw(0xffff, 0xc000000000000000);
  } else if ((flags & IE & ~masks) == 0) pushRaw(f80Se, f80M);
  settleMem(p);
  return p + REC;
}

/** FLD m32. */
export function loadF32(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u32>(p);
  if (load<u32>(FAULT)) return 0;
  if (isEmpty(7)) f80FromF32(v);
  return pushLoaded(p);
}

/** FLD m64. */
export function loadF64(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u64>(p);
  if (load<u32>(FAULT)) return 0;
  if (isEmpty(7)) f80FromF64(v);
  return pushLoaded(p);
}

/** FLD m80. */
export function loadF80(p: usize): usize {
  if (!ready()) return 0;
  const a = operand(p, 10, 8, false);
  if (load<u32>(FAULT)) return 0;
  read80(a, 0);
  if (load<u32>(FAULT)) return 0;
  if (isEmpty(7)) pushRaw(readSe, readM);
  else if (overflow()) pushRaw(0xffff, 0xc000000000000000);
  settleMem(p);
  return p + REC;
}

/** FILD of a 16-, 32- or 64-bit integer. */
export function loadI16(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u16>(p);
  if (load<u32>(FAULT)) return 0;
  f80FromI64(<i64> <i16> v);
  return pushLoaded(p);
}
export function loadI32(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u32>(p);
  if (load<u32>(FAULT)) return 0;
  f80FromI64(<i64> <i32> v);
  return pushLoaded(p);
}
export function loadI64(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u64>(p);
  if (load<u32>(FAULT)) return 0;
  f80FromI64(<i64> v);
  return pushLoaded(p);
}

/** FBLD. */
export function loadBcd(p: usize): usize {
  if (!ready()) return 0;
  const a = operand(p, 10, 8, false);
  if (load<u32>(FAULT)) return 0;
  const lo = rd<u64>(a);
  if (load<u32>(FAULT)) return 0;
  const hi = rd<u16>(advance(a, 8));
  if (load<u32>(FAULT)) return 0;
  f80FromBcd(lo, hi);
  return pushLoaded(p);
}

/** FST, FSTP m32. */
export function storeF32(p: usize, pop: bool): usize {
  if (!ready()) return 0;
  let v: u32 = 0xffc00000;
  let ok: bool;
  if (isEmpty(0)) ok = underflow();
  else {
    v = f80ToF32(seOf(st(0)), mOf(st(0)));
    ok = storable();
  }
  if (ok) {
    stm<u32>(p, v);
    if (load<u32>(FAULT)) return 0;
    if (pop) popStack();
  } else if (!checkWritable(p, 4)) return 0;
  settleMem(p);
  return p + REC;
}

/** FST, FSTP m64. */
export function storeF64(p: usize, pop: bool): usize {
  if (!ready()) return 0;
  let v: u64 = 0xfff8000000000000;
  let ok: bool;
  if (isEmpty(0)) ok = underflow();
  else {
    v = f80ToF64(seOf(st(0)), mOf(st(0)));
    ok = storable();
  }
  if (ok) {
    stm<u64>(p, v);
    if (load<u32>(FAULT)) return 0;
    if (pop) popStack();
  } else if (!checkWritable(p, 8)) return 0;
  settleMem(p);
  return p + REC;
}

/** FSTP m80. */
export function storeF80(p: usize): usize {
  if (!ready()) return 0;
  const empty = isEmpty(0);
  if (!empty || underflow()) {
    const a = writable(p, 10, 8);
    if (load<u32>(FAULT)) return 0;
    if (empty) write80(a, 0, 0xffff, 0xc000000000000000);
    else write80(a, 0, seOf(st(0)), mOf(st(0)));
    if (load<u32>(FAULT)) return 0;
    popStack();
  } else if (!checkWritable(p, 10)) return 0;
  settleMem(p);
  return p + REC;
}

/** FIST, FISTP, FISTTP to 16, 32 or 64 bits. */
export function storeInt(
  p: usize,
  bits: i32,
  truncate: bool,
  pop: bool,
): usize {
  if (!ready()) return 0;
  let v: i64 = i64.MIN_VALUE >> (64 - bits);
  let ok: bool;
  if (isEmpty(0)) ok = underflow();
  else {
    v = f80ToInt(seOf(st(0)), mOf(st(0)), bits, truncate);
    ok = x87Stores();
  }
  if (ok) {
    if (bits == 16) stm<u16>(p, <u16> v);
    else if (bits == 32) stm<u32>(p, <u32> v);
    else stm<u64>(p, <u64> v);
    if (load<u32>(FAULT)) return 0;
    if (pop) popStack();
  } else if (!checkWritable(p, bits >> 3)) return 0;
  settleMem(p);
  return p + REC;
}

/** FBSTP. */
export function storeBcd(p: usize): usize {
  if (!ready()) return 0;
  let lo: u64 = 0xc000000000000000;
  let hi: u32 = 0xffff;
  let ok: bool;
  if (isEmpty(0)) ok = underflow();
  else {
    f80ToBcd(seOf(st(0)), mOf(st(0)));
    lo = bcdLo;
    hi = bcdHi;
    ok = x87Stores();
  }
  if (ok) {
    const a = writable(p, 10, 8);
    if (load<u32>(FAULT)) return 0;
    wr<u64>(a, lo);
    if (load<u32>(FAULT)) return 0;
    wr<u16>(advance(a, 8), <u16> hi);
    if (load<u32>(FAULT)) return 0;
    popStack();
  } else if (!checkWritable(p, 10)) return 0;
  settleMem(p);
  return p + REC;
}

/** FLD ST(i). */
export function loadSt(p: usize): usize {
  if (!ready()) return 0;
  const i = rModrm(p) & 7;
  if (isEmpty(i)) {
    if (underflow()) pushRaw(0xffff, 0xc000000000000000);
  } else if (!isEmpty(7)) {
    if (overflow()) pushRaw(0xffff, 0xc000000000000000);
  } else pushRaw(seOf(st(i)), mOf(st(i)));
  settle(p);
  return p + REC;
}

/** FST, FSTP ST(i). */
export function storeSt(p: usize, pop: bool): usize {
  if (!ready()) return 0;
  const i = rModrm(p) & 7;
  let ok = true;
  if (isEmpty(0)) {
    ok = underflow();
    if (ok) putIndefinite(i);
  } else put(i, seOf(st(0)), mOf(st(0)));
  if (ok && pop) popStack();
  settle(p);
  return p + REC;
}

/** FSTP1 (D9 D8-DF): FSTP ST(i) that takes an empty ST(0) without a word. */
export function storeStQuiet(p: usize): usize {
  if (!ready()) return 0;
  if (isEmpty(0)) popStack();
  else {
    put(rModrm(p) & 7, seOf(st(0)), mOf(st(0)));
    popStack();
  }
  settle(p);
  return p + REC;
}

/** FXCH. */
export function exchange(p: usize): usize {
  if (!ready()) return 0;
  const i = rModrm(p) & 7;
  let ok = true;
  if (isEmpty(0) || isEmpty(i)) {
    ok = underflow();
    if (ok) {
      if (isEmpty(0)) putIndefinite(0);
      if (isEmpty(i)) putIndefinite(i);
    }
  }
  if (ok) {
    const a = st(0), b = st(i);
    const se = seOf(a), m = mOf(a);
    put(0, seOf(b), mOf(b));
    put(i, se, m);
  }
  settle(p);
  return p + REC;
}

/** FCMOVcc: moves if the Jcc condition `cc` holds. */
export function moveIf(p: usize, cc: u32): usize {
  if (!ready()) return 0;
  const i = rModrm(p) & 7;
  if (isEmpty(0) || isEmpty(i)) {
    if (underflow()) putIndefinite(0);
  } else if (cond(cc)) put(0, seOf(st(i)), mOf(st(i)));
  settleKeepingC1(p);
  return p + REC;
}

/** FCHS and FABS. */
export function changeSign(p: usize, absolute: bool): usize {
  if (!ready()) return 0;
  if (isEmpty(0)) {
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0);
    const se = seOf(a);
    store<u16>(a, <u16> (absolute ? se & 0x7fff : se ^ 0x8000), 8);
  }
  settle(p);
  return p + REC;
}

/** FFREE, FFREEP: no exception, C1 stays. */
export function free(p: usize, pop: bool): usize {
  if (!ready()) return 0;
  setEmpty(rModrm(p) & 7);
  if (pop) popStack();
  return p + REC;
}

/** FINCSTP, FDECSTP. */
export function moveTop(p: usize, by: i32): usize {
  if (!ready()) return 0;
  setTop(top() + by);
  settle(p);
  return p + REC;
}

/**
 * FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: the constants have more
 * bits than a register, so RC decides the last one.
 */
export function loadConstant(p: usize): usize {
  const n = rModrm(p) & 7;
  if (n == 7) return raise(Vector.UD);
  if (!ready()) return 0;
  if (!isEmpty(7)) {
    if (overflow()) pushRaw(0xffff, 0xc000000000000000);
  } else {
    const up: u64 = rounding == ROUND_UP ? 1 : 0;
    const down: u64 = rounding == ROUND_DOWN || rounding == ROUND_ZERO ? 1 : 0;
    if (n == 0) pushRaw(0x3fff, 0x8000000000000000);
    else if (n == 1) pushRaw(0x4000, 0xd49a784bcd1b8afe + up);
    else if (n == 2) pushRaw(0x3fff, 0xb8aa3b295c17f0bc - down);
    else if (n == 3) pushRaw(0x4000, 0xc90fdaa22168c235 - down);
    else if (n == 4) pushRaw(0x3ffd, 0x9a209a84fbcff799 - down);
    else if (n == 5) pushRaw(0x3ffe, 0xb17217f7d1cf79ac - down);
    else pushRaw(0, 0);
  }
  settle(p);
  return p + REC;
}
