// Conditions of debug points as WebAssembly functions, which the core calls where a point
// is reached: a hit whose condition is 0 costs a few nanoseconds, and no exit.

import { ConditionOp, MAX_CONDITION_BYTES } from "../../ffi/condition.ts";
import { Reg } from "../../ffi/registers.ts";
import { FAULT, REGS } from "./core/layout.ts";
import "./number_types.ts";
import type { Instance } from "./module.ts";
import {
  Code,
  type FunctionType,
  I32,
  I64,
  moduleBytes,
  Op,
} from "./translate/wasm.ts";

/** Functions that are kept for points that come again. */
const KEPT = 256;
/** Operators within each other, at most. */
const MAX_DEPTH = 256;

const Type = { condition: 0, load: 1 } as const;
const TYPES: readonly FunctionType[] = [
  { params: [], results: [I32] },
  { params: [I64, I32], results: [I64] },
];

/** It is no condition, or one that a function cannot tell. */
class Untellable extends Error {}

interface Made {
  readonly key: string;
  readonly index: number;
  points: number;
}

/** The conditions of one module's points. */
export class Conditions {
  readonly #instance: Instance;
  readonly #made = new Map<string, Made>();
  readonly #byPoint = new Map<number, Made>();
  readonly #free: number[] = [];

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** The table's index of a point's condition, from now on; 0: it has none. False if the
   * condition is not one that can be told in the core; it has none then. */
  set(point: number, condition: Uint8Array): number | false {
    this.clear(point);
    if (condition.length === 0) return 0;
    const key = condition.toBase64();
    let made = this.#made.get(key);
    if (made === undefined) {
      const bytes = moduleOf(condition, this.#instance.core.conditionLoader());
      if (bytes === null) return false;
      made = { key, index: this.#place(bytes), points: 0 };
    }
    // The last that was used is the last to go.
    this.#made.delete(key);
    this.#made.set(key, made);
    made.points++;
    this.#byPoint.set(point, made);
    return made.index;
  }

  /** A point has no condition any more. */
  clear(point: number): void {
    const made = this.#byPoint.get(point);
    if (made === undefined) return;
    this.#byPoint.delete(point);
    made.points--;
    if (this.#made.size <= KEPT) return;
    for (const { key, index, points } of this.#made.values()) {
      if (points > 0) continue;
      this.#made.delete(key);
      this.#instance.table.set(index, null);
      this.#free.push(index);
      return;
    }
  }

  #place(bytes: Uint8Array): number {
    const { table, wasmMemory: memory } = this.#instance;
    const module = new WebAssembly.Module(bytes as BufferSource);
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory, table },
    });
    const index = this.#free.pop() ?? table.grow(1);
    table.set(index, exports.run as unknown as never);
    return index;
  }
}

/** A module whose function gives 0 where the condition is 0, and else 1; null where that
 * cannot be made. */
function moduleOf(condition: Uint8Array, loader: number): Uint8Array | null {
  try {
    const code = new Code(0);
    new Emitter(condition, loader, code).all();
    code.complete();
    const run = { type: Type.condition, code, name: "run" };
    return moduleBytes(TYPES, [], [run], 1);
  } catch (error) {
    if (error instanceof Untellable) return null;
    throw error;
  }
}

/** What pushes one value, by two. */
const BINARY: ReadonlyMap<number, number> = new Map<number, number>([
  [ConditionOp.Add, Op.i64_add],
  [ConditionOp.Subtract, Op.i64_sub],
  [ConditionOp.Multiply, Op.i64_mul],
  [ConditionOp.And, Op.i64_and],
  [ConditionOp.Or, Op.i64_or],
  [ConditionOp.Xor, Op.i64_xor],
]);
const COMPARISONS: ReadonlyMap<number, number> = new Map<number, number>([
  [ConditionOp.Equal, Op.i64_eq],
  [ConditionOp.LessSigned, Op.i64_lt_s],
  [ConditionOp.LessUnsigned, Op.i64_lt_u],
]);
/** Of more bits than there are, the first and the third leave nothing, the second the
 * sign. */
const SHIFTS: ReadonlyMap<number, number> = new Map<number, number>([
  [ConditionOp.ShiftLeft, Op.i64_shl],
  [ConditionOp.ShiftRightSigned, Op.i64_shr_s],
  [ConditionOp.ShiftRightUnsigned, Op.i64_shr_u],
]);

