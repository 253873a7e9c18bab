/**
 * Run control over a machine that keeps its history: back in it, forward through it,
 * and on where it ends. A change made in the past begins another future.
 */
import { getLogger } from "@logtape/logtape";
import type { TimeTravel } from "../../history/time_travel.ts";
import { Subscribers } from "../../util/subscribers.ts";
import { type Course, failure } from "./course.ts";
import type { LiveHistory, RunControl } from "./run_control.ts";
import {
  type Plan,
  type ReverseAction,
  type Stop,
  type StopReason,
  TargetError,
} from "../target.ts";
import { type Travelled, Traveller } from "./travel.ts";

const log = getLogger(["icebp", "debug"]);

const NO_HISTORY = "there is no history to go back in: it is kept with --gdb " +
  "on the software platform (--platform soft), unless --history is off";
const IN_MEMORY = "there is no going back with breakpoints in memory: " +
  "use --breakpoints processor";

/** What run control remembers of a processor that is not the machine's. */
interface Remembered {
  readonly guestTrap: bigint;
  readonly untold: readonly StopReason[];
}

/** What going through time needs. */
export interface Timed extends Travelled {
  readonly course: Course;
}

export class TimedControl {
  readonly onNotice = new Subscribers<[line: string]>();
  readonly #parts: Timed;
  readonly #run: RunControl;
  #traveller: Traveller | null = null;
  /** Why there is none. */
  #unavailable = NO_HISTORY;
  /** What was remembered where the history ends. */
  #atEnd: readonly Remembered[] = [];
  /** What is to become of the guest when it has arrived; null: what was asked. */
  #then: "ended" | "let go" | null = null;

  constructor(parts: Timed, run: RunControl) {
    this.#parts = parts;
    this.#run = run;
    parts.guest.machine.onDma.subscribe((access) => {
      if (this.#away) this.#traveller?.accessed(access);
    });
  }

  /** Takes a machine's history, before anybody debugs it; or why there is none. */
  keepHistory(time: (TimeTravel & LiveHistory) | string): void {
    const { points } = this.#parts.breakpoints;
    const why = typeof time === "string"
      ? time
      : time.available ?? (points === null ? IN_MEMORY : null);
    if (typeof time === "string" || why !== null) {
      this.#unavailable = why!;
      return;
    }
    this.#run.history = time;
    this.#traveller = new Traveller(this.#parts, time);
  }

  /** Whether it is in the past, on its way. */
  get #away(): boolean {
    return this.#parts.course.state === "away";
  }

