// Single steps on toy processors: exactly one instruction, and no trace of the
// debugger in what the guest sees.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { CODE, STACK, Toy } from "./toy.ts";
import { IF, TF } from "./toy_platform.ts";

Deno.test("a step is one instruction and leaves no trap flag", async () => {
  const toy = new Toy("90 40 eb fc");
  assertEquals(await toy.step(), { processor: 0, reason: { kind: "step" } });
  assertEquals(toy.rip(), CODE + 1);
  await toy.step();
  assertEquals(toy.reg(Reg.Rax), 1);
  await toy.step();
  assertEquals(toy.rip(), CODE);
  assertEquals(toy.reg(Reg.Rflags) & TF, 0);
  assertEquals(toy.reg(Reg.Dr6), 0xffff0ff0);
  assertEquals(toy.reg(Reg.InterruptState), 0);
  assertEquals(toy.platform.vps[0].instructions, 3);
});

Deno.test("nothing exits for exceptions when nothing is armed", async () => {
  const toy = new Toy("eb fe");
  const stop = toy.run();
  setTimeout(() => toy.debugger.interrupt(), 5);
  assertEquals((await stop).reason, { kind: "interrupted" });
  assertEquals(toy.platform.bitmap, 0n);
  await toy.step();
  const again = toy.run();
  assertEquals(toy.platform.bitmap, 0n);
  toy.debugger.interrupt();
  await again;
});

Deno.test("instructions that exit for the machine are one step each", async () => {
  const toy = new Toy("e4 60 e6 80 0f a2 90");
  for (const rip of [2, 4, 6, 7]) {
    await toy.step();
    assertEquals(toy.rip(), CODE + rip);
    assertEquals(toy.reg(Reg.Rflags) & TF, 0);
  }
});

Deno.test("PUSHF does not push the debugger's trap flag", async () => {
  const toy = new Toy("9c 90");
  await toy.step();
  assertEquals(toy.word(STACK - 2) & TF, 0);
  assertEquals(toy.rip(), CODE + 1);
});

Deno.test("POPF's trap flag is the guest's", async () => {
  const toy = new Toy("9d 90 90");
  toy.vector(1, 0x2000);
  toy.load(STACK, "02 01");
  await toy.step();
  assertEquals(toy.rip(), CODE + 1);
  assertEquals(toy.reg(Reg.Rflags) & TF, TF);
  // The next instruction's trap is the guest's, after we have had our step.
  await toy.step();
  assertEquals(toy.rip(), CODE + 2);
  assertEquals(toy.reg(Reg.Rflags) & TF, TF);
  await toy.step();
  assertEquals(toy.rip(), 0x2000, "the guest's own handler");
  assertEquals(toy.word(STACK + 2 - 6), CODE + 2);
  assertEquals(toy.word(STACK + 2 - 2) & TF, TF);
  assertEquals(toy.reg(Reg.Dr6) & 0x4000, 0x4000);
});

Deno.test("a guest that steps itself does so beside breakpoints", async () => {
  const toy = new Toy("9d 90 90 90 eb fe");
  toy.load(STACK, "02 01");
  toy.vector(1, 0x2000);
  toy.load(0x2000, "40 cf"); // counts its traps
  toy.break(CODE + 3);
  assertEquals((await toy.run()).reason, { kind: "breakpoint" });
  assertEquals(toy.rip(), CODE + 3);
  assertEquals(toy.reg(Reg.Rax), 2);
  assertEquals(toy.reg(Reg.Rflags) & TF, TF);
});

Deno.test("a step into an exception is at the handler's first instruction", async () => {
  const toy = new Toy("0f 0b 90");
  toy.vector(6, 0x2000);
  toy.load(0x2000, "90 cf");
  await toy.step();
  assertEquals(toy.rip(), 0x2000);
  assertEquals(toy.word(STACK - 2) & TF, 0, "pushed flags");
  assertEquals(toy.word(STACK - 6), CODE, "a fault returns to itself");
  assertEquals(toy.platform.memory[0x2000], 0x90);
  await toy.step();
  await toy.step();
  assertEquals(toy.rip(), CODE);
});

