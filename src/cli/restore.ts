/** What a snapshot's file says of its machine, and the options of a run that goes on
 * from it. */
import { ContainerError } from "../history/container.ts";
import { readSnapshot, type SnapshotFile } from "../history/snapshots.ts";
import type { Machine } from "../machine/machine.ts";
import { SOFT_FORMAT } from "../soft/mod.ts";
import { FileError } from "./files.ts";
import { type GuestTexts, readFile } from "./guest.ts";
import type { ClockChoice, RunOptions } from "./options.ts";
import { SOFT } from "./platform.ts";

/** The options that make a machine what it is; files by their whole names. */
type MachineOptions = Pick<
  RunOptions,
  | "guest"
  | "cpus"
  | "apic"
  | "memoryBytes"
  | "append"
  | "initrd"
  | "modules"
  | "flat"
  | "disks"
  | "console"
>;

/** What a file keeps about its machine. JSON-able. */
export interface SavedMachine {
  readonly options: MachineOptions;
  readonly clock: ClockChoice;
  readonly booted: Machine["booted"];
  readonly texts: GuestTexts;
}

/** The whole name of a file that was named in this folder. */
function whole(path: string): string {
  return /^([/\\]|[A-Za-z]:)/.test(path) ? path : `${Deno.cwd()}/${path}`;
}

/** What is to be kept about a machine that was made with these options. */
export function savedMachine(
  options: RunOptions,
  clock: ClockChoice,
  machine: Machine,
  texts: GuestTexts,
): SavedMachine {
  const { guest, initrd, modules, disks } = options;
  const { kind, describe, architecture, isElf } = machine.booted!;
  return {
    options: {
      guest: guest === undefined ? undefined : whole(guest),
      cpus: options.cpus,
      apic: options.apic,
      memoryBytes: options.memoryBytes,
      append: options.append,
      initrd: initrd === undefined ? undefined : whole(initrd),
      modules: modules.map(({ path, text }) => ({ path: whole(path), text })),
      flat: options.flat,
      disks: disks.map(({ path, readOnly }) => ({
        path: whole(path),
        readOnly,
      })),
      console: options.console?.kind === "file"
        ? { kind: "null" }
        : options.console,
    },
    clock,
    booted: { kind, describe, architecture, isElf },
    texts,
  };
}

/** Reads a snapshot's file; throws a FileError. */
export async function openSnapshot(
  path: string,
): Promise<SnapshotFile<SavedMachine>> {
  try {
    return readSnapshot(await readFile(path), SOFT_FORMAT);
  } catch (error) {
    throw snapshotProblem(error, path);
  }
}

/** What is wrong with a snapshot or a recording, as a FileError; other errors as they are. */
export function snapshotProblem(error: unknown, path: string): unknown {
  return error instanceof ContainerError
    ? new FileError(`${path}: ${error.message}`, { cause: error })
    : error;
}

/** The options of a run that goes on from a snapshot. */
export function optionsOf(
  given: RunOptions,
  { options, clock }: SavedMachine,
): RunOptions {
  if ((given.console === undefined) !== (options.console === undefined)) {
    if (given.console !== undefined) {
      throw new FileError(
        `${given.restore}: its machine has no virtio console (--console)`,
      );
    }
  }
  return {
    ...given,
    ...options,
    console: given.console ?? options.console,
    platform: SOFT,
    clock: given.clock ?? clock,
  };
}
