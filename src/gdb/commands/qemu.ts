/**
 * What tools made for QEMU's stub look for to know a system emulator.
 * Source of facts: QEMU 7.2's gdbstub, asked.
 */
import type { Command } from "../command.ts";
import { EINVAL, type Packet, type Reply } from "../packet.ts";
import type { Session } from "../session.ts";
import { SSTEP_ALL } from "../sstep.ts";

/** QEMU answers both spellings alike. */
function both(
  name: string,
  handle: (session: Session, packet: Packet, reply: Reply) => void,
  glued?: true,
): Command[] {
  return ["q", "Q"].map((letter) => ({
    name: `${letter}qemu.${name}`,
    glued,
    handle,
  }));
}

export const [sstepBits, sstepBitsToo] = both(
  "sstepbits",
  (_session, _packet, reply) => reply.text("ENABLE=1,NOIRQ=2,NOTIMER=4"),
);

export const [sstep, sstepToo] = both(
  "sstep",
  (session, packet, reply) => {
    if (packet.atEnd) return reply.text(`0x${session.sstep.toString(16)}`);
    if (!packet.accept("=")) return;
    packet.acceptText("0x");
    const bits = packet.number();
    if (bits === null || bits > SSTEP_ALL || !packet.atEnd) {
      return reply.error(EINVAL);
    }
    session.sstep = bits;
    reply.ok();
  },
  true,
);

export const supported: Command = {
  name: "qqemu.Supported",
  handle(session, _packet, reply) {
    reply.text("sstepbits;sstep");
    if (session.knows("qqemu.PhyMemMode")) reply.text(";PhyMemMode");
  },
};
