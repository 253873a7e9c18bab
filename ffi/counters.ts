// The counters of a partition and of a virtual processor (winhvplatformdefs.h).

import { nested, struct, U64 } from "./layout.ts";

/** WHV_PARTITION_MEMORY_COUNTERS. */
export const WHV_PARTITION_MEMORY_COUNTERS = struct(24, {
  Mapped4KPageCount: new U64(0),
  Mapped2MPageCount: new U64(8),
  Mapped1GPageCount: new U64(16),
});

/** WHV_PROCESSOR_RUNTIME_COUNTERS. */
export const WHV_PROCESSOR_RUNTIME_COUNTERS = struct(16, {
  TotalRuntime100ns: new U64(0),
  HypervisorRuntime100ns: new U64(8),
});

/** WHV_PROCESSOR_INTERCEPT_COUNTER. */
export const WHV_PROCESSOR_INTERCEPT_COUNTER = struct(16, {
  Count: new U64(0),
  Time100ns: new U64(8),
});

/** WHV_PROCESSOR_ACTIVITY_COUNTERS. */
export const WHV_PROCESSOR_ACTIVITY_COUNTERS = struct(224, {
  PageInvalidations: nested(0, WHV_PROCESSOR_INTERCEPT_COUNTER),
  ControlRegisterAccesses: nested(16, WHV_PROCESSOR_INTERCEPT_COUNTER),
  IoInstructions: nested(32, WHV_PROCESSOR_INTERCEPT_COUNTER),
  HaltInstructions: nested(48, WHV_PROCESSOR_INTERCEPT_COUNTER),
  CpuidInstructions: nested(64, WHV_PROCESSOR_INTERCEPT_COUNTER),
  MsrAccesses: nested(80, WHV_PROCESSOR_INTERCEPT_COUNTER),
  OtherIntercepts: nested(96, WHV_PROCESSOR_INTERCEPT_COUNTER),
  PendingInterrupts: nested(112, WHV_PROCESSOR_INTERCEPT_COUNTER),
  EmulatedInstructions: nested(128, WHV_PROCESSOR_INTERCEPT_COUNTER),
  DebugRegisterAccesses: nested(144, WHV_PROCESSOR_INTERCEPT_COUNTER),
  PageFaultIntercepts: nested(160, WHV_PROCESSOR_INTERCEPT_COUNTER),
  NestedPageFaultIntercepts: nested(176, WHV_PROCESSOR_INTERCEPT_COUNTER),
  Hypercalls: nested(192, WHV_PROCESSOR_INTERCEPT_COUNTER),
  RdpmcInstructions: nested(208, WHV_PROCESSOR_INTERCEPT_COUNTER),
});

/** WHV_PROCESSOR_GUEST_EVENT_COUNTERS. */
export const WHV_PROCESSOR_GUEST_EVENT_COUNTERS = struct(24, {
  PageFaultCount: new U64(0),
  ExceptionCount: new U64(8),
  InterruptCount: new U64(16),
});

/** WHV_PROCESSOR_APIC_COUNTERS. */
export const WHV_PROCESSOR_APIC_COUNTERS = struct(40, {
  MmioAccessCount: new U64(0),
  EoiAccessCount: new U64(8),
  TprAccessCount: new U64(16),
  SentIpiCount: new U64(24),
  SelfIpiCount: new U64(32),
});

/** WHV_PROCESSOR_SYNTHETIC_FEATURES_COUNTERS. */
export const WHV_PROCESSOR_SYNTHETIC_FEATURES_COUNTERS = struct(48, {
  SyntheticInterruptsCount: new U64(0),
  LongSpinWaitHypercallsCount: new U64(8),
  OtherHypercallsCount: new U64(16),
  SyntheticInterruptHypercallsCount: new U64(24),
  VirtualInterruptHypercallsCount: new U64(32),
  VirtualMmuHypercallsCount: new U64(40),
});
