# A multiboot guest: to 64-bit mode (or not: __i386__), SSE and the FPU on, calls main, and
# ends the machine with what it returned through the debug exit port of QEMU and icebp.
        .set MAGIC, 0x1badb002
        .set FLAGS, 3
        .section .text.start, "ax"
        .code32
        .align 4
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .globl _start
_start: cli
        cld
        mov $stack_top, %esp
        mov %cr0, %eax
        and $~4, %eax           # EM
        or $0x22, %eax          # NE, MP
        mov %eax, %cr0
        mov %cr4, %eax
        or $0x600, %eax         # OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        fninit
#ifdef __x86_64__
        mov $pd, %edi           # the first GiB, in pages of 2 MiB
        mov $0x83, %eax
        mov $512, %ecx
1:      mov %eax, (%edi)
        movl $0, 4(%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        movl $pd + 3, pdpt
        movl $pdpt + 3, pml4
        mov $pml4, %eax
        mov %eax, %cr3
        mov %cr4, %eax
        or $0x20, %eax          # PAE
        mov %eax, %cr4
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax         # EFER.LME
        wrmsr
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
#endif
        lgdt gdtr
        ljmp $8, $flat
#ifdef __x86_64__
        .code64
#endif
flat:   mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        call main
        mov $0xf4, %edx
        and $0x3f, %eax
        out %al, %dx
2:      hlt
        jmp 2b

        .section .data
        .align 16
gdt:    .quad 0
#ifdef __x86_64__
        .quad 0x00af9b000000ffff
#else
        .quad 0x00cf9b000000ffff
#endif
        .quad 0x00cf93000000ffff
gdtr:   .word . - gdt - 1
        .long gdt

        .section .bss
        .align 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
        .skip 65536
stack_top:
        .section .note.GNU-stack, "", @progbits
