// The probes: every kind of operand, of result and of fault (Intel SDM vol. 2, the
// instruction's page, unless a line says more).

import { FILL, type Probe } from "./probe.ts";

const F = FILL.toString(16);
/** Switches SSE's and XSAVE's enables on. */
const OSXSAVE = "mov %cr4, %rax; or $0x40000, %rax; mov %rax, %cr4";
/** Makes `gate` N run on a stack of its own: IST1 of the TSS at 0. */
const ist = (vector: number) =>
  `movq $0x90000, 0x24; movb $1, ${0x5000 + vector * 16 + 4}`;
/** GDT with code64, data, a TSS (0x18), an LDT (0x28), data not present (0x38), code32 (0x40). */
const GDT = `
        jmp 1f
        .balign 8
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
        .quad 0x0000890010000067, 0, 0x0000820020000027, 0
        .quad 0x00cf13000000ffff, 0x00cf9b000000ffff
gdtr:   .word . - gdt - 1
        .quad gdt
1:      lgdt gdtr(%rip)
`;

const moves: readonly Probe[] = [
  {
    name: "MOV from a device, every width",
    code: `mov $-1, %rax; mov %rax, %rcx; mov %rax, %rdx
      mov (%rbx), %al; mov 8(%rbx), %cx; mov 16(%rbx), %edx; mov 24(%rbx), %rsi
      mov 1(%rbx), %ah`,
    log: ["r 0 1", "r 8 2", "r 10 4", "r 18 8", "r 1 1"],
    regs: {
      rax: 0xffffffffffff2211n,
      rcx: 0xffffffffffff2211n,
      rdx: 0x44332211n,
      rsi: FILL,
    },
  },
  {
    name: "MOV to a device, every width, and of immediates",
    code: `mov $0x1122334455667788, %rax
      mov %al, (%rbx); mov %ax, 8(%rbx); mov %eax, 16(%rbx); mov %rax, 24(%rbx)
      movq $-2, 32(%rbx); movb $5, 3(%rbx)`,
    log: [
      "w 0 1 88",
      "w 8 2 7788",
      "w 10 4 55667788",
      "w 18 8 1122334455667788",
      "w 20 8 fffffffffffffffe",
      "w 3 1 5",
    ],
  },
  {
    name: "MOVZX, MOVSX and MOVSXD",
    code: `movzbl 7(%rbx), %eax; movswq 6(%rbx), %rcx; movslq 4(%rbx), %rdx`,
    log: ["r 7 1", "r 6 2", "r 4 4"],
    regs: { rax: 0x88n, rcx: 0xffffffffffff8877n, rdx: 0xffffffff88776655n },
  },
  {
    name: "an access with FS and its base",
    code: `mov $0xc0000100, %ecx; mov %ebx, %eax; xor %edx, %edx; wrmsr
      mov %fs:8, %rax; mov %al, %fs:16`,
    log: ["r 8 8", "w 10 1 11"],
    regs: { rax: FILL },
  },
  {
    name: "an access that ends in the next page is two",
    code: `mov 0xff8(%rbx), %rax; lea -4(%rbx), %rcx; mov (%rcx), %rsi
      mov %eax, -2(%rbx)`,
    // what lies before the window is nobody's in one guest and nothing in both
    log: ["r ff8 8", "r 0 4", "w 0 2 4433"],
    regs: { rax: FILL, rsi: 0x44332211ffffffffn },
  },
  {
    name: "MOVBE, MOVNTI, CRC32, POPCNT, BSF",
    code: `movbe (%rbx), %rax; movnti %eax, 8(%rbx); xor %ecx, %ecx
      crc32l 16(%rbx), %ecx; popcnt 24(%rbx), %rdx; bsf 32(%rbx), %rsi`,
    log: ["r 0 8", "w 8 4 55667788", "r 10 4", "r 18 8", "r 20 8"],
    regs: { rax: 0x1122334455667788n, rdx: 26n, rsi: 0n },
  },
  {
    name: "CMOV reads whether or not it moves",
    code:
      `xor %eax, %eax; mov $7, %ecx; cmovnz (%rbx), %rcx; cmovz 8(%rbx), %rdx`,
    log: ["r 0 8", "r 8 8"],
    regs: { rcx: 7n, rdx: FILL },
  },
  {
    name: "what takes an address only makes no access",
    code: `lea (%rbx), %rax; nopl (%rbx); prefetcht0 (%rbx); invlpg (%rbx)`,
    log: [],
  },
  {
    name: "XLAT",
    code: `mov $0x12, %eax; xlatb`,
    log: ["r 12 1"],
    regs: { rax: 0x33n },
  },
];

