// Register values: what the sixteen bytes of a WHV_REGISTER_VALUE mean
// (winhvplatformdefs.h). Reserved members are left out.

import { Bits, Bytes, nested, struct, U16, U32, U64, U8 } from "./layout.ts";

/** WHV_UINT128. */
export const WHV_UINT128 = struct(16, {
  Low64: new U64(0),
  High64: new U64(8),
  Dword: new Bytes(0, 16),
});

/** WHV_X64_FP_REGISTER. */
export const WHV_X64_FP_REGISTER = struct(16, {
  Mantissa: new U64(0),
  BiasedExponent: new Bits(8, 0, 15),
  Sign: new Bits(9, 7, 1),
  AsUINT128: nested(0, WHV_UINT128),
});

/** WHV_X64_FP_CONTROL_STATUS_REGISTER. */
export const WHV_X64_FP_CONTROL_STATUS_REGISTER = struct(16, {
  FpControl: new U16(0),
  FpStatus: new U16(2),
  FpTag: new U8(4),
  LastFpOp: new U16(6),
  LastFpRip: new U64(8),
  LastFpEip: new U32(8),
  LastFpCs: new U16(12),
  AsUINT128: nested(0, WHV_UINT128),
});

/** WHV_X64_XMM_CONTROL_STATUS_REGISTER. */
export const WHV_X64_XMM_CONTROL_STATUS_REGISTER = struct(16, {
  LastFpRdp: new U64(0),
  LastFpDp: new U32(0),
  LastFpDs: new U16(4),
  XmmStatusControl: new U32(8),
  XmmStatusControlMask: new U32(12),
  AsUINT128: nested(0, WHV_UINT128),
});

/** WHV_X64_SEGMENT_REGISTER. */
export const WHV_X64_SEGMENT_REGISTER = struct(16, {
  Base: new U64(0),
  Limit: new U32(8),
  Selector: new U16(12),
  SegmentType: new Bits(14, 0, 4),
  NonSystemSegment: new Bits(14, 4, 1),
  DescriptorPrivilegeLevel: new Bits(14, 5, 2),
  Present: new Bits(14, 7, 1),
  Available: new Bits(15, 4, 1),
  Long: new Bits(15, 5, 1),
  Default: new Bits(15, 6, 1),
  Granularity: new Bits(15, 7, 1),
  Attributes: new U16(14),
});

/** WHV_X64_TABLE_REGISTER. */
export const WHV_X64_TABLE_REGISTER = struct(16, {
  Limit: new U16(6),
  Base: new U64(8),
});

/** WHV_X64_INTERRUPT_STATE_REGISTER. */
export const WHV_X64_INTERRUPT_STATE_REGISTER = struct(8, {
  InterruptShadow: new Bits(0, 0, 1),
  NmiMasked: new Bits(0, 1, 1),
  AsUINT64: new U64(0),
});
/** Its InterruptShadow. */
export const INTERRUPT_SHADOW = 1n;

/** WHV_X64_PENDING_INTERRUPTION_REGISTER. */
export const WHV_X64_PENDING_INTERRUPTION_REGISTER = struct(8, {
  InterruptionPending: new Bits(0, 0, 1),
  InterruptionType: new Bits(0, 1, 3),
  DeliverErrorCode: new Bits(0, 4, 1),
  InstructionLength: new Bits(0, 5, 4),
  NestedEvent: new Bits(1, 1, 1),
  InterruptionVector: new Bits(2, 0, 16),
  ErrorCode: new U32(4),
  AsUINT64: new U64(0),
});

/** WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER. */
export const WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER = struct(8, {
  NmiNotification: new Bits(0, 0, 1),
  InterruptNotification: new Bits(0, 1, 1),
  InterruptPriority: new Bits(0, 2, 4),
  AsUINT64: new U64(0),
});

/** WHV_X64_PENDING_EXCEPTION_EVENT. */
export const WHV_X64_PENDING_EXCEPTION_EVENT = struct(16, {
  EventPending: new Bits(0, 0, 1),
  EventType: new Bits(0, 1, 3),
  DeliverErrorCode: new Bits(1, 0, 1),
  Vector: new Bits(2, 0, 16),
  ErrorCode: new U32(4),
  ExceptionParameter: new U64(8),
  AsUINT128: nested(0, WHV_UINT128),
});

/** WHV_X64_PENDING_EXT_INT_EVENT. */
export const WHV_X64_PENDING_EXT_INT_EVENT = struct(16, {
  EventPending: new Bits(0, 0, 1),
  EventType: new Bits(0, 1, 3),
  Vector: new Bits(1, 0, 8),
  AsUINT128: nested(0, WHV_UINT128),
});

/** WHV_INTERNAL_ACTIVITY_REGISTER. */
export const WHV_INTERNAL_ACTIVITY_REGISTER = struct(8, {
  StartupSuspend: new Bits(0, 0, 1),
  HaltSuspend: new Bits(0, 1, 1),
  IdleSuspend: new Bits(0, 2, 1),
  AsUINT64: new U64(0),
});

/** WHV_X64_PENDING_DEBUG_EXCEPTION. */
export const WHV_X64_PENDING_DEBUG_EXCEPTION = struct(8, {
  AsUINT64: new U64(0),
  Breakpoint0: new Bits(0, 0, 1),
  Breakpoint1: new Bits(0, 1, 1),
  Breakpoint2: new Bits(0, 2, 1),
  Breakpoint3: new Bits(0, 3, 1),
  SingleStep: new Bits(0, 4, 1),
});

/** WHV_REGISTER_VALUE. */
export const WHV_REGISTER_VALUE = struct(16, {
  Reg128: nested(0, WHV_UINT128),
  Reg64: new U64(0),
  Reg32: new U32(0),
  Reg16: new U16(0),
  Reg8: new U8(0),
  Fp: nested(0, WHV_X64_FP_REGISTER),
  FpControlStatus: nested(0, WHV_X64_FP_CONTROL_STATUS_REGISTER),
  XmmControlStatus: nested(0, WHV_X64_XMM_CONTROL_STATUS_REGISTER),
  Segment: nested(0, WHV_X64_SEGMENT_REGISTER),
  Table: nested(0, WHV_X64_TABLE_REGISTER),
  InterruptState: nested(0, WHV_X64_INTERRUPT_STATE_REGISTER),
  PendingInterruption: nested(0, WHV_X64_PENDING_INTERRUPTION_REGISTER),
  DeliverabilityNotifications: nested(
    0,
    WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER,
  ),
  ExceptionEvent: nested(0, WHV_X64_PENDING_EXCEPTION_EVENT),
  ExtIntEvent: nested(0, WHV_X64_PENDING_EXT_INT_EVENT),
  InternalActivity: nested(0, WHV_INTERNAL_ACTIVITY_REGISTER),
  PendingDebugException: nested(0, WHV_X64_PENDING_DEBUG_EXCEPTION),
});
