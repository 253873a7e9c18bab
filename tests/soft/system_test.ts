// System instructions and what goes on between instructions: places where an
// emulator that carries out instructions one by one easily differs from a processor.

import { assertEquals } from "@std/assert";
import { canAssemble, endOf } from "./flat_guest.ts";

interface Case {
  /** What is right, and where it is said (SDM volume 3 unless another is named). */
  readonly name: string;
  readonly code: string;
  /** The value that the guest ends with where it is right. */
  readonly value: number;
}

const RF = 0x10000, TF = 0x100, NT = 0x4000, IOPL3 = 0x3000;
const VM = 0x20000, VIF = 0x80000, VIP = 0x100000;

// --- instructions that are completed outside the core

/** IRETD with `flags` to `instruction`, DR0 at the one behind it. */
const behind = (instruction: string, flags: number, handler: string) => `
        gate 1, debug
        movl $next, %eax
        movl %eax, %dr0
        movl $1, %eax
        movl %eax, %dr7
        pushl $${flags | 2}
        pushl $8
        pushl $io
        iret
io:     ${instruction}
next:   nop
        exit 2
debug:  ${handler}
`;

const OUTSIDE: Case[] = ["outb %al, $0x80", "inb $0x80, %al"].flatMap((io) => [{
  name: `${io}: RF is over behind it, so a breakpoint there hits (17.3.1.1)`,
  code: behind(io, RF, "exit 1"),
  value: 1,
}, {
  name: `${io}: its trap pushes an RF of 0 (17.3.1.1)`,
  code: behind(
    io,
    RF | TF,
    `movl 8(%esp), %eax
        shrl $16, %eax
        andb $1, %al
        addb $1, %al
        outb %al, $0xf4`,
  ),
  value: 1,
}, {
  name: `${io}: STI's shadow ends with it (volume 2, STI)`,
  code: `
        gate 0x40, interrupt
        orl $0x1ff, 0xfee000f0
        movl $0x44040, 0xfee00300 # to itself: it waits for IF
        xorl %ebx, %ebx
        sti
        ${io}
        incl %ebx
        incl %ebx
        jmp .
interrupt: movl %ebx, %eax
        outb %al, $0xf4
`,
  value: 0,
}]);

// --- paging

/** PAE paging with the first 4 MiB as two pages of 2 MiB; before it `change`. */
const pae = (change: string, then: string) => `
        gate 14, fault
        gate 13, general
        movl $0x201001, 0x200000
        movl $0x202023, 0x201000
        movl $0x2000a3, 0x201008
        movl $0x202000, %edi
        movl $0x63, %eax
1:      movl %eax, (%edi)
        addl $8, %edi
        addl $0x1000, %eax
        cmpl $0x203000, %edi
        jb 1b
        ${change}
        movl %cr4, %eax
        orl $0x20, %eax
        movl %eax, %cr4
        movl $0x200000, %eax
        movl %eax, %cr3
        movl %cr0, %eax
        orl $0x80010000, %eax
        movl %eax, %cr0
        ${then}
        exit 0x7f
fault:  popl %eax
        outb %al, $0xf4
general: exit 0x40
`;

const PAGING: Case[] = [52, 58, 62].flatMap((bit) => {
  const high = 1 << (bit - 32);
  return [{
    name: `PAE: bit ${bit} of a PDE is reserved (table 4-9)`,
    code: pae(`movl $${high}, 0x20100c`, "movl 0x200000, %eax"),
    value: 9,
  }, {
    name: `PAE: bit ${bit} of a PTE is reserved (table 4-11)`,
    code: pae(`movl $${high}, 0x202284`, "movl 0x50000, %eax"),
    value: 9,
  }, {
    name: `PAE: bit ${bit} of a PDPTE is reserved (4.4.1)`,
    code: pae(`movl $${high}, 0x200004`, ""),
    value: 0x40,
  }];
});

/** A write over the pages 0x50000 and 0x51000, of which `faulting` is not there; the
 * value is the A and D bits of the other one. */
