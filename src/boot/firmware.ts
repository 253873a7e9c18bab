/**
 * What a PC's firmware leaves behind, for guests that use no firmware and read
 * it all the same: interrupt vectors, the BIOS data area (IBM PC/AT Technical
 * Reference), the extended one, Intel's multiprocessor tables (MultiProcessor
 * Specification 1.4, chapter 4), the PICs' vectors. There is no firmware itself:
 * software interrupts do nothing but be told of. Where the image lies, the image stays.
 */
import { COM1 } from "../machine/devices/serial16550.ts";
import { SCI_IRQ } from "../machine/devices/acpi_pm.ts";
import { CRTC } from "../machine/devices/debug_ports.ts";
import {
  STUB,
  STUB_OFFSET,
  STUB_SEGMENT,
} from "../machine/devices/bios_calls.ts";
import { TIMER_GSI } from "../machine/devices/board.ts";
import { PIT } from "../machine/devices/i8254.ts";
import { PIC } from "../machine/devices/i8259.ts";
import { IOAPIC_BASE, IOAPIC_VERSION } from "../machine/devices/ioapic.ts";
import type { BootRequest, PortWrite } from "./image.ts";
import { LOW_END, type Placement } from "./placement.ts";
import { ByteWriter, fixChecksum } from "./writer.ts";
import { APIC_BASE_PAGE_AT_RESET } from "../x86/apic_base.ts";

const VECTORS = 256;
const BDA = 0x400, BDA_BYTES = 256;
const MP_TABLES = 0xf0000;
const LOCAL_APIC_BASE = Number(APIC_BASE_PAGE_AT_RESET);

function vectors(): Uint8Array {
  const table = Uint32Array.from(
    { length: VECTORS },
    (_, vector) => STUB_SEGMENT << 16 | STUB_OFFSET + vector * STUB.length,
  );
  return new Uint8Array(table.buffer);
}

function stubs(): Uint8Array {
  const stubs = new Uint8Array(VECTORS * STUB.length);
  for (let at = 0; at < stubs.length; at += STUB.length) stubs.set(STUB, at);
  return stubs;
}

/** Equipment: an FPU, one serial port; no disks, no display to speak of. */
const EQUIPMENT = 0x0202;

function biosDataArea(): Uint8Array {
  const bytes = new Uint8Array(BDA_BYTES);
  const data = new DataView(bytes.buffer);
  const word = (at: number, value: number) =>
    data.setUint16(at - BDA, value, true);
  word(0x400, COM1.ports[0][0]);
  word(0x40e, LOW_END >> 4); // the extended BIOS data area's segment
  word(0x410, EQUIPMENT);
  word(0x413, LOW_END / 1024); // KiB of memory
  word(0x41a, 0x1e); // the keyboard's buffer: empty, and where it lies
  word(0x41c, 0x1e);
  word(0x480, 0x1e);
  word(0x482, 0x3e);
  bytes[0x449 - BDA] = 3; // text of 80 by 25
  word(0x44a, 80);
  word(0x44c, 4000);
  word(0x463, CRTC.ports[0][0]);
  bytes[0x484 - BDA] = 24; // rows, less one
  return bytes;
}

/** Processor entries: the bootstrap processor is enabled, too. */
const Cpu = { enabled: 1, bootstrap: 2 } as const;
/** Version of the local APIC. */
const LAPIC_VERSION = 0x14;
/** What every processor here has at least: family 6, with FPU and APIC. */
const SIGNATURE = 0x600, FEATURES = 0x201;
const InterruptType = { INT: 0, NMI: 1, ExtINT: 3 } as const;
/** Polarity and trigger mode: as the bus has them, or active high and level. */
const CONFORMS = 0, LEVEL_HIGH = 0x0d;
const ISA_BUS = 0, ALL_LOCAL_APICS = 0xff;

/** The floating pointer structure, then the configuration table. */
function mpTables(cpus: number): Uint8Array {
  const entries = new ByteWriter();
  let count = 0;
  const entry = (type: number) => {
    count++;
    return entries.u8(type);
  };
  for (let id = 0; id < cpus; id++) {
    entry(0).u8(id, LAPIC_VERSION)
      .u8(Cpu.enabled | (id === 0 ? Cpu.bootstrap : 0))
      .u32(SIGNATURE).u32(FEATURES).u32(0).u32(0);
  }
  entry(1).u8(ISA_BUS).text("ISA", 6, 0x20);
  entry(2).u8(0, IOAPIC_VERSION, 1).u32(IOAPIC_BASE);
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue; // the second PIC's way into the first
    entry(3).u8(InterruptType.INT)
      .u16(irq === SCI_IRQ ? LEVEL_HIGH : CONFORMS)
      .u8(ISA_BUS, irq, 0, irq === PIT.irq ? TIMER_GSI : irq);
  }
  const local = (type: number, input: number) =>
    entry(4).u8(type).u16(CONFORMS).u8(ISA_BUS, 0, ALL_LOCAL_APICS, input);
  local(InterruptType.ExtINT, 0);
  local(InterruptType.NMI, 1);

  const body = entries.done();
  const table = new ByteWriter().text("PCMP").u16(44 + body.length).u8(4, 0)
    .text("ICEBP", 8, 0x20).text("ICEBPPC", 12, 0x20).u32(0).u16(0)
    .u16(count).u32(LOCAL_APIC_BASE).u16(0).u8(0, 0).bytes(body).done();
  fixChecksum(table, 7);
  const pointer = new ByteWriter().text("_MP_").u32(MP_TABLES + 16)
    .u8(1, 4, 0, 0, 0, 0, 0, 0).done();
  fixChecksum(pointer, 10);
  return new ByteWriter().bytes(pointer).bytes(table).done();
}

/** Puts it into memory; call it when the image's place is taken. */
export function placeFirmware(
  placement: Placement,
  { cpus }: Pick<BootRequest, "cpus">,
): void {
  const put = (at: number, bytes: Uint8Array) =>
    placement.placeIfFree(at, bytes, "what firmware leaves behind");
  put(0, vectors());
  put(BDA, biosDataArea());
  put(LOW_END, Uint8Array.of(1)); // the extended area's size, KiB
  put(MP_TABLES, mpTables(cpus));
  put(STUB_SEGMENT * 16 + STUB_OFFSET, stubs());
}

const [[MASTER], [SLAVE]] = PIC.ports;

/** How firmware programs the PICs: vectors 08h and 70h for real mode; timer,
 * keyboard, the second PIC and its clock are let through. */
export const FIRMWARE_PORTS: readonly PortWrite[] = [
  [MASTER, 0x11], // ICW1: edges, cascaded, ICW4 follows
  [MASTER + 1, 0x08], // ICW2: the vectors
  [MASTER + 1, 0x04], // ICW3: the second one is at input 2
  [MASTER + 1, 0x01], // ICW4: 8086
  [MASTER + 1, 0xf8],
  [SLAVE, 0x11],
  [SLAVE + 1, 0x70],
  [SLAVE + 1, 0x02],
  [SLAVE + 1, 0x01],
  [SLAVE + 1, 0xfe],
].map(([port, value]) => ({ port, value }));
