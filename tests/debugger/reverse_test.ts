// gdb goes back in time, as people do with it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { virtioAddress } from "../../src/machine/devices/virtio/layout.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { debug, Icebp } from "./icebp.ts";
import { Mi, scenario } from "./scenario.ts";
import { SECOND_PROCESSOR, START_SECOND } from "./second_processor.ts";

const C = `
_start: call cmain
        quit
`;

/** A second processor that runs ap() in 64-bit mode. */
const SMP = `${START_SECOND}
        call cmain
        quit
${SECOND_PROCESSOR}
ap64:   mov $ap_stack, %esp
        call ap
1:      hlt
        jmp 1b
        .bss
        .balign 16
        .skip 8192
ap_stack:
        .text
`;

const CALLS = `
volatile unsigned long total, calls, list[8];
__attribute__((noinline)) int square(int n)
{
  calls++;
  volatile int r = 0;
  for (int i = 0; i < n; i++) r += n;
  return r;
}
__attribute__((noinline)) int twice(int n)
{
  int a = square(n);
  int b = square(n + 1);
  return a + b;
}
void cmain(void)
{
  for (int i = 0; i < 50; i++) {
    total += twice(i);
    list[i & 7] = total;
  }
  for (;;) __asm__ volatile("pause");
}
`;

/** The line that has a text in CALLS, as the compiler counts. */
function line(text: string): number {
  return CALLS.split("\n").findIndex((l) => l.includes(text)) + 1;
}

const LOOP = `guest.c:${line("list[i & 7]")}`;

scenario({
  name: "reverse: steps, next over calls, finish, in C",
  inProcessor: true,
  asm: C,
  c: CALLS,
  lines: [
    `break ${LOOP} if i == 11`,
    "continue",
    'printf "A %d\\n", i',
    "reverse-step",
    'printf "B %d %d\\n", $pc > (long)twice && $pc < (long)cmain, n',
    "reverse-next",
    "reverse-next",
    "info line",
    "reverse-next",
    "info line",
    "step",
    'printf "C %d %d\\n", $pc > (long)square && $pc < (long)twice, n',
    "reverse-finish",
    'printf "D %d %d\\n", $pc > (long)twice && $pc < (long)cmain, n',
    "reverse-finish",
    'printf "E %d %d\\n", $pc > (long)cmain, i',
    "finish",
    "reverse-stepi",
    "reverse-stepi",
    "stepi",
    "stepi",
    'printf "F %d %d\\n", i, total',
    "reverse-continue",
    "monitor when",
    "continue",
    "delete",
    "break square if n == 20",
    "continue",
    'printf "G %d\\n", n',
  ],
  said: [
    /A 11\n/,
    /B 1 11\n/,
    new RegExp(`Line ${line("b = square")} of "[^"]*guest.c"`),
    new RegExp(`Line ${line("a = square")} of "[^"]*guest.c"`),
    /C 1 11\n/,
    /D 1 11\n/,
    /E 1 11\n/,
    /F 11 1156\n/,
    /No more reverse-execution history\.\n_start/,
    /instruction 0, 0\.000000000 s, in the past\n/,
    /Breakpoint 1, cmain/,
    /Breakpoint 2, square \(n=20\)/,
    /G 20\n/,
  ],
});

