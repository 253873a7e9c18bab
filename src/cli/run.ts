/** Puts together what the options ask for, runs the guest to its end. */
import { getLogger } from "@logtape/logtape";
import type { BootRequest } from "../boot/image.ts";
import { loadGuest } from "../boot/load.ts";
import { keepGuest, startGuest } from "../boot/start.ts";
import { Debugger } from "../debug/debugger.ts";
import type { Stop } from "../debug/target.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import { History, whyNoHistory } from "../history/history.ts";
import { Snapshots } from "../history/snapshots.ts";
import type { WindowSize } from "../machine/devices/virtio/console.ts";
import { tscKhzToTell } from "../machine/host.ts";
import { Machine } from "../machine/machine.ts";
import { Console } from "./console.ts";
import { SeededEntropy } from "./entropy.ts";
import { openDebugServer } from "./debug_server.ts";
import { ExitCode } from "./exit_codes.ts";
import { FileError, fileProblem } from "./files.ts";
import {
  filesOf,
  type GuestTexts,
  readFile,
  readGuest,
  textsOf,
} from "./guest.ts";
import { refuseOverwriting, refuseUnwritable } from "./outputs.ts";
import type { RunOptions } from "./options.ts";
import { PanicWatch } from "./panic.ts";
import { makeOn, openChosen, type OpenedPlatform } from "./platform.ts";
import {
  type OpenRecording,
  openRecording,
  openRun,
  recordedFiles,
  refuseOtherLoad,
  repeat,
} from "./record.ts";
import {
  openSnapshot,
  optionsOf,
  savedMachine,
  snapshotProblem,
} from "./restore.ts";
import { openSerial } from "./serial.ts";
import { signalsEnd } from "./signals.ts";
import { statistics } from "./stats.ts";
import { refuseTooMany } from "./threads.ts";
import { parseDate, UsageError } from "./values.ts";
import { VirtioDevices } from "./virtio.ts";
import { Subscribers } from "../util/subscribers.ts";

const log = getLogger(["icebp", "cli"]);

/** What the RTC shows at the start where time is the guest's own and no other is
 * wished. */
const VIRTUAL_START = BigInt(Date.UTC(2025, 0, 1) / 1000);
const ENTROPY_SEED = 0x1ceb9n;

/** The guest cannot go on; the message is one line for the user. */
export class GuestError extends Error {
  override readonly name = "GuestError";
}

/** The guest's processor has shut down; the message is one line for the user. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
}

/** Says something to the user, on standard error. */
export type Say = (line: string) => void;

