/**
 * The core against the host's silicon: every form of the table, with random
 * and edge operands, must leave the same registers, flags, memory and faults.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ALTERNATIVES } from "./alternatives.ts";
import type { CpuUnderTest } from "./batch.ts";
import { type Feature, featuresOf, missing } from "./features.ts";
import type { Form } from "./form.ts";
import { families, groups } from "./forms/mod.ts";
import { whyNoSilicon } from "./native_cpu.ts";
import { openCore, openSilicon, readSettings } from "./open.ts";
import { describe, runForm } from "./run.ts";
import { TranslatedCpu } from "./translated_cpu.ts";

interface Pair {
  silicon: CpuUnderTest;
  core: CpuUnderTest;
  siliconHas: Set<Feature>;
  coreHas: Set<Feature>;
}

const settings = readSettings();

async function withBoth(run: (pair: Pair) => Promise<void>): Promise<void> {
  const silicon = openSilicon();
  const core = await openCore();
  try {
    const siliconHas = await featuresOf(silicon);
    for (const feature of settings.without) siliconHas.delete(feature);
    await run({
      silicon,
      core,
      siliconHas,
      coreHas: await featuresOf(core),
    });
    if (core instanceof TranslatedCpu) {
      assert(core.translated > 0n, "nothing ran translated");
      console.log(`${core.translated} instructions ran translated`);
    }
  } finally {
    await silicon.close();
    await core.close();
  }
}

/** The tables run again in compatibility mode get a quarter of the cases. */
function casesOf(form: Form): number {
  const { cases } = settings;
  return form.mode === undefined ? cases : Math.ceil(cases / 4);
}

const names = new Set<string>();
for (const family of families) {
  for (const { name } of family.forms) {
    if (names.has(name)) throw new Error(`two forms have the name ${name}`);
    names.add(name);
  }
}

const whyNot = await whyNoSilicon();
if (whyNot !== null) console.warn(`SKIPPED: silicon tests: ${whyNot}`);

/** How often silicon took which alternative, over all the forms. */
const taken = new Map<string, number>();

/** Runs a family's forms; throws the description of all that differ. */
async function runFamily(forms: Form[], pair: Pair): Promise<void> {
  const failures: string[] = [];
  for (const form of forms) {
    const why = missing(form, pair.siliconHas, pair.coreHas);
    if (why !== null) {
      console.warn(`SKIPPED: ${form.name}: ${why}`);
      continue;
    }
    const result = await runForm(
      form,
      settings.seed,
      casesOf(form),
      pair.silicon,
      pair.core,
    );
    if (result.failed > 0) failures.push(describe(form, result));
    for (const [name, times] of result.taken) {
      taken.set(name, (taken.get(name) ?? 0) + times);
    }
  }
  assertEquals(failures.join("\n"), "");
}

for (const group of groups) {
  const chosen = group.families.map(({ name, forms }) => ({
    name,
    forms: forms.filter((form) => settings.only.test(form.name)),
  })).filter(({ forms }) => forms.length > 0);
  if (chosen.length === 0) continue;
  Deno.test({
    name: `silicon: ${group.name} (seed ${settings.seed})`,
    ignore: whyNot !== null,
    fn: (t) =>
      withBoth(async (pair) => {
        for (const { name, forms } of chosen) {
          await t.step(
            `${name}: ${forms.length} forms, ${casesOf(forms[0])} cases each`,
            () => runFamily(forms, pair),
          );
        }
      }),
  });
}

Deno.test.afterAll(() => {
  for (const { name, source } of ALTERNATIVES) {
    const times = taken.get(name) ?? 0;
    if (times === 0) continue;
    console.log(`this processor takes another way ${times} times: ${name}`);
    console.log(`  (${source})`);
  }
});
