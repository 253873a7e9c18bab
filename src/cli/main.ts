/** The command: options, one action, an exit code. */
import { MachineError } from "../machine/exits.ts";
import { PlatformError } from "../platform/mod.ts";
import { BootError } from "../boot/mod.ts";
import { FileError } from "./files.ts";
import { playDemo } from "./demo.ts";
import { ListenError } from "./debug_server.ts";
import { TargetError } from "../debug/target.ts";
import { examineMachine } from "./doctor.ts";
import { writeDemo } from "./guest.ts";
import { HELP, VERSION } from "./help.ts";
import { setUpLog } from "./log.ts";
import { type Options, parseOptions, UsageError } from "./options.ts";
import { GuestError, runGuest } from "./run.ts";

/** Exit codes of the command itself. */
export const ExitCode = { ok: 0, error: 1, usage: 2 } as const;

const encoder = new TextEncoder();

function print(text: string): void {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) {
    done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

/** A line on standard error; complete also while the terminal is raw. */
function say(line: string): void {
  const text = Deno.stdin.isTerminal() ? line.replaceAll("\n", "\r\n") : line;
  const end = Deno.stdin.isTerminal() ? "\r\n" : "\n";
  Deno.stderr.writeSync(encoder.encode(text + end));
}

/** Errors whose message is all the user needs. */
const EXPECTED = [
  BootError,
  FileError,
  GuestError,
  ListenError,
  MachineError,
  PlatformError,
  Deno.errors.NotCapable,
  RangeError,
  TargetError,
];

async function perform(options: Options): Promise<number> {
  switch (options.action) {
    case "help":
      print(HELP);
      return ExitCode.ok;
    case "version":
      print(`icebp ${VERSION}\n`);
      return ExitCode.ok;
    case "demo":
      return await playDemo((line) => print(`${line}\n`));
    case "doctor": {
      const usable = await examineMachine(
        options.platform,
        (line) => print(`${line}\n`),
      );
      return usable ? ExitCode.ok : ExitCode.error;
    }
    case "write-demo":
      await writeDemo(options.folder);
      return ExitCode.ok;
    case "run":
      setUpLog(options.log, say);
      return await runGuest(options, say);
  }
}

/** Runs the command; returns its exit code and prints every error. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await perform(parseOptions(args));
  } catch (error) {
    if (error instanceof UsageError) {
      say(`icebp: ${error.message} (--help lists the options)`);
      return ExitCode.usage;
    }
    if (EXPECTED.some((kind) => error instanceof kind)) {
      say(`icebp: ${(error as Error).message}`);
    } else {
      say(`icebp: this is a bug: ${(error as Error)?.stack ?? String(error)}`);
    }
    return ExitCode.error;
  }
}
