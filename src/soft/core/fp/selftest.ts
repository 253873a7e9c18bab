// The entry of the module the arithmetic is tested with (tests/soft/fp): runs
// one operation on a batch of operands. Not part of the platform's module.
//
// A case is 40 bytes: control word or MXCSR at 0, operand a at 8, b at 24 (an
// 80-bit number is its significand, then its sign and exponent). A result is
// 32 bytes: value at 0, status at 12, second value (x87) or upper half (SSE)
// at 16. Status: x87 status word bits, or MXCSR flags and 0x100 for #XM;
// EFLAGS from bit 16.
import { runSse } from "./selftest_sse";
import { runX87 } from "./selftest_x87";

const CASES: i32 = 4096;
const IN: usize = memory.data(163840, 16);
const OUT: usize = memory.data(131072, 16);

export function cases(): i32 {
  return CASES;
}
export function input(): usize {
  return IN;
}
export function output(): usize {
  return OUT;
}

/** Runs operation `op` on the first `count` cases of the input. */
export function run(op: i32, count: i32): void {
  memory.fill(OUT, 0, usize(count) * 32);
  for (let i: i32 = 0; i < count; i++) {
    const c = IN + usize(i) * 40, o = OUT + usize(i) * 32;
    if (op < 100) runX87(op, c, o);
    else runSse(op, c, o);
  }
}
