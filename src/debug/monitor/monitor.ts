/** The debugger's own command language: what `monitor` in gdb gives it. */
import type { Snapshots } from "../../history/snapshots.ts";
import { breakpointCommands } from "./breakpoints.ts";
import type { Commands, MonitorContext, Monitored } from "./command.ts";
import { exitCommands } from "./exits.ts";
import { linuxCommands } from "./linux.ts";
import { machineCommands, runCommands } from "./machine.ts";
import { processorCommands } from "./processor.ts";
import { FIRST_FORMAT } from "./qemu/format.ts";
import { qemuCommands } from "./qemu/mod.ts";
import { snapshotCommands } from "./snapshots.ts";
import { timeCommands } from "./time.ts";

const COMMANDS: Commands = {
  help: {
    usage: "help",
    help: "this list",
    run: () =>
      Object.values(COMMANDS)
        .map(({ usage, help }) => `${usage.padEnd(18)} ${help}\n`).join(""),
  },
  ...processorCommands,
  ...linuxCommands,
  ...breakpointCommands,
  ...exitCommands,
  ...timeCommands,
  ...snapshotCommands,
  ...machineCommands,
  ...qemuCommands,
  ...runCommands,
};

export class Monitor {
  readonly #context: MonitorContext;

  constructor(parts: Monitored) {
    this.#context = { ...parts, snapshots: null, examineFormat: FIRST_FORMAT };
  }

  /** Takes what makes snapshots of the machine; null where nothing can. */
  keepSnapshots(snapshots: Snapshots | null): void {
    this.#context.snapshots = snapshots;
  }

  /** Performs one line; returns what to show. Throws a TargetError for what a
   * running guest cannot do. */
  perform(line: string, processor: number): string | Promise<string> {
    // A format stands behind a name at once: x/4xw.
    const [, name, text] = /^([^\s/]*)(.*)$/s.exec(line.trim() || "help")!;
    const words = text.split(/\s+/).filter(Boolean);
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) {
      return `no command ${name}; "monitor help" lists them\n`;
    }
    return command.run(this.#context, words, processor, text.trim());
  }
}
