/**
 * What the guest is about: whether it goes on, who takes part and what for, and the
 * first reason to stop. Run control moves it from state to state; whoever runs a
 * processor looks at it, and tells it what was found.
 *
 *     Stopped --resume--> Resuming --all started--> Running
 *        ^                                             | a reason to stop
 *        +------------- all have returned ---------- Stopping
 */
import { getLogger } from "@logtape/logtape";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import {
  type Plan,
  type Stop,
  type StopReason,
  TargetError,
} from "../target.ts";
import type { Exclusive } from "./exclusive.ts";

const log = getLogger(["icebp", "debug"]);

/** "away" is in the past: what happens there is no run of the guest's. */
type State = "stopped" | "resuming" | "running" | "stopping" | "away";

export class Course {
  readonly #guest: Guest;
  readonly #exclusive: Exclusive;
  #state: State = "stopped";
  #plan: Plan = [];
  #cause: Stop | null = null;

  constructor(guest: Guest, exclusive: Exclusive) {
    this.#guest = guest;
    this.#exclusive = exclusive;
    for (const v of guest.vcpus) {
      v.processor.onCancelFailed.subscribe((error) => {
        if (v.untold.length === 0) keep(v, failure(error));
      });
    }
  }

  get state(): State {
    return this.#state;
  }

  /** What each processor does, or did last. */
  get plan(): Plan {
    return this.#plan;
  }

  /** Why it stops; there is one from "stopping" on. */
  get cause(): Stop | null {
    return this.#cause;
  }

  /** False once the guest is to stop, and while it is stopped. */
  get goesOn(): boolean {
    return this.#state === "running" || this.#state === "resuming";
  }

  /** Whether a processor takes part in what the guest does. */
  takesPart(v: Vcpu): boolean {
    return this.#plan[v.index]?.kind !== "stay";
  }

  /** Some processor that takes part. */
  get anyone(): Vcpu {
    const index = this.#plan.findIndex((a) => a.kind !== "stay");
    return this.#guest.vcpus[Math.max(index, 0)];
  }

  /** Throws unless the guest is stopped. */
  needStopped(): void {
    if (this.#state !== "stopped") throw new TargetError("the guest runs");
  }

  /** The guest is about to go on. */
  begin(plan: Plan): void {
    this.#plan = plan;
    this.#cause = null;
    this.#state = "resuming";
  }

  enter(state: "running" | "stopped" | "away"): void {
    this.#state = state;
  }

  /** A reason to stop everybody; the first one counts. Those that would not
   * come again are kept for the next resume. */
  found(v: Vcpu, reason: StopReason): void {
    if (this.goesOn) {
      this.#state = "stopping";
      this.#cause = { processor: v.index, reason };
      if (
        reason.kind === "breakpoint" || reason.kind === "step" ||
        reason.kind === "hardwareBreakpoint"
      ) v.toldAt = v.linear;
      for (const { processor } of this.#guest.vcpus) processor.requestReturn();
      this.#exclusive.wake();
    } else if (
      reason.kind === "watchpoint" || reason.kind === "exception" ||
      reason.kind === "failed"
    ) keep(v, reason);
  }

  /** What nobody waits for has failed: a reason to stop. */
  failed(error: unknown): void {
    this.found(this.#guest.vcpus[0], failure(error));
  }

  /** Stops for this, whatever was found. False if it stands already. */
  overrule(stop: Stop): boolean {
    if (this.goesOn) this.found(this.#guest.vcpus[stop.processor], stop.reason);
    else if (this.#state === "stopping") this.#cause = stop;
    else return false;
    return true;
  }
}

/** Keeps a reason for the next resume; what failed is also said, for it may be
 * that nobody resumes. */
function keep(v: Vcpu, reason: StopReason): void {
  v.untold.push(reason);
  if (reason.kind === "failed") log.error("{message}", { ...reason });
}

/** What could not be done, as a reason to stop. */
export function failure(error: unknown): StopReason {
  const message = error instanceof Error ? error.message : String(error);
  log.debug("{message}", { message, error });
  return { kind: "failed", message: message.split("\n")[0] };
}
