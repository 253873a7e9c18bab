// Debian's kernel recorded and repeated, with what a device wrote into its memory and what
// it wrote to its disk.
import { assert, assertEquals } from "@std/assert";
import { command } from "../cli/icebp.ts";
import { debianInitramfs } from "../guests/debian.ts";
import { testPlatform } from "../util/platform.ts";
import { linuxTest } from "./guest.ts";

const soft = testPlatform() === "soft";
const decoder = new TextDecoder();
const SCRIPT = `md5sum /dev/vda
echo hello | dd of=/dev/vda bs=512 seek=3 conv=notrunc
sync
echo 3 > /proc/sys/vm/drop_caches
md5sum /dev/vda
dd if=/dev/hwrng bs=8 count=1 | md5sum
`;

async function icebp(...args: string[]) {
  const { code, stdout, stderr } = await command(args).output();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

linuxTest(
  "a recorded Linux with a disk is repeated, and its disk left alone",
  async (guest, folder) => {
    const at = (name: string) => `${folder}/${name}`;
    await Deno.writeFile(at("initrd"), debianInitramfs(guest, SCRIPT));
    const before = Uint8Array.from({ length: 65536 }, (_, i) => i * 31 >> 4);
    const run = async (...args: string[]) => {
      await Deno.writeFile(at("disk"), before);
      return await icebp(
        "--platform",
        "soft",
        "--memory",
        "128M",
        "--append",
        "console=ttyS0 quiet cryptomgr.notests",
        "--initrd",
        at("initrd"),
        "--disk",
        at("disk"),
        ...args,
        guest.kernel,
      );
    };
    const first = await run("--record", at("all"), "--record-all");
    assertEquals(first.code, 0);
    assert(/[0-9a-f]{32} {2}\/dev\/vda/.test(first.out), first.out);
    const after = await Deno.readFile(at("disk"));
    assert(after.some((byte, i) => byte !== before[i]));
    assertEquals(await icebp("replay", at("all")), first);
    assertEquals(await Deno.readFile(at("disk")), after);
    // Without the contents the disk is wanted as it was.
    assertEquals(await run("--record", at("hash")), first);
    const refused = await icebp("replay", at("hash"));
    assertEquals(refused.code, 4);
    assert(refused.err.includes("not as it was when the run was recorded"));
    await Deno.writeFile(at("disk"), before);
    assertEquals(await icebp("replay", at("hash")), first);
    assertEquals(await Deno.readFile(at("disk")), before);
  },
  soft,
);
