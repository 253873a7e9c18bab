/**
 * Run control: lets processors run and step by a plan, waits until all have returned, and
 * tells why the guest stopped. course.ts has its states.
 */
import { getLogger } from "@logtape/logtape";
import type { History } from "../../history/history.ts";
import type { MachineEvent } from "../../machine/outcome.ts";
import { Subscribers } from "../../util/subscribers.ts";
import { Vector } from "../../x86/vectors.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import {
  type Action,
  type Plan,
  type Stop,
  type StopReason,
  TargetError,
} from "../target.ts";
import type { Arming } from "./arming.ts";
import { type Course, failure } from "./course.ts";
import type { Driver } from "./driver.ts";
import type { Lookout } from "./lookout.ts";
import type { Startups } from "./startups.ts";

const log = getLogger(["icebp", "debug"]);

/** What a history is told while the guest runs live. */
export type LiveHistory = Pick<
  History,
  "restart" | "resuming" | "stopped"
>;

/** What run control needs. */
export interface Controlled {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly course: Course;
  readonly startups: Startups;
  readonly arming: Arming;
  readonly lookout: Lookout;
  readonly driver: Driver;
}

export class RunControl {
  stop: Stop | null = { processor: 0, reason: { kind: "paused" } };
  readonly onStop = new Subscribers<[stop: Stop]>();
  /** Told when the guest has ended: by itself behind the stop, or by kill(). */
  readonly onExit = new Subscribers<[code: number]>();
  /** The machine's past; null where none is kept. */
  history: LiveHistory | null = null;
  readonly #parts: Controlled;
  readonly #course: Course;
  readonly #guest: Guest;
  /** Processors whose part of the plan has not ended. */
  #active = 0;
  /** Nobody waits any more for the stop that is under way. */
  #letGo = false;

  /** Takes over a machine that nobody runs. Its time stands still. */
  constructor(parts: Controlled) {
    this.#parts = parts;
    this.#course = parts.course;
    this.#guest = parts.guest;
    parts.guest.machine.suspendTime();
  }

  /** Every processor runs. */
  everybody(): Plan {
    return this.#guest.vcpus.map(() => ({ kind: "continue" }));
  }

  /** The stopped machine is another one, by a snapshot. */
  replaced(): void {
    this.#parts.breakpoints.hardware.forget();
    for (const v of this.#guest.vcpus) {
      v.toldAt = v.passAt = null;
      v.untold.length = 0;
      v.guestTrap = 0n;
    }
    this.history?.restart();
    this.stop = { processor: 0, reason: { kind: "paused" } };
  }

  /** Until arrive() the guest is neither stopped nor does it run. */
  leave(): void {
    this.#course.needStopped();
    this.#course.enter("away");
    this.stop = null;
  }

  /** The end of what leave() began. With `tell` it is the stop of a resume(). */
  arrive(stop: Stop, tell: boolean): void {
    this.#course.enter("stopped");
    this.stop = stop;
    try {
      if (tell) this.onStop.tell(stop);
    } finally {
      this.#tellExit(stop);
    }
  }

