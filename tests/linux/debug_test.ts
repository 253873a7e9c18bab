/**
 * Debian's own kernel under the real gdb: from before its first instruction to its
 * power-off. Its package has no symbols, so the addresses come from a first run's
 * /proc/kallsyms. Three boots are shared by all that is checked.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { command } from "../cli/icebp.ts";
import { type DebianGuest, debianInitramfs } from "../guests/debian.ts";
import { requireTool } from "../util/tools.ts";
import { Gdb, type Place } from "./gdb.ts";
import { linuxTest } from "./guest.ts";
import {
  buildProbe,
  buildVmlinux,
  FIRST_DIRECTORY,
  parseSymbols,
  type Probe,
  PROBE_TOOLS,
} from "./probe.ts";
import { type Boot, Stub } from "./stub.ts";

const ready = requireTool("gdb", ...PROBE_TOOLS);

const QUIET = "console=ttyS0 panic=-1 quiet cryptomgr.notests";

/** The kernel's names that the tests use. */
const NAMES = [
  "_text",
  "_etext",
  "start_kernel",
  "linux_banner",
  "uart_write",
  "do_sys_openat2",
  "__x64_sys_openat",
  "__x64_sys_getpid",
  "jiffies_64",
  "do_syscall_64",
  "entry_SYSCALL_64",
  "asm_exc_page_fault",
  "exc_page_fault",
  "__entry_text_start",
  "__entry_text_end",
];

/** Prints them; or, with "probe=..." on the kernel's command line, where the
 * kernel begins, and runs a probe on every processor. (Reading all of the file
 * takes seconds.) */
const SCRIPT = `
if [ -z "$probe" ]; then
  grep -F ${NAMES.map((name) => `-e ' ${name}'`).join(" ")} /proc/kallsyms
  exit
fi
grep -m 1 ' _text$' /proc/kallsyms
for i in $(seq 0 $(($(nproc) - 1))); do taskset $((1 << i)) probe $i & done
wait
echo end
`;

/** The kernel's symbols where they were linked, as it tells them itself. */
let linked: Promise<Map<string, bigint>> | undefined;

function linkedSymbols(boot: Boot): Promise<Map<string, bigint>> {
  linked ??= (async () => {
    const { code, stdout } = await command([
      "--memory=256M",
      `--append=${QUIET} nokaslr`,
      `--initrd=${boot.initrd}`,
      boot.kernel,
    ]).output();
    const out = new TextDecoder().decode(stdout).replaceAll("\r", "");
    assertEquals(code, 0, out);
    const all = parseSymbols(out);
    return new Map(NAMES.map((name) => {
      const address = all.get(name);
      assert(address !== undefined, `no ${name} in\n${out}`);
      return [name, address];
    }));
  })();
  return linked;
}

/** Everything that all boots share. */
interface Parts {
  readonly folder: string;
  readonly probe: Probe;
  readonly symbols: ReadonlyMap<string, bigint>;
  boot(commandLine: string): Boot;
}

async function prepare(guest: DebianGuest, folder: string): Promise<Parts> {
  const probe = buildProbe(folder);
  const initrd = `${folder}/initramfs.gz`;
  await Deno.writeFile(
    initrd,
    debianInitramfs(guest, SCRIPT, [
      { path: "bin/probe", content: probe.file, executable: true },
    ]),
  );
  const boot = (commandLine: string) => ({
    kernel: guest.kernel,
    initrd,
    commandLine: `${QUIET} ${commandLine}`,
  });
  const symbols = await linkedSymbols(boot("nokaslr"));
  buildVmlinux(folder, symbols);
  return { folder, probe, symbols, boot };
}

/** One gdb test of the kernel. */
function debugTest(
  name: string,
  fn: (parts: Parts) => Promise<void>,
): void {
  linuxTest(
    name,
    async (guest, folder) => await fn(await prepare(guest, folder)),
    ready,
  );
}

/** Every mitigation that QEMU's processor of this name needs and icebp's does
 * not, and a feature that only icebp's has: both then run the same code. */
