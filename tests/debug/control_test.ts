// Run control on toy processors: stops, breakpoints, several processors at once.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { AgentExpression } from "../../src/debug/breakpoints/agent.ts";
import { registerNumber } from "../../src/debug/guest/registers.ts";
import { type Stop, TargetError } from "../../src/debug/target.ts";
import { once } from "../util/once.ts";
import { CODE, Toy } from "./toy.ts";

const LOOP = "40 40 40 eb fb"; // three INC AX and back

Deno.test("a breakpoint stops every time round, at its address", async () => {
  const toy = new Toy(LOOP);
  toy.break(CODE + 1);
  for (let turn = 0; turn < 5; turn++) {
    assertEquals(await toy.run(), {
      processor: 0,
      reason: { kind: "breakpoint" },
    });
    assertEquals(toy.rip(), CODE + 1);
    assertEquals(toy.reg(Reg.Rax), 1 + 3 * turn);
    assertEquals(toy.platform.memory[CODE + 1], 0x40, "not to be seen");
  }
  assert(toy.unbreak(CODE + 1));
  assert(!toy.unbreak(CODE + 1));
  const stop = toy.run();
  setTimeout(() => toy.debugger.interrupt(), 3);
  assertEquals((await stop).reason, { kind: "interrupted" });
});

Deno.test("a breakpoint on an instruction that jumps to itself", async () => {
  const toy = new Toy("eb fe");
  toy.break(CODE);
  for (let i = 0; i < 3; i++) {
    assertEquals((await toy.run()).reason, { kind: "breakpoint" });
  }
  assertEquals(toy.platform.vps[0].instructions, 2);
});

Deno.test("a breakpoint on HLT, on a port access, on INT3 and on UD2", async () => {
  const toy = new Toy("e4 60 cc 0f 0b f4 90 eb fe");
  toy.vector(3, 0x2000);
  toy.load(0x2000, "cf");
  toy.vector(6, 0x3000);
  toy.load(0x3000, "90 eb fd");
  for (const at of [0, 2, 3]) toy.break(CODE + at);
  for (const at of [0, 2, 3]) {
    assertEquals((await toy.run()).reason, { kind: "breakpoint" });
    assertEquals(toy.rip(), CODE + at);
  }
  toy.break(0x3000);
  await toy.run();
  assertEquals(toy.rip(), 0x3000);
  assertEquals(toy.word(toy.reg(Reg.Rsp)), CODE + 3);
});

Deno.test("breakpoints can come and go while the guest runs", async () => {
  const toy = new Toy(LOOP, 2);
  const stop = toy.run();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(toy.debugger.stop, null);
  toy.break(CODE + 2);
  assertEquals((await stop).reason, { kind: "breakpoint" });
  const next = toy.run();
  toy.unbreak(CODE + 2);
  setTimeout(() => toy.debugger.interrupt(), 10);
  const { reason } = await next;
  assert(reason.kind === "interrupted" || reason.kind === "breakpoint");
  assertEquals(toy.platform.memory[CODE + 2], 0x40);
});

Deno.test("what is waited for stops the guest, once", async () => {
  const toy = new Toy(LOOP, 2);
  toy.break(CODE + 2);
  let asked = 0;
  toy.debugger.lookout.stopWhen = () => {
    // Everybody is held, and has gone on since.
    for (const { inRun } of toy.machine.processors) assert(!inRun);
    return ++asked === 3;
  };
  const stop = () => toy.run().then(({ reason }) => reason.kind);
  assertEquals(await stop(), "breakpoint");
  toy.unbreak(CODE + 2);
  assertEquals(await stop(), "interrupted");
  assertEquals([asked, toy.debugger.lookout.stopWhen], [3, null]);
  const next = stop();
  await new Promise((resolve) => setTimeout(resolve, 120));
  assertEquals([toy.debugger.stop, asked], [null, 3]);
  toy.debugger.interrupt();
  assertEquals(await next, "interrupted");
});