const split = (faulting: number, other: number) =>
  pae(
    `andl $~0x61, 0x202000 + ${faulting} * 8
        andl $~0x60, 0x202000 + ${other} * 8
        gate 14, marked`,
    "movl %eax, 0x50ffe",
  ) + `
marked: movl 0x202000 + ${other} * 8, %eax
        andb $0x60, %al
        outb %al, $0xf4
`;

PAGING.push({
  name: "a split write that faults in its first page marks nothing (4.8)",
  code: split(0x50, 0x51),
  value: 0,
});

// --- single instructions

/** INVPCID of `type` with a descriptor of these first 8 bytes. */
const invpcid = (type: number, low: number, high: number) => `
        gate 13, general
        movl $${low}, 0x3000
        movl $${high}, 0x3004
        movl $${type}, %eax
        invpcid 0x3000, %eax
        exit 2
general: popl %eax
        incl %eax
        outb %al, $0xf4
`;

const SINGLE: Case[] = [0, 1, 2, 3].flatMap((type) => [
  {
    name:
      `INVPCID type ${type}: bit 12 of the descriptor is reserved (volume 2)`,
    code: invpcid(type, 0x1000, 0),
    value: 1,
  },
  {
    name:
      `INVPCID type ${type}: bit 63 of the descriptor is reserved (volume 2)`,
    code: invpcid(type, 0, 0x80000000),
    value: 1,
  },
  {
    name: `INVPCID type ${type}: nothing reserved is no fault`,
    code: invpcid(type, 0, 0),
    value: 2,
  },
]);
SINGLE.push({
  name: "LAR: bits 19:16 are the limit's, as processors have them",
  code: `
        movw $8, %cx
        larl %ecx, %eax
        shrl $16, %eax
        andb $15, %al
        outb %al, $0xf4
`,
  value: 15,
});

// --- 64-bit mode

/** To 64-bit code at `long`, with 4 MiB as two pages. */
const LONG_MODE = `
        movl $0x111007, 0x110000
        movl $0x112007, 0x111000
        movl $0x000087, 0x112000
        movl $0x200087, 0x112008
        movl $0x110000, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $0x20, %eax
        movl %eax, %cr4
        movl $0xc0000080, %ecx
        rdmsr
        orl $0x100, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80000000, %eax
        movl %eax, %cr0
        ljmp $0x30, $long
        .code64`;

/** The IDT's entry of vector 0x40 has its last 4 bytes in a page that is not there. */
const GATES: Case[] = [{
  name: "an IDT gate is read whole, 16 bytes (6.14.1)",
  code: `
        .set idt64, 0x200000 - 12 - 0x40 * 16
        .macro gate64 vector, handler
        movl $\\handler, %eax
        movw %ax, idt64 + \\vector * 16
        movl $0x8e000030, idt64 + \\vector * 16 + 2
        shrl $16, %eax
        movw %ax, idt64 + \\vector * 16 + 6
        movl $0, idt64 + \\vector * 16 + 8
        .endm
${LONG_MODE}
long:   gate64 14, fault
        gate64 0x40, done
        movl $0, 0x112008
        invlpg 0x200000
        lidt idtr64(%rip)
        int $0x40
done:   movb $2, %al
        outb %al, $0xf4
fault:  movq %cr2, %rax
        cmpq $0x200000, %rax
        jne done
        movb $1, %al
        outb %al, $0xf4
idtr64: .word 0x40 * 16 + 15
        .quad idt64
        .code32
`,
  value: 1,
}];

// To ring 3

/** To ring 3 by `how` with the base of a segment set by WRMSR; the value is what is at
 * that base, 0x21, or at 0, 0x11. */
const toRing3 = (segment: "fs" | "gs", selector: number, how: string) => `
${LONG_MODE}
long:   movw $${selector}, %ax
        movw %ax, %${segment}
        movb $0x21, 0x200000
        movb $0x11, 0
        movl $${segment === "fs" ? 0xc0000100 : 0xc0000101}, %ecx
        movl $0x200000, %eax
        xorl %edx, %edx
        wrmsr
        pushq $0x23
        pushq $0x70000
        ${how}
user:   movb %${segment}:0, %al
        outb %al, $0xf4
        .code32
`;
const IRETQ = `pushq $0x3002
        pushq $0x3b
        leaq user(%rip), %rax
        pushq %rax
        iretq`;
