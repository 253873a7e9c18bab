/**
 * One instruction of one processor, exactly, where the platform does not make it.
 *
 * Most instructions run with RFLAGS.TF and an interrupt shadow. TF is taken
 * out of wherever the instruction saves it, so that the guest never sees it.
 * Those that go somewhere with a new set of flags (INT n, SYSCALL, faults, ...)
 * or hold the trap back (MOV SS) run without TF up to an 0xF1 at the place they
 * go to. HLT is carried out here. Instructions that exit for the machine are
 * complete when the machine has carried them out. needs.ts says which is which.
 */
import { Reg } from "../../../ffi/registers.ts";
import {
  INTERRUPT_SHADOW,
  WHV_INTERNAL_ACTIVITY_REGISTER as ACTIVITY,
} from "../../../ffi/values.ts";
import { CANCELED, type Return } from "../../machine/outcome.ts";
import type { ExceptionExit } from "../../platform/mod.ts";
import { TolerantBatch } from "../../machine/refusable.ts";
import { DR6_BS } from "../../x86/debug_registers.ts";
import { RFLAGS_IF, RFLAGS_OF, RFLAGS_TF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { MemoryBreakpoints } from "../breakpoints/memory.ts";
import { INT1 } from "../breakpoints/trap.ts";
import { decode, isSpin, newDecoded } from "../../x86/decode.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import { type StopReason, TargetError } from "../target.ts";
import type { ProcessorStepper, StepControl } from "./control.ts";
import { type Fault, faultOf, NO_PARAMETER } from "./faults.ts";
import { apicVector, takesInterrupts } from "./interrupts.ts";
import { NEEDS, type Needs } from "./needs.ts";
import type { Stepped, StepResult } from "./results.ts";
import { Spin } from "./spin.ts";
import { TrapFlag } from "./trap_flag.ts";
import { Until } from "./until.ts";
import { Watched } from "./watched.ts";

const INTO = 0xce;

/** A trap of the guest's own: by its TF, a debug register or INT1. */
const DEBUG_EXCEPTION: Fault = {
  vector: Vector.DB,
  code: null,
  parameter: NO_PARAMETER,
};

export class Stepper implements ProcessorStepper {
  readonly #control: StepControl;
  readonly #inMemory: MemoryBreakpoints;
  readonly #watched: Watched;
  readonly #trapFlag: TrapFlag;
  readonly #until: Until;
  readonly #spin: Spin;
  readonly #code = new Uint8Array(15);
  readonly #decoded = newDecoded();

  constructor(control: StepControl, inMemory: MemoryBreakpoints) {
    const watched = new Watched(control.breakpoints.hardware);
    this.#control = control;
    this.#inMemory = inMemory;
    this.#watched = watched;
    this.#trapFlag = new TrapFlag(control, inMemory, watched);
    this.#until = new Until(control, inMemory, watched);
    this.#spin = new Spin({
      control,
      inMemory,
      watched,
      run: (v) => this.run(v),
    });
  }

  get watched(): StopReason | null {
    return this.#watched.reason;
  }

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
      if (given === "canceled") return CANCELED;
      if (given !== "done") return given;
    } else {
      hardware.addGuestStatus(v, v.guestTrap);
      v.inject(Vector.DB, null);
      v.guestTrap = 0n;
    }
    return await this.#control.runner.run(v, false);
  }

  async step(v: Vcpu, interrupts = false): Promise<StepResult> {
    const { gates, breakpoints: { hardware } } = this.#control;
    this.#watched.reason = null;
    if (v.waitsForSipi) {
      throw new TargetError(`CPU${v.index} waits for a SIPI: nothing to step`);
    }
    const pending = v.pendingVector;
    if (pending >= 0) {
      // It comes before any instruction: the step ends in its handler.
      const handler = gates.handler(v, pending);
      if (handler !== null) return await this.#into(v, handler, pending);
    }
    // So does a debug exception of the guest's that is about to be raised.
    const pendingDebug = v.pendingDebug;
    if (pendingDebug !== 0n) {
      v.dropPendingDebug();
      v.guestTrap |= pendingDebug;
    }
    if (v.guestTrap !== 0n) {
      hardware.addGuestStatus(v, v.guestTrap);
      v.guestTrap = 0n;
      return await this.#deliver(v, DEBUG_EXCEPTION);
    }
    const length = this.#control.guest.memory.read(v, v.linear, this.#code);
    const bytes = this.#code.subarray(0, length);
    decode(bytes, 0, v.codeBits, this.#decoded);
    return await this.#instruction(v, NEEDS[this.#decoded.kind], interrupts);
  }

  /** The instruction that was decoded, in the way that it needs. */
  #instruction(
    v: Vcpu,
    needs: Needs,
    interrupts: boolean,
  ): StepResult | Promise<StepResult> {
    const { length } = this.#decoded;
    switch (needs.step) {
      case "next":
        return this.#goTo(v, needs, v.linearOf(v.rip + BigInt(length)));
      case "entry":
        return this.#goTo(v, needs, needs.entry(v));
      case "handler":
        return this.#interrupt(v, needs);
      case "halt":
        if (v.cpl === 0) return this.#halt(v);
        break;
      case "spin":
        // Where interrupts come between steps they get it out of there.
        if (
          !interrupts && isSpin(this.#decoded) && (v.rflags & RFLAGS_IF) !== 0n
        ) return this.#spin.step(v);
        break;
      case "debug register":
        if (this.#moveDebugRegister(v)) return "done";
    }
    return this.#trap(v, needs);
  }

  /** The interrupt that comes before the next instruction. */
  async takeInterrupt(v: Vcpu): Promise<StepResult | null> {
    this.#watched.reason = null;
    if (!takesInterrupts(v)) return null;
    if (v.processor.takeExtInt()) v.read();
    const vector = v.pendingVector < 0 ? apicVector(v) : v.pendingVector;
    const handler = vector < 0 ? null : this.#control.gates.handler(v, vector);
    return handler === null ? null : await this.#into(v, handler, vector);
  }

  takeFault(v: Vcpu, exit: ExceptionExit): Promise<StepResult> {
    return this.#deliver(v, faultOf(exit));
  }

  /** HLT. */
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

  /** DR6 and DR7 as the guest sees them are not what a step has in them. False if it
   * faults. */
  #moveDebugRegister(v: Vcpu): boolean {
    const { hardware } = this.#control.breakpoints;
    if (!hardware.moveDebugRegister(v, this.#decoded)) return false;
    v.read();
    if ((v.rflags & RFLAGS_TF) !== 0n) v.guestTrap |= DR6_BS;
    return true;
  }

  /** INT n, INT3, INTO, INT1. */
  async #interrupt(v: Vcpu, needs: Needs): Promise<StepResult> {
    const { gates } = this.#control;
    const { opcode, vector, length } = this.#decoded;
    if (opcode === INTO && (v.rflags & RFLAGS_OF) === 0n) {
      return await this.#trap(v, needs);
    }
    if (opcode === INT1.opcode) {
      // The guest's own: intercepted, so it is delivered here.
      v.passTrap(length);
      return await this.#deliver(v, DEBUG_EXCEPTION);
    }
    if (opcode === this.#inMemory.trap.opcode) {
      // INT3, where that is what is intercepted.
      return await this.#deliver(v, gates.ownInt3(v, length));
    }
    const handler = gates.handler(v, vector);
    return await (handler === null
      ? this.#trap(v, needs)
      : this.#goTo(v, needs, handler));
  }

  /** The usual way, and the fault that the instruction runs into. */
  async #trap(
    v: Vcpu,
    needs: Needs,
    loadsFlags?: boolean,
  ): Promise<StepResult> {
    return await this.#finish(
      v,
      await this.#trapFlag.step(v, needs, loadsFlags),
    );
  }

  /** Without TF to where the instruction goes. */
  async #goTo(v: Vcpu, needs: Needs, target: bigint): Promise<StepResult> {
    const ended = await this.#until.run(v, target, null);
    // It goes where nothing is mapped: running there faults, which is for the next step to
    // find.
    if (ended === "unmapped") return await this.#trap(v, needs, true);
    return await this.#finish(v, ended);
  }

  /** Without TF to the handler of an event that is being delivered. */
  async #into(v: Vcpu, handler: bigint, vector: number): Promise<StepResult> {
    const ended = await this.#until.run(v, handler, vector);
    const result = ended === "unmapped" ? "done" : await this.#finish(v, ended);
    if (vector === Vector.DB) this.#control.breakpoints.hardware.refresh(v);
    return result;
  }

  /** The guest takes the fault that a step ran into. */
  #finish(
    v: Vcpu,
    { result, fault }: Stepped,
  ): StepResult | Promise<StepResult> {
    return fault === null ? result : this.#deliver(v, fault);
  }

  /** Has the guest take an exception, up to its handler's first instruction. */
  async #deliver(v: Vcpu, fault: Fault): Promise<StepResult> {
    const handler = this.#control.gates.handler(v, fault.vector);
    v.inject(fault.vector, fault.code, fault.parameter);
    // Without a handler the guest takes it when it runs on.
    return handler === null
      ? "done"
      : await this.#into(v, handler, fault.vector);
  }
}
