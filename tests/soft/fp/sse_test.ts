// The SSE arithmetic against the host's silicon: every bit of the result, the
// exception flags, EFLAGS of comparisons, and whether #XM is raised.

import {
  buildSoftware,
  canCompare,
  compare,
  expectAgreement,
  type Fill,
  openSilicon,
  type Random,
} from "./harness.ts";
import { any32, any64 } from "./operands.ts";

/** MXCSR: often the usual one, else any rounding, DAZ, FTZ, masks, flags. */
function mxcsr(random: Random): number {
  const kind = random.below(4);
  if (kind === 0) return 0x1f80 | (random.below(2) << 5);
  let value = 0x1f80 | (random.below(4) << 13) | random.below(64);
  if (kind >= 2) value |= (random.below(2) << 6) | (random.below(2) << 15);
  if (kind === 3) value = (value & ~0x1f80) | (random.below(64) << 7);
  return value;
}

const doubles: Fill = (random, view, offset) => {
  view.setUint32(offset, mxcsr(random), true);
  for (let o = 8; o < 40; o += 8) any64(random, view, offset + o);
  if (random.below(8) === 0) {
    // equal or nearly equal operands
    const a = view.getBigUint64(offset + 8, true);
    const d = BigInt(random.below(3));
    view.setBigUint64(offset + 24, a ^ d, true);
  }
};

const singles: Fill = (random, view, offset) => {
  view.setUint32(offset, mxcsr(random), true);
  for (let o = 8; o < 40; o += 4) any32(random, view, offset + o);
  if (random.below(8) === 0) {
    const a = view.getUint32(offset + 8, true);
    view.setUint32(offset + 24, (a ^ random.below(3)) >>> 0, true);
  }
};

const integers: Fill = (random, view, offset) => {
  view.setUint32(offset, mxcsr(random), true);
  for (let o = 8; o < 40; o += 4) {
    view.setInt32(offset + o, random.u32() >> random.below(32), true);
  }
};

const operations: [number, string, Fill][] = [];
for (
  const [base, suffix, fill] of [
    [100, "sd", doubles],
    [120, "ss", singles],
    [200, "pd", doubles],
    [220, "ps", singles],
  ] as [number, string, Fill][]
) {
  ["add", "sub", "mul", "div", "sqrt", "min", "max"].forEach((name, i) => {
    operations.push([base + i, name + suffix, fill]);
  });
  for (let p = 0; p < 8; p++) {
    operations.push([base + 10 + p, `cmp${suffix} ${p}`, fill]);
  }
}
operations.push(
  [107, "comisd", doubles],
  [108, "ucomisd", doubles],
  [127, "comiss", singles],
  [128, "ucomiss", singles],
  [140, "cvtss2sd", singles],
  [141, "cvtsd2ss", doubles],
  [142, "cvtsd2si r32", doubles],
  [143, "cvtsd2si r64", doubles],
  [144, "cvttsd2si r32", doubles],
  [145, "cvttsd2si r64", doubles],
  [146, "cvtss2si r32", singles],
  [147, "cvtss2si r64", singles],
  [148, "cvttss2si r32", singles],
  [149, "cvttss2si r64", singles],
  [150, "cvtsi2sd r32", integers],
  [151, "cvtsi2sd r64", integers],
  [152, "cvtsi2ss r32", integers],
  [153, "cvtsi2ss r64", integers],
  [240, "cvtps2dq", singles],
  [241, "cvttpd2dq", doubles],
  [242, "cvtpd2ps", doubles],
  [243, "cvtdq2ps", integers],
);
for (const imm of [0, 1, 2, 3, 4, 8, 9, 12]) {
  operations.push(
    [160 + imm, `roundsd ${imm}`, doubles],
    [180 + imm, `roundss ${imm}`, singles],
  );
}

const cases = Number(Deno.env.get("ICEBP_FP_CASES") ?? 50_000);

Deno.test({
  name: "SSE arithmetic agrees with silicon in every bit and flag",
  ignore: !canCompare(),
  async fn(t) {
    const software = await buildSoftware();
    const silicon = openSilicon("silicon_sse");
    try {
      for (const [op, name, fill] of operations) {
        await t.step(name, () => {
          expectAgreement(compare(software, silicon.run, {
            op,
            name,
            cases,
            fill,
            statusMask: 0xffffffff,
          }));
        });
      }
    } finally {
      silicon.close();
    }
  },
});
