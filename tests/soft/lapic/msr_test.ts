// x2APIC registers as MSRs and IA32_APIC_BASE: what raises #GP, mode
// transitions. SDM vol. 3, APIC chapter: "Extended XAPIC (x2APIC)".

import { assertEquals } from "@std/assert";
import {
  DIRECTED_EOI,
  enabled,
  GP,
  lapics,
  LEVEL_EOI,
  MODE,
  RECHECK,
  RECHECK_ALL,
  TIMER,
  X2APIC,
} from "./lapic.ts";

const READABLE = [
  0x802,
  0x803,
  0x808,
  0x80a,
  0x80d,
  0x80f,
  ...Array.from({ length: 24 }, (_, i) => 0x810 + i),
  0x828,
  0x830,
  ...Array.from({ length: 8 }, (_, i) => 0x832 + i),
  0x83e,
];
// Register, a value that it takes, a bit that is reserved.
const WRITABLE: [number, bigint, bigint][] = [
  [0x808, 0xffn, 0x100n],
  [0x80b, 0n, 1n],
  [0x80f, 0x3ffn, 0x1000n],
  [0x828, 0n, 1n],
  [0x830, 0x4_0000_4041n, 0x1000n],
  [0x832, 0x710ffn, 0x100n],
  [0x833, 0x117ffn, 0x800n],
  [0x834, 0x117ffn, 0x2000n],
  [0x835, 0x1f7ffn, 0x800n],
  [0x836, 0x1f7ffn, 0x20000n],
  [0x837, 0x110ffn, 0x100n],
  [0x838, 0xffffffffn, 0x1_0000_0000n],
  [0x83e, 0xbn, 4n],
  [0x83f, 0xffn, 0x100n],
];

Deno.test("x2apic: exactly the table's registers can be read", () => {
  const apic = enabled().enterX2();
  for (let msr = 0x800; msr <= 0x8ff; msr++) {
    const readable = apic.rdmsr(msr) !== "#GP";
    assertEquals(readable, READABLE.includes(msr), msr.toString(16));
  }
});

Deno.test("x2apic: exactly the table's registers can be written", () => {
  const writable = new Map(WRITABLE.map(([msr, value]) => [msr, value]));
  for (let msr = 0x800; msr <= 0x8ff; msr++) {
    const apic = enabled().enterX2();
    const accepted = apic.wrmsr(msr, writable.get(msr) ?? 0n) !== GP;
    assertEquals(accepted, writable.has(msr), msr.toString(16));
  }
});

Deno.test("x2apic: reserved bits raise #GP and change nothing", () => {
  for (const [msr, , reserved] of WRITABLE) {
    const apic = enabled().enterX2();
    const before = apic.rdmsr(msr);
    assertEquals(apic.wrmsr(msr, reserved), GP, msr.toString(16));
    assertEquals(apic.rdmsr(msr), before);
    if (msr === 0x830) continue;
    assertEquals(apic.wrmsr(msr, 1n << 32n), GP, msr.toString(16));
  }
  const apic = enabled().enterX2();
  for (const bit of [12n, 13n, 16n, 17n, 20n, 31n]) {
    assertEquals(apic.wrmsr(0x830, 1n << bit), GP, `ICR bit ${bit}`);
  }
});

Deno.test("x2apic: the MSRs exist in x2APIC mode only", () => {
  const apic = enabled();
  assertEquals(apic.rdmsr(0x802), "#GP");
  assertEquals(apic.wrmsr(0x808, 0n), GP);
  apic.writeApicBase(0xfee00100n);
  assertEquals(apic.rdmsr(0x802), "#GP");
  assertEquals(apic.wrmsr(0x808, 0n), GP);
});

Deno.test("x2apic: IDs are 32 bits, the logical one is derived", () => {
  const apics = lapics(20);
  const apic = apics[19].enterX2();
  assertEquals(apic.rdmsr(0x802), 19n);
  assertEquals(apic.rdmsr(0x80d), 0x10008n);
  assertEquals(apics[18].read(0x20), 18 << 24);
});

Deno.test("x2apic: ICR is one 64-bit register", () => {
  const apics = lapics(2).map((apic) => apic.enable().enterX2());
  assertEquals(apics[0].wrmsr(0x830, 0x1_0000_4041n), RECHECK_ALL);
  assertEquals(apics[0].rdmsr(0x830), 0x1_0000_4041n);
  assertEquals(apics[1].requested, [0x41]);
});

