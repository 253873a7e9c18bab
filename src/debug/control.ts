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
import { Reg } from "../../ffi/registers.ts";
import { injectException, Vector } from "../machine/events.ts";
import type { Machine } from "../machine/machine.ts";
import type { Return } from "../machine/processor.ts";
import { BreakpointTable, type SoftwareBreakpoint } from "./breakpoints.ts";
import { DebugExceptions } from "./exceptions.ts";
import { Exclusive, NOBODY } from "./exclusive.ts";
import { Gates } from "./gates.ts";
import { HardwareBreakpoints } from "./hardware.ts";
import { rangeStep } from "./range.ts";
import { Simulator } from "./simulate.ts";
import {
  STEP_VECTORS,
  type StepControl,
  Stepper,
  type StepResult,
} from "./stepper.ts";
import {
  type Action,
  type Breakpoint,
  type Plan,
  type Stop,
  type StopReason,
  TargetError,
} from "./target.ts";
import { DR6_BS, RFLAGS_RF, Vcpu } from "./vcpu.ts";
import { VirtualMemory } from "./vmemory.ts";
import { PageWalker } from "./walk.ts";

const log = getLogger(["icebp", "debug"]);

type State = "stopped" | "resuming" | "running" | "stopping";

const DB_BIT = 1n << 1n;

/** What a processor's part of a plan ended with: a reason to stop everybody,
 * "machine" (the machine has an event), or null (somebody else stops). */
export type Ending = StopReason | "machine" | null;

export class RunControl implements StepControl {
  readonly machine: Machine;
  readonly vcpus: readonly Vcpu[];
  readonly walker: PageWalker;
  readonly breakpoints: BreakpointTable;
  readonly hardware: HardwareBreakpoints;
  readonly memory: VirtualMemory;
  readonly gates: Gates;
  stop: Stop | null = { processor: 0, reason: { kind: "paused" } };
  onStop: ((stop: Stop) => void) | null = null;
  /** Called when the guest has ended, whoever is told of stops. */
  onExit: ((code: number) => void) | null = null;
  readonly #steppers: readonly Stepper[];
  readonly #exceptions: DebugExceptions;
  readonly #exclusive: Exclusive;
  readonly #simulator: Simulator;
  #state: State = "stopped";
  #plan: Plan = [];
  /** Processors whose part of the plan has not ended. */
  #active = 0;
  #cause: Stop | null = null;
  #syncing = false;

  /** Takes over a machine that nobody runs. Its time stands still. */
  constructor(machine: Machine) {
    this.machine = machine;
    this.vcpus = machine.processors.map((processor) => new Vcpu(processor));
    this.walker = new PageWalker(machine.memory);
    this.breakpoints = new BreakpointTable(machine.memory, this.walker);
    this.memory = new VirtualMemory(
      machine.memory,
      this.walker,
      this.breakpoints,
    );
    this.hardware = new HardwareBreakpoints(this.memory);
    this.gates = new Gates(this.memory);
    this.#steppers = this.vcpus.map(() => new Stepper(this));
    this.#exceptions = new DebugExceptions(this);
    this.#simulator = new Simulator(machine.memory, this.memory, this.walker);
    this.#exclusive = new Exclusive(machine.processors);
    for (const v of this.vcpus) {
      v.processor.onCancelFailed = (error) => {
        if (v.untold.length === 0) v.untold.push(failure(error));
      };
    }
    machine.partition.suspendTime();
  }

  get processors(): number {
    return this.vcpus.length;
  }

  /** False once the guest is to stop, and while it is stopped. */
  get goesOn(): boolean {
    return this.#state === "running" || this.#state === "resuming";
  }

