/** The command line taken apart: every option checked before anything runs. */
import type { TranslateMode } from "../soft/mod.ts";
import { parseArgs } from "@std/cli/parse-args";
import type { FlatChoice } from "../boot/image.ts";
import type { ApicKind } from "../machine/setup.ts";
import { VIRTIO_MAX_DEVICES } from "../machine/devices/virtio/layout.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { parseLogLevels } from "./log_levels.ts";
import type { LogLevels } from "./log_levels.ts";
import {
  type Address,
  parseAddress,
  parseDate,
  parseFlat,
  parseSize,
  splitOnce,
  UsageError,
} from "./values.ts";

export { UsageError } from "./values.ts";

/** Where the output of a serial port or console goes. */
export type SerialChoice =
  | { readonly kind: "stdio" }
  | { readonly kind: "null" }
  | { readonly kind: "file"; readonly path: string };

/** How guest time passes while all processors wait. */
export type ClockChoice = "virtual" | "host";

/** A file that a guest gets as a disk. */
export interface DiskChoice {
  readonly path: string;
  readonly readOnly: boolean;
}

/** What the user wants run. */
export interface RunOptions {
  readonly action: "run";
  /** Path of the image; undefined for the built-in demo. */
  readonly guest?: string;
  readonly gdb?: Address;
  /** What gdb is to take the guest for. */
  readonly gdbArch: "i386" | "x86-64" | "auto";
  /** Wait for a debugger before the first instruction. */
  readonly wait: boolean;
  /** What the guest does when a debugger's connection just ends. */
  readonly afterDisconnect: "run" | "stay";
  /** How breakpoints are held; undefined for the best that the platform has. */
  readonly breakpoints: "memory" | "processor" | undefined;
  /** "whp", "soft", a library's path, or undefined to choose. */
  readonly platform?: string;
  readonly cpus: number;
  readonly apic: ApicKind;
  readonly memoryBytes: number;
  readonly append: string;
  readonly initrd?: string;
  readonly modules: readonly { readonly path: string; readonly text: string }[];
  readonly flat?: FlatChoice;
  readonly disks: readonly DiskChoice[];
  readonly serial: SerialChoice;
  /** Where the virtio console goes; undefined for a machine without one. */
  readonly console?: SerialChoice;
  /** Undefined: "host" on an interactive console, else "virtual". */
  readonly clock?: ClockChoice;
  /** Whether hot guest code becomes WebAssembly (soft). */
  readonly translate: TranslateMode;
  /** What the guest's clock says at the start, Unix time in seconds; undefined: the
   * time of day with the clock "host", else always the same. */
  readonly date?: bigint;
  readonly stats: boolean;
  readonly log: LogLevels;
  /** Host memory for history, with --gdb; 0 for none. */
  readonly historyBytes: number;
  /** A snapshot's file that the machine begins from. */
  readonly restore?: string;
  /** Where the run is recorded. */
  readonly record?: string;
  /** Whether the disks' contents are recorded, too. */
  readonly recordAll: boolean;
  /** A recording that is repeated. */
  readonly replay?: string;
  /** Whether a panic of a Linux kernel ends the run, or stops it for gdb. */
  readonly stopOnPanic: boolean;
  /** Where the machine is written to when it is ended by its user. */
  readonly saveAtExit?: string;
}

/** What the user wants. */
export type Options =
  | RunOptions
  | { readonly action: "help" | "version" | "demo" }
  /** Say what the machine offers, and of `platform` if it is given. */
  | { readonly action: "doctor"; readonly platform?: string }
  /** Write the built-in guest and its sources into a folder. */
  | { readonly action: "write-demo"; readonly folder: string };

const MIB = 1024 * 1024, GIB = 1024 * MIB;
/** As many as the software platform has. */
const MAX_CPUS = 64;
const LEAST_MEMORY = 2 * MIB;
const MOST_MEMORY = 64 * GIB;
const DEFAULT_MEMORY = 256 * MIB;
/** Two transports are kept for the console and the entropy device. */
const MAX_DISKS = VIRTIO_MAX_DEVICES - 2;
const DEFAULT_HISTORY = "512M";
const DEFAULT_GDB = "127.0.0.1:1234";

const FLAGS = [
  "help",
  "version",
  "no-wait",
  "stats",
  "record-all",
  "stop-on-panic",
];
const ONCE = [
  "gdb",
  "gdb-arch",
  "platform",
  "cpus",
  "apic",
  "memory",
  "append",
  "initrd",
  "flat",
  "serial",
  "console",
  "clock",
  "translate",
  "date",
  "log",
  "on-disconnect",
  "breakpoints",
  "write-demo",
  "history",
  "restore",
  "save-at-exit",
  "record",
];
/** Options that are about the machine: with --restore they are in the file. */
const OF_MACHINE = [
  "platform",
  "cpus",
  "apic",
  "memory",
  "append",
  "initrd",
  "flat",
  "date",
  "module",
  "disk",
];
/** Options whose value is text, which may be empty. */
const TEXTS = ["append"];
const REPEATED = ["module", "disk"];

