// Debian's own kernel, unmodified, through the front door: it boots with one and
// with several processors, uses the virtio devices, runs a busybox shell, and
// has nothing to complain about. Needs apt once; what it fetches is kept.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { command, type Result } from "../cli/icebp.ts";
import { type DebianGuest, debianInitramfs } from "../guests/debian.ts";
import { statistics } from "../../src/cli/stats.ts";
import { debian } from "../history/guests.ts";
import { digest } from "../history/digest.ts";
import { linuxTest } from "./guest.ts";
import { testPlatform, translation } from "../util/platform.ts";
import { USER_SPACE_EXPECTED, USER_SPACE_SCRIPT } from "./user_space.ts";

/** On other platforms only what depends on the platform. */
const soft = testPlatform() === "soft";
const decoder = new TextDecoder();

/** Boots the kernel with `script` as its work. */
async function boot(
  { kernel, ...rest }: DebianGuest,
  folder: string,
  script: string,
  commandLine: string,
  ...args: string[]
): Promise<Result & { log: string[] }> {
  const initrd = `${folder}/initramfs.gz`;
  await Deno.writeFile(initrd, debianInitramfs({ kernel, ...rest }, script));
  const { code, stdout, stderr } = await command([
    "--platform",
    testPlatform(),
    ...translation(args),
    "--memory",
    "256M",
    "--append",
    `console=ttyS0 panic=-1 ${commandLine}`,
    "--initrd",
    initrd,
    ...args,
    kernel,
  ]).output();
  const out = decoder.decode(stdout).replaceAll("\r", "");
  return {
    code,
    out,
    err: decoder.decode(stderr),
    log: out.split("\n").filter((line) => /^\[ *\d+\.\d+\] /.test(line)),
  };
}

/** What a run said, but for the one line that is about the host's time. */
function withoutHostTime<T extends { readonly err: string }>(result: T): T {
  return {
    ...result,
    err: result.err.replace(/^ {2}time translating.*$/m, ""),
  };
}

/** Lines of the kernel's log that would worry its user. */
function complaints(log: string[]): string[] {
  const worrying =
    /WARNING|BUG|[Ll]ockup|unstable|calibration failed|APIC error|stall|Oops|Kernel panic/;
  return log.filter((line) => worrying.test(line));
}

/** Prints the log from the level of warnings up, without times. slub_debug says
 * in a frame of stars that it shows addresses. */
const PRINT_WARNINGS =
  "dmesg -r | sed -n 's/^<[0-4]>[^]]*] /worry: /p' | grep -v '[*][*]'\n";

/** A PC without a mouse: its keyboard controller has no second port. */
const EXPECTED_WARNINGS = [
  "i8042: PNP: PS/2 appears to have AUX port disabled, " +
  "if this is incorrect please boot with i8042.nopnp",
];

/** The kernel's checks of itself that Debian builds and that are off without a
 * word on the command line: of every kernel object when it is allocated and freed,
 * and of the time as each processor sees it. Recording who allocated what
 * ("U") takes long. */
const SELF_CHECKS = "slub_debug=FZP init_on_free=1 " +
  "debug_boot_weak_hash clocksource.verify_n_cpus=-1";

for (const cpus of soft ? [1, 2, 4] : [2]) {
  linuxTest(
    `Linux on ${cpus}: boots without a complaint, powers off`,
    async (guest, folder) => {
      // The crypto self-tests take half of the boot: once is enough.
      const tests = cpus === 2 ? "" : "cryptomgr.notests";
      const checks = cpus === 4 ? SELF_CHECKS : "";
      const { code, out, log, err } = await boot(
        guest,
        folder,
        "grep -c ^processor /proc/cpuinfo | sed 's/^/processors: /'\n" +
          "cat /sys/devices/system/clocksource/*/current_clocksource\n" +
          "sed 's/^/checked: /' /sys/kernel/slab/kmalloc-64/sanity_checks\n" +
          PRINT_WARNINGS,
        `loglevel=8 ${tests} ${checks}`,
        "--cpus",
        String(cpus),
      );
      assertEquals([code, err], [0, ""], out.slice(-2000));
      assertMatch(out, new RegExp(`^processors: ${cpus}$`, "m"));
      assertMatch(out, /^tsc$/m);
      assertMatch(out, new RegExp(`^checked: ${cpus === 4 ? 1 : 0}$`, "m"));
      assertEquals(complaints(log), []);
      assertEquals(
        [...out.matchAll(/^worry: (.*)$/gm)].map(([, line]) => line),
        EXPECTED_WARNINGS,
      );
      assert(log.length > 200, `${log.length} log lines`);
      assertMatch(log.join("\n"), /reboot: Power down/);
    },
  );
}

linuxTest(
  "Linux: the same run twice, to the byte and the instruction",
  async (guest, folder) => {
    const run = () =>
      boot(
        guest,
        folder,
        "head -c 8 /dev/urandom | md5sum; cat /proc/uptime\n",
        "quiet cryptomgr.notests",
        "--cpus",
        "2",
        "--stats",
      );
    const first = await run(), second = await run();
    assertMatch(first.err, /^instructions +[1-9]\d{8}/m);
    // With "quiet" the kernel has nothing to say.
    assertMatch(first.out, /^[0-9a-f]{32} {2}-\n[0-9.]+ [0-9.]+\n/);
    assertEquals(withoutHostTime(first), withoutHostTime(second));
  },
  soft,
);

