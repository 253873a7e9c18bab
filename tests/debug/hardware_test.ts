// Hardware breakpoints and watchpoints on the software platform.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { type BreakpointKind, TargetError } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const GUEST = `
loop:   mov word, %rax
read:   nop
        mov %rcx, word
written: inc %rcx
        mov other, %rdx
        incb other
seen:   jmp loop
        .align 8
word:   .quad 0
other:  .quad 0
`;

function point(guest: LongMode, kind: BreakpointKind, at: string, length = 8) {
  const address = BigInt(guest.symbol(at));
  return { kind, address, length, conditions: [] };
}

Deno.test({
  name: "watchpoints stop behind the access, and say which it was",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST);
    const { debugger: target } = guest;
    const address = BigInt(guest.symbol("word"));
    const write = point(guest, "write", "word");
    target.insertBreakpoint(write);
    for (let turn = 0; turn < 3; turn++) {
      assertEquals((await guest.run()).reason, {
        kind: "watchpoint",
        access: "write",
        address,
      });
      assertEquals(guest.rip(), guest.symbol("written"));
    }
    assert(target.removeBreakpoint(write));
    target.insertBreakpoint(point(guest, "access", "word"));
    await guest.run();
    assertEquals(guest.rip(), guest.symbol("read"));
    await guest.run();
    assertEquals(guest.rip(), guest.symbol("written"));
    guest.close();
  },
});

Deno.test({
  name: "a read watchpoint does not stop for writes that change the value",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST);
    guest.machine.processors[0].vp.set(Reg.Rcx, 7n);
    guest.debugger.insertBreakpoint(point(guest, "read", "word"));
    for (let turn = 0; turn < 3; turn++) {
      assertEquals((await guest.run()).reason.kind, "watchpoint");
      assertEquals(guest.rip(), guest.symbol("read"));
    }
    guest.close();
  },
});

Deno.test({
  name: "a hardware breakpoint stops before its instruction, every turn",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST);
    guest.debugger.insertBreakpoint(point(guest, "hardware", "written", 1));
    for (let turn = 0n; turn < 3n; turn++) {
      assertEquals((await guest.run()).reason, { kind: "hardwareBreakpoint" });
      assertEquals(guest.rip(), guest.symbol("written"));
      assertEquals(guest.reg(Reg.Rcx), turn);
    }
    // Step off it and come round again.
    await guest.resume("step");
    assertEquals(guest.reg(Reg.Rcx), 3n);
    await guest.run();
    assertEquals(guest.reg(Reg.Rcx), 3n);
    guest.close();
  },
});

Deno.test({
  name: "a step that touches what is watched says so",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST);
    guest.debugger.insertBreakpoint(point(guest, "write", "word"));
    assertEquals((await guest.resume("step")).reason.kind, "step");
    assertEquals((await guest.resume("step")).reason.kind, "step");
    assertEquals((await guest.resume("step")).reason.kind, "watchpoint");
    assertEquals(guest.rip(), guest.symbol("written"));
    guest.close();
  },
});

Deno.test({
  name: "four registers, alignment, and lengths that can be",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST, 1, { breakpoints: "memory" });
    const { debugger: target } = guest;
    const word = BigInt(guest.symbol("word"));
    const at = (address: bigint, length: number) => ({
      kind: "write" as const,
      address,
      length,
      conditions: [],
    });
    assertThrows(() => target.insertBreakpoint(at(word, 3)), TargetError);
    assertThrows(() => target.insertBreakpoint(at(word + 1n, 2)), TargetError);
    for (const length of [1, 2, 4, 8]) {
      target.insertBreakpoint(at(word, length));
    }
    target.insertBreakpoint(at(word, 4)); // shared
    const fifth = at(word + 8n, 1);
    assertThrows(
      () => target.insertBreakpoint(fifth),
      TargetError,
      "all four",
    );
    assert(target.removeBreakpoint(at(word, 4)));
    assertThrows(() => target.insertBreakpoint(fifth), TargetError);
    assert(target.removeBreakpoint(at(word, 4)));
    target.insertBreakpoint(fifth);
    assert(!target.removeBreakpoint(at(word, 4)));
    guest.close();
  },
});

const OWN = `
start:  lea mine, %rax
        mov %rax, %dr1
        mov $0x00d00404, %eax
        mov %rax, %dr7
        mov %dr0, %rbx
        mov %dr7, %rbp
        incq theirs
        incq mine
        mov %dr6, %rsi
        jmp .
