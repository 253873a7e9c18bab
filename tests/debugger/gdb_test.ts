/** What people do with gdb, done with gdb: one processor and two. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { registers } from "../../src/debug/guest/registers.ts";
import { requireTool } from "../util/tools.ts";
import { debug, Icebp, startGdb } from "./icebp.ts";

const ignore = !requireTool("gcc", "gdb");

/** A test with a fresh guest, for each number of processors. */
function guestTest(
  name: string,
  fn: (icebp: Icebp, cpus: number) => Promise<void>,
  counts = [1, 2],
): void {
  for (const cpus of counts) {
    Deno.test({
      name: `gdb, ${cpus} cpu: ${name}`,
      ignore,
      fn: async () => {
        await using icebp = new Icebp({ cpus });
        await fn(icebp, cpus);
      },
    });
  }
}

/** What came in this order, with anything in between. */
function assertSequence(said: string, ...patterns: RegExp[]): void {
  let rest = said;
  for (const pattern of patterns) {
    const found = pattern.exec(rest);
    assert(found, `${pattern} is missing after the others in:\n${said}`);
    rest = rest.slice(found.index + found[0].length);
  }
}

guestTest("the guest waits where it begins", async (icebp) => {
  const said = await debug("gdb", icebp, "info registers rip", "x/i $pc");
  assertSequence(said, /_start \(\) at start\.S/, /=> .*<_start>:\tcli/);
});

guestTest("break, tbreak, hbreak, by name and line", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break add",
    "tbreak fibonacci",
    "hbreak loop",
    "continue",
    "info args",
    "backtrace",
    "continue",
    "continue",
    "delete 1",
    "continue",
    "info args",
    "info breakpoints",
  );
  assertSequence(
    said,
    /Breakpoint 1, add \(a=2, b=3\)/,
    /#0 +add .*\n#1 .* shapes .*\n#2 .* first_main /,
    /Temporary breakpoint 2, fibonacci \(n=6\)/,
    /Breakpoint 1, add \(a=1, b=0\)/,
    /Breakpoint 3, loop \(count=1000\)/,
    /count = 1000/,
    /hw breakpoint/,
  );
});

guestTest("step, next, finish, until, stepi, nexti", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break shapes",
    "continue",
    "step",
    "finish",
    "next",
    "next",
    "print result",
    "next",
    "print result",
    "stepi",
    "nexti",
  );
  assertSequence(
    said,
    /Breakpoint 1, shapes/,
    /add \(a=2, b=3\)/,
    /Value returned is \$1 = 5/,
    /fibonacci\(6\)/,
    /loop\(1000\)/,
    /= 8\n/,
    /= 499500\n/,
  );
});

guestTest("until leaves a loop", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break loop",
    "continue",
    "next",
    "next",
    "next",
    "until shapes",
    "info registers rip",
  );
  assertSequence(said, /Breakpoint 1, loop/, /shapes \(\)/);
});

guestTest("a step is one instruction, also where it exits", async (icebp) => {
  const steps = 80;
  const said = await debug(
    "gdb",
    icebp,
    "break *exits",
    "continue",
    "delete",
    ...Array.from({ length: steps }, () => ["x/i $pc", "stepi"]).flat(),
  );
  const trail = [...said.matchAll(/=> (0x[0-9a-f]+) <(\w+)(\+\d+)?>:\t(.*)/g)]
    .map(([, address, name, , text]) => ({
      address: Number(address),
      name,
      text,
    }));
  const inside = trail.filter((t) => t.name === "exits");
  for (const name of ["cpuid", "rdmsr", "wrmsr", "in ", "out ", "outsb"]) {
    assert(inside.some((t) => t.text.includes(name)), `${name} in ${said}`);
  }
  // `exits` has no jumps: each instruction follows the one before, and a REP
  // one is stepped through as often as it repeats.
  const listing = await new Deno.Command("objdump", {
    args: ["-d", "--no-show-raw-insn", "--disassemble=exits", icebp.image],
  }).output();
  const addresses = [
    ...new TextDecoder().decode(listing.stdout)
      .matchAll(/^ +([0-9a-f]+):\t/gm),
  ].map(([, at]) => Number.parseInt(at, 16));
  const visited = inside.map((t) => t.address);
  assertEquals([...new Set(visited)], addresses);
  const repeated = inside.filter((t) => t.text.includes("rep outsb"));
  assert([1, 4].includes(repeated.length), `${repeated.length} repetitions`);
});

