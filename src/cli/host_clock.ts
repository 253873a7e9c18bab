/** Guest time taken from the host, for platforms whose processors are real. */
import type { Clock } from "../machine/device.ts";

/** The longest delay a host timer takes, ms. */
const LONGEST_DELAY = 0x7fffffff;

/** Host time since it was made, without the times of being suspended. */
export class HostClock implements Clock {
  /** The host's time, in ms, at which guest time was or would have been 0. */
  #zero = performance.now();
  /** Host time of suspend(); null while time passes. */
  #suspended: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #alarm: { readonly ns: bigint; readonly fn: () => void } | null = null;

  now(): bigint {
    const host = this.#suspended ?? performance.now();
    return BigInt(Math.round((host - this.#zero) * 1e6));
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? null : { ns, fn };
    this.#wait();
  }

  suspend(): void {
    this.#suspended ??= performance.now();
    this.#wait();
  }

  resume(): void {
    if (this.#suspended === null) return;
    this.#zero += performance.now() - this.#suspended;
    this.#suspended = null;
    this.#wait();
  }

  /** Sets the host's timer for the alarm, unless time stands still. */
  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const alarm = this.#alarm;
    if (alarm === null || this.#suspended !== null) return;
    const delay = Number(alarm.ns - this.now()) / 1e6;
    this.#timer = setTimeout(() => {
      // A timer may fire early; a far alarm takes several.
      if (this.now() < alarm.ns) return this.#wait();
      this.#alarm = null;
      alarm.fn();
    }, Math.max(0, Math.min(Math.ceil(delay), LONGEST_DELAY)));
  }
}
