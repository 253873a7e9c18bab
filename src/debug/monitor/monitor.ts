/** The debugger's own command language: what `monitor` in gdb gives it. */
import { InterruptType } from "../../../ffi/enums.ts";
import type { Debugger } from "../debugger.ts";
import {
  findKernel,
  KERNEL_MAP,
  KERNEL_MAP_END,
  kernelSpace,
  type LinuxKernel,
} from "../linux/kernel.ts";
import { showBreakpoints } from "./breakpoints.ts";
import {
  listSnapshots,
  restoreSnapshot,
  saveSnapshot,
  takeSnapshot,
} from "./snapshots.ts";
import { goTo, lastWrite, showWhen } from "./time.ts";
import { qemuCommands } from "./qemu/mod.ts";
import { readRegisterRange, registers } from "../guest/registers.ts";
import { entryFlags, pagingMode } from "../guest/walk.ts";

interface Command {
  /** Its parameters, for help. */
  readonly usage: string;
  readonly help: string;
  /** `text` is what follows the name, `words` the same by words. */
  run(
    target: Debugger,
    words: readonly string[],
    processor: number,
    text: string,
  ): string | Promise<string>;
}

/** A command of QEMU's, with its ends of lines: tools look for those. */
function fromQemu(
  name: keyof typeof qemuCommands,
  usage: string,
  help: string,
): Command {
  return {
    usage,
    help,
    run: (target, _words, processor, text) =>
      qemuCommands[name](target, text, processor).replaceAll("\n", "\r\n"),
  };
}

const COMMANDS: Readonly<Record<string, Command>> = {
  help: {
    usage: "help",
    help: "this list",
    run: () =>
      Object.values(COMMANDS)
        .map(({ usage, help }) => `${usage.padEnd(18)} ${help}\n`).join(""),
  },
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
  linux: {
    usage: "linux [wait]",
    help: "where Linux is, and how gdb gets its symbols; or stop when it is up",
    run: showLinux,
  },
  breakpoints: {
    usage: "breakpoints",
    help: "how each breakpoint is held, where, and since when",
    run: showBreakpoints,
  },
  exits: {
    usage: "exits",
    help: "how often the guest has exited, for what, and to which devices",
    run: ({ machine, passed }) => {
      const counted = (title: string, entries: Iterable<[string, number]>) => {
        const sorted = [...entries].sort(([, a], [, b]) => b - a);
        if (sorted.length === 0) return "";
        const lines = sorted.map(([name, count]) =>
          `${String(count).padStart(12)} ${name}\n`
        );
        return `${title}\n${lines.join("")}`;
      };
      const text = counted("exits", Object.entries(machine.exitCounts)) +
        counted("port accesses", machine.ports.accesses) +
        counted("MMIO accesses", machine.mmio.accesses) +
        counted(
          "without an exit",
          passed > 0
            ? [["breakpoint conditions that did not hold", passed]]
            : [],
        );
      const effort = (machine.partition.functions.effort?.() ?? [])
        .map(([name, count]) => `${name}: ${count}\n`).join("");
      return (text === "" ? "no exits yet\n" : text) + effort;
    },
  },
  when: {
    usage: "when",
    help: "instructions so far, and guest time; what history there is",
    run: showWhen,
  },
  goto: {
    usage: "goto COUNT|TIME|start|end",
    help: "go to an instruction count, or to a guest time (1.5s, 20ms, 7us)",
    run: goTo,
  },
  "last-write": {
    usage: "last-write [phys] ADDRESS [LENGTH]",
    help: "go back to before memory was last written, by whomever",
    run: lastWrite,
  },
  snapshot: {
    usage: "snapshot NAME",
    help: "keep the whole machine as it is, under a name",
    run: takeSnapshot,
  },
  restore: {
    usage: "restore NAME",
    help: "make the machine what it was at a snapshot",
    run: restoreSnapshot,
  },
  snapshots: {
    usage: "snapshots",
    help: "the snapshots that are kept",
    run: listSnapshots,
  },
  save: {
    usage: "save FILE",
    help: "write the whole machine to a file, for icebp --restore",
    run: saveSnapshot,
  },
  reset: {
    usage: "reset",
    help: "reset the machine and load the guest anew",
    run: (target) => {
      target.restart();
      return "the machine is reset\n";
    },
  },
  nmi: {
    usage: "nmi",
    help: "send the current processor an NMI",
    run: (target, _words, processor) => {
      target.needStopped();
      target.changing();
      target.machine.requestInterrupt({
        type: InterruptType.Nmi,
        destinationMode: 0,
        triggerMode: 0,
        destination: processor,
        vector: 0,
      });
      return `NMI for CPU${processor}\n`;
    },
  },
  info: fromQemu("info", "info SUBJECT", "as QEMU tells it; info alone lists"),
  gva2gpa: fromQemu(
    "gva2gpa",
    "gva2gpa ADDRESS",
    "the guest physical address, as QEMU tells it",
  ),
  x: fromQemu(
    "x",
    "x[/FMT] ADDRESS",
    "memory as QEMU shows it: /4xw, /2xg, /8db, /3i...",
  ),
  xp: fromQemu("xp", "xp[/FMT] ADDRESS", "the same by guest physical address"),
  print: fromQemu("print", "print[/FMT] NUMBER", "a number, such as $rsp+8"),
  stop: {
    usage: "stop",
    help: "stop the guest; it stands whenever this is asked",
    run: () => "",
  },
  cont: {
    usage: "cont",
    help: "let the guest run until anything is asked, without gdb knowing",
    run: (target) => {
      target.resume(target.vcpus.map(() => ({ kind: "continue" })));
      return "";
    },
  },
  system_reset: {
    usage: "system_reset",
    help: "reset, in QEMU's way: without a word",
    run: (target) => {
      target.restart();
      return "";
    },
  },
  quit: {
    usage: "quit",
    help: "end the guest and icebp",
    run: (target) => {
      target.kill();
      target.onQuit.tell();
      return "the guest has ended\n";
    },
  },
};

