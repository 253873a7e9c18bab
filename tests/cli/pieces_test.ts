// The command's parts that need no guest.
import { assertEquals } from "@std/assert";
import { EscapeFilter } from "../../src/cli/console.ts";
import { SeededEntropy } from "../../src/cli/entropy.ts";
import { gdbLine, gdbTarget } from "../../src/cli/gdb_line.ts";
import { BufferedOutput } from "../../src/cli/output.ts";
import { HostClock } from "../../src/cli/host_clock.ts";

function typed(...chunks: string[]): { input: string; did: string[] } {
  let input = "";
  const did: string[] = [];
  const filter = new EscapeFilter({
    input: (bytes) => input += String.fromCharCode(...bytes),
    quit: () => did.push("quit"),
    show: () => did.push("help"),
  });
  for (const chunk of chunks) {
    filter.push(Uint8Array.from(chunk, (c) => c.charCodeAt(0)));
  }
  return { input, did };
}

Deno.test("console: Ctrl-A x quits, everything else reaches the guest", () => {
  assertEquals(typed("ls\x03\r"), { input: "ls\x03\r", did: [] });
  assertEquals(typed("a\x01xb"), { input: "a", did: ["quit"] });
  assertEquals(typed("a\x01", "x"), { input: "a", did: ["quit"] });
  assertEquals(typed("\x01a\x01\x01"), { input: "\x01\x01", did: [] });
  assertEquals(typed("\x01hq"), { input: "q", did: ["help"] });
  assertEquals(typed("\x01q"), { input: "\x01q", did: [] });
});

/** A sink that takes at most `most` bytes a call. */
function sink(most: number) {
  const taken: number[] = [];
  let writes = 0;
  return {
    taken,
    writes: () => writes,
    writeSync(bytes: Uint8Array): number {
      writes++;
      const part = bytes.subarray(0, most);
      taken.push(...part);
      return part.length;
    },
  };
}

Deno.test("output: byte by byte in, few writes out, in order", async () => {
  const to = sink(Infinity);
  const output = new BufferedOutput(to, () => {});
  for (let i = 0; i < 100; i++) output.write(Uint8Array.of(i));
  assertEquals(to.writes(), 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals([to.writes(), to.taken], [
    1,
    Array.from({ length: 100 }, (_, i) => i),
  ]);
  output.write(new Uint8Array(40000));
  assertEquals(to.taken.length, 100 + 2 * 16384);
  output.flush();
  assertEquals(to.taken.length, 40100);
});

Deno.test("output: short writes are continued, an error is told once", () => {
  const short = sink(3);
  const output = new BufferedOutput(short, () => {});
  output.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  output.flush();
  assertEquals(short.taken, [1, 2, 3, 4, 5, 6, 7]);
  const errors: unknown[] = [];
  const broken = new BufferedOutput({
    writeSync: () => {
      throw new Deno.errors.BrokenPipe("gone");
    },
  }, (error) => errors.push(error));
  for (let i = 0; i < 3; i++) {
    broken.write(Uint8Array.of(1));
    broken.flush();
  }
  assertEquals(errors.length, 1);
});

Deno.test("entropy repeats for a seed and differs between seeds", () => {
  const bytes = (seed: bigint, length: number) => {
    const into = new Uint8Array(length);
    new SeededEntropy(seed).fill(into);
    return into.toHex();
  };
  // splitmix64 of seed 0 begins with 0xe220a8397b1dcdaf.
  assertEquals(bytes(0n, 8), "afcd1d7b39a820e2");
  assertEquals(bytes(5n, 20), bytes(5n, 20));
  assertEquals(bytes(5n, 20) === bytes(6n, 20), false);
});

Deno.test("the gdb line names guest, symbols and address", () => {
  const q = Deno.build.os === "windows" ? '"' : "'";
  const tcp = { transport: "tcp", hostname: "127.0.0.1", port: 1234 } as const;
  assertEquals(
    gdbLine(tcp, "my kernel.elf", undefined),
    `gdb ${q}my kernel.elf${q} -ex ${q}target remote 127.0.0.1:1234${q}`,
  );
  assertEquals(
    gdbLine(tcp, undefined, "/tmp/d"),
    `gdb -d /tmp/d /tmp/d/demo.elf -ex ${q}target remote 127.0.0.1:1234${q}`,
  );
  assertEquals(gdbTarget({ ...tcp, hostname: "0.0.0.0" }), "localhost:1234");
  assertEquals(gdbTarget({ ...tcp, hostname: "::1" }), "[::1]:1234");
  assertEquals(gdbTarget({ transport: "unix", path: "/tmp/s" }), "/tmp/s");
});

Deno.test("the host's clock moves and fires its alarm, not before its time", async () => {
  const clock = new HostClock();
  const at = clock.now() + 20_000_000n;
  const fired = await new Promise<bigint>((resolve) =>
    clock.setAlarm(at, () => resolve(clock.now()))
  );
  assertEquals(fired >= at, true);
  clock.setAlarm(clock.now() + 1_000_000n, () => {
    throw new Error("was taken away");
  });
  clock.setAlarm(null, () => {});
  await new Promise((resolve) => setTimeout(resolve, 10));
});

Deno.test("the host's clock is set, and its alarm with it", async () => {
  const clock = new HostClock();
  let fired = 0n;
  const due = new Promise<void>((resolve) =>
    clock.setAlarm(3_600_000_000_000n, () => {
      fired = clock.now();
      resolve();
    })
  );
  clock.suspend();
  clock.set(3_599_990_000_000n);
  assertEquals(clock.now(), 3_599_990_000_000n);
  clock.resume();
  await due;
  assertEquals(fired >= 3_600_000_000_000n, true);
  clock.suspend();
  clock.set(5n);
  assertEquals(clock.now(), 5n);
});

Deno.test("the host's clock stands still while it is suspended", async () => {
  const sleep = (ms: number) =>
    new Promise((resolve) => setTimeout(resolve, ms));
  const clock = new HostClock();
  let fired: bigint | null = null;
  clock.setAlarm(
    clock.now() + 10_000_000n,
    () => fired = clock.now(),
  );
  clock.suspend();
  const at = clock.now();
  await sleep(200);
  assertEquals([clock.now(), fired], [at, null]);
  clock.resume();
  clock.resume();
  const after = clock.now();
  assertEquals(after >= at && after < at + 200_000_000n, true);
  while (fired === null) await sleep(1);
  assertEquals(fired >= 10_000_000n, true);
});
