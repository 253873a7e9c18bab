// Debian's kernel in x2APIC mode. Without interrupt remapping Linux switches only
// under hypervisors that it knows: here the processor says that it is one of them,
// and Linux does. By icebp's own name it stays in xAPIC mode, and boots as ever.
import { assertEquals, assertMatch } from "@std/assert";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { Reg } from "../../ffi/registers.ts";
import { loadGuest, startGuest } from "../../src/boot/mod.ts";
import { openPlatform } from "../../src/cli/platform.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import { Machine } from "../../src/machine/machine.ts";
import { testPlatform, withProperties } from "../util/platform.ts";
import { linuxTest } from "./guest.ts";

const RAM = 256 << 20;
const CPUS = 2;
/** As both hypervisors' names stand in CPUID leaf 40000000H: EBX, ECX, EDX. */
const OWN = "icebpicebp\0\0", KNOWN = "KVMKVMKVM\0\0\0";

/** The platform, with another hypervisor's name in the CPUID results it is given. */
function renamed(platform: WinHvPlatform): WinHvPlatform {
  const latin = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  return withProperties(platform, (set, partition, code, buffer, bytes) => {
    const changed = (buffer as Uint8Array).slice();
    const at = String.fromCharCode(...changed).indexOf(OWN);
    if (at >= 0) changed.set(latin(KNOWN), at);
    return set(partition, code, changed, bytes);
  });
}

/** Boots until a line of the log matches; returns the log and each processor's
 * IA32_APIC_BASE. */
async function boot(
  kernel: string,
  until: RegExp,
  known: boolean,
): Promise<{ log: string; bases: bigint[] }> {
  const opened = await openPlatform(testPlatform(), RAM, "virtual");
  let log = "";
  let stop = () => {};
  const machine = new Machine({
    platform: known ? renamed(opened.platform) : opened.platform,
    guestMemory: opened.guestMemory,
    clock: opened.clock,
    entropy: { fill: (into) => into.fill(0) },
    cpus: CPUS,
    apic: "x2apic",
    ramBytes: RAM,
    serialOut(bytes) {
      log += String.fromCharCode(...bytes);
      if (until.test(log.slice(-2000))) stop();
    },
    onHostWrite: opened.onHostWrite,
  });
  try {
    startGuest(
      machine,
      loadGuest({
        image: await Deno.readFile(kernel),
        name: kernel,
        commandLine: "console=ttyS0 nokaslr",
        modules: [],
        ramBytes: RAM,
        cpus: CPUS,
        virtioDevices: 0,
      }),
    );
    const guest = new Debugger(machine);
    stop = () => guest.interrupt();
    const stopped = new Promise((resolve) => guest.onStop.subscribe(resolve));
    guest.resume(machine.processors.map(() => ({ kind: "continue" })));
    await stopped;
    const bases = machine.processors.map(({ vp }) => vp.get(Reg.ApicBase));
    return { log, bases };
  } finally {
    await machine.close();
    opened.platform.close();
  }
}

const soft = testPlatform() === "soft";

linuxTest(
  "Linux in x2APIC mode, two processors, clocks ticking",
  async (guest) => {
    const { log, bases } = await boot(
      guest.kernel,
      /clocksource: Switched/,
      true,
    );
    assertMatch(log, /x2apic enabled/);
    assertMatch(log, /Switched APIC routing to (physical|cluster) x2apic/);
    assertMatch(log, /smp: Brought up 1 node, 2 CPUs/);
    assertEquals(bases, [0xfee00d00n, 0xfee00c00n]);
  },
  soft,
);

linuxTest(
  "Linux that does not know icebp stays in xAPIC mode",
  async (guest) => {
    const { log, bases } = await boot(
      guest.kernel,
      /clocksource: Switched/,
      false,
    );
    assertMatch(log, /x2apic: IRQ remapping doesn't support X2APIC mode/);
    assertMatch(log, /smp: Brought up 1 node, 2 CPUs/);
    assertEquals(bases, [0xfee00900n, 0xfee00800n]);
  },
  soft,
);