  /** Throws unless the guest is stopped. */
  needStopped(): void {
    if (this.#state !== "stopped") throw new TargetError("the guest runs");
  }

  resume(plan: Plan): void {
    this.needStopped();
    if (this.stop?.reason.kind === "exited") {
      throw new TargetError("the guest has ended");
    }
    const untold = this.#nextUntold(plan);
    if (untold !== null) {
      this.stop = untold;
      this.onStop?.(untold);
      return;
    }
    this.stop = null;
    this.#start(plan);
  }

  /** A stop that was found by the way, of a processor that is to run now. */
  #nextUntold(plan: Plan): Stop | null {
    for (const v of this.vcpus) {
      if (plan[v.index].kind === "stay") continue;
      const reason = v.untold.shift();
      if (reason !== undefined) return { processor: v.index, reason };
    }
    const event = this.machine.event;
    if (event === null || event.kind === "reset") return null;
    // Told already: as on a PC, what follows a triple fault is a reset.
    if (event.kind === "triple-fault") return null;
    return { processor: 0, reason: this.#machineReason() };
  }

  #start(plan: Plan): void {
    this.#plan = plan;
    this.#state = "resuming";
    this.#cause = null;
    try {
      if (this.machine.event !== null) this.#resetMachine();
      this.#arm();
      this.machine.partition.resumeTime();
    } catch (error) {
      this.#found(this.vcpus[0], failure(error));
      this.#allStopped();
      return;
    }
    const starting = this.vcpus.filter((v) => plan[v.index].kind !== "stay");
    this.#active = starting.length;
    this.#state = "running";
    for (const v of starting) this.#drive(v, plan[v.index]);
    if (starting.length === 0) {
      this.#found(this.vcpus[0], { kind: "interrupted" });
      this.#allStopped();
    }
  }

