import { assertEquals, assertThrows } from "@std/assert";
import { PciHost } from "../../../src/machine/devices/pci_host.ts";

/** Reads a register of a function by mechanism #1. */
function read(
  pci: PciHost,
  address: number,
  port = 0xcfc,
  size: 1 | 2 | 4 = 4,
) {
  pci.writePort(0xcf8, 4, address);
  return pci.readPort(port, size);
}

Deno.test("PCI: the address register reads as written, in doublewords only", () => {
  const pci = new PciHost();
  pci.writePort(0xcf8, 4, 0xffffffff);
  assertEquals(pci.readPort(0xcf8, 4), 0x80fffffc);
  pci.writePort(0xcf8, 1, 0);
  pci.writePort(0xcf8, 2, 0);
  assertEquals(pci.readPort(0xcf8, 4), 0x80fffffc);
  assertEquals([pci.readPort(0xcf8, 1), pci.readPort(0xcf8, 2)], [
    0xff,
    0xffff,
  ]);
});

Deno.test("PCI: there is a host bridge, whole and in parts", () => {
  const pci = new PciHost();
  assertEquals(read(pci, 0x80000000), 0x12378086);
  assertEquals(read(pci, 0x80000000, 0xcfe, 2), 0x1237);
  assertEquals(read(pci, 0x80000008, 0xcff, 1), 0x06, "bridge");
  assertEquals(read(pci, 0x80000008, 0xcfe, 1), 0x00, "to the host");
  assertEquals(read(pci, 0x8000000c, 0xcfe, 1), 0x00, "one function");
  for (let register = 0x10; register < 0x100; register += 4) {
    assertEquals(read(pci, 0x80000000 + register), 0, "no BARs, no list");
  }
});

Deno.test("PCI: nothing else answers, and nothing without the enable bit", () => {
  const pci = new PciHost();
  for (const place of [0x0100, 0x0800, 0xf800, 0x10000, 0xff0000]) {
    assertEquals(read(pci, 0x80000000 + place), 0xffffffff, `${place}`);
  }
  assertEquals(read(pci, 0), 0xffffffff);
  assertEquals(read(pci, 0, 0xcfd, 1), 0xff);
});

Deno.test("PCI: configuration writes change nothing", () => {
  const pci = new PciHost();
  pci.writePort(0xcf8, 4, 0x80000004);
  pci.writePort(0xcfc, 2, 0);
  pci.writePort(0xcfc, 4, 0xffffffff);
  assertEquals(read(pci, 0x80000004), 0x02800006);
});

Deno.test("PCI: reset, save, load", () => {
  const pci = new PciHost(), other = new PciHost();
  pci.writePort(0xcf8, 4, 0x80001234);
  other.load(pci.save());
  assertEquals(other.readPort(0xcf8, 4), 0x80001234);
  assertThrows(() => other.load({}), TypeError, "a field address");
  pci.reset();
  assertEquals(pci.readPort(0xcf8, 4), 0);
});
