// Which virtual processor runs when. All run on the main isolate, one at a time, in
// turns of counted instructions, so that the order depends on nothing but what the
// guest and its caller do: a VP keeps its turn over exits (its caller comes back for
// it) until its instructions are used up, it waits, or its caller stays away.
//
// The host's clock is read for two things only, neither of which the guest can see in
// "virtual" mode: giving the event loop its turn every few milliseconds, and, in
// "host" mode, sleeping while all processors wait.

import { setImmediate } from "node:timers";
import {
  type Core,
  EXITBUF,
  type Instance,
  RUN_EXIT,
  RUN_IDLE,
} from "./module.ts";

/** Nanoseconds of guest time an instruction takes (TICKS in core/hooks.ts). */
const TICKS = 10;
/** Instructions of a turn when several processors want to run. */
const TURN = 20_000;
/** Instructions of a turn when one does; bounds how late a ^C is seen. */
const TURN_ALONE = 400_000;
/** The event loop gets a turn this often, in ms. */
const YIELD_MS = 4;
/** Microtasks to wait for the caller of the VP that has the turn. */
const PATIENCE = 24;
const NEVER = Infinity;
const EXIT_CONTEXT_BYTES = 224;

/** "virtual": idle time is skipped. "host": it is slept through. */
export type ClockMode = "virtual" | "host";

interface Run {
  readonly resolve: (hresult: number) => void;
  readonly context: Uint8Array;
}

/** Runs the virtual processors of one module. */
export class Scheduler {
  readonly #core: Core;
  readonly #exit: Uint8Array;
  readonly #runs: (Run | null)[] = [];
  readonly #latched: boolean[] = [];
  mode: ClockMode = "virtual";
  #pending = 0;
  #owner = 0;
  #left = 0;
  /** The owner exited and its caller is expected back; counts to PATIENCE. */
  #waiting = false;
  #waitId = 0;
  #pumping = false;
  #scheduled = false;
  #lastYield = performance.now();
  #untilClock = 0;
  #sleep: ReturnType<typeof setTimeout> | undefined;
  #sleepBegan = 0;
  #alarm = NEVER;
  #alarmFn: (() => void) | null = null;
  #closed = false;