for (const cpus of [1, 2]) {
  linuxTest(
    `Linux: ${cpus} processors run the same instructions whether they are translated or not`,
    async (guest, folder) => {
      const ends = [];
      for (const translate of ["never", "auto", "always"]) {
        const linux = await debian(
          guest,
          folder,
          "head -c 8 /dev/urandom | md5sum; cat /proc/uptime /proc/interrupts\n" +
            "head -c 300000 /dev/zero | gzip | sha256sum\n",
          `--cpus=${cpus}`,
          `--translate=${translate}`,
        );
        const { reason } = await linux.run();
        const { machine, opened } = linux;
        const { soft } = opened;
        const ran = soft!.counters().translated;
        assertEquals(ran > 10_000_000n, translate !== "never", `${ran}`);
        ends.push({
          reason,
          output: linux.output(),
          counts: machine.processors.map((_, n) => soft!.instructionsOf(n)),
          exits: statistics(machine, opened).match(/^(events|exits).*$/gm),
          // and memory, registers, devices, in one
          digest: await digest(machine),
        });
        await linux.close();
      }
      assertMatch(ends[0].output, /^[0-9a-f]{64} {2}-\r$/m);
      assertEquals(ends[1], ends[0]);
      assertEquals(ends[2], ends[0]);
    },
    soft,
  );
}

linuxTest(
  "Linux: a virtio disk's checksum survives; console, entropy and date are right",
  async (guest, folder) => {
    const disk = `${folder}/disk.img`, console = `${folder}/hvc`;
    let x = 1;
    const bytes = Uint8Array.from({ length: 1 << 20 }, () => {
      x = Math.imul(x, 1664525) + 1013904223;
      return x >>> 24;
    });
    await Deno.writeFile(disk, bytes);
    const { code, out, err } = await boot(
      guest,
      folder,
      "md5sum </dev/vda\n" +
        "dd if=/dev/vda of=/dev/vda bs=64k count=4 seek=8 conv=fsync 2>&1\n" +
        "md5sum </dev/vda\n" +
        "dd if=/dev/zero of=/dev/vdb bs=512 count=1 2>&1 && echo wrong\n" +
        "echo over virtio >/dev/hvc0\n" +
        "cat /sys/class/misc/hw_random/rng_current\n" +
        "head -c 32 /dev/hwrng | wc -c\n" +
        "date -u +%FT%H\n",
      "quiet cryptomgr.notests",
      "--date=2028-02-29T12:34",
      "--disk",
      disk,
      "--disk",
      `${disk},ro`,
      "--console",
      `file:${console}`,
    );
    assertEquals([code, err], [0, ""]);
    const after = await Deno.readFile(disk);
    const expected = bytes.slice();
    expected.set(bytes.subarray(0, 4 << 16), 8 << 16);
    assertEquals(after.toHex() === expected.toHex(), true);
    const sums = [...out.matchAll(/^([0-9a-f]{32}) {2}-$/gm)].map((m) => m[1]);
    assertEquals(sums, [await md5(bytes), await md5(expected)]);
    assertMatch(out, /^dd: .*vdb.*(not permitted|Read-only)/m);
    assertEquals(await Deno.readTextFile(console), "over virtio\r\n");
    assertMatch(out, /^virtio_rng\.0$/m);
    assertMatch(out, /^32$/m);
    assertMatch(out, /^2028-02-29T12$/m);
  },
);

async function md5(bytes: Uint8Array): Promise<string> {
  const { createHash } = await import("node:crypto");
  return createHash("md5").update(bytes).digest("hex");
}

linuxTest(
  "Linux: a panic with panic=-1 reboots; a reboot starts anew",
  async (guest, folder) => {
    // The RTC counts on over a reset: the second boot sees a later time.
    const { code, out } = await boot(
      guest,
      folder,
      'if [ "$(date +%s)" -lt 1735689610 ]; then echo first; sleep 8; ' +
        "sync; echo c >/proc/sysrq-trigger; fi\necho second\n",
      "quiet cryptomgr.notests",
    );
    assertEquals(code, 0, out.slice(-1000));
    assertMatch(out, /first\n[^]*sysrq[^]*second\n/);
  },
);

linuxTest(
  "Linux: a busybox shell runs 200 commands with the right output",
  async (guest, folder) => {
    const { code, out } = await boot(
      guest,
      folder,
      USER_SPACE_SCRIPT,
      "quiet cryptomgr.notests",
      "--cpus",
      "2",
    );
    assertEquals(code, 0, out.slice(-2000));
    const begin = out.indexOf("BEGIN\n"), end = out.indexOf("END\n");
    assert(begin >= 0 && end > begin, out.slice(-2000));
    assertEquals(out.slice(begin + 6, end), USER_SPACE_EXPECTED);
  },
);
