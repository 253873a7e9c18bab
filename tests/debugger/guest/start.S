# Entry of the debugger's test guest: multiboot 1, long mode on both processors.
        .set MAGIC, 0x1BADB002
        .set FLAGS, 0x00000003
        .set AP_PAGE, 0x8000         # where the second processor starts

        .section .text.start, "ax"
        .code32
        .align 4
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .globl _start
_start: cli
        mov $stack_top_0, %esp
        mov $'\n', %al
        out %al, $0xe9
        # page directories: 4 GiB, one to one, in 2 MiB pages
        mov $directories, %edi
        mov $0x83, %eax
        mov $2048, %ecx
1:      mov %eax, (%edi)
        movl $0, 4(%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 1b
        movl $directories + 0x0003, low_table
        movl $directories + 0x1003, low_table + 8
        movl $directories + 0x2003, low_table + 16
        movl $directories + 0x3003, low_table + 24
        movl $low_table + 3, top_table
        movl $directories + 3, high_table + 510 * 8
        .globl before_paging
before_paging:
        call enter_long_mode
        ljmp $8, $first_processor

# Turns on PAE, long mode and paging; returns in compatibility mode.
enter_long_mode:
        mov $top_table, %eax
        mov %eax, %cr3
        mov %cr4, %eax
        or $0x20, %eax               # PAE
        mov %eax, %cr4
        mov $0xC0000080, %ecx
        rdmsr
        or $0x100, %eax              # EFER.LME
        wrmsr
        mov %cr0, %eax
        or $0x80010001, %eax         # PG, WP, PE
        mov %eax, %cr0
        lgdt gdt_pointer
        ret

        .code64
first_processor:
        mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $stack_top_0, %rsp
        xor %ebp, %ebp
        # the code the second processor starts with, where SIPI can reach it
        mov $trampoline, %rsi
        mov $AP_PAGE, %rdi
        mov $trampoline_end - trampoline, %ecx
        rep movsb
        call first_main
1:      hlt
        jmp 1b

        .code32
second_protected:
        mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $stack_top_1, %esp
        call enter_long_mode
        ljmp $8, $second_processor
        .code64
second_processor:
        mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $stack_top_1, %rsp
        xor %ebp, %ebp
        call second_main
1:      hlt
        jmp 1b

        .code16
trampoline:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl AP_PAGE + (gdt_pointer_16 - trampoline)
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $24, $second_protected
gdt_pointer_16:
        .word gdt_end - gdt - 1
        .long gdt
trampoline_end:

        .section .data
        .align 16
gdt:    .quad 0
        .quad 0x00af9b000000ffff     # 8: 64-bit code
        .quad 0x00cf93000000ffff     # 16: data
        .quad 0x00cf9b000000ffff     # 24: 32-bit code
gdt_end:
gdt_pointer:
        .word gdt_end - gdt - 1
        .long gdt

        .section .bss
        .align 4096
        .globl high_table, top_table
top_table:      .skip 4096
low_table:      .skip 4096
high_table:     .skip 4096
directories:    .skip 4 * 4096
        .skip 16384
stack_top_0:
        .skip 16384
stack_top_1:
        .section .note.GNU-stack, "", @progbits