guestTest("watch, rwatch, awatch", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break loop",
    "continue",
    "watch watched",
    "rwatch read_only",
    "awatch result",
    "continue",
    "continue",
    "continue",
    "continue",
    "info watchpoints",
  );
  assertSequence(
    said,
    /Hardware watchpoint 2: watched/,
    /Hardware read watchpoint 3: read_only/,
    /Hardware access \(read\/write\) watchpoint 4: result/,
    /watchpoint 4: result\s+Old value = 8\s+New value = 499500/,
    /watchpoint 2: watched\s+Old value = 0\s+New value = 1/,
    /watchpoint 2: watched\s+Old value = 1\s+New value = 2/,
    /watchpoint 3: read_only\s+Value = 0/,
  );
});

guestTest("a conditional breakpoint is judged in the stub", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break work if own_count[0] == 5000",
    "continue",
    "print own_count[0]",
    "print int3_hits >= 70",
    "info breakpoints",
  );
  assertSequence(
    said,
    /Breakpoint 1, work \(cpu=/,
    /= 5000\n/,
    /= 1\n/,
    /\(target evals\)/,
  );
});

guestTest("registers of every kind can be changed", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break shapes",
    "continue",
    "set var $rbx = 0x1122334455667788",
    "set var $xmm5.v2_int64[1] = 0x7766554433221100",
    "set var $st3 = 1.5",
    "set var $lstar = 0xffffffff81000000",
    "set var $cr2 = 0x1234",
    "set var $eflags = $eflags | 0x400",
    "set var $fs_base = 0x5678",
    "set var $star = 0x0023001000000000",
    "maint flush register-cache",
    "p/x $rbx",
    "p/x $xmm5.v2_int64[1]",
    "p $st3",
    "p/x $lstar",
    "p/x $cr2",
    "p $eflags",
    "p/x $fs_base",
    "p/x $star",
  );
  assertSequence(
    said,
    /= 0x1122334455667788\n/,
    /= 0x7766554433221100\n/,
    /= 1\.5\n/,
    /= 0xffffffff81000000\n/,
    /= 0x1234\n/,
    /= \[.* DF .*\]\n/,
    /= 0x5678\n/,
    /= 0x23001000000000\n/,
  );
});

guestTest("every register can be printed", async (icebp) => {
  const said = await debug("gdb", icebp, "info all-registers");
  for (const { name } of registers) {
    assertMatch(said, new RegExp(`^${name}\\s+\\S`, "m"));
  }
  assertEquals(said.includes("unavailable"), false, said);
});

guestTest(
  "changed variables and code are what the guest runs",
  async (icebp) => {
    const said = await debug(
      "gdb",
      icebp,
      "break add",
      "continue",
      "delete",
      "set var a = 40",
      "finish",
      "tbreak loop",
      // ret, where `loop` begins
      "set var *(unsigned char *) loop = 0xc3",
      "break loop",
      "continue",
      "x/i $pc",
      "stepi",
      "info symbol $pc",
    );
    assertSequence(
      said,
      /Value returned is \$\d+ = 43/,
      /reakpoint \d+, loop/,
      /=> .*\tret/,
      /shapes \+/,
    );
  },
);

guestTest("a breakpoint on code that is mapped later", async (icebp) => {
  const high = "0xffffffff80000000 + (unsigned long) high_function";
  const said = await debug(
    "gdb",
    icebp,
    `break *(${high})`,
    "info registers cr0",
    // It goes into memory at the first start after the page is there.
    "tbreak map_high",
    "continue",
    "next",
    "continue",
    "p/x $pc",
    "x/2i $pc",
    "info registers cr0",
    "p result",
    "finish",
    "p result",
  );
  assertSequence(said, /cr0 .*\[ .*\]/, /= 0xffffffff80/, /cr0 .* PG/);
});

guestTest("1,000 breakpoints at once", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    ...Array.from({ length: 1000 }, (_, i) => `break *${0x200000 + 16 * i}`),
    "break loop",
    "continue",
    "x/i 0x200000",
    "delete",
    "tbreak work",
    "continue",
  );
  assertSequence(said, /Breakpoint 1001, loop/, /0x200000:\tadd/, /, work \(/);
});