scenario({
  name: "reverse: breakpoints, watchpoints, conditions, tbreak, forward again",
  inProcessor: true,
  asm: C,
  c: CALLS,
  lines: [
    `break ${LOOP}`,
    "ignore 1 29",
    "continue",
    'printf "A %d\\n", i',
    ...[28, 27].flatMap((
      i,
    ) => ["reverse-continue", `printf "B ${i} %d\\n", i`]),
    "disable 1",
    "tbreak square if n == 7",
    "reverse-continue",
    'printf "C %d\\n", n',
    "watch -l list[3]",
    "reverse-continue",
    'printf "D %d\\n", list[3]',
    "continue",
    'printf "E %d\\n", list[3]',
    "continue",
    'printf "F %d\\n", list[3]',
    "reverse-continue",
    "reverse-continue",
    'printf "G %d\\n", list[3]',
    "delete",
    "rwatch total",
    "reverse-continue",
    "delete",
    "hbreak twice if n == 9",
    "continue",
    'printf "H %d\\n", n',
    "delete",
    "continue",
    `break ${LOOP}`,
    "continue",
    'printf "I %d\\n", i',
  ],
  said: [
    /A 29\n/,
    /B 28 28\n/,
    /B 27 27\n/,
    /Temporary breakpoint 2, square \(n=7\)/,
    /C 7\n/,
    /Old value = 44\nNew value = 0\n/,
    /D 0\n/,
    /Old value = 0\nNew value = 44\n/,
    /E 44\n/,
    /Old value = 44\nNew value = 1156\n/,
    /F 1156\n/,
    /Old value = 1156\nNew value = 44\n/,
    /Old value = 44\nNew value = 0\n/,
    /G 0\n/,
    /Value = 44\n/,
    /H 9\n/,
    /No more reverse-execution history\.\n[^]*I 30\n/,
  ],
});

scenario({
  name:
    "reverse: a REP that watchpoints and conditions cut short, to the count",
  inProcessor: true,
  asm: `
_start: movb $5, from + 300
        mov $9000, %ecx
        mov $from, %esi
        mov $to, %edi
copy:   rep movsb
        mov $9000, %ecx
        mov $from, %edi
fill:   rep stosb
        mov $1000, %ecx
1:      add %rcx, %rax
        imul $7, %rax
        loop 1b
done:   nop
        quit
        .bss
from:   .skip 9000
to:     .skip 9000
`,
  lines: [
    "watch *((char *)&to + 300)",
    "continue",
    'printf "A %d\\n", $rcx',
    "delete",
    "break *&fill if $rcx == 77",
    "continue",
    'printf "B %d\\n", $rcx',
    "delete",
    "break *&done",
    "continue",
    "monitor when",
    'printf "C %d %lx\\n", $rcx, $rax',
    "reverse-stepi",
    'printf "D %d\\n", $rcx',
    "monitor goto start",
    "maintenance flush register-cache",
    "continue",
    "monitor when",
    'printf "E %d %lx\\n", $rcx, $rax',
    "delete",
    "watch *((char *)&to + 300)",
    "reverse-continue",
    'printf "F %d %d\\n", $rcx, $pc == (long)&copy',
  ],
  said: [
    /New value = 5 .*\n[^]*A 8699\n/,
    /B 77\n/,
    /instruction (\d+),[^]*C 0 (\w+)\n[^]*D 1\n[^]*instruction \1,[^]*E 0 \2\n/,
    /Old value = 5 .*\nNew value = 0 .*\n[^]*F 9000 1\n/,
  ],
});

scenario({
  name: "reverse: a change in the past is another future, said once",
  inProcessor: true,
  asm: C,
  c: CALLS,
  lines: [
    `break ${LOOP} if i == 20`,
    "continue",
    "monitor goto 500",
    "maintenance flush register-cache",
    "set var total = 1000000",
    "set var calls = 0",
    "continue",
    'printf "A %d %d\\n", i, total > 1000000',
    "reverse-continue",
    'printf "B %d\\n", total',
    "monitor goto 501",
    "monitor goto 499",
    "maintenance flush register-cache",
    'printf "C %d\\n", total < 1000000',
    "monitor goto 123456789",
    "stepi",
    "stepi",
    'printf "D\\n"',
  ],
  said: [
    /maintenance flush register-cache\n/,
    /The past was changed at instruction 500: another future begins there/,
    /A 20 1\n/,
    /C 1\n/,
    /123456789 is not in the history: that is from instruction 0/,
    /D\n/,
  ],
  unsaid: /The past was changed[^]*The past was changed/,
});

