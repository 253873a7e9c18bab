/**
 * Agent expressions: the stack bytecode in which a debugger hands over the
 * condition of a breakpoint, so that a hit is judged where it happens.
 *
 * Source of facts: "Debugging with GDB", appendix F. An expression is decoded,
 * checked and made a function once, when it is handed over: what the bytecode does
 * to its stack is done then, and a hit, of which there may be millions, only
 * computes. All values are 64 bits. Floating point, tracing and state variables are
 * refused: conditions never use them. So are loops, which no condition has.
 */

import { ConditionOp, MAX_CONDITION_BYTES } from "../../../ffi/condition.ts";

/**
 * What an expression may ask about the processor that hit.
 *
 * @example
 * ```ts
 * import { type AgentContext, AgentExpression } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const context: AgentContext = {
 *   register: (number) => BigInt(number),
 *   memory: (_address, into) => {
 *     into.fill(1);
 *     return true;
 *   },
 * };
 * // const8 16; ref16; end
 * const expression = new AgentExpression(Uint8Array.of(0x22, 16, 0x18, 0x27));
 * assertEquals(expression.evaluate(context), 0x0101n);
 * ```
 */
export interface AgentContext {
  /** A register by its number in `allRegisters` (registers.ts), unsigned. */
  register(number: number): bigint;
  /** Fills `into` from virtual memory; false if any of it is not mapped. */
  memory(address: bigint, into: Uint8Array): boolean;
}

/**
 * The expression is not valid, or asked for something that is not there.
 *
 * @example
 * ```ts
 * import { AgentError, AgentExpression } from "@icebp/icebp";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => new AgentExpression(Uint8Array.of(0x02)), AgentError);
 * ```
 */
export class AgentError extends Error {
  /** The error's name. */
  override readonly name: string = "AgentError";
}

// Opcodes, named as in the appendix.
const ADD = 0x02;
const SUB = 0x03;
const MUL = 0x04;
const DIV_SIGNED = 0x05;
const DIV_UNSIGNED = 0x06;
const REM_SIGNED = 0x07;
const REM_UNSIGNED = 0x08;
const LSH = 0x09;
const RSH_SIGNED = 0x0a;
const RSH_UNSIGNED = 0x0b;
const LOG_NOT = 0x0e;
const BIT_AND = 0x0f;
const BIT_OR = 0x10;
const BIT_XOR = 0x11;
const BIT_NOT = 0x12;
const EQUAL = 0x13;
const LESS_SIGNED = 0x14;
const LESS_UNSIGNED = 0x15;
const EXT = 0x16;
const REF8 = 0x17;
const REF16 = 0x18;
const REF32 = 0x19;
const REF64 = 0x1a;
const IF_GOTO = 0x20;
const GOTO = 0x21;
const CONST8 = 0x22;
const CONST16 = 0x23;
const CONST32 = 0x24;
const CONST64 = 0x25;
const REG = 0x26;
const END = 0x27;
const DUP = 0x28;
const POP = 0x29;
const ZERO_EXT = 0x2a;
const SWAP = 0x2b;
const PICK = 0x32;
const ROT = 0x33;

/** Bytes of operand that follow an opcode; an opcode not here is refused. */
const OPERAND_BYTES = new Map<number, number>(
  [
    ...[ADD, SUB, MUL, DIV_SIGNED, DIV_UNSIGNED, REM_SIGNED, REM_UNSIGNED],
    ...[LSH, RSH_SIGNED, RSH_UNSIGNED, LOG_NOT, BIT_AND, BIT_OR, BIT_XOR],
    ...[BIT_NOT, EQUAL, LESS_SIGNED, LESS_UNSIGNED, REF8, REF16, REF32, REF64],
    ...[END, DUP, POP, SWAP, ROT],
  ].map((op): [number, number] => [op, 0]).concat([
    [EXT, 1],
    [ZERO_EXT, 1],
    [PICK, 1],
    [CONST8, 1],
    [CONST16, 2],
    [CONST32, 4],
    [CONST64, 8],
    [REG, 2],
    [IF_GOTO, 2],
    [GOTO, 2],
  ]),
);

/** Instructions on all ways through an expression; with more it has a loop, or too many
 * jumps to be followed each. */
const MAX_STEPS = 10_000;
/** Values on the stack, and conditional jumps on one way. */
const MAX_DEPTH = 256;

interface Instruction {
  readonly op: number;
  /** The operand as a number: register, bits, depth, or index of the target. */
  readonly number: number;
  /** The operand of a const. */
  readonly value: bigint;
}

