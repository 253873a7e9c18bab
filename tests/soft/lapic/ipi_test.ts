// ICR dispatch: delivery modes, shorthands, destinations, arbitration, INIT and
// SIPI; and messages from outside as WHvRequestInterrupt makes them.
// SDM vol. 3, APIC chapter: "Issuing Interprocessor Interrupts".

import { assertEquals } from "@std/assert";
import {
  ILLEGAL,
  Lapic,
  lapics,
  OK,
  PENDING_INIT,
  PENDING_NMI,
  PENDING_SIPI,
  RECHECK_ALL,
  TRAP,
} from "./lapic.ts";

function started(count: number): Lapic[] {
  return lapics(count).map((apic) => apic.enable());
}

/** Sends an IPI in xAPIC mode. */
function send(from: Lapic, low: number, destination = 0): number {
  from.write(0x310, destination << 24);
  return from.write(0x300, low);
}

/** VPs that were sent `vector`; takes it from them. */
function got(apics: Lapic[], vector: number): number[] {
  const found: number[] = [];
  apics.forEach((apic, vp) => {
    if (!apic.requested.includes(vector)) return;
    found.push(vp);
    apic.acknowledge();
    apic.endOfInterrupt();
  });
  return found;
}

Deno.test("lapic: fixed IPI to a physical destination", () => {
  const apics = started(4);
  assertEquals(send(apics[0], 0x4041, 2), RECHECK_ALL);
  assertEquals(got(apics, 0x41), [2]);
  assertEquals(send(apics[0], 0x4041, 9), OK, "nobody there");
  assertEquals(got(apics, 0x41), []);
  send(apics[0], 0x4041, 0xff);
  assertEquals(got(apics, 0x41), [0, 1, 2, 3]);
});

Deno.test("lapic: ICR reads back, delivery status idle", () => {
  const [apic] = started(1);
  send(apic, 0xfffff041 | 0, 0x12);
  assertEquals(apic.read(0x300), 0xce041 & ~(1 << 13));
  assertEquals(apic.read(0x310), 0x12000000);
});

Deno.test("lapic: shorthands", () => {
  const apics = started(3);
  send(apics[1], 0x44041, 0);
  assertEquals(got(apics, 0x41), [1], "self");
  send(apics[1], 0x84041, 0);
  assertEquals(got(apics, 0x41), [0, 1, 2], "all");
  send(apics[1], 0xc4041, 0);
  assertEquals(got(apics, 0x41), [0, 2], "all but self");
});

Deno.test("lapic: self and all are for fixed interrupts only", () => {
  const apics = started(2);
  for (const shorthand of [0x40000, 0x80000]) {
    for (const mode of [0x100, 0x400, 0x500, 0x600]) {
      assertEquals(send(apics[0], shorthand | mode | 0x4041), OK);
    }
  }
  for (const apic of apics) {
    assertEquals(apic.events, 0);
    assertEquals(apic.requested, []);
  }
});

Deno.test("lapic: IPIs are edge-triggered whatever the ICR says", () => {
  const apics = started(2);
  send(apics[0], 0xc041, 1);
  assertEquals(apics[1].requested, [0x41]);
  assertEquals(apics[1].levels, []);
});

Deno.test("lapic: flat logical destinations", () => {
  const apics = started(4);
  apics.forEach((apic, vp) => apic.write(0xd0, 1 << (24 + vp)));
  send(apics[0], 0x4841, 0x0a);
  assertEquals(got(apics, 0x41), [1, 3]);
  send(apics[0], 0x4841, 0xff);
  assertEquals(got(apics, 0x41), [0, 1, 2, 3]);
  send(apics[0], 0x4841, 0);
  assertEquals(got(apics, 0x41), []);
});

Deno.test("lapic: cluster logical destinations", () => {
  const apics = started(4);
  [0x11, 0x12, 0x21, 0x28].forEach((id, vp) => {
    apics[vp].write(0xd0, id << 24);
    apics[vp].write(0xe0, 0);
  });
  send(apics[0], 0x4841, 0x13);
  assertEquals(got(apics, 0x41), [0, 1]);
  send(apics[0], 0x4841, 0x28);
  assertEquals(got(apics, 0x41), [3]);
  send(apics[0], 0x4841, 0x30);
  assertEquals(got(apics, 0x41), []);
  send(apics[0], 0x4841, 0xff);
  assertEquals(got(apics, 0x41), [0, 1, 2, 3]);
  apics[3].write(0xe0, 0x70000000);
  send(apics[0], 0x4841, 0x28);
  assertEquals(got(apics, 0x41), [], "no such model");
});

