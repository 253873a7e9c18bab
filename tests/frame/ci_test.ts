// .ci/run installs every tool that a test asks for, so that none is skipped
// there.

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return testFiles(path);
    return path.endsWith(".ts") && !path.endsWith("frame/ci_test.ts")
      ? [path]
      : [];
  });
}

Deno.test(".ci/run knows a package for every tool that tests ask for", () => {
  const script = Deno.readTextFileSync(new URL(".ci/run", ROOT));
  const known = new Set(
    [...script.matchAll(/^ {2}\[([^\]]+)\]=\S+$/gm)].map((match) => match[1]),
  );
  assert(known.has("gcc"));
  const missing: string[] = [];
  for (const path of testFiles("tests")) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    for (const [, names] of text.matchAll(/requireTool\(([^)]*)\)/g)) {
      for (const [, name] of names.matchAll(/"([^"]+)"/g)) {
        if (!known.has(name)) missing.push(`${name} (${path})`);
      }
    }
  }
  assertEquals(missing, []);
});