const arithmetic: readonly Probe[] = [
  {
    name: "ADD, SUB, CMP and TEST with a device",
    code: `mov $1, %eax; add (%rbx), %rax; sub 8(%rbx), %rax; cmp %rax, 16(%rbx)
      testb $0x80, 7(%rbx); setnz %cl`,
    log: ["r 0 8", "r 8 8", "r 10 8", "r 7 1"],
    regs: { rax: 1n },
  },
  {
    name: "a read-modify-write reads once and writes once",
    code: `addl $2, (%rbx); lock incq 8(%rbx); notb 16(%rbx); negw 24(%rbx)
      mov $4, %cl; roll %cl, 32(%rbx); sarq $1, 40(%rbx)`,
    log: [
      "r 0 4",
      "w 0 4 44332213",
      "r 8 8",
      "w 8 8 8877665544332212",
      "r 10 1",
      "w 10 1 ee",
      "r 18 2",
      "w 18 2 ddef",
      "r 20 4",
      "w 20 4 43322114",
      "r 28 8",
      "w 28 8 c43bb32aa2199108",
    ],
  },
  {
    name: "XCHG and XADD",
    code:
      `mov $5, %eax; xchg %eax, (%rbx); mov $1, %ecx; lock xadd %rcx, 8(%rbx)`,
    log: ["r 0 4", "w 0 4 5", "r 8 8", "w 8 8 8877665544332212"],
    regs: { rax: 0x44332211n, rcx: FILL },
  },
  {
    name: "CMPXCHG writes whatever it finds",
    code: `mov $1, %eax; mov $2, %ecx; lock cmpxchg %ecx, (%rbx)
      mov 8(%rbx), %rax; mov $3, %ecx; lock cmpxchg %rcx, 16(%rbx)`,
    log: ["r 0 4", "w 0 4 44332211", "r 8 8", "r 10 8", "w 10 8 3"],
    regs: { rax: FILL },
  },
  {
    name: "CMPXCHG8B and CMPXCHG16B",
    code: `xor %eax, %eax; xor %edx, %edx; lock cmpxchg8b (%rbx)
      mov %rbx, %rsi; mov 32(%rbx), %rax; mov %rax, %rdx; mov $1, %ebx; mov $2, %ecx
      lock cmpxchg16b 16(%rsi)`,
    log: [
      "r 0 8",
      `w 0 8 ${F}`,
      "r 20 8",
      "r 10 8",
      "r 18 8",
      "w 10 8 1",
      "w 18 8 2",
    ],
    regs: { rax: FILL, rdx: FILL },
  },
  {
    name: "BT and its kin reach beyond the operand",
    code:
      `mov $70, %eax; bts %rax, (%rbx); bt %eax, 16(%rbx); btcl $3, 32(%rbx)`,
    log: [
      "r 8 8",
      "w 8 8 8877665544332251",
      "r 18 4",
      "r 20 4",
      "w 20 4 44332219",
    ],
  },
  {
    name: "SHLD, SETcc, INC of a byte",
    code: `mov $-1, %rax; shld $8, %rax, (%rbx); setc 8(%rbx); incb 16(%rbx)`,
    log: [
      "r 0 8",
      "w 0 8 77665544332211ff",
      "w 8 1 0",
      "r 10 1",
      "w 10 1 12",
    ],
  },
  {
    name: "MUL, IMUL, DIV and IDIV",
    code: `mov $2, %eax; mull (%rbx); mov %edx, %ecx; imul $3, 8(%rbx), %rsi
      xor %edx, %edx; mov $100, %eax; divb 16(%rbx); mov %eax, %r8d
      mov $-1, %rax; cqo; idivq 24(%rbx)`,
    log: ["r 0 4", "r 8 8", "r 10 1", "r 18 8"],
    regs: {
      rcx: 0n,
      rsi: 0x996632ffcc996633n,
      r8: 0x0f05n,
      rdx: 0xffffffffffffffffn,
      rax: 0n,
    },
  },
];

