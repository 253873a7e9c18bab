/**
 * What the machine changes in the platform's answers to CPUID: the hypervisor's
 * own leaves, features that a guest in a guest cannot have, and the frequencies that
 * a processor keeps to itself. A platform that takes masked results
 * (CpuidResultList2) makes the changes by itself; for others these leaves exit.
 */
import type { MaskedCpuidResult } from "../platform/partition.ts";
import { type CpuidAnswer, filled, type HostClocks } from "./host.ts";

/** The first leaf that hypervisors keep for themselves, and the last that is set. */
const HYPERVISOR_LEAF = 0x40000000;
const LAST_SET = 0x4000000b;
/** EAX and EBX are the TSC's and the APIC timer's kHz; VMware began with it, and
 * QEMU, FreeBSD and Darwin followed. */
const TIMING_LEAF = 0x40000010;
/** "icebpicebp\0\0" in EBX, ECX, EDX. */
const SIGNATURE = [0x62656369, 0x65636970, 0x00007062] as const;

const CRYSTAL_LEAF = 0x15, FREQUENCY_LEAF = 0x16;

const ECX_VMX = 1 << 5;
const ECX_HYPERVISOR = 0x80000000;
const ECX_SVM = 1 << 2;
const ALL = [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff] as const;

/** The leaves to change, and the bits in EAX, EBX, ECX, EDX; the platform answers
 * all others by itself. A host's own hypervisor leaves would have guests use what
 * is not there. `clocks` are the host's, where guests run on its; `wishes` are the
 * user's, and stand above all. */
export function cpuidChanges(
  clocks: HostClocks | null = null,
  wishes: readonly MaskedCpuidResult[] = [],
): MaskedCpuidResult[] {
  const timing = clocks === null ? null : timingOf(clocks);
  const last = timing === null ? LAST_SET : TIMING_LEAF;
  const changes: MaskedCpuidResult[] = [
    {
      leaf: 1,
      output: [0, 0, ECX_HYPERVISOR, 0],
      mask: [0, 0, (ECX_HYPERVISOR | ECX_VMX) >>> 0, 0],
    },
    { leaf: 0x80000001, output: [0, 0, 0, 0], mask: [0, 0, ECX_SVM, 0] },
    {
      leaf: HYPERVISOR_LEAF,
      output: [timing === null ? HYPERVISOR_LEAF : TIMING_LEAF, ...SIGNATURE],
      mask: ALL,
    },
  ];
  for (let leaf = HYPERVISOR_LEAF + 1; leaf <= last; leaf++) {
    const output = timing !== null && leaf === TIMING_LEAF
      ? timing
      : [0, 0, 0, 0] as const;
    changes.push({ leaf, output, mask: ALL });
  }
  if (clocks !== null) changes.push(...frequenciesOf(clocks));
  for (const wish of wishes) {
    const at = changes.findIndex(({ leaf }) => leaf === wish.leaf);
    if (at < 0) changes.push(wish);
    else changes[at] = over(wish, changes[at]);
  }
  return changes;
}

function timingOf({ tscHz, apicHz }: HostClocks): CpuidAnswer | null {
  if (tscHz === null) return null;
  return [Math.round(tscHz / 1000), Math.round((apicHz ?? 0) / 1000), 0, 0];
}

/** Intel's leaves of frequencies, where there is more to say than the processor says. */
function frequenciesOf(clocks: HostClocks): MaskedCpuidResult[] {
  const { crystal, frequency } = filled(clocks);
  const changes: MaskedCpuidResult[] = [];
  if (crystal !== null && crystal !== clocks.crystal) {
    changes.push({ leaf: CRYSTAL_LEAF, output: crystal, mask: ALL });
  }
  if (frequency !== null && frequency !== clocks.frequency) {
    changes.push({ leaf: FREQUENCY_LEAF, output: frequency, mask: ALL });
  }
  return changes;
}

/** One change on top of another of the same leaf. */
function over(
  above: MaskedCpuidResult,
  below: MaskedCpuidResult,
): MaskedCpuidResult {
  const output: CpuidAnswer = [...below.output];
  const mask: CpuidAnswer = [...below.mask];
  for (let i = 0; i < 4; i++) {
    output[i] = masked(output[i], above.output[i], above.mask[i]);
    mask[i] = (mask[i] | above.mask[i]) >>> 0;
  }
  return { leaf: above.leaf, output, mask };
}

/** `value` with the bits of `mask` taken from `from`. */
function masked(value: number, from: number, mask: number): number {
  return ((value & ~mask) | (from & mask)) >>> 0;
}

/** Makes `answer`, the platform's for `leaf`, what the guest sees. */
export function adjustCpuid(
  changes: readonly MaskedCpuidResult[],
  leaf: number,
  answer: CpuidAnswer,
): void {
  const change = changes.find((change) => change.leaf === leaf >>> 0);
  if (change === undefined) return;
  for (let i = 0; i < 4; i++) {
    answer[i] = masked(answer[i], change.output[i], change.mask[i]);
  }
}