const COMPARABLE = "nopcid mds=off l1tf=off spec_store_bypass_disable=off " +
  "mmio_stale_data=off tsx_async_abort=off srbds=off reg_file_data_sampling=off";
const COMPARABLE_CPU = "Westmere-v1,+smap,+smep,+fsgsbase,+erms";
/** From the probe into the kernel, back, and into a page fault. */
const STEPS = 500;

/** The first steps as QEMU makes them; null without QEMU. */
async function qemuTrail(
  { folder, probe }: Parts,
  boot: Boot,
): Promise<Place[] | null> {
  if (!requireTool("qemu-system-x86_64")) return null;
  await using stub = await Stub.qemu(boot, folder, COMPARABLE_CPU);
  await using gdb = new Gdb(folder);
  const call = probe.symbols.get("call");
  await gdb.expect(
    [`target remote ${stub.address}`, `hbreak *${call}`, "continue", "delete"],
    /Breakpoint 1, /,
  );
  return await gdb.trail(STEPS);
}

/** Steps from `call` on: user, the kernel's entry, the kernel, its exit, user,
 * and the page fault's entry. */
function checkTrail(trail: Place[], { probe, symbols }: Parts): void {
  assertEquals(trail.length, STEPS);
  const at = (name: string) => probe.symbols.get(name) ?? symbols.get(name)!;
  const name = ({ pc }: Place) =>
    [...symbols, ...probe.symbols].find(([, address]) => address === pc)?.[0];
  const isEntry = ({ pc }: Place) =>
    pc >= at("__entry_text_start") && pc < at("__entry_text_end");
  for (const { pc, level } of trail) {
    const kernel = pc >= at("_text") && pc < at("_etext");
    const user = pc >= at("_start") && pc < at("_start") + 4096n;
    assert(level === 0 ? kernel : user, `level ${level} at ${pc.toString(16)}`);
  }
  const back = trail.findIndex((place) => name(place) === "back");
  assertEquals(trail.slice(0, 2).map(name), ["call", "entry_SYSCALL_64"]);
  assertEquals(
    trail.slice(0, back).map(name).filter((n) => n !== undefined).slice(2),
    ["do_syscall_64", "__x64_sys_getpid"],
  );
  assert(trail.slice(1, back).every(({ level }) => level === 0));
  assert(isEntry(trail[1]) && isEntry(trail[back - 1]));
  assertEquals(trail.slice(back, back + 3).map(name), [
    "back",
    "touch",
    "asm_exc_page_fault",
  ]);
  assert(trail.slice(back + 2).every(({ level }) => level === 0));
  assert(trail.slice(back + 2).some((p) => name(p) === "exc_page_fault"));
}