const stack: readonly Probe[] = [
  {
    name: "PUSH and POP of a device",
    code: `pushq (%rbx); popq 8(%rbx); pushw 16(%rbx); popw 24(%rbx)`,
    log: ["r 0 8", `w 8 8 ${F}`, "r 10 2", "w 18 2 2211"],
  },
  {
    name: "a stack in a device",
    code: `mov %rsp, %rbp; lea 0x800(%rbx), %rsp
      push %rbx; pushq $-5; pushf; popf; pop %rax; pop %rcx
      call f
back: mov %rbp, %rsp; jmp done
f:    ret $8`,
    log: [
      "w 7f8 8 fd000000",
      "w 7f0 8 fffffffffffffffb",
      "w 7e8 8 2",
      "r 7e8 8",
      "r 7f0 8",
      "r 7f8 8",
      "w 7f8 8 @back",
      "r 7f8 8",
    ],
    regs: { rax: 0xfffffffffffffffbn, rcx: 0xfd000000n },
  },
  {
    name: "ENTER and LEAVE",
    code: `mov %rsp, %r8; lea 0x800(%rbx), %rsp; lea 0x400(%rbx), %rbp
      enter $16, $2; mov %rsp, %r9; leave; mov %rsp, %r10; mov %r8, %rsp`,
    log: [
      "w 7f8 8 fd000400",
      "r 3f8 8",
      `w 7f0 8 ${F}`,
      "w 7e8 8 fd0007f8",
      "r 7f8 8",
    ],
    regs: { r9: 0xfd0007d8n, r10: 0xfd000800n, rbp: 0xfd000400n },
  },
  {
    name: "POP FS",
    code: `mov %rsp, %r8; movq $0, 8(%rbx); lea 8(%rbx), %rsp; pop %fs
      mov %fs, %eax; mov %r8, %rsp`,
    log: ["w 8 8 0", "r 8 8"],
    regs: { rax: 0n },
  },
  {
    name: "IRETQ with its frame in a device",
    code: `mov %rsp, %r8
      lea back(%rip), %rax; mov %rax, (%rbx); movq $8, 8(%rbx); movq $0x202, 16(%rbx)
      mov %r8, 24(%rbx); movq $16, 32(%rbx); mov %rbx, %rsp; iretq
back: cli`,
    log: [
      "w 0 8 @back",
      "w 8 8 8",
      "w 10 8 202",
      "w 18 8 84000",
      "w 20 8 10",
      "r 0 8",
      "r 8 8",
      "r 10 8",
      "r 18 8",
      "r 20 8",
    ],
    regs: { rsp: 0x84000n },
  },
];

const flow: readonly Probe[] = [
  {
    name: "JMP and CALL through a device",
    code: `lea a(%rip), %rax; mov %rax, (%rbx); jmp *(%rbx)
a:    lea b(%rip), %rax; mov %rax, 8(%rbx); call *8(%rbx)
b:    pop %rcx; sub %rax, %rcx`,
    log: ["w 0 8 @a", "r 0 8", "w 8 8 @b", "r 8 8"],
    regs: { rcx: 0n },
  },
  {
    name: "far JMP and CALL through a device",
    code: `movl $a, (%rbx); movw $8, 4(%rbx); ljmpl *(%rbx)
a:    movl $b, 8(%rbx); movw $8, 12(%rbx); lcalll *8(%rbx)
b:    pop %rcx`,
    log: [
      "w 0 4 @a",
      "w 4 2 8",
      "r 0 4",
      "r 4 2",
      "w 8 4 @b",
      "w c 2 8",
      "r 8 4",
      "r c 2",
    ],
  },
];

const x87: readonly Probe[] = [
  {
    name: "FILD and FISTP of every size: the load is kept, the pop happens",
    code: `fninit; filds (%rbx); fildl 8(%rbx); fildll 16(%rbx)
      fistpll 24(%rbx); fistpl 32(%rbx); fistps 40(%rbx); fnstsw %ax`,
    log: [
      "r 0 2",
      "r 8 4",
      "r 10 8",
      `w 18 8 ${F}`,
      "w 20 4 44332211",
      "w 28 2 2211",
    ],
    regs: { rax: 0n },
  },
  {
    name: "FLD, FST and FSTP, arithmetic with a device",
    code: `fninit; movl $0x40490000, (%rbx); flds (%rbx); fadds (%rbx)
      fstl 8(%rbx); fmull 8(%rbx); fstps 16(%rbx); fnstsw 24(%rbx)`,
    log: [
      "w 0 4 40490000",
      "r 0 4",
      "r 0 4",
      "w 8 8 4019200000000000",
      "r 8 8",
      "w 10 4 421dd100",
      "w 18 2 0",
    ],
  },
  {
    name: "FLD and FSTP of ten bytes, FBLD and FBSTP",
    code: `fninit; fldpi; fstpt (%rbx); fldt (%rbx); fistpl 32(%rbx)
      fld1; fbstp 48(%rbx); fbld 48(%rbx)`,
    log: [
      "w 0 8 c90fdaa22168c235",
      "w 8 2 4000",
      "r 0 8",
      "r 8 2",
      "w 20 4 3",
      "w 30 8 1",
      "w 38 2 0",
      "r 30 8",
      "r 38 2",
    ],
  },
  {
    name: "FLDCW and FNSTCW",
    code: `fninit; movw $0x0f7f, (%rbx); fldcw (%rbx); fnstcw 8(%rbx)`,
    log: ["w 0 2 f7f", "r 0 2", "w 8 2 f7f"],
  },
  {
    name: "LDMXCSR and STMXCSR",
    code: `movl $0x1fa0, (%rbx); ldmxcsr (%rbx); stmxcsr buffer(%rip)
      stmxcsr 8(%rbx)`,
    log: ["w 0 4 1fa0", "r 0 4", "w 8 4 1fa0"],
    buffer: [0x1fa0n],
  },
];

