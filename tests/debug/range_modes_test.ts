// Range steps over lines that are not what they look like: whose code changes on the way,
// whose addresses wrap, that wait for an interrupt; and with something to stop at in
// them. Where single steps tell what is right, they are asked.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { injectExtInt } from "../../src/machine/events.ts";
import type { Breakpoint } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { inMode, LineGuest, type Mode, MODES, TIMER } from "./line_guest.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const OVERLAPPING =
  "xor {D}, {D}\n6: pushf\ntest {D}, {D}\njnz 7f + 1\n7: .byte 0xa8, 0x9d\n" +
  "test {D}, {D}\njnz 8f\npop {A}\ninc {D}\njmp 6b\n8:";
/** Until the timer has ticked thrice; in its handler not at all. */
const WAIT = "cmpb $0, %fs:8\njne 5f\ncmpl $3, %fs:0\njb 9b\n5:";

const WAITS: Readonly<Record<string, string>> = {
  "in a loop": `9: nop\n${WAIT}`,
  "in a loop without a fence": `9: ${OVERLAPPING}\n${WAIT}`,
  "with interrupts on only before a gate":
    `cli\n9: pushf\nsti\nnop\npopf\n${WAIT}\nsti`,
  "with interrupts on only behind a gate":
    `9: cli\npushf\npop {A}\nor $2, %ah\npush {A}\npopf\nnop\ncli\n${WAIT}\nsti`,
  "by HLT": "cmpb $0, %fs:8\njne 5f\n9: sti\nhlt\ncmpl $3, %fs:0\njb 9b\n5:",
};

for (const mode of MODES) {
  for (const [how, line] of Object.entries(WAITS)) {
    Deno.test({
      name: `a line of ${mode} that waits for interrupts ${how} is left`,
      ignore,
      async fn() {
        const guest = await LineGuest.start(mode, [line], { ticking: true });
        await guest.to(0);
        assertEquals((await guest.range(0)).reason, { kind: "step" });
        assertEquals(guest.guest.rip(), guest.offset("end0"));
        assertEquals(guest.depth(), 0);
        assert(guest.ticks() >= 3);
        guest.close();
      },
    });
  }
}

for (const mode of MODES) {
  Deno.test({
    name: `an interrupt on its way does not end a range step of ${mode}`,
    ignore,
    async fn() {
      const guest = await LineGuest.start(mode, ["nop\nnop\nsti\nnop"]);
      await guest.to(0);
      const { vp } = guest.guest.machine.processors[0];
      vp.set(Reg.Rflags, vp.get(Reg.Rflags) | 0x200n);
      injectExtInt(vp, TIMER);
      assertEquals((await guest.range(0)).reason, { kind: "step" });
      assertEquals(guest.guest.rip(), guest.offset("end0"));
      assertEquals(guest.ticks(), 1);
      guest.close();
    },
  });
}

Deno.test({
  name: "a guest that steps itself through a line has all of its traps",
  ignore,
  async fn() {
    const traps: bigint[] = [];
    for (const stepping of [false, true]) {
      const guest = await LongMode.start(`
        xor %r8d, %r8d
line:   ${"nop;".repeat(14)}
        pushf
        orl $0x100, (%rsp)
        popf
        mov $50, %ecx
1:      dec %ecx
        jnz 1b
        pushf
        andl $~0x100, (%rsp)
        popf
        nop
end:    nop
        jmp .
vector1: inc %r8
        iretq
`);
      const end = BigInt(guest.symbol("end"));
      await guest.resume("step");
      if (stepping) {
        const start = BigInt(guest.symbol("line"));
        const { reason } = await guest.resume({ kind: "range", start, end });
        assertEquals(reason, { kind: "step" });
      } else {
        guest.break(end);
        await guest.run();
      }
      assertEquals(guest.reg(Reg.Rip), end);
      traps.push(guest.reg(Reg.R8));
      guest.close();
    }
    assert(traps[0] > 100n);
    assertEquals(traps[1], traps[0]);
  },
});

