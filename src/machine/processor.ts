/**
 * One virtual processor's loop: run, carry out what exited, run again, until
 * something happens that the loop cannot decide. The loop allocates nothing.
 */
import type { Exit } from "../platform/exits.ts";
import type { VirtualProcessor } from "../platform/virtual_processor.ts";
import { Subscribers } from "../util/subscribers.ts";
import { IcebpAnswer } from "../../ffi/icebp.ts";
import { Reg } from "../../ffi/registers.ts";
import {
  WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER as NOTIFICATIONS,
} from "../../ffi/values.ts";
import { DR6_BS } from "../x86/debug_registers.ts";
import { RFLAGS_TF } from "../x86/flags.ts";
import { Vector } from "../x86/vectors.ts";
import { RegisterBatch } from "./batch.ts";
import type { ExtIntSource } from "./device.ts";
import {
  canTakeExtIntHalted,
  injectException,
  injectExtInt,
} from "./events.ts";
import type { ExitHandler } from "./exits.ts";
import { CANCELED, COMPLETED, type Return } from "./outcome.ts";
import type { Timer, Timers } from "./timers.ts";

/** Host time between tries to get a processor back. */
const CANCEL_RETRY_MS = 5;

/** When a processor is looked at whose interrupt window does not come, where time is
 * the host's: not every host tells of the window of one that halts. Guest ns, which
 * double from look to look. */
const FIRST_LOOK_NS = 400_000n, LAST_LOOK_NS = 20_000_000n;

/** The name of the timer for that. */
const LOOK_AGAIN = "interrupt window";

/** The PIC's INTR wire as one processor sees it. */
export interface ExtIntInput {
  /** Level of the wire. */
  level: boolean;
  source: ExtIntSource | null;
  /** For looking again; null where that is not needed. */
  readonly timers: Timers | null;
}

export class Processor {
  readonly index: number;
  readonly vp: VirtualProcessor;
  /** True from the call of the platform's run to its return. */
  inRun = false;
  /** Told of a cancel that the platform refused. */
  readonly onCancelFailed = new Subscribers<[error: unknown]>();
  readonly #handler: ExitHandler;
  readonly #extInt: ExtIntInput | null;
  readonly #lookAgain: Timer | null;
  #lookAfter = FIRST_LOOK_NS;
  #returnRequested = false;
  /** Whether the run is one whose exits the caller wants to see. */
  #single = false;
  /** Whether an access ended the run that has been carried out, and what went wrong. */
  #answered = false;
  #failure: { readonly error: unknown } | null = null;
  /** Whether the platform was asked, in this run, to tell of an interrupt window. */
  #windowArmed = false;
  readonly #notify = new RegisterBatch(Reg.DeliverabilityNotifications);