Deno.test("lapic: x2APIC destinations are 32 bits wide", () => {
  const apics = started(20).map((apic) => apic.enterX2());
  const ipi = (low: number, to: number) =>
    apics[0].wrmsr(0x830, BigInt(to) << 32n | BigInt(low));
  ipi(0x4041, 17);
  assertEquals(got(apics, 0x41), [17]);
  ipi(0x4041, 0xff);
  assertEquals(got(apics, 0x41), [], "0xff is an ID here");
  ipi(0x4041, 0xffffffff);
  assertEquals(got(apics, 0x41).length, 20);
  ipi(0x4841, 0x0001000a);
  assertEquals(got(apics, 0x41), [17, 19]);
  ipi(0x4841, 0x00000003);
  assertEquals(got(apics, 0x41), [0, 1]);
  ipi(0x4841, 0x00020001);
  assertEquals(got(apics, 0x41), []);
  ipi(0xc4041, 5);
  assertEquals(got(apics, 0x41).length, 19);
});

Deno.test("lapic: lowest priority goes to the lowest PPR, then in turn", () => {
  const apics = started(4);
  const winner = () => {
    send(apics[0], 0x4141, 0xff);
    return got(apics, 0x41);
  };
  assertEquals([winner(), winner(), winner(), winner(), winner()], [
    [1],
    [2],
    [3],
    [0],
    [1],
  ]);
  apics[2].write(0x80, 0x20);
  assertEquals([winner(), winner(), winner()], [[3], [0], [1]]);
  for (const vp of [0, 1, 3]) apics[vp].write(0x80, 0x30);
  assertEquals([winner(), winner()], [[2], [2]]);
});

Deno.test("lapic: lowest priority needs a match that is enabled", () => {
  const apics = started(3);
  apics[1].write(0xf0, 0xff);
  apics.forEach((apic, vp) => apic.write(0xd0, 1 << (24 + vp)));
  send(apics[0], 0x4941, 0x06);
  assertEquals(got(apics, 0x41), [2]);
  assertEquals(send(apics[0], 0x4941, 0x02), OK);
  send(apics[0], 0xc4141);
  assertEquals(got(apics, 0x41), [2], "all but self");
});

Deno.test("lapic: an illegal vector is not sent", () => {
  const apics = started(2);
  for (const mode of [0, 0x100]) {
    send(apics[0], 0x400f | mode, 1);
    apics[0].write(0x280, 0);
    assertEquals(apics[0].read(0x280), 0x20);
    apics[1].write(0x280, 0);
    assertEquals(apics[1].read(0x280), 0);
  }
  assertEquals(send(apics[0], 0x4400, 1), RECHECK_ALL, "NMI has no vector");
});

Deno.test("lapic: NMI reaches a software-disabled APIC, fixed does not", () => {
  const apics = lapics(2);
  send(apics[0], 0x4041, 1);
  send(apics[0], 0x4400, 1);
  assertEquals(apics[1].requested, []);
  assertEquals(apics[1].events, PENDING_NMI);
});

Deno.test("lapic: SMI and reserved modes do nothing", () => {
  const apics = started(2);
  for (const mode of [0x200, 0x300, 0x700]) {
    assertEquals(send(apics[0], 0x4041 | mode, 1), OK);
  }
  assertEquals(apics[1].events, 0);
  assertEquals(apics[1].requested, []);
});

Deno.test("lapic: INIT, de-assert, SIPI, SIPI", () => {
  const [bsp, ap] = started(2);
  const { f } = ap;
  send(bsp, 0x0c4608);
  assertEquals(f.lapicTakeSipi(ap.base), 8, "an AP waits after reset");
  assertEquals(f.lapicWaitsForSipi(ap.base), 0);
  send(bsp, 0x4609, 1);
  assertEquals(ap.events, 0, "ignored while running");
  send(bsp, 0xc500, 1);
  assertEquals(ap.events, PENDING_INIT);
  f.lapicInit(ap.base);
  send(bsp, 0x8500, 1);
  assertEquals(ap.events, 0, "level de-assert");
  assertEquals(f.lapicWaitsForSipi(ap.base), 1);
  assertEquals(f.lapicTakeSipi(ap.base), -1);
  send(bsp, 0x460a, 1);
  send(bsp, 0x460b, 1);
  assertEquals(f.lapicTakeSipi(ap.base), 10, "the first counts");
  assertEquals(f.lapicTakeSipi(ap.base), -1);
});

Deno.test("lapic: a SIPI right behind an INIT is kept", () => {
  const [bsp, ap] = started(2);
  ap.f.lapicTakeSipi(ap.base);
  send(bsp, 0x4500, 1);
  send(bsp, 0x460a, 1);
  assertEquals(ap.events, PENDING_INIT | PENDING_SIPI);
  ap.f.lapicInit(ap.base);
  assertEquals(ap.f.lapicTakeSipi(ap.base), 10);
  send(bsp, 0x4500, 1);
  send(bsp, 0x460a, 1);
  send(bsp, 0x4500, 1);
  assertEquals(ap.events, PENDING_INIT, "a new INIT cancels it");
});

Deno.test("lapic: the BSP starts over after INIT instead of waiting", () => {
  const [bsp, ap] = started(2);
  send(ap, 0x4500, 0);
  send(ap, 0x4610, 0);
  bsp.f.lapicInit(bsp.base);
  assertEquals(bsp.f.lapicWaitsForSipi(bsp.base), 0);
  assertEquals(bsp.events, 0);
});

