/**
 * PCI configuration mechanism #1 with nothing on the bus but the host bridge
 * itself (PCI Local Bus Specification 3.0, sections 3.2.2.3.2 and 6.1). Guests look for a
 * bus on every PC; this one answers, and is empty.
 */
import type { PortDevice } from "../device.ts";
import { integer, record } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

/** CONFIG_ADDRESS: a register of four bytes, taken and given whole only. */
const CONFIG_ADDRESS = 0xcf8;
/** CONFIG_DATA: the doubleword that CONFIG_ADDRESS chooses, in any part. */
const CONFIG_DATA = 0xcfc;

/** CONFIG_ADDRESS' bits. */
const Address = {
  enable: 0x80000000,
  /** Bus, device and function: all zero for the host bridge. */
  function: 0x00ffff00,
  register: 0x000000fc,
  /** What reads as written. */
  kept: 0x80fffffc,
} as const;

/** The host bridge's header, as doublewords by offset; the rest is zero. */
const HEADER: ReadonlyMap<number, number> = new Map([
  [0x00, 0x12378086], // device and vendor: Intel 82441FX, as most emulated PCs have it
  // Fast back-to-back, DEVSEL# medium; memory space and bus master always on.
  [0x04, 0x02800006],
  [0x08, 0x06000002], // class: host bridge; revision 2
]);

/** Between the two is the reset control register. */
export const PCI_HOST = {
  name: "pci-host",
  ports: [[CONFIG_ADDRESS, 1], [CONFIG_DATA, 4]],
  make: () => new PciHost(),
} as const satisfies Part;

/** The host bridge. */
export class PciHost extends StatefulDevice<{ address: number }>
  implements PortDevice {
  constructor() {
    super(PCI_HOST, record({ address: integer(0) }));
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const ones = size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff;
    const { address } = this.state;
    if (port === CONFIG_ADDRESS) return size === 4 ? address : ones;
    if (!(address & Address.enable) || address & Address.function) return ones;
    const value = HEADER.get(address & Address.register) ?? 0;
    return ((value >>> (8 * (port - CONFIG_DATA))) & ones) >>> 0;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    // Nothing that the host bridge has can be changed.
    if (port !== CONFIG_ADDRESS || size !== 4) return;
    this.state.address = (value & Address.kept) >>> 0;
  }
}
