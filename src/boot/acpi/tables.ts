/**
 * ACPI tables (specification 6.4, chapter 5): RSDP, XSDT and RSDT, FADT, FACS,
 * DSDT, MADT. They lie in the firmware's area below 1 MiB, where a guest that is
 * not told the RSDP's address finds it by its signature.
 */
import { AcpiPorts, SCI_IRQ } from "../../machine/devices/acpi_pm.ts";
import { IOAPIC_BASE } from "../../machine/devices/ioapic.ts";
import { TIMER_GSI } from "../../machine/devices/board.ts";
import { PIT } from "../../machine/devices/i8254.ts";
import { RESET_CONTROL } from "../../machine/devices/power.ts";
import type { BootRequest } from "../image.ts";
import {
  FIRMWARE_BASE,
  HIGH_BASE,
  type Placement,
  roundUp,
} from "../placement.ts";
import { ByteWriter, fixChecksum } from "../writer.ts";
import { dsdtAml } from "./dsdt.ts";
import { APIC_BASE_PAGE_AT_RESET } from "../../x86/apic_base.ts";

const OEM_ID = "ICEBP", OEM_TABLE = "ICEBPPC", CREATOR = "ICBP";
const HEADER_BYTES = 36;
const LOCAL_APIC_BASE = Number(APIC_BASE_PAGE_AT_RESET);
/** ACPI processor and APIC identifiers of one byte end here. */
const MAX_XAPIC_ID = 254;

function table(signature: string, revision: number, body: Uint8Array) {
  const bytes = new ByteWriter()
    .text(signature).u32(HEADER_BYTES + body.length).u8(revision, 0)
    .text(OEM_ID, 6, 0x20).text(OEM_TABLE, 8, 0x20).u32(1)
    .text(CREATOR).u32(1)
    .bytes(body).done();
  fixChecksum(bytes, 9);
  return bytes;
}

/** Flags of the MADT's interrupt source override: level, active high. */
const LEVEL_HIGH = 0x000d;

function madt(cpus: number): Uint8Array {
  const body = new ByteWriter()
    .u32(LOCAL_APIC_BASE).u32(1); // 1: there is a PIC pair as well
  for (let id = 0; id < Math.min(cpus, MAX_XAPIC_ID + 1); id++) {
    body.u8(0, 8, id, id).u32(1); // local APIC, enabled
  }
  body.u8(1, 12, 0, 0).u32(IOAPIC_BASE).u32(0);
  body.u8(2, 10, 0, PIT.irq).u32(TIMER_GSI).u16(0);
  body.u8(2, 10, 0, SCI_IRQ).u32(SCI_IRQ).u16(LEVEL_HIGH);
  body.u8(4, 6, 0xff).u16(0).u8(1); // NMI on LINT1 of every processor
  return table("APIC", 4, body.done());
}

/** A generic address structure of an I/O port. */
function gas(writer: ByteWriter, port: number, bytes: number): void {
  const accessSize = { 1: 1, 2: 2, 4: 3 }[Math.min(bytes, 2)] ?? 0;
  if (port === 0) writer.u8(0, 0, 0, 0).u64(0);
  else writer.u8(1, bytes * 8, 0, bytes === 4 ? 3 : accessSize).u64(port);
}

const FadtFlags = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  noSleepButton: 1 << 5,
  noRtcWake: 1 << 6,
  RESET_REG: 1 << 10,
};
/** Legacy devices and an 8042; no VGA, MSI or ASPM. */
const BOOT_ARCH = 0x1f;
const CENTURY_REGISTER = 0x32;
const [[RESET_PORT]] = RESET_CONTROL.ports, RESET_VALUE = 6;
/** Latencies that say: there is no C2, no C3. */
const NO_C2 = 0xfff, NO_C3 = 0xfff;

function fadt(facs: number, dsdt: number): Uint8Array {
  const w = new ByteWriter();
  w.u32(facs).u32(dsdt).u8(0, 0).u16(SCI_IRQ);
  w.u32(0).u8(0, 0, 0, 0); // no SMI command: ACPI mode is always on
  w.u32(AcpiPorts.PM1_EVT).u32(0).u32(AcpiPorts.PM1_CNT).u32(0).u32(0)
    .u32(AcpiPorts.PM_TMR).u32(0).u32(0);
  w.u8(4, 2, 0, 4, 0, 0, 0, 0); // register lengths
  w.u16(NO_C2).u16(NO_C3).u16(0).u16(0).u8(0, 0, 0, 0, CENTURY_REGISTER);
  w.u16(BOOT_ARCH).u8(0);
  w.u32(
    FadtFlags.WBINVD | FadtFlags.PROC_C1 | FadtFlags.noSleepButton |
      FadtFlags.noRtcWake | FadtFlags.RESET_REG,
  );
  gas(w, RESET_PORT, 1);
  w.u8(RESET_VALUE).u16(0).u8(0); // no ARM flags; minor version 0
  w.u64(0).u64(dsdt);
  const block: [number, number][] = [
    [AcpiPorts.PM1_EVT, 4],
    [0, 0],
    [AcpiPorts.PM1_CNT, 2],
    [0, 0],
    [0, 0],
    [AcpiPorts.PM_TMR, 4],
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0],
  ];
  for (const [port, bytes] of block) gas(w, port, bytes);
  w.u64(0); // hypervisor vendor
  return table("FACP", 6, w.done());
}

function facs(): Uint8Array {
  return new ByteWriter().text("FACS").u32(64).padTo(32).u8(2).padTo(64).done();
}

function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const bytes = new ByteWriter()
    .text("RSD PTR ").u8(0).text(OEM_ID, 6, 0x20).u8(2).u32(rsdt)
    .u32(36).u64(xsdt).padTo(36).done();
  fixChecksum(bytes, 8, 20);
  fixChecksum(bytes, 32);
  return bytes;
}

/** Puts the tables into memory; returns the RSDP's address. */
export function placeAcpi(
  placement: Placement,
  { cpus, virtioDevices }: Pick<BootRequest, "cpus" | "virtioDevices">,
): number {
  let next = FIRMWARE_BASE;
  const writes: { at: number; bytes: Uint8Array }[] = [];
  const put = (bytes: Uint8Array) => {
    const at = next;
    writes.push({ at, bytes });
    next = roundUp(at + bytes.length, 64);
    return at;
  };
  // The RSDP comes first in memory but is made last.
  next = FIRMWARE_BASE + 64;
  const dsdt = put(table("DSDT", 2, dsdtAml(virtioDevices)));
  const fixed = put(fadt(put(facs()), dsdt));
  const apic = put(madt(cpus));
  const pointers = [fixed, apic];
  const wide = new ByteWriter(), narrow = new ByteWriter();
  for (const pointer of pointers) {
    wide.u64(pointer);
    narrow.u32(pointer);
  }
  const xsdt = put(table("XSDT", 1, wide.done()));
  const rsdt = put(table("RSDT", 1, narrow.done()));
  writes.unshift({ at: FIRMWARE_BASE, bytes: rsdp(rsdt, xsdt) });
  placement.reserve(FIRMWARE_BASE, next - FIRMWARE_BASE, "the ACPI tables");
  if (next > HIGH_BASE) throw new RangeError("ACPI tables leave their area");
  for (const { at, bytes } of writes) placement.fill(at, bytes);
  return FIRMWARE_BASE;
}
