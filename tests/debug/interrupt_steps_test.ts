// Steps that let interrupts come first: the step then ends in the handler.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import type { Action } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";
import { picAt } from "../util/pic.ts";

const ignore = !requireTool("gcc");
/** As QEMU's sstep bits 1, 5 and 7 have them. */
const BOTH: Action = { kind: "step", interrupts: true, holdTimers: false };
const NO_TIMER: Action = { kind: "step", interrupts: true, holdTimers: true };
const NEITHER: Action = { kind: "step" };

const HANDLER = `
vector48: inc %rcx
        movl $0, 0xb0(%rsi)
        iretq
`;

/** Steps until RIP is at a label; returns the steps, -1 if `most` are not enough. */
async function stepsTo(
  guest: LongMode,
  label: string,
  action: Action,
  most: number,
): Promise<number> {
  for (let steps = 1; steps <= most; steps++) {
    assertEquals((await guest.resume(action)).reason, { kind: "step" });
    if (guest.rip() === guest.symbol(label)) return steps;
  }
  return -1;
}

Deno.test({
  name: "an interrupt that waits is a step of its own, or goes on waiting",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(`
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        xor %ecx, %ecx
        movl $0x44030, 0x300(%rsi)
        sti
behind: nop
next:   nop
last:   hlt
${HANDLER}`);
    try {
      guest.break("behind");
      await guest.run();
      guest.unbreak("behind");
      // The shadow of STI holds it for one instruction.
      await guest.resume(NEITHER);
      assertEquals(guest.rip(), guest.symbol("next"));
      await guest.resume(NEITHER);
      assertEquals(guest.rip(), guest.symbol("last"));
      guest.machine.processors[0].vp.set(
        Reg.Rip,
        BigInt(guest.symbol("next")),
      );
      assertEquals(await stepsTo(guest, "vector48", NO_TIMER, 1), 1);
      // Nothing of a step is in what the guest pushed.
      const flags = guest.machine.memory.slice(
        Number(guest.reg(Reg.Rsp)) + 17,
        1,
      );
      assertEquals(flags![0] & 1, 0);
      assertEquals(await stepsTo(guest, "next", BOTH, 3), 3);
      assertEquals(guest.reg(Reg.Rcx), 1n);
      assertEquals(await stepsTo(guest, "last", BOTH, 1), 1);
    } finally {
      guest.close();
    }
  },
});

Deno.test({
  name: "a timer's interrupt comes between steps where both may",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(`
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0x20030, 0x320(%rsi)
        movl $11, 0x3e0(%rsi)
        xor %ecx, %ecx
        sti
        movl $COUNT, 0x380(%rsi)
loop:   inc %rax
        jmp loop
${HANDLER}`.replace("COUNT", "300"));
    try {
      guest.break("loop");
      await guest.run();
      guest.unbreak("loop");
      // However many steps, none comes.
      assertEquals(await stepsTo(guest, "vector48", NO_TIMER, 600), -1);
      assertEquals(guest.reg(Reg.Rcx), 0n);
      // No interrupt does.
      assertEquals(await stepsTo(guest, "vector48", NEITHER, 600), -1);
      assertEquals(guest.reg(Reg.Rcx), 0n);
      const first = await stepsTo(guest, "vector48", BOTH, 600);
      assertEquals(first > 0, true);
      // It is periodic: so it does again.
      assertEquals(await stepsTo(guest, "vector48", BOTH, 600) > 0, true);
      assertEquals(guest.reg(Reg.Rcx), 1n);
    } finally {
      guest.close();
    }
  },
});

Deno.test({
  name: "the PIC's interrupt, and one that wakes from HLT",
  ignore,
  fn: async () => {
    const guest = await LongMode.start(`
        mov $0xfee00000, %esi
        xor %ecx, %ecx
        ${picAt(48, 0xfe)}
        mov $0x30, %al
        out %al, $0x43
        mov $2, %al
        out %al, $0x40
        mov $0, %al
        out %al, $0x40
        mov $20000, %edx
0:      dec %edx
        jnz 0b
        sti
        nop
ready:  nop
        hlt
woken:  nop
        hlt
vector48: inc %rcx
        mov $0x20, %al
        out %al, $0x20
        iretq
`);
    try {
      guest.break("ready");
      // Interrupts wait at the steps of a debugger, and by the breakpoint here.
      guest.machine.processors[0].vp.set(Reg.Rcx, 0n);
      const stop = await guest.run();
      assertEquals(stop.reason.kind, "breakpoint");
      // It has come before: the run let it.
      assertEquals(guest.reg(Reg.Rcx), 1n);
      guest.unbreak("ready");
      guest.machine.board.pic.setInput(0, false);
      await guest.resume(BOTH);
      await guest.resume(BOTH);
      assertEquals(guest.rip(), guest.symbol("woken"));
      assertEquals(guest.reg(Reg.InternalActivityState) & 2n, 2n);
      guest.machine.board.pic.setInput(0, true);
      assertEquals(guest.machine.board.pic.asking, 0);
      // What is behind HLT is stepped, and the timer's interrupt waits.
      await guest.resume(NO_TIMER);
      assertEquals(guest.rip(), guest.symbol("woken") + 1);
      guest.machine.processors[0].vp.set(
        Reg.Rip,
        BigInt(guest.symbol("woken")),
      );
      await guest.resume(BOTH);
      assertEquals(guest.rip(), guest.symbol("vector48"));
      assertEquals(guest.reg(Reg.InternalActivityState) & 2n, 0n);
      assertEquals(await stepsTo(guest, "woken", BOTH, 8), 4);
      assertEquals(guest.reg(Reg.Rcx), 2n);
    } finally {
      guest.close();
    }
  },
});
