/**
 * Running without TF up to a place: where an instruction goes with new flags, or where
 * an event is delivered.
 */
import { Reg } from "../../../ffi/registers.ts";
import { INTERRUPT_SHADOW } from "../../../ffi/values.ts";
import type { ExceptionReturn } from "../../machine/outcome.ts";
import { DR6_HITS } from "../../x86/debug_registers.ts";
import { RFLAGS_RF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { MemoryBreakpoints } from "../breakpoints/memory.ts";
import { isTrap } from "../breakpoints/trap.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StepControl } from "./control.ts";
import { type Fault, faultOf, nested } from "./faults.ts";
import type { Stepped } from "./results.ts";
import type { Watched } from "./watched.ts";

const DONE: Stepped = { result: "done", fault: null };

export class Until {
  readonly #control: StepControl;
  readonly #inMemory: MemoryBreakpoints;
  readonly #watched: Watched;

  constructor(
    control: StepControl,
    inMemory: MemoryBreakpoints,
    watched: Watched,
  ) {
    this.#control = control;
    this.#inMemory = inMemory;
    this.#watched = watched;
  }

  /** Runs `v` (read) up to a linear address that the next instruction, or the event of
   * vector `delivering`, goes to. No trap of the guest's own goes with that: INT n and
   * SYSCALL have taken TF away, and behind MOV SS it comes with the next instruction.
   * "unmapped": nothing is there, and nothing has run. */
  async run(
    v: Vcpu,
    target: bigint,
    delivering: number | null,
  ): Promise<Stepped | "unmapped"> {
    const inMemory = this.#inMemory;
    const { rip, interruptState } = v;
    // A task gate goes to another address space.
    const { vcpus } = this.#control.guest;
    if (!inMemory.plant(target, [v]) && !inMemory.plant(target, vcpus)) {
      return "unmapped";
    }
    let ended: Stepped;
    try {
      if (delivering === null) {
        v.setInterruptState(interruptState | INTERRUPT_SHADOW);
      }
      ended = await this.#runTo(v, target, rip, delivering);
      if (ended.result === "canceled" && delivering === null) {
        v.setInterruptState(interruptState);
      }
    } finally {
      inMemory.pull(target);
    }
    if (ended.fault !== null) {
      v.read();
      v.setInterruptState(v.interruptState & ~INTERRUPT_SHADOW);
      v.interruptState &= ~INTERRUPT_SHADOW;
    }
    return ended;
  }

  async #runTo(
    v: Vcpu,
    target: bigint,
    start: bigint,
    delivering: number | null,
  ): Promise<Stepped> {
    for (;;) {
      const why = await this.#control.runner.run(v, true);
      switch (why.kind) {
        case "power":
          return { result: why, fault: null };
        case "fault":
          v.inject(why.vector, why.errorCode);
          break;
        case "canceled": {
          if (this.#control.course.goesOn) break;
          v.read();
          const moved = v.rip !== start;
          return { result: moved ? "done" : "canceled", fault: null };
        }
        case "exception": {
          const ended = this.#exception(v, why, target, start, delivering);
          if (ended !== "go on") return ended;
        }
      }
    }
  }

  /** What an exception by the way means. */
  #exception(
    v: Vcpu,
    why: ExceptionReturn,
    target: bigint,
    start: bigint,
    delivering: number | null,
  ): Stepped | "go on" {
    const { exit } = why;
    v.read();
    // A fault at the target is of its fetch: the next step will see it.
    if (v.linear === target) return DONE;
    if (isTrap(exit.vector, this.#inMemory)) {
      // An interrupt came first and its handler met a breakpoint.
      if (this.#inMemory.at(v.linear) !== undefined) return DONE;
      const hits = exit.vector === Vector.DB
        ? (v.dr6 | exit.parameter) & DR6_HITS
        : 0n;
      return this.#trap(v, why, start, hits);
    }
    const fault = faultOf(exit);
    if (v.rip === start) return faulted(fault, delivering);
    v.inject(fault.vector, fault.code, fault.parameter);
    return "go on";
  }

  /** A debug exception that is of no breakpoint in memory; `hits` are debug registers'. */
  #trap(
    v: Vcpu,
    why: ExceptionReturn,
    start: bigint,
    hits: bigint,
  ): Stepped | "go on" {
    const { hardware } = this.#control.breakpoints;
    if (hits !== 0n && hardware.installed(v)) {
      hardware.clearStatus(v);
      if (!this.#watched.note(v, hits)) return "go on";
      // A debug register is for the instruction here.
      if (v.rip !== start) return DONE;
      v.set(Reg.Rflags, v.rflags | RFLAGS_RF);
    } else if (this.#control.meaning.of(v, why) !== "go on") {
      return DONE;
    } else if (v.guestTrap !== 0n) {
      hardware.addGuestStatus(v, v.guestTrap);
      v.inject(Vector.DB, null);
      v.guestTrap = 0n;
    }
    return "go on";
  }
}

/** The instruction faults, or the delivery of an event. */
function faulted(fault: Fault, delivering: number | null): Stepped {
  return {
    result: "done",
    fault: delivering === null ? fault : nested(delivering, fault),
  };
}
