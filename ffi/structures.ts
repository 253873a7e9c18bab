// The structures of winhvplatformdefs.h for capabilities, properties, memory and
// interrupts. Reserved members are left out. A 64-bit set of flags is one
// number; its masks are in ./flags.ts.

import { Bits, Bytes, nested, struct, U16, U32, U64, U8 } from "./layout.ts";

/** WHV_PROCESSOR_FEATURES_BANKS. */
export const WHV_PROCESSOR_FEATURES_BANKS = struct(24, {
  BanksCount: new U32(0),
  Bank0: new U64(8),
  Bank1: new U64(16),
  AsUINT64: new Bytes(8, 16),
});

/** WHV_SYNTHETIC_PROCESSOR_FEATURES_BANKS. */
export const WHV_SYNTHETIC_PROCESSOR_FEATURES_BANKS = struct(16, {
  BanksCount: new U32(0),
  Bank0: new U64(8),
  AsUINT64: new Bytes(8, 8),
});

/** WHV_MEMORY_RANGE_ENTRY. */
export const WHV_MEMORY_RANGE_ENTRY = struct(16, {
  GuestAddress: new U64(0),
  SizeInBytes: new U64(8),
});

/** WHV_ADVISE_GPA_RANGE_POPULATE_FLAGS. */
export const WHV_ADVISE_GPA_RANGE_POPULATE_FLAGS = struct(4, {
  AsUINT32: new U32(0),
  Prefetch: new Bits(0, 0, 1),
  AvoidHardFaults: new Bits(0, 1, 1),
});

/** WHV_ADVISE_GPA_RANGE_POPULATE. */
export const WHV_ADVISE_GPA_RANGE_POPULATE = struct(8, {
  Flags: nested(0, WHV_ADVISE_GPA_RANGE_POPULATE_FLAGS),
  AccessType: new U32(4),
});

/** WHV_CAPABILITY_PROCESSOR_FREQUENCY_CAP. */
export const WHV_CAPABILITY_PROCESSOR_FREQUENCY_CAP = struct(20, {
  IsSupported: new Bits(0, 0, 1),
  HighestFrequencyMhz: new U32(4),
  NominalFrequencyMhz: new U32(8),
  LowestFrequencyMhz: new U32(12),
  FrequencyStepMhz: new U32(16),
});

/** WHV_CAPABILITY. */
export const WHV_CAPABILITY = struct(24, {
  HypervisorPresent: new U32(0),
  Features: new U64(0),
  ExtendedVmExits: new U64(0),
  ProcessorVendor: new U32(0),
  ProcessorFeatures: new U64(0),
  SyntheticProcessorFeaturesBanks: nested(
    0,
    WHV_SYNTHETIC_PROCESSOR_FEATURES_BANKS,
  ),
  ProcessorXsaveFeatures: new U64(0),
  ProcessorClFlushSize: new U8(0),
  ExceptionExitBitmap: new U64(0),
  X64MsrExitBitmap: new U64(0),
  ProcessorClockFrequency: new U64(0),
  InterruptClockFrequency: new U64(0),
  ProcessorFeaturesBanks: nested(0, WHV_PROCESSOR_FEATURES_BANKS),
  GpaRangePopulateFlags: nested(0, WHV_ADVISE_GPA_RANGE_POPULATE_FLAGS),
  ProcessorFrequencyCap: nested(0, WHV_CAPABILITY_PROCESSOR_FREQUENCY_CAP),
  ProcessorPerfmonFeatures: new U64(0),
  SchedulerFeatures: new U64(0),
});

/** WHV_X64_CPUID_RESULT. */
export const WHV_X64_CPUID_RESULT = struct(32, {
  Function: new U32(0),
  Eax: new U32(16),
  Ebx: new U32(20),
  Ecx: new U32(24),
  Edx: new U32(28),
});

/** WHV_CPUID_OUTPUT. */
export const WHV_CPUID_OUTPUT = struct(16, {
  Eax: new U32(0),
  Ebx: new U32(4),
  Ecx: new U32(8),
  Edx: new U32(12),
});

/** WHV_X64_CPUID_RESULT2. */
export const WHV_X64_CPUID_RESULT2 = struct(48, {
  Function: new U32(0),
  Index: new U32(4),
  VpIndex: new U32(8),
  Flags: new U32(12),
  Output: nested(16, WHV_CPUID_OUTPUT),
  Mask: nested(32, WHV_CPUID_OUTPUT),
});

/** WHV_MSR_ACTION_ENTRY. */
export const WHV_MSR_ACTION_ENTRY = struct(8, {
  Index: new U32(0),
  ReadAction: new U8(4),
  WriteAction: new U8(5),
});

/** WHV_PARTITION_PROPERTY. */
export const WHV_PARTITION_PROPERTY = struct(48, {
  ExtendedVmExits: new U64(0),
  ProcessorFeatures: new U64(0),
  SyntheticProcessorFeaturesBanks: nested(
    0,
    WHV_SYNTHETIC_PROCESSOR_FEATURES_BANKS,
  ),
  ProcessorXsaveFeatures: new U64(0),
  ProcessorClFlushSize: new U8(0),
  ProcessorCount: new U32(0),
  CpuidExitList: new Bytes(0, 4),
  CpuidResultList: nested(0, WHV_X64_CPUID_RESULT),
  CpuidResultList2: nested(0, WHV_X64_CPUID_RESULT2),
  MsrActionList: nested(0, WHV_MSR_ACTION_ENTRY),
  UnimplementedMsrAction: new U32(0),
  ExceptionExitBitmap: new U64(0),
  LocalApicEmulationMode: new U32(0),
  SeparateSecurityDomain: new U32(0),
  NestedVirtualization: new U32(0),
  X64MsrExitBitmap: new U64(0),
  ProcessorClockFrequency: new U64(0),
  InterruptClockFrequency: new U64(0),
  ApicRemoteRead: new U32(0),
  ProcessorFeaturesBanks: nested(0, WHV_PROCESSOR_FEATURES_BANKS),
  ReferenceTime: new U64(0),
  PrimaryNumaNode: new U16(0),
  CpuReserve: new U32(0),
  CpuCap: new U32(0),
  CpuWeight: new U32(0),
  CpuGroupId: new U64(0),
  ProcessorFrequencyCap: new U32(0),
  AllowDeviceAssignment: new U32(0),
  ProcessorPerfmonFeatures: new U64(0),
  DisableSmt: new U32(0),
});

/** WHV_TRANSLATE_GVA_RESULT. */
export const WHV_TRANSLATE_GVA_RESULT = struct(8, {
  ResultCode: new U32(0),
});

/** WHV_ADVISE_GPA_RANGE. */
export const WHV_ADVISE_GPA_RANGE = struct(8, {
  Populate: nested(0, WHV_ADVISE_GPA_RANGE_POPULATE),
});

/** WHV_ACCESS_GPA_CONTROLS. */
export const WHV_ACCESS_GPA_CONTROLS = struct(8, {
  AsUINT64: new U64(0),
  CacheType: new U32(0),
});

/** WHV_INTERRUPT_CONTROL. */
export const WHV_INTERRUPT_CONTROL = struct(16, {
  Type: new Bits(0, 0, 8),
  DestinationMode: new Bits(1, 0, 4),
  TriggerMode: new Bits(1, 4, 4),
  Destination: new U32(8),
  Vector: new U32(12),
});

/** WHV_VIRTUAL_PROCESSOR_PROPERTY. */
export const WHV_VIRTUAL_PROCESSOR_PROPERTY = struct(16, {
  PropertyCode: new U32(0),
  NumaNode: new U16(8),
});