/** Runs one line; returns what to show. Throws a TargetError for what a
 * running guest cannot do. */
export function runMonitorCommand(
  target: Debugger,
  line: string,
  processor: number,
): string | Promise<string> {
  // A format stands behind a name at once: x/4xw.
  const [, name, text] = /^([^\s/]*)(.*)$/s.exec(line.trim() || "help")!;
  const words = text.split(/\s+/).filter(Boolean);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    return `no command ${name}; "monitor help" lists them\n`;
  }
  return command.run(target, words, processor, text.trim());
}

function showRegisters(
  target: Debugger,
  words: readonly string[],
  processor: number,
): string {
  target.needStopped();
  const bytes = new Uint8Array(16);
  let text = "";
  for (const [number, { name, bytes: size }] of registers.entries()) {
    if (words.length > 0 && !words.includes(name)) continue;
    readRegisterRange(
      target.vcpus[processor],
      number,
      1,
      bytes,
    );
    const hex = bytes.slice(0, size).reverse().toHex();
    text += `${name.padEnd(10)} 0x${hex}\n`;
  }
  return text === "" ? `no register ${words.join(", ")}\n` : text;
}

function showWalk(
  target: Debugger,
  words: readonly string[],
  processor: number,
): string {
  const linear = words.length === 1 ? parseAddress(words[0]) : null;
  if (linear === null) return "usage: walk ADDRESS\n";
  target.needStopped();
  const v = target.vcpus[processor];
  v.read();
  const { gpa, pageBytes, entries } = target.walker.walk(v, linear);
  let text = `0x${linear.toString(16)}: paging ${pagingMode(v)}, ` +
    `CR3 0x${v.cr3.toString(16)}\n`;
  for (const { level, address, value } of entries) {
    text +=
      `${level.padEnd(6)} at 0x${address.toString(16).padStart(12, "0")}` +
      `: 0x${value.toString(16).padStart(16, "0")} ${entryFlags(value)}\n`;
  }
  if (gpa < 0) return text + "not mapped\n";
  const kind = target.machine.memory.kindOf(gpa) ?? "no memory";
  return text +
    `0x${gpa.toString(16)} (${kind}, page of ${pageBytes / 1024} KiB)\n`;
}

