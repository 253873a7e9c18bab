/** Reading, writing and searching memory, virtual or physical. */
import { type Command, needing } from "../command.ts";
import {
  EFAULT,
  EINVAL,
  type Packet,
  PACKET_SIZE,
  type Reply,
} from "../packet.ts";
import type { Session } from "../session.ts";

const buffer = new Uint8Array(PACKET_SIZE);

/** `address,length` */
interface Range {
  readonly address: bigint;
  readonly length: number;
}

function takeRange(packet: Packet, separator = ","): Range | null {
  const address = packet.address();
  if (address === null || !packet.accept(separator)) return null;
  const length = packet.number();
  return length === null ? null : { address, length };
}

/** Reads what is there, at most `limit` bytes; null after an error reply. */
function read(
  session: Session,
  range: Range | null,
  limit: number,
  reply: Reply,
): Uint8Array | null {
  if (range === null) {
    reply.error(EINVAL);
    return null;
  }
  const into = buffer.subarray(0, Math.min(range.length, limit));
  const count = session.readMemory(range.address, into);
  if (count === 0 && into.length > 0) {
    reply.error(EFAULT);
    return null;
  }
  return into.subarray(0, count);
}

export const readHex: Command = {
  name: "m",
  handle(session, packet, reply) {
    const bytes = read(session, takeRange(packet), PACKET_SIZE / 2, reply);
    if (bytes !== null) reply.hex(bytes);
  },
};

export const readBinary: Command = {
  name: "x",
  features: ["binary-upload+"],
  handle(session, packet, reply) {
    const bytes = read(session, takeRange(packet), PACKET_SIZE / 2, reply);
    if (bytes === null) return;
    reply.text("b");
    reply.binary(bytes);
  },
};

function write(
  session: Session,
  address: bigint,
  bytes: Uint8Array,
  reply: Reply,
): void {
  if (bytes.length === 0 || session.writeMemory(address, bytes)) reply.ok();
  else reply.error(EFAULT);
}

export const writeHex: Command = {
  name: "M",
  handle(session, packet, reply) {
    const range = takeRange(packet);
    const bytes = packet.accept(":") ? packet.hexBytes() : null;
    if (range === null || bytes?.length !== range.length) {
      return reply.error(EINVAL);
    }
    write(session, range.address, bytes, reply);
  },
};

export const writeBinary: Command = {
  name: "X",
  handle(session, packet, reply) {
    const range = takeRange(packet);
    const bytes = packet.accept(":") ? packet.rest() : null;
    if (range === null || bytes?.length !== range.length) {
      return reply.error(EINVAL);
    }
    write(session, range.address, bytes, reply);
  },
};

/** Reads a range piece by piece; false if `use` has seen enough or there is no
 * memory, as `missing` then tells. */
function readPieces(
  session: Session,
  { address, length }: Range,
  use: (piece: Uint8Array) => boolean,
): { missing: boolean } {
  let done = 0;
  while (done < length) {
    const into = buffer.subarray(0, Math.min(length - done, buffer.length));
    const count = session.readMemory(address + BigInt(done), into);
    if (count > 0 && !use(into.subarray(0, count))) break;
    if (count < into.length) return { missing: true };
    done += count;
  }
  return { missing: false };
}

export const search: Command = {
  name: "qSearch:memory",
  handle(session, packet, reply) {
    packet.accept(":");
    const range = takeRange(packet, ";");
    const pattern = packet.accept(";") ? packet.rest() : null;
    if (range === null || pattern === null || pattern.length === 0) {
      return reply.error(EINVAL);
    }
    // The end of each piece is kept in front of the next one, so that a match
    // across the border is seen.
    const overlap = pattern.length - 1;
    const window = new Uint8Array(overlap + buffer.length);
    let kept = 0;
    let base = range.address;
    let found: bigint | null = null;
    const { missing } = readPieces(session, range, (piece) => {
      window.set(piece, kept);
      const filled = kept + piece.length;
      const at = indexOf(window.subarray(0, filled), pattern);
      if (at >= 0) {
        found = base + BigInt(at);
        return false;
      }
      const keep = Math.min(overlap, filled);
      window.copyWithin(0, filled - keep, filled);
      base += BigInt(filled - keep);
      kept = keep;
      return true;
    });
    if (found !== null) reply.text(`1,${(found as bigint).toString(16)}`);
    else if (missing) reply.error(EFAULT);
    else reply.text("0");
  },
};

function indexOf(bytes: Uint8Array, pattern: Uint8Array): number {
  const last = bytes.length - pattern.length;
  for (let at = bytes.indexOf(pattern[0]); at >= 0 && at <= last;) {
    let i = 1;
    while (i < pattern.length && bytes[at + i] === pattern[i]) i++;
    if (i === pattern.length) return at;
    at = bytes.indexOf(pattern[0], at + 1);
  }
  return -1;
}

// The CRC of compare-sections: polynomial 0x04c11db7, most significant bit
// first, all ones at the start, not inverted at the end.
const CRC_POLYNOMIAL = 0x04c11db7;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc < 0 ? crc << 1 ^ CRC_POLYNOMIAL : crc << 1;
  }
  return crc;
});

export const crc: Command = {
  name: "qCRC",
  handle(session, packet, reply) {
    packet.accept(":");
    const range = takeRange(packet);
    if (range === null) return reply.error(EINVAL);
    let crc = 0xffffffff;
    const { missing } = readPieces(session, range, (piece) => {
      for (let i = 0; i < piece.length; i++) {
        crc = crc << 8 ^ CRC_TABLE[(crc >>> 24 ^ piece[i]) & 0xff];
      }
      return true;
    });
    if (missing) reply.error(EFAULT);
    else reply.text(`C${(crc >>> 0).toString(16)}`);
  },
};

const PHYSICAL = ["readPhysical", "writePhysical"] as const;

/** QEMU's switch between virtual and physical memory. */
export const physicalMode: Command = needing(PHYSICAL, {
  name: "qqemu.PhyMemMode",
  handle(session, _packet, reply) {
    reply.text(session.physical === null ? "0" : "1");
  },
});

export const setPhysicalMode: Command = needing(PHYSICAL, {
  name: "Qqemu.PhyMemMode",
  handle(session, packet, reply, target) {
    const mode = packet.accept(":") ? packet.number() : null;
    if (mode !== 0 && mode !== 1) return reply.error(EINVAL);
    session.physical = mode === 1 ? target : null;
    reply.ok();
  },
});