const vectors: readonly Probe[] = [
  {
    name: "MOVQ of an MMX register",
    code:
      `movq (%rbx), %mm3; paddb 8(%rbx), %mm3; movq %mm3, 16(%rbx); movq %mm3, %rax`,
    log: ["r 0 8", "r 8 8", "w 10 8 10eeccaa88664422"],
    regs: { rax: 0x10eeccaa88664422n },
  },
  {
    name: "MOVAPS, MOVUPS, MOVSD, MOVD",
    code: `movaps (%rbx), %xmm1; movups 3(%rbx), %xmm2; movsd 16(%rbx), %xmm3
      movd 24(%rbx), %xmm4; movaps %xmm1, 32(%rbx); movlps %xmm2, 48(%rbx)
      movntdq %xmm3, 64(%rbx); movq %xmm2, %rax`,
    log: [
      "r 0 8",
      "r 8 8",
      "r 3 8",
      "r b 8",
      "r 10 8",
      "r 18 4",
      `w 20 8 ${F}`,
      `w 28 8 ${F}`,
      "w 30 8 3322118877665544",
      `w 40 8 ${F}`,
      "w 48 8 0",
    ],
    regs: { rax: 0x3322118877665544n },
  },
  {
    name: "arithmetic and conversion with a device",
    code: `movl $3, (%rbx); cvtsi2sdl (%rbx), %xmm0; movsd %xmm0, 16(%rbx)
      addsd 16(%rbx), %xmm0; sqrtsd 16(%rbx), %xmm1; cvttsd2si 16(%rbx), %rax
      pxor %xmm5, %xmm5; paddq 32(%rbx), %xmm5; pinsrw $3, 48(%rbx), %xmm5
      ucomisd 16(%rbx), %xmm0; seta %cl`,
    log: [
      "w 0 4 3",
      "r 0 4",
      "w 10 8 4008000000000000",
      "r 10 8",
      "r 10 8",
      "r 10 8",
      "r 20 8",
      "r 28 8",
      "r 30 2",
      "r 10 8",
    ],
    regs: { rax: 3n },
  },
  {
    name: "MASKMOVDQU writes the bytes that are chosen",
    code: `movq $0x80, buffer; movq $0x8000, buffer+8; movaps buffer, %xmm1
      movaps (%rbx), %xmm0; lea 0x100(%rbx), %rdi; maskmovdqu %xmm1, %xmm0`,
    log: ["r 0 8", "r 8 8", "w 100 1 11", "w 109 1 22"],
  },
  {
    name: "FXSAVE and FXRSTOR",
    code: `fninit; fldpi; movaps (%rbx), %xmm7; fxsave64 0x200(%rbx)
      fninit; fldz; xorps %xmm7, %xmm7; fxrstor64 0x200(%rbx)
      fxsave64 buffer; mov buffer + 32, %rax; mov buffer + 160 + 7 * 16, %rcx
      fldcw 0x200(%rbx); ldmxcsr 0x218(%rbx)`,
    log: null, // the differences tell, and what comes back
    regs: { rax: 0xc90fdaa22168c235n, rcx: FILL },
  },
  {
    name: "XSAVE and XRSTOR",
    code: `${OSXSAVE}
      xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax; xsetbv
      movaps (%rbx), %xmm9; mov $8, %ecx; lea 0x400(%rbx), %rdi
1:    movq $0, 0x1f8(%rdi,%rcx,8); dec %ecx; jnz 1b
      xsave64 (%rdi); xorps %xmm9, %xmm9; mov $3, %eax; xrstor64 (%rdi)
      movq %xmm9, %rax`,
    log: null,
    regs: { rax: FILL },
  },
  {
    name: "FNSTENV, FLDENV, FNSAVE and FRSTOR",
    code: `fninit; fld1; fldpi; fnstenv 0x100(%rbx); fninit; fldenv 0x100(%rbx)
      fnstsw %ax; fnsave 0x200(%rbx); frstor 0x200(%rbx); fstpl buffer`,
    log: null,
    regs: { rax: 0x3000n },
    buffer: [0x400921fb54442d18n],
  },
];

