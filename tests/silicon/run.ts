/**
 * Runs one form on two CPUs and reports the cases in which they differ.
 *
 * @module
 */
import { Batch, type CpuUnderTest } from "./batch.ts";
import { Builder } from "./builder.ts";
import { alternativeFor } from "./alternatives.ts";
import { compareCase, type Difference } from "./compare.ts";
import type { Form } from "./form.ts";
import { MAX_CASES } from "./layout.ts";
import { Prng } from "./prng.ts";
import { reproduction } from "./repro_line.ts";

export interface Failure {
  /** One line that runs the case again. */
  reproduction: string;
  differences: Difference[];
}

export interface FormResult {
  cases: number;
  failed: number;
  /** Alternatives that silicon took (alternatives.ts), and how often. */
  taken: Map<string, number>;
  /** The first few. */
  failures: Failure[];
}

/** Failures described in full for each form. */
const DESCRIBED = 3;

/** Fills `batch` with the next `count` cases of the form. */
export function buildCases(
  form: Form,
  rng: Prng,
  batch: Batch,
  count: number,
): void {
  batch.scratchSeed = rng.u32();
  batch.fillScratch();
  batch.clear();
  const g = new Builder(rng, batch, form.mode);
  for (let i = 0; i < count; i++) {
    form.build(g);
    g.end();
  }
}

/** Runs `count` cases; `expected` is the CPU that is right. */
export async function runForm(
  form: Form,
  seed: number,
  count: number,
  expected: CpuUnderTest,
  actual: CpuUnderTest,
): Promise<FormResult> {
  const rng = new Prng(seed, form.name);
  const batch = new Batch(form.fx ?? false, Math.min(count, MAX_CASES));
  const result: FormResult = {
    cases: 0,
    failed: 0,
    taken: new Map(),
    failures: [],
  };
  while (result.cases < count) {
    const n = Math.min(MAX_CASES, count - result.cases);
    buildCases(form, rng, batch, n);
    // Two processes: both work at the same time.
    const [right, got] = await Promise.all([
      expected.runBatch(batch),
      actual.runBatch(batch),
    ]);
    for (let i = 0; i < n; i++) {
      const differences = compareCase(batch, i, right, got);
      if (differences.length === 0) continue;
      const alternative = alternativeFor(form.name, {
        batch,
        index: i,
        silicon: right,
        core: got,
        differences,
      });
      if (alternative !== null) {
        const { name } = alternative;
        result.taken.set(name, (result.taken.get(name) ?? 0) + 1);
        continue;
      }
      result.failed++;
      if (result.failures.length < DESCRIBED) {
        result.failures.push({
          reproduction: reproduction(form, batch, i),
          differences,
        });
      }
    }
    result.cases += n;
  }
  return result;
}

/** The text of a failing form: one reproduction and diff for each case. */
export function describe(form: Form, result: FormResult): string {
  const lines = [
    `${form.name}: ${result.failed} of ${result.cases} cases differ`,
  ];
  for (const { reproduction, differences } of result.failures) {
    lines.push(`  ${reproduction}`);
    for (const d of differences) {
      lines.push(`    ${d.what}: silicon ${d.expected}, core ${d.actual}`);
    }
  }
  return lines.join("\n");
}
