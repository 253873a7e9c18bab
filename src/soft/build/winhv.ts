// WinHvPlatform's numbers for the core: src/soft/core/whv/names.ts and hresult.ts are
// written from ffi/, where they stand for TypeScript.

import {
  CapabilityCode,
  ExitReason,
  InterruptType,
  PartitionPropertyCode,
  PendingEvent,
  ProcessorCounterSet,
  TranslateGvaFlag,
  TranslateGvaResult,
} from "../../../ffi/enums.ts";
import { HResult } from "../../../ffi/hresult.ts";
import { Reg } from "../../../ffi/registers.ts";
import {
  constant,
  heading,
  namespace,
  NAMESPACES,
  type Written,
} from "./constants.ts";

function names(): string {
  return heading("ffi/registers.ts and ffi/enums.ts") + NAMESPACES +
    namespace("Reg", "WHV_REGISTER_NAME.", Reg) +
    namespace(
      "Property",
      "WHV_PARTITION_PROPERTY_CODE.",
      PartitionPropertyCode,
    ) +
    namespace("Capability", "WHV_CAPABILITY_CODE.", CapabilityCode) +
    namespace("ExitReason", "WHV_RUN_VP_EXIT_REASON.", ExitReason) +
    namespace("PendingEvent", "WHV_X64_PENDING_EVENT_TYPE.", PendingEvent) +
    namespace("InterruptType", "WHV_INTERRUPT_TYPE.", InterruptType) +
    namespace("CounterSet", "WHV_PROCESSOR_COUNTER_SET.", ProcessorCounterSet) +
    namespace("TranslateFlag", "WHV_TRANSLATE_GVA_FLAGS.", TranslateGvaFlag) +
    namespace(
      "TranslateResult",
      "WHV_TRANSLATE_GVA_RESULT_CODE.",
      TranslateGvaResult,
    );
}

function hresults(): string {
  return heading("ffi/hresult.ts") +
    Object.entries(HResult).map(([key, value]) => constant(key, "i32", value))
      .join("");
}

/** The files of the core's folder whv that are written. */
export const WINHV: readonly Written[] = [
  ["whv/names.ts", names()],
  ["whv/hresult.ts", hresults()],
];
