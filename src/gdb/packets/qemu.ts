/** `qqemu.sstep[=0xbits]`, in either letter. Source of facts: QEMU 7.2's gdbstub,
 * asked. */
import type { Packet } from "../packet.ts";

/** qqemu.sstep */
export interface SingleStep {
  /** Null asks for those there are. */
  readonly bits: number | null;
}

/** Null if malformed; undefined where the name is longer. */
export function parseSingleStep(
  packet: Packet,
): SingleStep | null | undefined {
  if (packet.atEnd) return { bits: null };
  if (!packet.accept("=")) return undefined;
  packet.acceptText("0x");
  const bits = packet.number();
  return bits === null || !packet.atEnd ? null : { bits };
}
