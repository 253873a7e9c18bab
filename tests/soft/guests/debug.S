# Debug exceptions: TF, instruction and data breakpoints, RF, general detect,
# interrupt shadows, INT3. SDM vol. 3, "Debug, Branch Profile, TSC".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set DATA, HEAP
	.set COUNT, HEAP + 0x100

	.macro handler_of vector, target
	movl $\target, %eax
	movw %ax, IDT_AT + \vector * 16
	.endm
	.macro begin number		# marks a part in the log
	movl $0xb0000000 + \number, %eax
	call log_eax
	.endm
	.macro step
	pushfq
	orl $0x100, (%rsp)
	popfq
	.endm
	.macro unstep
	pushfq
	andl $~0x100, (%rsp)
	popfq
	.endm
	.macro debug_register n, value
	movq $\value, %rax
	movq %rax, %dr\n
	.endm
	.macro log_dr n
	movq %dr\n, %rax
	call log_eax
	.endm

main64:
	handler_of 1, trap
	handler_of 3, trap
	handler_of 0x50, through
	handler_of 0x51, through_step
	begin 1				# values that can be written
	xorl %eax, %eax
	movq %rax, %dr6
	log_dr 6
	movl $0xffffffff, %eax
	movq %rax, %dr6
	log_dr 6
	xorl %eax, %eax
	movq %rax, %dr6
	movq %rax, %dr7
	log_dr 7
	movl $0x10000, %eax
	movq %rax, %dr7
	log_dr 7
	movl $0x400, %eax
	movq %rax, %dr7
	movabsq $0x123456789abcdef0, %rax
	movq %rax, %dr3
	movq %dr3, %rax
	shrq $32, %rax
	call log_eax
	resume64 1f			# upper halves must be 0
	movabsq $0x100000400, %rax
	movq %rax, %dr7
1:	resume64 1f
	movq %rax, %dr6
1:	movq %dr4, %rax			# DR6 without CR4.DE
	call log_eax
	movq %cr4, %rax
	orl $8, %eax
	movq %rax, %cr4
	resume64 1f
	movq %dr5, %rax
1:	movq %cr4, %rax
	andl $~8, %eax
	movq %rax, %cr4

	begin 2				# single steps
	step
	nop
	movl $5, %eax
	cpuid
	pushfq				# saves TF
	popq %rax
	andl $0x100, %eax
	jmp 1f
1:	movl %ss, %ecx
	movl %ecx, %ss			# no trap until after the next one
	nop
	unstep
	nop

	begin 3				# interrupts and steps
	step
	int $0x50			# its handler runs without TF
	nop
	unstep
	int $0x51			# returns with TF set
	nop
	nop
	unstep

	begin 4				# repeats: a trap an iteration
	movl $3, %ecx
	movl $DATA, %esi
	movl $DATA + 8, %edi
	step
	rep movsb
	unstep
	movl %ecx, %eax
	call log_eax

	begin 5				# a fault while stepping
	resume64 1f
	step
	ud2
1:	pushfq
	popq %rax
	andl $0x100, %eax		# cleared by the fault's gate
	call log_eax

	begin 6				# INT3: RIP is after (QEMU has no INT1)
	int3

	begin 7				# instruction breakpoints
	debug_register 0, here
	debug_register 1, there
	movl $0x405, %eax		# L0, L1
	movq %rax, %dr7
	movl $3, %ecx
here:	incl COUNT
	loop here
	jmp 1f
there:	nop
	jmp 2f
1:	jmp there
2:	movl COUNT, %eax
	call log_eax
	debug_register 0, 3f		# two at one place
	debug_register 1, 3f
3:	nop
	debug_register 7, 0x400

	begin 8				# data breakpoints
	debug_register 0, DATA + 4
	debug_register 1, DATA + 8
	debug_register 2, DATA + 16
	debug_register 3, DATA + 32
	# 0: write 4 bytes; 1: read or write 2; 2: write 8; 3: write 1, disabled
	movl $0x00000400 | 0x15 | 0xd0000 | 0x700000 | 0x9000000, %eax
	movq %rax, %dr7
	movl DATA + 4, %eax		# a read of a write breakpoint
	movl %eax, DATA + 4
	movb %al, DATA + 7
	movb %al, DATA + 3
	movl %eax, DATA + 1		# reaches into it
	movw DATA + 8, %ax
	movb DATA + 9, %al
	movw %ax, DATA + 6		# touches 0, not 1
	movl %eax, DATA + 6		# both
	movq %rax, DATA + 16
	movb %al, DATA + 23
	movb %al, DATA + 24
	movb %al, DATA + 32		# not enabled: no exception
	log_dr 6
	incl DATA + 4
	xchgl %eax, DATA + 4
	movl $4, %ecx
	movl $DATA, %edi
	rep stosb
	movl $2, %ecx
	movl $DATA, %edi
	rep stosl
	pushq %rax
	movl $DATA + 8, %esi
	movw (%rsi), %ss		# held back by the shadow
	nop
	popq %rax
	movl $DATA0, %eax
	movl %eax, %ss
	debug_register 7, 0x400

	begin 9				# SYSCALL drops TF, SYSRET brings it back
	write_msr MSR_STAR, (((CODE3-3+3)<<48)|(CODE64<<32))
	write_msr MSR_LSTAR, entry
	write_msr MSR_SFMASK, 0x47700
	step
	nop
	unstep

	begin 10			# a breakpoint behind a taken branch with RF
	debug_register 0, 1f
	debug_register 7, 0x401
	pushq $DATA0
	pushq %rsp
	addq $8, (%rsp)
	pushq $0x10002			# RF: not at the first instruction
	pushq $CODE64
	pushq $1f
	iretq
1:	nop
	debug_register 7, 0x400
	addq $8, %rsp
	jmp finish64

entry:	nop
	jmp finish64

# Logs what happened and goes on; an instruction breakpoint is passed with RF.
trap:
	pushq %rax
	pushq %rbx
	movl $0xdb000000, %eax
	call log_eax
	movl 16(%rsp), %eax
	call log_eax
	movl 32(%rsp), %eax
	andl $0x100, %eax
	call log_eax
	movq %dr6, %rax
	call log_eax
	testl $0xf, %eax
	jz 1f
	movq 16(%rsp), %rbx		# at one of the breakpoints? then go past it
	movq %dr0, %rax
	cmpq %rax, %rbx
	je 2f
	movq %dr1, %rax
	cmpq %rax, %rbx
	jne 1f
2:	orl $0x10000, 32(%rsp)
1:	xorl %eax, %eax
	movq %rax, %dr6
	popq %rbx
	popq %rax
	iretq

through:
	pushq %rax
	movl $0x50505050, %eax
	call log_eax
	popq %rax
	iretq
through_step:
	orl $0x100, 16(%rsp)
	iretq

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
