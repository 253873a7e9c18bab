/**
 * Run control: who runs, who steps, who is held, and why the guest stopped.
 *
 *     Stopped --resume--> Resuming --all started--> Running
 *        ^                                             | a reason to stop
 *        +------------- all have returned ---------- Stopping
 *
 * What is armed is known before the first processor starts, so the exceptions
 * that exit are chosen then; with nothing armed there are none. Whether anybody
 * is connected is never asked.
 */
import { getLogger } from "@logtape/logtape";
import type { History } from "../../history/history.ts";
import type { DmaAccess, Machine } from "../../machine/machine.ts";
import type { MachineEvent } from "../../machine/outcome.ts";
import type { Snapshots } from "../../history/snapshots.ts";
import { Subscribers } from "../../util/subscribers.ts";
import { Vector, vectorBits } from "../../x86/vectors.ts";
import { DmaWatch } from "../breakpoints/dma.ts";
import { type BreakpointWay, Driver } from "./driver.ts";
import { NOBODY } from "./exclusive.ts";
import { STEP_VECTORS } from "../stepping/faults.ts";
import {
  type Action,
  type Breakpoint,
  type Plan,
  type Stop,
  type StopReason,
  TargetError,
} from "../target.ts";
import type { Vcpu } from "../guest/vcpu.ts";

const log = getLogger(["icebp", "debug"]);

/** "away" is in the past: what happens there is no run of the guest's. */
type State = "stopped" | "resuming" | "running" | "stopping" | "away";

const DB_BIT = vectorBits(Vector.DB);
/** Host time after which breakpoints whose code was not mapped are tried again. */
const RETRY_MS = 20;
/** Host time after which what the guest is waited for is looked for again. */
const LOOK_MS = 50;

/** What a history is told while the guest runs live. */
export type LiveHistory = Pick<
  History,
  "restart" | "resuming" | "stopped"
>;

export class RunControl extends Driver {
  stop: Stop | null = { processor: 0, reason: { kind: "paused" } };
  readonly onStop = new Subscribers<[stop: Stop]>();
  /** Told when the guest has ended: by itself behind the stop, or by kill(). */
  readonly onExit = new Subscribers<[code: number]>();
  /** Told when the user wants the program to end, too. */
  readonly onQuit = new Subscribers<[]>();
  /** The machine's past; null where none is kept. */
  protected history: LiveHistory | null = null;
  #state: State = "stopped";
  #plan: Plan = [];
  /** Processors whose part of the plan has not ended. */
  #active = 0;
  #cause: Stop | null = null;
  #syncing = false;
  /** Nobody waits any more for the stop that is under way. */
  #letGo = false;
  readonly #dma = new DmaWatch(this.walker);
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Asked now and then while the guest runs, with all processors held: where it says
   * so the guest stops as if interrupted, once. */
  stopWhen: (() => boolean) | null = null;
  #look: ReturnType<typeof setTimeout> | undefined;

  /** What makes snapshots of the machine; null where nothing can. */
  snapshots: Snapshots | null = null;

  /** The stopped machine is another one, by a snapshot. */
  replaced(): void {
    this.hardware.forget();
    for (const v of this.vcpus) {
      v.toldAt = v.passAt = null;
      v.untold.length = 0;
      v.guestTrap = 0n;
    }
    this.history?.restart();
    this.stop = { processor: 0, reason: { kind: "paused" } };
  }

  /** Takes over a machine that nobody runs. Its time stands still. */
  constructor(machine: Machine, way?: BreakpointWay) {
    super(machine, way);
    for (const v of this.vcpus) {
      v.processor.onCancelFailed.subscribe((error) => {
        if (v.untold.length === 0) keep(v, failure(error));
      });
    }
    machine.onDma.subscribe((access) => this.accessed(access));
    machine.suspendTime();
  }

