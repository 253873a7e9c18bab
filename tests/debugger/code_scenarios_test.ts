/** Breakpoints where code moves, is mapped twice or not yet, or looks at itself. */
import { scenario } from "./scenario.ts";
import { SECOND_PROCESSOR, START_SECOND } from "./second_processor.ts";

scenario({
  name: "a loader copies the kernel over a breakpoint",
  inProcessor: true,
  asm: `
_start: mov $image, %esi
        mov $0x800000, %edi
        mov $64, %ecx
        rep movsb
        mov $0x800000, %eax
        call *%rax
done:   quit
image:  mov $7, %ebx
        inc %ebx
        ret
        .skip 64
`,
  lines: [
    "break *0x800005",
    "continue",
    "print $rbx",
    "stepi",
    "print $rbx",
    "x/i 0x800005",
  ],
  said: [
    /Breakpoint 1, 0x0+800005/,
    /\$1 = 7\n/,
    /\$2 = 8\n/,
    /inc +%ebx/,
  ],
});

scenario({
  name: "two programs at one address; the break is in either",
  asm: `
_start: space first, first_pdpt
        space second, second_pdpt
        movq $pd_a + 7, first_pdpt + 8
        movq $pd_b + 7, second_pdpt + 8
        movq $pt_a + 7, pd_a
        movq $pt_b + 7, pd_b
        movq $program_a + 7, pt_a
        movq $program_b + 7, pt_b
        mov $first, %eax
        mov %rax, %cr3
ready:  mov $3, %ebp
loop:   mov $first, %eax
        mov %rax, %cr3
        mov $0x40000000, %ecx
        call *%rcx
        mov $second, %eax
        mov %rax, %cr3
        mov $0x40000000, %ecx
        call *%rcx
        dec %ebp
        jnz loop
        quit
        .balign 4096
program_a: mov $0xa, %ebx
        nop
        ret
        .balign 4096
program_b: mov $0xb, %ebx
        nop
        ret
        .bss
        .balign 4096
        .irp name, first, first_pdpt, second, second_pdpt, pd_a, pd_b, pt_a, pt_b
\\name: .skip 4096
        .endr
`,
  inProcessor: true,
  lines: [
    "hbreak ready",
    "continue",
    "delete",
    "break *0x40000005",
    ...Array.from({ length: 4 }, () => ["continue", "print $rbx"]).flat(),
    "delete",
    "continue",
  ],
  said: [/= 10\n/, /= 11\n/, /= 10\n/, /= 11\n/, /exited with code 01|exited/],
});

scenario({
  name: "six breaks in the high half before it is mapped",
  inProcessor: true,
  asm: `
_start: mov %cr3, %rsi
        movq $pdpt + 7, 511 * 8(%rsi)
        movq $pd + 7, pdpt + 510 * 8
        movq $0x200000 + 0x87, pd + 8
        mov %rsi, %cr3
        mov $0xffffffff80000000, %rax
        add $high, %rax
        jmp *%rax
high:   .rept 6
        nop
        .endr
        quit
        .bss
        .balign 4096
pdpt:   .skip 4096
pd:     .skip 4096
`,
  lines: [
    ...[0, 1, 2, 3, 4, 5].map((n) =>
      `break *(0xffffffff80000000 + (long)&high + ${n})`
    ),
    ...[0, 1, 2, 3, 4, 5].flatMap(() => [
      "continue",
      'printf "AT %d\\n", $pc - 0xffffffff80000000 - (long)&high',
    ]),
  ],
  said: [/AT 0/, /AT 1/, /AT 2/, /AT 3/, /AT 4/, /AT 5/],
});