Deno.test("conditions are judged without a stop", async () => {
  const toy = new Toy(LOOP);
  const rax = registerNumber("rax");
  // AX == 31
  const condition = new AgentExpression(
    new Uint8Array([0x26, 0, rax, 0x22, 31, 0x13, 0x27]),
  );
  toy.debugger.insertBreakpoint({
    kind: "software",
    address: BigInt(CODE + 1),
    length: 1,
    conditions: [condition],
  });
  assertEquals((await toy.run()).reason, { kind: "breakpoint" });
  assertEquals(toy.reg(Reg.Rax), 31);
  // A second owner without a condition stops at the next turn.
  toy.break(CODE + 1);
  await toy.run();
  assertEquals(toy.reg(Reg.Rax), 34);
});

Deno.test("what others hit at the same time is not lost", async () => {
  const toy = new Toy("f0 ff 06 00 60 eb f9", 2);
  toy.break(CODE);
  const hits = [0, 0];
  for (let i = 0; i < 60; i++) {
    const stop = await toy.run();
    assertEquals(stop.reason, { kind: "breakpoint" });
    assertEquals(toy.rip(stop.processor), CODE);
    hits[stop.processor]++;
  }
  // Each hit but the last of each is followed by its increment.
  const done = toy.word(0x6000);
  assert(done >= 58 && done <= 60, `${done} increments`);
  assert(hits[0] > 0 && hits[1] > 0, `${hits}`);
});

Deno.test("a LOCK counter is exact over hits and steps of two processors", async () => {
  const toy = new Toy("f0 ff 06 00 60 40 eb f8", 2);
  toy.break(CODE);
  toy.break(CODE + 5);
  let seed = 7;
  for (let i = 0; i < 400; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    switch ((seed >> 8) % 5) {
      case 0:
        await toy.resume("step", "continue");
        break;
      case 1:
        await toy.resume("continue", "step");
        break;
      case 2:
        await toy.resume("step", "step");
        break;
      case 3: {
        const stop = toy.run();
        toy.debugger.interrupt();
        await stop;
        break;
      }
      default:
        await toy.run();
    }
  }
  // AX of each counts its turns; a processor between the two instructions
  // has incremented the counter but not AX.
  const between = [0, 1].filter((i) => toy.rip(i) === CODE + 5).length;
  assertEquals(
    toy.word(0x6000),
    toy.reg(Reg.Rax, 0) + toy.reg(Reg.Rax, 1) + between,
  );
  assert(toy.word(0x6000) > 50);
});

Deno.test("only processors that the plan lets run do", async () => {
  const toy = new Toy(LOOP, 2);
  const stop = toy.resume("stay", "continue");
  setTimeout(() => toy.debugger.interrupt(), 4);
  assertEquals(await stop, {
    processor: 1,
    reason: { kind: "interrupted" },
  });
  assertEquals(toy.platform.vps[0].instructions, 0);
  assert(toy.platform.vps[1].instructions > 10);
});

Deno.test("a spinning guest stops within 50 ms of an interrupt", async () => {
  const toy = new Toy("eb fe", 2);
  const times: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    const stop = toy.run();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const began = performance.now();
    toy.debugger.interrupt();
    await stop;
    times.push(performance.now() - began);
  }
  // The best one: a busy machine takes processors away for longer.
  assert(Math.min(...times) < 50, `ms: ${times}`);
});

Deno.test("a halted guest stops, too", async () => {
  const toy = new Toy("f4 90");
  const stop = toy.run();
  setTimeout(() => toy.debugger.interrupt(), 5);
  assertEquals((await stop).reason, { kind: "interrupted" });
  assertEquals(toy.debugger.describe(0).state, "halted");
});

Deno.test("debug exit ends the guest with its code", async () => {
  const toy = new Toy("40 e6 f4 eb fe");
  assertEquals((await toy.run()).reason, { kind: "exited", code: 3 });
  assertThrows(
    () => toy.debugger.resume([{ kind: "continue" }]),
    TargetError,
    "has ended",
  );
});

Deno.test("what only a stopped guest can do is refused while it runs", async () => {
  const toy = new Toy("eb fe");
  const stop = toy.run();
  assertThrows(
    () => toy.debugger.readMemory(0, 0n, new Uint8Array(1)),
    TargetError,
  );
  assertThrows(() => toy.debugger.resume([{ kind: "step" }]), TargetError);
  assertThrows(() => toy.debugger.restart(), TargetError);
  assertEquals(toy.debugger.describe(0).state, "running");
  toy.debugger.interrupt();
  await stop;
});

