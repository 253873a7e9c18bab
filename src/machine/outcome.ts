/**
 * What became of an exit, and of a processor's run: one value that carries all there is
 * to know about it. Those that carry nothing are made once.
 */
import type { DebugPointExit } from "../platform/debug_exits.ts";
import type { InitSipiExit } from "../platform/event_exits.ts";
import type { ExceptionExit } from "../platform/access_exits.ts";
import type { PowerEvent } from "./device.ts";

/**
 * What ended the machine, or is to start it anew.
 *
 * @example
 * ```ts
 * import { Machine, type MachineEvent, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 1 << 20 });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes: 1 << 20,
 * });
 * machine.ports.write(0xf4, 1, 3); // as OUT would
 * const event: MachineEvent | null = machine.event;
 * assertEquals(event, { kind: "exit", code: 7 });
 * ```
 */
export type MachineEvent =
  | PowerEvent
  | { readonly kind: "triple-fault"; readonly processor: number };

/** Power-off, reset or a triple fault, by whichever processor or device. */
export interface Power {
  readonly kind: "power";
  readonly event: MachineEvent;
}

/** The instruction that exited faults; the guest has not been given that yet. */
export interface InstructionFault {
  readonly kind: "fault";
  readonly vector: number;
  /** Null if it has none. */
  readonly errorCode: number | null;
}

/** The processor goes on; no instruction was completed. */
export const CONTINUE = { kind: "continue" } as const;

/** The instruction that exited was carried out. */
export const COMPLETED = { kind: "completed" } as const;

/** The platform has completed it with the processor's own state: what it raises comes
 * with the next run, be it a breakpoint's trap or a step's. */
export const EXECUTED = { kind: "executed" } as const;

/** The processor was to return, and nothing else happened. */
export const CANCELED = { kind: "canceled" } as const;

/** What became of an exit that was to be carried out. */
export type Outcome =
  | typeof CONTINUE
  | typeof COMPLETED
  | typeof EXECUTED
  | InstructionFault
  | Power;

/** It exited with one of the exception exit bitmap. */
export interface ExceptionReturn {
  readonly kind: "exception";
  /** Valid until the processor's next run. */
  readonly exit: ExceptionExit;
}

/** It exited at a debug point. */
export interface PointReturn {
  readonly kind: "point";
  /** Valid until the processor's next run. */
  readonly exit: DebugPointExit;
}

/** An INIT or a start-up IPI has not been sent (Machine's trapStartupIpis()); the
 * instruction is complete. */
export interface StartupReturn {
  readonly kind: "startup";
  /** Valid until the processor's next run. */
  readonly exit: InitSipiExit;
}

/** Why a processor's run() returned; "completed" and "fault" only if it was to be a
 * single exit. */
export type Return =
  | typeof CANCELED
  | typeof COMPLETED
  | ExceptionReturn
  | PointReturn
  | StartupReturn
  | InstructionFault
  | Power;
