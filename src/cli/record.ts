/** Recordings as the command makes and repeats them. */
import { ContainerError } from "../history/container.ts";
import type { History } from "../history/history.ts";
import {
  readRecording,
  type RecordedRun,
  Recorder,
} from "../history/recording.ts";
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import { SOFT_FORMAT } from "../soft/mod.ts";
import { FileError, fileProblem, readRegular } from "./files.ts";
import type { SavedMachine } from "./restore.ts";

const MOST_BYTES = 0xffff_ffff;
/** How much a killed icebp may leave out, in ms of host time. */
const FLUSH_MS = 500;

/** A recording that is being written. */
export interface OpenRecording {
  readonly recorder: Recorder;
  /** Begins to write what the history has, time and again. */
  begin(): void;
  /** The end, with icebp's exit code. */
  end(instructions: number, code: number): void;
  close(): void;
}

/** Begins a recording; throws a FileError. */
export function openRecording(
  path: string,
  about: SavedMachine,
  disks: readonly BlockStore[],
  contents: boolean,
  say: (line: string) => void,
): OpenRecording {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true, create: true, truncate: true });
  } catch (error) {
    throw fileProblem(error, path);
  }
  const recorder = new Recorder({
    sink: file,
    format: SOFT_FORMAT,
    about,
    disks,
    contents,
    failed: (error) =>
      say(`The recording ends here: ${fileProblem(error, path).message}`),
  });
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    recorder,
    begin() {
      timer = setInterval(() => recorder.flush(), FLUSH_MS);
    },
    end: (instructions, code) => recorder.end({ instructions, code }),
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
    const run = readRecording(await readRegular(path, MOST_BYTES));
    if (run.format !== SOFT_FORMAT) {
      throw new ContainerError(
        "made by another icebp, which executes otherwise",
      );
    }
    return { run, about: run.about as SavedMachine };
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    throw new FileError(`${path}: ${error.message}`, { cause: error });
  }
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
  }
  return run.end?.code ?? 0;
}
