/**
 * A run in a file: the machine as it was at the beginning, and all that cannot be worked
 * out from it. What is written is good up to the last whole section, so a program that
 * was killed leaves a recording up to its last flush.
 */
import type { ScheduleLog } from "../../ffi/mod.ts";
import type { BlockStore } from "../machine/devices/virtio/block.ts";
import type { BoardState } from "../machine/saved.ts";
import {
  anything,
  flag,
  integer,
  optional,
  queue,
  record,
  text,
  type ValueOf,
} from "../machine/state.ts";
import {
  ContainerError,
  decodeJson,
  encodeHead,
  encodeSection,
  END,
  FileKind,
  loadJson,
  sectionsOf,
} from "./container.ts";
import {
  decodePages,
  type DiskIdentity,
  DISKS,
  encodePages,
  identify,
  identifyBytes,
  identifyMemory,
  PROCESSORS,
  wholeProcessors,
} from "./image.ts";
import type { Moment } from "./moment.ts";
import { type LoadedMemory, PageSet } from "./pages.ts";

const PAGES_AT_A_TIME = 8192;
const BYTES_AT_A_TIME = 1 << 24;
const Name = {
  head: "head",
  disk: "disk",
  file: "file",
  segment: "segm",
  processors: "vcpu",
  pages: "page",
  log: "logs",
  input: "inpt",
} as const;

// What the sections say.
const HEAD = record({
  format: text(""),
  about: anything,
  contents: flag(false),
  disks: DISKS,
  files: queue(record({ name: text(""), bytes: integer(0), sha256: text("") })),
  loaded: optional(text("")),
});
const SEGMENT = record({
  processors: PROCESSORS,
  // Whether it is one is for the machine to say.
  board: anything,
  quiet: flag(false),
  full: flag(false),
  loaded: flag(false),
});
const ENDED = record({
  instructions: integer(0),
  code: integer(0),
  message: optional(text("")),
});
const INPUT = record({ channel: text(""), bytes: text("") });

/** A moment from which a recording is repeated. */
export interface RecordedSegment extends Moment {
  readonly quiet: boolean;
  /** Whether `pages` are all that are not zero; else those that changed since the one
   * before. */
  readonly full: boolean;
  /** Whether memory is what the guest's files make, and `pages` what changed since. */
  readonly loaded: boolean;
  readonly pages: PageSet;
  /** Of each disk, what changed. */
  readonly disks: readonly PageSet[];
}

/** A file that the guest is made of. */
export interface GuestFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Such a file as a recording names it. */
export interface RecordedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Null where it is not in the recording. */
  readonly content: Uint8Array | null;
}

/** What came from outside. */
export interface RecordedInput {
  readonly channel: string;
  readonly bytes: Uint8Array;
}

/** A recording that was read. */
export interface RecordedRun {
  /** The caller's own: what the machine was made with. */
  readonly about: unknown;
  readonly format: string;
  readonly disks: readonly DiskIdentity[];
  /** The disks' contents at the beginning; null where they are not in the file. */
  readonly contents: readonly Uint8Array[] | null;
  /** What the guest is made of. */
  readonly files: readonly RecordedFile[];
  /** The hash of guest memory as these files alone make it; null where no segment begins
   * from that. */
  readonly loaded: string | null;
  /** With the bytes of the log behind each; null where there is none. */
  readonly segments: readonly {
    readonly state: RecordedSegment;
    readonly log: Uint8Array | null;
  }[];
  readonly inputs: readonly RecordedInput[];
  /** How it ended; null where the writer did not come to that. */
  readonly end: RecordedEnd | null;
}

/** A recording's end. */
export interface RecordedEnd {
  readonly instructions: number;
  /** The exit code of the program. */
  readonly code: number;
  /** What it said then. */
  readonly message?: string;
}

/** Where to write. */
export interface RecordingSink {
  writeSync(bytes: Uint8Array): number;
}

/** What a recording is made of. */
export interface RecordingOptions {
  readonly sink: RecordingSink;
  readonly format: string;
  readonly about: unknown;
  readonly disks: readonly BlockStore[];
  /** What the guest is made of. */
  readonly files: readonly GuestFile[];
  /** Guest memory, if it is what these files alone make it, and its changed pages are
   * taken from now on; else null. */
  readonly loaded: LoadedMemory | null;
  /** Whether the disks' and files' contents go into the file. */
  readonly contents: boolean;
  /** Told once when nothing more can be written. */
  readonly failed: (error: unknown) => void;
}

