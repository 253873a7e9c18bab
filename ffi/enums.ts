// The enumerations of winhvplatformdefs.h. A name here is the C one without the
// prefix that its comment gives; the type is the C one.

/** WHV_CAPABILITY_CODE: WHvCapabilityCode... */
export const CapabilityCode = {
  HypervisorPresent: 0x0,
  Features: 0x1,
  ExtendedVmExits: 0x2,
  ExceptionExitBitmap: 0x3,
  X64MsrExitBitmap: 0x4,
  GpaRangePopulateFlags: 0x5,
  SchedulerFeatures: 0x6,
  ProcessorVendor: 0x1000,
  ProcessorFeatures: 0x1001,
  ProcessorClFlushSize: 0x1002,
  ProcessorXsaveFeatures: 0x1003,
  ProcessorClockFrequency: 0x1004,
  InterruptClockFrequency: 0x1005,
  ProcessorFeaturesBanks: 0x1006,
  ProcessorFrequencyCap: 0x1007,
  SyntheticProcessorFeaturesBanks: 0x1008,
  ProcessorPerfmonFeatures: 0x1009,
} as const;

/** WHV_PROCESSOR_VENDOR: WHvProcessorVendor... */
export const ProcessorVendor = {
  Amd: 0,
  Intel: 1,
  Hygon: 2,
} as const;

/** WHV_MEMORY_ACCESS_TYPE: WHvMemoryAccess... */
export const MemoryAccessType = {
  Read: 0,
  Write: 1,
  Execute: 2,
} as const;

/**
 * WHV_PARTITION_PROPERTY_CODE: WHvPartitionPropertyCode...
 *
 * @example
 * ```ts
 * import {
 *   openSoft,
 *   Partition,
 *   type PartitionPropertyCode,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const name: keyof typeof PartitionPropertyCode = "ProcessorCount";
 * const partition = Partition.create(await openSoft({ memoryBytes: 65536 }));
 * partition.setProcessorCount(3);
 * const value = new Uint8Array(4);
 * partition.getProperty(name, value);
 * assertEquals(value[0], 3);
 * ```
 */
export const PartitionPropertyCode = {
  ExtendedVmExits: 0x1,
  ExceptionExitBitmap: 0x2,
  SeparateSecurityDomain: 0x3,
  NestedVirtualization: 0x4,
  X64MsrExitBitmap: 0x5,
  PrimaryNumaNode: 0x6,
  CpuReserve: 0x7,
  CpuCap: 0x8,
  CpuWeight: 0x9,
  CpuGroupId: 0xa,
  ProcessorFrequencyCap: 0xb,
  AllowDeviceAssignment: 0xc,
  DisableSmt: 0xd,
  ProcessorFeatures: 0x1001,
  ProcessorClFlushSize: 0x1002,
  CpuidExitList: 0x1003,
  CpuidResultList: 0x1004,
  LocalApicEmulationMode: 0x1005,
  ProcessorXsaveFeatures: 0x1006,
  ProcessorClockFrequency: 0x1007,
  InterruptClockFrequency: 0x1008,
  ApicRemoteReadSupport: 0x1009,
  ProcessorFeaturesBanks: 0x100a,
  ReferenceTime: 0x100b,
  SyntheticProcessorFeaturesBanks: 0x100c,
  CpuidResultList2: 0x100d,
  ProcessorPerfmonFeatures: 0x100e,
  MsrActionList: 0x100f,
  UnimplementedMsrAction: 0x1010,
  ProcessorCount: 0x1fff,
} as const;

/** WHV_X64_CPUID_RESULT2_FLAGS: WHvX64CpuidResult2Flag... */
export const CpuidResult2Flag = {
  SubleafSpecific: 1,
  VpSpecific: 2,
} as const;

/** WHV_MSR_ACTION: WHvMsrAction... */
export const MsrAction = {
  ArchitectureDefault: 0,
  IgnoreWriteReadZero: 1,
  Exit: 2,
} as const;

/** WHV_EXCEPTION_TYPE: WHvX64ExceptionType... */
export const ExceptionType = {
  DivideErrorFault: 0x0,
  DebugTrapOrFault: 0x1,
  BreakpointTrap: 0x3,
  OverflowTrap: 0x4,
  BoundRangeFault: 0x5,
  InvalidOpcodeFault: 0x6,
  DeviceNotAvailableFault: 0x7,
  DoubleFaultAbort: 0x8,
  InvalidTaskStateSegmentFault: 0xa,
  SegmentNotPresentFault: 0xb,
  StackFault: 0xc,
  GeneralProtectionFault: 0xd,
  PageFault: 0xe,
  FloatingPointErrorFault: 0x10,
  AlignmentCheckFault: 0x11,
  MachineCheckAbort: 0x12,
  SimdFloatingPointFault: 0x13,
} as const;