/** A value that an expression computes. */
type Value =
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "register"; readonly number: number }
  | { readonly kind: "load"; readonly bytes: number; readonly address: Value }
  | {
    readonly kind: "extension";
    readonly signed: boolean;
    readonly bits: number;
    readonly of: Value;
  }
  | { readonly kind: "not"; readonly logical: boolean; readonly of: Value }
  | {
    readonly kind: "binary";
    readonly op: number;
    readonly left: Value;
    readonly right: Value;
  }
  | {
    readonly kind: "choice";
    readonly by: Value;
    readonly yes: Value;
    readonly no: Value;
  };

/** What a value is for a processor. */
type Evaluation = (context: AgentContext) => bigint;

const unsigned = (v: bigint) => BigInt.asUintN(64, v);
const signed = (v: bigint) => BigInt.asIntN(64, v);
const truth = (b: boolean) => b ? 1n : 0n;

/**
 * One expression.
 *
 * @example
 * ```ts
 * import { AgentExpression } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // reg 2; const8 41; equal; end
 * const condition = new AgentExpression(
 *   Uint8Array.of(0x26, 0, 2, 0x22, 41, 0x13, 0x27),
 * );
 * assertEquals(condition.registers, [2]);
 * const context = { register: () => 41n, memory: () => false };
 * assertEquals(condition.evaluate(context), 1n);
 * ```
 */
export class AgentExpression {
  /** The bytecode. */
  readonly bytes: Uint8Array;
  /** The registers it can ask for, without repetition. */
  readonly registers: readonly number[];
  readonly #value: Value;
  readonly #evaluate: Evaluation;

  /**
   * `renumber` makes numbers in `allRegisters` of those in `bytes`.
   *
   * @throws {AgentError} The bytes are not an expression.
   */
  constructor(bytes: Uint8Array, renumber?: (number: number) => number) {
    this.bytes = renumber === undefined ? bytes : renumbered(bytes, renumber);
    const code = decode(this.bytes);
    this.#value = new Compiler(code).follow(0, []);
    this.#evaluate = evaluationOf(this.#value);
    this.registers = [
      ...new Set(code.filter((i) => i.op === REG).map((i) => i.number)),
    ];
  }

  /**
   * The value on top of the stack at the end, unsigned 64 bits.
   *
   * @throws {AgentError} Memory is absent, or something is divided by zero.
   */
  evaluate(context: AgentContext): bigint {
    return this.#evaluate(context);
  }

  /**
   * The same as a condition for the platform (ConditionOp), to the end of `to`; false if
   * it is none that a platform tells. `registerOf` has the low 64 bits of which
   * WHV_REGISTER_NAME a register is, and how many of them; null if it is none such.
   *
   * @internal
   */
  encode(to: number[], registerOf: RegisterOf): boolean {
    return encode(this.#value, to, registerOf);
  }
}

/** Where a platform has a register: its low `bytes` bytes are of `source`'s. */
export type RegisterOf = (
  number: number,
) => { readonly source: number; readonly bytes: number } | null;

/** Follows the bytecode with values that are yet to be computed. */
class Compiler {
  readonly #code: readonly Instruction[];
  #steps = 0;

  constructor(code: readonly Instruction[]) {
    this.#code = code;
  }

