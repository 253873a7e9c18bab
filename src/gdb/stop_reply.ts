/**
 * What is said when the guest stops.
 * Source of facts: "Debugging with GDB", E.3 Stop Reply Packets; gdb's signal
 * numbers from its include/gdb/signals.def.
 */
import { getLogger } from "@logtape/logtape";
import type { DebugTarget, Stop, StopReason } from "../debug/target.ts";
import {
  type Architecture,
  REGISTER_SETS,
  type RegisterSet,
} from "../debug/guest/register_sets.ts";
import { registerBytes } from "../debug/guest/registers.ts";
import { Vector } from "../x86/vectors.ts";
import type { Reply } from "./packet.ts";
import { PROCESS } from "./packets/thread_id.ts";
import { formatThread } from "./threads.ts";

const log = getLogger(["icebp", "gdb"]);

const SIGINT = 2;
const SIGILL = 4;
const SIGTRAP = 5;
const SIGABRT = 6;
const SIGFPE = 8;
const SIGBUS = 10;
const SIGSEGV = 11;

/** x86 exception vectors to signals, as an operating system would choose. */
const EXCEPTION_SIGNALS = new Map<number, number>([
  [Vector.DE, SIGFPE],
  [Vector.DB, SIGTRAP],
  [Vector.BP, SIGTRAP],
  [Vector.UD, SIGILL],
  [Vector.NM, SIGFPE],
  [Vector.MF, SIGFPE],
  [Vector.AC, SIGBUS],
  [Vector.XM, SIGFPE],
]);

/** Sent with every stop: with these gdb can tell where it is without asking.
 * In ascending order, the instruction pointer last. */
const EXPEDITED: Readonly<Record<Architecture, readonly string[]>> = {
  "i386": ["esp", "ebp", "eip"],
  "x86-64": ["rbp", "rsp", "rip"],
};

const WATCH = { write: "watch", read: "rwatch", access: "awatch" } as const;

function signalOf(reason: StopReason): number {
  switch (reason.kind) {
    case "interrupted":
      return SIGINT;
    case "exception":
      return EXCEPTION_SIGNALS.get(reason.vector) ?? SIGSEGV;
    case "failed":
      return SIGABRT;
    default:
      return SIGTRAP;
  }
}

/** Who is told of a stop: what it depends on. */
export interface StopListener {
  readonly target: Pick<DebugTarget, "codeAddress" | "readRegisters">;
  /** The registers as the other side numbers them. */
  readonly registers: RegisterSet;
  readonly multiprocess: boolean;
  /** Whether the reply has the threads' ids. */
  readonly threadsInStop: boolean;
  threadIds(): string[];
  clientKnows(feature: string): boolean;
}

/** Puts a stop reply together. */
export function putStop(session: StopListener, stop: Stop, reply: Reply): void {
  const { reason, processor } = stop;
  if (reason.kind === "exited") {
    const code = (reason.code & 0xff).toString(16).padStart(2, "0");
    reply.text(`W${code}`);
    if (session.multiprocess) reply.text(`;process:${PROCESS}`);
    return;
  }
  reply.text(`T${signalOf(reason).toString(16).padStart(2, "0")}`);
  const pointer = putRegisters(session, processor, reply);
  const thread = formatThread(processor, session.multiprocess);
  reply.text(`thread:${thread};core:${processor.toString(16)};`);
  if (session.threadsInStop) {
    reply.text(`threads:${session.threadIds().join(",")};`);
  }
  switch (reason.kind) {
    case "breakpoint":
      if (session.clientKnows("swbreak+") && isAt(session, stop, pointer)) {
        reply.text("swbreak:;");
      }
      break;
    case "hardwareBreakpoint":
      if (session.clientKnows("hwbreak+") && isAt(session, stop, pointer)) {
        reply.text("hwbreak:;");
      }
      break;
    case "watchpoint":
      reply.text(`${WATCH[reason.access]}:${reason.address.toString(16)};`);
      break;
    case "history":
      reply.text(`replaylog:${reason.end};`);
      break;
  }
}

/** Whether what gdb sees as the program counter is the address of the code. With
 * a code segment that begins elsewhere than at 0 gdb finds no breakpoint there,
 * and goes on at once if it is told of one: so it is only told of a trap. */
function isAt(
  { target }: StopListener,
  { processor }: Stop,
  pointer: bigint | null,
): boolean {
  return pointer === null || target.codeAddress(processor) === pointer;
}

/** What a set sends: from which register of ours on, how many, and of those
 * each one's number as it is said and its bytes in `values`. */
function expedite(architecture: Architecture) {
  const set = REGISTER_SETS[architecture];
  const numbers = EXPEDITED[architecture].map((name) => set.number(name));
  const first = numbers[0], from = set.internal(first);
  const count = numbers[numbers.length - 1] - first + 1;
  const values = new Uint8Array(registerBytes(from, count));
  const parts = numbers.map((number) => {
    const at = registerBytes(from, number - first);
    return {
      name: number.toString(16).padStart(2, "0"),
      bytes: values.subarray(at, at + set.registers[number].bytes),
    };
  });
  return { from, count, values, parts, pointer: parts[parts.length - 1].bytes };
}

const EXPEDITES = {
  "i386": expedite("i386"),
  "x86-64": expedite("x86-64"),
};

/** Returns the instruction pointer as it is told; null if it cannot be read. */
function putRegisters(
  session: StopListener,
  processor: number,
  reply: Reply,
): bigint | null {
  const { from, count, values, parts, pointer } =
    EXPEDITES[session.registers.architecture];
  try {
    // One call for all, and for what lies between them.
    session.target.readRegisters(processor, from, count, values);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // It was only a courtesy: the stop must be told in any case.
    log.warn("registers are missing in a stop reply: {error}", { error });
    return null;
  }
  for (const { name, bytes } of parts) {
    reply.text(name);
    reply.text(":");
    reply.hex(bytes);
    reply.text(";");
  }
  const data = new DataView(pointer.buffer, pointer.byteOffset);
  return pointer.length === 8
    ? data.getBigUint64(0, true)
    : BigInt(data.getUint32(0, true));
}
