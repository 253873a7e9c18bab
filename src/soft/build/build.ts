// Builds src/soft/core.wasm from src/soft/core, after writing those of its sources
// that are derived: `deno task build`. With --check it says only whether what is
// committed is what the sources give (exit code 1 if not).
//
// No SIMD: Debian's wasm2c, which makes the tests' native library, lacks it.

// @ts-types="../../../types/asc.d.ts"
import asc from "assemblyscript/asc";
import "../number_types.ts";
import { STATICS } from "../core/layout.ts";
import { CORE } from "./core_sources.ts";
import { withCases } from "./inner.ts";
import { outdated } from "./written.ts";

/** Is compiled with the cases of the instructions' table. */
const INNER = "code/inner.ts";

/** Compiles the core. Throws with the compiler's messages when it fails. */
export async function buildCore(): Promise<Uint8Array> {
  let wasm: Uint8Array | null = null;
  const messages: string[] = [];
  const { error } = await asc.main([
    "main.ts",
    "--outFile=core.wasm",
    "-O3",
    "--runtime=stub",
    "--noAssert",
    "--use=abort=",
    `--memoryBase=${STATICS}`,
    "--importMemory",
    "--exportTable",
    "--initialMemory=2048",
    "--maximumMemory=65536",
  ], {
    readFile: (name: string) => {
      try {
        const source = Deno.readTextFileSync(CORE + name);
        return name === INNER ? withCases(source) : source;
      } catch (e) {
        if (e instanceof Deno.errors.NotFound) return null;
        throw e;
      }
    },
    writeFile: (_name: string, data: Uint8Array | string) => {
      if (typeof data !== "string") wasm = data;
    },
    listFiles: () => [],
    stderr: { write: (s: string) => void messages.push(s) },
    stdout: { write: (s: string) => void messages.push(s) },
  });
  if (error || !wasm) {
    throw new Error(
      `asc: ${error?.message ?? "no output"}\n${messages.join("")}`,
    );
  }
  return wasm;
}

if (import.meta.main) {
  const file = new URL("../core.wasm", import.meta.url);
  const checking = Deno.args.includes("--check");
  for (const [path, text] of outdated()) {
    if (checking) {
      console.error(
        `src/soft/core/${path} is not what its first line names gives: run \`deno task build\` and commit it`,
      );
      Deno.exit(1);
    }
    Deno.writeTextFileSync(CORE + path, text);
  }
  const wasm = await buildCore();
  if (checking) {
    const committed = Deno.readFileSync(file);
    const same = committed.length === wasm.length &&
      committed.every((b, i) => b === wasm[i]);
    if (!same) {
      console.error(
        `src/soft/core.wasm (${committed.length} bytes) is not what its sources give (${wasm.length} bytes): run \`deno task build\` and commit it`,
      );
      Deno.exit(1);
    }
    console.log("src/soft/core.wasm is up to date");
  } else {
    Deno.writeFileSync(file, wasm);
    console.log(`src/soft/core.wasm: ${wasm.length} bytes`);
  }
}
