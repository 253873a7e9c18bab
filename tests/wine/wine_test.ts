// The Windows path through the Windows build of Deno: WinHvPlatform.dll found by name
// and opened by Deno.dlopen, under Wine. The DLLs are the tests' own (tests/native).
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DEMO_ELF, demoFile } from "../../src/boot/demo/mod.ts";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import * as sectors from "../cli/sectors.ts";
import { mostProcessors } from "../../src/cli/threads.ts";
import { assemblePic, assertTicks } from "../native/pic.ts";
import {
  buildWindows,
  buildWindowsClients,
  whyNoNative,
} from "../native/build.ts";
import { requireTool } from "../util/tools.ts";
import { profileOf } from "../windows/profile.ts";
import { whyNoWine, Wine, WineError } from "./wine.ts";

const MOD = "mod.ts";

const reason = whyNoNative("windows") ?? whyNoWine();
if (reason !== null) console.warn(`SKIPPED: tests under Wine: ${reason}`);

let prepared: Promise<Wine | null> | undefined;

/** Wine, and the DLLs built; null, said on the console, where it cannot be had. */
function wine(): Promise<Wine | null> {
  prepared ??= buildWindows().then(() => Wine.setUp(console.log)).catch(
    (error) => {
      if (!(error instanceof WineError)) throw error;
      console.warn(`SKIPPED: tests under Wine: ${error.message}`);
      return null;
    },
  );
  return prepared;
}

function wineTest(name: string, fn: (wine: Wine) => Promise<void>): void {
  Deno.test({
    name: `Wine: ${name}`,
    ignore: reason !== null,
    fn: async () => {
      const ready = await wine();
      if (ready !== null) await fn(ready);
    },
  });
}

/** icebp's arguments, in the Windows build of Deno. */
const icebp = (...args: string[]) => ["run", "-A", "--no-check", MOD, ...args];
const WHP = { libraries: true } as const;

wineTest(
  "doctor without the DLL says why, and what is used instead",
  async (wine) => {
    const { code, out } = await wine.deno(icebp("doctor"));
    assertEquals(code, 0);
    assertMatch(out, /^host: windows 10\.\S+, x86_64, /m);
    assertMatch(
      out,
      /^whp: not usable: dlopen \(WinHvPlatform\.dll\): .*: enable 'Windows Hypervisor Platform' in Windows features/m,
    );
    assertMatch(out, /^--platform is soft$/m);
  },
);

wineTest(
  "--platform whp without the DLL is one line and an exit code",
  async (wine) => {
    const { code, out, err } = await wine.deno(icebp("--platform", "whp"));
    assertEquals([code, out], [ExitCode.host, ""]);
    assertMatch(err, /^icebp: dlopen \(WinHvPlatform\.dll\): .*enable .*\n$/);
  },
);

wineTest(
  "without a choice and without the DLL it runs in software, and says so",
  async (wine) => {
    const { code, out, err } = await wine.deno(icebp("--append", "ticks=50"));
    assertEquals(code, 0);
    assertMatch(out, /the demo ends\n$/);
    assertMatch(err, /^icebp: warning cli: running in software: .*doctor.*\n$/);
  },
);

wineTest("doctor finds the DLLs by name", async (wine) => {
  const { code, out, err } = await wine.deno(icebp("doctor"), WHP);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^whp: usable: a machine was made and ran its first/m);
  assertMatch(out, /^ {2}breakpoints: INT1 in guest memory; /m);
  assertMatch(out, /^ {2}time stamp counter: 1000\.0 MHz, as CPUID tells$/m);
  assertMatch(out, /^ +timers: exact to 1 ms, as asked for$/m);
  assertMatch(out, /^--platform is whp$/m);
});

wineTest("doctor says what this host does that others do not", async (wine) => {
  const { code, out } = await wine.deno(icebp("doctor"), {
    ...WHP,
    env: { ICEBP_NATIVE: "noint1,amd,notsc" },
  });
  assertEquals(code, 0);
  assertMatch(out, /^ {2}breakpoints: four debug registers, then INT3 /m);
  assertMatch(out, /^ {2}time stamp counter: .*told by tsc_early_khz$/m);
});

for (
  const [what, quirk, why] of [
    [
      "is made",
      Array(4).fill("fail=WHvSetupPartition:C0350008:1").join(),
      "WHvSetupPartition: STATUS_HV_OPERATION_DENIED",
    ],
    [
      "runs",
      "fail=WHvRunVirtualProcessor:80004005:1",
      "WHvRunVirtualProcessor .*E_FAIL",
    ],
  ]
) {
  wineTest(
    `where no machine ${what} doctor says so, and a run is in software`,
    async (wine) => {
      const options = { ...WHP, env: { ICEBP_NATIVE: quirk } };
      const doctor = await wine.deno(icebp("doctor"), options);
      assertEquals(doctor.code, 0);
      assertMatch(
        doctor.out,
        new RegExp(`^whp: not usable: no machine can be made: ${why}`, "m"),
      );
      assertMatch(doctor.out, /^--platform is soft$/m);
      const run = await wine.deno(icebp("--append", "ticks=50"), options);
      assertEquals(run.code, 0, run.err);
      assertMatch(run.out, /the demo ends\n$/);
      assertMatch(
        run.err,
        new RegExp(`^icebp: warning cli: running in software: ${why}.*\\n$`),
      );
      const named = await wine.deno(icebp("--platform", "whp"), options);
      assertEquals([named.code, named.out], [ExitCode.host, ""]);
      assertMatch(named.err, new RegExp(`^icebp: ${why}.*\\n$`));
    },
  );
}

