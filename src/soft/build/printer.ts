// Writes what an instruction does in AssemblyScript, for a case of the interpreter's inner
// loop (src/soft/core/code/inner.ts, whose variables and functions it uses).

import type { Form, Operand, Size } from "../instructions/forms.ts";
import type { Machine, Operator, Shift } from "../instructions/machine.ts";
import type { Row } from "../instructions/table.ts";

/** Goes on with the next record. */
export const NEXT = "p += REC;";

const TYPES = ["u8", "u16", "u32", "u64"] as const;

/** Conditions by their codes; PF's are not hot. */
const CONDITIONS: Readonly<Record<number, string>> = {
  0x0: "((load<u64>(FX) >> 63) ^ load<u64>(FC)) != 0",
  0x1: "((load<u64>(FX) >> 63) ^ load<u64>(FC)) == 0",
  0x2: "load<u32>(FC) != 0",
  0x3: "load<u32>(FC) == 0",
  0x4: "load<u64>(FZ) == 0",
  0x5: "load<u64>(FZ) != 0",
  0x6: "load<u32>(FC) != 0 || load<u64>(FZ) == 0",
  0x7: "load<u32>(FC) == 0 && load<u64>(FZ) != 0",
  0x8: "load<i64>(FS) < 0",
  0x9: "load<i64>(FS) >= 0",
  0xc: "less()",
  0xd: "!less()",
  0xe: "load<u64>(FZ) == 0 || less()",
  0xf: "load<u64>(FZ) != 0 && !less()",
};

/** What has to hold for the statements behind it; else the handler does it all. */
interface Guard {
  readonly before: string;
  readonly condition: string;
}

/** Writes what an instruction does, as statements of a case. */
export class Printer implements Machine<string> {
  readonly #size: Size;
  readonly #memory: boolean;
  #statements: (string | Guard)[] = [];
  /** What is done last: what flags come from is needed until then. */
  readonly #last: string[] = [];
  /** How the next record is found when the instruction is done. */
  #completion = NEXT;
  #lets = 0;
  /** `h` is where the operand that is written is. */
  #prepared = false;
  /** Something was changed, and nothing may fail any more. */
  #changed = false;

  constructor(size: Size, memory: boolean) {
    this.#size = size;
    this.#memory = memory;
  }

  /** The text; NEXT is where the instruction is done and the one behind it goes on. */
  text(row: Row, { operands: [first, second] }: Form): string {
    row.meaning(this, first, second);
    return this.#render(
      [...this.#statements, ...this.#last],
      this.#completion,
    );
  }

