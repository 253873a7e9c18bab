// The platform that a test's guest runs on where any will do, and whether the software one
// translates: ICEBP_TEST_TRANSLATE is never, auto or always.

import {
  setDefaultTranslation,
  type TranslateMode,
} from "../../src/soft/mod.ts";

const mode = Deno.env.get("ICEBP_TEST_TRANSLATE");
if (mode !== undefined) setDefaultTranslation(mode as TranslateMode);

/** What ICEBP_TEST_PLATFORM names (`whp`, or a library's path), else `soft`. */
export function testPlatform(): string {
  return Deno.env.get("ICEBP_TEST_PLATFORM") ?? "soft";
}
