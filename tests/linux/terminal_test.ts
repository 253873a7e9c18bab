// Debian's console on a terminal: the guest sees the size of the window.
import { assertEquals } from "@std/assert";
import { debianInitramfs } from "../guests/debian.ts";
import { icebp } from "../cli/icebp.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { linuxTest } from "./guest.ts";

/** Says the size, and again when it is another one; gives up in the end. */
const SCRIPT = `
exec </dev/hvc0 >/dev/hvc0 2>&1
first=$(stty size)
echo "size $first."
for i in $(seq 1000); do
  [ "$(stty size)" = "$first" ] || break
  sleep 0.1
done
echo "size $(stty size)."
`;

/** Whether a run can be repeated. */
const repeats = testPlatform() === "soft";

function sizesIn(text: string): string[] {
  return [...text.matchAll(/size (\d+ \d+)\./g)].map(([, size]) => size);
}

linuxTest(
  "Linux: the console has the size of the terminal, and follows it; repeated " +
    "without a terminal, too",
  async (guest, folder) => {
    const initrd = `${folder}/initramfs.gz`, flag = `${folder}/seen`;
    await Deno.writeFile(initrd, debianInitramfs(guest, SCRIPT));
    const mod = new URL("../../mod.ts", import.meta.url).pathname;
    const line = [
      "stty rows 40 columns 100",
      `{ while [ ! -e ${flag} ]; do sleep 0.1; done; ` +
      "stty rows 50 columns 132; } </dev/tty &",
      `exec ${Deno.execPath()} run -A ${mod} --platform=${testPlatform()} ` +
      "--console=stdio --serial=null " +
      "'--append=console=hvc0 panic=-1 quiet cryptomgr.notests' " +
      `--initrd=${initrd} ` +
      (repeats ? `--record=${folder}/run ` : "") + guest.kernel,
    ].join("\n");
    const child = new Deno.Command("script", {
      args: ["-qec", line, "/dev/null"],
      env: { SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (
      const part of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      text += part;
      if (text.includes("size 40 100.")) await Deno.writeTextFile(flag, "");
    }
    await child.stdin.close();
    assertEquals((await child.status).code, 0, text);
    assertEquals(sizesIn(text), ["40 100", "50 132"], text);
    if (!repeats) return;
    const { code, out, err } = await icebp(["replay", `${folder}/run`]);
    assertEquals([code, err, sizesIn(out)], [0, "", ["40 100", "50 132"]]);
  },
  requireTool("script", "stty"),
);
