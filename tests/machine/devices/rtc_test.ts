import { assertEquals } from "@std/assert";
import { Rtc } from "../../../src/machine/devices/rtc.ts";
import { bench, carry, Wire } from "./harness.ts";

const SECOND = 1_000_000_000;
const GIB = 1024 ** 3;

function rtc(iso = "2024-02-28T23:59:58Z", ramBytes = 256 * 1024 * 1024) {
  const { clock, timers } = bench();
  const irq = new Wire();
  const startTime = BigInt(Date.parse(iso) / 1000);
  const device = new Rtc(
    { ramBytes, cpus: 2, startTime },
    irq,
    clock,
    timers,
    Math.min(ramBytes, 3 * GIB),
  );
  const read = (index: number) => {
    device.writePort(0x70, 1, index);
    return device.readPort(0x71);
  };
  const write = (index: number, value: number) => {
    device.writePort(0x70, 1, index);
    device.writePort(0x71, 1, value);
  };
  const time = () =>
    [0x32, 9, 8, 7, 4, 2, 0].map((index) =>
      read(index).toString(16).padStart(2, "0")
    ).join(" ");
  return { device, clock, timers, irq, read, write, time };
}

Deno.test("time from the clock, in BCD, over a leap day", () => {
  const { clock, time, read } = rtc();
  assertEquals(time(), "20 24 02 28 23 59 58");
  clock.advance(3 * SECOND);
  assertEquals(time(), "20 24 02 29 00 00 01");
  assertEquals(read(6), 5); // a Thursday
});

Deno.test("binary and 12-hour formats", () => {
  const { write, read } = rtc("2024-05-06T00:07:59Z");
  write(0x0b, 0x04);
  assertEquals([read(4), read(0)], [12, 59]);
  write(0x0b, 0x06);
  assertEquals(read(4), 0);
  write(0x0b, 0x00);
  assertEquals(read(4), 0x12);
  const afternoon = rtc("2024-05-06T15:07:59Z");
  afternoon.write(0x0b, 0x00);
  assertEquals(afternoon.read(4), 0x83);
});

Deno.test("SET freezes the registers; the time written counts on", () => {
  const { clock, write, time } = rtc();
  write(0x0b, 0x82);
  clock.advance(10 * SECOND);
  assertEquals(time(), "20 24 02 28 23 59 58");
  const set: [number, number][] = [
    [0x32, 0x19],
    [9, 0x99],
    [8, 0x12],
    [7, 0x31],
    [4, 0x23],
    [2, 0x59],
    [0, 0x59],
  ];
  for (const [index, value] of set) write(index, value);
  write(0x0b, 0x02);
  clock.advance(SECOND);
  assertEquals(time(), "20 00 01 01 00 00 00");
});

Deno.test("UIP warns 244 us before an update", () => {
  const { clock, read } = rtc();
  clock.advance(SECOND - 244_001);
  assertEquals(read(0x0a) & 0x80, 0);
  clock.advance(1);
  assertEquals(read(0x0a) & 0x80, 0x80);
  clock.advance(244_000);
  assertEquals(read(0x0a), 0x26);
});

Deno.test("periodic interrupt at 1024 Hz, held until C is read", () => {
  const { clock, irq, read, write } = rtc();
  write(0x0b, 0x42);
  clock.advance(SECOND);
  assertEquals([irq.edges, read(0x0c)], [1, 0xd0]);
  const start = clock.now();
  for (let i = 1; i <= 1024; i++) {
    clock.advance(start + BigInt(Math.ceil(SECOND * i / 1024)) - clock.now());
    assertEquals(read(0x0c) & 0xc0, 0xc0, `tick ${i}`);
  }
  assertEquals(irq.edges, 1025);
  write(0x0a, 0x20); // rate 0: off
  clock.advance(SECOND);
  assertEquals(read(0x0c) & 0x40, 0);
});

Deno.test("update interrupt every second; flags are set without enables", () => {
  const { clock, irq, read, write } = rtc();
  clock.advance(SECOND);
  assertEquals(read(0x0c), 0x50);
  assertEquals(read(0x0c), 0);
  write(0x0b, 0x12);
  clock.advance(SECOND / 2);
  assertEquals(irq.level, false);
  clock.advance(SECOND / 2);
  assertEquals([irq.level, read(0x0c) & 0x90, irq.level], [true, 0x90, false]);
  write(0x0b, 0x92); // SET clears UIE
  assertEquals(read(0x0b), 0x82);
});

Deno.test("alarm, with do-not-care bytes", () => {
  const { clock, irq, read, write } = rtc();
  write(5, 0xff);
  write(3, 0x00);
  write(1, 0x05);
  write(0x0b, 0x22);
  clock.advance(6 * SECOND);
  assertEquals(irq.level, false);
  clock.advance(SECOND); // 00:00:05
  assertEquals([irq.level, read(0x0c) & 0xa0], [true, 0xa0]);
  clock.advance(3599 * SECOND);
  assertEquals(irq.level, false);
  clock.advance(SECOND);
  assertEquals(irq.level, true);
});

Deno.test("memory sizes, processors, and memory that is the guest's own", () => {
  const { read, write, device } = rtc("2024-01-01T00:00:00Z", 5 * GIB);
  const word = (at: number) => read(at) | (read(at + 1) << 8);
  assertEquals([word(0x15), word(0x17), word(0x30)], [640, 0xffff, 0xffff]);
  assertEquals(word(0x34), (3 * 1024 - 16) * 16);
  assertEquals([word(0x5b), read(0x5d), read(0x5f)], [0x8000, 0, 1]);
  const small = rtc("2024-01-01T00:00:00Z", 16 * 1024 * 1024);
  assertEquals(small.read(0x18) << 8 | small.read(0x17), 15 * 1024);
  write(0x0f, 0x0a);
  assertEquals([read(0x0f), read(0x8f)], [0x0a, 0x0a]);
  device.reset();
  assertEquals(read(0x0f), 0);
});

Deno.test("a reset leaves the time of day, in whatever machine it is", () => {
  const a = rtc();
  a.write(0x00, 0x30);
  a.clock.advance(SECOND);
  assertEquals(a.time(), "20 24 02 28 23 59 31");
  // Made with another start, as for a file that is restored.
  const b = rtc("1980-01-01T00:00:00Z");
  b.clock.set(a.clock.now());
  carry(a, b);
  for (const { device } of [a, b]) device.reset();
  for (const { clock } of [a, b]) clock.advance(SECOND);
  assertEquals([a.time(), b.time()], [
    "20 24 02 28 23 59 32",
    "20 24 02 28 23 59 32",
  ]);
});

Deno.test("nothing is armed without an enabled interrupt", () => {
  const { clock, write } = rtc();
  assertEquals(clock.armed, false);
  write(0x0b, 0x12);
  assertEquals(clock.armed, true);
});

Deno.test("saved state restores time, flags and line", () => {
  const a = rtc();
  a.write(0x0b, 0x12);
  a.clock.advance(2 * SECOND);
  const b = rtc("1980-01-01T00:00:00Z");
  b.clock.advance(2 * SECOND);
  carry(a, b);
  assertEquals(b.device.save(), a.device.save());
  assertEquals([b.time(), b.irq.level], [a.time(), true]);
});