  /** What the expression gives that goes on at `index` with `stack`, which it consumes. */
  follow(index: number, stack: Value[], jumps = 0): Value {
    for (; this.#steps < MAX_STEPS && jumps < MAX_DEPTH; this.#steps++) {
      const { op, number, value } = this.#code[index++];
      switch (op) {
        case CONST8:
        case CONST16:
        case CONST32:
        case CONST64:
          stack.push({ kind: "constant", value });
          break;
        case REG:
          stack.push({ kind: "register", number });
          break;
        case REF8:
        case REF16:
        case REF32:
        case REF64: {
          const bytes = 1 << (op - REF8);
          stack.push({ kind: "load", bytes, address: pop(stack) });
          break;
        }
        case EXT:
        case ZERO_EXT: {
          const signed = op === EXT, of = pop(stack);
          stack.push(folded({ kind: "extension", signed, bits: number, of }));
          break;
        }
        case LOG_NOT:
        case BIT_NOT: {
          const logical = op === LOG_NOT, of = pop(stack);
          stack.push(folded({ kind: "not", logical, of }));
          break;
        }
        case DUP:
          stack.push(peek(stack, 0));
          break;
        case POP:
          pop(stack);
          break;
        case PICK:
          stack.push(peek(stack, number));
          break;
        case SWAP: {
          const b = pop(stack), a = pop(stack);
          stack.push(b, a);
          break;
        }
        case ROT: {
          const c = pop(stack), b = pop(stack), a = pop(stack);
          stack.push(c, a, b);
          break;
        }
        case GOTO:
          index = number;
          break;
        case IF_GOTO: {
          const by = pop(stack);
          if (by.kind !== "constant") {
            const yes = this.follow(number, [...stack], jumps + 1);
            const no = this.follow(index, stack, jumps + 1);
            return { kind: "choice", by, yes, no };
          }
          if (by.value !== 0n) index = number;
          break;
        }
        case END:
          return pop(stack);
        default: {
          const right = pop(stack), left = pop(stack);
          stack.push({ kind: "binary", op, left, right });
        }
      }
      if (stack.length > MAX_DEPTH) throw new AgentError("stack overflow");
    }
    throw new AgentError("the expression does not end, or is too long");
  }
}

/** The same; what is made of a constant is one. */
function folded(value: Value & { readonly of: Value }): Value {
  return value.of.kind === "constant"
    ? { kind: "constant", value: evaluationOf(value)(NOTHING) }
    : value;
}

/** For values that ask for nothing. */
const NOTHING: AgentContext = { register: () => 0n, memory: () => false };

/** A function that computes a value. */
function evaluationOf(value: Value): Evaluation {
  switch (value.kind) {
    case "constant":
      return () => value.value;
    case "register":
      return (context) => context.register(value.number);
    case "load": {
      const { bytes } = value, address = evaluationOf(value.address);
      return (context) => load(context, address(context), bytes);
    }
    case "extension": {
      const { signed, bits } = value, of = evaluationOf(value.of);
      return signed
        ? (context) => unsigned(BigInt.asIntN(bits, of(context)))
        : (context) => BigInt.asUintN(bits, of(context));
    }
    case "not": {
      const of = evaluationOf(value.of);
      return value.logical
        ? (context) => truth(of(context) === 0n)
        : (context) => unsigned(~of(context));
    }
    case "binary": {
      const operator = OPERATORS.get(value.op)!;
      const left = evaluationOf(value.left), right = evaluationOf(value.right);
      return (context) => operator(left(context), right(context));
    }
    case "choice": {
      const by = evaluationOf(value.by);
      const yes = evaluationOf(value.yes), no = evaluationOf(value.no);
      return (context) => by(context) !== 0n ? yes(context) : no(context);
    }
  }
}

/** Appends a value to a condition; false where a platform has no such operator. */
function encode(value: Value, to: number[], registerOf: RegisterOf): boolean {
  if (to.length > MAX_CONDITION_BYTES) return false;
  const each = (...values: readonly Value[]) =>
    values.every((v) => encode(v, to, registerOf));
  switch (value.kind) {
    case "constant":
      to.push(ConditionOp.Constant, ...littleEndian(value.value, 8));
      return true;
    case "register": {
      const where = registerOf(value.number);
      if (where === null) return false;
      if (where.bytes < 8) to.push(ConditionOp.ZeroExtend, 8 * where.bytes);
      to.push(
        ConditionOp.Register,
        ...littleEndian(BigInt(where.source), 4),
      );
      return true;
    }
    case "load":
      to.push(ConditionOp.Load, value.bytes);
      return each(value.address);
    case "extension":
      to.push(
        value.signed ? ConditionOp.SignExtend : ConditionOp.ZeroExtend,
        value.bits,
      );
      return value.bits >= 1 && value.bits <= 64 && each(value.of);
    case "not":
      to.push(value.logical ? ConditionOp.LogicalNot : ConditionOp.Not);
      return each(value.of);
    case "binary": {
      const op = CONDITION_OPS.get(value.op);
      if (op === undefined) return false;
      to.push(op);
      return each(value.left, value.right);
    }
    case "choice":
      to.push(ConditionOp.Choose);
      return each(value.by, value.yes, value.no);
  }
}

function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from(
    { length: bytes },
    (_, i) => Number(value >> BigInt(8 * i) & 0xffn),
  );
}

/** What a platform has of the operators; dividing by zero is for who can say so. */
const CONDITION_OPS: ReadonlyMap<number, number> = new Map<number, number>([
  [ADD, ConditionOp.Add],
  [SUB, ConditionOp.Subtract],
  [MUL, ConditionOp.Multiply],
  [LSH, ConditionOp.ShiftLeft],
  [RSH_SIGNED, ConditionOp.ShiftRightSigned],
  [RSH_UNSIGNED, ConditionOp.ShiftRightUnsigned],
  [BIT_AND, ConditionOp.And],
  [BIT_OR, ConditionOp.Or],
  [BIT_XOR, ConditionOp.Xor],
  [EQUAL, ConditionOp.Equal],
  [LESS_SIGNED, ConditionOp.LessSigned],
  [LESS_UNSIGNED, ConditionOp.LessUnsigned],
]);