Deno.test({
  name: "two processors step the same line, and the first at its end stops",
  ignore,
  async fn() {
    const guest = await LongMode.start(
      `
        nop
line:   mov $2000, %ecx
1:      dec %ecx
        pushf
        popf
        jnz 1b
end:    jmp end
`,
      2,
    );
    await guest.resume("step", "step");
    const [start, end] = ["line", "end"].map((at) => BigInt(guest.symbol(at)));
    for (const rip of [0, 1]) {
      guest.machine.processors[rip].vp.set(Reg.Rip, start);
    }
    const ended = new Set<number>();
    while (ended.size < 2) {
      const { reason, processor } = await guest.resume(
        ...[0, 1].map((i) =>
          ended.has(i)
            ? { kind: "stay" } as const
            : { kind: "range", start, end } as const
        ),
      );
      assertEquals(reason, { kind: "step" });
      assertEquals(guest.reg(Reg.Rip, processor), end);
      assertEquals(guest.reg(Reg.Rcx, processor), 0n);
      assert(!ended.has(processor));
      ended.add(processor);
    }
    guest.close();
  },
});

type Kind = Breakpoint["kind"];

function at(kind: Kind, address: bigint): Breakpoint {
  const length = kind === "software" || kind === "hardware" ? 1 : 4;
  return { kind, address, length, conditions: [] };
}

/** Where something to stop at is in a line: before a fence is up, in a hot loop behind it,
 * and behind a gate. */
const STOPPING = `
        nop
early:  nop
        mov $5000, {C}
9:      dec {C}
hot:    jnz 9b
        pushf
gate:   popf
        movl $1, 0x7800
behind: nop
`;

async function stops(mode: Mode, kind: "software" | "hardware") {
  const guest = await LineGuest.start(mode, [STOPPING]);
  const { debugger: d } = guest.guest;
  await guest.to(0);
  for (const label of ["early", "hot", "gate", "behind"]) {
    const breakpoint = at(kind, guest.linear(label));
    d.insertBreakpoint(breakpoint);
    const { reason } = await guest.range(0);
    assertEquals(reason.kind, kind === "software" ? "breakpoint" : STOP, label);
    assertEquals(guest.guest.rip(), guest.offset(label));
    d.removeBreakpoint(breakpoint);
  }
  assertEquals((await guest.range(0)).reason, { kind: "step" });
  assertEquals(guest.guest.rip(), guest.offset("end0"));
  guest.close();
}

const STOP = "hardwareBreakpoint";

for (const mode of MODES) {
  for (const kind of ["software", "hardware"] as const) {
    Deno.test({
      name: `a ${kind} breakpoint in a line of ${mode} stops a range step`,
      ignore,
      fn: () => stops(mode, kind),
    });
  }
  Deno.test({
    name: `a watchpoint in a line of ${mode} stops a range step`,
    ignore,
    async fn() {
      const guest = await LineGuest.start(mode, [STOPPING]);
      await guest.to(0);
      const watch = at("write", 0x7800n);
      guest.guest.debugger.insertBreakpoint(watch);
      assertEquals((await guest.range(0)).reason, {
        kind: "watchpoint",
        access: "write",
        address: 0x7800n,
      });
      assertEquals(guest.guest.rip(), guest.offset("behind"));
      guest.guest.debugger.removeBreakpoint(watch);
      assertEquals((await guest.range(0)).reason, { kind: "step" });
      guest.close();
    },
  });
}

