/**
 * `x`, `xp`, `gva2gpa` and `print` of QEMU's monitor, in its format.
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import { decode, newDecoded } from "../../../x86/decode.ts";
import type { MonitorContext } from "../command.ts";
import { TargetError } from "../../target.ts";
import type { Vcpu } from "../../guest/vcpu.ts";
import { evaluate } from "./expression.ts";
import type { ExamineFormat } from "./format.ts";

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const FORMATS = "xduoci";
const MAX_BYTES = 1 << 20;
const MAX_INSTRUCTION = 15;
/** Bytes of an instruction that stand before a disassembler's text. */
const CODE_COLUMNS = 8;
const PAGE_ADDRESS = 0xfffffffffffffn;

/** `gva2gpa ADDRESS` */
export function gva2gpa(
  target: MonitorContext,
  text: string,
  processor: number,
): string {
  const v = target.state.processor(processor);
  const linear = evaluate(text, v);
  const gpa = target.guest.memory.translate(v, linear);
  return gpa < 0 ? "Unmapped\n" : `gpa: 0x${gpa.toString(16)}\n`;
}

/** `print[/FORMAT] NUMBER` */
export function print(
  target: MonitorContext,
  text: string,
  processor: number,
): string {
  const { format: { letter }, rest } = takeFormat(target, text);
  const value = evaluate(rest, target.state.processor(processor));
  switch (letter) {
    case "x":
      return `0x${value.toString(16)}\n`;
    case "i":
      return `${BigInt.asIntN(64, value)}\n`;
    case "c":
      return `'${character(Number(value & 0xffffffffn))}'\n`;
    default:
      return `${formatNumber(value, letter, 8).trimStart()}\n`;
  }
}

/** `x` and `xp`: `[/[COUNT][FORMAT][SIZE]] ADDRESS`. What is not given is as it was
 * the last time. */
export function examine(
  target: MonitorContext,
  text: string,
  processor: number,
  physical: boolean,
): string {
  const { format, count, rest } = takeFormat(target, text);
  const v = target.state.processor(processor);
  const start = evaluate(rest, v);
  const read = (at: bigint, into: Uint8Array) =>
    physical
      ? target.state.readPhysical(at & PAGE_ADDRESS, into, processor)
      : target.state.readMemory(processor, at, into);
  if (format.letter === "i") return instructions(v, start, count, read);
  return numbers(start, count, format, read);
}

interface Wanted {
  readonly format: ExamineFormat;
  readonly count: number;
  /** What follows the format. */
  readonly rest: string;
}

/** Takes what stands before an address; the format stays for later commands. */
function takeFormat(target: MonitorContext, text: string): Wanted {
  const [, slash, digits, letters, rest] = /^\s*(\/(\d*)(\S*))?(.*)$/s
    .exec(text)!;
  let { letter, size } = target.examineFormat;
  for (const wanted of letters ?? "") {
    if (wanted in SIZES) size = SIZES[wanted];
    else if (FORMATS.includes(wanted)) letter = wanted;
    else throw new TargetError(`invalid char in format: '${wanted}'`);
  }
  const count = slash === undefined || digits === "" ? 1 : Number(digits);
  if (count * size > MAX_BYTES) {
    throw new TargetError(`more than ${MAX_BYTES} bytes at once`);
  }
  target.examineFormat = { letter, size };
  return { format: target.examineFormat, count, rest };
}

type Read = (at: bigint, into: Uint8Array) => number;

function numbers(
  start: bigint,
  count: number,
  { letter, size: wanted }: ExamineFormat,
  read: Read,
): string {
  const total = count * wanted;
  const line = wanted === 1 ? 8 : 16;
  // Characters are bytes, as many as the numbers would have had.
  const size = letter === "c" ? 1 : wanted;
  let text = "";
  for (let done = 0; done < total; done += line) {
    const at = BigInt.asUintN(64, start + BigInt(done));
    text += `${at.toString(16).padStart(16, "0")}:`;
    const bytes = new Uint8Array(Math.min(line, total - done));
    if (read(at, bytes) < bytes.length) {
      return `${text} Cannot access memory\n`;
    }
    for (let i = 0; i < bytes.length; i += size) {
      let value = 0n;
      for (let b = size; b-- > 0;) value = value << 8n | BigInt(bytes[i + b]);
      text += ` ${formatNumber(value, letter, size)}`;
    }
    text += "\n";
  }
  return text;
}

function formatNumber(value: bigint, letter: string, size: number): string {
  const bits = size * 8;
  const decimals = Math.floor((bits * 10 + 32) / 33);
  switch (letter) {
    case "o":
      return `${value === 0n ? "" : "0"}${value.toString(8)}`.padStart(
        Math.floor((bits + 2) / 3),
      );
    case "u":
      return value.toString().padStart(decimals);
    case "d":
      return BigInt.asIntN(64, value).toString().padStart(decimals);
    case "c":
      return `'${character(Number(value))}'`;
    default:
      return `0x${value.toString(16).padStart(bits / 4, "0")}`;
  }
}

function character(code: number): string {
  switch (code) {
    case 0x0a:
      return "\\n";
    case 0x0d:
      return "\\r";
    case 0x27:
      return "\\'";
    case 0x5c:
      return "\\\\";
  }
  return code >= 0x20 && code <= 0x7e
    ? String.fromCharCode(code)
    : `\\x${code.toString(16).padStart(2, "0")}`;
}

/** Addresses and bytes: what they mean, a debugger's own disassembler says. */
function instructions(
  v: Vcpu,
  start: bigint,
  count: number,
  read: Read,
): string {
  const code = new Uint8Array(MAX_INSTRUCTION);
  const decoded = newDecoded();
  let text = "";
  let at = start;
  for (let i = 0; i < count; i++) {
    const length = read(at, code);
    const address = `0x${at.toString(16).padStart(8, "0")}`;
    if (length === 0) {
      text += `${address}: Cannot access memory\n`;
      break;
    }
    const whole = decode(code.subarray(0, length), 0, v.codeBits, decoded);
    // What is no instruction is a byte.
    const bytes = [...code.subarray(0, whole ? decoded.length : 1)]
      .map((byte) => byte.toString(16).padStart(2, "0"));
    for (let column = 0; column < bytes.length; column += CODE_COLUMNS) {
      const here = BigInt.asUintN(64, at + BigInt(column));
      text += `0x${here.toString(16).padStart(8, "0")}:  ` +
        `${bytes.slice(column, column + CODE_COLUMNS).join(" ")}\n`;
    }
    at = BigInt.asUintN(64, at + BigInt(bytes.length));
  }
  return `${text}icebp has no disassembler: gdb's x/${count}i shows them\n`;
}
