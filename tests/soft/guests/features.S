# CPUID says exactly what is there: one instruction of each feature that it
# offers does not give #UD, one of each that it does not offer does.
# One word each: the feature bit, then 0 or 0xe0060000.
	.include "common.inc"
gdt_end:
	.include "long.inc"

	.macro feature leaf, register, bit, instruction:vararg
	movl $\leaf, %eax
	xorl %ecx, %ecx
	cpuid
	shrl $\bit, %\register
	andl $1, %\register
	log64 %\register
	movl $HEAP, %esi
	movl $HEAP + 0x40, %edi
	movl $2, %eax
	xorl %ecx, %ecx
	xorl %edx, %edx
	try \instruction
	.endm

main64:
	movl $0x50620, %eax		# and OSXSAVE, FSGSBASE
	movq %rax, %cr4
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $3, %eax
	xsetbv
	fninit
	feature 1, ecx, 0, haddps %xmm0, %xmm1
	feature 1, ecx, 1, pclmulqdq $0, %xmm0, %xmm1
	feature 1, ecx, 3, monitor %rax, %ecx, %edx
	feature 1, ecx, 9, pshufb %xmm0, %xmm1
	feature 1, ecx, 12, vfmadd132ps %xmm0, %xmm1, %xmm2
	feature 1, ecx, 13, cmpxchg16b (%rsi)
	feature 1, ecx, 19, pmulld %xmm0, %xmm1
	feature 1, ecx, 20, crc32l %eax, %ecx
	feature 1, ecx, 22, movbe (%rsi), %eax
	feature 1, ecx, 23, popcnt %eax, %ecx
	feature 1, ecx, 25, aesenc %xmm0, %xmm1
	feature 1, ecx, 26, xgetbv
	feature 1, ecx, 27, xsave (%rsi)
	feature 1, ecx, 28, vaddps %xmm0, %xmm1, %xmm2
	feature 1, ecx, 29, vcvtph2ps %xmm0, %xmm1
	feature 1, ecx, 30, rdrand %eax
	feature 1, edx, 15, cmovel %eax, %ecx
	feature 1, edx, 19, clflush (%rsi)
	feature 1, edx, 23, paddb %mm0, %mm1
	feature 1, edx, 24, fxsave (%rsi)
	feature 1, edx, 25, addps %xmm0, %xmm1
	feature 1, edx, 26, addpd %xmm0, %xmm1
	feature 7, ebx, 0, rdfsbase %rax
	feature 7, ebx, 3, andn %eax, %ecx, %edx
	feature 7, ebx, 5, vpaddb %ymm0, %ymm1, %ymm2
	feature 7, ebx, 8, pdep %eax, %ecx, %edx
	feature 7, ebx, 10, invpcid (%rsi), %rax
	feature 7, ebx, 11, xbegin .
	feature 7, ebx, 18, rdseed %eax
	feature 7, ebx, 19, adcx %eax, %ecx
	feature 7, ebx, 20, clac
	feature 7, ebx, 23, clflushopt (%rsi)
	feature 7, ebx, 24, clwb (%rsi)
	feature 7, ebx, 29, sha1nexte %xmm0, %xmm1
	feature 7, ecx, 3, rdpkru
	feature 7, ecx, 8, gf2p8mulb %xmm0, %xmm1
	feature 7, ecx, 22, rdpid %rax
	feature 7, ecx, 27, movdiri %eax, (%rsi)
	feature 0x80000001, ecx, 0, lahf
	feature 0x80000001, ecx, 6, movntss %xmm0, (%rsi)
	feature 0x80000001, ecx, 8, prefetchw (%rsi)
	feature 0x80000001, ecx, 11, vfrczps %xmm0, %xmm1
	feature 0x80000001, ecx, 16, vfmaddps %xmm0, %xmm1, %xmm2, %xmm3
	feature 0x80000001, ecx, 21, blcfill %eax, %ecx
	feature 0x80000001, edx, 27, rdtscp
	feature 0x80000001, edx, 31, pfadd %mm0, %mm1
	movl $1, %ecx			# XSAVEOPT, XSAVEC, XGETBV 1, XSAVES
	movl $0xd, %eax
	cpuid
	log64 %eax
	movl $HEAP, %esi
	movl $3, %eax
	xorl %edx, %edx
	try xsaveopt (%rsi)
	try xsavec (%rsi)
	try xsaves (%rsi)
	movl $1, %ecx
	try xgetbv
	jmp finish64

	.org 0xfff0
	.code16
	ljmp $0xf000, $boot - boot
	.org 0x10000
