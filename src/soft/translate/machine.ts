// The machine that emits WebAssembly of what an instruction means (src/soft/instructions):
// with the generator's registers, memory, flags and branches.

import type { Operand } from "../instructions/forms.ts";
import type { Machine, Operator, Shift } from "../instructions/machine.ts";
import { extend, type Generator, type Size } from "./generator.ts";
import { Lazy } from "./lazy.ts";
import type { Instruction } from "./records.ts";
import { Op } from "./wasm.ts";

/** Pushes a value: i64 for operands of 8 bytes, and bits; else a zero-extended i32. */
export interface Value {
  push(): void;
  /** If it is the same each time, and known. */
  readonly known?: number;
}

export const RAX = 0, RCX = 8, RDX = 16;

const OPERATIONS = {
  "+": [Op.i32_add, Op.i64_add, Lazy.ADD],
  "-": [Op.i32_sub, Op.i64_sub, Lazy.SUB],
  "&": [Op.i32_and, Op.i64_and, Lazy.LOGIC],
  "|": [Op.i32_or, Op.i64_or, Lazy.LOGIC],
  "^": [Op.i32_xor, Op.i64_xor, Lazy.LOGIC],
} as const;

const SHIFTS = {
  "<<": Op.i64_shl,
  ">>>": Op.i64_shr_u,
  ">>": Op.i64_shr_s,
} as const;

/** Where a direct branch leads if the record knows it. */
const LINKED: Value = {
  push() {
    throw new Error("a link is no value");
  },
};

export class Emission implements Machine<Value> {
  readonly g: Generator;
  readonly i: Instruction;
  readonly size: Size;
  readonly memory: boolean;
  /** The memory operand that is to be written was found. */
  #prepared = false;
  #conditional = false;
  #kept = false;
  /** Something was changed, and the region may not be left before the instruction. */
  #changed = false;

  constructor(g: Generator, i: Instruction, size: Size, memory: boolean) {
    this.g = g;
    this.i = i;
    this.size = size;
    this.memory = memory;
  }

  /** What follows may leave the region. */
  #mayLeave(): void {
    if (this.#changed) throw new Error("it may fail too late");
  }

  // --- operands

