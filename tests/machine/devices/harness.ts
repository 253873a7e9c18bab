// What device tests share: a clock moved by hand, wires that remember.
import type { Clock, Device, IrqLine } from "../../../src/machine/device.ts";
import { Timers } from "../../../src/machine/timers.ts";

/** Guest time that moves only when told to; alarms fire at their time. */
export class ManualClock implements Clock {
  #now = 0n;
  #alarm: { at: bigint; fn: () => void } | null = null;
  /** Whether alarms come late: as many as are due at the end of an advance(). */
  readonly realTime: boolean;

  constructor(realTime = false) {
    this.realTime = realTime;
  }

  now(): bigint {
    return this.#now;
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? null : { at: ns, fn };
  }

  set(ns: bigint): void {
    this.#now = ns;
  }

  /** Moves on by `ns`, firing each alarm at its time. */
  advance(ns: bigint | number): void {
    const end = this.#now + BigInt(ns);
    if (this.realTime) this.#now = end;
    for (;;) {
      const alarm = this.#alarm;
      if (alarm === null || alarm.at > end) break;
      if (alarm.at > this.#now) this.#now = alarm.at;
      this.#alarm = null;
      alarm.fn();
    }
    this.#now = end;
  }

  /** True if something waits for time to pass. */
  get armed(): boolean {
    return this.#alarm !== null;
  }
}

/** A wire that counts its rising edges. */
export class Wire implements IrqLine {
  level = false;
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

export function bench(
  realTime = false,
): { clock: ManualClock; timers: Timers } {
  const clock = new ManualClock(realTime);
  return { clock, timers: new Timers(clock) };
}

/** A device with what is around it, which a machine saves, too. */
export interface Placed {
  readonly device: Device;
  readonly irq: Wire;
  readonly timers?: Timers;
}

/** Makes `to` what `from` is, by way of a file. */
export function carry(from: Placed, to: Placed): void {
  to.device.load(JSON.parse(JSON.stringify(from.device.save())));
  to.irq.level = from.irq.level;
  to.timers?.load(from.timers!.save());
}
