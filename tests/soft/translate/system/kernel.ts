// A kernel for random programs of ring 0: page tables of its own for each processor, two
// sets of them, handlers that mend what faults and go on, user code, a way to real mode
// and back. Everything a program does wrong ends at its next loop.

/** Physical and linear addresses. */
export const AT = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x3000,
  /** Code of segments of 64 KiB. */
  low: 0x6000,
  /** Two sets of page tables for each processor, of TABLES_BYTES. */
  tables: 0x20000,
  /** What the pages from `moving` on lead to when all is well. */
  entries: 0x60000,
  stacks: 0x70000,
  /** The kernel and programs, up to `data`. */
  image: 0x100000,
  data: 0x400000,
  functions: 0x410000,
  userCode: 0x420000,
  userData: 0x430000,
  perCpu: 0x440000,
  /** Linear: pages whose mapping programs change. */
  moving: 0x600000,
  movingFunctions: 0x610000,
  user: 0x620000,
  userMoving: 0x630000,
  /** Linear: the processor's own page. */
  own: 0x7fe000,
  end: 0x800000,
} as const;

export const TABLES_BYTES = 0x8000;
export const STACK_BYTES = 0x4000;
export const FUNCTION_PAGES = 16;

/** Offsets in the processor's own page. */
export const OWN = {
  resume: 0,
  restart: 8,
  rsp: 16,
  lastRip: 24,
  lastCr2: 32,
  steps: 40,
  swap: 48,
  hash: 56,
  same: 64,
  userBack: 72,
  userRsp: 80,
  kernelRsp: 88,
  hits: 96,
  flags: 104,
  spare: 112,
  counts: 0x100,
} as const;

/** Selectors. */
export const SEL = {
  code: 0x08,
  data: 0x10,
  user32: 0x1b,
  userData: 0x23,
  user: 0x2b,
  code32: 0x30,
  code16: 0x38,
  data16: 0x40,
  tss: 0x48,
} as const;

/** Segment descriptors from 0x08 on. */
export const DESCRIPTORS = [
  0x00af9b000000ffffn,
  0x00cf93000000ffffn,
  0x00cffb000000ffffn,
  0x00cff3000000ffffn,
  0x00affb000000ffffn,
  0x00cf9b000000ffffn,
  0x00009b000000ffffn,
  0x000093000000ffffn,
] as const;

export const CR0 = 0x8001_0033n;
/** PAE, PGE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE. */
export const CR4 = 0x5_06a0n;
export const EFER = 0xd01n;

const own = (name: keyof typeof OWN) =>
  `0x${(AT.own + OWN[name]).toString(16)}`;
const h = (n: number | bigint) => `0x${n.toString(16)}`;

const REGISTERS = "rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15"
  .split(" ");
/** Where the frame is behind the registers. */
const F = {
  vector: 120,
  error: 128,
  rip: 136,
  cs: 144,
  flags: 152,
  rsp: 160,
  ss: 168,
};

