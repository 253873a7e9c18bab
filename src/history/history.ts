/**
 * The past of a machine: snapshots, and between them the schedule and everything that
 * came from outside, so that any moment is reached by going to a snapshot before it and
 * repeating what followed. It is kept while the guest runs live; a debugger that steps
 * or writes makes what cannot be repeated, and a snapshot behind it instead.
 *
 * Segments are what there is; Positions tells of them, Present makes snapshots and goes
 * back to them, Live keeps what runs, the Repeater has it done again, and Past is where
 * the machine is.
 */
import type { PlatformTimeTravel } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { JournaledStore } from "./disks.ts";
import { Inputs } from "./inputs.ts";
import { Live } from "./live.ts";
import type { LoadedMemory } from "./pages.ts";
import { Past } from "./past.ts";
import { Positions } from "./positions.ts";
import { Present } from "./present.ts";
import { segmentsOf } from "./recorded.ts";
import type { RecordedRun, Recorder } from "./recording.ts";
import { Repeater } from "./repeater.ts";
import { SegmentWriter } from "./segment_writer.ts";
import { INTERVAL, Segments } from "./segments.ts";
import type { Hit, HitVerdict, Position, TimeTravel } from "./time_travel.ts";

/** How much history there is to be. */
export interface HistoryOptions {
  /** Host memory that it may take. */
  readonly bytes: number;
  /** Instructions between two snapshots. */
  readonly interval?: number;
  /** What writes all of it to a file. */
  readonly recorder?: Recorder;
  /** What guest memory is but for what changed since the platform was last asked for
   * changed pages; without it all of memory is looked at once. */
  readonly loaded?: LoadedMemory | null;
  /** The machine's disks. */
  readonly disks?: readonly JournaledStore[];
}

/** The history of a machine on a platform that can repeat. */
export class History implements TimeTravel {
  readonly available = null;
  readonly #platform: PlatformTimeTravel;
  readonly #memory: Uint8Array;
  readonly #segments: Segments;
  readonly #positions: Positions;
  readonly #inputs = new Inputs();
  readonly #present: Present;
  readonly #live: Live;
  readonly #repeater: Repeater;
  readonly #past: Past;

  /** Throws where the platform cannot: ask {@linkcode whyNoHistory} before. */
  constructor(machine: Machine, options: HistoryOptions) {
    const { bytes, interval = INTERVAL, recorder = null } = options;
    const { disks = [], loaded = null } = options;
    const segments = this.#segments = new Segments(bytes);
    const positions = this.#positions = new Positions(segments);
    this.#platform = machine.options.platform.timeTravel!;
    this.#memory = machine.options.guestMemory;
    this.#present = new Present(
      machine,
      disks,
      segments,
      loaded,
      recorder && new SegmentWriter(machine, recorder),
    );
    this.#live = new Live(
      machine,
      segments,
      this.#present,
      this.#inputs,
      recorder,
      interval,
    );
    this.#repeater = new Repeater(machine, this.#inputs, positions);
    this.#past = new Past(
      machine,
      segments,
      positions,
      this.#present,
      this.#live,
      this.#repeater,
    );
  }

  /** How much host memory it takes, about. */
  get bytes(): number {
    return this.#segments.bytes;
  }

  /** How many snapshots there are. */
  get snapshots(): number {
    return this.#segments.all.length;
  }

  // --- while the guest runs live

  /** What comes on a channel from outside goes through input(), to `take`. */
  channel(name: string, take: (bytes: Uint8Array) => void): void {
    this.#inputs.channel(name, take);
  }

  /** Something comes from outside. In the past it waits until the guest goes on live. */
  input(channel: string, bytes: Uint8Array): void {
    if (this.inPast) this.#inputs.wait({ channel, bytes: bytes.slice() });
    else this.#live.input({ channel, bytes });
  }

  /** The guest is about to run live. `repeatable`: the log of what is run is all that
   * happens; steps that the platform makes are in it, too. */
  resuming(repeatable: boolean): void {
    this.fork();
    this.#inputs.deliverWaiting();
    this.#live.resuming(repeatable);
  }

  /** The guest has stopped: no processor is run. What is noted goes on with the next
   * resume, unless something is changed before. */
  stopped(): void {
    this.#past.wentOn();
    this.#live.stopped();
  }

  /** Forgets everything: the machine, which nobody runs, has become another one. */
  restart(): void {
    this.#live.close();
    this.#segments.forget(0);
    this.#past.leave();
    this.#present.forked();
  }

  /** Takes a run that was recorded, instead of what there is; the machine, which nobody
   * runs, is at its beginning then. Where that is what files make, memory is it now. */
  take(run: RecordedRun): void {
    this.restart();
    this.#inputs.note(...run.inputs);
    this.#segments.append(...segmentsOf(run, this.#memory, this.#platform));
    this.#present.begin();
    this.#past.restore(0);
  }

  /** Whether somebody is to be told of what is repeated, as when it was live. */
  get audible(): boolean {
    return this.#repeater.audible;
  }

  set audible(audible: boolean) {
    this.#repeater.audible = audible;
  }

  // --- going there

  get inPast(): boolean {
    return this.#past.inPast;
  }

  now(): Position {
    return {
      instructions: BigInt(this.#platform.instructions()),
      time: this.#platform.time(),
    };
  }

  start(): Position {
    return this.snapshots > 0 ? this.#positions.start : this.now();
  }

  end(): Position {
    return this.inPast ? this.#positions.end : this.now();
  }

  before(instructions: bigint): bigint | null {
    return this.#positions.before(instructions);
  }

  after(instructions: bigint): bigint | null {
    return this.#positions.after(instructions);
  }

  gap(instructions: bigint): bigint | null {
    return this.#positions.gap(instructions);
  }

  wasChanged(instructions: bigint): boolean {
    return this.#positions.wasChanged(instructions);
  }

  lastOf(processor: number, instructions: bigint): bigint | null {
    return this.#positions.lastOf(processor, instructions);
  }

  nextOf(processor: number, instructions: bigint): bigint | null {
    return this.#positions.nextOf(processor, instructions);
  }

  processorAt(instructions: bigint): number | null {
    return this.#positions.processorAt(instructions);
  }

  goTo(instructions: bigint, near = false, left = false): Promise<void> {
    return this.#past.goTo(instructions, near, left);
  }

  replay(
    to: bigint,
    onHit: (hit: Hit) => HitVerdict,
  ): Promise<"hit" | "end"> {
    return this.#past.replay(to, onHit);
  }

  fork(): void {
    this.#past.fork();
  }
}

/** Why a machine has no history, in one line for the user; null if it can have one. */
export function whyNoHistory(machine: Machine): string | null {
  const { platform } = machine.options;
  return platform.timeTravel === undefined
    ? `the ${platform.name} platform cannot repeat what it did: --platform soft can`
    : null;
}