Deno.test("detach takes everything away and lets the guest run", async () => {
  const toy = new Toy(LOOP);
  toy.break(CODE + 1);
  toy.break(CODE + 2);
  await toy.run();
  toy.debugger.detach(true);
  assertEquals(toy.debugger.stop, null);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([...toy.platform.memory.subarray(CODE, CODE + 3)], [
    0x40,
    0x40,
    0x40,
  ]);
  const stopped = new Promise((resolve) => once(toy.debugger.onStop, resolve));
  toy.debugger.interrupt();
  await stopped;
  assert(toy.reg(Reg.Rax) > 20);
});

Deno.test("kill ends a running and a stopped guest", async () => {
  const running = new Toy("eb fe");
  const stop = running.run();
  running.debugger.kill();
  assertEquals((await stop).reason, { kind: "exited", code: 0 });
  const stopped = new Toy("eb fe");
  stopped.debugger.kill();
  assertEquals(stopped.debugger.stop?.reason.kind, "exited");
  stopped.debugger.restart();
  assertEquals(stopped.debugger.stop?.reason.kind, "paused");
});

Deno.test("time stands still exactly while the guest does", async () => {
  const toy = new Toy(LOOP);
  assertEquals(toy.platform.timeRuns, false);
  const stop = toy.run();
  assertEquals(toy.platform.timeRuns, true);
  toy.debugger.interrupt();
  await stop;
  assertEquals(toy.platform.timeRuns, false);
});

Deno.test("monitor: help, exits, walk, registers, unknown", async () => {
  const toy = new Toy("e4 60 e4 60 90");
  await toy.step();
  await toy.step();
  const { debugger: target } = toy;
  assert((await target.monitor("help", 0)).includes("walk ADDRESS"));
  assertEquals(
    await target.monitor("exits", 0),
    "exits\n           2 ioPort\nport accesses\n           2 i8042\n",
  );
  assert((await target.monitor("walk 1234", 0)).includes("paging none"));
  assert((await target.monitor("walk 0x12345678", 0)).includes("no memory"));
  assert(
    (await target.monitor("registers rip", 0)).startsWith("rip        0x00"),
  );
  assert((await target.monitor("frobnicate", 0)).startsWith("no command"));
  await target.monitor("quit", 0);
  assertEquals(target.stop?.reason.kind, "exited");
});

Deno.test("a guest that is let go while it stops runs on", async () => {
  const toy = new Toy(LOOP, 2);
  const stops: Stop[] = [];
  const stop = toy.run();
  toy.debugger.onStop.subscribe((stop) => stops.push(stop));
  await new Promise((resolve) => setTimeout(resolve, 5));
  toy.debugger.interrupt();
  toy.debugger.detach(true);
  const before = toy.platform.vps[0].instructions;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(stops, []);
  assertEquals(toy.debugger.stop, null);
  assert(toy.platform.vps[0].instructions > before);
  // But not from under a debugger that comes meanwhile.
  toy.debugger.interrupt();
  toy.debugger.detach(true);
  toy.debugger.interrupt();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(stops.map(({ reason }) => reason.kind), ["interrupted"]);
  toy.debugger.detach(false);
  void stop;
});

Deno.test("a debug register's hit is known where the host does not tell it", async () => {
  const toy = new Toy("40 90 40 90 eb fa");
  toy.platform.tellsHits = false;
  toy.break(CODE + 2);
  toy.debugger.insertBreakpoint({
    kind: "hardware",
    address: BigInt(CODE + 3),
    length: 1,
    conditions: [],
  });
  for (let turn = 1; turn < 4; turn++) {
    assertEquals((await toy.run()).reason, { kind: "breakpoint" });
    assertEquals([toy.rip(), toy.reg(Reg.Rax)], [CODE + 2, 2 * turn - 1]);
    assertEquals((await toy.run()).reason, { kind: "hardwareBreakpoint" });
    assertEquals([toy.rip(), toy.reg(Reg.Rax)], [CODE + 3, 2 * turn]);
  }
});
