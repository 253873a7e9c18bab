/**
 * A host whose timers are coarse: 15.6 ms on Windows unless it is asked for better ones,
 * 47 ms where it is busy besides. No tick of the PIT or the RTC is lost, and what is
 * made up for comes no faster than a guest can take it.
 */
import { assert, assertEquals } from "@std/assert";
import { HostClock, type HostTime } from "../../../src/cli/host_clock.ts";
import { Pit } from "../../../src/machine/devices/i8254.ts";
import { PicPair } from "../../../src/machine/devices/i8259.ts";
import { Rtc } from "../../../src/machine/devices/rtc.ts";
import { Timers } from "../../../src/machine/timers.ts";
import { Wire } from "./harness.ts";

/** A turn of the event loop, ms. */
const TURN = 0.01;

/** A host whose timers fire at multiples of `tick` ms only. */
class CoarseHost implements HostTime {
  #now = 0;
  #pending: { at: number; fn: () => void }[] = [];
  /** Turns that somebody waited busily for. */
  turns = 0;

  constructor(readonly tick: number) {}

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    return this.#add(
      Math.ceil((this.#now + ms) / this.tick) * this.tick,
      fn,
    );
  }

  soon(fn: () => void): () => void {
    this.turns++;
    return this.#add(this.#now + TURN, fn);
  }

  #add(at: number, fn: () => void): () => void {
    const one = { at, fn };
    this.#pending.push(one);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== one);
    };
  }

  /** Lets `ms` pass. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      this.#pending.sort((a, b) => a.at - b.at);
      const first = this.#pending[0];
      if (first === undefined || first.at > end) break;
      this.#pending.shift();
      this.#now = Math.max(this.#now, first.at);
      first.fn();
    }
    this.#now = end;
  }
}

/** A wire that notes when it rose, in guest ns. */
class TimedWire extends Wire {
  readonly rises: bigint[] = [];
  waiting = false;
  onTaken: (() => void) | null = null;

  constructor(readonly clock: HostClock) {
    super();
    this.level = true;
  }

  override set(level: boolean): void {
    if (level && !this.level) this.rises.push(this.clock.now());
    super.set(level);
  }

  /** The shortest time between two rises. */
  get closest(): bigint {
    return this.rises.slice(1).reduce((least, at, i) => {
      const distance = at - this.rises[i];
      return distance < least ? distance : least;
    }, 1n << 62n);
  }
}

function pit(tick: number) {
  const host = new CoarseHost(tick);
  const clock = new HostClock(host);
  const irq = new TimedWire(clock);
  const device = new Pit(irq, clock, new Timers(clock));
  const program = (mode: number, count: number) => {
    device.writePort(0x43, 1, 0x30 | mode << 1);
    device.writePort(0x40, 1, count & 0xff);
    device.writePort(0x40, 1, count >> 8);
  };
  return { host, clock, irq, device, program };
}

