// Breakpoints and watchpoints in the processor: where memory and debug registers
// cannot have them, and that a guest neither finds nor feels them.

import { assert, assertEquals } from "@std/assert";
import { DebugAccess, DebugSpace } from "../../ffi/debug_points.ts";
import { Reg } from "../../ffi/registers.ts";
import { AgentExpression } from "../../src/debug/breakpoints/agent.ts";
import type { BreakpointKind } from "../../src/debug/target.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { PROGRAM, twoPrograms } from "./two_programs.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft" ||
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") === "memory";

/** What LongMode maps to itself from. */
const PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000;
/** Runs a page by its two addresses, 1 GiB apart. */
const ALIASED = `
loop:   mov $0x40000000, %eax
        add $fn, %eax
        call *%rax
        call fn
        jmp loop
fn:     inc %rcx
last:   ret
`;
/** "0": never true. */
const NEVER = new AgentExpression(Uint8Array.of(0x22, 0, 0x27));

function point(
  kind: BreakpointKind,
  address: number | bigint,
  length = 1,
  conditions: readonly AgentExpression[] = [],
) {
  return { kind, address: BigInt(address), length, conditions };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `in the processor: ${name}`, ignore, fn });
}

test("code that the guest copies to its place", async () => {
  const guest = await LongMode.start(`
        mov $image, %esi
        mov $0x180000, %edi
        mov $image_end - image, %ecx
        rep movsb
        mov $0x180000, %eax
        call *%rax
after:  jmp after
image:  mov $1, %eax
        add $41, %eax
        ret
image_end:
`);
  guest.break(0x180005);
  assertEquals((await guest.run()).reason, { kind: "breakpoint" });
  assertEquals([guest.rip(), guest.reg(Reg.Rax)], [0x180005, 1n]);
  await guest.resume("step");
  assertEquals(guest.reg(Reg.Rax), 42n);
  guest.close();
});

test("one of two addresses of a page, and the other goes on", async () => {
  const guest = await LongMode.start(ALIASED);
  // 1 GiB up is what is at 0.
  guest.machine.memory.write(PDPT + 8, Uint8Array.of(3, PD >> 8));
  guest.break("last");
  for (let turn = 1n; turn < 5n; turn++) {
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals(guest.rip(), guest.symbol("last"));
    assertEquals(guest.reg(Reg.Rcx), 2n * turn);
  }
  guest.close();
});

test("each program at an address of two address spaces", async () => {
  const guest = await twoPrograms(
    "mov $0xa, %ebx; ret",
    "mov $0xb, %ebx; ret",
  );
  guest.break(PROGRAM + 5);
  for (const rbx of [0xan, 0xbn, 0xan, 0xbn]) {
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals([guest.rip(), guest.reg(Reg.Rbx)], [PROGRAM + 5, rbx]);
  }
  guest.close();
});

test("the guest's own look at its code and debug registers", async () => {
  const guest = await LongMode.start(`
loop:   xor %eax, %eax
        mov $loop, %esi
1:      rol %rax
        xor (%rsi), %al
        inc %rsi
        cmp $end, %rsi
        jne 1b
        mov %dr7, %rbx
        mov %dr6, %rdx
        mov %dr0, %rbp
        inc %rcx
seen:   jmp loop
end:    nop
`);
  guest.break("seen");
  await guest.run();
  const sum = guest.reg(Reg.Rax);
  for (const at of ["loop", "end"]) guest.break(at);
  for (let i = 0; i < 40; i++) {
    guest.debugger.insertBreakpoint(
      point("hardware", guest.symbol("loop") + i, 1, [NEVER]),
    );
  }
  for (let turn = 0; turn < 4; turn++) {
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals(guest.rip(), guest.symbol(turn % 2 ? "seen" : "loop"));
    assertEquals(guest.reg(Reg.Rbx), 0x400n);
    assertEquals(guest.reg(Reg.Rdx), 0xffff0ff0n);
    assertEquals(guest.reg(Reg.Rbp), 0n);
    if (turn % 2) assertEquals(guest.reg(Reg.Rax), sum);
  }
  guest.close();
});