wineTest(
  "the platform switched off is told from one that is missing",
  async (wine) => {
    const { code, err } = await wine.deno(icebp("--platform", "whp"), {
      ...WHP,
      env: { ICEBP_NATIVE: "off" },
    });
    assertEquals(code, ExitCode.host);
    assertMatch(
      err,
      /^icebp: WHvGetCapability .*no hypervisor is running.*\n$/,
    );
  },
);

wineTest("a register that the host refuses is done without", async (wine) => {
  const { code, out, err } = await wine.deno(icebp("--append", "ticks=20"), {
    ...WHP,
    env: { ICEBP_NATIVE: "noregister=2003" },
  });
  assertEquals(code, 0, err);
  assertMatch(out, /the demo ends\n$/);
  assertMatch(err, /^.*ApicBase: .*INVALID_PARAMETER.*outlive a reset\n$/);
});

wineTest("the demo runs on whp, which is the default", async (wine) => {
  const { code, out, err } = await wine.deno(
    icebp("--append", "ticks=100", "--stats"),
    WHP,
  );
  assertEquals(code, 0, err);
  for (
    const line of ["processor 0 works", "processor 1 works", "the demo ends"]
  ) {
    assertMatch(out, new RegExp(`^${line}$`, "m"));
  }
  assertMatch(err, /^platform +whp$/m);
});

wineTest("states and buffers in the forms that hosts have", async (wine) => {
  const { code, out, err } = await wine.deno(
    icebp("--append", "ticks=20"),
    { ...WHP, env: { ICEBP_NATIVE: "aligned,oldapic,xsave=11008" } },
  );
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /the demo ends/);
});

wineTest("the PIC's interrupts come without windows", async (wine) => {
  if (!requireTool("as", "ld")) return;
  const folder = Wine.driveC("pic");
  await Deno.mkdir(folder, { recursive: true });
  assemblePic(folder);
  for (const ICEBP_NATIVE of ["", "windowlost,nohaltwindow"]) {
    const { code, stdout, stderr } = await wine.command(
      icebp("C:\\pic\\pic.bin"),
      { ...WHP, env: { ICEBP_NATIVE } },
    ).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [1, ""]);
    // Wine's timers are this system's.
    assertTicks(stdout, 1);
  }
});

wineTest(
  "as many processors as the Windows build has threads for",
  async (wine) => {
    const folder = Wine.driveC("My Guests");
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(`${folder}/five.bin`, sectors.debugExit(5, 1));
    const most = mostProcessors("windows", navigator.hardwareConcurrency);
    const run = (cpus: number) =>
      wine.deno(icebp("--cpus", String(cpus), "C:\\My Guests\\five.bin"), WHP);
    const all = await run(Math.min(most, 64));
    assertEquals([all.code, all.err], [11, ""]);
    if (most >= 64) return;
    const more = await run(most + 1);
    assertEquals(more.code, ExitCode.usage);
    assertMatch(more.err, new RegExp(`runs ${most} processors at most`));
  },
);