  /** A device accesses memory. */
  protected accessed(access: DmaAccess): void {
    const reason = this.#dma.reason(access);
    if (reason !== null) this.#found(this.#anyRunning(), reason);
  }

  /** Until arrive() the guest is neither stopped nor does it run. */
  protected leave(): void {
    this.needStopped();
    this.#state = "away";
    this.stop = null;
  }

  /** The end of what leave() began. With `tell` it is the stop of a resume(). */
  protected arrive(stop: Stop, tell: boolean): void {
    this.#state = "stopped";
    this.stop = stop;
    try {
      if (tell) this.onStop.tell(stop);
    } finally {
      this.#tellExit(stop);
    }
  }

  /** Whether it is between leave() and arrive(). */
  protected get away(): boolean {
    return this.#state === "away";
  }

  /** Some processor that takes part in the plan. */
  #anyRunning(): Vcpu {
    const index = this.#plan.findIndex((a) => a.kind !== "stay");
    return this.vcpus[Math.max(index, 0)];
  }

  get processors(): number {
    return this.vcpus.length;
  }

  override get goesOn(): boolean {
    return this.#state === "running" || this.#state === "resuming";
  }

  override takesPart(v: Vcpu): boolean {
    return this.#plan[v.index]?.kind !== "stay";
  }

  override failed(error: unknown): void {
    this.#found(this.vcpus[0], failure(error));
  }

  /** Throws unless the guest is stopped. */
  needStopped(): void {
    if (this.#state !== "stopped") throw new TargetError("the guest runs");
  }

  resume(plan: Plan, stepOff = true): void {
    this.needStopped();
    if (!stepOff) { for (const v of this.vcpus) v.toldAt = null; }
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
    for (const v of this.vcpus) {
      if (plan[v.index].kind === "stay") continue;
      for (;;) {
        const reason = v.untold.shift();
        if (reason === undefined) break;
        // A watchpoint that is gone has nobody to be told.
        if (
          reason.kind === "watchpoint" &&
          !(this.points ?? this.hardware).watches(
            reason.access,
            reason.address,
          )
        ) continue;
        return { processor: v.index, reason };
      }
    }
    const event = this.machine.event;
    if (event === null || event.kind === "reset") return null;
    // Told already: as on a PC, what follows a triple fault is a reset.
    if (event.kind === "triple-fault") return null;
    return { processor: 0, reason: reasonOf(event) };
  }

  #start(plan: Plan): void {
    this.#letGo = false;
    this.#plan = plan;
    this.#state = "resuming";
    this.#cause = null;
    try {
      if (this.machine.event !== null) this.#resetMachine();
      this.#arm(true);
      this.history?.resuming(plan.every(isRepeatable));
      this.machine.resumeTime();
    } catch (error) {
      this.#found(this.vcpus[0], failure(error));
      this.#allStopped();
      return;
    }
    const starting = this.vcpus.filter((v) => plan[v.index].kind !== "stay");
    this.#active = starting.length;
    this.#state = "running";
    // Before the first one comes: none begins without the others.
    for (const v of this.vcpus) {
      v.processor.vp.expectRun(plan[v.index].kind !== "stay");
    }
    for (const v of starting) this.#drive(v, plan[v.index]);
    this.startups.goOn();
    if (starting.length === 0) {
      this.#found(this.vcpus[0], { kind: "interrupted" });
      this.#allStopped();
    }
  }

  /** Chooses what exits, and puts breakpoints where they belong: now, and later
   * those that no debug register is free for and no page is mapped. `chosen`: as
   * setBreakpoints() has it. */
  #arm(chosen: boolean): void {
    // Those that could not be taken at the stop, too.
    this.#takeDebugRegisters();
    const plan = this.#plan;
    const steps = plan.some((a) => a.kind === "step" || a.kind === "range");
    const runs = plan.some((a) => a.kind === "continue");
    const going = plan.filter((a) => a.kind !== "stay");
    // One processor that makes one step meets no breakpoint but by its address.
    if (
      this.points !== null || going.length > 1 || going[0]?.kind !== "step"
    ) {
      this.setBreakpoints(chosen);
    }
    const { watched } = this.points ?? this.hardware;
    this.#dma.locate(watched, watched.length > 0 ? this.spaces() : []);
    // A step alone is how a debugger gets off one, before it puts all back.
    if (runs) this.breakpoints.forgetRemoved();
    this.hardware.activate(
      this.inMemory?.lent ?? [],
      this.machine.options.clock.now(),
      runs,
    );
    for (const v of this.vcpus) this.hardware.install(v);
    this.startups.arm();
    this.machine.setExceptionBitmap(this.#vectors(steps));
    this.#lookLater();
    clearTimeout(this.#retry);
    if (!this.inMemory?.waiting && !this.startups.blind) return;
    this.#retry = setTimeout(() => this.#changed(), RETRY_MS);
  }

  #lookLater(): void {
    clearTimeout(this.#look);
    if (this.stopWhen === null) return;
    this.#look = setTimeout(() => {
      this.#lookNow().catch((error) => this.failed(error));
    }, LOOK_MS);
  }

  async #lookNow(): Promise<void> {
    await this.exclusive.acquire(NOBODY);
    try {
      if (!this.goesOn || this.stopWhen === null) return;
      if (this.stopWhen()) {
        this.stopWhen = null;
        this.#found(this.#anyRunning(), { kind: "interrupted" });
      } else this.#lookLater();
    } finally {
      this.exclusive.release(this.goesOn);
    }
  }

  /** The exceptions that exit, a bit each. */
  #vectors(steps: boolean): bigint {
    const { inMemory } = this;
    if (inMemory === null) {
      // Steps need none; a range is left by a fault.
      return this.#plan.some((a) => a.kind === "range") ? STEP_VECTORS : 0n;
    }
    const trap = 1n << BigInt(inMemory.trap.vector);
    if (steps) return STEP_VECTORS | trap;
    // With debug registers alone the guest's own traps are stepped into.
    const armed = inMemory.size > 0 || this.hardware.armed;
    return armed ? DB_BIT | trap : 0n;
  }

  async #drive(v: Vcpu, action: Action): Promise<void> {
    try {
      const ending = await this.perform(v, action);
      if (ending?.kind === "power") this.#found(v, reasonOf(ending.event));
      else if (ending !== null) this.#found(v, ending);
    } catch (error) {
      this.#found(v, failure(error));
    }
    // Behind what others are stopped for: they are not to go on without it.
    v.processor.vp.expectRun(false);
    if (--this.#active === 0) this.#allStopped();
  }

  /** A reason to stop everybody; the first one counts. Those that would not
   * come again are kept for the next resume. */
  #found(v: Vcpu, reason: StopReason): void {
    if (this.goesOn) {
      this.#state = "stopping";
      this.#cause = { processor: v.index, reason };
      if (
        reason.kind === "breakpoint" || reason.kind === "step" ||
        reason.kind === "hardwareBreakpoint"
      ) v.toldAt = v.linear;
      for (const { processor } of this.vcpus) processor.requestReturn();
      this.exclusive.wake();
    } else if (
      reason.kind === "watchpoint" || reason.kind === "exception" ||
      reason.kind === "failed"
    ) keep(v, reason);
  }

  #allStopped(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#look);
    let cause = this.#cause!;
    try {
      for (const { processor } of this.vcpus) processor.clearRequest();
      this.inMemory?.clear();
      this.#takeDebugRegisters();
      this.machine.suspendTime();
      this.history?.stopped();
      if (cause.reason.kind === "paused") {
        // The guest restarted itself: it goes on.
        this.#start(this.vcpus.map(() => ({ kind: "continue" })));
        return;
      }
      if (this.#letGo && FORGOTTEN.has(cause.reason.kind)) {
        this.#start(this.vcpus.map(() => ({ kind: "continue" })));
        return;
      }
    } catch (error) {
      cause = { processor: cause.processor, reason: failure(error) };
    }
    this.#state = "stopped";
    this.stop = cause;
    this.lookedAt = cause.processor;
    if (cause.reason.kind === "failed" && this.onStop.size === 0) {
      log.error("{message}", { ...cause.reason });
    }
    try {
      this.onStop.tell(cause);
    } finally {
      this.#tellExit(cause);
    }
  }

  /** From all processors; then throws the first error. */
  #takeDebugRegisters(): void {
    const failed: unknown[] = [];
    for (const v of this.vcpus) {
      try {
        this.takeDebugRegisters(v);
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw failed[0];
  }

  #tellExit({ reason }: Stop): void {
    if (reason.kind === "exited") this.onExit.tell(reason.code);
  }

  #resetMachine(): void {
    this.hardware.forget();
    this.startups.forget();
    for (const v of this.vcpus) {
      v.startsAnew();
      v.untold.length = 0;
    }
    this.machine.reset();
  }

  interrupt(): void {
    this.#letGo = false;
    if (!this.goesOn) return;
    this.#found(this.#anyRunning(), { kind: "interrupted" });
  }

  /** Lets the guest run on from whatever a debugger stopped it for, also where
   * that stop is only under way. */
  letGo(): void {
    if (this.#state === "stopping") this.#letGo = true;
    if (this.stop === null || this.stop.reason.kind === "exited") return;
    this.resume(this.vcpus.map(() => ({ kind: "continue" })));
  }

  insertBreakpoint(breakpoint: Breakpoint): void {
    const { kind, address, conditions } = breakpoint;
    if (kind === "software" || this.points !== null && kind === "hardware") {
      this.breakpoints.insert(address, conditions, kind);
    } else if (this.points !== null) this.points.watch(breakpoint);
    else this.hardware.insert(breakpoint);
    this.#changed();
  }

  removeBreakpoint(breakpoint: Breakpoint): boolean {
    const { kind, address } = breakpoint;
    const removed = kind === "software" ||
        this.points !== null && kind === "hardware"
      ? this.breakpoints.remove(address, kind)
      : this.points !== null
      ? this.points.unwatch(breakpoint)
      : this.hardware.remove(breakpoint);
    if (removed) this.#changed();
    return removed;
  }

  /** Takes every breakpoint and watchpoint away. */
  removeAllBreakpoints(): void {
    this.breakpoints.removeAll();
    this.hardware.removeAll();
    this.points?.unwatchAll();
    this.#changed();
  }

  /** What is armed changed while the guest runs: all are held for a moment. */
  #changed(): void {
    if (!this.goesOn || this.#syncing) return;
    this.#syncing = true;
    this.#sync().catch((error) => this.failed(error));
  }

  protected override rearm(): Promise<void> {
    return this.#sync();
  }

  async #sync(): Promise<void> {
    await this.exclusive.acquire(NOBODY);
    // Whoever has exited meanwhile judges that first, by what was armed when it did: the
    // trap of a step would be taken for the guest's.
    await new Promise((resolve) => setTimeout(resolve, 0));
    // Changes that come from here on find the others held no longer.
    this.#syncing = false;
    try {
      if (!this.goesOn) return;
      this.inMemory?.prune();
      this.#arm(false);
    } finally {
      this.exclusive.release(this.goesOn);
    }
  }

  /** Ends the guest: it cannot be resumed, only restarted. */
  kill(): void {
    const reason = { kind: "exited", code: 0 } as const;
    if (this.goesOn) this.#found(this.vcpus[0], reason);
    else if (this.#state === "stopping") this.#cause = { processor: 0, reason };
    else {
      this.stop = { processor: 0, reason };
      this.#tellExit(this.stop);
    }
  }

  restart(): void {
    this.needStopped();
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
