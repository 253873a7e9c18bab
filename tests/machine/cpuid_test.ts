// What guests see of CPUID: what the machine changes, the host's clocks, and what the
// user wishes.
import { assert, assertEquals } from "@std/assert";
import { adjustCpuid, cpuidChanges } from "../../src/machine/cpuid.ts";
import {
  type CpuidAnswer,
  type HostClocks,
  ratio,
  tellsTsc,
  tscKhzToTell,
} from "../../src/machine/host.ts";

const NOTHING: CpuidAnswer = [0, 0, 0, 0];

/** An Intel host that says nothing in its leaves. */
const SILENT: HostClocks = {
  isIntel: true,
  crystal: NOTHING,
  frequency: NOTHING,
  tscHz: 2_994_375_000,
  apicHz: 200_000_000,
};

/** What a guest sees where the platform answers `own`. */
function seen(
  leaf: number,
  clocks: HostClocks | null = null,
  own: CpuidAnswer = [0, 0, 0, 0],
  wishes: Parameters<typeof cpuidChanges>[1] = [],
): CpuidAnswer {
  const answer: CpuidAnswer = [...own];
  adjustCpuid(cpuidChanges(clocks, wishes), leaf, answer);
  return answer;
}

Deno.test("the TSC's frequency where Intel's leaves are empty", () => {
  // ECX EBX / EAX; the crystal is what the APIC timer counts.
  const [denominator, numerator, hz, reserved] = seen(0x15, SILENT);
  assertEquals([hz, reserved], [200_000_000, 0]);
  assertEquals(hz * numerator / denominator, SILENT.tscHz);
  assertEquals(seen(0x16, SILENT), [2994, 2994, 0, 0]);
});

Deno.test("leaves that are another vendor's, absent or not empty stay", () => {
  const own: CpuidAnswer = [2, 250, 24_000_000, 0];
  for (
    const clocks of [
      { ...SILENT, isIntel: false },
      { ...SILENT, tscHz: null },
      { ...SILENT, crystal: null, frequency: null },
      { ...SILENT, crystal: own, frequency: own },
      null,
    ]
  ) {
    for (const leaf of [0x15, 0x16]) {
      assertEquals(seen(leaf, clocks, own), own);
    }
  }
  const silent = { ...SILENT, apicHz: null };
  assertEquals(seen(0x15, silent), NOTHING, "no crystal is made up");
});

Deno.test("the hypervisor's timing leaf, where guests have the host's TSC", () => {
  assertEquals(seen(0x40000000, SILENT)[0], 0x40000010);
  assertEquals(seen(0x40000010, SILENT), [2_994_375, 200_000, 0, 0]);
  const own: CpuidAnswer = [7, 7, 7, 7];
  for (let leaf = 0x40000001; leaf < 0x40000010; leaf++) {
    assertEquals(seen(leaf, SILENT, own), NOTHING, "not the host's");
  }
  assertEquals(seen(0x40000000)[0], 0x40000000, "deterministic without");
});

Deno.test("the user's wishes stand above the machine's", () => {
  const wishes = [
    { leaf: 0x15, output: [1, 1, 5, 0], mask: [0xff, 0xff, 0xff, 0] },
    { leaf: 1, output: [0, 0, 0, 0], mask: [0, 0, 0x80000000, 0] },
    { leaf: 7, output: [0, 0, 0, 0], mask: [0, 1 << 31, 0, 0] },
  ] as const;
  const [, , hz] = seen(0x15, SILENT, undefined, wishes);
  assertEquals(hz, (200_000_000 & ~0xff) | 5);
  const all = 0xffffffff;
  assertEquals(seen(1, null, [all, all, all, all], wishes)[2], 0x7fffffdf);
  assertEquals(seen(7, null, [all, all, all, all], wishes)[1], 0x7fffffff);
});

Deno.test("a fraction that Linux can multiply in 32 bits", () => {
  for (
    const [tsc, crystal] of [
      [2_994_375_000, 200_000_000],
      [3_686_399_217, 200_000_000],
      [5_700_000_123, 200_000_000],
      [2_100_000_000, 1_000_000_000],
      [1_000_000_000, 1_000_000_000],
      [3_000_000_000, 24_000_000],
      [999_999_937, 38_400_000],
    ]
  ) {
    const [numerator, denominator] = ratio(tsc, crystal);
    const what = `${tsc} / ${crystal} = ${numerator} / ${denominator}`;
    assert(crystal / 1000 * numerator < 2 ** 32, what);
    const off = Math.abs(crystal * numerator / denominator / tsc - 1);
    // Less than what oscillators differ by.
    assert(off < 1e-6, `${what}, off by ${off}`);
  }
});

Deno.test("who is told the frequency, and who reads it himself", () => {
  assert(!tellsTsc(SILENT));
  assertEquals(tscKhzToTell(SILENT), null, "the leaves are filled");
  // Nothing to fill them with, or nowhere.
  assertEquals(tscKhzToTell({ ...SILENT, apicHz: null }), 2_994_375);
  assertEquals(tscKhzToTell({ ...SILENT, crystal: null }), 2_994_375);
  assertEquals(tscKhzToTell({ ...SILENT, tscHz: null }), null);
  const crystal: CpuidAnswer = [2, 250, 24_000_000, 0];
  assert(tellsTsc({ ...SILENT, crystal }));
  assertEquals(tscKhzToTell({ ...SILENT, crystal }), null);
  // Skylake: the crystal's frequency follows from leaf 0x16.
  const ratioOnly: CpuidAnswer = [2, 250, 0, 0];
  assert(!tellsTsc({ ...SILENT, crystal: ratioOnly }));
  const frequency: CpuidAnswer = [3000, 3500, 100, 0];
  assert(tellsTsc({ ...SILENT, crystal: ratioOnly, frequency }));
  // AMD's are reserved, whatever they hold.
  const amd = { ...SILENT, isIntel: false, crystal };
  assertEquals(tscKhzToTell(amd), 2_994_375);
});
