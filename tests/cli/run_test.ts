// Guests through the front door: output, input, exit codes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import { command, icebp, type Result } from "./icebp.ts";
import * as sectors from "./sectors.ts";

const decoder = new TextDecoder();

/** Runs `fn` with a folder that is taken away afterwards. */
async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a boot sector. */
async function boot(sector: Uint8Array, ...args: string[]): Promise<Result> {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, sector);
    return await icebp([file, ...args]);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("the demo needs nothing: no permission, no file, no option", async () => {
  const { code, out, err } = await icebp([], []);
  assertEquals([code, err], [0, ""]);
  const lines = out.trim().split("\r\n");
  assertMatch(lines[0], /^icebp demo: /);
  assertEquals(lines.slice(1, 3).sort(), [
    "processor 0 works",
    "processor 1 works",
  ]);
  for (let second = 1; second <= 3; second++) {
    assertMatch(
      lines[2 + second],
      new RegExp(
        `^${second} s: \\d+ numbers checked, longest \\d+ \\(\\d+ steps, ` +
          "found by [01]\\), [1-9]\\d* pages mapped$",
      ),
    );
  }
  assertEquals(lines[6], "the demo ends");
});

Deno.test("two runs are the same run, to the instruction", async () => {
  const run = async () => {
    const args = ["--append", "ticks=20", "--stats", "--cpus", "3"];
    const { err, ...rest } = await icebp(args);
    // The one number that is of the host's time.
    return { ...rest, err: err.replace(/^ +time translating .*$/m, "") };
  };
  const [first, second] = [await run(), await run()];
  assertMatch(first.err, /^instructions +[1-9]\d+$/m);
  // the one line that is about the host's time
  const same = (err: string) => err.replace(/^  time translating.*$/m, "");
  assertEquals({ ...first, err: same(first.err) }, {
    ...second,
    err: same(second.err),
  });
});

Deno.test("exit codes are the guest's, whatever the width of the write", async () => {
  for (
    const [value, size, code] of [[0, 1, 1], [0x10, 2, 33], [5, 4, 11], [
      0x80,
      1,
      1,
    ], [0xffffffff, 4, 255]]
  ) {
    const result = await boot(sectors.debugExit(value, size as 1 | 2 | 4));
    assertEquals(result, { code, out: "", err: "" });
  }
  assertEquals((await boot(sectors.powerOff)).code, 0);
});

Deno.test("debug consoles and POST codes go to the log", async () => {
  const say = (port: number, text: string) =>
    [...text].flatMap((c) => sectors.out(port, c.charCodeAt(0), 1));
  const { code, err } = await boot(
    sectors.bootSector(
      ...say(0xe9, "one\n"),
      ...say(0x402, "two\r\n"),
      ...sectors.out(0x80, 0x5a, 1),
      ...sectors.out(0x80, 0x5a, 1),
      ...sectors.out(0x190, 7, 1),
      ...say(0xe9, "end"),
      ...sectors.out(0x604, 0x2000, 2),
    ),
    "--log",
    "off,machine=debug",
  );
  const lines = err.trim().split("\n").filter((line) => /port 0x/.test(line));
  assertEquals([code, ...lines], [
    0,
    "icebp: info machine: port 0xe9: one",
    "icebp: info machine: port 0x402: two",
    "icebp: debug machine: POST code 0x5a (port 0x80)",
    "icebp: debug machine: POST code 0x07 (port 0x190)",
    "icebp: info machine: port 0xe9: end",
  ]);
});

Deno.test("a boot sector finds the BIOS data, and takes IRQ 0 at vector 8", async () => {
  const { code, out, err } = await boot(sectors.bootSector(
    ...[0xa1, 0x13, 0x04, 0xe6, 0xe9], //       mov ax, [0x413]; out 0xe9, al
    ...[0xc7, 0x06, 0x20, 0, 0x40, 0x7c], //    the vector of INT 8: 0:7c40
    ...[0xc7, 0x06, 0x22, 0, 0, 0],
    ...[0xb0, 0x34, 0xe6, 0x43], //             PIT: rate generator
    ...[0x30, 0xc0, 0xe6, 0x40, 0xe6, 0x40],
    ...[0xcd, 0x10], //                         int 0x10 returns
    ...[0xfb, 0xf4, 0xeb, 0xfd], //             sti; hlt; jmp to hlt
    ...new Array(64 - 33).fill(0x90),
    ...sectors.out(0xf4, 21, 1), //             0:7c40
  ));
  assertEquals([code, out], [43, ""]);
  assertMatch(err, /^icebp: warning machine: INT 0x10 with AH 0x02 [^\n]+\n$/);
});

