/** Attaching and leaving, running anew, an editor's commands, and what is refused. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { debugFile, Icebp } from "./icebp.ts";
import { assertSequence, Mi, scenario } from "./scenario.ts";

const COUNTING = `
_start: call cmain
        quit
`;
const WORK = `
volatile long counter;
struct s { int a; char b[4]; } g = { 7, "xyz" };
__attribute__((noinline)) void work(long n, struct s *p)
{
  long local = n * 2;
  counter += local;
  p->a++;
}
void cmain(void)
{
  for (long i = 0;; i++)
    work(i, &g);
}
`;

scenario({
  name: "detach and attach at once, 20 times",
  asm: COUNTING,
  c: WORK,
  async run(icebp, image) {
    const again = `target remote 127.0.0.1:${icebp.port}`;
    const said = await debugFile(
      "gdb",
      icebp,
      image,
      "break work",
      ...Array.from({ length: 20 }, () => ["continue", "detach", again]).flat(),
      "delete",
      "print counter > 0",
    );
    assertEquals(said.match(/Breakpoint 1, work/g)?.length, 20, said);
    assert(!/refused|closed|rror/.test(said), said);
    assertMatch(said, /\$1 = 1/);
  },
});

scenario({
  name: "who connects and hangs up does not set a waiting guest going",
  asm: COUNTING,
  c: WORK,
  async run(icebp, image) {
    for (let i = 0; i < 3; i++) {
      const conn = await (async () => {
        for (;;) {
          try {
            const { port } = icebp;
            return await Deno.connect({ hostname: "127.0.0.1", port });
          } catch (error) {
            if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      })();
      if (i > 0) await conn.write(new TextEncoder().encode("$?#3f"));
      conn.close();
    }
    const said = await debugFile(
      "gdb",
      icebp,
      image,
      "print $pc == (long)&_start",
      "print counter",
    );
    assertSequence(said, [/\$1 = 1\n/, /\$2 = 0\n/]);
  },
});

scenario({
  name: "run, kill, run, start, the end, run again, detach and attach",
  asm: COUNTING,
  c: `
volatile int n;
void work(void)
{
  n++;
}
void cmain(void)
{
  work();
  work();
}
`,
  async run(icebp, image) {
    const said = await debugFile(
      "extended gdb",
      icebp,
      image,
      "break work",
      "continue",
      "continue",
      "print n",
      "run",
      "print n + 10",
      "kill",
      "info threads",
      "run",
      "print n + 20",
      "continue",
      "print n + 30",
      "continue",
      "print $_exitcode",
      "run",
      "print n + 40",
      "detach",
      `target extended-remote 127.0.0.1:${icebp.port}`,
      "info threads",
    );
    assertSequence(said, [
      /= 1\n/,
      /= 10\n/,
      /No threads/,
      /= 20\n/,
      /= 31\n/,
      /= 1\n/,
      /= 40\n/,
    ]);
  },
});

scenario({
  name: "what is not there is refused in words, and the session lives on",
  options: { args: ["--history", "off"] },
  asm: COUNTING,
  c: WORK,
  lines: [
    "break work",
    "continue",
    "reverse-stepi",
    "reverse-continue",
    "monitor when",
    "trace work",
    "tstart",
    "delete 2",
    "checkpoint",
    'python gdb.execute("set non-stop on")',
    "remote get /etc/passwd /tmp/no",
    "maintenance packet vNoSuchThing",
    "continue",
    "print n",
  ],
  said: [
    /Breakpoint 1, work/,
    /no history is kept|cannot repeat/,
    /No more reverse-execution history/,
    /no history is kept|cannot repeat/,
    /No more reverse-execution history/,
    /no history is kept|cannot repeat/,
    /Target does not support this command|does not support/,
    /received: ""/,
    /Breakpoint 1, work/,
    /= 1\n/,
  ],
});

scenario({
  name: "non-stop is refused in words",
  asm: COUNTING,
  c: WORK,
  async run(icebp, image) {
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        `exec timeout -s KILL 60 gdb -nx -batch -ex 'set non-stop on' ` +
        `-ex 'target remote 127.0.0.1:${icebp.port}' ${image} 2>&1`,
      ],
      stdin: "null",
    }).output();
    const said = new TextDecoder().decode(stdout);
    assertMatch(said, /does not support non-stop/);
    assertMatch(await debugFile("gdb", icebp, image, "print 1"), /= 1\n/);
  },
});

scenario({
  name: "an editor's commands: pause, variables, threads, steps, disassembly",
  options: { cpus: 2 },
  asm: COUNTING,
  c: WORK,
  async run(icebp, image) {
    const mi = await Mi.attach(icebp, image);
    try {
      await mi.must("-break-insert -f work");
      await mi.must("-exec-continue");
      assertMatch(await mi.stopped(), /breakpoint-hit.*work/);
      const threads = await mi.must("-thread-info");
      assertEquals(threads.match(/\{id="/g)?.length, 2);
      assertMatch(await mi.must("-stack-list-frames"), /cmain/);
      await mi.must(
        "-stack-list-variables --thread 1 --frame 0 --simple-values",
      );
      const created = await mi.must('-var-create - * "p->a"');
      assertMatch(created, /value="7"/);
      const name = /name="([^"]+)"/.exec(created)![1];
      for (let i = 0; i < 3; i++) {
        await mi.must("-exec-next");
        assertMatch(await mi.stopped(), /end-stepping-range/);
      }
      assertMatch(
        await mi.must(`-var-update --all-values ${name}`),
        /value="8"/,
      );
      await mi.must("-exec-finish");
      assertMatch(await mi.stopped(), /function-finished/);
      await mi.must("-break-delete 1");
      await mi.must("-exec-continue");
      await mi.must("-exec-interrupt");
      assertMatch(await mi.stopped(), /SIGINT/);
      await mi.must("-break-insert -f work");
      await mi.must("-exec-continue");
      assertMatch(await mi.stopped(), /breakpoint-hit/);
      await mi.must("-exec-step-instruction");
      assertMatch(await mi.stopped(), /end-stepping-range/);
      await mi.must("-break-disable 2");
      assertMatch(
        await mi.must('-data-disassemble -s $pc -e "$pc+20" -- 2'),
        /inst="/,
      );
      await mi.must("-data-list-register-values x 0 1 2 16");
      await mi.must("-data-write-memory-bytes &counter 0100000000000000");
      assertEquals(await mi.value("counter"), "1");
      await mi.must("-thread-select 2");
      await mi.must("-stack-info-frame");
      await mi.must("-target-detach");
      await mi.must(`-target-select remote 127.0.0.1:${icebp.port}`);
      await mi.must("-data-evaluate-expression counter");
    } finally {
      await mi.end();
    }
  },
});

scenario({
  name: "a unix socket, also where one was left behind, and IPv6",
  asm: COUNTING,
  c: WORK,
  async run(_icebp, image, folder) {
    const path = `${folder}/gdb`;
    // Whoever is killed leaves its socket.
    for (const listen of [path, path, "[::1]"]) {
      await using icebp = new Icebp({ cpus: 1, image, listen });
      let said = "";
      // gdb tries again for TCP alone, and a path may be the last one's.
      for (let attempt = 0; attempt < 100; attempt++) {
        said = await debugFile(
          "gdb",
          icebp,
          image,
          "print $pc == (long)&_start",
        );
        if (!/refused|No such file/.test(said)) break;
      }
      assertMatch(said, /= 1\n/);
    }
  },
});
