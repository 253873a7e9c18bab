/**
 * Thread ids: one thread for each processor, numbered from 1, in process 1.
 * Source of facts: "Debugging with GDB", E.2 Packets, thread-id syntax.
 */
import type { Packet } from "../packet.ts";

/** The only process there is. */
export const PROCESS = 1;

/** A processor, which need not exist, all of them, or whichever. */
export type ThreadId = number | "all" | "any";

/** Takes a thread id (`p1.2`, `2`, `-1`, `0`, `p1`); null if there is none, or it is of
 * another process. */
export function takeThread(packet: Packet): ThreadId | null {
  if (packet.accept("p")) {
    const process = signedNumber(packet);
    if (process === null || process > PROCESS) return null;
    if (!packet.accept(".")) return "all";
  }
  const thread = signedNumber(packet);
  if (thread === null) return null;
  if (thread < 0) return "all";
  return thread === 0 ? "any" : thread - 1;
}

function signedNumber(packet: Packet): number | null {
  if (packet.acceptText("-1")) return -1;
  return packet.number();
}