/** Runs a guest until it ends; returns the exit code. */
export async function runGuest(given: RunOptions, say: Say): Promise<number> {
  const snapshot = given.restore === undefined
    ? null
    : await openSnapshot(given.restore);
  const run = given.replay === undefined ? null : await openRun(given.replay);
  const saved = snapshot?.about ?? run?.about ?? null;
  const options = saved === null ? given : optionsOf(given, saved);
  refuseOverwriting(options);
  if (options.saveAtExit !== undefined) {
    await refuseUnwritable(options.saveAtExit);
  }
  // Whether the machine begins as its files make it.
  const isFresh = snapshot === null && run?.run.loaded !== null;
  const read = run === null
    ? readFile
    : recordedFiles(run.run, options.replay!);
  const request = isFresh
    ? await readGuest(options, read, saved?.texts)
    : await readGuestAgain(options, read, saved!.texts);
  const terminal = new Console();
  const readsInput = run === null && (options.serial.kind === "stdio" ||
    options.console?.kind === "stdio");
  const interactive = terminal.interactive && readsInput;
  const clock = options.clock ?? (interactive ? "host" : "virtual");
  const chosen = await openChosen(
    options.platform,
    options.memoryBytes,
    clock,
    options.translate,
  );
  if (chosen.soft === undefined) refuseTooMany(options.cpus);
  refuseTimeless(options, chosen.platform);
  const goesBack = options.gdb !== undefined && options.historyBytes > 0;
  const keepsHistory = chosen.platform.timeTravel !== undefined &&
    (goesBack || options.record !== undefined || run !== null);
  const ended = Promise.withResolvers<number>();
  const serial = openSerial(options.serial, ended.reject);
  const hvc = openSerial(options.console ?? { kind: "null" }, ended.reject);
  const panics = new Subscribers<[line: string, isEnd: boolean]>();
  const watch = () =>
    options.stopOnPanic
      ? new PanicWatch(
        (line) => panics.tell(line, false),
        (line) => panics.tell(line, true),
      )
      : null;
  const onSerial = watch(), onHvc = watch();
  const size = options.console?.kind === "stdio" ? terminal.size : null;
  const virtio = new VirtioDevices(
    options,
    (bytes) => {
      if (virtio.machine?.repeating) return;
      hvc.write(bytes);
      onHvc?.push(bytes);
    },
    size,
    keepsHistory,
    run?.run ?? null,
  );
  let recording: OpenRecording | null = null;
  // After the files are open: opening a pipe may wait, and can be interrupted.
  const signals = signalsEnd(() => ended.resolve(ExitCode.signal));
  try {
    const [machine, opened] = await makeOn(chosen, (opened) =>
      new Machine({
        platform: opened.platform,
        guestMemory: opened.guestMemory,
        clock: opened.clock,
        host: opened.host,
        entropy: new SeededEntropy(ENTROPY_SEED),
        cpus: options.cpus,
        apic: options.apic,
        ramBytes: options.memoryBytes,
        startTime: options.date ??
          (clock === "virtual" ? VIRTUAL_START : parseDate("", "now")),
        serialOut: (bytes) => {
          serial.write(bytes);
          onSerial?.push(bytes);
        },
        onHostWrite: opened.onHostWrite,
        attach: (machine) => virtio.attach(machine),
      }));
    const image = request &&
      loadGuest({ ...request, tscKhz: tscKhzOf(opened) });
    if (isFresh) startGuest(machine, image!);
    else if (image !== null) keepGuest(machine, image);
    else {
      machine.booted = saved!.booted;
      machine.onReset.subscribe(() => {
        throw new GuestError(
          "the guest cannot start again: its files are not where they were",
        );
      });
    }
    log.info("{what}", { what: machine.booted!.describe });
    const guest = new Debugger(machine, options.breakpoints);
    if (run !== null) refuseOtherLoad(run.run, machine, options.replay!);
    const about = savedMachine(
      options,
      clock,
      machine,
      saved?.texts ?? textsOf(request!),
    );
    const snapshots = opened.platform.timeTravel === undefined
      ? null
      : new Snapshots(
        machine,
        virtio.stores,
        about,
      );
    // Memory was zeros: what changed is what the guest's files made, and what changes
    // from now on is what they do not make.
    const { timeTravel } = opened.platform;
    const loaded = isFresh && timeTravel
      ? {
        memory: machine.options.guestMemory,
        pages: timeTravel.takeChanged(),
      }
      : null;
    if (options.record !== undefined) {
      recording = openRecording(
        options.record,
        {
          about,
          disks: virtio.stores,
          files: request === null ? [] : filesOf(about.options, request),
          loaded,
          contents: options.recordAll,
        },
        () => opened.platform.timeTravel!.instructions(),
        say,
      );
    }
    guest.keepSnapshots(snapshots);
    if (snapshot !== null) {
      try {
        snapshots!.load(snapshot);
      } catch (error) {
        throw snapshotProblem(error, options.restore!);
      }
      // The terminal may be another one than then.
      if (size !== null) virtio.resize(size);
    }
    const history = keepsHistory
      ? new History(machine, {
        bytes: options.historyBytes,
        disks: virtio.journals,
        loaded,
        interval: goesBack || run !== null ? undefined : Infinity,
        recorder: recording?.recorder,
      })
      : null;
    guest.keepHistory(
      history ?? whyNoHistory(machine) ??
        "no history is kept: that is what --history off asks for",
    );
    const atConsole = (saved?.options ?? options).console?.kind === "stdio";
    const typed = (bytes: Uint8Array) => {
      if (atConsole && virtio.type(bytes)) return;
      machine.board.serial.receive(bytes);
    };
    const resized = (size: WindowSize) => virtio.resize(size);
    history?.channel("console", typed);
    history?.channel("size", (bytes) => {
      const [columns, rows] = new Uint32Array(bytes.slice().buffer);
      resized({ columns, rows });
    });
    if (run !== null) {
      try {
        history!.take(run.run);
      } catch (error) {
        throw snapshotProblem(error, options.replay!);
      }
    }
    recording?.begin();
    guest.onQuit.subscribe(() => ended.resolve(0));
    if (readsInput) {
      terminal.open({
        input: (bytes) =>
          history === null ? typed(bytes) : history.input("console", bytes),
        quit: () => ended.resolve(0),
        show: say,
        resize: (size) => {
          const { columns, rows } = size;
          const bytes = new Uint8Array(Uint32Array.of(columns, rows).buffer);
          if (history === null) resized(size);
          else history.input("size", bytes);
        },
      });
    }
    const server = await openDebugServer(options, guest, say, () => {
      const reason = guest.stop?.reason;
      if (reason?.kind === "exited") ended.resolve(reason.code);
    });
    guest.onExit.subscribe((code) => {
      if (!server?.mayRestart) ended.resolve(code);
      else say(`The guest has ended (${code}); gdb can "run" it again.`);
    });
    guest.onStop.subscribe((stop) => {
      if (server?.attended) return;
      // A debugger that has gone may leave a stop of its own behind.
      const ends = server === null || stop.reason.kind === "exception" ||
        stop.reason.kind === "failed";
      if (ends) endWithoutDebugger(stop, machine, ended);
    });
    let panicked = false;
    panics.subscribe((line, isEnd) => {
      if (!isEnd && panicked) return; // on the other console, too
      panicked = true;
      const message = `the guest's kernel panicked: ${line}`;
      if (server === null) {
        if (isEnd) ended.reject(new ShutdownError(message));
        // Without a last line it starts again.
        else machine.onReset.subscribe(() => panics.tell(line, true));
      } else if (!isEnd) {
        say(message);
        guest.onNotice.tell(message);
        guest.interrupt();
      }
    });
    if (run !== null && server === null) {
      repeat(history!, run, say).then(ended.resolve, ended.reject);
    } else if (server === null || !options.wait) runAll(guest);
    const code = await ended.promise.finally(() => machine.board.flush());
    recording?.end(code);
    if (options.saveAtExit !== undefined) {
      await saveAtExit(guest, snapshots!, options.saveAtExit, say);
    }
    serial.flush();
    hvc.flush();
    await server?.close();
    if (options.stats) say(statistics(machine, opened));
    return code;
  } catch (error) {
    recording?.end(
      error instanceof ShutdownError ? ExitCode.shutdown : ExitCode.failed,
      error instanceof Error ? error.message : undefined,
    );
    throw error;
  } finally {
    recording?.close();
    signals.close();
    terminal.close();
    serial.close();
    hvc.close();
    virtio.close();
  }
}

