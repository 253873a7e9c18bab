// What is simulated under a breakpoint must be what the processor does: every
// instruction is simulated and stepped from the same state.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { RegisterBatch } from "../../src/machine/batch.ts";
import { Simulator } from "../../src/debug/stepping/simulate.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const SIMULATED = [
  "push %rbp",
  "push %rax",
  "push %r12",
  "mov %rsp, %rbp",
  "mov %r8, %r15",
  ".byte 0x48, 0x8b, 0xc3", // the other encoding of MOV
  "mov %eax, %r9d",
  "mov %r10d, %ebx",
  "sub $8, %rsp",
  "sub $0x128, %rsp",
  "sub $-128, %rax",
  "sub $1, %r11",
  "sub $0x7fffffff, %rcx",
  "nop",
  "nopl 0(%rax,%rax,1)",
  "endbr64",
  "jmp 1f; nop; 1:",
  "call 2f; 2:",
  ...["o", "no", "b", "ae", "e", "ne", "be", "a"].map((c) =>
    `j${c} 3f; nop; 3:`
  ),
  ...["s", "ns", "p", "np", "l", "ge", "le", "g"].map((c) =>
    `j${c} 4f; nop; 4:`
  ),
];

const NOT_SIMULATED = [
  "lea 8(%rsp), %rax",
  "mov %ax, %bx",
  "mov (%rsp), %rax",
  "add $8, %rsp",
  "pause",
  "rdtsc",
  "pushfq",
  "popfq",
  "push %ax",
  "loop 5f; 5:",
  "xchg %rax, %rbx",
  "ret",
  "int3",
  "lock incq (%rsp)",
];

const batch = new RegisterBatch(
  ...Array.from({ length: 16 }, (_, i) => Reg.Rax + i),
  Reg.Rip,
  Reg.Rflags,
);
const STATUS = 0x8d5n;

Deno.test({
  name: "simulated instructions do what the processor does",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy"),
  async fn() {
    const lines = [...SIMULATED, ...NOT_SIMULATED];
    const source = lines.map((line, i) => `l${i}: ${line}`).join("\n");
    const guest = await LongMode.start(`${source}\n jmp .\nvector3: iretq\n`);
    const target = guest.debugger;
    const simulator = new Simulator(
      guest.machine.memory,
      target.guest.memory,
      target.guest.walker,
    );
    const { vp } = guest.machine.processors[0];
    const v = target.guest.vcpus[0];
    const stack = 0x90000;
    // The first push to a page has its own way: dirty bits are not simulated.
    await guest.resume("step");
    let seed = 3;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return BigInt(seed >>> 4);
    };
    for (const [i, line] of lines.entries()) {
      for (let turn = 0; turn < 24; turn++) {
        for (let r = 0; r < 16; r++) {
          const edges = [0n, 1n, 1n << 63n, (1n << 63n) - 1n, ~0n];
          const value = turn < edges.length
            ? edges[turn]
            : (random() << 40n) ^ (random() << 20n) ^ random();
          batch.set(r, BigInt.asUintN(64, value));
        }
        batch.set(4, BigInt(stack));
        batch.set(16, BigInt(guest.symbol(`l${i}`)));
        batch.set(17, 2n | (random() & STATUS));
        guest.machine.memory.fill(stack - 0x200, 0x400, 0x5a);
        batch.write(vp);
        const before = batch.values.slice();
        const done = simulator.simulate(v);
        assertEquals(done, i < SIMULATED.length, line);
        batch.read(vp);
        if (!done) {
          assertEquals(batch.values, before, line);
          continue;
        }
        const simulated = batch.values.slice();
        const memory = guest.machine.memory.slice(stack - 0x200, 0x400)!
          .slice();
        guest.machine.memory.fill(stack - 0x200, 0x400, 0x5a);
        batch.values.set(before);
        batch.write(vp);
        await guest.resume("step");
        batch.read(vp);
        assertEquals(simulated.toHex(), batch.values.toHex(), line);
        assertEquals(
          memory,
          guest.machine.memory.slice(stack - 0x200, 0x400),
          line,
        );
      }
    }
    guest.close();
  },
});

Deno.test({
  name: "a push that may fault is left to the processor",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy"),
  async fn() {
    const guest = await LongMode.start("push %rax\npush %rax\njmp .\n");
    const { debugger: target, machine } = guest;
    const simulator = new Simulator(
      machine.memory,
      target.guest.memory,
      target.guest.walker,
    );
    const v = target.guest.vcpus[0];
    const page = 0x3000; // the page directory's first entry
    await guest.resume("step");
    const entry = machine.memory.readByte(page);
    machine.memory.writeByte(page, entry & ~2); // not writable
    assert(!simulator.simulate(v));
    machine.memory.writeByte(page, entry & ~0x40); // not dirty yet
    assert(!simulator.simulate(v));
    machine.memory.writeByte(page, entry | 0x60);
    guest.machine.processors[0].vp.set(Reg.Rsp, 0x84001n); // crosses
    assert(!simulator.simulate(v));
    guest.machine.processors[0].vp.set(Reg.Rsp, 0x84000n);
    assert(simulator.simulate(v));
    guest.close();
  },
});
