// Which virtual processor runs when. All run on the main isolate, one at a time, in
// turns of counted instructions, so that the order depends on nothing but what the
// guest and its caller do: a VP keeps its turn over exits (its caller comes back for
// it) until its instructions are used up, it waits, or its caller stays away.
//
// Whom a turn waits for is told: no turn begins while a VP that is expected
// (IcebpExpectRun) is not there, and none waits for one that is said to stay away. Of
// callers that say neither it is not known whether they come back; they get PATIENCE.
//
// The host's clock is read for two things only, neither of which the guest can see in
// "virtual" mode: giving the event loop its turn every few milliseconds, and, in
// "host" mode, sleeping while all processors wait.

import type {
  AccessCallback,
  DebugPointFilter,
  ProcessorsState,
} from "../../ffi/mod.ts";
import {
  DEBUG_POINT,
  DebugAccess,
  DebugPass,
  ICEBP_DEBUG_POINT_CONTEXT,
} from "../../ffi/debug_points.ts";
import { WHV_RUN_VP_EXIT_CONTEXT } from "../../ffi/exits.ts";
import { ICEBP_ACCESS, IcebpAnswer } from "../../ffi/icebp.ts";
import type { Translator } from "./translate/translator.ts";
import { Attendance, EXPECTED, NOBODY, SILENT } from "./attendance.ts";
import { ACCESS, EXITBUF } from "./core/layout.ts";
import { RUN_EXIT, RUN_IDLE, RUN_SPUN, TICK } from "./core/shared.ts";
import type { Follow } from "./follow.ts";
import { type Core, type Instance } from "./module.ts";
import type { Schedule } from "./schedule.ts";

/**
 * Instructions of a turn when several processors want to run: from TURN up to twice as
 * many, another number each time. Were it always the same, a guest whose loop's length
 * divides it would end each turn at the same place, inside a lock for ever.
 */
const TURN = 1 << 14;
const MOST_OF_TURN = 2 * TURN;
/** Instructions of a turn when one does; bounds how late a ^C is seen. */
const TURN_ALONE = 400_000;
/**
 * Instructions that wait for another processor, such as PAUSE, at which a turn ends: so
 * many that a processor which waits in vain costs no more than the change of turns, and
 * those that all wait do not only change.
 */
const SPINS = 64;
/** Between two looks whether there is somebody to wait for now. */
const SPINS_ALONE = 4096;
/** The event loop gets a turn this often, in ms. */
const YIELD_MS = 16;
/**
 * A turn is this many immediates: as long as immediates are due, Deno's loop looks at
 * its sockets every 61st time. A timer would do in one, but takes a millisecond or more.
 */
const YIELD_IMMEDIATES = 62;
/** Looks at the host's clock are this many runs apart, or 32 times that many
 * instructions. A debugger's steps are so short, and give the event loop its turn anyway. */
const SHORT_RUNS = 1024;
/** Microtasks that callers have to come (back) with a run if they have not told whether
 * they do: who only awaits one run after the other is there by then. */
const PATIENCE = 24;
const NEVER = Infinity;
const EXIT_CONTEXT_BYTES = WHV_RUN_VP_EXIT_CONTEXT.size;
const REASON = WHV_RUN_VP_EXIT_CONTEXT.ExitReason;
/** The exit's own part of the context. */
const POINT_AT = WHV_RUN_VP_EXIT_CONTEXT.VpContext.offset + 40;
const HIT = ICEBP_DEBUG_POINT_CONTEXT.Hits;

/**
 * "virtual": idle time is skipped. "host": it is slept through.
 *
 * @example
 * ```ts
 * import { type ClockMode, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const clock: ClockMode = "host"; // a terminal's user waits in real time
 * const platform = await openSoft({ memoryBytes: 1 << 20, clock });
 * assertEquals(platform.clock.now(), 0n);
 * ```
 */
export type ClockMode = "virtual" | "host";

interface Run {
  readonly resolve: (hresult: number) => void;
  readonly context: Uint8Array;
}

