/** Processors as the protocol's threads (packets/thread_id.ts). */
import { PROCESS, type ThreadId } from "./packets/thread_id.ts";

/** The processor that an id is of; null if it is of none or of several. */
export function processorOf(
  thread: ThreadId,
  processors: number,
): number | null {
  return typeof thread === "number" && thread < processors ? thread : null;
}

/** A thread id as the other side negotiated it. */
export function formatThread(processor: number, multiprocess: boolean): string {
  const thread = (processor + 1).toString(16);
  return multiprocess ? `p${PROCESS}.${thread}` : thread;
}
