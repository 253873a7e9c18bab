/** Which of icebp's exit codes an error ends with. */
import { BootError } from "../boot/mod.ts";
import { TargetError } from "../debug/target.ts";
import { MachineError } from "../machine/exits.ts";
import { PlatformError } from "../platform/mod.ts";
import { ListenError } from "./debug_server.ts";
import { ExitCode } from "./exit_codes.ts";
import { FileError } from "./files.ts";
import { GuestError, ShutdownError } from "./run.ts";
import { UsageError } from "./values.ts";

/** Errors whose message is all the user needs, and what they end with. */
// deno-lint-ignore no-explicit-any
const EXPECTED: readonly [new (...args: any[]) => Error, number][] = [
  [UsageError, ExitCode.usage],
  [BootError, ExitCode.file],
  [FileError, ExitCode.file],
  [PlatformError, ExitCode.host],
  [Deno.errors.NotCapable, ExitCode.host],
  [RangeError, ExitCode.host],
  [ShutdownError, ExitCode.shutdown],
  [GuestError, ExitCode.failed],
  [MachineError, ExitCode.failed],
  [TargetError, ExitCode.failed],
  [ListenError, ExitCode.listen],
];

/** The exit code of what was thrown; ExitCode.bug for what nobody expects. */
export function exitCodeOf(error: unknown): number {
  return EXPECTED.find(([kind]) => error instanceof kind)?.[1] ?? ExitCode.bug;
}
