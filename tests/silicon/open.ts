/**
 * The two CPUs that are compared, and how much is asked of them.
 *
 * @module
 */
import { openSoft } from "../../src/soft/mod.ts";
import type { CpuUnderTest } from "./batch.ts";
import { CoreCpu } from "./core_cpu.ts";
import { type Feature, FEATURE_NAMES, isFeature } from "./features.ts";
import { GUEST_BYTES } from "./guest.ts";
import { NativeCpu } from "./native_cpu.ts";
import { TranslatedCpu } from "./translated_cpu.ts";

/** Cases of each form without ICEBP_SILICON_CASES. */
const DEFAULT_CASES = 1000;

/** What the environment asks for. */
export interface Settings {
  seed: number;
  cases: number;
  only: RegExp;
  /** Features that the host's silicon is taken not to have. */
  without: Set<Feature>;
}

/**
 * ICEBP_SILICON_SEED (a 32-bit number), ICEBP_SILICON_CASES (of each form),
 * ICEBP_SILICON_ONLY (a regular expression on forms' names),
 * ICEBP_SILICON_WITHOUT (features, or "all": what an older processor runs).
 */
export function readSettings(): Settings {
  const number = (name: string, otherwise: number) => {
    const text = Deno.env.get(name);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new Error(`${name}: not a whole number: ${text}`);
    }
    return value;
  };
  return {
    seed: number("ICEBP_SILICON_SEED", 1),
    cases: number("ICEBP_SILICON_CASES", DEFAULT_CASES),
    without: readFeatures(Deno.env.get("ICEBP_SILICON_WITHOUT") ?? ""),
    only: new RegExp(Deno.env.get("ICEBP_SILICON_ONLY") ?? ""),
  };
}

function readFeatures(text: string): Set<Feature> {
  if (text === "all") return new Set(FEATURE_NAMES);
  const names = text.split(/[\s,]+/).filter((name) => name !== "");
  return new Set(names.map((name) => {
    if (isFeature(name)) return name;
    throw new Error(`ICEBP_SILICON_WITHOUT: no feature ${name}`);
  }));
}

/** The host's silicon. */
export function openSilicon(): CpuUnderTest {
  return new NativeCpu();
}

/** The software platform's core; ICEBP_TEST_TRANSLATE=always has it translate the cases. */
export async function openCore(): Promise<CoreCpu> {
  if (Deno.env.get("ICEBP_TEST_TRANSLATE") === "always") {
    return await TranslatedCpu.open();
  }
  return new CoreCpu(await openSoft({ memoryBytes: GUEST_BYTES }));
}