for (const tick of [1, 16, 47]) {
  for (const mode of [2, 3]) {
    Deno.test(`timers of ${tick} ms: the PIT's mode ${mode} loses no tick`, () => {
      for (const hz of [18.2, 100, 250, 1000]) {
        const { host, irq, program } = pit(tick);
        const count = Math.min(65535, Math.round(1193182 / hz));
        program(mode, count);
        host.pass(10_000);
        const due = Math.floor(10 * 1193182 / count);
        // What the last timer was late for is yet to come.
        const late = Math.ceil((tick + 2) * hz / 1000);
        const { length } = irq.rises;
        assert(length <= due && length >= due - late, `${hz}: ${length}`);
        assert(irq.closest >= 249_000n, `${hz}: ${irq.closest}`);
        // It does not wait busily all the time.
        assert(host.turns * TURN < 10_000 / 2, `${hz}: ${host.turns}`);
      }
    });
  }

  Deno.test(`timers of ${tick} ms: the RTC loses no periodic interrupt`, () => {
    const host = new CoarseHost(tick);
    const clock = new HostClock(host);
    const irq = new TimedWire(clock);
    irq.level = false;
    const contents = { ramBytes: 1 << 24, cpus: 1, startTime: 0n };
    const rtc = new Rtc(contents, irq, clock, new Timers(clock));
    const access = (index: number, value?: number) => {
      rtc.writePort(0x70, 1, index);
      if (value === undefined) return rtc.readPort(0x71);
      rtc.writePort(0x71, 1, value);
      return 0;
    };
    access(0x0b, 0x42); // 1024 Hz
    let seen = 0;
    for (let i = 0; i < 100_000; i++) {
      host.pass(0.05);
      if (irq.level && access(0x0c) & 0x40) seen++;
    }
    assert(seen <= 5120 && seen >= 5120 - (tick + 2) * 1.1, String(seen));
    assert(irq.closest >= 99_000n, String(irq.closest));
    // Switched off, nothing of it is left for later.
    host.pass(tick * 3);
    access(0x0b, 0x02);
    access(0x0c);
    access(0x0b, 0x42);
    const before = irq.rises.length;
    host.pass(0.5);
    assert(irq.rises.length <= before + 1);
  });
}

Deno.test("a new count, a latch or a read of the PIT gives no tick twice", () => {
  const { host, irq, device, program } = pit(16);
  program(2, 1193); // 1 ms
  host.pass(100);
  for (let i = 0; i < 1000; i++) {
    device.writePort(0x43, 1, 0);
    device.readPort(0x40);
    device.readPort(0x40);
    host.pass(0.1);
  }
  // From the next cycle on 2 ms.
  device.writePort(0x40, 1, 2386 & 0xff);
  device.writePort(0x40, 1, 2386 >> 8);
  host.pass(200);
  const { length } = irq.rises;
  assert(length >= 300 - 18 && length <= 301, String(length));
  // Programmed anew it begins at 0.
  program(2, 11930);
  const before = irq.rises.length;
  host.pass(100);
  assert(irq.rises.length - before >= 8 && irq.rises.length - before <= 10);
});

Deno.test("a tick waits until the PIC's last one is taken, and for a second at most", () => {
  const { host, irq, program } = pit(1);
  program(2, 1193);
  host.pass(10);
  const before = irq.rises.length;
  irq.waiting = true;
  host.pass(5000);
  assertEquals(irq.rises.length, before);
  assert(host.turns < 5000);
  irq.waiting = false;
  irq.onTaken!();
  host.pass(0.2);
  assertEquals(irq.rises.length, before + 1);
  host.pass(500);
  const made = irq.rises.length - before;
  assert(made >= 1300 && made <= 1510, String(made));
});

Deno.test("a time without the host, as while a debugger holds the guest, is none", () => {
  const { host, clock, irq, program } = pit(16);
  program(2, 1193);
  host.pass(100);
  clock.suspend();
  const before = irq.rises.length;
  host.pass(60_000);
  assertEquals(irq.rises.length, before);
  clock.resume();
  host.pass(100);
  const passed = irq.rises.length - before;
  assert(passed >= 80 && passed <= 120, String(passed));
});

Deno.test("the PIC tells of a request that nobody has taken", () => {
  const pic = new PicPair(new Wire());
  for (const [port, ...words] of [[0x20, 0x11], [0x21, 8, 4, 1, 0xfe]]) {
    for (const word of words) pic.writePort(port, 1, word);
  }
  assertEquals(pic.waits(0), false);
  pic.setInput(0, false);
  pic.setInput(0, true);
  assertEquals(pic.waits(0), true);
  const taken: number[] = [];
  pic.onTaken = (irq) => taken.push(irq);
  assertEquals(pic.acknowledge(), 8);
  assertEquals([pic.waits(0), taken], [false, [0]]);
  // One that is masked waits for nobody.
  pic.writePort(0x21, 1, 0xff);
  pic.setInput(0, false);
  pic.setInput(0, true);
  assertEquals(pic.waits(0), false);
});
