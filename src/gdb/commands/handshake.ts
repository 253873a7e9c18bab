/** Getting to know each other: features, acknowledgements, modes. */
import { type Command, parsed } from "../command.ts";
import { PACKET_SIZE } from "../packet.ts";
import { parseSupported } from "../packets/handshake.ts";

export const supported: Command = {
  name: "qSupported",
  features: [`PacketSize=${PACKET_SIZE.toString(16)}`, "multiprocess+"],
  handle: parsed(parseSupported, (session, { features }, reply) => {
    session.negotiate(features);
    reply.text(session.features.join(";"));
  }),
};

export const startNoAckMode: Command = {
  name: "QStartNoAckMode",
  features: ["QStartNoAckMode+"],
  handle(session, _packet, reply) {
    session.stopAcknowledging();
    reply.ok();
  },
};

export const extendedMode: Command = {
  name: "!",
  handle(session, _packet, reply) {
    session.extended = true;
    reply.ok();
  },
};

/** The guest was there before: a debugger that leaves does not kill it. */
export const attached: Command = {
  name: "qAttached",
  handle(_session, _packet, reply) {
    reply.text("1");
  },
};
