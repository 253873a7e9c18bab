/**
 * The past of a machine: snapshots, and between them the schedule and everything that
 * came from outside, so that any moment is reached by going to a snapshot before it and
 * repeating what followed. It is kept while the guest runs live; a debugger that steps
 * or writes makes what cannot be repeated, and a snapshot behind it instead.
 */
import { DebugAccess } from "../../ffi/debug_points.ts";
import type { PlatformTimeTravel, Replay, ScheduleLog } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { Processor } from "../machine/processor.ts";
import type { JournaledStore } from "./disks.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { bringBack, type Moment, momentOf } from "./moment.ts";
import { PagePool, PageSet } from "./pages.ts";
import type { RecordedRun, Recorder } from "./recording.ts";
import type { Hit, HitVerdict, Position, TimeTravel } from "./time_travel.ts";

/** Instructions between two snapshots, while there is room. */
const INTERVAL = 8_000_000;
/** Guest time that an instruction takes where runs can be repeated. */
const NS_OF_INSTRUCTION = 10n;
/** Snapshots near the end that are never thinned out. */
const RECENT = 4;
/** How often between two snapshots memory is found for the next one, how many pages at
 * a time, and for how many at most. */
const PREPARATIONS = 8;
const PREPARED_PAGES = 1280;
const MOST_PREPARED = 10_240;
/** How far before a position a snapshot is made where the next ones will be near. */
const NEAR = 20_000;
/** How many such snapshots are kept. */
const MOST_NEAR = 8;
/** What a snapshot takes besides pages, processors and schedule, about. */
const BOARD_BYTES = 16_384;

/** A snapshot and what followed it. */
interface Segment extends Moment {
  /** Whether processors were being run, between two instructions; else none was. */
  readonly quiet: boolean;
  /** Whether the log before leads here: nothing else happened between. */
  readonly continues: boolean;
  /** Whether `pages` are all that are not zero; else what changed since the segment
   * before. */
  full: boolean;
  pages: PageSet;
  /** Of each disk, the same. */
  disks: readonly PageSet[];
  /** What followed; null where that cannot be repeated. */
  log: ScheduleLog | null;
}

/** What came from outside. */
interface Input {
  readonly channel: string;
  readonly bytes: Uint8Array;
}

/** What replaying cannot do; the message is one line for the user. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** The part of the time that snapshots of steps may take, and the most that is put by. */
const STEPS_SHARE = 0.05;
const MOST_BUDGET_MS = 100;

/** How much history there is to be. */
export interface HistoryOptions {
  /** Host memory that it may take. */
  readonly bytes: number;
  /** Instructions between two snapshots. */
  readonly interval?: number;
  /** What writes all of it to a file. */
  readonly recorder?: Recorder;
  /** The machine's disks. */
  readonly disks?: readonly JournaledStore[];
}

/** The history of a machine on a platform that can repeat. */
export class History implements TimeTravel {
  readonly available = null;
  readonly #machine: Machine;
  readonly #platform: PlatformTimeTravel;
  readonly #most: number;
  readonly #disks: readonly JournaledStore[];
  readonly #segments: Segment[] = [];
  readonly #inputs: Input[] = [];
  readonly #waiting: Input[] = [];
  readonly #channels = new Map<string, (bytes: Uint8Array) => void>();
  /** What the segments took when they were last added up, and those since. */
  #estimate = 0;
  /** The segment that memory is made of, but for what changed since. */
  #base = -1;
  /** Null while the machine is at its end. */
  #past: { segment: number; replay: Replay | null } | null = null;
  /** Where the pages of snapshots are. */
  readonly #pool = new PagePool();
  /** Snapshots made on the way to positions that were asked for. */
  readonly #near: Segment[] = [];
  /** The last segment is what going back began from. */
  #endSaved = false;
  /** Whether the guest runs live. */
  #live = false;
  /** Whether the last segment's log goes on: all that changed the machine is in it. */
  #open = false;
  /** The platform's count of changes when the guest stopped. */
  #changes = 0;
  /** Whether the guest runs as no log has it. */
  #opaque = false;
  /** What came behind here is gone: in a file, too, nothing leads here. */
  #forked = false;
  /** Pages, and of each disk blocks, that changed since a segment was written. */
  readonly #unwritten = new Set<number>();
  #unwrittenBlocks: PageSet[] = [];
  /** Host time that snapshots of steps may take yet, and when that was so. */
  #budgetMs = MOST_BUDGET_MS;
  #budgetAt = performance.now();
  readonly #recorder: Recorder | null;
  readonly #interval: number;