const LRETQ = `pushq $0x3b
        leaq user(%rip), %rax
        pushq %rax
        lretq`;
// RETF leaves IOPL as it is: the port needs 3.
const WITH_IOPL = `pushq $0x3002
        popfq
        ${LRETQ}`;

const RING3: Case[] = (["fs", "gs"] as const).flatMap((segment) =>
  [0, 0x10].flatMap((selector) =>
    ([["IRETQ", IRETQ], ["RETF", WITH_IOPL]] as const).map(([name, how]) => ({
      name:
        `${name} to ring 3 keeps the base of ${segment.toUpperCase()} under ` +
        `selector ${selector} (volume 2, RET; AMD's and QEMU's, too)`,
      code: toRing3(segment, selector, how),
      value: 0x21,
    }))
  )
);

// --- virtual interrupts

/** Into virtual-8086 mode at 0x5000 with `flags`, CR4 `cr4` and that code (16-bit);
 * the value is the offset where #GP comes, and NT as bit 6. */
const v86 = (cr4: number, flags: number, code: number[]) => `
        gate 13, general
        movl %cr4, %eax
        orl $${cr4}, %eax
        movl %eax, %cr4
        movl $0x05080000, 0x40 * 4 # the vector of INT 0x40: 508:0
        ${code.map((b, at) => `movb $${b}, 0x5000 + ${at}`).join("\n        ")}
        pushl $0
        pushl $0
        pushl $0
        pushl $0
        pushl $0x600
        pushl $0x1000
        pushl $${flags | VM | 2}
        pushl $0x500
        pushl $0
        iret
general: movl 4(%esp), %eax
        movl 8(%esp), %ecx
        shll $4, %ecx
        addl %ecx, %eax
        subl $0x5000, %eax
        movl 12(%esp), %ecx
        shrl $8, %ecx
        andl $0x40, %ecx
        orl %ecx, %eax
        outb %al, $0xf4
`;
const VME = 1, PVI = 2;
/** Three NOPs, HLT: #GP at 3 if nothing comes before. */
const NOPS = [0x90, 0x90, 0x90, 0xf4];

/** To ring 3 by IRETD or RETF; the value is how far it comes. */
const pvi = (flags: number, how: string, cr4 = PVI) => `
        gate 13, general
        movl %cr4, %eax
        orl $${cr4}, %eax
        movl %eax, %cr4
        pushl $${flags | 2}
        pushl $8
        pushl $ring0
        iret
ring0:  nop
        pushl $0x23
        pushl $0x70000
        ${how}
user:   nop
        nop
        hlt
general: movl 4(%esp), %eax
        subl $user, %eax
        outb %al, $0xf4
`;
const IRETD = (flags: number) =>
  `pushl $${flags | 2}
        pushl $0x1b
        pushl $user
        iret`;
const LRET = `pushl $0x1b
        pushl $user
        lret`;

const BOTH = VIF | VIP;
const VIRTUAL: Case[] = [
  {
    name: "VIF = VIP = 1 is #GP before the first instruction (20.3.2)",
    code: v86(VME, BOTH, NOPS),
    value: 0,
  },
  {
    name: "VIF = VIP = 1 is nothing with IOPL 3 (20.3.2)",
    code: v86(VME, BOTH | IOPL3, [...NOPS.slice(0, 3), 0xf4]),
    value: 3,
  },
  {
    name: "VIF = VIP = 1 is nothing without CR4.VME (20.3.2)",
    code: v86(PVI, BOTH, NOPS),
    value: 3,
  },
  { name: "VIF alone is no #GP", code: v86(VME, VIF, NOPS), value: 3 },
  { name: "VIP alone is no #GP", code: v86(VME, VIP, NOPS), value: 3 },
  {
    name: "with VIP, STI is #GP (volume 2, STI)",
    code: v86(VME, VIP, [0x90, 0xfb, 0xf4]),
    value: 1,
  },
  {
    name: "PVI: VIF = VIP = 1 is #GP in ring 3, behind IRET (20.4)",
    code: pvi(0, IRETD(BOTH)),
    value: 0,
  },
  {
    name: "PVI: the same behind RETF, and not before in ring 0 (20.4)",
    code: pvi(BOTH, LRET),
    value: 0,
  },
  {
    name: "PVI: nothing without it",
    code: pvi(BOTH, IRETD(BOTH), VME),
    value: 2,
  },
  {
    name: "an INT that VME sends to the 8086 program keeps NT (20.3.3.4)",
    // int 0x40 at 0; its handler, at 0x80: nop; hlt
    code: v86(VME, NT, [0xcd, 0x40]).replace(
      "pushl $0\n",
      "movw $0xf490, 0x5080\n        pushl $0\n",
    ),
    value: 0x81 | 0x40,
  },
];

