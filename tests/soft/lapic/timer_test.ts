// The timer: modes, divider, current count, masking, TSC deadline. SDM vol. 3,
// APIC chapter: "APIC Timer".

import { assertEquals } from "@std/assert";
import { enabled, NEVER, OK, RECHECK, TIMER } from "./lapic.ts";

const ONE_SHOT = 0x40, PERIODIC = 0x20040, DEADLINE = 0x40040;
const MASKED = 0x10000;
const DIVIDE_BY_1 = 0xb;

function timer(lvt: number, divide = DIVIDE_BY_1) {
  const apic = enabled();
  apic.write(0x3e0, divide);
  apic.write(0x320, lvt);
  return apic;
}

Deno.test("lapic timer: one-shot counts down, fires once", () => {
  const apic = timer(ONE_SHOT);
  assertEquals(apic.due, NEVER);
  assertEquals(apic.write(0x380, 1000, 5000n), TIMER);
  assertEquals(apic.due, 6000n);
  assertEquals(apic.read(0x390, 5000n), 1000);
  assertEquals(apic.read(0x390, 5999n), 1);
  assertEquals(apic.tick(5999n), OK);
  assertEquals(apic.requested, []);
  assertEquals(apic.tick(6000n), RECHECK);
  assertEquals(apic.requested, [0x40]);
  assertEquals(apic.read(0x390, 6000n), 0);
  assertEquals(apic.due, NEVER);
  apic.acknowledge();
  assertEquals(apic.tick(9000n), OK);
  assertEquals(apic.requested, []);
  assertEquals(apic.read(0x380), 1000);
});

Deno.test("lapic timer: current count reads 0 past the end before the tick", () => {
  const apic = timer(ONE_SHOT);
  apic.write(0x380, 10, 0n);
  assertEquals(apic.read(0x390, 50n), 0);
});

Deno.test("lapic timer: periodic reloads without drift", () => {
  const apic = timer(PERIODIC);
  apic.write(0x380, 100, 0n);
  for (const at of [100n, 200n, 300n]) {
    assertEquals(apic.due, at);
    // Served late, as after a slice of instructions.
    assertEquals(apic.tick(at + 7n), RECHECK);
    assertEquals(apic.acknowledge(), 0x40);
    apic.endOfInterrupt();
    assertEquals(apic.read(0x390, at + 7n), 93);
  }
});

Deno.test("lapic timer: missed periods are one interrupt, in phase", () => {
  const apic = timer(PERIODIC);
  apic.write(0x380, 100, 0n);
  assertEquals(apic.read(0x390, 1030n), 70, "reads right before the tick");
  assertEquals(apic.tick(1030n), RECHECK);
  assertEquals(apic.requested, [0x40]);
  assertEquals(apic.due, 1100n);
});

Deno.test("lapic timer: initial count 0 stops it", () => {
  const apic = timer(PERIODIC);
  apic.write(0x380, 100, 0n);
  apic.write(0x380, 0, 50n);
  assertEquals(apic.due, NEVER);
  assertEquals(apic.read(0x390, 60n), 0);
  assertEquals(apic.tick(1000n), OK);
});

Deno.test("lapic timer: dividers", () => {
  const dividers = [
    [0, 2],
    [1, 4],
    [2, 8],
    [3, 16],
    [8, 32],
    [9, 64],
    [10, 128],
    [11, 1],
  ];
  for (const [config, by] of dividers) {
    const apic = timer(ONE_SHOT, config);
    apic.write(0x380, 10, 0n);
    assertEquals(apic.due, BigInt(10 * by));
    assertEquals(apic.read(0x390, BigInt(by)), 9);
    assertEquals(apic.read(0x390, BigInt(by) - 1n), 10);
  }
  const apic = timer(ONE_SHOT, 0);
  apic.write(0x380, 0xffffffff, 0n);
  assertEquals(apic.due, 0x1fffffffen);
});

Deno.test("lapic timer: a new divider carries the count on", () => {
  const apic = timer(ONE_SHOT);
  apic.write(0x380, 1000, 0n);
  assertEquals(apic.write(0x3e0, 0, 400n), TIMER);
  assertEquals(apic.read(0x390, 400n), 600);
  assertEquals(apic.due, 1600n);
});

Deno.test("lapic timer: masked it counts, interrupts nobody", () => {
  const apic = timer(PERIODIC | MASKED);
  apic.write(0x380, 100, 0n);
  assertEquals(apic.due, NEVER);
  assertEquals(apic.read(0x390, 30n), 70);
  assertEquals(apic.tick(100n), OK);
  assertEquals(apic.read(0x390, 130n), 70);
  apic.write(0x320, PERIODIC, 250n);
  assertEquals(apic.requested, [], "what passed masked is gone");
  assertEquals(apic.due, 300n);
  const shot = timer(ONE_SHOT | MASKED);
  shot.write(0x380, 100, 0n);
  assertEquals(shot.write(0x320, ONE_SHOT, 200n), TIMER);
  assertEquals(shot.requested, []);
  assertEquals(shot.due, NEVER);
});