scenario({
  name: "reverse: over a write of the debugger's and a reset, back and forth",
  inProcessor: true,
  asm: `
_start: mov $1000, %ecx
1:      incl count
place:  dec %ecx
        jnz 1b
        quit
        .data
        .globl count
count:  .long 0
`,
  lines: [
    "break place if *(int *)&count == 5",
    "continue",
    "set var *(int *)&count = 50",
    "tbreak place if *(int *)&count == 60",
    "continue",
    ...["A", "B"].flatMap((name) => [
      "reverse-continue",
      `printf "${name} %d %d\\n", *(int *)&count, $ecx`,
      "tbreak place if *(int *)&count == 55",
      "continue",
      `printf "${name} %d %d\\n", *(int *)&count, $ecx`,
    ]),
    "monitor goto end",
    "maintenance flush register-cache",
    "monitor reset",
    "maintenance flush register-cache",
    "tbreak place if *(int *)&count == 7",
    "continue",
    "continue",
    'printf "C %d %d\\n", *(int *)&count, $ecx',
    "reverse-continue",
    'printf "D %d %d\\n", *(int *)&count, $ecx',
    "tbreak place if *(int *)&count == 58",
    "reverse-continue",
    'printf "E %d %d\\n", *(int *)&count, $ecx',
    "delete 1",
    "tbreak place if *(int *)&count == 6",
    "continue",
    'printf "F %d %d\\n", *(int *)&count, $ecx',
    "continue",
    'printf "G %d %d\\n", *(int *)&count, $ecx',
  ],
  said: [
    // Its condition holds there before the write, and behind it no more.
    ...["A", "B"].flatMap((name) => [
      new RegExp(`${name} 5 996\n`),
      new RegExp(`${name} 55 991\n`),
    ]),
    /C 7 994\n/,
    /D 5 996\n/,
    /E 58 988\n/,
    /F 6 995\n/,
    /No more reverse-execution history[^]*G 7 994\n/,
  ],
  unsaid: /The past was changed/,
});

scenario({
  name: "reverse: a planted bug of two processors, found from its crash",
  inProcessor: true,
  options: { cpus: 2 },
  asm: SMP,
  c: `
struct node { struct node *volatile next; volatile long value; };
struct node mine[4], theirs[4];
volatile long sum, turns;
static void ring(struct node *list)
{
  for (int i = 0; i < 4; i++) list[i].next = &list[(i + 1) & 3];
}
__attribute__((noinline)) void work(long turn)
{
  struct node *node = &theirs[turn & 3];
  node->value += turn;
  /* The bug: a pointer, of the other's list, and far too seldom to be seen. */
  if (turn == 70000) node[-2].next = (struct node *)0xdead00000000beef;
}
void ap(void)
{
  ring(theirs);
  for (turns = 0;; turns++) work(turns);
}
void cmain(void)
{
  ring(mine);
  for (;;) {
    for (volatile int wait = 0; wait < 300000; wait++) ;
    struct node *node = mine;
    for (int i = 0; i < 16; i++) {
      sum += node->value;
      node = node->next;
    }
  }
}
`,
  lines: [
    "continue",
    'printf "A %d %d\\n", $_thread, (long)node == 0xdead00000000beef',
    "watch -l mine[2].next",
    "reverse-continue",
    'printf "B %d %d\\n", $_thread, $pc > (long)work && $pc < (long)ap',
    "bt 1",
    'printf "C %d %d\\n", turn, mine[2].next == &mine[3]',
    "stepi",
    'printf "D %d\\n", mine[2].next == &mine[3]',
    "delete",
    "monitor goto end",
    "maintenance flush register-cache",
    "thread 1",
    "monitor last-write 0xADDRESS 8",
    "python where = '0x%x' % int(gdb.parse_and_eval('(long)&mine[2].next'))",
    "python gdb.execute('monitor last-write %s 8' % where)",
    "maintenance flush register-cache",
    "thread 2",
    'printf "E %d\\n", turn',
  ],
  said: [
    /SIGSEGV/,
    /A 1 1\n/,
    /Switching to Thread 1\.2/,
    /B 2 1\n/,
    /#0 .*work/,
    /C 70000 1\n/,
    /D 0\n/,
    /usage: last-write/,
    /written by CPU1 at 0x[0-9a-f]+: before it now\n/,
    /E 70000\n/,
  ],
});

