// One SSE operation on one case, for selftest.ts.
import { EQUAL, LESS, UNORDERED } from "./f80";
import {
  f32Add,
  f32Cmp,
  f32Div,
  f32Max,
  f32Min,
  f32Mul,
  f32Relation,
  f32Sqrt,
  f32Sub,
} from "./sse32";
import {
  f64Add,
  f64Cmp,
  f64Div,
  f64Max,
  f64Min,
  f64Mul,
  f64Relation,
  f64Sqrt,
  f64Sub,
} from "./sse64";
import {
  f32Round,
  f32ToF64,
  f32ToI32,
  f32ToI64,
  f64Round,
  f64ToF32,
  f64ToI32,
  f64ToI64,
  i32ToF64,
  i64ToF32,
  i64ToF64,
} from "./sse_convert";
import { sseBegin, sseEnd, sseFaults } from "./state";

function arithmetic64(op: i32, a: u64, b: u64): u64 {
  switch (op) {
    case 0:
      return f64Add(a, b);
    case 1:
      return f64Sub(a, b);
    case 2:
      return f64Mul(a, b);
    case 3:
      return f64Div(a, b);
    case 4:
      return f64Sqrt(b);
    case 5:
      return f64Min(a, b);
    case 6:
      return f64Max(a, b);
  }
  return f64Cmp(a, b, op - 10);
}

function arithmetic32(op: i32, a: u32, b: u32): u32 {
  switch (op) {
    case 0:
      return f32Add(a, b);
    case 1:
      return f32Sub(a, b);
    case 2:
      return f32Mul(a, b);
    case 3:
      return f32Div(a, b);
    case 4:
      return f32Sqrt(b);
    case 5:
      return f32Min(a, b);
    case 6:
      return f32Max(a, b);
  }
  return f32Cmp(a, b, op - 10);
}

function pair(lo: u32, hi: u32): u64 {
  return u64(lo) | (u64(hi) << 32);
}

/** Runs SSE operation `op` on the case at `c`, the result to `o`. */
export function runSse(op: i32, c: usize, o: usize): void {
  const mxcsr = load<u32>(c);
  sseBegin(mxcsr);
  const a = load<u64>(c + 8), aHi = load<u64>(c + 16);
  const b = load<u64>(c + 24), bHi = load<u64>(c + 32);
  const a32 = u32(a), b32 = u32(b);
  // What an exception leaves: the destination.
  let lo = a, hi = aHi;
  let relation = -1;
  if (op == 107 || op == 108) relation = f64Relation(a, b, op == 108);
  else if (op == 127 || op == 128) relation = f32Relation(a32, b32, op == 128);
  else if (op < 120) lo = arithmetic64(op - 100, a, b);
  else if (op < 140) lo = pair(arithmetic32(op - 120, a32, b32), u32(a >> 32));
  else if (op == 140) lo = f32ToF64(b32);
  else if (op == 141) lo = pair(f64ToF32(b), u32(a >> 32));
  else if (op < 150) {
    hi = 0;
    const truncate = (op & 3) < 2;
    if (op < 146) {
      if ((op & 1) == 0) lo = u64(u32(f64ToI32(a, truncate)));
      else lo = u64(f64ToI64(a, truncate));
    } else if ((op & 1) == 0) lo = u64(u32(f32ToI32(a32, truncate)));
    else lo = u64(f32ToI64(a32, truncate));
  } else if (op == 150) lo = i32ToF64(i32(b32));
  else if (op == 151) lo = i64ToF64(i64(b));
  else if (op == 152) lo = pair(i64ToF32(i64(i32(b32))), u32(a >> 32));
  else if (op == 153) lo = pair(i64ToF32(i64(b)), u32(a >> 32));
  else if (op < 180) lo = f64Round(b, op - 160);
  else if (op < 200) lo = pair(f32Round(b32, op - 180), u32(a >> 32));
  else if (op < 220) {
    lo = arithmetic64(op - 200, a, b);
    hi = arithmetic64(op - 200, aHi, bHi);
  } else if (op < 240) {
    const n = op - 220;
    const r1 = arithmetic32(n, u32(a >> 32), u32(b >> 32));
    lo = pair(arithmetic32(n, a32, b32), r1);
    const r3 = arithmetic32(n, u32(aHi >> 32), u32(bHi >> 32));
    hi = pair(arithmetic32(n, u32(aHi), u32(bHi)), r3);
  } else if (op == 240) {
    lo = pair(f32ToI32(b32, false), f32ToI32(u32(b >> 32), false));
    hi = pair(f32ToI32(u32(bHi), false), f32ToI32(u32(bHi >> 32), false));
  } else if (op == 241) {
    lo = pair(f64ToI32(b, true), f64ToI32(bHi, true));
    hi = 0;
  } else if (op == 242) {
    lo = pair(f64ToF32(b), f64ToF32(bHi));
    hi = 0;
  } else {
    lo = pair(i64ToF32(i32(b32)), i64ToF32(i32(b >> 32)));
    hi = pair(i64ToF32(i32(bHi)), i64ToF32(i32(bHi >> 32)));
  }
  let status = sseEnd(mxcsr) & 0x3f;
  if (sseFaults()) {
    status |= 0x100;
    const integer = op >= 142 && op < 150;
    lo = integer ? 0xcccccccccccccccc : a;
    hi = integer ? 0 : aHi;
  } else if (relation >= 0) {
    if (relation == EQUAL) status |= 0x400000;
    else if (relation == LESS) status |= 0x010000;
    else if (relation == UNORDERED) status |= 0x450000;
  }
  store<u64>(o, lo);
  store<u64>(o + 16, hi);
  store<u32>(o + 12, status);
}
