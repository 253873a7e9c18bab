// Model specific registers of hosts that leave them to the caller.

import { assertEquals } from "@std/assert";
import { Msrs } from "../../src/machine/msrs.ts";

const MISC_ENABLE = 0x1a0;

Deno.test("IA32_MISC_ENABLE holds its switches, each processor its own", () => {
  const msrs = new Msrs(), other = new Msrs();
  assertEquals(msrs.read(MISC_ENABLE), 0x1801n);
  assertEquals(msrs.write(MISC_ENABLE, 0x400c51809n), true);
  assertEquals(msrs.read(MISC_ENABLE), 0x400c51809n);
  assertEquals(other.read(MISC_ENABLE), 0x1801n);
  const saved = msrs.state;
  msrs.reset();
  assertEquals(msrs.read(MISC_ENABLE), 0x1801n);
  other.state = saved;
  assertEquals(other.read(MISC_ENABLE), 0x400c51809n);
});

Deno.test("IA32_MISC_ENABLE: (R) is ignored, (RO) and reserved bits refused", () => {
  const msrs = new Msrs();
  assertEquals(msrs.write(MISC_ENABLE, 0x1880n), true);
  assertEquals(msrs.read(MISC_ENABLE), 0x1800n);
  for (const value of [0x1000n, 0x800n]) {
    assertEquals(msrs.write(MISC_ENABLE, value), false);
  }
  const known = new Set([0n, 3n, 7n, 11n, 12n, 16n, 18n, 22n, 23n, 34n]);
  for (let bit = 0n; bit < 64n; bit++) {
    const right = msrs.write(MISC_ENABLE, 0x1800n | 1n << bit);
    assertEquals(right, known.has(bit), `bit ${bit}`);
  }
  assertEquals(msrs.write(0x8b, 5n), true);
  assertEquals(msrs.read(0x8b), 0n);
  assertEquals(msrs.write(0x12345, 0n), false);
  assertEquals(msrs.read(0x12345), undefined);
});
