/**
 * The core against the host's silicon: every form of the table, with random
 * and edge operands, must leave the same registers, flags, memory and faults.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { CpuUnderTest } from "./batch.ts";
import { type Feature, featuresOf } from "./features.ts";
import type { Form } from "./form.ts";
import { families } from "./forms/mod.ts";
import { SILICON_HERE } from "./native_cpu.ts";
import { openCore, openSilicon, readSettings } from "./open.ts";
import { describe, runForm } from "./run.ts";

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
    await run({
      silicon,
      core,
      siliconHas: await featuresOf(silicon),
      coreHas: await featuresOf(core),
    });
  } finally {
    await silicon.close();
    await core.close();
  }
}

/** Why a form cannot be compared here, or null. */
function missing(form: Form, pair: Pair): string | null {
  if (form.feature === undefined) return null;
  if (!pair.siliconHas.has(form.feature)) {
    return `this host's silicon lacks ${form.feature}`;
  }
  return pair.coreHas.has(form.feature)
    ? null
    : `the core does not offer ${form.feature}`;
}

const names = new Set<string>();
for (const family of families) {
  for (const { name } of family.forms) {
    if (names.has(name)) throw new Error(`two forms have the name ${name}`);
    names.add(name);
  }
}

if (!SILICON_HERE) {
  console.warn("SKIPPED: silicon tests need Linux on x86-64");
}

for (const family of families) {
  const forms = family.forms.filter((form) => settings.only.test(form.name));
  if (forms.length === 0) continue;
  Deno.test({
    name: `silicon: ${family.name} (${forms.length} forms, ` +
      `${settings.cases} cases each, seed ${settings.seed})`,
    ignore: !SILICON_HERE,
    fn: () =>
      withBoth(async (pair) => {
        const failures: string[] = [];
        for (const form of forms) {
          const why = missing(form, pair);
          if (why !== null) {
            console.warn(`SKIPPED: ${form.name}: ${why}`);
            continue;
          }
          const { seed, cases } = settings;
          const result = await runForm(
            form,
            seed,
            cases,
            pair.silicon,
            pair.core,
          );
          if (result.failed > 0) failures.push(describe(form, result));
        }
        assertEquals(failures.join("\n"), "");
      }),
  });
}
