// Debian's cloud kernel with its root on a disk, for which its drivers are modules.
import { assertEquals, assertMatch } from "@std/assert";
import { command } from "../cli/icebp.ts";
import { debianInitramfs } from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool, runTool } from "../util/tools.ts";
import { linuxTest } from "./guest.ts";

/** The disk's first program: says what it runs on, and leaves something there. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
exec >/dev/ttyS0 2>&1
/bin/busybox grep ' / ' /proc/mounts
/bin/busybox cat /written
/bin/busybox date -u +%F >/written
/bin/busybox sync
/bin/busybox poweroff -f
`;

linuxTest(
  "Linux: the root on a disk",
  async (guest, folder) => {
    const root = `${folder}/root`, disk = `${folder}/disk.img`;
    for (const name of ["bin", "sbin", "dev", "proc", "sys"]) {
      await Deno.mkdir(`${root}/${name}`, { recursive: true });
    }
    await Deno.writeFile(`${root}/bin/busybox`, guest.busybox, { mode: 0o755 });
    await Deno.writeTextFile(`${root}/sbin/init`, INIT, { mode: 0o755 });
    await Deno.writeTextFile(`${root}/written`, "nothing\n");
    runTool("mke2fs", ["-q", "-t", "ext4", "-d", root, disk, "16M"]);
    const initrd = `${folder}/initramfs.gz`;
    await Deno.writeFile(initrd, debianInitramfs(guest));
    const boot = async (root: string, date: string) => {
      const { code, stdout } = await command([
        `--platform=${testPlatform()}`,
        `--append=console=ttyS0 panic=-1 quiet cryptomgr.notests ${root}`,
        `--initrd=${initrd}`,
        `--disk=${disk}`,
        `--date=${date}`,
        guest.kernel,
      ]).output();
      const out = new TextDecoder().decode(stdout).replaceAll("\r", "");
      assertEquals(code, 0, out);
      return out;
    };
    const first = await boot("root=/dev/vda rw", "2026-11-30");
    assertMatch(first, /^\/dev\/vda \/ ext4 rw,.*\nnothing\n/m);
    const second = await boot("root=/dev/vda", "2027-01-02");
    assertMatch(second, /^\/dev\/vda \/ ext4 ro,.*\n2026-11-30\n/m);
  },
  requireTool("mke2fs") && testPlatform() === "soft",
);
