/** What a command of the monitor is, and what it has to do with. */
import type { Snapshots } from "../../history/snapshots.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Course } from "../control/course.ts";
import type { Lookout } from "../control/lookout.ts";
import type { Meaning } from "../control/meaning.ts";
import type { RunControl } from "../control/run_control.ts";
import type { TimedControl } from "../control/timed_control.ts";
import type { Guest } from "../guest/guest.ts";
import type { GuestState } from "../guest/state.ts";
import type { ExamineFormat } from "./qemu/format.ts";

/** The debugger's parts, as the monitor is given them. */
export interface Monitored {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly course: Course;
  readonly meaning: Meaning;
  readonly lookout: Lookout;
  readonly state: GuestState;
  readonly run: RunControl;
  readonly time: TimedControl;
  /** Has the program end. */
  quit(): void;
}

/** What commands have: the debugger's parts, and what the monitor remembers. */
export interface MonitorContext extends Monitored {
  /** What makes snapshots of the machine; null where nothing can. */
  snapshots: Snapshots | null;
  /** How memory was shown the last time. */
  examineFormat: ExamineFormat;
}

export interface Command {
  /** Its parameters, for help. */
  readonly usage: string;
  readonly help: string;
  /** `text` is what follows the name, `words` the same by words. Throws a TargetError for
   * what a running guest cannot do. */
  run(
    target: MonitorContext,
    words: readonly string[],
    processor: number,
    text: string,
  ): string | Promise<string>;
}

/** Commands by name, in the order of help. */
export type Commands = Readonly<Record<string, Command>>;

/** gdb keeps what it has read while it thinks that nothing has moved. */
export const STALE = "gdb does not know: maintenance flush register-cache\n";
