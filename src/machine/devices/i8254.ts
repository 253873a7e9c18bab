/**
 * The PC's interval timer: Intel 8254 (datasheet 231164) at ports 0x40-0x43 and
 * the part of system port B, 0x61, that gates counter 2 and shows its output.
 * Counter 0 drives IRQ 0; counter 1 (memory refresh) drives nothing.
 */
import type { Clock, IrqLine, PortDevice } from "../device.ts";
import { integer, list, record, time, type ValueOf } from "../state.ts";
import type { Timer, Timers } from "../timers.ts";
import * as counter from "./pit_channel.ts";
import { Control, Rw } from "./pit_channel.ts";
import { StatefulDevice } from "./stateful.ts";
import type { Part } from "./wiring.ts";

/** Input clock, Hz: 105/88 MHz. */
export const PIT_HZ = 1193182n;

const CONTROL_PORT = 0x43, PORT_B = 0x61;
/** Port B bits. */
const PortB = {
  gate2: 1,
  speaker: 2,
  kept: 0x0f,
  refresh: 0x10,
  out2: 0x20,
} as const;
/** Read-back command: bits that are 0 ask for the latch. */
const ReadBack = { select: 3, noCount: 0x20, noStatus: 0x10 } as const;
/** The refresh bit changes at this distance, ns. */
const REFRESH_NS = 15085n;

/** Edges that came late are given at up to four times their rate, and not faster than
 * guests serve them: the distance of two, ns. */
const CLOSEST = 250_000n, CLOSEST_OF_FAST = 100_000n;
/** An edge that is not taken: whether it still waits is looked at so often, ns. */
const LOOK_AGAIN = 20_000_000n;
/** A backlog of more than a second is nobody's. */
const BACKLOG_SECONDS = 1;

const STATE = record({
  channels: list([true, true, false].map(counter.channel)),
  portB: integer(0),
  /** Of counter 0's rising edges in modes 2 and 3, those that IRQ 0 has had. Where
   * alarms come late they are made up for, */
  given: integer(0),
  /** and none is given before this. */
  notBefore: time(0n),
});

/** Guest ns to whole ticks. */
function ticksAt(ns: bigint): number {
  return Number(ns * PIT_HZ / 1_000_000_000n);
}

/** The first nanosecond that belongs to `tick`. */
function nsOfTick(tick: number): bigint {
  return (BigInt(tick) * 1_000_000_000n + PIT_HZ - 1n) / PIT_HZ;
}

/** Counters and control word, and port B. */
export const PIT = {
  name: "i8254",
  ports: [[0x40, 4], [PORT_B, 1]],
  irq: 0,
  make: ({ irq, clock, timers }) => new Pit(irq(), clock, timers),
} as const satisfies Part;

