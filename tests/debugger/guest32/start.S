# Multiboot, 32-bit protected mode; 4 MiB pages map the first 4 MiB to
# themselves and to 0x80000000.
        .section .multiboot, "a"
        .long   0x1badb002, 0, -0x1badb002

        .text
        .globl  start
start:  movl    %cr4, %eax
        orl     $0x10, %eax             # PSE
        movl    %eax, %cr4
        movl    $(directory - 0x80000000), %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80010000, %eax       # PG, WP
        movl    %eax, %cr0
        movl    $high, %eax
        jmp     *%eax
high:   movl    $stack_top, %esp
        xorl    %ebp, %ebp
        call    kernel
        outb    %al, $0xf4
1:      hlt
        jmp     1b

# Long mode, with the same pages: far enough to see 64-bit code.
        .globl  to_long
to_long:
        movl    $pml4 - 0x80000000, %eax
        movl    %eax, %ecx
        movl    %cr0, %edx
        andl    $0x7fffffff, %edx
        jmp     low - 0x80000000
low:    movl    %edx, %cr0
        movl    %cr4, %edx
        orl     $0x20, %edx
        movl    %edx, %cr4
        movl    %ecx, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        lgdt    table - 0x80000000
        ljmp    $8, $long_mode - 0x80000000
        .code64
        .globl  long_mode
long_mode:
        movabs  $0x1122334455667788, %r9
        nop
        nop
1:      jmp     1b

        .data
        .balign 4096
directory:
        .long   0x83
        .fill   511, 4, 0
        .long   0x83
        .fill   511, 4, 0
pml4:   .long   pdpt - 0x80000000 + 3, 0
        .fill   511, 8, 0
pdpt:   .long   pd - 0x80000000 + 3, 0
        .fill   511, 8, 0
pd:     .quad   0x83, 0x200083
        .fill   510, 8, 0
gdt:    .quad   0, 0x00af9b000000ffff
table:  .word   15
        .long   gdt - 0x80000000

        .bss
        .balign 16
        .skip   8192
stack_top:
        .section .note.GNU-stack, "", @progbits
