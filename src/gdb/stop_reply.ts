/**
 * What is said when the guest stops.
 * Source of facts: "Debugging with GDB", E.3 Stop Reply Packets; gdb's signal
 * numbers from its include/gdb/signals.def.
 */
import { getLogger } from "@logtape/logtape";
import type { Stop, StopReason } from "../debug/target.ts";
import {
  registerBytes,
  registerNumber,
  registers,
} from "../debug/registers.ts";
import type { Reply } from "./packet.ts";
import type { Session } from "./session.ts";
import { formatThread, PROCESS } from "./threads.ts";

const log = getLogger(["icebp", "gdb"]);

const SIGINT = 2;
const SIGILL = 4;
const SIGTRAP = 5;
const SIGABRT = 6;
const SIGFPE = 8;
const SIGBUS = 10;
const SIGSEGV = 11;

/** x86 exception vectors to signals, as an operating system would choose. */
const EXCEPTION_SIGNALS = new Map([
  [0, SIGFPE], // #DE
  [1, SIGTRAP], // #DB
  [3, SIGTRAP], // #BP
  [6, SIGILL], // #UD
  [7, SIGFPE], // #NM
  [16, SIGFPE], // #MF
  [17, SIGBUS], // #AC
  [19, SIGFPE], // #XM
]);

/** Sent with every stop: with these gdb can tell where it is without asking.
 * In ascending order. */
const EXPEDITED: readonly number[] = ["rbp", "rsp", "rip"].map(registerNumber);

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

/** Puts a stop reply together. */
export function putStop(session: Session, stop: Stop, reply: Reply): void {
  const { reason, processor } = stop;
  if (reason.kind === "exited") {
    const code = (reason.code & 0xff).toString(16).padStart(2, "0");
    reply.text(`W${code}`);
    if (session.multiprocess) reply.text(`;process:${PROCESS}`);
    return;
  }
  reply.text(`T${signalOf(reason).toString(16).padStart(2, "0")}`);
  putRegisters(session, processor, reply);
  const thread = formatThread(processor, session.multiprocess);
  reply.text(`thread:${thread};core:${processor.toString(16)};`);
  if (session.threadsInStop) {
    reply.text(`threads:${session.threadIds().join(",")};`);
  }
  switch (reason.kind) {
    case "breakpoint":
      if (session.clientKnows("swbreak+")) reply.text("swbreak:;");
      break;
    case "hardwareBreakpoint":
      if (session.clientKnows("hwbreak+")) reply.text("hwbreak:;");
      break;
    case "watchpoint":
      reply.text(`${WATCH[reason.access]}:${reason.address.toString(16)};`);
      break;
  }
}

const FIRST = EXPEDITED[0];
const COUNT = EXPEDITED[EXPEDITED.length - 1] - FIRST + 1;
const values = new Uint8Array(registerBytes(FIRST, COUNT));
/** Each one's number as it is said, and its bytes in `values`. */
const PARTS = EXPEDITED.map((number) => {
  const at = registerBytes(FIRST, number - FIRST);
  return {
    name: number.toString(16).padStart(2, "0"),
    bytes: values.subarray(at, at + registers[number].bytes),
  };
});

function putRegisters(
  session: Session,
  processor: number,
  reply: Reply,
): void {
  try {
    // One call for all, and for what lies between them.
    session.target.readRegisters(processor, FIRST, COUNT, values);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // It was only a courtesy: the stop must be told in any case.
    log.warn("registers are missing in a stop reply: {error}", { error });
    return;
  }
  for (const { name, bytes } of PARTS) {
    reply.text(name);
    reply.text(":");
    reply.hex(bytes);
    reply.text(";");
  }
}