wineTest("paths with backslashes and blanks; exit codes", async (wine) => {
  const folder = Wine.driveC("My Guests");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/demo kernel.elf`, demoFile(DEMO_ELF));
  await Deno.writeFile(`${folder}/five.bin`, sectors.debugExit(5, 1));
  const serial = `${folder}/out put.txt`;
  const kernel = await wine.deno(
    icebp(
      "--serial",
      "file:C:\\My Guests\\out put.txt",
      "--append",
      "ticks=20",
      "C:\\My Guests\\demo kernel.elf",
    ),
    WHP,
  );
  assertEquals([kernel.code, kernel.out, kernel.err], [0, "", ""]);
  assertMatch(await Deno.readTextFile(serial), /the demo ends\r\n$/);
  const five = await wine.deno(icebp("C:\\My Guests\\five.bin"), WHP);
  assertEquals([five.code, five.err], [11, ""]);
  const none = await wine.deno(icebp("C:\\My Guests\\none.bin"), WHP);
  assertEquals(none.code, ExitCode.file);
  assertEquals(none.err, "icebp: C:\\My Guests\\none.bin: no such file\n");
});

wineTest(
  "what is typed reaches the guest, what it says comes back",
  async (wine) => {
    const folder = Wine.driveC("My Guests");
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(`${folder}/echo.bin`, sectors.echo);
    const child = wine.command(icebp("C:\\My Guests\\echo.bin"), {
      ...WHP,
      stdin: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("windowsq"));
    await writer.close();
    const { code, stdout } = await child.output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "WINDOWS"]);
  },
);

wineTest("on a terminal Ctrl-A x ends it, Ctrl-A h helps", async (wine) => {
  if (!requireTool("script")) return;
  const folder = Wine.driveC("My Guests");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/halt.bin`, sectors.haltForEver);
  const child = wine.command(icebp("C:\\My Guests\\halt.bin"), {
    ...WHP,
    stdin: "piped",
    terminal: true,
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  let said = "";
  // The console takes keys as soon as it is open: until it answers, ask again.
  const asking = setInterval(
    () => writer.write(Uint8Array.of(1, 0x68)),
    500,
  );
  while (!/Ctrl-A x/.test(said)) {
    const { value, done } = await output.read();
    assert(!done, said);
    said += value;
  }
  clearInterval(asking);
  await writer.write(Uint8Array.of(1, 0x78));
  while (!(await output.read()).done);
  assertEquals((await child.status).code, 0);
  await writer.close();
  await child.stderr.cancel();
});

/** gdb at work on the demo; the DLLs get `quirks`. */
async function debugDemo(wine: Wine, quirks: string): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const child = wine.command(icebp(`--gdb=127.0.0.1:${port}`), {
    ...WHP,
    env: { ICEBP_NATIVE: quirks },
  }).spawn();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/${DEMO_ELF}`, demoFile(DEMO_ELF));
    const errors = child.stderr.pipeThrough(new TextDecoderStream())
      .getReader();
    let said = "";
    while (!said.includes("target remote")) {
      const { value, done } = await errors.read();
      assert(!done, said);
      said += value;
    }
    errors.cancel();
    assertMatch(said, /gdb -d "C:\\.*demo.*" -ex "target remote 127/);
    const commands = [
      `target remote 127.0.0.1:${port}`,
      "break collatz_steps",
      "continue",
      "delete",
      "break tick",
      ...Array.from({ length: 10 }, () => "continue"),
      "info threads",
      ...Array.from({ length: 50 }, () => "stepi"),
      "print ticks[0] + ticks[1] > 8",
      "delete",
      "watch ticks[1]",
      "continue",
      "kill",
    ];
    const { stdout } = await new Deno.Command("gdb", {
      args: [
        "-nx",
        "-batch",
        ...commands.flatMap((line) => ["-ex", line]),
        `${folder}/${DEMO_ELF}`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const answer = new TextDecoder().decode(stdout);
    assertMatch(answer, /hit Breakpoint 1, collatz_steps/);
    // Steps may meet it on the other processor, too.
    const hits = [...answer.matchAll(/hit Breakpoint 2, tick/g)].length;
    assert(hits >= 10, answer);
    assertMatch(answer, /CPU0[^]*CPU1/);
    assertMatch(answer, /= 1\n/);
    assertMatch(answer, /Hardware watchpoint 3: ticks\[1\]\n\nOld value/);
    assertMatch(answer, /killed\]/);
    await child.stdout.cancel();
    assertEquals((await child.status).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (
  const [quirks, where] of [
    ["", "on whp"],
    ["noint1", "where INT1 does not exit"],
  ]
) {
  wineTest(`gdb attaches over TCP to icebp ${where}`, async (wine) => {
    if (!requireTool("gdb")) return;
    await debugDemo(wine, quirks);
  });
}

wineTest("QEMU's, crosvm's, OpenVMM's and libwhp's calls", async (wine) => {
  await buildWindowsClients();
  // The DLLs are beside the program.
  const exe = Wine.path("tests/native/build/windows/clients.exe");
  for (const name of ["qemu", "qemu-pic", "crosvm", "openvmm", "libwhp"]) {
    const script = `
      const { code, stdout, stderr } = await new Deno.Command(
        ${JSON.stringify(exe)}, { args: [${JSON.stringify(name)}] },
      ).output();
      await Deno.stdout.write(stdout);
      await Deno.stderr.write(stderr);
      Deno.exit(code);`;
    const { code, out, err } = await wine.deno(["eval", script]);
    assertEquals([code, out, err], [0, `${name}: ok\n`, ""]);
  }
});

wineTest(
  "the whole report: contract tests and debugger on whp",
  async (wine) => {
    const output = Wine.driveC("report.md");
    const { code, out, err } = await wine.deno(
      ["run", "-A", "tests/windows/report.ts", "--output", "C:\\report.md"],
      WHP,
    );
    const text = await Deno.readTextFile(output);
    assertEquals(code, 0, `${out}\n${err}\n${text}`);
    assertMatch(text, /, 0 failures\./);
    assertMatch(text, /^ok \| \d{3} passed \| 0 failed/m);
    // What --cpus goes by.
    const threads = 4 * navigator.hardwareConcurrency;
    assertEquals(profileOf(text).runsAtOnce, Math.min(threads, 64));
  },
);
