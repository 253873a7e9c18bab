// The functions that older versions of the platform lack and that a caller can do
// without, and what is lost then.

import type { WinHvPlatformFunctions } from "../../ffi/mod.ts";
import { HResult } from "../../ffi/hresult.ts";
import { PlatformError } from "./errors.ts";

/** What is lost without each; where there is a newer form, either will do. */
export const LOST = {
  WHvSuspendPartitionTime: "the guest's clocks run while it is stopped",
  WHvResumePartitionTime: "the guest's clocks run while it is stopped",
  WHvRequestInterrupt: "no device can interrupt",
  WHvGetVirtualProcessorInterruptControllerState:
    "the local APIC's state cannot be read: a reset leaves it as it is",
  WHvSetVirtualProcessorInterruptControllerState:
    "the local APIC's state cannot be set: a reset leaves it as it is",
  WHvGetVirtualProcessorXsaveState:
    "x87 and vector state can be read by register only",
  WHvSetVirtualProcessorXsaveState:
    "x87 and vector state can be set by register only",
  WHvQueryGpaRangeDirtyBitmap: "dirty pages cannot be told",
  WHvRegisterPartitionDoorbellEvent:
    "every notification of a virtio device is an exit",
} as const;

/** A function of LOST. */
export type OptionalCall = keyof typeof LOST;

/** The newer forms of a function, by the older one's name. */
const NEWER: {
  readonly [call in OptionalCall]?: readonly (keyof WinHvPlatformFunctions)[];
} = {
  WHvGetVirtualProcessorInterruptControllerState: [
    "WHvGetVirtualProcessorInterruptControllerState2",
    "WHvGetVirtualProcessorState",
  ],
  WHvSetVirtualProcessorInterruptControllerState: [
    "WHvSetVirtualProcessorInterruptControllerState2",
    "WHvSetVirtualProcessorState",
  ],
  WHvGetVirtualProcessorXsaveState: ["WHvGetVirtualProcessorState"],
  WHvSetVirtualProcessorXsaveState: ["WHvSetVirtualProcessorState"],
};

/** Returns an optional function, or throws saying what is lost without it. */
export function need<F>(fn: F | null, call: OptionalCall): F {
  if (fn !== null) return fn;
  throw new PlatformError(call, HResult.E_NOTIMPL, {
    meaning: "this version of the platform lacks the function; " +
      `without it ${LOST[call]}`,
  });
}

/** The optional functions that a provider lacks, each with what is lost. */
export function missingFunctions(
  functions: WinHvPlatformFunctions,
): { readonly call: OptionalCall; readonly lost: string }[] {
  return (Object.keys(LOST) as OptionalCall[])
    .filter((call) =>
      [call, ...NEWER[call] ?? []].every((form) => functions[form] === null)
    )
    .map((call) => ({ call, lost: LOST[call] }));
}
