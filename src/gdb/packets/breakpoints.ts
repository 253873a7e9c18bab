/** `Z type,address,length[;conditions]` and `z type,address,length`. */
import type { BreakpointKind } from "../../debug/target.ts";
import { fromHex } from "../bytes.ts";
import type { Packet } from "../packet.ts";

/** The digit after Z and z. */
const KINDS: readonly BreakpointKind[] = [
  "software",
  "hardware",
  "write",
  "read",
  "access",
];

/** z */
export interface RemoveBreakpoint {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  readonly length: number;
}

/** Z */
export interface InsertBreakpoint extends RemoveBreakpoint {
  /** Agent expressions, as bytecode. */
  readonly conditions: readonly Uint8Array[];
}

/** Null if it is malformed; undefined for a type that does not exist here. */
export function parseRemove(
  packet: Packet,
): RemoveBreakpoint | null | undefined {
  const type = packet.number();
  if (type === null) return null;
  const kind = KINDS[type];
  if (kind === undefined) return undefined;
  const address = packet.accept(",") ? packet.address() : null;
  const length = packet.accept(",") ? packet.number() : null;
  if (address === null || length === null) return null;
  return { kind, address, length };
}

/** As parseRemove, with conditions. */
export function parseInsert(
  packet: Packet,
): InsertBreakpoint | null | undefined {
  const place = parseRemove(packet);
  if (!place) return place;
  const conditions = takeConditions(packet);
  return conditions === null ? null : { ...place, conditions };
}

/** `;Xlen,bytes` any number of times; null if malformed. */
function takeConditions(packet: Packet): Uint8Array[] | null {
  const conditions: Uint8Array[] = [];
  // The manual has a `;` only before the list; gdb puts none between.
  packet.accept(";");
  while (packet.accept("X")) {
    const length = packet.number();
    if (length === null || !packet.accept(",")) return null;
    const digits = packet.take(2 * length);
    const bytes = digits === null ? null : fromHex(digits);
    if (bytes === null) return null;
    conditions.push(bytes);
    packet.accept(";");
  }
  return packet.atEnd ? conditions : null;
}