test("watches of any length and alignment, more than four", async () => {
  const guest = await LongMode.start(`
loop:   inc %rcx
        movw $1, data + 3
a:      movq $2, data + 30
b:      movb $3, data + 47
c:      mov data + 61, %rax
d:      mov $data + 100, %edi
        mov $40, %ecx
        rep stosb
e:      lock incl data + 201
f:      jmp loop
        .align 64
data:   .skip 512
`);
  const data = guest.symbol("data");
  const watches: [BreakpointKind, number, number][] = [
    ["write", data + 4, 1],
    ["write", data + 33, 7],
    ["access", data + 40, 8],
    ["read", data + 68, 1],
    ["write", data + 120, 13],
    ["access", data + 204, 3],
    ["write", data + 300, 200],
  ];
  for (const [kind, address, length] of watches) {
    guest.debugger.insertBreakpoint(point(kind, address, length));
  }
  const seen: [number, number][] = [];
  for (let stops = 0; stops < 20; stops++) {
    const { reason } = await guest.run();
    assert(reason.kind === "watchpoint", reason.kind);
    seen.push([guest.rip(), Number(reason.address) - data]);
  }
  const at = (name: string) => guest.symbol(name);
  const rep = at("e") - 2;
  const once: [number, number][] = [
    [at("a"), 4],
    [at("b"), 33],
    [at("c"), 40],
    [at("d"), 68],
    ...Array.from({ length: 13 }, (): [number, number] => [rep, 120]),
    [at("f"), 204],
  ];
  assertEquals(seen, [...once, ...once].slice(0, 20));
  guest.close();
});

test("a step, and what an event's delivery writes", async () => {
  const guest = await LongMode.start(`
        mov $stack, %esp
        ud2
        .align 16
        .skip 64
stack:  .quad 0
vector6: jmp vector6
`);
  guest.debugger.insertBreakpoint(
    point("write", guest.symbol("stack") - 8, 8),
  );
  const { reason } = await guest.run();
  assertEquals(reason.kind, "watchpoint");
  assertEquals(guest.rip(), guest.symbol("vector6"));
  guest.close();
});

test("a processor that starts later", async () => {
  // Processor 1 is sent INIT and two SIPIs, and comes to 0x8000.
  const guest = await LongMode.start(
    `
        cmp $0, %edi
        jne 2f
        mov $0xfee00300, %esi
        movl $0x01000000, 0x10(%rsi)
        movl $0x4500, (%rsi)
        movl $0x01000000, 0x10(%rsi)
        movl $0x4608, (%rsi)
1:      pause
        jmp 1b
2:      hlt
        jmp 2b
`,
    2,
  );
  // nop; nop; mov $7, %ax; mov %ax, 0x600; jmp .
  guest.machine.memory.write(
    0x8000,
    Uint8Array.fromHex("9090b80700a30006ebfe"),
  );
  guest.machine.memory.write(0x600, Uint8Array.of(0, 0));
  for (const at of [0x8000, 0x8002]) {
    guest.debugger.insertBreakpoint(point("hardware", at));
  }
  guest.debugger.insertBreakpoint(point("write", 0x600, 2));
  for (const at of [0x8000, 0x8002]) {
    const { processor, reason } = await guest.run();
    assertEquals([processor, reason.kind], [1, "hardwareBreakpoint"]);
    assertEquals(guest.debugger.guest.vcpus[1].linear, BigInt(at));
  }
  const { processor, reason } = await guest.run();
  assertEquals([processor, reason.kind], [1, "watchpoint"]);
  guest.close();
});

test("more addresses than the tables hold, one after the other", async () => {
  const guest = await LongMode.start("loop: inc %rcx\nlast: jmp loop");
  const { partition } = guest.machine;
  guest.break("last");
  await guest.run();
  for (let i = 0; i < 150_000; i++) {
    partition.setDebugPoint({
      identifier: 60_000,
      access: DebugAccess.Execute,
      space: DebugSpace.All,
      address: 0x400000n + BigInt(i),
      length: 0n,
      cr3: 0n,
    });
  }
  for (let turn = 2n; turn < 5n; turn++) {
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals(guest.reg(Reg.Rcx), turn);
  }
  guest.close();
});

test("a physical address, and one address space alone", async () => {
  const guest = await LongMode.start(`
loop:   inc %rcx
        mov $0x40000000 + fn, %eax
        call *%rax
        jmp loop
fn:     mov %rcx, data
last:   ret
        .align 64
data:   .quad 0
`);
  guest.machine.memory.write(PDPT + 8, Uint8Array.of(3, PD >> 8));
  const { partition, processors } = guest.machine;
  // The debugger's lets pass what it does not know.
  partition.setDebugPointFilter(() => 1);
  const run = async () => {
    const exit = await processors[0].vp.run();
    assert(exit.reason === "debugPoint", exit.reason);
    return exit.hits[0];
  };
  const set = (
    identifier: number,
    access: number,
    space: number,
    address: number,
    cr3 = 0,
  ) =>
    partition.setDebugPoint({
      identifier,
      access,
      space,
      address: BigInt(address),
      length: 8n,
      cr3: BigInt(cr3),
    });
  const { Execute, Write } = DebugAccess;
  set(1, Execute, DebugSpace.Physical, guest.symbol("last"));
  set(2, Write, DebugSpace.Physical, guest.symbol("data"));
  set(3, Execute, DebugSpace.One, guest.symbol("loop"), PML4);
  set(4, Execute, DebugSpace.One, guest.symbol("loop"), 0x10000);
  for (let turn = 0n; turn < 3n; turn++) {
    assertEquals((await run()).identifier, 3);
    processors[0].vp.passDebugPoints();
    const { identifier, address, before, after } = await run();
    assertEquals([identifier, before, after], [2, turn, turn + 1n]);
    assertEquals(address, BigInt(guest.symbol("data")));
    const hit = await run();
    assertEquals(hit.identifier, 1);
    assertEquals(hit.address, BigInt(0x40000000 + guest.symbol("last")));
    processors[0].vp.passDebugPoints();
  }
  guest.close();
});

