import { assertEquals } from "@std/assert";
import { Pit } from "../../../src/machine/devices/i8254.ts";
import { bench, carry, Wire } from "./harness.ts";

/** Nanoseconds that hold exactly `n` clocks from a clock boundary on. */
const ticks = (n: number) => (BigInt(n) * 1_000_000_000n + 1193181n) / 1193182n;

function timer() {
  const { clock, timers } = bench();
  const irq = new Wire();
  irq.level = true; // as the interrupt controllers take it at power-on
  const pit = new Pit(irq, clock, timers);
  const outb = (port: number, ...values: number[]) => {
    for (const value of values) pit.writePort(port, 1, value);
  };
  const inb = (port: number) => pit.readPort(port);
  /** Puts the clock at clock `n`. */
  const at = (n: number) => clock.advance(ticks(n) - clock.now());
  const count = (channel: number) => {
    outb(0x43, channel << 6);
    return inb(0x40 + channel) | (inb(0x40 + channel) << 8);
  };
  const status = (channel: number) => {
    outb(0x43, 0xe0 | (2 << channel));
    return inb(0x40 + channel);
  };
  const out = (channel: number) => status(channel) >> 7;
  return {
    clock,
    timers,
    pit,
    device: pit,
    irq,
    outb,
    inb,
    at,
    count,
    status,
    out,
  };
}

Deno.test("mode 2 gives one edge of IRQ 0 a period", () => {
  const { irq, outb, at } = timer();
  outb(0x43, 0x34);
  outb(0x40, 100, 0);
  assertEquals(irq.edges, 0);
  at(100);
  assertEquals(irq.edges, 0);
  at(101);
  assertEquals(irq.edges, 1);
  at(1001);
  assertEquals(irq.edges, 10);
});

Deno.test("mode 2: the count, and a new one from the next period on", () => {
  const { outb, at, count } = timer();
  outb(0x43, 0x34);
  outb(0x40, 100, 0);
  at(1);
  assertEquals(count(0), 100);
  at(31);
  assertEquals(count(0), 70);
  outb(0x40, 10, 0);
  assertEquals(count(0), 70);
  at(100);
  assertEquals(count(0), 1);
  at(101);
  assertEquals(count(0), 10);
  at(115);
  assertEquals(count(0), 6);
});

Deno.test("mode 3: halves, an odd count, even readings", () => {
  const { irq, outb, at, out, count } = timer();
  outb(0x43, 0x36);
  outb(0x40, 5, 0);
  const levels: number[] = [];
  const counts: number[] = [];
  for (let i = 1; i <= 10; i++) {
    at(i);
    levels.push(out(0));
    counts.push(count(0));
  }
  assertEquals(levels, [1, 1, 1, 0, 0, 1, 1, 1, 0, 0]);
  assertEquals(counts, [4, 2, 0, 4, 2, 4, 2, 0, 4, 2]);
  at(1001);
  assertEquals(irq.edges, 200);
});

Deno.test("mode 0: OUT rises at the end and stays; rewriting starts anew", () => {
  const { irq, outb, at, out, count } = timer();
  outb(0x43, 0x30);
  assertEquals([out(0), irq.level], [0, false]);
  outb(0x40, 50, 0);
  at(50);
  assertEquals([out(0), irq.edges], [0, 0]);
  at(51);
  assertEquals([out(0), irq.edges], [1, 1]);
  at(53);
  assertEquals(count(0), 0xfffe); // goes on counting
  outb(0x40, 7);
  assertEquals(out(0), 0); // the first byte already stops it
  outb(0x40, 0);
  at(61);
  assertEquals(irq.edges, 2);
});

Deno.test("mode 4: a strobe of one clock", () => {
  const { irq, outb, at, out } = timer();
  outb(0x43, 0x38);
  outb(0x40, 5, 0);
  const levels: number[] = [];
  for (let i = 1; i <= 8; i++) {
    at(i);
    levels.push(out(0));
  }
  assertEquals(levels, [1, 1, 1, 1, 1, 0, 1, 1]);
  assertEquals(irq.edges, 1);
});