/** Runs the virtual processors of one module. */
export class Scheduler {
  readonly #core: Core;
  readonly #exit: Uint8Array;
  readonly #exitView: DataView;
  /** IcebpSetDebugPointFilter. */
  filter: DebugPointFilter | null = null;
  /** IcebpSetStandstillCallback. */
  standstill: (() => void) | null = null;
  /** IcebpSetAccessCallback. */
  #answer: AccessCallback | null = null;
  readonly #access: DataView;
  /** While it is asked; what it asks for then waits until the instruction is complete. */
  #asking = false;
  #leave = false;
  /** Whether the owner comes out of the core for what it asked. */
  #cameOut = false;
  /** Whether its run is to end then. */
  #return = false;
  readonly #cancels: number[] = [];
  readonly #runs: (Run | null)[] = [];
  readonly #latched: boolean[] = [];
  mode: ClockMode = "virtual";
  /** How often the caller changed something. */
  changes = 0;
  /** Translates hot code; null if none is. */
  translator: Translator | null = null;
  #pending = 0;
  #owner = 0;
  #left = 0;
  #turns = 0x1ceb1ceb;
  /**
   * "turn": the owner runs (or the event loop has its turn meanwhile). "owner": it exited
   * and its caller is expected back. "gather": a turn is about to begin. "idle":
   * nobody can run. "held": nobody may. "follow": a replay waits for all to be back.
   */
  #phase: "idle" | "gather" | "turn" | "owner" | "held" | "follow" = "idle";
  /** Who comes with a run. */
  readonly #attendance = new Attendance();
  /** Whether #await() is about to look. */
  #looks = false;
  /** How many runs have returned, and at which number patience was last at an end. */
  #returns = 0;
  #waitedAt = 0;
  #lastYield = performance.now();
  #untilClock = 0;
  #sleep: ReturnType<typeof setTimeout> | undefined;
  #sleepBegan = 0;
  #alarm = NEVER;
  #alarmFn: (() => void) | null = null;
  #closed = false;
  /** Told of what is done. */
  log: Schedule | null = null;
  #quietAt = NEVER;
  #quietExactly = false;
  #quiet: (() => void) | null = null;
  /** Called, once, when all ask for a run while they are held. */
  #gathered: (() => void) | null = null;
  #follow: Follow | null = null;
  /** How often all were held: whatever was to go on then does not. */
  #holds = 0;

