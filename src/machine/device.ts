/**
 * What a device of the machine is: the interfaces between the machine and its
 * devices. A device gets time, entropy and interrupt lines handed in and touches
 * nothing else of the host.
 */

/**
 * A JSON-able value of a device's saved state.
 *
 * @example
 * ```ts
 * import type { StateValue } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // A bigint travels as a string.
 * const deadline: StateValue = `${2n ** 60n}`;
 * assertEquals(JSON.parse(JSON.stringify(deadline)), "1152921504606846976");
 * ```
 */
export type StateValue =
  | null
  | boolean
  | number
  | string
  | readonly StateValue[]
  | { readonly [name: string]: StateValue };

/**
 * A device's saved state: a plain JSON-able record (bigints as strings).
 *
 * @example
 * ```ts
 * import { type DeviceState, Machine, openSoft } from "@icebp/icebp";
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
 * const pic: DeviceState = machine.save().board.devices.i8259.state;
 * assertEquals(JSON.parse(JSON.stringify(pic)), pic);
 * ```
 */
export type DeviceState = { readonly [name: string]: StateValue };

/**
 * A state that was saved by another icebp, which has other devices or keeps their states
 * otherwise; the message is one line for the user.
 *
 * @example
 * ```ts
 * import { ForeignStateError, Machine, openSoft } from "@icebp/icebp";
 * import { assertThrows } from "@std/assert";
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
 * const state = machine.save();
 * const board = { ...state.board, version: "another" };
 * assertThrows(() => machine.load({ ...state, board }), ForeignStateError);
 * ```
 */
export class ForeignStateError extends Error {
  /** For those who compare names. */
  override readonly name = "ForeignStateError";
}

/**
 * Guest time. One alarm; `Timers` multiplexes it.
 *
 * @example
 * ```ts
 * import { type Clock, Timers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * let now = 0n;
 * let alarm: { ns: bigint; fn: () => void } | null = null;
 * const clock: Clock = {
 *   now: () => now,
 *   setAlarm: (ns, fn) => {
 *     alarm = ns === null ? null : { ns, fn };
 *   },
 * };
 * let fired = 0;
 * new Timers(clock).create("once", () => fired++).arm(1_000n);
 * const due = alarm! as { ns: bigint; fn: () => void };
 * now = due.ns;
 * due.fn();
 * assertEquals(fired, 1);
 * ```
 */
export interface Clock {
  /** Guest time in nanoseconds since power-on. */
  now(): bigint;
  /** Calls `fn` once guest time reaches `ns`; null takes the alarm away. */
  setAlarm(ns: bigint | null, fn: () => void): void;
  /** Guest time is this from now on. A machine cannot be loaded where this is absent,
   * unless the clock is the platform's, which brings it back with its processors. */
  set?(ns: bigint): void;
  /** Whether time goes on without asking and alarms come late, as the host's timers
   * do: what falls between is to be made up for. Else they are exact. */
  readonly realTime?: boolean;
  /** Guest time stands still from now on. A clock whose time passes only while
   * processors run needs neither of these. */
  suspend?(): void;
  /** Guest time goes on from where it was. */
  resume?(): void;
}

/**
 * A source of random bytes: seeded when runs must repeat.
 *
 * @example
 * ```ts
 * import type { Entropy } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // The same bytes in every run.
 * function seeded(seed: number): Entropy {
 *   return {
 *     fill(into) {
 *       for (let i = 0; i < into.length; i++) {
 *         seed = (seed * 1103515245 + 12345) % 2 ** 31;
 *         into[i] = seed >> 16;
 *       }
 *     },
 *   };
 * }
 * const [a, b] = [new Uint8Array(8), new Uint8Array(8)];
 * seeded(1).fill(a);
 * seeded(1).fill(b);
 * assertEquals(a, b);
 * ```
 */
export interface Entropy {
  /** Fills the bytes with random ones. */
  fill(into: Uint8Array): void;
  /** Where it is in a sequence that repeats; absent where it does not. */
  save?(): string;
  /** Goes on from where save() was. */
  load?(saved: string): void;
}

