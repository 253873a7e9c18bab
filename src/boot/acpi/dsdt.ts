/**
 * The DSDT's contents: the devices of src/machine/devices that cannot be found
 * by probing, and the sleep type that turns the machine off.
 */
import { Irq } from "../../machine/devices/board.ts";
import { COM1 } from "../../machine/devices/board.ts";
import { SLEEP_TYPE_S5 } from "../../machine/devices/acpi_pm.ts";
import {
  VIRTIO_MMIO_BYTES,
  virtioAddress,
  virtioGsi,
} from "../../machine/devices/virtio/layout.ts";
import * as aml from "./aml.ts";

/** The AML of the DSDT, with `virtioDevices` transports. */
export function dsdtAml(virtioDevices: number): Uint8Array {
  const sleep = aml.integer(SLEEP_TYPE_S5);
  const virtio = Array.from({ length: virtioDevices }, (_, i) =>
    aml.device(
      `VR${i.toString().padStart(2, "0")}`,
      aml.named("_HID", aml.string("LNRO0005")),
      aml.named("_UID", aml.integer(i)),
      aml.named(
        "_CRS",
        aml.resources(
          aml.memory32(virtioAddress(i), VIRTIO_MMIO_BYTES),
          aml.levelInterrupt(virtioGsi(i)),
        ),
      ),
    ));
  return Uint8Array.from([
    ...aml.named("\\_S5", aml.packageOf(sleep, sleep, [0], [0])),
    ...aml.scope(
      "\\_SB",
      aml.device(
        "RTC",
        aml.named("_HID", aml.eisaId("PNP0B00")),
        aml.named("_CRS", aml.resources(aml.io(0x70, 2), aml.irq(Irq.rtc))),
      ),
      aml.device(
        "KBD",
        aml.named("_HID", aml.eisaId("PNP0303")),
        aml.named(
          "_CRS",
          aml.resources(
            aml.io(0x60, 1),
            aml.io(0x64, 1),
            aml.irq(Irq.keyboard),
          ),
        ),
      ),
      aml.device(
        "COM1",
        aml.named("_HID", aml.eisaId("PNP0501")),
        aml.named("_UID", aml.integer(0)),
        aml.named("_CRS", aml.resources(aml.io(COM1, 8), aml.irq(Irq.serial))),
      ),
      ...virtio,
    ),
  ]);
}
