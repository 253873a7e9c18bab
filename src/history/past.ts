/** Going back: the machine is put to a snapshot, and what followed is repeated from there. */
import type { PlatformTimeTravel, Replay } from "../../ffi/mod.ts";
import type { Machine } from "../machine/machine.ts";
import type { Live } from "./live.ts";
import type { Positions } from "./positions.ts";
import type { Present } from "./present.ts";
import { HistoryError, type Repeater, type Way } from "./repeater.ts";
import type { Segment, Segments } from "./segments.ts";
import type { Hit, HitVerdict } from "./time_travel.ts";

/** How far before a position a snapshot is made where the next ones will be near. */
const NEAR = 20_000;
/** How many such snapshots are kept. */
const MOST_NEAR = 8;

/** Where in the past a machine is; goTo(), replay() and fork() are TimeTravel's. */
export class Past {
  readonly #machine: Machine;
  readonly #platform: PlatformTimeTravel;
  readonly #segments: Segments;
  readonly #positions: Positions;
  readonly #present: Present;
  readonly #live: Live;
  readonly #repeater: Repeater;
  /** Null while the machine is at its end. */
  #here: { segment: number; replay: Replay | null } | null = null;
  /** Snapshots made on the way to positions that were asked for. */
  readonly #near: Segment[] = [];
  /** The last segment is what going back began from. */
  #endSaved = false;

  constructor(
    machine: Machine,
    segments: Segments,
    positions: Positions,
    present: Present,
    live: Live,
    repeater: Repeater,
  ) {
    this.#machine = machine;
    this.#platform = machine.options.platform.timeTravel!;
    this.#segments = segments;
    this.#positions = positions;
    this.#present = present;
    this.#live = live;
    this.#repeater = repeater;
  }

  /** Whether the machine is before its history's end. */
  get inPast(): boolean {
    return this.#here !== null;
  }

  /** The guest ran on live: what going back began from is no more the last. */
  wentOn(): void {
    this.#endSaved = false;
  }

  /** The machine, which has become another one, is at its end. */
  leave(): void {
    this.#here = null;
    this.#endSaved = false;
  }

  async goTo(
    instructions: bigint,
    near = false,
    left = false,
  ): Promise<void> {
    this.#leavePresent();
    const segments = this.#segments.all;
    const last = segments.length - 1;
    let position = Number(instructions);
    if (position < this.#segments.startOf(0)) {
      throw new HistoryError(
        `history begins at instruction ${this.#segments.startOf(0)}`,
      );
    }
    if (
      position >= this.#segments.startOf(last) && !left &&
      segments[last].log === null
    ) {
      this.restore(last);
      this.#here = null;
      return;
    }
    const index = this.#positions.segmentOf(left ? position - 1 : position);
    // What cannot be repeated has no positions between its ends.
    position = Math.min(
      position,
      segments[index].log?.end ?? this.#segments.startOf(index),
    );
    const here = this.#here;
    if (
      here?.replay && here.segment === index && here.replay.position <= position
    ) {
      const via = near ? this.#viaTo(position, here.replay.position) : null;
      await this.#repeater.run(here.replay, position, null, { via });
    } else {
      const via = near
        ? this.#viaTo(position, this.#segments.startOf(index))
        : null;
      await this.#enter(index, position, null, via);
    }
    this.#atEndOfRun();
  }

  /** A snapshot on the way to a position, shortly before it; null if the way is short. */
  #viaTo(to: number, from: number): Way["via"] {
    if (to - from <= 2 * NEAR) return null;
    return { at: to - NEAR, split: (replay) => this.#split(replay) };
  }

