/**
 * Breakpoints in Debian under the real gdb where a debugger is in the way most: in
 * programs and a library that many processes run at once, in what a processor runs
 * when it starts, and in code that the kernel patches meanwhile.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { command } from "../cli/icebp.ts";
import {
  type DebianGuest,
  debianInitramfs,
  type SharedPrograms,
} from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool, runTool } from "../util/tools.ts";
import { buildCrowd, buildTwin, CROWD_TOOLS } from "./crowd.ts";
import { Gdb } from "./gdb.ts";
import { linuxTest, sharedPrograms } from "./guest.ts";
import { buildVmlinux, parseSymbols } from "./probe.ts";
import { type Boot, Stub } from "./stub.ts";

const ready = requireTool("gdb", ...CROWD_TOOLS);

const soft = testPlatform() === "soft";

/** The ways that the platform has to hold a breakpoint. */
const WAYS = soft ? ["processor", "memory"] as const : ["memory"] as const;

const QUIET = "console=ttyS0 panic=-1 quiet cryptomgr.notests nokaslr";

const NAMES = [
  "_text",
  "start_secondary",
  "__x64_sys_getpgid",
  "load_module",
  "do_init_module",
  "do_one_initcall",
  "__start___jump_table",
  "__stop___jump_table",
  "begin_new_exec",
  "__tracepoint_sched_process_exec",
];

/** Prints the kernel's warnings, but for one about the missing mouse; where time is the
 * host's also but for what comes of being held up. */
const PRINT_WARNINGS = "dmesg -r | grep '^<[0-4]>' | grep -v -e i8042 " +
  (soft ? "" : "-e 'hrtimer: interrupt took' ") + "| sed 's/^/worry: /'";

/** How often things are done. */
const ONLINE = 3, ROUNDS = 3, LOADS = 500;
const CHILDREN = 8, TURNS = 25, SHELLS = 4, FORKS = 25;

/** What the guest does, by "case=..." on the kernel's command line. */
const SCRIPT = `
shared=/shared/busybox
shell() { "$@" sh -c 'for i in $(seq ${FORKS}); do (echo $i); done'; }
taskset 1 fixed crowd mark 0 0
case $case in
symbols)
  grep -F ${NAMES.map((name) => `-e ' ${name}'`).join(" ")} /proc/kallsyms
  fixed $shared grep -m 1 libc.so /proc/self/maps ;;
processes)
  fixed crowd first ${CHILDREN} ${TURNS} &
  crowd elsewhere ${CHILDREN} ${TURNS} &
  fixed twin &
  for i in $(seq ${SHELLS}); do
    shell fixed $shared >/tmp/fixed$i &
    shell $shared >/tmp/elsewhere$i &
  done
  wait
  cat /tmp/fixed* /tmp/elsewhere* | awk '{ s += $1; n++ } END { print "shells:", s, n }'
  fixed crowd second ${CHILDREN} ${TURNS} ;;
processors)
  cd /sys/devices/system/cpu/cpu1
  for i in $(seq ${ONLINE}); do echo 0 >online; echo 1 >online; done
  echo "processors: $(nproc)" ;;
patches)
  mkdir /t
  mount -t tracefs t /t
  cd /t
  call() { fixed crowd mark 0 0 >/dev/null; }
  for i in $(seq ${ROUNDS}); do
    echo __x64_sys_getpgid >set_ftrace_filter
    echo function >current_tracer
    call
    echo "traced: $(grep -c __x64_sys_getpgid trace)"
    echo nop >current_tracer
    call
    echo 1 >events/sched/sched_process_exec/enable
    call
    echo "execs: $(grep -c sched_process_exec: trace)"
    echo 0 >events/sched/sched_process_exec/enable
    call
    { echo p:begin __x64_sys_getpgid
      echo p:inside __x64_sys_getpgid+5
      echo r:end __x64_sys_getpgid; } >kprobe_events
    echo 1 >events/kprobes/enable
    call
    sed 's/^/probed: /' kprobe_profile
    echo 0 >events/kprobes/enable
    call
    echo >kprobe_events
  done
  call ;;
modules)
  modules /nls_utf8.ko nls_utf8 ${LOADS} ;;
esac
${PRINT_WARNINGS}
`;

