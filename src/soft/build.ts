// Builds src/soft/core.wasm from src/soft/core, after bringing inner.ts's pair cases in
// step (pairs.ts): `deno task build`. With --check it says only whether what is
// committed is what the sources give (exit code 1 if not).
//
// No SIMD: Debian's wasm2c, which makes the tests' native library, lacks it.

// @ts-types="../../types/asc.d.ts"
import asc from "assemblyscript/asc";
import { withPairs } from "./pairs.ts";

const here = new URL("./", import.meta.url).pathname;

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
    "--memoryBase=262144", // 0x40000, below it are the fixed tables of layout.ts
    "--importMemory",
    "--exportTable",
    "--initialMemory=2048",
    "--maximumMemory=65536",
  ], {
    readFile: (name: string) => {
      try {
        return Deno.readTextFileSync(here + "core/" + name);
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
  const file = here + "core.wasm";
  const checking = Deno.args.includes("--check");
  const inner = here + "core/inner.ts";
  const written = Deno.readTextFileSync(inner);
  const derived = withPairs(written);
  if (derived !== written) {
    if (checking) {
      console.error(
        "src/soft/core/inner.ts: its pair cases are not what its single cases give: run `deno task build` and commit it",
      );
      Deno.exit(1);
    }
    Deno.writeTextFileSync(inner, derived);
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
