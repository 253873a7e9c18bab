/** Guest time taken from the host, for platforms whose processors are real. */
import type { Clock } from "../machine/device.ts";

/** The longest delay a host timer takes, ms. */
const LONGEST_DELAY = 0x7fffffff;
/** No timer is as exact as this, ms: what is due so soon is waited for busily. */
const BUSY = 0.5;

/** The host's clock and timers; each call gives what takes it back. */
export interface HostTime {
  /** In ms. */
  now(): number;
  /** Calls `fn` once after `ms`, or later. */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` once, when the event loop has had a turn. */
  soon(fn: () => void): () => void;
}

const HOST: HostTime = {
  now: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  soon(fn) {
    const immediate = setImmediate(fn);
    return () => clearImmediate(immediate);
  },
};

/** Host time since it was made, without the times of being suspended. */
export class HostClock implements Clock {
  readonly realTime = true;
  readonly #host: HostTime;
  /** The host's time, in ms, at which guest time was or would have been 0. */
  #zero: number;
  /** Host time of suspend(); null while time passes. */
  #suspended: number | null = null;
  #takeBack: (() => void) | null = null;
  #alarm: { readonly ns: bigint; readonly fn: () => void } | null = null;

  /** `host` is another's in tests. */
  constructor(host: HostTime = HOST) {
    this.#host = host;
    this.#zero = host.now();
  }

  now(): bigint {
    const host = this.#suspended ?? this.#host.now();
    return BigInt(Math.round((host - this.#zero) * 1e6));
  }

  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns === null ? null : { ns, fn };
    this.#wait();
  }

  set(ns: bigint): void {
    const host = this.#suspended ?? this.#host.now();
    this.#zero = host - Number(ns) / 1e6;
    this.#wait();
  }

  suspend(): void {
    this.#suspended ??= this.#host.now();
    this.#wait();
  }

  resume(): void {
    if (this.#suspended === null) return;
    this.#zero += this.#host.now() - this.#suspended;
    this.#suspended = null;
    this.#wait();
  }

  /** Sets the host's timer for the alarm, unless time stands still. */
  #wait(): void {
    this.#takeBack?.();
    this.#takeBack = null;
    const alarm = this.#alarm;
    if (alarm === null || this.#suspended !== null) return;
    const delay = Number(alarm.ns - this.now()) / 1e6;
    const due = () => {
      this.#takeBack = null;
      // A timer may fire early; a far alarm takes several.
      if (this.now() < alarm.ns) return this.#wait();
      this.#alarm = null;
      alarm.fn();
    };
    this.#takeBack = delay <= BUSY
      ? this.#host.soon(due)
      : this.#host.after(Math.min(Math.ceil(delay), LONGEST_DELAY), due);
  }
}