/** WHV_X64_LOCAL_APIC_EMULATION_MODE: WHvX64LocalApicEmulationMode... */
export const LocalApicEmulationMode = {
  None: 0,
  XApic: 1,
  X2Apic: 2,
} as const;

/**
 * WHV_MAP_GPA_RANGE_FLAGS: WHvMapGpaRangeFlag...
 *
 * @example
 * ```ts
 * import { MapGpaRangeFlag, openSoft, Partition } from "@icebp/icebp";
 * import { assertThrows } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * const { Read, Execute } = MapGpaRangeFlag;
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, Read | Execute); // a ROM
 * partition.unmapGpaRange(0xffff0000, 0x10000);
 * assertThrows(() => partition.unmapGpaRange(1, 1));
 * ```
 */
export const MapGpaRangeFlag = {
  None: 0,
  Read: 1,
  Write: 2,
  Execute: 4,
  TrackDirtyPages: 8,
} as const;

/** WHV_TRANSLATE_GVA_FLAGS: WHvTranslateGvaFlag... */
export const TranslateGvaFlag = {
  None: 0x0,
  ValidateRead: 0x1,
  ValidateWrite: 0x2,
  ValidateExecute: 0x4,
  PrivilegeExempt: 0x8,
  SetPageTableBits: 0x10,
  EnforceSmap: 0x100,
  OverrideSmap: 0x200,
} as const;

/** WHV_TRANSLATE_GVA_RESULT_CODE: WHvTranslateGvaResult... */
export const TranslateGvaResult = {
  Success: 0,
  PageNotPresent: 1,
  PrivilegeViolation: 2,
  InvalidPageTableFlags: 3,
  GpaUnmapped: 4,
  GpaNoReadAccess: 5,
  GpaNoWriteAccess: 6,
  GpaIllegalOverlayAccess: 7,
  Intercept: 8,
} as const;

/** WHV_CACHE_TYPE: WHvCacheType... */
export const CacheType = {
  Uncached: 0,
  WriteCombining: 1,
  WriteThrough: 4,
  WriteProtected: 5,
  WriteBack: 6,
} as const;

/** WHV_X64_PENDING_EVENT_TYPE: WHvX64PendingEvent... */
export const PendingEvent = {
  Exception: 0,
  ExtInt: 5,
} as const;

/** WHV_RUN_VP_EXIT_REASON: WHvRunVpExitReason... */
export const ExitReason = {
  None: 0x0,
  MemoryAccess: 0x1,
  X64IoPortAccess: 0x2,
  UnrecoverableException: 0x4,
  InvalidVpRegisterValue: 0x5,
  UnsupportedFeature: 0x6,
  X64InterruptWindow: 0x7,
  X64Halt: 0x8,
  X64ApicEoi: 0x9,
  SynicSintDeliverable: 0xa,
  X64MsrAccess: 0x1000,
  X64Cpuid: 0x1001,
  Exception: 0x1002,
  X64Rdtsc: 0x1003,
  X64ApicSmiTrap: 0x1004,
  Hypercall: 0x1005,
  X64ApicInitSipiTrap: 0x1006,
  X64ApicWriteTrap: 0x1007,
  Canceled: 0x2001,
} as const;

/** WHV_X64_UNSUPPORTED_FEATURE_CODE: WHvUnsupportedFeature... */
export const UnsupportedFeature = {
  Intercept: 1,
  TaskSwitchTss: 2,
} as const;

/** WHV_RUN_VP_CANCEL_REASON: WhvRunVpCancelReason... */
export const CancelReason = {
  User: 0,
} as const;

/** WHV_X64_PENDING_INTERRUPTION_TYPE: WHvX64Pending... */
export const PendingInterruption = {
  Interrupt: 0,
  Nmi: 2,
  Exception: 3,
} as const;

/** WHV_X64_APIC_WRITE_TYPE: WHvX64ApicWriteType... */
export const ApicWriteType = {
  Ldr: 0xd0,
  Dfr: 0xe0,
  Svr: 0xf0,
  Lint0: 0x350,
  Lint1: 0x360,
} as const;

/** WHV_INTERRUPT_TYPE: WHvX64InterruptType... */
export const InterruptType = {
  Fixed: 0,
  LowestPriority: 1,
  Nmi: 4,
  Init: 5,
  Sipi: 6,
  LocalInt1: 9,
} as const;

/** WHV_INTERRUPT_DESTINATION_MODE: WHvX64InterruptDestinationMode... */
export const InterruptDestinationMode = {
  Physical: 0,
  Logical: 1,
} as const;

/** WHV_INTERRUPT_TRIGGER_MODE: WHvX64InterruptTriggerMode... */
export const InterruptTriggerMode = {
  Edge: 0,
  Level: 1,
} as const;

/** WHV_PARTITION_COUNTER_SET: WHvPartitionCounterSet... */
export const PartitionCounterSet = {
  Memory: 0,
} as const;

