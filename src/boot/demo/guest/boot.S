/*
 * The demo guest's assembly: from the multiboot entry to 64-bit mode, the start
 * of the other processors, the entry points of interrupts.
 */
        .cfi_sections .debug_frame      /* for the debugger, not for the guest */
        .set MULTIBOOT_MAGIC, 0x1badb002
        .set MULTIBOOT_FLAGS, 3         /* modules on pages, memory sizes */
        .set TRAMPOLINE, 0x8000         /* where the others start, below 1 MiB */
        .set STACK_BYTES, 16384
        .set CODE32, 0x08
        .set DATA, 0x10
        .set CODE64, 0x18
        .set MSR_EFER, 0xc0000080

        .section .multiboot, "a"
        .balign 4
        .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS
        .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

        .text
        .code32
        .globl _start
        .type _start, @function
/* Entered by the loader in 32-bit protected mode: EAX magic, EBX information. */
_start:
        .cfi_startproc
        .cfi_undefined 16 /* rip */
        cli
        movl $stacks + STACK_BYTES, %esp
        movl %eax, %ebp
        /* The first 4 GiB onto themselves, in pages of 2 MiB. */
        movl $page_directories, %edi
        movl $0x83, %eax                /* present, writable, large */
        xorl %edx, %edx
1:      movl %eax, (%edi)
        movl %edx, 4(%edi)
        addl $8, %edi
        addl $0x200000, %eax
        jnc 1b
        movl $page_directories + 3, %eax
        movl $page_pointers, %edi
        movl $4, %ecx
2:      movl %eax, (%edi)
        addl $0x1000, %eax
        addl $8, %edi
        loop 2b
        movl $page_pointers + 3, page_map
        call enable_long_mode
        lgdt gdt_pointer
        ljmp $CODE64, $start64
        .cfi_endproc
        .size _start, . - _start

/* PAE, EFER.LME and paging with page_map: the next far jump enters 64-bit code. */
        .type enable_long_mode, @function
enable_long_mode:
        .cfi_startproc
        movl %cr4, %eax
        orl $0x20, %eax
        movl %eax, %cr4
        movl $page_map, %eax
        movl %eax, %cr3
        movl $MSR_EFER, %ecx
        rdmsr
        orl $0x100, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80010001, %eax           /* PG, WP, PE */
        movl %eax, %cr0
        ret
        .cfi_endproc
        .size enable_long_mode, . - enable_long_mode

        .code64
        .type start64, @function
start64:
        .cfi_startproc
        .cfi_undefined 16 /* rip */
        movl $DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl $stacks + STACK_BYTES, %esp
        movl %ebp, %edi
        movl %ebx, %esi
        xorl %ebp, %ebp
        call kernel_main
3:      hlt
        jmp 3b
        .cfi_endproc
        .size start64, . - start64

/* The other processors' first code, copied to TRAMPOLINE: real mode. */
        .code16
        .globl trampoline, trampoline_end
        .type trampoline, @function
trampoline:
        cli
        xorw %ax, %ax
        movw %ax, %ds
        lgdtl gdt_pointer_copy - trampoline + TRAMPOLINE
        movl %cr0, %eax
        orl $1, %eax
        movl %eax, %cr0
        ljmpl $CODE32, $1f - trampoline + TRAMPOLINE
        .code32
1:      movl $DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl $TRAMPOLINE + 0x1000, %esp /* one processor at a time is here */
        movl $enable_long_mode, %eax
        call *%eax
        ljmp $CODE64, $processor64
        .balign 4
gdt_pointer_copy:
        .word gdt_end - gdt - 1
        .long gdt
trampoline_end:
        .size trampoline, . - trampoline

        .code64
        .type processor64, @function
/* Another processor in 64-bit mode: takes a number and the stack of it. */
processor64:
        .cfi_startproc
        .cfi_undefined 16 /* rip */
        movl $1, %edi
        lock xaddl %edi, processors_started
        movl %edi, %eax
        incl %eax
        imull $STACK_BYTES, %eax
        leaq stacks(%rax), %rsp
        xorl %ebp, %ebp
        call processor_main
1:      hlt
        jmp 1b
        .cfi_endproc
        .size processor64, . - processor64

/*
 * Interrupt entries. The frame that the processor pushed is described to the
 * debugger, so that a backtrace goes on into what was interrupted. CFA is the
 * stack pointer before the processor pushed SS.
 */
        .macro enter name, handler, error_code
        .globl \name
        .type \name, @function
\name:
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_def_cfa rsp, 40 + 8 * \error_code
        .cfi_offset rip, -40
        .cfi_offset rsp, -16
        .if \error_code == 0
        pushq $0
        .cfi_adjust_cfa_offset 8
        .endif
        cld
        .irp reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        pushq %\reg
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \reg, 0
        .endr
        movq 120(%rsp), %rdi            /* error code */
        movq %cr2, %rsi
        movq 128(%rsp), %rdx            /* interrupted instruction */
        call \handler
        .irp reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
        popq %\reg
        .cfi_adjust_cfa_offset -8
        .cfi_restore \reg
        .endr
        addq $8, %rsp
        .cfi_adjust_cfa_offset -8
        iretq
        .cfi_endproc
        .size \name, . - \name
        .endm

        enter page_fault_entry, handle_page_fault, 1
        enter timer_entry, tick, 0
        enter protection_entry, handle_protection_fault, 1
        enter unexpected_entry, handle_unexpected, 0

/* The local APIC's spurious interrupt needs no answer. */
        .globl spurious_entry
        .type spurious_entry, @function
spurious_entry:
        iretq
        .size spurious_entry, . - spurious_entry

        .data
        .balign 8
gdt:
        .quad 0
        .quad 0x00cf9b000000ffff
        .quad 0x00cf93000000ffff
        .quad 0x00af9b000000ffff
gdt_end:
gdt_pointer:
        .word gdt_end - gdt - 1
        .quad gdt

        .bss
        .globl page_map, page_pointers
        .balign 4096
page_map:
        .skip 4096
page_pointers:
        .skip 4096
page_directories:
        .skip 4 * 4096
        .globl stacks
        .type stacks, @object
stacks:
        .skip 16 * STACK_BYTES
        .size stacks, . - stacks
