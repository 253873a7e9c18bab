// The core's decorators survive Deno's formatter, and its sources are linted.

import { assert, assertEquals } from "@std/assert";
import {
  CORE,
  coreFiles,
  hideDecorators,
  showDecorators,
} from "../../src/soft/build/core_sources.ts";

Deno.test("decorators are hidden from Deno and shown again", () => {
  const files = coreFiles();
  assert(files.length > 100);
  for (const path of files) {
    const source = Deno.readTextFileSync(CORE + path);
    const hidden = hideDecorators(source);
    assertEquals(/^\s*@/m.exec(hidden), null, path);
    assertEquals(hidden.split("\n").length, source.split("\n").length, path);
    assertEquals(showDecorators(hidden), source, path);
  }
});

Deno.test("an argument and an indentation are kept", () => {
  const source = '  @external("host", "clock")\n  declare function f(): u64;\n';
  assertEquals(
    hideDecorators(source),
    '  // decorator: external("host", "clock")\n  declare function f(): u64;\n',
  );
  assertEquals(showDecorators(hideDecorators(source)), source);
});
