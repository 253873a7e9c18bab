/** Makes the machine's partition, ready for memory and processors. */
import { getLogger } from "@logtape/logtape";
import { LocalApicEmulationMode } from "../../ffi/enums.ts";
import { ExtendedVmExits, X64MsrExitBitmap } from "../../ffi/flags.ts";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import { PlatformError, refused } from "../platform/errors.ts";
import { type MaskedCpuidResult, Partition } from "../platform/partition.ts";

const log = getLogger(["icebp", "machine"]);

/** What local APICs are: registers in a page, or those and, once the guest switches to
 * it, x2APIC mode, which CPUID tells. There are no IDs above 254, so ACPI's tables are
 * the same for both. */
export type ApicKind = "xapic" | "x2apic";

/** Properties that save exits, or faults of the guest, on hosts that have them. */
interface Luxuries {
  /** CpuidResultList2 instead of exits. */
  readonly cpuidResults: boolean;
  /** Exits for the MSRs that the host does not know. */
  readonly msrBitmap: boolean;
}

/** A host may take a property and then refuse the set-up: what is tried, in order. */
const ATTEMPTS: readonly Luxuries[] = [
  { cpuidResults: true, msrBitmap: true },
  { cpuidResults: false, msrBitmap: true },
  { cpuidResults: true, msrBitmap: false },
  { cpuidResults: false, msrBitmap: false },
];

/** The ExtendedVmExits that a machine needs. */
export const EXITS = ExtendedVmExits.X64CpuidExit |
  ExtendedVmExits.X64MsrExit | ExtendedVmExits.ExceptionExit;

/** Makes and sets up a partition whose guest sees `cpuid`; throws the first error if
 * none can be made. */
export function makePartition(
  platform: WinHvPlatform,
  cpus: number,
  apic: ApicKind,
  cpuid: readonly MaskedCpuidResult[],
): Partition {
  let first: unknown;
  for (const luxuries of ATTEMPTS) {
    const partition = Partition.create(platform);
    try {
      configure(partition, cpus, apic, cpuid, luxuries);
      partition.setup();
      return partition;
    } catch (error) {
      partition.delete();
      first ??= error;
      if (!refused(error)) break;
      log.debug("{message}: trying with less", { message: error.message });
    }
  }
  throw first;
}

function configure(
  partition: Partition,
  cpus: number,
  apic: ApicKind,
  cpuid: readonly MaskedCpuidResult[],
  { cpuidResults, msrBitmap }: Luxuries,
): void {
  partition.setProcessorCount(cpus);
  partition.setLocalApicEmulationMode(
    apic === "x2apic"
      ? LocalApicEmulationMode.X2Apic
      : LocalApicEmulationMode.XApic,
  );
  partition.setExtendedVmExits(EXITS);
  if (msrBitmap) {
    accepted(() =>
      partition.setX64MsrExitBitmap(X64MsrExitBitmap.UnhandledMsrs)
    );
  }
  if (
    !cpuidResults ||
    !accepted(() => partition.setCpuidResultList2(cpuid))
  ) partition.setCpuidExitList(cpuid.map(({ leaf }) => leaf));
}

/** False where the host does not take a property that can be done without. */
function accepted(set: () => void): boolean {
  try {
    set();
    return true;
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    log.debug("{message}", { message: error.message });
    return false;
  }
}
