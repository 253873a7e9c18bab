/**
 * The PC's pair of interrupt controllers: two 8259A (Intel 8259A datasheet,
 * 231468) with the slave on the master's input 2, and the edge/level registers
 * ELCR of the EISA chip set. All of ICW1-4 and OCW1-3, rotation, special mask,
 * automatic EOI, special fully nested mode and polling.
 */
import type { ExtIntSource, IrqLine, PortDevice } from "../device.ts";
import { flag, integer, record, type ValueOf } from "../state.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

const Icw1 = { ICW4: 0x01, single: 0x02, level: 0x08, select: 0x10 } as const;
const Icw4 = { AEOI: 0x02, SFNM: 0x10 } as const;
const Ocw3 = {
  RIS: 0x01,
  RR: 0x02,
  poll: 0x04,
  select: 0x08,
  SMM: 0x20,
  ESMM: 0x40,
} as const;
/** OCW2 commands, bits 7-5. */
const Ocw2 = {
  rotateAeoiClear: 0,
  eoi: 1,
  specificEoi: 3,
  rotateAeoiSet: 4,
  rotateEoi: 5,
  setPriority: 6,
  rotateSpecificEoi: 7,
} as const;
/** The master input the slave is on. */
const CASCADE = 2;
/** The level an 8259A answers when the request went away before INTA. */
const SPURIOUS = 7;

const chipState = (lines: number) =>
  record({
    irr: integer(0),
    imr: integer(0),
    isr: integer(0),
    /** Input wires as they are, for edges. */
    lines: integer(lines),
    elcr: integer(0),
    vectorBase: integer(0),
    /** The input of lowest priority; 7 puts input 0 first. */
    lowest: integer(7),
    /** Next initialisation word expected on the data port; 0 when none. */
    nextIcw: integer(0),
    needIcw4: flag(false),
    single: flag(false),
    levelAll: flag(false),
    autoEoi: flag(false),
    rotateOnAutoEoi: flag(false),
    specialFullyNested: flag(false),
    specialMask: flag(false),
    readIsr: flag(false),
    poll: flag(false),
  });

type Chip = ValueOf<ReturnType<typeof chipState>>;

const STATE = record({
  // The timer's output on input 0 is high from power-on: no edge.
  master: chipState(1),
  slave: chipState(0),
});

/** Position in the rotating order: 0 is served first. */
function rank(chip: Chip, input: number): number {
  return (input - chip.lowest - 1) & 7;
}

/** Of the inputs in `set`, the one served first; -1 when none. */
function first(chip: Chip, set: number): number {
  for (let i = 1; i <= 8; i++) {
    const input = (chip.lowest + i) & 7;
    if (set & (1 << input)) return input;
  }
  return -1;
}

/** Master, slave, and the ELCR. */
export const PIC = {
  name: "i8259",
  ports: [[0x20, 2], [0xa0, 2], [0x4d0, 2]],
  make: ({ extInt }) => new PicPair(extInt),
} as const satisfies Part;

