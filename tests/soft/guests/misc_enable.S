# IA32_MISC_ENABLE: what sticks, what is ignored, what is refused, and what it
# does to CPUID and EFER. SDM vol. 4, table 2-2; QEMU's translator holds whatever
# is written, so this is by the manual.
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set MISC, 0x1a0
	.set EFER_MSR, 0xc0000080

	.macro read_misc		# logs both halves
	movl $MISC, %ecx
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
	.macro leaf number, register
	movl $\number, %eax
	xorl %ecx, %ecx
	cpuid
	log64 %\register
	.endm

main64:
	read_misc
	try_msr MISC, 0x400c51809	# all that can be set
	read_misc
	leaf 0, eax			# limited
	leaf 0x80000001, edx		# no NX
	try_msr EFER_MSR, 0x501
	try_msr EFER_MSR, 0xd01		# nor can EFER.NXE be set
	try_msr MISC, 0x1800		# and cleared
	read_misc
	leaf 0, eax
	leaf 0x80000001, edx
	try_msr EFER_MSR, 0xd01
	try_msr MISC, 0x1880		# (R): ignored
	read_misc
	try_msr MISC, 0x1000		# (RO): refused
	try_msr MISC, 0x0800
	# each bit that there is not
	movl $0, %ebx
1:	btq %rbx, reserved
	jnc 2f
	xorl %eax, %eax
	btsq %rbx, %rax
	orq $0x1801, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MISC, %ecx
	try wrmsr
2:	incl %ebx
	cmpl $64, %ebx
	jb 1b
	read_misc
	jmp finish64

	.balign 8
reserved: .quad 0xfffffffbff3ae776

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