/** Takes the command line apart; throws a UsageError with one line. */
export function parseOptions(args: readonly string[]): Options {
  // --gdb takes its value only after "=", so that a guest may follow it.
  const words = args.map((word) => word === "--gdb" ? "--gdb=" : word);
  refuseMissingValues(words);
  const parsed = parseArgs(joinValues(words), {
    boolean: FLAGS,
    string: [...ONCE, ...REPEATED, "_"],
    collect: [...ONCE, ...REPEATED],
    alias: { help: "h", version: "V" },
    unknown: (word) => {
      if (!word.startsWith("-") || word === "-") return true;
      throw new UsageError(`unknown option ${word.split("=")[0]}`);
    },
  });
  if (parsed.help) return { action: "help" };
  if (parsed.version) return { action: "version" };

  const once = (name: string): string | undefined => {
    const values = (parsed[name] ?? []) as string[];
    if (values.length > 1) throw new UsageError(`--${name} is given twice`);
    return values[0];
  };
  const positional = parsed._.map(String);
  if (args.length === 1 && args[0] === "demo") return { action: "demo" };
  if (positional.length === 1 && positional[0] === "doctor") {
    return doctorOptions(words, once("platform"));
  }
  const replay = positional[0] === "replay" ? positional[1] : undefined;
  if (positional[0] === "replay") {
    if (replay === undefined) {
      throw new UsageError(
        "replay needs a recording (a guest of that name is ./replay)",
      );
    }
    positional.splice(0, 2);
  }
  if (positional.includes("")) {
    throw new UsageError("the guest's name is empty");
  }
  if (positional.length > 1) {
    throw new UsageError(
      `one guest at a time: ${
        positional.join(" ")
      } (options for the guest go into --append)`,
    );
  }
  const folder = once("write-demo");
  if (folder !== undefined) return { action: "write-demo", folder };
  const gdb = once("gdb");
  const options: RunOptions = {
    action: "run",
    guest: positional[0],
    gdb: gdb === undefined
      ? undefined
      : parseAddress("--gdb", gdb || DEFAULT_GDB),
    gdbArch: oneOf(
      "--gdb-arch",
      once("gdb-arch") ?? "auto",
      ["i386", "x86-64", "auto"] as const,
    ),
    wait: !parsed["no-wait"],
    afterDisconnect: oneOf(
      "--on-disconnect",
      once("on-disconnect") ?? "run",
      ["run", "stay"] as const,
    ),
    breakpoints: optional(
      once("breakpoints"),
      (value) =>
        oneOf("--breakpoints", value, ["memory", "processor"] as const),
    ),
    platform: once("platform"),
    cpus: parseCount("--cpus", once("cpus") ?? (positional[0] ? "1" : "2")),
    apic: oneOf(
      "--apic",
      once("apic") ?? "xapic",
      ["xapic", "x2apic"] as const,
    ),
    memoryBytes: parseMemory(once("memory")),
    append: once("append") ?? "",
    initrd: once("initrd"),
    modules: ((parsed.module ?? []) as string[]).map((value) => {
      const [path, text] = splitOnce(value, ",");
      if (path === "") throw new UsageError("--module needs a file");
      return { path, text };
    }),
    flat: optional(once("flat"), (value) => parseFlat("--flat", value)),
    disks: ((parsed.disk ?? []) as string[]).map(parseDisk),
    serial: parseSerial("--serial", once("serial") ?? "stdio"),
    console: optional(
      once("console"),
      (value) => parseSerial("--console", value),
    ),
    clock: optional(
      once("clock"),
      (value) => oneOf("--clock", value, ["virtual", "host"] as const),
    ),
    translate: oneOf(
      "--translate",
      once("translate") ?? "auto",
      ["never", "auto", "always"] as const,
    ),
    date: optional(once("date"), (value) => parseDate("--date", value)),
    stats: Boolean(parsed.stats),
    log: parseLogLevels(once("log") ?? "warning"),
    historyBytes: parseHistory(once("history")),
    restore: once("restore"),
    saveAtExit: once("save-at-exit"),
    record: once("record"),
    recordAll: Boolean(parsed["record-all"]),
    replay,
    stopOnPanic: Boolean(parsed["stop-on-panic"]),
  };
  const from = options.restore !== undefined ? "--restore" : "replay";
  if (options.restore !== undefined || replay !== undefined) {
    const given = OF_MACHINE.find((name) =>
      ((parsed[name] ?? []) as string[]).length > 0
    );
    if (given !== undefined || options.guest !== undefined) {
      throw new UsageError(
        `${given === undefined ? options.guest : `--${given}`}: with ` +
          `${from} the machine is the file's`,
      );
    }
  }
  refuseContradictions(options);
  return options;
}

