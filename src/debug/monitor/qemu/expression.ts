/**
 * Numbers as QEMU's monitor takes them: sums of decimal, octal and hexadecimal
 * constants and of registers ("$rsp+8").
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import { readRegisterRange, registers } from "../../guest/registers.ts";
import { TargetError } from "../../target.ts";
import type { Vcpu } from "../../guest/vcpu.ts";

const TOKEN =
  /\s*(?:(0x[0-9a-f]+|0[0-7]+|\d+)(?![0-9a-z_])|\$([a-z][a-z0-9_]*)|([-+*/%&|^~()]))/iy;

/** What the monitor says with the command's name before it. */
export const EXTRANEOUS = "extraneous characters at the end of line";

/** Operators by how they bind, the loosest first, as the monitor has them. */
const LEVELS = ["+-", "&|^", "*/%"] as const;

type Token =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "register" | "operator"; readonly text: string };

/** The value of `text`, 64 bits, with registers of `v`. Throws a TargetError with
 * the monitor's words for what it does not take. */
export function evaluate(text: string, v: Vcpu): bigint {
  const parser = new Parser(tokens(text), v);
  const value = parser.sum(0);
  if (!parser.atEnd) throw new TargetError(EXTRANEOUS);
  return BigInt.asUintN(64, value);
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const end = text.trimEnd().length;
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < end;) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const [first] = text.slice(at).trimStart();
      throw new TargetError(
        /[0-9a-z_]/i.test(first)
          ? EXTRANEOUS
          : `invalid char '${first}' in expression`,
      );
    }
    const [, number, register, operator] = match;
    if (number !== undefined) {
      const octal = /^0[0-7]+$/.test(number);
      found.push({
        kind: "number",
        value: BigInt(octal ? `0o${number}` : number),
      });
    } else if (register !== undefined) {
      found.push({ kind: "register", text: register });
    } else found.push({ kind: "operator", text: operator });
  }
  return found;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #vcpu: Vcpu;
  #at = 0;

  constructor(tokens: readonly Token[], v: Vcpu) {
    this.#tokens = tokens;
    this.#vcpu = v;
  }

  get atEnd(): boolean {
    return this.#at === this.#tokens.length;
  }

  sum(level: number): bigint {
    if (level === LEVELS.length) return this.#operand();
    let value = this.sum(level + 1);
    for (;;) {
      const operator = this.#operator(LEVELS[level]);
      if (operator === null) return value;
      value = apply(operator, value, this.sum(level + 1));
    }
  }

  #operand(): bigint {
    const token = this.#tokens[this.#at++];
    if (token === undefined) {
      throw new TargetError("unexpected end of expression");
    }
    if (token.kind === "number") return BigInt.asIntN(64, token.value);
    if (token.kind === "register") return registerValue(this.#vcpu, token.text);
    switch (token.text) {
      case "+":
        return this.#operand();
      case "-":
        return BigInt.asIntN(64, -this.#operand());
      case "~":
        return ~this.#operand();
      case "(": {
        const value = this.sum(0);
        if (this.#operator(")") === null) throw new TargetError("')' expected");
        return value;
      }
    }
    throw new TargetError(`invalid char '${token.text}' in expression`);
  }

  #operator(wanted: string): string | null {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "operator" || !wanted.includes(token.text)) return null;
    this.#at++;
    return token.text;
  }
}

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case "+":
      return BigInt.asIntN(64, a + b);
    case "-":
      return BigInt.asIntN(64, a - b);
    case "&":
      return a & b;
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "*":
      return BigInt.asIntN(64, a * b);
  }
  if (b === 0n) throw new TargetError("division by zero");
  return BigInt.asIntN(64, operator === "/" ? a / b : a % b);
}

/** Names of 32-bit code, and the monitor's own, for what gdb has by one name. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ...["ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip"].flatMap((name) =>
    [
      [name, `r${name}`],
      [`e${name}`, `r${name}`],
    ] as [string, string][]
  ),
  ["pc", "rip"],
]);

function registerValue(v: Vcpu, name: string): bigint {
  if (name === "pc") return BigInt.asIntN(64, v.linear);
  const wanted = ALIASES.get(name) ?? name;
  const number = registers.findIndex((r) => r.name === wanted);
  if (number < 0 || registers[number].bytes > 8) {
    throw new TargetError("unknown register");
  }
  const bytes = new Uint8Array(8);
  readRegisterRange(v, number, 1, bytes);
  return new DataView(bytes.buffer).getBigInt64(0, true);
}