guestTest("detach and attach again, time after time", async (icebp) => {
  for (let turn = 0; turn < 3; turn++) {
    const said = await debug(
      "gdb",
      icebp,
      "break work",
      "continue",
      "backtrace",
      "detach",
    );
    assertSequence(said, /Breakpoint 1, work/, /#1 .* run/, /detached/);
  }
});

guestTest(
  "the breakpoints of a gdb that is killed leave memory",
  async (icebp) => {
    for (let turn = 0; turn < 3; turn++) {
      const gdb = startGdb(
        icebp,
        "break work",
        "continue",
        "echo here\\n",
        // Steps without end, and the blow falls in the middle of one.
        "while 1",
        "stepi\nend",
      );
      const reader = gdb.stdout.getReader();
      let said = "";
      while (!said.includes("here")) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`gdb ended: ${said}`);
        said += new TextDecoder().decode(value);
      }
      gdb.kill("SIGKILL");
      await reader.cancel();
      await gdb.status;
    }
    const said = await debug(
      "gdb",
      icebp,
      "x/i work",
      "p turns = own_count[0] + 64",
    );
    assertEquals(said.includes("int1") || said.includes("icebp"), false, said);
  },
);

guestTest(
  "extended mode: an ended or killed guest runs again",
  async (icebp) => {
    const said = await debug(
      "extended gdb",
      icebp,
      "set var turns = 50",
      "continue",
      "info threads",
      "break work",
      "run",
      "kill",
      "starti",
      "p/x $rip",
      "continue",
      "delete",
      "set var turns = 50",
      "continue",
    );
    assertSequence(
      said,
      /exited with code 01\]/,
      /No threads/,
      /Breakpoint 1, work/,
      /killed\]/,
      /= 0x10000c/,
      /Breakpoint 1, work/,
      /exited with code 01\]/,
    );
    const { code, errors } = await icebp.ended();
    assertEquals(code, 1);
    assertMatch(errors, /The guest has ended \(1\); gdb can "run" it again/);
  },
);

guestTest("extended mode: monitor quit ends the program", async (icebp) => {
  await debug("extended gdb", icebp, "monitor quit");
  assertEquals((await icebp.ended()).code, 0);
});

guestTest("kill ends the program", async (icebp) => {
  await debug("gdb", icebp, "kill");
  const { code } = await icebp.ended();
  assertEquals(code, 0);
});

guestTest("the guest's exit code is told, and is icebp's", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break first_main",
    "continue",
    "delete",
    "set var turns = 1000",
    "continue",
  );
  assertMatch(said, /exited with code 01\]/);
  const { code, output } = await icebp.ended();
  assertEquals(code, 1);
  assertMatch(output, /guest: all counts are exact/);
});

guestTest("monitor commands", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "monitor help",
    "monitor registers",
    "monitor no such command",
    "p/x $rip",
  );
  assertSequence(said, /help/, /rip/i, /= 0x10000c/);
});

guestTest("threads are processors", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break work if cpu == 1",
    "continue",
    "info threads",
    "thread apply all bt",
    "thread 1",
    "info registers rip",
  );
  assertSequence(
    said,
    /Thread 2 "CPU1" hit Breakpoint 1, work \(cpu=1\)/,
    / 1 +Thread 1\.1 "CPU0"/,
    /\* 2 +Thread 1\.2 "CPU1" .* work \(cpu=1\)/,
    /Thread 2 [^]*?#1 .* run/,
    /Thread 1 [^]*first_main/,
  );
}, [2]);

guestTest("a waiting processor is shown as one", async (icebp) => {
  const said = await debug("gdb", icebp, "info threads");
  assertMatch(said, /2 +Thread 1\.2 "CPU1" \(waiting for SIPI\)/);
}, [2]);

guestTest("scheduler-locking: the other one stands still", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break work if cpu == 0 && own_count[1] > 100",
    "continue",
    "delete",
    "set scheduler-locking on",
    "set var $other = own_count[1]",
    ...Array.from({ length: 100 }, () => "stepi"),
    "p own_count[1] == $other",
    "set scheduler-locking off",
    "break work if cpu == 0",
    // Between two hits of the one, the other need not get far.
    ...Array.from({ length: 50 }, () => "continue"),
    "p own_count[1] > $other",
  );
  assertSequence(said, /= 1\n/, /= 1\n/);
}, [2]);

guestTest("both processors run hard through one breakpoint", async (icebp) => {
  const said = await debug(
    "gdb",
    icebp,
    "break work",
    ...Array.from({ length: 50 }, () => "continue"),
    // Longer than any processor's turn.
    "continue 800",
    ...Array.from({ length: 50 }, () => "continue"),
    "delete",
    "p own_count[0] > 0 && own_count[1] > 0",
    "p own_count[0] + own_count[1] == locked_count",
    "set var turns = own_count[0] + 1000",
    "p turns > own_count[1] ? 1 : (turns = own_count[1] + 1000)",
    "continue",
  );
  assertEquals([...said.matchAll(/Thread . "CPU." hit Br/g)].length, 101);
  assertSequence(said, /\$1 = 1\n/, /exited with code 01\]/);
}, [2]);
