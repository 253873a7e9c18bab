import { assert, assertEquals, assertThrows } from "@std/assert";
import { haveTool, runTool } from "./tools.ts";

Deno.test("haveTool tells a present program from a missing one", () => {
  assert(haveTool(Deno.build.os === "windows" ? "cmd" : "sh"));
  assertEquals(haveTool("no-such-program-as-this"), false);
});

Deno.test("runTool throws what the program printed when it fails", () => {
  const error = assertThrows(
    () =>
      runTool(Deno.execPath(), ["eval", "console.error('why'); Deno.exit(3)"]),
    Error,
    "exited 3",
  );
  assert(error.message.includes("why"));
});
