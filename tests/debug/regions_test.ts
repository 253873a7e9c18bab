// What is mapped around an address, and device registers looked at.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { IOAPIC_BASE } from "../../src/machine/devices/ioapic.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode, RAM } from "./long_mode.ts";

const ignore = !requireTool("gcc");
const APIC = 0xfee00000;
const DEVICE = 0xd0000000;

function guestTest(
  name: string,
  fn: (guest: LongMode) => void | Promise<void>,
): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const guest = await LongMode.start("nop\nhlt", 2);
      try {
        await fn(guest);
      } finally {
        await guest.close();
      }
    },
  });
}

/** Bytes read at a linear address, as many as there are. */
function read(guest: LongMode, cpu: number, at: number, bytes: number): string {
  const into = new Uint8Array(bytes);
  const count = guest.debugger.readMemory(cpu, BigInt(at), into);
  return into.subarray(0, count).toHex();
}

guestTest(
  "the regions of an address space follow each other to its end",
  (guest) => {
    const seen: [bigint, bigint, string][] = [];
    for (let at = 0n; at < 1n << 64n;) {
      const { start, bytes, permissions } = guest.debugger.regionAt(0, at);
      assertEquals(start, at);
      seen.push([start, start + bytes, permissions]);
      at = start + bytes;
    }
    const mapped = seen.filter(([, , permissions]) => permissions !== "");
    assertEquals(mapped, [
      [0n, BigInt(RAM), "rwx"],
      [BigInt(IOAPIC_BASE), BigInt(IOAPIC_BASE + 0x1000), "rwx"],
      [BigInt(APIC), BigInt(APIC + 0x1000), "rwx"],
    ]);
    assertEquals(seen.at(-1)?.[1], 1n << 64n);
    const hole = guest.debugger.regionAt(0, 0x123456789000n);
    assertEquals(hole.permissions, "");
  },
);

guestTest("each processor shows its own local APIC", (guest) => {
  // Real processors' version numbers begin with 1.
  for (const cpu of [0, 1]) {
    assertEquals(read(guest, cpu, APIC + 0x20, 4), `0000000${cpu}`);
    assertEquals(read(guest, cpu, APIC + 0x30, 1)[0], "1");
    assertEquals(read(guest, cpu, APIC + 0x23, 1), `0${cpu}`);
    const into = new Uint8Array(4);
    assertEquals(
      guest.debugger.readPhysical(BigInt(APIC + 0x20), into, cpu),
      4,
    );
    assertEquals(into[3], cpu);
  }
  // Up to the end of the page, and no further.
  assertEquals(read(guest, 0, APIC + 0xff8, 16).length, 2 * 8);
  // Where it has been moved away from there is nothing.
  const { vp } = guest.machine.processors[0];
  vp.set(Reg.ApicBase, 0xfee00000n | 0x100n);
  assertEquals(read(guest, 0, APIC + 0x20, 4), "");
});

guestTest("the IOAPIC shows its window, and selects nothing", (guest) => {
  guest.machine.mmio.write(IOAPIC_BASE, 4, 1n);
  assertEquals(read(guest, 0, IOAPIC_BASE, 4), "01000000");
  assertEquals(read(guest, 0, IOAPIC_BASE + 0x10, 4), "11001700");
  assertEquals(guest.machine.mmio.accesses.get("ioapic"), 1, "not counted");
});

guestTest("a device that changes by being read is not read", (guest) => {
  let reads = 0;
  guest.machine.mmio.claim(
    DEVICE,
    0x1000,
    { readMmio: () => BigInt(++reads), writeMmio() {} },
    "fifo",
  );
  assertEquals(read(guest, 0, DEVICE, 4), "");
  assertEquals(
    guest.debugger.state.devices.refusal(0, DEVICE),
    "0xd0000000 is fifo: it cannot be read without effects",
  );
  assertEquals(
    guest.debugger.state.devices.refusal(0, DEVICE + 0x1000),
    "nothing is at 0xd0001000",
  );
  assertEquals(reads, 0);
});
