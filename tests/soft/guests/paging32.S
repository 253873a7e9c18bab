# 32-bit paging and PAE paging: every mix of rights, large pages, WP, SMEP, SMAP
# and AC, reads and writes from ring 0 and ring 3. As paging.S.
# SDM vol. 3, "32-Bit Paging", "PAE Paging".
	.include "common.inc"
gdt_end:

	.set PD, 0x60000		# 32-bit: the directory; PAE: PDPTEs
	.set PAE_PD0, 0x61000		# of the first GiB
	.set PAE_PD1, 0x62000		# of the one that is tried
	.set PT, 0x63000		# of the page that is tried
	.set PAGE, 0x40000000		# what is tried
	.set ALIAS, 0x20000000		# the first MiBs, for ring 3
	.set MEMORY, 0x7f000		# what is mapped there; large pages map from 0 on
	.set DONE_GATE, 0x45
	.set EXPECTED, 0x7020		# CR2
	.set SAVED_SP, 0x7024

	.code16
main16:
	jmp protect

	.code32
	.macro flush
	movl %cr3, %eax
	movl %eax, %cr3
	.endm

	.balign 8
pdes:	.long 1, 3, 5, 7, 0x81, 0x83, 0x85, 0x87
	.set PDES, 8
ptes:	.long 0, 1, 3, 5, 7
	.set PTES, 5

main32:
	movl $page_fault, %eax
	movw %ax, IDT_AT + 14 * 8
	movl $done, %eax
	movw %ax, IDT_AT + DONE_GATE * 8
	movl $0x10, %eax		# PSE
	movl %eax, %cr4
	movl $PD, %edi
	xorl %eax, %eax
	movl $0x4000 / 4, %ecx
	rep stosl
	movl $0x83, PD			# ring 0's view
	movl $0x87, PD + (ALIAS >> 22) * 4	# ring 3's
	movl $PD, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	xorl %ebp, %ebp			# bit 8: PAE
	call all_configurations

	movl $DATA0, %eax		# nulled on the way to ring 3
	movl %eax, %es
	movl %cr0, %eax			# to PAE
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $PD, %edi
	xorl %eax, %eax
	movl $0x4000 / 4, %ecx
	rep stosl
	movl $PAE_PD0 + 1, PD
	movl $PAE_PD1 + 1, PD + 8
	movl $0x83, PAE_PD0
	movl $0x87, PAE_PD0 + (ALIAS >> 21) * 8
	movl $0x30, %eax
	movl %eax, %cr4
	movl $PD, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	movl $0x100, %ebp
	call all_configurations
	jmp finish

# EBP = WP, SMEP, SMAP, AC in bits 0-3; EDX = access: bit 0 write, bit 2 ring 3;
# ESI = PDE index; EBX = PTE index
all_configurations:
configuration:
	movl %cr0, %eax
	andl $~0x10000, %eax
	btl $0, %ebp
	jnc 1f
	orl $0x10000, %eax
1:	movl %eax, %cr0
	movl %cr4, %eax
	andl $~0x300000, %eax
	btl $1, %ebp
	jnc 1f
	orl $0x100000, %eax
1:	btl $2, %ebp
	jnc 1f
	orl $0x200000, %eax
1:	movl %eax, %cr4
	xorl %esi, %esi
next_pde:
	xorl %ebx, %ebx
next_pte:
	xorl %edx, %edx
next_access:
	movl pdes(, %esi, 4), %eax
	testl $0x80, %eax
	jnz 1f
	orl $PT, %eax
1:	testl $0x100, %ebp
	jnz 1f
	movl %eax, PD + (PAGE >> 22) * 4
	jmp 2f
1:	movl %eax, PAE_PD1
2:	movl ptes(, %ebx, 4), %eax
	orl $MEMORY, %eax
	movl %eax, PT
	flush
	movl $PAGE, %edi
	testl $0x80, pdes(, %esi, 4)
	jz 1f
	addl $MEMORY, %edi		# somewhere in the large page
1:	movl %edi, EXPECTED
	movl %esp, SAVED_SP
	movl $2, %eax
	btl $3, %ebp
	jnc 1f
	orl $0x40000, %eax
1:	testl $4, %edx
	jnz 2f
	pushl %eax
	popfl
	testl $1, %edx
	jz 1f
	movb $1, (%edi)
	jmp done
1:	movb (%edi), %al
	jmp done
2:	pushl $DATA3
	pushl $ALIAS + 0x4000
	pushl %eax
	pushl $CODE3
	pushl $ALIAS + try3
	iretl

try3:
	movl $DATA3, %eax
	movl %eax, %ds
	testl $1, %edx
	jz 1f
	movb $1, (%edi)
	int $DONE_GATE
1:	movb (%edi), %al
	int $DONE_GATE

page_fault:
	popl %ecx
	movl $DATA0, %eax
	movl %eax, %ds
	orl $0x80000000, %ecx
	movl %cr2, %eax
	cmpl EXPECTED, %eax
	je result
	orl $0x40000000, %ecx
	jmp result
done:
	movl $DATA0, %eax
	movl %eax, %ds
	movl PT, %ecx
	testl $0x80, pdes(, %esi, 4)
	jz 1f
	xorl %ecx, %ecx
1:	andl $0x60, %ecx
	movl PAE_PD1, %eax
	testl $0x100, %ebp
	jnz 1f
	movl PD + (PAGE >> 22) * 4, %eax
1:	andl $0x60, %eax
	shll $8, %eax
	orl %eax, %ecx
result:
	movl SAVED_SP, %esp
	pushl $2
	popfl
	movl %ecx, %eax
	call log32
	incl %edx
	cmpl $2, %edx
	jne 1f
	movl $4, %edx
1:	cmpl $6, %edx
	jb next_access
	incl %ebx
	cmpl $PTES, %ebx
	jb next_pte
	incl %esi
	cmpl $PDES, %esi
	jb next_pde
	incl %ebp
	testl $15, %ebp
	jnz configuration
	ret

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