debugTest(
  "Linux and gdb, 1 processor: from before the first instruction to power-off",
  async (parts) => {
    const { folder, probe } = parts;
    const boot = parts.boot(`nokaslr pti=on probe=1 ${COMPARABLE}`);
    await using stub = await Stub.icebp(boot);
    await using gdb = new Gdb(folder);
    const at = (name: string) => `*${probe.symbols.get(name)}`;

    // Nothing of the kernel is mapped yet.
    await gdb.expect(
      [`target remote ${stub.address}`, "monitor linux"],
      /too early[^]*nokaslr[^]*Linux \d+\.\d+\./,
    );
    await gdb.expect(
      [
        "symbol-file vmlinux",
        "break start_kernel",
        "tbreak uart_write",
        `break do_sys_openat2 if (int) $rdi > ${FIRST_DIRECTORY}`,
        "continue",
      ],
      /Breakpoint 1, 0x[0-9a-f]+ in start_kernel \(\)/,
    );
    await gdb.expect(
      "monitor linux",
      /^Linux version \d+\.\d+.* #1 /m,
      /_text is at 0xffffffff81000000 .* without a KASLR offset/,
      /^ {2}symbol-file vmlinux\nIt is starting and patches its code/m,
    );

    // In a driver; the kernel has patched its code as if nobody were looking.
    await gdb.expect(
      "continue",
      /breakpoint 2, 0x[0-9a-f]+ in uart_write \(\)/,
    );
    await gdb.expect("x/i do_sys_openat2", /<do_sys_openat2>:\tnopl/);
    await gdb.expect(
      ["disable 3", `hbreak ${at("call")}`, "continue"],
      /Breakpoint 4, 0x0*[0-9a-f]+ in \?\? \(\)/,
    );

    // In a program, whose page tables have next to nothing of the kernel.
    assert((await gdb.value("(long) $cr3 & 0x1000")) !== 0n);
    await gdb.expect(
      ["x/2i $pc", "x/2i do_sys_openat2", "x/s linux_banner"],
      /=> 0x[0-9a-f]+:\tsyscall/,
      /<do_sys_openat2>:\tnopl/,
      /"Linux version /,
    );
    await gdb.expect("monitor linux", /^ {2}symbol-file vmlinux\n$/m);
    await gdb.ask("delete 4");
    const trail = await gdb.trail(STEPS);
    checkTrail(trail, parts);
    await gdb.expect(
      [`tbreak ${at("touched")}`, "continue"],
      new RegExp(`0x0*${probe.symbols.get("touched")!.toString(16)} in`),
    );

    // A thousand hits, none of them lost; and two thousand that gdb never sees.
    await gdb.expect(["enable 3", "continue"], /Breakpoint 3, /);
    await gdb.expect(
      ["backtrace 2", "info breakpoints"],
      /#0 .* in do_sys_openat2 \(\)\n#1 .* in __x64_sys_openat \(\)/,
      /<start_kernel>\n\s+breakpoint already hit 1 time\n/,
      /\(target evals\)/,
    );
    const first = await gdb.value("(int) $rdi");
    await gdb.expect(["ignore 3 998", "continue"], /Breakpoint 3, /);
    assertEquals(await gdb.value("(int) $rdi"), first + 999n);
    // In the processor, or by an exit each.
    const judged = async () => {
      const said = await gdb.ask("monitor exits");
      const found = /(\d+) breakpoint conditions/.exec(said) ??
        /(\d+) exception/.exec(said);
      return Number(found![1]);
    };
    const before = await judged();
    await gdb.expect(
      [`condition 3 (int) $rdi == ${first + 2999n}`, "continue"],
      /Breakpoint 3, /,
    );
    assertEquals(await gdb.value("(int) $rdi"), first + 2999n);
    // The last one is told.
    assert(await judged() - before >= 1999);

    await gdb.ask("delete", "watch *(unsigned long *) &jiffies_64");
    for (let turn = 0; turn < 3; turn++) {
      const said = await gdb.ask("continue");
      const [, old, now] = /Old value = (\d+)\nNew value = (\d+)\n/.exec(said)!;
      assertEquals(BigInt(now), BigInt(old) + 1n, said);
    }
    await gdb.ask("delete");
    assertMatch(await gdb.interruptAfter(200), /received signal SIGINT/);

    await gdb.expect([`tbreak ${at("back")}`, "continue"], /breakpoint \d+, /);
    await gdb.expect(
      [`set var *(int *) ${probe.symbols.get("limit")} = 0`, "detach"],
      /detached/,
    );
    const { code, output, errors } = await stub.ended();
    assertEquals(code, 0, output);
    assertMatch(output, /^end$/m);
    // A bzImage is nothing that gdb can read.
    assertMatch(errors, /^ {2}gdb -ex 'target remote [^]*"monitor linux"/m);

    const expected = await qemuTrail(parts, boot);
    if (expected !== null) assertEquals(trail, expected);
  },
);

debugTest(
  "Linux and gdb, 2 processors: KASLR and page-table isolation",
  async (parts) => {
    const { folder, probe, symbols } = parts;
    await using stub = await Stub.icebp(
      parts.boot("pti=on probe=1"),
      "--cpus=2",
    );
    await using gdb = new Gdb(folder);
    const call = `*${probe.symbols.get("call")}`;
    await gdb.expect(
      [`target remote ${stub.address}`, "monitor linux"],
      /too early/,
    );
    await gdb.expect("monitor linux wait", /^Continue: /);
    await gdb.expect("continue", /received signal SIGINT/);
    const up = await gdb.expect("monitor linux", /^_text is at /m);
    assert(!up.includes("It is starting"), up);
    await gdb.expect(
      [`hbreak ${call}`, "continue"],
      /Thread \d "CPU\d" hit Breakpoint 1, /,
    );
    assert((await gdb.value("(long) $cr3 & 0x1000")) !== 0n);
    const [, text, offset, line] =
      /_text is at (\S+) .* offset is (\S+)\.\n.*\n +(symbol-file .*)\n/.exec(
        await gdb.ask("monitor linux"),
      ) ?? [];
    assert(line !== undefined, gdb.said);
    const kernel = (name: string) => symbols.get(name)! + BigInt(offset);
    assertEquals(BigInt(text), kernel("_text"));
    await gdb.ask(line);
    const openat = await gdb.value("(long) &do_sys_openat2");
    assertEquals(BigInt.asUintN(64, openat), kernel("do_sys_openat2"));

    // Code that both run: each comes by as often as it opens.
    await gdb.expect(
      [
        "delete",
        `break do_sys_openat2 if (int) $rdi > ${FIRST_DIRECTORY}`,
        "info threads",
      ],
      /Thread 1\.1 "CPU0" /,
      /Thread 1\.2 "CPU1" /,
    );
    const turns: bigint[][] = [[], []];
    for (let hit = 0; turns.some((t) => t.length < 20); hit++) {
      assert(hit < 1000, `only one processor opens files:\n${gdb.said}`);
      await gdb.expect(
        ["continue", "backtrace 2"],
        /hit Breakpoint 2, 0x[0-9a-f]+ in do_sys_openat2 \(\)/,
        /#1 .* in __x64_sys_openat \(\)/,
      );
      const turn = await gdb.value("(int) $rdi") - BigInt(FIRST_DIRECTORY);
      turns[Number(turn >> 20n)].push(turn & 0xfffffn);
    }
    for (const own of turns) {
      assertEquals(own, own.map((_, i) => own[0] + BigInt(i)));
    }
    // Both are in the kernel or in their probes, nowhere else.
    const program = probe.symbols.get("_start")!;
    const said = await gdb.ask("thread apply all info registers rip cs");
    const places = [...said.matchAll(/^rip +0x(\w+).*\ncs +0x(\w+)/gm)];
    assertEquals(places.length, 2, said);
    for (const [, rip, cs] of places) {
      const pc = BigInt(`0x${rip}`);
      const [low, high] = (parseInt(cs, 16) & 3) === 0
        ? [kernel("_text"), kernel("_etext")]
        : [program, program + 4096n];
      assert(pc >= low && pc < high, said);
    }

    // One steps into the kernel while the other runs.
    await gdb.expect(["delete", `hbreak ${call}`, "continue"], / hit Break/);
    await gdb.ask("delete");
    const trail = await gdb.trail(60);
    assertEquals(trail[0], { pc: probe.symbols.get("call")!, level: 3 });
    assertEquals(trail[1], { pc: kernel("entry_SYSCALL_64"), level: 0 });
    assert(
      trail.slice(1).every(({ pc, level }) =>
        level === 0 && pc >= kernel("_text") && pc < kernel("_etext")
      ),
    );
    assert(trail.some(({ pc }) => pc === kernel("do_syscall_64")));

    await gdb.expect(
      ["watch *(unsigned long *) &jiffies_64", "continue"],
      /watchpoint \d+: .*\s+Old value = \d+\nNew value = \d+\n/,
    );
    await gdb.ask("delete");
    assertMatch(await gdb.interruptAfter(200), /received signal SIGINT/);

    // Each probe has a limit of its own.
    await gdb.ask(`hbreak ${call}`);
    for (const told = new Set<bigint>(); told.size < 2;) {
      await gdb.expect("continue", / hit Breakpoint /);
      told.add(await gdb.value("(int) $rbx >> 20"));
      await gdb.ask(`set var *(int *) ${probe.symbols.get("limit")} = 0`);
    }
    await gdb.expect(["delete", "detach"], /detached/);
    const { code, output } = await stub.ended();
    assertEquals(code, 0, output);
    assertMatch(output, /^end$/m);
    assertEquals(parseSymbols(output).get("_text"), kernel("_text"));
  },
);
