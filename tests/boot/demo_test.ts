// The built-in guest: the embedded image is what its sources give, a loader
// takes it, and a reference machine runs it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildDemo, imageModule } from "../../src/boot/demo/build.ts";
import { DEMO_ELF, demoFile, demoFileNames } from "../../src/boot/demo/mod.ts";
import { elfSymbol } from "../../src/boot/elf_symbols.ts";
import { loadGuest } from "../../src/boot/load.ts";
import { requireTool, runTool } from "../util/tools.ts";
import { request } from "./images.ts";

const GUEST = new URL("../../src/boot/demo/guest/", import.meta.url);
/** The compiler that built the committed image. */
const BUILT_WITH = "12.2.0";

Deno.test("the embedded sources are the ones in the repository", async () => {
  for (const name of demoFileNames()) {
    if (name === DEMO_ELF) continue;
    assertEquals(
      new TextDecoder().decode(demoFile(name)),
      await Deno.readTextFile(new URL(name, GUEST)),
      `${name} changed: run deno task guest:demo`,
    );
  }
});

Deno.test("the demo is a multiboot image with code at 1 MiB", () => {
  const image = loadGuest(request(demoFile(DEMO_ELF)));
  assertEquals(image.kind, "multiboot");
  assertEquals(image.registers.rip >> 16n, 0x10n);
});

/** Names and sizes of functions and data; addresses may move. */
function symbols(file: string): string[] {
  return runTool("nm", ["--defined-only", file]).trim().split("\n")
    .map((line) => line.split(" ").slice(1).join(" ")).sort();
}

Deno.test({
  name: "building the demo gives the embedded image",
  ignore: !requireTool("gcc", "as", "ld", "nm"),
  fn: async () => {
    const built = await buildDemo();
    if (runTool("gcc", ["-dumpfullversion"]).trim() === BUILT_WITH) {
      assert(
        built.toHex() === demoFile(DEMO_ELF).toHex(),
        "image.ts is stale: run deno task guest:demo",
      );
      assertEquals(
        await imageModule(built),
        await Deno.readTextFile(new URL("../image.ts", GUEST)),
      );
      return;
    }
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/built`, built);
      await Deno.writeFile(`${folder}/embedded`, demoFile(DEMO_ELF));
      assertEquals(symbols(`${folder}/built`), symbols(`${folder}/embedded`));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "QEMU runs the demo: both processors, page faults, power-off",
  ignore: !requireTool("qemu-system-x86_64", "objcopy"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/demo.elf`, demoFile(DEMO_ELF));
      // QEMU's multiboot loader takes ELF32 only.
      runTool("objcopy", [
        "-O",
        "elf32-i386",
        `${folder}/demo.elf`,
        `${folder}/demo32.elf`,
      ]);
      const text = runTool("qemu-system-x86_64", [
        ..."-accel tcg -smp 2 -m 32 -display none -serial stdio".split(" "),
        ..."-no-reboot -append ticks=100 -kernel".split(" "),
        `${folder}/demo32.elf`,
      ]);
      assertMatch(text, /processor 0 works/);
      assertMatch(text, /processor 1 works/);
      assertMatch(text, /1 s: \d+ numbers checked, .* [1-9]\d* pages mapped/);
      assertMatch(text, /the demo ends/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("symbols of the demo are found by name", () => {
  const file = demoFile(DEMO_ELF);
  assertEquals(elfSymbol(file, "_start"), 0x10000cn);
  assertEquals(elfSymbol(file, "_star"), undefined);
  assertEquals(elfSymbol(file, "no such symbol"), undefined);
});