/** The interval timer. */
export class Pit extends StatefulDevice<ValueOf<typeof STATE>>
  implements PortDevice {
  readonly #irq0: IrqLine;
  readonly #clock: Clock;
  readonly #timer: Timer;

  constructor(irq0: IrqLine, clock: Clock, timers: Timers) {
    super(PIT, STATE);
    this.#irq0 = irq0;
    this.#clock = clock;
    this.#timer = timers.create(PIT.name, () => this.#onTimer());
    irq0.onTaken = () => this.#onTaken();
    this.rewire();
  }

  readPort(port: number): number {
    const now = this.#now();
    if (port === PORT_B) return this.#readPortB(now);
    if (port === CONTROL_PORT) return 0xff;
    const c = this.state.channels[port & 3];
    if (c.latchedStatus >= 0) {
      const value = c.latchedStatus;
      c.latchedStatus = -1;
      return value;
    }
    if (c.latchedCount >= 0) return readLatched(c);
    const value = counter.count(c, now);
    if (c.rw === Rw.low) return value & 0xff;
    if (c.rw === Rw.high) return value >> 8;
    c.readHigh = !c.readHigh;
    return c.readHigh ? value & 0xff : value >> 8;
  }

  writePort(port: number, _size: 1 | 2 | 4, value: number): void {
    value &= 0xff;
    const now = this.#now();
    const { channels } = this.state;
    // A pulse that is due but not given yet must not be lost by re-arming.
    const due = this.#timer.deadline;
    if (due !== null && due <= this.#clock.now()) this.#onTimer();
    if (port === PORT_B) {
      this.state.portB = value & PortB.kept;
      counter.setGate(channels[2], (value & PortB.gate2) !== 0, now);
      return;
    }
    if (port === CONTROL_PORT) {
      this.#writeControl(value, now);
    } else {
      counter.writeByte(channels[port & 3], value, now);
    }
    this.rewire();
  }

  #writeControl(value: number, now: number): void {
    const { channels } = this.state;
    const select = value >> 6;
    if (select === ReadBack.select) {
      channels.forEach((c, i) => {
        if (!(value & (2 << i))) return;
        if (!(value & ReadBack.noCount)) latchCount(c, now);
        if (!(value & ReadBack.noStatus) && c.latchedStatus < 0) {
          c.latchedStatus = counter.status(c, now);
        }
      });
    } else if (((value >> Control.rwShift) & 3) === Rw.latch) {
      latchCount(channels[select], now);
    } else {
      counter.program(channels[select], value);
      if (select === 0) this.state.given = 0;
    }
  }

  #readPortB(now: number): number {
    const refresh = (this.#clock.now() / REFRESH_NS) & 1n;
    return this.state.portB | (refresh ? PortB.refresh : 0) |
      (counter.out(this.state.channels[2], now) ? PortB.out2 : 0);
  }

  #now(): number {
    return ticksAt(this.#clock.now());
  }

  #onTimer(): void {
    const c = this.state.channels[0];
    if (this.#makesUp(c)) return this.rewire();
    // The low phase of mode 2 and the strobe of mode 4 last one tick. Nobody
    // can see it, so the pulse is given in one go at its end.
    if (c.mode === 2 || c.mode === 4) this.#irq0.set(false);
    this.rewire();
  }

  /** Whether rising edges are counted, and given when that can be. */
  #makesUp(c: counter.Channel): boolean {
    return this.#clock.realTime === true && counter.isPeriodic(c);
  }

  /** Gives IRQ 0 the next of the edges that are due, if it can have one now. */
  #giveEdge(c: counter.Channel): void {
    const now = this.#clock.now();
    const tick = ticksAt(now);
    const s = this.state;
    const period = nsOfTick(c.reload);
    const most = Math.ceil(BACKLOG_SECONDS * Number(PIT_HZ) / c.reload);
    const risen = counter.rises(c, tick);
    s.given = Math.max(s.given, risen - most);
    this.#irq0.set(true);
    if (risen > s.given && now >= s.notBefore) {
      if (this.#irq0.waiting) {
        s.notBefore = now + LOOK_AGAIN;
      } else {
        this.#irq0.set(false);
        this.#irq0.set(true);
        s.given++;
        s.notBefore = now + closest(period);
      }
    }
    const next = risen > s.given ? now : nsOfTick(counter.nextRise(c, tick));
    this.#timer.arm(next > s.notBefore ? next : s.notBefore);
  }

  /** The last edge has its processor: the next one may come. */
  #onTaken(): void {
    const c = this.state.channels[0];
    if (!this.#makesUp(c)) return;
    this.state.notBefore = this.#clock.now() + CLOSEST_OF_FAST;
    this.#giveEdge(c);
  }

  protected override rewire(): void {
    const c = this.state.channels[0];
    if (this.#makesUp(c)) return this.#giveEdge(c);
    const now = this.#now();
    const level = counter.out(c, now);
    let change = counter.nextChange(c, now);
    // Wake at the end of a one-tick pulse only, see #onTimer.
    if (change !== null && level && (c.mode === 2 || c.mode === 4)) change++;
    this.#irq0.set(level || c.mode === 2 || c.mode === 4);
    if (change === null) this.#timer.disarm();
    else this.#timer.arm(nsOfTick(change));
  }
}

/** The least distance of two edges of a wave with this period, both in ns. */
function closest(period: bigint): bigint {
  const quarter = period / 4n;
  if (quarter > CLOSEST) return CLOSEST;
  return quarter > CLOSEST_OF_FAST ? quarter : CLOSEST_OF_FAST;
}

function latchCount(c: counter.Channel, now: number): void {
  if (c.latchedCount >= 0) return; // a latch holds until it is read
  c.latchedCount = counter.count(c, now);
  c.latchedHigh = c.rw === Rw.high;
}

function readLatched(c: counter.Channel): number {
  const value = c.latchedCount;
  if (c.latchedHigh) {
    c.latchedCount = -1;
    c.latchedHigh = false;
    return value >> 8;
  }
  if (c.rw === Rw.both) c.latchedHigh = true;
  else c.latchedCount = -1;
  return value & 0xff;
}
