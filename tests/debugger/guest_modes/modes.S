/*
 * A multiboot kernel that goes through the processor's modes and stands at a
 * label in each: stop32 (no paging), stop_pse (32-bit paging), stop_pae,
 * stop_long, and stop_real. Whatever shows in a dump of the processor, of the
 * interrupt controllers or of page tables is set here, not left over from a
 * loader: two machines that have come to the same label are in the same state.
 */
#define MSR_EFER 0xc0000080

	.set	TABLES, 0x200000	/* page tables, 4 KiB each */
	.set	PD, TABLES + 0x0000
	.set	PT, TABLES + 0x1000
	.set	PDPT, TABLES + 0x2000	/* PAE */
	.set	PAE_PD, TABLES + 0x3000
	.set	PAE_PT, TABLES + 0x4000
	.set	PAE_PD3, TABLES + 0x5000
	.set	PML4, TABLES + 0x6000
	.set	PDPT_LOW, TABLES + 0x7000
	.set	PDPT_HIGH, TABLES + 0x8000
	.set	LONG_PD, TABLES + 0x9000
	.set	LONG_PT, TABLES + 0xa000
	.set	TABLES_END, TABLES + 0xb000
	.set	REAL, 0x8000		/* where the 16-bit code is */
	.set	APIC, 0xfee00000
	.set	IOAPIC, 0xfec00000

	.section .text
	.code32
	.balign	4
	.long	0x1badb002, 0, -0x1badb002

	.globl	_start
_start:	cli
	lgdt	gdtr
	lidt	idtr
	ljmp	$0x08, $1f
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x28, %eax		/* a data segment with base and limit */
	mov	%eax, %fs
	mov	$0x33, %eax		/* code, read, for ring 3 */
	mov	%eax, %gs
	mov	$0x38, %eax
	lldt	%ax
	mov	$0x20, %eax
	ltr	%ax
	mov	$stack, %esp
	mov	$0x11, %eax
	mov	%eax, %cr0
	xor	%eax, %eax
	mov	%eax, %cr2
	mov	%eax, %cr3
	mov	$0x200, %eax		/* OSFXSR */
	mov	%eax, %cr4
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$MSR_EFER, %ecx
	wrmsr
	mov	$0x12345678, %eax
	mov	%eax, %dr0
	mov	%eax, %cr2
	xor	%eax, %eax
	mov	%eax, %dr1
	mov	%eax, %dr2
	mov	%eax, %dr3
	mov	$0xffff0ff0, %eax
	mov	%eax, %dr6
	mov	$0x400, %eax
	mov	%eax, %dr7
	call	clear_tables
	call	interrupts
	fninit
	fldpi
	fld1
	fchs
	fldz
	movl	$0x1fa0, stack
	ldmxcsr	stack
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7
	movups	pattern + \n, %xmm\n
	.endr
	call	general
	std
	stc
	.globl	stop32
stop32:	nop
	cld

	/* One interrupt is taken and stays in service. */
	movl	$0x00080000 + handler_low, 0x9000 + 0x92 * 8
	movl	$0x00108e00, 0x9004 + 0x92 * 8
	sti
	nop
	cli
	movl	$0x05000000, APIC + 0x310
	movl	$0x00000061, APIC + 0x300	/* physical, to nobody */

	/* 32-bit paging: 4 MiB and 4 KiB pages of several kinds. */
	movl	$0x00000083, PD			/* 0: itself */
	movl	$0x004001e7, PD + 4		/* 4 MiB: user, G, A, D */
	movl	$PT + 0x27, PD + 8
	movl	$0xfec00093, PD + 0x3fb * 4	/* devices, uncached */
	movl	$PT + 0x23, PD + 0x3ff * 4	/* the same table, for ring 0 */
	movl	$0x00300067, PT			/* user, write */
	movl	$0x00301025, PT + 4		/* user, read */
	movl	$0x00302003, PT + 8
	movl	$0x0030301b, PT + 12		/* uncached, write through */
	movl	$0x00304181, PT + 0xff8		/* G, PAT */
	movl	$0x00305003, PT + 0xffc		/* the last page */
	mov	$PD, %eax
	mov	%eax, %cr3
	mov	$0x290, %eax			/* PSE, PGE, OSFXSR */
	mov	%eax, %cr4
	mov	$0x80010011, %eax
	mov	%eax, %cr0
	call	general
	.globl	stop_pse
