/**
 * What a device of the machine is: the interfaces between the machine and its
 * devices. A device gets time, entropy and interrupt lines handed in and touches
 * nothing else of the host.
 */

/** A JSON-able value of a device's saved state. */
export type StateValue =
  | null
  | boolean
  | number
  | string
  | readonly StateValue[]
  | { readonly [name: string]: StateValue };

/** A device's saved state: a plain JSON-able record (bigints as strings). */
export type DeviceState = { readonly [name: string]: StateValue };

/** Guest time. One alarm; `Timers` multiplexes it. */
export interface Clock {
  /** Guest time in nanoseconds since power-on. */
  now(): bigint;
  /** Calls `fn` once guest time reaches `ns`; null takes the alarm away. */
  setAlarm(ns: bigint | null, fn: () => void): void;
  /** Whether time goes on without asking and alarms come late, as the host's timers
   * do: what falls between is to be made up for. Else they are exact. */
  readonly realTime?: boolean;
  /** Guest time stands still from now on. A clock whose time passes only while
   * processors run needs neither of these. */
  suspend?(): void;
  /** Guest time goes on from where it was. */
  resume?(): void;
}

/** A source of random bytes: seeded when runs must repeat. */
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

/** What every device can do, whatever buses it is on. */
export interface Device {
  /** Unique among a machine's devices. */
  readonly name: string;
  /** Puts every volatile field to its power-on value. */
  reset(): void;
  /** The state, as plain data. */
  save(): DeviceState;
  /** Takes a state made by `save`; throws when it is not one. */
  load(state: DeviceState): void;
  /** As load(), of a machine all of which goes back to the same moment: wires and timers
   * are brought back, too, and are not to be touched. */
  restore(state: DeviceState): void;
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
