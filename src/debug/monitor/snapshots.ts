/** The monitor's commands for snapshots: kept by name, and written to files. */
import { ContainerError } from "../../history/container.ts";
import type {
  SnapshotDescription,
  Snapshots,
} from "../../history/snapshots.ts";
import { TargetError } from "../target.ts";
import { type Commands, type MonitorContext, STALE } from "./command.ts";

export const snapshotCommands: Commands = {
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
};

const MIB = 2 ** 20;

function snapshotsOf(target: MonitorContext): Snapshots {
  target.course.needStopped();
  if (target.snapshots !== null) return target.snapshots;
  throw new TargetError(
    "this platform makes no snapshots: --platform soft does",
  );
}

function tell({ name, instructions, time, bytes }: SnapshotDescription) {
  return `${name.padEnd(16)} instruction ${instructions}, ${
    (Number(time) / 1e9).toFixed(6)
  } s, ${(bytes / MIB).toFixed(1)} MiB\n`;
}

/** `snapshot NAME`. */
function takeSnapshot(
  target: MonitorContext,
  words: readonly string[],
): string {
  const snapshots = snapshotsOf(target);
  if (words.length !== 1) return "usage: snapshot NAME\n";
  return tell(snapshots.keep(words[0]));
}

/** `snapshots`. */
function listSnapshots(target: MonitorContext): string {
  const list = snapshotsOf(target).list();
  return list.length === 0
    ? 'no snapshots: "monitor snapshot NAME" makes one\n'
    : list.map(tell).join("");
}

/** `restore NAME`. */
function restoreSnapshot(
  target: MonitorContext,
  words: readonly string[],
): string {
  const snapshots = snapshotsOf(target);
  if (words.length !== 1) return "usage: restore NAME\n";
  let found: SnapshotDescription | null;
  try {
    found = snapshots.restore(words[0]);
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    throw new TargetError(`${words[0]}: ${error.message}`);
  }
  if (found === null) {
    throw new TargetError(
      `no snapshot ${words[0]}: "monitor snapshots" lists them`,
    );
  }
  target.run.replaced();
  return `${tell(found)}history begins anew here\n${STALE}`;
}

/** `save FILE`. */
async function saveSnapshot(
  target: MonitorContext,
  _words: readonly string[],
  _processor: number,
  path: string,
): Promise<string> {
  const snapshots = snapshotsOf(target);
  if (path === "") return "usage: save FILE\n";
  try {
    const bytes = await snapshots.write(path);
    return `${path}: ${(bytes / MIB).toFixed(1)} MiB; ` +
      `icebp --restore ${path} goes on from here\n`;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TargetError(`${path}: ${message.split("\n")[0]}`);
  }
}