  /** Starts the guest; returns at once (DebugTarget.resume()). */
  resume(plan: Plan, stepOff = true): void {
    this.#course.needStopped();
    if (!stepOff) { for (const v of this.#guest.vcpus) v.toldAt = null; }
    if (this.stop?.reason.kind === "exited") {
      throw new TargetError("the guest has ended");
    }
    const untold = this.#nextUntold(plan);
    if (untold !== null) {
      this.stop = untold;
      this.onStop.tell(untold);
      return;
    }
    this.stop = null;
    this.#start(plan);
  }

  /** A stop that was found by the way, of a processor that is to run now. */
  #nextUntold(plan: Plan): Stop | null {
    for (const v of this.#guest.vcpus) {
      if (plan[v.index].kind === "stay") continue;
      for (;;) {
        const reason = v.untold.shift();
        if (reason === undefined) break;
        // A watchpoint that is gone has nobody to be told.
        if (!this.#parts.breakpoints.wants(reason)) continue;
        return { processor: v.index, reason };
      }
    }
    const { event } = this.#guest.machine;
    if (event === null || event.kind === "reset") return null;
    // Told already: as on a PC, what follows a triple fault is a reset.
    if (event.kind === "triple-fault") return null;
    return { processor: 0, reason: reasonOf(event) };
  }

  #start(plan: Plan): void {
    const { arming, lookout, startups } = this.#parts;
    const { machine, vcpus } = this.#guest;
    this.#letGo = false;
    this.#course.begin(plan);
    try {
      if (machine.event !== null) this.#resetMachine();
      arming.arm(true);
      lookout.begin();
      this.history?.resuming(plan.every(isRepeatable));
      machine.resumeTime();
    } catch (error) {
      this.#course.failed(error);
      this.#allStopped();
      return;
    }
    const starting = vcpus.filter((v) => plan[v.index].kind !== "stay");
    this.#active = starting.length;
    this.#course.enter("running");
    // Before the first one comes: none begins without the others.
    for (const v of vcpus) v.expectRun(plan[v.index].kind !== "stay");
    for (const v of starting) this.#drive(v, plan[v.index]);
    startups.goOn();
    if (starting.length === 0) {
      this.#course.found(vcpus[0], { kind: "interrupted" });
      this.#allStopped();
    }
  }

  async #drive(v: Vcpu, action: Action): Promise<void> {
    try {
      const ending = await this.#parts.driver.perform(v, action);
      if (ending?.kind === "power") {
        this.#course.found(v, reasonOf(ending.event));
      } else if (ending !== null) this.#course.found(v, ending);
    } catch (error) {
      this.#course.found(v, failure(error));
    }
    // Behind what others are stopped for: they are not to go on without it.
    v.expectRun(false);
    if (--this.#active === 0) this.#allStopped();
  }

  #allStopped(): void {
    const { arming, lookout } = this.#parts;
    const { machine, vcpus } = this.#guest;
    arming.rest();
    lookout.end();
    let cause = this.#course.cause!;
    try {
      for (const { processor } of vcpus) processor.clearRequest();
      arming.disarm();
      machine.suspendTime();
      this.history?.stopped();
      const { kind } = cause.reason;
      // Paused while it ran: it restarted itself, and goes on.
      if (kind === "paused" || this.#letGo && FORGOTTEN.has(kind)) {
        this.#start(this.everybody());
        return;
      }
    } catch (error) {
      cause = { processor: cause.processor, reason: failure(error) };
    }
    this.#course.enter("stopped");
    this.stop = cause;
    this.#guest.lookedAt = cause.processor;
    if (cause.reason.kind === "failed" && this.onStop.size === 0) {
      log.error("{message}", { ...cause.reason });
    }
    try {
      this.onStop.tell(cause);
    } finally {
      this.#tellExit(cause);
    }
  }

  #tellExit({ reason }: Stop): void {
    if (reason.kind === "exited") this.onExit.tell(reason.code);
  }

  #resetMachine(): void {
    this.#parts.breakpoints.hardware.forget();
    this.#parts.startups.forget();
    for (const v of this.#guest.vcpus) {
      v.startsAnew();
      v.untold.length = 0;
    }
    this.#guest.machine.reset();
  }

  /** Stops the guest soon, if it goes on. */
  interrupt(): void {
    const course = this.#course;
    this.#letGo = false;
    if (course.goesOn) course.found(course.anyone, { kind: "interrupted" });
  }

  /** Lets the guest run on from whatever a debugger stopped it for, also where
   * that stop is only under way. */
  letGo(): void {
    if (this.#course.state === "stopping") this.#letGo = true;
    if (this.stop === null || this.stop.reason.kind === "exited") return;
    this.resume(this.everybody());
  }

  /** Ends the guest: it cannot be resumed, only restarted. */
  kill(): void {
    const stop = {
      processor: 0,
      reason: { kind: "exited", code: 0 },
    } as const;
    if (this.#course.overrule(stop)) return;
    this.stop = stop;
    this.#tellExit(stop);
  }

  /** Resets the machine and loads the guest anew. */
  restart(): void {
    this.#course.needStopped();
    this.#resetMachine();
    this.stop = { processor: 0, reason: { kind: "paused" } };
  }
}

/** Stops of interest to a debugger only. */
const FORGOTTEN: ReadonlySet<StopReason["kind"]> = new Set([
  "interrupted",
  "breakpoint",
  "hardwareBreakpoint",
  "watchpoint",
  "step",
]);

/** What an end of the machine is told as; a reset only pauses it. */
function reasonOf(event: MachineEvent): StopReason {
  switch (event.kind) {
    case "exit":
      return { kind: "exited", code: event.code };
    case "power-off":
      return { kind: "exited", code: 0 };
    case "triple-fault":
      return { kind: "exception", vector: Vector.DF };
    case "reset":
      return { kind: "paused" };
  }
}

/** Whether what a processor does for its part of a plan is in the log of its runs: all of
 * a range's is not, for exceptions exit in it, and what an interrupt is taken for. */
function isRepeatable(action: Action): boolean {
  return action.kind === "step"
    ? action.interrupts !== true
    : action.kind !== "range";
}
