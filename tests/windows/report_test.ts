// The report for a person with Windows is made here on the software platform: it has
// to be whole, and a failure has to show.
import { assertEquals, assertMatch } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { QUESTIONS } from "./questions.ts";

const ROOT = new URL("../../", import.meta.url);

async function report(platform: string) {
  const output = await Deno.makeTempFile({ suffix: ".md" });
  try {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "tests/windows/report.ts",
        `--platform=${platform}`,
        `--output=${output}`,
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return { code, text: await Deno.readTextFile(output) };
  } finally {
    await Deno.remove(output);
  }
}

Deno.test("the report of the software platform: all is answered and passes", async () => {
  const { code, text } = await report("soft");
  assertEquals(code, 0, text);
  assertMatch(text, /^# icebp on platform "soft"\n\n.*, 0 failures\.$/m);
  for (const { about } of QUESTIONS) {
    assertEquals(text.includes(`- ${about}:  \n  `), true, about);
  }
  assertEquals(text.includes("could not be asked"), false, text);
  assertMatch(text, /^ok \| \d{3} passed \| 0 failed/m);
  assertMatch(text, /^- passed: 200 stops by interrupt, with nothing lost$/m);
  if (requireTool("gdb")) assertMatch(text, /^- passed: gdb$/m);
});

Deno.test("a platform that is not there is a report of why", async () => {
  const { code, text } = await report("./none.so");
  assertEquals(code, 1);
  assertMatch(text, /, 1 failures\.\n\n## icebp doctor\n/);
  assertMatch(text, /none\.so: not usable: dlopen/);
});
