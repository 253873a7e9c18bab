/**
 * Random system instructions on the core and under Bochs: both must leave the
 * same. ICEBP_FUZZ_SEED (the first), ICEBP_FUZZ_GUESTS (how many) choose others.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { assembleFile, runSoft } from "../soft/guests/guest.ts";
import { requireTool } from "../util/tools.ts";
import { runBochs } from "./bochs.ts";
import { compareLogs, describe, split } from "./compare.ts";
import { fuzzCases, fuzzGuest } from "./fuzz.ts";
import { KNOWN, knownFor } from "./known.ts";

/** As many as the ROM, and the log, have room for. */
const CASES = 350;
/** Mismatches that are told in full. */
const DESCRIBED = 5;

const number = (name: string, otherwise: number) => {
  const text = Deno.env.get(name);
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${name}: not a whole number: ${text}`);
};
const FIRST = number("ICEBP_FUZZ_SEED", 100);
const GUESTS = number("ICEBP_FUZZ_GUESTS", 24);

const here = new URL("./", import.meta.url).pathname;
const ready = requireTool("bochs", "as", "ld", "timeout");
const taken = new Map<string, number>();

for (let seed = FIRST; seed < FIRST + GUESTS; seed++) {
  Deno.test({
    name: `system instructions as under Bochs: ${CASES} cases, seed ${seed}`,
    ignore: !ready,
    async fn() {
      const cases = fuzzCases(seed, CASES);
      const folder = Deno.makeTempDirSync();
      try {
        const source = `${folder}/fuzz.S`;
        Deno.writeTextFileSync(source, fuzzGuest(cases));
        const image = assembleFile(source, folder, [here]);
        const [core, bochs] = [
          await runSoft(image),
          await runBochs(image, folder),
        ];
        const unknown = compareLogs(cases, core, bochs).filter((m) => {
          const known = knownFor(m);
          if (known !== null) {
            taken.set(known.name, (taken.get(known.name) ?? 0) + 1);
          }
          return known === null;
        });
        const told = unknown.slice(0, DESCRIBED).map(describe).join("\n");
        assertEquals(unknown.length, 0, `${unknown.length} differ\n${told}`);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test.afterAll(() => {
  for (const { name, manual } of KNOWN) {
    const times = taken.get(name) ?? 0;
    if (times > 0) {
      console.log(`Bochs differs ${times} times: ${name} (${manual})`);
    }
  }
});

Deno.test("a fuzzed guest depends on its seed alone", () => {
  assertEquals(fuzzGuest(fuzzCases(3, 50)), fuzzGuest(fuzzCases(3, 50)));
  assert(fuzzGuest(fuzzCases(3, 50)) !== fuzzGuest(fuzzCases(4, 50)));
});

Deno.test("what differs between two logs is seen, unless it is known", () => {
  const cases = fuzzCases(1, 3);
  const iretd = { ...cases[1], kind: "IRETD", level: "ring 0" as const };
  const log = (...words: number[]) => [
    0xc0de0000,
    1,
    0xc0de0001,
    ...words,
    0xc0de0002,
    3,
    0xc0deffff,
  ];
  const gp = [0xe000000d, 0, 0x11111, 8, 0x1_0000];
  const entered = [0xe000000d, 0x1a, 0x18d0, 8, 0x2_0000];
  const all = [cases[0], iretd, cases[2]];
  assertEquals(split(log(5, 6), 3), [[1], [5, 6], [3]]);
  assertEquals(compareLogs(all, log(...gp), log(...gp)), []);
  const [known] = compareLogs(all, log(...gp), log(...entered));
  assertEquals(known.index, 1);
  assertEquals(knownFor(known), KNOWN[0]);
  for (const wrong of [[...gp.slice(0, 4), 0], [...entered, 1].slice(0, 3)]) {
    const [m] = compareLogs(all, log(...gp), log(...wrong));
    assertEquals(knownFor(m), null);
    assert(describe(m).includes("IRETD, ring 0"));
  }
  assertThrows(() => compareLogs(all, log(1), [0xc0de0000, 1]), Error, "ran 3");
});