Deno.test("--stats: misses are counted, of a 16-bit guest too", async () => {
  // A loop that touches a page more each time: many misses an instruction.
  const sector = sectors.bootSector(
    ...[0xb9, 0, 4], //                     mov cx, 1024
    ...[0x89, 0xcb, 0xc1, 0xe3, 6], //      again: mov bx, cx; shl bx, 6
    ...[0x8a, 0x07, 0xe2, 0xf7], //         mov al, [bx]; loop again
    ...sectors.out(0x604, 0x2000, 2),
    0xf4,
  );
  const { code, err } = await boot(sector, "--stats");
  assertEquals(code, 0);
  const rate = (name: string) =>
    err.match(
      new RegExp(`^${name} +(\\d+) +([\\d.]+) in 1000 instructions$`, "m"),
    )!.slice(1).map(Number);
  const instructions = Number(err.match(/^instructions +(\d+)$/m)![1]);
  for (const name of ["decoded", "TLB misses"]) {
    const [count, per1000] = rate(name);
    assertEquals(per1000, Number((count / instructions * 1000).toFixed(3)));
  }
});

for (const mode of [16, 32, 64]) {
  Deno.test(`--stats: instructions and misses are right in ${mode}-bit code`, async () => {
    const address = (at: number) =>
      [...sectors.u32(at), 0, 0, 0, 0].slice(0, mode / 8);
    const stats = async (data: number) => {
      const body = [0xa0, ...address(data), 0xa2, ...address(data + 1)];
      const image = Uint8Array.of(
        ...[0xb9, 0xe8, 3, ...mode === 16 ? [] : [0, 0]], // mov ecx, 1000
        ...[...body, 0xe2, 256 - body.length - 2], //        load; store; loop
        ...(mode === 16 ? sectors.out : sectors.out32)(0x604, 0x2000, 2),
        0xf4,
      );
      const { code, err } = await boot(
        image,
        "--flat",
        `0x8000,${mode}`,
        "--stats",
      );
      assertEquals(code, 0);
      const count = (name: string) =>
        Number(err.match(new RegExp(`^${name} +(\\d+)`, "m"))![1]);
      return {
        instructions: count("instructions"),
        misses: count("TLB misses"),
        besideCode: count("  writes beside code"),
      };
    };
    const apart = await stats(0x9000);
    assertEquals([apart.instructions, apart.besideCode], [3004, 0]);
    assert(apart.misses < 20, `${apart.misses} misses`);
    // Where code is, a write may change it: each has to be looked at.
    const beside = await stats(0x8100);
    assertEquals([beside.instructions, beside.besideCode], [3004, 1000]);
    assert(beside.misses < 1020, `${beside.misses} misses`);
  });
}

Deno.test("a flat image is entered where --flat says", async () => {
  const rom = new Uint8Array(0x20000).fill(0xf4);
  rom.set(sectors.out(0xf4, 7, 1), 0x10000);
  rom.set([0xea, 0, 0, 0, 0xf0], 0x1fff0); // jmp f000:0
  const { code, err } = await boot(rom, "--flat", "0xe0000,16,0xffff0");
  assertEquals([code, err], [15, ""]);
  const outside = await boot(rom, "--flat", "0xe0000,16,0x100000");
  assertEquals(outside.code, ExitCode.file);
  assertMatch(outside.err, /entry point 0x100000 lies outside the image/);
});

Deno.test("a reset starts the guest anew", async () => {
  const { code, out, err } = await boot(sectors.resetOnce);
  assertEquals({ code, out, err }, { code: 0, out: "AB", err: "" });
});

Deno.test("a triple fault is told", async () => {
  const { code, err } = await boot(sectors.tripleFault);
  assertEquals(code, ExitCode.shutdown);
  assertMatch(err, /^icebp: processor 0 shut down \(triple fault\) at 0x7c07;/);
});