/** Writes a recording. Once that fails nothing is written any more. */
export class Recorder {
  readonly #options: RecordingOptions;
  #broken = false;
  #log: ScheduleLog | null = null;
  /** Bytes of the log that are written. */
  #written = 0;
  /** The hash of memory as the files make it; null where that is not known. */
  readonly #loaded: string | null;
  #based: boolean;

  constructor(options: RecordingOptions) {
    this.#options = options;
    const { format, about, disks, files, loaded, contents } = options;
    this.#loaded = loaded && identifyMemory(loaded.memory, loaded.pages);
    this.#based = loaded !== null;
    this.#put(encodeHead(FileKind.recording));
    this.#json(Name.head, {
      format,
      about,
      contents,
      disks: disks.map(identify),
      files: files.map(({ name, bytes }) => ({
        name,
        bytes: bytes.length,
        sha256: identifyBytes(bytes),
      })),
      loaded: this.#loaded,
    });
    if (!contents) return;
    disks.forEach((disk, i) =>
      this.#content(Name.disk, i, disk.bytes, (at, into) => disk.read(at, into))
    );
    files.forEach(({ bytes }, i) =>
      this.#content(
        Name.file,
        i,
        bytes.length,
        (at, into) => into.set(bytes.subarray(at, at + into.length)),
      )
    );
  }

  #content(
    name: string,
    index: number,
    total: number,
    read: (at: number, into: Uint8Array) => void,
  ): void {
    for (let at = 0; at < total; at += BYTES_AT_A_TIME) {
      const length = Math.min(BYTES_AT_A_TIME, total - at);
      const bytes = new Uint8Array(4 + length);
      new DataView(bytes.buffer).setUint32(0, index, true);
      read(at, bytes.subarray(4));
      this.#section(name, bytes);
    }
  }

  /** Whether the next segment begins from what the files make. */
  get based(): boolean {
    return this.#based;
  }

  /** The guest has been loaded anew. Whether that made of memory what it was at first:
   * then its changed pages are to be taken from now on. */
  reloaded(memory: Uint8Array): boolean {
    const isSame = this.#loaded !== null &&
      identifyMemory(memory) === this.#loaded;
    if (isSame) this.#based = true;
    return isSame;
  }

  /** The machine as it is; what follows is repeated from here. */
  segment(state: RecordedSegment, log: ScheduleLog | null): void {
    this.flush();
    this.#based = false;
    const { core, time, ...processors } = state.processors;
    this.#json(Name.segment, {
      processors: { ...processors, time: `${time}` },
      board: state.board,
      quiet: state.quiet,
      full: state.full,
      loaded: state.loaded,
    });
    this.#section(Name.processors, core);
    [state.pages, ...state.disks].forEach((set, space) => {
      const { length } = set.numbers;
      for (let at = 0; at < length; at += PAGES_AT_A_TIME) {
        const pages = encodePages(set, at, at + PAGES_AT_A_TIME);
        const bytes = new Uint8Array(4 + pages.length);
        new DataView(bytes.buffer).setUint32(0, space, true);
        bytes.set(pages, 4);
        this.#section(Name.pages, bytes);
      }
    });
    this.follow(log);
  }

  /** What is run from now on is in this log. */
  follow(log: ScheduleLog | null): void {
    this.flush();
    this.#log = log;
    this.#written = 0;
  }

  /** Something came from outside; the log says where. */
  input({ channel, bytes }: RecordedInput): void {
    this.#json(Name.input, { channel, bytes: bytes.toHex() });
  }

  /** Writes what the log has more than was written. */
  flush(): void {
    const log = this.#log;
    if (log === null || log.settled <= this.#written) return;
    this.#section(Name.log, log.encoded.slice(this.#written, log.settled));
    this.#written = log.settled;
  }

  /** The end: nothing is written behind it. */
  end(end: RecordedEnd): void {
    if (this.#log !== null) {
      this.#section(Name.log, this.#log.encoded.slice(this.#written));
      this.#log = null;
    }
    this.#json(END, end);
    this.#broken = true;
  }

  /** Behind the last instruction that the log has, all of it is written. */
  settle(): void {
    const log = this.#log;
    this.#log = null;
    if (log === null) return;
    this.#section(Name.log, log.encoded.slice(this.#written));
  }

  #json(name: string, value: unknown): void {
    this.#section(name, new TextEncoder().encode(JSON.stringify(value)));
  }

  #section(name: string, bytes: Uint8Array): void {
    if (!this.#broken) this.#put(encodeSection({ name, bytes }));
  }

  #put(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.#options.sink.writeSync(bytes.subarray(done));
      }
    } catch (error) {
      this.#broken = true;
      this.#options.failed(error);
    }
  }
}