test("points come and go on a page, by both kinds of address, and one on another stays", async () => {
  const places = ["p0", "p1", "p2", "p3", "p4"];
  const guest = await LongMode.start(`
loop:   call mark
${places.map((name) => `${name}: inc %rcx`).join("\n")}
        jmp loop
        .balign 4096
mark:   xor $1, %ebx
        jz 1f
        mov %cr3, %rax  # look-ups are made anew in every second round
        mov %rax, %cr3
1:      ret
`);
  const { partition, processors: [{ vp }] } = guest.machine;
  partition.setDebugPointFilter(() => 1);
  const set = (identifier: number, space: number, name: string) =>
    partition.setDebugPoint({
      identifier,
      access: DebugAccess.Execute,
      space,
      address: BigInt(guest.symbol(name)),
      length: 0n,
      cr3: 0n,
    });
  const MARK = 9;
  set(MARK, DebugSpace.All, "mark");
  await vp.run();
  const pick = below(1);
  const live = new Map<number, string>();
  let empty = 0;
  for (let turn = 0; turn < 500; turn++) {
    const identifier = pick(4);
    // more go than come, so that often there are none
    if (live.delete(identifier)) partition.clearDebugPoint(identifier);
    else if (pick(2)) {
      const place = places[pick(places.length)];
      live.set(identifier, place);
      set(identifier, pick(2) ? DebugSpace.All : DebugSpace.Physical, place);
    }
    if (live.size === 0) empty++;
    const hit: string[] = [];
    for (;;) {
      vp.passDebugPoints();
      const exit = await vp.run();
      assert(exit.reason === "debugPoint", exit.reason);
      if (exit.hits[0].identifier === MARK) break;
      hit.push(live.get(exit.hits[0].identifier)!);
    }
    assertEquals(hit, [...new Set(live.values())].sort());
  }
  assert(empty > 50, `${empty}`);
  guest.close();
});

/** Numbers that look random (a linear congruential generator, Knuth's). */
function below(seed: number): (limit: number) => number {
  let state = BigInt(seed);
  return (limit) => {
    state = BigInt.asUintN(
      64,
      state * 6364136223846793005n + 1442695040888963407n,
    );
    return Number(state >> 33n) % limit;
  };
}

/** A program of two processors with loops, calls, strings and locked operations. */
function randomProgram(seed: number): string {
  const pick = below(seed);
  const forms = [
    () => `add $${pick(1000)}, %r${8 + pick(4)}`,
    () => `mov data + ${pick(4000)}, %rax`,
    () => `mov %r${8 + pick(4)}, data + ${pick(4000)}`,
    () => `lock addl $${pick(9)}, data + ${pick(4000)}`,
    () => `call fn${pick(3)}`,
    () => `push %rax\npop %rdx`,
    () => `imul $${pick(99) + 1}, %rax, %r${8 + pick(4)}`,
    () =>
      `mov $data + ${pick(2000)}, %esi\nmov $data + ${pick(2000)}, %edi\nmov $${
        pick(60)
      }, %ecx\nrep movsb`,
    () => `adc %r8, %r9\nsetc data + ${pick(4000)}`,
    () => `mov $${pick(5) + 1}, %ecx\n1: dec %ecx\njnz 1b`,
  ];
  const body = Array.from({ length: 60 }, () => forms[pick(forms.length)]());
  return `
        mov $${200 + pick(100)}, %ebx
loop:   ${body.join("\n")}
        dec %ebx
        jnz loop
        lock incl done
        cmp $0, %edi
wait:   pause
        cmpl $2, done
        jne wait
        mov $1, %eax
        out %al, $0xf4
stop:   jmp stop
fn0:    inc %r8
        ret
fn1:    call fn0
        ret
fn2:    add %r8, data + 8
        ret
        .align 4096
done:   .long 0
        .align 4096
data:   .skip 4608, 7
`;
}