vector1: mov %dr6, %rdi
        incq hits
        mov %dr7, %r8
        xor %eax, %eax
        mov %rax, %dr6
        iretq
        .align 8
mine:   .quad 0
theirs: .quad 0
hits:   .quad 0
`;

Deno.test({
  name: "the guest neither sees the debugger's registers nor loses its own",
  ignore,
  async fn() {
    const guest = await LongMode.start(OWN);
    const { vp } = guest.machine.processors[0];
    vp.set(Reg.Rip, BigInt(guest.symbol("start")));
    guest.debugger.insertBreakpoint(point(guest, "write", "theirs"));
    guest.debugger.insertBreakpoint({
      kind: "hardware",
      address: 0x123456n,
      length: 1,
      conditions: [],
    });
    assertEquals((await guest.run()).reason.kind, "watchpoint");
    assertEquals(guest.reg(Reg.Rbx), 0n, "DR0 as the guest set it: not at all");
    assertEquals(guest.reg(Reg.Rbp), 0xd00404n, "DR7, too");
    assertEquals(guest.reg(Reg.Dr7), 0xd00404n, "and for gdb while stopped");
    assertEquals(guest.reg(Reg.Dr1), BigInt(guest.symbol("mine")));
    const stopped = guest.run();
    setTimeout(() => guest.debugger.interrupt(), 30);
    assertEquals((await stopped).reason.kind, "interrupted");
    assertEquals(guest.quad("hits"), 1n);
    assertEquals(guest.reg(Reg.Rdi) & 0xfn, 2n, "B1, as the guest numbers it");
    assertEquals(guest.reg(Reg.R8), 0xd00404n);
    assertEquals(guest.reg(Reg.Rsi) & 0xfn, 0n);
    guest.close();
  },
});

const MAPS = `
start:  mov $0x200000, %ebx
        movb $0x90, (%rbx)
        movw $0xfeeb, 1(%rbx)
        nop
        lea high_pd(%rip), %rax
        or $3, %rax
        mov %rax, 0x2000 + 8 * 5
        mov $0x200083, %eax
        mov %rax, high_pd(%rip)
        mov $0x140000000, %rax
        mov $3, %ecx
again:  dec %ecx
        jnz again
        jmp *%rax
        .align 4096
high_pd: .fill 512, 8, 0
`;

Deno.test({
  name: "a breakpoint where nothing is mapped yet stops once there is code",
  ignore,
  async fn() {
    const guest = await LongMode.start(MAPS);
    const high = 0x140000000;
    for (const at of [high, high + 1, 0x150000000]) guest.break(at);
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    assertEquals(guest.rip(), high);
    // Mapped now: from here on they are bytes in memory.
    for (let turn = 0; turn < 3; turn++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.rip(), high + 1);
    }
    assertEquals(guest.machine.memory.readByte(0x200001), 0xeb);
    assertEquals(guest.reg(Reg.Dr7), 0x400n);
    guest.close();
  },
});

/** Uses three debug registers, and then all four, while nothing is mapped where the
 * debugger waits. */
const ALL_OWN = `
start:  lea mine, %rax
        mov %rax, %dr3
        mov %rax, %dr0
        movabs $0xd0000480, %rax
        mov %rax, %dr7
        incq mine
        movabs $0xd00d0482, %rax
        mov %rax, %dr7
        incq mine
end:    jmp end
vector1: mov %dr6, %rdi
        and $0xf, %edi
        or %rdi, seen
        incq hits
        xor %eax, %eax
        mov %rax, %dr6
        iretq
        .align 8