/** Reads a recording, as far as it is whole; throws a ContainerError for what is none, or
 * ends before anything ran. */
export function readRecording(file: Uint8Array): RecordedRun {
  let head: ValueOf<typeof HEAD> | null = null;
  const contents: Uint8Array[][] = [], files: Uint8Array[][] = [];
  const segments: {
    state: RecordedSegment;
    pages: PageSet[][];
    log: Uint8Array[];
  }[] = [];
  const inputs: RecordedInput[] = [];
  let end: RecordedEnd | null = null;
  for (const { name, bytes } of sectionsOf(file, FileKind.recording, true)) {
    const last = segments.at(-1);
    const word = () => {
      if (bytes.length < 4) throw new ContainerError("a part of it is missing");
      return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    };
    if (name === Name.head) head = decodeJson(bytes, HEAD, "head");
    else if (name === Name.disk) {
      (contents[word()] ??= []).push(bytes.subarray(4));
    } else if (name === Name.file) {
      (files[word()] ??= []).push(bytes.subarray(4));
    } else if (name === Name.segment) {
      const { processors, board, ...others } = decodeJson(
        bytes,
        SEGMENT,
        "segment",
      );
      segments.push({
        state: {
          ...others,
          processors: wholeProcessors(processors, new Uint8Array(0)),
          board: board as unknown as BoardState,
          pages: PageSet.none,
          disks: [],
        },
        pages: [],
        log: [],
      });
    } else if (name === Name.processors && last) {
      const { state } = last;
      last.state = {
        ...state,
        processors: { ...state.processors, core: bytes },
      };
    } else if (name === Name.pages && last) {
      (last.pages[word()] ??= []).push(decodePages(bytes.subarray(4)));
    } else if (name === Name.log && last) last.log.push(bytes);
    else if (name === Name.input) {
      const { channel, bytes: hex } = decodeJson(bytes, INPUT, "input");
      if (!/^([0-9a-f]{2})*$/.test(hex)) {
        throw new ContainerError("its input is none");
      }
      inputs.push({ channel, bytes: Uint8Array.fromHex(hex) });
    } else if (name === END) end = endOf(bytes);
    else throw new ContainerError(`${name} is unknown in it`);
  }
  // A segment that is cut off within its pages has nothing behind it.
  while (
    end === null && segments.length > 0 && segments.at(-1)!.log.length === 0
  ) segments.pop();
  if (head === null || segments.length === 0) {
    throw new ContainerError("it ends before the guest ran");
  }
  const { disks, format, about, loaded } = head;
  const hasContents = head.contents;
  return {
    format,
    about,
    disks,
    contents: hasContents
      ? disks.map((_, i) => concatenate(contents[i] ?? []))
      : null,
    files: head.files.map((file, i) => ({
      ...file,
      content: hasContents ? concatenate(files[i] ?? []) : null,
    })),
    loaded,
    segments: segments.map(({ state, pages, log }) => ({
      state: {
        ...state,
        pages: joined(pages[0] ?? []),
        disks: disks.map((_, i) => joined(pages[i + 1] ?? [])),
      },
      log: log.length === 0 ? null : concatenate(log),
    })),
    inputs,
    end,
  };
}

/** What the last section says. */
function endOf(bytes: Uint8Array): RecordedEnd {
  const said = decodeJson(bytes, anything, "end");
  const whole = typeof said === "object" ? { message: null, ...said } : said;
  const { message, ...end } = loadJson(whole, ENDED, "end");
  return message === null ? end : { ...end, message };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Sets whose numbers follow each other, as one. */
function joined(sets: readonly PageSet[]): PageSet {
  return sets.reduce((all, set) => set.over(all), PageSet.none);
}
