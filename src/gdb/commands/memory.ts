/** Reading, writing and searching memory, virtual or physical. */
import { type Command, needing, parsed } from "../command.ts";
import { EFAULT, PACKET_SIZE, type Reply } from "../packet.ts";
import {
  type MemoryRange,
  parseCrc,
  parsePhysicalMode,
  parseRange,
  parseSearch,
  parseWriteBinary,
  parseWriteHex,
  type WriteMemory,
} from "../packets/memory.ts";
import type { Session } from "../session.ts";

const buffer = new Uint8Array(PACKET_SIZE);

/** Bytes of a reply at most: hexadecimal, or each of them escaped. */
const READ_LIMIT = PACKET_SIZE / 2;

/** Reads what is there; null after an error reply. */
function read(
  session: Session,
  { address, length }: MemoryRange,
  reply: Reply,
): Uint8Array | null {
  const into = buffer.subarray(0, Math.min(length, READ_LIMIT));
  const count = session.readMemory(address, into);
  if (count === 0 && into.length > 0) {
    reply.error(EFAULT);
    return null;
  }
  return into.subarray(0, count);
}

export const readHex: Command = {
  name: "m",
  handle: parsed(parseRange, (session, range, reply) => {
    const bytes = read(session, range, reply);
    if (bytes !== null) reply.hex(bytes);
  }),
};

export const readBinary: Command = {
  name: "x",
  features: ["binary-upload+"],
  handle: parsed(parseRange, (session, range, reply) => {
    const bytes = read(session, range, reply);
    if (bytes === null) return;
    reply.text("b");
    reply.binary(bytes);
  }),
};

function write(
  session: Session,
  { address, bytes }: WriteMemory,
  reply: Reply,
): void {
  if (bytes.length === 0 || session.writeMemory(address, bytes)) reply.ok();
  else reply.error(EFAULT);
}

export const writeHex: Command = {
  name: "M",
  handle: parsed(parseWriteHex, write),
};

export const writeBinary: Command = {
  name: "X",
  handle: parsed(parseWriteBinary, write),
};

/** Reads a range piece by piece; false if `use` has seen enough or there is no
 * memory, as `missing` then tells. */
function readPieces(
  session: Session,
  { address, length }: MemoryRange,
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
  handle: parsed(parseSearch, (session, range, reply) => {
    const { pattern } = range;
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
  }),
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
  handle: parsed(parseCrc, (session, range, reply) => {
    let crc = 0xffffffff;
    const { missing } = readPieces(session, range, (piece) => {
      for (let i = 0; i < piece.length; i++) {
        crc = crc << 8 ^ CRC_TABLE[(crc >>> 24 ^ piece[i]) & 0xff];
      }
      return true;
    });
    if (missing) reply.error(EFAULT);
    else reply.text(`C${(crc >>> 0).toString(16)}`);
  }),
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
  handle: parsed(parsePhysicalMode, (session, request, reply, target) => {
    session.physical = request.physical ? target : null;
    reply.ok();
  }),
});
