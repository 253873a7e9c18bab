// A machine whose guests can switch to x2APIC mode.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { LongMode } from "../debug/long_mode.ts";
import { requireTool } from "../util/tools.ts";

const ignore = !requireTool("gcc");
const X2_BSP = 0xfee00d00n, X2_AP = 0xfee00c00n;

/** Processor 0 interrupts processor 1, itself, and has the IOAPIC interrupt
 * processor 1; each counts. */
const GUEST = `
        .macro wr index, high, low
        mov $\\index, %ecx
        mov $\\low, %eax
        mov $\\high, %edx
        wrmsr
        .endm
        .macro await cell, value
1:      pause
        cmpl $\\value, \\cell
        jb 1b
        .endm
        mov $1, %eax
        cpuid
        bt $21, %ecx
        jnc .
        mov $0x1b, %ecx
        rdmsr
        or $0x400, %eax                 # EXTD
        wrmsr
        wr 0x80f, 0, 0x1ff
        mov $0x802, %ecx
        rdmsr                           # the ID
        mov %eax, ids(,%rdi,4)
        sti
        test %edi, %edi
        jnz waits
        await ready, 1
        wr 0x83f, 0, 48                 # SELF IPI
        await self, 1
        wr 0x830, 1, 49                 # to processor 1, physical
        await other, 1
        wr 0x830, 2, 0x831              # logical: its bit in cluster 0
        await other, 2
        wr 0x830, 0, 0xc0831            # all but itself
        await other, 3
        mov $0xfec00000, %esi
        movl $0x16, (%rsi)              # pin 3, level, to processor 1
        movl $0x18032, 0x10(%rsi)
        movl $0x17, (%rsi)
        movl $0x01000000, 0x10(%rsi)
        movl $0x16, (%rsi)
        movl $0x8032, 0x10(%rsi)
ask:    nop
        await level, 2
done:   jmp done
waits:  movl $1, ready
1:      pause
        jmp 1b
vector48: incl self
        jmp eoi
vector49: incl other
        jmp eoi
vector50: incl level
eoi:    push %rax
        push %rcx
        push %rdx
        wr 0x80b, 0, 0
        pop %rdx
        pop %rcx
        pop %rax
        iretq
        .balign 8
ids:    .long 0, 0
ready:  .long 0
self:   .long 0
other:  .long 0
level:  .long 0
`;

function long(guest: LongMode, name: string, offset = 0): number {
  const { view } = guest.machine.memory;
  return new DataView(view.buffer, view.byteOffset)
    .getUint32(guest.symbol(name) + offset, true);
}

Deno.test({
  name: "IPIs between processors in x2APIC mode, EOI, the IOAPIC's level",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(GUEST, 2, { apic: "x2apic" });
    const { machine } = guest;
    try {
      const { vp } = machine.processors[0];
      assertEquals(vp.get(Reg.ApicBase), X2_BSP - 0x400n);
      guest.break("ask");
      await guest.run();
      guest.unbreak("ask");
      assertEquals(long(guest, "ids"), 0);
      assertEquals(long(guest, "ids", 4), 1);
      assertEquals(vp.get(Reg.ApicBase), X2_BSP);
      assertEquals(machine.processors[1].vp.get(Reg.ApicBase), X2_AP);
      // Each EOI takes the level's request back: while it is asserted it comes again.
      machine.board.ioapic.setInput(3, true);
      guest.break("done");
      await guest.run();
      machine.board.ioapic.setInput(3, false);
      assertEquals(long(guest, "self"), 1);
      assertEquals(long(guest, "other"), 3);
      assertEquals(long(guest, "level") >= 2, true);
    } finally {
      guest.close();
    }
  },
});

Deno.test({
  name: "a machine in x2APIC mode: shown, saved and loaded, and reset",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(GUEST, 2, { apic: "x2apic" });
    const { machine } = guest;
    try {
      guest.break("ask");
      await guest.run();
      const told = await guest.debugger.monitor("info lapic", 1);
      assertStringIncludes(told, "APIC enabled");
      assertStringIncludes(told, "LDR 0x02 PPR");
      const sent = await guest.debugger.monitor("info lapic", 0);
      assertStringIncludes(
        sent,
        "ICR\t 0x000c0831 logical edge de-assert all\r\n",
      );
      // There is no page any more.
      const flat = await guest.debugger.monitor("info mtree -f", 0);
      assertEquals(/: apic\b/.test(flat), false);
      const state = machine.save();
      machine.reset();
      for (const [i, { vp }] of machine.processors.entries()) {
        assertEquals(vp.get(Reg.ApicBase), i === 0 ? 0xfee00900n : 0xfee00800n);
        assertEquals(
          new DataView(vp.getLapic().buffer).getUint32(0x20, true),
          i << 24,
        );
      }
      machine.load(state);
      assertEquals(machine.processors[0].vp.get(Reg.ApicBase), X2_BSP);
      assertEquals(await guest.debugger.monitor("info lapic", 0), sent);
      assertEquals(await guest.debugger.monitor("info lapic", 1), told);
    } finally {
      guest.close();
    }
  },
});

Deno.test({
  name: "without --apic x2apic the mode is neither told nor there",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(`
        mov $1, %eax
        cpuid
        mov %ecx, %ebx
        mov $0x1b, %ecx
        rdmsr
        or $0x400, %eax
        wrmsr
refused: jmp refused
vector13: add $16, %rsp
faulted: jmp faulted
`);
    try {
      guest.break("refused");
      guest.break("faulted");
      await guest.run();
      assertEquals(guest.rip(), guest.symbol("faulted"));
      assertEquals(guest.reg(Reg.Rbx) >> 21n & 1n, 0n);
    } finally {
      guest.close();
    }
  },
});