scenario({
  name: "the guest sums up code that has breakpoints",
  inProcessor: true,
  asm: `
_start: call sum
        mov %rax, %rbx
ready:  mov $3, %ebp
1:      call sum
        cmp %rax, %rbx
        jne wrong
        dec %ebp
        jnz 1b
right:  quit
wrong:  quit
sum:    xor %eax, %eax
        mov $_start, %esi
2:      rol $3, %rax
        xor (%rsi), %al
        inc %rsi
        cmp $sum_end, %rsi
        jne 2b
        ret
sum_end: nop
`,
  lines: [
    "hbreak ready",
    "continue",
    "delete",
    "break sum if $rsi == 1",
    "break *sum_end",
    "break right",
    "break wrong",
    "continue",
  ],
  said: [/Breakpoint \d+, right/],
});

scenario({
  name: "a page at two addresses, run at the other one",
  asm: `
_start: mov %cr3, %rsi
        movq $pdpt + 7, 511 * 8(%rsi)
        movq $pd + 7, pdpt + 510 * 8
        movq $0x200000 + 0x87, pd + 8
        mov %rsi, %cr3
        mov $1000, %ebp
1:      mov $0xffffffff80000000, %rax
        add $fn, %rax
        call *%rax
        dec %ebp
        jnz 1b
        call fn
        quit
fn:     incl count
        ret
        .data
count:  .long 0
        .bss
        .balign 4096
pdpt:   .skip 4096
pd:     .skip 4096
`,
  lines: ["break fn", "continue", "print *(int *)&count", "print $pc == fn"],
  said: [/Breakpoint 1, fn/, /= 1000\n/, /= 1\n/],
});

const SMP = `${START_SECOND}
1:      pause
        cmpl $0, flag
        je 1b
        quit
${SECOND_PROCESSOR}
ap64:   movl $1, %ebx
        movl $5, flag
wrote:  nop
        hlt
        .data
        .globl flag
flag:   .long 0
`;

scenario({
  name: "hbreak and watch on a processor that starts",
  inProcessor: true,
  asm: SMP,
  options: { cpus: 2 },
  lines: [
    "hbreak ap64",
    "watch *(int *)&flag",
    "continue",
    'printf "A %d %d\\n", $_thread, $pc == ap64',
    "continue",
    'printf "B %d %d\\n", $_thread, $pc == wrote',
  ],
  said: [/A 2 1\n/, /B 2 1\n/],
});

const AT = 'printf "AT %d %d %d\\n", $pc == one, $pc == two, $pc == wrote';

scenario({
  name: "all kinds outlive resets",
  inProcessor: true,
  asm: `
_start: nop
one:    nop
two:    nop
        movl $5, word
wrote:  nop
        mov $0xfe, %al
        out %al, $0x64
1:      jmp 1b
        .data
word:   .long 0
`,
  lines: [
    "break one",
    "hbreak two",
    "watch *(int *)&word",
    ...Array.from({ length: 5 }, () => ["continue", AT]).flat(),
    "monitor reset",
    "maintenance flush register-cache",
    "continue",
    AT,
  ],
  // After a reset the word is 0 again: gdb goes on where nothing has changed.
  said: [
    /AT 1 0 0/,
    /AT 0 1 0/,
    /AT 0 0 1/,
    /AT 1 0 0/,
    /AT 0 1 0/,
    /AT 1 0 0/,
  ],
});

scenario({
  name: "100 breakpoints, each told once and in order",
  asm: `
_start: ${
    Array.from({ length: 100 }, (_, i) => `call f${i * 7 % 100}`).join("\n")
  }
        quit
${Array.from({ length: 100 }, (_, i) => `f${i}: incl ticks\nret`).join("\n")}
`,
  options: { cpus: 2 },
  lines: [
    "python [gdb.Breakpoint('*f%d' % i) for i in range(100)]",
    "python name = lambda: (gdb.execute('continue', to_string=True), gdb.selected_frame().name())[1]",
    "python seen = [name() for i in range(100)]",
    "python print('SEEN', seen == ['f%d' % (i * 7 % 100) for i in range(100)])",
  ],
  said: [/SEEN True/],
});
