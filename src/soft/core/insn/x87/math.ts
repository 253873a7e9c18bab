// x87 instructions on the stack top (and ST(1)): FXAM, FSQRT, FRNDINT, FSCALE,
// FPREM, FXTRACT and the transcendentals. Source: Intel SDM volume 2.
import {
  classify,
  DENORMAL,
  f80Sqrt,
  INFINITY,
  NORMAL,
  QNAN,
  UNSUPPORTED,
  ZERO,
} from "../../fp/f80";
import { f80RoundToInt } from "../../fp/f80_convert";
import { f80Exp2Minus1, f80YLog2X, f80YLog2XPlus1 } from "../../fp/f80_log";
import {
  f80Extract,
  f80Rem,
  f80Scale,
  remDefined,
  remPartial,
  remQuotient,
  significandM,
  significandSe,
} from "../../fp/f80_scale";
import {
  cosineM,
  cosineSe,
  f80Atan2,
  f80Cos,
  f80Sin,
  f80SinCos,
  f80Tan,
  trigOutOfRange,
} from "../../fp/f80_trig";
import { f80M, f80Se } from "../../fp/round";
import { x87Stores } from "../../fp/state";
import { REC, rModrm } from "../../code/record";
import {
  C0,
  C1,
  C2,
  C3,
  isEmpty,
  mOf,
  overflow,
  popStack,
  pushRaw,
  put,
  putIndefinite,
  ready,
  seOf,
  settle,
  settleConditions,
  st,
  underflow,
} from "./state";

/** FXAM. */
export function examine(p: usize): usize {
  if (!ready()) return 0;
  const a = st(0);
  let codes: u32 = seOf(a) & 0x8000 ? C1 : 0;
  if (isEmpty(0)) codes |= C3 | C0;
  else {
    const c = classify(seOf(a), mOf(a));
    if (c == ZERO) codes |= C3;
    else if (c == NORMAL) codes |= C2;
    else if (c == DENORMAL) codes |= C3 | C2;
    else if (c == INFINITY) codes |= C2 | C0;
    else if (c != UNSUPPORTED) codes |= C0;
  }
  settleConditions(p, C0 | C2 | C3, codes);
  return p + REC;
}

/** One result from ST(0): D9 F0, FA, FC. */
export function unary(p: usize): usize {
  if (!ready()) return 0;
  if (isEmpty(0)) {
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0);
    const n = rModrm(p);
    if (n == 0xfa) f80Sqrt(seOf(a), mOf(a));
    else if (n == 0xfc) f80RoundToInt(seOf(a), mOf(a));
    else f80Exp2Minus1(seOf(a), mOf(a));
    if (x87Stores()) put(0, f80Se, f80M);
  }
  settle(p);
  return p + REC;
}

/** FSIN, FCOS. */
export function sineOrCosine(p: usize, cosine: bool): usize {
  if (!ready()) return 0;
  let codes: u32 = 0;
  if (isEmpty(0)) {
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0);
    if (cosine) f80Cos(seOf(a), mOf(a));
    else f80Sin(seOf(a), mOf(a));
    if (x87Stores() && !trigOutOfRange) put(0, f80Se, f80M);
    if (trigOutOfRange) codes = C2;
  }
  settleConditions(p, C2, codes);
  return p + REC;
}

/**
 * The stack check of instructions that replace ST(0) and push: true to go on.
 */
function roomToPush(): bool {
  const empty = isEmpty(0);
  if (!empty && isEmpty(7)) return true;
  if (empty ? underflow() : overflow()) {
    putIndefinite(0);
    pushRaw(0xffff, 0xc000000000000000);
  }
  return false;
}

/** FPTAN (pushes 1.0, or the NaN again) and FSINCOS. */
export function tangent(p: usize): usize {
  if (!ready()) return 0;
  let codes: u32 = 0;
  if (roomToPush()) {
    const a = st(0);
    f80Tan(seOf(a), mOf(a));
    if (trigOutOfRange) codes = C2;
    else if (x87Stores()) {
      put(0, f80Se, f80M);
      if (classify(f80Se, f80M) >= QNAN) pushRaw(f80Se, f80M);
      else pushRaw(0x3fff, 0x8000000000000000);
    }
  }
  settleConditions(p, C2, codes);
  return p + REC;
}

export function sineAndCosine(p: usize): usize {
  if (!ready()) return 0;
  let codes: u32 = 0;
  if (roomToPush()) {
    const a = st(0);
    f80SinCos(seOf(a), mOf(a));
    if (trigOutOfRange) codes = C2;
    else if (x87Stores()) {
      put(0, f80Se, f80M);
      pushRaw(cosineSe, cosineM);
    }
  }
  settleConditions(p, C2, codes);
  return p + REC;
}

/** FXTRACT. */
export function extract(p: usize): usize {
  if (!ready()) return 0;
  if (roomToPush()) {
    const a = st(0);
    f80Extract(seOf(a), mOf(a));
    if (x87Stores()) {
      put(0, f80Se, f80M);
      pushRaw(significandSe, significandM);
    }
  }
  settle(p);
  return p + REC;
}

/** FYL2X, FYL2XP1, FPATAN: ST(1) = f(ST(0), ST(1)), then pops. */
export function binaryPop(p: usize): usize {
  if (!ready()) return 0;
  if (isEmpty(0) || isEmpty(1)) {
    if (underflow()) {
      putIndefinite(1);
      popStack();
    }
  } else {
    const a = st(0), b = st(1);
    const n = rModrm(p);
    if (n == 0xf1) f80YLog2X(seOf(a), mOf(a), seOf(b), mOf(b));
    else if (n == 0xf9) f80YLog2XPlus1(seOf(a), mOf(a), seOf(b), mOf(b));
    else f80Atan2(seOf(b), mOf(b), seOf(a), mOf(a));
    if (x87Stores()) {
      put(1, f80Se, f80M);
      popStack();
    }
  }
  settle(p);
  return p + REC;
}

/** FSCALE. */
export function scale(p: usize): usize {
  if (!ready()) return 0;
  if (isEmpty(0) || isEmpty(1)) {
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0), b = st(1);
    f80Scale(seOf(a), mOf(a), seOf(b), mOf(b));
    if (x87Stores()) put(0, f80Se, f80M);
  }
  settle(p);
  return p + REC;
}

/** FPREM, FPREM1 (`nearest`): quotient bits 2, 1, 0 go to C0, C3, C1. */
export function remainder(p: usize, nearest: bool): usize {
  if (!ready()) return 0;
  let codes: u32 = 0, mask: u32 = C2;
  if (isEmpty(0) || isEmpty(1)) {
    if (underflow()) putIndefinite(0);
  } else {
    const a = st(0), b = st(1);
    f80Rem(seOf(a), mOf(a), seOf(b), mOf(b), nearest);
    if (x87Stores()) put(0, f80Se, f80M);
    if (remQuotient & 4) codes |= C0;
    if (remQuotient & 2) codes |= C3;
    if (remQuotient & 1) codes |= C1;
    if (remPartial) codes |= C2;
    if (remDefined) mask = C0 | C2 | C3;
  }
  settleConditions(p, mask, codes);
  return p + REC;
}
