// Translated code does what the interpreter does: random programs run both ways in
// slices, and every slice ends with the same registers, flags, memory and count.
// ICEBP_FUZZ_PROGRAMS says how many of each size, ICEBP_FUZZ_SEED from which on.

import { assert } from "@std/assert";
import { Pair } from "./lock_step.ts";
import { programOf, reproduction } from "./shrink.ts";

const PROGRAMS = Number(Deno.env.get("ICEBP_FUZZ_PROGRAMS") ?? 5000);
const SEED = Number(Deno.env.get("ICEBP_FUZZ_SEED") ?? 1);

for (const bits of [64, 32] as const) {
  Deno.test(`random programs of ${bits} bits run as they do interpreted`, async () => {
    const pair = await Pair.open();
    for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
      const difference = await pair.run(programOf(seed, bits));
      if (difference === null) continue;
      throw new Error(await reproduction(seed, bits, SEED, difference));
    }
    pair.close();
    const { all, translated } = pair.ran;
    const percent = (translated / all * 100).toFixed(1);
    console.log(`${percent} % of ${all} instructions ran translated`);
    assert(PROGRAMS < 100 || translated > all / 5, `${percent} % translated`);
  });
}
