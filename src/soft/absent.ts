// Functions of WinHvPlatform.dll that this platform lacks, as an older Windows does:
// what needs handles of the host's kernel (events, devices, other processes), or the
// synthetic interrupt controller.

/** For the table of functions: each is absent. */
export const absent = {
  WHvRegisterPartitionDoorbellEvent: null,
  WHvUnregisterPartitionDoorbellEvent: null,
  WHvSignalVirtualProcessorSynicEvent: null,
  WHvAllocateVpciResource: null,
  WHvCreateVpciDevice: null,
  WHvDeleteVpciDevice: null,
  WHvGetVpciDeviceProperty: null,
  WHvGetVpciDeviceNotification: null,
  WHvMapVpciDeviceMmioRanges: null,
  WHvUnmapVpciDeviceMmioRanges: null,
  WHvSetVpciDevicePowerState: null,
  WHvReadVpciDeviceRegister: null,
  WHvWriteVpciDeviceRegister: null,
  WHvMapVpciDeviceInterrupt: null,
  WHvUnmapVpciDeviceInterrupt: null,
  WHvRetargetVpciDeviceInterrupt: null,
  WHvRequestVpciDeviceInterrupt: null,
  WHvGetVpciDeviceInterruptTarget: null,
  WHvCreateTrigger: null,
  WHvUpdateTriggerParameters: null,
  WHvDeleteTrigger: null,
  WHvCreateNotificationPort: null,
  WHvSetNotificationPortProperty: null,
  WHvDeleteNotificationPort: null,
  WHvPostVirtualProcessorSynicMessage: null,
  WHvGetInterruptTargetVpSet: null,
  WHvStartPartitionMigration: null,
  WHvCancelPartitionMigration: null,
  WHvCompletePartitionMigration: null,
  WHvAcceptPartitionMigration: null,
} as const;