test("random programs end as they do without, count for count", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const ends = [];
    for (const points of [0, 50]) {
      const guest = await LongMode.start(randomProgram(seed), 2);
      const pick = below(seed + 1000);
      const loop = guest.symbol("loop");
      const data = guest.symbol("data");
      for (let i = 0; i < points; i++) {
        guest.debugger.insertBreakpoint(
          point("software", loop + pick(400), 1, [NEVER]),
        );
        // On the pages that are used, and nobody touches them.
        guest.debugger.insertBreakpoint(
          point("access", data + 4200 + pick(300), 1 + pick(60)),
        );
      }
      assertEquals((await guest.run()).reason.kind, "exited");
      const registers = [Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.R8, Reg.R9, Reg.Rip];
      const { view } = guest.machine.memory;
      ends.push({
        instructions: guest.instructions,
        registers: registers.map((r) => [guest.reg(r, 0), guest.reg(r, 1)]),
        memory: new Uint8Array(
          await crypto.subtle.digest("SHA-256", view.slice(0, 0x200000)),
        ).toHex(),
      });
      guest.close();
    }
    assertEquals(ends[1], ends[0], `seed ${seed}`);
  }
});

Deno.test({
  name: "in memory: who comes by a page's other address goes on",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      ALIASED,
      1,
      { breakpoints: "memory" },
    );
    guest.machine.memory.write(PDPT + 8, Uint8Array.of(3, PD >> 8));
    guest.takeDebugRegisters();
    guest.break("last");
    for (let turn = 1n; turn < 5n; turn++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.rip(), guest.symbol("last"));
      assertEquals(guest.reg(Reg.Rcx), 2n * turn);
    }
    guest.close();
  },
});

Deno.test({
  name: "monitor breakpoints says how each is held",
  ignore,
  async fn() {
    for (const way of ["processor", "memory"] as const) {
      const guest = await LongMode.start(
        "loop: nop\nafter: jmp loop\n.align 8\nword: .quad 0",
        1,
        {
          breakpoints: way,
        },
      );
      const show = () => guest.debugger.monitor("breakpoints", 0) as string;
      assertEquals(show(), "no breakpoints\n");
      const at = guest.symbol("loop");
      const address = `0x${at.toString(16).padStart(16, "0")}`;
      guest.break("loop");
      assertEquals(
        show().split("\n")[0],
        `${address}  break: not held yet: the guest has not run since`,
      );
      await guest.run();
      const held = () => show().split("\n")[0].replace(/,? since .*/, "");
      if (way === "memory") {
        assertEquals(held(), `${address}  break: a debug register`);
        // With those it needs taken it is in memory.
        guest.takeDebugRegisters();
        await guest.run();
        guest.debugger.removeBreakpoint(point("hardware", LongMode.NOWHERE));
      }
      guest.debugger.insertBreakpoint(
        point("write", guest.symbol("word"), 8),
      );
      assertEquals(
        held(),
        `${address}  break: ` +
          (way === "processor"
            ? "a debug point in the processor"
            : `INT1 at physical 0x${at.toString(16)}`),
      );
      const lines = show().split("\n");
      assert(show().includes("write watchpoint, 8 bytes"), show());
      if (way === "memory") {
        const registers = () =>
          show().split("\n").slice(1, 5).map((line) =>
            line.replace(/^0x0*(\w+) .*: /, "$1 ").replace(/since .* s/, "")
          );
        const nowhere = (i: bigint) => (LongMode.NOWHERE + i).toString(16);
        assertEquals(registers(), [
          `${guest.symbol("word").toString(16)} the guest has not run since`,
          ...[1, 2, 3].map((i) =>
            `${nowhere(BigInt(i))} debug register ${i},  of guest time`
          ),
        ]);
        const [, second] = show().split("\n").slice(1);
        // Taken out and put back at a stop it is the same one.
        const point1 = point("hardware", LongMode.NOWHERE + 1n);
        assert(guest.debugger.removeBreakpoint(point1));
        guest.debugger.insertBreakpoint(point1);
        await guest.run();
        assertEquals(show().split("\n")[2], second);
        assert(registers()[0].includes("debug register 0"), registers()[0]);
      }
      // gdb takes them out at a stop, and puts them back.
      assert(guest.unbreak("loop"));
      assertEquals(
        show().split("\n")[0],
        lines[0].replace(
          "break:",
          "break (taken out while the guest stands):",
        ),
      );
      guest.break("loop");
      assertEquals(show().split("\n")[0], lines[0]);
      assert(guest.unbreak("loop"));
      guest.break("after");
      await guest.run();
      assert(!show().includes(address));
      guest.close();
    }
  },
});
