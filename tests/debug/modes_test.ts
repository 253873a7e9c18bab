// Steps across changes of privilege and mode on the software platform: the same
// path as without a debugger, one instruction at a time, and no trap flag in
// anything the guest can look at.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** User mode by SYSRET, back by SYSCALL, by an exception, and by INT n. */
const PRIVILEGE = `
start:  mov $0xc0000081, %ecx
        xor %eax, %eax
        mov $0x00180008, %edx
        wrmsr
        mov $0xc0000082, %ecx
        lea entry(%rip), %rax
        xor %edx, %edx
        wrmsr
        mov $0xc0000084, %ecx
        mov $0x300, %eax
        wrmsr
        mov $0xc0000080, %ecx
        rdmsr
        or $1, %eax
        wrmsr
        lgdt gdtr
        mov $0x30, %eax
        ltr %ax
        lea user(%rip), %rcx
        mov $0x202, %r11d
        sysretq
user:   pushfq
        pop %r12
        mov $1, %eax
        syscall
back:   pushfq
        pop %r13
        int $0x21
after:  hlt
        .globl entry
entry:  mov %r11, %r14
        pushfq
        pop %r15
        sysretq
vector33: mov 16(%rsp), %rbx
        iretq
vector13: mov 24(%rsp), %rbp
        mov $0, %al
        out %al, $0xf4
        .align 8
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

async function privilegeGuest(): Promise<LongMode> {
  const guest = await LongMode.start(PRIVILEGE);
  const { memory } = guest.machine;
  // Everything is the user's, too.
  for (const at of [0x1000, 0x2000]) {
    memory.writeByte(at, memory.readByte(at) | 4);
  }
  for (let i = 0; i < 2; i++) {
    memory.writeByte(0x3000 + i * 8, memory.readByte(0x3000 + i * 8) | 4);
  }
  // INT 0x21 from user mode.
  memory.writeByte(0x5000 + 33 * 16 + 5, 0xee);
  return guest;
}

const REGISTERS = [
  Reg.R12,
  Reg.R13,
  Reg.R14,
  Reg.R15,
  Reg.Rbx,
  Reg.Rbp,
  Reg.Rsp,
  Reg.R11,
];

Deno.test({
  name: "SYSRET, SYSCALL, INT n and faults of user mode, step by step",
  ignore,
  async fn() {
    const free = await privilegeGuest();
    assertEquals((await free.run()).reason, { kind: "exited", code: 1 });
    const expected = REGISTERS.map((r) => free.reg(r));
    const executed = free.instructions;
    free.close();
    const guest = await privilegeGuest();
    const path: string[] = [];
    const names = new Map(
      [...guest.program.symbols].map(([name, at]) => [at, name]),
    );
    let steps = 0;
    for (;; steps++) {
      const { reason } = await guest.resume("step");
      if (reason.kind === "exited") break;
      assertEquals(reason.kind, "step");
      assertEquals(
        guest.reg(Reg.Rflags) & 0x100n,
        0n,
        guest.rip().toString(16),
      );
      const name = names.get(guest.rip());
      if (name !== undefined) path.push(name);
    }
    assertEquals(path, [
      "user",
      "entry",
      "back",
      "vector33",
      "after",
      "vector13",
    ]);
    assertEquals(REGISTERS.map((r) => guest.reg(r)), expected);
    if (executed !== null) assertEquals(steps + 1, executed);
    guest.close();
  },
});

/** From long mode down to real mode's 16-bit code and interrupts. */
const REAL = `
        .code16
start:  mov $0x7000, %sp
        movw $handler, %ss:0x21*4
        movw $0x1000, %ss:0x21*4+2
        pushf
        pop %ax
        int $0x21
        pushf
        pop %bx
        mov $3, %cx
loop1:  loop loop1
        sti
        mov %ss, %dx
        mov %dx, %ss
        popfw
        xor %al, %al
        out %al, $0xf4
handler: push %bp
        mov %sp, %bp
        mov 6(%bp), %di
        pop %bp
        iretw
`;

Deno.test({
  name: "real mode is stepped as it runs",
  ignore,
  async fn() {
    const results: bigint[][] = [];
    let executed: number | null = null;
    for (const stepping of [false, true]) {
      const guest = await LongMode.start(REAL.replace(
        "movw $handler,",
        "movw $(handler - start),",
      ));
      const { vp } = guest.machine.processors[0];
      vp.set(Reg.Cr0, 0x10n);
      vp.set(Reg.Efer, 0n);
      vp.set(Reg.Cr4, 0n);
      vp.setSegment(Reg.Cs, {
        base: 0x100000n,
        limit: 0xffff,
        selector: 0x1000,
        attributes: 0x9b,
      });
      for (const r of [Reg.Ss, Reg.Ds, Reg.Es]) {
        vp.setSegment(r, {
          base: 0n,
          limit: 0xffff,
          selector: 0,
          attributes: 0x93,
        });
      }
      vp.setTable(Reg.Idtr, { base: 0n, limit: 0x3ff });
      vp.set(Reg.Rip, 0n);
      // The interrupt's code segment is at 64 KiB: the same bytes are there.
      guest.machine.memory.write(0x10000, guest.program.bytes);
      let steps = 0;
      if (stepping) {
        for (;;) {
          steps++;
          const { reason } = await guest.resume("step");
          if (reason.kind === "exited") break;
          assertEquals(reason.kind, "step");
          assertEquals(guest.reg(Reg.Rflags) & 0x100n, 0n);
        }
        if (executed !== null) assertEquals(steps, executed);
      } else {
        assertEquals((await guest.run()).reason.kind, "exited");
        executed = guest.instructions;
      }
      results.push(
        [Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.Rdi, Reg.Rsp].map((r) => guest.reg(r)),
      );
      guest.close();
    }
    assertEquals(results[1], results[0]);
    assert((results[0][1] & 0x100n) === 0n);
  },
});
