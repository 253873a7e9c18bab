/** Registers: `g`, `G`, `p`, `P`, with lldb's suffix of a thread where it is
 * negotiated. */
import type { Packet, Syntax } from "../packet.ts";
import { takeThread, type ThreadId } from "./thread_id.ts";

/** g */
export interface ReadRegisters {
  /** The one that Hg chose, if none is named. */
  readonly thread: ThreadId | "current";
}

/** G */
export interface WriteRegisters extends ReadRegisters {
  readonly bytes: Uint8Array;
}

/** p */
export interface ReadRegister extends ReadRegisters {
  /** As the other side numbers them; it need not exist. */
  readonly number: number;
}

/** P */
export interface WriteRegister extends ReadRegister {
  readonly bytes: Uint8Array;
}

function takeSuffix(
  packet: Packet,
  { threadSuffix }: Syntax,
): ThreadId | "current" | null {
  if (!threadSuffix || !packet.acceptText(";thread:")) return "current";
  return takeThread(packet);
}

/** Nothing, or a thread. */
export function parseReadAll(
  packet: Packet,
  syntax: Syntax,
): ReadRegisters | null {
  const thread = takeSuffix(packet, syntax);
  return thread === null ? null : { thread };
}

/** `digits` */
export function parseWriteAll(
  packet: Packet,
  syntax: Syntax,
): WriteRegisters | null {
  const bytes = packet.hexBytes();
  const thread = takeSuffix(packet, syntax);
  return bytes === null || thread === null ? null : { bytes, thread };
}

/** `number` */
export function parseReadOne(
  packet: Packet,
  syntax: Syntax,
): ReadRegister | null {
  const number = packet.number();
  const thread = takeSuffix(packet, syntax);
  return number === null || thread === null ? null : { number, thread };
}

/** `number=digits` */
export function parseWriteOne(
  packet: Packet,
  syntax: Syntax,
): WriteRegister | null {
  const number = packet.number();
  if (number === null || !packet.accept("=")) return null;
  const bytes = packet.hexBytes();
  const thread = takeSuffix(packet, syntax);
  return bytes === null || thread === null ? null : { number, bytes, thread };
}
