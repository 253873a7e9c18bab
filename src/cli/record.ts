/** Recordings as the command makes and repeats them. */
import { ContainerError } from "../history/container.ts";
import type { History } from "../history/history.ts";
import { identifyBytes, identifyMemory } from "../history/image.ts";
import {
  readRecording,
  type RecordedRun,
  Recorder,
  type RecordingOptions,
} from "../history/recording.ts";
import type { Machine } from "../machine/machine.ts";
import { SOFT_FORMAT } from "../soft/mod.ts";
import { exists, FileError, fileProblem, refuseOther } from "./files.ts";
import { readFile } from "./guest.ts";
import type { SavedMachine } from "./restore.ts";

/** How much a killed icebp may leave out, in ms of host time. */
const FLUSH_MS = 500;

/** A recording that is being written. */
export interface OpenRecording {
  readonly recorder: Recorder;
  /** Begins to write what the history has, time and again. */
  begin(): void;
  /** The end, with icebp's exit code, and what it says. */
  end(code: number, message?: string): void;
  close(): void;
}

/** Begins a recording; throws a FileError. */
export function openRecording(
  path: string,
  what:
    & Pick<RecordingOptions, "disks" | "files" | "loaded" | "contents">
    & { readonly about: SavedMachine },
  instructions: () => number,
  say: (line: string) => void,
): OpenRecording {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true });
  } catch (error) {
    throw fileProblem(error, path);
  }
  const recorder = new Recorder({
    ...what,
    sink: file,
    format: SOFT_FORMAT,
    failed: (error) =>
      say(
        `The recording ends before instruction ${instructions()}, the guest ` +
          `goes on: ${fileProblem(error, path).message}`,
      ),
  });
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    recorder,
    begin() {
      timer = setInterval(() => recorder.flush(), FLUSH_MS);
    },
    end: (code, message) =>
      recorder.end({ instructions: instructions(), code, message }),
    close() {
      clearInterval(timer);
      file.close();
    },
  };
}

/** A recording with what it says of its machine. */
export interface OpenedRun {
  readonly run: RecordedRun;
  readonly about: SavedMachine;
}

/** Reads a recording; throws a FileError. */
export async function openRun(path: string): Promise<OpenedRun> {
  try {
    const run = readRecording(await readFile(path));
    if (run.format !== SOFT_FORMAT) {
      throw new ContainerError(
        "made by another icebp, which executes otherwise",
      );
    }
    const about = run.about as SavedMachine;
    if (run.contents !== null) return { run, about };
    const { options } = about;
    const disks = await Promise.all(options.disks.map(async (disk) => ({
      ...disk,
      path: await locate(disk.path, path),
    })));
    return { run, about: { ...about, options: { ...options, disks } } };
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    throw new FileError(`${path}: ${error.message}`, { cause: error });
  }
}

/** Where a file is that a recording names: where it was, else beside the recording. */
async function locate(name: string, recording: string): Promise<string> {
  const folder = recording.slice(0, recording.search(/[^/\\]*$/));
  const beside = folder + name.slice(name.search(/[^/\\]*$/));
  return !await exists(name) && await exists(beside) ? beside : name;
}

/** Reads the files that a recorded run's guest is made of: from the recording, or where
 * they are now, as they were. Throws a FileError. */
export function recordedFiles(
  { files }: RecordedRun,
  recording: string,
): (path: string) => Promise<Uint8Array> {
  return async (name) => {
    const file = files.find((file) => file.name === name);
    if (file === undefined) {
      throw new FileError(`${name}: the recording does not know it`);
    }
    if (file.content !== null) return file.content;
    const path = await locate(name, recording);
    const bytes = await readFile(path);
    refuseOther(path, identifyBytes(bytes), file.sha256);
    return bytes;
  };
}

/** Throws a FileError where the guest's files made other memory than when the run was
 * recorded. */
export function refuseOtherLoad(
  { loaded }: RecordedRun,
  machine: Machine,
  recording: string,
): void {
  if (loaded === null) return;
  if (identifyMemory(machine.options.guestMemory) === loaded) return;
  throw new FileError(
    `${recording}: made by another icebp, which loads its guest otherwise`,
  );
}

/** Repeats a whole run; returns the exit code that it ended with, or 0 where
 * the recording does not say. */
export async function repeat(
  history: History,
  { run }: OpenedRun,
  say: (line: string) => void,
): Promise<number> {
  const { instructions } = history.end();
  history.audible = true;
  await history.replay(instructions, () => "go on");
  history.audible = false;
  if (run.end === null) {
    say(`The recording ends after ${instructions} instructions.`);
  } else if (run.end.message !== undefined) say(`icebp: ${run.end.message}`);
  return run.end?.code ?? 0;
}
