// Keyboard controller, power and reset ports, the ACPI block.
import { assertEquals, assertThrows } from "@std/assert";
import { AcpiPm } from "../../../src/machine/devices/acpi_pm.ts";
import { Crtc } from "../../../src/machine/devices/debug_ports.ts";
import { KeyboardController } from "../../../src/machine/devices/i8042.ts";
import {
  BochsPower,
  DebugExit,
  ResetControl,
  SystemPortA,
} from "../../../src/machine/devices/power.ts";
import type { PowerEvent } from "../../../src/machine/device.ts";
import { bench, Wire } from "./harness.ts";

function keyboard() {
  const irq = new Wire();
  let resets = 0;
  const device = new KeyboardController(irq, () => resets++);
  const out = (port: number, ...values: number[]) => {
    for (const value of values) device.writePort(port, 1, value);
  };
  const drain = () => {
    const bytes: number[] = [];
    while (device.readPort(0x64) & 1) bytes.push(device.readPort(0x60));
    return bytes;
  };
  return { device, irq, out, drain, resets: () => resets };
}

Deno.test("i8042: self-test, port tests, configuration byte", () => {
  const { device, out, drain } = keyboard();
  out(0x64, 0xaa);
  assertEquals([device.readPort(0x64), ...drain()], [0x1d, 0x55]);
  out(0x64, 0xab);
  assertEquals(drain(), [0]);
  out(0x64, 0xa9);
  assertEquals(drain(), [1]); // there is no mouse
  out(0x64, 0x60);
  out(0x60, 0x74);
  out(0x64, 0x20);
  assertEquals(drain(), [0x74]);
});

Deno.test("i8042: the keyboard answers, one interrupt a byte", () => {
  const { out, drain, irq } = keyboard();
  out(0x60, 0xff);
  assertEquals([irq.edges, ...drain()], [1, 0xfa, 0xaa]);
  assertEquals([irq.edges, irq.level], [2, false]);
  out(0x60, 0xf2);
  assertEquals(drain(), [0xfa, 0xab, 0x83]);
  out(0x60, 0xed, 0x07, 0xf0, 0x00, 0xee, 0x99);
  assertEquals(drain(), [0xfa, 0xfa, 0xfa, 0xfa, 2, 0xee, 0xfe]);
});

Deno.test("i8042: reset by pulse and by output port; A20", () => {
  const { device, out, drain, resets } = keyboard();
  out(0x64, 0xff);
  assertEquals(resets(), 0);
  out(0x64, 0xfe);
  assertEquals(resets(), 1);
  out(0x64, 0xd1);
  out(0x60, 0xdd);
  assertEquals([device.a20, resets()], [false, 1]);
  out(0x64, 0xd1);
  out(0x60, 0x02);
  assertEquals([device.a20, resets()], [true, 2]);
  out(0x64, 0xdd);
  out(0x64, 0xd0);
  assertEquals(drain()[0] & 2, 0);
});

Deno.test("port 0x92 shares the A20 gate and resets on a rising bit", () => {
  const events: PowerEvent[] = [];
  const gate = { a20: true };
  const port = new SystemPortA(gate, (event) => events.push(event));
  assertEquals(port.readPort(), 2);
  port.writePort(0x92, 1, 0);
  assertEquals([gate.a20, port.readPort()], [false, 0]);
  port.writePort(0x92, 1, 3);
  port.writePort(0x92, 1, 3);
  assertEquals([gate.a20, events.length], [true, 1]);
});

Deno.test("debug exit, any width", () => {
  const codes: number[] = [];
  const device = new DebugExit((event) => {
    if (event.kind === "exit") codes.push(event.code);
  });
  device.writePort(0xf4, 1, 0x10);
  device.writePort(0xf4, 2, 0x1234);
  device.writePort(0xf4, 4, 0xffffffff);
  assertEquals(codes, [0x21, 0x2469, 0xffffffff]);
});

Deno.test("reset control: bit 2 rising", () => {
  const events: PowerEvent[] = [];
  const device = new ResetControl((event) => events.push(event));
  device.writePort(0xcf9, 1, 0x02);
  assertEquals([events.length, device.readPort()], [0, 2]);
  device.writePort(0xcf9, 1, 0x06);
  device.writePort(0xcf9, 1, 0x06);
  assertEquals(events, [{ kind: "reset" }]);
});

