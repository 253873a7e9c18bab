// Acceptance, priorities, acknowledge, EOI, LVT delivery, LINT pins, errors.
// SDM vol. 3, APIC chapter: "Handling Interrupts", "Error Handling".

import { assertEquals } from "@std/assert";
import {
  DIRECTED_EOI,
  enabled,
  lapics,
  LEVEL_EOI,
  OK,
  PENDING_INIT,
  PENDING_NMI,
  RECHECK,
  X2APIC,
} from "./lapic.ts";

Deno.test("lapic: the highest vector comes first, its class blocks equals", () => {
  const apic = enabled();
  assertEquals(apic.pending, -1);
  for (const vector of [0x41, 0xf3, 0x45, 0x20]) apic.accept(vector);
  assertEquals(apic.requested, [0x20, 0x41, 0x45, 0xf3]);
  assertEquals(apic.acknowledge(), 0xf3);
  assertEquals(apic.inService, [0xf3]);
  assertEquals(apic.pending, -1);
  apic.endOfInterrupt();
  assertEquals(apic.acknowledge(), 0x45);
  assertEquals(apic.pending, -1, "0x41 is of the same class");
  apic.accept(0x50);
  assertEquals(apic.pending, 0x50, "nests");
  assertEquals(apic.acknowledge(), 0x50);
  assertEquals(apic.inService, [0x45, 0x50]);
  apic.endOfInterrupt();
  assertEquals(apic.inService, [0x45]);
  apic.endOfInterrupt();
  assertEquals(apic.pending, 0x41);
});

Deno.test("lapic: a vector can be requested again while in service", () => {
  const apic = enabled();
  apic.accept(0x41);
  apic.acknowledge();
  apic.accept(0x41);
  apic.accept(0x41);
  apic.endOfInterrupt();
  assertEquals(apic.acknowledge(), 0x41);
  apic.endOfInterrupt();
  assertEquals(apic.pending, -1);
});

Deno.test("lapic: TPR holds back its class and below", () => {
  const apic = enabled();
  apic.accept(0x45);
  assertEquals(apic.write(0x80, 0x40), RECHECK);
  assertEquals(apic.pending, -1);
  apic.write(0x80, 0x3f);
  assertEquals(apic.pending, 0x45);
  apic.write(0x80, 0xf0);
  apic.accept(0xff);
  assertEquals(apic.pending, -1);
});

Deno.test("lapic: PPR and APR", () => {
  const apic = enabled();
  apic.write(0x80, 0x35);
  assertEquals([apic.read(0xa0), apic.read(0x90)], [0x35, 0x35]);
  apic.accept(0x61);
  assertEquals(apic.read(0xa0), 0x35, "PPR ignores requests");
  assertEquals(apic.read(0x90), 0x60, "APR does not");
  apic.acknowledge();
  assertEquals(apic.read(0xa0), 0x60);
  apic.accept(0x41);
  // TPR 3 & ISR 6 = 2, IRR 4.
  assertEquals(apic.read(0x90), 0x40);
  apic.write(0x80, 0x75);
  assertEquals([apic.read(0xa0), apic.read(0x90)], [0x75, 0x75]);
  apic.write(0x80, 0x65);
  assertEquals(apic.read(0xa0), 0x65, "equal classes: TPR's sub-class");
});

Deno.test("lapic: CR8 is the upper half of TPR", () => {
  const apic = enabled();
  apic.write(0x80, 0x9c);
  assertEquals(apic.f.lapicCr8(apic.base), 9);
  assertEquals(apic.f.lapicSetCr8(apic.base, 5), RECHECK);
  assertEquals(apic.read(0x80), 0x50);
});

Deno.test("lapic: an interrupt that got blocked meanwhile is spurious", () => {
  const apic = enabled();
  apic.write(0xf0, 0x1ef);
  apic.accept(0x41);
  apic.write(0x80, 0x50);
  assertEquals(apic.acknowledge(), 0xef);
  assertEquals(apic.inService, []);
  assertEquals(apic.requested, [0x41]);
});

Deno.test("lapic: EOI reports level-triggered vectors only", () => {
  const apic = enabled();
  apic.accept(0x41, true);
  assertEquals(apic.levels, [0x41]);
  apic.accept(0x61);
  apic.acknowledge();
  assertEquals(apic.endOfInterrupt(), RECHECK);
  apic.acknowledge();
  assertEquals(apic.endOfInterrupt(), RECHECK | LEVEL_EOI | 0x41);
  assertEquals(apic.endOfInterrupt(), OK, "nothing in service");
  apic.accept(0x41);
  assertEquals(apic.levels, [], "TMR follows the newest message");
});

Deno.test("lapic: SVR bit 12 keeps level EOIs to itself", () => {
  const apic = enabled(X2APIC | DIRECTED_EOI);
  apic.write(0xf0, 0x11ff);
  assertEquals(apic.read(0xf0), 0x11ff);
  apic.accept(0x41, true);
  apic.acknowledge();
  assertEquals(apic.endOfInterrupt(), RECHECK);
  assertEquals(apic.inService, []);
  apic.write(0xf0, 0x1ff);
  apic.accept(0x41, true);
  apic.acknowledge();
  assertEquals(apic.endOfInterrupt(), RECHECK | LEVEL_EOI | 0x41);
});