function showLinux(
  target: Debugger,
  words: readonly string[],
  processor: number,
): string {
  if (words.length > 1 || (words[0] ?? "wait") !== "wait") {
    return "usage: linux [wait]\n";
  }
  target.needStopped();
  const kernel = kernelOf(target, processor);
  if (words.length > 0 && !isUp(kernel)) return waitForLinux(target, processor);
  if (kernel === null || kernel.banner === null) {
    return whyNoLinux(target, kernel);
  }
  const { banner, text, gpa, offset, patching } = kernel;
  if (offset < 0n) {
    // Older kernels begin with all of the mapping in use.
    return `${banner}\nIt is too early to tell where it is: ` +
      "go on for a moment.\n";
  }
  const load = offset === 0n ? "" : ` -o 0x${offset.toString(16)}`;
  return `${banner}\n` +
    `_text is at 0x${text.toString(16)} (physical 0x${gpa.toString(16)}): ` +
    (offset === 0n
      ? "where it was linked, without a KASLR offset.\n"
      : `the KASLR offset is 0x${offset.toString(16)}.\n`) +
    "For its symbols paste, with vmlinux the file that has them:\n" +
    `  symbol-file${load} vmlinux\n` +
    (patching
      ? "It is starting and patches its code: four breakpoints stay out of its way.\n"
      : "");
}

/** Whether a kernel has started: from then on, just before its first program, it
 * leaves its code as it is. */
function isUp(kernel: LinuxKernel | null): boolean {
  return kernel !== null && kernel.banner !== null && !kernel.patching;
}

function waitForLinux(target: Debugger, processor: number): string {
  target.stopWhen = () => isUp(kernelOf(target, processor));
  return "Continue: the guest stops when the kernel has started, about when its " +
    "first program begins.\n";
}

/** The kernel as a processor sees it, the current one first. */
function kernelOf(target: Debugger, processor: number): LinuxKernel | null {
  const { machine: { memory }, walker, vcpus } = target;
  let other: LinuxKernel | null = null;
  for (const v of [vcpus[processor], ...vcpus]) {
    v.read();
    const space = kernelSpace(memory, v) ?? v;
    const kernel = findKernel(memory, walker, space);
    if (kernel !== null && kernel.banner !== null) return kernel;
    other ??= kernel;
  }
  return other;
}

/** Whether what was booted is a 32-bit Linux. */
function is32Bit({ machine: { booted }, vcpus }: Debugger): boolean {
  const modes = vcpus.map((v) => pagingMode(v));
  return booted?.kind === "linux" &&
    (booted.architecture === "i386" ||
      (modes.some((m) => m === "32-bit" || m === "PAE") &&
        !modes.some((m) => m.endsWith("-level"))));
}

function whyNoLinux(target: Debugger, found: LinuxKernel | null): string {
  const { booted } = target.machine;
  const lines: string[] = [];
  if (is32Bit(target)) {
    lines.push(
      "It is too early: a 32-bit kernel is found when it has started " +
        '("monitor linux wait").',
      'With "nokaslr" on its command line, or if it was built without KASLR, ' +
        "its symbols",
      "need no offset:",
      "  symbol-file vmlinux",
    );
  } else if (booted?.kind === "linux") {
    lines.push(
      "It is too early: no processor has the kernel's page tables yet.",
      'With "nokaslr" on its command line its symbols need no offset, and ' +
        "breakpoints",
      "can be set now: they wait until its code is mapped.",
    );
  } else if (found !== null) {
    lines.push(
      "This is not Linux: what is mapped at " +
        `0x${found.text.toString(16)} does not say "Linux version".`,
    );
  } else {
    lines.push(
      "This is not Linux, or it is too early: nothing is mapped between " +
        `0x${KERNEL_MAP.toString(16)} and 0x${KERNEL_MAP_END.toString(16)}.`,
    );
  }
  if (booted !== null) lines.push(`Booted was ${booted.describe}.`);
  return lines.map((line) => `${line}\n`).join("");
}

/** Hexadecimal with or without 0x; null if it is no number. */
function parseAddress(word: string): bigint | null {
  const digits = word.replace(/^0x/i, "");
  if (!/^[0-9a-f]{1,16}$/i.test(digits)) return null;
  return BigInt(`0x${digits}`);
}
