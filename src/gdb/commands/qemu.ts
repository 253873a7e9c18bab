/**
 * What tools made for QEMU's stub look for to know a system emulator.
 * Source of facts: QEMU 7.2's gdbstub, asked.
 */
import { type Command, parsed } from "../command.ts";
import { EINVAL } from "../packet.ts";
import { parseSingleStep } from "../packets/qemu.ts";
import { SSTEP_ALL } from "../sstep.ts";

/** QEMU answers both spellings alike. */
function both(
  name: string,
  handle: Command["handle"],
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
  parsed(parseSingleStep, (session, { bits }, reply) => {
    if (bits === null) return reply.text(`0x${session.sstep.toString(16)}`);
    if (bits > SSTEP_ALL) return reply.error(EINVAL);
    session.sstep = bits;
    reply.ok();
  }),
  true,
);

export const supported: Command = {
  name: "qqemu.Supported",
  handle(session, _packet, reply) {
    reply.text("sstepbits;sstep");
    if (session.knows("qqemu.PhyMemMode")) reply.text(";PhyMemMode");
  },
};