const system: readonly Probe[] = [
  {
    name: "LGDT and SGDT",
    code: `movw $0x27, (%rbx); movq $0x4000, 2(%rbx); lgdt (%rbx); sgdt buffer
      sgdt 0x10(%rbx)`,
    log: [
      "w 0 2 27",
      "w 2 8 4000",
      "r 0 2",
      "r 2 8",
      "w 10 2 27",
      "w 12 8 4000",
    ],
    buffer: [0x40000027n, 0n],
  },
  {
    name: "LIDT and SIDT",
    code:
      `movw $0xfff, (%rbx); movq $0x5000, 2(%rbx); lidt (%rbx); sidt buffer`,
    log: ["w 0 2 fff", "w 2 8 5000", "r 0 2", "r 2 8"],
    buffer: [0x50000fffn, 0n],
  },
  {
    name: "LMSW and SMSW",
    code: `movw $0x3b, (%rbx); lmsw (%rbx); mov %cr0, %rcx; and $15, %ecx
      smsw 8(%rbx); clts`,
    log: ["w 0 2 3b", "r 0 2", "w 8 2 3b"],
    regs: { rcx: 11n },
  },
  {
    name: "segment registers from a device",
    code: `${GDT}
      movw $16, (%rbx); mov (%rbx), %ds; mov (%rbx), %ss; mov (%rbx), %gs
      mov %gs, 8(%rbx)`,
    log: ["w 0 2 10", "r 0 2", "r 0 2", "r 0 2", "w 8 2 10"],
  },
  {
    name: "LFS, LGS and LSS",
    code: `${GDT}
      movl $0x1234, (%rbx); movw $16, 4(%rbx); lfsl (%rbx), %eax
      lgsl (%rbx), %ecx; lssl (%rbx), %edx; mov %fs, %esi; mov %gs, %edi`,
    log: [
      "w 0 4 1234",
      "w 4 2 10",
      "r 0 4",
      "r 4 2",
      "r 0 4",
      "r 4 2",
      "r 0 4",
      "r 4 2",
    ],
    regs: { rax: 0x1234n, rcx: 0x1234n, rdx: 0x1234n, rsi: 16n, rdi: 16n },
  },
  {
    name: "LLDT, LTR, STR and SLDT",
    code: `${GDT}
      movw $0x28, (%rbx); lldt (%rbx); movw $0x18, (%rbx); ltr (%rbx)
      str 8(%rbx); sldt 16(%rbx); str %eax; sldt %ecx; mov gdt + 0x18, %rdx`,
    log: [
      "w 0 2 28",
      "r 0 2",
      "w 0 2 18",
      "r 0 2",
      "w 8 2 18",
      "w 10 2 28",
    ],
    regs: { rax: 0x18n, rcx: 0x28n, rdx: 0x00008b0010000067n },
  },
  {
    name: "LAR, LSL, VERR and VERW",
    code: `${GDT}
      movw $16, (%rbx); lar (%rbx), %eax; and $0xf0ff00, %eax; lsl (%rbx), %ecx; verr (%rbx)
      setz %dl; verw (%rbx); setz %dh; movzwl %dx, %edx`,
    log: ["w 0 2 10", "r 0 2", "r 0 2", "r 0 2", "r 0 2"],
    regs: { rax: 0xc09300n, rcx: 0xffffffffn, rdx: 0x101n },
  },
  {
    name: "descriptors in a device are read there and marked there",
    code: `${GDT}
      mov $9, %ecx; mov $gdt, %rsi; mov %rbx, %rdi; rep movsq
      movw $0x47, buffer; mov %rbx, buffer + 2; lgdt buffer
      mov $0x18, %eax; ltr %ax; mov $0x28, %eax; lldt %ax; lgdt gdtr
      str %eax; sldt %ecx`,
    log: [
      "w 0 8 0",
      "w 8 8 af9b000000ffff",
      "w 10 8 cf93000000ffff",
      "w 18 8 890010000067",
      "w 20 8 0",
      "w 28 8 820020000027",
      "w 30 8 0",
      "w 38 8 cf13000000ffff",
      "w 40 8 cf9b000000ffff",
      "r 18 8",
      "r 20 8",
      "r 1d 1",
      "w 1d 1 8b",
      "r 28 8",
      "r 30 8",
    ],
    regs: { rax: 0x18n, rcx: 0x28n },
  },
];

