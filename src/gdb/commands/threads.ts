/** The processors as threads: choosing, listing, describing them. */
import type { Command } from "../command.ts";
import { EINVAL } from "../packet.ts";
import { formatThread, parseThread } from "../threads.ts";

export const choose: Command = {
  name: "H",
  handle(session, packet, reply) {
    const purpose = packet.character();
    const thread = parseThread(packet, session.target.processors);
    if (thread === null || !["g", "c"].includes(purpose)) {
      return reply.error(EINVAL);
    }
    if (purpose === "c") {
      session.resumed = thread === "any" ? "all" : thread;
    } else if (typeof thread === "number") {
      session.current = thread;
    }
    reply.ok();
  },
};

export const isAlive: Command = {
  name: "T",
  handle(session, packet, reply) {
    const thread = parseThread(packet, session.threads);
    if (typeof thread === "number") reply.ok();
    else reply.error(EINVAL);
  },
};

export const currentThread: Command = {
  name: "qC",
  handle(session, _packet, reply) {
    reply.text(`QC${formatThread(session.current, session.multiprocess)}`);
  },
};

/** All of them at once: there are never too many for a packet. */
export const firstThreads: Command = {
  name: "qfThreadInfo",
  handle(session, _packet, reply) {
    const ids = session.threadIds();
    reply.text(ids.length === 0 ? "l" : `m${ids.join(",")}`);
  },
};

export const moreThreads: Command = {
  name: "qsThreadInfo",
  handle(_session, _packet, reply) {
    reply.text("l");
  },
};

export const describeThread: Command = {
  name: "qThreadExtraInfo",
  handle(session, packet, reply) {
    packet.accept(",");
    const thread = parseThread(packet, session.target.processors);
    if (typeof thread !== "number") return reply.error(EINVAL);
    const { name, state } = session.target.describe(thread);
    reply.hexText(`${name} [${state}]`);
  },
};