Deno.test("--serial: to a file, to nowhere", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/serial`;
    const { code, out } = await boot(
      sectors.resetOnce,
      "--serial",
      `file:${path}`,
    );
    assertEquals([code, out], [0, ""]);
    assertEquals(await Deno.readTextFile(path), "AB");
  });
  assertEquals((await boot(sectors.resetOnce, "--serial", "null")).out, "");
});

Deno.test("standard input reaches the guest's serial port", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/echo`, sectors.echo);
    const child = command([`${folder}/echo`], ["-A"], "piped").spawn();
    const writer = child.stdin.getWriter();
    await writer.write(
      new TextEncoder().encode("hello, world and more than a FIFO q"),
    );
    const { code, stdout } = await child.output();
    await writer.close().catch(() => {}); // the reader may be gone
    assertEquals(
      [code, decoder.decode(stdout).replaceAll("\0", " ")],
      [0, "HELLO\x0c WORLD AND MORE THAN A FIFO "],
    );
  });
});

Deno.test("a signal ends it with the code for it", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/halt`, sectors.haltForEver);
    const child = command([`${folder}/halt`, "--log", "info"]).spawn();
    const reader = child.stderr.getReader();
    const { value } = await reader.read(); // it has been loaded
    assertMatch(decoder.decode(value), /boot sector entered/);
    child.kill("SIGTERM");
    const { code } = await child.status;
    reader.releaseLock();
    await child.stderr.cancel();
    await child.stdout.cancel();
    assertEquals(code, ExitCode.signal);
  });
});

Deno.test({
  name: "a terminal: raw mode, Ctrl-A x, and everything as before",
  ignore: !requireTool("script", "stty"),
  fn: async () => {
    await inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/echo`, sectors.echo);
      const line = [
        "stty -g",
        `${Deno.execPath()} run -A ${
          new URL("../../mod.ts", import.meta.url).pathname
        } ${folder}/echo`,
        "echo code $?",
        "stty -g",
      ].join("; ");
      const child = new Deno.Command("script", {
        args: ["-qec", line, "/dev/null"],
        env: { SHELL: "/bin/sh" },
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      let text = "";
      const reading = (async () => {
        for await (const chunk of child.stdout) {
          text += decoder.decode(chunk);
        }
      })();
      const type = (keys: string) =>
        writer.write(new TextEncoder().encode(keys));
      // Until the terminal is raw it echoes: type until it does not.
      const deadline = Date.now() + 30_000;
      while (!text.includes("ABC") && Date.now() < deadline) {
        await type("abc");
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      await type("\x01x");
      await child.status;
      await writer.close().catch(() => {});
      await reading;
      const lines = text.trim().split(/\r?\n/);
      assert(text.includes("ABC"), text);
      assertMatch(text, /code 0/);
      // What was typed too early stands before the first line.
      assert(lines[0].endsWith(lines.at(-1)!), text);
    });
  },
});

Deno.test({
  name: "gdb attaches by the line that is printed",
  ignore: !requireTool("gdb", "sh"),
  fn: async () => {
    const child = command(["--gdb=127.0.0.1:0"]).spawn();
    const reader = child.stderr.getReader();
    let said = "";
    let line: RegExpMatchArray | null = null;
    while (line === null) {
      const { value, done } = await reader.read();
      assert(!done, said);
      said += decoder.decode(value);
      line = said.match(/^ +(gdb .*)$/m);
    }
    const script = `${line[1]} -batch -ex 'break tick' -ex continue ` +
      "-ex backtrace -ex 'info threads' -ex kill";
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", script],
      stdin: "null",
    }).output();
    const text = decoder.decode(stdout);
    assertMatch(
      text,
      /Thread [12] .* hit Breakpoint 1, tick \(\) at .*kernel\.c/,
    );
    assertMatch(text, /#\d+ .* worker \(processor/);
    assertMatch(text, /Thread 1\.2/);
    reader.releaseLock();
    await child.stderr.cancel();
    const { code } = await child.output().catch(() => child.status);
    assertEquals(code, 0);
  },
});

Deno.test("icebp demo: a breakpoint is hit five times, without gdb", async () => {
  const { code, out, err } = await icebp(["demo"], ["--allow-net=127.0.0.1"]);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /-> Z0,[0-9a-f]+,1 .*\n {2}<- OK\n/);
  assertMatch(
    out,
    /Breakpoint hit 1; [^]*Breakpoint hit 5; ticks\[0\] is [1-9]\./,
  );
});
