// The core's sources that are derived: `deno task build` keeps them in step with what
// they are derived from.

import type { Written } from "./constants.ts";
import { CORE } from "./core_sources.ts";
import { FACTS } from "./facts.ts";
import { WINHV } from "./winhv.ts";

/** All of them. */
export const WRITTEN: readonly Written[] = [...FACTS, ...WINHV];

/** Those that are not what they have to be. */
export function outdated(): Written[] {
  return WRITTEN.filter(([path, text]) => {
    try {
      return Deno.readTextFileSync(CORE + path) !== text;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      throw error;
    }
  });
}