/** Where things are, as a first boot tells. */
interface Places {
  readonly symbols: ReadonlyMap<string, bigint>;
  /** In a crowd with fixed addresses. */
  readonly main: bigint;
  readonly tick: bigint;
  readonly write: bigint;
  readonly open: bigint;
  /** In a shell with fixed addresses. */
  readonly shellWrite: bigint;
}

interface Parts {
  readonly folder: string;
  readonly crowd: ReadonlyMap<string, bigint>;
  /** Path of libc. */
  readonly libc: string;
  readonly places: Places;
  boot(name: string): Boot;
}

/** A first boot's answers, for all that follow. */
let asked: Promise<Places> | undefined;

async function ask(boot: Boot, libc: string): Promise<Places> {
  const { code, stdout } = await command([
    "--memory=256M",
    `--append=${boot.commandLine}`,
    `--initrd=${boot.initrd}`,
    boot.kernel,
  ]).output();
  const out = new TextDecoder().decode(stdout).replaceAll("\r", "");
  assertEquals(code, 0, out);
  const symbols = parseSymbols(out);
  for (const name of NAMES) assert(symbols.has(name), `no ${name} in\n${out}`);
  const [, ...where] = /^mark: at (\w+) (\w+) (\w+) (\w+)$/m.exec(out) ?? [];
  const [main, tick, write, open] = where.map((hex) => BigInt(`0x${hex}`));
  const base = /^([0-9a-f]+)-.*\/libc\.so/m.exec(out)?.[1];
  assert(open !== undefined && base !== undefined, out);
  const shellWrite = BigInt(`0x${base}`) + inLibc(libc, "write");
  return { symbols, main, tick, write, open, shellWrite };
}

async function prepare(
  guest: DebianGuest,
  shared: SharedPrograms,
  folder: string,
): Promise<Parts> {
  const programs = buildCrowd(folder);
  const initrd = `${folder}/initramfs.gz`;
  const boot = (name: string) => ({
    kernel: guest.kernel,
    initrd,
    commandLine: `${QUIET} case=${name}`,
  });
  const module = withoutSignature(
    await Deno.readFile(`${guest.moduleFolder}/fs/nls/nls_utf8.ko`),
  );
  const files = [
    ...shared.files,
    ...programs,
    { path: "nls_utf8.ko", content: module },
  ];
  const write = (more: typeof files) =>
    Deno.writeFile(initrd, debianInitramfs(guest, SCRIPT, [...files, ...more]));
  await write([]);
  asked ??= ask(boot("symbols"), shared.libc);
  const places = await asked;
  const twin = buildTwin(folder, [places.tick, places.write, places.open]);
  await write([{ path: "bin/twin", content: twin, executable: true }]);
  buildVmlinux(folder, places.symbols);
  const crowd = symbolsOf(`${folder}/crowd`);
  return { folder, crowd, libc: shared.libc, places, boot };
}

/** A kernel module without what Debian signed it with: checking that takes a hundred
 * times as long as loading it (struct module_signature, include/linux/module_signature.h,
 * and a line behind it). */
function withoutSignature(module: Uint8Array): Uint8Array {
  const mark = new TextEncoder().encode("~Module signature appended~\n");
  const end = module.length - mark.length;
  if (mark.some((byte, i) => module[end + i] !== byte)) return module;
  const length = new DataView(module.buffer).getUint32(end - 4);
  return module.subarray(0, end - 12 - length);
}

/** One test of the kernel for each way. */
function breakTest(
  name: string,
  fn: (parts: Parts, way: string) => Promise<void>,
): void {
  for (const way of WAYS) {
    linuxTest(
      `${name}, breakpoints in ${way === "memory" ? "" : "the "}${way}`,
      async (guest, folder) => {
        const shared = await sharedPrograms();
        if (shared === null) return;
        await fn(await prepare(guest, shared, folder), way);
      },
      ready,
    );
  }
}

/** How often each breakpoint was hit, by its number. */
async function hits(gdb: Gdb): Promise<Record<number, number>> {
  const said = await gdb.ask("info breakpoints");
  const found: Record<number, number> = {};
  let number = 0;
  for (const line of said.split("\n")) {
    number = Number(/^(\d+) +\w/.exec(line)?.[1] ?? number);
    const times = /already hit (\d+) time/.exec(line);
    if (times !== null) found[number] = Number(times[1]);
  }
  return found;
}

