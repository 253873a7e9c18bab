/** Threads: `H`, `T`, `qThreadExtraInfo`. */
import type { Packet } from "../packet.ts";
import { takeThread, type ThreadId } from "./thread_id.ts";

/** H */
export interface ChooseThread {
  /** "g" is for registers and memory, "c" for c and s. */
  readonly purpose: "g" | "c";
  readonly thread: ThreadId;
}

/** T and qThreadExtraInfo. */
export interface AboutThread {
  readonly thread: ThreadId;
}

/** `purpose thread`, without a space. */
export function parseChoose(packet: Packet): ChooseThread | null {
  const purpose = packet.character();
  const thread = takeThread(packet);
  if (thread === null || purpose !== "g" && purpose !== "c") return null;
  return { purpose, thread };
}

/** `thread` */
export function parseIsAlive(packet: Packet): AboutThread | null {
  const thread = takeThread(packet);
  return thread === null ? null : { thread };
}

/** `,thread` */
export function parseDescribe(packet: Packet): AboutThread | null {
  packet.accept(",");
  return parseIsAlive(packet);
}
