/** `qSupported[:feature;feature...]`. */
import type { Packet } from "../packet.ts";

/** qSupported */
export interface Supported {
  /** What the other side says of itself, as "multiprocess+". */
  readonly features: readonly string[];
}

export function parseSupported(packet: Packet): Supported {
  packet.accept(":");
  return { features: packet.restText().split(";") };
}
