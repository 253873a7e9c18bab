// The instructions' table, and the printer that writes the inner loop's cases from it.

import { assertEquals, assertThrows } from "@std/assert";
import { withCases } from "../../src/soft/build/inner.ts";
import { CORE } from "../../src/soft/build/core_sources.ts";
import { Printer } from "../../src/soft/build/printer.ts";
import { E, form, G, ONE, WIDE } from "../../src/soft/instructions/forms.ts";
import { type Meaning, TABLE } from "../../src/soft/instructions/table.ts";

Deno.test("an encoding is one instruction's", () => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const { name, forms } of TABLE) {
    for (const { map, opcode, digit, sizes } of forms) {
      for (const size of sizes) {
        const key = [map, opcode.toString(16), digit, size].join(" ");
        const other = seen.get(key);
        if (other !== undefined) twice.push(`${key}: ${other}, ${name}`);
        seen.set(key, name);
      }
    }
  }
  assertEquals(twice, []);
});

/** What is written for a 32-bit instruction with a memory operand. */
function printed(meaning: Meaning): string {
  const row = { name: "", forms: [form(ONE, 0, -1, WIDE, E, G)], meaning };
  return new Printer(2, true).text(row, row.forms[0]);
}

Deno.test("a case looks its operand up before it changes anything", () => {
  const text = printed((m, memory, register) =>
    m.write(register, m.read(memory))
  );
  assertEquals(text.split("\n"), [
    "a = sum(w, p);",
    "e = entryOf(a);",
    "if (load<u64>(e) == ((a + 3) & ~0xfff)) {",
    "h = <usize> (<u32> a + load<u32>(e, 16));",
    "store<u64>(reg(w), <u64> load<u32>(h));",
    "p += REC;",
    "} else p = slow(p);",
  ]);
  assertThrows(
    () =>
      printed((m, memory, register) => {
        m.write(register, m.address());
        m.write(memory, m.read(register));
      }),
    Error,
    "may fail too late",
  );
});

Deno.test("a pair is the second's case where the first one's is done", () => {
  const text = withCases(Deno.readTextFileSync(`${CORE}code/inner.ts`));
  const single = (name: string) =>
    new RegExp(`^case ${name}:\\n\\{\\n([^]*?)\\n\\}\\nbreak;$`, "m").exec(text)
      ?.[1];
  const first = single("TEST_Rd_Gd")!, second = single("J4_w")!;
  assertEquals(
    single("TEST_Rd_Gd__J4_w"),
    `${first}\nif (left > 1) {\nleft--;\ncur = p;\nw = load<u64>(p);\n${second}\n}`,
  );
});
