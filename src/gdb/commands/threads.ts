/** The processors as threads: choosing, listing, describing them. */
import { type Command, parsed } from "../command.ts";
import { EINVAL } from "../packet.ts";
import {
  parseChoose,
  parseDescribe,
  parseIsAlive,
} from "../packets/threads.ts";
import { formatThread, processorOf } from "../threads.ts";

export const choose: Command = {
  name: "H",
  handle: parsed(parseChoose, (session, { purpose, thread }, reply) => {
    if (typeof thread === "number" && session.processorOf(thread) === null) {
      return reply.error(EINVAL);
    }
    if (purpose === "c") {
      session.resumed = thread === "any" ? "all" : thread;
    } else if (typeof thread === "number") {
      session.current = thread;
      if (!session.asksOfChosen) session.chosen = thread;
    }
    reply.ok();
  }),
};

export const isAlive: Command = {
  name: "T",
  handle: parsed(parseIsAlive, (session, { thread }, reply) => {
    const processor = processorOf(thread, session.threads);
    if (processor === null) return reply.error(EINVAL);
    session.chosen = processor;
    reply.ok();
  }),
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
  handle: parsed(parseDescribe, (session, { thread }, reply) => {
    const processor = session.processorOf(thread);
    if (processor === null) return reply.error(EINVAL);
    const { name, state } = session.target.describe(processor);
    reply.hexText(`${name} [${state}]`);
  }),
};
