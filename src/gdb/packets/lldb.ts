/**
 * What lldb asks beyond gdb's protocol: `qMemoryRegionInfo[:address]` and
 * `qThreadStopInfo<thread>`.
 * Source of facts: LLVM's docs/resources/lldbgdbremote.md.
 */
import type { Packet } from "../packet.ts";
import { takeThread, type ThreadId } from "./thread_id.ts";

/** qMemoryRegionInfo */
export interface MemoryRegionInfo {
  /** Null only asks whether the packet is known. */
  readonly address: bigint | null;
}

export function parseMemoryRegionInfo(packet: Packet): MemoryRegionInfo | null {
  const address = packet.accept(":") ? packet.address() : null;
  return address === null && !packet.atEnd ? null : { address };
}

/** qThreadStopInfo */
export interface ThreadStopInfo {
  readonly thread: ThreadId;
}

export function parseThreadStopInfo(packet: Packet): ThreadStopInfo | null {
  const thread = takeThread(packet);
  return thread === null ? null : { thread };
}
