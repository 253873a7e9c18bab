/**
 * What a protocol server needs of the debugger, and nothing of how either is done.
 *
 * Run control implements `DebugTarget`; src/gdb speaks to it. All-stop: either
 * every processor may run (`stop` is null) or none does (`stop` tells why).
 * Processors are numbered from 0. All calls are synchronous; those that read or
 * change the guest are for a stopped one and throw a `TargetError` otherwise.
 */
import type { Subscribable } from "../util/subscribers.ts";
import type { AgentExpression } from "./breakpoints/agent.ts";
import type { Architecture } from "./guest/register_sets.ts";
import type { MemoryRegion } from "./paging/regions.ts";

/**
 * What one processor does at a resume.
 *
 * @example
 * ```ts
 * import {
 *   type Action,
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const step: Action = { kind: "step" };
 * const stopped = Promise.withResolvers<unknown>();
 * target.onStop.subscribe((stop) => stopped.resolve(stop.reason));
 * target.resume([step]);
 * assertEquals(await stopped.promise, { kind: "step" });
 * assertEquals(target.codeAddress(0), 0x7002n);
 * ```
 */
export type Action =
  | { readonly kind: "continue" }
  | {
    readonly kind: "step";
    /** An interrupt may come first: then the step ends in its handler. */
    readonly interrupts?: boolean;
    /** But a timer's waits. */
    readonly holdTimers?: boolean;
  }
  /** Step until RIP leaves [start, end). At least one step is made. */
  | { readonly kind: "range"; readonly start: bigint; readonly end: bigint }
  | { readonly kind: "stay" };

/**
 * One action for each processor, by its number.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   type Plan,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * // Steps over both instructions as one line.
 * const plan: Plan = [{ kind: "range", start: 0x7000n, end: 0x7002n }];
 * const stopped = Promise.withResolvers<unknown>();
 * target.onStop.subscribe((stop) => stopped.resolve(stop.reason));
 * target.resume(plan);
 * assertEquals(await stopped.promise, { kind: "step" });
 * assertEquals(target.codeAddress(0), 0x7002n);
 * ```
 */
export type Plan = readonly Action[];

/**
 * What a data watchpoint watches for.
 *
 * @example
 * ```ts
 * import type { Breakpoint, WatchAccess } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const watch = (access: WatchAccess, address: bigint): Breakpoint => ({
 *   kind: access,
 *   address,
 *   length: 8,
 *   conditions: [],
 * });
 * assertEquals(watch("write", 0x1000n).kind, "write");
 * ```
 */
export type WatchAccess = "write" | "read" | "access";

/**
 * Why the guest is stopped.
 *
 * @example
 * ```ts
 * import type { StopReason } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const say = (reason: StopReason): string =>
 *   reason.kind === "watchpoint"
 *     ? `${reason.access} of 0x${reason.address.toString(16)}`
 *     : reason.kind;
 * assertEquals(
 *   say({ kind: "watchpoint", access: "write", address: 0x1000n }),
 *   "write of 0x1000",
 * );
 * ```
 */
export type StopReason =
  /** Stopped from the beginning, or by a reset: nothing happened yet. */
  | { readonly kind: "paused" }
  | { readonly kind: "step" }
  /** A software breakpoint; RIP is its address. */
  | { readonly kind: "breakpoint" }
  | { readonly kind: "hardwareBreakpoint" }
  | {
    readonly kind: "watchpoint";
    readonly access: WatchAccess;
    /** The first watched byte, as it was given to insertBreakpoint. */
    readonly address: bigint;
    /** The device that accessed it, by DMA; absent if a processor did. */
    readonly device?: string;
  }
  /** There is no more history: before its beginning, or behind its end. */
  | { readonly kind: "history"; readonly end: "begin" | "end" }
  /** By interrupt(). */
  | { readonly kind: "interrupted" }
  /** An exception somebody asked to catch, or a triple fault. */
  | { readonly kind: "exception"; readonly vector: number }
  /** The guest is over; `code` is what the program would exit with. */
  | { readonly kind: "exited"; readonly code: number }
  /** The platform refused to go on; `message` is one line for the user. */
  | { readonly kind: "failed"; readonly message: string };

