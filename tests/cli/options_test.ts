import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  parseOptions,
  type RunOptions,
  UsageError,
} from "../../src/cli/options.ts";

function run(...args: string[]): RunOptions {
  const options = parseOptions(args);
  assert(options.action === "run", options.action);
  return options;
}

Deno.test("without arguments the demo runs on two processors", () => {
  const options = run();
  assertEquals([options.guest, options.cpus, options.gdb], [
    undefined,
    2,
    undefined,
  ]);
  assertEquals(options.memoryBytes, 256 << 20);
  assertEquals(options.serial, { kind: "stdio" });
  assertEquals(options.log, { all: "warning", areas: {} });
});

Deno.test("--gdb takes a value only after =", () => {
  const local = {
    transport: "tcp",
    hostname: "127.0.0.1",
    port: 1234,
  } as const;
  assertEquals([run("--gdb").gdb, run("--gdb").guest], [local, undefined]);
  const before = run("--gdb", "kernel.elf");
  assertEquals([before.gdb, before.guest], [local, "kernel.elf"]);
  assertEquals(run("kernel.elf", "--gdb").gdb, local);
  assertEquals(run("--gdb=0.0.0.0:99").gdb, {
    ...local,
    hostname: "0.0.0.0",
    port: 99,
  });
  assertEquals(run("--gdb=5555").gdb, { ...local, port: 5555 });
  assertEquals(run("--gdb=:5555").gdb, { ...local, port: 5555 });
  assertEquals(run("--gdb=[::1]:7").gdb, {
    ...local,
    hostname: "::1",
    port: 7,
  });
  assertEquals(run("--gdb=unix:/tmp/x").gdb, {
    transport: "unix",
    path: "/tmp/x",
  });
});

Deno.test("--date: days, times, seconds, now", () => {
  const seconds = (...words: string[]) => Number(run(...words).date);
  const day = Date.UTC(2028, 1, 29) / 1000;
  assertEquals(run().date, undefined);
  assertEquals(seconds("--date=2028-02-29"), day);
  assertEquals(seconds("--date", "2028-02-29T12:34"), day + 45240);
  assertEquals(seconds("--date", "2028-02-29T12:34:56Z"), day + 45296);
  assertEquals(seconds("--date", "@86400"), 86400);
  assertEquals(seconds("--date", "9999-12-31T23:59:59"), 253402300799);
  const before = Math.floor(Date.now() / 1000);
  const now = seconds("--date", "now");
  assert(now >= before && now <= Date.now() / 1000);
});

Deno.test("every option", () => {
  const options = run(
    "--gdb",
    "--no-wait",
    "--on-disconnect=stay",
    "--platform",
    "soft",
    "--cpus",
    "4",
    "--apic=x2apic",
    "--memory=1G",
    "--append",
    "a=1 --b",
    "--initrd",
    "rd.img",
    "--module",
    "one",
    "--module",
    "two,text, more",
    "--disk=a.img",
    "--disk",
    "b.img,ro",
    "--serial",
    "file:/tmp/out",
    "--clock",
    "virtual",
    "--stats",
    "--translate",
    "always",
    "--log",
    "error,gdb=trace,machine=off",
    "guest.bin",
  );
  assertEquals([options.apic, run().apic], ["x2apic", "xapic"]);
  assertEquals(options.wait, false);
  assertEquals(options.afterDisconnect, "stay");
  assertEquals([options.platform, options.cpus], ["soft", 4]);
  assertEquals(options.memoryBytes, 2 ** 30);
  assertEquals([options.append, options.initrd], ["a=1 --b", "rd.img"]);
  assertEquals(options.modules, [
    { path: "one", text: "" },
    { path: "two", text: "text, more" },
  ]);
  assertEquals(options.disks, [
    { path: "a.img", readOnly: false },
    { path: "b.img", readOnly: true },
  ]);
  assertEquals(options.serial, { kind: "file", path: "/tmp/out" });
  assertEquals([options.clock, options.stats], ["virtual", true]);
  assertEquals([options.translate, run().translate], ["always", "auto"]);
  assertEquals(options.log, {
    all: "error",
    areas: { gdb: "trace", machine: null },
  });
  assertEquals(options.guest, "guest.bin");
});

