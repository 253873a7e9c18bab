// Every debug exception by itself: which exits, where, and with what in DR6 and
// PendingDebugException.

import { Reg } from "../../ffi/registers.ts";
import { CODE, DATA, type Guest, IF, TF } from "../contract/guest.ts";
import {
  type Answer,
  describe,
  hex,
  nextExit,
  type Question,
  question,
} from "./question.ts";

const DB = 1n << 1n, BP = 1n << 3n;
const DR6_INIT = 0xffff0ff0n;
const DR7_FIXED = 0x400n;
/** CR4.DE: data breakpoints can name ports. */
const CR4_DE = 8n;
const GENERAL_DETECT = 1n << 13n;

/** Runs and tells of the exit; the fact is whether it is the exception `vector`. */
async function trap(
  guest: Guest,
  fact: string,
  vector: number,
): Promise<Answer> {
  const exit = await nextExit(guest);
  const said = exit === null ? "runs on (canceled)" : describe(exit);
  const exits = exit?.reason === "exception" && exit.vector === vector;
  return {
    text: `${said}; then DR6 ${hex(guest.vp.get(Reg.Dr6))}, DR7 ` +
      `${hex(guest.vp.get(Reg.Dr7))}, RFLAGS ` +
      `${hex(guest.vp.get(Reg.Rflags))}, pending debug exception ` +
      `${hex(guest.vp.get(Reg.PendingDebugException))}, interrupt state ` +
      hex(guest.vp.get(Reg.InterruptState)),
    facts: exit?.reason === "exception"
      ? {
        [fact]: exits,
        [`${fact}Dr6`]: hex(guest.vp.get(Reg.Dr6)),
        [`${fact}Parameter`]: hex(exit.parameter),
        [`${fact}Offset`]: Number(exit.rip) - CODE,
        [`${fact}Pending`]: hex(guest.vp.get(Reg.PendingDebugException)),
      }
      : { [fact]: exits },
  };
}

/** A question about #DB, or the exception given. */
function about(
  what: string,
  fact: string,
  code: string,
  prepare: (guest: Guest) => void,
  vector = 1,
): Question {
  return question(
    what,
    { code, exceptionExitBitmap: vector === 1 ? DB : BP },
    (guest) => {
      guest.vp.set(Reg.Dr6, DR6_INIT);
      prepare(guest);
      return trap(guest, fact, vector);
    },
  );
}

/** Enables breakpoint `i` at an address: type 0 executes, 1 writes, 2 port, 3 reads or
 * writes; `length` as DR7 has it. */
function arm(
  { vp }: Guest,
  i: number,
  address: number,
  type: number,
  length: number,
): void {
  vp.set(Reg.Dr0 + i, BigInt(address));
  const control = BigInt(type | length << 2) << BigInt(16 + 4 * i);
  vp.set(Reg.Dr7, DR7_FIXED | control | 1n << BigInt(2 * i));
}

/** In the order of Intel SDM volume 3, "Debug Exception (#DB)". */
export const DEBUG_QUESTIONS: readonly Question[] = [
  about("An intercepted INT3", "int3Exits", "90 cc 90", () => {}, 3),
  about("An intercepted INT1", "int1Exits", "90 f1 90", () => {}),
  about("A step by TF", "tfExits", "90 90", (guest) => guest.setFlags(TF)),
  about("A step by TF over POPF that clears TF", "popfExits", "9d 90", (
    guest,
  ) => {
    guest.setFlags(TF);
    guest.view.setBigUint64(Number(guest.vp.get(Reg.Rsp)), 2n, true);
  }),
  about("A step by TF over STI", "stiExits", "fb 90 90", (guest) => {
    guest.setFlags(TF);
  }),
  about("A step by TF over MOV SS", "movSsExits", "8e d0 90 90", (guest) => {
    guest.vp.set(Reg.Rax, 0x10n);
    guest.setFlags(TF | IF);
  }),
  about("An execution breakpoint", "executeExits", "90 90", (guest) => {
    arm(guest, 0, CODE + 1, 0, 0);
  }),
  about(
    "A data breakpoint (write, 4 bytes)",
    "writeExits",
    "c7 04 25 00 00 05 00 01 00 00 00 90",
    (guest) => arm(guest, 1, DATA, 1, 3),
  ),
  about(
    "A data breakpoint (read or write, 1 byte) that reads",
    "readExits",
    "8a 04 25 00 00 05 00 90",
    (guest) => arm(guest, 2, DATA, 3, 0),
  ),
  about(
    "A data breakpoint and TF at one instruction",
    "writeStepExits",
    "c7 04 25 00 00 05 00 01 00 00 00 90",
    (guest) => {
      arm(guest, 3, DATA, 1, 3);
      guest.setFlags(TF);
    },
  ),
  question(
    "A port breakpoint, after the caller has completed the access",
    { code: "e6 80 90 90", exceptionExitBitmap: DB },
    async (guest) => {
      guest.vp.set(Reg.Dr6, DR6_INIT);
      guest.vp.set(Reg.Cr4, guest.vp.get(Reg.Cr4) | CR4_DE);
      arm(guest, 0, 0x80, 2, 0);
      const first = await nextExit(guest);
      if (first?.reason === "ioPort") guest.skip(2);
      return await trap(guest, "portExits", 1);
    },
  ),
  about(
    "MOV to DR0 with general detect (DR7.GD)",
    "detectExits",
    "0f 23 c0 90 # mov dr0, rax",
    ({ vp }) => vp.set(Reg.Dr7, DR7_FIXED | GENERAL_DETECT),
  ),
  about(
    "PendingDebugException.SingleStep, set by the caller",
    "pendingExits",
    "90 90",
    ({ vp }) => vp.set(Reg.PendingDebugException, 1n << 4n),
  ),
];
