/** Stepping, jumping and calling where flags, gates and halts are in the way. */
import { assertEquals, assertMatch } from "@std/assert";
import { testPlatform } from "../util/platform.ts";
import { Mi, scenario } from "./scenario.ts";

/** Steps until `last`, and says the offsets from `first`, or from `handler` with an h. */
const WALK = [
  "python at = lambda n: int(gdb.parse_and_eval('(unsigned long)' + n))",
  "python h = lambda p: 'h+%d' % (p - at('&handler'))" +
  " if at('&handler') <= p < at('&handler') + 8 else '+%d' % (p - at('&first'))",
  "python step = lambda: (h(at('$pc')), gdb.execute('stepi', to_string=True))[0]",
];

scenario({
  name: "a step is one instruction where flags and events are changed",
  asm: `
_start: gate 0x80, handler
        timer 300
        mov %ss, %ecx
first:  sti
        nop
        pushfq
        pop %rax
        mov %cx, %ss
        nop
        pushfq
        popfq
        int $0x80
        mov %ss, %edi
        mov %cs, %edx
        mov %rsp, %r9
        push %rdi
        push %r9
        pushfq
        push %rdx
        push $back
        iretq
back:   hlt
        cli
last:   quit
handler: mov 16(%rsp), %rbx
        iretq
`,
  lines: [
    "hbreak first",
    "continue",
    "delete",
    ...WALK,
    "python print('SEQ', ' '.join(step() for i in range(22)), at('$pc') == at('&last'))",
    "print/x $rax & 0x100",
    "print/x $rbx & 0x100",
    "print/x $eflags & 0x100",
  ],
  said: [
    /SEQ \+0 \+1 \+2 \+3 \+4 \+6 \+7 \+8 \+9 h\+0 h\+5 \+11 \+13 \+15 \+18 \+19 \+21 \+22 \+23 \+28 \+30 \+31 True/,
    /= 0x0\n/,
    /= 0x0\n/,
    /= 0x0\n/,
  ],
});

// On the native library time goes on by the host's clock while gdb is asked.
const TICKING = `
_start: timer ${testPlatform() === "soft" ? 200 : 100_000}
        call cmain
        quit
`;
const FLOW = `
extern volatile int ticks;
volatile int sink;
static void *env[5];
__attribute__((noinline)) int down(int n)
{
  if (n == 0)
    return sink;
  sink += n;
  return down(n - 1) + 1;
}
__attribute__((noinline)) int twice(int n) { sink++; return 2 * n; }
__attribute__((noinline)) void leave(void)
{
  __builtin_longjmp(env, 1);
}
void cmain(void)
{
  asm volatile("sti");
  sink = 1;
  sink = down(5);
  sink = down(7);
  for (int i = 0; i < 3; i++)
    sink += twice(i);
  sink = 100;
  if (__builtin_setjmp(env) == 0)
    leave();
  sink = 200;
  while (ticks < 3)
    sink++;
  sink = 300;
}
`;

scenario({
  name: "next, finish, until, advance, return, jump and call, with a timer on",
  asm: TICKING,
  c: FLOW,
  lines: [
    "break down if n == 0",
    "continue",
    "delete",
    "finish",
    "tbreak 22",
    "continue",
    "next",
    "tbreak 25",
    "continue",
    "call twice(21)",
    "next",
    "next",
    "step",
    "tbreak 28",
    "continue",
    "next",
    "until 31",
    "print ticks >= 3",
    "tbreak twice",
    "jump 24",
    "return 50",
    "frame",
    "print $pc > (long)cmain",
  ],
  said: [
    /Breakpoint 1, down \(n=0\)/,
    /Value returned is \$1 = 16/,
    /cmain \(\) at .*:22\n/,
    /\b23\t/,
    /cmain \(\) at .*:25\n/,
    /= 42\n/,
    /\b26\t/,
    /\b27\t/,
    /leave \(\)/,
    /Temporary breakpoint 4, cmain \(\) at .*:28\n/,
    /\b29\t/,
    /cmain \(\) at .*:31\n/,
    /= 1\n/,
    /Temporary breakpoint 5, twice/,
    /#0 .* cmain \(\) at .*:24\n/,
    /= 1\n/,
  ],
  unsaid: /tick \(\)/,
});

