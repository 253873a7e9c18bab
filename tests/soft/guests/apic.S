# The local APIC and the start of other processors: self-IPIs, priorities, EOI,
# INIT and SIPI, IPIs to one, all and logical destinations, NMI.
# SDM vol. 3, "Advanced Programmable Interrupt Controller", "Multiple-Processor
# Management".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set APIC, 0xfee00000
	.set ID, APIC + 0x20
	.set TPR, APIC + 0x80
	.set PPR, APIC + 0xa0
	.set EOI, APIC + 0xb0
	.set LDR, APIC + 0xd0
	.set DFR, APIC + 0xe0
	.set SVR, APIC + 0xf0
	.set ISR, APIC + 0x100
	.set TMR, APIC + 0x180
	.set IRR, APIC + 0x200
	.set ICR, APIC + 0x300
	.set ICR_HIGH, APIC + 0x310
	.set LVT_TIMER, APIC + 0x320
	.set COUNT, APIC + 0x380
	.set CURRENT, APIC + 0x390
	.set DIVIDE, APIC + 0x3e0

	.set TRAMPOLINE, 0x8000
	.set SLOTS, HEAP		# one line of 64 bytes a processor
	.set STARTED, HEAP + 0x800	# processors that have started
	.set FIXED, HEAP + 0x804	# fixed interrupts that they took
	.set NMIS, HEAP + 0x808
	.set SELECTED, HEAP + 0x80c	# bit of each that took vector 0x61

	.macro get register		# logs a register
	movl $\register, %eax
	movl (%rax), %eax
	call log_eax
	.endm
	.macro put register, value
	movl $\register, %edi
	movl $\value, (%rdi)
	.endm
	.macro log_apic			# IRR and ISR of vectors 0x40-0x7f, PPR
	get IRR + 0x20
	get IRR + 0x30
	get ISR + 0x20
	get ISR + 0x30
	get PPR
	.endm
	.macro await cell, value	# until a counter has the value
	movl $100000000, %ecx
1:	cmpl $\value, \cell
	je 2f
	pause
	decl %ecx
	jnz 1b
2:	movl \cell, %eax
	call log_eax
	.endm
	.macro handler_of vector, target
	movl $\target, %eax
	movw %ax, IDT_AT + \vector * 16
	.endm

main64:
	movl $PD + 0x2000 + 3, PDPT + 24	# the APIC's page
	movq $0, PD + 0x2000
	movl $(APIC & 0xffe00000) | 0x93, PD + 0x2000 + ((APIC >> 21) & 511) * 8
	movl $0, PD + 0x2000 + ((APIC >> 21) & 511) * 8 + 4
	movq %cr3, %rax
	movq %rax, %cr3
	handler_of 0x45, nested
	handler_of 0x52, plain
	handler_of 0x53, plain
	handler_of 0x71, plain
	handler_of 0x61, plain

	get ID
	get SVR
	get DFR
	get LDR
	get TPR
	put SVR, 0x1ff
	get SVR
	put LDR, 0x01000000
	get LDR

# --- self-IPIs by all three ways, held back by IF
	put ICR, 0x44045		# shorthand
	put ICR_HIGH, 0
	put ICR, 0x4052			# physical
	put ICR_HIGH, 0x01000000
	put ICR, 0x4871			# logical, flat
	put ICR, 0x44052		# again: one bit
	get TMR + 0x20
	log_apic
	sti
	nop
	nop
	cli
	log_apic

# --- the task priority
	put TPR, 0x50
	put ICR, 0x44052
	put ICR, 0x44061
	sti
	nop
	nop
	cli
	log_apic
	movq %cr8, %rax
	call log_eax
	xorl %eax, %eax
	movq %rax, %cr8
	get TPR
	sti
	nop
	nop
	cli
	log_apic

# --- the timer
	put DIVIDE, 0xb
	put LVT_TIMER, 0x10053		# masked
	put COUNT, 1000
	movl $100000000, %ecx
1:	movl $CURRENT, %eax
	cmpl $0, (%rax)
	je 1f
	loop 1b
1:	get CURRENT
	get COUNT
	log_apic
	put LVT_TIMER, 0x53
	log_apic			# what passed masked is gone
	put COUNT, 1000
	sti
	hlt
	cli
	log_apic

# --- NMI to itself
	handler_of 2, nmi
	put ICR_HIGH, 0
	put ICR, 0x4400
	nop
	nop

# --- the others
	movl $trampoline, %esi
	movl $TRAMPOLINE, %edi
	movl $trampoline_end - trampoline, %ecx
	rep movsb
	movl $0, HEAP
	movl $HEAP, %edi
	xorl %eax, %eax
	movl $0x1000 / 4, %ecx
	rep stosl
	put ICR, 0xc4500		# INIT to all but self
	put ICR, 0xc8500		# its de-assert
	movl $100000, %ecx
