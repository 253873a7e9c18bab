/** Documents read in portions: `qXfer:object:read:annex:offset,length`. */
import { type Command, parsed } from "../command.ts";
import { toBytes } from "../bytes.ts";
import { EINVAL } from "../packet.ts";
import { parseTransfer } from "../packets/transfer.ts";
import type { Session } from "../session.ts";
import { targetXml } from "../target_xml.ts";
import { formatThread } from "../threads.ts";

function transfer(
  object: string,
  document: (annex: string, session: Session, offset: number) => string | null,
): Command {
  return {
    name: `qXfer:${object}:read`,
    features: [`qXfer:${object}:read+`],
    handle: parsed(parseTransfer, (session, request, reply) => {
      const { annex, offset, length } = request;
      const text = document(annex, session, offset);
      // E00: the annex does not exist.
      if (text === null) return reply.error(0);
      const bytes = toBytes(text);
      if (offset > bytes.length) return reply.error(EINVAL);
      const end = Math.min(offset + length, bytes.length);
      reply.text(end < bytes.length ? "m" : "l");
      reply.binary(bytes.subarray(offset, end));
    }),
  };
}

/** Asked for again after a change of mode, it is the new mode's. */
export const features = transfer(
  "features",
  (annex, session, offset) => {
    if (annex !== "target.xml") return null;
    if (offset === 0) session.chooseRegisters();
    return targetXml(session.registers.architecture, session.real);
  },
);

export const threads = transfer("threads", (_annex, session) => {
  const list = Array.from({ length: session.threads }, (_, i) => {
    const { name, state } = session.target.describe(i);
    const id = formatThread(i, session.multiprocess);
    return `<thread id="${id}" core="${i}" name="${name}">${state}</thread>\n`;
  });
  return `<?xml version="1.0"?>\n<threads>\n${list.join("")}</threads>\n`;
});

/**
 * Addresses here are virtual ones, which a guest maps as it likes: so all of
 * them count as RAM. What is not mapped says so when it is read. gdb 13 reckons in a
 * region with signed numbers: none has 2^63 bytes and more behind a place in it. lldb
 * takes a region that ends at 2^64 for none: it is the last page, and
 * qMemoryRegionInfo tells it more anyway.
 */
const MEMORY_MAP = `<?xml version="1.0"?>
<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN"
 "http://sourceware.org/gdb/gdb-memory-map.dtd">
<memory-map>
<memory type="ram" start="0x0" length="0x8000000000000000"/>
<memory type="ram" start="0x8000000000000000" length="0x7ffffffffffff000"/>
<memory type="ram" start="0xfffffffffffff000" length="0x1000"/>
</memory-map>
`;

export const memoryMap = transfer("memory-map", () => MEMORY_MAP);
