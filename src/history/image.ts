/**
 * A whole machine as bytes: what `--restore` begins from. Memory, processors and devices
 * are in it; disks are named with their size and hash, and are to be as they were.
 */
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import type { Machine } from "../machine/machine.ts";
import type { BoardState } from "../machine/saved.ts";
import {
  ContainerError,
  decodeJson,
  encodeHead,
  encodeSection,
  END,
  FileKind,
  type Section,
  sectionsOf,
} from "./container.ts";
import { createHash } from "node:crypto";
import type { ProcessorsState } from "../../ffi/mod.ts";
import {
  anything,
  flag,
  integer,
  queue,
  record,
  text,
  type ValueOf,
} from "../machine/state.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { bringBack, type Moment, momentOf } from "./moment.ts";
import { nonZeroPages, PageSet } from "./pages.ts";

/** Pages of one section. */
const PAGES_AT_A_TIME = 8192;
const DISK_BYTES_AT_A_TIME = 1 << 20;
const Name = {
  head: "head",
  processors: "vcpu",
  board: "bord",
  pages: "page",
} as const;

/** Processors without what only the platform knows. */
export const PROCESSORS = record({
  /** Decimal digits. */
  time: text(""),
  instructions: integer(0),
  turn: record({
    owner: integer(0),
    left: integer(0),
    seed: integer(0),
    latched: queue(integer(0)),
  }),
});

/** With that. Throws a ContainerError for what is no time. */
export function wholeProcessors(
  { time, ...others }: ValueOf<typeof PROCESSORS>,
  core: Uint8Array,
): ProcessorsState {
  if (!/^\d+$/.test(time)) throw new ContainerError("its time is none");
  return { ...others, time: BigInt(time), core };
}

export const DISKS = queue(
  record({ label: text(""), bytes: integer(0), sha256: text("") }),
);

const HEAD = record({
  about: anything,
  quiet: flag(false),
  disks: DISKS,
  processors: PROCESSORS,
});

/** A disk as a snapshot names it. */
export interface DiskIdentity {
  readonly label: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A machine at a moment. */
export interface MachineImage extends Moment {
  /** Whether processors were being run, between two instructions; else none was. */
  readonly quiet: boolean;
  /** What is not all zeros. */
  readonly pages: readonly PageSet[];
  readonly disks: readonly DiskIdentity[];
  /** The caller's own: what the machine was made with. JSON-able. */
  readonly about: unknown;
}

/** The machine as it is; no processor runs, or all are held between two instructions. */
export function captureImage(
  machine: Machine,
  disks: readonly BlockStore[],
  quiet: boolean,
  about: unknown,
): MachineImage {
  return {
    ...momentOf(machine),
    quiet,
    pages: [PageSet.nonZero(machine.options.guestMemory)],
    disks: disks.map(identify),
    about,
  };
}

/** How a disk is named, by its content. */
export function identify(disk: BlockStore): DiskIdentity {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(DISK_BYTES_AT_A_TIME);
  for (let at = 0; at < disk.bytes; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, disk.bytes - at));
    disk.read(at, part);
    hash.update(part);
  }
  return {
    label: disk.label,
    bytes: disk.bytes,
    sha256: hash.digest("hex"),
  };
}

/** The hash of guest memory, by its pages that are not all zeros; `among` as
 * {@linkcode nonZeroPages} has it. */
