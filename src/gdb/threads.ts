/**
 * Thread ids: one thread for each processor, numbered from 1, in process 1.
 * Source of facts: "Debugging with GDB", E.2 Packets, thread-id syntax.
 */
import type { Packet } from "./packet.ts";

/** The only process there is. */
export const PROCESS = 1;

/** A processor, all of them, or whichever. */
export type ThreadId = number | "all" | "any";

/** Takes a thread id (`p1.2`, `2`, `-1`, `0`, `p1`); null if there is none or
 * no such thread. */
export function parseThread(
  packet: Packet,
  processors: number,
): ThreadId | null {
  if (packet.accept("p")) {
    const process = signedNumber(packet);
    if (process === null || process > PROCESS) return null;
    if (!packet.accept(".")) return "all";
  }
  const thread = signedNumber(packet);
  if (thread === null) return null;
  if (thread < 0) return "all";
  if (thread === 0) return "any";
  return thread <= processors ? thread - 1 : null;
}

/** A thread id as the other side negotiated it. */
export function formatThread(processor: number, multiprocess: boolean): string {
  const thread = (processor + 1).toString(16);
  return multiprocess ? `p${PROCESS}.${thread}` : thread;
}

function signedNumber(packet: Packet): number | null {
  if (packet.acceptText("-1")) return -1;
  return packet.number();
}