Deno.test({
  name:
    "a line whose page tables change under it goes on in what is there then",
  ignore,
  async fn() {
    // The second half of memory holds the same program, but for one jump.
    for (const before of [0, 5, 12, 30]) {
      const guest = await LongMode.start(`
        mov $0x10000, %edx
line:   ${"nop;".repeat(before)}
        mov %rdx, %cr3
jump:   jmp inside
        nop
inside: ${"nop;".repeat(30)}
end:    jmp end
out:    jmp out
`);
      const { memory } = guest.machine;
      const quad = (gpa: number, value: bigint) => {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setBigUint64(0, value, true);
        memory.write(gpa, bytes);
      };
      quad(0x10000, 0x11003n);
      quad(0x11000, 0x12003n);
      quad(0x12000, 0x200083n);
      const jump = guest.symbol("jump");
      memory.write(0x200000, memory.view.slice(0, 0x200000));
      memory.writeByte(
        0x200000 + jump + 1,
        guest.symbol("out") - jump - 2,
      );
      await guest.resume("step");
      const { reason } = await guest.resume({
        kind: "range",
        start: BigInt(guest.symbol("line")),
        end: BigInt(guest.symbol("end")),
      });
      assertEquals(reason, { kind: "step" });
      assertEquals(guest.rip(), guest.symbol("out"));
      guest.close();
    }
  },
});

Deno.test({
  name: "where a code segment ends, and with a 16-bit operand, IP wraps",
  ignore,
  async fn() {
    const guest = await LineGuest.start("real mode", ["nop"]);
    const { memory, processors: [{ vp }] } = guest.guest.machine;
    const code = (at: number, hex: string) =>
      memory.write(0x10000 + at, Uint8Array.fromHex(hex.replaceAll(" ", "")));
    const range = async (from: number, start: number, end: number) => {
      vp.set(Reg.Rip, BigInt(from));
      const { reason } = await guest.guest.resume({
        kind: "range",
        start: BigInt(start),
        end: BigInt(end),
      });
      return [reason.kind, guest.guest.rip()];
    };
    // mov $1000, %cx; 1: dec %cx; jnz 1b; jmp 0x9010, around the segment's end
    code(0xfff0, "b9 e8 03 49 75 fd e9 17 90 eb f5");
    code(0x9010, "b9 e8 03 49 75 fd e9 d7 6f");
    assertEquals(await range(0xfff0, 0xfff0, 0xfff9), ["step", 0x9010]);
    assertEquals(await range(0x9010, 0x9010, 0x9019), ["step", 0xfff0]);
    // Both jumps are inside the range: out behind the segment's last byte.
    code(0xfff9, "f4 90 90 90 90 90 90");
    code(0x9010, "b9 e8 03 49 75 fd e9 e1 6f");
    assertEquals(await range(0xfff0, 0x9000, 0x10000), ["step", 0x10000]);
    guest.close();
  },
});

Deno.test({
  name: "in 32-bit code a 16-bit jump leaves for the first 64 KiB",
  ignore,
  async fn() {
    const guest = await LineGuest.start("32-bit code", [
      "mov $1000, %ecx\n9: dec %ecx\njnz 9b\n.byte 0x66, 0xeb, 2\n.skip 200, 0x90",
    ]);
    await guest.to(0);
    // A loop where it comes to.
    const target = (guest.offset("line0") + 13) & 0xffff;
    guest.guest.machine.memory.write(target, new Uint8Array([0xeb, 0xfe]));
    assertEquals((await guest.range(0)).reason, { kind: "step" });
    assertEquals(guest.guest.rip(), target);
    guest.close();
  },
});

/** Two programs of one text, each in its own address space, with the same stack pointer;
 * a timer changes from one to the other. Only the first leaves the line for good. */