scenario({
  name: "a condition at a jump to itself, and the timer that makes it true",
  inProcessor: true,
  asm: `
_start: timer 100
        sti
idle:   jmp idle
`,
  lines: [
    "break *(long)&idle if *(int *)&ticks == 5",
    "continue",
    'printf "AT %d %d\\n", $pc == (long)&idle, *(int *)&ticks',
  ],
  said: [/AT 1 5/],
});

scenario({
  name: "a watchpoint inside a next, on a breakpoint whose condition is false",
  inProcessor: true,
  asm: TICKING,
  c: `
volatile int word, sink;
void cmain(void)
{
  sink = 1;
  for (int i = 0; i < 200; i++) { if (i == 150) asm volatile(".globl store; store: movl $77, word"); }
  sink = 2;
}
`,
  lines: [
    "break guest.c:6",
    "continue",
    "delete",
    "watch word",
    "break *(long)&store if sink == 99",
    "next",
    'printf "W %d %d\\n", word, $pc > (long)&store && $pc <= (long)&store + 11',
  ],
  said: [/W 77 1/],
});

scenario({
  name: "jump to and call of a breakpoint that the guest stands at",
  asm: TICKING,
  c: `
volatile int n;
__attribute__((noinline)) int fn(int a)
{
  n++;
  return a + n;
}
void cmain(void) { n = fn(1); n = fn(2); }
`,
  lines: [
    "break *fn",
    "continue",
    "jump *fn",
    'printf "A %d %d\\n", n, $pc == (long)fn',
    "call fn(9)",
    'printf "B %d %d\\n", n, $pc == (long)fn',
  ],
  said: [/A 0 1/, /stopped while in a function called from GDB/, /B 0 1/],
});

scenario({
  name: "Ctrl-C, a call and steps while every processor is halted",
  options: { cpus: 2 },
  asm: `
_start: cli
idle:   hlt
        nop
        jmp idle
`,
  c: "int fn(int a) { return a * 10; }\n",
  async run(icebp, image) {
    const mi = await Mi.attach(icebp, image);
    try {
      await mi.must("-break-insert -h idle");
      await mi.must("-exec-continue");
      await mi.stopped();
      await mi.must("-break-delete 1");
      // It may be interrupted before it halts.
      do {
        await mi.must("-exec-continue");
        await mi.must("-exec-interrupt");
        assertMatch(await mi.stopped(), /SIGINT/);
      } while (await mi.value("(long)$pc - (long)&idle") !== "1");
      assertEquals(await mi.value("fn(4)"), "40");
      await mi.must("-gdb-set scheduler-locking on");
      await mi.must("-exec-step-instruction");
      await mi.stopped();
      assertEquals(await mi.value("(long)$pc - (long)&idle"), "2");
      // The other one waits for a SIPI, which does not come.
      await mi.must("-thread-select 2");
      await mi.must("-exec-step-instruction");
      await mi.must("-exec-interrupt");
      await mi.stopped();
      await mi.must("-gdb-set scheduler-locking off");
      await mi.must("-exec-continue");
      await mi.must("-exec-interrupt");
      await mi.stopped();
    } finally {
      await mi.end();
    }
  },
});

scenario({
  name: "guest time stands while the debugger has the guest",
  options: { args: ["--clock=host"] },
  asm: `
_start: timer 20000
        sti
1:      pause
        jmp 1b
`,
  lines: [
    "break *(long)&tick if *(int *)&ticks == 20",
    "continue",
    "delete",
    "print *(int *)&ticks",
    "shell sleep 1",
    "stepi",
    "stepi",
    "stepi",
    "break *(long)&tick",
    "continue",
    "print *(int *)&ticks",
  ],
  // The one that comes then, and one more that may have waited.
  said: [/\$1 = 20\n/, /\$2 = 2[12]\n/],
});
