/** A machine's state outside of its memory: what is in it, and that it is the state of
 * such a machine. */
import type { ProcessorsState } from "../../ffi/mod.ts";
import { type Device, type DeviceState, ForeignStateError } from "./device.ts";
import { MSRS } from "./msrs.ts";
import {
  BrokenStateError,
  flag,
  optional,
  queue,
  record,
  text,
  time,
  type ValueOf,
  versionOf,
} from "./state.ts";

/** What is a machine's own, beside its processors and devices. */
const OWN = record({
  /** Guest time when it was saved: all times here and in the devices' states are
   * absolute, and mean what they did once guest time is this again. */
  time: time(0n),
  /** Of each processor, the MSRs that are the machine's. */
  msrs: queue(MSRS),
  /** The PIC's INTR wire. */
  extInt: flag(false),
  /** Of each processor, whether it is to tell of an interrupt window. */
  windows: queue(flag(false)),
  /** What is armed, in the order in which it will fire. */
  timers: queue(record({ name: text(""), deadline: time(0n) })),
  /** Where the entropy is in its sequence; null where it has none that repeats. */
  entropy: optional(text("")),
});
const VERSION = versionOf(OWN);

/** That, as it is. */
export type OwnState = ValueOf<typeof OWN>;

/**
 * A machine's state without its processors' and its memory. JSON-able. What was saved by
 * an icebp whose devices are others, or keep their states otherwise, is not loaded.
 *
 * @example
 * ```ts
 * import { type BoardState, Machine, openSoft } from "@icebp/icebp";
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
 * machine.ports.write(0x21, 1, 0xfb); // the PIC's mask
 * const saved = machine.save();
 * const board: BoardState = JSON.parse(JSON.stringify(saved.board));
 * machine.ports.write(0x21, 1, 0xff);
 * machine.load({ ...saved, board });
 * assertEquals(machine.ports.read(0x21, 1), 0xfb);
 * ```
 */
export interface BoardState {
  /** Of `own`. */
  readonly version: string;
  /** What is no device's. */
  readonly own: DeviceState;
  /** Of every device, by its name. */
  readonly devices: {
    readonly [name: string]: {
      /** The device's, as it was (Device.version). */
      readonly version: string;
      /** The device's. */
      readonly state: DeviceState;
    };
  };
}

/**
 * A machine's whole state.
 *
 * @example
 * ```ts
 * import { Machine, type MachineState, openSoft } from "@icebp/icebp";
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
 * machine.memory.writeByte(0x1000, 1);
 * const state: MachineState = machine.save();
 * machine.memory.writeByte(0x1000, 2);
 * machine.load(state);
 * assertEquals(machine.memory.readByte(0x1000), 1);
 * ```
 */
export interface MachineState {
  /** The processors: the platform's own state of them where it has one, which is exact;
   * else the registers of each, which any platform takes. */
  readonly processors:
    | ProcessorsState
    | readonly {
      /** By register name (a number), 16 bytes as hexadecimal digits. */
      readonly registers: { readonly [name: string]: string };
      /** As the platform has it; null where it does not tell. */
      readonly lapic: Uint8Array | null;
      /** The same. */
      readonly xsave: Uint8Array | null;
    }[];
  /** All else but memory. */
  readonly board: BoardState;
  /** All of RAM; null where the caller keeps it. */
  readonly memory: Uint8Array | null;
}

/** The board's state of these devices. */
export function saveBoard(
  own: OwnState,
  devices: readonly Device[],
): BoardState {
  return {
    version: VERSION,
    own: OWN.save(own) as DeviceState,
    devices: Object.fromEntries(
      devices.map((device) => [
        device.name,
        { version: device.version, state: device.save() },
      ]),
    ),
  };
}

function isRecord(value: unknown): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** What is the machine's own of a board's state. Throws a ForeignStateError where it is
 * not of such devices, and a BrokenStateError where it is none. */
export function ownState(
  board: BoardState,
  devices: readonly Device[],
): OwnState {
  if (
    !isRecord(board) || !isRecord(board.devices) ||
    !Object.values(board.devices).every(isRecord)
  ) throw new BrokenStateError("saved state: a board with devices expected");
  const { version, own, devices: saved } = board;
  if (version !== VERSION) throw new ForeignStateError(otherwise("machine"));
  for (const { name, version } of devices) {
    if (!Object.hasOwn(saved, name)) {
      throw new ForeignStateError(
        `saved by another icebp, whose machine has no ${name}`,
      );
    }
    if (saved[name].version !== version) {
      throw new ForeignStateError(otherwise(name));
    }
  }
  const known = new Set(devices.map(({ name }) => name));
  const unknown = Object.keys(saved).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new ForeignStateError(
      `saved by another icebp, whose machine has a ${unknown}`,
    );
  }
  return OWN.load(own, "machine");
}

function otherwise(name: string): string {
  return `saved by another icebp, whose ${name} keeps its state otherwise`;
}
