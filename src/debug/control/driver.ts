/**
 * What one processor does for its part of a plan: run, step, step through a
 * range; past breakpoints that nobody is told of, and held while others step
 * over theirs. Whether it goes on at all is run control's to say.
 */
import { Reg } from "../../../ffi/registers.ts";
import { injectException } from "../../machine/events.ts";
import type { Machine } from "../../machine/machine.ts";
import {
  CANCELED,
  COMPLETED,
  type ExceptionReturn,
  type PointReturn,
  type Power,
  type Return,
} from "../../machine/outcome.ts";
import { DR6_BS } from "../../x86/debug_registers.ts";
import { RFLAGS_RF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import { setRefusable } from "../../machine/refusable.ts";
import type { DebugPointExit, ExceptionExit } from "../../platform/mod.ts";
import {
  type BreakpointTable,
  SoftwareBreakpoint,
} from "../breakpoints/table.ts";
import { DebugExceptions } from "./exceptions.ts";
import { Exclusive } from "./exclusive.ts";
import { STEP_VECTORS } from "../stepping/faults.ts";
import { Gates } from "../stepping/gates.ts";
import { HardwareBreakpoints, reasonOf } from "../breakpoints/hardware.ts";
import { timerAsks } from "../stepping/interrupts.ts";
import { kernelSpace } from "../linux/kernel.ts";
import { MemoryBreakpoints } from "../breakpoints/memory.ts";
import { ProcessorPoints } from "../breakpoints/points.ts";
import { rangeStep } from "../stepping/range.ts";
import { Simulator } from "../stepping/simulate.ts";
import { Startups } from "./startups.ts";
import {
  type StepControl,
  Stepper,
  type StepResult,
} from "../stepping/stepper.ts";
import { PointStepper } from "../stepping/point_stepper.ts";
import { type Action, type StopReason, TargetError } from "../target.ts";
import { Vcpu } from "../guest/vcpu.ts";
import { INT1, INT3 } from "../breakpoints/trap.ts";
import { VirtualMemory } from "../guest/vmemory.ts";
import { PageWalker, type Paging } from "../guest/walk.ts";

/** How breakpoints are held: as 0xF1 in memory and in debug registers, or as the
 * platform's debug points, where it has such. */
export type BreakpointWay = "memory" | "processor";

/** What a processor's part of a plan ended with: a reason to stop everybody,
 * the machine's own end, or null (somebody else stops). */
export type Ending = StopReason | Power | null;

export abstract class Driver implements StepControl {
  readonly machine: Machine;
  readonly vcpus: readonly Vcpu[];
  readonly walker: PageWalker;
  readonly breakpoints: BreakpointTable;
  /** The platform's debug points; null where breakpoints are in memory. */
  readonly points: ProcessorPoints | null;
  /** Breakpoints in memory; null where they are debug points. */
  readonly inMemory: MemoryBreakpoints | null;
  readonly hardware: HardwareBreakpoints;
  readonly memory: VirtualMemory;
  readonly gates: Gates;
  /** How often a processor went on at a debug point that nobody wanted to be told of. */
  passed = 0;
  /** The processor that the last stop was told of. */
  protected lookedAt = 0;
  readonly exclusive: Exclusive;
  protected readonly startups: Startups;
  readonly #steppers: readonly (Stepper | PointStepper)[];
  readonly #exceptions: DebugExceptions;
  readonly #simulator: Simulator;

  /** Throws a TargetError for a way that the platform does not have. */
  constructor(machine: Machine, way?: BreakpointWay) {
    const { partition } = machine;
    if (way === "processor" && !partition.hasDebugPoints) {
      throw new TargetError(
        `${partition.functions.name} has no breakpoints in the processor: ` +
          "they are in memory there",
      );
    }
    this.machine = machine;
    this.vcpus = machine.processors.map((processor) => new Vcpu(processor));
    this.walker = new PageWalker(machine.memory);
    if (partition.hasDebugPoints && way !== "memory") {
      this.points = this.breakpoints = new ProcessorPoints(partition);
      this.inMemory = null;
      partition.setDebugPointFilter((vp, id) => this.#stopsAt(vp, id) ? 1 : 0);
    } else {
      this.points = null;
      this.breakpoints = this.inMemory = new MemoryBreakpoints(
        machine.memory,
        this.walker,
        machine.options.host?.int1Exits === false ? INT3 : INT1,
      );
    }
    this.memory = new VirtualMemory(
      machine.memory,
      this.walker,
      this.inMemory,
    );
    this.hardware = new HardwareBreakpoints(this.memory);
    this.gates = new Gates(this.memory);
    this.exclusive = new Exclusive(machine.processors);
    this.startups = new Startups(this);
    const { points } = this;
    this.#steppers = this.vcpus.map(() =>
      points === null ? new Stepper(this) : new PointStepper(this, points)
    );
    this.#exceptions = new DebugExceptions(this);
    this.#simulator = new Simulator(machine.memory, this.memory, this.walker);
  }

  /** False once the guest is to stop, and while it is stopped. */
  abstract get goesOn(): boolean;

  /** Whether a processor takes part in the plan. */
  abstract takesPart(v: Vcpu): boolean;

  /** Chooses anew what is in memory and what in debug registers. */
  protected abstract rearm(): Promise<void>;

  /** What no processor waits for has failed: a reason to stop. */
  abstract failed(error: unknown): void;

  /** A processor's part of a plan, to its end. */
  protected perform(v: Vcpu, action: Action): Promise<Ending> {
    switch (action.kind) {
      case "step":
        return this.#step(v, action);
      case "range":
        return rangeStep(this, v, action.start, action.end);
      default:
        return this.#continue(v);
    }
  }

  async #step(
    v: Vcpu,
    { interrupts = false, holdTimers = false }: Action & { kind: "step" },
  ): Promise<Ending> {
    v.read();
    // There is nothing to step yet: it waits as it would running.
    if (v.waitsForSipi) return await this.#continue(v);
    const taken = interrupts && !(holdTimers && timerAsks(this.machine, v))
      ? await this.#steppers[v.index].takeInterrupt(v)
      : null;
    const result = taken ?? await this.stepOne(v, interrupts);
    if (result !== "done") return result === "canceled" ? null : result;
    return this.watchReason(v) ?? { kind: "step" };
  }

  /** One instruction, also where a breakpoint is; `v` has been read, and is when
   * it is done. */
  async stepOne(v: Vcpu, interrupts = false): Promise<StepResult> {
    if (this.points !== null) {
      return await this.#steppers[v.index].step(v, interrupts);
    }
    for (;;) {
      const breakpoint = this.inMemory!.at(v.linear) ??
        this.inMemory!.heldAt(this.walker.translate(v, v.linear));
      if (breakpoint !== undefined && breakpoint.sites.length > 0) {
        return await this.stepOver(v, breakpoint, interrupts);
      }
      const result = await this.#steppers[v.index].step(v, interrupts);
      if (result !== "canceled" || !this.goesOn) return result;
    }
  }

  /** Takes the fault that a processor exited with, into its handler. */
  stepInto(v: Vcpu, exit: ExceptionExit): Promise<StepResult> {
    return this.#steppers[v.index].takeFault(v, exit);
  }

  /** What the exception, or the debug point, that a processor exited with means. */
  meaningOf(
    v: Vcpu,
    why: ExceptionReturn | PointReturn,
  ): StopReason | SoftwareBreakpoint | "go on" {
    if (why.kind === "exception") return this.#exceptions.handle(v, why.exit);
    const point = why.exit;
    v.read();
    const breakpoint = this.points!.breakpointOf(point);
    if (breakpoint !== undefined) {
      return this.#exceptions.told(v, breakpoint) ?? breakpoint;
    }
    const [reason, ...more] = this.points!.reasons(point.hits);
    v.untold.push(...more);
    return reason ?? "go on";
  }

  /** What a debug point that a processor has exited for is told as; null if nobody wants
   * to be told. */
  reasonOfPoint(v: Vcpu, point: DebugPointExit): StopReason | null {
    v.read();
    const breakpoint = this.points!.breakpointOf(point);
    return breakpoint !== undefined
      ? this.#exceptions.told(v, breakpoint)
      : this.points!.reasons(point.hits)[0] ?? null;
  }

  /** Whether a processor that has come to an instruction point is to exit: asked while it
   * runs. */
  #stopsAt(index: number, id: number): boolean {
    if (this.#judge(index, id)) return true;
    this.passed++;
    return false;
  }

  #judge(index: number, id: number): boolean {
    const breakpoint = this.points!.codeAt(id);
    if (breakpoint === undefined) return false;
    if (breakpoint.plants > 0) return true;
    // Its registers are other ones than at the last exit.
    if (breakpoint.conditional) this.machine.partition.changes++;
    return this.#exceptions.told(this.vcpus[index], breakpoint) !== null;
  }

  /** What a processor is told where it is, if a breakpoint wants to stop it there. */
  breaksAt(v: Vcpu): StopReason | null {
    const breakpoint = this.breakpoints.size === 0
      ? undefined
      : this.breakpoints.at(v.linear);
    const told = breakpoint && this.#exceptions.told(v, breakpoint);
    return told ?? this.#exceptions.hardwareAt(v);
  }

  /** The watchpoint that the last step of a processor hit. */
  watchReason(v: Vcpu): StopReason | null {
    return this.#steppers[v.index].watched;
  }

  /** One instruction at a breakpoint, with all others held; `v` has been read. */
  async stepOver(
    v: Vcpu,
    breakpoint: SoftwareBreakpoint,
    interrupts = false,
  ): Promise<StepResult> {
    const { machine, inMemory } = this;
    if (inMemory === null) return await this.#steppers[v.index].step(v);
    const held = this.exclusive.acquire(v.index);
    if (held !== null) await held;
    const sites = inMemory.at(breakpoint.address);
    const bitmap = machine.exceptionBitmap;
    try {
      // Nobody else runs: what exits may change for the one instruction.
      machine.setExceptionBitmap(bitmap | STEP_VECTORS);
      if (sites !== undefined) inMemory.lift(sites);
      try {
        return await this.#steppers[v.index].step(v, interrupts);
      } finally {
        if (sites !== undefined) inMemory.settle(sites);
      }
    } finally {
      try {
        machine.setExceptionBitmap(bitmap);
      } finally {
        this.exclusive.release(this.goesOn);
      }
    }
  }

  async #continue(v: Vcpu): Promise<Ending> {
    const off = await this.#stepOff(v);
    if (off !== "done") return off;
    for (;;) {
      if (!this.goesOn) return null;
      const why = await this.run(v, false);
      if (why.kind === "power") return why;
      if (why.kind !== "exception" && why.kind !== "point") continue;
      const ending = this.meaningOf(v, why);
      if (ending === "go on") {
        if (!v.spins) continue;
        v.read();
        const spun = await this.#steppers[v.index].step(v);
        v.spins = false;
        if (typeof spun === "object") return spun;
        const watched = this.watchReason(v);
        if (watched !== null) return watched;
        continue;
      }
      if (!(ending instanceof SoftwareBreakpoint)) return ending;
      // A breakpoint that nobody wants to be told about.
      if (this.points !== null) {
        v.processor.vp.passDebugPoints();
        continue;
      }
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
        if (result !== "done") return result === "canceled" ? null : result;
      }
    }
    const at = v.toldAt ?? v.passAt;
    if (at !== null) {
      v.toldAt = v.passAt = null;
      v.read();
      if (v.linear === at) {
        if (this.points !== null) {
          v.processor.vp.passDebugPoints();
          return "done";
        }
        const breakpoint = this.inMemory?.at(at);
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
    if (typeof result === "object") return result;
    if (result === "canceled") {
      // It has been decided on: the next resume goes past it.
      v.passAt = breakpoint.address;
      return null;
    }
    return this.watchReason(v) ?? "done";
  }

  /** Runs a processor, unless somebody holds it. */
  async run(v: Vcpu, single: boolean): Promise<Return> {
    const exclusive = this.exclusive;
    if (v.guestTrap !== 0n && !single) {
      const given = await this.#giveTrap(v);
      if (given === "canceled") return CANCELED;
      if (given !== "done") return given;
    }
    for (;;) {
      if (this.hardware.crowded && !exclusive.holds(v.index)) {
        await this.waitFor(v, this.rearm());
      }
      // From here to the platform's run nothing is waited for.
      while (exclusive.blocks(v.index)) {
        if (!this.goesOn) return CANCELED;
        await exclusive.wait(v.index);
      }
      let why: Return;
      try {
        why = await v.processor.run(single);
      } finally {
        exclusive.returned(v.index);
      }
      if (why.kind !== "startup") return why;
      await this.startups.send(v, why);
      if (single) return COMPLETED;
    }
  }

  /** Has a processor wait for what others have to run for, or to stop. */
  async waitFor(v: Vcpu, until: Promise<void>): Promise<void> {
    const { vp } = v.processor;
    vp.expectRun(false);
    try {
      await until;
    } finally {
      vp.expectRun(true);
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

  /** Writes what is pending into memory, but for what debug registers are going to do; no
   * processor runs. `chosen` is true at the end of a stop: what is set then is set in
   * the program that was looked at. */
  setBreakpoints(chosen = false): void {
    const now = this.machine.options.clock.now();
    if (this.inMemory === null) {
      this.points!.sync(now);
      return;
    }
    if (this.breakpoints.size === 0) return;
    const spaces = this.spaces();
    const registers = this.hardware.lendable(this.vcpus);
    this.inMemory.set(spaces, registers, now, chosen ? spaces : []);
  }

  /** The address spaces that processors are in, that of the last stop first, and the
   * kernels' behind them. */
  spaces(): Paging[] {
    const looked = this.vcpus[this.lookedAt];
    const spaces: Paging[] = [
      looked,
      ...this.vcpus.filter((v) => v !== looked),
    ];
    for (const v of this.vcpus) {
      if (!v.processor.inRun) v.read();
      const kernel = kernelSpace(this.machine.memory, v);
      if (kernel !== null) spaces.push(kernel);
    }
    return spaces;
  }

  /** Gives a processor its own debug registers back. A hit that is about to be
   * raised is sorted out first: it is by the numbers of ours. */
  protected takeDebugRegisters(v: Vcpu): void {
    if (!this.hardware.installed(v)) return;
    v.read();
    if (v.pendingDebug !== 0n) {
      const hit = this.hardware.hit(v, v.pendingDebug);
      setRefusable(v.processor.vp, Reg.PendingDebugException, 0n);
      v.guestTrap |= hit.guest | (v.pendingDebug & DR6_BS);
      if (hit.slot !== null && !hit.slot.lent) {
        v.untold.push(reasonOf(hit.slot));
      }
    }
    if (this.hardware.lost(v)) this.startups.taken(v);
    this.hardware.uninstall(v);
  }
}