1:	pause
	loop 1b
	put ICR, 0xc4600 + TRAMPOLINE / 0x1000
	await STARTED, 3
	put ICR, 0xc4600 + TRAMPOLINE / 0x1000	# they run: no effect
	.irp id, 1, 2, 3
	movl SLOTS + \id * 64, %eax	# its ID
	call log_eax
	movl SLOTS + \id * 64 + 4, %eax	# its CR0
	call log_eax
	movl SLOTS + \id * 64 + 8, %eax	# its CS
	call log_eax
	.endr
	put ICR_HIGH, 0x02000000
	put ICR, 0x4060
	await FIXED, 1
	put ICR, 0xc4060
	await FIXED, 4
	put ICR_HIGH, 0xff000000
	put ICR, 0x4060			# to all: this one, too
	await FIXED, 7
	get IRR + 0x30
	handler_of 0x60, plain
	sti
	nop
	nop
	cli
	put ICR_HIGH, 0x0a000000	# logical: processors 1 and 3
	put ICR, 0x4861
	await SELECTED, 0xa
	put ICR_HIGH, 0x0c000000	# one of processors 2 and 3
	movl $0, SELECTED
	put ICR, 0x4961
	movl $100000000, %ecx
1:	movl SELECTED, %eax
	testl %eax, %eax
	jnz 1f
	pause
	loop 1b
1:	popcntl %eax, %eax
	call log_eax
	put ICR_HIGH, 0x03000000
	put ICR, 0x4400
	await NMIS, 1
	put ICR_HIGH, 0x02000000
	put ICR, 0x4500			# INIT: processor 2 waits again
	movl $100000, %ecx
1:	pause
	loop 1b
	put ICR, 0xc4060
	await FIXED, 9
	put ICR_HIGH, 0x02000000
	put ICR, 0x4600 + TRAMPOLINE / 0x1000
	await STARTED, 4
	put ICR, 0xc4060
	await FIXED, 12
	jmp finish64

nested:					# lets a higher one in
	pushq %rax
	pushq %rdi
	movl $0x45454545, %eax
	call log_eax
	log_apic
	put ICR, 0x44061
	sti
	nop
	nop
	cli
	log_apic
	put EOI, 0
	popq %rdi
	popq %rax
	iretq

nmi:
	log64 $0x22222222
	iretq

plain:					# which it is, ISR tells
	pushq %rax
	pushq %rdi
	movl $0x50505050, %eax
	call log_eax
	log_apic
	put EOI, 0
	popq %rdi
	popq %rax
	iretq

# --- what the others run; position-independent until protected mode
	.code16
trampoline:
	cli
	movw %cs, %cx
	xorw %ax, %ax
	movw %ax, %ds
	movl %cr0, %ebx
	lgdtl %cs:ap_pointer - trampoline
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE0, $ap32
ap_pointer:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:
	.code32
ap32:
	movl $DATA0, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl ID, %edx
	shrl $24, %edx
	movl %edx, %esi
	shll $6, %esi
	movl %edx, SLOTS(%esi)
	andl $0x1fffffff, %ebx		# CD and NW as firmware left them
	movl %ebx, SLOTS + 4(%esi)
	movzwl %cx, %ecx
	movl %ecx, SLOTS + 8(%esi)
	leal 0x48000(, %edx, 8), %esp	# stacks of 2 KiB
	shll $8, %edx
	addl %edx, %esp
	addl $0x800, %esp
	movl ID, %ecx
	shrl $24, %ecx
	movl $0x01000000, %eax
	shll %cl, %eax
	movl %eax, LDR
	movl $0x1ff, SVR
	lidt ap_idt_pointer
	lock incl STARTED
	sti
1:	hlt
	jmp 1b
ap_fixed:
	lock incl FIXED
	movl $0, EOI
	iret
ap_selected:
	pushl %eax
	pushl %ecx
	movl ID, %ecx
	shrl $24, %ecx
	movl $1, %eax
	shll %cl, %eax
	movl $0, EOI
	lock orl %eax, SELECTED
	popl %ecx
	popl %eax
	iret
ap_nmi:
	lock incl NMIS
	iret
	.balign 8
ap_idt:
	.quad 0, 0
	gate CODE0, ap_nmi, 0x8e00
	.fill 0x5d, 8, 0
	gate CODE0, ap_fixed, 0x8e00
	gate CODE0, ap_selected, 0x8e00
ap_idt_end:
ap_idt_pointer:
	.word ap_idt_end - ap_idt - 1
	.long ap_idt

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
