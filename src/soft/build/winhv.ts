// WinHvPlatform's numbers for the core: files of src/soft/core/whv are written from
// ffi/, where they stand for TypeScript.

import * as debugPoints from "../../../ffi/debug_points.ts";
import { WHV_EMULATOR_STATUS } from "../../../ffi/emulator.ts";
import * as enums from "../../../ffi/enums.ts";
import * as exits from "../../../ffi/exits.ts";
import * as flags from "../../../ffi/flags.ts";
import { HResult } from "../../../ffi/hresult.ts";
import * as icebp from "../../../ffi/icebp.ts";
import * as counters from "../../../ffi/counters.ts";
import { Bits, Field, type Layout, type Members } from "../../../ffi/layout.ts";
import { Reg } from "../../../ffi/registers.ts";
import * as values from "../../../ffi/values.ts";
import { mask } from "../../x86/fields.ts";
import {
  constant,
  heading,
  namespace,
  NAMESPACES,
  type Numbers,
  type Written,
} from "./constants.ts";

/** Where the members of a structure are: bytes from its beginning. */
function offsets(layout: Members): Numbers {
  return Object.fromEntries(
    Object.entries(layout).flatMap(([name, member]) => {
      if (typeof member === "number") return [];
      if (!(member instanceof Field)) return [[name, Number(member.offset)]];
      return member instanceof Bits ? [] : [[name, member.offset]];
    }),
  );
}

/** The masks of the bit fields that share a number at the beginning of `layout`. */
function masks(layout: Members): Numbers {
  return Object.fromEntries(
    Object.entries(layout).flatMap(([name, member]) => {
      if (!(member instanceof Bits)) return [];
      const first = member.offset * 8 + member.shift;
      return [[name, Number(mask([first, first + member.width - 1]))]];
    }),
  );
}

/** The lowest bits of the members behind `first` in a number that begins there. */
function ofNumber(layout: Members, first: Field): Numbers {
  return Object.fromEntries(
    Object.entries(offsets(layout))
      .filter(([, offset]) => Number(offset) > first.offset)
      .map((
        [name, offset],
      ) => [name, 1 << (Number(offset) - first.offset) * 8]),
  );
}

/** Which counter is which in a set of counters of so many bytes, and how many. */
function indices(layout: Layout<Members>, bytes: number): Numbers {
  const found = Object.entries(offsets(layout)).map(([name, offset]) =>
    [name, Number(offset) / bytes] as const
  );
  return { ...Object.fromEntries(found), COUNT: layout.size / bytes };
}

function names(): string {
  const entries: readonly (readonly [string, string, Numbers])[] = [
    ["Reg", "WHV_REGISTER_NAME.", Reg],
    [
      "Property",
      "WHV_PARTITION_PROPERTY_CODE.",
      enums.PartitionPropertyCode,
    ],
    ["Capability", "WHV_CAPABILITY_CODE.", enums.CapabilityCode],
    [
      "CapabilityFeatures",
      "WHV_CAPABILITY_FEATURES.",
      flags.CapabilityFeatures,
    ],
    ["ProcessorFeatures", "WHV_PROCESSOR_FEATURES.", flags.ProcessorFeatures],
    [
      "ProcessorFeatures1",
      "WHV_PROCESSOR_FEATURES1.",
      flags.ProcessorFeatures1,
    ],
    ["ProcessorVendor", "WHV_PROCESSOR_VENDOR.", enums.ProcessorVendor],
    ["ExtendedVmExits", "WHV_EXTENDED_VM_EXITS.", flags.ExtendedVmExits],
    ["MsrExit", "WHV_X64_MSR_EXIT_BITMAP.", flags.X64MsrExitBitmap],
    ["MsrAction", "WHV_MSR_ACTION.", enums.MsrAction],
    [
      "CpuidResult2Flag",
      "WHV_X64_CPUID_RESULT2_FLAGS.",
      enums.CpuidResult2Flag,
    ],
    [
      "ApicMode",
      "WHV_X64_LOCAL_APIC_EMULATION_MODE.",
      enums.LocalApicEmulationMode,
    ],
    ["MapFlag", "WHV_MAP_GPA_RANGE_FLAGS.", enums.MapGpaRangeFlag],
    ["Advice", "WHV_ADVISE_GPA_RANGE_CODE.", enums.AdviseGpaRangeCode],
    ["ExitReason", "WHV_RUN_VP_EXIT_REASON.", enums.ExitReason],
    [
      "MemoryAccessType",
      "WHV_MEMORY_ACCESS_TYPE.",
      enums.MemoryAccessType,
    ],
    ["PendingEvent", "WHV_X64_PENDING_EVENT_TYPE.", enums.PendingEvent],
    ["InterruptType", "WHV_INTERRUPT_TYPE.", enums.InterruptType],
    ["CounterSet", "WHV_PROCESSOR_COUNTER_SET.", enums.ProcessorCounterSet],
    ["TranslateFlag", "WHV_TRANSLATE_GVA_FLAGS.", enums.TranslateGvaFlag],
    [
      "TranslateResult",
      "WHV_TRANSLATE_GVA_RESULT_CODE.",
      enums.TranslateGvaResult,
    ],
    ["EmulatorStatus", "WHV_EMULATOR_STATUS.", masks(WHV_EMULATOR_STATUS)],
    ["Answer", "IcebpAnswer.", icebp.IcebpAnswer],
    ["Outcome", "IcebpOutcome.", icebp.IcebpOutcome],
    ["DebugAccess", "DebugAccess.", debugPoints.DebugAccess],
    ["DebugSpace", "DebugSpace.", debugPoints.DebugSpace],
    ["DebugPass", "DebugPass.", debugPoints.DebugPass],
  ];
  const constants: Numbers = {
    ANY_VP: enums.ANY_VP,
    READ_WRITE_GPA_RANGE_MAX_SIZE: enums.READ_WRITE_GPA_RANGE_MAX_SIZE,
    ICEBP_MAX_ACCESSES: icebp.ICEBP_MAX_ACCESSES,
    DEBUG_POINT: debugPoints.DEBUG_POINT,
    MAX_DEBUG_POINTS: debugPoints.MAX_DEBUG_POINTS,
    MAX_DEBUG_HITS: debugPoints.MAX_DEBUG_HITS,
  };
  return heading("ffi/") + NAMESPACES +
    Object.entries(constants).map(([name, value]) =>
      constant(name, "u32", value)
    ).join("") +
    entries.map(([name, comment, numbers]) => namespace(name, comment, numbers))
      .join("");
}

