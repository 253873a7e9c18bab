/**
 * What lldb asks beyond gdb's protocol.
 * Source of facts: LLVM's docs/resources/lldbgdbremote.md.
 */
import { type Command, needing, parsed } from "../command.ts";
import { EINVAL, type Reply } from "../packet.ts";
import type { Session } from "../session.ts";
import { putStop } from "../stop_reply.ts";
import { parseMemoryRegionInfo, parseThreadStopInfo } from "../packets/lldb.ts";
import { PROCESS } from "../packets/thread_id.ts";

/** Register packets may end in `;thread:ID;`. */
export const threadSuffix: Command = {
  name: "QThreadSuffixSupported",
  handle(session, _packet, reply) {
    session.threadSuffix = true;
    reply.ok();
  },
};

export const listThreadsInStop: Command = {
  name: "QListThreadsInStopReply",
  handle(session, _packet, reply) {
    session.threadsInStop = true;
    reply.ok();
  },
};

/** The guest's kind, the triple in hexadecimal as lldb wants it. */
function putKind({ architecture }: Session, reply: Reply): void {
  reply.text("triple:");
  reply.hexText(
    architecture === "i386" ? "i386-unknown-none" : "x86_64-unknown-none",
  );
  reply.text(`;endian:little;ptrsize:${architecture === "i386" ? 4 : 8};`);
}

export const hostInfo: Command = {
  name: "qHostInfo",
  handle(session, _packet, reply) {
    putKind(session, reply);
  },
};

export const processInfo: Command = {
  name: "qProcessInfo",
  handle(session, _packet, reply) {
    reply.text(`pid:${PROCESS};`);
    putKind(session, reply);
  },
};

/** What is mapped, region by region: where nothing is, lldb keeps the memory of
 * its expressions for itself. */
export const memoryRegionInfo: Command = needing(["regionAt"], {
  name: "qMemoryRegionInfo",
  handle: parsed(
    parseMemoryRegionInfo,
    (session, { address }, reply, target) => {
      if (address === null) return reply.ok();
      const { start, bytes, permissions } = target.regionAt(
        session.current,
        address,
      );
      reply.text(`start:${start.toString(16)};size:${bytes.toString(16)};`);
      if (permissions !== "") reply.text(`permissions:${permissions};`);
    },
  ),
});

/** The reason of one thread's stop: those that did not cause it have none. */
export const threadStopInfo: Command = {
  name: "qThreadStopInfo",
  glued: true,
  handle: parsed(parseThreadStopInfo, (session, { thread }, reply) => {
    const processor = session.processorOf(thread);
    const stop = session.target.stop;
    if (processor === null || stop === null) return reply.error(EINVAL);
    if (processor === stop.processor) putStop(session, stop, reply);
    else reply.text(`T00thread:${(processor + 1).toString(16)};`);
  }),
};
