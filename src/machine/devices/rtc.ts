/**
 * Real-time clock and CMOS memory: Motorola MC146818A (datasheet ADI856R2) at
 * ports 0x70-0x71, with the PC's use of the memory above it (sizes of memory,
 * century). Flags of C are worked out when somebody can see them; a timer runs
 * only for interrupts that are enabled.
 */
import type { Clock, IrqLine, PortDevice } from "../device.ts";
import type { Timer, Timers } from "../timers.ts";
import { HOLE_START } from "../memory.ts";
import {
  big,
  bytes,
  flag,
  integer,
  record,
  time,
  type ValueOf,
} from "../state.ts";
import { CmosTime, TIME_REGISTERS } from "./rtc_time.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

const A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d, CENTURY = 0x32;
const RegA = { UIP: 0x80, dividerReset: 0x60, rate: 0x0f } as const;
/** Register B; the enables sit where C has the flags. */
const RegB = { SET: 0x80, PIE: 0x40, AIE: 0x20, UIE: 0x10 } as const;
const RegC = { IRQF: 0x80, PF: 0x40, AF: 0x20, UF: 0x10, flags: 0x70 } as const;
const RegD = { VRT: 0x80 } as const;
const SECOND = 1_000_000_000n;
/** UIP is set this long before an update, ns (tBUC). */
const UPDATE_WARNING = 244_000n;
/** After the divider is released the first update comes half a second later. */
const HALF_SECOND = 500_000_000n;
const CRYSTAL_HZ = 32768n;

/** Periodic interrupts that came late are given this long after the one before was
 * acknowledged, ns, */
const MADE_UP_AFTER = 100_000n;
/** and no more than so many. */
const MOST_MADE_UP = 8192n;

/** What the PC keeps in CMOS memory. */
export interface CmosContents {
  /** All RAM, bytes. */
  readonly ramBytes: number;
  readonly cpus: number;
  /** Unix time in seconds at guest time 0. */
  readonly startTime: bigint;
}

const CMOS_BYTES = 128;
const MIB = 0x10_0000;

/** CMOS as the firmware leaves it. `lowEnd`: end of RAM below 4 GiB. */
function cmosImage(contents: CmosContents, lowEnd: number): Uint8Array {
  const cmos = new Uint8Array(CMOS_BYTES);
  const put16 = (at: number, value: number) => {
    cmos[at] = value & 0xff;
    cmos[at + 1] = value >> 8;
  };
  const extendedKib = Math.min(0xffff, Math.max(0, (lowEnd - MIB) / 1024));
  cmos[A] = 0x26; // 32.768 kHz crystal, 1024 Hz
  cmos[B] = 0x02; // BCD, 24 hours
  cmos[D] = RegD.VRT;
  cmos[0x14] = 0x06; // equipment: coprocessor, pointing device
  put16(0x15, 640);
  put16(0x17, extendedKib);
  put16(0x30, extendedKib);
  put16(0x34, Math.max(0, Math.floor((lowEnd - 16 * MIB) / 0x10000)));
  const high = Math.max(0, contents.ramBytes - lowEnd) / 0x10000;
  put16(0x5b, high & 0xffff);
  cmos[0x5d] = Math.floor(high / 0x10000);
  cmos[0x5f] = contents.cpus - 1;
  return cmos;
}

/** Whole periods of `cycles` crystal cycles in `ns`. */
function periods(ns: bigint, cycles: bigint): bigint {
  return ns * CRYSTAL_HZ / SECOND / cycles;
}

/** Index and data. */
export const RTC = {
  name: "mc146818",
  ports: [[0x70, 2]],
  irq: 8,
  acpi: { name: "RTC", id: "PNP0B00" },
  make: (wiring) => new Rtc(wiring, wiring.irq(), wiring.clock, wiring.timers),
} as const satisfies Part;

