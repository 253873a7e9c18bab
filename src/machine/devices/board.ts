/**
 * The PC's board: every device, what its pins are wired to, and the ports and
 * addresses it claims. ISA interrupts reach both the PICs and the IOAPIC, IRQ 0
 * at the IOAPIC's input 2 as on every PC (the MADT says so).
 */
import type { MmioBus, PortBus } from "../bus.ts";
import type { Clock, Device, DeviceState, IrqLine } from "../device.ts";
import type { Timers } from "../timers.ts";
import { AcpiPm, AcpiPorts, SCI_IRQ } from "./acpi_pm.ts";
import {
  Crtc,
  CRTC_PORT,
  DEBUG_CONSOLE_PORTS,
  DebugConsole,
  POST_PORTS,
  PostCode,
} from "./debug_ports.ts";
import { BIOS_CALL_PORT, BiosCalls, type StubEntry } from "./bios_calls.ts";
import { KeyboardController } from "./i8042.ts";
import { Pit } from "./i8254.ts";
import { PicPair } from "./i8259.ts";
import {
  type InterruptRequest,
  IoApic,
  IOAPIC_BASE,
  IOAPIC_INPUTS,
  IOAPIC_SIZE,
} from "./ioapic.ts";
import { CONFIG_ADDRESS, CONFIG_DATA, PciHost } from "./pci_host.ts";
import {
  BOCHS_ACPI_PORT,
  BOCHS_SHUTDOWN_PORT,
  BochsPower,
  DEBUG_EXIT_PORT,
  DebugExit,
  type PowerSink,
  ResetControl,
  SystemPortA,
} from "./power.ts";
import { Rtc } from "./rtc.ts";
import { Serial16550 } from "./serial16550.ts";

export type { InterruptRequest } from "./ioapic.ts";
export type { PowerEvent } from "./power.ts";

/** ISA interrupts. */
export const Irq = { timer: 0, keyboard: 1, serial: 4, sci: SCI_IRQ, rtc: 8 };
/** COM1's first port. */
export const COM1 = 0x3f8;
/** The timer's IOAPIC input. */
export const TIMER_GSI = 2;

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
  requestInterrupt(request: InterruptRequest): void;
  /** The PIC's INTR: while high, processor 0 may take `pic.acknowledge()`. */
  readonly extInt: IrqLine;
  /** Called from inside a port write: stop after this instruction. */
  readonly power: PowerSink;
  /** Which instruction accesses a device now, for messages. */
  where(): string;
  /** What has come to a stub of firmware, if it is one that accesses a device. */
  stubEntry(): StubEntry | null;
  /** What COM1 sends, one byte a call; the array is used again. */
  serialOut(bytes: Uint8Array): void;
}

/** All devices of the machine, wired and claimed. */
export class Board {
  /** In the order in which they are reset, saved and loaded. */
  readonly devices: readonly Device[];
  readonly serial: Serial16550;
  readonly acpi: AcpiPm;
  readonly pic: PicPair;
  readonly ioapic: IoApic;
  readonly #debugConsoles: readonly DebugConsole[];
  /** By number; those that somebody has. */
  readonly #lines: IrqLine[] = [];

