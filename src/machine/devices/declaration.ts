/**
 * What a device is called and takes of the machine, said once, beside the device: its
 * buses claim by it, the DSDT is made of it, and listings and statistics show it.
 */
import type { MmioBus, PortBus } from "../bus.ts";
import type { MmioDevice, PortDevice } from "../device.ts";

/** What a device declares. */
export interface Declaration {
  /** Unique among a machine's devices: in saved states, messages, statistics. */
  readonly name: string;
  /** I/O ports: the first, and how many. */
  readonly ports?: readonly (readonly [first: number, count: number])[];
  /** Guest physical addresses: the first, and how many bytes. */
  readonly memory?: readonly [base: number, bytes: number];
  /** An ISA interrupt (0-15), or an IOAPIC input of its own (16-23), level-triggered. */
  readonly irq?: number;
  /** Its node in the DSDT, where a guest does not find it by probing. */
  readonly acpi?: AcpiNode;
}

/** How ACPI has a device called. */
export interface AcpiNode {
  /** Four characters at most. */
  readonly name: string;
  /** _HID: an EISA ID ("PNP0501"), or one of ACPI's own. */
  readonly id: string;
  /** _UID: tells those with the same _HID apart. */
  readonly uid?: number;
}

/** A device that has declared what it takes. */
export interface Declared {
  readonly declaration: Declaration;
}

/** A device that is on a bus. */
export type BusDevice = PortDevice | MmioDevice;

/** Gives a device the ports and addresses that it declares. Throws a RangeError where
 * another has them, and a TypeError if it cannot be accessed there. */
export function claim(
  { ports, mmio }: { readonly ports: PortBus; readonly mmio: MmioBus },
  { name, ports: ranges = [], memory }: Declaration,
  device: BusDevice,
): void {
  for (const [first, count] of ranges) {
    if (!("readPort" in device)) throw new TypeError(`${name} has no ports`);
    ports.claim(first, count, device, name);
  }
  if (memory !== undefined) {
    if (!("readMmio" in device)) throw new TypeError(`${name} has no memory`);
    mmio.claim(...memory, device, name);
  }
}