/**
 * A stop: the processor it is about, and why.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 *   type Stop,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const stopped = Promise.withResolvers<Stop>();
 * target.onStop.subscribe(stopped.resolve);
 * target.resume([{ kind: "step" }]);
 * assertEquals(await stopped.promise, { processor: 0, reason: { kind: "step" } });
 * ```
 */
export interface Stop {
  /** The processor it is about. */
  readonly processor: number;
  /** Why it stopped. */
  readonly reason: StopReason;
}

/**
 * How far a reverse() goes.
 *
 * @example
 * ```ts
 * import type { DebugTarget, ReverseAction } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // False if there is no history to go back in.
 * const goBack = (
 *   target: Pick<DebugTarget, "reverse">,
 *   action: ReverseAction,
 * ): boolean => {
 *   target.reverse?.(action, 0);
 *   return target.reverse !== undefined;
 * };
 * assertEquals(goBack({}, "step"), false);
 * ```
 */
export type ReverseAction = "step" | "continue";

/**
 * software: 0xF1 in memory; the others take a debug register.
 *
 * @example
 * ```ts
 * import type { BreakpointKind } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const isForCode = (kind: BreakpointKind): boolean =>
 *   kind === "software" || kind === "hardware";
 * assertEquals(isForCode("access"), false);
 * ```
 */
export type BreakpointKind = "software" | "hardware" | WatchAccess;

/**
 * A breakpoint or watchpoint; equal if kind, address and length are.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   type Breakpoint,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const breakpoint: Breakpoint = {
 *   kind: "software",
 *   address: 0x7002n,
 *   length: 1,
 *   conditions: [],
 * };
 * target.insertBreakpoint(breakpoint);
 * assertEquals(target.removeBreakpoint(breakpoint), true);
 * assertEquals(target.removeBreakpoint(breakpoint), false);
 * ```
 */
export interface Breakpoint {
  /** What it stops for, and by what means. */
  readonly kind: BreakpointKind;
  /** Virtual (linear) address. */
  readonly address: bigint;
  /** Bytes watched: 1, 2, 4 or 8. Of no meaning for code. */
  readonly length: number;
  /** Stop if any holds, or always if there is none. For code only. */
  readonly conditions: readonly AgentExpression[];
}

/**
 * For lists of processors.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   type ProcessorDescription,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const description: ProcessorDescription = target.describe(0);
 * assertEquals(description, { name: "CPU0", state: "running" });
 * ```
 */
export interface ProcessorDescription {
  /** Such as "CPU0". */
  readonly name: string;
  /** Such as "running", "halted" or "waiting for SIPI". */
  readonly state: string;
}

/**
 * Something the debugger cannot do; the message is one line for the user.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 *   TargetError,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * try {
 *   target.insertBreakpoint({
 *     kind: "write",
 *     address: 0x1001n,
 *     length: 3,
 *     conditions: [],
 *   });
 * } catch (error) {
 *   // One line for the user.
 *   assertEquals(error instanceof TargetError, true);
 * }
 * ```
 */
export class TargetError extends Error {
  /** The error's name. */
  override readonly name: string = "TargetError";
}

/**
 * A guest under run control. What is optional is advertised to debuggers where a
 * target has it.
 *
 * @example
 * ```ts
 * import {
 *   attachDebugger,
 *   type DebugTarget,
 *   loadGuest,
 *   Machine,
 *   openSoft,
 *   startGuest,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const ramBytes = 2 << 20;
 * const platform = await openSoft({ memoryBytes: ramBytes });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes,
 * });
 * startGuest(
 *   machine,
 *   loadGuest({
 *     image: Uint8Array.from([0xb0, 0x2a, 0xe6, 0xf4]), // mov al, 42; out 0xf4, al
 *     name: "ends",
 *     commandLine: "",
 *     modules: [],
 *     ramBytes,
 *     cpus: 1,
 *     virtioDevices: 0,
 *     flat: { address: 0x7000, mode: 16 },
 *   }),
 * );
 * const target = attachDebugger(machine);
 * const next = (target: DebugTarget): number => {
 *   const byte = new Uint8Array(1);
 *   target.readMemory(0, target.codeAddress(0), byte);
 *   return byte[0];
 * };
 * assertEquals(next(target), 0xb0);
 * assertEquals(target.stop, { processor: 0, reason: { kind: "paused" } });
 * ```
 */