  /** Where a recorded run ends the machine can go on live. */
  #atEndOfRun(): void {
    const here = this.#here;
    const { last } = this.#segments;
    if (here?.segment !== this.#segments.all.length - 1 || last.log === null) {
      return;
    }
    if ((here.replay?.position ?? -1) < last.log.end) return;
    this.#present.add(false, false);
    this.#here = null;
    this.#endSaved = true;
  }

  /** At a moment of a replay a snapshot is made, from which the rest is repeated. */
  #split(replay: Replay): Replay {
    const index = this.#here!.segment + 1;
    const log = replay.split();
    const segment = this.#present.insert(index, log);
    const rest = this.#repeater.replayOf(log);
    this.#here = { segment: index, replay: rest };
    this.#near.push(segment);
    if (this.#near.length > MOST_NEAR) this.#forgetNear();
    return rest;
  }

  /** Takes the oldest of the snapshots away that were made on the way. */
  #forgetNear(): void {
    const { all } = this.#segments;
    const index = all.indexOf(this.#near.shift()!);
    const here = this.#here!;
    if (index <= 0 || index === all.length - 1 || index === here.segment) {
      return;
    }
    this.#segments.join(index);
    if (here.segment > index) here.segment--;
  }

  async replay(
    to: bigint,
    onHit: (hit: Hit) => HitVerdict,
  ): Promise<"hit" | "end"> {
    if (this.#here === null) return "end";
    const segments = this.#segments.all;
    const last = segments.length - 1;
    const position = Math.min(
      Number(to),
      Number(this.#positions.end.instructions),
    );
    let { segment, replay } = this.#here;
    let moved = false;
    for (;;) {
      const end = Math.min(segments[segment].log?.end ?? -1, position);
      if (replay !== null && replay.position < end) {
        moved = true;
        const outcome = await this.#repeater.run(replay, end, onHit);
        if (outcome === "hit") return "hit";
      } else if (replay === null && this.#segments.startOf(segment) < end) {
        moved = true;
        if (await this.#enter(segment, end, onHit) === "hit") return "hit";
      }
      if (segment === last || this.#segments.startOf(segment + 1) > position) {
        this.#atEndOfRun();
        return "end";
      }
      const isThere =
        this.#here!.replay?.position === this.#segments.startOf(segment + 1);
      segment++;
      replay = null;
      const { continues, log } = segments[segment];
      const ends = segment === last && log === null;
      // It was stopped here, and changed: it met its points as it was before.
      const left = isThere && moved && !ends && !continues;
      if (left && this.#stoppedHere(onHit, true)) return "hit";
      if (isThere && continues && log !== null) {
        // It is what the snapshot has.
        replay = this.#repeater.replayOf(log);
        this.#here = { segment, replay };
        continue;
      }
      this.restore(segment);
      if (ends) this.#here = null;
      if (!continues && !left && this.#stoppedHere(onHit, false)) return "hit";
      if (ends) return "end";
    }
  }

  /** The guest was stopped here: each processor may be where it came to a point. */
  #stoppedHere(onHit: (hit: Hit) => HitVerdict, left: boolean): boolean {
    const instructions = BigInt(this.#platform.instructions());
    return this.#machine.processors.some(({ index }) =>
      onHit({ instructions, processor: index, point: null, left }) === "stop"
    );
  }

  /** What is now is kept, to come back to it, instead of what was kept so before: it may
   * have been changed meanwhile. */
  #leavePresent(): void {
    if (this.#here !== null) return;
    this.#live.close();
    const { all } = this.#segments;
    const before = this.#endSaved ? all.length - 1 : -1;
    this.#present.add(false, false);
    if (before > 0 && before === all.length - 2) this.#segments.drop(before);
    this.#endSaved = true;
  }

  /** Makes the machine what it was at the beginning of a segment. */
  restore(index: number): void {
    this.#present.restore(index);
    this.#here = { segment: index, replay: null };
  }

  /** From a segment's beginning to a position. */
  async #enter(
    index: number,
    to: number,
    onHit: ((hit: Hit) => HitVerdict) | null,
    via: Way["via"] = null,
  ): Promise<"hit" | "end"> {
    const { quiet, log } = this.#segments.all[index];
    // A state in which no processor is run is one in which none may be.
    if (!quiet) this.restore(index);
    if (log === null) return "end";
    const replay = this.#repeater.replayOf(log);
    const prepare = () => {
      if (quiet) this.restore(index);
      this.#here = { segment: index, replay };
    };
    return await this.#repeater.run(replay, to, onHit, { prepare, via });
  }

  fork(): void {
    if (this.#here === null) return;
    const { segment, replay } = this.#here;
    this.#segments.forget(segment + 1);
    if (replay === null) this.#segments.last.log = null;
    else replay.cut();
    this.leave();
    this.#present.forked();
  }
}