stop_pse: nop

	mov	$0x11, %eax
	mov	%eax, %cr0
	/* PAE, with execution disabled in places. */
	movl	$PAE_PD + 1, PDPT
	movl	$PAE_PD3 + 1, PDPT + 24
	movl	$0x0fffffff, APIC + 0xe0	/* logical IDs are clusters' */
	movl	$0x32000000, APIC + 0x310
	movl	$0x0000c951, APIC + 0x300	/* logical, level */
	movl	$0x000000e3, PAE_PD
	movl	$0x002000e3, PAE_PD + 8
	movl	$PAE_PT + 0x67, PAE_PD + 16
	movl	$0x004000e7, PAE_PD + 24
	movl	$0x80000000, PAE_PD + 28
	movl	$0xfec000f3, PAE_PD3 + 0x1f6 * 8
	movl	$0xfee000f3, PAE_PD3 + 0x1f7 * 8
	movl	$PAE_PT + 0x21, PAE_PD3 + 0x1ff * 8
	movl	$0x00300067, PAE_PT
	movl	$0x00301065, PAE_PT + 8
	movl	$0x80000000, PAE_PT + 12
	movl	$0x00302163, PAE_PT + 24
	movl	$0x003030e1, PAE_PT + 0xff8
	mov	$MSR_EFER, %ecx
	mov	$0x800, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x2a0, %eax			/* PAE, PGE, OSFXSR */
	mov	%eax, %cr4
	mov	$PDPT, %eax
	mov	%eax, %cr3
	mov	$0x80010011, %eax
	mov	%eax, %cr0
	call	general
	.globl	stop_pae
stop_pae: nop

	mov	$0x11, %eax
	mov	%eax, %cr0
	/* 4-level: pages of 1 GiB, 2 MiB and 4 KiB, also in the upper half. */
	movl	$PDPT_LOW + 0x67, PML4
	movl	$PDPT_HIGH + 0x27, PML4 + 0x100 * 8
	movl	$PDPT_HIGH + 0x23, PML4 + 0x1ff * 8
	movl	$0x80000000, PML4 + 0x1ff * 8 + 4
	movl	$LONG_PD + 0x67, PDPT_LOW
	movl	$0xc00000f3, PDPT_LOW + 24
	movl	$0x000001e3, PDPT_HIGH
	movl	$LONG_PD + 0x25, PDPT_HIGH + 0x1ff * 8
	movl	$0x000000e3, LONG_PD
	movl	$0x002000e3, LONG_PD + 8
	movl	$LONG_PT + 0x67, LONG_PD + 16
	movl	$0x004000e7, LONG_PD + 24
	movl	$0x80000000, LONG_PD + 28
	movl	$LONG_PT + 0x21, LONG_PD + 0x1ff * 8
	movl	$0x00300067, LONG_PT
	movl	$0x00301065, LONG_PT + 8
	movl	$0x80000000, LONG_PT + 12
	movl	$0x00302163, LONG_PT + 24
	movl	$0x003030e1, LONG_PT + 0xff8
	mov	$PML4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	mov	$0x901, %eax			/* SCE, LME, NXE */
	xor	%edx, %edx
	wrmsr
	mov	$0x80010011, %eax
	mov	%eax, %cr0
	ljmp	$0x18, $2f
	.code64
2:	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	movups	pattern + \n(%rip), %xmm\n
	.endr
	mov	$0xc0000100, %ecx
	mov	$0x89abcdef, %eax
	mov	$0xffff8000, %edx
	wrmsr
	movabs	$0xfedcba9876543210, %rax
	mov	%rax, %cr2
	movabs	$0x0011223344556677, %rax
	.irp	r, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	mov	%rax, %\r
	add	%rbx, %rax
	.endr
	lea	stack(%rip), %rsp
	mov	$0x4321, %eax
	cmp	%rax, %rbx
	.globl	stop_long
stop_long: nop

	push	$0x08
	lea	3f(%rip), %rax
	push	%rax
	lretq
	.code32
3:	xor	%eax, %eax
	mov	%eax, %es		/* a null selector */
	movl	$0x02000000, APIC + 0x310
	movl	$0x00000851, APIC + 0x300	/* logical, to nobody */
	.globl	stop_compat
stop_compat: nop
	mov	$0x10, %eax
	mov	%eax, %es
	mov	$0x11, %eax
	mov	%eax, %cr0
	mov	$MSR_EFER, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x200, %eax
	mov	%eax, %cr4
	mov	$real_code, %esi
	mov	$REAL, %edi
	mov	$real_end - real_code, %ecx
	cld
	rep movsb
	call	general
	ljmp	$0x40, $0
	.code16
real_code:
	mov	$0x48, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%ax, %fs
	mov	%ax, %gs
	lidt	%cs:real_idtr - real_code
	mov	%cr0, %eax
	and	$~1, %al
	mov	%eax, %cr0
	ljmp	$REAL >> 4, $1f - real_code
1:	mov	$0x1234, %ax
	mov	%ax, %ds
	mov	$0xb800, %ax
	mov	%ax, %es
	xor	%ax, %ax
	mov	%ax, %ss
	mov	%ax, %fs
	mov	$0xffff, %ax
	mov	%ax, %gs
	mov	$0x7000, %esp
stop_real_place: nop
	hlt
real_idtr:
	.word	0x3ff
	.long	0
real_end:
	.globl	stop_real
	.set	stop_real, REAL + (stop_real_place - real_code)

	.code32
