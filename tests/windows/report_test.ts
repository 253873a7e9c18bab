// The report for a person with Windows is made here on the software platform: it has
// to be whole, and a failure has to show.
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { requireTool } from "../util/tools.ts";
import { anonymous, secrets } from "./anonymous.ts";
import { profileLines, profileOf, quirksOf } from "./profile.ts";
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
  // The table has every answer, too, and the profile is one of a host like ours.
  for (const { about } of QUESTIONS) {
    assertEquals(text.includes(`\n| ${about} | `), true, about);
  }
  assertEquals(quirksOf(profileOf(text)), []);
  for (const [secret] of secrets(ROOT)) {
    assertEquals(
      new RegExp(`(?<![\\w-])${RegExp.escape(secret)}(?![\\w-])`, "i").test(
        text,
      ),
      false,
      secret,
    );
  }
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

Deno.test("what tells who made a report is taken out, names as whole words", () => {
  const found = [
    ["C:\\Users\\Jo Doe\\icebp", "(icebp)"],
    ["C:\\Users\\Jo Doe", "(home)"],
    ["LAP-7", "(host)"],
    ["jo", "(user)"],
  ] as const;
  assertEquals(
    anonymous(
      "at file:///C:/Users/Jo%20Doe/x, C:/users/jo doe/icebp/mod.ts, " +
        '"C:\\\\Users\\\\Jo Doe\\\\b", lap-7, JO, joint, major',
      found.map(([secret, instead]) => [secret, instead]),
    ),
    'at file:///(home)/x, (icebp)/mod.ts, "(home)\\\\b", (host), (user), ' +
      "joint, major",
  );
});

Deno.test("a profile is read back; what is none is said", () => {
  const profile = { vector0: "80070057", memoryExitLength: 0, timerMs: 15.6 };
  const text = ["# a report", ...profileLines(profile), ""].join("\r\n");
  assertEquals(profileOf(text), profile);
  assertEquals(quirksOf(profile), ["length0", "vector0=80070057"]);
  assertThrows(() => profileOf("# none"), TypeError, "has no profile");
  const list = [...profileLines({}), ""].join("\n").replace("{}", '{"a":[]}');
  assertThrows(() => profileOf(list), TypeError, "a is not a fact");
});
