/**
 * Commands of QEMU's monitor that tools send to a stub, answered in its format.
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import type { Debugger } from "./debugger.ts";

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const FORMATS = "xduo";
const MAX_BYTES = 1 << 20;

/** A number as QEMU's monitor takes it; null if it is none. */
function parseNumber(word: string | undefined): bigint | null {
  if (word === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(word)) return null;
  return BigInt.asUintN(64, BigInt(word));
}

/** `gva2gpa ADDRESS` */
export function gva2gpa(
  target: Debugger,
  words: readonly string[],
  processor: number,
): string {
  const linear = parseNumber(words[0]);
  if (words.length !== 1 || linear === null) return "usage: gva2gpa ADDRESS\n";
  target.needStopped();
  const v = target.vcpus[processor];
  v.read();
  const gpa = target.memory.translate(v, linear);
  return gpa < 0 ? "Unmapped\n" : `gpa: 0x${gpa.toString(16)}\n`;
}

/** `info status` and `info cpus`. */
export function info(
  target: Debugger,
  words: readonly string[],
  processor: number,
): string {
  switch (words[0]) {
    case "status":
      return `VM status: ${target.stop === null ? "running" : "paused"}\n`;
    case "cpus":
      return target.vcpus.map(({ index }) =>
        // Nothing here has a thread of the host's: the number gdb knows.
        `${index === processor ? "*" : " "} CPU #${index}: thread_id=${
          index + 1
        }\n`
      ).join("");
    default:
      return `info: there is status and cpus, not ${words.join(" ")}\n`;
  }
}

/** `x` and `xp`: `[/COUNT FORMAT SIZE] ADDRESS`, memory as numbers. */
export function examine(
  target: Debugger,
  words: readonly string[],
  processor: number,
  physical: boolean,
): string {
  const usage =
    `usage: ${physical ? "xp" : "x"} [/[COUNT][${FORMATS}][bhwg]] ` +
    "ADDRESS\n";
  const [format, address] = words.length === 2 ? words : ["/", words[0]];
  const wanted = /^\/(\d*)([xduobhwg]*)$/.exec(format);
  const start = parseNumber(address);
  if (wanted === null || start === null || words.length > 2) return usage;
  let size = 4, base = "x";
  for (const letter of wanted[2]) {
    if (letter in SIZES) size = SIZES[letter];
    else base = letter;
  }
  const count = wanted[1] === "" ? 1 : Number(wanted[1]);
  if (count * size > MAX_BYTES) return usage;
  target.needStopped();
  const line = size === 1 ? 8 : 16;
  let text = "";
  for (let done = 0; done < count * size; done += line) {
    const at = BigInt.asUintN(64, start + BigInt(done));
    text += `${at.toString(16).padStart(16, "0")}:`;
    const bytes = new Uint8Array(Math.min(line, count * size - done));
    const read = physical
      ? target.readPhysical(at, bytes, processor)
      : target.readMemory(processor, at, bytes);
    if (read < bytes.length) return `${text} Cannot access memory\n`;
    for (let i = 0; i < bytes.length; i += size) {
      let value = 0n;
      for (let b = size; b-- > 0;) value = value << 8n | BigInt(bytes[i + b]);
      text += ` ${formatNumber(value, base, size)}`;
    }
    text += "\n";
  }
  return text;
}

function formatNumber(value: bigint, base: string, size: number): string {
  const bits = size * 8;
  const decimals = Math.floor((bits * 10 + 32) / 33);
  switch (base) {
    case "o":
      return `${value === 0n ? "" : "0"}${value.toString(8)}`.padStart(
        Math.floor((bits + 2) / 3),
      );
    case "u":
      return value.toString().padStart(decimals);
    case "d":
      return BigInt.asIntN(64, value).toString().padStart(decimals);
    default:
      return `0x${value.toString(16).padStart(bits / 4, "0")}`;
  }
}