/** Emits what a condition computes. */
class Emitter {
  readonly #condition: Uint8Array;
  readonly #view: DataView;
  readonly #loader: number;
  readonly #code: Code;
  #at = 0;
  #depth = 0;

  constructor(condition: Uint8Array, loader: number, code: Code) {
    this.#condition = condition;
    this.#view = new DataView(
      condition.buffer,
      condition.byteOffset,
      condition.byteLength,
    );
    this.#loader = loader;
    this.#code = code;
  }

  all(): void {
    const c = this.#code;
    if (this.#condition.length > MAX_CONDITION_BYTES) throw new Untellable();
    this.#value();
    if (this.#at !== this.#condition.length) throw new Untellable();
    c.i64(0n);
    c.op(Op.i64_ne);
    // Who could not read something has whoever can ask again.
    c.i32(0);
    c.memory(Op.i32_load, FAULT);
    c.op(Op.i32_or);
    c.i32(0);
    c.i32(0);
    c.memory(Op.i32_store, FAULT);
  }

  #take(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#condition.length) throw new Untellable();
    return at;
  }

  /** Emits what pushes the value that begins here. */
  #value(): void {
    const c = this.#code;
    if (++this.#depth > MAX_DEPTH) throw new Untellable();
    const op = this.#condition[this.#take(1)];
    const binary = BINARY.get(op), comparison = COMPARISONS.get(op);
    if (binary !== undefined || comparison !== undefined) {
      this.#value();
      this.#value();
      c.op(binary ?? comparison!);
      if (comparison !== undefined) c.op(Op.i64_extend_i32_u);
    } else if (SHIFTS.has(op)) this.#shift(op);
    else this.#other(op);
    this.#depth--;
  }

  #shift(op: number): void {
    const c = this.#code;
    const value = c.local(I64), by = c.local(I64);
    this.#value();
    c.set(value);
    this.#value();
    c.set(by);
    c.get(value);
    c.get(by);
    if (op === ConditionOp.ShiftRightSigned) {
      c.i64(63n);
      c.get(by);
      c.i64(63n);
      c.op(Op.i64_lt_u);
      c.op(Op.select);
      c.op(Op.i64_shr_s);
      return;
    }
    c.op(SHIFTS.get(op)!);
    c.i64(0n);
    c.get(by);
    c.i64(64n);
    c.op(Op.i64_lt_u);
    c.op(Op.select);
  }

  #other(op: number): void {
    const c = this.#code;
    switch (op) {
      case ConditionOp.Constant:
        c.i64(this.#view.getBigUint64(this.#take(8), true));
        break;
      case ConditionOp.Register: {
        const name = this.#view.getUint32(this.#take(4), true);
        if (name > Reg.R15) throw new Untellable();
        c.i32(0);
        c.memory(Op.i64_load, REGS + name * 8);
        break;
      }
      case ConditionOp.Load: {
        const bytes = this.#condition[this.#take(1)];
        if (![1, 2, 4, 8].includes(bytes)) throw new Untellable();
        this.#value();
        c.i32(bytes);
        c.i32(this.#loader);
        c.callIndirect(Type.load);
        break;
      }
      case ConditionOp.ZeroExtend:
      case ConditionOp.SignExtend: {
        const bits = this.#condition[this.#take(1)];
        if (bits === 0 || bits > 64) throw new Untellable();
        this.#value();
        for (
          const shift of [
            Op.i64_shl,
            op === ConditionOp.SignExtend ? Op.i64_shr_s : Op.i64_shr_u,
          ]
        ) {
          c.i64(BigInt(64 - bits));
          c.op(shift);
        }
        break;
      }
      case ConditionOp.LogicalNot:
        this.#value();
        c.op(Op.i64_eqz);
        c.op(Op.i64_extend_i32_u);
        break;
      case ConditionOp.Not:
        this.#value();
        c.i64(-1n);
        c.op(Op.i64_xor);
        break;
      case ConditionOp.Choose: {
        const chosen = c.local(I64);
        this.#value();
        c.i64(0n);
        c.op(Op.i64_ne);
        c.if_();
        this.#value();
        c.set(chosen);
        c.else_();
        this.#value();
        c.set(chosen);
        c.end();
        c.get(chosen);
        break;
      }
      default:
        throw new Untellable();
    }
  }
}
