/** Inserting and removing breakpoints and watchpoints. */
import { AgentError, AgentExpression } from "../../debug/breakpoints/agent.ts";
import { type Command, parsed } from "../command.ts";
import { parseInsert, parseRemove } from "../packets/breakpoints.ts";

export const insert: Command = {
  name: "Z",
  features: ["swbreak+", "hwbreak+", "ConditionalBreakpoints+"],
  handle: parsed(parseInsert, (session, request, reply) => {
    const { kind, address, length } = request;
    const { registers } = session;
    try {
      const conditions = request.conditions.map((bytes) =>
        new AgentExpression(bytes, (n) => registers.internal(n))
      );
      session.insertBreakpoint(kind, address, length, conditions);
      reply.ok();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      reply.failure(error.message);
    }
  }),
};

export const remove: Command = {
  name: "z",
  handle: parsed(parseRemove, (session, { kind, address, length }, reply) => {
    session.removeBreakpoint(kind, address, length);
    reply.ok();
  }),
};