const strings: readonly Probe[] = [
  {
    name: "MOVS between a device and RAM",
    code: `mov %rbx, %rsi; mov $buffer, %edi; movsb; movsw; movsl; movsq
      mov $buffer, %esi; lea 0x100(%rbx), %rdi; movsq; movsb`,
    log: [
      "r 0 1",
      "r 1 2",
      "r 3 4",
      "r 7 8",
      "w 100 8 8877665544332211",
      "w 108 1 11",
    ],
    buffer: [FILL],
  },
  {
    name: "MOVS from device to device",
    code: `mov %rbx, %rsi; lea 0x100(%rbx), %rdi; mov $2, %ecx; rep movsl`,
    log: ["r 0 4", "w 100 4 44332211", "r 4 4", "w 104 4 88776655"],
    regs: { rcx: 0n, rsi: 0xfd000008n, rdi: 0xfd000108n },
  },
  {
    name: "REP MOVS from a device, backwards",
    code:
      `lea 0x12(%rbx), %rsi; mov $buffer + 18, %edi; mov $3, %ecx; std; rep movsw; cld`,
    log: ["r 12 2", "r 10 2", "r e 2"],
    regs: { rcx: 0n, rsi: 0xfd00000cn },
  },
  {
    name: "REP with RCX = 0 does nothing",
    code: `xor %ecx, %ecx; mov %rbx, %rsi; mov %rbx, %rdi; rep movsb; rep stosq
      rep lodsb; repe cmpsb; repne scasb`,
    log: [],
  },
  {
    name: "STOS and LODS",
    code: `mov %rbx, %rdi; mov $0x1234, %eax; mov $3, %ecx; rep stosw
      lea 16(%rbx), %rsi; lodsq; mov $2, %ecx; rep lodsb`,
    log: [
      "w 0 2 1234",
      "w 2 2 1234",
      "w 4 2 1234",
      "r 10 8",
      "r 18 1",
      "r 19 1",
    ],
    regs: { rax: 0x8877665544332222n, rsi: 0xfd00001an },
  },
  {
    name: "REPE CMPS and REPNE SCAS end where they must",
    code: `movl $0x44332211, buffer; movl $0x99, buffer + 4
      mov %rbx, %rsi; mov $buffer, %edi; mov $9, %ecx; repe cmpsb; setz %r8b
      lea 0x20(%rbx), %rdi; mov $0x33, %al; mov $9, %edx; xchg %ecx, %edx
      repne scasb; setz %r9b`,
    log: [
      "r 0 1",
      "r 1 1",
      "r 2 1",
      "r 3 1",
      "r 4 1",
      "r 20 1",
      "r 21 1",
      "r 22 1",
    ],
    regs: { rcx: 6n, rdx: 4n, rsi: 0xfd000005n, rdi: 0xfd000023n },
  },
  {
    name: "INS and OUTS with memory in a device",
    code: `mov $0xe0, %edx; mov %rbx, %rdi; mov $2, %ecx; rep insw
      lea 8(%rbx), %rsi; mov $3, %ecx; rep outsb`,
    log: ["w 0 2 ffff", "w 2 2 ffff", "r 8 1", "r 9 1", "r a 1"],
    regs: { rcx: 0n },
  },
];

const faults: readonly Probe[] = [
  {
    name: "#DE of DIV",
    code: `mov $-1, %rax; mov $-1, %rdx
it:   divq (%rbx)`,
    log: ["r 0 8"],
    fault: { vector: 0 },
    regs: { rax: 0xffffffffffffffffn, rdx: 0xffffffffffffffffn },
  },
  {
    name: "#DE of IDIV by zero",
    code: `it: idivl (%rbx)`,
    window: { 0: 0n },
    log: ["r 0 4"],
    fault: { vector: 0 },
  },
  {
    name: "#GP of MOV SS",
    code: `it: mov (%rbx), %ss`,
    window: { 0: 0x30n },
    log: ["r 0 2"],
    fault: { vector: 13, error: 0x30n },
  },
  {
    name: "#NP of LFS, and the register stays",
    code: `${GDT}
      mov $7, %eax
it:   lfsl (%rbx), %eax`,
    window: { 0: 0x3800001234n },
    log: ["r 0 4", "r 4 2"],
    fault: { vector: 11, error: 0x38n },
    regs: { rax: 7n },
  },
  {
    name: "#GP of a JMP to where RIP may not be",
    code: `it: jmp *(%rbx)`,
    window: { 0: 1n << 47n },
    log: ["r 0 8"],
    fault: { vector: 13, error: 0n },
  },
  {
    name: "#GP of LGDT with such a base",
    code: `it: lgdt (%rbx)`,
    window: { 0: 0x27n, 8: 0x8000n },
    log: ["r 0 2", "r 2 8"],
    fault: { vector: 13, error: 0n },
  },
  {
    name: "#GP of LDMXCSR with reserved bits",
    code: `it: ldmxcsr (%rbx)`,
    log: ["r 0 4"],
    fault: { vector: 13, error: 0n },
  },
  {
    name: "#GP of LTR of what is no TSS",
    code: `${GDT}
it:   ltr (%rbx)`,
    window: { 0: 16n },
    log: ["r 0 2"],
    fault: { vector: 13, error: 16n },
  },
  {
    name: "#GP of a misaligned MOVAPS, which accesses nothing",
    code: `it: movaps 8(%rbx), %xmm0`,
    log: [],
    fault: { vector: 13, error: 0n },
  },
  {
    name: "#SS of PUSH: the stack is where none can be",
    code: `${ist(12)}
      mov $1, %eax; shl $63, %rax; mov %rax, %rsp
it:   pushq (%rbx)`,
    log: ["r 0 8"],
    fault: { vector: 12, error: 0n },
  },
  {
    name: "#PF of PUSH: the stack is not there",
    code: `${ist(14)}
      mov $0x140000008, %rsp
it:   pushq (%rbx)`,
    log: ["r 0 8"],
    fault: { vector: 14, error: 2n, cr2: 0x140000000n },
  },
  {
    name: "#PF of POP to a page that is not there",
    code: `mov $0x140000000, %rcx; mov %rsp, %r8; mov %rbx, %rsp
${ist(14)}
it:   popq (%rcx)`,
    log: ["r 0 8"],
    fault: { vector: 14, error: 2n, cr2: 0x140000000n },
  },
  {
    name: "#PF of MOVS from a device",
    code: `mov %rbx, %rsi; mov $0x140000000, %rdi
it:   movsl`,
    log: ["r 0 4"],
    fault: { vector: 14, error: 2n, cr2: 0x140000000n },
    regs: { rsi: 0xfd000000n, rdi: 0x140000000n },
  },
  {
    name: "#PF of REP MOVS from a device, after some iterations",
    code: `mov $1, %eax; shl $30, %rax; sub $4, %rax
      mov %rbx, %rsi; mov %rax, %rdi; mov $4, %ecx
it:   rep movsw`,
    // the last bytes of the first GiB are no memory: writes there vanish
    log: ["r 0 2", "r 2 2", "r 4 2"],
    fault: { vector: 14, error: 2n, cr2: 0x40000000n },
    regs: { rcx: 2n, rsi: 0xfd000004n, rdi: 0x40000000n },
  },
  {
    name: "#PF of REP MOVS to a device: what was written stays",
    code: `mov $0x1401ffffc, %rsi
      mov %rbx, %rdi; mov $4, %ecx
      movq $0x7003, 0x2028; movq $0x83, 0x7000; movl $0x44332211, 0x1ffffc
it:   rep movsw`,
    log: ["w 0 2 2211", "w 2 2 4433"],
    fault: { vector: 14, error: 0n, cr2: 0x140200000n },
    regs: { rcx: 2n, rdi: 0xfd000004n },
  },
  {
    name: "#NM of FILD, which accesses nothing",
    code: `mov %cr0, %rax; or $8, %rax; mov %rax, %cr0
it:   fildl (%rbx)`,
    log: [],
    fault: { vector: 7 },
  },
  {
    name: "#MF pending before FLD, which accesses nothing",
    code: `fninit; movw $0x037b, buffer; fldcw buffer; fld1; fdivs buffer + 16
it:   flds (%rbx)`,
    log: [],
    fault: { vector: 16 },
  },
  {
    name: "#XM of an unmasked SIMD exception",
    code: `movl $0x1d80, buffer; ldmxcsr buffer; movl $1, buffer
      cvtsi2ss buffer, %xmm0
it:   divss (%rbx), %xmm0`,
    window: { 0: 0n },
    log: ["r 0 4"],
    fault: { vector: 19 },
  },
  {
    name: "#UD of LOCK where it may not be",
    code: `it: lock; movl $1, (%rbx)`,
    log: [],
    fault: { vector: 6 },
  },
  {
    name: "#PF of INS to a page that is not there",
    code: `mov $0x140000000, %rdi; mov $0xe0, %edx
it:   insb`,
    log: [],
    fault: { vector: 14, error: 2n, cr2: 0x140000000n },
  },
];