Deno.test("lapic: received vectors 0-15 are errors", () => {
  const apic = enabled();
  assertEquals(apic.accept(15), false);
  assertEquals(apic.requested, []);
  apic.write(0x280, 0);
  assertEquals(apic.read(0x280), 0x40);
  assertEquals(apic.accept(16), true);
});

Deno.test("lapic: the error interrupt comes once per ESR write", () => {
  const apic = enabled();
  apic.write(0x370, 0xfe);
  apic.accept(3);
  assertEquals(apic.acknowledge(), 0xfe);
  apic.accept(3);
  assertEquals(apic.requested, [], "not re-armed");
  apic.write(0x280, 0);
  apic.accept(3);
  assertEquals(apic.requested, [0xfe]);
});

Deno.test("lapic: an illegal vector in the error entry ends the matter", () => {
  const apic = enabled();
  apic.write(0x370, 5);
  apic.read(0x40);
  apic.write(0x280, 0);
  assertEquals(apic.read(0x280), 0xc0);
  assertEquals(apic.requested, []);
});

Deno.test("lapic: LVT delivery modes", () => {
  const apic = enabled();
  const fire = (lvt: number) => apic.f.lapicLocalInterrupt(apic.base, lvt);
  apic.write(0x330, 0x45);
  assertEquals(fire(0x330), RECHECK);
  assertEquals(apic.requested, [0x45]);
  apic.write(0x330, 0x10046);
  assertEquals(fire(0x330), OK, "masked");
  apic.write(0x330, 0x446);
  assertEquals(fire(0x330), RECHECK);
  assertEquals(apic.events, PENDING_NMI);
  apic.write(0x330, 0x200);
  assertEquals(fire(0x330), OK, "SMI is ignored");
  apic.write(0x330, 0x500);
  fire(0x330);
  assertEquals(apic.events, PENDING_NMI | PENDING_INIT);
  assertEquals(apic.requested, [0x45]);
});

Deno.test("lapic: the performance entry masks itself", () => {
  const apic = enabled();
  apic.write(0x340, 0x400);
  apic.f.lapicLocalInterrupt(apic.base, 0x340);
  assertEquals(apic.events, PENDING_NMI);
  assertEquals(apic.read(0x340), 0x10400);
});

Deno.test("lapic: LINT1 as NMI takes rising edges", () => {
  const apic = enabled();
  const line = (on: number) => apic.f.lapicSetLint(apic.base, 1, on);
  assertEquals(line(1), OK, "masked after reset");
  line(0);
  apic.write(0x360, 0x400);
  assertEquals(apic.events, 0);
  line(1);
  assertEquals(apic.f.lapicTakeNmi(apic.base), 1);
  assertEquals(line(1), OK);
  assertEquals(line(0), OK);
  assertEquals(apic.f.lapicTakeNmi(apic.base), 0);
});

Deno.test("lapic: LINT0 as ExtINT follows the line", () => {
  const apic = enabled();
  const ext = () => apic.f.lapicExtInt(apic.base);
  apic.f.lapicSetLint(apic.base, 0, 1);
  assertEquals(ext(), 0, "masked");
  assertEquals(apic.write(0x350, 0x700) & RECHECK, RECHECK);
  assertEquals(ext(), 1);
  apic.write(0xf0, 0xff);
  assertEquals(ext(), 0, "software disable masks");
  apic.write(0xf0, 0x1ff);
  apic.write(0x350, 0x700);
  assertEquals(apic.f.lapicSetLint(apic.base, 0, 0), RECHECK);
  assertEquals(ext(), 0);
});

Deno.test("lapic: disabled, LINT0 is INTR and LINT1 is NMI", () => {
  const apic = lapics(1)[0];
  apic.writeApicBase(0xfee00100n);
  apic.f.lapicSetLint(apic.base, 0, 1);
  assertEquals(apic.f.lapicExtInt(apic.base), 1);
  apic.f.lapicSetLint(apic.base, 1, 1);
  assertEquals(apic.events, PENDING_NMI);
  assertEquals(apic.accept(0x41), false);
  assertEquals([apic.pending, apic.acknowledge()], [-1, -1]);
});

Deno.test("lapic: LINT0 fixed level waits for EOI, then comes again", () => {
  const apic = enabled();
  apic.write(0x350, 0x8051);
  apic.f.lapicSetLint(apic.base, 0, 1);
  assertEquals(apic.read(0x350), 0xc051, "remote IRR");
  assertEquals(apic.levels, [0x51]);
  apic.acknowledge();
  assertEquals(apic.requested, []);
  apic.endOfInterrupt();
  assertEquals(apic.requested, [0x51], "line still asserted");
  apic.acknowledge();
  apic.f.lapicSetLint(apic.base, 0, 0);
  apic.endOfInterrupt();
  assertEquals(apic.requested, []);
  assertEquals(apic.read(0x350), 0x8051);
});

Deno.test("lapic: unmasking LINT0 sees an asserted level, not an edge", () => {
  const apic = enabled();
  apic.f.lapicSetLint(apic.base, 0, 1);
  apic.write(0x350, 0x51);
  assertEquals(apic.requested, []);
  apic.write(0x350, 0x8051);
  assertEquals(apic.requested, [0x51]);
});

Deno.test("lapic: LINT0 fixed edge", () => {
  const apic = enabled();
  apic.write(0x350, 0x51);
  apic.f.lapicSetLint(apic.base, 0, 1);
  assertEquals(apic.requested, [0x51]);
  assertEquals(apic.levels, []);
});
