/** The monitor's commands for one processor: its registers, and its page tables. */
import { readRegisterRange, registers } from "../guest/registers.ts";
import { entryFlags, pagingMode } from "../paging/walk.ts";
import type { Commands, MonitorContext } from "./command.ts";

export const processorCommands: Commands = {
  registers: {
    usage: "registers [NAME...]",
    help: "registers of the current processor, hidden parts included",
    run: showRegisters,
  },
  walk: {
    usage: "walk ADDRESS",
    help: "how the page tables translate an address",
    run: showWalk,
  },
};

function showRegisters(
  target: MonitorContext,
  words: readonly string[],
  processor: number,
): string {
  const v = target.state.processor(processor);
  const bytes = new Uint8Array(16);
  let text = "";
  for (const [number, { name, bytes: size }] of registers.entries()) {
    if (words.length > 0 && !words.includes(name)) continue;
    readRegisterRange(v, number, 1, bytes);
    const hex = bytes.slice(0, size).reverse().toHex();
    text += `${name.padEnd(10)} 0x${hex}\n`;
  }
  return text === "" ? `no register ${words.join(", ")}\n` : text;
}

function showWalk(
  target: MonitorContext,
  words: readonly string[],
  processor: number,
): string {
  const linear = words.length === 1 ? parseAddress(words[0]) : null;
  if (linear === null) return "usage: walk ADDRESS\n";
  const v = target.state.processor(processor);
  const { gpa, pageBytes, entries } = target.guest.walker.walk(v, linear);
  let text = `0x${linear.toString(16)}: paging ${pagingMode(v)}, ` +
    `CR3 0x${v.cr3.toString(16)}\n`;
  for (const { level, address, value } of entries) {
    text +=
      `${level.padEnd(6)} at 0x${address.toString(16).padStart(12, "0")}` +
      `: 0x${value.toString(16).padStart(16, "0")} ${entryFlags(value)}\n`;
  }
  if (gpa < 0) return text + "not mapped\n";
  const kind = target.guest.machine.memory.kindOf(gpa) ?? "no memory";
  return text +
    `0x${gpa.toString(16)} (${kind}, page of ${pageBytes / 1024} KiB)\n`;
}

/** Hexadecimal with or without 0x; null if it is no number. */
function parseAddress(word: string): bigint | null {
  const digits = word.replace(/^0x/i, "");
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) return null;
  return BigInt(`0x${digits}`);
}
