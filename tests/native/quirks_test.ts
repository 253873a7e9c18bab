/**
 * A platform that misbehaves as real hosts do (README.md): the guest under a debugger
 * loses nothing all the same, or there is one clear line and an exit code for it.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import { HostClock } from "../../src/cli/host_clock.ts";
import { Machine } from "../../src/machine/machine.ts";
import { openNative } from "../../src/platform/mod.ts";
import { command } from "../cli/icebp.ts";
import { Client } from "../debugger/client.ts";
import { Icebp, symbols } from "../debugger/icebp.ts";
import { behindProbe } from "./behind_probe.ts";
import { finish, randomFrom, start, strain } from "../debugger/strain.ts";
import { canBuild, library } from "./libraries.ts";

const E_FAIL = "80004005";
/** Calls that fail while the guest runs, below. */
const RUNNING = new Set<string>([
  "WHvResumePartitionTime",
  "WHvRunVirtualProcessor",
]);

function nativeTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `native: ${name}`, ignore: !canBuild, fn });
}

for (
  const [quirk, what] of [
    ["length0", "memory exits without an instruction length"],
    ["nobytes", "exits without the instruction's bytes"],
    ["reset", "processors that do not start as after a reset"],
    ["aligned", "buffers that have to be aligned"],
    ["g0", "segment limits above 0xFFFFF with G=0"],
    ["cancels", "Canceled exits that nobody asked for"],
    ["capabilities0", "capabilities of 0 for what is there"],
    ["noint1", "an INT1 that is the guest's"],
    [
      "msrgp,extintwakes,activity,writebytes,hypervisor,noapictpr,mtrrcap," +
      "noruntime,nosse,windowlost,nohaltwindow,vector0=80070057,noapic=80070057",
      "everything as other versions of the platform have it",
    ],
  ]
) {
  nativeTest(`a debugger loses nothing with ${what}`, async () => {
    const table = symbols();
    await using icebp = new Icebp({
      cpus: 2,
      platform: await library(),
      env: { ICEBP_NATIVE: quirk },
    });
    const client = await Client.connect(icebp);
    await start(client, table);
    await strain(client, table, 300, randomFrom(quirk.length));
    await finish(icebp, client, table);
  });
}

