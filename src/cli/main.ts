/** The command: options, one action, an exit code. */
import { playDemo } from "./demo.ts";
import { examineMachine } from "./doctor.ts";
import { ExitCode } from "./exit_codes.ts";
import { exitCodeOf } from "./failures.ts";
import { fileProblem } from "./files.ts";
import { writeDemo } from "./guest.ts";
import { HELP, VERSION } from "./help.ts";
import { setUpLog } from "./log.ts";
import { type Options, parseOptions } from "./options.ts";
import { runGuest } from "./run.ts";

const encoder = new TextEncoder();

function print(text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let done = 0; done < bytes.length;) {
      done += Deno.stdout.writeSync(bytes.subarray(done));
    }
  } catch (error) {
    throw fileProblem(error, "standard output");
  }
}

/** A line on standard error; complete also while the terminal is raw. */
function say(line: string): void {
  const text = Deno.stdin.isTerminal() ? line.replaceAll("\n", "\r\n") : line;
  const end = Deno.stdin.isTerminal() ? "\r\n" : "\n";
  Deno.stderr.writeSync(encoder.encode(text + end));
}

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
      return usable ? ExitCode.ok : ExitCode.host;
    }
    case "write-demo":
      await writeDemo(options.folder);
      return ExitCode.ok;
    case "run":
      setUpLog(options.log, say);
      return await runGuest(options, say);
  }
}

/** Says what went wrong; returns the exit code. */
function report(error: unknown): number {
  const code = exitCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const line = code === ExitCode.usage
    ? `${message} (--help lists the options)`
    : code === ExitCode.bug
    ? `this is a bug: ${(error as Error)?.stack ?? message}`
    : message;
  try {
    say(`icebp: ${line}`);
  } catch {
    // Standard error is closed: the exit code is all that can be told.
  }
  return code;
}

/** Runs the command; returns its exit code and prints every error. */
export async function main(args: readonly string[]): Promise<number> {
  // Deno itself would end with 1, which is a guest's code.
  const onError = (event: Event, error: unknown) => {
    event.preventDefault();
    Deno.exit(report(error));
  };
  const rejected = (event: PromiseRejectionEvent) =>
    onError(event, event.reason);
  const thrown = (event: ErrorEvent) => onError(event, event.error);
  addEventListener("unhandledrejection", rejected);
  addEventListener("error", thrown);
  try {
    return await perform(parseOptions(args));
  } catch (error) {
    return report(error);
  } finally {
    removeEventListener("unhandledrejection", rejected);
    removeEventListener("error", thrown);
  }
}
