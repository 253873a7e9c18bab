/** Documents read in portions: `qXfer:object:read:annex:offset,length`. */
import { toText } from "../bytes.ts";
import type { Packet } from "../packet.ts";

/** qXfer:object:read */
export interface Transfer {
  readonly annex: string;
  /** In bytes, as is the length. */
  readonly offset: number;
  readonly length: number;
}

/** `:annex:offset,length` */
export function parseTransfer(packet: Packet): Transfer | null {
  packet.accept(":");
  const annex = toText(packet.until(":"));
  const offset = packet.accept(":") ? packet.number() : null;
  const length = packet.accept(",") ? packet.number() : null;
  return offset === null || length === null ? null : { annex, offset, length };
}
