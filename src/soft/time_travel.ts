// Snapshots of the processors, and replays, of one module.

import type {
  PlatformTimeTravel,
  ProcessorsState,
  Replay,
  ReplayOptions,
  ScheduleLog,
} from "../../ffi/mod.ts";
import "./number_types.ts";
import {
  BANK_SIZE,
  BANKS,
  CHANGED,
  COUNTERS,
  COUNTERS_STRIDE,
  GUEST,
  IOBUF,
  LAPIC_BYTES,
  LAPIC_STRIDE,
  LAPICS,
  STATE_SIZE,
  TLB_ENTRY,
  TLB_VP,
  TLBS,
} from "./core/layout.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { Follow } from "./follow.ts";
import { CORE_IDENTITY, type Instance } from "./module.ts";
import { Schedule } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";

/** stateSave()'s globals. */
const GLOBALS_BYTES = 48;
/** A TLB entry that is kept: its number before it. */
const KEPT_ENTRY = 4 + TLB_ENTRY;

/** The software platform's way through time. */
export class SoftTimeTravel implements PlatformTimeTravel {
  readonly #instance: Instance;
  readonly #scheduler: Scheduler;
  readonly #words: Uint32Array;
  readonly #changed: Uint32Array;
  readonly #firstPage = GUEST / PAGE_BYTES;