  constructor(wiring: BoardWiring) {
    const { ports, mmio, timers, clock, power } = wiring;
    this.pic = new PicPair(wiring.extInt);
    this.pic.onTaken = (irq) => this.#lines[irq]?.onTaken?.();
    this.ioapic = new IoApic({
      requestInterrupt: (request) => wiring.requestInterrupt(request),
      extIntVector: () => this.pic.acknowledge(),
    });
    const reset = () => power({ kind: "reset" });
    const pit = new Pit(this.irq(Irq.timer), clock, timers);
    const rtc = new Rtc(wiring, this.irq(Irq.rtc), clock, timers);
    const keyboard = new KeyboardController(this.irq(Irq.keyboard), reset);
    const portA = new SystemPortA(keyboard, power);
    const resetControl = new ResetControl(power);
    const debugExit = new DebugExit(power);
    const bochs = new BochsPower(power);
    const pci = new PciHost();
    this.serial = new Serial16550("serial0", COM1, {
      irq: this.irq(Irq.serial),
      clock,
      timers,
      transmit: (bytes) => wiring.serialOut(bytes),
    });
    this.acpi = new AcpiPm(
      this.irq(Irq.sci),
      clock,
      timers,
      power,
      () => wiring.where(),
    );

    const claim = (first: number, count: number, device: Device & Ports) =>
      ports.claim(first, count, device, device.name);
    claim(0x20, 2, this.pic);
    claim(0xa0, 2, this.pic);
    claim(0x4d0, 2, this.pic);
    claim(0x40, 4, pit);
    claim(0x61, 1, pit);
    claim(0x60, 1, keyboard);
    claim(0x64, 1, keyboard);
    claim(0x70, 2, rtc);
    claim(0x92, 1, portA);
    claim(DEBUG_EXIT_PORT, 4, debugExit);
    claim(COM1, 8, this.serial);
    claim(AcpiPorts.base, AcpiPorts.count, this.acpi);
    claim(CONFIG_ADDRESS, 1, pci);
    claim(0xcf9, 1, resetControl);
    claim(CONFIG_DATA, 4, pci);
    claim(BOCHS_SHUTDOWN_PORT, 1, bochs);
    claim(BOCHS_ACPI_PORT, 2, bochs);
    const biosCalls = new BiosCalls(() => wiring.stubEntry());
    claim(BIOS_CALL_PORT, 1, biosCalls);
    const crtc = new Crtc();
    claim(CRTC_PORT, 2, crtc);
    this.#debugConsoles = DEBUG_CONSOLE_PORTS.map((port) => {
      const device = new DebugConsole(port);
      claim(port, 1, device);
      return device;
    });
    const postCodes = POST_PORTS.map((port) => {
      const device = new PostCode(port);
      claim(port, 1, device);
      return device;
    });
    mmio.claim(IOAPIC_BASE, IOAPIC_SIZE, this.ioapic, this.ioapic.name);

    // The interrupt controllers come first: the others drive their inputs.
    this.devices = [
      this.pic,
      this.ioapic,
      pit,
      rtc,
      keyboard,
      portA,
      resetControl,
      debugExit,
      bochs,
      pci,
      this.serial,
      this.acpi,
      crtc,
      biosCalls,
      ...this.#debugConsoles,
      ...postCodes,
    ];
  }

  /** An ISA interrupt (0-15) or an IOAPIC input of its own (16-23). */
  irq(number: number): IrqLine {
    if (number < 0 || number >= IOAPIC_INPUTS || number === TIMER_GSI) {
      throw new RangeError(`no interrupt wire ${number}`);
    }
    const gsi = number === Irq.timer ? TIMER_GSI : number;
    const { pic } = this;
    const line: IrqLine = {
      onTaken: null,
      get waiting() {
        return number < 16 && pic.waits(number);
      },
      set: (level) => {
        if (number < 16) pic.setInput(number, level);
        this.ioapic.setInput(gsi, level);
      },
    };
    this.#lines[number] = line;
    return line;
  }

  /** Logs what debug consoles have not: the guest may say no more. */
  flush(): void {
    for (const console of this.#debugConsoles) console.flush();
  }

  reset(): void {
    for (const device of this.devices) device.reset();
  }

  save(): DeviceState {
    return Object.fromEntries(
      this.devices.map((device) => [device.name, device.save()]),
    );
  }

  /** Takes a state made by `save`; throws a TypeError when it is not one. */
  load(state: DeviceState): void {
    for (const device of this.devices) device.load(stateOf(state, device));
  }

  /** As load(), wires and timers left alone (Device.restore). */
  restore(state: DeviceState): void {
    for (const device of this.devices) device.restore(stateOf(state, device));
  }
}

/** A device's own part of the board's state. */
function stateOf(state: DeviceState, device: Device): DeviceState {
  const saved = state[device.name];
  if (saved === null || typeof saved !== "object" || Array.isArray(saved)) {
    throw new TypeError(`saved state has no ${device.name}`);
  }
  return saved as DeviceState;
}

type Ports = Parameters<PortBus["claim"]>[2];
