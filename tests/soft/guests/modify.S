# Self-modifying code: every kind of store over code that has run, aliases,
# remapped pages, instructions across pages. SDM vol. 3, "Handling Self- and
# Cross-Modifying Code".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set CODE, 0x70000		# code that is made here
	.set ALIAS, 0x20000000		# the first 2 MiB again
	.set WINDOW, 0x40000000		# a page that is remapped
	.set PD2, 0x64000
	.set PT2, 0x65000

	.macro call_made at=CODE	# runs the code and logs EAX
	movl $\at, %edx
	call *%rdx
	call log_eax
	.endm
	.macro make value, at=CODE	# mov $value, %eax; ret
	movb $0xb8, \at
	movl $\value, \at+1
	movb $0xc3, \at+5
	.endm

main64:
	movl $0x87, PD + 256 * 8
	movl $PD2 + 7, PDPT + 8
	movl $PT2 + 7, PD2
	movq %cr3, %rax
	movq %rax, %cr3

# --- the very next instruction, in a loop
	movl $3, %ecx
1:	movb %cl, 2f + 1
2:	movb $0, %al
	movzbl %al, %eax
	call log_eax
	loop 1b

# --- the instruction after a taken branch, and one before
	movl $3, %ecx
1:	movl $0x11111111, %eax
	call log_eax
	addl %ecx, 1b + 1
	jmp 2f
	nop
2:	addb $1, 3f + 2
3:	addl $0, %eax
	call log_eax
	loop 1b

# --- every kind of store
	make 1
	call_made
	movb $2, CODE + 1
	call_made
	movw $0x303, CODE + 1
	call_made
	movl $0x4040404, CODE + 1
	call_made
	movabsq $0xc3000000050505b8, %rax	# mov $0x00050505; ... ret at +7
	movb $0x90, CODE + 6
	movq %rax, CODE
	movl $0x90909000, CODE + 4
	movb $0xc3, CODE + 8
	call_made
	make 6
	call_made
	addl $1, CODE + 1
	call_made
	lock incl CODE + 1
	call_made
	movl $9, %eax
	xchgl %eax, CODE + 1
	call_made
	movl $9, %eax
	movl $10, %ecx
	lock cmpxchgl %ecx, CODE + 1
	call_made
	movl $11, %eax
	movl $CODE + 1, %edi
	stosl
	call_made
	movl $CODE + 1, %edi
	movl $4, %ecx
	movb $12, %al
	rep stosb
	call_made
	movl $thirteen, %esi
	movl $CODE, %edi
	movl $6, %ecx
	rep movsb
	call_made
	movdqu fourteen, %xmm0
	movdqu %xmm0, CODE
	call_made
	movl $15, %eax
	movd %eax, %xmm0
	movss %xmm0, CODE + 1
	call_made
	fninit
	movl $16, HEAP
	fildl HEAP
	fistpl CODE + 1
	call_made
	movq %rsp, %rbp
	movl $CODE + 8, %esp		# a stack in the code
	movabsq $0x00c300000011b890, %rax
	pushq %rax
	movq %rbp, %rsp
	call_made
	make 18
	call_made
	btsl $0, CODE + 1
	call_made
	shll $1, CODE + 1
	call_made
	pushq $20
	popq CODE + 0x100		# far from it: nothing changes
	call_made
	call_made ALIAS+CODE
	movl $21, ALIAS + CODE + 1	# by another name
	call_made
	call_made ALIAS+CODE

# --- an instruction that reaches into the next page
	make 22, CODE+0xffd
	call_made CODE+0xffd
	movb $23, CODE + 0xffe		# in the first page
	call_made CODE+0xffd
	movb $1, CODE + 0x1001		# in the second
	call_made CODE+0xffd
	movl $0x18, CODE + 0xffe	# in both
	call_made CODE+0xffd

# --- code that disappears by remapping
	make 0x31
	make 0x32, CODE+0x2000
	movl $CODE + 7, PT2
	call_made WINDOW
	movl $CODE + 0x2000 + 7, PT2
	invlpg WINDOW
	call_made WINDOW
	movl $CODE + 7, PT2
	movq %cr3, %rax
	movq %rax, %cr3
	call_made WINDOW
	movl $0, PT2
	invlpg WINDOW
	resume64 1f
	movl $WINDOW, %edx
	call *%rdx
1:

# --- a page that is code and data: many writes between runs
	movl $1000, %ebx
	xorl %esi, %esi
1:	make 0
	movl %ebx, CODE + 1
	movl %ebx, CODE + 0x800
	movl $CODE, %edx
	call *%rdx
	addl %eax, %esi
	decl %ebx
	jnz 1b
	movl %esi, %eax
	call log_eax
	jmp finish64

thirteen:
	movl $13, %eax
	ret
	.balign 16
fourteen:
	movl $14, %eax
	ret
	.balign 16

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
