/** What becomes of the guest when the debugger has gone and let it run. */
import { assertEquals, assertMatch } from "@std/assert";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import { Client } from "./client.ts";
import { Icebp } from "./icebp.ts";

Deno.test("a triple fault after D ends icebp, and says where", async () => {
  // An empty vector table, and UD2 at the sector's third byte.
  const sector = new Uint8Array(512);
  sector.set(Uint8Array.fromHex("fa0f011e207c0f0b"));
  sector.set([0x55, 0xaa], 510);
  const image = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(image, sector);
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    await client.must("D");
    client.close();
    // One that nobody hears of would stand for ever.
    const limit = setTimeout(() => icebp[Symbol.asyncDispose](), 30_000);
    const { code, errors } = await icebp.ended();
    clearTimeout(limit);
    assertEquals(code, ExitCode.shutdown);
    assertMatch(errors, /processor 0 shut down \(triple fault\) at 0x7c06/);
  } finally {
    await Deno.remove(image);
  }
});