  /** `extInt` is for the processor that the PIC interrupts, else null. */
  constructor(
    vp: VirtualProcessor,
    handler: ExitHandler,
    extInt: ExtIntInput | null,
  ) {
    this.index = vp.index;
    this.vp = vp;
    this.#handler = handler;
    this.#extInt = extInt;
    this.#lookAgain = extInt?.timers?.create(LOOK_AGAIN, () => {
      if (this.#lookAfter < LAST_LOOK_NS) this.#lookAfter *= 2n;
      if (this.inRun && extInt.level) this.vp.cancel();
    }) ?? null;
  }

  /** Makes run() return soon, or at once when it is called next. A cancel that
   * the platform refuses is tried again, and told to `onCancelFailed`. */
  requestReturn(): void {
    this.#returnRequested = true;
    if (!this.inRun) return;
    try {
      this.vp.cancel();
    } catch (error) {
      this.onCancelFailed.tell(error);
      setTimeout(() => {
        if (this.#returnRequested) this.requestReturn();
      }, CANCEL_RETRY_MS);
    }
  }

  /** Takes requestReturn() back. A cancel that the platform remembers makes an
   * exit that the loop ignores. */
  clearRequest(): void {
    this.#returnRequested = false;
  }

  get returnRequested(): boolean {
    return this.#returnRequested;
  }

  /** The PIC's wire rose: a running processor has to look. */
  extIntRaised(): void {
    if (this.inRun && !this.#windowArmed) this.vp.cancel();
  }

  /** Has the interrupt that the PIC asks for, if it does, come next: the processor takes
   * interrupts. */
  takeExtInt(): boolean {
    const input = this.#extInt;
    if (input === null || input.source === null || !input.level) return false;
    this.#takeExtInt(input.source);
    return true;
  }

  /** What run() knows while the platform runs the processor. */
  save(): boolean {
    return this.#windowArmed;
  }

  /** As save() had it; the platform is asked to run the processor, and no answer is on
   * its way. */
  load(windowArmed: boolean): void {
    this.#windowArmed = windowArmed;
  }

  /** Forgets what was set up for a wire that a reset has lowered. */
  reset(): void {
    this.#lookAgain?.disarm();
    this.#returnRequested = false;
  }

  /**
   * Runs until a reason to return. With `single` an exit that completes an
   * instruction is one, and the PIC's interrupt waits. Rejects with the
   * platform's error.
   */
  async run(single: boolean): Promise<Return> {
    const handler = this.#handler;
    for (;;) {
      if (this.#returnRequested) return CANCELED;
      // Some hosts forget the request for a window at any exit.
      this.#windowArmed = false;
      if (this.#extInt !== null && this.#extInt.level && !single) {
        this.#offerExtInt(this.#extInt);
      }
      this.#single = single;
      this.inRun = true;
      let exit: Exit;
      try {
        exit = await this.vp.run();
      } finally {
        this.inRun = false;
      }
      if (this.#answered) {
        this.#answered = false;
        if (this.#failure !== null) throw this.#takeFailure();
        if (handler.ended !== null) return handler.ended;
        if (exit.reason === "canceled") continue;
      }
      handler.count(exit);
      switch (exit.reason) {
        case "exception":
          return { kind: "exception", exit };
        case "debugPoint":
          return { kind: "point", exit };
        case "initSipi":
          return { kind: "startup", exit };
        case "canceled":
          break;
        case "interruptWindow":
          this.#window(single);
          break;
        default: {
          const outcome = handler.handle(this.vp, exit);
          switch (outcome.kind) {
            case "power":
              return outcome;
            case "completed":
              if (single) return COMPLETED;
              if ((exit.rflags & RFLAGS_TF) !== 0n) this.#trap();
              break;
            case "executed":
              if (single) return COMPLETED;
              break;
            case "fault":
              if (single) return outcome;
              injectException(this.vp, outcome.vector, outcome.errorCode);
          }
        }
      }
    }
  }

  #takeFailure(): unknown {
    const { error } = this.#failure!;
    this.#failure = null;
    return error;
  }

  /**
   * Carries out an access (ICEBP_ACCESS) that the processor makes while it runs, if that
   * is not to be an exit. An IcebpAnswer: the processor runs on where run() would have
   * had nothing to do but run it again.
   */
  answer(access: DataView): number {
    if (this.#single || !this.inRun) return IcebpAnswer.Exit;
    const handler = this.#handler;
    this.inRun = false;
    try {
      handler.answer(this.vp, access);
    } catch (error) {
      this.#failure = { error };
    }
    const level = this.#extInt !== null && this.#extInt.level;
    if (
      this.#failure !== null || handler.ended !== null ||
      this.#returnRequested ||
      level && !this.#windowArmed
    ) {
      this.#answered = true;
      return IcebpAnswer.Return;
    }
    this.#windowArmed = level;
    this.inRun = true;
    return IcebpAnswer.Done;
  }

  /** Before a run while the wire is high. A halted processor that can take it is given
   * the interrupt at once, for no window might come; else the platform is asked to tell
   * when it can. */
  #offerExtInt(input: ExtIntInput): void {
    if (input.source !== null && canTakeExtIntHalted(this.vp)) {
      this.#takeExtInt(input.source);
      if (!input.level) return;
    }
    this.#notify.set(0, 0n);
    NOTIFICATIONS.InterruptNotification.set(this.#notify.view, 1);
    this.#notify.write(this.vp);
    this.#windowArmed = true;
    const timers = input.timers;
    if (timers !== null) this.#lookAgain!.arm(timers.now() + this.#lookAfter);
  }

  #window(single: boolean): void {
    if (!single) this.takeExtInt();
  }

  #takeExtInt(source: ExtIntSource): void {
    this.#lookAfter = FIRST_LOOK_NS;
    injectExtInt(this.vp, source.acknowledge());
  }

  /** The guest's own TF: an instruction carried out by us has trapped, too. */
  #trap(): void {
    this.vp.set(Reg.Dr6, this.vp.get(Reg.Dr6) | DR6_BS);
    injectException(this.vp, Vector.DB, null);
  }
}
