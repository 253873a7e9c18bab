// The x87 transcendentals against the host's silicon: special cases and flags
// exact, results within an ulp (both round an approximation).

import {
  buildSoftware,
  canCompare,
  compare,
  expectAgreement,
  type Fill,
  openSilicon,
} from "./harness.ts";
import { any80, controlWord, number80, two80 } from "./operands.ts";

/** Mostly numbers whose magnitude is near 2^centre. */
function near(centre: number, spread: number): Fill {
  return (random, view, offset) => {
    view.setUint32(offset, controlWord(random), true);
    const both = random.below(8);
    if (both === 0) return two80(random, view, offset);
    if (both === 1) {
      any80(random, view, offset + 8);
      number80(random, view, offset + 24, 16383, 3);
    } else {
      number80(random, view, offset + 8, 16383 + centre, spread);
      number80(random, view, offset + 24, 16383, both === 2 ? 70 : 3);
    }
  };
}

const exponentAt = (view: DataView, offset: number) =>
  view.getUint16(offset + 16, true) & 0x7fff;

/** F2XM1 is defined up to 1, FYL2XP1 between 1/sqrt(2) - 1 and sqrt(2) - 1. */
const beyondOne = (view: DataView, offset: number) => {
  const e = exponentAt(view, offset);
  return e >= 16383 && e < 0x7fff &&
    (e > 16383 || view.getBigUint64(offset + 8, true) !== 1n << 63n);
};
const beyondHalf = (view: DataView, offset: number) => {
  const e = exponentAt(view, offset);
  const m = view.getBigUint64(offset + 8, true);
  return e >= 16382 || (e === 16381 && m > 0x95f619980c4336f7n);
};

const flags = 0x3f;
const flagsC2 = 0x43f;

const operations: {
  op: number;
  name: string;
  fill: Fill;
  statusMask: number;
  skip?: (view: DataView, offset: number) => boolean;
}[] = [
  {
    op: 39,
    name: "f2xm1",
    fill: near(-3, 4),
    statusMask: flags,
    skip: beyondOne,
  },
  { op: 40, name: "fyl2x", fill: near(0, 3), statusMask: flags },
  {
    op: 41,
    name: "fyl2xp1",
    fill: near(-6, 8),
    statusMask: flags,
    skip: beyondHalf,
  },
  { op: 42, name: "fptan", fill: near(2, 6), statusMask: flagsC2 },
  { op: 43, name: "fpatan", fill: near(0, 4), statusMask: flags },
  { op: 44, name: "fsin", fill: near(2, 6), statusMask: flagsC2 },
  { op: 45, name: "fcos", fill: near(2, 6), statusMask: flagsC2 },
  { op: 46, name: "fsincos", fill: near(2, 6), statusMask: flagsC2 },
  {
    op: 46,
    name: "fsincos of great numbers",
    fill: near(30, 34),
    statusMask: flagsC2,
  },
  { op: 42, name: "fptan of great", fill: near(30, 34), statusMask: flagsC2 },
];

const cases = Number(Deno.env.get("ICEBP_FP_CASES") ?? 50_000);

Deno.test({
  name: "x87 transcendentals agree with silicon to an ulp",
  ignore: !canCompare(),
  async fn(t) {
    const software = await buildSoftware();
    const silicon = openSilicon("silicon_x87");
    try {
      for (const operation of operations) {
        await t.step(operation.name, () => {
          expectAgreement(compare(software, silicon.run, {
            ...operation,
            cases,
            tolerance: 1,
          }));
        });
      }
    } finally {
      silicon.close();
    }
  },
});
