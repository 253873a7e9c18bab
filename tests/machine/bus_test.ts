import { assertEquals, assertThrows } from "@std/assert";
import { MmioBus, PortBus } from "../../src/machine/bus.ts";

Deno.test("ports go to who claimed them, and only those", () => {
  const bus = new PortBus();
  const log: string[] = [];
  bus.claim(0x60, 2, {
    readPort: (port, size) => port * 16 + size,
    writePort: (port, size, value) => void log.push(`${port} ${size} ${value}`),
  }, "kbd");
  assertEquals(bus.read(0x60, 1), 0x601);
  assertEquals(bus.read(0x61, 2), 0x612);
  assertEquals(bus.read(0x62, 1), 0xff);
  assertEquals(bus.read(0x5f, 2), 0xffff);
  assertEquals(bus.read(0xffff, 4), 0xffffffff);
  bus.write(0x61, 4, 7);
  bus.write(0x62, 4, 8);
  assertEquals(log, ["97 4 7"]);
  assertEquals([...bus.accesses], [
    ["kbd", 3],
    ["nothing at ports 0x60-0x6f", 2],
    ["nothing at ports 0x50-0x5f", 1],
    ["nothing at ports 0xfff0-0xffff", 1],
  ]);
});

Deno.test("overlapping port claims say who has the port", () => {
  const bus = new PortBus();
  const device = { readPort: () => 0, writePort() {} };
  bus.claim(0x3f8, 8, device, "serial0");
  const error = assertThrows(
    () => bus.claim(0x3f0, 9, device, "floppy"),
    RangeError,
  );
  assertEquals(error.message, "floppy: port 0x3f8 is taken by serial0");
  bus.claim(0x3f0, 8, device, "floppy");
  assertThrows(() => bus.claim(0xfffe, 3, device, "high"), RangeError);
  assertThrows(() => bus.claim(0, 0, device, "none"), RangeError);
});

Deno.test("memory-mapped devices get offsets, others are all ones", () => {
  const bus = new MmioBus();
  const writes: [number, number, bigint][] = [];
  bus.claim(0xfec00000, 0x1000, {
    readMmio: (offset, size) => BigInt(offset * 16 + size),
    writeMmio: (offset, size, value) => void writes.push([offset, size, value]),
  }, "ioapic");
  assertEquals(bus.read(0xfec00010, 4), 0x104n);
  assertEquals(bus.read(0xfec00fff, 1), 0xfff1n);
  assertEquals(bus.read(0xfec01000, 4), 0xffffffffn);
  assertEquals(bus.read(0xfebfffff, 8), 0xffffffffffffffffn);
  bus.write(0xfec00010, 4, 5n);
  bus.write(0xfed00000, 4, 6n);
  assertEquals(writes, [[0x10, 4, 5n]]);
  assertEquals([...bus.accesses], [
    ["ioapic", 3],
    ["nothing at addresses 0xfec01000-0xfec01fff", 1],
    ["nothing at addresses 0xfebff000-0xfebfffff", 1],
    ["nothing at addresses 0xfed00000-0xfed00fff", 1],
  ]);
  assertThrows(
    () => bus.claim(0xfec00fff, 1, { readMmio: () => 0n, writeMmio() {} }, "x"),
    RangeError,
    "taken by ioapic",
  );
});
