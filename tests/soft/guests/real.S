# Real mode: interrupts through the IVT, far transfers, flags, a moved IVT, to
# protected mode and back with large segments left behind. SDM vol. 3, "8086
# Emulation", "Mode Switching".
	.include "common.inc"
	.set DATA16, 0x50
	.set BIG, 0x58
	descriptor 0, 0xffff, 0x0093
	descriptor 0, 0xfffff, 0x8093
gdt_end:

	.code16
	.macro log16v value
	movl \value, %eax
	call log16
	.endm
	.macro vector number, target, table=0
	movw $\target - boot, \table + \number * 4
	movw $BASE >> 4, \table + \number * 4 + 2
	.endm

main16:
	vector 0, divide
	vector 3, breakpoint
	vector 4, overflow
	vector 6, undefined
	vector 13, protection
	vector 0x50, through
	movl $0x12345678, %ebp

	xorl %eax, %eax			# software interrupts
	int $0x50
	int3
	movb $0x7f, %al
	incb %al
	into
	addb $0, %al
	into				# no overflow
	sti
	int $0x50
	pushfw
	popw %ax
	andl $0x300, %eax
	call log16
	cli

	movw $1f - boot, resume16	# faults: IP is the instruction's
	xorw %cx, %cx
	divw %cx
1:	movw $1f - boot, resume16
	ud2
1:	movw $1f - boot, resume16
	sldt %ax			# not in real mode
1:	movw $1f - boot, resume16
	ltr %ax
1:	movw $1f - boot, resume16
	larw %ax, %ax
1:	movw $1f - boot, resume16
	.byte 0xf0, 0x90		# LOCK NOP
1:

	lcall $BASE >> 4, $far1 - boot	# far transfers
	log16v %esp
	lcalll $BASE >> 4, $far2 - boot
	log16v %esp
	movw $far1 - boot, HEAP_OFFSET
	movw $BASE >> 4, HEAP_OFFSET + 2
	lcallw *HEAP_OFFSET
	ljmp $(BASE >> 4) + 2, $1f - boot - 0x20
1:	xorl %eax, %eax
	movw %cs, %ax
	call log16
	ljmp $BASE >> 4, $1f - boot
1:	log16v %esp

	pushl $0x00277ed7		# flags: all that there are but TF
	popfl
	pushfl
	popl %eax
	andl $0x277fff, %eax
	cld
	call log16
	pushw $0xfeff
	popfw
	pushfw
	popw %ax
	pushw $2
	popfw
	andl $0x7fff, %eax
	call log16
	pushfl				# IRETD takes AC, ID, not VM
	popl %eax
	pushl $0x00064002
	pushl $BASE >> 4
	pushl $1f - boot
	iretl
1:	pushfl
	popl %eax
	call log16
	pushl $2
	popfl

	sidt HEAP_OFFSET		# descriptor tables
	log16v HEAP_OFFSET
	movw HEAP_OFFSET + 4, %ax
	call log16
	smsw %ax
	andl $0x3f, %eax
	call log16
	movl %cr0, %eax
	andl $0x1, %eax
	call log16

	movw $0x200, %cx		# another IVT
	xorl %esi, %esi
	movl $0x4000, %edi
1:	movl (%esi), %eax
	movl %eax, (%edi)
	addl $4, %esi
	addl $4, %edi
	decw %cx
	jnz 1b
	vector 0x50, moved, 0x4000
	lidtl %cs:moved_idt - boot
	int $0x50
	movw $1f - boot, resume16
	int $0x60			# beyond its limit: #GP
1:	lidtl %cs:real_idt - boot

	cli				# to protected mode and back
	lgdtl %cs:gdt_pointer - boot
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmp $CODE16, $1f - boot
1:	movw $BIG, %ax
	movw %ax, %fs
	movw $DATA16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %cs, %si
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $BASE >> 4, $1f - boot
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %ax, %fs			# its limit stays: 4 GiB
	movzwl %si, %eax		# CS in between
	call log16
	movl $0x80000, %ebx
	movl $0xcafe, %fs:(%ebx)
	log16v %fs:(%ebx)
	movw $0x8000, %ax
	movw %ax, %fs
	log16v %fs:0
	int $0x50
	log16v %ebp
	jmp protect

	.code32
main32:
	jmp finish

	.code16
	.set HEAP_OFFSET, 0x7100
	.set resume16, 0x7110
	.balign 8
moved_idt:
	.word 0x60 * 4 - 1
	.long 0x4000
	.balign 8
real_idt:
	.word 0x3ff
	.long 0

# Logs a number, the frame and SP, and returns from the interrupt.
	.macro frame number
	pushal
	movw %sp, %bp
	movl $\number, %eax
	call log16
	movl 32(%bp), %eax		# IP, CS
	call log16
	movzwl 36(%bp), %eax
	andl $0x7700, %eax
	call log16
	movzwl %bp, %eax
	call log16
	pushfw
	popw %ax
	andl $0x7700, %eax
	call log16
	.endm
through:
	frame 0x50
	popal
	iret
moved:
	frame 0x5050
	popal
	iret
breakpoint:
	frame 3
	popal
	iret
overflow:
	frame 4
	popal
	iret
divide:
	frame 0
	jmp resume
undefined:
	frame 6
	jmp resume
protection:
	frame 13
resume:
	movw resume16, %ax
	movw %ax, 32(%bp)
	popal
	iret
far1:
	log16v %esp
	movl %ss:(%esp), %eax
	call log16
	lret
far2:
	log16v %esp
	movl %ss:(%esp), %eax
	call log16
	movzwl %ss:4(%esp), %eax
	call log16
	lretl

	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