export function identifyMemory(
  memory: Uint8Array,
  among?: Iterable<number>,
): string {
  const hash = createHash("sha256");
  const numbers = nonZeroPages(memory, among);
  hash.update(new Uint8Array(numbers.buffer));
  for (const page of numbers) {
    hash.update(memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
  }
  return hash.digest("hex");
}

/** The hash of a file. */
export function identifyBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Makes a machine that no processor of runs, of the same kind, what an image says.
 * Throws a ContainerError, having changed nothing, where its disks are others, or another
 * icebp made it.
 */
export function applyImage(
  machine: Machine,
  disks: readonly BlockStore[],
  image: MachineImage,
): void {
  if (disks.length !== image.disks.length) {
    throw new ContainerError(
      `it has ${image.disks.length} disks, and ${disks.length} are there`,
    );
  }
  disks.forEach((disk, i) => {
    const { label, bytes, sha256 } = image.disks[i];
    if (disk.bytes !== bytes || identify(disk).sha256 !== sha256) {
      throw new ContainerError(
        `the disk ${label} is not as it was: ${
          disk.bytes !== bytes
            ? `${disk.bytes} bytes instead of ${bytes}`
            : "its content is another"
        }`,
      );
    }
  });
  const most = machine.options.guestMemory.length / PAGE_BYTES;
  for (const { numbers } of image.pages) {
    if (numbers.every((page) => page < most)) continue;
    throw new ContainerError("it has more memory than the machine");
  }
  bringBack(machine, image, () => restorePages(machine, image.pages));
}

/** Makes memory what these pages say, and zeros where they say nothing. */
function restorePages(machine: Machine, pages: readonly PageSet[]): void {
  const platform = machine.options.platform.timeTravel!;
  const memory = machine.options.guestMemory;
  const kept = new Uint8Array(Math.ceil(memory.length / PAGE_BYTES));
  for (const set of pages) {
    set.numbers.forEach((page, i) => {
      kept[page] = 1;
      memory.set(set.page(i), page * PAGE_BYTES);
      platform.replaced(page);
    });
  }
  for (const page of nonZeroPages(memory)) {
    if (kept[page] === 1) continue;
    memory.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    platform.replaced(page);
  }
}

/** The bytes of a snapshot's file, in parts. */
export function* encodeImage(image: MachineImage): Generator<Uint8Array> {
  yield encodeHead(FileKind.snapshot);
  for (const section of sections(image)) yield encodeSection(section);
  yield encodeSection({ name: END, bytes: new Uint8Array(0) });
}

function* sections(image: MachineImage): Generator<Section> {
  const { core, time, ...processors } = image.processors;
  const json = (name: string, value: unknown): Section => ({
    name,
    bytes: new TextEncoder().encode(JSON.stringify(value)),
  });
  yield json(Name.head, {
    about: image.about,
    quiet: image.quiet,
    disks: image.disks,
    processors: { ...processors, time: `${time}` },
  });
  yield { name: Name.processors, bytes: core };
  yield json(Name.board, image.board);
  for (const set of image.pages) {
    for (let at = 0; at < set.numbers.length; at += PAGES_AT_A_TIME) {
      yield {
        name: Name.pages,
        bytes: encodePages(set, at, at + PAGES_AT_A_TIME),
      };
    }
  }
}

/** Some pages of a set: their count, their numbers, their bytes. */
export function encodePages(
  set: PageSet,
  from: number,
  to: number,
): Uint8Array {
  const numbers = set.numbers.slice(from, to);
  const bytes = new Uint8Array(
    4 + numbers.byteLength + numbers.length * PAGE_BYTES,
  );
  new DataView(bytes.buffer).setUint32(0, numbers.length, true);
  bytes.set(new Uint8Array(numbers.buffer), 4);
  numbers.forEach((_, i) =>
    bytes.set(set.page(from + i), 4 + numbers.byteLength + i * PAGE_BYTES)
  );
  return bytes;
}

/** What encodePages() made; throws a ContainerError for less. */
export function decodePages(bytes: Uint8Array): PageSet {
  const count = bytes.length < 4
    ? 0
    : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length !== 4 + count * (4 + PAGE_BYTES)) {
    throw new ContainerError("its memory is incomplete");
  }
  const numbers = new Uint32Array(bytes.slice(4, 4 + count * 4).buffer);
  return PageSet.joined(numbers, bytes.subarray(4 + count * 4));
}

/** The image that a file has; throws a ContainerError for what is none. */
export function decodeImage(file: Uint8Array): MachineImage {
  let head: Uint8Array | null = null;
  let core: Uint8Array | null = null;
  let board: Uint8Array | null = null;
  const pages: PageSet[] = [];
  for (const { name, bytes } of sectionsOf(file, FileKind.snapshot)) {
    if (name === Name.head) head = bytes;
    else if (name === Name.processors) core = bytes;
    else if (name === Name.board) board = bytes;
    else if (name === Name.pages) pages.push(decodePages(bytes));
    else if (name !== END) throw new ContainerError(`${name} is unknown in it`);
  }
  if (head === null || core === null || board === null) {
    throw new ContainerError("a part of it is missing");
  }
  const { processors, ...others } = decodeJson(head, HEAD, "head");
  return {
    ...others,
    pages,
    // Whether it is one is for the machine to say.
    board: decodeJson(board, anything, "board") as unknown as BoardState,
    processors: wholeProcessors(processors, core),
  };
}