  #render(statements: readonly (string | Guard)[], completion: string): string {
    const at = statements.findIndex((s) => typeof s !== "string");
    if (at < 0) return [...statements, completion].join("\n");
    const guard = statements[at] as Guard;
    const rest = statements.slice(at + 1);
    // two guards in a row are one
    const other = rest[0];
    const both = typeof other === "object";
    return [
      ...statements.slice(0, at),
      guard.before,
      both ? other.before : "",
      `if (${guard.condition}${both ? ` && ${other.condition}` : ""}) {`,
      this.#render(both ? rest.slice(1) : rest, completion),
      "} else p = slow(p);",
    ].filter((line) => line !== "").join("\n");
  }

  #do(statement: string): void {
    this.#statements.push(statement);
  }

  #store(statement: string): void {
    this.#changed = true;
    this.#do(statement);
  }

  /** Goes on if `condition` holds, which `before` computes what it needs for. */
  #require(condition: string, before: string): void {
    if (this.#changed) throw new Error(`${condition} may fail too late`);
    this.#statements.push({ before, condition });
  }

  // --- operands

  #sizeOf({ size }: Operand): Size {
    return size === "half" ? (this.#size - 1) as Size : size ?? this.#size;
  }

  #inMemory({ at }: Operand): boolean {
    return at === "offset" || at === "ModRM.rm" && this.#memory;
  }

  #cell({ at }: Operand): string {
    switch (at) {
      case "ModRM.rm":
        return "rm(w)";
      case "ModRM.reg":
      case "opcode":
        return "reg(w)";
      case "rAX":
        return "RAX";
    }
    throw new Error(`${at} is no register`);
  }

  /** Has `h` be the host address of `address`. */
  #find(address: string, size: Size, write: boolean): void {
    const tag = write ? "load<u64>(e, 8)" : "load<u64>(e)";
    this.#require(
      `${tag} == ((a + ${(1 << size) - 1}) & ~0xfff)`,
      `a = ${address};\ne = entryOf(a);`,
    );
    this.#do("h = <usize> (<u32> a + load<u32>(e, 16));");
  }

  #operand(o: Operand, write: boolean): void {
    this.#find("sum(w, p)", this.#sizeOf(o), write);
  }

  #load(type: string, o: Operand, write: boolean): string {
    if (!this.#inMemory(o)) return `load<${type}>(${this.#cell(o)})`;
    this.#operand(o, write);
    this.#prepared = write;
    return `load<${type}>(h)`;
  }

  read(from: Operand): string {
    const type = TYPES[this.#sizeOf(from)];
    if (from.at === "immediate") return `<${type}> rImm(p)`;
    if (from.at === "wide immediate") return `<${type}> rDisp(p)`;
    return this.#load(type, from, false);
  }

  readSigned(from: Operand): string {
    const type = TYPES[this.#sizeOf(from)].replace("u", "i");
    return `<${TYPES[this.#size]}> <i64> ${this.#load(type, from, false)}`;
  }

  modify(to: Operand): string {
    return this.#load(TYPES[this.#sizeOf(to)], to, true);
  }

  write(to: Operand, value: string): void {
    const type = TYPES[this.#size];
    if (this.#inMemory(to)) {
      if (!this.#prepared) this.#operand(to, true);
      this.#store(`store<${type}>(h, ${value});`);
    } else if (this.#size >= 2) {
      this.#store(`store<u64>(${this.#cell(to)}, <u64> ${value});`);
    } else this.#store(`store<${type}>(${this.#cell(to)}, ${value});`);
  }

  address(): string {
    if (this.#size === 3) return "sum(w, p)";
    return `(sum(w, p) & 0x${"ff".repeat(1 << this.#size)})`;
  }

  let(value: string): string {
    const name = `v${this.#lets++}`;
    this.#do(`const ${name} = ${value};`);
    return name;
  }

  // --- what sets the flags

  operate(operator: Operator, x: string, y: string): string {
    const type = TYPES[this.#size];
    this.#do(`const x = ${x};`);
    this.#do(`const y = ${y};`);
    this.#do(`const r = <${type}> (x ${operator} y);`);
    this.#last.push(
      operator === "+"
        ? `flagsAdd<${type}>(x, y, r);`
        : operator === "-"
        ? `flagsSub<${type}>(x, y, r);`
        : `flagsLogic<${type}>(r);`,
    );
    return "r";
  }

  step(value: string, by: 1 | -1): string {
    const type = TYPES[this.#size];
    const top = `0x80${"00".repeat((1 << this.#size) - 1)}`;
    this.#do(`const x = ${value};`);
    this.#do(`const r = <${type}> (x ${by < 0 ? "-" : "+"} 1);`);
    this.#last.push(
      `const v = sx<${type}>(r);`,
      "store<u64>(FZ, v);",
      "store<u64>(FS, v);",
      "store<u64>(FX, (<u64> (<u32> x ^ <u32> r ^ 1) & 0x10) | " +
        `((<u64> (${by < 0 ? "x" : "r"} == ${top}) ^ load<u64>(FC)) << 63));`,
    );
    return "r";
  }

  count({ at }: Operand): string {
    if (at !== "immediate") throw new Error(`a count in ${at} is not hot`);
    const mask = this.#size === 3 ? 63 : 31;
    this.#do(`const c = <${TYPES[this.#size]}> (rImm8(p) & ${mask});`);
    return "c";
  }

  shift(direction: Shift, value: string, n: string) {
    const type = TYPES[this.#size];
    const bits = 8 << this.#size;
    if (direction === ">>") throw new Error("SAR is not hot");
    this.#do(`const x = ${value};`);
    this.#do(`const r = <${type}> (x ${direction.slice(0, 2)} ${n});`);
    const last = direction === "<<" ? `${bits} - ${n}` : `${n} - 1`;
    return { result: "r", out: `<u64> ((x >> <${type}> (${last})) & 1)` };
  }

  setFlags(
    n: string,
    result: string,
    carry: string,
    overflow: (carry: string) => string,
  ): void {
    this.#last.push(
      `if (${n}) {`,
      `const cf = ${carry};`,
      `flagsSet<${TYPES[this.#size]}>(${result}, cf, ${overflow("cf")});`,
      "}",
    );
  }

  bit(result: string, below: 0 | 1): string {
    const top = (8 << this.#size) - 1;
    return below === 0
      ? `<u64> (${result} >> ${top})`
      : `<u64> ((${result} >> ${top - below}) & 1)`;
  }

  differ(a: string, b: string): string {
    return `(${a} ^ ${b})`;
  }

  clear(): string {
    return "0";
  }

  // --- the stack

  push(value: string): void {
    this.#find("load<u64>(RSP) - 8", 3, true);
    this.#store(`store<u64>(h, ${value});`);
    this.#store("store<u64>(RSP, a);");
  }

  top(): string {
    this.#find("load<u64>(RSP)", 3, false);
    return "load<u64>(h)";
  }

  pop(): void {
    this.#store("store<u64>(RSP, a + 8);");
  }

  // --- jumps

  when(cc: number, then: () => void): void {
    const condition = CONDITIONS[cc];
    if (condition === undefined) throw new Error(`condition ${cc} is not hot`);
    const before = this.#statements;
    this.#statements = [];
    then();
    const taken = this.#render(this.#statements, this.#completion);
    this.#statements = [...before, `if (${condition}) {`, taken, "} else"];
    this.#completion = NEXT;
  }

  branch(): void {
    this.jump(this.target());
  }

  target(): string {
    this.#require("l", "const l = load<u32>(p, 28);");
    return "l";
  }

  next(): string {
    return "load<u64>(CODEBASE) + rOff(p) + ((w >> 16) & 15)";
  }

  lookUp(address: string): string {
    this.#do(`const ip = ${address};`);
    this.#require(
      "isJump(j, ip)",
      "const j = jumpSlot(ip);",
    );
    this.#last.push("store<u64>(CODEBASE, ip - (ip & 0xfff));");
    return "load<u32>(j, 12)";
  }

  jump(to: string): void {
    this.#completion = `p = ${to};`;
  }

  return(): void {
    const to = this.lookUp(this.top());
    this.pop();
    this.jump(to);
  }
}
