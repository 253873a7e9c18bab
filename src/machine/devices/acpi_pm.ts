/**
 * ACPI fixed hardware (ACPI specification 6.4, chapter 4.8): the PM1 event and
 * control blocks and the power management timer, in one block of ports that the
 * FADT in src/boot/acpi names. ACPI mode is always on. Writing SLP_EN with the
 * sleep type of S5 turns the machine off; other sleep states there are none.
 */
import { getLogger } from "@logtape/logtape";
import type { Clock, IrqLine, PortDevice, PowerSink } from "../device.ts";
import { integer, record, time, type ValueOf } from "../state.ts";
import type { Timer, Timers } from "../timers.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

const log = getLogger(["icebp", "machine"]);

/** First port of the block and its layout; the FADT is made from these. */
export const AcpiPorts = {
  base: 0x600,
  PM1_EVT: 0x600,
  PM1_CNT: 0x604,
  PM_TMR: 0x608,
} as const;
/** SLP_TYP of S5, as \_S5 in the DSDT says. The same as QEMU's. */
export const SLEEP_TYPE_S5 = 0;
/** The interrupt for ACPI events (SCI), a GSI. */
export const SCI_IRQ = 9;

const PM1_STS = 0, PM1_EN = 2, PM1_CNT = 4, PM_TMR = 8;
const Pm1 = {
  TMR: 0x0001,
  GBL: 0x0020,
  PWRBTN: 0x0100,
  SLPBTN: 0x0200,
  RTC: 0x0400,
  WAK: 0x8000,
} as const;
const STATUS_BITS = Pm1.TMR | Pm1.GBL | Pm1.PWRBTN | Pm1.SLPBTN | Pm1.RTC |
  Pm1.WAK;
const ENABLE_BITS = Pm1.TMR | Pm1.GBL | Pm1.PWRBTN | Pm1.SLPBTN | Pm1.RTC;
const Cnt = { SCI_EN: 0x0001, typeShift: 10, SLP_EN: 0x2000 } as const;
const CNT_KEPT = 0x1c06;

const PM_TIMER_HZ = 3579545n;
const TIMER_MASK = 0xff_ffffn;
/** TMR_STS is set whenever the timer's top bit changes. */
const HALF_RANGE = 0x80_0000n;
const SECOND = 1_000_000_000n;

const stateOf = (clock: Clock) =>
  record({
    status: integer(0),
    enable: integer(0),
    control: integer(Cnt.SCI_EN),
    /** When TMR_STS has been worked out. A reset leaves guest time where it is: no
     * half-range has passed. */
    seenAt: time(() => clock.now()),
  });

/** The FADT names the blocks, and the interrupt. */
export const ACPI_PM = {
  name: "acpi-pm",
  ports: [[AcpiPorts.base, 12]],
  irq: SCI_IRQ,
  make: ({ irq, clock, timers, power, where }) =>
    new AcpiPm(irq(), clock, timers, power, where),
} as const satisfies Part;

/** The ACPI block. */
export class AcpiPm extends StatefulDevice<ValueOf<ReturnType<typeof stateOf>>>
  implements PortDevice {
  readonly #sci: IrqLine;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #power: PowerSink;
  readonly #where: () => string;
  /** Sleep types that have been refused aloud, a bit each. */
  #refused = 0;

  /** `where` says who accesses, for messages. */
  constructor(
    sci: IrqLine,
    clock: Clock,
    timers: Timers,
    power: PowerSink,
    where: () => string,
  ) {
    super(ACPI_PM, stateOf(clock));
    this.#sci = sci;
    this.#clock = clock;
    this.#timer = timers.create(ACPI_PM.name, () => this.#update());
    this.#power = power;
    this.#where = where;
    this.rewire();
  }

  /** Presses the power button: an ACPI guest shuts itself down. */
  pressPowerButton(): void {
    this.state.status |= Pm1.PWRBTN;
    this.#update();
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const offset = port - AcpiPorts.base;
    let value = 0;
    const timer = this.#ticks(this.#clock.now()) & TIMER_MASK;
    this.#update();
    for (let i = 0; i < size; i++) {
      value += this.#byte(offset + i, Number(timer)) * 2 ** (8 * i);
    }
    return value;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    const offset = port - AcpiPorts.base;
    for (let i = 0; i < size; i++) {
      this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    }
    this.#update();
  }

  #byte(offset: number, timer: number): number {
    const s = this.state;
    const shift = 8 * (offset & 1);
    switch (offset & ~1) {
      case PM1_STS:
        return (s.status >> shift) & 0xff;
      case PM1_EN:
        return (s.enable >> shift) & 0xff;
      case PM1_CNT:
        return (s.control >> shift) & 0xff;
      case PM_TMR:
      case PM_TMR + 2:
        return (timer >> (8 * (offset - PM_TMR))) & 0xff;
      default:
        return 0;
    }
  }

  #writeByte(offset: number, byte: number): void {
    const s = this.state;
    const shift = 8 * (offset & 1);
    const value = byte << shift;
    const mask = 0xff << shift;
    switch (offset & ~1) {
      case PM1_STS: // ones clear
        s.status &= ~(value & STATUS_BITS);
        break;
      case PM1_EN:
        s.enable = (s.enable & ~mask) | (value & ENABLE_BITS);
        break;
      case PM1_CNT:
        s.control = (s.control & ~(mask & CNT_KEPT)) | (value & CNT_KEPT);
        if (value & Cnt.SLP_EN) this.#sleep((s.control >> Cnt.typeShift) & 7);
        break;
      default: // the timer is read-only
        break;
    }
  }

  #sleep(type: number): void {
    if (type === SLEEP_TYPE_S5) return this.#power({ kind: "power-off" });
    if (this.#refused & 1 << type) return;
    this.#refused |= 1 << type;
    log.warn(
      "the guest asks for a sleep state (SLP_TYP {type}, {where}): there is " +
        "only S5, which is {s5}, so it stays awake",
      { type, where: this.#where(), s5: SLEEP_TYPE_S5 },
    );
  }

  #ticks(ns: bigint): bigint {
    return ns * PM_TIMER_HZ / SECOND;
  }

  #update(): void {
    const s = this.state;
    const now = this.#clock.now();
    const half = this.#ticks(now) / HALF_RANGE;
    if (half !== this.#ticks(s.seenAt) / HALF_RANGE) s.status |= Pm1.TMR;
    s.seenAt = now;
    this.#sci.set((s.status & s.enable) !== 0);
    if (s.enable & Pm1.TMR && !(s.status & Pm1.TMR)) {
      const next = (half + 1n) * HALF_RANGE;
      this.#timer.arm((next * SECOND + PM_TIMER_HZ - 1n) / PM_TIMER_HZ);
    } else {
      this.#timer.disarm();
    }
  }

  protected override rewire(): void {
    this.#update();
  }
}
