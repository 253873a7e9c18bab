# Protected mode: segment loads, descriptor checks, gates, far transfers between
# rings. SDM vol. 3, "Protection", "Interrupt and Exception Handling".
	.include "common.inc"

	.set NOT_PRESENT, 0x50
	.set EXECUTE_ONLY, 0x58
	.set CONFORMING, 0x60
	.set LDT_SEL, 0x68
	.set GATE_SAME, 0x70
	.set GATE_INNER, 0x78		# DPL 3, two parameters
	.set GATE_CLOSED, 0x80		# DPL 0
	.set GATE_ABSENT, 0x88
	.set GATE_DATA, 0x90		# leads to a data segment
	.set READ_ONLY, 0x98
	.set CODE1, 0xa0
	.set DATA1, 0xa8
	.set GATE16, 0xb0
	.set DATA_ABSENT3, 0xb8
	.set LAST, 0xb8
	descriptor 0, 0xfffff, 0xc013		# NOT_PRESENT
	descriptor 0, 0xfffff, 0xc099		# EXECUTE_ONLY
	descriptor 0, 0xfffff, 0xc09f		# CONFORMING
	descriptor (BASE + ldt - boot), 0x1f, 0x0082	# LDT_SEL
	gate CODE0, gate_same, 0x8c00
	gate CODE0, gate_inner, 0xec02
	gate CODE0, gate_same, 0x8c00
	gate CODE0, gate_same, 0x6c00
	gate DATA0, gate_same, 0xec00
	descriptor 0, 0xfffff, 0xc091		# READ_ONLY
	descriptor 0, 0xfffff, 0xc0bb		# CODE1
	descriptor 0, 0xfffff, 0xc0b3		# DATA1
	gate CODE16, gate16, 0x8400, 0
	descriptor 0, 0xfffff, 0xc073		# DATA_ABSENT3
gdt_end:
ldt:
	.quad 0
	descriptor 0, 0xfffff, 0xc093
	descriptor 0, 0xfffff, 0xc0fb
	descriptor 0, 0xfffff, 0xc0f3

	.code16
main16:
	jmp protect

	.code32
main32:
	movl $LDT_SEL, %eax
	lldt %ax

# --- LAR, LSL, VERR, VERW, ARPL of everything
	xorl %esi, %esi
1:	movl $0x11111111, %eax
	larl %esi, %eax
	pushfl
	andl $0x40, (%esp)
	andl $0xfff0ffff, %eax	# 19:16: undefined, QEMU has 0
	call log32
	popl %eax
	call log32
	movl $0x11111111, %eax
	lsll %esi, %eax
	pushfl
	andl $0x40, (%esp)
	call log32
	popl %eax
	verr %si
	setzb %ah
	verw %si
	setzb %bl
	shll $8, %eax
	movb %bl, %al
	call log32
	movl %esi, %eax
	movl $2, %ecx
	arpl %cx, %ax
	pushfl
	call log32
	popl %eax
	andl $0x40, %eax
	call log32
	incl %esi
	testl $4, %esi			# selectors of LDT: RPL 0 only
	jz 2f
	addl $3, %esi
2:	cmpl $LAST + 16, %esi
	jb 1b

# --- loads of data segments: every selector into DS, every one into SS
	xorl %esi, %esi
1:	resume_at 2f
	movl %esi, %ds
	movl $DATA0, %eax
	movl %eax, %ds
	movl $0x600d0000, %eax
	orl %esi, %eax
	call log32
2:	resume_at 3f
	movl %esi, %ss
	movl $DATA0, %eax
	movl %eax, %ss
	movl $0x600d1000, %eax
	orl %esi, %eax
	call log32
3:	incl %esi
	cmpl $LAST + 16, %esi
	jb 1b
	resume_at 1f
	movl $0xfff8, %eax		# beyond the table
	movl %eax, %fs
1:	movl $0xc, %eax			# LDT
	movl %eax, %fs
	movl %fs, %eax
	call log32
	resume_at 1f
	movl $0x2c, %eax		# beyond the LDT
	movl %eax, %fs
1:

# --- far jumps and calls: every selector
	xorl %esi, %esi
1:	cmpl $0x28, %esi		# not to TSSs here
	jb 4f
	cmpl $0x2f, %esi
	jbe 5f
4:	cmpl $CODE64, %esi		# nor to 16-bit code (CODE64 is, here)
	jb 4f
	cmpl $CODE16 + 7, %esi
	jbe 5f
4:	cmpl $GATE16, %esi
	jb 4f
	cmpl $GATE16 + 7, %esi
	jbe 5f
4:	movl $target, HEAP
	movl %esi, HEAP + 4
	resume_at 5f
	ljmp *HEAP
target:
	movl %cs, %eax
	orl $0x3a3a0000, %eax
	call log32
	ljmp $CODE0, $5f
5:	incl %esi
	cmpl $LAST + 8, %esi
	jb 1b

# --- calls through gates from ring 0
	lcall $GATE_SAME, $0
	lcall $GATE_CLOSED, $0
	resume_at 1f
	lcall $GATE_ABSENT, $0