  /** Throws where the platform cannot: ask {@linkcode whyNot} before. */
  constructor(machine: Machine, options: HistoryOptions) {
    this.#machine = machine;
    this.#platform = machine.options.platform.timeTravel!;
    this.#most = options.bytes;
    this.#disks = options.disks ?? [];
    this.#recorder = options.recorder ?? null;
    this.#interval = options.interval ?? INTERVAL;
    const { platform, guestMemory } = machine.options;
    machine.onReset.subscribe(() => {
      if (!this.#recorder?.reloaded(guestMemory)) return;
      platform.timeTravel!.takeChanged();
      this.#unwritten.clear();
      this.#forked = true;
    });
  }

  get inPast(): boolean {
    return this.#past !== null;
  }

  now(): Position {
    return {
      instructions: BigInt(this.#platform.instructions()),
      time: this.#platform.time(),
    };
  }

  start(): Position {
    return this.#segments.length > 0
      ? positionOf(this.#segments[0])
      : this.now();
  }

  end(): Position {
    if (this.#past === null) return this.now();
    const last = this.#segments.at(-1)!;
    return last.log === null ? positionOf(last) : endOf(last, last.log);
  }

  /** How much host memory it takes, about. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + sizeOf(segment), 0);
  }

  /** How many snapshots there are. */
  get snapshots(): number {
    return this.#segments.length;
  }

  // --- while the guest runs live

  /** What comes on a channel from outside goes through input(), to `take`. */
  channel(name: string, take: (bytes: Uint8Array) => void): void {
    this.#channels.set(name, take);
  }

  /** Something comes from outside. In the past it waits until the guest goes on live. */
  input(channel: string, bytes: Uint8Array): void {
    if (this.#past !== null) {
      this.#waiting.push({ channel, bytes: bytes.slice() });
      return;
    }
    const log = this.#open ? this.#segments.at(-1)!.log : null;
    if (log) {
      log.event(this.#inputs.length);
      this.#inputs.push({ channel, bytes: bytes.slice() });
      this.#recorder?.input(this.#inputs.at(-1)!);
    }
    this.#channels.get(channel)!(bytes);
  }

  /** The guest is about to run live. `repeatable`: the log of what is run is all that
   * happens; steps that the platform makes are in it, too. */
  resuming(repeatable: boolean): void {
    if (this.#past !== null) this.fork();
    for (const { channel, bytes } of this.#waiting.splice(0)) {
      this.#channels.get(channel)!(bytes);
    }
    this.#live = true;
    this.#opaque = !repeatable;
    if (this.#platform.changes() !== this.#changes) this.#close();
    if (!repeatable) {
      this.#close();
      if (this.#segments.length === 0) this.#add(false, false);
      return;
    }
    if (!this.#open) {
      this.#add(false, false);
      this.#record();
    }
    this.#platform.whenQuiet(this.#due, this.#snap);
  }

  /** Where the next snapshot is due. */
  get #next(): number {
    return this.#startOf(this.#segments.length - 1) + this.#interval;
  }

  /** Where that is due, or before it to find memory for it. */
  get #due(): number {
    const from = this.#startOf(this.#segments.length - 1);
    const part = Math.ceil(this.#interval / (PREPARATIONS + 1));
    const over = Math.floor((this.#platform.instructions() - from) / part);
    return Math.min(from + (over + 1) * part, this.#next);
  }

  /** While the guest runs: a snapshot, or what makes the next one short. */
  readonly #snap = (): void => {
    if (this.#platform.instructions() >= this.#next) {
      this.#add(true, true);
      this.#record();
    } else {
      const { length } = this.#machine.options.guestMemory;
      const most = Math.min(length, this.#most / 4) / PAGE_BYTES;
      this.#pool.prepare(Math.min(most, MOST_PREPARED), PREPARED_PAGES);
    }
    this.#platform.whenQuiet(this.#due, this.#snap);
  };

  /** What follows the last snapshot is noted from now on. */
  #record(): void {
    const log = this.#platform.record();
    this.#segments.at(-1)!.log = log;
    this.#recorder?.follow(log);
    this.#open = true;
  }

  /** The last segment's log ends here. */
  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#platform.stopRecording();
    this.#recorder?.settle();
  }

  /** The guest has stopped: no processor is run. What is noted goes on with the next
   * resume, unless something is changed before. */
  stopped(): void {
    this.#platform.whenQuiet(0, null);
    this.#recorder?.flush();
    this.#changes = this.#platform.changes();
    this.#live = false;
    this.#endSaved = false;
    if (this.#opaque) this.#addIfCheap();
  }

  /**
   * A snapshot where the guest was stepped to. A person's steps each have one; a script
   * that steps without a pause has one now and then, and between two of them history is
   * gone over as a whole.
   */
  #addIfCheap(): void {
    const now = performance.now();
    this.#budgetMs += (now - this.#budgetAt) * STEPS_SHARE;
    if (this.#budgetMs > MOST_BUDGET_MS) this.#budgetMs = MOST_BUDGET_MS;
    this.#budgetAt = now;
    if (this.#budgetMs <= 0) return;
    this.#add(false, false);
    this.#budgetMs -= performance.now() - now;
  }

  /** Forgets everything: the machine, which nobody runs, has become another one. */
  restart(): void {
    this.#close();
    this.#forget(0);
    this.#base = -1;
    this.#past = null;
    this.#endSaved = false;
    this.#forked = true;
  }

  /** Takes a run that was recorded, instead of what there is; the machine, which nobody
   * runs, is at its beginning then. Where that is what files make, memory is it now. */
  take(run: RecordedRun): void {
    this.restart();
    const memory = this.#machine.options.guestMemory;
    const asLoaded = PageSet.nonZero(memory);
    this.#inputs.push(...run.inputs);
    for (const { state, log } of run.segments) {
      const { instructions } = state.processors;
      const segments = this.#segments;
      // Another future began: what was recorded before and came later is gone.
      while (segments.length > 0) {
        const last = segments.at(-1)!;
        if (last.processors.instructions <= instructions) {
          if (last.log && last.log.end > instructions) {
            last.log.cutAt(instructions);
          }
          break;
        }
        segments.pop();
      }
      segments.push({
        ...state,
        full: state.full || state.loaded,
        pages: state.loaded ? state.pages.over(asLoaded.copy()) : state.pages,
        continues: false,
        log: log && this.#platform.logOf(instructions, log),
      });
    }
    const { pages } = this.#segments[0];
    memory.fill(0);
    pages.numbers.forEach((page, i) =>
      memory.set(pages.page(i), page * PAGE_BYTES)
    );
    for (let page = 0; page * PAGE_BYTES < memory.length; page++) {
      this.#platform.replaced(page);
    }
    this.#base = 0;
    this.#restore(0);
  }

  /** Whether somebody is to be told of what is repeated, as when it was live. */
  audible = false;

  /** A snapshot of what is now. */
  #add(quiet: boolean, continues: boolean): void {
    const { guestMemory } = this.#machine.options;
    const changed = this.#platform.takeChanged();
    // After a reset most pages are zeros that were written.
    const full = this.#segments.length === 0 || this.#forked ||
      changed.length * PAGE_BYTES > guestMemory.length / 4;
    this.#forked = false;
    this.#segments.push({
      ...momentOf(this.#machine),
      quiet,
      continues,
      full,
      pages: full
        ? PageSet.nonZero(guestMemory, this.#pool)
        : PageSet.of(changed, guestMemory, this.#pool),
      disks: this.#disks.map((disk) => disk.takeChanged()),
      log: null,
    });
    this.#base = this.#segments.length - 1;
    if (this.#recorder !== null) this.#recordSegment(changed);
    this.#thin();
  }

  /** Writes the last segment, unless what was written leads there. */
  #recordSegment(changed: Uint32Array): void {
    const segment = this.#segments.at(-1)!;
    for (const page of changed) this.#unwritten.add(page);
    segment.disks.forEach((set, i) => {
      this.#unwrittenBlocks[i] = set.copy().over(
        this.#unwrittenBlocks[i] ?? PageSet.none,
      );
    });
    if (segment.continues) return;
    const loaded = this.#recorder!.based;
    const full = segment.full && !loaded;
    this.#recorder!.segment({
      ...segment,
      full,
      loaded,
      pages: full ? segment.pages : PageSet.of(
        Uint32Array.from(this.#unwritten).sort(),
        this.#machine.options.guestMemory,
      ),
      disks: this.#unwrittenBlocks,
    }, null);
    this.#unwritten.clear();
    this.#unwrittenBlocks = [];
  }

  // --- room

  /** Joins segments until history takes no more than it may. */
  #thin(): void {
    // All are gone through only where their sum may be too much.
    this.#estimate += sizeOf(this.#segments.at(-1)!);
    if (this.#estimate <= this.#most) return;
    let bytes = this.bytes;
    while (bytes > this.#most && this.#segments.length > RECENT + 1) {
      const before = bytes;
      this.#join(this.#leastMissed());
      bytes = this.bytes;
      if (bytes >= before && this.#segments.length <= RECENT + 1) break;
    }
    this.#estimate = bytes;
  }

  /** The segment whose snapshot is missed least: the gap that it leaves is the
   * smallest, for its distance from now. Never the first, unless no other can go. */
  #leastMissed(): number {
    const segments = this.#segments;
    const now = segments.at(-1)!.processors.instructions;
    let best = 0, least = Infinity;
    for (let i = 1; i < segments.length - RECENT; i++) {
      if (!segments[i].continues || segments[i - 1].log === null) continue;
      const at = (k: number) => segments[k].processors.instructions;
      const missed = (at(i + 1) - at(i - 1)) / (now - at(i) + INTERVAL);
      if (missed < least) {
        least = missed;
        best = i;
      }
    }
    return best;
  }

  /** Takes a segment's snapshot away; the one before it is repeated further. The first
   * segment goes as a whole. */
  #join(index: number): void {
    const segments = this.#segments;
    const segment = segments[index];
    if (index > 0) {
      const before = segments[index - 1];
      if (segment.log === null) before.log = null;
      else before.log!.append(segment.log);
    }
    this.#drop(index);
  }

  /** Takes all segments away from one on. */
  #forget(index: number): void {
    for (const { pages } of this.#segments.splice(index)) pages.release();
  }

  /** Takes a segment away, whatever followed it. */
  #drop(index: number): void {
    const segments = this.#segments;
    const segment = segments[index], next = segments[index + 1];
    if (!next.full) {
      next.pages = next.pages.over(segment.pages);
      next.full = segment.full;
    } else segment.pages.release();
    next.disks = next.disks.map((disk, i) => disk.over(segment.disks[i]));
    segments.splice(index, 1);
    if (this.#base > index) this.#base--;
  }

  // --- going there

  before(instructions: bigint): bigint | null {
    for (let i = this.#segments.length; i-- > 0;) {
      const at = BigInt(this.#segments[i].processors.instructions);
      if (at < instructions) return at;
    }
    return null;
  }

  after(instructions: bigint): bigint | null {
    for (const { processors } of this.#segments) {
      const at = BigInt(processors.instructions);
      if (at > instructions) return at;
    }
    return null;
  }

  gap(instructions: bigint): bigint | null {
    const position = Number(instructions);
    const first = this.#segmentOf(position);
    for (let i = first; i + 1 < this.#segments.length; i++) {
      const at = this.#gapOf(i);
      if (at !== null && this.#startOf(i + 1) > position) {
        return BigInt(Math.max(at, position));
      }
    }
    return null;
  }

  wasChanged(instructions: bigint): boolean {
    const position = Number(instructions);
    const index = this.#segmentOf(position);
    return index > 0 && this.#startOf(index) === position &&
      !this.#segments[index].continues &&
      this.#segments[index - 1].log?.end === position;
  }

  /** Where a segment's log ends, if the next one begins later; null if it does not. */
  #gapOf(index: number): number | null {
    if (index + 1 >= this.#segments.length) return null;
    const end = this.#segments[index].log?.end ?? this.#startOf(index);
    return this.#startOf(index + 1) > end ? end : null;
  }

  #startOf(index: number): number {
    return this.#segments[index].processors.instructions;
  }

  lastOf(processor: number, instructions: bigint): bigint | null {
    const limit = Number(instructions);
    for (let i = this.#segments.length; i-- > 0;) {
      const { log } = this.#segments[i];
      if (this.#startOf(i) >= limit) continue;
      const gap = this.#gapOf(i);
      if (gap !== null && gap < limit) return BigInt(gap);
      if (log === null) continue;
      let found = -1;
      for (const { kind, vp, value, from } of log) {
        if (from >= limit) break;
        if (kind !== "run" || vp !== processor || value === 0) continue;
        found = Math.min(from + value, limit) - 1;
      }
      if (found >= 0) return BigInt(found);
    }
    return null;
  }

  nextOf(processor: number, instructions: bigint): bigint | null {
    const from = this.#nextRun(instructions, processor);
    if (from === null) return null;
    return from.vp === null ? from.at : from.at + 1n;
  }

  processorAt(instructions: bigint): number | null {
    return this.#nextRun(instructions, null)?.vp ?? null;
  }

  /** The first instruction from a position on, of a processor or of any; what cannot be
   * repeated may be of any (null), and then it is its end. */
  #nextRun(
    instructions: bigint,
    processor: number | null,
  ): { vp: number | null; at: bigint } | null {
    const position = Number(instructions);
    for (let i = this.#segmentOf(position); i < this.#segments.length; i++) {
      const { log } = this.#segments[i];
      if (log === null || log.end <= position) {
        if (this.#gapOf(i) === null || this.#startOf(i + 1) <= position) {
          continue;
        }
        return { vp: null, at: BigInt(this.#startOf(i + 1)) };
      }
      for (const { kind, vp, value, from } of log) {
        if (kind !== "run" || from + value <= position) continue;
        if (processor !== null && vp !== processor) continue;
        return { vp, at: BigInt(Math.max(from, position)) };
      }
      if (this.#gapOf(i) !== null) {
        return { vp: null, at: BigInt(this.#startOf(i + 1)) };
      }
    }
    return null;
  }

  /** The newest segment that begins at a position or before it. */
  #segmentOf(position: number): number {
    for (let i = this.#segments.length; i-- > 0;) {
      if (this.#segments[i].processors.instructions <= position) return i;
    }
    return 0;
  }

  async goTo(
    instructions: bigint,
    near = false,
    left = false,
  ): Promise<void> {
    this.#leavePresent();
    const last = this.#segments.length - 1;
    let position = Number(instructions);
    if (position < this.#segments[0].processors.instructions) {
      throw new HistoryError(
        `history begins at instruction ${this.start().instructions}`,
      );
    }
    if (
      position >= this.#segments[last].processors.instructions && !left &&
      this.#segments[last].log === null
    ) {
      this.#restore(last);
      this.#past = null;
      return;
    }
    const index = this.#segmentOf(left ? position - 1 : position);
    const segment = this.#segments[index];
    // What cannot be repeated has no positions between its ends.
    position = Math.min(
      position,
      segment.log?.end ?? segment.processors.instructions,
    );
    const here = this.#past;
    if (
      here?.replay && here.segment === index && here.replay.position <= position
    ) {
      const via = viaTo(position, here.replay.position, near);
      await this.#run(here.replay, position, null, { via });
    } else {
      const via = viaTo(position, this.#startOf(index), near);
      await this.#enter(index, position, null, via);
    }
    this.#atEndOfRun();
  }

  /** Where a recorded run ends the machine can go on live. */
  #atEndOfRun(): void {
    const last = this.#segments.length - 1;
    const log = this.#segments[last].log;
    if (this.#past?.segment !== last || log === null) return;
    if ((this.#past.replay?.position ?? -1) < log.end) return;
    this.#add(false, false);
    this.#past = null;
    this.#endSaved = true;
  }

  /** At a moment of a replay a snapshot is made, from which the rest is repeated. */
  #split(replay: Replay): Replay {
    const { guestMemory } = this.#machine.options;
    const index = this.#past!.segment;
    const log = replay.split();
    const segment: Segment = {
      ...momentOf(this.#machine),
      quiet: true,
      continues: true,
      full: false,
      pages: PageSet.of(
        this.#platform.takeChanged(),
        guestMemory,
        this.#pool,
      ),
      disks: this.#disks.map((disk) => disk.takeChanged()),
      log,
    };
    this.#segments.splice(index + 1, 0, segment);
    this.#estimate += sizeOf(segment);
    this.#base = index + 1;
    const rest = this.#replayOf(log);
    this.#past = { segment: index + 1, replay: rest };
    this.#near.push(segment);
    if (this.#near.length > MOST_NEAR) this.#forgetNear();
    return rest;
  }

  /** Takes the oldest of the snapshots away that were made on the way. */
  #forgetNear(): void {
    const index = this.#segments.indexOf(this.#near.shift()!);
    const last = this.#segments.length - 1;
    const past = this.#past!;
    if (index <= 0 || index === last || index === past.segment) return;
    this.#join(index);
    if (past.segment > index) past.segment--;
  }

  async replay(
    to: bigint,
    onHit: (hit: Hit) => HitVerdict,
  ): Promise<"hit" | "end"> {
    const last = this.#segments.length - 1;
    if (this.#past === null) return "end";
    const position = Math.min(
      Number(to),
      Number(this.end().instructions),
    );
    let { segment, replay } = this.#past;
    let moved = false;
    for (;;) {
      const end = Math.min(
        this.#segments[segment].log?.end ?? -1,
        position,
      );
      if (replay !== null && replay.position < end) {
        moved = true;
        if (await this.#run(replay, end, onHit) === "hit") return "hit";
      } else if (
        replay === null &&
        this.#segments[segment].processors.instructions < end
      ) {
        moved = true;
        if (await this.#enter(segment, end, onHit) === "hit") return "hit";
      }
      if (
        segment + 1 > last ||
        this.#segments[segment + 1].processors.instructions > position
      ) {
        this.#atEndOfRun();
        return "end";
      }
      const isThere =
        this.#past!.replay?.position === this.#startOf(segment + 1);
      segment++;
      replay = null;
      const { continues, log } = this.#segments[segment];
      const ends = segment === last && log === null;
      // It was stopped here, and changed: it met its points as it was before.
      const left = isThere && moved && !ends && !continues;
      if (left && this.#stoppedHere(onHit, true)) return "hit";
      if (isThere && continues && log !== null) {
        // It is what the snapshot has.
        replay = this.#replayOf(log);
        this.#past = { segment, replay };
        continue;
      }
      this.#restore(segment);
      this.#past = ends ? null : { segment, replay: null };
      if (!continues && !left && this.#stoppedHere(onHit, false)) return "hit";
      if (ends) return "end";
    }
  }

  /** The guest was stopped here: each processor may be where it came to a point. */
  #stoppedHere(onHit: (hit: Hit) => HitVerdict, left: boolean): boolean {
    const { instructions } = this.now();
    return this.#machine.processors.some(({ index }) =>
      onHit({ instructions, processor: index, point: null, left }) === "stop"
    );
  }

  /** What is now is kept, to come back to it, instead of what was kept so before: it may
   * have been changed meanwhile. */
  #leavePresent(): void {
    if (this.#past !== null) return;
    this.#close();
    const before = this.#endSaved ? this.#segments.length - 1 : -1;
    this.#add(false, false);
    if (before > 0 && before === this.#segments.length - 2) this.#drop(before);
    this.#endSaved = true;
  }

  /** Makes the machine what it was at the beginning of a segment. */
  #restore(index: number): void {
    bringBack(this.#machine, this.#segments[index], () => {
      this.#restorePages(index);
      this.#restoreDisks(index);
    });
    this.#base = index;
    this.#past = { segment: index, replay: null };
  }

  #restoreDisks(index: number): void {
    const segments = this.#segments;
    const from = Math.min(this.#base, index), to = Math.max(this.#base, index);
    this.#disks.forEach((disk, d) => {
      const { numbers } = disk.takeChanged();
      const between = segments.slice(from + 1, to + 1)
        .flatMap(({ disks }) => [...disks[d].numbers]);
      disk.restore(
        [...numbers, ...between],
        segments.slice(0, index + 1).map(({ disks }) => disks[d]),
      );
    });
  }

  #restorePages(index: number): void {
    const segments = this.#segments;
    const memory = this.#machine.options.guestMemory;
    const needed = new Uint8Array(Math.ceil(memory.length / PAGE_BYTES));
    let left = 0;
    const need = (numbers: Uint32Array) => {
      for (const page of numbers) {
        if (needed[page] === 0) left++;
        needed[page] = 1;
      }
    };
    need(this.#platform.takeChanged());
    const from = Math.min(this.#base, index), to = Math.max(this.#base, index);
    // What has all of memory does not say which pages became zeros.
    const isWhole = segments.slice(from + 1, to + 1).some(({ full }) => full);
    for (let i = isWhole ? 0 : from + 1; i <= to; i++) {
      need(segments[i].pages.numbers);
    }
    for (let i = index; i >= 0 && left > 0; i--) {
      const { pages } = segments[i];
      const { numbers } = pages;
      for (let k = 0; k < numbers.length && left > 0; k++) {
        const page = numbers[k];
        if (needed[page] === 0) continue;
        needed[page] = 0;
        left--;
        memory.set(pages.page(k), page * PAGE_BYTES);
        this.#platform.replaced(page);
      }
      if (segments[i].full) break;
    }
    for (let page = 0; left > 0; page++) {
      if (needed[page] === 0) continue;
      left--;
      memory.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      this.#platform.replaced(page);
    }
  }

  /** From a segment's beginning to a position. */
  async #enter(
    index: number,
    to: number,
    onHit: ((hit: Hit) => HitVerdict) | null,
    via: number | null = null,
  ): Promise<"hit" | "end"> {
    const segment = this.#segments[index];
    // A state in which no processor is run is one in which none may be.
    if (!segment.quiet) this.#restore(index);
    if (segment.log === null) return "end";
    const replay = this.#replayOf(segment.log);
    const prepare = () => {
      if (segment.quiet) this.#restore(index);
      this.#past = { segment: index, replay };
    };
    return await this.#run(replay, to, onHit, { prepare, via });
  }

  #replayOf(log: ScheduleLog): Replay {
    return this.#platform.replay({
      log,
      event: (i) => {
        const { channel, bytes } = this.#inputs[i];
        this.#channels.get(channel)!(bytes);
      },
      passed: (vp) => this.#passed(vp),
      arrived: (error) => this.#arrived(error),
    });
  }

  #passed: (vp: number) => void = () => {};
  #arrived: (error: Error | null) => void = () => {};

  /** Runs all processors until a replay is at a position, or a hit is to stop it. */
  async #run(
    replay: Replay,
    to: number,
    onHit: ((hit: Hit) => HitVerdict) | null,
    { prepare = () => {}, via = null }: {
      /** Puts the machine to the beginning, while all processors are held. */
      readonly prepare?: () => void;
      /** A position on the way of which a snapshot is to be made. */
      readonly via?: number | null;
    } = {},
  ): Promise<"hit" | "end"> {
    const machine = this.#machine;
    const { processors } = machine;
    let outcome: "hit" | "end" = "end";
    let failed: unknown = null;
    const end = (how: "hit" | "end") => {
      outcome = how;
      this.#platform.hold(() => {});
      for (const processor of processors) processor.requestReturn();
    };
    this.#passed = (processor) => {
      const { instructions } = this.now();
      // It was met as it was before the change.
      if (this.wasChanged(instructions)) return;
      const hit = { instructions, processor, point: null, left: false };
      if (onHit?.(hit) === "stop") end("hit");
    };
    this.#arrived = (error) => {
      if (error !== null) failed ??= new HistoryError(error.message);
      else if (via !== null) {
        via = null;
        this.#split(replay).runTo(to);
        return;
      }
      end("end");
    };
    machine.repeating = !this.audible;
    machine.resumeTime();
    try {
      this.#platform.hold(() => {
        prepare();
        replay.runTo(via ?? to);
      });
      const runs = processors.map((processor) =>
        this.#drive(processor, onHit, end).catch((error) => {
          failed ??= error;
          end("end");
        })
      );
      await Promise.all(runs);
      if (failed !== null) throw failed;
      return outcome;
    } finally {
      for (const processor of processors) {
        processor.clearRequest();
        processor.vp.expectRun(false);
      }
      this.#platform.release();
      machine.suspendTime();
      machine.repeating = false;
      machine.partition.changes++;
    }
  }

  /** One processor's runs, to the end of the replay. */
  async #drive(
    processor: Processor,
    onHit: ((hit: Hit) => HitVerdict) | null,
    end: (how: "hit" | "end") => void,
  ): Promise<void> {
    for (;;) {
      const why = await processor.run(false);
      switch (why.kind) {
        case "canceled":
          return;
        case "power":
          // What followed was a snapshot.
          return end("end");
        case "point": {
          const [first] = why.exit.hits;
          if (first === undefined) break;
          const verdict = onHit?.({
            instructions: BigInt(this.#platform.instructions()),
            processor: processor.index,
            point: why.exit,
            left: false,
          });
          if (verdict === "stop") return end("hit");
          // Behind an access of data there is nothing to pass.
          if (first.access === DebugAccess.Execute) {
            processor.vp.passDebugPoints();
          }
          break;
        }
        default:
          throw new HistoryError(
            `processor ${processor.index} did not do again what it did`,
          );
      }
    }
  }

  fork(): void {
    const past = this.#past;
    if (past === null) return;
    const { segment, replay } = past;
    this.#forget(segment + 1);
    if (replay === null) this.#segments[segment].log = null;
    else replay.cut();
    this.#past = null;
    this.#endSaved = false;
    this.#forked = true;
  }
}

/** Why a machine has no history, in one line for the user; null if it can have one. */
export function whyNoHistory(machine: Machine): string | null {
  const { platform } = machine.options;
  return platform.timeTravel === undefined
    ? `the ${platform.name} platform cannot repeat what it did: --platform soft can`
    : null;
}

/** Where on the way to a position a snapshot is made; null if the way is short. */
function viaTo(to: number, from: number, near: boolean): number | null {
  return near && to - from > 2 * NEAR ? to - NEAR : null;
}

function positionOf({ processors }: Segment): Position {
  return {
    instructions: BigInt(processors.instructions),
    time: processors.time,
  };
}

/** Where a log ends: guest time goes by its instructions and by what was skipped. */
function endOf({ processors }: Segment, log: ScheduleLog): Position {
  let { time } = processors;
  for (const { kind, value } of log) {
    if (kind === "run") time += NS_OF_INSTRUCTION * BigInt(value);
    else if (kind === "skip") time += BigInt(value);
  }
  return { instructions: BigInt(log.end), time };
}

function sizeOf({ pages, disks, processors, log }: Segment): number {
  return [pages, ...disks].reduce((sum, { bytes }) => sum + bytes, 0) +
    processors.core.length + (log?.bytes ?? 0) + BOARD_BYTES;
}
