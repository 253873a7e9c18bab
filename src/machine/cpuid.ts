/**
 * What the machine changes in the platform's answers to CPUID: the hypervisor's
 * own leaves, and features that a guest in a guest cannot have.
 */

/** The first leaf that hypervisors keep for themselves. */
const HYPERVISOR_LEAF = 0x40000000;
/** "icebpicebp\0\0" in EBX, ECX, EDX. */
const SIGNATURE = [0x62656369, 0x65636970, 0x00007062] as const;

const ECX_VMX = 1 << 5;
const ECX_HYPERVISOR = 0x80000000;
const ECX_SVM = 1 << 2;

/** The leaves to change; the platform answers all others by itself. A host's
 * own hypervisor leaves would have guests use what is not there. */
export const CPUID_EXITS: readonly number[] = [
  1,
  0x80000001,
  ...Array.from({ length: 12 }, (_, i) => HYPERVISOR_LEAF + i),
];

/** EAX, EBX, ECX, EDX: in, the platform's answer; out, the guest's. */
export type CpuidAnswer = [number, number, number, number];

/** Changes `answer`, the platform's for `leaf`, into what the guest sees. */
export function adjustCpuid(leaf: number, answer: CpuidAnswer): void {
  switch (leaf >>> 0) {
    case 1:
      answer[2] = ((answer[2] & ~ECX_VMX) | ECX_HYPERVISOR) >>> 0;
      break;
    case 0x80000001:
      answer[2] = (answer[2] & ~ECX_SVM) >>> 0;
      break;
    case HYPERVISOR_LEAF:
      answer[0] = HYPERVISOR_LEAF;
      [answer[1], answer[2], answer[3]] = SIGNATURE;
      break;
    default:
      if (leaf >>> 0 > HYPERVISOR_LEAF && leaf >>> 0 < 0x40010000) {
        answer.fill(0);
      }
  }
}
