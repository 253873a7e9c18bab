import { assertEquals } from "@std/assert";
import { COM1, Serial16550 } from "../../../src/machine/devices/serial16550.ts";
import { bench, carry, Wire } from "./harness.ts";

function uart() {
  const { clock, timers } = bench();
  const irq = new Wire();
  const sent: number[] = [];
  const serial = new Serial16550(COM1, {
    irq,
    clock,
    timers,
    transmit: (bytes) => sent.push(...bytes),
  });
  const inb = (offset: number) => serial.readPort(0x3f8 + offset, 1);
  const outb = (offset: number, value: number) =>
    serial.writePort(0x3f8 + offset, 1, value);
  return { serial, device: serial, irq, sent, clock, timers, inb, outb };
}

const text = (string: string) => new TextEncoder().encode(string);

Deno.test("power-on registers are the datasheet's", () => {
  const { inb } = uart();
  assertEquals([1, 2, 3, 4, 5, 6, 7].map(inb), [0, 1, 0, 0, 0x60, 0xb0, 0]);
});

Deno.test("DLAB puts the divisor in place of RBR/THR and IER", () => {
  const { inb, outb, sent } = uart();
  outb(1, 0x05);
  outb(3, 0x83);
  outb(0, 0x34);
  outb(1, 0x12);
  assertEquals([inb(0), inb(1)], [0x34, 0x12]);
  outb(3, 0x03);
  assertEquals(inb(1), 0x05);
  outb(0, 0x41);
  assertEquals(sent, [0x41]);
});

Deno.test("IIR identifies THRE once, and again after each byte", () => {
  const { inb, outb, irq } = uart();
  outb(4, 0x08); // OUT2 opens the line
  outb(1, 0x02);
  assertEquals(irq.level, true);
  assertEquals(inb(2), 0x02);
  assertEquals([irq.level, inb(2)], [false, 0x01]);
  outb(0, 0x41);
  assertEquals([irq.level, irq.edges], [true, 2]);
  outb(0, 0x42); // not acknowledged in between: still a new edge
  assertEquals(irq.edges, 3);
});

Deno.test("OUT2 does not hold the interrupt line back", () => {
  const { serial, inb, outb, irq } = uart();
  outb(1, 0x01);
  serial.receive(text("a"));
  assertEquals([irq.level, inb(4)], [true, 0]);
  outb(4, 0x08);
  assertEquals([irq.level, irq.edges], [true, 1]);
  assertEquals([inb(0), irq.level], [0x61, false]);
});

Deno.test("without FIFOs one byte arrives at a time and none is lost", () => {
  const { serial, inb, outb } = uart();
  outb(1, 0x01);
  serial.receive(text("ab"));
  assertEquals([inb(2), inb(5) & 1, inb(0)], [0x04, 1, 0x61]);
  assertEquals([inb(5) & 1, inb(0)], [1, 0x62]);
  assertEquals([inb(5), inb(2)], [0x60, 0x01]);
});

Deno.test("FIFO trigger levels and the character timeout", () => {
  const { serial, inb, outb, clock } = uart();
  outb(3, 0x03);
  outb(1, 0x01);
  outb(2, 0x81); // FIFOs, trigger at 8
  serial.receive(text("1234567"));
  assertEquals(inb(2), 0xc1);
  serial.receive(text("8"));
  assertEquals(inb(2), 0xc4);
  assertEquals(inb(0), 0x31);
  assertEquals(inb(2), 0xc1); // below the trigger again
  clock.advance(4 * 10 * 8680); // four characters of 10 bits at 115200
  assertEquals(inb(2), 0xc1);
  clock.advance(100);
  assertEquals(inb(2), 0xcc);
  inb(0);
  assertEquals(inb(2), 0xc1);
});

Deno.test("the FIFO holds 16; the rest waits on the line", () => {
  const { serial, inb, outb } = uart();
  outb(2, 0x01);
  serial.receive(text("0123456789abcdefgh"));
  assertEquals(serial.inputWaiting, true);
  let got = "";
  while (inb(5) & 1) got += String.fromCharCode(inb(0));
  assertEquals(got, "0123456789abcdefgh");
});

Deno.test("changing FIFO enable or FCR bit 1 clears the receiver", () => {
  const { serial, inb, outb } = uart();
  outb(2, 0x01);
  serial.receive(text("abc"));
  outb(2, 0x03);
  assertEquals(inb(5) & 1, 0);
  serial.receive(text("d"));
  outb(2, 0x00);
  assertEquals(inb(5) & 1, 0);
});

Deno.test("loopback: data, modem lines, overrun, break", () => {
  const { serial, inb, outb, sent, irq } = uart();
  outb(4, 0x1f); // loop, all outputs on
  assertEquals(inb(6) & 0xf0, 0xf0);
  outb(4, 0x10);
  assertEquals(inb(6), 0x0f); // every input fell; TERI counts the end of a ring
  assertEquals(inb(6), 0x00);
  outb(0, 0x55);
  serial.receive(text("x")); // cut off from the line meanwhile
  assertEquals([inb(5) & 1, inb(0), sent.length], [1, 0x55, 0]);
  outb(1, 0x04);
  outb(0, 1);
  outb(0, 2);
  assertEquals([inb(2), inb(5), inb(5), inb(0)], [0x06, 0x63, 0x61, 2]);
  outb(3, 0x40);
  assertEquals([inb(2), inb(5) & 0x10, inb(0)], [0x06, 0x10, 0]);
  assertEquals(irq.edges, 2); // interrupts work in loopback, too
  outb(4, 0x00);
  assertEquals(inb(0), 0x78);
});

Deno.test("the FIFO keeps its bytes on overrun; an interrupt tells", () => {
  const { inb, outb } = uart();
  outb(2, 0x01);
  outb(4, 0x10);
  outb(1, 0x04);
  for (let i = 0; i < 17; i++) outb(0, i);
  assertEquals([inb(2), inb(5), inb(5)], [0xc6, 0x63, 0x61]);
  assertEquals(inb(0), 0);
});

Deno.test("saved state restores every register, the FIFO and the line", () => {
  const a = uart();
  a.outb(2, 0x41);
  a.outb(4, 0x0b);
  a.outb(1, 0x03);
  a.outb(7, 0x99);
  a.serial.receive(text("hello, world and more"));
  const b = uart();
  carry(a, b);
  assertEquals(b.serial.save(), a.serial.save());
  assertEquals([b.irq.level, b.inb(0), b.inb(7)], [true, 0x68, 0x99]);
  b.serial.reset();
  assertEquals(b.serial.save(), uart().serial.save());
  assertEquals(b.irq.level, false);
});