scenario({
  name: "reverse: a planted bug of a device's DMA",
  inProcessor: true,
  asm: C,
  c: `
typedef unsigned int u32;
typedef unsigned short u16;
struct { unsigned long address; u32 length; u16 flags, next; } table[8];
struct { u16 flags, index, ring[8], event; } available;
volatile struct { u16 flags, index; struct { u32 id, length; } ring[8]; } used;
struct { char buffer[64]; volatile long precious; } data;
static volatile u32 *const device = (u32 *)DEVICE;
static u32 low(void *p) { return (u32)(unsigned long)p; }
__attribute__((noinline)) void fetch(void *to)
{
  table[0].address = (unsigned long)to;
  table[0].length = 8;
  table[0].flags = 2;
  available.ring[available.index & 7] = 0;
  available.index++;
  device[0x50 / 4] = 0;
}
__attribute__((noinline)) void done(void) { for (;;) __asm__ volatile("pause"); }
void cmain(void)
{
  device[0x70 / 4] = 0;
  device[0x70 / 4] = 3;
  device[0x24 / 4] = 1;
  device[0x20 / 4] = 1;
  device[0x70 / 4] = 11;
  device[0x38 / 4] = 8;
  device[0x80 / 4] = low(table);
  device[0x90 / 4] = low(&available);
  device[0xa0 / 4] = low((void *)&used);
  device[0x44 / 4] = 1;
  device[0x70 / 4] = 15;
  data.precious = 42;
  for (int i = 0; i < 12; i++) {
    for (volatile int wait = 0; wait < 10000; wait++) ;
    /* The bug: the last one is behind the buffer. */
    if (i < 9) fetch(data.buffer + 8 * i);
  }
  done();
}
`.replace("DEVICE", `0x${virtioAddress(0).toString(16)}`),
  lines: [
    "break done",
    "continue",
    'printf "A %d\\n", data.precious == 42',
    "watch -l data.precious",
    "reverse-continue",
    'printf "B %d %d %d\\n", data.precious, $pc > (long)fetch, to == &data.precious',
    "up",
    "continue",
    'printf "C %d\\n", data.precious == 42',
    "delete",
    "continue",
    'python gdb.execute("monitor last-write 0x%x 8" % int(gdb.parse_and_eval("(long)&data.precious")))',
    "maintenance flush register-cache",
    'printf "D %d\\n", data.precious',
  ],
  said: [
    /Breakpoint 1, .*done/,
    /A 0\n/,
    /Accessed by DMA: virtio-rng/,
    /New value = 42/,
    /B 42 1 1\n/,
    /i < 9/,
    /Accessed by DMA: virtio-rng/,
    /C 0\n/,
    /written by DMA of virtio-rng, at an instruction of CPU0/,
    /D 42\n/,
  ],
});

scenario({
  name: "reverse: over what was typed, back and forth",
  inProcessor: true,
  asm: C,
  c: `
static unsigned char in(unsigned short port)
{
  unsigned char value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
  return value;
}
static unsigned long tsc(void)
{
  unsigned low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (unsigned long)high << 32 | low;
}
volatile unsigned long when[8], polls;
volatile int length;
volatile char text[8];
__attribute__((noinline)) void got(void) { __asm__ volatile("" ::: "memory"); }
void cmain(void)
{
  for (;;) {
    while (!(in(0x3fd) & 1)) polls++;
    text[length] = in(0x3f8);
    when[length] = tsc();
    length++;
    got();
  }
}
`,
  options: { typed: true },
  async run(icebp, image) {
    const mi = await Mi.attach(icebp, image);
    const here = async () => {
      const values: string[] = [];
      for (
        const what of [
          "length",
          "(int)text[length-1]",
          "when[length-1]",
          "polls",
        ]
      ) values.push(await mi.value(what));
      return values;
    };
    const stopped = async (command: string) => {
      await mi.must(command);
      return await mi.stopped();
    };
    await mi.must("-break-insert got");
    const seen: string[][] = [];
    for (const key of "abcde") {
      await mi.must("-exec-continue");
      // Some time in its life.
      await new Promise((resolve) => setTimeout(resolve, 20));
      await icebp.type(key);
      assertMatch(await mi.stopped(), /breakpoint-hit/);
      seen.push(await here());
    }
    assertEquals(
      seen.map(([, key]) => String.fromCharCode(Number(key))).join(""),
      "abcde",
    );
    const polls = seen.map((values) => Number(values[3]));
    assert(polls[4] > polls[0], `${polls}`);
    for (const turn of [1, 2]) {
      for (const values of seen.toReversed().slice(1)) {
        assertMatch(
          await stopped("-exec-continue --reverse"),
          /breakpoint-hit/,
        );
        assertEquals(await here(), values, `back, turn ${turn}`);
      }
      assertMatch(await stopped("-exec-continue --reverse"), /func="_start"/);
      assertEquals(await mi.value("length"), "0");
      // What is typed while the guest is in its past waits for the present.
      if (turn === 2) await icebp.type("f");
      for (const values of seen) {
        assertMatch(await stopped("-exec-continue"), /breakpoint-hit/);
        assertEquals(await here(), values, `forward, turn ${turn}`);
      }
    }
    let stop = await stopped("-exec-continue");
    // Where history ends it stops once, unless that is here.
    if (!/breakpoint-hit/.test(stop)) stop = await stopped("-exec-continue");
    assertMatch(stop, /breakpoint-hit/);
    assertEquals((await here()).slice(0, 2), ["6", "102"]);
    await mi.end();
  },
});

