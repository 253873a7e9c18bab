# Long mode: interrupts and their stacks, IRETQ, system calls, compatibility
# mode, 64-bit call gates, LTR and LLDT. SDM vol. 3, "Interrupt and Exception
# Handling", "Protection"; vol. 2, SYSCALL, SYSRET, SYSENTER, SYSEXIT.
	.include "common.inc"

	.set GATE_SAME, 0x50		# 16 bytes each
	.set GATE_INNER, 0x60		# DPL 3
	.set GATE_BAD, 0x70		# leads to 32-bit code
	.set LDT_SEL, 0x80
	.set CONFORMING, 0x90
	.set CODE_LD, 0x98		# L and D
	.set USER32, 0xa0		# for SYSRET: 32-bit code, data, 64-bit code
	.set KERNEL, 0xb8		# for SYSCALL and SYSENTER: code, data, ...
	.set GATE_UPPER, 0xf0		# its second half has a type
	.set TSS_FAR, 0x100		# base not canonical
	.set LAST, 0x110
	gate CODE64, gate_same, 0x8c00
	.quad 0
	gate CODE64, gate_inner, 0xec00
	.quad 0
	gate CODE0, gate_same, 0xec00
	.quad 0
	descriptor (BASE + ldt - boot), 0x17, 0x0082
	.quad 0
	descriptor 0, 0xfffff, 0xa09f		# CONFORMING
	descriptor 0, 0xfffff, 0xe09b		# CODE_LD
	descriptor 0, 0xfffff, 0xc0fb		# USER32
	descriptor 0, 0xfffff, 0xc0f3
	descriptor 0, 0xfffff, 0xa0fb
	descriptor 0, 0xfffff, 0xa09b		# KERNEL
	descriptor 0, 0xfffff, 0xc093
	descriptor 0, 0xfffff, 0xc0fb		# SYSEXIT: 32-bit code, data
	descriptor 0, 0xfffff, 0xc0f3
	descriptor 0, 0xfffff, 0xa0fb		# SYSEXIT: 64-bit code, data
	descriptor 0, 0xfffff, 0xc0f3
	.quad 0
	gate CODE64, gate_same, 0xec00
	.quad 0x00000f0000000000
	descriptor 0, 0x67, 0x0089
	.quad 0x00008000
gdt_end:
	.include "long.inc"
ldt:
	.quad 0
	descriptor 0, 0xfffff, 0xc093
	descriptor 0, 0xfffff, 0xa0fb

	.macro frame ss, sp, flags, cs, ip
	pushq $\ss
	pushq $\sp
	pushq $\flags
	pushq $\cs
	pushq $\ip
	.endm

main64:
	movq %cr0, %rax
	call log_eax
	movl $MSR_EFER, %ecx
	rdmsr
	call log_eax
	movl %cs, %eax
	call log_eax
	xorl %esi, %esi			# LAR and LSL know fewer types here
1:	movl $0x11111111, %eax
	larl %esi, %eax
	andl $0xfff0ffff, %eax	# 19:16: undefined, QEMU has 0
	call log_eax
	movl $0x11111111, %eax
	lsll %esi, %eax
	call log_eax
	addl $8, %esi
	cmpl $LAST + 8, %esi
	jb 1b

# --- interrupts in ring 0: alignment, IST, gate types
	int $0x40
	pushq %rax
	int $0x40
	popq %rax
	movb $1, IDT_AT + 0x50 * 16 + 4
	int $0x50
	movb $2, IDT_AT + 0x50 * 16 + 4
	int $0x50
	movb $0xef, IDT_AT + 0x50 * 16 + 5	# trap gate: IF stays
	sti
	int $0x50
	cli
	movb $0xe5, IDT_AT + 0x50 * 16 + 5	# no task gates
	resume64 1f
	int $0x50
1:	movb $0xe6, IDT_AT + 0x50 * 16 + 5	# nor 16-bit gates
	resume64 1f
	int $0x50
1:	movb $0x6e, IDT_AT + 0x50 * 16 + 5	# absent
	resume64 1f
	int $0x50
1:	movb $0xee, IDT_AT + 0x50 * 16 + 5
	movw $CODE0, IDT_AT + 0x50 * 16 + 2	# 32-bit code
	resume64 1f
	int $0x50
1:	movw $CODE64, IDT_AT + 0x50 * 16 + 2
	movb $3, IDT_AT + 0x50 * 16 + 4
	movw $0x4f, gdt + TSS_SEL		# IST beyond the limit... not quite
	movb $0x89, gdt + TSS_SEL + 5
	movl $TSS_SEL, %eax
	ltr %ax
	movb $1, IDT_AT + 0x50 * 16 + 4
	int $0x50
	movb $6, IDT_AT + 0x50 * 16 + 4		# now it is
	resume64 1f
	int $0x50
1:	movw $0x67, gdt + TSS_SEL
	movb $0x89, gdt + TSS_SEL + 5
	movl $TSS_SEL, %eax
	ltr %ax
	movb $0, IDT_AT + 0x50 * 16 + 4

# --- LTR, LLDT
	resume64 1f
	ltr %ax				# busy
1:	resume64 1f
	movl $CODE64, %eax
	ltr %ax
1:	movl $LDT_SEL, %eax
	lldt %ax
	sldt %ax
	call log_eax
	movl $0xc, %eax
	movl %eax, %fs
	movl %fs, %eax
	call log_eax
	resume64 1f
	movl $0x1c, %eax		# beyond its limit
	movl %eax, %fs
1:	resume64 1f
	movl $TSS_SEL, %eax
	lldt %ax
1:	xorl %eax, %eax
	lldt %ax
	movl %eax, %fs

