# x2APIC mode: its registers as MSRs, self-IPI, 64-bit ICR, another processor
# that changes modes, the TSC deadline, and back to disabled. QEMU's translator
# has no x2APIC, so this is by the manual. SDM vol. 3, "Extended XAPIC (x2APIC)".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set APIC, 0xfee00000
	.set STARTED, HEAP + 0x800
	.set COUNT, HEAP + 0x804
	.set EOI, 0x80b
	.set SVR, 0x80f
	.set ICR, 0x830
	.set LVT_TIMER, 0x832
	.set SELF, 0x83f
	.set DEADLINE, 0x6e0

	.macro read_msr index		# logs both halves
	movl $\index, %ecx
	rdmsr
	call log_eax
	movl %edx, %eax
	call log_eax
	.endm
	.macro try_msr index, value
	movl $\index, %ecx
	movabsq $\value, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	try wrmsr
	.endm
	.macro handler_of vector, target
	movl $\target, %eax
	movw %ax, IDT_AT + \vector * 16
	.endm
	.macro await cell, value
	movl $10000000, %ecx
1:	cmpl $\value, \cell
	je 2f
	pause
	loop 1b
2:	log64 \cell
	.endm

main64:
	handler_of 0x61, plain
	handler_of 0x62, plain
	movl $0x802, %ecx
	try rdmsr			# not in xAPIC mode
	movl $1, %eax
	cpuid
	shrl $21, %ecx
	andl $1, %ecx
	log64 %ecx
	write_msr 0x1b, 0xfee00d00	# EXTD
	read_msr 0x1b
	try_msr 0x1b, 0xfee00900	# not back to xAPIC
	read_msr 0x802
	read_msr 0x80d
	write_msr SVR, 0x1ff
	try_msr SVR, 0x100001ff
	try_msr 0x80e, 0		# DFR is no more
	try_msr 0x802, 1		# read-only
	try_msr EOI, 1
	movl $EOI, %ecx
	try rdmsr			# write-only
	try_msr ICR, 0x1000

	write_msr SELF, 0x61
	read_msr 0x823			# IRR
	sti
	nop
	cli
	read_msr 0x823
	write_msr ICR, 0x62		# physical, to 0
	sti
	nop
	cli
	movl $6, %eax
	movq %rax, %cr8
	read_msr 0x808
	xorl %eax, %eax
	movq %rax, %cr8

	write_msr LVT_TIMER, 0x40061	# TSC deadline
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	addq $100000, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $DEADLINE, %ecx
	wrmsr
	movq %rax, %rbp
	sti
	hlt
	cli
	rdtsc
	subl %ebp, %eax
	shrl $31, %eax			# 0: the deadline has passed
	call log_eax
	read_msr DEADLINE
	write_msr DEADLINE, 1		# long ago: at once
	sti
	nop
	cli

	movl $0, STARTED
	movl $0, COUNT
	movl $trampoline, %esi
	movl $0x8000, %edi
	movl $trampoline_end - trampoline, %ecx
	rep movsb
	write_msr ICR, 0xc4500
	write_msr ICR, 0x100004608	# to ID 1
	await STARTED, 1
	write_msr ICR, 0x100004060
	await COUNT, 1
	write_msr ICR, 0x200004860	# logical: bit 1 of cluster 0
	movl $100000, %ecx
1:	pause
	loop 1b
	write_msr ICR, 0x200004860
	await COUNT, 3
	write_msr ICR, 0x1000200004860	# of cluster 1: nobody
	movl $100000, %ecx
1:	pause
	loop 1b
	log64 COUNT

	write_msr 0x1b, 0xfee00100	# disabled
	movl $1, %eax
	cpuid
	shrl $9, %edx
	andl $1, %edx
	log64 %edx
	try_msr 0x1b, 0xfee00d00	# not from disabled to x2APIC
	write_msr 0x1b, 0xfee00900
	movl $SVR, %ecx
	try rdmsr
	jmp finish64

plain:
	pushq %rax
	pushq %rcx
	pushq %rdx
	movl $0x82000000, %eax
	call log_eax
	read_msr 0x813			# ISR
	write_msr EOI, 0
	popq %rdx
	popq %rcx
	popq %rax
	iretq

	.code16
trampoline:
	cli
	lgdtl %cs:ap_pointer - trampoline
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE0, $ap32
ap_pointer:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:
	.code32
ap32:
	movl $DATA0, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $0x48000, %esp
	movl $0x1b, %ecx
	movl $0xfee00c00, %eax
	xorl %edx, %edx
	wrmsr
	movl $SVR, %ecx
	movl $0x1ff, %eax
	wrmsr
	lidt ap_idt_pointer
	movl $1, STARTED
	sti
1:	hlt
	jmp 1b
ap_fixed:
	pushal
	lock incl COUNT
	movl $EOI, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	popal
	iret
	.balign 8
ap_idt:
	.fill 0x60, 8, 0
	gate CODE0, ap_fixed, 0x8e00
ap_idt_end:
ap_idt_pointer:
	.word ap_idt_end - ap_idt - 1
	.long ap_idt

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
