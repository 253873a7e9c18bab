# 4-level paging: for every mix of rights in PDE and PTE, with and without WP,
# SMEP, SMAP and AC, reads, writes and executes a byte from ring 0 and from
# ring 3. Logs the error code, or the accessed and dirty bits.
# SDM vol. 3, "Determination of Access Rights", "Page-Fault Exceptions".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set ALIAS, 0x20000000		# the first 2 MiB, for ring 3
	.set PAGE, 0x40000000		# what is tried
	.set PD_TRIED, 0x64000
	.set PT_TRIED, 0x65000
	.set MEMORY, 0x80000		# what it maps
	.set DONE_GATE, 0x45

	.macro flush
	movq %cr3, %rax
	movq %rax, %cr3
	.endm

	.balign 8
pdes:	.quad 1, 3, 5, 7
	.set NX, 1 << 63
	.set RSVD, 1 << 45
ptes:	.quad 0, 1, 3, 5, 7, NX + 1, NX + 3, NX + 5, NX + 7, RSVD + 7, RSVD + 1
	.quad 6
	.set PTES, 12

# R8 = PDE index, R9 = PTE index, R12 = WP, SMEP, SMAP, AC; R13 = access, 0 read,
# 1 write, 2 execute; +4 in ring 3; R15 = the result
main64:
	movb $0xc3, MEMORY		# RET
	movl $0x83, PD			# ring 0's view
	movl $0x87, PD + 256 * 8	# ring 3's
	movl $PD_TRIED + 7, PDPT + 8
	movl $page_fault, %eax
	movw %ax, IDT_AT + 14 * 16
	movl $done, %eax
	movw %ax, IDT_AT + DONE_GATE * 16
	flush
	movl $PAGE, %edi

	xorl %r12d, %r12d
configuration:
	movq %cr0, %rax
	andl $~0x10000, %eax
	btl $0, %r12d
	jnc 1f
	orl $0x10000, %eax
1:	movq %rax, %cr0
	movl $0x620, %eax
	btl $1, %r12d
	jnc 1f
	orl $0x100000, %eax
1:	btl $2, %r12d
	jnc 1f
	orl $0x200000, %eax
1:	movq %rax, %cr4
	xorl %r8d, %r8d
next_pde:
	xorl %r9d, %r9d
next_pte:
	xorl %r13d, %r13d
next_access:
	movq pdes(, %r8, 8), %rax
	orq $PT_TRIED, %rax
	movq %rax, PD_TRIED
	movq ptes(, %r9, 8), %rax
	orq $MEMORY, %rax
	movq %rax, PT_TRIED
	flush
	movl $0x12345678, %r15d
	movq %rsp, RESUME_SP
	movl $2, %eax			# RFLAGS
	btl $3, %r12d
	jnc 1f
	orl $0x40000, %eax
1:	btl $2, %r13d
	jc 2f
	pushq %rax
	popfq
	movl %r13d, %eax
	call try
	jmp done
2:	pushq $DATA3
	pushq $ALIAS + 0x4000
	pushq %rax
	pushq $CODE64_3
	pushq $ALIAS + try3
	iretq

try:
	cmpl $1, %eax
	jb 1f
	ja 2f
	movb $0xc3, (%rdi)
	ret
1:	movb (%rdi), %al
	ret
2:	jmp *%rdi

try3:					# at ALIAS: nothing absolute
	cmpl $5, %r13d
	jb 1f
	ja 2f
	movb $0xc3, (%rdi)
	int $DONE_GATE
1:	movb (%rdi), %al
	int $DONE_GATE
2:	call *%rdi
	int $DONE_GATE

page_fault:
	popq %r15
	orl $0x80000000, %r15d
	movq %cr2, %rax
	cmpq %rdi, %rax
	je 1f
	orl $0x40000000, %r15d		# not where it was tried
1:	movq RESUME_SP, %rsp
	jmp result
done:
	movq RESUME_SP, %rsp
	movq PD_TRIED, %r15
	andl $0x20, %r15d
	shll $8, %r15d
	movq PT_TRIED, %rax
	andl $0x60, %eax
	orl %eax, %r15d
result:
	movl %r15d, %eax
	call log_eax
	pushq $2
	popfq
	incl %r13d
	cmpl $3, %r13d
	jne 1f
	incl %r13d
1:	cmpl $7, %r13d
	jb next_access
	incl %r9d
	cmpl $PTES, %r9d
	jb next_pte
	incl %r8d
	cmpl $4, %r8d
	jb next_pde
	incl %r12d
	cmpl $16, %r12d
	jb configuration
	jmp finish64

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