  constructor(instance: Instance, scheduler: Scheduler) {
    this.#instance = instance;
    this.#scheduler = scheduler;
    const { buffer, byteLength } = instance.memory;
    this.#words = new Uint32Array(buffer, 0, GUEST / 4);
    this.#changed = new Uint32Array(
      buffer,
      CHANGED + this.#firstPage / 8,
      Math.ceil((byteLength - GUEST) / PAGE_BYTES / 32),
    );
  }

  get format(): string {
    return CORE_IDENTITY;
  }

  instructions(): number {
    return this.#instance.core.instructionsNumber();
  }

  changes(): number {
    return this.#scheduler.changes;
  }

  time(): bigint {
    return this.#instance.core.guestTime();
  }

  save(): ProcessorsState {
    const { core, memory } = this.#instance;
    core.stateSave();
    const globals = memory.slice(IOBUF, IOBUF + GLOBALS_BYTES);
    const count = core.vpsCreated();
    const parts: Uint8Array[] = [globals];
    for (const [first, stride, bytes] of perProcessor) {
      for (let vp = 0; vp < count; vp++) {
        const at = first + vp * stride;
        parts.push(memory.subarray(at, at + bytes));
      }
    }
    parts.push(this.#saveTlbs(count));
    const core_ = new Uint8Array(
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    let at = 0;
    for (const part of parts) {
      core_.set(part, at);
      at += part.length;
    }
    return {
      time: core.guestTime(),
      instructions: core.instructionsNumber(),
      turn: this.#scheduler.turn,
      core: core_,
    };
  }

  refusal({ time, instructions, turn, core: saved }: ProcessorsState) {
    const count = this.#instance.core.vpsCreated();
    const whole = (n: number) => Number.isSafeInteger(n);
    const isVp = (n: number) => whole(n) && n >= 0 && n < count;
    const { owner, left, seed, latched } = turn;
    if (
      !isVp(owner) || !whole(left) || !whole(seed) || !latched.every(isVp)
    ) return "the saved processors have another turn";
    const fixed = perProcessor.reduce(
      (sum, [, , bytes]) => sum + count * bytes,
      GLOBALS_BYTES,
    );
    if (
      saved.length < fixed || (saved.length - fixed) % KEPT_ENTRY !== 0
    ) return "the saved processors are others";
    const view = new DataView(saved.buffer, saved.byteOffset, saved.length);
    for (let at = fixed; at < saved.length; at += KEPT_ENTRY) {
      const entry = view.getUint32(at, true) * 4;
      if (entry % TLB_ENTRY !== 0 || entry >= count * TLB_VP) {
        return "the saved processors have another TLB";
      }
    }
    return view.getBigUint64(0, true) === time &&
        view.getBigUint64(8, true) === BigInt(instructions)
      ? null
      : "the saved processors are of another moment";
  }

  load(state: ProcessorsState): void {
    const { core, memory } = this.#instance;
    const count = core.vpsCreated();
    let at = GLOBALS_BYTES;
    for (const [first, stride, bytes] of perProcessor) {
      for (let vp = 0; vp < count; vp++) {
        memory.set(state.core.subarray(at, at + bytes), first + vp * stride);
        at += bytes;
      }
    }
    this.#loadTlbs(count, state.core.subarray(at));
    memory.set(state.core.subarray(0, GLOBALS_BYTES), IOBUF);
    core.stateLoad();
    this.#changed.fill(0);
    this.#scheduler.turn = state.turn;
  }

  /** The entries that hold something: most hold nothing. */
  #saveTlbs(count: number): Uint8Array {
    const words = this.#words;
    const first = TLBS / 4, end = (TLBS + count * TLB_VP) / 4;
    let kept = 0;
    const isEmpty = (w: number) =>
      (words[w] & words[w + 2] & words[w + 6]) === -1;
    for (let w = first; w < end; w += TLB_ENTRY / 4) if (!isEmpty(w)) kept++;
    const saved = new Uint32Array(kept * KEPT_ENTRY / 4);
    let to = 0;
    for (let w = first; w < end; w += TLB_ENTRY / 4) {
      if (isEmpty(w)) continue;
      saved[to++] = w - first;
      for (let i = 0; i < TLB_ENTRY / 4; i++) saved[to++] = words[w + i];
    }
    return new Uint8Array(saved.buffer);
  }

  #loadTlbs(count: number, saved: Uint8Array): void {
    const words = this.#words;
    const first = TLBS / 4, end = (TLBS + count * TLB_VP) / 4;
    words.fill(0xffffffff, first, end);
    const aligned = new Uint32Array(saved.slice().buffer);
    for (let from = 0; from < aligned.length; from += KEPT_ENTRY / 4) {
      words.set(
        aligned.subarray(from + 1, from + KEPT_ENTRY / 4),
        first + aligned[from],
      );
    }
  }

  replaced(page: number): void {
    this.#instance.core.hostWrote(GUEST + page * PAGE_BYTES, PAGE_BYTES);
  }

  takeChanged(): Uint32Array {
    const bits = this.#changed;
    const pages: number[] = [];
    for (let w = 0; w < bits.length; w++) {
      let word = bits[w];
      if (word === 0) continue;
      bits[w] = 0;
      while (word !== 0) {
        const bit = 31 - Math.clz32(word & -word);
        pages.push(w * 32 + bit);
        word &= word - 1;
      }
    }
    this.#instance.core.withholdWrites();
    return Uint32Array.from(pages);
  }

  record(): ScheduleLog {
    return this.#scheduler.log = new Schedule(this.instructions());
  }

  logOf(start: number, encoded: Uint8Array): ScheduleLog {
    return Schedule.of(start, encoded);
  }

  stopRecording(): void {
    this.#scheduler.log = null;
  }

  whenQuiet(instructions: number, fn: (() => void) | null): void {
    this.#scheduler.whenQuiet(instructions, fn, false);
  }

  whenExactly(instructions: number, fn: () => void): void {
    this.#scheduler.whenQuiet(instructions, fn, true);
  }

  hold(fn: () => void): void {
    this.#scheduler.hold(fn);
  }

  release(): void {
    this.#scheduler.release();
  }

  replay(options: ReplayOptions): Replay {
    const follow = new Follow(this.#instance.core, options);
    const { cursor } = follow;
    const scheduler = this.#scheduler;
    return {
      get position() {
        return cursor.total;
      },
      runTo(to) {
        follow.to = to;
        scheduler.follow(follow);
      },
      cut: () => cursor.log.cut(cursor),
      split: () => cursor.log.split(cursor),
    };
  }
}

/** Where each processor's state is: the first one's address, the distance to the next
 * one's, and its bytes. */
const perProcessor: readonly (readonly [number, number, number])[] = [
  [BANKS, BANK_SIZE, STATE_SIZE],
  [LAPICS, LAPIC_STRIDE, LAPIC_BYTES],
  [COUNTERS, COUNTERS_STRIDE, COUNTERS_STRIDE],
];