// --- breakpoints where code goes from page to page

const PAGES: Case[] = ["call far", "movl $far, %eax\n        call *%eax"].map(
  (call) => ({
    name: `${call.split("\n").at(-1)!.trim()} in a loop: a breakpoint in ` +
      "another page hits each time (17.2.4)",
    code: `
        gate 1, debug
        movl $far, %eax
        movl %eax, %dr0
        movl $1, %eax
        movl %eax, %dr7
        xorl %ebx, %ebx
        movl $5, %ecx
1:      call beside
        ${call}
        loop 1b
        movb %bl, %al
        outb %al, $0xf4
debug:  incl %ebx
        orl $${RF}, 8(%esp)
        iret
        .balign 4096
beside: ret
far:    ret
`,
    value: 5,
  }),
);

/** 0x400000, and at 0x401000 a global page, are of 4 KiB: `first` and then `second` are
 * what they are mapped to. Each has a function that returns the number of its page. */
const remapped = (first: number, second: number, check: string) => `
        movl $0x83, 0x200000
        movl $0x20b003, 0x200004
        movl $${first << 12 | 3}, 0x20b000
        movl $${first << 12 | 0x103}, 0x20b004
        movl $0xc301b0, 0x202000 # movb $1, %al; ret
        movl $0xc302b0, 0x203000
        movl $0x200000, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $0x90, %eax # PSE, PGE
        movl %eax, %cr4
        movl %cr0, %eax
        orl $0x80000000, %eax
        movl %eax, %cr0
        movl 0x400000, %ebx
        movl 0x401000, %ebx
        movl $0x400000, %esi
        movl $0x401000, %edi
        call *%esi
        call *%edi
        movl $${second << 12 | 3}, 0x20b000
        movl $${second << 12 | 0x103}, 0x20b004
        ${check}
        outb %al, $0xf4
`;

const LOAD_CR3 = "movl %cr3, %eax; movl %eax, %cr3";

const GLOBAL: Case[] = [{
  name:
    "a load of CR3 has data of pages that are not global looked up (4.10.4.1)",
  code: remapped(0x202, 0x203, `${LOAD_CR3}; movb 0x400001, %al`),
  value: 2,
}, {
  name:
    "a load of CR3 has code of pages that are not global looked up (4.10.4.1)",
  code: remapped(0x202, 0x203, `${LOAD_CR3}; call *%esi`),
  value: 2,
}, {
  // it need not, but that is what a kernel's are for
  name: "a load of CR3 leaves data of global pages in the TLB (4.10.4.1)",
  code: remapped(0x202, 0x203, `${LOAD_CR3}; movb 0x401001, %al`),
  value: 1,
}, {
  name: "a load of CR3 leaves code of global pages in the TLB (4.10.4.1)",
  code: remapped(0x202, 0x203, `${LOAD_CR3}; call *%edi`),
  value: 1,
}, {
  name: "INVLPG has data of a global page looked up (4.10.4.1)",
  code: remapped(0x202, 0x203, "invlpg 0x401000; movb 0x401001, %al"),
  value: 2,
}, {
  name: "INVLPG has code of a global page looked up (4.10.4.1)",
  code: remapped(0x202, 0x203, "invlpg 0x401000; call *%edi"),
  value: 2,
}, {
  name: "a change of CR4.PGE has global pages looked up (4.10.4.1)",
  code: remapped(
    0x202,
    0x203,
    "movl %cr4, %eax; xorl $0x80, %eax; movl %eax, %cr4; call *%edi",
  ),
  value: 2,
}];

