// What device tests share: a clock moved by hand, wires that remember.
import type { Clock, IrqLine } from "../../../src/machine/device.ts";
import { Timers } from "../../../src/machine/timers.ts";

/** Guest time that moves only when told to; alarms fire at their time. */
export class ManualClock implements Clock {
  #now = 0n;
  #alarm: { at: bigint; fn: () => void } | null = null;

  now(): bigint {
    return this.#now;
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? null : { at: ns, fn };
  }

  /** Moves on by `ns`, firing each alarm at its time. */
  advance(ns: bigint | number): void {
    const end = this.#now + BigInt(ns);
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

export function bench(): { clock: ManualClock; timers: Timers } {
  const clock = new ManualClock();
  return { clock, timers: new Timers(clock) };
}
