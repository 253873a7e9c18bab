/** What the board's devices are made of and get of the machine around them. */
import type { MmioBus, PortBus } from "../bus.ts";
import type {
  Clock,
  Device,
  InterruptRequest,
  IrqLine,
  PowerSink,
  StubEntry,
} from "../device.ts";
import type { Timers } from "../timers.ts";
import type { BusDevice, Declaration, Declared } from "./declaration.ts";

/** What the board needs of the machine around it. */
export interface BoardWiring {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly cpus: number;
  /** All RAM, bytes. */
  readonly ramBytes: number;
  /** Unix seconds that the RTC shows at guest time 0. */
  readonly startTime: bigint;
  readonly requestInterrupt: (request: InterruptRequest) => void;
  /** The PIC's INTR: while high, processor 0 may take `pic.acknowledge()`. */
  readonly extInt: IrqLine;
  /** Called from inside a port write: stop after this instruction. */
  readonly power: PowerSink;
  /** Which instruction accesses a device now, for messages. */
  readonly where: () => string;
  /** What has come to a stub of firmware, if it is one that accesses a device. */
  readonly stubEntry: () => StubEntry | null;
  /** What COM1 sends, one byte a call; the array is used again. */
  readonly serialOut: (bytes: Uint8Array) => void;
}

/** What a device of the board can have. */
export interface Wiring extends BoardWiring {
  /** The interrupt that the device declares. */
  readonly irq: () => IrqLine;
  /** Another device; one that is made before is there at once. */
  readonly device: <D extends BoardDevice>(part: Part<D>) => D;
}

/** A device of the board. */
export type BoardDevice = Device & Declared & BusDevice & {
  /** Says what it has kept back: the guest may say no more. */
  flush?(): void;
};

/** What a device of the board declares, and how it is made. */
export interface Part<D extends BoardDevice = BoardDevice> extends Declaration {
  readonly make: (wiring: Wiring) => D;
}
