// What a provider offers, asked before a partition is made.

import type { WinHvPlatform } from "../../ffi/mod.ts";
import { CapabilityCode } from "../../ffi/enums.ts";
import { check, isRefusal } from "./errors.ts";

/** The capabilities that a caller decides by. */
export interface Capabilities {
  /** False if the platform is installed but switched off. */
  readonly hypervisorPresent: boolean;
  /** CapabilityFeatures bits. */
  readonly features: bigint;
  /** ExtendedVmExits bits. */
  readonly extendedVmExits: bigint;
  /** A bit for every vector; some hosts say 0 although intercepts work. */
  readonly exceptionExitBitmap: bigint;
  /** ProcessorFeatures bits. */
  readonly processorFeatures: bigint;
  /** Hz; null if the host does not say. */
  readonly processorClockFrequency: bigint | null;
  /** Hz; null if the host does not say. */
  readonly interruptClockFrequency: bigint | null;
}

/**
 * Reads one capability's bytes into `into`. Returns how many were written, or
 * null if the platform does not know the capability.
 */
export function getCapability(
  provider: WinHvPlatform,
  name: keyof typeof CapabilityCode,
  into: Uint8Array,
): number | null {
  const written = new Uint32Array(1);
  const hresult = provider.platform.WHvGetCapability(
    CapabilityCode[name],
    into,
    into.length,
    written,
  );
  if (isRefusal(hresult) && name !== "HypervisorPresent") return null;
  check(hresult, "WHvGetCapability", name);
  return written[0];
}

/** Asks a provider for its capabilities. */
export function readCapabilities(provider: WinHvPlatform): Capabilities {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const ask = (name: keyof typeof CapabilityCode): bigint | null => {
    bytes.fill(0);
    return getCapability(provider, name, bytes) === null
      ? null
      : view.getBigUint64(0, true);
  };
  return {
    hypervisorPresent: (ask("HypervisorPresent") ?? 0n) !== 0n,
    features: ask("Features") ?? 0n,
    extendedVmExits: ask("ExtendedVmExits") ?? 0n,
    exceptionExitBitmap: ask("ExceptionExitBitmap") ?? 0n,
    processorFeatures: ask("ProcessorFeatures") ?? 0n,
    processorClockFrequency: ask("ProcessorClockFrequency"),
    interruptClockFrequency: ask("InterruptClockFrequency"),
  };
}
