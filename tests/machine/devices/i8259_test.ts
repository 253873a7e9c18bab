import { assertEquals } from "@std/assert";
import { PicPair } from "../../../src/machine/devices/i8259.ts";
import { Wire } from "./harness.ts";

function pair(icw4 = 0x01) {
  const intr = new Wire();
  const pic = new PicPair(intr);
  const out = (port: number, ...values: number[]) => {
    for (const value of values) pic.writePort(port, 1, value);
  };
  out(0x20, 0x11);
  out(0x21, 0x20, 0x04, icw4);
  out(0xa0, 0x11);
  out(0xa1, 0x28, 0x02, icw4);
  const pulse = (irq: number) => {
    pic.setInput(irq, false);
    pic.setInput(irq, true);
  };
  return { pic, intr, out, pulse };
}

Deno.test("an edge is served once, with the vector of its chip", () => {
  const { pic, intr, out, pulse } = pair();
  assertEquals(pic.asking, -1);
  pulse(1);
  assertEquals(pic.asking, 1);
  assertEquals([intr.level, pic.acknowledge()], [true, 0x21]);
  assertEquals(intr.level, false);
  out(0x20, 0x20);
  assertEquals(intr.level, false); // the wire is still high: no new edge
  pulse(12);
  assertEquals(pic.asking, 12);
  assertEquals(pic.acknowledge(), 0x2c);
  out(0x20, 0x0b);
  out(0xa0, 0x0b);
  assertEquals([pic.readPort(0x20), pic.readPort(0xa0)], [0x04, 0x10]);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assertEquals([pic.readPort(0x20), pic.readPort(0xa0)], [0, 0]);
});

Deno.test("priorities: a higher one interrupts, a lower one waits", () => {
  const { pic, intr, out, pulse } = pair();
  pulse(4);
  pic.acknowledge();
  pulse(5);
  assertEquals(intr.level, false);
  pulse(1);
  assertEquals(pic.acknowledge(), 0x21);
  out(0x20, 0x20); // ends 1
  assertEquals(intr.level, false);
  out(0x20, 0x20); // ends 4
  assertEquals(pic.acknowledge(), 0x25);
});

Deno.test("masks hide requests and keep them", () => {
  const { pic, intr, out, pulse } = pair();
  out(0x21, 0xff);
  pulse(3);
  assertEquals([intr.level, pic.readPort(0x20)], [false, 0x08]);
  assertEquals(pic.readPort(0x21), 0xff);
  out(0x21, 0xf7);
  assertEquals(pic.acknowledge(), 0x23);
});

Deno.test("a request that goes away before INTA is spurious", () => {
  const { pic, pulse } = pair();
  pulse(3);
  pic.setInput(3, false);
  assertEquals([pic.pending, pic.acknowledge()], [false, 0x27]);
});

Deno.test("level inputs (ELCR) ask again while the wire is up", () => {
  const { pic, intr, out } = pair();
  out(0x4d1, 0xff);
  assertEquals(pic.readPort(0x4d1), 0xde); // 8 and 13 stay edge-triggered
  pic.setInput(10, true);
  assertEquals(pic.acknowledge(), 0x2a);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assertEquals([intr.level, pic.acknowledge()], [true, 0x2a]);
  pic.setInput(10, false);
  out(0xa0, 0x20);
  out(0x20, 0x20);
  assertEquals(intr.level, false);
});

Deno.test("automatic EOI, also for two slave requests in a row", () => {
  const { pic, intr, out, pulse } = pair(0x03);
  pulse(8);
  pulse(9);
  assertEquals([pic.acknowledge(), pic.acknowledge()], [0x28, 0x29]);
  assertEquals(intr.level, false);
  out(0x20, 0x0b);
  assertEquals(pic.readPort(0x20), 0);
});

Deno.test("rotation on specific and non-specific EOI, set priority", () => {
  const { pic, out, pulse } = pair();
  out(0x20, 0xc3); // 3 lowest: 4 first
  pulse(1);
  pulse(4);
  assertEquals(pic.acknowledge(), 0x24);
  out(0x20, 0xa0); // rotate: 4 lowest
  assertEquals(pic.acknowledge(), 0x21);
  pulse(4);
  pulse(5);
  out(0x20, 0xe1); // specific, rotate: 1 lowest, 2 first
  assertEquals(pic.acknowledge(), 0x24);
});

Deno.test("special mask mode lets lower ones through", () => {
  const { pic, intr, out, pulse } = pair();
  pulse(1);
  pic.acknowledge();
  pulse(6);
  assertEquals(intr.level, false);
  out(0x21, 0x02);
  out(0x20, 0x68);
  assertEquals(pic.acknowledge(), 0x26);
  out(0x20, 0x66); // specific EOI of 6
  out(0x20, 0x0b);
  assertEquals(pic.readPort(0x20), 0x02);
});

Deno.test("special fully nested: a slave interrupts its own service", () => {
  const { pic, pulse, intr } = pair(0x11);
  pulse(12);
  pic.acknowledge();
  pulse(9);
  assertEquals([intr.level, pic.acknowledge()], [true, 0x29]);
  const plain = pair();
  plain.pulse(12);
  plain.pic.acknowledge();
  plain.pulse(9);
  assertEquals(plain.intr.level, false);
});

Deno.test("poll command reads and serves the request", () => {
  const { pic, out, pulse, intr } = pair();
  pulse(5);
  out(0x20, 0x0c);
  assertEquals(pic.readPort(0x20), 0x85);
  assertEquals(intr.level, false);
  out(0x20, 0x0c);
  assertEquals(pic.readPort(0x20), 0);
});

Deno.test("saved state restores the pair", () => {
  const a = pair();
  a.pulse(9);
  a.pulse(1);
  a.pic.acknowledge();
  const b = new Wire();
  const restored = new PicPair(b);
  restored.load(JSON.parse(JSON.stringify(a.pic.save())));
  assertEquals(restored.save(), a.pic.save());
  restored.writePort(0x20, 1, 0x20);
  assertEquals([b.level, restored.acknowledge()], [true, 0x29]);
});