// --- limits

const LIMITS: Case[] = [{
  name:
    "code behind CS's limit is #GP, also where another CS has just run it (5.3)",
  code: `
        gate 13, general
        # a code segment that ends in front of "behind"
        movw $behind - _start - 1, gdt + 0x40
        movl $0x00409b10, gdt + 0x44
        xorl %ecx, %ecx
        movl $behind, %ebx
        call *%ebx
        ljmp $0x40, $front - _start
front:  nop
behind: incl %ecx
        ret
general: movl %ecx, %eax
        outb %al, $0xf4
`,
  value: 1,
}];

// --- task switches

/**
 * 32-bit paging, and a task 0x40 whose DS is in its LDT: that is at 0x40000000, where no
 * memory is. `directory` is the task's, of which 0x204000 does not map that; `then`
 * switches to it, and it runs `task`.
 */
const tasks = (directory: number, then: string, task: string) => `
        gate 14, fault
        movl $0x201000, %edi
        movl $3, %eax
1:      movl %eax, (%edi)
        addl $4, %edi
        addl $0x1000, %eax
        cmpl $0x202000, %edi
        jb 1b
        movl $0x201003, 0x200000
        movl $0x202003, 0x200400
        movl $0x40000003, 0x202000
        movl $0x201003, 0x204000
        movl $0x200000, %eax
        movl %eax, %cr3
        movl %eax, 0x201c
        movl %cr0, %eax
        orl $0x80000000, %eax
        movl %eax, %cr0
        movl $0x00000fff, gdt + 0x38 # the LDT
        movl $0x40008200, gdt + 0x3c
        movl $0x30000067, gdt + 0x40 # the TSS
        movl $0x00008900, gdt + 0x44
        movl $0x70000, 0x3004
        movl $0x10, 0x3008
        movl $${directory}, 0x301c
        movl $task, 0x3020
        movl $2, 0x3024
        movl $0x60000, 0x3038
        movl $0x10, 0x3048
        movl $8, 0x304c
        movl $0x10, 0x3050
        movl $0x0c, 0x3054
        movl $0x38, 0x3060
        ${then}
        exit 0x7e
task:   ${task}
fault:  movl %cr2, %eax
        cmpl $0x40000008, %eax
        jne 1f
        str %ax
        cmpw $0x40, %ax
        jne 1f
        cmpl $0, %ss:(%esp)
        jne 1f
        exit 1
1:      exit 0x7d
`;

/** Ends with 1 if the descriptors of the TSSs 0x28 and 0x40 have these types. */
const types = (main: number, task: number) => `
        movl $2, %ebx
        cmpb $${main}, %cs:gdt + 0x2d
        jne 9f
        cmpb $${task}, %cs:gdt + 0x45
        jne 9f
        decl %ebx
9:      movb %bl, %al
        outb %al, $0xf4
`;

const NOWHERE = `
        movl %ds, %eax
        cmpl $0x0c, %eax
        je 1f
        exit 3
1:`;

const TASKS: Case[] = [{
  name: "JMP to a task whose descriptors lie where no memory is (7.3)",
  code: tasks(
    0x200000,
    "ljmp $0x40, $0",
    NOWHERE + types(0x89, 0x8b),
  ),
  value: 1,
}, {
  name: "CALL of such a task, and back (7.3)",
  code: tasks(
    0x200000,
    "lcall $0x40, $0" + types(0x8b, 0x89),
    `${NOWHERE}
        iret
`,
  ),
  value: 1,
}, {
  name: "descriptors in a page that is not there are the new task's #PF (7.3)",
  code: tasks(0x204000, "ljmp $0x40, $0", "exit 0x7c"),
  value: 1,
}];

for (
  const { name, code, value } of [
    ...GATES,
    ...LIMITS,
    ...TASKS,
    ...GLOBAL,
    ...PAGES,
    ...OUTSIDE,
    ...PAGING,
    ...SINGLE,
    ...RING3,
    ...VIRTUAL,
  ]
) {
  Deno.test({
    name,
    ignore: !canAssemble,
    fn: async () => assertEquals(await endOf(code), value),
  });
}
