// The x87 arithmetic against the host's silicon: every bit of the result, the
// six exception flags, C1, and where they are defined C0, C2 and C3.

import {
  buildSoftware,
  canCompare,
  compare,
  expectAgreement,
  type Fill,
  openSilicon,
} from "./harness.ts";
import { two80, with32, with64 } from "./operands.ts";

const flagsC1 = 0x23f;
const conditions = 0x473f;
const eflags = 0x45_023f;

const operations: [number, string, Fill, number][] = [
  [0, "fadd", two80, flagsC1],
  [1, "fsub", two80, flagsC1],
  [2, "fmul", two80, flagsC1],
  [3, "fdiv", two80, flagsC1],
  [4, "fsqrt", two80, flagsC1],
  [5, "fprem", two80, conditions],
  [6, "fprem1", two80, conditions],
  [7, "fscale", two80, flagsC1],
  [8, "frndint", two80, flagsC1],
  [9, "fxtract", two80, flagsC1],
  [10, "fcom", two80, conditions],
  [11, "fucom", two80, conditions],
  [12, "fcomi", two80, eflags],
  [13, "fucomi", two80, eflags],
  [14, "fadd m32", with32, flagsC1],
  [15, "fsub m64", with64, flagsC1],
  [16, "fmul m32", with32, flagsC1],
  [17, "fdiv m64", with64, flagsC1],
  [18, "fdivr m32", with32, flagsC1],
  [19, "fsubr m64", with64, flagsC1],
  [20, "fcom m32", with32, conditions],
  [21, "fcom m64", with64, conditions],
  [22, "fld m32", with32, flagsC1],
  [23, "fld m64", with64, flagsC1],
  [24, "fild m16", two80, flagsC1],
  [25, "fild m32", two80, flagsC1],
  [26, "fild m64", two80, flagsC1],
  [27, "fbld", two80, flagsC1],
  [28, "fiadd m16", two80, flagsC1],
  [29, "fidivr m32", two80, flagsC1],
  [30, "fst m32", two80, flagsC1],
  [31, "fst m64", two80, flagsC1],
  [32, "fist m16", two80, flagsC1],
  [33, "fist m32", two80, flagsC1],
  [34, "fistp m64", two80, flagsC1],
  [35, "fisttp m16", two80, flagsC1],
  [36, "fisttp m32", two80, flagsC1],
  [37, "fisttp m64", two80, flagsC1],
  [38, "fbstp", two80, flagsC1],
  [47, "ftst", two80, conditions],
];

const cases = Number(Deno.env.get("ICEBP_FP_CASES") ?? 100_000);

Deno.test({
  name: "x87 arithmetic agrees with silicon in every bit and flag",
  ignore: !canCompare(),
  async fn(t) {
    const software = await buildSoftware();
    const silicon = openSilicon("silicon_x87");
    try {
      for (const [op, name, fill, statusMask] of operations) {
        await t.step(name, () => {
          expectAgreement(compare(software, silicon.run, {
            op,
            name,
            cases,
            fill,
            statusMask,
          }));
        });
      }
    } finally {
      silicon.close();
    }
  },
});
