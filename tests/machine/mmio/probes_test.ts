// Instructions that touch devices do what the manual says: in every register, with
// every fault, for debug registers and TF, exactly one access each.

import { requireTool } from "../../util/tools.ts";
import { check } from "./probe.ts";
import { PROBES } from "./probes.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

for (const probe of PROBES) {
  Deno.test({
    name: `on a device: ${probe.name}`,
    ignore,
    fn: () => check(probe),
  });
}