  #sizeOf({ size }: Operand): Size {
    return size === "half" ? (this.size - 1) as Size : size ?? this.size;
  }

  inMemory({ at }: Operand): boolean {
    return at === "offset" || at === "ModRM.rm" && this.memory;
  }

  #register({ at }: Operand): number {
    switch (at) {
      case "ModRM.rm":
        return this.i.rm;
      case "ModRM.reg":
      case "opcode":
        return this.i.reg;
      case "rAX":
        return RAX;
      case "rCX":
        return RCX;
    }
    throw new Error(`${at} is no register`);
  }

  read(from: Operand): Value {
    const { g, i, size } = this;
    switch (from.at) {
      case "immediate":
        return { push: () => g.constant(BigInt(i.imm), size) };
      case "wide immediate":
        return { push: () => g.constant(i.disp, size) };
      case "one":
        return { push: () => g.constant(1n, size) };
    }
    return this.#load(from, false);
  }

  modify(to: Operand): Value {
    return this.#load(to, true);
  }

  #load(o: Operand, write: boolean): Value {
    const { g, i } = this;
    const size = this.#sizeOf(o);
    const memory = this.inMemory(o);
    if (memory) {
      this.#mayLeave();
      g.operand(i, size, write);
      this.#prepared = write;
    }
    return {
      push: () => {
        if (memory) g.loadHost(size);
        else g.getRegister(this.#register(o), size);
        if (size < this.size && this.size === 3) g.code.op(Op.i64_extend_i32_u);
      },
    };
  }

  readSigned(from: Operand): Value {
    const { g, i } = this;
    const { code: c } = g;
    const size = this.#sizeOf(from) as 0 | 1 | 2;
    const memory = this.inMemory(from);
    if (memory) {
      this.#mayLeave();
      g.operand(i, size, false);
    }
    return {
      push: () => {
        if (memory) g.loadHostSigned(size);
        else {
          g.getRegister(this.#register(from), size);
          if (size === 0) c.op(Op.i32_extend8_s);
          else if (size === 1) c.op(Op.i32_extend16_s);
        }
        if (this.size === 3) c.op(Op.i64_extend_i32_s);
      },
    };
  }

  write(to: Operand, value: Value): void {
    const { g, i, size } = this;
    if (this.inMemory(to)) {
      if (!this.#prepared) {
        this.#mayLeave();
        g.operand(i, size, true);
      }
      g.storeHost(size, () => value.push());
    } else {
      value.push();
      g.setRegister(this.#register(to), size);
    }
    this.#changed = true;
  }

  address(): Value {
    const { g, i, size } = this;
    return {
      push: () => {
        g.offset(i);
        if (size < 3) g.code.op(Op.i32_wrap_i64);
      },
    };
  }

  /** Kept in x: an instruction has one of these. */
  let(value: Value): Value {
    if (this.#kept) throw new Error("an instruction keeps one value");
    this.#kept = true;
    const { g, size } = this;
    const local = size === 3 ? g.x : g.x32;
    value.push();
    g.code.set(local);
    return { push: () => g.code.get(local) };
  }

  // --- what sets flags

  operate(operator: Operator, x: Value, y: Value): Value {
    const { g, size } = this;
    x.push();
    g.setWide(g.x, size);
    y.push();
    g.setWide(g.y, size);
    return this.operateLocals(operator);
  }

  /** As operate(), of what x and y have. */
  operateLocals(operator: Operator): Value {
    const { g, size } = this;
    const { code: c } = g;
    const [op32, op64, lazy] = OPERATIONS[operator];
    g.getNarrow(g.x, size);
    g.getNarrow(g.y, size);
    g.operate(op32, op64, size);
    g.setWide(g.fr, size);
    g.setFlags(lazy, size, () => {
      c.get(g.x);
      c.set(g.fa);
      c.get(g.y);
      c.set(g.fb);
    });
    return { push: () => g.getNarrow(g.fr, size) };
  }

  /** As operate(), with CF as another operand. */
  operateWithCarry(operator: "+" | "-", x: Value, y: Value): Value {
    const { g, size } = this;
    const { code: c } = g;
    const [op32, op64] = OPERATIONS[operator];
    x.push();
    g.setWide(g.x, size);
    y.push();
    g.setWide(g.y, size);
    g.carry();
    c.set(g.z);
    g.getNarrow(g.x, size);
    g.getNarrow(g.y, size);
    c.op(size === 3 ? op64 : op32);
    g.getNarrow(g.z, size);
    g.operate(op32, op64, size);
    g.setWide(g.fr, size);
    g.setCells(size, () => {
      c.get(g.x);
      c.get(g.y);
      c.op(Op.i64_xor);
      c.get(g.fr);
      c.op(Op.i64_xor);
    }, () => {
      // r < x, or r <= x with a carry in; for SBB of x and y
      const [a, b] = operator === "+" ? [g.fr, g.x] : [g.x, g.y];
      c.get(a);
      c.get(b);
      c.op(Op.i64_lt_u);
      c.get(a);
      c.get(b);
      c.op(Op.i64_eq);
      c.get(g.z);
      c.op(Op.i32_wrap_i64);
      c.op(Op.i32_and);
      c.op(Op.i32_or);
      c.op(Op.i64_extend_i32_u);
    });
    return { push: () => g.getNarrow(g.fr, size) };
  }

  step(x: Value, by: 1 | -1): Value {
    const { g, size } = this;
    const { code: c } = g;
    x.push();
    g.setWide(g.x, size);
    g.keepCarry();
    g.getNarrow(g.x, size);
    g.constant(1n, size);
    const [op32, op64] = OPERATIONS[by > 0 ? "+" : "-"];
    g.operate(op32, op64, size);
    g.setWide(g.fr, size);
    g.setFlags(by > 0 ? Lazy.INC : Lazy.DEC, size, () => {
      c.get(g.x);
      c.set(g.fa);
    });
    return { push: () => g.getNarrow(g.fr, size) };
  }

  /** An i64. A count of CL that is 0 is rare enough for the interpreter. */
  count(by: Operand): Value {
    const { g, i } = this;
    const { code: c } = g;
    const known = this.knownCount(by);
    if (known !== undefined) {
      return { push: () => c.i64(BigInt(known)), known };
    }
    this.#mayLeave();
    const push = () => {
      g.getRegister(RCX, 0);
      c.i32(this.#countMask);
      c.op(Op.i32_and);
    };
    push();
    c.op(Op.i32_eqz);
    g.exitIf(i);
    return {
      push: () => {
        push();
        c.op(Op.i64_extend_i32_u);
      },
    };
  }

  get #countMask(): number {
    return this.size === 3 ? 63 : 31;
  }

  /** A shift's count, if the instruction says it. */
  knownCount({ at }: Operand): number | undefined {
    if (at === "one") return 1;
    return at === "immediate" ? this.i.imm & this.#countMask : undefined;
  }

  /** Few shift bytes and words by CL, or by more than they have. */
  isUsualCount(by: Operand): boolean {
    const known = this.knownCount(by);
    return this.size > 1 || known !== undefined && known < 8 << this.size;
  }

  /** The result in z, of what is in x by what is in y. */
  shift(direction: Shift, x: Value, n: Value) {
    const { g, size } = this;
    const { code: c } = g;
    const bits = 8 << size;
    x.push();
    g.setWide(g.x, size);
    n.push();
    c.set(g.y);
    c.get(g.x);
    if (direction === ">>") extend(c, size);
    c.get(g.y);
    c.op(SHIFTS[direction]);
    if (size < 3) {
      c.i64((1n << BigInt(bits)) - 1n);
      c.op(Op.i64_and);
    }
    c.set(g.z);
    const out = () => {
      c.get(g.x);
      if (direction === "<<") {
        c.i64(BigInt(bits));
        c.get(g.y);
      } else {
        c.get(g.y);
        c.i64(1n);
      }
      c.op(Op.i64_sub);
      c.op(Op.i64_shr_u);
      c.i64(1n);
      c.op(Op.i64_and);
    };
    return {
      result: { push: () => g.getNarrow(g.z, size) },
      out: { push: out },
    };
  }

  setFlags(
    { known }: Value,
    _result: Value,
    carry: Value,
    overflow: (carry: Value) => Value,
  ): void {
    if (known === 0) return;
    const { g, size } = this;
    const { code: c } = g;
    g.setFlags(Lazy.SET, size, () => {
      carry.push();
      c.set(g.fa);
      overflow({ push: () => c.get(g.fa) }).push();
      c.set(g.fb);
      c.get(g.z);
      c.set(g.fr);
    });
  }

  bit(_result: Value, below: 0 | 1): Value {
    return this.bitOf(this.g.z, (8 << this.size) - 1 - below);
  }

  /** A bit of what an i64 local has, which has no more than the operand. */
  bitOf(local: number, n: number): Value {
    const { code: c } = this.g;
    return {
      push: () => {
        c.get(local);
        if (n > 0) {
          c.i64(BigInt(n));
          c.op(Op.i64_shr_u);
        }
        if (n < 63) {
          c.i64(1n);
          c.op(Op.i64_and);
        }
      },
    };
  }

  differ(a: Value, b: Value): Value {
    return {
      push: () => {
        a.push();
        b.push();
        this.g.code.op(Op.i64_xor);
      },
    };
  }

  clear(): Value {
    return { push: () => this.g.code.i64(0n) };
  }

  // --- the stack

  push(value: Value): void {
    const { g, i, size } = this;
    const bytes = 1 << size;
    this.#mayLeave();
    g.stack(i, -bytes, true);
    g.storeHost(size, () => value.push());
    g.moveStack(-bytes);
    this.#changed = true;
  }

  top(): Value {
    const { g, i, size } = this;
    this.#mayLeave();
    g.stack(i, 0, false);
    return { push: () => g.loadHost(size) };
  }

  pop(): void {
    this.g.moveStack(1 << this.size);
    this.#changed = true;
  }

  // --- jumps

  when(cc: number, then: () => void): void {
    const { g } = this;
    g.condition(cc);
    g.code.if_();
    this.#conditional = true;
    then();
    this.#conditional = false;
    g.code.end();
  }

  branch(): void {
    this.g.branch(this.i);
    if (!this.#conditional) this.g.endBlock();
  }

  target(): Value {
    const { g, i } = this;
    if (i.link !== 0) return LINKED;
    return this.#find(() => g.nearPointer(i.offset + i.length + i.imm));
  }

  next(): Value {
    const { g, i, size } = this;
    return {
      push: () => {
        g.instructionPointer(i.offset + i.length);
        if (size < 3) g.code.op(Op.i32_wrap_i64);
      },
    };
  }

  lookUp(address: Value): Value {
    const { g, size } = this;
    return this.#find(() => {
      address.push();
      if (size < 3) g.code.op(Op.i64_extend_i32_u);
    });
  }

  /** The address, an i64, is kept in x. */
  #find(pushAddress: () => void): Value {
    const { g, i } = this;
    this.#mayLeave();
    pushAddress();
    g.code.set(g.x);
    g.lookUp(i.p, g.x);
    return { push: () => g.code.get(g.x) };
  }

  jump(to: Value): void {
    const { g, i } = this;
    if (to === LINKED) g.goTo(i.link, 1);
    else g.jumpTo(g.x);
    g.endBlock();
  }

  return(more = 0): void {
    const { g, size } = this;
    this.lookUp(this.top());
    const pop = () => g.moveStack((1 << size) + more);
    g.returnInside(g.x, pop);
    pop();
    g.jumpTo(g.x);
    g.endBlock();
  }
}
