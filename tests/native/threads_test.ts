/**
 * gdb and the processors' threads: a thousand stops at random times, and, with
 * AddressSanitizer watching the library, icebp in Deno itself.
 */
import { assertEquals } from "@std/assert";
import { Client } from "../debugger/client.ts";
import { Icebp, symbols } from "../debugger/icebp.ts";
import { finish, randomFrom, start, strain } from "../debugger/strain.ts";
import { runTool } from "../util/tools.ts";
import { canBuild, library } from "./libraries.ts";

const SIGINT = 2;

Deno.test({
  name: "native: gdb stops and continues 1,000 times, no stop is lost",
  ignore: !canBuild,
  fn: async () => {
    const table = symbols();
    await using icebp = new Icebp({ cpus: 2, platform: await library() });
    const client = await Client.connect(icebp);
    await start(client, table);
    const below = randomFrom(1000);
    for (let stops = 0; stops < 1000; stops++) {
      await client.send("vCont;c");
      // From at once to when both have run for a while.
      const wait = below(4);
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      await client.interrupt();
      assertEquals((await client.stopped()).signal, SIGINT);
    }
    await finish(icebp, client, table);
  },
});

Deno.test({
  name: "native, AddressSanitizer: icebp in Deno, stopped and stepped",
  ignore: !canBuild,
  fn: async () => {
    const table = symbols();
    // The library wants its runtime in the process before everything else.
    const runtime = runTool("gcc", ["-print-file-name=libasan.so"]).trim();
    await using icebp = new Icebp({
      cpus: 2,
      platform: await library({ asan: true }),
      // V8 and Deno keep what they have until the process ends.
      env: { LD_PRELOAD: runtime, ASAN_OPTIONS: "detect_leaks=0" },
    });
    const client = await Client.connect(icebp);
    await start(client, table);
    await strain(client, table, 2000, randomFrom(3));
    await finish(icebp, client, table);
  },
});