const TWO_PROGRAMS = `
start:  lgdt gdtr
        mov $0x30, %eax
        ltr %ax
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0x30, 0x320(%rsi)
        movl $11, 0x3e0(%rsi)
        movl $700, 0x380(%rsi)
        xor %r15d, %r15d
        push $0x23
        push $0x7e000
        push $0x202
        push $0x2b
        push $line
        iretq
line:   mov $3000, %ecx
loop:   dec %ecx
        jnz loop
        pushf
        popf
end:    inc %r14
        test %r15, %r15
        jnz line
stop:   jmp stop
vector48: xchg %rcx, saved
        xchg %r15, saved + 8
        push %rdx
        mov 8(%rsp), %rdx
        xchg %rdx, saved + 16
        mov %rdx, 8(%rsp)
        mov 24(%rsp), %rdx
        xchg %rdx, saved + 24
        mov %rdx, 24(%rsp)
        mov %cr3, %rdx
        xor $0x11000, %rdx
        mov %rdx, %cr3
        mov $0xfee00000, %edx
        movl $0, 0xb0(%rdx)
        movl $700, 0x380(%rdx)
        pop %rdx
        iretq
        .align 8
saved:  .quad 100, 1, loop, 0x202
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0
        .quad 0x00cff3000000ffff, 0x00affb000000ffff
        .word 0x67, tss - start # start is at 0x100000
        .byte 0x10, 0x89, 0, 0
        .long 0, 0
gdtr:   .word . - gdt - 1
        .quad gdt
        .align 8
tss:    .long 0
        .quad 0x7f000
        .fill 92, 1, 0
`;

Deno.test({
  name: "another program at the same place of the same text ends no range step",
  ignore,
  async fn() {
    const guest = await LongMode.start(TWO_PROGRAMS);
    const { memory } = guest.machine;
    // Everything is the user's, too, in both address spaces.
    for (const at of [0x1000, 0x2000, 0x3000, 0x3008]) {
      memory.writeByte(at, memory.readByte(at) | 4);
    }
    memory.write(0x10000, memory.view.slice(0x1000, 0x1008));
    guest.break("line");
    assertEquals((await guest.run()).reason, { kind: "breakpoint" });
    guest.unbreak("line");
    const { reason } = await guest.resume({
      kind: "range",
      start: BigInt(guest.symbol("line")),
      end: BigInt(guest.symbol("end")),
    });
    assertEquals(reason, { kind: "step" });
    assertEquals(guest.rip(), guest.symbol("end"));
    assertEquals(guest.reg(Reg.R15), 0n, "the first program");
    assertEquals(guest.reg(Reg.Cr3), 0x1000n);
    assert(guest.reg(Reg.R14) > 0n, "the other one was there");
    guest.close();
  },
});

const HOT = {
  "a loop": "mov $60000, {C}\n9: dec {C}\njnz 9b",
  "a loop that pushes and pops":
    "mov $60000, {C}\n9: push {A}\npush {C}\npop {C}\npop {A}\ndec {C}\njnz 9b",
  "a loop of system instructions":
    "mov $60000, {C}\n9: cld\npush {D}\nsmsw %ax\ncmp {SP}, {A}\nclts\nmov %ds, %dx\nmov %dx, %ds\npop {D}\ndec {C}\njnz 9b",
};

for (const mode of MODES) {
  Deno.test({
    name: `hot loops of ${mode} are not stepped`,
    ignore,
    async fn() {
      const guest = await LineGuest.start(
        mode,
        Object.values(HOT).map((code) => inMode(mode, code)),
      );
      const exits = () =>
        Object.values(guest.guest.machine.exitCounts)
          .reduce((a, b) => a + b, 0);
      for (const [i, name] of Object.keys(HOT).entries()) {
        await guest.to(i);
        const before = exits();
        assertEquals((await guest.range(i)).reason, { kind: "step" }, name);
        assertEquals(guest.guest.rip(), guest.offset(`end${i}`), name);
        assert(exits() - before < 40, name);
      }
      guest.close();
    },
  });
}

Deno.test({
  name: "a range may be all there is",
  ignore,
  async fn() {
    const guest = await LineGuest.start("64-bit code", [STOPPING]);
    await guest.to(0);
    guest.guest.break(guest.linear("stop"));
    const { reason } = await guest.guest.resume({
      kind: "range",
      start: 0n,
      end: 1n << 48n,
    });
    assertEquals(reason, { kind: "breakpoint" });
    assertEquals(guest.guest.rip(), guest.offset("stop"));
    guest.close();
  },
});
