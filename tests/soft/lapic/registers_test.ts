// The register page: reset values, reserved bits and registers, software
// disable, INIT, the page as state. SDM vol. 3, APIC chapter.

import { assertEquals } from "@std/assert";
import { DIRECTED_EOI, enabled, lapics, SCRATCH, X2APIC } from "./lapic.ts";

const LVTS = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370];

Deno.test("lapic: reset values", () => {
  const [, , apic] = lapics(3);
  assertEquals(apic.read(0x20), 2 << 24);
  assertEquals(apic.read(0x30), 0x50015);
  assertEquals(apic.read(0xd0), 0);
  assertEquals(apic.read(0xe0), 0xffffffff);
  assertEquals(apic.read(0xf0), 0xff);
  for (const lvt of LVTS) assertEquals(apic.read(lvt), 0x10000);
  for (const at of [0x80, 0xa0, 0x280, 0x300, 0x310, 0x380, 0x390, 0x3e0]) {
    assertEquals(apic.read(at), 0, at.toString(16));
  }
  assertEquals(apic.apicBase, 0xfee00800n);
  assertEquals(lapics(1)[0].apicBase, 0xfee00900n);
});

Deno.test("lapic: the version tells x2APIC and broadcast suppression", () => {
  assertEquals(lapics(1, 0)[0].read(0x30), 0x50014);
  assertEquals(lapics(1, X2APIC | DIRECTED_EOI)[0].read(0x30), 0x1050015);
});

Deno.test("lapic: writes keep reserved and read-only bits", () => {
  const apic = enabled();
  const expected: [number, number][] = [
    [0x20, 0],
    [0x30, 0x50015],
    [0x80, 0xff],
    [0xd0, 0xff000000],
    [0xe0, 0xffffffff],
    [0x320, 0x700ff],
    [0x330, 0x107ff],
    [0x340, 0x107ff],
    [0x350, 0x1a7ff],
    [0x360, 0x1a7ff],
    [0x370, 0x100ff],
    [0x310, 0xff000000],
    [0x3e0, 0xb],
  ];
  for (const [at, value] of expected) {
    apic.write(at, 0xffffffff);
    assertEquals(apic.read(at), value, at.toString(16));
  }
  apic.write(0xe0, 0);
  assertEquals(apic.read(0xe0), 0x0fffffff);
  apic.write(0xf0, 0xffffffff);
  assertEquals(apic.read(0xf0), 0x3ff, "bit 12 does not exist here");
});

Deno.test("lapic: only whole registers exist in the page", () => {
  const apic = enabled();
  apic.write(0x84, 0x50);
  assertEquals(apic.read(0x80), 0);
  apic.write(0x80, 0x50);
  assertEquals(apic.read(0x84), 0);
});

Deno.test("lapic: a reserved register is an error, shown after an ESR write", () => {
  const apic = enabled();
  for (const at of [0x0, 0x40, 0x290, 0x2f0, 0x3a0, 0x3f0, 0x400, 0xff0]) {
    assertEquals(apic.read(at), 0);
    assertEquals(apic.read(0x280), 0);
    apic.write(0x280, 0);
    assertEquals(apic.read(0x280), 0x80, at.toString(16));
    apic.write(0x280, 0);
    assertEquals(apic.read(0x280), 0, "shown once");
  }
  apic.write(0x40, 1);
  apic.write(0x280, 0xffff);
  assertEquals(apic.read(0x280), 0x80);
});

Deno.test("lapic: an EOI read is no error", () => {
  const apic = enabled();
  assertEquals(apic.read(0xb0), 0);
  apic.write(0x280, 0);
  assertEquals(apic.read(0x280), 0);
});

Deno.test("lapic: software disable masks every LVT entry and holds it", () => {
  const apic = enabled();
  for (const lvt of LVTS) apic.write(lvt, 0x40);
  apic.write(0xf0, 0xff);
  for (const lvt of LVTS) assertEquals(apic.read(lvt), 0x10040);
  for (const lvt of LVTS) apic.write(lvt, 0x41);
  for (const lvt of LVTS) assertEquals(apic.read(lvt), 0x10041);
  apic.write(0xf0, 0x1ff);
  for (const lvt of LVTS) assertEquals(apic.read(lvt), 0x10041);
  apic.write(0x320, 0x41);
  assertEquals(apic.read(0x320), 0x41);
});