scenario({
  name: "reverse: over what was written to a disk, back and forth",
  inProcessor: true,
  diskSectors: 16,
  asm: C,
  c: `
typedef unsigned int u32;
typedef unsigned short u16;
struct { unsigned long address; u32 length; u16 flags, next; } table[8];
struct { u16 flags, index, ring[8], event; } available;
volatile struct { u16 flags, index; struct { u32 id, length; } ring[8]; } used;
struct { u32 type, reserved; unsigned long sector; } request;
volatile unsigned char buffer[512], status;
volatile int seen[16], turn;
static volatile u32 *const device = (u32 *)DEVICE;
static u32 low(volatile void *p) { return (u32)(unsigned long)p; }
static void part(int i, volatile void *at, u32 length, u16 flags)
{
  table[i].address = (unsigned long)at;
  table[i].length = length;
  table[i].flags = flags;
  table[i].next = i + 1;
}
static void transfer(int write)
{
  request.type = write;
  request.sector = 3;
  part(0, &request, 16, 1);
  part(1, buffer, 512, write ? 1 : 3);
  part(2, &status, 1, 2);
  available.ring[available.index & 7] = 0;
  available.index++;
  device[0x50 / 4] = 0;
}
__attribute__((noinline)) void done(void) { __asm__ volatile("" ::: "memory"); }
void cmain(void)
{
  device[0x70 / 4] = 0;
  device[0x70 / 4] = 3;
  device[0x24 / 4] = 1;
  device[0x20 / 4] = 1;
  device[0x70 / 4] = 11;
  device[0x38 / 4] = 8;
  device[0x80 / 4] = low(table);
  device[0x90 / 4] = low(&available);
  device[0xa0 / 4] = low((void *)&used);
  device[0x44 / 4] = 1;
  device[0x70 / 4] = 15;
  for (turn = 1; turn < 10; turn++) {
    for (volatile int wait = 0; wait < 20000; wait++) ;
    transfer(0);
    seen[turn] = buffer[7];
    buffer[7] = turn;
    transfer(1);
    done();
  }
  for (;;) __asm__ volatile("pause");
}
`.replace("DEVICE", `0x${virtioAddress(0).toString(16)}`),
  lines: [
    "break done",
    "python at = lambda: open('FOLDER/disk', 'rb').read()[3 * 512 + 7]",
    "python num = lambda e: int(gdb.parse_and_eval(e))",
    "python ok = lambda: at() == num('turn') and status() and seen()",
    "python status = lambda: num('status') == 0",
    "python seen = lambda: all(num('seen[%d]' % i) == i - 1 " +
    "for i in range(1, num('turn') + 1))",
    ...Array(7).fill("continue"),
    "python print('A', num('turn'), at(), ok())",
    ...[1, 2].flatMap((again) => [
      ...[6, 5, 4].flatMap((
        turn,
      ) => [
        "reverse-continue",
        `python print('B${again}', num('turn') == ${turn}, at(), ok())`,
      ]),
      ...[5, 6, 7].flatMap((
        turn,
      ) => [
        "continue",
        `python print('C${again}', num('turn') == ${turn}, at(), ok())`,
      ]),
    ]),
    // Over single writes, by instruction.
    "break transfer if write == 1",
    "reverse-continue",
    "python print('D', num('turn'), at(), num('buffer[7]'))",
    "finish",
    "python print('E', num('turn'), at())",
    "reverse-finish",
    "python print('F', num('turn'), at())",
    "delete",
    "watch -l buffer[7]",
    "reverse-continue",
    "reverse-continue",
    "python print('G', num('turn'), at())",
    "delete",
    "break done",
    "continue",
    "python print('H', num('turn'), at(), ok())",
    "continue",
    "continue",
    "python print('I', num('turn'), at(), ok())",
  ],
  said: [
    /A 7 7 True\n/,
    ...[1, 2].flatMap((again) => [
      ...[6, 5, 4].map((n) => new RegExp(`B${again} True ${n} True\n`)),
      ...[5, 6, 7].map((n) => new RegExp(`C${again} True ${n} True\n`)),
    ]),
    /D 7 6 7\n/,
    /E 7 7\n/,
    /F 7 6\n/,
    /G 6 5\n/,
    /H 6 6 True\n/,
    /I 8 8 True\n/,
  ],
});