function doctorOptions(
  words: readonly string[],
  platform: string | undefined,
): Options {
  const other = words.find((word) =>
    word.startsWith("-") && !/^--platform(=|$)/.test(word)
  );
  if (other !== undefined) {
    throw new UsageError(
      `doctor takes no option but --platform, not ${other.replace(/=$/, "")} ` +
        "(a guest of that name is ./doctor)",
    );
  }
  return { action: "doctor", platform };
}

/** Whether `word` is an option whose value is the next word. */
function takesNext(word: string): boolean {
  return word.startsWith("--") &&
    [...ONCE, ...REPEATED].includes(word.slice(2));
}

/** An option that needs a value and stands last, or before another one. An empty
 * text is a value as good as any; an empty name of a thing is none. */
function refuseMissingValues(words: readonly string[]): void {
  words.forEach((word, i) => {
    const next = words[i + 1];
    const missing = takesNext(word) &&
      (next === undefined || next.startsWith("--"));
    const [name] = splitOnce(word, "=");
    const empty = name !== "--gdb" && !TEXTS.includes(name.slice(2)) &&
      (takesNext(word) && next === "" ||
        word === `${name}=` && takesNext(name));
    if (missing || empty) throw new UsageError(`${name} needs a value`);
  });
}

/** "--option" and "value" as "--option=value": the parser takes no empty word,
 * and none that begins with a dash, for a value. */
function joinValues(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    joined.push(takesNext(words[i]) ? `${words[i]}=${words[++i]}` : words[i]);
  }
  return joined;
}

function refuseContradictions(options: RunOptions): void {
  if (options.recordAll && options.record === undefined) {
    throw new UsageError("--record-all is about --record, which is not given");
  }
  if (options.replay !== undefined) {
    const given = options.restore !== undefined
      ? "--restore"
      : options.record !== undefined
      ? "--record"
      : options.stopOnPanic
      ? "--stop-on-panic"
      : undefined;
    if (given !== undefined) {
      throw new UsageError(`replay repeats a run: ${given} is not for it`);
    }
  }
  if (options.disks.length > MAX_DISKS) {
    throw new UsageError(`--disk: at most ${MAX_DISKS} disks are possible`);
  }
  if (!options.wait && options.gdb === undefined) {
    throw new UsageError("--no-wait is about --gdb, which is not given");
  }
  if (options.guest === undefined) {
    const given = options.flat !== undefined
      ? "--flat"
      : options.initrd !== undefined
      ? "--initrd"
      : undefined;
    if (given !== undefined) {
      throw new UsageError(`${given} needs a guest; the demo takes none`);
    }
  }
  if (
    options.flat !== undefined &&
    (options.initrd !== undefined || options.modules.length > 0 ||
      options.append !== "")
  ) {
    throw new UsageError(
      "a flat image has no command line, initrd or modules",
    );
  }
}

function optional<T>(
  value: string | undefined,
  parse: (value: string) => T,
): T | undefined {
  return value === undefined ? undefined : parse(value);
}

function oneOf<T extends string>(
  option: string,
  value: string,
  choices: readonly T[],
): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) {
    throw new UsageError(
      `${option} ${value}: it is one of ${choices.join(", ")}`,
    );
  }
  return found;
}

function parseCount(option: string, value: string): number {
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1 || count > MAX_CPUS) {
    throw new UsageError(
      `${option} ${value}: a number from 1 to ${MAX_CPUS} is needed`,
    );
  }
  return count;
}

function parseMemory(value: string | undefined): number {
  if (value === undefined) return DEFAULT_MEMORY;
  const bytes = parseSize("--memory", value, MIB);
  if (bytes < LEAST_MEMORY) {
    throw new UsageError(`--memory ${value}: a guest needs 2M at least`);
  }
  if (bytes > MOST_MEMORY) {
    throw new UsageError(
      `--memory ${value}: 64G are the most, less on some platforms (see doctor)`,
    );
  }
  if (bytes % PAGE_BYTES !== 0) {
    throw new UsageError(`--memory ${value}: not whole pages of 4 KiB`);
  }
  return bytes;
}

function parseHistory(value: string | undefined): number {
  if (value === "off") return 0;
  const bytes = parseSize("--history", value ?? DEFAULT_HISTORY, MIB);
  if (bytes < MIB) {
    throw new UsageError(`--history ${value}: 1M at least, or off`);
  }
  return bytes;
}

function parseSerial(option: string, value: string): SerialChoice {
  if (value === "stdio" || value === "null") return { kind: value };
  if (value.startsWith("file:") && value.length > 5) {
    return { kind: "file", path: value.slice(5) };
  }
  throw new UsageError(
    `${option} ${value}: it is one of stdio, null, file:PATH`,
  );
}

function parseDisk(value: string): DiskChoice {
  const readOnly = value.endsWith(",ro");
  const path = readOnly ? value.slice(0, -3) : value;
  if (path === "") throw new UsageError("--disk needs a file");
  return { path, readOnly };
}
