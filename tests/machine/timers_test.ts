import { assertEquals, assertThrows } from "@std/assert";
import type { Clock } from "../../src/machine/device.ts";
import { Timers } from "../../src/machine/timers.ts";

/** A clock that the test moves. */
class TestClock implements Clock {
  time = 0n;
  #alarm: bigint | null = null;
  #fn: () => void = () => {};
  now(): bigint {
    return this.time;
  }
  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#alarm = ns;
    this.#fn = fn;
  }
  get alarm(): bigint | null {
    return this.#alarm;
  }
  /** Moves time; every alarm fires once at its time. */
  to(time: bigint): void {
    while (this.#alarm !== null && this.#alarm <= time) {
      if (this.#alarm > this.time) this.time = this.#alarm;
      this.#alarm = null;
      this.#fn();
    }
    this.time = time;
  }
}

Deno.test("timers fire in the order of their deadlines, then of arming", () => {
  const clock = new TestClock();
  const timers = new Timers(clock);
  const fired: string[] = [];
  const timer = (name: string) => timers.create(name, () => fired.push(name));
  const [a, b, c, d] = ["a", "b", "c", "d"].map(timer);
  a.arm(30n);
  b.arm(10n);
  c.arm(20n);
  d.arm(20n);
  assertEquals(clock.alarm, 10n);
  clock.to(20n);
  assertEquals(fired, ["b", "c", "d"]);
  assertEquals(clock.alarm, 30n);
  clock.to(100n);
  assertEquals(fired, ["b", "c", "d", "a"]);
  assertEquals(clock.alarm, null);
});

Deno.test("a disarmed timer does not fire, a re-armed one fires once", () => {
  const clock = new TestClock();
  const timers = new Timers(clock);
  let count = 0;
  const timer = timers.create("one", () => count++);
  timer.arm(10n);
  timer.arm(50n);
  const other = timers.create("other", () => count += 100);
  other.arm(20n);
  other.disarm();
  clock.to(40n);
  assertEquals(count, 0);
  assertEquals(timer.deadline, 50n);
  clock.to(60n);
  assertEquals(count, 1);
  assertEquals(timer.deadline, null);
});

Deno.test("a periodic timer may arm itself while firing", () => {
  const clock = new TestClock();
  const timers = new Timers(clock);
  const at: bigint[] = [];
  const timer = timers.create("periodic", () => {
    at.push(clock.now());
    timer.arm(clock.now() + 10n);
  });
  timer.arm(10n);
  clock.to(35n);
  assertEquals(at, [10n, 20n, 30n]);
});

Deno.test("a timer armed for the past while firing waits for the next alarm", () => {
  const clock = new TestClock();
  const timers = new Timers(clock);
  let count = 0;
  const timer = timers.create("past", () => {
    if (++count < 3) timer.arm(0n);
  });
  timer.arm(5n);
  let alarms = 0;
  const setAlarm = clock.setAlarm.bind(clock);
  clock.setAlarm = (ns, fn) => {
    alarms++;
    setAlarm(ns, fn);
  };
  clock.to(5n);
  assertEquals(count, 3);
  assertEquals(alarms, 2, "each arming takes an alarm of its own");
});

Deno.test("what is loaded fires at its time, and in the order that it was armed in", () => {
  const made = () => {
    const clock = new TestClock();
    const timers = new Timers(clock);
    const fired: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map((name) =>
      timers.create(name, () => fired.push(`${name} at ${clock.now()}`))
    );
    return { clock, timers, fired, a, b, c };
  };
  const from = made();
  from.c.arm(20n);
  from.b.arm(20n);
  from.a.arm(20n);
  from.c.arm(20n); // the last one of them now
  const to = made();
  to.a.arm(5n);
  to.b.arm(30n);
  to.timers.load(from.timers.save());
  assertEquals(to.timers.save(), from.timers.save());
  for (const { clock } of [from, to]) clock.to(40n);
  assertEquals(to.fired, ["b at 20", "a at 20", "c at 20"]);
  assertEquals(from.fired, to.fired);
  assertThrows(
    () => to.timers.load([{ name: "d", deadline: 1n }]),
    TypeError,
    "the saved machine has another timer: d",
  );
  assertThrows(
    () => to.timers.create("a", () => {}),
    RangeError,
    "a second timer a",
  );
});
