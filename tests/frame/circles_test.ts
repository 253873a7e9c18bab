// No file imports, directly or through others, one that imports it.

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** The folders that are free of circles, with all inside. */
const FREE = [
  "ffi",
  "src/boot",
  "src/cli",
  "src/debug",
  "src/gdb",
  "src/history",
  "src/machine",
  "src/platform",
  "src/soft",
  "src/util",
  "src/x86",
];

function sources(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory
      ? sources(path)
      : path.endsWith(".ts")
      ? [path]
      : [];
  });
}

/** What a file imports or exports again; AssemblyScript's names have no .ts. */
function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT))
    .replace(/\/\*[^]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(
    ([, target]) =>
      new URL(target, new URL(path, ROOT)).href.slice(ROOT.href.length)
        .replace(/(?<!\.\w+)$/, ".ts"),
  );
}

/** Circles of imports among `files`, each as one of its ways round. */
function circles(files: readonly string[]): string[] {
  const imports = new Map(files.map((path) => [path, importsOf(path)]));
  const found: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string) => {
    const at = way.indexOf(path);
    if (at >= 0) found.push([...way.slice(at), path].join(" > "));
    if (at >= 0 || done.has(path)) return;
    way.push(path);
    for (const next of imports.get(path) ?? []) visit(next);
    way.pop();
    done.add(path);
  };
  for (const path of files) visit(path);
  return found;
}

Deno.test("no circles of imports", () => {
  const files = FREE.flatMap(sources);
  const known = new Set(files);
  const core = files.filter((path) => path.startsWith("src/soft/core/"));
  const followed = core.flatMap(importsOf).filter((path) => known.has(path));
  assert(followed.length > 500, "the core's imports are understood");
  assertEquals(circles(files), []);
});