/** Contexts of exits, and the numbers whose bits are fields. */
function structures(): string {
  const { WHV_RUN_VP_EXIT_CONTEXT: exit } = exits;
  const contexts = Object.entries(exit).filter(([, member]) =>
    typeof member === "object" && !(member instanceof Field)
  );
  return heading("ffi/") + NAMESPACES +
    constant("EXIT_BYTES", "usize", exit.size) +
    contexts.map(([name, members]) =>
      namespace(
        `${name}Exit`,
        `${name} of WHV_RUN_VP_EXIT_CONTEXT, from its beginning.`,
        offsets(members as Members),
        "usize",
      )
    ).join("") +
    namespace(
      "ExecutionState",
      "WHV_X64_VP_EXECUTION_STATE.",
      masks(exits.WHV_X64_VP_EXECUTION_STATE),
    ) +
    namespace(
      "MemoryAccessInfo",
      "WHV_MEMORY_ACCESS_INFO.",
      masks(exits.WHV_MEMORY_ACCESS_INFO),
    ) +
    namespace(
      "IoPortAccessInfo",
      "WHV_X64_IO_PORT_ACCESS_INFO.",
      masks(exits.WHV_X64_IO_PORT_ACCESS_INFO),
    ) +
    namespace(
      "ExceptionInfo",
      "WHV_VP_EXCEPTION_INFO.",
      masks(exits.WHV_VP_EXCEPTION_INFO),
    ) +
    namespace(
      "PendingInterruption",
      "WHV_X64_PENDING_INTERRUPTION_REGISTER.",
      masks(values.WHV_X64_PENDING_INTERRUPTION_REGISTER),
    ) +
    namespace(
      "PendingException",
      "WHV_X64_PENDING_EXCEPTION_EVENT.",
      masks(values.WHV_X64_PENDING_EXCEPTION_EVENT),
    ) +
    namespace(
      "Notification",
      "WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER.",
      masks(values.WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER),
    ) +
    namespace(
      "InternalActivity",
      "WHV_INTERNAL_ACTIVITY_REGISTER.",
      masks(values.WHV_INTERNAL_ACTIVITY_REGISTER),
    ) +
    namespace(
      "DeviceAccess",
      "ICEBP_ACCESS.",
      { ...offsets(icebp.ICEBP_ACCESS), BYTES: icebp.ICEBP_ACCESS.size },
      "usize",
    ) +
    namespace(
      "AccessKind",
      "Its bytes from Size on, as one number.",
      ofNumber(icebp.ICEBP_ACCESS, icebp.ICEBP_ACCESS.Size),
    ) +
    namespace(
      "DebugHit",
      "ICEBP_DEBUG_HIT.",
      {
        ...offsets(debugPoints.ICEBP_DEBUG_HIT),
        BYTES: debugPoints.ICEBP_DEBUG_HIT.size,
      },
      "usize",
    ) +
    namespace(
      "Completion",
      "ICEBP_COMPLETION.",
      offsets(icebp.ICEBP_COMPLETION),
      "usize",
    ) +
    namespace(
      "Activity",
      "WHV_PROCESSOR_ACTIVITY_COUNTERS: which of its counters.",
      indices(counters.WHV_PROCESSOR_ACTIVITY_COUNTERS, 16),
    ) +
    namespace(
      "GuestEvent",
      "WHV_PROCESSOR_GUEST_EVENT_COUNTERS: which of its counters.",
      indices(counters.WHV_PROCESSOR_GUEST_EVENT_COUNTERS, 8),
    ) +
    namespace(
      "ApicUse",
      "WHV_PROCESSOR_APIC_COUNTERS: which of its counters.",
      indices(counters.WHV_PROCESSOR_APIC_COUNTERS, 8),
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
  ["whv/structures.ts", structures()],
  ["whv/hresult.ts", hresults()],
];
