// What a user sees who asks for something impossible: one line, an exit code.
import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { EXIT_CODES, ExitCode } from "../../src/cli/exit_codes.ts";
import { exitCodeOf } from "../../src/cli/failures.ts";
import { FileError } from "../../src/cli/files.ts";
import { parseOptions, type RunOptions } from "../../src/cli/options.ts";
import { refuseOverwriting, refuseUnwritable } from "../../src/cli/outputs.ts";
import { HELP } from "../../src/cli/help.ts";
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

Deno.test("icebp's own exit codes are no guest's, and help and README list them", async () => {
  const readme = await Deno.readTextFile(
    new URL("../../README.md", import.meta.url),
  );
  const listed = EXIT_CODES.map(([code]) => code);
  assertEquals(listed, Object.values(ExitCode));
  for (const [code, when] of EXIT_CODES) {
    assertEquals([code % 2, code < 256], [0, true], when);
    assertStringIncludes(HELP, `  ${String(code).padEnd(4)} ${when}\n`);
    assertMatch(
      readme,
      new RegExp(`^\\| ${code} +\\| ${RegExp.escape(when)} +\\|$`, "m"),
    );
  }
  assertEquals(exitCodeOf(new TypeError("nobody expects it")), ExitCode.bug);
});

Deno.test("wrong usage is one line and exit code 2", async () => {
  const { code, out, err } = await icebp(["--cpus", "many"], []);
  assertEquals([code, out], [2, ""]);
  assertMatch(err, /^icebp: --cpus many: a number .*\n$/);
});

Deno.test("an output that would write over another file of the run is refused before", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => `${folder}/${name}`;
  try {
    await Deno.writeTextFile(at("guest"), "mine");
    await Deno.link(at("guest"), at("same"));
    await Deno.writeTextFile(at("disk"), "mine");
    const refused: [string[], RegExp][] = [
      [["--record", at("same"), at("guest")], /same: --record .* the guest$/],
      [
        ["--disk", at("disk"), "--serial", `file:${at("disk")}`],
        /disk: --serial would write over a disk$/,
      ],
      [
        ["--record", at("new"), "--save-at-exit", at("new")],
        /new: --save-at-exit would write over what --record writes$/,
      ],
      [
        ["--restore", at("disk"), "--record", at("disk")],
        /disk: --record would write over the snapshot$/,
      ],
    ];
    for (const [args, message] of refused) {
      const options = parseOptions(args) as RunOptions;
      assertMatch(
        assertThrows(() => refuseOverwriting(options), FileError).message,
        message,
      );
    }
    const fine = [
      ["--restore", at("disk"), "--save-at-exit", at("disk")],
      ["--serial", "file:/dev/null", "--console", "file:/dev/null"],
      ["--record", at("new"), "--save-at-exit", at("newer"), at("guest")],
    ];
    for (const args of fine) {
      refuseOverwriting(parseOptions(args) as RunOptions);
    }
    for (
      const [path, message] of [
        [at("no/such"), /no such file$/],
        [folder, /a folder, not a file$/],
      ] as const
    ) {
      const error = await assertRejects(
        () => refuseUnwritable(path),
        FileError,
      );
      assertMatch(error.message, message);
    }
    await refuseUnwritable(at("disk"));
    await refuseUnwritable(at("new"));
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(left.sort(), ["disk", "guest", "same"]);
    // the command asks, too
    const { code, err } = await icebp(["--record", at("same"), at("guest")]);
    assertEquals(code, ExitCode.file);
    assertMatch(err, /^icebp: .*same: --record would write over the guest\n$/);
    assertEquals(await Deno.readTextFile(at("guest")), "mine");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("guests that cannot be had are one line and an exit code", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/text`, "hello");
    const { file, host } = ExitCode;
    const cases: [string[], RegExp, number][] = [
      [[`${folder}/none`], /^icebp: .*\/none: no such file\n$/, file],
      [[folder], /^icebp: .*: a folder, not a file\n$/, file],
      [[`${folder}/text`], /^icebp: .*\/text: neither Linux, .*\n$/, file],
      [
        ["--platform", `${folder}/text`, "--serial", "null"],
        /^icebp: .*\n$/,
        host,
      ],
      [
        ["--serial", `file:${folder}/no/such/place`],
        /^icebp: .*no such file\n$/,
        file,
      ],
      [["--memory", "8G"], /^icebp: .*memory.*\n$/, host],
    ];
    for (const [args, message, wanted] of cases) {
      const { code, err } = await icebp(args);
      assertMatch(err, message, args.join(" "));
      assertEquals(code, wanted, args.join(" "));
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
          assertEquals(code, ExitCode.file);
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
      assertEquals(
        [code, err.trim().split("\n").length],
        [ExitCode.listen, 1],
        where,
      );
    }
  } finally {
    listener.close();
    taken.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a missing permission is named, not traced", async () => {
  const { code, err } = await icebp(["/etc/hostname"], []);
  assertEquals(code, ExitCode.file);
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
