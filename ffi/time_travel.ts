// What a platform whose runs can be repeated offers to go back in time. No Windows has
// it. Counts of instructions are of all VPs together.

/** An entry of a schedule. */
export interface ScheduleEntry {
  /** "run": `value` instructions of `vp`. "skip": `value` ns of guest time while no VP
   * could run. "event": the caller's, `value` is its number. "pass": debug points were
   * passed, `value` is a DebugPass. "met": `vp` exited before an instruction that has a
   * debug point, and the events that come before that had been delivered. "cut": the
   * next instruction of `vp` is a REP that a debug point cut short after `value`
   * iterations. */
  readonly kind: "run" | "skip" | "event" | "pass" | "met" | "cut";
  /** The VP it is about; 0 where it is about none. */
  readonly vp: number;
  /** By kind. */
  readonly value: number;
}

/** What was run in which order between two moments. */
export interface ScheduleLog {
  /** Instructions at its beginning. */
  readonly start: number;
  /** Instructions at its end. */
  readonly end: number;
  /** How much memory it takes. */
  readonly bytes: number;
  /** What it is made of, to be kept; valid until it grows. */
  readonly encoded: Uint8Array;
  /** Bytes of that which will not change when it grows. */
  readonly settled: number;
  /** Notes that an event of the caller's comes here. */
  event(index: number): void;
  /** Takes what another log has, which begins where this one ends. */
  append(other: ScheduleLog): void;
  /** Forgets what is behind a number of instructions. */
  cutAt(instructions: number): void;
  /** From the beginning, each with the number of instructions before it. */
  [Symbol.iterator](): Iterator<ScheduleEntry & { readonly from: number }>;
}

/** All VPs, their local APICs and guest time, without guest memory. */
export interface ProcessorsState {
  /** Guest time, ns. */
  readonly time: bigint;
  /** Instructions so far. */
  readonly instructions: number;
  /** Whose turn it is, and what the length of turns comes from. */
  readonly turn: {
    readonly owner: number;
    readonly left: number;
    readonly seed: number;
    readonly latched: readonly number[];
  };
  /** The VPs and their local APICs, in the platform's own format. */
  readonly core: Uint8Array;
}

/** How to replay. */
export interface ReplayOptions {
  /** What is repeated. */
  readonly log: ScheduleLog;
  /** An event of the caller's comes here. */
  event(index: number): void;
  /** A VP passed debug points here, and is about to. */
  passed(vp: number): void;
  /** It is where it was to run to, all VPs are held; or the error that the guest did
   * something else. */
  arrived(error: Error | null): void;
}

/** A log that is repeated. */
export interface Replay {
  /** Instructions so far. */
  readonly position: number;
  /** While all VPs are held: repeats what comes up to a number of instructions, the
   * log's end at most. */
  runTo(to: number): void;
  /** While it has arrived: what the log has behind is forgotten. */
  cut(): void;
  /** While it has arrived: what the log has behind goes into a log of its own, which is
   * returned. */
  split(): ScheduleLog;
}

/**
 * Snapshots and replay. "Quiet" is a moment between two instructions in which all VPs are
 * being run, so that no exit is being carried out.
 *
 * @example
 * ```ts
 * import {
 *   openSoft,
 *   Partition,
 *   type PlatformTimeTravel,
 *   type ProcessorsState,
 *   type Replay,
 *   type ReplayOptions,
 *   type ScheduleEntry,
 *   type ScheduleLog,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x40, 0xeb, 0xfd], 0xfff0); // a: inc ax; jmp a
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const time: PlatformTimeTravel = platform.timeTravel;
 *
 * // A snapshot at the beginning, and a log of the first 1,000 instructions.
 * const recorded = Promise.withResolvers<[ProcessorsState, ScheduleLog]>();
 * time.whenQuiet(0, () => {
 *   const state = time.save();
 *   const log = time.record();
 *   time.whenExactly(1000, () => {
 *     time.stopRecording();
 *     time.hold(() => recorded.resolve([state, log]));
 *   });
 * });
 * const run = vp.run();
 * const [state, log] = await recorded.promise;
 * const [entry]: Iterable<ScheduleEntry> = log;
 * assertEquals([entry.kind, entry.vp, entry.value], ["run", 0, 1000]);
 *
 * // Back, and 600 of them again; the VP is still being run.
 * const arrived = Promise.withResolvers<Error | null>();
 * const options: ReplayOptions = {
 *   log,
 *   event: () => {},
 *   passed: () => {},
 *   arrived: arrived.resolve,
 * };
 * time.load(state);
 * assertEquals(time.instructions(), 0);
 * const replay: Replay = time.replay(options);
 * replay.runTo(600);
 * assertEquals(await arrived.promise, null);
 * assertEquals([replay.position, time.instructions()], [600, 600]);
 * vp.cancel();
 * time.release();
 * assertEquals((await run).reason, "canceled");
 * ```
 */
export interface PlatformTimeTravel {
  /** Who else can load a state: a platform with the same format. */
  readonly format: string;
  /** Instructions so far. */
  instructions(): number;
  /** Guest time, ns. */
  time(): bigint;
  /** A number that grows with every change from outside: of registers, interrupts or
   * memory. */
  changes(): number;
  /** The state; while quiet, or while no VP is run. */
  save(): ProcessorsState;
  /** A page of guest memory is another one now, before load(). */
  replaced(page: number): void;
  /** Why a state is none of such VPs, in a line; null if it can be loaded. */
  refusal(state: ProcessorsState): string | null;
  /** Takes a state, when save() might be called. Guest memory is the caller's to bring
   * in line before. */
  load(state: ProcessorsState): void;
  /** Pages of guest memory (of the bytes that are its own, by number) written since this
   * was called last, or since load(). */
  takeChanged(): Uint32Array;
  /** Notes from now on what is run, in a new log. */
  record(): ScheduleLog;
  /** Ends that. */
  stopRecording(): void;
  /** A log of such bytes that begins after so many instructions. */
  logOf(start: number, encoded: Uint8Array): ScheduleLog;
  /** Calls `fn` when it is quiet and so many instructions are done, or a little later;
   * null takes it back. VPs are run on behind it unless it calls hold(). */
  whenQuiet(instructions: number, fn: (() => void) | null): void;
  /** As whenQuiet(), but after exactly so many instructions, which live ones may be cut
   * for. */
  whenExactly(instructions: number, fn: () => void): void;
  /** VPs are not run, though they may be asked to run; `fn` is called once all are. */
  hold(fn: () => void): void;
  /** Back to running live. */
  release(): void;
  /** Prepares to repeat what a log has, from its beginning. */
  replay(options: ReplayOptions): Replay;
}
