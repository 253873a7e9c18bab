// The quick way of SSE arithmetic: native WebAssembly operations, when the
// result is certain to be theirs and MXCSR certain not to change. U is the
// bits' type (u32, u64), F the number's. What does not fit goes through
// fp/sse*.ts. Source: SDM vol. 1, 11.5.
import { isDenormal32 } from "../../fp/sse32";
import { isDenormal64 } from "../../fp/sse64";
import { MXCSR } from "../../layout";

// the operations by their opcodes in the 0F map
export const SQRT: u32 = 0x51;
export const ADD: u32 = 0x58;
export const MUL: u32 = 0x59;
export const SUB: u32 = 0x5c;
export const MIN: u32 = 0x5d;
export const DIV: u32 = 0x5e;
export const MAX: u32 = 0x5f;

/**
 * MXCSR: all exceptions masked, to nearest, and PE set already, so it stays.
 */
@inline
export function quick(): bool {
  return (load<u32>(MXCSR) & 0x7fa0) == 0x1fa0;
}

@inline
export function isDenormal<U>(v: U): bool {
  return sizeof<U>() == 8 ? isDenormal64(v) : isDenormal32(<u32> v);
}

/** Neither zero, denormal, in the least normal binade, infinite nor NaN. */
@inline
export function ordinary<U>(v: U): bool {
  return sizeof<U>() == 8
    ? (<u32> (<u64> v >> 52) & 0x7ff) - 2 < 0x7fd
    : (<u32> (v >> 23) & 0xff) - 2 < 0xfd;
}

/** Whether op may go the quick way: MIN and MAX never round. */
@inline
export function mayBeQuick(op: u32): bool {
  return op == MIN || op == MAX || quick();
}

/** a op b, natively. */
@inline
export function native<F>(op: u32, a: F, b: F): F {
  if (op == SQRT) return sqrt<F>(b);
  if (op == ADD) return a + b;
  if (op == SUB) return a - b;
  if (op == MUL) return a * b;
  if (op == DIV) return a / b;
  if (op == MIN) return a < b ? a : b;
  return a > b ? a : b;
}

/** Whether v, the native a op b, is the result and raises nothing but PE. */
@inline
export function fits<U, F>(op: u32, a: U, b: U, v: U): bool {
  if (isDenormal<U>(b)) return false;
  if (op == SQRT) return ordinary<U>(b) && reinterpret<F>(b) > 0;
  if (isDenormal<U>(a)) return false;
  if (op == MIN || op == MAX) {
    const x = reinterpret<F>(a);
    const y = reinterpret<F>(b);
    return x == x && y == y;
  }
  return ordinary<U>(v) ||
    (v << 1 == 0 &&
      (op == ADD || op == SUB ||
        (op == MUL && (a << 1 == 0 || b << 1 == 0))));
}