/** The PIC pair. */
export class PicPair extends StatefulDevice<ValueOf<typeof STATE>>
  implements PortDevice, ExtIntSource {
  readonly #intr: IrqLine;
  /** Called behind the INTA cycles, with the input wire. */
  onTaken: ((irq: number) => void) | null = null;

  /** `intr` is the master's INT output. */
  constructor(intr: IrqLine) {
    super(PIC, STATE);
    this.#intr = intr;
    this.rewire();
  }

  get pending(): boolean {
    return this.#request(this.state.master) >= 0;
  }

  /** The input, 0-15, whose request acknowledge() would take; -1 if none asks. */
  get asking(): number {
    const { master, slave } = this.state;
    const input = this.#request(master);
    if (input !== CASCADE || master.single) return input;
    const inner = this.#request(slave);
    return inner < 0 ? input : 8 + inner;
  }

  /** Drives input wire `irq`, 0-15. */
  setInput(irq: number, level: boolean): void {
    const chip = irq < 8 ? this.state.master : this.state.slave;
    this.#drive(chip, irq & 7, level);
    this.#update();
  }

  /** Whether input wire `irq` asks for an interrupt that it has not had. */
  waits(irq: number): boolean {
    const chip = irq < 8 ? this.state.master : this.state.slave;
    return (chip.irr & ~chip.imr & 1 << (irq & 7)) !== 0;
  }

  /** The INTA cycles: takes the request into service, returns its vector. */
  acknowledge(): number {
    const { master, slave } = this.state;
    const input = this.#request(master);
    if (input < 0) return master.vectorBase | SPURIOUS;
    this.#serve(master, input);
    let vector = master.vectorBase | input;
    let irq = input;
    if (input === CASCADE && !master.single) {
      const inner = this.#request(slave);
      // A request that vanished at the slave: spurious, no slave ISR bit.
      vector = slave.vectorBase | (inner < 0 ? SPURIOUS : inner);
      if (inner >= 0) this.#serve(slave, inner);
      irq = 8 + inner;
    }
    this.#update();
    this.onTaken?.(irq);
    return vector;
  }

  readPort(port: number): number {
    if (port === 0x4d0) return this.state.master.elcr;
    if (port === 0x4d1) return this.state.slave.elcr;
    const chip = port < 0xa0 ? this.state.master : this.state.slave;
    if (chip.poll) return this.#readPoll(chip);
    if (port & 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  writePort(port: number, _size: 1 | 2 | 4, value: number): void {
    value &= 0xff;
    const { master, slave } = this.state;
    // Inputs 0, 1, 2, 8 and 13 are edge-triggered whatever is written.
    if (port === 0x4d0) master.elcr = value & 0xf8;
    else if (port === 0x4d1) slave.elcr = value & 0xde;
    else {
      const chip = port < 0xa0 ? master : slave;
      if (port & 1) this.#writeData(chip, value);
      else if (value & Icw1.select) this.#initialise(chip, value);
      else if (value & Ocw3.select) this.#writeOcw3(chip, value);
      else this.#writeOcw2(chip, value);
    }
    this.#update();
  }

  #drive(chip: Chip, input: number, level: boolean): void {
    const bit = 1 << input;
    const isLevel = chip.levelAll || (chip.elcr & bit) !== 0;
    if (level) {
      if (isLevel || !(chip.lines & bit)) chip.irr |= bit;
      chip.lines |= bit;
    } else {
      // An edge must stay until INTA: the request goes with the wire.
      chip.irr &= ~bit;
      chip.lines &= ~bit;
    }
  }

  /** The input that asks for an interrupt now and may have it; -1 when none. */
  #request(chip: Chip): number {
    const asking = first(chip, chip.irr & ~chip.imr);
    if (asking < 0) return -1;
    if (chip.specialMask) return chip.isr & (1 << asking) ? -1 : asking;
    const serving = first(chip, chip.isr);
    if (serving < 0) return asking;
    // In special fully nested mode the slave may interrupt itself.
    const nested = chip.specialFullyNested && chip === this.state.master &&
      asking === CASCADE && serving === CASCADE;
    return nested || rank(chip, asking) < rank(chip, serving) ? asking : -1;
  }

  #serve(chip: Chip, input: number): void {
    const bit = 1 << input;
    if (!(chip.levelAll || chip.elcr & bit)) chip.irr &= ~bit;
    if (chip.autoEoi) {
      if (chip.rotateOnAutoEoi) chip.lowest = input;
    } else {
      chip.isr |= bit;
    }
    // The slave's INT drops with INTA; a further request is a new edge.
    if (chip === this.state.slave) {
      this.#drive(this.state.master, CASCADE, false);
    }
  }

  #readPoll(chip: Chip): number {
    chip.poll = false;
    const input = this.#request(chip);
    if (input < 0) return 0;
    this.#serve(chip, input);
    this.#update();
    return 0x80 | input;
  }

  #initialise(chip: Chip, icw1: number): void {
    const { elcr, lines } = chip;
    Object.assign(chip, chipState(lines).initial(), { elcr });
    chip.nextIcw = 2;
    chip.needIcw4 = (icw1 & Icw1.ICW4) !== 0;
    chip.single = (icw1 & Icw1.single) !== 0;
    chip.levelAll = (icw1 & Icw1.level) !== 0;
    // The edge detectors are cleared; wires in level mode ask again at once.
    chip.irr = lines & (chip.levelAll ? 0xff : elcr);
  }

  #writeData(chip: Chip, value: number): void {
    switch (chip.nextIcw) {
      case 2:
        chip.vectorBase = value & 0xf8;
        chip.nextIcw = chip.single ? (chip.needIcw4 ? 4 : 0) : 3;
        break;
      case 3: // The PC's cascade wiring is fixed.
        chip.nextIcw = chip.needIcw4 ? 4 : 0;
        break;
      case 4:
        chip.autoEoi = (value & Icw4.AEOI) !== 0;
        chip.specialFullyNested = (value & Icw4.SFNM) !== 0;
        chip.nextIcw = 0;
        break;
      default:
        chip.imr = value;
    }
  }

  #writeOcw2(chip: Chip, value: number): void {
    const input = value & 7;
    switch (value >> 5) {
      case Ocw2.rotateAeoiClear:
      case Ocw2.rotateAeoiSet:
        chip.rotateOnAutoEoi = value >> 5 === Ocw2.rotateAeoiSet;
        break;
      case Ocw2.eoi:
      case Ocw2.rotateEoi: {
        const serving = first(chip, this.#endable(chip));
        if (serving < 0) break;
        chip.isr &= ~(1 << serving);
        if (value >> 5 === Ocw2.rotateEoi) chip.lowest = serving;
        break;
      }
      case Ocw2.specificEoi:
        chip.isr &= ~(1 << input);
        break;
      case Ocw2.rotateSpecificEoi:
        chip.isr &= ~(1 << input);
        chip.lowest = input;
        break;
      case Ocw2.setPriority:
        chip.lowest = input;
        break;
      default: // 2: no operation
        break;
    }
  }

  /** In special mask mode a non-specific EOI passes over masked inputs. */
  #endable(chip: Chip): number {
    return chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
  }

  #writeOcw3(chip: Chip, value: number): void {
    if (value & Ocw3.poll) chip.poll = true;
    if (value & Ocw3.RR) chip.readIsr = (value & Ocw3.RIS) !== 0;
    if (value & Ocw3.ESMM) chip.specialMask = (value & Ocw3.SMM) !== 0;
  }

  #update(): void {
    const { master, slave } = this.state;
    this.#drive(master, CASCADE, this.#request(slave) >= 0);
    this.#intr.set(this.#request(master) >= 0);
  }

  protected override rewire(): void {
    this.#update();
  }
}
