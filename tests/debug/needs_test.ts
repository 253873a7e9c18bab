// Every kind of instruction that steps know of, stepped in both ways: by the trap flag
// and what it needs else (src/debug/stepping/needs.ts), and by the platform.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import type { BreakpointWay } from "../../src/debug/breakpoints/breakpoints.ts";
import { decode, Kind, newDecoded } from "../../src/x86/decode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

/** What a guest could look at. */
const REGISTERS = [
  Reg.Rip,
  Reg.Rflags,
  Reg.Rsp,
  Reg.Rax,
  Reg.Rbx,
  Reg.Rbp,
  Reg.R11,
  Reg.InterruptState,
  Reg.InternalActivityState,
];

/** TF is the guest's own once. SYSRET and SYSEXIT go to user mode, SYSENTER and SYSCALL come back. */
const ALL = `
        .macro msr number, low, high=0
        mov $\\number, %ecx
        mov $\\low, %eax
        mov $\\high, %edx
        wrmsr
        .endm
start:  msr 0xc0000081, 0, 0x00180008
        msr 0xc0000082, back
        msr 0xc0000084, 0x300
        msr 0x174, 8
        msr 0x175, 0x7e000
        msr 0x176, entry
        lgdt gdtr
        jmp jumped
        ud2
jumped: xor %eax, %eax
        jnz start
        jz called
        ud2
called: call function
        push $0x302
        popfq
        nop
        cli
        int $0x21
        mov %ss, %eax
        mov %eax, %ss
        mov %dr7, %rax
        sti
        nop
        cli
        hlt
        lea user(%rip), %rcx
        mov $2, %r11d
        sysretq
user:   pushfq
        sysenter
entry:  lea exited(%rip), %rdx
        mov $0x7f000, %ecx
        rex.w sysexit
exited: pushfq
        syscall
back:   pushfq
        pop %rax
end:    jmp end
function: pushfq
        pop %rbx
        ret
vector1: andw $~0x100, 16(%rsp)
        iretq
vector33: mov 16(%rsp), %rbp
        iretq
        .align 8
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0
        .quad 0x00cff3000000ffff, 0x00affb000000ffff
gdtr:   .word . - gdt - 1
        .quad gdt
`;

/** What a step left: where, and what the guest can look at. */
async function trace(way: BreakpointWay): Promise<[string[], Set<Kind>]> {
  const guest = await LongMode.start(ALL, 1, { breakpoints: way });
  try {
    const { memory } = guest.machine;
    // Everything is the user's, too.
    for (const at of [0x1000, 0x2000, 0x3000]) {
      memory.writeByte(at, memory.readByte(at) | 4);
    }
    const kinds = new Set<Kind>();
    const decoded = newDecoded();
    const steps: string[] = [];
    const end = guest.symbol("end");
    for (let count = 0; guest.rip() !== end && count < 200; count++) {
      const code = memory.slice(guest.rip(), 15)!;
      assert(decode(code, 0, 64, decoded));
      kinds.add(decoded.kind);
      const { reason } = await guest.resume("step");
      assertEquals(reason.kind, "step");
      const stack = memory.slice(Number(guest.reg(Reg.Rsp)), 8)!;
      steps.push(
        REGISTERS.map((r) => guest.reg(r).toString(16)).join(" ") +
          ` ${stack.toHex()}`,
      );
    }
    assertEquals(guest.rip(), end);
    return [steps, kinds];
  } finally {
    guest.close();
  }
}

Deno.test({
  name: "every kind of instruction is stepped as the platform steps it",
  ignore: !requireTool("gcc", "ld", "nm", "objcopy") ||
    testPlatform() !== "soft",
  async fn() {
    const [inMemory, kinds] = await trace("memory");
    const all = Object.values(Kind).filter((kind) => typeof kind === "number");
    const missing = all.filter((kind) =>
      kind !== Kind.Unknown && !kinds.has(kind)
    );
    assertEquals(missing.map((kind) => Kind[kind]), []);
    const [inProcessor] = await trace("processor");
    assertEquals(inMemory, inProcessor);
  },
});
