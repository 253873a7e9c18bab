// Completing the instruction that a processor exited at for a device, where the
// platform can do that with the processor's own state: all that the caller carries
// out are the accesses. Every kind of instruction works so, and all it may cause.

import type { IcebpFunctions, WinHvPlatform } from "../../ffi/mod.ts";
import {
  ICEBP_ACCESS as ACCESS,
  ICEBP_COMPLETION as COMPLETION,
  ICEBP_MAX_ACCESSES,
  IcebpOutcome,
} from "../../ffi/icebp.ts";
import { check } from "./errors.ts";
import type { VirtualProcessor } from "./virtual_processor.ts";

/** Who carries out the accesses. `size` is in bytes, 1 to 8; ports have 1, 2 or 4. */
export interface AccessHandlers {
  /** Reads where no readable memory is. */
  readMemory(gpa: number, size: number): bigint;
  /** Writes where no writable memory is. */
  writeMemory(gpa: number, size: number, value: bigint): void;
  /** Reads a port. */
  readPort(port: number, size: number): number;
  /** Writes a port. */
  writePort(port: number, size: number, value: number): void;
  /** True once nothing more is to be done than the instruction already has. */
  readonly stopped: boolean;
}

/** What completing an instruction, or some iterations of a REP, came to. */
export type Completion =
  /** A trap that it makes comes when the processor runs next. */
  | { readonly kind: "done" }
  /** It is not done, and the next run says why, be it with a fault. */
  | { readonly kind: "run" }
  /** It cannot be done: a page table is at an address where no memory is. */
  | { readonly kind: "tables"; readonly address: number };

const DONE: Completion = { kind: "done" };
const RUN: Completion = { kind: "run" };

const CALL = "IcebpCompleteAccess";

/** Completes instructions, one at a time. */
export class Completer {
  readonly #complete: NonNullable<IcebpFunctions[typeof CALL]>;
  readonly #handlers: AccessHandlers;
  readonly #accesses = new Uint8Array(ICEBP_MAX_ACCESSES * ACCESS.size);
  readonly #view = new DataView(this.#accesses.buffer);
  readonly #completion = new Uint8Array(COMPLETION.size);
  readonly #completionView = new DataView(this.#completion.buffer);

  private constructor(
    complete: NonNullable<IcebpFunctions[typeof CALL]>,
    handlers: AccessHandlers,
  ) {
    this.#complete = complete;
    this.#handlers = handlers;
  }

  /** Null where the provider cannot. */
  static of(
    provider: WinHvPlatform,
    handlers: AccessHandlers,
  ): Completer | null {
    const complete = provider.extensions[CALL];
    return complete === null ? null : new Completer(complete, handlers);
  }

  /** Completes the instruction of a memory or port exit, or some iterations of a REP.
   * Throws what a handler throws, and the platform's error. */
  complete(vp: VirtualProcessor): Completion {
    const { handle } = vp.partition;
    vp.partition.changes++;
    const completion = this.#completionView;
    let done = 0;
    for (;;) {
      const hresult = this.#complete(
        handle,
        vp.index,
        this.#accesses,
        done,
        this.#completion,
      );
      if (hresult < 0) check(hresult, CALL, `VP ${vp.index}`);
      const outcome = COMPLETION.Outcome.get(completion);
      const count = COMPLETION.AccessCount.get(completion);
      done = COMPLETION.CarriedOut.get(completion);
      while (done < count) {
        carryOut(this.#handlers, this.#view, done++ * ACCESS.size);
      }
      switch (outcome) {
        case IcebpOutcome.Data:
          break;
        case IcebpOutcome.Again:
          if (this.#handlers.stopped) return DONE;
          done = 0;
          break;
        case IcebpOutcome.Run:
          return RUN;
        case IcebpOutcome.Tables:
          return {
            kind: "tables",
            address: Number(COMPLETION.Address.get(completion)),
          };
        default:
          return DONE;
      }
    }
  }
}

const DATA = ACCESS.Data.offset, ADDRESS = ACCESS.Address.offset;

/** Carries out the access (ICEBP_ACCESS) at `at`. Throws what a handler throws. */
export function carryOut(
  handlers: AccessHandlers,
  view: DataView,
  at: number,
): void {
  // in halves: numbers cost less than bigints
  const address = view.getUint32(at + ADDRESS, true) +
    view.getUint32(at + ADDRESS + 4, true) * 2 ** 32;
  const size = ACCESS.Size.get(view, at);
  const isWrite = ACCESS.IsWrite.get(view, at) !== 0;
  if (ACCESS.IsPort.get(view, at) !== 0) {
    if (isWrite) {
      handlers.writePort(address, size, view.getUint32(at + DATA, true));
    } else {
      view.setUint32(at + DATA, handlers.readPort(address, size), true);
      view.setUint32(at + DATA + 4, 0, true);
    }
  } else if (isWrite) {
    handlers.writeMemory(address, size, ACCESS.Data.get(view, at));
  } else {
    ACCESS.Data.set(view, handlers.readMemory(address, size), at);
  }
}