/** A guest that does `name`, stopped where all of its processors run. */
async function started(
  { places, boot, folder }: Parts,
  name: string,
  way: string,
  fn: (gdb: Gdb, ended: () => Promise<string>) => Promise<void>,
): Promise<void> {
  await using stub = await Stub.icebp(
    boot(name),
    "--cpus=2",
    "--clock=virtual",
    `--breakpoints=${way}`,
  );
  await using gdb = new Gdb(folder);
  // The arguments of the system call: RDI of the registers at RDI.
  await gdb.ask(
    `target remote ${stub.address}`,
    "symbol-file vmlinux",
    `break *__x64_sys_getpgid if *(long *) ($rdi + 112) == ${places.main}`,
  );
  await gdb.expect("continue", /hit Breakpoint 1, /);
  await fn(gdb, async () => {
    const { code, output } = await stub.ended();
    assertEquals(code, 0, output);
    assert(!/^worry: /m.test(output), output);
    return output;
  });
}

breakTest(
  "Linux: code that many processes run",
  (parts, way) =>
    started(parts, "processes", way, async (gdb, ended) => {
      const { crowd, libc, places } = parts;
      const { tick, write, open, shellWrite } = places;
      await gdb.expect("continue", /hit Breakpoint 1, /);
      await gdb.expect(
        [
          `add-symbol-file crowd -o ${tick - crowd.get("tick")!}`,
          `add-symbol-file ${libc} -o ${write - inLibc(libc, "write")}`,
          "break *tick",
          "break *write",
          `break *${open}`,
          `break *${shellWrite}`,
          "ignore 3 1000000",
          "ignore 4 1000000",
          "ignore 5 1000000",
        ],
        /Breakpoint 2 at .*crowd.c, line/,
      );
      await gdb.expect("continue", /hit Breakpoint 2, tick \(.*crowd\.c:/);
      // The same in this process only.
      const space = await gdb.value("$cr3 >> 12");
      await gdb.ask(`break *tick if $cr3 >> 12 == ${space}`);
      await gdb.ask("ignore 2 1000000", "ignore 6 1000000");
      await gdb.expect("continue", /hit Breakpoint 1, /);
      const first = await hits(gdb);
      // Another one with the same code at the same addresses.
      await gdb.ask("delete 6");
      await gdb.expect("continue", /exited normally/);
      const both = await hits(gdb);
      const output = await ended();

      // Whatever is hit, everybody does what it is to do.
      const inShells = SHELLS * FORKS, sum = SHELLS * FORKS * (FORKS + 1);
      assertMatch(output, new RegExp(`^shells: ${sum} ${2 * inShells}$`, "m"));
      for (const name of ["first", "second", "elsewhere"]) {
        assertMatch(
          output,
          new RegExp(`^${name}: ${CHILDREN} children right`, "m"),
        );
      }
      // write() is called by printf(), too.
      const calls = CHILDREN * TURNS, writes = calls + 1;
      const once = [calls, writes, calls, TURNS - 1];
      assertEquals([first[2], first[3], first[4], first[6]], once);
      assertEquals(
        [both[2], both[3], both[4]],
        [2 * calls, 2 * writes, 2 * calls],
      );
      assertEquals([first[5], both[5]], [inShells, inShells]);
      assertMatch(output, /^twin: right$/m);
      // Each sees its code as the one did that ran before there were breakpoints.
      const code = [...output.matchAll(/, code (.*)$/gm)].map(([, it]) => it);
      assertEquals(code, new Array(4).fill(code[0]));
    }),
);

for (const cpus of soft ? [2, 4] : [2]) {
  breakTest(`Linux: where ${cpus} processors start`, async (parts, way) => {
    const { folder } = parts;
    await using stub = await Stub.icebp(
      parts.boot("processors"),
      `--cpus=${cpus}`,
      "--clock=virtual",
      `--breakpoints=${way}`,
    );
    await using gdb = new Gdb(folder);
    await gdb.ask(`target remote ${stub.address}`, "symbol-file vmlinux");
    const told: string[] = [];
    await gdb.ask("break *start_secondary");
    for (;;) {
      const said = await gdb.ask("continue");
      const [, cpu] = /"CPU(\d)" hit Breakpoint \d, /.exec(said) ?? [];
      if (cpu === undefined) {
        assertMatch(said, /exited normally/);
        break;
      }
      const at = await gdb.value("(long) $pc - (long) start_secondary");
      told.push(`CPU${cpu} ${at === 0n ? "break" : "hbreak"}`);
      if (told.length > 1) continue;
      const next = /\n\s+(0x\w+) /.exec(await gdb.ask("x/2i $pc"));
      await gdb.ask(`hbreak *${next?.[1]}`);
    }
    const first = Array.from({ length: cpus - 1 }, (_, i) => i + 1);
    const again = new Array<number>(ONLINE).fill(1);
    assertEquals(
      told,
      [...first, ...again].flatMap((n) => [`CPU${n} break`, `CPU${n} hbreak`]),
    );
    const { code, output } = await stub.ended();
    assertEquals(code, 0, output);
    assertMatch(output, new RegExp(`^processors: ${cpus}$`, "m"));
    assert(!/^worry: /m.test(output), output);
  });
}

breakTest(
  "Linux: code that the kernel patches",
  (parts, way) =>
    started(parts, "patches", way, async (gdb, ended) => {
      const branch = await branchOf(gdb, parts.folder);
      // What is in memory the kernel would find in its code.
      const insert = way === "memory" ? "hbreak" : "break";
      await gdb.ask(
        "delete",
        `${insert} *__x64_sys_getpgid`,
        `${insert} *(__x64_sys_getpgid + 5)`,
        `${insert} *${branch}`,
        `${insert} *begin_new_exec`,
        ...[2, 3, 4, 5].map((n) => `ignore ${n} 1000000`),
      );
      await gdb.expect("continue", /exited normally/);
      // In each round two of six calls are traced; the programs are started by the shell.
      const { 2: begins, 3: bodies, 4: sites, 5: execs } = await hits(gdb);
      const calls = 6 * ROUNDS + 1;
      // One has begun.
      assertEquals([begins, bodies, sites], [calls, calls + 1, execs]);
      assert(execs > 2 * calls, `${execs} programs`);
      const output = await ended();
      const told = [...output.matchAll(/^(traced|execs|probed): +(.*?) *$/gm)]
        .map(([, name, rest]) => `${name} ${rest.replaceAll(/ +/g, " ")}`);
      // fixed, the crowd and grep.
      const once = ["traced 1", "execs 3"]
        .concat(["begin", "inside", "end"].map((name) => `probed ${name} 1 0`));
      assertEquals(told, new Array(ROUNDS).fill(once).flat());
    }),
);

breakTest(
  `Linux: a module loaded ${LOADS} times`,
  (parts, way) =>
    started(parts, "modules", way, async (gdb, ended) => {
      await gdb.expect(
        [
          "delete",
          "break *load_module",
          "break *do_init_module",
          "tbreak *do_one_initcall",
          "ignore 2 1000000",
          "ignore 3 1000000",
          "continue",
        ],
        /breakpoint 4, /,
      );
      // The module's own code, which has just been written there.
      const start = await gdb.value("$rdi");
      await gdb.expect([`tbreak *${start}`, "continue"], /breakpoint 5, /);
      await gdb.expect("continue", /exited normally/);
      assertEquals(await hits(gdb), { 2: LOADS, 3: LOADS });
      assertMatch(await ended(), new RegExp(`^modules: ${LOADS}$`, "m"));
    }),
);

/** Where the kernel asks whether sched_process_exec is traced: the place that it
 * rewrites when that changes (struct jump_entry, include/linux/jump_label.h). */
async function branchOf(gdb: Gdb, folder: string): Promise<bigint> {
  const table = await gdb.value("(long) __start___jump_table");
  await gdb.ask(
    `dump binary memory ${folder}/table __start___jump_table __stop___jump_table`,
  );
  // struct tracepoint begins with the pointer to its name, then comes the key.
  const key = await gdb.value("(long) __tracepoint_sched_process_exec + 8");
  const bytes = await Deno.readFile(`${folder}/table`);
  const view = new DataView(bytes.buffer);
  const found: bigint[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const here = table + BigInt(at);
    const own = here + 8n + view.getBigInt64(at + 8, true);
    if ((own & ~3n) === key) found.push(here + BigInt(view.getInt32(at, true)));
  }
  assertEquals(found.length, 1);
  return found[0];
}

/** A file's symbols, the dynamic ones for a library. */
function symbolsOf(file: string, ...args: string[]): Map<string, bigint> {
  return parseSymbols(
    runTool("nm", [...args, "--without-symbol-versions", file]),
  );
}

/** Where libc has a function, from its beginning. */
function inLibc(libc: string, name: string): bigint {
  return symbolsOf(libc, "-D").get(name)!;
}
