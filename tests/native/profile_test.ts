/**
 * A host's profile, there and back: the library with a quirk is asked what a host is
 * asked (tests/windows), and the report's profile makes the library do the same again.
 */
import { assertEquals } from "@std/assert";
import { profileOf, quirksOf } from "../windows/profile.ts";
import { canBuild, library } from "./libraries.ts";

const ROOT = new URL("../../", import.meta.url);

/** Everything that a profile can have; the words in quirksOf()'s order. */
const QUIRKS = [
  "length0",
  "nobytes",
  "reset",
  "g0",
  "capabilities0",
  "msrgp",
  "extintwakes",
  "activity",
  "writebytes",
  "hypervisor",
  "noapictpr",
  "mtrrcap",
  "noruntime",
  "nosse",
  "windowlost",
  "nohaltwindow",
  "oldapic",
  "xsave=11008",
  "noregister=2003",
  "noregister=80000005",
  "noint1",
  "notsc",
  "amd",
  "vector0=80070057",
  "noapic=80070057",
];

/** All but what hides the length of a write to a page without Write, and whether the
 * activity can be written without an APIC. */
const TOGETHER = QUIRKS.filter((word) =>
  word !== "length0" && word !== "noregister=80000005"
);

/** The report of the library with these quirks. */
async function report(quirks: readonly string[]): Promise<string> {
  const output = await Deno.makeTempFile({ suffix: ".md" });
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "tests/windows/report.ts",
        `--platform=${await library()}`,
        `--output=${output}`,
        "--questions",
      ],
      cwd: ROOT,
      env: { ICEBP_NATIVE: quirks.join(",") },
      stdin: "null",
      stdout: "null",
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    return await Deno.readTextFile(output);
  } finally {
    await Deno.remove(output);
  }
}

for (
  const [name, sets] of [
    ["without quirks", [[]]],
    ["each quirk by itself", QUIRKS.map((word) => [word])],
    ["all quirks at once", [TOGETHER]],
  ] as const
) {
  Deno.test({
    name: `native: a profile there and back: ${name}`,
    ignore: !canBuild,
    fn: async () => {
      // Four at a time: they mostly wait.
      const left = [...sets];
      const some = async () => {
        for (let set = left.pop(); set !== undefined; set = left.pop()) {
          const text = await report(set);
          assertEquals(text.includes("could not be asked"), false, text);
          assertEquals(quirksOf(profileOf(text)), [...set]);
        }
      };
      await Promise.all([some(), some(), some(), some()]);
    },
  });
}
