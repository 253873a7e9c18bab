# What QEMU does not do as the manual says, or not at all: refusals of MOV CR,
# WRMSR and far transfers, canonical addresses, double faults, some debug traps.
# The expected log is in guests_test.ts.
	.include "common.inc"
	.set CODE_LD, 0x50		# L and D
	.set TSS_FAR, 0x60		# base not canonical
	descriptor 0, 0xfffff, 0xe09b
	.quad 0
	descriptor 0, 0x67, 0x0089
	.quad 0x00008000
gdt_end:
	.include "long.inc"

	.macro part number
	log64 $(0xb0000000+\number)
	.endm
	.macro msr_try index, value
	movl $\index, %ecx
	movabsq $\value, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	try wrmsr
	.endm
	.macro cr_try n, value
	movabsq $\value, %rax
	try movq %rax, %cr\n
	.endm

main64:
	part 1				# control registers
	movq %cr0, %rbp
	cr_try 0, 0x180010033		# upper half
	cr_try 0, 0x80010032		# PG without PE
	cr_try 0, 0xa0010033		# NW without CD
	cr_try 0, 0x00010033		# PG off in 64-bit code
	movq %cr0, %rax
	subq %rbp, %rax
	call log_eax			# unchanged
	cr_try 4, 0x100000620
	cr_try 4, 0x1620		# LA57: not there
	cr_try 4, 0x2620		# VMXE: not there
	cr_try 4, 0x600			# PAE off
	cr_try 3, 0x8000000000060000	# bit 63 without PCIDs
	cr_try 3, 0x0010000000060000
	cr_try 8, 0x10
	cr_try 8, 0xf
	movq %cr8, %rax
	call log_eax
	cr_try 8, 0

	part 2				# MSRs
	msr_try MSR_EFER, 0x801		# LME off while paging
	msr_try MSR_EFER, 0x1901
	msr_try MSR_EFER, 0x901		# LMA is not ours to clear
	movl $MSR_EFER, %ecx
	rdmsr
	call log_eax
	msr_try MSR_LSTAR, 0x800000000000
	msr_try MSR_FS_BASE, 0x7fff000000000000
	msr_try MSR_KERNEL_GS_BASE, 0xffff7fffffffffff
	msr_try MSR_SFMASK, 0x100000000
	msr_try 0x175, 0x800000000000
	msr_try 0x277, 0x0007040600070402	# PAT: type 2
	msr_try 0x277, 0x0007010600070406
	msr_try 0x2ff, 0x1000		# MTRRdefType: reserved
	msr_try 0x200, 0x2		# MTRRphysBase: type 2
	msr_try 0x1b, 0xfee00400	# EXTD without EN
	msr_try 0x800, 0		# x2APIC without its mode
	movl $0xdeadbeef, %ecx
	try rdmsr
	try rdpmc

	part 3				# segments and far transfers
	xorl %eax, %eax
	try ltr %ax
	movl $TSS_FAR, %eax
	try ltr %ax
	movl $3, %eax
	try movl %eax, %ss
	movl $1, HEAP
	movl $CODE_LD, HEAP + 4
	try ljmpl *HEAP
	movabsq $0x800000000000, %rax
	movq %rax, HEAP
	movl $CODE64, HEAP + 8
	try rex.w ljmp *HEAP
	try jmp *%rax
	try call *%rax
	try jmp *HEAP
	pushq %rax
	try ret
	addq $8, %rsp
	pushq $DATA0
	pushq %rsp
	pushq $2
	pushq $CODE64
	pushq %rax
	try iretq
	movl $CODE_LD, 8(%rsp)
	movl $1f, (%rsp)
1:	try iretq
	addq $40, %rsp

	part 4				# canonical addresses
	try movl (%rax), %ebx
	try movl %ebx, (%rax)
	try pushq (%rax)
	movq %rsp, %rbp
	leaq 0x100(%rax), %rsp
	movq $8f, TRIED
	movq $9f, RESUME
	movq %rbp, RESUME_SP
	movl $1, LIGHT
	movb $1, IDT_AT + 12 * 16 + 4	# #SS needs another stack
8:	pushq %rbx
9:	movl $0, LIGHT
	movq %rax, %rbp
	try movl (%rbp), %ebx
	try movl %ebx, 8(%rbp, %rbp)
	movabsq $0x7ffffffffffd, %rax
	try movl (%rax), %ebx		# reaches over the edge

	part 5				# double faults
	andb $0x7f, IDT_AT + 13 * 16 + 5	# #GP absent: #NP in #GP is #DF
	movl $0xdeadbeef, %ecx
	try rdmsr
	andb $0x7f, IDT_AT + 6 * 16 + 5		# #NP in #UD is just #NP
	try ud2
	orb $0x80, IDT_AT + 13 * 16 + 5
	orb $0x80, IDT_AT + 6 * 16 + 5
	movb $7, IDT_AT + 14 * 16 + 4	# #PF with a bad stack (IST7 = 0) is not bad:
	movl $0x40000000, %eax		# it wraps, and that is not mapped: #PF, #DF
	try movl (%rax), %ebx
	movb $0, IDT_AT + 14 * 16 + 4

	part 6				# debug: priorities
part6:
	movl $trap, %eax
	movw %ax, IDT_AT + 16
	movq $1f, %rax
	movq %rax, %dr0
	movl $0x401, %eax
	movq %rax, %dr7
	pushfq
	orl $0x100, (%rsp)
	popfq
	nop
1:	nop				# first the trap, then the breakpoint
	pushfq
	andl $~0x100, (%rsp)
	popfq
	movl $0x2400, %eax
	movq %rax, %dr7			# general detect
	movq %dr0, %rax
	movq %dr7, %rax
	call log_eax
	.byte 0xf1			# INT1: DR6 tells nothing, RIP is after
	jmp finish64

trap:
	pushq %rax
	movl 8(%rsp), %eax
	subl $part6, %eax
	call log_eax
	movq %dr6, %rax
	call log_eax
	testl $1, %eax
	jz 1f
	orl $0x10000, 24(%rsp)
1:	xorl %eax, %eax
	movq %rax, %dr6
	popq %rax
	iretq

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
