/**
 * What the machine changes in the platform's answers to CPUID: the hypervisor's
 * own leaves, and features that a guest in a guest cannot have. A platform that
 * takes masked results (CpuidResultList2) makes the changes by itself; for others
 * these leaves exit.
 */
import type { MaskedCpuidResult } from "../platform/partition.ts";

/** The first leaf that hypervisors keep for themselves, and how many are set. */
const HYPERVISOR_LEAF = 0x40000000;
const HYPERVISOR_LEAVES = 12;
/** "icebpicebp\0\0" in EBX, ECX, EDX. */
const SIGNATURE = [0x62656369, 0x65636970, 0x00007062] as const;

const ECX_VMX = 1 << 5;
const ECX_HYPERVISOR = 0x80000000;
const ECX_SVM = 1 << 2;
const ALL = [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff] as const;

/** The leaves to change, and the bits in EAX, EBX, ECX, EDX; the platform answers
 * all others by itself. A host's own hypervisor leaves would have guests use what
 * is not there. */
export const CPUID_CHANGES: readonly MaskedCpuidResult[] = [
  {
    leaf: 1,
    output: [0, 0, ECX_HYPERVISOR, 0],
    mask: [0, 0, (ECX_HYPERVISOR | ECX_VMX) >>> 0, 0],
  },
  { leaf: 0x80000001, output: [0, 0, 0, 0], mask: [0, 0, ECX_SVM, 0] },
  { leaf: HYPERVISOR_LEAF, output: [HYPERVISOR_LEAF, ...SIGNATURE], mask: ALL },
  ...Array.from({ length: HYPERVISOR_LEAVES - 1 }, (_, i) => ({
    leaf: HYPERVISOR_LEAF + 1 + i,
    output: [0, 0, 0, 0] as const,
    mask: ALL,
  })),
];

/** EAX, EBX, ECX, EDX: in, the platform's answer; out, the guest's. */
export type CpuidAnswer = [number, number, number, number];

/** Changes `answer`, the platform's for `leaf`, into what the guest sees. */
export function adjustCpuid(leaf: number, answer: CpuidAnswer): void {
  const change = CPUID_CHANGES.find((change) => change.leaf === leaf >>> 0);
  if (change === undefined) return;
  for (let i = 0; i < 4; i++) {
    const mask = change.mask[i];
    answer[i] = ((answer[i] & ~mask) | (change.output[i] & mask)) >>> 0;
  }
}