handler:
	iret
	.set	handler_low, handler - 0x100000

general:
	mov	$0x11111111, %eax
	mov	$0x22222222, %ebx
	mov	$0x33333333, %ecx
	mov	$0x44444444, %edx
	mov	$0x55555555, %esi
	mov	$0x66666666, %edi
	mov	$0x77777777, %ebp
	cmp	%eax, %ebx
	ret

clear_tables:
	mov	$TABLES, %edi
	mov	$(TABLES_END - TABLES) / 4, %ecx
	xor	%eax, %eax
	cld
	rep stosl
	ret

	.macro	put value, port
	mov	$\value, %al
	mov	$\port, %dx
	outb	%al, %dx
	.endm

/* PICs, timer, IOAPIC and local APIC. */
interrupts:
	put	0x32, 0x43		/* PIT 0: mode 1, no edge comes any more */
	put	0xff, 0x40
	put	0xff, 0x40
	put	0x11, 0x20
	put	0x11, 0xa0
	put	0x20, 0x21
	put	0x28, 0xa1
	put	0x04, 0x21
	put	0x02, 0xa1
	put	0x01, 0x21
	put	0x11, 0xa1		/* special fully nested */
	put	0xfa, 0x21
	put	0x7f, 0xa1
	put	0x00, 0x4d0
	put	0x0c, 0x4d1
	put	0xc3, 0x20		/* priorities begin behind input 3 */
	put	0x0b, 0xa0		/* reads give ISR */

	mov	$IOAPIC, %edi
	mov	$0x11, %ebx		/* all pins: masked */
1:	mov	%ebx, (%edi)
	movl	$0, 0x10(%edi)
	dec	%ebx
	mov	%ebx, (%edi)
	movl	$0x10000, 0x10(%edi)
	add	$3, %ebx
	cmp	$0x41, %ebx
	jb	1b
	movl	$0x12, (%edi)
	movl	$0x00000931, 0x10(%edi)	/* 1: lowest priority, logical, edge */
	movl	$0x13, (%edi)
	movl	$0x03000000, 0x10(%edi)
	movl	$0x18, (%edi)
	movl	$0x0001a034, 0x10(%edi)	/* 4: low, level, masked */
	movl	$0x1a, (%edi)
	movl	$0x00000400, 0x10(%edi)	/* 5: NMI */
	movl	$0x1c, (%edi)
	movl	$0x00000700, 0x10(%edi)	/* 6: ExtINT */
	movl	$0x20, (%edi)
	movl	$0x0000a055, 0x10(%edi)	/* 8: low, level */

	put	0x00, 0x3f9		/* COM1 asks for an interrupt: it can send */
	put	0x08, 0x3fc
	put	0x02, 0x3f9

	mov	$APIC, %edi
	movl	$0x1ff, 0xf0(%edi)
	movl	$0xffffffff, 0xe0(%edi)
	movl	$0x01000000, 0xd0(%edi)
	movl	$0x000200ef, 0x320(%edi)	/* periodic, without a count */
	movl	$0x000100fe, 0x340(%edi)
	movl	$0x00010700, 0x350(%edi)
	movl	$0x00000400, 0x360(%edi)
	movl	$0x000100fd, 0x370(%edi)
	movl	$0x000100fc, 0x330(%edi)
	movl	$0x0b, 0x3e0(%edi)
	movl	$0, 0x380(%edi)
	movl	$0, 0x310(%edi)
	movl	$0x00044051, 0x300(%edi)	/* to itself: waits, IF is 0 */
	movl	$0x00044092, 0x300(%edi)
	movl	$0x20, 0x80(%edi)
	ret

	.section .rodata
	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* 08: 32-bit code */
	.quad	0x00cf93000000ffff	/* 10: data */
	.quad	0x00af9b000000ffff	/* 18: 64-bit code */
	.word	0x67, tss_low		/* 20: TSS */
	.byte	tss_middle, 0x89, 0, 0
	.quad	0x0f40f5345678abcd	/* 28: expand-down data */
	.quad	0x00cffb000000ffff	/* 30: code, read, ring 3 */
	.quad	0x000082300000001f	/* 38: LDT */
	.quad	0x00009b008000ffff	/* 40: 16-bit code at REAL */
	.quad	0x000093000000ffff	/* 48: 16-bit data */
gdt_end:
	.set	tss_low, 0x3000
	.set	tss_middle, 0x30
gdtr:	.word	gdt_end - gdt - 1
	.long	gdt
idtr:	.word	0x7ff
	.long	0x9000
pattern:
	.byte	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77
	.byte	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff
	.byte	0xf0, 0xe1, 0xd2, 0xc3, 0xb4, 0xa5, 0x96, 0x87
	.byte	0x78, 0x69, 0x5a, 0x4b, 0x3c, 0x2d, 0x1e, 0x0f

	.bss
	.balign	16
	.skip	4096
stack:	.skip	16