/** One interrupt wire. Setting the level it already has does nothing. */
export interface IrqLine {
  set(level: boolean): void;
  /** Whether the last rise still waits for a processor, as far as the board can tell;
   * `onTaken` is called when it does no more. */
  readonly waiting?: boolean;
  onTaken?: (() => void) | null;
}

/**
 * What every device can do, whatever buses it is on.
 *
 * @example
 * ```ts
 * import { type Device, Machine, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // A register at port 0x300.
 * const latch = {
 *   name: "latch",
 *   version: "1",
 *   value: 0,
 *   readPort: () => latch.value,
 *   writePort: (_port: number, _size: number, value: number) => {
 *     latch.value = value;
 *   },
 *   reset: () => {
 *     latch.value = 0;
 *   },
 *   save: () => ({ value: latch.value }),
 *   load: (state: Record<string, unknown>) => {
 *     latch.value = Number(state.value);
 *   },
 * };
 * const device: Device = latch;
 * const platform = await openSoft({ memoryBytes: 1 << 20 });
 * const machine = new Machine({
 *   platform,
 *   guestMemory: platform.guestMemory,
 *   clock: platform.clock,
 *   entropy: { fill: (into) => into.fill(4) },
 *   cpus: 1,
 *   ramBytes: 1 << 20,
 *   attach(machine) {
 *     machine.ports.claim(0x300, 1, latch, latch.name);
 *     return [device];
 *   },
 * });
 * machine.ports.write(0x300, 1, 7);
 * assertEquals(machine.ports.read(0x300, 1), 7);
 * machine.reset();
 * assertEquals(machine.ports.read(0x300, 1), 0);
 * ```
 */
export interface Device {
  /** Unique among a machine's devices. */
  readonly name: string;
  /** What tells the form of its state from others': load() gets none of another. */
  readonly version: string;
  /** Puts every volatile field to its power-on value. */
  reset(): void;
  /** The state, as plain data. */
  save(): DeviceState;
  /**
   * Takes a state made by `save`. All of the machine goes to the same moment, so no wire
   * and no timer is to be touched.
   *
   * @throws {TypeError} The state is not one.
   */
  load(state: DeviceState): void;
}

/** A device reached by IN and OUT. Values are unsigned, `size` in bytes. */
export interface PortDevice {
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
}

/** A device reached through guest physical addresses; `size` in 1..8 bytes. */
export interface MmioDevice {
  readMmio(offset: number, size: number): bigint;
  writeMmio(offset: number, size: number, value: bigint): void;
  /** The 32-bit word at `offset`, a multiple of 4, without any effect of
   * looking; absent where there is no such thing. */
  peekMmio?(offset: number): number;
}

/** What the machine needs of the device that takes ExtInt (the PIC pair). */
export interface ExtIntSource {
  /** True while an interrupt is asked for. */
  readonly pending: boolean;
  /** The INTA cycle: acknowledges and returns the vector. */
  acknowledge(): number;
}

/** What the machine needs of the device that hears level EOIs (the IOAPIC). */
export interface EoiListener {
  /** The local APICs saw an EOI of a level-triggered `vector`. */
  endOfInterrupt(vector: number): void;
}

/**
 * How the guest ended the machine. `code` is the process's exit code.
 *
 * @example
 * ```ts
 * import { Machine, openSoft, type PowerEvent } from "@icebp/icebp";
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
 * const event: PowerEvent = { kind: "power-off" };
 * machine.power(event);
 * assertEquals(machine.event, event);
 * ```
 */
export type PowerEvent =
  | { kind: "exit"; code: number }
  | { kind: "power-off" }
  | { kind: "reset" };

/** Takes a power event; the machine stops after the instruction. */
export type PowerSink = (event: PowerEvent) => void;

/** An interrupt message; the numbers are WHV_INTERRUPT_CONTROL's. */
export interface InterruptRequest {
  type: number;
  /** 0 physical, 1 logical. */
  destinationMode: number;
  /** 0 edge, 1 level. */
  triggerMode: number;
  destination: number;
  vector: number;
}

/** Something that came to a stub that stands for firmware. */
export interface StubEntry {
  readonly vector: number;
  /** A software interrupt, not one of a device or an exception. */
  readonly isCall: boolean;
  readonly ah: number;
  /** The call, or the instruction that is returned to, for messages. */
  readonly where: string;
}
