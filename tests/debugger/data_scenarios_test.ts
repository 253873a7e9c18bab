/** Watchpoints, conditions, memory and system registers. */
import { scenario } from "./scenario.ts";

const C = `
_start: call cmain
        quit
`;

/** Ways to write, each with a label behind it. */
const WRITES = [
  ["mov", "movl $1, word"],
  ["push", "mov %rsp, %rbx\nmov $word + 8, %esp\npush $2"],
  ["call", "mov $word + 8, %esp\ncall 1f\n1:"],
  ["xadd", "mov %rbx, %rsp\nmov $3, %eax\nlock xadd %eax, word"],
  ["cmpxchg8b", "mov word, %eax\nmov word + 4, %edx\ncmpxchg8b word"],
  ["bts", "mov $word - 64, %edi\nmov $575, %eax\nbtsl %eax, (%rdi)"],
  ["stos", "mov $word, %edi\nmov $9, %al\nmov $1, %ecx\nrep stosb"],
  ["ins", "mov $word, %edi\nmov $0x71, %dx\ninsb"],
  ["movs", "mov $0xfee00030, %esi\nmov $word, %edi\nmovsl"],
  ["fnstcw", "fnstcw word"],
  ["sgdt", "sgdt word - 2"],
] as const;

scenario({
  name: "a watchpoint stops behind every way to write",
  asm: `
_start: nop
${WRITES.map(([name, code]) => `${code}\n${name}_: nop`).join("\n")}
        quit
        .data
        .balign 64
        .skip 64
word:   .quad 0
        .skip 64
`,
  lines: [
    "stepi",
    "watch *(long *)&word",
    ...WRITES.flatMap(([name]) => [
      "continue",
      // A CALL is where it goes.
      `printf "${name} %d\\n", $pc == (long)&${name}_`,
    ]),
  ],
  said: WRITES.map(([name]) => new RegExp(`\\n${name} 1\\n`)),
});

scenario({
  name: "watching an odd field, 40 bytes, five variables, and a local",
  inProcessor: true,
  asm: C,
  c: `
struct big { char pad; int odd __attribute__((packed)); long rest[5]; } big;
volatile int a, b, c, d, e;
int local(int n) { volatile int l = 1; l += n; return l; }
void cmain(void)
{
  big.odd = 5;
  big.rest[4] = 6;
  a = 1; b = 2; c = 3; d = 4; e = 5;
  a = local(8);
}
`,
  lines: [
    "break cmain",
    "continue",
    "watch big.odd",
    "watch big.rest",
    "watch a",
    "watch b",
    "watch c",
    "watch d",
    "watch e",
    ...Array.from({ length: 7 }, () => "continue"),
    "delete",
    "break local",
    "continue",
    "watch l",
    "continue",
    "continue",
    "continue",
  ],
  said: [
    ...["big.odd", "big.rest", "a", "b", "c", "d", "e"].map((name) =>
      new RegExp(`Hardware watchpoint \\d+: ${name}\\n`)
    ),
    ...["big.odd", "big.rest", "a", "b", "c", "d", "e"].map((name) =>
      new RegExp(`\\nHardware watchpoint \\d+: ${name}\\n`)
    ),
    /Hardware watchpoint \d+: l\n[^]*New value = 1\n/,
    /Hardware watchpoint \d+: l\n[^]*New value = 9\n/,
    /deleted because the program has left the block/,
  ],
});

const CONDITIONS = [
  "i == 3",
  "$rsi == 3",
  "$si == 3",
  "$sil == 3",
  "$edx == -3000",
  "(int)$rdx < -4500",
  "p->v == 2",
  "p->v < 0 && i > 2",
  "p->next->v == 0",
  "p->s == -5",
  "p->c == -6",
  "p->big == ~0ul - 4",
  "p->name[0] == 102",
  "$cs != 0 && i == 1",
  "p == &n[7]",
  "i % 3 == 2",
  "w / 1000 == -4",
];

