/**
 * What is to be known of a host before a guest can have a machine there, and what
 * only running something tells (probe.ts asks).
 */

/** EAX, EBX, ECX, EDX of CPUID. */
export type CpuidAnswer = [number, number, number, number];

/** What a host's processor says of its clocks, and what the platform says. */
export interface HostClocks {
  /** Whether CPUID is Intel's: others keep leaves 0x15 and 0x16 reserved. */
  readonly isIntel: boolean;
  /** CPUID 0x15, "Time Stamp Counter and Nominal Core Crystal Clock Information";
   * null where the processor has no such leaf. */
  readonly crystal: Readonly<CpuidAnswer> | null;
  /** CPUID 0x16, "Processor Frequency Information", or null. */
  readonly frequency: Readonly<CpuidAnswer> | null;
  /** The time stamp counter's frequency, Hz; null where nobody knows. */
  readonly tscHz: number | null;
  /** The local APIC timer's frequency, Hz; null where the platform does not say. */
  readonly apicHz: number | null;
}

/** What a host does, as askHost() finds out. */
export interface HostFacts {
  /** Whether an INT1 of the guest exits where #DB is intercepted; null where #DB
   * cannot be. */
  readonly int1Exits: boolean | null;
  /** What guests can know of time. */
  readonly clocks: HostClocks;
}

/** Whether a guest can take the TSC's frequency from the processor's own CPUID. */
export function tellsTsc({ isIntel, crystal, frequency }: HostClocks): boolean {
  if (!isIntel || crystal === null) return false;
  const [denominator, numerator, hz] = crystal;
  if (denominator === 0 || numerator === 0) return false;
  return hz !== 0 || (frequency !== null && frequency[0] !== 0);
}

/** The clocks as guests see them: Intel's leaves are filled where they are there and say
 * nothing. The crystal is the APIC timer's, for Linux takes the one for the other. */
export function filled(clocks: HostClocks): HostClocks {
  const { isIntel, crystal, frequency, tscHz, apicHz } = clocks;
  if (!isIntel || tscHz === null) return clocks;
  const mhz = Math.round(tscHz / 1e6);
  return {
    ...clocks,
    crystal: isEmpty(crystal) && apicHz !== null
      ? crystalLeaf(tscHz, apicHz)
      : crystal,
    frequency: isEmpty(frequency) ? [mhz, mhz, 0, 0] : frequency,
  };
}

function isEmpty(answer: Readonly<CpuidAnswer> | null): boolean {
  return answer !== null && answer.every((value) => value === 0);
}

function crystalLeaf(tscHz: number, crystalHz: number): CpuidAnswer {
  const [numerator, denominator] = ratio(tscHz, crystalHz);
  return [denominator, numerator, crystalHz, 0];
}

/** The TSC's frequency in kHz where CPUID does not tell a guest and somebody else has
 * to: its own ways to find it out go through ports, which are slow on a hypervisor. */
export function tscKhzToTell(clocks: HostClocks): number | null {
  if (clocks.tscHz === null || tellsTsc(filled(clocks))) return null;
  return Math.round(clocks.tscHz / 1000);
}

/** Linux multiplies the crystal's kHz by the numerator in 32 bits
 * (native_calibrate_tsc). */
const LINUX_PRODUCT = 0xffffffff;

/** `hz / crystalHz` as a fraction with a numerator of at most `most`: the nearest
 * convergent of its continued fraction. */
export function ratio(
  hz: number,
  crystalHz: number,
  most: number = Math.floor(LINUX_PRODUCT / (crystalHz / 1000)),
): readonly [numerator: number, denominator: number] {
  let [above, below] = [hz, crystalHz];
  let [n0, d0, n1, d1] = [0, 1, 1, 0];
  while (below > 0) {
    const whole = Math.floor(above / below);
    const n = whole * n1 + n0;
    if (n > most) break;
    [n0, d0, n1, d1] = [n1, d1, n, whole * d1 + d0];
    [above, below] = [below, above - whole * below];
  }
  return [n1, d1];
}
