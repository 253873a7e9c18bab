/**
 * The files that snapshots and recordings are kept in: a head, then sections, each
 * compressed and with its checksum, the last one named "end". Everything is little
 * endian.
 *
 *     head:    8 bytes magic, u32 version, u32 kind
 *     section: 4 letters, u32 bytes as stored, u32 CRC-32 of the two and what is stored,
 *              then that, as zlib packs it
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";
import type { StateValue } from "../machine/device.ts";
import { BrokenStateError, type Kind } from "../machine/state.ts";

/** What the file is. */
export const FileKind = { snapshot: 1, recording: 2 } as const;

const KIND_NAMES: Record<number, string> = {
  [FileKind.snapshot]: "snapshot",
  [FileKind.recording]: "recording",
};
const MAGIC = Uint8Array.of(0x69, 0x63, 0x65, 0x62, 0x70, 0x1a, 0x0d, 0x0a);
/** Goes up when what is in the files changes. */
const VERSION = 2;
const HEAD_BYTES = 16;
const SECTION_HEAD_BYTES = 12;
/** The fastest: snapshots are waited for. */
const LEVEL = 1;
export const END = "end ";

/** A file that cannot be used; the message is one line, without the file's name. */
export class ContainerError extends Error {
  override readonly name = "ContainerError";
}

/** A section of a file. */
export interface Section {
  /** Four letters. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a file begins with. */
export function encodeHead(kind: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(MAGIC);
  const view = new DataView(head.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, kind, true);
  return head;
}

/** A section as it is stored. */
export function encodeSection({ name, bytes }: Section): Uint8Array {
  const packed = deflateSync(bytes, { level: LEVEL });
  const stored = new Uint8Array(SECTION_HEAD_BYTES + packed.length);
  const view = new DataView(stored.buffer);
  for (let i = 0; i < 4; i++) stored[i] = name.charCodeAt(i);
  view.setUint32(4, packed.length, true);
  stored.set(packed, SECTION_HEAD_BYTES);
  view.setUint32(8, checksum(stored), true);
  return stored;
}

function checksum(section: Uint8Array): number {
  const head = crc32(section.subarray(0, 8));
  return crc32(section.subarray(SECTION_HEAD_BYTES), head);
}

/** What a section of a file has, which begins at a place in it. */
function unpack(packed: Uint8Array, place: number): Uint8Array {
  try {
    const { buffer, byteOffset, byteLength } = inflateSync(packed);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw new ContainerError(`damaged at byte ${place}`, { cause: error });
  }
}

/** What a section has as JSON; throws a ContainerError where it is none, or not what
 * `kind` says of what is called `path`. */
export function decodeJson<T>(
  bytes: Uint8Array,
  kind: Kind<T>,
  path: string,
): T {
  let value: StateValue;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new ContainerError(`its ${path} is no JSON`, { cause: error });
  }
  return loadJson(value, kind, path);
}

/** As decodeJson(), of what was decoded. */
export function loadJson<T>(value: StateValue, kind: Kind<T>, path: string): T {
  try {
    return kind.load(value, path);
  } catch (error) {
    if (!(error instanceof BrokenStateError)) throw error;
    throw new ContainerError(error.message, { cause: error });
  }
}

/**
 * The sections of a file, in their order, the last one "end". Throws a ContainerError for
 * a file that is something else, of another version, damaged or cut off; one that may be
 * cut off (`torn`: its writer may have been killed) ends behind its last whole section.
 */
export function* sectionsOf(
  file: Uint8Array,
  kind: number,
  torn = false,
): Generator<Section> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const known = Math.min(file.length, MAGIC.length);
  for (let i = 0; i < known; i++) {
    if (file[i] !== MAGIC[i]) {
      throw new ContainerError(`no ${KIND_NAMES[kind]} of icebp's`);
    }
  }
  if (file.length < HEAD_BYTES) {
    throw new ContainerError("cut off at its very beginning");
  }
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new ContainerError(
      `made by another icebp: its version is ${version}, this one reads ` +
        `${VERSION}`,
    );
  }
  const found = view.getUint32(12, true);
  if (found !== kind) {
    throw new ContainerError(
      `a ${KIND_NAMES[found] ?? "thing of another kind"}, no ${
        KIND_NAMES[kind]
      }`,
    );
  }
  let at = HEAD_BYTES;
  for (;;) {
    if (at + SECTION_HEAD_BYTES > file.length) {
      if (torn) return;
      throw new ContainerError(`cut off after ${file.length} bytes`);
    }
    const length = view.getUint32(at + 4, true);
    const end = at + SECTION_HEAD_BYTES + length;
    if (end > file.length) {
      if (torn) return;
      throw new ContainerError(`cut off after ${file.length} bytes`);
    }
    const stored = file.subarray(at, end);
    if (checksum(stored) !== view.getUint32(at + 8, true)) {
      throw new ContainerError(`damaged at byte ${at}`);
    }
    const name = String.fromCharCode(...stored.subarray(0, 4));
    yield { name, bytes: unpack(stored.subarray(SECTION_HEAD_BYTES), at) };
    at = end;
    if (name !== END) continue;
    if (at < file.length) {
      throw new ContainerError(`${file.length - at} bytes too long`);
    }
    return;
  }
}