/** Runs the demo to its end; the library gets `quirks`. */
async function demo(
  platform: string,
  quirks: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(
    [
      "--platform",
      platform,
      "--append",
      "ticks=20",
      ...args,
    ],
    ["-A"],
    "null",
    { ICEBP_NATIVE: await behindProbe(platform, quirks) },
  ).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

nativeTest(
  "every quirk at once does not keep the demo from its end",
  async () => {
    const { code, out, err } = await demo(
      await library(),
      "length0,nobytes,reset,g0,cancels=9,capabilities0,aligned,oldapic,xsave=11008",
    );
    assertEquals([code, err], [0, ""]);
    assertMatch(out, /the demo ends/);
  },
);

nativeTest("a platform that is switched off is one line", async () => {
  const { code, out, err } = await demo(await library(), "off");
  assertEquals([code, out], [ExitCode.host, ""]);
  assertMatch(
    err,
    /^icebp: WHvGetCapability .*no hypervisor is running: .*\n$/,
  );
});

for (
  const [call, nth] of [
    ["WHvGetCapability", 1],
    ["WHvCreatePartition", 1],
    ["WHvSetPartitionProperty", 1],
    ["WHvSetupPartition", 1],
    ["WHvMapGpaRange", 1],
    ["WHvCreateVirtualProcessor", 2],
    ["WHvSetVirtualProcessorRegisters", 4],
    ["WHvRunVirtualProcessor", 1],
    ["WHvRunVirtualProcessor", 9],
    ["WHvEmulatorCreateEmulator", 1],
  ] as const
) {
  nativeTest(`${call} fails (${nth}): one line, an exit code`, async () => {
    const quirk = `fail=${call}:${E_FAIL}:${nth}`;
    const { code, err } = await demo(await library(), quirk);
    // While the guest runs it is the run that failed.
    const { host, failed } = ExitCode;
    assertEquals(code, RUNNING.has(call) ? failed : host, err);
    assertMatch(err, new RegExp(`^icebp: ${call}\\b.*E_FAIL.*\\n$`));
  });
}

/** Calls that a host may refuse, and which of the demo's that is. */
const OPTIONAL_CALLS = [
  ["WHvGetCapability", 3],
  ["WHvSetPartitionProperty", 4], // X64MsrExitBitmap
  ["WHvSetPartitionProperty", 5], // CpuidResultList2
  ["WHvGetVirtualProcessorState", 1],
  ["WHvSetVirtualProcessorState", 2],
  ["WHvSuspendPartitionTime", 1],
  ["WHvResumePartitionTime", 1],
  ["WHvSetVirtualProcessorRegisters", 2], // the optional registers
  ["WHvSetVirtualProcessorRegisters", 3],
  ["WHvSetVirtualProcessorRegisters", 4],
  ["WHvSetVirtualProcessorRegisters", 5],
  ["WHvRequestInterrupt", 3],
] as const;

for (
  const [code, name] of [
    ["80070057", "E_INVALIDARG"],
    ["80004001", "E_NOTIMPL"],
    ["80370302", "WHV_E_UNKNOWN_PROPERTY"],
    ["C0350005", "STATUS_HV_INVALID_PARAMETER"],
    ["C0350006", "STATUS_HV_ACCESS_DENIED"],
    ["C0350008", "STATUS_HV_OPERATION_DENIED"],
    ["D0350015", "STATUS_HV_INVALID_VP_STATE"],
  ]
) {
  nativeTest(`what is refused with ${name} is done without`, async () => {
    await Promise.all(OPTIONAL_CALLS.map(async ([call, nth]) => {
      const quirk = `fail=${call}:${code}:${nth}`;
      const { code: exit, out, err } = await demo(await library(), quirk);
      assertEquals(exit, 0, `${quirk}: ${err}`);
      assertMatch(out, /the demo ends/, quirk);
      // What is lost is told; of most nothing is.
      const lost = /PartitionTime/.test(call)
        ? "clocks run"
        : /Controller/.test(call)
        ? "a reset leaves it"
        : null;
      if (lost === null) assertEquals(err, "", quirk);
      else {
        assertMatch(
          err,
          new RegExp(`^.*${call.replace(/2$/, "")}.*${lost}.*\\n$`),
        );
        assertMatch(err, new RegExp(name));
      }
    }));
  });
}

for (
  const [quirk, what] of [
    ["fail=WHvSetupPartition:80370304:1", "CPUID results"],
    [
      "fail=WHvSetupPartition:C0350005:1,fail=WHvSetupPartition:C0350005:1",
      "CPUID results, then an MSR bitmap",
    ],
    [
      Array(3).fill("fail=WHvSetupPartition:80070057:1").join(),
      "either",
    ],
  ]
) {
  nativeTest(
    `a set-up that is refused for ${what} is tried again`,
    async () => {
      const { code, out, err } = await demo(await library(), quirk);
      assertEquals([code, err], [0, ""]);
      assertMatch(out, /the demo ends/);
    },
  );
}

nativeTest(
  "a set-up that is refused whatever is left out is one line",
  async () => {
    const quirk = Array(4).fill("fail=WHvSetupPartition:C0350008:1").join();
    const { code, err } = await demo(await library(), quirk);
    assertEquals(code, ExitCode.host);
    assertMatch(
      err,
      /^icebp: WHvSetupPartition: STATUS_HV_OPERATION_DENIED.*\n$/,
    );
  },
);

for (
  const name of [
    "ApicBase",
    "Pat",
    "Tsc",
    "PendingInterruption",
    "DeliverabilityNotifications",
    "InterruptState",
    "PendingEvent",
    "InternalActivityState",
  ] as const
) {
  nativeTest(
    `a host that refuses ${name} starts a guest, and tells`,
    async () => {
      const quirk = `noregister=${Reg[name].toString(16)}`;
      const { code, out, err } = await demo(await library(), quirk);
      assertEquals(code, 0, err);
      assertMatch(out, /the demo ends/);
      assertMatch(err, new RegExp(`^.*${name}: .*INVALID_PARAMETER.*\\n$`));
    },
  );
}

for (
  const name of [
    "ApicBase",
    "InterruptState",
    "PendingDebugException",
    "InternalActivityState",
  ] as const
) {
  nativeTest(
    `a debugger works on a host that refuses ${name}, and is told`,
    async () => {
      const table = symbols();
      await using icebp = new Icebp({
        cpus: 2,
        platform: await library(),
        env: { ICEBP_NATIVE: `noregister=${Reg[name].toString(16)}` },
      });
      const client = await Client.connect(icebp);
      await start(client, table);
      await strain(client, table, 300, randomFrom(name.length));
      const errors = await finish(icebp, client, table);
      const said = errors.match(new RegExp(`${name}: .*: .*`, "g"));
      assertEquals(said?.length, 1, errors);
    },
  );
}

nativeTest(
  "where no event can be injected a debugger works as far as none has to be",
  async () => {
    const table = symbols();
    await using icebp = new Icebp({
      cpus: 2,
      platform: await library(),
      env: { ICEBP_NATIVE: `noregister=${Reg.PendingEvent.toString(16)}` },
    });
    const client = await Client.connect(icebp);
    await start(client, table);
    const place = `${table.get("work")!.toString(16)},1`;
    await client.must(`Z0,${place}`);
    for (let turn = 0; turn < 20; turn++) {
      assertEquals((await client.resume("vCont;c")).signal, 5);
      assertEquals((await client.resume("vCont;s:p1.1")).signal, 5);
    }
    // Its own INT1 has to be given back.
    await client.must(`z0,${place}`);
    await client.must(`Z0,${table.get("on_debug")!.toString(16)},1`);
    const told = await session(client, ["c", "k"]);
    assertMatch(told, /WHvSetVirtualProcessorRegisters.*INVALID_PARAMETER/);
    const { errors } = await icebp.ended();
    assertMatch(errors, /PendingEvent: .*exception may outlive a reset/);
  },
);

nativeTest("a register that no guest can do without is one line", async () => {
  const quirk = `noregister=${Reg.Cr0.toString(16)}`;
  const { code, err } = await demo(await library(), quirk);
  assertEquals(code, ExitCode.host);
  assertMatch(
    err,
    /^icebp: WHvSetVirtualProcessorRegisters.*INVALID_PARAM.*\n$/,
  );
});

nativeTest("local APICs that cannot be set are told once", async () => {
  const call = "WHvSetVirtualProcessorInterruptControllerState";
  const quirk = ["WHvSetVirtualProcessorState", call, `${call}2`]
    .flatMap((call) => Array(2).fill(`fail=${call}:C0350006:1`)).join();
  const { code, out, err } = await demo(await library(), quirk);
  assertEquals(code, 0, err);
  assertMatch(out, /the demo ends/);
  assertMatch(err, /^.*ControllerState .*ACCESS_DENIED.*reset leaves it.*\n$/);
});

nativeTest(
  "what a library lacks is said once, not for each machine",
  async () => {
    const platform = await library({
      without: [
        "WHvSuspendPartitionTime",
        "WHvGetVirtualProcessorState",
        "WHvGetVirtualProcessorInterruptControllerState",
        "WHvGetVirtualProcessorInterruptControllerState2",
      ],
    });
    const { code, err } = await demo(platform, "");
    assertEquals(code, 0, err);
    assertEquals(err.match(/lacks WHvSuspendPartitionTime/g)?.length, 1, err);
    assertEquals(err.match(/a reset leaves it as it is/g)?.length, 1, err);
  },
);

nativeTest("processors' TSCs are in step from the start", async () => {
  const platform = openNative(await library());
  const { buffer } = new WebAssembly.Memory({ initial: 16, maximum: 16 });
  const machine = new Machine({
    platform,
    guestMemory: new Uint8Array(buffer),
    clock: new HostClock(),
    entropy: { fill: (bytes) => bytes.fill(4) },
    cpus: 4,
    ramBytes: 1 << 20,
  });
  try {
    const inStep = (when: string) => {
      machine.suspendTime();
      const tscs = machine.processors.map(({ vp }) => vp.get(Reg.Tsc));
      assertEquals(new Set(tscs).size, 1, `${when}: ${tscs}`);
      machine.resumeTime();
    };
    inStep("made");
    machine.reset();
    inStep("reset");
    machine.suspendTime();
    const state = machine.save();
    machine.resumeTime();
    machine.load(state);
    inStep("loaded");
  } finally {
    await machine.close();
    platform.close();
  }
});

/** What a session does until it has ended one way or the other. */
async function session(
  client: Client,
  requests: readonly string[] = [
    `Z0,${symbols().get("work")!.toString(16)},1`,
    ..."c s g c p10 s c k".split(" "),
  ],
): Promise<string> {
  let told = "";
  for (const request of requests) {
    await client.send(request);
    let reply = await client.receive();
    while (/^O[0-9a-f]/.test(reply)) {
      told += new TextDecoder().decode(Uint8Array.fromHex(reply.slice(1)));
      reply = await client.receive();
    }
    if (reply.startsWith("E.")) told += `${reply}\n`;
    // The end of the connection, or of the guest.
    if (/^$|^[WX]/.test(reply)) break;
  }
  client.close();
  return told;
}

for (
  const [call, nth] of [
    ["WHvSetPartitionProperty", 6],
    ["WHvEmulatorTryIoEmulation", 1],
    ["WHvRunVirtualProcessor", 40],
    ["WHvGetVirtualProcessorRegisters", 20],
    ["WHvSetVirtualProcessorRegisters", 60],
    ["WHvSuspendPartitionTime", 2],
    ["WHvResumePartitionTime", 2],
  ] as const
) {
  nativeTest(
    `${call} fails (${nth}) under a debugger, who is told`,
    async () => {
      const platform = await library({
        // Without it instructions are emulated.
        without: call.startsWith("WHvEmulator") ? ["IcebpCompleteAccess"] : [],
      });
      const quirk = `fail=${call}:${E_FAIL}:${nth}`;
      await using icebp = new Icebp({
        cpus: 2,
        platform,
        env: { ICEBP_NATIVE: await behindProbe(platform, quirk) },
      });
      const told = await session(await Client.connect(icebp));
      const { code, errors } = await icebp.ended();
      const { ok, host, failed } = ExitCode;
      assert([ok, host, failed].some((c) => c === code), `exit code ${code}`);
      assertMatch(told + errors, new RegExp(`${call}.*E_FAIL`));
    },
  );
}

nativeTest("optional exports that are absent: the rest works", async () => {
  const absent = [
    "WHvSuspendPartitionTime",
    "WHvResumePartitionTime",
    "WHvRegisterPartitionDoorbellEvent",
    "WHvGetVirtualProcessorInterruptControllerState2",
    "WHvSetVirtualProcessorInterruptControllerState2",
    "WHvQueryGpaRangeDirtyBitmap",
  ];
  const platform = await library({ without: absent });
  const doctor = await command(["doctor", "--platform", platform]).output();
  const said = new TextDecoder().decode(doctor.stdout);
  for (const call of absent) {
    // The older form of a function does as well.
    if (call.endsWith("2")) continue;
    assertMatch(said, new RegExp(`^  lacks ${call}: `, "m"));
  }
  const { code, out } = await demo(platform, "");
  assertEquals(code, 0);
  assertMatch(out, /the demo ends/);
  const table = symbols();
  await using icebp = new Icebp({ cpus: 2, platform });
  const client = await Client.connect(icebp);
  await start(client, table);
  await strain(client, table, 100, randomFrom(6));
  await finish(icebp, client, table);
});