scenario({
  name: "conditions judged in the stub and by gdb agree",
  asm: C,
  c: `
struct node { int v; struct node *next; short s; signed char c; unsigned long big; char name[8]; };
struct node n[8];
volatile long sink;
__attribute__((noinline)) void visit(struct node *p, int i, long w)
{
  sink = p->v + i + w;
}
void cmain(void)
{
  for (int i = 0; i < 8; i++) {
    n[i].v = i - 4; n[i].next = &n[(i + 1) & 7]; n[i].s = -i; n[i].c = -i;
    n[i].big = ~0ul - i; n[i].name[0] = 'a' + i;
  }
again:
  for (int i = 0; i < 8; i++) visit(&n[i], i, -1000L * i);
  asm volatile(".globl round; round: nop");
  goto again;
}
`,
  lines: [
    "hbreak round",
    "continue",
    "delete",
    "python hits = lambda: (gdb.execute('continue', to_string=True)," +
    " int(gdb.parse_and_eval('i')) if gdb.selected_frame().name() == 'visit' else None)[1]",
    "python turn = lambda: list(iter(hits, None))",
    "python brk = lambda c: (gdb.execute('delete'), setattr(gdb.Breakpoint('*visit'), 'condition', None)," +
    " gdb.execute('delete'), gdb.execute('break visit if ' + c, to_string=True), gdb.Breakpoint('*round'))",
    "python both = lambda c: [(gdb.execute('set breakpoint condition-evaluation ' + m), brk(c), turn())[2]" +
    " for m in ('target', 'host')]",
    ...CONDITIONS.map((c) =>
      `python r = both('${c}'); print('COND', r[0] == r[1] and len(r[0]) > 0, '${c}', r)`
    ),
  ],
  said: CONDITIONS.map(() => /\nCOND True /),
  unsaid: /COND False|Error/,
});

/** REPs of 500 iterations, where a condition is to stop them, and how many are left. */
const REPEATED = [
  ["rep movsb", "$rcx == 499", 499],
  ["rep stosq", "$rdi == (long)&to + 8 * 100", 400],
  ["rep lodsw", "*(short *)$rsi == 4660", 401],
  ["repe cmpsb", "($eflags & 0x40) && $rcx == 4", 4],
  ["repne scasl", "!($eflags & 0x40) && $rcx == 2", 2],
] as const;

scenario({
  name: "a condition is judged before each iteration of a REP",
  asm: `
_start: movw $4660, from + 2 * 99
${
    REPEATED.map(([instruction], i) => `
        mov $from, %esi
        mov $${instruction === "repe cmpsb" ? "from" : "to"}, %edi
        mov $500, %ecx
        mov $${i + 1}, %eax
        cmp %eax, %eax
        cld
rep${i}:   ${instruction}
end${i}:   nop`).join("\n")
  }
        quit
        .bss
        .balign 4096
from:   .skip 1000
to:     .skip 4000
`,
  lines: [
    "stepi",
    ...REPEATED.flatMap(([_, condition], i) => [
      `break *&rep${i} if ${condition}`,
      `hbreak *&end${i}`,
      "continue",
      `printf "rep${i} %d with %d\\n", $pc == (long)&rep${i}, $rcx`,
      "continue",
      `printf "end${i} %d with %d\\n", $pc == (long)&end${i}, $rcx`,
      "delete",
    ]),
  ],
  said: REPEATED.flatMap(([, , left], i) => [
    new RegExp(`rep${i} 1 with ${left}\n`),
    new RegExp(`end${i} 1 with 0\n`),
  ]),
});

scenario({
  name: "load, compare, restore, dump, find, and reads off what is mapped",
  asm: `
_start: mov %cr3, %rsi
        movq $pdpt + 7, 8(%rsi)
        movq $pd + 7, pdpt
        movq $pt + 7, pd
        movq $page_a + 7, pt
        movq $page_b + 1, pt + 8
        mov %rsi, %cr3
here:   jmp here
        .bss
        .balign 4096
        .irp name, pdpt, pd, pt, page_a, page_b
\\name: .skip 4096
        .endr
`,
  lines: [
    "hbreak here",
    "continue",
    "delete",
    "load",
    "compare-sections .text",
    "print $pc == (long)&_start",
    "python import os; open('FOLDER/in', 'wb').write(os.urandom(3000000))",
    "restore FOLDER/in binary 0x1000000",
    "dump binary memory FOLDER/out 0x1000000 0x1000000+3000000",
    "python print('SAME', open('FOLDER/in', 'rb').read() == open('FOLDER/out', 'rb').read())",
    "set var *(long *)0x12340f1 = 0x4142434445464748",
    "find /g 0x1200000, +0x80000, 0x4142434445464748",
    "find 0x1200001, +0x80000, (long)0x4142434445464748",
    "set $m = 0x8000000000",
    "set var *(long *)($m + 0xff8) = 0x1122334455667788",
    "set var *(long *)($m + 0x1000) = 0x99",
    "x/2xg $m + 0xff8",
    "python print('LEN', len(gdb.selected_inferior().read_memory(0x8000000ff0, 0x1010)))",
    "x/4xb $m + 0x1ffe",
  ],
  said: [
    /matched/,
    /= 1\n/,
    /SAME True/,
    /0x12340f1\n1 pattern found/,
    /0x12340f1\n1 pattern found/,
    /0x8000000ff8.*0x1122334455667788.*0x0+99/,
    /LEN 4112/,
    /Cannot access memory at address 0x8000002000/,
  ],
});

