/**
 * The calls of the platform's best-known callers, in their order and with what they rely
 * on (clients/): also with AddressSanitizer, and with what other versions of the
 * platform do where a caller does not mind.
 */
import { assertEquals } from "@std/assert";
import { haveTool } from "../util/tools.ts";
import { buildWindowsClients, whyNoNative } from "./build.ts";
import { canBuild, program } from "./libraries.ts";

const CLIENTS: Readonly<Record<string, string>> = {
  qemu: "QEMU with the platform's APIC, and its debugger",
  "qemu-pic": "QEMU with an APIC of its own",
  crosvm: "crosvm: CPUID answers, the older APIC state, level-triggered EOIs",
  openvmm: "OpenVMM: #GP exits, window priorities, state by type, a reset",
  libwhp: "libwhp: the first release's sizes, XSAVE, dirty pages",
};

/** What none of them looks at. */
const HARMLESS = "nobytes,reset,extintwakes,writebytes,noapictpr,mtrrcap," +
  "noruntime,nosse,aligned,oldapic,xsave=11008";

async function client(
  name: string,
  asan: boolean,
  quirks: string,
): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(
    await program("clients", asan),
    { args: [name], env: { ICEBP_NATIVE: quirks } },
  ).output();
  const said = new TextDecoder().decode(stderr);
  assertEquals([code, said], [0, ""]);
  assertEquals(new TextDecoder().decode(stdout), `${name}: ok\n`);
}

for (const [name, what] of Object.entries(CLIENTS)) {
  for (
    const [where, asan, quirks] of [
      ["native", false, ""],
      ["native, AddressSanitizer", true, ""],
      ["native, other versions", false, HARMLESS],
    ] as const
  ) {
    Deno.test({
      name: `${where}: ${what}`,
      ignore: !canBuild,
      fn: () => client(name, asan, quirks),
    });
  }
}

Deno.test({
  name: "native: what a client relies on is found missing",
  ignore: !canBuild,
  fn: async () => {
    for (
      const [name, quirk] of [
        ["qemu", "msrgp"],
        ["qemu", "hypervisor"],
        ["libwhp", "activity"],
        ["openvmm", "noapic=80070057"],
      ]
    ) {
      const { code, stderr } = await new Deno.Command(
        await program("clients", false),
        { args: [name], env: { ICEBP_NATIVE: quirk } },
      ).output();
      const said = new TextDecoder().decode(stderr);
      assertEquals([code, /not so: /.test(said)], [1, true], `${name} ${said}`);
    }
  },
});

const noWindows = whyNoNative("windows");
if (noWindows !== null) console.log(`clients.exe: SKIPPED: ${noWindows}`);

Deno.test({
  name: "native: the clients compile with Windows' own headers",
  ignore: noWindows !== null || !haveTool("x86_64-w64-mingw32-gcc"),
  fn: async () => {
    const exe = Deno.readFileSync(await buildWindowsClients());
    assertEquals(new TextDecoder().decode(exe.subarray(0, 2)), "MZ");
  },
});
