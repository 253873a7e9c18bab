# Integer instructions that 64-bit code does not have or that act otherwise in
# real mode: decimal adjustment, string instructions with 16-bit addresses and
# their traps, 16-bit stacks, BOUND, division errors; then ports by permission
# bitmap in ring 3. SDM vol. 2; vol. 1, "I/O Permission Bit Map".
	.include "common.inc"

	.set WIDE_TSS, FIRST_FREE	# a TSS with a permission bitmap
	descriptor (BASE + wide_tss - boot), 0x87, 0x0089
gdt_end:

	.set TRAPS, 0x7100		# debug traps counted
	.set DATA_SEG, 0x3000		# 64 KiB at 0x30000 for strings
	.set BUFFER, 0x200

	.code16
# Logs EAX beyond what an offset of real mode reaches.
put:	pushl %ebx
	pushw %ds
	pushw $0
	popw %ds
	movl LOG_AT, %ebx
	addl $4, LOG_AT
	pushl %ebx
	shrl $4, %ebx
	movw %bx, %ds
	popl %ebx
	andw $15, %bx
	movl %eax, (%bx)
	popw %ds
	popl %ebx
	ret

	.macro log_ax_flags mask	# AX, and flags by mask in the upper half
	pushfw
	popw %bx
	andl $\mask, %ebx
	shll $16, %ebx
	movzwl %ax, %eax
	orl %ebx, %eax
	call put
	.endm

	.macro log_buffer bytes		# a sum over the string segment from BUFFER on
	pushal
	movw $BUFFER, %si
	movw $\bytes, %cx
	xorl %eax, %eax
3:	roll $5, %eax
	xorb %ds:(%si), %al
	incw %si
	loop 3b
	call put
	popal
	.endm

	.macro log_reg reg
	pushl %eax
	movl \reg, %eax
	call put
	popl %eax
	.endm

	.macro log_state
	pushfw
	log_reg %esi
	log_reg %edi
	log_reg %ecx
	xorl %eax, %eax
	popw %ax
	pushw %ax
	andl $0x8d5, %eax
	log_reg %eax
	popfw
	.endm

	.macro fill_buffer
	pushal
	pushw %es
	movw $DATA_SEG, %ax
	movw %ax, %es
	movw $BUFFER, %di
	movw $0x1200, %cx
	movl $0x12345678, %eax
3:	imull $69069, %eax, %eax
	incl %eax
	rorl $16, %eax
	stosb
	roll $16, %eax
	loop 3b
	popw %es
	popal
	.endm

	# one string instruction inside the buffer
	.macro try count, source, dest, operation:vararg
	fill_buffer
	movl $\count, %ecx
	movl $BUFFER + \source, %esi
	movl $BUFFER + \dest, %edi
	movl $0x11223344, %eax
	\operation
	log_state
	cld
	log_buffer 0x1200
	.endm

main16:
	movw $divide - boot, 0 * 4
	movw $BASE >> 4, 0 * 4 + 2
	movw $trap - boot, 1 * 4
	movw $BASE >> 4, 1 * 4 + 2
	movw $bound_range - boot, 5 * 4
	movw $BASE >> 4, 5 * 4 + 2

# --- decimal adjustment: every AL with every CF and AF
	.irp flags, 0x00, 0x01, 0x10, 0x11
	.irp kind, 0, 1, 2, 3
	movl $0, %ecx
1:	movb $\flags, %ah
	sahf
	movb %cl, %al
	movb $0x5a, %ah
	.if \kind == 0
	daa
	log_ax_flags 0xd5
	.elseif \kind == 1
	das
	log_ax_flags 0xd5
	.elseif \kind == 2
	aaa
	log_ax_flags 0x11
	.else
	aas
	log_ax_flags 0x11
	.endif
	incb %cl
	jnz 1b
	.endr
	.endr
	movl $0, %ecx
