import { assertEquals, assertThrows } from "@std/assert";
import { MmioBus, PortBus } from "../../../src/machine/bus.ts";
import { PARTS } from "../../../src/machine/devices/board.ts";
import { claim } from "../../../src/machine/devices/declaration.ts";
import { board } from "./pc.ts";

Deno.test("at power-on no interrupt is asked for and no timer armed", () => {
  const { extInt, sent, clock } = board();
  assertEquals([extInt.level, sent.length, clock.armed], [false, 0, false]);
});

Deno.test("IRQ 0 reaches PIC input 0 and IOAPIC input 2", () => {
  const { pc, ports, sent, extInt, clock, ioapic } = board();
  for (
    const [port, value] of [[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1]]
  ) {
    ports.write(port, 1, value);
  }
  ioapic(0x14, 0x30);
  ports.write(0x43, 1, 0x34);
  ports.write(0x40, 1, 0x9c);
  ports.write(0x40, 1, 0x2e);
  clock.advance(10_100_000);
  assertEquals(sent.map(({ vector }) => vector), [0x30]);
  assertEquals([extInt.level, pc.pic.acknowledge()], [true, 0x20]);
});

Deno.test("serial text goes out; its interrupt is GSI 4", () => {
  const { ports, text, sent, ioapic, pc } = board();
  ports.write(0x3f8, 1, 0x48);
  ports.write(0x3f8, 1, 0x69);
  assertEquals(text(), "Hi");
  ioapic(0x18, 0x44);
  ports.write(0x3fc, 1, 8);
  ports.write(0x3f9, 1, 1);
  pc.serial.receive(new Uint8Array([0x61]));
  assertEquals(sent.map(({ vector }) => vector), [0x44]);
});

Deno.test("every way to end the machine", () => {
  const { ports, power } = board();
  ports.write(0xf4, 4, 3);
  ports.write(0x604, 2, 0x2000);
  ports.write(0xb004, 2, 0x2000);
  for (const letter of "Shutdown") ports.write(0x8900, 1, letter.charCodeAt(0));
  ports.write(0x64, 1, 0xfe);
  ports.write(0xcf9, 1, 6);
  ports.write(0x92, 1, 1);
  assertEquals(power.map((event) => event.kind), [
    "exit",
    "power-off",
    "power-off",
    "power-off",
    "reset",
    "reset",
    "reset",
  ]);
});

Deno.test("wires that do not exist are refused", () => {
  const { pc } = board();
  assertThrows(() => pc.irq(24), RangeError);
  assertThrows(() => pc.irq(2), RangeError);
});

Deno.test("the devices are those that are declared, and have just what they declare", () => {
  const { pc, ports, mmio } = board();
  assertEquals(pc.devices.map((device) => device.declaration), [...PARTS]);
  assertEquals(
    pc.devices.map(({ name }) => name),
    PARTS.map(({ name }) => name),
  );
  const names = new Set(PARTS.map(({ name }) => name));
  assertEquals(names.size, PARTS.length);
  const taken = [...ports.claims, ...mmio.claims].map(
    ({ first, count, name }) => [name, first, count],
  );
  const declared = PARTS.flatMap(({ name, ports = [], memory }) =>
    [...ports, ...(memory === undefined ? [] : [memory])].map((
      [first, count],
    ) => [name, first, count])
  );
  const sorted = (list: (string | number)[][]) =>
    list.map((each) => each.join(" ")).sort();
  assertEquals(sorted(taken), sorted(declared));
});

Deno.test("a device without the accesses of what it declares is refused", () => {
  const buses = { ports: new PortBus(), mmio: new MmioBus() };
  const onMemory = { readMmio: () => 0n, writeMmio() {} };
  const onPorts = { readPort: () => 0, writePort() {} };
  const declared = { name: "x", ports: [[0x300, 1]] } as const;
  assertThrows(() => claim(buses, declared, onMemory), TypeError);
  assertThrows(
    () => claim(buses, { name: "y", memory: [0xfe000000, 16] }, onPorts),
    TypeError,
  );
  claim(buses, declared, onPorts);
  assertThrows(() => claim(buses, declared, onPorts), RangeError);
});