  /** Chooses what exits, and puts breakpoints where they belong. */
  #arm(): void {
    const plan = this.#plan;
    const steps = plan.some((a) => a.kind === "step" || a.kind === "range");
    const runs = plan.some((a) => a.kind === "continue");
    const alone = plan.filter((a) => a.kind !== "stay").length === 1;
    // One processor that steps meets no breakpoint but by its address.
    if (runs || !alone) this.setBreakpoints();
    for (const v of this.vcpus) this.hardware.install(v);
    this.machine.setExceptionBitmap(
      steps
        ? STEP_VECTORS
        : this.breakpoints.size > 0 || this.hardware.armed
        ? DB_BIT
        : 0n,
    );
  }

  /** Writes what is pending into memory; no processor runs that is not held. */
  setBreakpoints(): void {
    if (this.breakpoints.size === 0) return;
    for (const v of this.vcpus) if (!v.processor.inRun) v.read();
    this.breakpoints.set(this.vcpus);
  }

  async #drive(v: Vcpu, action: Action): Promise<void> {
    try {
      const ending = await this.#perform(v, action);
      if (ending === "machine") this.#found(v, this.#machineReason());
      else if (ending !== null) this.#found(v, ending);
    } catch (error) {
      this.#found(v, failure(error));
    }
    if (--this.#active === 0) this.#allStopped();
  }

  #perform(v: Vcpu, action: Action): Promise<Ending> {
    switch (action.kind) {
      case "step":
        return this.#step(v);
      case "range":
        return rangeStep(this, v, action.start, action.end);
      default:
        return this.#continue(v);
    }
  }

  async #step(v: Vcpu): Promise<Ending> {
    v.read();
    // There is nothing to step yet: it waits as it would running.
    if (v.waitsForSipi) return await this.#continue(v);
    const result = await this.stepOne(v);
    if (result !== "done") return result === "machine" ? result : null;
    return this.watchReason(v) ?? { kind: "step" };
  }

  /** One instruction, also where a breakpoint is; `v` has been read, and is when
   * it is done. */
  stepOne(v: Vcpu): Promise<StepResult> {
    const breakpoint = this.breakpoints.at(v.linear);
    if (breakpoint !== undefined && breakpoint.sites.length > 0) {
      return this.stepOver(v, breakpoint);
    }
    return this.#steppers[v.index].step(v);
  }

  /** Takes the fault that a processor exited with, into its handler. */
  stepInto(v: Vcpu): Promise<StepResult> {
    return this.#steppers[v.index].takeFault(v);
  }

  /** What the exception that a processor exited with means. */
  meaningOf(v: Vcpu): StopReason | SoftwareBreakpoint | "go on" {
    return this.#exceptions.handle(v);
  }

  /** Whether a processor is where a breakpoint wants to stop it. */
  breaksAt(v: Vcpu): boolean {
    if (this.breakpoints.size === 0) return false;
    const breakpoint = this.breakpoints.at(v.linear);
    return breakpoint !== undefined && breakpoint.owners.length > 0 &&
      this.#exceptions.conditionHolds(v, breakpoint);
  }

  /** The watchpoint that the last step of a processor hit. */
  watchReason(v: Vcpu): StopReason | null {
    const slot = this.#steppers[v.index].watched;
    return slot === null ? null : this.#exceptions.reasonOf(slot);
  }

  /** One instruction at a breakpoint, with all others held; `v` has been read. */
  async stepOver(
    v: Vcpu,
    breakpoint: SoftwareBreakpoint,
  ): Promise<StepResult> {
    const held = this.#exclusive.acquire(v.index);
    if (held !== null) await held;
    const { machine, breakpoints } = this;
    const bitmap = machine.exceptionBitmap;
    try {
      // Nobody else runs: what exits may change for the one instruction.
      machine.setExceptionBitmap(bitmap | STEP_VECTORS);
      breakpoints.lift(breakpoint);
      try {
        return await this.#steppers[v.index].step(v);
      } finally {
        breakpoints.settle(breakpoint);
      }
    } finally {
      try {
        machine.setExceptionBitmap(bitmap);
      } finally {
        this.#exclusive.release(this.goesOn);
      }
    }
  }

  async #continue(v: Vcpu): Promise<Ending> {
    const off = await this.#stepOff(v);
    if (off !== "done") return off;
    for (;;) {
      if (!this.goesOn) return null;
      const why = await this.run(v, false);
      if (why === "machine") return why;
      if (why !== "exception") continue;
      const ending = this.meaningOf(v);
      if (ending === "go on") continue;
      if (!("sites" in ending)) return ending;
      // A breakpoint that nobody wants to be told about.
      if (this.#simulator.simulate(v)) continue;
      const over = await this.#overUntold(v, ending);
      if (over !== "done") return over;
    }
  }

  /** Leaves the breakpoint that was told at the last stop. */
  async #stepOff(v: Vcpu): Promise<Ending | "done"> {
    if (this.hardware.installed(v)) {
      v.read();
      if (v.pendingVector === Vector.DB) {
        // As in #giveTrap().
        const result = await this.#steppers[v.index].step(v);
        if (result !== "done") return result === "machine" ? result : null;
      }
    }
    const at = v.toldAt;
    if (at !== null) {
      v.toldAt = null;
      v.read();
      if (v.linear === at) {
        const breakpoint = this.breakpoints.at(at);
        if (breakpoint !== undefined && breakpoint.sites.length > 0) {
          if (this.#simulator.simulate(v)) return "done";
          const over = await this.#overUntold(v, breakpoint);
          if (over !== "done") return over;
        } else if (this.hardware.installed(v)) {
          v.processor.vp.set(Reg.Rflags, v.rflags | RFLAGS_RF);
        }
      }
    }
    return "done";
  }

  async #overUntold(
    v: Vcpu,
    breakpoint: SoftwareBreakpoint,
  ): Promise<Ending | "done"> {
    const result = await this.stepOver(v, breakpoint);
    if (result === "machine") return result;
    if (result === "canceled") {
      // It has been decided on: the next resume goes past it.
      v.toldAt = breakpoint.address;
      return null;
    }
    return this.watchReason(v) ?? "done";
  }

  /** Runs a processor, unless somebody holds it. */
  async run(v: Vcpu, single: boolean): Promise<Return> {
    const exclusive = this.#exclusive;
    if (v.guestTrap !== 0n && !single) {
      const given = await this.#giveTrap(v);
      if (given !== "done") return given;
    }
    // From here to the platform's run nothing is waited for.
    while (exclusive.blocks(v.index)) {
      if (!this.goesOn) return "canceled";
      await exclusive.wait();
    }
    try {
      return await v.processor.run(single);
    } finally {
      exclusive.returned(v.index);
    }
  }

  /** The trap of the guest's own TF, or debug register, that a step took. */
  async #giveTrap(v: Vcpu): Promise<StepResult> {
    // Delivering it clears DR7.GD, which has to be set again in the handler.
    v.read();
    if (this.hardware.installed(v)) {
      return await this.#steppers[v.index].step(v);
    }
    this.hardware.addGuestStatus(v, v.guestTrap);
    injectException(v.processor.vp, Vector.DB, null);
    v.guestTrap = 0n;
    return "done";
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
      this.#exclusive.wake();
    } else if (
      reason.kind === "watchpoint" || reason.kind === "exception" ||
      reason.kind === "failed"
    ) v.untold.push(reason);
  }

  #allStopped(): void {
    let cause = this.#cause!;
    try {
      this.breakpoints.clear();
      for (const v of this.vcpus) {
        v.processor.clearRequest();
        this.#takeDebugRegisters(v);
      }
      this.machine.partition.suspendTime();
      if (
        this.machine.event?.kind === "reset" && cause.reason.kind === "paused"
      ) {
        // The guest restarted itself: it goes on.
        this.#start(this.vcpus.map(() => ({ kind: "continue" })));
        return;
      }
    } catch (error) {
      cause = { processor: cause.processor, reason: failure(error) };
    }
    this.#state = "stopped";
    this.stop = cause;
    this.onStop?.(cause);
    this.#tellExit(cause);
  }

  #tellExit({ reason }: Stop): void {
    if (reason.kind === "exited") this.onExit?.(reason.code);
  }

  /** Gives a processor its own debug registers back. A hit that is about to be
   * raised is sorted out first: it is by the numbers of ours. */
  #takeDebugRegisters(v: Vcpu): void {
    if (!this.hardware.installed(v)) return;
    v.read();
    if (v.pendingDebug !== 0n) {
      const hit = this.hardware.hit(v, v.pendingDebug);
      v.processor.vp.set(Reg.PendingDebugException, 0n);
      v.guestTrap |= hit.guest | (v.pendingDebug & DR6_BS);
      if (hit.slot !== null) v.untold.push(this.#exceptions.reasonOf(hit.slot));
    }
    this.hardware.uninstall(v);
  }

  #machineReason(): StopReason {
    const event = this.machine.event;
    switch (event?.kind) {
      case "exit":
        return { kind: "exited", code: event.code };
      case "power-off":
        return { kind: "exited", code: 0 };
      case "triple-fault":
        return { kind: "exception", vector: Vector.DF };
      default:
        return { kind: "paused" };
    }
  }

  #resetMachine(): void {
    this.hardware.forget();
    for (const v of this.vcpus) {
      v.toldAt = null;
      v.untold.length = 0;
      v.guestTrap = 0n;
    }
    this.machine.reset();
  }

  interrupt(): void {
    if (!this.goesOn) return;
    const index = this.#plan.findIndex((a) => a.kind !== "stay");
    this.#found(this.vcpus[Math.max(index, 0)], { kind: "interrupted" });
  }

  insertBreakpoint(breakpoint: Breakpoint): void {
    if (breakpoint.kind === "software") {
      this.breakpoints.insert(breakpoint.address, breakpoint.conditions);
    } else this.hardware.insert(breakpoint);
    this.#changed();
  }

  removeBreakpoint(breakpoint: Breakpoint): boolean {
    const removed = breakpoint.kind === "software"
      ? this.breakpoints.remove(breakpoint.address)
      : this.hardware.remove(breakpoint);
    if (removed) this.#changed();
    return removed;
  }

  /** Takes every breakpoint and watchpoint away. */
  removeAllBreakpoints(): void {
    this.breakpoints.removeAll();
    this.hardware.removeAll();
    this.#changed();
  }

  /** What is armed changed while the guest runs: all are held for a moment. */
  #changed(): void {
    if (!this.goesOn || this.#syncing) return;
    this.#syncing = true;
    this.#sync().catch((error) => this.#found(this.vcpus[0], failure(error)));
  }

  async #sync(): Promise<void> {
    await this.#exclusive.acquire(NOBODY);
    // Changes that come from here on find the others held no longer.
    this.#syncing = false;
    try {
      if (!this.goesOn) return;
      this.breakpoints.prune();
      for (const v of this.vcpus) this.#takeDebugRegisters(v);
      this.#arm();
    } finally {
      this.#exclusive.release(this.goesOn);
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

function failure(error: unknown): StopReason {
  const message = error instanceof Error ? error.message : String(error);
  log.error("{message}", { message, error });
  return { kind: "failed", message: message.split("\n")[0] };
}
