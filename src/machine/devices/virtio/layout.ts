/**
 * Where the virtio-mmio transports are: what the machine claims and the ACPI
 * tables announce. One page each, one level-triggered IOAPIC input each.
 */

import type { Declaration } from "../declaration.ts";

/** Guest physical address of the first transport. */
const BASE = 0xfeb00000;
/** Bytes of one transport's registers. */
export const VIRTIO_MMIO_BYTES = 0x1000;
/** The register that says which queue has something new, 4 bytes. */
export const VIRTIO_QUEUE_NOTIFY = 0x050;
const FIRST_GSI = 16;
/** How many transports there can be: the IOAPIC inputs that ISA has not. */
export const VIRTIO_MAX_DEVICES = 8;

/** Guest physical address of transport `index`. */
export function virtioAddress(index: number): number {
  return BASE + index * VIRTIO_MMIO_BYTES;
}

/** What transport `index` declares, with the function `name` behind it. */
export function virtioTransport(index: number, name = `virtio${index}`) {
  return {
    name,
    memory: [virtioAddress(index), VIRTIO_MMIO_BYTES],
    irq: FIRST_GSI + index,
    acpi: {
      name: `VR${index.toString().padStart(2, "0")}`,
      id: "LNRO0005",
      uid: index,
    },
  } as const satisfies Declaration;
}
