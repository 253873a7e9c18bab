// Range steps over lines with gates: instructions that go where only running them
// tells. Each must end exactly where single steps leave the line.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Instructions that stay inside the line, by what they are. */
const GATES: Readonly<Record<string, string>> = {
  popf: "pushf\npopf",
  "irqsave and irqrestore": "pushf\npop %rdx\ncli\npush %rdx\npopf",
  "an indirect jump": "lea 9f(%rip), %rax\njmp *%rax\nhlt\n9:",
  "a return": "lea 9f(%rip), %rax\npush %rax\nret\nhlt\n9:",
  iretq:
    "mov %rsp, %rax\npush $16\npush %rax\npushf\npush $8\nlea 9f(%rip), %rax\npush %rax\niretq\nhlt\n9:",
  "a far return": "push $8\nlea 9f(%rip), %rax\npush %rax\nlretq\nhlt\n9:",
  "MOV SS": "mov %ss, %eax\nmov %eax, %ss\nnop",
  "HLT with interrupts off": "cli\nhlt",
  CPUID: "xor %eax, %eax\ncpuid",
  OUT: "out %al, $0x80",
  "a loop": "mov $3000, %r9d\n9: pushf\npopf\ndec %r9d\njnz 9b",
};

for (const [name, code] of Object.entries(GATES)) {
  Deno.test({
    name: `a line with ${name}, wherever in it`,
    ignore,
    async fn() {
      for (const before of [0, 1, 11, 12, 13, 30]) {
        for (const after of [0, 1, 30]) {
          const guest = await LongMode.start(`
        nop
line:   ${"nop;".repeat(before)}
        ${code}
        ${"nop;".repeat(after)}
end:    inc %r8
stop:   jmp stop
`);
          await guest.resume("step");
          const start = BigInt(guest.symbol("line"));
          const end = BigInt(guest.symbol("end"));
          const { reason } = await guest.resume({ kind: "range", start, end });
          const where = `${before} before, ${after} behind`;
          assertEquals(reason, { kind: "step" }, where);
          assertEquals(guest.reg(Reg.Rip), end, where);
          assertEquals(guest.reg(Reg.R8), 0n, where);
          guest.close();
        }
      }
    },
  });
}

Deno.test({
  name: "HLT behind STI is stepped, and an interrupt wakes from it",
  ignore,
  async fn() {
    // The local APIC's timer, once.
    const guest = await LongMode.start(`
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0x30, 0x320(%rsi)
        movl $11, 0x3e0(%rsi)
        movl $1000, 0x380(%rsi)
        sti
        hlt
woken:  jmp woken
vector48: inc %rcx
        movl $0, 0xb0(%rsi)
        iretq
`);
    guest.machine.processors[0].vp.set(Reg.Rcx, 0n);
    for (let step = 0; step < 7; step++) await guest.resume("step");
    guest.break("woken");
    assertEquals((await guest.run()).reason.kind, "breakpoint");
    assertEquals(guest.reg(Reg.Rcx), 1n);
    guest.close();
  },
});