# --- SS: null in ring 0 only
	xorl %eax, %eax
	movl %eax, %ss
	movl %ss, %eax
	call log_eax
	movl $DATA0, %eax
	movl %eax, %ss

# --- IRETQ
	movq %rsp, %rbp
	pushq $0			# null SS
	pushq %rbp
	pushq $0x2
	pushq $CODE64
	pushq $1f
	iretq
1:	movl %ss, %eax
	call log_eax
	movl $DATA0, %eax
	movl %eax, %ss
	resume64 1f
	frame DATA3, 0x4000, 2, CODE64_3-3, 1f	# RPL 0, DPL 3
	iretq
1:	resume64 1f
	frame 3, 0x4000, 2, CODE64_3, 1f	# null SS for ring 3
	iretq
1:	resume64 1f
	frame DATA0, 0x4000, 0x4002, CODE64, 1f
	pushq $0x4002
	popfq
	iretq				# NT
1:	pushq $2
	popfq

# --- far transfers through memory
	movl $back1, HEAP
	movl $CODE64, HEAP + 4
	ljmpl *HEAP
back1:
	movl %cs, %eax
	call log_eax
	movq $far64, HEAP
	movw $CODE64, HEAP + 8
	rex.w lcall *HEAP			# m16:64
	movw $CONFORMING, HEAP + 8
	rex.w lcall *HEAP
	movl $0, HEAP
	movw $GATE_SAME, HEAP + 4
	lcalll *HEAP
	.irp selector, GATE_BAD, GATE_UPPER, TSS_SEL, LDT_SEL, CODE64_3, 0
	resume64 1f
	movw $\selector, HEAP + 4
	lcalll *HEAP
1:
	.endr

# --- ring 3
	write_msr MSR_STAR, ((USER32+3)<<48|KERNEL<<32)
	write_msr MSR_LSTAR, syscall_entry
	write_msr MSR_SFMASK, 0x47700
	write_msr 0x174, KERNEL
	write_msr 0x175, RING0_SP-0x800
	write_msr 0x176, sysenter_entry
	.macro user target, cs=CODE64_3	# until it faults
	resume64 9f
	frame DATA3, 0x4000, 0x202, \cs, \target
	iretq
9:
	.endm
	user ring3
	user ring3_32, CODE3
	user bad_syscall_return
	user bad_gate
	user bad_int
	user bad_swapgs
	user bad_msr
	user bad_ss
	jmp finish64

far64:
	movl %cs, %eax
	call log_eax
	movl %esp, %eax
	call log_eax
	lretq

gate_same:
	movl %esp, %eax
	call log_eax
	movl 8(%rsp), %eax
	call log_eax
	lretq

gate_inner:
	movl %esp, %eax
	call log_eax
	movl (%rsp), %eax
	call log_eax
	movl 8(%rsp), %eax
	call log_eax
	movl 16(%rsp), %eax
	call log_eax
	movl 24(%rsp), %eax
	call log_eax
	movl %ss, %eax
	call log_eax
	lretq

syscall_entry:
	movq %rsp, %r9
	movl $0x5000, %esp
	pushq %rcx
	pushq %r11
	movl %ecx, %eax
	call log_eax
	movl %r11d, %eax
	andl $0x67700, %eax
	call log_eax
	pushfq
	popq %rax
	andl $0x67700, %eax
	call log_eax
	movl %cs, %eax
	call log_eax
	movl %ss, %eax
	call log_eax
	popq %r11
	popq %rcx
	movq %r9, %rsp
	testl %r8d, %r8d
	jnz 1f
	sysretq
1:	sysretl

sysenter_entry:
	movl %esp, %eax
	call log_eax
	pushfq
	popq %rax
	andl $0x67700, %eax
	call log_eax
	movl %cs, %eax
	call log_eax
	movl %ss, %eax
	call log_eax
	movq %rdi, %rdx
	movq %rsi, %rcx
	testl %r8d, %r8d
	jnz 1f
	sysexitq
1:	sysexitl

ring3:
	movl %ss, %eax
	int $0x41
	int $0x40
	pushq $0x11
	movl $0, HEAP
	movw $GATE_INNER, HEAP + 4
	lcalll *HEAP
	popq %rax
	int $0x41
	movl %cs, %eax
	int $0x41
	xorl %r8d, %r8d
	syscall
	movl %cs, %eax
	int $0x41
	movl %ss, %eax
	int $0x41
	int $0x40
	movq $1f, %rdi
	movl $0x4100, %esi
	sysenter
1:	int $0x40
	movl $1, %r8d
	syscall				# and back to 32-bit code
	.code32
	movl %cs, %eax
	int $0x41
	int $0x40
	jmp 2f				# SYSEXIT to 32-bit code from here: R8 is kept
2:	movl $1f, %edi
	movl $0x4200, %esi
	sysenter
1:	int $0x40
	hlt

ring3_32:
	movl $DATA3, %eax
	movl %eax, %ds
	movl %eax, %es
	int $0x40
	movl $0x55, %eax
	int $0x41
	pushl $0x77
	lcall $GATE_INNER, $0
	popl %eax
	int $0x41
	ljmp $CODE64_3, $1f
	.code64
1:	movl %cs, %eax
	int $0x41
	int $0x40
	hlt

bad_syscall_return:
	sysretq
bad_gate:
	movl $0, HEAP
	movw $GATE_SAME, HEAP + 4
	lcalll *HEAP			# DPL 0
bad_int:
	int $0x30
bad_swapgs:
	swapgs
bad_msr:
	movl $MSR_EFER, %ecx
	rdmsr
bad_ss:
	movl $3, %eax
	movl %eax, %ss

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
