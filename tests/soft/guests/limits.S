# Segments' limits and types, which QEMU's translator does not check, virtual-8086
# mode extensions and I/O permissions, by the manual: one word for each try, 0 or
# 0xeVVEEEE (vector, error code; bit 24: RIP is not the instruction's).
# SDM vol. 3, "Limit Checking", "Type Checking", "8086 Emulation".
	.include "common.inc"
	.set SMALL, 0x50		# limit 0xfff
	.set DOWN, 0x58			# expand-down above 0xfff, 32-bit
	.set DOWN16, 0x60		# expand-down above 0xfff, 16-bit
	.set RO, 0x68
	.set XO, 0x70
	.set SMALL_CODE, 0x78		# code up to where it ends
	.set PAGES, 0x80		# limit 0 with G: 0xfff
	.set BIG_TSS, 0x88
	descriptor HEAP, 0xfff, 0x4093
	descriptor HEAP, 0xfff, 0x4097
	descriptor HEAP, 0xfff, 0x0097
	descriptor HEAP, 0xfffff, 0xc091
	descriptor 0, 0xfffff, 0xc099
	descriptor 0, 0x507ff, 0x409b
	descriptor HEAP, 0, 0xc093
	descriptor (BASE + big_tss - boot), 0xbe, 0x0089
gdt_end:
	.set TRIED, 0x7020

	.macro try instruction:vararg
	resume_at 9f
	movl $8f, TRIED
8:	\instruction
	pushl $0
	jmp 7f
9:	pushl %eax
7:	pushl $DATA0
	popl %ds
	movl (%esp), %eax
	call log32
	popl %eax
	.endm
	.macro data selector
	movl $\selector, %ecx
	movl %ecx, %es
	.endm

	.code16
main16:
	jmp protect

	.code32
main32:
	movl $IDT_AT, %edi
	xorl %ebx, %ebx
	movl $lights, %eax		# every exception to light
1:	movw %ax, (%edi)
	addl $8, %edi
	addl $16, %eax
	incl %ebx
	cmpl $20, %ebx
	jb 1b
	data SMALL
	try movb %al, %es:0xfff
	try movb %al, %es:0x1000
	try movl %es:0xffc, %eax
	try movl %es:0xffd, %eax
	try movl %es:0xffffffff, %eax
	try pushl %es:0xffe
	data PAGES
	try movw %es:0xffe, %ax
	try movw %es:0xfff, %ax
	data DOWN
	try movb %es:0xfff, %al
	try movb %es:0x1000, %al
	try movl %es:0xffe, %eax
	try movl %es:0x10000, %eax
	try movl %es:0xfffffffe, %eax
	data DOWN16
	try movb %es:0xfff, %al
	try movb %es:0xffff, %al
	try movw %es:0xffff, %ax
	data RO
	try movb %es:0, %al
	try movb %al, %es:0
	try lock incl %es:0
	data DATA0
	try movl %cs:0, %eax
	try movl %eax, %cs:0
	xorl %ecx, %ecx
	movl %ecx, %es
	try movb %es:0, %al
	try movb %al, %es:0
	movl $DATA0, %ecx
	movl %ecx, %es

	data SMALL
	movl $0x1000, %ebp
	try movl %es:(%ebp), %eax
	movl $SMALL, %ecx
	movl %ecx, %ss
	movl $0x1000, %esp
	movl $8f, TRIED
	movl $9f, RESUME
	movl $STACK_TOP, RESUME_SP
8:	popl %eax			# beyond the limit
	hlt
9:	call log32

	ljmp $SMALL_CODE, $1f		# code runs up to its limit
1:	movl $0x90909090, 0x507fe
	resume_at 2f
	movl $0x50800, TRIED
	jmp 0x507fe
2:	call log32
	resume_at 3f
	movl $1f, TRIED
	ljmp $SMALL_CODE, $1f		# the handler left it
1:	jmp 0x50800
3:	call log32
	ljmp $XO, $1f
1:	try movl %cs:0, %eax
	ljmp $CODE0, $1f
1:
# --- VME: INT by the redirection bitmap, CLI, STI, PUSHF, POPF with IOPL 0
	movl $BIG_TSS, %eax
	ltr %ax
	movl %cr4, %eax
	orl $3, %eax
	movl %eax, %cr4
	movw $in86 - boot, 0x20 * 4	# the 8086 IVT at 0
	movw $BASE >> 4, 0x20 * 4 + 2
	resume_at 9f
	movl $int42 - boot, TRIED
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0x300
	pushl $0xf00
	pushl $0x20002
	pushl $BASE >> 4
	pushl $vme - boot
	iretl
9:	call log32			# the INT that is not redirected
	.irp at, 0x3efe, 0x3efc, 0x3ef6	# IF and IOPL that the guest saw
	movl \at, %eax
	andl $0x3200, %eax
	call log32
	.endr

# --- I/O permissions in ring 3
	resume_at 9f
	movl $8f, TRIED
	pushl $DATA3
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $1f
	iretl
1:	movb $0x71, %al			# allowed: the log's first word
	outb %al, $0xe9
	outb %al, $0xe9
	outb %al, $0xe9
	outb %al, $0xe9
8:	outw %ax, $0xe9			# 0xea is not
9:	call log32
	movl $8f, TRIED
	resume_at 9f
	pushl $DATA3
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $8f
	iretl
8:	inb $0xe8, %al
9:	call log32
	resume_at 9f
	movl $8f, TRIED
	movw $0x100, %dx
	pushl $DATA3
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $8f
	iretl
8:	inb %dx, %al			# beyond the map
9:	call log32
	jmp finish

# EAX = what happened; goes on at RESUME
	.balign 16
lights:
	.set vector, 0
	.rept 20
	.balign 16
	.if (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	.else
	pushl $0
	.endif
	pushl $vector
	jmp light
	.set vector, vector + 1
	.endr
	.balign 16
light:
	pushl $DATA0
	popl %ds
	popl %eax
	shll $16, %eax
	orl $0xe0000000, %eax
	orl (%esp), %eax
	movl 4(%esp), %ecx
	cmpl TRIED, %ecx
	je 1f
	orl $0x01000000, %eax
1:	movl $DATA0, %ecx
	movl %ecx, %ss
	movl RESUME_SP, %esp
	jmp *RESUME

	.balign 16
big_tss:
	.long 0, RING0_SP, DATA0
	.fill 22, 4, 0
	.word 0, 0x68 + 0x20 + 0x18	# the I/O map
	.fill 0x18, 1, 0
	.byte 0, 0, 0, 0, 0, 0, 0, 0	# the redirection bitmap: to the guest but
	.byte 4, 0, 0, 0, 0, 0, 0, 0	# INT 0x42
	.fill 16, 1, 0
	.fill 29, 1, 0xff		# ports 0-0xe7
	.byte 0xfd			# 0xe9 is allowed
	.byte 0xff

	.code16
vme:
	sti				# VIF
	pushfw
	cli
	int $0x20			# to the guest's own handler
	sti
int42:	int $0x42			# to protected mode
	hlt
in86:
	pushfw				# what it sees
	addw $2, %sp
	iretw

	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