/** The kernel's text; programs follow. */
export const KERNEL = `
        .text
        .code64
        .globl stubs, start
start:  mov $0xfee00000, %eax
        movl $0x1ff, 0xf0(%rax)
        # the PICs' interrupts begin at 0x20
        mov $0x11, %al
        out %al, $0x20
        mov $0x20, %al
        out %al, $0x21
        mov $4, %al
        out %al, $0x21
        mov $1, %al
        out %al, $0x21
        mov $0xff, %al
        out %al, $0x21
        jmp restart
        .balign 16
stubs:
        .set n, 0
        .rept 256
        .balign 16
        .if (n == 8) || ((n >= 10) && (n <= 14)) || (n == 17)
        .else
        push $0
        .endif
        push $n
        jmp common
        .set n, n + 1
        .endr
        .balign 16
common:
${REGISTERS.map((r) => `        push %${r}`).join("\n")}
        cld
        mov ${F.vector}(%rsp), %rax
        incq ${h(AT.own + OWN.counts)}(,%rax,8)
        mov ${own("hash")}, %rcx
        rol $5, %rcx
        xor ${F.rip}(%rsp), %rcx
        add ${F.error}(%rsp), %rcx
        add %rax, %rcx
        mov %rcx, ${own("hash")}
        cmp $32, %eax
        jae interrupt
        cmp $14, %eax
        je page_fault
        cmp $1, %eax
        je debug
        cmp $2, %eax
        je out
        cmp $3, %eax
        je out
        cmp $4, %eax
        je out
        cmp $7, %eax
        je no_device
        cmp $16, %eax
        je x87_error
        cmp $19, %eax
        je simd_error
        cmp $8, %eax
        je restart
other:  testb $3, ${F.cs}(%rsp)
        jnz from_user
        mov ${own("resume")}, %rcx
        test %rcx, %rcx
        jz restart
        movq $0, ${own("resume")}
        mov %rcx, ${F.rip}(%rsp)
out:
${REGISTERS.toReversed().map((r) => `        pop %${r}`).join("\n")}
        add $16, %rsp
        iretq

from_user:
        mov ${own("userBack")}, %rcx
        test %rcx, %rcx
        jz restart
        mov %rcx, ${F.rip}(%rsp)
        movq $${SEL.code}, ${F.cs}(%rsp)
        movq $0, ${F.ss}(%rsp)
        mov ${own("kernelRsp")}, %rcx
        mov %rcx, ${F.rsp}(%rsp)
        andq $~0x100, ${F.flags}(%rsp)
        jmp out

        # everything as a program finds it, and on with its next loop
        .globl restart
restart:
        mov ${own("rsp")}, %rsp
        mov $${h(CR0)}, %eax
        mov %rax, %cr0
        xor %eax, %eax
        mov %rax, %dr7
        mov %cr3, %rax
        and $~0xfff, %rax
        mov %rax, %cr3
        mov $${h(CR4)}, %eax
        mov %rax, %cr4
        mov $0xc0000080, %ecx
        mov $${h(EFER)}, %eax
        xor %edx, %edx
        wrmsr
        fninit
        movl $0x1f80, ${own("spare")}
        ldmxcsr ${own("spare")}
        mov $${SEL.data}, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %fs
        mov %eax, %gs
        movq $0, ${own("resume")}
        movq $0, ${own("same")}
        mov %rsp, %rax
        push $${SEL.data}
        push %rax
        pushq ${own("flags")}
        push $${SEL.code}
        pushq ${own("restart")}
        iretq

page_fault:
        mov %cr2, %rdx
        mov ${F.rip}(%rsp), %rcx
        cmp %rcx, ${own("lastRip")}
        jne 1f
        cmp %rdx, ${own("lastCr2")}
        jne 1f
        incq ${own("same")}
        cmpq $2, ${own("same")}
        jb 2f
        ja other
        # nothing else helps
        mov %cr4, %rax
        and $~0x300000, %rax
        mov %rax, %cr4
        jmp 2f
1:      mov %rcx, ${own("lastRip")}
        mov %rdx, ${own("lastCr2")}
        movq $0, ${own("same")}
2:      mov %rdx, %rcx
        sub $${h(AT.moving)}, %rcx
        cmp $${h(AT.own - AT.moving)}, %rcx
        jae other
        shr $12, %rcx
        mov ${h(AT.entries)}(,%rcx,8), %rax
        mov %cr3, %rbx
        and $~0xfff, %rbx
        mov %rax, 0x7000(%rbx,%rcx,8)
        invlpg (%rdx)
        jmp out

debug:  mov %dr6, %rax
        add %rax, ${own("hash")}
        mov $0xffff0ff0, %edx
        mov %rdx, %dr6
        orq $0x10000, ${F.flags}(%rsp)
        incq ${own("hits")}
        testb $0x1f, ${own("hits")}
        jnz 1f
        xor %eax, %eax
        mov %rax, %dr7
1:      testl $0x100, ${F.flags}(%rsp)
        jz out
        decq ${own("steps")}
        jg out
        andq $~0x100, ${F.flags}(%rsp)
        jmp out

no_device:
        clts
        jmp out
x87_error:
        fnclex
        jmp out
simd_error:
        movl $0x1f80, ${own("spare")}
        ldmxcsr ${own("spare")}
        jmp out

interrupt:
        cmp $0x80, %eax
        je from_user
        cmp $0x30, %eax
        jae 1f
        mov $0x20, %al
        out %al, $0x20
        jmp swap
1:      cmp $0xff, %eax
        je out
        mov $0xfee00000, %eax
        movl $0, 0xb0(%rax)
        # an interrupt changes two pages' places
swap:   mov ${own("swap")}, %rcx
        test %rcx, %rcx
        jz out
        mov %cr3, %rbx
        and $~0xfff, %rbx
        lea 0x7000(%rbx,%rcx,8), %rbx
        mov (%rbx), %rax
        xchg 8(%rbx), %rax
        mov %rax, (%rbx)
        shl $12, %rcx
        lea ${h(AT.moving)}(%rcx), %rcx
        invlpg (%rcx)
        invlpg 0x1000(%rcx)
        jmp out

        .globl syscall_entry
syscall_entry:
        test %eax, %eax
        jz 1f
        mov %rsp, ${own("userRsp")}
        mov ${own("kernelRsp")}, %rsp
        push %rcx
        lea 7(%rax,%rcx), %edx
        add %rdx, ${own("hash")}
        pop %rcx
        mov ${own("userRsp")}, %rsp
        sysretq
1:      mov ${own("kernelRsp")}, %rsp
        jmp *${own("userBack")}

        # programs of ring 3, at AT.user
        .balign 16
        .globl user_begin, user_end
user_begin:
        .globl u0
u0:     mov $40, %ecx
1:      incl ${h(AT.userMoving)}
        addl %ecx, ${h(AT.userMoving + 0xffe)}
        mov ${h(AT.userMoving + 0x2000)}(,%rcx,8), %rax
        add %rax, ${h(AT.userMoving + 0x1000)}(,%rcx,8)
        dec %ecx
        jnz 1b
        int $0x80
        .globl u1
u1:     mov $12, %r13d
1:      mov %r13d, %eax
        syscall
        lock xadd %eax, ${h(AT.userMoving + 8)}
        dec %r13d
        jnz 1b
        xor %eax, %eax
        syscall
        .globl u2
u2:     mov $30, %ecx
1:      push %rcx
        call 2f
        pop %rcx
        loop 1b
        mov ${h(AT.moving)}, %eax
        mov ${h(AT.image)}, %eax
        int $0x80
2:      imul $3, %rcx, %rax
        fildl ${h(AT.userMoving + 16)}
        faddl ${h(AT.userMoving + 24)}
        fistpl ${h(AT.userMoving + 16)}
        cvtsi2sd %ecx, %xmm3
        mulsd ${h(AT.userMoving + 32)}, %xmm3
        movsd %xmm3, ${h(AT.userMoving + 0xffc)}
        ret
        .globl u3
u3:     mov $${h(AT.userMoving)}, %edi
        mov $${h(AT.userMoving + 0x1f00)}, %esi
        mov $300, %ecx
        rep movsq
        mov $20, %edx
3:      incl 4f+1(%rip)
4:      mov $5, %eax
        add %eax, %r8d
        dec %edx
        jnz 3b
        cli
        int $0x80
        .globl u4
u4:     pushf
        orl $0x100, (%rsp)
        popf
        mov $9, %ecx
1:      add %ecx, ${h(AT.userMoving + 0x1800)}
        dec %ecx
        jnz 1b
        int3
        ud2
user_end:

        # code of segments of 64 KiB
        .section .low, "awx"
        .code16
low16:  # protected, from 32-bit code
        mov $40, %cx
1:      addw %cx, %ax
        addl %eax, %edx
        mov 0x9000(%bx), %si
        xor %si, 0x9002
        addr32 incl ${h(AT.data + 0x40)}
        calll 2f
        loop 1b
        ljmpl $${SEL.code32}, $back32
2:      pushl %eax
        imul $7, %dx, %dx
        popl %ecx
        andl $0x1f, %ecx
        retl
        .globl low16, real_way
        .code32
real_way:
        # from compatibility mode, interrupts off
        mov %esp, low_esp
        mov %cr0, %eax
        and $0x7fffffff, %eax
        mov %eax, %cr0
        mov $0xc0000080, %ecx
        rdmsr
        mov %eax, low_efer
        and $~0x100, %eax
        wrmsr
        mov $60, %ecx
3:      addl %ecx, ${h(AT.data + 0x80)}
        roll $3, ${h(AT.data + 0x84)}
        cmpl $30, %ecx
        jne 4f
        incl 5f+1
4:      mov $77, %eax
5:      mov $88, %ebx
        addl %ebx, ${h(AT.data + 0x88)}
        loop 3b
        ljmp $${SEL.code16}, $6f
        .code16
6:      mov $${SEL.data16}, %ax
        mov %ax, %ss
        mov %ax, %ds
        mov %ax, %es
        mov $0x7000, %esp
        mov %cr0, %eax
        and $~1, %eax
        mov %eax, %cr0
        ljmp $0, $7f
7:      xor %ax, %ax
        mov %ax, %ss
        mov %ax, %ds
        mov $0xffff, %ax
        mov %ax, %es
        mov $50, %cx
8:      mov %cx, 0x9010
        add %cx, 0x9012
        adcl %edx, 0x9014
        mov %es:0x20, %si
        add %cx, %es:0x30
        push %cx
        call 10f
        pop %cx
        addr32 mov 0x9000(%ecx,%ecx), %al
        test $7, %cl
        jnz 9f
        in $0x92, %al
        xor $2, %al
        out %al, $0x92
9:      loop 8b
        mov $2, %al
        out %al, $0x92
        xor %ax, %ax
        mov %ax, %es
        mov $0x9100, %di
        mov $0x9000, %si
        mov $40, %cx
        rep movsw
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $${SEL.code32}, $11f
10:     push %bp
        mov %sp, %bp
        add 4(%bp), %dx
        pop %bp
        ret
        .code32
11:     mov $${SEL.data}, %eax
        mov %eax, %ss
        mov %eax, %ds
        mov %eax, %es
        mov $0xc0000080, %ecx
        xor %edx, %edx
        mov low_efer, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        mov low_esp, %esp
        ljmp $${SEL.code}, $real_back
        .balign 8
low_esp: .quad 0
low_efer: .quad 0
        .text
        .code32
back32: ljmp $${SEL.code}, $low_back
        .code64
low_back:
        jmp *${own("spare")}
real_back:
        jmp *${own("spare")}
`;
