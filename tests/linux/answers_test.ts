// Debian's kernel where devices answer in the middle of instructions, and where each of
// its accesses is an exit: the same boot, to the instruction.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { loadGuest, startGuest } from "../../src/boot/mod.ts";
import { parseOptions } from "../../src/cli/options.ts";
import { openPlatform } from "../../src/cli/platform.ts";
import { virtioCount, VirtioDevices } from "../../src/cli/virtio.ts";
import { Debugger } from "../../src/debug/debugger.ts";
import { Machine } from "../../src/machine/machine.ts";
import { debianInitramfs } from "../guests/debian.ts";
import { once } from "../util/once.ts";
import { testPlatform, withoutAnswers, withRuns } from "../util/platform.ts";
import { linuxTest } from "./guest.ts";

const RAM = 256 << 20;
/** Work for the disk, the entropy device, both consoles and the timers. */
const SCRIPT = "md5sum </dev/vda >/dev/hvc0\n" +
  "dd if=/dev/vda of=/dev/vda bs=64k count=4 seek=8 conv=fsync\n" +
  "head -c 64 /dev/hwrng | md5sum\n" +
  "for i in 1 2 3; do (sleep 0.0$i; cat /proc/interrupts) & done; wait\n";

for (const cpus of [1, 2]) {
  linuxTest(
    `Linux on ${cpus}: accesses that are answered are those that exit`,
    async ({ kernel, ...rest }, folder) => {
      const image = await Deno.readFile(kernel);
      const initramfs = debianInitramfs({ kernel, ...rest }, SCRIPT);
      const boot = async (wrap: (whole: WinHvPlatform) => WinHvPlatform) => {
        const disk = `${folder}/disk`;
        await Deno.writeFile(disk, new Uint8Array(1 << 20).fill(0x5a));
        const parsed = parseOptions(["--disk", disk, "--console", "null"]);
        assert(parsed.action === "run");
        const opened = await openPlatform("soft", RAM, "virtual");
        let out = "", console = "", drawn = 0;
        const decoder = new TextDecoder("latin1");
        const virtio = new VirtioDevices(
          parsed,
          (bytes) => console += decoder.decode(bytes),
          null,
        );
        const machine = new Machine({
          platform: wrap(opened.platform),
          guestMemory: opened.guestMemory,
          clock: opened.clock,
          entropy: { fill: (into) => into.fill(++drawn) },
          cpus,
          ramBytes: RAM,
          serialOut: (bytes) => out += decoder.decode(bytes),
          onHostWrite: opened.onHostWrite,
          attach: (machine) => virtio.attach(machine),
        });
        startGuest(
          machine,
          loadGuest({
            image,
            name: "vmlinuz",
            commandLine: "console=ttyS0 panic=-1 cryptomgr.notests",
            initrd: { bytes: initramfs, text: "initramfs" },
            modules: [],
            ramBytes: RAM,
            cpus,
            virtioDevices: virtioCount(parsed),
          }),
        );
        const debug = new Debugger(machine);
        const { reason } = await new Promise<{ reason: unknown }>((resolve) => {
          once(debug.onStop, resolve);
          debug.resume(machine.processors.map(() => ({ kind: "continue" })));
        });
        const soft = opened.soft!;
        const seen = {
          reason,
          out,
          console,
          drawn,
          instructions: machine.processors.map(({ index }) =>
            soft.instructionsOf(index)
          ),
          time: soft.clock.now(),
          exits: machine.exitCounts,
          ports: machine.ports.accesses,
          mmio: machine.mmio.accesses,
          memory: new Uint8Array(
            await crypto.subtle.digest(
              "SHA-256",
              machine.memory.view.slice(0, RAM),
            ),
          ),
        };
        machine.close();
        virtio.close();
        opened.platform.close();
        return seen;
      };
      let runs = 0, exits = 0;
      const without = await boot((whole) =>
        withoutAnswers(whole, () => exits++)
      );
      const answered = await boot((whole) => withRuns(whole, () => runs++));
      assertMatch(without.out, /reboot: Power down/);
      assertMatch(without.console, /[0-9a-f]{32}/);
      assertEquals(answered, without);
      assert(runs < exits / 4, `${runs} runs instead of ${exits}`);
    },
    testPlatform() === "soft",
  );
}
