# Virtual-8086 mode without VME: entry and exit, interrupts, faults by IOPL, real-
# mode transfers inside. SDM vol. 3, "8086 Emulation".
	.include "common.inc"
gdt_end:

	.code16
main16:
	jmp protect

	.code32
	.macro enter_v86 target, flags
	resume_at 9f
	pushl $0x1111			# GS
	pushl $0x2222			# FS
	pushl $0x0			# DS
	pushl $0x4444			# ES
	pushl $0x0300			# SS
	pushl $0x0f00			# ESP
	pushl $\flags | 0x20000
	pushl $BASE >> 4
	pushl $\target - boot
	iretl
9:	movl %ds, %eax			# null after the interrupt
	call log32
	.endm

main32:
	enter_v86 plain, 0x3002
	enter_v86 plain, 0x2		# IOPL 0: the first INT is #GP
	enter_v86 traps_cli, 0x2
	enter_v86 traps_pushf, 0x2
	enter_v86 traps_iret, 0x2
	enter_v86 allowed, 0x3202
	enter_v86 far, 0x3002
	enter_v86 segments, 0x3002
	enter_v86 limit, 0x3002
	enter_v86 privileged, 0x3002
	enter_v86 privileged2, 0x3002
	enter_v86 undefined, 0x3002
	enter_v86 breakpoint, 0x2
	enter_v86 overflow, 0x802
	movl $CODE3, %eax		# a handler of ring 3 is #GP
	movw %ax, IDT_AT + 0x50 * 8 + 2
	enter_v86 int50, 0x3002
	jmp finish

	.code16
plain:
	movl $0x12345678, %eax
	int $0x41
	int $0x40
	movw %cs, %ax
	int $0x41
	movw %es, %ax
	int $0x41
	movw %gs, %ax
	int $0x41
	movl %esp, %eax
	int $0x41
	int $0x30			# gate of DPL 0
traps_cli:
	cli
traps_pushf:
	pushfw
traps_iret:
	iretw
allowed:
	cli
	pushfl
	popl %eax
	andl $0x37300, %eax
	int $0x41
	sti
	pushfw
	popw %ax
	andl $0x7300, %eax
	int $0x41
	pushw $0x3000
	popfw				# IF can be cleared with IOPL 3
	pushfw
	popw %ax
	andl $0x7300, %eax
	int $0x41
	pushw $0x0202			# IOPL stays
	popfw
	pushfw
	popw %ax
	andl $0x7300, %eax
	int $0x41
	pushfw
	pushw %cs
	pushw $1f - boot
	iretw
1:	int $0x40
	pushl $0x33002			# IRETD: VM and IOPL stay
	pushl $BASE >> 4
	pushl $1f - boot
	iretl
1:	int $0x40
	hlt
far:
	lcall $BASE >> 4, $1f - boot
	movl %esp, %eax
	int $0x41
	ljmp $(BASE >> 4) + 1, $2f - boot - 16
1:	movl %esp, %eax
	int $0x41
	lret
2:	movw %cs, %ax
	int $0x41
	pushw %cs
	pushw $3f - boot - 16
	lret $4
3:	movl %esp, %eax
	int $0x41
	lcalll $BASE >> 4, $4f - boot
4:	movl (%esp), %eax
	int $0x41
	int $0x40
	hlt
segments:
	movw $0xffff, %ax
	movw %ax, %fs
	movw $0x0300, %ax
	movw %ax, %ds
	movw $0xabcd, 0x10
	movw 0x10, %bx
	xorl %eax, %eax
	movw %bx, %ax
	int $0x41
	xorw %ax, %ax
	movw %ax, %ds
	movw 0x3010, %ax
	int $0x41
	int $0x40
	hlt
limit:
	movl $0x10000, %ebx
	pushl $BASE >> 4
	pushl %ebx
	lretl				# to beyond 64 KiB
privileged:
	movl %cr0, %eax
privileged2:
	lgdtl %cs:gdt_pointer - boot
undefined:
	sldt %ax
breakpoint:
	int3				# DPL 0: #GP, whatever IOPL is
overflow:
	pushw $0x800
	popfw
	into
int50:
	int $0x50

	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