Deno.test("Bochs' power-off: the word, and the text even after a false start", () => {
  const events: PowerEvent[] = [];
  const device = new BochsPower((event) => events.push(event));
  device.writePort(0xb004, 2, 0x1000);
  assertEquals(events, []);
  device.writePort(0xb004, 2, 0x2000);
  assertEquals(events, [{ kind: "power-off" }]);
  // Read, changed and written back, in any width, without powering off.
  device.reset();
  const word = () => device.readPort(0xb004, 2);
  assertEquals([word(), device.readPort(0xb004, 1)], [0, 0]);
  device.writePort(0xb004, 2, word() | 1);
  device.writePort(0xb005, 1, device.readPort(0xb005, 1) | 4);
  assertEquals([word(), device.readPort(0xb004, 4)], [0x0401, 0x0401]);
  assertEquals(events.length, 1);
  device.writePort(0xb005, 1, 0x20);
  assertEquals([events.length, word()], [2, 0x0001]);
  events.pop();
  for (const letter of "ShuShutdow") {
    device.writePort(0x8900, 1, letter.charCodeAt(0));
  }
  assertEquals(events.length, 1);
  device.writePort(0x8900, 1, "n".charCodeAt(0));
  assertEquals(events.length, 2);
});

Deno.test("the CRT controller's registers hold what is written", () => {
  const crtc = new Crtc();
  crtc.writePort(0x3d4, 1, 0x0e);
  crtc.writePort(0x3d5, 1, 0x12);
  crtc.writePort(0x3d4, 2, 0x340f);
  assertEquals([crtc.readPort(0x3d4, 1), crtc.readPort(0x3d5, 1)], [
    0x0f,
    0x34,
  ]);
  crtc.writePort(0x3d4, 1, 0x0e);
  assertEquals(crtc.readPort(0x3d4, 2), 0x120e);
});

function acpi() {
  const { clock, timers } = bench();
  const sci = new Wire();
  const events: PowerEvent[] = [];
  const device = new AcpiPm(
    sci,
    clock,
    timers,
    (event) => events.push(event),
    () => "a test",
  );
  return { clock, sci, events, device };
}

Deno.test("ACPI: SLP_EN with S5's type turns off, other types do not", () => {
  const { device, events } = acpi();
  assertEquals(device.readPort(0x604, 2), 1);
  device.writePort(0x604, 2, 0x2400);
  assertEquals(events, []);
  device.writePort(0x604, 2, 0x2000);
  assertEquals(events, [{ kind: "power-off" }]);
  assertEquals(device.readPort(0x604, 2) & 0x2001, 1); // SLP_EN reads 0
});

Deno.test("ACPI: the timer counts 3.58 MHz in 24 bits", () => {
  const { clock, device } = acpi();
  clock.advance(1_000_000_000);
  assertEquals(device.readPort(0x608, 4), 3579545);
  clock.advance(4_000_000_000);
  assertEquals(device.readPort(0x608, 4), 5 * 3579545 % 0x1000000);
  assertEquals(device.readPort(0x60a, 1), (5 * 3579545 >> 16) & 0xff);
});

Deno.test("ACPI: timer status and its interrupt", () => {
  const { clock, device, sci } = acpi();
  assertEquals(clock.armed, false);
  device.writePort(0x602, 2, 1);
  clock.advance(2_343_483_000); // 2^23 / 3579545 s is 2.343484 s
  assertEquals(sci.level, false);
  clock.advance(2000);
  assertEquals([sci.level, device.readPort(0x600, 2)], [true, 1]);
  device.writePort(0x600, 2, 1);
  assertEquals([sci.level, device.readPort(0x600, 2)], [false, 0]);
});

Deno.test("ACPI: the power button raises the SCI where enabled", () => {
  const { device, sci } = acpi();
  device.writePort(0x602, 2, 0x100);
  device.pressPowerButton();
  assertEquals([sci.level, device.readPort(0x600, 2)], [true, 0x100]);
  device.writePort(0x601, 1, 1);
  assertEquals(sci.level, false);
});

Deno.test("a saved state with a field too many, few or other is refused", () => {
  const { device } = acpi();
  const saved = device.save();
  const { enable: _, ...short } = saved;
  assertThrows(() => device.load(short), TypeError, "a field enable");
  assertThrows(() => device.load({ ...saved, x: 1 }), TypeError, "no field x");
  assertThrows(
    () => device.load({ ...saved, seenAt: 5 }),
    TypeError,
    "acpi-pm.seenAt",
  );
  assertEquals(device.save(), saved);
});
