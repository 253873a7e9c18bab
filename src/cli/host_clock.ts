/** Guest time taken from the host, for platforms whose processors are real. */
import type { Clock } from "../machine/device.ts";

/** The longest delay a host timer takes, ms. */
const LONGEST_DELAY = 0x7fffffff;

/** Host time since it was made. */
export class HostClock implements Clock {
  readonly #start = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  now(): bigint {
    return BigInt(Math.round((performance.now() - this.#start) * 1e6));
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (ns === null) return;
    const delay = Number(ns - this.now()) / 1e6;
    this.#timer = setTimeout(() => {
      // A timer may fire early; a far alarm takes several.
      if (this.now() < ns) this.setAlarm(ns, fn);
      else fn();
    }, Math.max(0, Math.min(Math.ceil(delay), LONGEST_DELAY)));
  }
}