scenario({
  name: "reverse: without a history it is said why not, and what to use",
  asm: `
_start: nop
        nop
        nop
        quit
`,
  options: { args: ["--history", "off"] },
  lines: ["stepi", "stepi", "reverse-stepi", "reverse-continue", "p/x $pc"],
  said: Array(2).fill([
    testPlatform() === "soft"
      ? /no history is kept: that is what --history off asks for\n/
      : /the \S+ platform cannot repeat what it did: --platform soft can\n/,
    /No more reverse-execution history/,
  ]).flat().concat(/0x200002\n/),
});

Deno.test({
  name: "gdb: reverse: a thousand random steps back are where it came along",
  ignore: !requireTool("gcc", "gdb") || testPlatform() !== "soft",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "icebp-reverse-" });
    try {
      const script = `${folder}/random.py`;
      await Deno.writeTextFile(script, RANDOM_STEPS);
      await using icebp = new Icebp({ cpus: 2 });
      const said = await debug("gdb", icebp, `source ${script}`);
      assertMatch(said, /FORWARD \d{3,} THREADS 2\n/);
      assertEquals(/BACK.*/.exec(said)?.[0], "BACK 1000 WRONG 0", said);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** For gdb's Python: what was seen at each count on the way forward, compared with where
 * steps back from random places come to. */
const RANDOM_STEPS = `
import gdb, random
def do(line): return gdb.execute(line, to_string=True)
def count(): return int(do("monitor when").split()[1].rstrip(","))
def goto(n):
    do("monitor goto %d" % n)
    do("maintenance flush register-cache")
    do("maintenance flush dcache")
def state():
    return do("thread apply all -q -s info registers rip rsp rbp rax rcx rdx eflags cs") + \\
        do("x/24gx &locked_count") + do("x/8gx $rsp")
do("tbreak tf_test if own_count[1] > 5000")
do("continue")
end = count()
numbers = random.Random(7)
seen = {}
threads = set()
# Where turns change, too.
for n in range(17):
    goto(numbers.randrange(end // 2, end - 1000))
    thread = numbers.choice((1, 2))
    threads.add(thread)
    for i in range(60):
        do("thread %d" % thread)
        at = count()
        do("stepi")
        do("thread 1")
        seen[count()] = (thread, at, state())
print("FORWARD", len(seen), "THREADS", len(threads))
known = {}
for at, (thread, before, said) in seen.items():
    known[at] = said
wrong = 0
places = [at for at, (thread, before, said) in seen.items() if before in known]
for i in range(1000):
    at = numbers.choice(places)
    thread, before, said = seen[at]
    goto(at)
    do("thread %d" % thread)
    do("reverse-stepi")
    do("thread 1")
    if count() != before or state() != known[before]:
        wrong += 1
        print("WRONG", at, thread, before, count())
print("BACK", i + 1, "WRONG", wrong)
`;
