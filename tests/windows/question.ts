// What a question to a platform is made of: a guest of a few instructions, what came
// of it in words, and what of that a profile keeps (profile.ts).

import {
  InterruptDestinationMode,
  InterruptTriggerMode,
  InterruptType,
} from "../../ffi/enums.ts";
import { ExtendedVmExits } from "../../ffi/flags.ts";
import { type Exit, PlatformError } from "../../src/platform/mod.ts";
import { CODE, Guest, type GuestOptions } from "../contract/guest.ts";
import type { Opened } from "../contract/providers.ts";
import { DONE, type Profile } from "./profile.ts";

/** What came of a question. */
export interface Answer {
  /** In words. */
  readonly text: string;
  /** For the profile. */
  readonly facts: Profile;
}

/** A question and how it is put. */
export interface Question {
  /** What is asked, as a heading. */
  readonly about: string;
  /** Puts it to a platform that was opened for it alone. */
  ask(opened: Opened): Promise<Answer>;
}

/** What a question's function may say: words alone, or facts with them. */
export type Said = string | Answer;

/** An answer of facts alone: the words are their names and values. */
export function factsOnly(facts: Profile): Answer {
  const text = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
    .join(", ");
  return { text, facts };
}

const ALL_EXITS = ExtendedVmExits.X64CpuidExit | ExtendedVmExits.X64MsrExit |
  ExtendedVmExits.ExceptionExit;
export const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** Runs `fn` with a guest and takes the guest away. */
export async function withGuest(
  opened: Opened,
  options: GuestOptions,
  fn: (guest: Guest) => Promise<Said> | Said,
): Promise<Answer> {
  const guest = new Guest(opened, { extendedVmExits: ALL_EXITS, ...options });
  try {
    const said = await fn(guest);
    return typeof said === "string" ? { text: said, facts: {} } : said;
  } finally {
    guest.delete();
  }
}

/** A question that a guest answers. */
export function question(
  about: string,
  options: GuestOptions,
  fn: (guest: Guest) => Promise<Said> | Said,
): Question {
  return { about, ask: (opened) => withGuest(opened, options, fn) };
}

/** An exit in words: what it is, and where. */
export function describe(exit: Exit): string {
  const at = `at ${hex(exit.rip)} (code begins at ${hex(CODE)})`;
  switch (exit.reason) {
    case "exception":
      return `exception ${exit.vector} ${at}, length ${exit.instructionLength}, ` +
        `parameter ${hex(exit.parameter)}, ` +
        `${exit.softwareException ? "" : "not "}a software exception, ` +
        `${exit.instructionByteCount} instruction bytes`;
    case "ioPort":
      return `port ${hex(exit.port)}, EAX ${hex(exit.eax)} ${at}`;
    case "memory":
      return `memory ${hex(exit.gpa)}, access ${exit.access}, ` +
        `${exit.gpaUnmapped ? "unmapped" : "mapped"}, ` +
        `length ${exit.instructionLength}, ` +
        `${exit.instructionByteCount} instruction bytes ${at}`;
    default:
      return `${exit.reason} ${at}`;
  }
}

/** Longer than this, in ms, an exit does not come. */
const PATIENCE_MS = 200;

/** The next exit; null if none comes and the run is canceled. */
export async function nextExit(guest: Guest): Promise<Exit | null> {
  let canceled = false;
  const timer = setTimeout(() => {
    canceled = true;
    guest.vp.cancel();
  }, PATIENCE_MS);
  const exit = await guest.run();
  clearTimeout(timer);
  return exit.reason === "canceled" && canceled ? null : exit;
}

/** The next exit in words, or that none comes. */
export async function next(guest: Guest): Promise<string> {
  const exit = await nextExit(guest);
  return exit === null ? "runs on (canceled)" : describe(exit);
}

/** The HRESULT of a call, as a profile has it. */
export function codeOf(call: () => void): string {
  try {
    call();
    return DONE;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return (error.hresult >>> 0).toString(16).padStart(8, "0");
  }
}

/** What the platform says to a call: "accepted", or why not. */
export function attempt(call: () => void): string {
  try {
    call();
    return "accepted";
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return error.hresultName;
  }
}

/** Asks the platform's APIC of the first processor for a fixed interrupt. */
export function request(guest: Guest, vector: number): void {
  guest.partition.requestInterrupt({
    type: InterruptType.Fixed,
    destinationMode: InterruptDestinationMode.Physical,
    triggerMode: InterruptTriggerMode.Edge,
    destination: 0,
    vector,
  });
}

/** Host time. */
export const sleep = (ms: number) =>
  new Promise((resolve) => setTimeout(resolve, ms));
