/**
 * Which instruction sets a CPU has, asked with CPUID through the same cases
 * as everything else (SDM vol.2, CPUID).
 *
 * @module
 */
import { Batch, type CpuUnderTest } from "./batch.ts";
import { Builder } from "./builder.ts";
import type { Form } from "./form.ts";
import { RAX, RBX, RCX, RDX, Result } from "./layout.ts";
import { Prng } from "./prng.ts";

/** Leaf, register and bit of every feature that forms ask for. */
const FEATURES = {
  cx8: [1, RDX, 8],
  cmov: [1, RDX, 15],
  mmx: [1, RDX, 23],
  fxsr: [1, RDX, 24],
  sse: [1, RDX, 25],
  sse2: [1, RDX, 26],
  sse3: [1, RCX, 0],
  pclmulqdq: [1, RCX, 1],
  ssse3: [1, RCX, 9],
  cx16: [1, RCX, 13],
  sse41: [1, RCX, 19],
  sse42: [1, RCX, 20],
  movbe: [1, RCX, 22],
  popcnt: [1, RCX, 23],
  aes: [1, RCX, 25],
  fsgsbase: [7, RBX, 0],
  bmi1: [7, RBX, 3],
  bmi2: [7, RBX, 8],
  adx: [7, RBX, 19],
  lahf64: [0x8000_0001, RCX, 0],
  lzcnt: [0x8000_0001, RCX, 5],
} as const;

export type Feature = keyof typeof FEATURES;

export const FEATURE_NAMES = Object.keys(FEATURES) as Feature[];

/** Whether there is a feature of this name. */
export function isFeature(name: string): name is Feature {
  return Object.hasOwn(FEATURES, name);
}

/** Why a form cannot be compared between CPUs with these features, or null. */
export function missing(
  form: Form,
  silicon: ReadonlySet<Feature>,
  core: ReadonlySet<Feature>,
): string | null {
  for (const feature of [form.feature ?? []].flat()) {
    if (!silicon.has(feature)) return `this host's silicon lacks ${feature}`;
    if (!core.has(feature)) return `the core does not offer ${feature}`;
  }
  return null;
}

/** The features `cpu` reports. */
export async function featuresOf(cpu: CpuUnderTest): Promise<Set<Feature>> {
  const leaves = [1, 7, 0x8000_0001];
  const batch = new Batch(false, leaves.length);
  batch.clear();
  const g = new Builder(new Prng(0), batch);
  for (const leaf of leaves) {
    g.begin(64);
    g.setAddress(RAX, leaf);
    g.setAddress(RCX, 0);
    g.code.push(0x0f, 0xa2);
    g.end();
  }
  const results = await cpu.runBatch(batch);
  const found = new Set<Feature>();
  for (const name of FEATURE_NAMES) {
    const [leaf, reg, bit] = FEATURES[name];
    const at = results.offsets[leaves.indexOf(leaf)] + Result.gpr + 8 * reg;
    if (results.view.getUint32(at, true) >>> bit & 1) found.add(name);
  }
  return found;
}
