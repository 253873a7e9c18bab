/**
 * Linux where CPUID does not tell the TSC's frequency (every AMD host, many Intel ones)
 * and an exit for a port takes its time: what it measures there by itself fails.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { command } from "../cli/icebp.ts";
import { debianInitramfs } from "../guests/debian.ts";
import { linuxTest } from "../linux/guest.ts";
import { canBuild, library } from "./libraries.ts";

/** The native library's TSC. */
const TSC_KHZ = 1_000_000;
const SLOW = "notsc,portdelay=120";

/** Prints what Linux made of the TSC, once it has compared it with other clocks. */
const SCRIPT =
  "at=/sys/devices/system/clocksource/clocksource0/current_clocksource\n" +
  "for i in 1 2 3; do\n" +
  "  grep -q '^tsc$' $at && break\n" +
  "  sleep 1\n" +
  "done\n" +
  "cat $at\n" +
  "sed 's/^/line: /' /proc/cmdline\n" +
  "dmesg | grep -i -e tsc -e calibr -e 'MHz processor' | sed 's/^/said: /'\n";

/** Boots with the library's quirks; returns what was printed. */
async function boot(
  guest: Parameters<Parameters<typeof linuxTest>[1]>[0],
  folder: string,
  quirks: string,
  append = "",
): Promise<string> {
  const initrd = `${folder}/initramfs.gz`;
  await Deno.writeFile(initrd, debianInitramfs(guest, SCRIPT));
  const { code, stdout, stderr } = await command(
    [
      "--platform",
      await library(),
      "--append",
      `console=ttyS0 quiet loglevel=1 cryptomgr.notests panic=-1 ${append}`,
      "--initrd",
      initrd,
      "--cpus",
      "2",
      guest.kernel,
    ],
    ["-A"],
    "null",
    { ICEBP_NATIVE: quirks },
  ).output();
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout).replaceAll("\r", "");
  assertEquals([code, decoder.decode(stderr)], [0, ""], out);
  return out;
}

/** What Linux says where it could not find the frequency out. */
const FAILED = /Unable to calibrate|unstable|could not calculate/;

for (
  const [vendor, quirks, how, source] of [
    ["an Intel processor", SLOW, "by leaves that icebp fills", "tsc"],
    // Until it has been compared with the PM timer, whose reads are as slow as any.
    ["an AMD processor", `${SLOW},amd`, "by its command line", "tsc-early"],
  ]
) {
  linuxTest(
    `native: Linux on ${vendor} that does not tell its TSC: told ${how}`,
    async (guest, folder) => {
      const out = await boot(guest, folder, quirks);
      assertMatch(out, new RegExp(`^${source}$`, "m"));
      const said = out.split("\n").filter((line) => line.startsWith("said: "));
      assertEquals(said.filter((line) => FAILED.test(line)), []);
      const told = source === "tsc" ? "" : `tsc_early_khz=${TSC_KHZ} `;
      assertMatch(out, new RegExp(`^line: ${told}console=`, "m"));
      assertMatch(out, /: Detected 1000\.000 MHz processor$/m);
    },
    canBuild,
  );
}

linuxTest(
  "native: the user's own TSC frequency is the one that Linux gets",
  async (guest, folder) => {
    const own = "tsc_early_khz=999000";
    const append = `pmtmr=0 ${own}`;
    const out = await boot(guest, folder, `${SLOW},amd`, append);
    assertMatch(out, /^tsc$/m, "without a PM timer to compare it with");
    assertEquals(out.match(/tsc_early_khz=\d+/g)?.[0], own);
    assertMatch(out, /: Detected 999\.000 MHz processor$/m);
  },
  canBuild,
);

linuxTest(
  "native: a processor that tells its TSC's frequency is believed",
  async (guest, folder) => {
    const out = await boot(guest, folder, "");
    assertEquals(/tsc_early_khz/.test(out), false, out);
    assertMatch(out, /^tsc$/m);
  },
  canBuild,
);
