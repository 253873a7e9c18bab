import { assertEquals, assertThrows } from "@std/assert";
import { MmioBus, PortBus } from "../../../src/machine/bus.ts";
import {
  Board,
  DECLARATIONS,
  type InterruptRequest,
  type PowerEvent,
} from "../../../src/machine/devices/board.ts";
import { claim } from "../../../src/machine/devices/declaration.ts";
import { bench, Wire } from "./harness.ts";

function board() {
  const { clock, timers } = bench();
  const ports = new PortBus();
  const mmio = new MmioBus();
  const sent: InterruptRequest[] = [];
  const extInt = new Wire();
  const power: PowerEvent[] = [];
  let text = "";
  const pc = new Board({
    ports,
    mmio,
    timers,
    clock,
    cpus: 2,
    ramBytes: 64 << 20,
    startTime: 0n,
    requestInterrupt: (request) => sent.push(request),
    extInt,
    power: (event) => power.push(event),
    where: () => "",
    stubEntry: () => null,
    serialOut: (bytes) => text += String.fromCharCode(...bytes),
  });
  const ioapic = (register: number, value: number) => {
    mmio.write(0xfec00000, 4, BigInt(register));
    mmio.write(0xfec00010, 4, BigInt(value));
  };
  return {
    pc,
    ports,
    mmio,
    sent,
    extInt,
    power,
    clock,
    text: () => text,
    ioapic,
  };
}

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

Deno.test("reset puts every device back; save and load carry all of them", () => {
  const a = board();
  const fresh = a.pc.save();
  a.ports.write(0x43, 1, 0x34);
  a.ports.write(0x40, 2, 0x1234);
  a.ports.write(0x3ff, 1, 0x55);
  a.ports.write(0x21, 1, 0x12);
  a.ioapic(0x20, 0x45);
  a.ports.write(0x92, 1, 0);
  const used = a.pc.save();
  const b = board();
  b.pc.load(JSON.parse(JSON.stringify(used)));
  assertEquals(b.pc.save(), used);
  a.pc.reset();
  assertEquals(a.pc.save(), fresh);
  assertThrows(() => a.pc.load({}), TypeError, "has no i8259");
});

Deno.test("wires that do not exist are refused", () => {
  const { pc } = board();
  assertThrows(() => pc.irq(24), RangeError);
  assertThrows(() => pc.irq(2), RangeError);
});

Deno.test("the devices are those that are declared, and have just what they declare", () => {
  const { pc, ports, mmio } = board();
  assertEquals(pc.devices.map((device) => device.declaration), [
    ...DECLARATIONS,
  ]);
  assertEquals(
    pc.devices.map(({ name }) => name),
    DECLARATIONS.map(({ name }) => name),
  );
  const names = new Set(DECLARATIONS.map(({ name }) => name));
  assertEquals(names.size, DECLARATIONS.length);
  const taken = [...ports.claims, ...mmio.claims].map(
    ({ first, count, name }) => [name, first, count],
  );
  const declared = DECLARATIONS.flatMap(({ name, ports = [], memory }) =>
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
