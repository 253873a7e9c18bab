/**
 * One instruction with RFLAGS.TF and an interrupt shadow: up to its trap, the exit that
 * completes it, or the fault that it runs into.
 */
import { Reg } from "../../../ffi/registers.ts";
import { INTERRUPT_SHADOW } from "../../../ffi/values.ts";
import { TolerantBatch } from "../../machine/refusable.ts";
import type { ExceptionExit } from "../../platform/mod.ts";
import { DR6_BS, DR6_HITS } from "../../x86/debug_registers.ts";
import { RFLAGS_RF, RFLAGS_TF } from "../../x86/flags.ts";
import { Vector } from "../../x86/vectors.ts";
import type { MemoryBreakpoints } from "../breakpoints/memory.ts";
import { isTrap } from "../breakpoints/trap.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StepControl } from "./control.ts";
import { faultOf, NO_PARAMETER } from "./faults.ts";
import type { Needs } from "./needs.ts";
import type { Stepped } from "./results.ts";
import { SavedFlags } from "./saved_flags.ts";
import type { Watched } from "./watched.ts";

export class TrapFlag {
  readonly #control: StepControl;
  readonly #inMemory: MemoryBreakpoints;
  readonly #watched: Watched;
  readonly #saved: SavedFlags;
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

  constructor(
    control: StepControl,
    inMemory: MemoryBreakpoints,
    watched: Watched,
  ) {
    this.#control = control;
    this.#inMemory = inMemory;
    this.#watched = watched;
    this.#saved = new SavedFlags(control.guest.memory);
  }

  /** Makes the instruction at `v` (read), which needs `needs`. On any way out TF and the
   * shadow are the guest's own again; if even that fails, the first error is thrown. */
  async step(
    v: Vcpu,
    needs: Needs,
    loadsFlags = needs.loadsFlags === true,
  ): Promise<Stepped> {
    const { rip, rflags } = v;
    const trapsItself = (rflags & RFLAGS_TF) !== 0n;
    const before = this.#enter(v);
    const task = this.#saved.taskLeft(v, needs);
    let ended: Ended | null = null;
    let failure: { error: unknown } | null = null;
    try {
      ended = await this.#run(v, rip);
    } finally {
      const done = ended?.result === "done" && ended.fault === null;
      failure = this.#leave(v, before, {
        done,
        loadsFlags: done && loadsFlags,
        ownShadow: needs.ownShadow === true,
        status: ended?.status ?? 0n,
      });
      if (!trapsItself) {
        if (done && needs.pushesFlags) this.#saved.clearPushed(v);
        if (task !== null) this.#saved.clearInTask(v, task);
      }
    }
    if (failure !== null) throw failure.error;
    const { result, fault } = ended;
    if (result === "done" && fault === null && trapsItself) {
      v.guestTrap |= DR6_BS;
    }
    return ended;
  }

  /** Sets TF and the shadow; returns what leave() has to know. */
  #enter(v: Vcpu): Before {
    const { rflags, interruptState, dr6 } = v;
    const begin = this.#begin;
    // RF keeps a hardware breakpoint at this instruction from holding it up.
    const { hardware } = this.#control.breakpoints;
    const resume = hardware.installed(v) ? RFLAGS_RF : 0n;
    begin.set(0, rflags | RFLAGS_TF | resume);
    begin.set(1, interruptState | INTERRUPT_SHADOW);
    // Hits of this step are told from older ones by clearing those.
    begin.set(2, dr6 & ~(DR6_BS | DR6_HITS));
    // Stepping on from HLT wakes a processor, as any interrupt might.
    begin.set(3, 0n);
    begin.write(v);
    return { rflags, interruptState, dr6, resume };
  }

  /** Puts right what enter() has set, where `v` is now; returns what failed the first
   * time. */
  #leave(
    v: Vcpu,
    { rflags, interruptState, dr6, resume }: Before,
    { done, loadsFlags, ownShadow, status }: After,
  ): { error: unknown } | null {
    let failure = again(() => v.read());
    const end = this.#end;
    end.set(
      0,
      loadsFlags
        ? v.rflags
        : (v.rflags & ~(RFLAGS_TF | resume)) | (rflags & RFLAGS_TF),
    );
    end.set(
      1,
      !done
        ? interruptState
        : ownShadow
        ? v.interruptState
        : v.interruptState & ~INTERRUPT_SHADOW,
    );
    const hits = (v.dr6 | status | v.pendingDebug) & DR6_HITS;
    end.set(2, dr6);
    end.set(3, 0n);
    const second = again(() => end.write(v));
    failure ??= second;
    v.stepped(end.get(0), end.get(1), dr6);
    if (hits !== 0n) this.#watched.note(v, hits);
    return failure;
  }

  async #run(v: Vcpu, start: bigint): Promise<Ended> {
    for (;;) {
      const why = await this.#control.runner.run(v, true);
      switch (why.kind) {
        case "completed":
          return DONE;
        case "power":
          return { ...DONE, result: why };
        case "fault": {
          const { vector, errorCode: code } = why;
          return { ...DONE, fault: { vector, code, parameter: NO_PARAMETER } };
        }
        case "exception": {
          const { exit } = why;
          if (exit.rip === start && this.#metBreakpoint(v, exit)) {
            return CANCELED;
          }
          if (exit.vector === Vector.DB) {
            return { ...DONE, status: exit.parameter };
          }
          return isTrap(exit.vector, this.#inMemory)
            ? DONE
            : { ...DONE, fault: faultOf(exit) };
        }
        default:
          // A cancel may come between the instruction and its trap.
          if (v.get(Reg.Rip) !== start) return DONE;
          if (!this.#control.course.goesOn) return CANCELED;
      }
    }
  }

  /** Whether a step that is where it began has met a breakpoint that was put there, or the
   * end of another processor's step, since it began. */
  #metBreakpoint(v: Vcpu, exit: ExceptionExit): boolean {
    if (!isTrap(exit.vector, this.#inMemory)) return false;
    if (exit.vector !== Vector.DB) return true;
    const status = exit.parameter | v.get(Reg.Dr6);
    if ((status & DR6_BS) !== 0n) return false;
    // By itself the guest has debug registers of its own only.
    return (status & DR6_HITS) === 0n ||
      this.#control.breakpoints.hardware.installed(v);
  }
}

/** How the run of a step ended. */
interface Ended extends Stepped {
  /** What DR6 gets by the trap that ended it, where the exit tells. */
  readonly status: bigint;
}

const DONE: Ended = { result: "done", fault: null, status: 0n };
const CANCELED: Ended = { ...DONE, result: "canceled" };

/** The guest's own, before a step. */
interface Before {
  readonly rflags: bigint;
  readonly interruptState: bigint;
  readonly dr6: bigint;
  /** RFLAGS.RF, if the step has set it. */
  readonly resume: bigint;
}

/** What of it is the instruction's behind it. */
interface After {
  /** It has run. */
  readonly done: boolean;
  readonly loadsFlags: boolean;
  readonly ownShadow: boolean;
  /** What DR6 gets by its trap. */
  readonly status: bigint;
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
