# Task switches by JMP, CALL, IRET, task gates and exceptions; 32- and 16-bit
# TSSs. SDM vol. 3, "Task Management".
	.include "common.inc"

	.set TSS_B, 0x50
	.set TSS_C, 0x58		# 16-bit
	.set TSS_D, 0x60		# takes exceptions
	.set TSS_ABSENT, 0x68
	.set TSS_SHORT, 0x70
	.set GATE_B, 0x78		# DPL 3
	.set LDT_SEL, 0x80
	.set TSS_E, 0x88		# what it loads is bad
	.set TSS_B3, 0x90		# DPL 3
	.set DATA16, 0x98
	descriptor (BASE + tss_b - boot), 0x67, 0x0089
	descriptor (BASE + tss_c - boot), 0x2b, 0x0081
	descriptor (BASE + tss_d - boot), 0x67, 0x0089
	descriptor (BASE + tss_b - boot), 0x67, 0x0009
	descriptor (BASE + tss_b - boot), 0x66, 0x0089
	.word 0, TSS_B, 0xe500, 0
	descriptor (BASE + ldt - boot), 0x1f, 0x0082
	descriptor (BASE + tss_e - boot), 0x67, 0x0089
	descriptor (BASE + tss_b - boot), 0x67, 0x00e9
	descriptor 0, 0xffff, 0x0093
gdt_end:
ldt:
	.quad 0
	descriptor 0, 0xfffff, 0xc093
	descriptor 0, 0xfffff, 0xc0fb
	descriptor 0, 0xfffff, 0xc0f3

	.macro tss32 eip, eflags, esp, cs, ss, ds, ldt
	.long 0, RING0_SP - 0x400, DATA0
	.fill 4, 4, 0
	.long 0				# CR3
	.long \eip, \eflags
	.long 0xa0, 0xc1, 0xd2, 0xb3, \esp, 0xb5, 0x56, 0xd7
	.long DATA0, \cs, \ss, \ds, 0, \ds, \ldt
	.word 0, 0x68
	.endm

	.balign 16
tss_b:
	tss32 task_b, 0x2, 0x4000, CODE0, DATA0, DATA0, LDT_SEL
	.balign 16
tss_d:
	tss32 task_d, 0x2, 0x3000, CODE0, DATA0, DATA0, 0
	.balign 16
tss_e:
	tss32 ring3_e, 0x2, 0x3800, CODE3, DATA3, DATA3, 0
	.balign 16
tss_c:
	.word 0, RING0_SP, DATA0, 0, 0, 0, 0
	.word task_c - boot, 0x2
	.word 0x1a0, 0x1c1, 0x1d2, 0x1b3, 0x3f00, 0x1b5, 0x156, 0x1d7
	.word DATA0, CODE16, DATA16, DATA0, 0

	.code16
main16:
	jmp protect

	.code32
	.macro log_types		# the descriptors' types
	pushl %eax
	movb gdt + TSS_SEL + 5, %al
	shll $8, %eax
	movb gdt + TSS_B + 5, %al
	shll $8, %eax
	movb gdt + TSS_C + 5, %al
	shll $8, %eax
	movb gdt + TSS_D + 5, %al
	call log32
	strl %eax
	call log32
	sldtl %eax
	call log32
	pushfl
	popl %eax
	andl $0x7700, %eax
	call log32
	movl %cr0, %eax
	call log32
	clts
	popl %eax
	.endm
	.macro log_registers
	pushl %esp
	call log32
	popl %eax
	call log32
	log %ecx
	log %edx
	log %ebx
	log %ebp
	log %esi
	log %edi
	movl %ss, %eax
	call log32
	movl %ds, %eax
	call log32
	movl %es, %eax
	call log32
	movl %fs, %eax
	call log32
	movl %gs, %eax
	call log32
	movl %cs, %eax
	call log32
	.endm

main32:
	log_types
	movl $0x12345678, %eax
	movl $0xb0b, %ebx
	movl $0xc0c, %ecx
	movl $0xd0d, %edx
	movl $0x0b0b, %ebp
	movl $0x510510, %esi
	movl $0xd1d1, %edi

# --- JMP
	ljmp $TSS_B, $0xbad
	log_registers
	log_types
	log tss_b + 32
	log tss_b + 36

# --- CALL, and back by IRET
	movl $task_b_called, tss_b + 32
	movl $0x2, tss_b + 36
	movl $0x4000, tss_b + 56
	lcall $TSS_B, $0xbad
	log_types
	log tss_b
	log tss_b + 32
	log tss_b + 36
	log main_tss + 32
	log main_tss + 36

# --- through a gate of the GDT
	movl $task_b_called, tss_b + 32
	movl $0x2, tss_b + 36
	movl $0x4000, tss_b + 56
	lcall $GATE_B, $0
	log_types

# --- a 16-bit task
	movl $0xffff1234, %ecx
	lcall $TSS_C, $0
	log_types
	movzwl tss_c + 14, %eax
	call log32
	log_registers

