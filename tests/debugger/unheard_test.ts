/** What becomes of the guest when the debugger has gone and let it run. */
import { assertEquals, assertMatch } from "@std/assert";
import { ExitCode } from "../../src/cli/exit_codes.ts";
import { Client } from "./client.ts";
import { Icebp } from "./icebp.ts";

/** A boot sector that stays at its first instructions for some 5 ms of guest
 * time, and then does `code`. */
async function withSector(
  code: string,
  play: (image: string) => Promise<void>,
): Promise<void> {
  const sector = new Uint8Array(512);
  // cli; mov ecx, 1000000; 1: dec ecx; jnz 1b
  sector.set(
    Uint8Array.fromHex("fa 66b940420f00 6649 75fc".replaceAll(" ", "")),
  );
  sector.set(Uint8Array.fromHex(code.replaceAll(" ", "")), CODE);
  sector.set([0x55, 0xaa], 510);
  const image = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(image, sector);
    await play(image);
  } finally {
    await Deno.remove(image);
  }
}
const CODE = 11;

/** An empty vector table, and UD2. */
const TRIPLE_FAULT = "0f011e207c 0f0b";
/** 7 to port 0xF4. */
const EXIT = "b007 e6f4";

/** How icebp ended; one that nobody hears of would stand for ever. */
async function ending(icebp: Icebp) {
  const limit = setTimeout(() => icebp[Symbol.asyncDispose](), 30_000);
  const ended = await icebp.ended();
  clearTimeout(limit);
  return ended;
}

Deno.test("a triple fault after D ends icebp, and says where", () =>
  withSector(TRIPLE_FAULT, async (image) => {
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    await client.must("D");
    client.close();
    const { code, errors } = await ending(icebp);
    assertEquals(code, ExitCode.shutdown);
    assertMatch(errors, /processor 0 shut down \(triple fault\) at 0x7c10/);
  }));

Deno.test("a triple fault after D in extended mode, with gdb still there", () =>
  withSector(TRIPLE_FAULT, async (image) => {
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    await client.must("!");
    await client.must("D");
    const { code, errors } = await ending(icebp);
    client.close();
    assertEquals(code, ExitCode.shutdown);
    assertMatch(errors, /shut down \(triple fault\)/);
  }));

Deno.test("a triple fault after a debugger just hung up", () =>
  withSector(TRIPLE_FAULT, async (image) => {
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    assertMatch(await client.ask("vCont;s:1"), /^T05/);
    client.close();
    const { code, errors } = await ending(icebp);
    assertEquals(code, ExitCode.shutdown);
    assertMatch(errors, /shut down \(triple fault\)/);
  }));

Deno.test("a guest that ends after D ends icebp with its code", () =>
  withSector(EXIT, async (image) => {
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    await client.must("D");
    client.close();
    assertEquals((await ending(icebp)).code, 15);
  }));

Deno.test("a triple fault that a debugger is told of does not end icebp", () =>
  withSector(TRIPLE_FAULT, async (image) => {
    await using icebp = new Icebp({ image, cpus: 1 });
    const client = await Client.connect(icebp);
    assertMatch(await client.ask("vCont;c"), /^T0b/);
    // Still there, and the guest with it.
    assertMatch(await client.ask("?"), /^T0b/);
    await client.send("k");
    client.close();
    assertEquals((await ending(icebp)).code, 0);
  }));
