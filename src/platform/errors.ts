// A failing HRESULT as an exception: the call, the code's name, what it means
// here and what to do about it.

import { HResult, type HResultName, hresultName } from "../../ffi/hresult.ts";

const meanings: { readonly [N in HResultName]?: string } = {
  E_NOTIMPL: "not implemented by this version of the platform",
  E_ACCESSDENIED: "access denied",
  E_HANDLE: "the handle is not valid",
  E_OUTOFMEMORY: "out of memory",
  E_INVALIDARG: "a parameter is not valid",
  E_POINTER: "a required pointer is null",
  E_FAIL: "unspecified failure",
  E_UNEXPECTED: "the platform failed in an unexpected way",
  WHV_E_UNKNOWN_CAPABILITY: "the platform does not know this capability",
  WHV_E_INSUFFICIENT_BUFFER: "the buffer is too small",
  WHV_E_UNKNOWN_PROPERTY:
    "the platform does not know this property, or not at this time",
  WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG:
    "the hypervisor's configuration does not support partitions",
  WHV_E_INVALID_PARTITION_CONFIG: "the partition's configuration is not valid",
  WHV_E_GPA_RANGE_NOT_FOUND: "the guest-physical range is not mapped",
  WHV_E_VP_ALREADY_EXISTS: "the virtual processor exists already",
  WHV_E_VP_DOES_NOT_EXIST: "the virtual processor does not exist",
  WHV_E_INVALID_VP_STATE:
    "the virtual processor is not in a state that allows this",
  WHV_E_INVALID_VP_REGISTER_NAME: "the platform does not know this register",
  WHV_E_UNSUPPORTED_PROCESSOR_CONFIG:
    "the host's processor does not support this configuration",
  STATUS_HV_INVALID_PARAMETER: "the hypervisor refuses a parameter",
  STATUS_HV_ACCESS_DENIED: "the hypervisor does not let this be accessed",
  STATUS_HV_INVALID_PARTITION_STATE:
    "the partition is not in a state that allows this",
  STATUS_HV_OPERATION_DENIED: "the hypervisor does not allow this",
  STATUS_HV_UNKNOWN_PROPERTY: "the hypervisor does not know this property",
  STATUS_HV_PROPERTY_VALUE_OUT_OF_RANGE:
    "the hypervisor does not take this value",
  STATUS_HV_INSUFFICIENT_MEMORY: "the hypervisor is out of memory",
  STATUS_HV_INVALID_VP_INDEX: "the virtual processor does not exist",
  STATUS_HV_INVALID_VP_STATE:
    "the virtual processor is not in a state that allows this",
  STATUS_HV_INVALID_REGISTER_VALUE:
    "the hypervisor does not take this register value",
};

/** What to do when the platform itself is missing or switched off. */
export const ENABLE_PLATFORM: string =
  "enable 'Windows Hypervisor Platform' in Windows features (or run " +
  "`dism /online /enable-feature /featurename:HypervisorPlatform`), turn on " +
  "virtualization in the firmware and restart; or use --platform soft";

const UPDATE = "update Windows, or use --platform soft";
const MEMORY = "give the guest less memory, or close other programs";
const WAIT = "wait until the virtual processor's run has returned";