# --- by INT through a task gate
	movl $0, IDT_AT + 0x60 * 8
	movw $TSS_D, IDT_AT + 0x60 * 8 + 2
	movl $0xe500, IDT_AT + 0x60 * 8 + 4
	movl $0, HEAP			# no error code
	int $0x60
	log_types
	int $0x60
	log_types

# --- an exception with an error code
	movl $0, IDT_AT + 13 * 8
	movw $TSS_D, IDT_AT + 13 * 8 + 2
	movl $0x8500, IDT_AT + 13 * 8 + 4
	movl $1, HEAP
	movl $1f, HEAP + 4
	movl $0x1234, %eax
	movl %eax, %fs
1:	log_types
	call make_idt

# --- refusals
	resume_at 1f
	ljmp $TSS_SEL, $0		# busy
1:	resume_at 1f
	lcall $TSS_ABSENT, $0
1:	resume_at 1f
	lcall $TSS_SHORT, $0
1:	resume_at 1f
	ljmp $TSS_B + 4, $0		# in the LDT
1:	resume_at 1f
	ljmp $TSS_SEL + 0x1000, $0
1:	log_types

	resume_at 1f			# NT, and a link that is no busy TSS
	movw $TSS_B, main_tss
	pushfl
	orl $0x4000, (%esp)
	popfl
	iret
1:	pushfl
	andl $~0x4000, (%esp)
	popfl
	resume_at 1f
	movw $0, main_tss
	pushfl
	orl $0x4000, (%esp)
	popfl
	iret
1:	pushfl
	andl $~0x4000, (%esp)
	popfl
	log_types

# --- from ring 3
	.macro user target
	resume_at 9f
	pushl $DATA3
	pushl $0x4800
	pushl $2
	pushl $CODE3
	pushl $\target
	iret
9:
	.endm
	user jump_closed
	movl $task_b_called, tss_b + 32
	movl $0x2, tss_b + 36
	movl $0x4000, tss_b + 56
	user call_gate
	log_types
	movl $task_b_called, tss_b + 32
	movl $0x2, tss_b + 36
	movl $0x4000, tss_b + 56
	user call_open
	log_types

# --- a good task in ring 3, then one with a bad DS, FS, LDT
	.macro task_e			# runs it; it or its fault comes back
	resume_at 9f
	ljmp $TSS_E, $0
9:	call back_to_main
	movl $ring3_e, tss_e + 32
	movl $2, tss_e + 36
	movl $0x3800, tss_e + 56
	movl $DATA0, tss_e + 72
	movl $CODE3, tss_e + 76
	movl $DATA3, tss_e + 80
	movl $DATA3, tss_e + 84
	movl $0, tss_e + 88
	movl $DATA3, tss_e + 92
	movl $0, tss_e + 96
	.endm
	movl $DATA3, tss_e + 72
	task_e
	movl $DATA0, tss_e + 84		# ring 3 may not have it
	movl $DATA3, tss_e + 72
	task_e
	movl $DATA3, tss_e + 72
	movl $0xff8, tss_e + 92
	task_e
	movl $DATA3, tss_e + 72
	movl $CODE0, tss_e + 96
	task_e
	jmp finish

# TSS_E is the current task but this is main: makes TSS_SEL current again.
back_to_main:
	strl %eax
	call log32
	lldt zero
	andb $~2, gdt + TSS_SEL + 5
	andb $~2, gdt + TSS_E + 5
	movl $TSS_SEL, %eax
	ltr %ax
	ret
zero:	.word 0

task_b:
	log_registers
	log_types
	movl $0xbbb, %ecx
	ljmp $TSS_SEL, $0
	hlt

task_b_called:
	log_registers
	log_types
	log tss_b
	iret

task_d:
	log_types
	log tss_d
	log %esp
	cmpl $0, HEAP
	je 1f
	popl %eax			# the error code
	call log32
	log main_tss + 32
	movl HEAP + 4, %eax
	movl %eax, main_tss + 32
1:	iret
	jmp task_d

ring3_e:
	movl %es, %eax
	int $0x41
	movl %ds, %eax
	int $0x41
	int $0x40
	hlt

jump_closed:
	ljmp $TSS_B, $0			# DPL 0
call_gate:
	lcall $GATE_B, $0
	int $0x40
	hlt
call_open:
	lcall $TSS_B3, $0
	int $0x40
	hlt

	.code16
task_c:
	pushw %ax
	pushw %bx
	movl LOG_AT, %ebx
	movw %ax, (%ebx)
	movw %cx, 2(%ebx)
	movw %dx, 4(%ebx)
	movw %sp, 6(%ebx)
	movw %bp, 8(%ebx)
	movw %si, 10(%ebx)
	movw %di, 12(%ebx)
	movw %ss, 14(%ebx)
	movw %es, 16(%ebx)
	movw %fs, 18(%ebx)
	pushfw
	popw 20(%ebx)
	andw $0x7700, 20(%ebx)
	movl $tss_c, %eax
	movw (%eax), %ax		# the link
	movw %ax, 22(%ebx)
	addl $24, LOG_AT
	popw %bx
	popw %ax
	iretw
	jmp task_c

	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