/** DR7 for breakpoint 0: `rw` 0 execution, 1 writes, 3 any access; `len` bytes - 1. */
const dr = (address: string, rw: number, len: number) =>
  `lea ${address}, %rax; mov %rax, %dr0
   mov $0x${
    (0x402 + (rw << 16) + (len << 18)).toString(16)
  }, %eax; mov %rax, %dr7`;
const END = "xor %eax, %eax; mov %rax, %dr7";
/** TF on and off. */
const TF = "pushf; orl $0x100, (%rsp); popf";
const noTf = (label: string) =>
  `pushf
${label}1:   andl $~0x100, (%rsp)
${label}2:   popf`;

const debug: readonly Probe[] = [
  {
    name: "a data breakpoint on a device: reads and writes",
    code: `${dr("8(%rbx)", 3, 3)}
      mov 8(%rbx), %eax
a:    mov %al, 11(%rbx)
b:    mov 12(%rbx), %eax
      mov %eax, 4(%rbx)
      ${END}`,
    log: ["r 8 4", "w b 1 11", "r c 4", "w 4 4 88776655"],
    traps: [[1n, "a"], [1n, "b"]],
  },
  {
    name: "one for writes only, met by a read-modify-write",
    code: `${dr("8(%rbx)", 1, 3)}
      mov 8(%rbx), %eax
      incl 8(%rbx)
a:    ${END}`,
    log: ["r 8 4", "r 8 4", "w 8 4 44332212"],
    traps: [[1n, "a"]],
  },
  {
    name: "one for every vector, x87 and far access",
    code: `${dr("8(%rbx)", 3, 0)}
      movaps (%rbx), %xmm0
a:    fldt 4(%rbx)
b:    lgdt (%rbx)
c:    pushq 1(%rbx)
d:    ${END}`,
    window: { 0: 0x40000017n, 8: 0n },
    log: ["r 0 8", "r 8 8", "r 4 8", "r c 2", "r 0 2", "r 2 8", "r 1 8"],
    traps: [[1n, "a"], [1n, "b"], [1n, "c"], [1n, "d"]],
  },
  {
    name: "one on RAM that a string move from a device writes",
    code: `${dr("buffer + 4", 1, 3)}
      mov %rbx, %rsi; mov $buffer, %edi; mov $8, %ecx
a:    rep movsb
b:    ${END}`,
    log: [
      "r 0 1",
      "r 1 1",
      "r 2 1",
      "r 3 1",
      "r 4 1",
      "r 5 1",
      "r 6 1",
      "r 7 1",
    ],
    traps: [[1n, "a"], [1n, "a"], [1n, "a"], [1n, "b"]],
    buffer: [FILL],
  },
  {
    name: "one on RAM that a string move to a device reads",
    code: `${dr("buffer", 3, 0)}
      mov $buffer, %esi; mov %rbx, %rdi
      movsb
a:    ${END}`,
    log: ["w 0 1 0"],
    traps: [[1n, "a"]],
  },
  {
    name: "one on RAM that string I/O accesses",
    code: `${dr("buffer", 3, 1)}
      mov $0xe0, %edx; mov $buffer, %edi; mov $2, %ecx
a:    rep insb
b:    mov $buffer, %esi; outsb
c:    ${END}`,
    log: [],
    traps: [[1n, "a"], [1n, "b"], [1n, "c"]],
  },
  {
    name: "a faulting instruction has met none",
    code: `${dr("(%rbx)", 3, 3)}
      mov $0x140000000, %rdi; mov %rbx, %rsi
it:   movsl`,
    log: ["r 0 4"],
    fault: { vector: 14, error: 2n },
  },
  {
    name: "TF traps after a device access, and after every iteration of a REP",
    code: `mov %rbx, %rsi; mov $buffer, %edi; mov $3, %ecx
      ${TF}
      mov (%rbx), %eax
a:    rep movsb
b:    mov %eax, 16(%rbx)
c:    ${noTf("c")}
d:    nop`,
    log: ["r 0 4", "r 0 1", "r 1 1", "r 2 1", "w 10 4 44332211"],
    traps: [
      [0x4000n, "a"],
      [0x4000n, "a"],
      [0x4000n, "a"],
      [0x4000n, "b"],
      [0x4000n, "c"],
      [0x4000n, "c1"],
      [0x4000n, "c2"],
      [0x4000n, "d"],
    ],
  },
  {
    name: "TF with REP OUTS and REP INS",
    code:
      `mov $buffer, %esi; mov $buffer + 64, %edi; mov $2, %ecx; mov $0xe0, %edx
      ${TF}
a:    rep outsb
b:    mov $2, %ecx
c:    rep insb
d:    ${noTf("d")}
e:    nop`,
    log: [],
    traps: [
      [0x4000n, "a"],
      [0x4000n, "b"],
      [0x4000n, "c"],
      [0x4000n, "c"],
      [0x4000n, "d"],
      [0x4000n, "d1"],
      [0x4000n, "d2"],
      [0x4000n, "e"],
    ],
  },
  {
    name:
      "RF is over after the instruction: a code breakpoint on the next one hits",
    code: `${dr("a(%rip)", 0, 0)}
      push $16; lea (%rsp), %rcx; push %rcx; pushf; orl $0x10000, (%rsp)
      push $8; push $1f; iretq
1:    mov (%rbx), %eax
a:    nop
      ${END}`,
    log: ["r 0 4"],
    traps: [[1n, "a"]],
  },
  {
    name: "MOV SS from a device holds a data breakpoint's trap back by one",
    code: `${dr("(%rbx)", 3, 1)}
      mov (%rbx), %ss
      nop
a:    ${END}`,
    window: { 0: 16n },
    log: ["r 0 2"],
    traps: [[1n, "a"]],
  },
];

const compatibility: readonly Probe[] = [
  {
    name: "32-bit code: LES, PUSHA, POPA and far RET",
    code: `${GDT}
      mov %rsp, %r8; push $0x40; push $1f; lretq
      .code32
1:    movl $0x1234, (%ebx); movw $16, 4(%ebx)
      les (%ebx), %edi
      lea 0x800(%ebx), %esp; pusha; popa; push $8; push $2f; lret
      .code64
2:    mov %r8, %rsp; mov %es, %ecx`,
    log: null, // the differences tell, and what comes back
    regs: { rdi: 0x1234n, rcx: 16n },
  },
  {
    name: "32-bit code: #BR of BOUND",
    code: `${GDT}
      push $0x40; push $1f; lretq
      .code32
1:    mov $0x55, %eax
it:   bound %eax, (%ebx)
      .code64`,
    window: { 0: 0x5400000010n },
    log: ["r 0 4", "r 4 4"],
    fault: { vector: 5 },
  },
];

/** All of them. */
export const PROBES: readonly Probe[] = [
  ...moves,
  ...arithmetic,
  ...stack,
  ...flow,
  ...x87,
  ...vectors,
  ...system,
  ...strings,
  ...faults,
  ...debug,
  ...compatibility,
];
