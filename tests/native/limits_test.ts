/** What a platform of threads cannot have. */
import { assertEquals, assertMatch } from "@std/assert";
import { command } from "../cli/icebp.ts";
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
