/**
 * A guest whose every interrupt is the PIC's, on hosts that forget the request for an
 * interrupt window, tell of none while a processor halts, or have coarse timers: it is
 * interrupted as often as its timer says.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { debianInitramfs } from "../guests/debian.ts";
import { linuxTest } from "../linux/guest.ts";
import { requireTool } from "../util/tools.ts";
import { canBuild, library } from "./libraries.ts";
import { assemblePic, assertTicks } from "./pic.ts";

const HERE = new URL(".", import.meta.url).pathname;
const assembler = requireTool("as", "ld");

/** Runs icebp with timers of `tick` ms on the library with `quirks`. */
async function run(tick: number, quirks: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", `${HERE}coarse.ts`, String(tick)],
      ...["--platform", await library(), ...args],
    ],
    env: { ICEBP_NATIVE: quirks },
    stdin: "null",
    signal: AbortSignal.timeout(HANGS),
  }).output();
  return { code, stdout, err: new TextDecoder().decode(stderr) };
}

/** In ms: what has not ended by then hangs. */
const HANGS = 60_000;

for (
  const [tick, quirks, what] of [
    [1, "", "as current Windows has it"],
    [1, "windowlost", "an exit takes the request for a window back"],
    [1, "nohaltwindow", "no window comes while a processor halts"],
    [1, "windowlost,nohaltwindow", "neither can be relied on"],
    [1, "extintwakes,cancels", "an interrupt wakes, and runs end for nothing"],
    [16, "", "timers tick at 16 ms"],
    [47, "windowlost,nohaltwindow", "timers tick at 47 ms, without windows"],
  ] as const
) {
  Deno.test({
    name: `native: a guest of the PIC's interrupts alone: ${what}`,
    ignore: !canBuild || !assembler,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        const { code, stdout, err } = await run(
          tick,
          quirks,
          assemblePic(folder),
        );
        assertEquals([code, err], [1, ""]);
        assertTicks(stdout, tick);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

linuxTest(
  "native: Linux with the PIC alone, timers of 16 ms and no window to rely on",
  async (guest, folder) => {
    const initrd = `${folder}/initramfs.gz`;
    const script = "cat /proc/interrupts /proc/uptime\n";
    await Deno.writeFile(initrd, debianInitramfs(guest, script));
    const { code, stdout, err } = await run(
      16,
      "windowlost,nohaltwindow",
      ...["--memory", "256M", "--initrd", initrd, "--append"],
      "console=ttyS0 panic=-1 cryptomgr.notests noapic nolapic nohz=off " +
        "highres=off",
      guest.kernel,
    );
    const out = new TextDecoder().decode(stdout);
    assertEquals([code, err], [0, ""], out.slice(-2000));
    assertMatch(out, /reboot: Power down/);
    const ticks = Number(/^ +0: +(\d+) +XT-PIC +timer/m.exec(out)?.[1]);
    const uptime = Number(/^([0-9.]+) [0-9.]+\r?$/m.exec(out)?.[1]);
    // At 250 Hz: more than once for each time that the host's timer has ticked.
    assert(ticks > 1.2 * uptime * 1000 / 16, `${ticks} in ${uptime} s`);
  },
  canBuild,
);
