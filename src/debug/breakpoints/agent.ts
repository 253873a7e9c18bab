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
interface Value {
  /** What it is, where that is known without a processor; else null. */
  readonly constant: bigint | null;
  readonly of: (context: AgentContext) => bigint;
}

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
  readonly #evaluate: (context: AgentContext) => bigint;

  /**
   * `renumber` makes numbers in `allRegisters` of those in `bytes`.
   *
   * @throws {AgentError} The bytes are not an expression.
   */
  constructor(bytes: Uint8Array, renumber?: (number: number) => number) {
    this.bytes = renumber === undefined ? bytes : renumbered(bytes, renumber);
    const code = decode(this.bytes);
    this.#evaluate = new Compiler(code).follow(0, []).of;
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
}

const constant = (value: bigint): Value => ({
  constant: value,
  of: () => value,
});
const computed = (of: Value["of"]): Value => ({ constant: null, of });

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
          stack.push(constant(value));
          break;
        case REG:
          stack.push(computed((context) => context.register(number)));
          break;
        case REF8:
        case REF16:
        case REF32:
        case REF64: {
          const address = pop(stack).of, size = 1 << (op - REF8);
          stack.push(
            computed((context) => load(context, address(context), size)),
          );
          break;
        }
        case EXT:
          stack.push(
            unary(pop(stack), (v) => unsigned(BigInt.asIntN(number, v))),
          );
          break;
        case ZERO_EXT:
          stack.push(unary(pop(stack), (v) => BigInt.asUintN(number, v)));
          break;
        case LOG_NOT:
          stack.push(unary(pop(stack), (v) => truth(v === 0n)));
          break;
        case BIT_NOT:
          stack.push(unary(pop(stack), (v) => unsigned(~v)));
          break;
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
          const condition = pop(stack);
          if (condition.constant === null) {
            const { of } = condition;
            const yes = this.follow(number, [...stack], jumps + 1).of;
            const no = this.follow(index, stack, jumps + 1).of;
            return computed((context) =>
              of(context) !== 0n ? yes(context) : no(context)
            );
          }
          if (condition.constant !== 0n) index = number;
          break;
        }
        case END:
          return pop(stack);
        default: {
          const b = pop(stack), a = pop(stack);
          stack.push(binary(op, a, b));
        }
      }
      if (stack.length > MAX_DEPTH) throw new AgentError("stack overflow");
    }
    throw new AgentError("the expression does not end, or is too long");
  }
}

function unary(operand: Value, of: (v: bigint) => bigint): Value {
  if (operand.constant !== null) return constant(of(operand.constant));
  const v = operand.of;
  return computed((context) => of(v(context)));
}

function binary(op: number, a: Value, b: Value): Value {
  const of = OPERATORS.get(op)!;
  const left = a.of, right = b.of;
  return computed((context) => of(left(context), right(context)));
}

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
