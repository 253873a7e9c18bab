// What a user sees who asks for something impossible: one line, an exit code.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { icebp } from "./icebp.ts";
import { powerOff } from "./sectors.ts";

Deno.test("--help and --version need no permission", async () => {
  const help = await icebp(["--help"], []);
  assertEquals([help.code, help.err], [0, ""]);
  for (const word of ["--gdb", "--append", "--serial", "Ctrl-A x"]) {
    assertStringIncludes(help.out, word);
  }
  const version = await icebp(["--version"], []);
  assertEquals(version.code, 0);
  assertMatch(version.out, /^icebp \d+\.\d+\.\d+\n$/);
});

Deno.test("wrong usage is one line and exit code 2", async () => {
  const { code, out, err } = await icebp(["--cpus", "many"], []);
  assertEquals([code, out], [2, ""]);
  assertMatch(err, /^icebp: --cpus many: a number .*\n$/);
});

Deno.test("guests that cannot be had are one line and exit code 1", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/text`, "hello");
    const cases: [string[], RegExp][] = [
      [[`${folder}/none`], /^icebp: .*\/none: no such file\n$/],
      [[folder], /^icebp: .*: a folder, not a file\n$/],
      [[`${folder}/text`], /^icebp: .*\/text: neither Linux, .*\n$/],
      [
        ["--platform", `${folder}/text`, "--serial", "null"],
        /^icebp: .*\n$/,
      ],
      [
        ["--serial", `file:${folder}/no/such/place`],
        /^icebp: .*no such file\n$/,
      ],
      [["--memory", "8G"], /^icebp: .*memory.*\n$/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await icebp(args);
      assertMatch(err, message, args.join(" "));
      assertEquals(code, 1, args.join(" "));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "what is no regular file is refused at once, by its kind",
  ignore: !requireTool("mkfifo"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const fifo = `${folder}/fifo`;
      const guest = `${folder}/guest`;
      await new Deno.Command("mkfifo", { args: [fifo] }).output();
      await Deno.writeFile(guest, powerOff);
      const kinds: [string, string][] = [
        [fifo, "a pipe"],
        ["/dev/zero", "a device"],
        [folder, "a folder"],
      ];
      for (const [path, kind] of kinds) {
        const uses = [
          [path],
          ["--initrd", path, guest],
          ["--module", path, guest],
          ["--disk", path, guest],
          ["--disk", `${path},ro`, guest],
        ];
        for (const args of uses) {
          const { code, err } = await icebp(args);
          assertEquals(err, `icebp: ${path}: ${kind}, not a file\n`);
          assertEquals(code, 1);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a place where gdb cannot be waited for is one line", async () => {
  const folder = await Deno.makeTempDir();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const path = `${folder}/socket`;
  const taken = Deno.listen({ transport: "unix", path });
  try {
    const { port } = listener.addr;
    const cases: [string, RegExp][] = [
      [
        `127.0.0.1:${port}`,
        new RegExp(`^icebp: --gdb=127.0.0.1:${port}: in use already: end `),
      ],
      ["203.0.113.1:1234", /^icebp: --gdb=203.0.113.1:1234: .*\n$/],
      ["no.such.host.invalid:1234", /^icebp: --gdb=no.such.host.*\n$/],
      [`unix:${path}`, /^icebp: --gdb=unix:.*: in use already: choose /],
      [`unix:${folder}/none/gdb`, /^icebp: --gdb=unix:.*: no such folder\n$/],
    ];
    for (const [where, message] of cases) {
      const { code, err } = await icebp([`--gdb=${where}`]);
      assertMatch(err, message, where);
      assertEquals([code, err.trim().split("\n").length], [1, 1], where);
    }
  } finally {
    listener.close();
    taken.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a missing permission is named, not traced", async () => {
  const { code, err } = await icebp(["/etc/hostname"], []);
  assertEquals(code, 1);
  assertMatch(err, /^icebp: .*--allow-read.*\n$/);
});

Deno.test("--write-demo writes kernel and sources", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, err } = await icebp(["--write-demo", `${folder}/new`]);
    assertEquals([code, err], [0, ""]);
    const names = [...Deno.readDirSync(`${folder}/new`)].map((e) => e.name);
    assertEquals(names.sort(), [
      "boot.S",
      "demo.elf",
      "kernel.c",
      "machine.c",
      "machine.h",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
