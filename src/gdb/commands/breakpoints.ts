/** Inserting and removing breakpoints and watchpoints. */
import { AgentError, AgentExpression } from "../../debug/agent.ts";
import type { BreakpointKind } from "../../debug/target.ts";
import { fromHex } from "../bytes.ts";
import type { Command } from "../command.ts";
import { EINVAL, type Packet } from "../packet.ts";
import type { Session } from "../session.ts";

/** The digit after Z and z. */
const KINDS: readonly BreakpointKind[] = [
  "software",
  "hardware",
  "write",
  "read",
  "access",
];

interface Place {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  readonly length: number;
}

/** `type,address,length`; null if it is not that; undefined for a type that
 * does not exist here. */
function takePlace(packet: Packet): Place | null | undefined {
  const type = packet.number();
  if (type === null) return null;
  const kind = KINDS[type];
  if (kind === undefined) return undefined;
  const address = packet.accept(",") ? packet.address() : null;
  const length = packet.accept(",") ? packet.number() : null;
  if (address === null || length === null) return null;
  return { kind, address, length };
}

/** `;Xlen,bytes` any number of times; null if malformed. */
function takeConditions(
  packet: Packet,
  { registers }: Session,
): AgentExpression[] | null {
  const conditions: AgentExpression[] = [];
  // The manual has a `;` only before the list; gdb puts none between.
  packet.accept(";");
  while (packet.accept("X")) {
    const length = packet.number();
    if (length === null || !packet.accept(",")) return null;
    const digits = packet.take(2 * length);
    const bytes = digits === null ? null : fromHex(digits);
    if (bytes === null) return null;
    conditions.push(new AgentExpression(bytes, (n) => registers.internal(n)));
    packet.accept(";");
  }
  return packet.atEnd ? conditions : null;
}

export const insert: Command = {
  name: "Z",
  features: ["swbreak+", "hwbreak+", "ConditionalBreakpoints+"],
  handle(session, packet, reply) {
    const place = takePlace(packet);
    if (place === undefined) return;
    if (place === null) return reply.error(EINVAL);
    try {
      const conditions = takeConditions(packet, session);
      if (conditions === null) return reply.error(EINVAL);
      const { kind, address, length } = place;
      session.insertBreakpoint(kind, address, length, conditions);
      reply.ok();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      reply.failure(error.message);
    }
  },
};

export const remove: Command = {
  name: "z",
  handle(session, packet, reply) {
    const place = takePlace(packet);
    if (place === undefined) return;
    if (place === null) return reply.error(EINVAL);
    session.removeBreakpoint(place.kind, place.address, place.length);
    reply.ok();
  },
};