/** WHV_PROCESSOR_COUNTER_SET: WHvProcessorCounterSet... */
export const ProcessorCounterSet = {
  Runtime: 0,
  Intercepts: 1,
  Events: 2,
  Apic: 3,
  SyntheticFeatures: 4,
} as const;

/** WHV_ADVISE_GPA_RANGE_CODE: WHvAdviseGpaRangeCode... */
export const AdviseGpaRangeCode = {
  Populate: 0,
  Pin: 1,
  Unpin: 2,
} as const;

/** WHV_VIRTUAL_PROCESSOR_STATE_TYPE: WHvVirtualProcessorStateType... */
export const VirtualProcessorStateType = {
  SynicMessagePage: 0x0,
  SynicEventFlagPage: 0x1,
  SynicTimerState: 0x2,
  InterruptControllerState2: 0x1000,
  XsaveState: 0x1001,
} as const;

/** WHV_VIRTUAL_PROCESSOR_PROPERTY_CODE: WHvVirtualProcessorPropertyCode... */
export const VirtualProcessorPropertyCode = {
  NumaNode: 0,
} as const;

/** WHV_TRIGGER_TYPE: WHvTriggerType... */
export const TriggerType = {
  Interrupt: 0,
  SynicEvent: 1,
  DeviceInterrupt: 2,
} as const;

/** WHV_NOTIFICATION_PORT_TYPE: WHvNotificationPortType... */
export const NotificationPortType = {
  Event: 2,
  Doorbell: 4,
} as const;

/** WHV_NOTIFICATION_PORT_PROPERTY_CODE: WHvNotificationPortProperty... */
export const NotificationPortProperty = {
  PreferredTargetVp: 1,
  PreferredTargetDuration: 5,
} as const;

/** WHV_ALLOCATE_VPCI_RESOURCE_FLAGS: WHvAllocateVpciResourceFlag... */
export const VpciResourceFlag = {
  None: 0,
  AllowDirectP2P: 1,
} as const;

/** WHV_VPCI_DEVICE_NOTIFICATION_TYPE: WHvVpciDeviceNotification... */
export const VpciDeviceNotification = {
  Undefined: 0,
  MmioRemapping: 1,
  SurpriseRemoval: 2,
} as const;

/** WHV_CREATE_VPCI_DEVICE_FLAGS: WHvCreateVpciDeviceFlag... */
export const CreateVpciDeviceFlag = {
  None: 0,
  PhysicallyBacked: 1,
  UseLogicalInterrupts: 2,
} as const;

/** WHV_VPCI_DEVICE_PROPERTY_CODE: WHvVpciDevicePropertyCode... */
export const VpciDevicePropertyCode = {
  Undefined: 0,
  HardwareIDs: 1,
  ProbedBARs: 2,
} as const;

/** WHV_VPCI_MMIO_RANGE_FLAGS: WHvVpciMmioRangeFlag... */
export const VpciMmioRangeFlag = {
  ReadAccess: 1,
  WriteAccess: 2,
} as const;

/** WHV_VPCI_DEVICE_REGISTER_SPACE: WHvVpci... */
export const VpciRegisterSpace = {
  ConfigSpace: -1,
  Bar0: 0,
  Bar1: 1,
  Bar2: 2,
  Bar3: 3,
  Bar4: 4,
  Bar5: 5,
} as const;

/** WHV_VPCI_INTERRUPT_TARGET_FLAGS: WHvVpciInterruptTargetFlag... */
export const VpciInterruptTargetFlag = {
  None: 0,
  Multicast: 1,
} as const;

// Limits that the header gives as macros.

/** WHV_PROCESSOR_FEATURES_BANKS_COUNT. */
export const PROCESSOR_FEATURES_BANKS_COUNT = 2;
/** WHV_SYNTHETIC_PROCESSOR_FEATURES_BANKS_COUNT. */
export const SYNTHETIC_PROCESSOR_FEATURES_BANKS_COUNT = 1;
/** WHV_READ_WRITE_GPA_RANGE_MAX_SIZE: bytes a call. */
export const READ_WRITE_GPA_RANGE_MAX_SIZE = 16;
/** WHV_HYPERCALL_CONTEXT_MAX_XMM_REGISTERS. */
export const HYPERCALL_CONTEXT_MAX_XMM_REGISTERS = 6;
/** WHV_MAX_DEVICE_ID_SIZE_IN_CHARS. */
export const MAX_DEVICE_ID_SIZE_IN_CHARS = 200;
/** WHV_VPCI_TYPE0_BAR_COUNT. */
export const VPCI_TYPE0_BAR_COUNT = 6;
/** WHV_ANY_VP. */
export const ANY_VP = 0xffffffff;
/** WHV_SYNIC_MESSAGE_SIZE: bytes. */
export const SYNIC_MESSAGE_SIZE = 256;