Deno.test("x2apic: SELF IPI", () => {
  const apic = enabled().enterX2();
  assertEquals(apic.wrmsr(0x83f, 0x41n), RECHECK);
  assertEquals(apic.requested, [0x41]);
  apic.wrmsr(0x83f, 0xfn);
  apic.wrmsr(0x828, 0n);
  assertEquals(apic.rdmsr(0x828), 0x20n);
  assertEquals(apic.requested, [0x41]);
});

Deno.test("x2apic: EOI, TPR and timer work as in the page", () => {
  const apic = enabled().enterX2();
  apic.accept(0x41, true);
  apic.acknowledge();
  assertEquals(apic.rdmsr(0x812), 2n);
  assertEquals(apic.wrmsr(0x80b, 0n), RECHECK | LEVEL_EOI | 0x41);
  assertEquals(apic.wrmsr(0x808, 0x50n), RECHECK);
  assertEquals(apic.rdmsr(0x80a), 0x50n);
  apic.wrmsr(0x83e, 0xbn);
  apic.wrmsr(0x832, 0x41n);
  assertEquals(apic.wrmsr(0x838, 100n, 1000n), TIMER);
  assertEquals(apic.rdmsr(0x839, 1030n), 70n);
});

Deno.test("x2apic: SVR bit 12 where the version has it", () => {
  const apic = enabled(X2APIC | DIRECTED_EOI).enterX2();
  assertEquals(apic.wrmsr(0x80f, 0x11ffn) & GP, 0);
  assertEquals(apic.rdmsr(0x80f), 0x11ffn);
});

Deno.test("apic base: legal transitions", () => {
  const apic = enabled();
  const mode = () => apic.f.lapicMode(apic.base);
  assertEquals(apic.writeApicBase(0xfee00900n), MODE, "no change");
  assertEquals(mode(), 1);
  apic.writeApicBase(0xfee00d00n);
  assertEquals(mode(), 2);
  apic.writeApicBase(0xfee00100n);
  assertEquals(mode(), 0);
  apic.writeApicBase(0xfee00900n);
  assertEquals(mode(), 1);
  apic.writeApicBase(0xfee00100n);
  assertEquals(mode(), 0);
});

Deno.test("apic base: illegal transitions and reserved bits raise #GP", () => {
  const apic = enabled();
  const refused = (value: bigint) => {
    const before = apic.apicBase;
    assertEquals(apic.writeApicBase(value), GP, value.toString(16));
    assertEquals(apic.apicBase, before);
  };
  refused(0xfee00500n);
  for (const bit of [0n, 1n, 7n, 9n, 40n, 63n]) {
    refused(0xfee00900n | 1n << bit);
  }
  apic.enterX2();
  refused(0xfee00900n);
  refused(0xfee00500n);
  apic.writeApicBase(0xfee00100n);
  refused(0xfee00d00n);
  refused(0xfee00500n);
  const old = enabled(0);
  assertEquals(old.writeApicBase(0xfee00d00n), GP, "no x2APIC");
});

Deno.test("apic base: the page can move, BSP can be cleared", () => {
  const apic = enabled();
  assertEquals(apic.writeApicBase(0xff_fec8_0800n), MODE);
  assertEquals(apic.apicBase, 0xff_fec8_0800n);
});

Deno.test("apic base: x2APIC mode takes the state over", () => {
  const apic = enabled();
  apic.write(0x80, 0x30);
  apic.write(0xd0, 0x01000000);
  apic.write(0x320, 0x41);
  apic.write(0x310, 0x01000000);
  apic.accept(0x61);
  apic.enterX2();
  assertEquals(apic.rdmsr(0x808), 0x30n);
  assertEquals(apic.rdmsr(0x80f), 0x1ffn);
  assertEquals(apic.rdmsr(0x832), 0x41n);
  assertEquals(apic.rdmsr(0x80d), 1n);
  assertEquals(apic.rdmsr(0x830), 0n);
  assertEquals(apic.pending, 0x61);
});

Deno.test("apic base: disabling loses the state, ID stays", () => {
  const apic = lapics(3)[2].enable();
  apic.write(0x80, 0x30);
  apic.write(0x320, 0x20041);
  apic.write(0x380, 100, 0n);
  apic.accept(0x61);
  const result = apic.writeApicBase(0xfee00000n);
  assertEquals(result, MODE | RECHECK | TIMER);
  apic.writeApicBase(0xfee00800n);
  assertEquals(apic.read(0x20), 2 << 24);
  assertEquals(apic.read(0x80), 0);
  assertEquals(apic.read(0xf0), 0xff);
  assertEquals(apic.read(0x390, 10n), 0);
  assertEquals(apic.requested, []);
});