Deno.test("lapic timer: what expired before masking is delivered", () => {
  const apic = timer(ONE_SHOT);
  apic.write(0x380, 100, 0n);
  assertEquals(apic.write(0x320, ONE_SHOT | MASKED, 150n), TIMER | RECHECK);
  assertEquals(apic.requested, [0x40]);
  const off = timer(ONE_SHOT);
  off.write(0x380, 100, 0n);
  off.write(0xf0, 0xff, 150n);
  assertEquals(off.requested, [0x40]);
});

Deno.test("lapic timer: one-shot and periodic switch while counting", () => {
  const apic = timer(ONE_SHOT);
  apic.write(0x380, 100, 0n);
  apic.write(0x320, PERIODIC, 40n);
  assertEquals(apic.read(0x390, 40n), 60);
  assertEquals(apic.tick(100n), RECHECK);
  assertEquals(apic.due, 200n);
  apic.write(0x320, ONE_SHOT, 150n);
  apic.tick(200n);
  assertEquals(apic.due, NEVER);
});

Deno.test("lapic timer: TSC deadline", () => {
  const apic = timer(DEADLINE);
  const { f, base } = apic;
  assertEquals(f.lapicReadDeadline(base, 0n), 0n);
  assertEquals(f.lapicWriteDeadline(base, 5000n, 100n), TIMER);
  assertEquals(f.lapicReadDeadline(base, 100n), 5000n);
  assertEquals(apic.due, 5000n);
  assertEquals(apic.read(0x390, 200n), 0);
  assertEquals(apic.tick(4999n), OK);
  assertEquals(apic.tick(5000n), RECHECK);
  assertEquals(apic.requested, [0x40]);
  assertEquals(f.lapicReadDeadline(base, 5000n), 0n);
  assertEquals(apic.due, NEVER);
});

Deno.test("lapic timer: a passed deadline fires at once, 0 disarms", () => {
  const apic = timer(DEADLINE);
  const { f, base } = apic;
  assertEquals(f.lapicWriteDeadline(base, 50n, 100n), TIMER | RECHECK);
  assertEquals(apic.acknowledge(), 0x40);
  f.lapicWriteDeadline(base, 500n, 100n);
  f.lapicWriteDeadline(base, 0n, 200n);
  assertEquals(apic.due, NEVER);
  assertEquals(apic.tick(900n), OK);
});

Deno.test("lapic timer: deadline and count ignore each other's registers", () => {
  const apic = timer(DEADLINE);
  const { f, base } = apic;
  assertEquals(apic.write(0x380, 100, 0n), OK);
  assertEquals([apic.due, apic.read(0x380)], [NEVER, 0]);
  const shot = timer(ONE_SHOT);
  assertEquals(shot.f.lapicWriteDeadline(shot.base, 100n, 0n), OK);
  assertEquals(shot.f.lapicReadDeadline(shot.base, 0n), 0n);
  assertEquals(shot.due, NEVER);
  f.lapicWriteDeadline(base, 5000n, 0n);
  apic.write(0x320, ONE_SHOT, 10n);
  assertEquals(apic.due, NEVER, "leaving the mode disarms");
  apic.write(0x380, 100, 20n);
  apic.write(0x320, DEADLINE, 30n);
  assertEquals(apic.due, NEVER, "so does entering it");
  assertEquals(f.lapicReadDeadline(base, 30n), 0n);
});

Deno.test("lapic timer: deadlines are in the processor's TSC", () => {
  const apic = timer(DEADLINE);
  const { f, base } = apic;
  f.lapicSetTscOffset(base, 1000n, 0n);
  f.lapicWriteDeadline(base, 5000n, 0n);
  assertEquals(apic.due, 4000n);
  assertEquals(apic.tick(3999n), OK);
  assertEquals(f.lapicSetTscOffset(base, -1000n, 3999n), TIMER);
  assertEquals(apic.due, 6000n);
  assertEquals(f.lapicSetTscOffset(base, 2000n, 3999n), TIMER | RECHECK);
  assertEquals(apic.requested, [0x40]);
  f.lapicWriteDeadline(base, 0xffff_ffff_ffff_ffffn, 4000n);
  f.lapicSetTscOffset(base, -1000n, 4000n);
  assertEquals(apic.due, NEVER);
});

Deno.test("lapic timer: a masked deadline passes silently", () => {
  const apic = timer(DEADLINE | MASKED);
  const { f, base } = apic;
  f.lapicWriteDeadline(base, 100n, 0n);
  assertEquals(apic.due, NEVER);
  assertEquals(f.lapicReadDeadline(base, 200n), 0n);
  apic.write(0x320, DEADLINE, 200n);
  assertEquals(apic.requested, []);
  assertEquals(apic.due, NEVER);
});

Deno.test("lapic timer: an illegal vector is an error, not an interrupt", () => {
  const apic = timer(0x05);
  apic.write(0x380, 10, 0n);
  apic.tick(10n);
  assertEquals(apic.requested, []);
  apic.write(0x280, 0);
  assertEquals(apic.read(0x280), 0x40);
});