mine:   .quad 0
hits:   .quad 0
seen:   .quad 0
`;

Deno.test({
  name: "a register that is lent goes back to a guest that enables its own",
  ignore,
  async fn() {
    const guest = await LongMode.start(ALL_OWN);
    for (let i = 0; i < 4; i++) guest.break(0x140000000 + i * 0x1000);
    // A busy host may not have come to the end by then.
    for (let turn = 0; turn < 100 && guest.quad("hits") < 2n; turn++) {
      const stopped = guest.run();
      setTimeout(() => guest.debugger.interrupt(), 20);
      assertEquals((await stopped).reason.kind, "interrupted");
    }
    assertEquals(guest.quad("mine"), 2n);
    assertEquals([guest.quad("hits"), guest.quad("seen")], [2n, 9n]);
    assertEquals(guest.reg(Reg.Dr7), 0xd00d0482n);
    guest.close();
  },
});

Deno.test({
  name:
    "two processors at one watchpoint: every hit is told, and only while asked",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
loop:   lock incq word
        jmp loop
        .align 8
word:   .quad 0
`,
      2,
    );
    const { debugger: target } = guest;
    const watch = point(guest, "write", "word");
    target.insertBreakpoint(watch);
    const told = [0, 0];
    for (let i = 0; i < 200; i++) {
      const { processor, reason } = await guest.run();
      assertEquals(reason.kind, "watchpoint");
      told[processor]++;
    }
    const untold = target.guest.vcpus.reduce((n, v) => n + v.untold.length, 0);
    assertEquals(Number(guest.quad("word")), 200 + untold);
    assert(told[0] > 20 && told[1] > 20, `${told}`);
    assert(target.removeBreakpoint(watch));
    const stopped = guest.run();
    setTimeout(() => target.interrupt(), 10);
    assertEquals((await stopped).reason.kind, "interrupted");
    guest.close();
  },
});

Deno.test({
  name: "behind MOV SS a break hits, and a debug register is held back",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
loop:   inc %rcx
        mov %ss, %eax
        mov %eax, %ss
behind: nop
next:   jmp loop
`,
      1,
      { breakpoints: "memory" },
    );
    guest.debugger.insertBreakpoint(point(guest, "hardware", "behind", 1));
    guest.debugger.insertBreakpoint(point(guest, "hardware", "next", 1));
    for (let turn = 1n; turn < 3n; turn++) {
      await guest.run();
      assertEquals([guest.rip(), guest.reg(Reg.Rcx)], [
        guest.symbol("next"),
        turn,
      ]);
    }
    guest.break("behind");
    for (const at of ["behind", "next", "behind"]) {
      const { reason } = await guest.run();
      assertEquals(guest.rip(), guest.symbol(at));
      assertEquals(
        reason.kind,
        at === "behind" ? "breakpoint" : "hardwareBreakpoint",
      );
    }
    guest.close();
  },
});

for (const breakpoints of ["memory", undefined] as const) {
  Deno.test({
    name: `a break inside of an instruction that is executed, too: ${
      breakpoints ?? "the platform's way"
    }`,
    ignore,
    async fn() {
      // From the second byte of the MOV on it is two NOPs and a JMP.
      const guest = await LongMode.start(
        `
loop:   xor %eax, %eax
whole:  mov $0x01eb9090, %eax
        nop
after:  inc %rcx
        test $1, %cl
        jz loop
        mov %eax, %edx
        xor %eax, %eax
        jmp whole + 1
`,
        1,
        { breakpoints },
      );
      guest.break(guest.symbol("whole") + 1);
      for (let turn = 0n; turn < 3n; turn++) {
        assertEquals((await guest.run()).reason, { kind: "breakpoint" });
        assertEquals(guest.rip(), guest.symbol("whole") + 1);
        assertEquals(guest.reg(Reg.Rcx), 2n * turn + 1n);
        assertEquals(guest.reg(Reg.Rdx), 0x01eb9090n);
      }
      guest.close();
    },
  });
}