/** Whether a breakpoint with these conditions stops: without any, if one holds,
 * or if one cannot be evaluated (the user then sees where). */
export function conditionsHold(
  conditions: readonly AgentExpression[],
  context: AgentContext,
): boolean {
  if (conditions.length === 0) return true;
  for (let i = 0; i < conditions.length; i++) {
    try {
      if (conditions[i].evaluate(context) !== 0n) return true;
    } catch (error) {
      if (error instanceof AgentError) return true;
      throw error;
    }
  }
  return false;
}

function decode(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const code: Instruction[] = [];
  /** Offset in bytes to index in `code`, for jumps. */
  const starts = new Map<number, number>();
  for (let at = 0; at < bytes.length;) {
    const op = bytes[at];
    const size = OPERAND_BYTES.get(op);
    if (size === undefined) {
      throw new AgentError(`unknown opcode 0x${op.toString(16)} at ${at}`);
    }
    if (at + 1 + size > bytes.length) throw new AgentError("truncated operand");
    starts.set(at, code.length);
    let value = 0n;
    for (let i = 0; i < size; i++) {
      value = value << 8n | BigInt(view.getUint8(at + 1 + i));
    }
    code.push({ op, number: Number(value), value });
    at += 1 + size;
  }
  // Falling off the end would be an error at every evaluation: refuse it here.
  const last = code.at(-1);
  if (last?.op !== END && last?.op !== GOTO) {
    throw new AgentError("the expression has no end");
  }
  return code.map((instruction) => {
    if (instruction.op !== GOTO && instruction.op !== IF_GOTO) {
      return instruction;
    }
    const target = starts.get(instruction.number);
    if (target === undefined) {
      throw new AgentError(`jump to ${instruction.number}: no instruction`);
    }
    return { ...instruction, number: target };
  });
}

/** The same with other numbers of registers. */
function renumbered(
  bytes: Uint8Array,
  renumber: (number: number) => number,
): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let at = 0; at < copy.length;) {
    const size = OPERAND_BYTES.get(copy[at]);
    // What is wrong, decoding refuses.
    if (size === undefined || at + size >= copy.length) break;
    if (copy[at] === REG) {
      view.setUint16(at + 1, renumber(view.getUint16(at + 1)));
    }
    at += 1 + size;
  }
  return copy;
}

function pop(stack: Value[]): Value {
  const value = stack.pop();
  if (value === undefined) throw new AgentError("stack underflow");
  return value;
}

function peek(stack: Value[], depth: number): Value {
  const value = stack.at(-1 - depth);
  if (value === undefined) throw new AgentError("stack underflow");
  return value;
}

function load(context: AgentContext, address: bigint, size: number): bigint {
  const bytes = new Uint8Array(size);
  if (!context.memory(address, bytes)) {
    throw new AgentError(`no memory at 0x${address.toString(16)}`);
  }
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i]);
  return value;
}

type Operator = (a: bigint, b: bigint) => bigint;

/** What pops two values and pushes one. */
const OPERATORS: ReadonlyMap<number, Operator> = new Map<number, Operator>([
  [ADD, (a, b) => unsigned(a + b)],
  [SUB, (a, b) => unsigned(a - b)],
  [MUL, (a, b) => unsigned(a * b)],
  [DIV_SIGNED, (a, b) => unsigned(signed(a) / divisor(signed(b)))],
  [DIV_UNSIGNED, (a, b) => a / divisor(b)],
  [REM_SIGNED, (a, b) => unsigned(signed(a) % divisor(signed(b)))],
  [REM_UNSIGNED, (a, b) => a % divisor(b)],
  [LSH, (a, b) => b > 63n ? 0n : unsigned(a << b)],
  [RSH_SIGNED, (a, b) => unsigned(signed(a) >> (b > 63n ? 63n : b))],
  [RSH_UNSIGNED, (a, b) => b > 63n ? 0n : a >> b],
  [BIT_AND, (a, b) => a & b],
  [BIT_OR, (a, b) => a | b],
  [BIT_XOR, (a, b) => a ^ b],
  [EQUAL, (a, b) => truth(a === b)],
  [LESS_SIGNED, (a, b) => truth(signed(a) < signed(b))],
  [LESS_UNSIGNED, (a, b) => truth(a < b)],
]);

function divisor(b: bigint): bigint {
  if (b === 0n) throw new AgentError("division by zero");
  return b;
}