/** Throws a UsageError for options about time on a platform that cannot repeat what it
 * did. */
function refuseTimeless(options: RunOptions, platform: WinHvPlatform): void {
  if (options.record !== undefined && options.breakpoints === "memory") {
    throw new UsageError(
      "--record: breakpoints in memory change the guest; leave --breakpoints out",
    );
  }
  if (platform.timeTravel !== undefined) return;
  const option = options.saveAtExit !== undefined
    ? "--save-at-exit"
    : options.record !== undefined
    ? "--record"
    : undefined;
  if (option === undefined) return;
  throw new UsageError(
    `${option}: the ${platform.name} platform cannot; --platform soft can`,
  );
}

/** Writes the machine to a file, once it stands. */
async function saveAtExit(
  guest: Debugger,
  snapshots: Snapshots,
  path: string,
  say: Say,
): Promise<void> {
  if (guest.stop === null) {
    const stopped = Promise.withResolvers<void>();
    const forget = guest.onStop.subscribe(() => stopped.resolve());
    guest.interrupt();
    await stopped.promise;
    forget();
  }
  if (guest.stop?.reason.kind === "exited") {
    say(`${path} is not written: the guest has ended by itself`);
    return;
  }
  try {
    await snapshots.write(path);
  } catch (error) {
    throw fileProblem(error, path);
  }
}

/** The guest's files for a machine that goes on from a snapshot, where they are still
 * there: they are needed when the guest starts again. */
async function readGuestAgain(
  options: RunOptions,
  read: (path: string) => Promise<Uint8Array>,
  texts: GuestTexts,
): Promise<BootRequest | null> {
  try {
    return await readGuest(options, read, texts);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    log.info("{message}", { message: error.message });
    return null;
  }
}

/** What the guest is to be told of the TSC, where the host's is what it has. */
function tscKhzOf({ host }: OpenedPlatform): number | undefined {
  return host === undefined
    ? undefined
    : tscKhzToTell(host.clocks) ?? undefined;
}

/** Lets every processor run. */
export function runAll(guest: Debugger): void {
  guest.resume(
    Array.from({ length: guest.processors }, () => ({ kind: "continue" })),
  );
}

/** Without a debugger a stop that is no end is the end all the same. */
function endWithoutDebugger(
  { processor, reason }: Stop,
  machine: Machine,
  ended: PromiseWithResolvers<number>,
): void {
  if (reason.kind === "exited") return;
  if (reason.kind === "failed") {
    ended.reject(new GuestError(reason.message));
    return;
  }
  const rip = machine.processors[processor].vp.get(Reg.Rip);
  ended.reject(
    reason.kind === "exception"
      ? new ShutdownError(
        `processor ${processor} shut down (triple fault) at 0x${
          rip.toString(16)
        }; run with --gdb to see why`,
      )
      : new GuestError(`processor ${processor} stopped (${reason.kind})`),
  );
}
