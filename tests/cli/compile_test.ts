// The compiled binary, as far as it can be checked without Deno's runtime for it
// (here the deno binary stands in, which gets as far as writing the file): what is
// embedded, and that nothing is looked for beside it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { compileArguments } from "../../src/cli/compile.ts";

const ROOT = new URL("../../", import.meta.url);

async function deno(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** The program's own modules and what they import, from Deno's module graph. */
async function modules(): Promise<string[]> {
  const { out } = await deno(["info", "--json", "mod.ts"]);
  const graph = JSON.parse(out) as { modules: { specifier: string }[] };
  return graph.modules.map(({ specifier }) => specifier);
}

Deno.test("the compiled binary embeds the program and what it needs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, err } = await deno(
      compileArguments(Deno.build.target, `${folder}/icebp`),
      { DENORT_BIN: Deno.execPath() },
    );
    assertEquals(code, 0, err);
    for (const part of ["core.wasm", "mod.ts", "demo", "deno.json", "ffi"]) {
      assertMatch(err, new RegExp(`[├└].* ${part.replace(".", "\\.")} \\(`));
    }
    assertMatch(err, /@logtape\/logtape/);
    assert(!/assemblyscript|binaryen|tests/.test(err), err);
    const total = /Files: ([\d.]+)(KB|MB)/.exec(err);
    assert(total !== null, err);
    const megabytes = Number(total[1]) / (total[2] === "KB" ? 1024 : 1);
    assert(megabytes < 10, `${megabytes} MB embedded`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("nothing is read beside the program", async () => {
  const own = (await modules()).filter((name) => name.startsWith(ROOT.href));
  assert(own.length > 100, `${own.length} modules`);
  for (const name of own.filter((name) => name.endsWith(".ts"))) {
    const source = await Deno.readTextFile(new URL(name));
    assert(
      !/import\.meta\.(url|dirname|filename|resolve)|Deno\.mainModule/.test(
        source,
      ),
      `${name} finds files by its own place`,
    );
  }
});

Deno.test("unknown targets are refused", async () => {
  const { code, err } = await deno(["run", "-A", "src/cli/compile.ts", "vax"]);
  assertEquals(code, 2);
  assertMatch(err, /no target vax; there are:\n {2}x86_64-pc-windows-msvc\n/);
});