Deno.test("INT n and INT3 step to their handlers, with clean flags", async () => {
  const toy = new Toy("cd 21 cc 90");
  toy.vector(0x21, 0x2000);
  toy.vector(3, 0x3000);
  toy.load(0x2000, "cf");
  toy.load(0x3000, "cf");
  await toy.step();
  assertEquals(toy.rip(), 0x2000);
  assertEquals(toy.word(STACK - 2) & TF, 0);
  await toy.step();
  assertEquals(toy.rip(), CODE + 2);
  assertEquals(toy.reg(Reg.Rflags) & TF, 0);
  await toy.step();
  assertEquals(toy.rip(), 0x3000);
  await toy.step();
  assertEquals(toy.rip(), CODE + 3);
});

Deno.test("the guest's own INT1 reaches its handler, stepped or run", async () => {
  const toy = new Toy("f1 f1 90 eb fe");
  toy.vector(1, 0x2000);
  toy.load(0x2000, "40 cf");
  await toy.step();
  assertEquals(toy.rip(), 0x2000);
  assertEquals(toy.word(STACK - 6), CODE + 1);
  toy.break(CODE + 2);
  await toy.run();
  assertEquals(toy.rip(), CODE + 2);
  assertEquals(toy.reg(Reg.Rax), 2);
});

Deno.test("MOV SS is one step although it holds the trap back", async () => {
  const toy = new Toy("8e d0 40 90");
  await toy.step();
  assertEquals(toy.rip(), CODE + 2);
  assertEquals(toy.reg(Reg.Rax), 0);
  assertEquals(toy.reg(Reg.InterruptState), 1, "the shadow is the guest's");
  assertEquals(toy.platform.memory[CODE + 2], 0x40);
});

Deno.test("no interrupt comes into a step, and it comes afterwards", async () => {
  const toy = new Toy("90 90 eb fe");
  toy.vector(0x20, 0x2000);
  toy.load(0x2000, "40 cf");
  toy.setReg(Reg.Rflags, IF | 2);
  toy.platform.interrupt = 0x20;
  await toy.step();
  assertEquals(toy.rip(), CODE + 1);
  toy.break(CODE + 2);
  await toy.run();
  assertEquals(toy.reg(Reg.Rax), 1);
});

Deno.test("STI's own shadow survives a step", async () => {
  const toy = new Toy("fb 90");
  await toy.step();
  assertEquals(toy.reg(Reg.InterruptState), 1);
});

Deno.test("NMI blocking survives a step", async () => {
  const toy = new Toy("90 90");
  toy.setReg(Reg.InterruptState, 2);
  await toy.step();
  assertEquals(toy.reg(Reg.InterruptState), 2);
});

Deno.test("HLT is one step; the next one wakes the processor", async () => {
  const toy = new Toy("f4 40 90");
  await toy.step();
  assertEquals(toy.rip(), CODE + 1);
  assertEquals(toy.debugger.describe(0), { name: "CPU0", state: "halted" });
  await toy.step();
  assertEquals(toy.rip(), CODE + 2);
  assertEquals(toy.reg(Reg.Rax), 1);
});

Deno.test("range stepping stops outside, and at breakpoints inside", async () => {
  const toy = new Toy("40 40 48 75 fd 90 90");
  const range = {
    kind: "range",
    start: BigInt(CODE),
    end: BigInt(CODE + 5),
  } as const;
  assertEquals((await toy.resume(range)).reason, { kind: "step" });
  assertEquals(toy.rip(), CODE + 5);
  assertEquals(toy.reg(Reg.Rax), 0);
  toy.setReg(Reg.Rip, CODE);
  toy.break(CODE + 3);
  assertEquals((await toy.resume(range)).reason, { kind: "breakpoint" });
  assertEquals(toy.rip(), CODE + 3);
  assertEquals(toy.platform.memory[CODE + 3], 0x75);
});

Deno.test("a host that intercepts #DB alone can step and break", async () => {
  const toy = new Toy("90 40 eb fc");
  toy.platform.interceptable = 2n;
  await toy.step();
  assertEquals(toy.rip(), CODE + 1);
  toy.break(CODE + 2);
  for (let turn = 1; turn < 4; turn++) {
    assertEquals((await toy.run()).reason, { kind: "breakpoint" });
    assertEquals(toy.reg(Reg.Rax), turn);
  }
});