Deno.test("counter 2: gate and output through port 0x61", () => {
  const { outb, at, inb, count } = timer();
  outb(0x43, 0xb0);
  outb(0x42, 100, 0);
  at(500);
  assertEquals([inb(0x61) & 0x2f, count(2)], [0, 100]);
  outb(0x61, 1);
  at(560);
  assertEquals(count(2), 40);
  outb(0x61, 0);
  at(900);
  assertEquals(count(2), 40);
  outb(0x61, 1);
  at(939);
  assertEquals(inb(0x61) & 0x20, 0);
  at(940);
  assertEquals(inb(0x61) & 0x2f, 0x21);
});

Deno.test("mode 1: a trigger of the gate starts the pulse, and again", () => {
  const { outb, at, out } = timer();
  outb(0x43, 0xb2);
  outb(0x42, 10, 0);
  at(5);
  assertEquals(out(2), 1);
  outb(0x61, 1);
  at(6);
  assertEquals(out(2), 0);
  at(12);
  outb(0x61, 0);
  outb(0x61, 1);
  at(22);
  assertEquals(out(2), 0);
  at(23);
  assertEquals(out(2), 1);
});

Deno.test("mode 5: a strobe after the trigger", () => {
  const { outb, at, out } = timer();
  outb(0x43, 0xba);
  outb(0x42, 3, 0);
  outb(0x61, 1);
  const levels: number[] = [];
  for (let i = 1; i <= 6; i++) {
    at(i);
    levels.push(out(2));
  }
  assertEquals(levels, [1, 1, 1, 0, 1, 1]);
});

Deno.test("BCD counting", () => {
  const { outb, at, count, status } = timer();
  outb(0x43, 0x35);
  outb(0x40, 0x00, 0x10); // 1000
  at(2);
  assertEquals(count(0), 0x0999);
  assertEquals(status(0), 0xb5);
  outb(0x43, 0x31);
  outb(0x40, 0, 0); // 10000
  at(4);
  assertEquals(count(0), 0x9999);
});

Deno.test("read-back latches count and status of several counters", () => {
  const { outb, at, inb } = timer();
  outb(0x43, 0x34);
  outb(0x43, 0x74);
  outb(0x40, 0x00, 0x20);
  outb(0x41, 0x00, 0x30);
  at(0x101);
  outb(0x43, 0xc6); // both, counters 0 and 1
  at(0x200);
  outb(0x43, 0xc6); // ignored: not read yet
  const read = (port: number) => [inb(port), inb(port), inb(port)];
  assertEquals(read(0x40), [0xb4, 0x00, 0x1f]);
  assertEquals(read(0x41), [0xb4, 0x00, 0x2f]);
});

Deno.test("null count until the first load", () => {
  const { outb, at, status } = timer();
  outb(0x43, 0x34);
  assertEquals(status(0) & 0x40, 0x40);
  outb(0x40, 9, 0);
  at(1);
  assertEquals(status(0) & 0x40, 0);
});

Deno.test("reading one byte only, when programmed so", () => {
  const { outb, at, inb } = timer();
  outb(0x43, 0x14); // low byte only
  outb(0x40, 0x80);
  at(1);
  assertEquals([inb(0x40), inb(0x40)], [0x80, 0x80]);
  outb(0x43, 0x24); // high byte only
  outb(0x40, 0x80);
  at(2 + 1);
  assertEquals(inb(0x40), 0x7f);
});

Deno.test("nothing is armed while no counter runs", () => {
  const { clock, pit, outb } = timer();
  assertEquals(clock.armed, false);
  outb(0x43, 0x34);
  outb(0x40, 0, 0);
  assertEquals(clock.armed, true);
  pit.reset();
  assertEquals(clock.armed, false);
});

Deno.test("saved state goes on counting", () => {
  const a = timer();
  a.outb(0x43, 0x34);
  a.outb(0x40, 100, 0);
  a.at(31);
  const b = timer();
  b.at(31);
  carry(a, b);
  assertEquals(b.pit.save(), a.pit.save());
  b.at(101);
  assertEquals(b.irq.edges, 1);
});
