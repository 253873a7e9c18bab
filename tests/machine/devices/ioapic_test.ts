import { assertEquals } from "@std/assert";
import type { InterruptRequest } from "../../../src/machine/device.ts";
import { IoApic } from "../../../src/machine/devices/ioapic.ts";

function ioapic(extInt = 0x20) {
  const sent: InterruptRequest[] = [];
  const chip = new IoApic({
    requestInterrupt: (request) => sent.push(request),
    extIntVector: () => extInt,
  });
  const write = (register: number, value: number) => {
    chip.writeMmio(0, 4, BigInt(register));
    chip.writeMmio(0x10, 4, BigInt(value >>> 0));
  };
  const read = (register: number) => {
    chip.writeMmio(0, 4, BigInt(register));
    return Number(chip.readMmio(0x10, 4));
  };
  const entry = (pin: number, low: number, destination = 0) => {
    write(0x11 + 2 * pin, destination << 24);
    write(0x10 + 2 * pin, low);
  };
  return { chip, sent, read, write, entry };
}

const MASK = 1 << 16, LEVEL = 1 << 15, REMOTE_IRR = 1 << 14;

Deno.test("identity: 24 masked entries, version 0x11", () => {
  const { read, write } = ioapic();
  assertEquals(read(1), 0x00170011);
  for (let pin = 0; pin < 24; pin++) {
    assertEquals([read(0x10 + 2 * pin), read(0x11 + 2 * pin)], [MASK, 0]);
  }
  write(0, 0xff000000);
  assertEquals(read(0), 0x0f000000);
  assertEquals(read(0x40), 0);
});

Deno.test("an edge is sent once, with mode and destination", () => {
  const { chip, sent, entry } = ioapic();
  entry(4, 0x0934, 3); // logical, lowest priority, vector 0x34
  chip.setInput(4, true);
  chip.setInput(4, true);
  assertEquals(sent, [{
    type: 1,
    destinationMode: 1,
    triggerMode: 0,
    destination: 3,
    vector: 0x34,
  }]);
  chip.setInput(4, false);
  chip.setInput(4, true);
  assertEquals(sent.length, 2);
});

Deno.test("an edge on a masked input is lost", () => {
  const { chip, sent, entry } = ioapic();
  chip.setInput(4, true);
  entry(4, 0x34);
  assertEquals(sent.length, 0);
});

Deno.test("level: remote IRR until EOI, again while asserted", () => {
  const { chip, sent, entry, read } = ioapic();
  entry(10, LEVEL | 0x51, 1);
  chip.setInput(10, true);
  assertEquals(sent.length, 1);
  assertEquals(sent[0].triggerMode, 1);
  assertEquals(read(0x24) & REMOTE_IRR, REMOTE_IRR);
  chip.setInput(10, false);
  chip.setInput(10, true); // in service: not sent again
  assertEquals(sent.length, 1);
  chip.endOfInterrupt(0x52);
  assertEquals(sent.length, 1);
  chip.endOfInterrupt(0x51);
  assertEquals(sent.length, 2);
  chip.setInput(10, false);
  chip.endOfInterrupt(0x51);
  assertEquals([sent.length, read(0x24) & REMOTE_IRR], [2, 0]);
});

Deno.test("a masked level is kept by its wire", () => {
  const { chip, sent, entry, read } = ioapic();
  entry(10, MASK | LEVEL | 0x51);
  chip.setInput(10, true);
  assertEquals([sent.length, read(0x24) & REMOTE_IRR], [0, 0]);
  entry(10, LEVEL | 0x51);
  assertEquals(sent.length, 1);
});

Deno.test("remote IRR and delivery status cannot be written; edge clears", () => {
  const { chip, entry, read, sent } = ioapic();
  entry(10, LEVEL | REMOTE_IRR | (1 << 12) | 0x51);
  assertEquals(read(0x24), LEVEL | 0x51);
  chip.setInput(10, true);
  entry(10, MASK | 0x51);
  assertEquals(read(0x24), MASK | 0x51);
  entry(10, LEVEL | 0x51);
  assertEquals(sent.length, 2);
});

Deno.test("NMI, INIT and ExtINT; vectors below 16 and SMI go nowhere", () => {
  const { chip, sent, entry } = ioapic(0x77);
  entry(1, 0x0400);
  entry(3, 0x0500);
  entry(0, 0x0700);
  entry(5, 0x000f);
  entry(6, 0x0230);
  for (const pin of [1, 3, 0, 5, 6]) chip.setInput(pin, true);
  assertEquals(sent.map(({ type, vector }) => [type, vector]), [
    [4, 0],
    [5, 0],
    [0, 0x77],
  ]);
});

Deno.test("narrow reads of the window give its bytes", () => {
  const { chip } = ioapic();
  chip.writeMmio(0, 4, 1n);
  assertEquals([chip.readMmio(0x12, 1), chip.readMmio(0x10, 2)], [0x17n, 17n]);
  assertEquals(chip.readMmio(0x20, 4), 0n);
});

Deno.test("saved state restores entries and wires", () => {
  const a = ioapic();
  a.entry(10, LEVEL | 0x51, 7);
  a.chip.setInput(10, true);
  const b = ioapic();
  b.chip.load(JSON.parse(JSON.stringify(a.chip.save())));
  assertEquals(b.chip.save(), a.chip.save());
  b.chip.endOfInterrupt(0x51);
  assertEquals(b.sent.map(({ destination }) => destination), [7]);
});
