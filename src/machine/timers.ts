/**
 * Many timers on the clock's one alarm. Deadlines are guest nanoseconds; two
 * timers with the same deadline fire in the order they were armed, so that a
 * run repeats exactly.
 */
import type { Clock } from "./device.ts";

/**
 * One timer, fired once per arming.
 *
 * @example
 * ```ts
 * import { openSoft, type Timer, Timers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const timers = new Timers(platform.clock);
 * const timer: Timer = timers.create("mine", () => {});
 * timer.arm(1_000n);
 * assertEquals(timer.deadline, 1_000n);
 * timer.disarm();
 * assertEquals(timer.deadline, null);
 * ```
 */
export class Timer {
  readonly #timers: Timers;
  /** Among its machine's timers. */
  readonly name: string;
  /** Called at the deadline. */
  readonly fire: () => void;
  #deadline: bigint | null = null;
  /** When it was armed, among all armings: the order of equal deadlines. */
  order = 0;

  /** Use {@linkcode Timers.create}. */
  constructor(timers: Timers, name: string, fire: () => void) {
    this.#timers = timers;
    this.name = name;
    this.fire = fire;
  }

  /** Guest time in ns at which it fires; null while disarmed. */
  get deadline(): bigint | null {
    return this.#deadline;
  }

  /** Fires at guest time `atNs`, or at once (not before returning) if past. */
  arm(atNs: bigint): void {
    this.#deadline = atNs;
    this.#timers.changed(this);
  }

  /** Takes the deadline back. */
  disarm(): void {
    if (this.#deadline === null) return;
    this.#deadline = null;
    this.#timers.changed(this);
  }
}

/**
 * A timer's name, and its deadline.
 *
 * @example
 * ```ts
 * import { openSoft, type SavedTimer, Timers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const timers = new Timers(platform.clock);
 * const timer = timers.create("mine", () => {});
 * timer.arm(1_000n);
 * const saved: readonly SavedTimer[] = timers.save();
 * assertEquals(saved, [{ name: "mine", deadline: 1_000n }]);
 * timer.disarm();
 * timers.load(saved);
 * assertEquals(timer.deadline, 1_000n);
 * ```
 */
export interface SavedTimer {
  /** As it was created with. */
  readonly name: string;
  /** Guest ns. */
  readonly deadline: bigint;
}

/**
 * The timers of a machine.
 *
 * @example
 * ```ts
 * import { openSoft, Timers } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const timers = new Timers(platform.clock);
 * timers.create("late", () => {}).arm(2_000_000n);
 * timers.create("soon", () => {}).arm(1_000_000n);
 * assertEquals(timers.next, 1_000_000n);
 * ```
 */
export class Timers {
  readonly #clock: Clock;
  readonly #byName = new Map<string, Timer>();
  /** Armed timers in the order they will fire. Few, so an array will do. */
  readonly #armed: Timer[] = [];
  #armings = 0;
  #alarm: bigint | null = null;
  #firing = false;
  readonly #onAlarm = () => this.#expire();

  /** Times are those of `clock`. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A timer that calls `fn` when armed and due; `name` is unique among them.
   *
   * @throws {RangeError} Another has the name.
   */
  create(name: string, fn: () => void): Timer {
    if (this.#byName.has(name)) throw new RangeError(`a second timer ${name}`);
    const timer = new Timer(this, name, fn);
    this.#byName.set(name, timer);
    return timer;
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** What is armed, in the order in which it will fire. */
  save(): SavedTimer[] {
    return this.#armed.map(({ name, deadline }) => ({
      name,
      deadline: deadline!,
    }));
  }

  /**
   * Arms what save() had, in its order, and nothing else.
   *
   * @throws {TypeError} The state is of a machine with other timers.
   */
  load(saved: readonly SavedTimer[]): void {
    const timers = saved.map(({ name }) => {
      const timer = this.#byName.get(name);
      if (timer !== undefined) return timer;
      throw new TypeError(`the saved machine has another timer: ${name}`);
    });
    for (const timer of [...this.#armed]) timer.disarm();
    saved.forEach(({ deadline }, i) => timers[i].arm(deadline));
  }

  /** Guest time in nanoseconds. */
  now(): bigint {
    return this.#clock.now();
  }

  /** The earliest deadline; null if nothing is armed. */
  get next(): bigint | null {
    return this.#armed.length === 0 ? null : this.#armed[0].deadline;
  }

  /** For `Timer`: its deadline is another one now. */
  changed(timer: Timer): void {
    const armed = this.#armed;
    const at = armed.indexOf(timer);
    if (at >= 0) armed.splice(at, 1);
    const deadline = timer.deadline;
    if (deadline !== null) {
      timer.order = ++this.#armings;
      let i = armed.length;
      while (i > 0 && armed[i - 1].deadline! > deadline) i--;
      armed.splice(i, 0, timer);
    }
    if (!this.#firing) this.#setAlarm();
  }

  #setAlarm(): void {
    const next = this.next;
    if (next === this.#alarm) return;
    this.#alarm = next;
    this.#clock.setAlarm(next, this.#onAlarm);
  }

  #expire(): void {
    this.#alarm = null;
    this.#firing = true;
    // A timer armed meanwhile for the past waits for the next alarm, so that
    // one with period 0 cannot keep the guest from running.
    const last = this.#armings;
    const now = this.#clock.now();
    try {
      for (;;) {
        const due = this.#armed.find((timer) => timer.order <= last);
        if (due === undefined || due.deadline! > now) break;
        due.disarm();
        due.fire();
      }
    } finally {
      this.#firing = false;
      this.#setAlarm();
    }
  }
}