1:	movb %cl, %al
	aam
	log_ax_flags 0xc4
	movb %cl, %al
	aam $7
	log_ax_flags 0xc4
	movb %cl, %al
	movb %cl, %ah
	aad
	log_ax_flags 0xc4
	movb %cl, %al
	movb $3, %ah
	aad $0xff
	log_ax_flags 0xc4
	incb %cl
	jnz 1b

# --- flags
	stc
	.byte 0xd6			# SALC
	log_ax_flags 0x8d5
	cmc
	.byte 0xd6
	log_ax_flags 0x8d5
	movw $0xd700, %ax
	sahf
	lahf
	log_ax_flags 0x8d5
	pushl $0x00240cd7		# POPFD may change AC, ID, not VM and RF
	popfl
	pushfl
	popl %eax
	cld
	call put
	pushl $0x00033002
	popfl
	pushfl
	popl %eax
	call put
	pushl $2
	popfl

# --- the stack
	movl $0xabcd0000 + STACK_TOP, %esp	# 16-bit: the upper half stays
	movl $0x12345678, %eax
	movl $0xdeadbeef, %ebp
	pushal
	movl %esp, %eax
	call put
	popal
	call put
	movl %esp, %eax
	call put
	movw $STACK_TOP - 0x100, %bp
	enterw $0x24, $3
	movl %esp, %eax
	call put
	movl %ebp, %eax
	call put
	leavew
	movl %esp, %eax
	call put
	movl $STACK_TOP, %esp
	calll 1f
1:	popl %eax
	call put
	pushl $2f - boot
	retl $6
2:	movl %esp, %eax
	call put
	movl $STACK_TOP, %esp

# --- counters
	movl $0x10003, %ecx
	xorl %eax, %eax
1:	incl %eax
	loopw 1b
	call put
	movl %ecx, %eax
	call put
	movl $0x3, %ecx
	xorl %eax, %eax
1:	incl %eax
	cmpb $2, %al
	loopnel 1b
	call put
	movl $0x10000, %ecx
	movl $1, %eax
	jcxz 1f
	incl %eax
1:	jecxz 2f
	addl $2, %eax
2:	call put

# --- errors of division and BOUND, and what they leave
	movw $3f - boot, %bp
	movl $0x12345678, %eax
	movl $0x11, %edx
	movl $0x10, %ecx
	divl %ecx
3:	call put
	movw $3f - boot, %bp
	movw $0x8000, %ax
	movw $0xffff, %dx
	movw $-1, %cx
	idivw %cx
3:	call put
	movw $3f - boot, %bp
	movb $0, %cl
	movw $0x1234, %ax
	aam $0
3:	call put
	movl $0x00090005, 0x7200	# 5 .. 9
	movl $-5, 0x7208
	movl $5, 0x720c
	.irp value, 4, 5, 9, 10, 0xffffffff
	movw $3f - boot, %bp
	movl $\value, %eax
	bound %ax, 0x7200
	call put
	bound %eax, 0x7208
	call put
3:	nop
	.endr