const stateOf = (contents: CmosContents, lowEnd: number, clock: Clock) =>
  record({
    cmos: bytes(CMOS_BYTES, () => cmosImage(contents, lowEnd)),
    index: integer(0),
    /** Wall-clock ns at guest time 0, of a battery that was just put in. */
    epoch: big(contents.startTime * SECOND),
    /** SET or divider reset: the time registers stand still. */
    frozen: flag(false),
    /** When the flags of C have been worked out. A reset does not stop the clock. */
    seenAt: time(() => clock.now()),
    /** Periodic interrupts that fell between two alarms, where these come late; */
    missed: big(0n),
    /** when the periodic flag was set there, */
    flaggedAt: time(0n),
    /** and when flags were read. */
    acknowledgedAt: time(-MADE_UP_AFTER),
  });

/** The clock. */
export class Rtc extends StatefulDevice<ValueOf<ReturnType<typeof stateOf>>>
  implements PortDevice {
  readonly #irq: IrqLine;
  readonly #clock: Clock;
  readonly #timer: Timer;

  /** `lowEnd`: end of RAM below 4 GiB, bytes. */
  constructor(
    contents: CmosContents,
    irq: IrqLine,
    clock: Clock,
    timers: Timers,
    lowEnd = Math.min(contents.ramBytes, HOLE_START),
  ) {
    super(RTC, stateOf(contents, lowEnd, clock));
    this.#irq = irq;
    this.#clock = clock;
    this.#timer = timers.create(RTC.name, () => this.#update());
    this.rewire();
  }

  readPort(port: number): number {
    if (!(port & 1)) return 0xff; // the index register is write-only
    const s = this.state;
    switch (s.index) {
      case A:
        return s.cmos[A] | (this.#updateInProgress() ? RegA.UIP : 0);
      case C: {
        this.#update();
        const value = s.cmos[C];
        s.cmos[C] = 0;
        s.acknowledgedAt = this.#clock.now();
        this.#update();
        return value;
      }
      default:
        if (TIME_REGISTERS.includes(s.index) || s.index === CENTURY) {
          this.#refresh();
        }
        return s.cmos[s.index];
    }
  }

  writePort(port: number, _size: 1 | 2 | 4, value: number): void {
    const s = this.state;
    value &= 0xff;
    if (!(port & 1)) {
      s.index = value & 0x7f; // bit 7 masks NMI on a PC; no NMI comes this way
      return;
    }
    this.#update(); // flags up to now follow from the old settings
    switch (s.index) {
      case A:
        s.cmos[A] = value & 0x7f;
        this.#setFrozen();
        break;
      case B:
        // Setting SET also clears UIE.
        s.cmos[B] = value & RegB.SET ? value & ~RegB.UIE : value;
        this.#setFrozen();
        break;
      case C:
      case D:
        break; // read-only
      default:
        if (TIME_REGISTERS.includes(s.index) || s.index === CENTURY) {
          this.#refresh();
          s.cmos[s.index] = value;
          if (!s.frozen) this.#setEpoch(this.#wall() % SECOND);
        } else {
          s.cmos[s.index] = value;
        }
    }
    this.#update();
  }

  #wall(): bigint {
    return this.state.epoch + this.#clock.now();
  }

  #updateInProgress(): boolean {
    return !this.state.frozen &&
      this.#wall() % SECOND >= SECOND - UPDATE_WARNING;
  }

  /** Puts the current time into the time registers. */
  #refresh(): void {
    const s = this.state;
    if (s.frozen) return;
    new CmosTime(s.cmos[B]).store(s.cmos, this.#wall() / SECOND);
  }

  #setEpoch(fraction: bigint): void {
    const s = this.state;
    const seconds = new CmosTime(s.cmos[B]).fetch(s.cmos);
    s.epoch = seconds * SECOND + fraction - this.#clock.now();
  }

  #setFrozen(): void {
    const s = this.state;
    const held = (s.cmos[A] & RegA.dividerReset) === RegA.dividerReset;
    const frozen = held || (s.cmos[B] & RegB.SET) !== 0;
    if (frozen === s.frozen) return;
    if (frozen) this.#refresh();
    else this.#setEpoch(HALF_SECOND);
    s.frozen = frozen;
  }

  /** Crystal cycles between periodic events; 0n when they are off. */
  #period(): bigint {
    const rate = BigInt(this.state.cmos[A] & RegA.rate);
    return rate === 0n ? 0n : 1n << (rate < 3n ? rate + 6n : rate - 1n);
  }

  /** Brings C, the interrupt line and the timer up to now. */
  #update(): void {
    const s = this.state;
    const now = this.#clock.now();
    const period = this.#period();
    if (period > 0n) this.#periodic(now, period);
    if (!s.frozen) {
      const from = (s.epoch + s.seenAt) / SECOND;
      const to = (s.epoch + now) / SECOND;
      if (to > from) {
        s.cmos[C] |= RegC.UF;
        const time = new CmosTime(s.cmos[B]);
        const alarm = time.nextAlarm(s.cmos, from);
        if (alarm !== null && alarm <= to) s.cmos[C] |= RegC.AF;
      }
    }
    s.seenAt = now;
    this.#drive(now, period);
  }

  /** The periodic flag: set at a period's end. Where alarms come late, what has not had
   * its interrupt has it later, unless the guest did not take the one before. */
  #periodic(now: bigint, period: bigint): void {
    const s = this.state;
    const passed = periods(now, period) - periods(s.seenAt, period);
    if (this.#clock.realTime !== true || (s.cmos[B] & RegB.PIE) === 0) {
      s.missed = 0n;
      if (passed > 0n) s.cmos[C] |= RegC.PF;
      return;
    }
    const isSet = (s.cmos[C] & RegC.PF) !== 0;
    if (!isSet || periods(now - s.flaggedAt, period) === 0n) {
      s.missed += passed;
    }
    if (s.missed > MOST_MADE_UP) s.missed = MOST_MADE_UP;
    if (isSet || s.missed === 0n) return;
    if (now < s.acknowledgedAt + MADE_UP_AFTER) return;
    s.missed--;
    s.cmos[C] |= RegC.PF;
    s.flaggedAt = now;
  }

  #drive(now: bigint, period: bigint): void {
    const s = this.state;
    const active = (s.cmos[C] & s.cmos[B] & RegC.flags) !== 0;
    s.cmos[C] = (s.cmos[C] & RegC.flags) | (active ? RegC.IRQF : 0);
    this.#irq.set(active);
    let next: bigint | null = null;
    const consider = (at: bigint) => {
      if (next === null || at < next) next = at;
    };
    // A high line stays high until C is read: no wake-up is needed before.
    if (!active) {
      if (s.missed > 0n) consider(s.acknowledgedAt + MADE_UP_AFTER);
      if (s.cmos[B] & RegB.PIE && period > 0n) {
        const cycles = (periods(now, period) + 1n) * period;
        consider((cycles * SECOND + CRYSTAL_HZ - 1n) / CRYSTAL_HZ);
      }
      if (!s.frozen && s.cmos[B] & (RegB.UIE | RegB.AIE)) {
        const second = (s.epoch + now) / SECOND;
        if (s.cmos[B] & RegB.UIE) consider((second + 1n) * SECOND - s.epoch);
        else {
          const alarm = new CmosTime(s.cmos[B]).nextAlarm(s.cmos, second);
          if (alarm !== null) consider(alarm * SECOND - s.epoch);
        }
      }
    }
    if (next === null) this.#timer.disarm();
    else this.#timer.arm(next);
  }

  /** The battery keeps the time of day: RESET does not affect clock and calendar. */
  override reset(): void {
    const { epoch } = this.state;
    super.reset();
    this.state.epoch = epoch;
  }

  protected override rewire(): void {
    this.#drive(this.#clock.now(), this.#period());
  }
}
