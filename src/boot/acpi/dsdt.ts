/**
 * The DSDT's contents: the devices that declare a node, which are those that cannot be
 * found by probing, and the sleep type that turns the machine off.
 */
import { SLEEP_TYPE_S5 } from "../../machine/devices/acpi_pm.ts";
import { PARTS } from "../../machine/devices/board.ts";
import type { Declaration } from "../../machine/devices/declaration.ts";
import { virtioTransport } from "../../machine/devices/virtio/layout.ts";
import * as aml from "./aml.ts";

/** ISA interrupts are below; they are edge-triggered. */
const ISA_IRQS = 16;
/** Of EISA IDs, which ACPI packs. */
const EISA_ID = /^[A-Z]{3}[0-9A-F]{4}$/;

/** The AML of the DSDT, with `virtioDevices` transports. */
export function dsdtAml(virtioDevices: number): Uint8Array {
  const sleep = aml.integer(SLEEP_TYPE_S5);
  const declared = [
    ...PARTS,
    ...Array.from({ length: virtioDevices }, (_, i) => virtioTransport(i)),
  ];
  return Uint8Array.from([
    ...aml.named("\\_S5", aml.packageOf(sleep, sleep, [0], [0])),
    ...aml.scope("\\_SB", ...declared.flatMap(nodeOf)),
  ]);
}

/** None if it declares none. */
function nodeOf(
  { acpi, ports = [], memory, irq }: Declaration,
): readonly aml.Aml[] {
  if (acpi === undefined) return [];
  const { name, id, uid } = acpi;
  const resources = ports.map(([first, count]) => aml.io(first, count));
  if (memory !== undefined) resources.push(aml.memory32(...memory));
  if (irq !== undefined) {
    resources.push(irq < ISA_IRQS ? aml.irq(irq) : aml.levelInterrupt(irq));
  }
  return [aml.device(
    name,
    aml.named("_HID", EISA_ID.test(id) ? aml.eisaId(id) : aml.string(id)),
    ...(uid === undefined ? [] : [aml.named("_UID", aml.integer(uid))]),
    aml.named("_CRS", aml.resources(...resources)),
  )];
}
