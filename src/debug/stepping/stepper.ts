/**
 * One instruction of one processor, exactly.
 *
 * Most instructions run with RFLAGS.TF and an interrupt shadow. TF is taken
 * out of wherever the instruction saves it, so that the guest never sees it.
 * Those that go somewhere with a new set of flags (INT n, SYSCALL, faults, ...)
 * or hold the trap back (MOV SS) run without TF up to an 0xF1 at the place they
 * go to. HLT is carried out here. Instructions that exit for the machine are
 * complete when the machine has carried them out.
 */
import { DebugPass } from "../../../ffi/debug_points.ts";
import { Reg } from "../../../ffi/registers.ts";
import {
  INTERRUPT_SHADOW,
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
} from "../../../ffi/values.ts";
import type { DebugHit, ExceptionExit } from "../../platform/mod.ts";
import { RegisterBatch } from "../../machine/batch.ts";
import type { Return } from "../../machine/processor.ts";
import { DR6_BS, DR6_HITS } from "../../x86/debug_registers.ts";
import { RFLAGS_IF, RFLAGS_OF, RFLAGS_RF, RFLAGS_TF } from "../../x86/flags.ts";
import { SYSTEM_32_BIT } from "../../x86/segments.ts";
import { Vector } from "../../x86/vectors.ts";
import { TolerantBatch } from "../../machine/refusable.ts";
import type { SoftwareBreakpoint } from "../breakpoints/table.ts";
import { decode, Kind, newDecoded } from "../guest/decode.ts";
import { type Fault, faultOf, nested, NO_PARAMETER } from "./faults.ts";
import type { Gates } from "./gates.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import { reasonOf } from "../breakpoints/hardware.ts";
import type { Guest } from "../guest/guest.ts";
import type { StepResult } from "./results.ts";
import { apicVector, takesInterrupts } from "./interrupts.ts";
import { type StopReason, TargetError } from "../target.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { isTrap } from "../breakpoints/trap.ts";

/** What the stepper needs of run control. */
export interface StepControl {
  readonly guest: Guest;
  readonly breakpoints: Breakpoints;
  readonly gates: Gates;
  /** Runs a processor with regard to those who hold others. */
  readonly runner: { run(v: Vcpu, single: boolean): Promise<Return> };
  /** What it means that a processor has exited. */
  readonly meaning: {
    of(v: Vcpu): StopReason | SoftwareBreakpoint | "go on";
  };
  /** goesOn is false if the guest is to stop. */
  readonly course: { readonly goesOn: boolean };
}

const STI = 0xfb;
/** Where a task's flags are in its TSS (Intel SDM volume 3, "Task-State Segment"). */
const TSS32_EFLAGS = 0x24n, TSS16_FLAG = 0x10n;
/** Host time that a step of a JMP to itself waits for an interrupt where breakpoints are
 * in memory, and that it is given to come out of its handler. */
const SPIN_MS = 1;
const HANDLER_MS = 100;
/** Interrupt vectors. */
const VECTORS = 256;

/** TR: which task runs. */
interface TaskState {
  readonly selector: number;
  readonly base: bigint;
  /** Whether it is a 32-bit TSS. */
  readonly wide: boolean;
}