1:	resume_at 1f
	lcall $GATE_DATA, $0
1:	resume_at 1f
	lcall $GATE_SAME + 3, $0	# RPL above DPL
1:	ljmp $CODE16, $from16 - boot	# a 16-bit frame
back32:
	lcall $CONFORMING, $far_return
	lcall $CODE0, $far_return

# --- ring 3: calls to ring 0 and back, interrupts, faults
	resume_at back0
	pushl $DATA3
	pushl $0x4000
	pushfl
	orl $0x200, (%esp)
	pushl $CODE3
	pushl $ring3
	iret
ring3:
	movl %cs, %eax
	int $0x41
	movl %ss, %eax
	int $0x41
	movl %ds, %eax			# DS was of ring 0: null now
	int $0x41
	movl %fs, %eax
	int $0x41
	movl $DATA3, %eax
	movl %eax, %ds
	int $0x40			# the frame
	pushl $0x22222222
	pushl $0x11111111
	lcall $GATE_INNER, $0
	movl %esp, %eax
	int $0x41
	movl %cs, %eax
	int $0x41
	lcall $CONFORMING, $far_return3
	int $0x30			# DPL 0: #GP
back0:
	.macro user target		# runs target in ring 3 until it faults
	resume_at 9f
	pushl $DATA3
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $\target
	iret
9:
	.endm
	user bad_load
	user bad_gate
	user bad_hlt
	user bad_far
	user bad_cr
	user bad_lgdt
	user bad_int3
	user bad_iret

# --- IRET that cannot
	resume_at 1f			# RPL below CPL is impossible from ring 0: data as CS
	pushl $2
	pushl $DATA0
	pushl $1f
	iret
1:	resume_at 1f			# null CS
	pushl $2
	pushl $0
	pushl $1f
	iret
1:	resume_at 1f			# SS of the wrong ring
	pushl $DATA0
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $ring3
	iret
1:	resume_at 1f			# SS null
	pushl $0
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $ring3
	iret
1:	resume_at 1f			# SS absent
	pushl $DATA_ABSENT3 + 3
	pushl $0x4000
	pushl $2
	pushl $CODE3
	pushl $ring3
	iret
1:	resume_at 1f			# RETF to an absent code segment
	pushl $NOT_PRESENT
	pushl $ring3
	lret
1:
# --- gates of the IDT
	movl IDT_AT + 0x50 * 8 + 4, %eax
	andl $0xffff7fff, IDT_AT + 0x50 * 8 + 4	# absent
	resume_at 1f
	int $0x50
1:	movl %eax, IDT_AT + 0x50 * 8 + 4
	movw $NOT_PRESENT, IDT_AT + 0x50 * 8 + 2
	resume_at 1f
	int $0x50
1:	movw $0, IDT_AT + 0x50 * 8 + 2
	resume_at 1f
	int $0x50
1:	movw $CODE0, IDT_AT + 0x50 * 8 + 2
	movb $0xec, IDT_AT + 0x50 * 8 + 5		# a call gate
	resume_at 1f
	int $0x50
1:	movb $0xef, IDT_AT + 0x50 * 8 + 5		# a trap gate: IF stays
	sti
	int $0x50
	cli
	movw $0x3ff, idt_pointer
	lidt idt_pointer
	resume_at 1f
	int $0x80			# beyond the table
1:	movw $0x7ff, idt_pointer
	lidt idt_pointer

	jmp finish

far_return:
	movl %cs, %eax
	call log32
	lret

far_return3:
	movl %cs, %eax
	int $0x41
	lret

gate_same:
	movl %esp, %eax
	call log32
	movl (%esp), %eax
	call log32
	movl 4(%esp), %eax
	call log32
	lret

gate_inner:
	movl %esp, %eax
	call log32
	xorl %ecx, %ecx
1:	movl (%esp, %ecx, 4), %eax
	call log32
	incl %ecx
	cmpl $6, %ecx
	jb 1b
	lret $8

bad_load:
	movl $DATA0, %eax
	movl %eax, %ds
bad_gate:
	lcall $GATE_SAME, $0
bad_hlt:
	hlt
bad_far:
	ljmp $CODE0, $ring3
bad_cr:
	movl %cr0, %eax
bad_lgdt:
	lgdt %cs:gdt_pointer
bad_int3:
	int3				# DPL 0
bad_iret:
	pushl $2
	pushl $CODE0			# to an inner ring
	pushl $ring3
	iret

	.code16
from16:
	lcall $GATE16, $0
	ljmpl $CODE0, $back32
gate16:
	pushl %eax
	pushl %ebx
	movl $0x16161616, %eax
	movl LOG_AT, %ebx
	movl %eax, %ds:(%ebx)
	movzwl %sp, %eax
	movl %eax, %ds:4(%ebx)
	movl 8(%esp), %eax
	movl %eax, %ds:8(%ebx)
	addl $12, LOG_AT
	popl %ebx
	popl %eax
	lret

	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
