/**
 * Registers that some hosts do not let be read or written, and that can be done
 * without. A call for many registers is refused as a whole: what may be refused goes
 * apart then, and what is lost is said once.
 */
import { getLogger } from "@logtape/logtape";
import { Reg } from "../../ffi/registers.ts";
import { refused } from "../platform/errors.ts";
import { type RegisterAccess, RegisterBatch } from "./batch.ts";

const log = getLogger(["icebp", "machine"]);

/** What is lost without each. */
const REFUSABLE: ReadonlyMap<number, string> = new Map([
  [Reg.ApicBase, "the guest's own changes of it outlive a reset"],
  [Reg.Pat, "the guest's own changes of it outlive a reset"],
  [Reg.Tsc, "the time stamp counters are the host's"],
  [Reg.PendingInterruption, "an interrupt may outlive a reset"],
  [
    Reg.InterruptState,
    "an interrupt shadow may outlive a reset, and interrupts come into steps",
  ],
  [
    Reg.PendingEvent,
    "an exception may outlive a reset, and come before what is stepped",
  ],
  [
    Reg.PendingDebugException,
    "a debug exception of the guest's may be lost where it is stepped",
  ],
  [Reg.DeliverabilityNotifications, "an interrupt window may outlive a reset"],
  [
    Reg.InternalActivityState,
    "a halt may outlive a reset, and no debugger is told of it",
  ],
]);

/** Whether a guest can run without a register. */
export function canBeLost(name: number): boolean {
  return REFUSABLE.has(name);
}

/** Of these nothing but "none" can be done without: what is to come has to come. */
const EVENTS: ReadonlySet<number> = new Set([
  Reg.PendingInterruption,
  Reg.PendingEvent,
  Reg.DeliverabilityNotifications,
]);

/** What was said already, by register. */
const said = new Set<number>();

/** A batch some of whose registers a host may refuse: they read as 0 then. */
export class TolerantBatch extends RegisterBatch {
  /** Those that were refused at the last read or write. */
  readonly lost = new Set<number>();

  override read(from: RegisterAccess): void {
    this.#tolerate(
      () => super.read(from),
      (one) => one.read(from),
      (one, at) => this.values.set(one.values, at),
      () => true,
    );
  }

  override write(to: RegisterAccess): void {
    this.#tolerate(
      () => super.write(to),
      (one) => one.write(to),
      () => {},
      (one) => !EVENTS.has(one.names[0]) || one.get(0) === 0n,
    );
  }

  /** One by one if not all at once, and without those that can be done without. */
  #tolerate(
    all: () => void,
    access: (one: RegisterBatch) => void,
    done: (one: RegisterBatch, at: number) => void,
    canBeLost: (one: RegisterBatch) => boolean,
  ): void {
    if (this.lost.size > 0) this.lost.clear();
    try {
      return all();
    } catch (error) {
      if (!refused(error)) throw error;
    }
    this.names.forEach((name, i) => {
      const one = new RegisterBatch(name);
      const at = i * 16;
      one.values.set(this.values.subarray(at, at + 16));
      try {
        access(one);
      } catch (error) {
        if (!canBeLost(one)) throw error;
        lose(name, error);
        one.values.fill(0);
        this.lost.add(name);
      }
      done(one, at);
    });
  }
}

/** Goes on without a register that was refused; throws where that cannot be. */
function lose(name: number, error: unknown): void {
  const lost = REFUSABLE.get(name);
  if (!refused(error) || lost === undefined) throw error;
  if (said.has(name)) return;
  said.add(name);
  const register = Object.entries(Reg).find(([, value]) => value === name);
  log.warn("{register}: {message}: {lost}", {
    register: register?.[0],
    message: error.message,
    lost,
  });
}

/** Sets a register that a host may refuse. */
export function setRefusable(
  vp: RegisterAccess,
  name: number,
  value: bigint,
): void {
  const one = new TolerantBatch(name);
  one.set(0, value);
  one.write(vp);
}