scenario({
  name: "physical memory while paging maps it elsewhere",
  asm: `
_start: mov %cr3, %rsi
        mov (%rsi), %rdi
        and $~0xfff, %rdi
        movq $pd + 7, 8(%rdi)
        movq $0x200087, pd
        movq $0, pd + 8
        mov %rsi, %cr3
here:   call fn
        jmp here
fn:     nop
        ret
        .bss
        .balign 4096
pd:     .skip 4096
`,
  lines: [
    "break fn",
    "continue",
    "x/1xw 0x40200000",
    "x/1xb 0x40000000 + ((long)&fn & 0x1fffff)",
    "maintenance packet Qqemu.PhyMemMode:1",
    "maintenance flush dcache",
    "set var *(int *)0x1400000 = 0x5a5a1234",
    "x/1xw 0x1400000",
    "x/1xw 0x40000000",
    "maintenance packet Qqemu.PhyMemMode:0",
    "maintenance flush dcache",
    "x/1xw 0x1400000",
    "continue",
  ],
  said: [
    /Breakpoint 1, fn/,
    /Cannot access memory at address 0x40200000/,
    /0x\w+:\t0x90\n/,
    /0x1400000:\t0x5a5a1234/,
    /Cannot access memory at address 0x40000000/,
    /0x1400000:\t0x5a5a1234/,
    /Breakpoint 1, fn/,
  ],
});

scenario({
  name: "breakpoints and watchpoints at both ends of the address space",
  asm: `
_start: mov %cr3, %rsi
        mov (%rsi), %rax
        mov %rax, 273 * 8(%rsi)
        mov %rax, 254 * 8(%rsi)
        mov %rsi, %cr3
begin:  mov $0xffff888000000000, %rbx
        call go
        mov $0x7f0000000000, %rbx
        call go
        quit
go:     lea fn(%rbx), %rcx
        jmp *%rcx
fn:     nop
        mov $0xffff888003000000, %rdi
        movl $0x55, (%rdi)
wrote:  ret
`,
  lines: [
    "hbreak begin",
    "continue",
    "delete",
    "break *(0xffff888000000000 + (long)&fn)",
    "hbreak *(0x7f0000000000 + (long)&fn)",
    "watch *(int *)0xffff888003000000",
    "continue",
    'printf "A %#lx\\n", $pc - (long)&fn',
    "continue",
    'printf "B %#lx %#x\\n", $pc - (long)&wrote, *(int *)0xffff888003000000',
    "continue",
    'printf "C %#lx\\n", $pc - (long)&fn',
  ],
  said: [
    /A 0xffff888000000000/,
    /B 0xffff888000000000 0x55/,
    /C 0x7f0000000000/,
  ],
});

scenario({
  name: "CR3 and base registers written in gdb are what the guest has",
  asm: `
_start: space other, other_pdpt
        movq $pd + 7, other_pdpt + 0x7f * 8
        movq $0x200087, pd
here:   mov %gs:0x10, %rbx
        swapgs
        mov %gs:0x18, %rcx
        mov %fs:0x20, %rdx
after:  jmp after
        .data
        .balign 16
area:   .quad 0, 0, 0xa10, 0xa18, 0xa20
        .bss
        .balign 4096
        .irp name, other, other_pdpt, pd
\\name: .skip 4096
        .endr
`,
  lines: [
    "hbreak here",
    "continue",
    "delete",
    "set $old = (unsigned long)$cr3",
    "x/1xb 0x1fc0000000 + ((long)&after & 0x1fffff)",
    "set $cr3 = (unsigned long)&other",
    "maintenance flush dcache",
    "x/1xb 0x1fc0000000 + ((long)&after & 0x1fffff)",
    "set $cr3 = $old",
    "maintenance flush dcache",
    "x/1xb 0x1fc0000000 + ((long)&after & 0x1fffff)",
    "set $gs_base = (unsigned long)&area",
    "set $k_gs_base = (unsigned long)&area",
    "set $fs_base = (unsigned long)&area",
    "hbreak after",
    "continue",
    'printf "R %#lx %#lx %#lx\\n", $rbx, $rcx, $rdx',
  ],
  said: [
    /Cannot access memory/,
    /0x1fc0\w+:\t0xeb\n/,
    /Cannot access memory/,
    /R 0xa10 0xa18 0xa20/,
  ],
});