export interface DebugTarget {
  /** How many processors there are. */
  readonly processors: number;

  /** Why the guest stands still; null while it runs. */
  readonly stop: Stop | null;

  /** Told once for every resume() when all processors have stopped, also when
   * that happens before resume() returns. `stop` is set already. Never told
   * of a stop that nobody resumed from. */
  readonly onStop: Subscribable<[stop: Stop]>;

  /** Told of what the user should know at once: one line. */
  readonly onNotice?: Subscribable<[line: string]>;

  /**
   * The linear address of a processor's next instruction: RIP, and the base of
   * the code segment where that counts.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  codeAddress(processor: number): bigint;

  /**
   * How a processor's next instruction decodes.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  codeBits(processor: number): 16 | 32 | 64;

  /** What a debugger does best to take the guest for, as it stands: i386 for
   * those that a 32-bit debugger is made for, until they enter long mode. */
  architecture(): Architecture;

  /** A processor's name and what it is doing. */
  describe(processor: number): ProcessorDescription;

  /**
   * Starts the guest; returns at once. Stops found by the way and not yet
   * told are told at the next resume instead of starting. A processor that was told
   * of the breakpoint where it is goes past it, unless `stepOff` is false: then it is
   * for the caller to step off before, and who did not is told again.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  resume(plan: Plan, stepOff?: boolean): void;

  /** Goes back in time; returns at once, the stop is told as that of a resume(). A
   * "step" ends before the last instruction of `processor`, "continue" where the
   * last hit before now was: at an instruction, or before the one that accessed data. */
  reverse?(action: ReverseAction, processor: number): void;

  /** Stops the guest soon, with reason "interrupted" if nothing else comes
   * first. Nothing happens if it is stopped. */
  interrupt(): void;

  /**
   * Fills `into` from virtual memory, as far as it is mapped, and returns the
   * number of bytes read. Never shows the debugger's own 0xF1. Device registers
   * are read where that has no effect.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  readMemory(processor: number, address: bigint, into: Uint8Array): number;

  /** What a processor has mapped around an address. */
  regionAt?(processor: number, address: bigint): MemoryRegion;

  /**
   * Writes to virtual memory, read-only pages too, all or nothing; false if
   * it is not mapped.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  writeMemory(processor: number, address: bigint, bytes: Uint8Array): boolean;

  /** As readMemory with guest physical addresses; `processor` (0 if absent) is
   * the one whose local APIC answers. */
  readPhysical?(address: bigint, into: Uint8Array, processor?: number): number;

  /** As writeMemory with guest physical addresses. */
  writePhysical?(address: bigint, bytes: Uint8Array): boolean;

  /**
   * Registers `first` up to `first + count` of `allRegisters` (registers.ts),
   * packed, little endian, into the beginning of `into`: one platform call.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  readRegisters(
    processor: number,
    first: number,
    count: number,
    into: Uint8Array,
  ): void;

  /**
   * The reverse of readRegisters.
   *
   * @throws {TargetError} The guest runs, or is over.
   */
  writeRegisters(
    processor: number,
    first: number,
    count: number,
    bytes: Uint8Array,
  ): void;

  /**
   * Inserts one more; O(1). Works while running too. Code that is not mapped
   * is no error.
   *
   * @throws {TargetError} No debug register is free, or none can watch this length
   * or alignment.
   */
  insertBreakpoint(breakpoint: Breakpoint): void;

  /** Removes one that was inserted (its conditions do not matter); false if
   * there is none. */
  removeBreakpoint(breakpoint: Breakpoint): boolean;

  /** Runs a line of the debugger's own command language ("help", ...) in the
   * context of a processor; returns what to show. What takes long is promised: until
   * then the guest does not count as stopped. */
  monitor?(command: string, processor: number): string | Promise<string>;

  /** Takes every breakpoint away; then the guest runs on, or stays as it is. */
  detach(run: boolean): void;

  /** Ends the guest; `stop` becomes "exited". Only restart() helps then. */
  kill(): void;

  /** Resets the machine and loads the guest anew; stopped ("paused"). */
  restart?(): void;
}
