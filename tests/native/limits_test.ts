/** What a platform of threads cannot have. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { command } from "../cli/icebp.ts";
import * as sectors from "../cli/sectors.ts";
import { mostProcessors, refuseTooMany } from "../../src/cli/threads.ts";
import { kill } from "../util/tools.ts";
import { canBuild, library } from "./libraries.ts";

Deno.test({
  name: "native: more processors than Deno has threads for are refused",
  ignore: !canBuild,
  async fn() {
    const platform = await library();
    for (const cpus of ["29", "64"]) {
      const { code, stderr } = await command(
        ["--platform", platform, "--cpus", cpus],
      ).output();
      assertEquals(code, 2);
      assertMatch(
        new TextDecoder().decode(stderr),
        new RegExp(`^icebp: --cpus ${cpus}: .* 28 processors at most.*\n.*$`),
      );
    }
  },
});

/** As many as Deno's pool lets wait here. */
const MOST = 28;

Deno.test("so many processors a host has threads for, or one line", () => {
  assertEquals(mostProcessors("linux", 2), MOST);
  assertEquals(mostProcessors("linux", 128), MOST);
  // Four threads for each logical processor: 64 processors need 17.
  const windows = [1, 2, 4, 8, 16, 17, 64].map((logical) =>
    mostProcessors("windows", logical)
  );
  assertEquals(windows, [1, 4, 12, 28, 60, 64, 252]);
  refuseTooMany(64, "windows", 17);
  assertThrows(() => refuseTooMany(64, "windows", 16), Error, "60 processors");
});

for (const debugger_ of [[], ["--gdb=127.0.0.1:0", "--no-wait"]]) {
  Deno.test({
    name: `native: SIGTERM ends ${MOST} processors that wait ${debugger_}`,
    ignore: !canBuild,
    async fn() {
      const image = await Deno.makeTempFile({ suffix: ".bin" });
      await Deno.writeFile(image, sectors.saysAndHalts);
      const child = command([
        ...["--platform", await library(), "--cpus", String(MOST)],
        ...debugger_,
        image,
      ]).spawn();
      try {
        const output = child.stdout.getReader();
        const { value } = await output.read();
        assertEquals(new TextDecoder().decode(value), "W");
        child.kill("SIGTERM");
        assertEquals((await output.read()).done, true);
        assertEquals((await child.status).code, 130);
        await child.stderr.cancel();
      } finally {
        kill(child);
        await Deno.remove(image);
      }
    },
  });
}
