# Cross-modifying code: one processor runs what another one writes. QEMU's
# translation loses such a write now and then, so this is by the manual alone.
# SDM vol. 3, "Handling Self- and Cross-Modifying Code".
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.set APIC, 0xfee00000
	.set CODE, 0x70000		# code that is made here
	.set STARTED, HEAP + 0x800
	.set SEEN, HEAP + 0x804
	.set STOP, HEAP + 0x808

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
	movl $PD + 0x2000 + 3, PDPT + 24
	movl $(APIC & 0xffe00000) | 0x93, PD + 0x2000 + ((APIC >> 21) & 511) * 8
	movl $0, PD + 0x2000 + ((APIC >> 21) & 511) * 8 + 4
	movq %cr3, %rax
	movq %rax, %cr3
	movl $0, STARTED
	movl $0, STOP
	make 0x100
	movl $trampoline, %esi
	movl $0x8000, %edi
	movl $trampoline_end - trampoline, %ecx
	rep movsb
	movl $APIC + 0x300, %edi
	movl $0xc4500, (%rdi)
	movl $100000, %ecx
1:	pause
	loop 1b
	movl $0xc4608, (%rdi)
1:	cmpl $1, STARTED
	jne 1b
	movl $0x100, %ebx
1:	movl %ebx, CODE + 1		# it must see every value in time
	movl $100000000, %ecx
2:	cmpl %ebx, SEEN
	je 3f
	pause
	loop 2b
	movl %ebx, %eax			# it did not
	call log_eax
	jmp 4f
3:	incl %ebx
	cmpl $0x180, %ebx
	jne 1b
4:	movl %ebx, %eax
	call log_eax
	movl $1, STOP
	movl $100000000, %ecx
1:	cmpl $2, STOP			# it wrote code, too
	je 1f
	pause
	loop 1b
1:	call_made
	jmp finish64

	.code16
trampoline:
	cli
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
	movl $0x48000, %esp
	movl $1, STARTED
1:	movl $CODE, %eax
	call *%eax
	movl %eax, SEEN
	cmpl $1, STOP
	jne 1b
	movl $0x2222, CODE + 1
	movl $2, STOP
1:	hlt
	jmp 1b

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
