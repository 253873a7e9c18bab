/** A real gdb and a real lldb against the fake guest: do they take our word? */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { GdbServer } from "../../src/gdb/server.ts";
import { registers } from "../../src/debug/guest/registers.ts";
import { requireTool } from "../util/tools.ts";
import { FakeTarget, MEMORY_BYTES } from "./fake_target.ts";

const NOP = 0x90;

function newTarget(): FakeTarget {
  const target = new FakeTarget();
  target.memory.fill(NOP);
  return target;
}

async function run(
  command: string,
  args: string[],
  target: FakeTarget,
  connect: (port: number) => string[],
): Promise<string> {
  const server = new GdbServer({
    target,
    address: { transport: "tcp", hostname: "127.0.0.1", port: 0 },
    afterDisconnect: "run",
  });
  const { port } = server.address as Deno.NetAddr;
  const { stdout, stderr } = await new Deno.Command(command, {
    args: [...args, ...connect(port)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  await server.close();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

/** Runs gdb commands; returns what gdb said. */
function gdb(target: FakeTarget, ...lines: string[]): Promise<string> {
  const ex = (line: string) => ["-ex", line];
  return run("gdb", ["-nx", "-batch"], target, (port) => [
    // No auxiliary questions about files of this machine.
    ...ex("set auto-load off"),
    ...ex(`target remote 127.0.0.1:${port}`),
    ...lines.flatMap(ex),
  ]);
}

function gdbTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `gdb: ${name}`, ignore: !requireTool("gdb"), fn });
}

gdbTest("every register is shown, by name", async () => {
  const said = await gdb(newTarget(), "info all-registers");
  for (const { name } of registers) {
    assertMatch(said, new RegExp(`^${name}\\s`, "m"));
  }
  assertEquals(said.includes("warning: limiting"), false);
});

gdbTest("every register can be changed", async () => {
  const target = newTarget();
  const named = registers.filter((r) =>
    r.bytes <= 8 && !["rip", "rsp", "ftag", "eflags"].includes(r.name)
  );
  const said = await gdb(
    target,
    ...named.map(({ name, bytes }, i) =>
      `set var $${name} = (${bytes === 8 ? "long" : "int"}) ${i + 100}`
    ),
    "set var $xmm3.v2_int64[1] = 0x1000000000",
    "set var $st2 = 2.5",
    "set var $eflags = 0x246",
    // Nothing may come from gdb's memory.
    "maint flush register-cache",
    ...named.map(({ name }) => `info registers ${name}`),
    "p/x $xmm3.v2_int64",
    "p $st2",
    "p $eflags",
  );
  for (const [i, { name }] of named.entries()) {
    const value = (i + 100).toString(16);
    assertMatch(said, new RegExp(`^${name} +0x${value}\\s`, "m"));
  }
  assertStringIncludes(said, "{0x0, 0x1000000000}");
  assertStringIncludes(said, "= 2.5\n");
  assertStringIncludes(said, "[ PF ZF IF");
});

gdbTest("x87 registers are gdb's own", async () => {
  const said = await gdb(newTarget(), "info float");
  assertMatch(said, /=>R0: Empty/);
  assertMatch(said, /Tag Word:\s+0xffff/);
});

gdbTest("processors are threads with names and states", async () => {
  const target = newTarget();
  target.setRip(1, 0x100123n);
  const said = await gdb(target, "info threads", "thread 2", "p $pc");
  assertMatch(said, /\* 1 +Thread 1\.1 "CPU0" \(running\) 0x0+100000/);
  assertMatch(said, / 2 +Thread 1\.2 "CPU1" \(running\) 0x0+100123/);
  assertStringIncludes(said, "(void (*)()) 0x100123");
});

gdbTest("breakpoints, conditions, steps", async () => {
  const target = newTarget();
  target.synchronous = true;
  const said = await gdb(
    target,
    "set scheduler-locking on",
    "break *0x100010",
    "hbreak *0x100020",
    "break *0x100030 if $rip == 1",
    "break *0x100040 if $rip == 0x100040",
    "continue",
    "stepi",
    "continue",
    "continue",
    "info breakpoints",
    "p $_siginfo",
    "p $pc",
  );
  assertMatch(said, /hit Breakpoint 1, 0x0+100010/);
  assertMatch(said, /^0x0+100011 in/m);
  assertMatch(said, /hit Breakpoint 2, 0x0+100020/);
  assertMatch(said, /hit Breakpoint 4, 0x0+100040/);
  assertMatch(said, /stop only if \$rip == 1 \(target evals\)/);
  assertEquals(said.includes("Breakpoint 3,"), false);
});

gdbTest("watchpoints tell the address", async () => {
  const target = newTarget();
  target.memory.fill(0, 0x1000, 0x1008);
  target.resume = () => {
    target.memory[0x1000]++;
    target.stopNow({ kind: "watchpoint", access: "write", address: 0x101000n });
  };
  const said = await gdb(target, "watch *(long *) 0x101000", "continue");
  assertMatch(said, /Hardware watchpoint 1: \*\(long \*\) 0x101000/);
  assertMatch(said, /Old value = 0\s+New value = 1/);
});

gdbTest("memory is read, written, found and compared", async () => {
  const target = newTarget();
  const said = await gdb(
    target,
    "set var *(int *) 0x100100 = 0x12345678",
    "x/2xw 0x100100",
    "find 0x100000, +0x1000, (int) 0x12345678",
    "x/x 0x99",
    `dump binary memory /dev/null 0x100000 ${0x100000 + MEMORY_BYTES}`,
    "x/x 0x100100",
  );
  assertStringIncludes(said, "0x100100:\t0x12345678\t0x90909090");
  assertMatch(said, /^0x100100\n1 pattern found/m);
  assertStringIncludes(said, "Cannot access memory at address 0x99");
  // The session lived on.
  assertMatch(said, /0x100100:\t0x12345678\t[^]*0x100100:\t0x12345678$/m);
});

gdbTest("monitor commands show their text", async () => {
  const said = await gdb(newTarget(), "monitor hello there", "monitor fail");
  assertStringIncludes(said, "hello there on CPU0\n");
  assertStringIncludes(said, "no such command: fail\n");
});

gdbTest("detach leaves the guest running, kill ends it", async () => {
  const target = newTarget();
  await gdb(target, "break *0x100010", "detach");
  assertEquals(target.calls.at(-1), "detach and run");
  assertEquals(target.breakpoints, []);
  const other = newTarget();
  await gdb(other, "kill");
  assertEquals(other.calls.at(-1), "kill");
});

gdbTest("the guest's end is told with its code", async () => {
  const target = newTarget();
  target.resume = () => target.stopNow({ kind: "exited", code: 3 });
  const said = await gdb(target, "continue");
  assertStringIncludes(said, "exited with code 03]");
});

gdbTest("extended mode: kill and run again", async () => {
  const target = newTarget();
  const said = await run("gdb", ["-nx", "-batch"], target, (port) => [
    "-ex",
    `target extended-remote 127.0.0.1:${port}`,
    ...["kill", "set remote exec-file x", "starti", "p $pc"]
      .flatMap((line) => ["-ex", line]),
  ]);
  assertEquals(target.calls.slice(0, 2), ["kill", "restart"]);
  assertStringIncludes(said, "0x100000");
});

Deno.test({
  name: "lldb: attaches, breaks, steps, reads registers and memory",
  ignore: !requireTool("lldb"),
  fn: async () => {
    const target = newTarget();
    target.synchronous = true;
    const said = await run("lldb", ["-x", "-b"], target, (port) =>
      [
        `gdb-remote 127.0.0.1:${port}`,
        "thread list",
        "breakpoint set -a 0x100010",
        "continue",
        "register read rip xmm0 cr3",
        "thread step-inst",
        "register read rip",
        "register write rbx 0x1234",
        "memory read -s 8 -f x -c 1 0x100040",
        "memory write 0x100040 0xcc",
        "thread select 2",
        "register read rip",
        "detach",
      ].flatMap((line) => ["-o", line]));
    assertMatch(said, /thread #1.*stop reason = /);
    assertMatch(said, /stop reason = breakpoint 1\.1/);
    assertMatch(said, /rip = 0x0+100010/);
    assertMatch(said, /stop reason = instruction step into/);
    assertMatch(said, /rip = 0x0+100011/);
    assertStringIncludes(said, "0x9090909090909090");
    assertEquals(target.memory[0x40], 0xcc);
    assertEquals(target.breakpoints, []);
  },
});