Deno.test("lapic: software-disabled refuses new interrupts, keeps old ones", () => {
  const apic = enabled();
  apic.accept(0x51);
  apic.write(0xf0, 0xff);
  assertEquals(apic.accept(0x52), false);
  assertEquals(apic.requested, [0x51]);
  assertEquals(apic.pending, 0x51);
});

Deno.test("lapic: INIT resets all but ID and IA32_APIC_BASE", () => {
  const [, apic] = lapics(2);
  apic.enable().writeApicBase(0xfec80800n);
  apic.write(0x80, 0x40);
  apic.write(0xd0, 0x55000000);
  apic.write(0x350, 0x700);
  apic.accept(0x51);
  apic.accept(0x61);
  apic.acknowledge();
  apic.f.lapicInit(apic.base);
  assertEquals(apic.read(0x20), 1 << 24);
  assertEquals(apic.apicBase, 0xfec80800n);
  assertEquals(apic.read(0x80), 0);
  assertEquals(apic.read(0xd0), 0);
  assertEquals(apic.read(0xf0), 0xff);
  assertEquals(apic.read(0x350), 0x10000);
  assertEquals(apic.requested, []);
  assertEquals(apic.inService, []);
});

Deno.test("lapic: INIT keeps x2APIC mode with ID and logical ID", () => {
  const apic = lapics(19)[18].enterX2();
  apic.f.lapicInit(apic.base);
  assertEquals(apic.apicBase & 0xc00n, 0xc00n);
  assertEquals(apic.rdmsr(0x802), 18n);
  assertEquals(apic.rdmsr(0x80d), 0x10004n);
});

Deno.test("lapic: the page carries state from one APIC to another", () => {
  const [from, to] = lapics(2);
  from.enable();
  from.write(0x80, 0x30);
  from.write(0xd0, 0x02000000);
  from.write(0xe0, 0x0fffffff);
  from.write(0x320, 0x20040);
  from.write(0x3e0, 0xb);
  from.write(0x380, 1000, 100n);
  from.accept(0x51, true);
  from.accept(0x61);
  from.acknowledge();
  from.f.lapicExport(from.base, SCRATCH, 400n);
  assertEquals(from.memory.getUint32(SCRATCH + 0x390, true), 700);
  assertEquals(from.memory.getUint32(SCRATCH + 0xa0, true), 0x60);
  assertEquals(from.memory.getUint32(SCRATCH + 0x400, true), 0);
  to.f.lapicImport(to.base, SCRATCH, 5000n);
  assertEquals(to.read(0x20), 1 << 24, "the ID is its own");
  for (const at of [0x80, 0xa0, 0xd0, 0xe0, 0xf0, 0x320, 0x3e0, 0x380]) {
    assertEquals(to.read(at), from.read(at), at.toString(16));
  }
  assertEquals(to.requested, [0x51]);
  assertEquals(to.inService, [0x61]);
  assertEquals(to.levels, [0x51]);
  assertEquals(to.read(0x390, 5100n), 600);
  assertEquals(to.due, 5700n);
});

Deno.test("lapic: a page with impossible bits is taken without them", () => {
  const apic = enabled();
  for (let i = 0; i < 0x400; i++) apic.memory.setUint8(SCRATCH + i, 0xff);
  apic.memory.setUint32(SCRATCH + 0xf0, 0xff, true);
  apic.memory.setUint32(SCRATCH + 0x320, 0xff, true);
  apic.f.lapicImport(apic.base, SCRATCH, 0n);
  assertEquals(apic.read(0x30), 0x50015);
  assertEquals(apic.requested[0], 16);
  assertEquals(apic.read(0x320), 0x100ff, "software-disabled");
});