Deno.test("lapic: INIT drops a pending NMI", () => {
  const [bsp, ap] = started(2);
  send(bsp, 0x4400, 1);
  send(bsp, 0x4500, 1);
  ap.f.lapicInit(ap.base);
  assertEquals(ap.events, 0);
});

Deno.test("lapic: a disabled APIC gets no messages", () => {
  const apics = started(2);
  apics[1].writeApicBase(0xfee00000n);
  for (const mode of [0, 0x400, 0x500]) {
    assertEquals(send(apics[0], 0x4041 | mode, 1), OK);
  }
  assertEquals(apics[1].events, 0);
});

Deno.test("lapic: INIT and SIPI can be trapped, other IPIs not", () => {
  const [bsp, ap] = started(2);
  bsp.f.lapicTrapInitSipi(1);
  assertEquals(send(bsp, 0x4500, 1), TRAP);
  assertEquals(bsp.f.lapicTrappedIcr(bsp.base), 0x0100_0000_0000_4500n);
  assertEquals(send(bsp, 0x4608, 1), TRAP);
  assertEquals(ap.events, 0);
  assertEquals(send(bsp, 0x8500, 1), OK, "the de-assert is nothing");
  assertEquals(send(bsp, 0x4400, 1), RECHECK_ALL);
  assertEquals(ap.events, PENDING_NMI);
});

const FIXED = 0, LOWEST = 1, NMI = 4, INIT = 5, SIPI = 6, LINT1 = 9;

Deno.test("lapic request: fixed, edge and level, physical and logical", () => {
  const apics = started(3);
  const { f } = apics[0];
  assertEquals(f.lapicRequest(FIXED, 0, 0, 1, 0x41), RECHECK_ALL);
  assertEquals(apics[1].requested, [0x41]);
  assertEquals(apics[1].levels, []);
  f.lapicRequest(FIXED, 0, 1, 2, 0x41);
  assertEquals(apics[2].levels, [0x41]);
  apics.forEach((apic, vp) => apic.write(0xd0, 1 << (24 + vp)));
  f.lapicRequest(FIXED, 1, 0, 5, 0x51);
  assertEquals(got(apics, 0x51), [0, 2]);
  for (const everyone of [0xff, 0xffffffff]) {
    f.lapicRequest(FIXED, 0, 0, everyone, 0x61);
    assertEquals(got(apics, 0x61), [0, 1, 2]);
  }
});

Deno.test("lapic request: lowest priority, NMI, INIT, SIPI", () => {
  const apics = started(3);
  const { f } = apics[0];
  apics[1].write(0x80, 0x10);
  f.lapicRequest(LOWEST, 0, 0, 0xff, 0x41);
  assertEquals(got(apics, 0x41), [2]);
  f.lapicRequest(NMI, 0, 0, 1, 0);
  assertEquals(apics[1].events, PENDING_NMI);
  f.lapicRequest(SIPI, 0, 0, 2, 0x12);
  assertEquals(f.lapicTakeSipi(apics[2].base), 0x12);
  f.lapicRequest(INIT, 0, 0, 2, 0);
  assertEquals(apics[2].events, PENDING_INIT);
});

Deno.test("lapic request: LocalInt1 goes through LVT LINT1", () => {
  const [apic, other] = started(2);
  const { f } = apic;
  f.lapicRequest(LINT1, 0, 0, 0, 0);
  assertEquals(apic.events, 0, "masked");
  apic.write(0x360, 0x400);
  f.lapicRequest(LINT1, 0, 0, 0, 0);
  assertEquals([apic.events, other.events], [PENDING_NMI, 0]);
  other.write(0x360, 0x51);
  f.lapicRequest(LINT1, 0, 0, 1, 0);
  assertEquals(other.requested, [0x51]);
  other.writeApicBase(0xfee00000n);
  f.lapicRequest(LINT1, 0, 0, 1, 0);
  assertEquals(other.events, PENDING_NMI, "the NMI pin while disabled");
});

Deno.test("lapic request: what cannot be requested changes nothing", () => {
  const [apic] = started(1);
  const { f } = apic;
  for (const type of [2, 3, 7, 8, 10, 255]) {
    assertEquals(f.lapicRequest(type, 0, 0, 0, 0x41), ILLEGAL);
  }
  for (const vector of [0, 15, 256, 0xffffffff]) {
    assertEquals(f.lapicRequest(FIXED, 0, 0, 0, vector), ILLEGAL);
    assertEquals(f.lapicRequest(LOWEST, 0, 0, 0, vector), ILLEGAL);
  }
  assertEquals(apic.requested, []);
  assertEquals(apic.events, 0);
  apic.write(0x280, 0);
  assertEquals(apic.read(0x280), 0);
  assertEquals(f.lapicRequest(FIXED, 0, 0, 7, 0x41), OK, "nobody there");
});