  constructor(instance: Instance) {
    this.#core = instance.core;
    this.#exit = instance.memory.subarray(
      EXITBUF,
      EXITBUF + EXIT_CONTEXT_BYTES,
    );
  }

  /** Guest time at which `fn` is to be called once, between instructions. */
  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? NEVER : Number(ns);
    this.#alarmFn = ns === null ? null : fn;
    this.kick();
  }

  /** WHvRunVirtualProcessor, once whvRunBegin allowed it. */
  run(vp: number, context: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      this.#runs[vp] = { resolve, context };
      this.#pending++;
      if (this.#latched[vp]) {
        this.#latched[vp] = false;
        this.#cancelNow(vp);
        return;
      }
      if (this.#waiting) {
        if (vp !== this.#owner) return; // the owner's caller has priority
        this.#waiting = false;
      }
      this.#pump();
    });
  }

  /** WHvCancelRunVirtualProcessor: the current run, or the next. */
  cancel(vp: number): void {
    if (this.#runs[vp]) this.#cancelNow(vp);
    else this.#latched[vp] = true;
  }

  #cancelNow(vp: number): void {
    this.#core.vpCanceled(vp);
    this.#finish(vp);
    this.kick();
  }

  /** Something outside changed (an interrupt, a register): wake whoever waits. */
  kick(): void {
    if (this.#pumping || this.#scheduled || this.#pending === 0) return;
    this.#wake();
    this.#schedule();
  }

  /** Forgets latched cancels of a deleted processor. */
  forget(vp: number): void {
    this.#latched[vp] = false;
  }

  /** Lets go of timers. */
  close(): void {
    if (this.#sleep !== undefined) clearTimeout(this.#sleep);
    this.#closed = true;
  }

  #finish(vp: number): void {
    const run = this.#runs[vp]!;
    this.#runs[vp] = null;
    this.#pending--;
    run.context.set(
      run.context.length >= EXIT_CONTEXT_BYTES
        ? this.#exit
        : this.#exit.subarray(0, run.context.length),
    );
    this.#core.whvRunEnd(vp);
    run.resolve(0);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#macrotask());
  }

  #macrotask(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#lastYield = performance.now();
    this.#untilClock = 0;
    if (!this.#waiting) this.#pump();
  }

  /** Ends a sleep: in "host" mode guest time moves by what passed. */
  #wake(): void {
    if (this.#sleep === undefined) return;
    clearTimeout(this.#sleep);
    this.#sleep = undefined;
    const ns = Math.round((performance.now() - this.#sleepBegan) * 1e6);
    this.#core.skipTime(BigInt(this.#core.guestTimeNumber() + ns));
  }

  /** The owner's caller did not come back in time: the others go on. */
  #wait(hops: number, id: number): void {
    if (!this.#waiting || id !== this.#waitId) return;
    if (hops < PATIENCE) {
      Promise.resolve().then(() => this.#wait(hops + 1, id));
      return;
    }
    this.#waiting = false;
    this.#left = 0;
    this.#pump();
  }

  /** The processor whose turn it is: the owner, or the next that can run; -1 if none. */
  #choose(): number {
    const runs = this.#runs;
    if (
      this.#left > 0 && runs[this.#owner] && this.#core.vpReady(this.#owner)
    ) return this.#owner;
    const n = runs.length;
    for (let i = 1; i <= n; i++) {
      const vp = (this.#owner + i) % n;
      if (runs[vp] && this.#core.vpReady(vp)) {
        this.#owner = vp;
        this.#left = this.#pending > 1 ? TURN : TURN_ALONE;
        return vp;
      }
    }
    return -1;
  }

  /** Runs turns until a VP exits, the event loop is due or all wait. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#pending > 0) {
        if (--this.#untilClock < 0) {
          this.#untilClock = 32;
          if (performance.now() - this.#lastYield > YIELD_MS) {
            this.#schedule();
            return;
          }
        }
        const now = this.#core.guestTimeNumber();
        if (now >= this.#alarm) {
          const fn = this.#alarmFn!;
          this.#alarm = NEVER;
          this.#alarmFn = null;
          fn();
          continue;
        }
        const vp = this.#choose();
        if (vp < 0) {
          if (this.#idle(now)) continue;
          return;
        }
        let budget = this.#left;
        if (this.#alarm !== NEVER) {
          const room = Math.ceil((this.#alarm - now) / TICKS);
          if (room < budget) budget = room;
        }
        const result = this.#core.vpRun(vp, budget);
        if (result === RUN_EXIT) {
          this.#left -= this.#core.executed();
          this.#finish(vp);
          if (this.#pending > 0) {
            this.#waiting = true;
            this.#wait(0, ++this.#waitId);
          }
          return;
        }
        this.#left = result === RUN_IDLE ? 0 : this.#left - budget;
        if (result !== RUN_IDLE && budget > 20_000) this.#untilClock = 0;
        else this.#untilClock -= 4;
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** Nobody can run. True if time was moved to where somebody can. */
  #idle(now: number): boolean {
    const timer = this.#core.nextTimerNumber();
    const wake = timer < this.#alarm ? timer : this.#alarm;
    if (wake <= now) return wake !== NEVER;
    if (this.mode === "virtual") {
      if (wake === NEVER) return false; // only the outside can wake us
      this.#core.skipTime(BigInt(wake));
      return true;
    }
    if (this.#sleep === undefined) {
      this.#sleepBegan = performance.now();
      const ms = wake === NEVER
        ? 0x7fff_ffff
        : Math.min((wake - now) / 1e6, 0x7fff_ffff);
      this.#sleep = setTimeout(() => {
        this.#wake();
        if (!this.#waiting) this.#pump();
      }, ms);
    }
    return false;
  }
}
