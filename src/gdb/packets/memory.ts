/** Memory: `m`, `x`, `M`, `X`, `qSearch:memory`, `qCRC`, and QEMU's PhyMemMode. */
import type { Packet } from "../packet.ts";

/** m, x, qCRC: `address,length`. */
export interface MemoryRange {
  readonly address: bigint;
  /** In bytes. */
  readonly length: number;
}

/** M and X. */
export interface WriteMemory {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** qSearch:memory */
export interface SearchMemory extends MemoryRange {
  /** At least a byte. */
  readonly pattern: Uint8Array;
}

/** Qqemu.PhyMemMode */
export interface PhysicalMode {
  readonly physical: boolean;
}

function takeRange(packet: Packet, separator: string): MemoryRange | null {
  const address = packet.address();
  if (address === null || !packet.accept(separator)) return null;
  const length = packet.number();
  return length === null ? null : { address, length };
}

/** `address,length`, of m and x. */
export function parseRange(packet: Packet): MemoryRange | null {
  return takeRange(packet, ",");
}

/** `:address,length` */
export function parseCrc(packet: Packet): MemoryRange | null {
  packet.accept(":");
  return takeRange(packet, ",");
}

/** `address,length:digits` */
export function parseWriteHex(packet: Packet): WriteMemory | null {
  return takeWrite(packet, () => packet.hexBytes());
}

/** `address,length:bytes` */
export function parseWriteBinary(packet: Packet): WriteMemory | null {
  return takeWrite(packet, () => packet.rest());
}

function takeWrite(
  packet: Packet,
  takeBytes: () => Uint8Array | null,
): WriteMemory | null {
  const range = takeRange(packet, ",");
  const bytes = packet.accept(":") ? takeBytes() : null;
  if (range === null || bytes?.length !== range.length) return null;
  return { address: range.address, bytes };
}

/** `:address;length;pattern` */
export function parseSearch(packet: Packet): SearchMemory | null {
  packet.accept(":");
  const range = takeRange(packet, ";");
  const pattern = packet.accept(";") ? packet.rest() : null;
  if (range === null || pattern === null || pattern.length === 0) return null;
  return { ...range, pattern };
}

/** `:0` or `:1` */
export function parsePhysicalMode(packet: Packet): PhysicalMode | null {
  const mode = packet.accept(":") ? packet.number() : null;
  return mode === 0 || mode === 1 ? { physical: mode === 1 } : null;
}
