/**
 * The PC's board: every device, what its pins are wired to, and the ports and
 * addresses it claims. ISA interrupts reach both the PICs and the IOAPIC, IRQ 0
 * at the IOAPIC's input 2 as on every PC (the MADT says so).
 */
import type { MmioBus, PortBus } from "../bus.ts";
import type { Clock, Device, DeviceState, IrqLine } from "../device.ts";
import type { Timers } from "../timers.ts";
import { ACPI_PM, AcpiPm } from "./acpi_pm.ts";
import { BIOS_CALLS, BiosCalls, type StubEntry } from "./bios_calls.ts";
import {
  CRTC,
  Crtc,
  DEBUG_CONSOLES,
  DebugConsole,
  POST_CODES,
  PostCode,
} from "./debug_ports.ts";
import {
  type BusDevice,
  claim,
  type Declaration,
  type Declared,
} from "./declaration.ts";
import { KEYBOARD, KeyboardController } from "./i8042.ts";
import { PIT, Pit } from "./i8254.ts";
import { PIC, PicPair } from "./i8259.ts";
import {
  type InterruptRequest,
  IOAPIC,
  IoApic,
  IOAPIC_INPUTS,
} from "./ioapic.ts";
import { PCI_HOST, PciHost } from "./pci_host.ts";
import {
  BOCHS_POWER,
  BochsPower,
  DEBUG_EXIT,
  DebugExit,
  PORT_A,
  type PowerSink,
  RESET_CONTROL,
  ResetControl,
  SystemPortA,
} from "./power.ts";
import { RTC, Rtc } from "./rtc.ts";
import { COM1, Serial16550 } from "./serial16550.ts";

export type { InterruptRequest } from "./ioapic.ts";
export type { PowerEvent } from "./power.ts";

/** What the board's devices declare, in the order in which these are reset, saved and
 * loaded. The interrupt controllers come first: the others drive their inputs. */
export const DECLARATIONS: readonly Declaration[] = [
  PIC,
  IOAPIC,
  PIT,
  RTC,
  KEYBOARD,
  PORT_A,
  RESET_CONTROL,
  DEBUG_EXIT,
  BOCHS_POWER,
  PCI_HOST,
  COM1,
  ACPI_PM,
  CRTC,
  BIOS_CALLS,
  ...DEBUG_CONSOLES,
  ...POST_CODES,
];
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
  /** In the order of DECLARATIONS. */
  readonly devices: readonly (Device & Declared & BusDevice)[];
  readonly serial: Serial16550;
  readonly acpi: AcpiPm;
  readonly pic: PicPair;
  readonly ioapic: IoApic;
  readonly #debugConsoles: readonly DebugConsole[];
  /** By number; those that somebody has. */
  readonly #lines: IrqLine[] = [];

  constructor(wiring: BoardWiring) {
    const { timers, clock, power } = wiring;
    this.pic = new PicPair(wiring.extInt);
    this.pic.onTaken = (irq) => this.#lines[irq]?.onTaken?.();
    this.ioapic = new IoApic({
      requestInterrupt: (request) => wiring.requestInterrupt(request),
      extIntVector: () => this.pic.acknowledge(),
    });
    const reset = () => power({ kind: "reset" });
    const pit = new Pit(this.irq(PIT.irq), clock, timers);
    const rtc = new Rtc(wiring, this.irq(RTC.irq), clock, timers);
    const keyboard = new KeyboardController(this.irq(KEYBOARD.irq), reset);
    const portA = new SystemPortA(keyboard, power);
    const resetControl = new ResetControl(power);
    const debugExit = new DebugExit(power);
    const bochs = new BochsPower(power);
    const pci = new PciHost();
    this.serial = new Serial16550(COM1, {
      irq: this.irq(COM1.irq),
      clock,
      timers,
      transmit: (bytes) => wiring.serialOut(bytes),
    });
    this.acpi = new AcpiPm(
      this.irq(ACPI_PM.irq),
      clock,
      timers,
      power,
      () => wiring.where(),
    );

    const biosCalls = new BiosCalls(() => wiring.stubEntry());
    const crtc = new Crtc();
    this.#debugConsoles = DEBUG_CONSOLES.map((each) => new DebugConsole(each));
    const postCodes = POST_CODES.map((each) => new PostCode(each));

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
    for (const device of this.devices) {
      claim(wiring, device.declaration, device);
    }
  }

  /** An ISA interrupt (0-15) or an IOAPIC input of its own (16-23). */
  irq(number: number): IrqLine {
    if (number < 0 || number >= IOAPIC_INPUTS || number === TIMER_GSI) {
      throw new RangeError(`no interrupt wire ${number}`);
    }
    const gsi = number === PIT.irq ? TIMER_GSI : number;
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
