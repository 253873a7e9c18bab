// A guest with something to repeat.

/** A timer interrupt every 1000 instructions or so, a counter that two processors share
 * under a lock, pages that are written one after the other, output now and then. */
export const WORK = `
        cmp $0, %edi
        jne 1f
        mov $0xfee00000, %ebx
        movl $0x1ff, 0xf0(%rbx)
        movl $0x20040, 0x320(%rbx)
        movl $0xb, 0x3e0(%rbx)
        movl $1000, 0x380(%rbx)
        lidt idt
        sti
1:      xor %ecx, %ecx
2:      lock btsl $0, lock
        jc 2b
        incq counter
        mov counter, %rax
        mov %eax, %edx
        and $0xff, %edx
        shl $12, %edx
        add $0x200000, %edx
        mov %rax, (%rdx)
        movl $0, lock
        inc %ecx
        test $0xfff, %ecx
        jnz 2b
        mov $0x3f8, %dx
        mov $'a', %al
        add %dil, %al
        out %al, %dx
        jmp 2b
        .globl vector64
vector64:
        push %rax
        incq ticks
        mov $0xfee00000, %eax
        movl $0, 0xb0(%rax)
        pop %rax
        iretq
        .align 8
counter: .quad 0
ticks:  .quad 0
lock:   .long 0
        .word 0, 0, 0
idt:    .word 0xfff
        .quad 0x5000
`;