  constructor(instance: Instance) {
    this.#core = instance.core;
    this.#exit = instance.memory.subarray(
      EXITBUF,
      EXITBUF + EXIT_CONTEXT_BYTES,
    );
    this.#exitView = new DataView(
      this.#exit.buffer,
      this.#exit.byteOffset,
      EXIT_CONTEXT_BYTES,
    );
    this.#access = new DataView(
      instance.memory.buffer,
      ACCESS,
      ICEBP_ACCESS.size,
    );
  }

  /** IcebpSetAccessCallback. */
  setAccessCallback(callback: AccessCallback | null): void {
    this.#answer = callback;
    this.#core.setAnswering(callback === null ? 0 : 1);
  }

  /**
   * The core's question about an access of the VP that runs. What the callback does that
   * an exit's caller could have done before it came back takes effect when the VP comes
   * out of the core behind the instruction, so that both ways are the same.
   */
  access(vp: number): number {
    // Who was canceled comes back when others exit, too.
    if (this.#pending < this.#runs.length) return IcebpAnswer.Exit;
    this.#asking = true;
    // one that had its turn as the only one, see run()
    this.#leave = --this.#untilClock < 0 ||
      this.#left > MOST_OF_TURN && this.#attendance.known > 1;
    const answer = this.#answer!(vp, this.#access);
    this.#asking = false;
    if (answer === IcebpAnswer.Return) this.#return = true;
    else if (answer !== IcebpAnswer.Done || !this.#leave) return answer;
    this.#cameOut = true;
    return IcebpAnswer.Return;
  }

  /** Whether the exit is an instruction point's that the filter lets pass: the turn goes on
   * as if there were none. */
  #passed(vp: number): boolean {
    if (
      this.filter === null || !this.#atPoint ||
      this.filter(vp, HIT.Identifier.get(this.#exitView, POINT_AT)) !== 0
    ) return false;
    this.#core.whvPassDebugPoints(vp, DebugPass.Spin);
    return true;
  }

  /** Whether the exit is an instruction point's. */
  get #atPoint(): boolean {
    const view = this.#exitView;
    return REASON.get(view) === DEBUG_POINT &&
      HIT.Access.get(view, POINT_AT) === DebugAccess.Execute;
  }

  /** Whether the exit is the end of a step (DebugPass.Step) that hit nothing. */
  #stepped(): boolean {
    const view = this.#exitView;
    return REASON.get(view) === DEBUG_POINT &&
      ICEBP_DEBUG_POINT_CONTEXT.Count.get(view, POINT_AT) === 0;
  }

  /** Guest time at which `fn` is to be called once, between instructions. */
  setAlarm(ns: bigint | null, fn: () => void): void {
    const alarm = ns === null ? NEVER : Number(ns);
    if (alarm < this.#alarm) this.#leave = true;
    this.#alarm = alarm;
    this.#alarmFn = ns === null ? null : fn;
    this.kick();
  }

  /** WHvRunVirtualProcessor, once whvRunBegin allowed it. */
  run(vp: number, context: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      this.#runs[vp] = { resolve, context };
      this.#pending++;
      this.#attendance.came(vp);
      if (this.#latched[vp]) {
        this.#latched[vp] = false;
        this.#cancelNow(vp);
      } else if (this.#phase === "held") this.#countHeld();
      else if (this.#phase === "follow") {
        if (this.#complete) this.#pump();
      } else if (this.#phase === "owner" && vp === this.#owner) {
        const fresh = this.#left > MOST_OF_TURN || this.#left <= 0;
        if (fresh && this.#attendance.known > 1) {
          // Its turn was given to it as the only one: others may want to run by now. Else
          // a processor that steps over a breakpoint, others held, would run on to the
          // next one after every stop, and the others never get to theirs.
          this.#left = 0;
          this.#gather();
        } else {
          // back from its exit: the rest of its turn
          this.#phase = "turn";
          this.#pump();
        }
      } else if (this.#phase === "owner" || this.#phase === "gather") {
        this.#await(); // somebody else waits as well now, or again
      } else if (this.#phase === "idle") {
        this.#wake();
        this.#gather();
      }
    });
  }

  /** WHvCancelRunVirtualProcessor: the current run, or the next. */
  cancel(vp: number): void {
    if (this.#asking) {
      this.#cancels.push(vp);
      this.#leave = true;
    } else if (this.#runs[vp]) this.#cancelNow(vp);
    else this.#latched[vp] = true;
  }

  /** Whether the run of a VP that has asked ends; it is a canceled one then. */
  #toReturn(vp: number): boolean {
    if (!this.#return) {
      const at = this.#cancels.indexOf(vp);
      if (at < 0) return false;
      this.#cancels.splice(at, 1);
    }
    this.#core.vpCanceled(vp);
    return true;
  }

  /** Carries out the cancels that the callback of an access asked for. */
  #cancelAsked(): void {
    this.#return = false;
    for (const vp of this.#cancels.splice(0)) this.cancel(vp);
  }

  #cancelNow(vp: number): void {
    // Who stops those that wait for their turn stops everybody: the turn is over, or
    // the owner would be the first again after every stop, and the others never.
    if (vp !== this.#owner) this.#left = 0;
    this.#core.vpCanceled(vp);
    this.#finish(vp);
  }

  /** The caller changed something (an interrupt, a register, memory): whoever waits may
   * have a reason to go on. */
  changed(): void {
    this.changes++;
    this.kick();
  }

  /** Wakes whoever waits. */
  kick(): void {
    if (this.#phase !== "idle" || this.#pending === 0) return;
    this.#wake();
    this.#gather();
  }

  /** IcebpExpectRun. */
  expect(vp: number, expected: boolean): void {
    this.#attendance.expect(vp, expected);
    if (!expected) this.#await();
  }

  /** Forgets what there was to know of all processors. */
  forgetAll(): void {
    this.#latched.length = 0;
    this.#attendance.forgetAll();
  }

  /** Forgets latched cancels of a deleted processor, and what was told of it. */
  forget(vp: number): void {
    this.#latched[vp] = false;
    this.#attendance.forget(vp);
    this.#await();
  }

  /** Lets go of timers. */
  close(): void {
    if (this.#sleep !== undefined) clearTimeout(this.#sleep);
    this.#closed = true;
  }

  /** Whether all processors that there are ask for a run. */
  get #complete(): boolean {
    return this.#pending > 0 && this.#pending === this.#core.vpsCreated();
  }

  #countHeld(): void {
    if (this.#gathered === null || !this.#complete) return;
    const fn = this.#gathered;
    this.#gathered = null;
    fn();
  }

  /** Between two instructions, with all processors asking for a run: calls `fn` once
   * `instructions` are done, exactly there or a little later. */
  whenQuiet(
    instructions: number,
    fn: (() => void) | null,
    exactly: boolean,
  ): void {
    this.#quietAt = fn === null ? NEVER : instructions;
    this.#quiet = fn;
    this.#quietExactly = exactly;
  }

  /** Nobody is run from now on; `fn` is called once all ask for it. */
  hold(fn: () => void): void {
    this.#wake();
    this.#holds++;
    this.#phase = "held";
    this.#followNobody();
    this.#gathered = fn;
    this.#countHeld();
  }

  /** Goes on by itself. */
  release(): void {
    this.#followNobody();
    this.#gathered = null;
    if (this.#pending === 0) this.#phase = "idle";
    else this.#gather();
  }

  #followNobody(): void {
    this.#follow = null;
    this.#core.waitRepeats(false);
  }

  /** Goes on as a log says, while held. */
  follow(follow: Follow): void {
    this.#follow = follow;
    // The log says where a REP ends.
    this.#core.waitRepeats(true);
    this.#phase = "follow";
    this.#lastYield = performance.now();
    // The caller's stack is not to grow with what is run.
    queueMicrotask(() => {
      if (this.#follow === follow && this.#complete) this.#pump();
    });
  }

  /** Whose turn it is, for snapshots. */
  get turn(): ProcessorsState["turn"] {
    return {
      owner: this.#owner,
      left: this.#left,
      seed: this.#turns,
      latched: this.#latched.flatMap((latched, vp) => latched ? [vp] : []),
    };
  }

  set turn({ owner, left, seed, latched }: ProcessorsState["turn"]) {
    this.#owner = owner;
    this.#left = left;
    this.#turns = seed;
    this.#latched.fill(false);
    for (const vp of latched) this.#latched[vp] = true;
  }

  #finish(vp: number): void {
    const run = this.#runs[vp]!;
    this.#runs[vp] = null;
    this.#pending--;
    this.#returns++;
    run.context.set(
      run.context.length >= EXIT_CONTEXT_BYTES
        ? this.#exit
        : this.#exit.subarray(0, run.context.length),
    );
    this.#core.whvRunEnd(vp);
    run.resolve(0);
  }

  /** Gives the event loop a turn, then goes on. */
  #yield(): void {
    let left = YIELD_IMMEDIATES;
    const holds = this.#holds;
    const turn = () => {
      if (this.#closed || holds !== this.#holds) return;
      if (--left > 0) {
        setImmediate(turn);
        return;
      }
      this.#lastYield = performance.now();
      this.#untilClock = SHORT_RUNS;
      this.#pump();
    };
    setImmediate(turn);
  }

  /** Ends a sleep: in "host" mode guest time moves by what passed. */
  #wake(): void {
    if (this.#sleep === undefined) return;
    clearTimeout(this.#sleep);
    this.#sleep = undefined;
    const ns = Math.round((performance.now() - this.#sleepBegan) * 1e6);
    this.#core.skipTime(BigInt(this.#core.guestTimeNumber() + ns));
    this.log?.skipped(ns);
  }

  /** Begins a turn with whoever takes part. */
  #gather(): void {
    this.#phase = "gather";
    this.#await();
  }

  /** Whom a turn would begin without. */
  #missing(): number {
    return this.#attendance.missing(
      this.#runs,
      this.#pending,
      this.#core.vpsCreated(),
    );
  }

  /**
   * While the phase is "gather" or "owner": starts a turn when nobody is missing. Never at
   * once: who has changed something is to come to an end with it first.
   */
  #await(): void {
    if (this.#looks || this.#pending === 0) return;
    this.#looks = true;
    let phase = this.#phase;
    let id = this.#returns;
    let hops = 0;
    const look = () => {
      this.#looks = false;
      if (this.#phase !== "gather" && this.#phase !== "owner") return;
      if (this.#pending === 0) return;
      if (phase !== this.#phase || id !== this.#returns) {
        // another wait has begun meanwhile
        phase = this.#phase;
        id = this.#returns;
        hops = 0;
      }
      const missing = this.#missing();
      // It comes with run(), or stays away with expect().
      if (missing === EXPECTED) return;
      if (missing === SILENT && ++hops < PATIENCE) {
        this.#looks = true;
        Promise.resolve().then(look);
        return;
      }
      this.#waitedAt = id;
      // an owner who stays away gives up its turn
      if (phase === "owner") this.#left = 0;
      this.#phase = "turn";
      this.#pump();
    };
    Promise.resolve().then(look);
  }

  /** Whether the owner has instructions left, and can run them. */
  #keepsTurn(): boolean {
    const owner = this.#owner;
    return this.#left > 0 && !!this.#runs[owner] && !!this.#core.vpReady(owner);
  }

  /** Gives the next that can run a turn; false if none can. */
  #next(): boolean {
    const runs = this.#runs;
    const n = runs.length;
    for (let i = 1; i <= n; i++) {
      const vp = (this.#owner + i) % n;
      if (runs[vp] && this.#core.vpReady(vp)) {
        this.#owner = vp;
        const alone = this.#pending === 1;
        this.#left = alone ? TURN_ALONE : this.#nextTurn();
        this.#core.allowSpins(alone ? 0 : SPINS);
        return true;
      }
    }
    return false;
  }

  #othersReady(owner: number): boolean {
    return this.#runs.some((run, vp) =>
      run !== null && vp !== owner && this.#core.vpReady(vp)
    );
  }

  /** The length of a turn: numbers that look random (Marsaglia's xorshift), the same in
   * every run. */
  #nextTurn(): number {
    let x = this.#turns;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#turns = x;
    return TURN + ((x >>> 0) % TURN);
  }

  /** Runs the turn's owner until it exits, its turn is over, or the event loop is due. */
  #pump(): void {
    while (this.#phase !== "held") {
      if (--this.#untilClock < 0) {
        this.#untilClock = SHORT_RUNS;
        if (performance.now() - this.#lastYield > YIELD_MS) {
          this.#yield();
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
      if (this.#follow !== null) {
        if (this.#step(this.#follow, now)) continue;
        return;
      }
      if (
        this.#quietAt !== NEVER && this.#complete &&
        this.#core.instructionsNumber() >= this.#quietAt
      ) {
        const fn = this.#quiet!;
        this.whenQuiet(NEVER, null, false);
        fn();
        continue;
      }
      if (!this.#keepsTurn()) {
        const missing = this.#missing();
        const isNew = this.#returns !== this.#waitedAt;
        if (missing === EXPECTED || missing === SILENT && isNew) {
          this.#gather();
          return;
        }
        if (!this.#next()) {
          if (this.standstill !== null && this.#allDeaf()) this.standstill();
          if (this.#pending > 0 && this.#idle(now)) continue;
          this.#phase = "idle";
          return;
        }
      }
      const vp = this.#owner;
      let budget = this.#left;
      if (this.#alarm !== NEVER) {
        const room = Math.ceil((this.#alarm - now) / TICK);
        if (room < budget) budget = room;
      }
      if (this.#quietExactly && this.#quietAt !== NEVER) {
        const room = this.#quietAt - this.#core.instructionsNumber();
        if (room > 0 && room < budget) budget = room;
      }
      const result = this.#core.vpRun(vp, budget);
      const executed = this.#core.executed();
      const exited = result === RUN_EXIT && !this.#passed(vp);
      const met = exited && this.#atPoint;
      const cut = result === RUN_EXIT ? this.#core.takeRepeatCut() : 0;
      if (cut > 0) this.log?.ranToCut(vp, executed, cut);
      else if (executed > 0 || !met) this.log?.ran(vp, executed);
      if (met) this.log?.met(vp);
      if (this.translator?.due) this.translator.translate();
      this.#left -= executed;
      this.#untilClock -= executed >>> 5;
      const asked = this.#cameOut;
      this.#cameOut = false;
      if (result === RUN_EXIT ? exited : asked && this.#toReturn(vp)) {
        this.#phase = "owner";
        this.#finish(vp);
        if (asked) this.#cancelAsked();
        if (this.#pending > 0 && !this.#attendance.isExpected(vp)) {
          this.#await();
        }
        return;
      }
      if (asked) {
        this.#cancelAsked();
        // as when it comes back from an exit
        const fresh = this.#left > MOST_OF_TURN;
        if (fresh && this.#attendance.known > 1) this.#left = 0;
      }
      if (result === RUN_IDLE) this.#left = 0;
      else if (result === RUN_SPUN) {
        if (this.#othersReady(vp)) this.#left = 0;
        else this.#core.allowSpins(SPINS_ALONE);
      }
      // a long slice may have used up the event loop's patience
      if (budget > MOST_OF_TURN && !asked) this.#untilClock = 0;
      if (this.#left <= 0 && this.#missing() !== NOBODY) {
        this.#gather();
        return;
      }
    }
  }

  /** The next thing that a log says; false when there is something to wait for. */
  #step(follow: Follow, now: number): boolean {
    if (!this.#complete) {
      this.#phase = "follow";
      return false;
    }
    const entry = follow.next;
    if (entry === null) {
      this.#phase = "held";
      follow.arrived();
      return false;
    }
    if (follow.happened(entry, now)) return true;
    const { vp } = entry;
    let budget = follow.budgetOf(entry);
    if (this.#alarm !== NEVER) {
      const room = Math.ceil((this.#alarm - now) / TICK);
      if (room < budget) budget = room;
    }
    this.#core.allowSpins(0);
    const result = this.#core.vpRun(vp, budget);
    const executed = this.#core.executed();
    this.#untilClock -= executed >>> 5;
    if (budget > MOST_OF_TURN) this.#untilClock = 0;
    const asked = this.#cameOut;
    this.#cameOut = false;
    const left = result === RUN_EXIT;
    const exited = left
      ? !this.#stepped() && !this.#passed(vp)
      : asked && this.#toReturn(vp);
    if (!follow.ran(entry, executed, left, exited)) {
      this.#phase = "held";
      follow.stuck(entry);
      return false;
    }
    if (exited) {
      this.#phase = "follow";
      this.#finish(vp);
    }
    if (asked) this.#cancelAsked();
    return !exited;
  }

  /** Of those that nobody can run, whether all take no interrupts. */
  #allDeaf(): boolean {
    if (this.#pending === 0) return false;
    for (let vp = 0; vp < this.#runs.length; vp++) {
      if (this.#runs[vp] && !this.#core.vpDeaf(vp)) return false;
    }
    return true;
  }

  /** Nobody can run. True if time was moved to where somebody can. */
  #idle(now: number): boolean {
    const timer = this.#core.nextTimerNumber();
    const wake = timer < this.#alarm ? timer : this.#alarm;
    if (wake <= now) return wake !== NEVER;
    if (this.mode === "virtual") {
      if (wake === NEVER) return false; // only the outside can wake us
      this.#core.skipTime(BigInt(wake));
      this.log?.skipped(this.#core.guestTimeNumber() - now);
      return true;
    }
    if (this.#sleep === undefined) {
      this.#sleepBegan = performance.now();
      const ms = wake === NEVER
        ? 0x7fff_ffff
        : Math.min((wake - now) / 1e6, 0x7fff_ffff);
      this.#sleep = setTimeout(() => {
        this.#wake();
        if (this.#phase === "idle" && this.#pending > 0) this.#gather();
      }, ms);
    }
    return false;
  }
}
