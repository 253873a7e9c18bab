// The structures of winhvplatformdefs.h for triggers, doorbells, notification
// ports, synthetic events and virtual PCI devices. Reserved members are left out.

import {
  Bits,
  Bytes,
  I32,
  nested,
  struct,
  U16,
  U32,
  U64,
  U8,
} from "./layout.ts";
import { WHV_INTERRUPT_CONTROL } from "./structures.ts";

/** WHV_DOORBELL_MATCH_DATA. */
export const WHV_DOORBELL_MATCH_DATA = struct(24, {
  GuestAddress: new U64(0),
  Value: new U64(8),
  Length: new U32(16),
  MatchOnValue: new Bits(20, 0, 1),
  MatchOnLength: new Bits(20, 1, 1),
});

/** WHV_SYNIC_EVENT_PARAMETERS. */
export const WHV_SYNIC_EVENT_PARAMETERS = struct(8, {
  VpIndex: new U32(0),
  TargetSint: new U8(4),
  FlagNumber: new U16(6),
});

/** WHV_SRIOV_RESOURCE_DESCRIPTOR. */
export const WHV_SRIOV_RESOURCE_DESCRIPTOR = struct(412, {
  PnpInstanceId: new Bytes(0, 400),
  VirtualFunctionId: new U64(400),
  VirtualFunctionIndex: new U16(408),
});

/** WHV_VPCI_DEVICE_NOTIFICATION. */
export const WHV_VPCI_DEVICE_NOTIFICATION = struct(16, {
  NotificationType: new U32(0),
});

/** WHV_VPCI_HARDWARE_IDS. */
export const WHV_VPCI_HARDWARE_IDS = struct(12, {
  VendorID: new U16(0),
  DeviceID: new U16(2),
  RevisionID: new U8(4),
  ProgIf: new U8(5),
  SubClass: new U8(6),
  BaseClass: new U8(7),
  SubVendorID: new U16(8),
  SubSystemID: new U16(10),
});

/** WHV_VPCI_PROBED_BARS. */
export const WHV_VPCI_PROBED_BARS = struct(24, {
  Value: new Bytes(0, 24),
});

/** WHV_VPCI_MMIO_MAPPING. */
export const WHV_VPCI_MMIO_MAPPING = struct(32, {
  Location: new I32(0),
  Flags: new U32(4),
  SizeInBytes: new U64(8),
  OffsetInBytes: new U64(16),
  VirtualAddress: new U64(24),
});

/** WHV_VPCI_DEVICE_REGISTER. */
export const WHV_VPCI_DEVICE_REGISTER = struct(16, {
  Location: new I32(0),
  SizeInBytes: new U32(4),
  OffsetInBytes: new U64(8),
});

/** WHV_VPCI_INTERRUPT_TARGET. */
export const WHV_VPCI_INTERRUPT_TARGET = struct(16, {
  Vector: new U32(0),
  Flags: new U32(4),
  ProcessorCount: new U32(8),
  Processors: new Bytes(12, 4),
});

/** WHV_TRIGGER_PARAMETERS. */
export const WHV_TRIGGER_PARAMETERS = struct(32, {
  TriggerType: new U32(0),
  Interrupt: nested(8, WHV_INTERRUPT_CONTROL),
  SynicEvent: nested(8, WHV_SYNIC_EVENT_PARAMETERS),
  "DeviceInterrupt.LogicalDeviceId": new U64(8),
  "DeviceInterrupt.MsiAddress": new U64(16),
  "DeviceInterrupt.MsiData": new U32(24),
});

/** WHV_NOTIFICATION_PORT_PARAMETERS. */
export const WHV_NOTIFICATION_PORT_PARAMETERS = struct(32, {
  NotificationPortType: new U32(0),
  Doorbell: nested(8, WHV_DOORBELL_MATCH_DATA),
  "Event.ConnectionId": new U32(8),
});
