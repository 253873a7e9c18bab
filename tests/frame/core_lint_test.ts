// The rules for the core find what they are for.

import { assertEquals } from "@std/assert";
import { faultsOf, parse } from "../../src/soft/build/lint.ts";

const files = (sources: Record<string, string>) =>
  Object.entries(sources).map(([path, text]) => parse(path, text));

Deno.test("an export that nobody imports is found, wherever its name is used", () => {
  const faults = faultsOf(
    files({
      "a.ts": "export const USED: u32 = 1;\nexport const TAKEN: u32 = 2;\n" +
        "export const DEAD: u32 = 3;\nexport let dead: u32 = DEAD;\n",
      "b/c.ts": 'import { USED } from "../a";\nconst x = USED;\n// DEAD\n',
    }),
    new Set(["TAKEN"]),
  );
  assertEquals(faults, [
    "a.ts:3: DEAD is exported and nobody imports it",
    "a.ts:4: dead is exported and nobody imports it",
  ]);
});

Deno.test("a class that an exported function gives need not be imported", () => {
  const source = (exported: string) =>
    `export class Found {\n  a: u32 = 0;\n}\n` +
    `${exported}function find(): Found | null {\n  return null;\n}\n`;
  const faults = (exported: string) =>
    faultsOf(files({ "a.ts": source(exported) }), new Set(["find"]));
  assertEquals(faults("export "), []);
  assertEquals(faults(""), ["a.ts:1: Found is exported and nobody imports it"]);
});

Deno.test("wide lines, double imports, and what stands twice", () => {
  const body = "(a: u32): u32 {\n  const b = a + 1;\n  return b;\n}\n";
  assertEquals(
    faultsOf(
      files({
        "a.ts": `// ${"x".repeat(78)}\nconst N: u32 = 5;\nfunction f${body}`,
        "b.ts": 'import { c } from "./c";\nimport { d } from "./c";\n' +
          `const N: u32 = 5;\nfunction g${body}`,
      }),
      new Set(),
    ),
    [
      "a.ts:1: 81 columns",
      "b.ts:1: imports ./c twice",
      "b.ts:3: N is the same in a.ts",
      "b.ts:4: g() is the same in a.ts",
    ],
  );
});