# --- strings inside the segment, both ways, with every overlap
	movw $DATA_SEG, %ax
	movw %ax, %ds
	movw %ax, %es
	cld
	.irp distance, 0, 1, 2, 3, 4, 7, 8, 33
	try 40, 0x100, 0x100+\distance, rep movsb
	try 40, 0x100, 0x100+\distance, rep movsw
	try 40, 0x100, 0x100+\distance, rep movsl
	try 40, 0x100+\distance, 0x100, rep movsw
	std
	try 40, 0x100+\distance, 0x100, rep movsb
	std
	try 40, 0x100+\distance, 0x100, rep movsl
	std
	try 40, 0x100, 0x100+\distance, rep movsw
	.endr
	.irp start, 0xdf0, 0xdfd, 0xe00	# a page boundary: BUFFER + 0xe00
	try 0x123, \start, 0x17, rep movsl
	try 0x123, 0x17, \start, rep movsl
	try 0x123, 0x17, \start, rep stosl
	try 0x123, 0x17, \start, rep stosw
	try 0x123, 0x17, \start, rep stosb
	std
	try 0x123, 0x600, \start, rep stosw
	std
	try 0x123, 0x600, \start, rep movsw
	try 5, \start, 0, rep lodsl
	.endr
	try 0, 0x10, 0x20, rep movsb
	try 50, 0x10, 0x11, repe cmpsb
	try 50, 0x10, 0x10, repe cmpsw
	try 50, 0x10, 0x400, repne cmpsb
	try 0x1000, 0x10, 0x20, repne scasb
	try 0x300, 0x10, 0x20, repne scasw
	try 50, 0x10, 0x20, repe scasl
	try 9, 0x10, 0x20, cmpsl
	try 9, 0x10, 0x20, lodsw
	try 9, 0x10, 0x20, rep addr32 movsb
	try 0x10009, 0x10, 0x20, rep movsb
	fill_buffer			# offsets wrap at 64 KiB
	movl $0xaaaafff8, %esi
	movl $0xbbbb0300, %edi
	movl $0x40, %ecx
	rep movsb
	log_state
	log_buffer 0x400
	movl $0xaaaa0300, %esi
	movl $0xbbbbffe0, %edi
	movl $0x30, %ecx
	rep movsw
	log_state
	log_buffer 0x400
	movl $0x1fff3, %edi
	movl $0x30, %ecx
	rep stosb
	log_state
	movw $0, %ax			# another segment's source
	movw %ax, %fs
	movl $0x400, %esi
	movl $BUFFER, %edi
	movl $0x10, %ecx
	movl $0x31415926, %fs:0x400
	rep movsb %fs:(%si), %es:(%di)
	log_state
	movw $0xff80, %bx
	movb $0x90, %al
	movb $0x77, %ds:0x10
	xlatb
	movzbl %al, %eax
	log_reg %eax

# --- a trap after every iteration
	fill_buffer
	movw $0, %ax
	movw %ax, %gs
	movl $0, %gs:TRAPS
	movl $BUFFER, %esi
	movl $BUFFER + 0x80, %edi
	movl $7, %ecx
	pushfw
	orw $0x100, (%esp)
	popfw
	rep movsb
	movl $3, %ecx
	repe cmpsb
	movl $0, %ecx
	rep stosb
	pushfw
	andw $0xfeff, (%esp)
	popfw
	log_state
	movl %gs:TRAPS, %eax
	log_reg %eax
	movw $0, %ax
	movw %ax, %ds
	movw %ax, %es
	jmp protect

divide:
	addw $6, %sp
	movl $0xd0, %eax
	call put
	jmp *%bp
bound_range:
	addw $6, %sp
	movl $0xb5, %eax
	call put
	jmp *%bp
trap:	incl %gs:TRAPS
	iretw

# --- ports in ring 3: only those whose bits are clear
	.code32
	.macro user code
	resume_at 8f
	pushl $DATA3
	pushl $0x4f00
	pushl $0x2
	pushl $CODE3
	pushl $9f
	iretl
9:	\code
	int $0x3f			# back to ring 0
8:
	.endm

main32:
	movl $WIDE_TSS, %eax
	ltr %ax
	movb $0x55, %al
	user "outb %al, $0xe9"
	user "outb %al, $0xea"
	user "outw %ax, $0xe9"
	user "outl %eax, $0xe8"
	user "outb %al, $0xe9; outb %al, $0xe9; outb %al, $0xe9"
	user "movw $0x100, %dx; outb %al, %dx"
	user "movw $0x107, %dx; outw %ax, %dx"
	user "movw $0xfff, %dx; insb"
	user "cli"
	user "sti"
	user "pushfl; orl $0x3200, (%esp); popfl; pushfl; popl %eax; int $0x41"
	jmp finish

	.balign 16
wide_tss:
	.long 0, RING0_SP, DATA0
	.fill 22, 4, 0
	.word 0, 0x68
	.fill 29, 1, 0xff		# ports 0 .. 0xe7
	.byte 0xfd			# 0xe9 allowed
	.byte 0xff, 0xff		# up to 0xff; then the limit ends it

	.code16
	.org 0xfff0
	ljmp $0xf000, $boot - boot
	.org 0x10000
