// `icebp doctor`: what there is, what there is not and why, and the exit code.
import { assertEquals, assertMatch } from "@std/assert";
import {
  cannotBeMade,
  cannotRun,
  EMULATION,
  ignore,
  inFolder,
  library,
  PLATFORM,
} from "../platform/tiny_library.ts";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import { icebp } from "./icebp.ts";

Deno.test("doctor: this machine, and what --platform will be", async () => {
  const { code, out, err } = await icebp(["doctor"]);
  assertEquals([code, err], [0, ""]);
  const lines = out.trim().split("\n");
  assertMatch(lines[0], /^icebp \d+\.\d+\.\d+, Deno \d+\.\d+\.\d+, V8 \d+/);
  assertMatch(lines[1], /^host: \w+ \S+, \w+, \d+ processors$/);
  assertMatch(out, /^whp: (usable: |not usable: )/m);
  assertMatch(out, /^soft: usable: .*\n {2}guest memory: up to 3968 MiB$/m);
  assertMatch(lines.at(-1)!, /^--platform is (whp|soft)$/);
});

Deno.test("doctor needs no permission", async () => {
  const { code, out, err } = await icebp(["doctor"], []);
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^host: \w+ \(--allow-sys tells its version\)/m);
});

Deno.test({
  name: "doctor: a library, with what it lacks and what is lost",
  ignore,
  fn: inFolder(async (folder) => {
    const path = library(`${folder}/tiny.so`, PLATFORM + EMULATION);
    const { code, out, err } = await icebp(["doctor", "--platform", path]);
    assertEquals([code, err], [0, ""]);
    const at = out.indexOf(`${path}: usable: a machine was made`);
    const found = out.slice(at);
    assertMatch(found, /^ {2}features: PartialUnmap, LocalApicEmulation, /m);
    assertMatch(found, /^ {2}exits: X64CpuidExit, X64MsrExit, ExceptionExit/m);
    assertMatch(found, /^ {2}exceptions that can exit: not said/m);
    assertMatch(
      found,
      /^ {2}processor clock: not said, APIC clock: not said$/m,
    );
    assertMatch(found, /^ {2}time stamp counter: nobody tells/m);
    // Whatever it runs is an OUT: what INT1's handler would do.
    assertMatch(found, /^ {2}breakpoints: four debug registers, then INT3/m);
    assertMatch(
      found,
      /^ {2}lacks WHvSuspendPartitionTime: the guest's clocks run while/m,
    );
    assertMatch(found, /^ {2}lacks WHvRequestInterrupt: no device can/m);
    assertMatch(found, /^--platform is \S+tiny\.so$/m);
  }),
});

Deno.test({
  name: "doctor: why a platform cannot be used, with an exit code",
  ignore,
  fn: inFolder(async (folder) => {
    const off = library(`${folder}/off.so`, PLATFORM + EMULATION, 0);
    const runs = library(`${folder}/runs.so`, cannotRun + EMULATION);
    const made = library(`${folder}/made.so`, cannotBeMade + EMULATION);
    for (
      const [path, why] of [
        [
          runs,
          /runs\.so: not usable: no machine can be made: .*invalidState: use --platform soft$/m,
        ],
        [
          made,
          /made\.so: not usable: no machine can be made: WHvMapGpaRange .*E_FAIL/,
        ],
        [off, /^\S+off\.so: not usable: .*no hypervisor is running: enable/m],
        [`${folder}/none.so`, /none\.so: not usable: dlopen .*check the path/],
        ["whp", /^whp: not usable: dlopen \(WinHvPlatform\.dll\).*enable/m],
      ] as const
    ) {
      const { code, out, err } = await icebp(["doctor", `--platform=${path}`]);
      assertEquals([code, err], [ExitCode.host, ""], path);
      assertMatch(out, why);
      assertMatch(out, /^--platform is .*, which cannot be used$/m);
    }
    const { code, out } = await icebp(["doctor", `--platform=${off}`], [
      "--deny-ffi",
    ]);
    assertEquals(code, ExitCode.host);
    assertMatch(out, /not usable: looking needs the permission --allow-ffi/);
  }),
});

Deno.test("doctor takes nothing else", async () => {
  for (const args of [["doctor", "--cpus", "2"], ["doctor", "kernel"]]) {
    const { code, out, err } = await icebp(args);
    assertEquals([code, out], [2, ""]);
    assertEquals(err.trim().split("\n").length, 1);
  }
});
