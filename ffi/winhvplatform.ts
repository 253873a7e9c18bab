// WinHvPlatform.dll as Deno.dlopen takes it: every function of winhvplatform.h,
// each parameter with its C declaration. Every result is an HRESULT.
//
// Memory of the caller's is "buffer". Handles, and structures of eight bytes
// passed by value, are "u64": no pointer object is needed for what is never
// dereferenced here. Functions that the first release (Windows 10, 1803) lacks
// are optional.

/**
 * The exports of WinHvPlatform.dll.
 *
 * @example
 * ```ts
 * import type { winhvplatform } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * type Parameters = typeof winhvplatform.WHvCreatePartition.parameters;
 * const parameters: Parameters = ["buffer"];
 * assertEquals(parameters[0], "buffer");
 * ```
 */
export const winhvplatform = {
  WHvGetCapability: {
    parameters: [
      "u32", // WHV_CAPABILITY_CODE CapabilityCode
      "buffer", // VOID *CapabilityBuffer
      "u32", // UINT32 CapabilityBufferSizeInBytes
      "buffer", // UINT32 *WrittenSizeInBytes
    ],
    result: "i32",
  },
  WHvCreatePartition: {
    parameters: [
      "buffer", // WHV_PARTITION_HANDLE *Partition
    ],
    result: "i32",
  },
  WHvSetupPartition: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
  },
  WHvResetPartition: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
    optional: true,
  },
  WHvDeletePartition: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
  },
  WHvGetPartitionProperty: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // WHV_PARTITION_PROPERTY_CODE PropertyCode
      "buffer", // VOID *PropertyBuffer
      "u32", // UINT32 PropertyBufferSizeInBytes
      "buffer", // UINT32 *WrittenSizeInBytes
    ],
    result: "i32",
  },
  WHvSetPartitionProperty: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // WHV_PARTITION_PROPERTY_CODE PropertyCode
      "buffer", // const VOID *PropertyBuffer
      "u32", // UINT32 PropertyBufferSizeInBytes
    ],
    result: "i32",
  },
  WHvSuspendPartitionTime: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
    optional: true,
  },
  WHvResumePartitionTime: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
    optional: true,
  },
  WHvMapGpaRange: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // VOID *SourceAddress
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // UINT64 SizeInBytes
      "u32", // WHV_MAP_GPA_RANGE_FLAGS Flags
    ],
    result: "i32",
  },
  WHvMapGpaRange2: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // HANDLE Process
      "buffer", // VOID *SourceAddress
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // UINT64 SizeInBytes
      "u32", // WHV_MAP_GPA_RANGE_FLAGS Flags
    ],
    result: "i32",
    optional: true,
  },
  WHvUnmapGpaRange: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // UINT64 SizeInBytes
    ],
    result: "i32",
  },
  WHvTranslateGva: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u64", // WHV_GUEST_VIRTUAL_ADDRESS Gva
      "u32", // WHV_TRANSLATE_GVA_FLAGS TranslateFlags
      "buffer", // WHV_TRANSLATE_GVA_RESULT *TranslationResult
      "buffer", // WHV_GUEST_PHYSICAL_ADDRESS *Gpa
    ],
    result: "i32",
  },
  WHvCreateVirtualProcessor: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // UINT32 Flags
    ],
    result: "i32",
  },
  WHvCreateVirtualProcessor2: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const WHV_VIRTUAL_PROCESSOR_PROPERTY *Properties
      "u32", // UINT32 PropertyCount
    ],
    result: "i32",
    optional: true,
  },
  WHvDeleteVirtualProcessor: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
    ],
    result: "i32",
  },
  WHvRunVirtualProcessor: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // VOID *ExitContext
      "u32", // UINT32 ExitContextSizeInBytes
    ],
    result: "i32",
    nonblocking: true,
  },
  WHvCancelRunVirtualProcessor: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // UINT32 Flags
    ],
    result: "i32",
  },
  WHvGetVirtualProcessorRegisters: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const WHV_REGISTER_NAME *RegisterNames
      "u32", // UINT32 RegisterCount
      "buffer", // WHV_REGISTER_VALUE *RegisterValues
    ],
    result: "i32",
  },
  WHvSetVirtualProcessorRegisters: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const WHV_REGISTER_NAME *RegisterNames
      "u32", // UINT32 RegisterCount
      "buffer", // const WHV_REGISTER_VALUE *RegisterValues
    ],
    result: "i32",
  },
  WHvGetVirtualProcessorInterruptControllerState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // VOID *State
      "u32", // UINT32 StateSize
      "buffer", // UINT32 *WrittenSize
    ],
    result: "i32",
    optional: true,
  },
  WHvSetVirtualProcessorInterruptControllerState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const VOID *State
      "u32", // UINT32 StateSize
    ],
    result: "i32",
    optional: true,
  },
  WHvRequestInterrupt: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_INTERRUPT_CONTROL *Interrupt
      "u32", // UINT32 InterruptControlSize
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVirtualProcessorXsaveState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
      "buffer", // UINT32 *BytesWritten
    ],
    result: "i32",
    optional: true,
  },
  WHvSetVirtualProcessorXsaveState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvQueryGpaRangeDirtyBitmap: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // UINT64 RangeSizeInBytes
      "buffer", // UINT64 *Bitmap
      "u32", // UINT32 BitmapSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvGetPartitionCounters: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // WHV_PARTITION_COUNTER_SET CounterSet
      "buffer", // VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
      "buffer", // UINT32 *BytesWritten
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVirtualProcessorCounters: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // WHV_PROCESSOR_COUNTER_SET CounterSet
      "buffer", // VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
      "buffer", // UINT32 *BytesWritten
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVirtualProcessorInterruptControllerState2: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // VOID *State
      "u32", // UINT32 StateSize
      "buffer", // UINT32 *WrittenSize
    ],
    result: "i32",
    optional: true,
  },
  WHvSetVirtualProcessorInterruptControllerState2: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "buffer", // const VOID *State
      "u32", // UINT32 StateSize
    ],
    result: "i32",
    optional: true,
  },
  WHvRegisterPartitionDoorbellEvent: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_DOORBELL_MATCH_DATA *MatchData
      "u64", // HANDLE EventHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvUnregisterPartitionDoorbellEvent: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_DOORBELL_MATCH_DATA *MatchData
    ],
    result: "i32",
    optional: true,
  },
  WHvAdviseGpaRange: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_MEMORY_RANGE_ENTRY *GpaRanges
      "u32", // UINT32 GpaRangesCount
      "u32", // WHV_ADVISE_GPA_RANGE_CODE Advice
      "buffer", // const VOID *AdviceBuffer
      "u32", // UINT32 AdviceBufferSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvReadGpaRange: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // WHV_ACCESS_GPA_CONTROLS Controls
      "buffer", // PVOID Data
      "u32", // UINT32 DataSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvWriteGpaRange: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u64", // WHV_GUEST_PHYSICAL_ADDRESS GuestAddress
      "u64", // WHV_ACCESS_GPA_CONTROLS Controls
      "buffer", // const VOID *Data
      "u32", // UINT32 DataSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvSignalVirtualProcessorSynicEvent: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_SYNIC_EVENT_PARAMETERS SynicEvent
      "buffer", // WINBOOL *NewlySignaled
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVirtualProcessorState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // WHV_VIRTUAL_PROCESSOR_STATE_TYPE StateType
      "buffer", // VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
      "buffer", // UINT32 *BytesWritten
    ],
    result: "i32",
    optional: true,
  },
  WHvSetVirtualProcessorState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // WHV_VIRTUAL_PROCESSOR_STATE_TYPE StateType
      "buffer", // const VOID *Buffer
      "u32", // UINT32 BufferSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvAllocateVpciResource: {
    parameters: [
      "buffer", // const GUID *ProviderId
      "u32", // WHV_ALLOCATE_VPCI_RESOURCE_FLAGS Flags
      "buffer", // const VOID *ResourceDescriptor
      "u32", // UINT32 ResourceDescriptorSizeInBytes
      "buffer", // HANDLE *VpciResource
    ],
    result: "i32",
    optional: true,
  },
  WHvCreateVpciDevice: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u64", // HANDLE VpciResource
      "u32", // WHV_CREATE_VPCI_DEVICE_FLAGS Flags
      "u64", // HANDLE NotificationEventHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvDeleteVpciDevice: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVpciDeviceProperty: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u32", // WHV_VPCI_DEVICE_PROPERTY_CODE PropertyCode
      "buffer", // VOID *PropertyBuffer
      "u32", // UINT32 PropertyBufferSizeInBytes
      "buffer", // UINT32 *WrittenSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVpciDeviceNotification: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "buffer", // WHV_VPCI_DEVICE_NOTIFICATION *Notification
      "u32", // UINT32 NotificationSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvMapVpciDeviceMmioRanges: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "buffer", // UINT32 *MappingCount
      "buffer", // WHV_VPCI_MMIO_MAPPING **Mappings
    ],
    result: "i32",
    optional: true,
  },
  WHvUnmapVpciDeviceMmioRanges: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
    ],
    result: "i32",
    optional: true,
  },
  WHvSetVpciDevicePowerState: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u32", // DEVICE_POWER_STATE PowerState
    ],
    result: "i32",
    optional: true,
  },
  WHvReadVpciDeviceRegister: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "buffer", // const WHV_VPCI_DEVICE_REGISTER *Register
      "buffer", // VOID *Data
    ],
    result: "i32",
    optional: true,
  },
  WHvWriteVpciDeviceRegister: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "buffer", // const WHV_VPCI_DEVICE_REGISTER *Register
      "buffer", // const VOID *Data
    ],
    result: "i32",
    optional: true,
  },
  WHvMapVpciDeviceInterrupt: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u32", // UINT32 Index
      "u32", // UINT32 MessageCount
      "buffer", // const WHV_VPCI_INTERRUPT_TARGET *Target
      "buffer", // UINT64 *MsiAddress
      "buffer", // UINT32 *MsiData
    ],
    result: "i32",
    optional: true,
  },
  WHvUnmapVpciDeviceInterrupt: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u32", // UINT32 Index
    ],
    result: "i32",
    optional: true,
  },
  WHvRetargetVpciDeviceInterrupt: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u64", // UINT64 MsiAddress
      "u32", // UINT32 MsiData
      "buffer", // const WHV_VPCI_INTERRUPT_TARGET *Target
    ],
    result: "i32",
    optional: true,
  },
  WHvRequestVpciDeviceInterrupt: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u64", // UINT64 MsiAddress
      "u32", // UINT32 MsiData
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVpciDeviceInterruptTarget: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 LogicalDeviceId
      "u32", // UINT32 Index
      "u32", // UINT32 MultiMessageNumber
      "buffer", // WHV_VPCI_INTERRUPT_TARGET *Target
      "u32", // UINT32 TargetSizeInBytes
      "buffer", // UINT32 *BytesWritten
    ],
    result: "i32",
    optional: true,
  },
  WHvCreateTrigger: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_TRIGGER_PARAMETERS *Parameters
      "buffer", // WHV_TRIGGER_HANDLE *TriggerHandle
      "buffer", // HANDLE *EventHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvUpdateTriggerParameters: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_TRIGGER_PARAMETERS *Parameters
      "u64", // WHV_TRIGGER_HANDLE TriggerHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvDeleteTrigger: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_TRIGGER_HANDLE TriggerHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvCreateNotificationPort: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // const WHV_NOTIFICATION_PORT_PARAMETERS *Parameters
      "u64", // HANDLE EventHandle
      "buffer", // WHV_NOTIFICATION_PORT_HANDLE *PortHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvSetNotificationPortProperty: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_NOTIFICATION_PORT_HANDLE PortHandle
      "u32", // WHV_NOTIFICATION_PORT_PROPERTY_CODE PropertyCode
      "u64", // WHV_NOTIFICATION_PORT_PROPERTY PropertyValue
    ],
    result: "i32",
    optional: true,
  },
  WHvDeleteNotificationPort: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // WHV_NOTIFICATION_PORT_HANDLE PortHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvPostVirtualProcessorSynicMessage: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // UINT32 SintIndex
      "buffer", // const VOID *Message
      "u32", // UINT32 MessageSizeInBytes
    ],
    result: "i32",
    optional: true,
  },
  WHvGetVirtualProcessorCpuidOutput: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u32", // UINT32 VpIndex
      "u32", // UINT32 Eax
      "u32", // UINT32 Ecx
      "buffer", // WHV_CPUID_OUTPUT *CpuidOutput
    ],
    result: "i32",
    optional: true,
  },
  WHvGetInterruptTargetVpSet: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "u64", // UINT64 Destination
      "u32", // WHV_INTERRUPT_DESTINATION_MODE DestinationMode
      "buffer", // UINT32 *TargetVps
      "u32", // UINT32 VpCount
      "buffer", // UINT32 *TargetVpCount
    ],
    result: "i32",
    optional: true,
  },
  WHvStartPartitionMigration: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
      "buffer", // HANDLE *MigrationHandle
    ],
    result: "i32",
    optional: true,
  },
  WHvCancelPartitionMigration: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
    optional: true,
  },
  WHvCompletePartitionMigration: {
    parameters: [
      "u64", // WHV_PARTITION_HANDLE Partition
    ],
    result: "i32",
    optional: true,
  },
  WHvAcceptPartitionMigration: {
    parameters: [
      "u64", // HANDLE MigrationHandle
      "buffer", // WHV_PARTITION_HANDLE *Partition
    ],
    result: "i32",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;
