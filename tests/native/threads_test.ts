/**
 * gdb and the processors' threads: a thousand stops at random times, and, with
 * AddressSanitizer watching the library, icebp in Deno itself.
 */
import { assertEquals } from "@std/assert";
import { DEMO_ELF, demoFile } from "../../src/boot/demo/mod.ts";
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
  name: "native: eight processors stop 300 times, and all go on",
  ignore: !canBuild,
  fn: async () => {
    const processors = 8;
    const folder = await Deno.makeTempDir();
    try {
      const image = `${folder}/${DEMO_ELF}`;
      await Deno.writeFile(image, demoFile(DEMO_ELF));
      await using icebp = new Icebp({
        cpus: processors,
        platform: await library(),
        image,
      });
      const client = await Client.connect(icebp);
      const ticks = symbols(image).get("ticks")!;
      const below = randomFrom(8);
      const stop = async (ms: number) => {
        await client.send("vCont;c");
        await new Promise((done) => setTimeout(done, ms));
        await client.interrupt();
        assertEquals((await client.stopped()).signal, SIGINT);
      };
      /** How many timer interrupts each processor has had. */
      const counts = async () => {
        const all: bigint[] = [];
        for (let i = 0n; i < processors; i++) {
          all.push(await client.read64(ticks + 8n * i));
        }
        return all;
      };
      while ((await counts()).includes(0n)) await stop(20);
      const before = await counts();
      for (let stops = 0; stops < 300; stops++) await stop(below(4));
      while ((await counts()).some((count, i) => count === before[i])) {
        await stop(20);
      }
      await client.send("k");
      client.close();
      assertEquals((await icebp.ended()).code, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
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