export class Stepper {
  /** The watchpoint that the last step hit, if any. */
  watched: StopReason | null = null;
  readonly #control: StepControl;
  readonly #code = new Uint8Array(15);
  readonly #decoded = newDecoded();
  readonly #begin = new TolerantBatch(
    Reg.Rflags,
    Reg.InterruptState,
    Reg.Dr6,
    Reg.InternalActivityState,
  );
  readonly #end = new TolerantBatch(
    Reg.Rflags,
    Reg.InterruptState,
    Reg.Dr6,
    Reg.PendingDebugException,
  );
  readonly #image = new Uint8Array(1);
  readonly #task = new RegisterBatch(Reg.Tr);
  /** The fault that the run of a step ended with. */
  #fault: Fault | null = null;
  /** What DR6 gets by the trap that ended it, where the exit tells. */
  #status = 0n;

  constructor(control: StepControl) {
    this.#control = control;
  }

  /** Runs a processor freely, with a debug exception of its own first: by its own TF, or
   * debug register, that a step took. */
  run(v: Vcpu): Promise<Return> {
    return v.guestTrap === 0n
      ? this.#control.runner.run(v, false)
      : this.#runTrapped(v);
  }

  async #runTrapped(v: Vcpu): Promise<Return> {
    const { hardware } = this.#control.breakpoints;
    // Delivering it clears DR7.GD, which has to be set again in the handler.
    v.read();
    if (hardware.installed(v)) {
      const given = await this.step(v);
      if (given !== "done") return given;
    } else {
      hardware.addGuestStatus(v, v.guestTrap);
      v.inject(Vector.DB, null);
      v.guestTrap = 0n;
    }
    return await this.#control.runner.run(v, false);
  }

  /** Makes one instruction; `v` has been read, and is when it is done. On any
   * way out TF and the shadow are the guest's own again; if even that fails,
   * the first error is thrown. With `interrupts` takeInterrupt() comes first. */
  async step(v: Vcpu, interrupts = false): Promise<StepResult> {
    this.watched = null;
    if (v.waitsForSipi) {
      throw new TargetError(`CPU${v.index} waits for a SIPI: nothing to step`);
    }
    const pending = v.pendingVector;
    if (pending >= 0) {
      // It comes before any instruction: the step ends in its handler.
      const handler = this.#control.gates.handler(v, pending);
      if (handler !== null) {
        const result = await this.#untilLinear(v, handler, pending);
        if (pending === Vector.DB) {
          this.#control.breakpoints.hardware.refresh(v);
        }
        return result;
      }
    }
    // So does a debug exception of the guest's that is about to be raised.
    const pendingDebug = v.pendingDebug;
    if (pendingDebug !== 0n) {
      v.dropPendingDebug();
      v.guestTrap |= pendingDebug;
    }
    if (v.guestTrap !== 0n) {
      this.#control.breakpoints.hardware.addGuestStatus(v, v.guestTrap);
      v.guestTrap = 0n;
      return await this.#deliver(v, {
        vector: Vector.DB,
        code: null,
        parameter: NO_PARAMETER,
      });
    }
    const kind = this.#decodeAt(v);
    switch (kind) {
      case Kind.Halt:
        if (v.cpl !== 0) break;
        return this.#halt(v);
      case Kind.Jump:
        if (this.#decoded.target !== 0 || (v.rflags & RFLAGS_IF) === 0n) break;
        // Where interrupts come between steps they get it out of there.
        if (interrupts) break;
        return await this.#spin(v);
      case Kind.LoadSs:
        return await this.#until(v, v.rip + BigInt(this.#decoded.length));
      case Kind.Interrupt:
        return await this.#interrupt(v);
      case Kind.Syscall:
        return await this.#untilLinear(
          v,
          v.get(v.codeBits === 64 ? Reg.Lstar : Reg.Cstar),
        );
      case Kind.Sysenter:
        return await this.#untilLinear(v, v.get(Reg.SysenterEip));
      case Kind.Sysret:
        return await this.#untilLinear(v, v.get(Reg.Rcx));
      case Kind.Sysexit:
        return await this.#untilLinear(v, v.get(Reg.Rdx));
      case Kind.MoveDr:
        // Done by hand: DR6 and DR7 as the guest sees them are not what a step
        // has in them.
        if (
          this.#control.breakpoints.hardware.moveDebugRegister(v, this.#decoded)
        ) {
          v.read();
          if ((v.rflags & RFLAGS_TF) !== 0n) v.guestTrap |= DR6_BS;
          return "done";
        }
    }
    return await this.#trapFlag(v, kind);
  }

  /** The interrupt that comes before the next instruction of `v` (read), up to its
   * handler; null if none does, or where that is is not known. */
  async takeInterrupt(v: Vcpu): Promise<StepResult | null> {
    this.watched = null;
    if (!takesInterrupts(v)) return null;
    if (v.processor.takeExtInt()) v.read();
    const vector = v.pendingVector < 0 ? apicVector(v) : v.pendingVector;
    const handler = vector < 0 ? null : this.#control.gates.handler(v, vector);
    if (handler === null) return null;
    return await this.#untilLinear(v, handler, vector);
  }

  /** Has the guest take the fault that `v` (read) has exited with, up to the
   * handler's first instruction. */
  takeFault(v: Vcpu): Promise<StepResult> {
    return this.#deliver(v, faultOf(v.processor.exception!));
  }

  #decodeAt(v: Vcpu): Kind {
    const length = this.#control.guest.memory.read(v, v.linear, this.#code);
    const bytes = this.#code.subarray(0, length);
    decode(bytes, 0, v.codeBits, this.#decoded);
    return this.#decoded.kind;
  }

  #halt(v: Vcpu): StepResult {
    const batch = new TolerantBatch(
      Reg.Rip,
      Reg.InternalActivityState,
      Reg.InterruptState,
    );
    batch.set(0, v.rip + BigInt(this.#decoded.length));
    batch.set(1, 0n);
    ACTIVITY.HaltSuspend.set(batch.view, 1, 16);
    // STI before it has held interrupts off for long enough.
    batch.set(2, v.interruptState & ~INTERRUPT_SHADOW);
    batch.write(v);
    v.read();
    return "done";
  }

  /** A JMP to itself waits for an interrupt: one turn of it and a million are the same.
   * Stepped with interrupts held off, as by a debugger that judges a condition there
   * by itself, it would wait for ever. */
  async #spin(v: Vcpu): Promise<StepResult> {
    const { points } = this.#control.breakpoints;
    if (points === null) return await this.#spinInMemory(v);
    const at = v.linear;
    points.plant(at);
    try {
      v.passDebugPoints(DebugPass.Spin);
      for (;;) {
        const why = await this.run(v);
        if (why === "machine") return why;
        if (why === "exception" || why === "point") {
          if (this.#control.meaning.of(v) !== "go on") return "done";
        } else if (!this.#control.course.goesOn) return "done";
      }
    } finally {
      points.pull(at);
    }
  }

  /** As #spin(): up to an interrupt's handler, if one comes soon, and out of it again if
   * that takes not too long. Others may be held meanwhile. */
  async #spinInMemory(v: Vcpu): Promise<StepResult> {
    const { gates, breakpoints } = this.#control;
    const { table, hardware, inMemory } = breakpoints;
    const at = v.linear;
    const handlers = new Set<bigint>();
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = gates.handler(v, vector);
      if (handler === null || handler === at || handlers.has(handler)) continue;
      if (table.plant(handler, [v])) handlers.add(handler);
    }
    hardware.lift(v, at);
    try {
      const why = await this.#runFor(v, SPIN_MS, () => v.linear !== at);
      if (why !== "done" || v.linear === at || !this.#control.course.goesOn) {
        return why;
      }
    } finally {
      for (const handler of handlers) table.pull(handler);
      hardware.refresh(v);
    }
    // Whoever steps over the breakpoint there has lifted it.
    const own = inMemory!.at(at);
    if (own !== undefined) inMemory!.settle(own);
    if (!table.plant(at, [v])) return "done";
    try {
      return await this.#runFor(v, HANDLER_MS, () => v.linear === at);
    } finally {
      table.pull(at);
    }
  }

  /** Lets a processor run for some host time at most, until it has stopped and is `there`
   * or wants to be told something. */
  async #runFor(
    v: Vcpu,
    ms: number,
    there: () => boolean,
  ): Promise<StepResult> {
    const { processor } = v;
    let over = false;
    // Again and again: another one's step takes a request back.
    const timer = setInterval(() => {
      over = true;
      processor.requestReturn();
    }, ms);
    try {
      for (;;) {
        const why = await this.run(v);
        if (why === "machine") return why;
        if (this.#control.course.goesOn && over) processor.clearRequest();
        const meaning = why === "exception"
          ? this.#control.meaning.of(v)
          : "go on";
        v.read();
        if (typeof meaning === "object" && "kind" in meaning) {
          if (meaning.kind === "watchpoint") this.watched = meaning;
          return "done";
        }
        if (there() || over || !this.#control.course.goesOn) return "done";
        // A breakpoint's, for whoever runs it next to judge.
        if (meaning !== "go on") return "done";
      }
    } finally {
      clearInterval(timer);
    }
  }

  async #interrupt(v: Vcpu): Promise<StepResult> {
    const { opcode, vector, length } = this.#decoded;
    if (opcode === 0xce && (v.rflags & RFLAGS_OF) === 0n) {
      return await this.#trapFlag(v, Kind.Plain);
    }
    if (opcode === 0xf1) {
      // The guest's own INT1: intercepted, so it is delivered here.
      v.passTrap(length);
      return await this.#deliver(v, {
        vector,
        code: null,
        parameter: NO_PARAMETER,
      });
    }
    if (opcode === this.#control.breakpoints.inMemory?.trap.opcode) {
      // INT3, where that is what is intercepted.
      return await this.#deliver(v, this.#control.gates.ownInt3(v, length));
    }
    const handler = this.#control.gates.handler(v, vector);
    if (handler === null) return await this.#trapFlag(v, Kind.Plain);
    return await this.#untilLinear(v, handler);
  }

  /** The usual way. */
  async #trapFlag(v: Vcpu, kind: Kind): Promise<StepResult> {
    const { rip, rflags, interruptState, dr6 } = v;
    const begin = this.#begin;
    // RF keeps a hardware breakpoint at this instruction from holding it up.
    const resume = this.#control.breakpoints.hardware.installed(v)
      ? RFLAGS_RF
      : 0n;
    begin.set(0, rflags | RFLAGS_TF | resume);
    begin.set(1, interruptState | INTERRUPT_SHADOW);
    // Hits of this step are told from older ones by clearing those.
    begin.set(2, dr6 & ~(DR6_BS | DR6_HITS));
    // Stepping on from HLT wakes a processor, as any interrupt might.
    begin.set(3, 0n);
    begin.write(v);
    const task = this.#taskLeft(v);
    let fault: Fault | null = null;
    let result: StepResult;
    let ran = false;
    let failure: { error: unknown } | null = null;
    try {
      result = await this.#runTrap(v, rip);
      ran = result === "done";
      if (ran) fault = this.#fault;
    } finally {
      this.#fault = null;
      failure = again(() => v.read());
      const own = kind === Kind.Popf || kind === Kind.Iret;
      const end = this.#end;
      const done = ran && fault === null;
      end.set(
        0,
        done && own
          ? v.rflags
          : (v.rflags & ~(RFLAGS_TF | resume)) | (rflags & RFLAGS_TF),
      );
      end.set(
        1,
        !done
          ? interruptState
          : this.#decoded.opcode === STI && this.#decoded.map === 0
          ? v.interruptState
          : v.interruptState & ~INTERRUPT_SHADOW,
      );
      const hits = (v.dr6 | this.#status | v.pendingDebug) & 15n;
      end.set(2, dr6);
      end.set(3, 0n);
      const second = again(() => end.write(v));
      failure ??= second;
      v.stepped(end.get(0), end.get(1), dr6);
      if (hits !== 0n) this.#watch(v, hits);
      if (done && kind === Kind.Pushf && (rflags & RFLAGS_TF) === 0n) {
        this.#clearPushedTrapFlag(v);
      }
      if (task !== null && (rflags & RFLAGS_TF) === 0n) {
        this.#clearSavedTrapFlag(v, task);
      }
    }
    if (failure !== null) throw failure.error;
    if (fault !== null) return await this.#deliver(v, fault);
    if (ran && (rflags & RFLAGS_TF) !== 0n) v.guestTrap |= DR6_BS;
    return result;
  }

  async #runTrap(v: Vcpu, start: bigint): Promise<StepResult> {
    this.#status = 0n;
    for (;;) {
      const why = await this.#control.runner.run(v, true);
      switch (why) {
        case "completed":
          this.#takeHits(v);
          return "done";
        case "machine":
          return "machine";
        case "point":
          if (this.#pointHit(v)) return "done";
          // Somewhere else now, or here again after an event.
          if (v.get(Reg.Rip) !== start) return "done";
          v.passDebugPoints();
          break;
        case "fault": {
          const { faultVector, faultCode } = v.processor.handler;
          this.#fault = {
            vector: faultVector,
            code: faultCode,
            parameter: NO_PARAMETER,
          };
          return "done";
        }
        case "exception": {
          const exit = v.processor.exception!;
          if (exit.rip === start && this.#metBreakpoint(v, exit)) {
            return "canceled";
          }
          if (exit.vector === Vector.DB) this.#status = exit.parameter;
          else if (!isTrap(exit.vector, this.#control.breakpoints.inMemory)) {
            this.#fault = faultOf(exit);
          }
          return "done";
        }
        default:
          // A cancel may come between the instruction and its trap.
          if (v.get(Reg.Rip) !== start) return "done";
          if (!this.#control.course.goesOn) return "canceled";
      }
    }
  }

  /** Whether a step that is where it began has met a breakpoint that was put there, or the
   * end of another processor's step, since it began. */
  #metBreakpoint(v: Vcpu, exit: ExceptionExit): boolean {
    const { inMemory, hardware } = this.#control.breakpoints;
    if (!isTrap(exit.vector, inMemory)) return false;
    if (exit.vector !== Vector.DB) return true;
    const status = exit.parameter | v.get(Reg.Dr6);
    if ((status & DR6_BS) !== 0n) return false;
    // By itself the guest has debug registers of its own only.
    return (status & 15n) === 0n || hardware.installed(v);
  }

  /** Notes the data that an instruction was found to have accessed; the first counts, the
   * others are told later. */
  #noteHits(v: Vcpu, hits: readonly DebugHit[]): void {
    const reasons = this.#control.breakpoints.points!.reasons(hits);
    if (this.watched === null) this.watched = reasons.shift() ?? null;
    v.untold.push(...reasons);
  }

  /** Whether a processor has exited for data; then that is noted. */
  #pointHit(v: Vcpu): boolean {
    const exit = v.processor.point!;
    if (this.#control.breakpoints.points!.breakpointOf(exit) !== undefined) {
      return false;
    }
    this.#noteHits(v, exit.hits);
    return true;
  }

  /** An instruction that was carried out for an exit: what it accessed. */
  #takeHits(v: Vcpu): void {
    if (this.#control.breakpoints.points === null) return;
    this.#noteHits(v, v.takeDebugHits());
  }

  /** Notes the data that debug registers say was accessed; true if one of the
   * debugger's is for the next instruction instead, which is nothing to note. */
  #watch(v: Vcpu, hits: bigint): boolean {
    const { slot, guest } = this.#control.breakpoints.hardware.hit(v, hits);
    v.guestTrap |= guest;
    if (slot === null) return false;
    if (slot.kind === "hardware") return true;
    this.watched = reasonOf(slot);
    return false;
  }

  /** The task state that the instruction at `v` may leave for another one's; null if it
   * cannot. */
  #taskLeft(v: Vcpu): TaskState | null {
    if (!v.protectedMode || v.longMode) return null;
    switch (this.#decoded.kind) {
      case Kind.Call:
      case Kind.Leave:
      case Kind.Iret:
      case Kind.Interrupt:
        return this.#taskOf(v);
    }
    return null;
  }

  #taskOf(v: Vcpu): TaskState {
    const task = this.#task;
    task.read(v);
    return {
      selector: task.selector(0),
      base: task.base(0),
      wide: (task.attributes(0) & SYSTEM_32_BIT) !== 0,
    };
  }

  /** A task switch has saved EFLAGS with TF. */
  #clearSavedTrapFlag(v: Vcpu, { selector, base, wide }: TaskState): void {
    if (this.#taskOf(v).selector === selector) return;
    this.#clearTrapFlag(v, base + (wide ? TSS32_EFLAGS : TSS16_FLAG));
  }

  /** PUSHF has pushed TF. */
  #clearPushedTrapFlag(v: Vcpu): void {
    this.#clearTrapFlag(v, v.stack);
  }

  /** Clears TF in an image of the flags: bit 8, which is in its second byte. */
  #clearTrapFlag(v: Vcpu, image: bigint): void {
    const { memory } = this.#control.guest;
    const at = image + 1n;
    if (memory.read(v, at, this.#image) < 1) return;
    this.#image[0] &= ~1;
    memory.write(v, at, this.#image);
  }

  /** Has the guest take an exception, up to its handler's first instruction. */
  async #deliver(v: Vcpu, fault: Fault): Promise<StepResult> {
    const handler = this.#control.gates.handler(v, fault.vector);
    v.inject(fault.vector, fault.code, fault.parameter);
    // Without a handler the guest takes it when it runs on.
    if (handler === null) return "done";
    const result = await this.#untilLinear(v, handler, fault.vector);
    if (fault.vector === Vector.DB) {
      this.#control.breakpoints.hardware.refresh(v);
    }
    return result;
  }

  #until(v: Vcpu, rip: bigint): Promise<StepResult> {
    return this.#untilLinear(v, v.linearOf(rip));
  }

  /** Runs without TF up to a linear address that the next instruction (or the
   * event being delivered) goes to. */
  async #untilLinear(
    v: Vcpu,
    target: bigint,
    delivering: number | null = null,
  ): Promise<StepResult> {
    const { guest: { vcpus }, breakpoints: { table } } = this.#control;
    const { rip, interruptState } = v;
    // A task gate goes to another address space.
    if (!table.plant(target, [v]) && !table.plant(target, vcpus)) {
      // It goes where nothing is mapped: running there faults, which is for
      // the next step to find.
      return delivering === null ? await this.#trapFlag(v, Kind.Iret) : "done";
    }
    let again: Fault | null = null;
    let result: StepResult;
    try {
      if (delivering === null) {
        v.setInterruptState(interruptState | INTERRUPT_SHADOW);
      }
      [result, again] = await this.#runTo(v, target, rip, delivering);
      if (result === "canceled" && delivering === null) {
        v.setInterruptState(interruptState);
      }
    } finally {
      table.pull(target);
    }
    if (again !== null) {
      v.read();
      v.setInterruptState(v.interruptState & ~INTERRUPT_SHADOW);
      v.interruptState &= ~INTERRUPT_SHADOW;
      return await this.#deliver(v, again);
    }
    // No trap of the guest's own goes with these: INT n and SYSCALL have taken TF away,
    // and behind MOV SS it comes with the next instruction.
    return result;
  }

  async #runTo(
    v: Vcpu,
    target: bigint,
    start: bigint,
    delivering: number | null,
  ): Promise<[StepResult, Fault | null]> {
    const { table } = this.#control.breakpoints;
    for (;;) {
      const why = await this.#control.runner.run(v, true);
      if (why === "machine") return ["machine", null];
      if (why === "completed") continue;
      if (why === "point") {
        if (this.#pointHit(v)) continue;
        v.read();
        if (v.linear !== target && v.rip === start) {
          v.passDebugPoints();
          continue;
        }
        // There, or an interrupt came first and its handler met a breakpoint.
        return ["done", null];
      }
      if (why === "fault") {
        const { faultVector, faultCode } = v.processor.handler;
        v.inject(faultVector, faultCode);
        continue;
      }
      if (why === "canceled") {
        if (this.#control.course.goesOn) continue;
        v.read();
        const moved = v.rip !== start;
        return [moved ? "done" : "canceled", null];
      }
      const exit = v.processor.exception!;
      v.read();
      const there = v.linear === target;
      const fault = faultOf(exit);
      // A fault at the target is of its fetch: the next step will see it.
      if (there) return ["done", null];
      if (isTrap(exit.vector, this.#control.breakpoints.inMemory)) {
        // An interrupt came first and its handler met a breakpoint.
        if (table.at(v.linear) !== undefined) return ["done", null];
        const hits = exit.vector === Vector.DB
          ? (v.dr6 | exit.parameter) & DR6_HITS
          : 0n;
        if (hits !== 0n && this.#control.breakpoints.hardware.installed(v)) {
          this.#control.breakpoints.hardware.clearStatus(v);
          if (!this.#watch(v, hits)) continue;
          // A debug register is for the instruction here.
          if (v.rip !== start) return ["done", null];
          v.set(Reg.Rflags, v.rflags | RFLAGS_RF);
        } else if (this.#control.meaning.of(v) !== "go on") {
          return ["done", null];
        } else if (v.guestTrap !== 0n) {
          this.#control.breakpoints.hardware.addGuestStatus(v, v.guestTrap);
          v.inject(Vector.DB, null);
          v.guestTrap = 0n;
        }
        continue;
      }
      if (v.rip === start) {
        return [
          "done",
          delivering === null ? fault : nested(delivering, fault),
        ];
      }
      v.inject(fault.vector, fault.code, fault.parameter);
    }
  }
}

/** For putting things right: a call that fails is tried once more, and its
 * error returned if that helped. */
function again(call: () => void): { error: unknown } | null {
  try {
    call();
    return null;
  } catch (error) {
    call();
    return { error };
  }
}
