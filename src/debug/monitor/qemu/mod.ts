/**
 * Commands of QEMU's monitor that tools send to a stub, answered in its format.
 * Source of facts: QEMU 7.2's monitor, asked.
 */
import config from "../../../../deno.json" with { type: "json" };
import type { Command, Commands, MonitorContext } from "../command.ts";
import { type Stop, TargetError } from "../../target.ts";
import { EXTRANEOUS } from "./expression.ts";
import { examine, gva2gpa, print } from "./examine.ts";
import { showLapic } from "./lapic.ts";
import { showTree } from "./mtree.ts";
import { showPic } from "./pic.ts";
import { showRegisters } from "./registers.ts";
import { showMem, showTlb } from "./tables.ts";

/** A command: what follows its name, for a processor. */
type Run = (target: MonitorContext, text: string, processor: number) => string;

interface Subject {
  readonly usage: string;
  readonly help: string;
  readonly run: Run;
}

const INFO: Readonly<Record<string, Subject>> = {
  cpus: {
    usage: "",
    help: "the processors; * is the current one",
    run: (target, _text, processor) =>
      target.guest.vcpus.map(({ index }) =>
        // Nothing here has a thread of the host's: the number gdb knows.
        `${index === processor ? "*" : " "} CPU #${index}: thread_id=${
          index + 1
        }\n`
      ).join(""),
  },
  kvm: {
    usage: "",
    help: "whether the host's KVM runs the guest; it does not",
    run: () => "kvm support: disabled\n",
  },
  lapic: {
    usage: " [APIC-ID]",
    help: "a local APIC",
    run(target, text, processor) {
      const wanted = text === "" ? processor : Number(text);
      if (target.guest.vcpus[wanted] === undefined) return "No CPU available\n";
      return showLapic(target, wanted);
    },
  },
  mem: {
    usage: "",
    help: "ranges that are mapped, and their rights",
    run: (target, _text, processor) => showMem(target, processor),
  },
  mtree: {
    usage: " [-f]",
    help: "what is where in the address spaces",
    run: (target, text, processor) =>
      showTree(target, processor, option("mtree", text, "-f")),
  },
  pic: {
    usage: "",
    help: "the IOAPIC and the PICs",
    run: (target) => showPic(target),
  },
  registers: {
    usage: " [-a|CPU]",
    help: "the registers of the current processor, of all, or of one",
    run(target, text, processor) {
      const all = [...target.guest.vcpus.keys()];
      if (/^\d+$/.test(text)) {
        if (all.includes(Number(text))) {
          return showRegisters(target, [Number(text)]);
        }
        return `CPU#${Number(text)} not available\n`;
      }
      const every = option("registers", text, "-a");
      return showRegisters(target, every ? all : [processor]);
    },
  },
  status: {
    usage: "",
    help: "whether the guest runs",
    run: ({ run }) => `VM status: ${statusOf(run.stop)}\n`,
  },
  tlb: {
    usage: "",
    help: "every page that is mapped",
    run: (target, _text, processor) => showTlb(target, processor),
  },
  version: {
    usage: "",
    help: "of icebp",
    run: () => `${config.version} (icebp)\n`,
  },
};

/** Whether the only option there is was given. */
function option(subject: string, text: string, wanted: string): boolean {
  if (text === "" || text === wanted) return text !== "";
  throw new TargetError(`${subject}: unsupported option ${text}`);
}

function statusOf(stop: Stop | null): string {
  switch (stop?.reason.kind) {
    case undefined:
      return "running";
    case "paused":
      return "paused (prelaunch)";
    case "interrupted":
      return "paused";
    case "exited":
      return "paused (shutdown)";
    case "failed":
      return "paused (internal-error)";
    default:
      return "paused (debug)";
  }
}

const info: Run = (target, text, processor) => {
  const [, name, rest] = /^(\S*)\s*(.*)$/s.exec(text)!;
  if (name === "") {
    return Object.entries(INFO).map(([name, { usage, help }]) =>
      `info ${name}${usage}  -- ${help}\n`
    ).join("");
  }
  if (!Object.hasOwn(INFO, name)) return `unknown command: 'info ${name}'\n`;
  return told(name, INFO[name].run, "info ")(target, rest, processor);
};

/** A command whose complaints are said in QEMU's words; `group` is what its help
 * is asked by before its name. */
function told(name: string, run: Run, group = ""): Run {
  return (target, text, processor) => {
    try {
      return run(target, text.trim(), processor);
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      // As every other command of a guest that runs.
      if (target.run.stop === null) throw error;
      const who = error.message === EXTRANEOUS ? `${name}: ` : "";
      return `${who}${error.message}\n` +
        `Try "help ${group}${name}" for more information\n`;
    }
  };
}

/** A command of QEMU's, with its ends of lines: tools look for those. */
function fromQemu(usage: string, help: string, run: Run): Command {
  return {
    usage,
    help,
    run: (target, _words, processor, text) =>
      run(target, text, processor).replaceAll("\n", "\r\n"),
  };
}

export const qemuCommands: Commands = {
  info: fromQemu("info SUBJECT", "as QEMU tells it; info alone lists", info),
  gva2gpa: fromQemu(
    "gva2gpa ADDRESS",
    "the guest physical address, as QEMU tells it",
    told("gva2gpa", gva2gpa),
  ),
  x: fromQemu(
    "x[/FMT] ADDRESS",
    "memory as QEMU shows it: /4xw, /2xg, /8db, /3i...",
    told(
      "x",
      (target, text, processor) => examine(target, text, processor, false),
    ),
  ),
  xp: fromQemu(
    "xp[/FMT] ADDRESS",
    "the same by guest physical address",
    told(
      "xp",
      (target, text, processor) => examine(target, text, processor, true),
    ),
  ),
  print: fromQemu(
    "print[/FMT] NUMBER",
    "a number, such as $rsp+8",
    told("print", print),
  ),
};
