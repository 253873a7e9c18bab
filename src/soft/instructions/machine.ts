// What instructions are told in. A meaning is told once (table.ts), and carried out by
// two: src/soft/build/inner.ts writes AssemblyScript of it, for the interpreter's inner
// loop, and src/soft/translate/machine.ts emits WebAssembly.

import type { Operand } from "./forms.ts";

/** An operation that sets the flags as a sum, a difference, or logic does. */
export type Operator = "+" | "-" | "&" | "|" | "^";

/** Left, right, and right with copies of the sign. */
export type Shift = "<<" | ">>>" | ">>";

/**
 * Who carries an instruction out. V is a value of the operand size, or a bit, which is
 * computed where it is taken; what it reads is found where it is asked for. An instruction
 * happens as a whole or not at all, so what may fail has to be asked for before anything
 * is changed: operands, the stack, where a jump leads.
 */
export interface Machine<V> {
  // --- operands
  /** An operand, zero-extended if it is smaller. */
  read(from: Operand): V;
  /** An operand, sign-extended if it is smaller. */
  readSigned(from: Operand): V;
  /** An operand that will be written, too. */
  modify(to: Operand): V;
  write(to: Operand, value: V): void;
  /** The offset of the memory operand in its segment. */
  address(): V;
  /** A value, computed now. */
  let(value: V): V;

  // --- what sets flags
  /** `x` and `y` operated on; sets all flags. */
  operate(operator: Operator, x: V, y: V): V;
  /** `x` and one more or less; sets all flags but CF. */
  step(x: V, by: 1 | -1): V;
  /** How far a shift goes, cut as the operand size says. */
  count(by: Operand): V;
  /** `x` shifted, and the bit that went out last; `n` is count()'s. */
  shift(direction: Shift, x: V, n: V): { readonly result: V; readonly out: V };
  /** Unless the count is 0, sets the flags: CF, OF by CF, the others by `result`. */
  setFlags(n: V, result: V, carry: V, overflow: (carry: V) => V): void;
  /** The bit so many below the top one of what shift() gave. */
  bit(result: V, below: 0 | 1): V;
  /** Two bits' exclusive or. */
  differ(a: V, b: V): V;
  /** A bit that is 0. */
  clear(): V;

  // --- the stack
  push(value: V): void;
  /** What is on top of the stack. */
  top(): V;
  /** Takes an operand's bytes off the stack. */
  pop(): void;

  // --- jumps
  /** Does `then` if condition code `cc` (0 to 15) holds. */
  when(cc: number, then: () => void): void;
  /** Goes to where a direct branch leads. */
  branch(): void;
  /** Where a direct branch leads, for jump(). */
  target(): V;
  /** The address behind the instruction. */
  next(): V;
  /** What is at an address, for jump(). */
  lookUp(address: V): V;
  /** Goes there. */
  jump(to: V): void;
  /** Takes an address from the stack, and goes there: most likely behind a call. */
  return(): void;
}