  /** The way through time. Throws a TargetError that says why there is none. */
  get traveller(): Traveller {
    if (this.#traveller !== null) return this.#traveller;
    throw new TargetError(this.#unavailable);
  }

  /** Goes back (DebugTarget.reverse()). */
  reverse(action: ReverseAction, processor: number): void {
    const traveller = this.#traveller;
    if (traveller === null) return this.#refuse(processor);
    const plan = this.#run.everybody();
    this.#travel(() => traveller.reverse(action, processor), plan);
  }

  /** There is no past: it is said why, and that its beginning is here. */
  #refuse(processor: number): void {
    this.#run.leave();
    this.onNotice.tell(this.#unavailable);
    const reason = { kind: "history", end: "begin" } as const;
    queueMicrotask(() => this.#run.arrive({ processor, reason }, true));
  }

  /** Starts the guest, in the past or live (DebugTarget.resume()). */
  resume(plan: Plan, stepOff = true): void {
    const traveller = this.#traveller;
    if (
      traveller === null || this.#run.stop?.reason.kind === "exited" ||
      !traveller.time.inPast
    ) return this.#run.resume(plan, stepOff);
    this.#travel(() => traveller.resume(plan), plan);
  }

  /** Moves the machine by what `journey` does; returns what that does. Nobody is told of
   * a stop: where it was stopped it is, somewhere else. */
  async visit<T>(journey: (traveller: Traveller) => Promise<T>): Promise<T> {
    const traveller = this.traveller;
    const processor = this.#run.stop?.processor ?? 0;
    this.#leave();
    let stop: Stop = { processor, reason: { kind: "step" } };
    try {
      return await journey(traveller);
    } catch (error) {
      stop = { processor, reason: failure(error) };
      throw error;
    } finally {
      await this.#arrive(stop, false, this.#run.everybody());
    }
  }

  async #travel(
    journey: () => Promise<Stop | null>,
    plan: Plan,
  ): Promise<void> {
    this.#leave();
    let stop: Stop | null;
    try {
      stop = await journey();
    } catch (error) {
      stop = { processor: 0, reason: failure(error) };
    }
    await this.#arrive(stop, true, plan);
  }

  #leave(): void {
    this.#run.leave();
    this.#then = null;
    if (!this.#traveller!.time.inPast) {
      this.#atEnd = this.#parts.guest.vcpus.map(({ guestTrap, untold }) => ({
        guestTrap,
        untold: [...untold],
      }));
    }
  }

  /** Stands, or goes on live where `stop` is null. */
  async #arrive(stop: Stop | null, tell: boolean, plan: Plan): Promise<void> {
    const { time } = this.#traveller!;
    const { guest } = this.#parts;
    if (this.#then === "let go" && time.inPast) {
      await time.goTo(time.end().instructions);
    }
    // Nobody may ask for anything between here and the end.
    const then = this.#then;
    this.#then = null;
    guest.changed();
    for (const v of guest.vcpus) {
      const remembered = time.inPast ? undefined : this.#atEnd[v.index];
      v.guestTrap = remembered?.guestTrap ?? 0n;
      v.toldAt = v.passAt = v.trapAt = null;
      v.untold.splice(0, Infinity, ...remembered?.untold ?? []);
    }
    if (then === "ended") {
      const reason = { kind: "exited", code: 0 } as const;
      this.#run.arrive({ processor: 0, reason }, tell);
      return;
    }
    if (stop === null || then === "let go") {
      this.#run.arrive({ processor: 0, reason: { kind: "step" } }, false);
      this.#run.resume(then === "let go" ? this.#run.everybody() : plan);
      return;
    }
    const v = guest.vcpus[stop.processor];
    v.read();
    if (BREAKS.has(stop.reason.kind)) v.toldAt = v.linear;
    this.#run.arrive(stop, tell);
  }

  /** Something of the guest is about to be changed by its user: in the past that begins
   * another future. */
  changing(): void {
    const time = this.#traveller?.time;
    if (time === undefined || !time.inPast) return;
    const { instructions } = time.now();
    const lost = time.end().instructions - instructions;
    time.fork();
    this.#atEnd = [];
    const line =
      `The past was changed at instruction ${instructions}: another future ` +
      `begins there, and the ${lost} instructions that came after it are forgotten.`;
    log.warn("{line}", { line });
    this.onNotice.tell(line);
  }

  /** As RunControl has it; in the past, another future begins. */
  restart(): void {
    this.#parts.course.needStopped();
    this.changing();
    this.#run.restart();
  }

  /** Ends what is under way, soon. */
  interrupt(): void {
    if (this.#away) this.#traveller?.interrupt();
    else this.#run.interrupt();
  }

  /** Ends the guest. */
  kill(): void {
    if (!this.#away) return this.#run.kill();
    this.#then = "ended";
    this.#traveller!.interrupt();
  }

  /** From the past it goes to where its history ends, and on from there. */
  letGo(): void {
    if (this.#away) {
      if (this.#then === null) this.#then = "let go";
      this.#traveller!.interrupt();
    } else if (
      this.#traveller?.time.inPast && this.#run.stop?.reason.kind !== "exited"
    ) {
      this.#travel(() => Promise.resolve(null), this.#run.everybody());
      this.#then = "let go";
    } else this.#run.letGo();
  }
}

const BREAKS: ReadonlySet<StopReason["kind"]> = new Set([
  "breakpoint",
  "hardwareBreakpoint",
  "step",
]);
