/**
 * The PC's board: every device, what its pins are wired to, and the ports and
 * addresses it claims. ISA interrupts reach both the PICs and the IOAPIC, IRQ 0
 * at the IOAPIC's input 2 as on every PC (the MADT says so).
 */
import type { IrqLine } from "../device.ts";
import { ACPI_PM, type AcpiPm } from "./acpi_pm.ts";
import { BIOS_CALLS } from "./bios_calls.ts";
import { CRTC, DEBUG_CONSOLES, POST_CODES } from "./debug_ports.ts";
import { claim } from "./declaration.ts";
import { KEYBOARD } from "./i8042.ts";
import { PIT } from "./i8254.ts";
import { PIC, type PicPair } from "./i8259.ts";
import { IOAPIC, type IoApic, IOAPIC_INPUTS } from "./ioapic.ts";
import { PCI_HOST } from "./pci_host.ts";
import { BOCHS_POWER, DEBUG_EXIT, PORT_A, RESET_CONTROL } from "./power.ts";
import { RTC } from "./rtc.ts";
import { COM1, type Serial16550 } from "./serial16550.ts";
import type { BoardDevice, BoardWiring, Part } from "./wiring.ts";

/** The board's devices, in the order in which they are made, and reset. The interrupt
 * controllers come first: the others drive their inputs. */
export const PARTS: readonly Part[] = [
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

/** All devices of the machine, wired and claimed. */
export class Board {
  /** In the order of PARTS. */
  readonly devices: readonly BoardDevice[];
  readonly serial: Serial16550;
  readonly acpi: AcpiPm;
  readonly pic: PicPair;
  readonly ioapic: IoApic;
  /** By number; those that somebody has. */
  readonly #lines: IrqLine[] = [];

  constructor(wiring: BoardWiring) {
    const made = new Map<Part, BoardDevice>();
    const device = <D extends BoardDevice>(part: Part<D>) =>
      made.get(part) as D;
    const add = <D extends BoardDevice>(part: Part<D>): D => {
      const irq = () => this.irq(part.irq ?? -1);
      const added = part.make({ ...wiring, irq, device });
      made.set(part, added);
      claim(wiring, part, added);
      return added;
    };
    this.pic = add(PIC);
    this.ioapic = add(IOAPIC);
    for (const part of PARTS) if (!made.has(part)) add(part);
    this.devices = [...made.values()];
    this.serial = device(COM1);
    this.acpi = device(ACPI_PM);
    this.pic.onTaken = (irq) => this.#lines[irq]?.onTaken?.();
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

  /** Logs what devices have kept back: the guest may say no more. */
  flush(): void {
    for (const device of this.devices) device.flush?.();
  }

  reset(): void {
    for (const device of this.devices) device.reset();
  }
}
