/**
 * Agent expressions: the stack bytecode in which a debugger hands over the
 * condition of a breakpoint, so that a hit is judged where it happens.
 *
 * Source of facts: "Debugging with GDB", appendix F. An expression is decoded
 * and checked once, when it is handed over; evaluating it then only walks the
 * decoded form. All values are 64 bits. Floating point, tracing and state
 * variables are refused: conditions never use them.
 */

/** What an expression may ask about the processor that hit. */
export interface AgentContext {
  /** A register by its number in `allRegisters` (registers.ts), unsigned. */
  register(number: number): bigint;
  /** Fills `into` from virtual memory; false if any of it is not mapped. */
  memory(address: bigint, into: Uint8Array): boolean;
}

/** The expression is not valid, or asked for something that is not there. */
export class AgentError extends Error {
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

/** An expression that runs longer than this has a loop that does not end. */
const MAX_STEPS = 10_000;
const MAX_DEPTH = 256;

interface Instruction {
  readonly op: number;
  /** The operand as a number: register, bits, depth, or index of the target. */
  readonly number: number;
  /** The operand of a const. */
  readonly value: bigint;
}

const unsigned = (v: bigint) => BigInt.asUintN(64, v);
const signed = (v: bigint) => BigInt.asIntN(64, v);
const truth = (b: boolean) => b ? 1n : 0n;

/** One decoded expression. */
export class AgentExpression {
  /** The bytecode. */
  readonly bytes: Uint8Array;
  /** The registers it can ask for, without repetition. */
  readonly registers: readonly number[];
  readonly #code: readonly Instruction[];

  /** `renumber` makes numbers in `allRegisters` of those in `bytes`. Throws
   * AgentError if the bytes are not an expression. */
  constructor(bytes: Uint8Array, renumber?: (number: number) => number) {
    this.bytes = renumber === undefined ? bytes : renumbered(bytes, renumber);
    this.#code = decode(this.bytes);
    this.registers = [
      ...new Set(
        this.#code.filter((i) => i.op === REG).map((i) => i.number),
      ),
    ];
  }

  /** The value on top of the stack at the end, unsigned 64 bits. */
  evaluate(context: AgentContext): bigint {
    const stack: bigint[] = [];
    let index = 0;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const { op, number, value } = this.#code[index++];
      switch (op) {
        case CONST8:
        case CONST16:
        case CONST32:
        case CONST64:
          stack.push(value);
          break;
        case REG:
          stack.push(unsigned(context.register(number)));
          break;
        case REF8:
        case REF16:
        case REF32:
        case REF64:
          stack.push(load(context, pop(stack), 1 << (op - REF8)));
          break;
        case EXT:
          stack.push(unsigned(BigInt.asIntN(number, pop(stack))));
          break;
        case ZERO_EXT:
          stack.push(BigInt.asUintN(number, pop(stack)));
          break;
        case LOG_NOT:
          stack.push(truth(pop(stack) === 0n));
          break;
        case BIT_NOT:
          stack.push(unsigned(~pop(stack)));
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
        case IF_GOTO:
          if (pop(stack) !== 0n) index = number;
          break;
        case END:
          return pop(stack);
        default: {
          const b = pop(stack), a = pop(stack);
          stack.push(binary(op, a, b));
        }
      }
      if (stack.length > MAX_DEPTH) throw new AgentError("stack overflow");
    }
    throw new AgentError("the expression does not end");
  }
}

/** Whether a breakpoint with these conditions stops: without any, if one holds,
 * or if one cannot be evaluated (the user then sees where). */
export function conditionsHold(
  conditions: readonly AgentExpression[],
  context: AgentContext,
): boolean {
  if (conditions.length === 0) return true;
  for (const condition of conditions) {
    try {
      if (condition.evaluate(context) !== 0n) return true;
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

function pop(stack: bigint[]): bigint {
  const value = stack.pop();
  if (value === undefined) throw new AgentError("stack underflow");
  return value;
}

function peek(stack: bigint[], depth: number): bigint {
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

function binary(op: number, a: bigint, b: bigint): bigint {
  switch (op) {
    case ADD:
      return unsigned(a + b);
    case SUB:
      return unsigned(a - b);
    case MUL:
      return unsigned(a * b);
    case DIV_SIGNED:
      return unsigned(signed(a) / divisor(signed(b)));
    case DIV_UNSIGNED:
      return a / divisor(b);
    case REM_SIGNED:
      return unsigned(signed(a) % divisor(signed(b)));
    case REM_UNSIGNED:
      return a % divisor(b);
    case LSH:
      return b > 63n ? 0n : unsigned(a << b);
    case RSH_SIGNED:
      return unsigned(signed(a) >> (b > 63n ? 63n : b));
    case RSH_UNSIGNED:
      return b > 63n ? 0n : a >> b;
    case BIT_AND:
      return a & b;
    case BIT_OR:
      return a | b;
    case BIT_XOR:
      return a ^ b;
    case EQUAL:
      return truth(a === b);
    case LESS_SIGNED:
      return truth(signed(a) < signed(b));
    case LESS_UNSIGNED:
      return truth(a < b);
  }
  throw new AgentError(`unknown opcode 0x${op.toString(16)}`);
}

function divisor(b: bigint): bigint {
  if (b === 0n) throw new AgentError("division by zero");
  return b;
}