Deno.test("sizes, flat addresses, an empty command line", () => {
  const sizes: [string, number][] = [
    ["64", 64 << 20],
    ["64M", 64 << 20],
    ["64MiB", 64 << 20],
    ["2g", 2 ** 31],
    ["4096K", 4 << 20],
  ];
  for (const [text, bytes] of sizes) {
    assertEquals(run("--memory", text).memoryBytes, bytes, text);
  }
  assertEquals(run("--flat", "0x7c00,16", "x").flat, {
    address: 0x7c00,
    mode: 16,
    entry: 0x7c00,
  });
  assertEquals(run("--flat", "1048576", "x").flat, {
    address: 1048576,
    mode: 32,
    entry: 1048576,
  });
  assertEquals(run("--flat", "0xe0000,16,0xffff0", "x").flat, {
    address: 0xe0000,
    mode: 16,
    entry: 0xffff0,
  });
  for (
    const words of [
      ["x", "--append="],
      ["x", "--append", ""],
      ["--append", "", "x"],
    ]
  ) {
    const options = run(...words);
    assertEquals([options.append, options.guest], ["", "x"]);
  }
  assertEquals(run("--append", "-v", "x").append, "-v");
  assertEquals(run("--module", "m,", "x").modules, [{ path: "m", text: "" }]);
});

Deno.test("a number is a guest's name as good as any", () => {
  assertEquals(run("123").guest, "123");
});

Deno.test("help, version, the demo's files", () => {
  for (const word of ["--help", "-h"]) {
    assertEquals(parseOptions([word]), { action: "help" });
  }
  for (const word of ["--version", "-V"]) {
    assertEquals(parseOptions([word]), { action: "version" });
  }
  assertEquals(parseOptions(["--write-demo", "d"]), {
    action: "write-demo",
    folder: "d",
  });
});

Deno.test("what cannot be meant is refused with one line", () => {
  const cases: [string[], string][] = [
    [["--what"], "unknown option --what"],
    [["-x"], "unknown option -x"],
    [["--what=1"], "unknown option --what"],
    [["a", "b"], "one guest at a time: a b"],
    [["--cpus", "0"], "from 1 to 64"],
    [["--cpus", "65"], "from 1 to 64"],
    [["--cpus", "two"], "from 1 to 64"],
    [["--cpus", "1", "--cpus", "2"], "--cpus is given twice"],
    [["--cpus"], "--cpus needs a value"],
    [["--cpus", "--stats"], "--cpus needs a value"],
    [["--initrd="], "--initrd needs a value"],
    [["--initrd", "", "x"], "--initrd needs a value"],
    [["--disk", "", "x"], "--disk needs a value"],
    [[""], "the guest's name is empty"],
    [["--memory", "lots"], "a size like 512M"],
    [["--memory", "1M"], "needs 2M at least"],
    [["--memory", "2049K"], "whole pages"],
    [["--memory", "65G"], "64G are the most"],
    [["--gdb=nowhere"], "HOST:PORT"],
    [["--gdb=:99999"], "HOST:PORT"],
    [["--gdb=unix:"], "needs a path"],
    [["--no-wait"], "--no-wait is about --gdb"],
    [["--history", "some"], "--history some: a size"],
    [["--history", "1k"], "--history 1k: 1M at least, or off"],
    [["--record-all"], "--record-all is about --record"],
    [["replay"], "replay needs a recording"],
    [["replay", "f", "--cpus", "2"], "--cpus: with replay the machine"],
    [["replay", "f", "--record", "g"], "--record is not for it"],
    [["replay", "f", "--restore", "g"], "--restore is not for it"],
    [["--restore", "f", "kernel"], "kernel: with --restore the machine"],
    [["--restore"], "--restore needs a value"],
    [["--serial", "tty"], "stdio, null, file:PATH"],
    [["--serial", "file:"], "stdio, null, file:PATH"],
    [["--log", "loud"], "a level is one of"],
    [["--log", "info,disk=debug"], "an area is one of"],
    [["--clock", "sun"], "virtual, host"],
    [["--date", "yesterday"], "--date yesterday: a date like 2026-11-30"],
    [["--date", "2026-02-30"], "is needed"],
    [["--date", "1969-12-31"], "from 1970 on"],
    [["--date", "2026-11-30T25:00"], "is needed"],
    [["--date", "@999999999999"], "is needed"],
    [["--date"], "--date needs a value"],
    [["--on-disconnect", "die"], "run, stay"],
    [["--module", ",text"], "--module needs a file"],
    [["--disk", ",ro"], "--disk needs a file"],
    [["--flat", "here", "x"], "an address like"],
    [["--flat", "0x1000,8", "x"], "an address like"],
    [["--flat", "0x1000,16,", "x"], "an address like"],
    [["--flat", "0x1000,16,1,2", "x"], "an address like"],
    [["--flat", "0x1000"], "needs a guest"],
    [["--initrd", "x"], "needs a guest"],
    [["--flat", "0x1000", "--append", "x", "y"], "no command line"],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(
      () => parseOptions(args),
      UsageError,
      message,
      args.join(" "),
    );
    assertEquals(error.message.includes("\n"), false);
  }
});
