// --stop-on-panic: Debian's kernel panics; the run ends, and is repeated from its
// recording; for gdb the guest stands where the panic began.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { icebp } from "../cli/icebp.ts";
import { debianInitramfs } from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { Gdb } from "./gdb.ts";
import { linuxTest } from "./guest.ts";
import { Stub } from "./stub.ts";

const soft = testPlatform() === "soft";
const CRASH = "echo before; echo c >/proc/sysrq-trigger; echo after\n";
const PANIC =
  "the guest's kernel panicked: Kernel panic - not syncing: sysrq triggered crash";
const line = (panic: string) =>
  `console=ttyS0 quiet ${panic} cryptomgr.notests nokaslr`;

for (const panic of ["panic=0", "panic=-1"]) {
  linuxTest(
    `Debian: --stop-on-panic ends it, and the recording: ${panic}`,
    async (guest, folder) => {
      const initrd = `${folder}/crash.gz`, file = `${folder}/run.rec`;
      await Deno.writeFile(initrd, debianInitramfs(guest, CRASH));
      const first = await icebp([
        ...["--platform", "soft", "--memory", "128M", "--initrd", initrd],
        ...["--append", line(panic), "--stop-on-panic", "--record", file],
        guest.kernel,
      ]);
      assertEquals([first.code, first.err], [8, `icebp: ${PANIC}\n`]);
      // All that it had to say.
      assertMatch(first.out, /before\r\n[^]*Call Trace:[^]*Kernel Offset/);
      assert(!first.out.includes("after\r\n"));
      assert((await Deno.stat(file)).size < 1 << 20);
      assertEquals(await icebp(["replay", file]), first);
    },
    soft,
  );
}

linuxTest(
  "Debian: --stop-on-panic has it stand for gdb, who goes back from there",
  async (guest, folder) => {
    const initrd = `${folder}/crash.gz`;
    await Deno.writeFile(initrd, debianInitramfs(guest, CRASH));
    await using stub = await Stub.icebp(
      { kernel: guest.kernel, initrd, commandLine: line("panic=-1") },
      "--stop-on-panic",
    );
    await using gdb = new Gdb(folder);
    await gdb.ask(`target remote ${stub.address}`);
    await gdb.expect("continue", new RegExp(PANIC), /received signal SIGINT/);
    const place = async () =>
      Number(
        (await gdb.expect("monitor when", /instruction/)).match(/\d+/)![0],
      );
    const end = await place();
    await gdb.ask("reverse-stepi");
    assertEquals(await place(), end - 1);
    await gdb.ask("kill");
    // It did not start again.
    assert(!(await stub.ended()).output.includes("Kernel Offset"));
  },
  soft && requireTool("gdb"),
);
