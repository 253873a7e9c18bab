/** `qRcmd,digits`: a line of the debugger's own commands. */
import { toText } from "../bytes.ts";
import type { Packet } from "../packet.ts";

/** qRcmd */
export interface MonitorLine {
  readonly line: string;
}

export function parseMonitor(packet: Packet): MonitorLine | null {
  packet.accept(",");
  const bytes = packet.hexBytes();
  return bytes === null ? null : { line: toText(bytes) };
}