const remedies: { readonly [N in HResultName]?: string } = {
  E_ACCESSDENIED: "run as a user who may use the hypervisor",
  E_OUTOFMEMORY: MEMORY,
  E_NOTIMPL: UPDATE,
  WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG: ENABLE_PLATFORM,
  WHV_E_INVALID_PARTITION_CONFIG:
    "set ProcessorCount, and only properties that the host offers, before setup",
  WHV_E_INVALID_VP_STATE: WAIT,
  WHV_E_GPA_RANGE_NOT_FOUND: "map the range first",
  WHV_E_UNSUPPORTED_PROCESSOR_CONFIG:
    "ask for fewer processor features, or use --platform soft",
  E_INVALIDARG: UPDATE,
  WHV_E_UNKNOWN_CAPABILITY: UPDATE,
  WHV_E_UNKNOWN_PROPERTY: UPDATE,
  WHV_E_INVALID_VP_REGISTER_NAME: UPDATE,
  STATUS_HV_INVALID_PARAMETER: UPDATE,
  STATUS_HV_ACCESS_DENIED: UPDATE,
  STATUS_HV_INVALID_PARTITION_STATE: UPDATE,
  STATUS_HV_OPERATION_DENIED: UPDATE,
  STATUS_HV_UNKNOWN_PROPERTY: UPDATE,
  STATUS_HV_PROPERTY_VALUE_OUT_OF_RANGE: UPDATE,
  STATUS_HV_INSUFFICIENT_MEMORY: MEMORY,
  STATUS_HV_INVALID_VP_STATE: WAIT,
  STATUS_HV_INVALID_REGISTER_VALUE: UPDATE,
};

/** Results that say that something broke, not that the host will not do it. */
const broken = new Set<string>(
  [
    "E_FAIL",
    "E_UNEXPECTED",
    "E_OUTOFMEMORY",
    "E_HANDLE",
    "E_POINTER",
    "STATUS_HV_INSUFFICIENT_MEMORY",
  ] satisfies HResultName[],
);

/**
 * Whether a result says that the host refuses the call: it does not know it, or
 * not this value, or not now. Hosts of different ages say so by different codes,
 * so nothing is decided by one of them.
 */
export function isRefusal(hresult: number): boolean {
  return hresult < 0 && !broken.has(hresultName(hresult));
}

/** Whether an error is a PlatformError by which the host refused a call. */
export function refused(error: unknown): error is PlatformError {
  return error instanceof PlatformError && isRefusal(error.hresult);
}

/** Calls whose failure means that the platform cannot be used at all. */
const openingCalls = new Set(["WHvCreatePartition", "dlopen"]);

/**
 * A call of the platform's failed.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, PlatformError } from "@icebp/icebp";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const partition = Partition.create(await openSoft({ memoryBytes: 0x10000 }));
 * partition.setProcessorCount(1);
 * partition.setup();
 * const error = assertThrows(
 *   () => partition.createVirtualProcessor(1),
 *   PlatformError,
 * );
 * assertEquals(error.call, "WHvCreateVirtualProcessor");
 * ```
 */
export class PlatformError extends Error {
  /** The function that failed. */
  readonly call: string;
  /** Its result, a signed 32-bit HRESULT. */
  readonly hresult: number;
  /** The result's name, such as `WHV_E_INVALID_VP_STATE`. */
  readonly hresultName: string;
  /** What to do about it; empty if nothing is known. */
  readonly remedy: string;

  /** `detail` says what the call was about, such as "gpa 0x1000". */
  constructor(
    call: string,
    hresult: number,
    options: {
      detail?: string;
      meaning?: string;
      remedy?: string;
      cause?: unknown;
    } = {},
  ) {
    const name = hresultName(hresult);
    const meaning = options.meaning ?? meanings[name as HResultName];
    const remedy = options.remedy ??
      (openingCalls.has(call) && hresult !== HResult.E_OUTOFMEMORY
        ? ENABLE_PLATFORM
        : remedies[name as HResultName] ?? "");
    const about = options.detail ? ` (${options.detail})` : "";
    super(
      `${call}${about}: ${name}` + (meaning ? `: ${meaning}` : "") +
        (remedy ? `: ${remedy}` : ""),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = "PlatformError";
    this.call = call;
    this.hresult = hresult;
    this.hresultName = name;
    this.remedy = remedy;
  }
}

/** Throws a {@linkcode PlatformError} if `hresult` says that `call` failed. */
export function check(hresult: number, call: string, detail?: string): void {
  if (hresult < 0) throw new PlatformError(call, hresult, { detail });
}
