// Written from ffi/ by `deno task build`.
// deno-lint-ignore-file no-namespace
export const EXIT_BYTES: usize = 0xe0;

/** VpContext of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace VpContextExit {
  export const ExecutionState: usize = 0x8;
  export const Cs: usize = 0x10;
  export const Rip: usize = 0x20;
  export const Rflags: usize = 0x28;
}

/** MemoryAccess of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace MemoryAccessExit {
  export const InstructionByteCount: usize = 0x30;
  export const InstructionBytes: usize = 0x34;
  export const AccessInfo: usize = 0x44;
  export const Gpa: usize = 0x48;
  export const Gva: usize = 0x50;
}

/** IoPortAccess of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace IoPortAccessExit {
  export const InstructionByteCount: usize = 0x30;
  export const InstructionBytes: usize = 0x34;
  export const AccessInfo: usize = 0x44;
  export const PortNumber: usize = 0x48;
  export const Rax: usize = 0x50;
  export const Rcx: usize = 0x58;
  export const Rsi: usize = 0x60;
  export const Rdi: usize = 0x68;
  export const Ds: usize = 0x70;
  export const Es: usize = 0x80;
}

/** MsrAccess of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace MsrAccessExit {
  export const AccessInfo: usize = 0x30;
  export const MsrNumber: usize = 0x34;
  export const Rax: usize = 0x38;
  export const Rdx: usize = 0x40;
}

/** CpuidAccess of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace CpuidAccessExit {
  export const Rax: usize = 0x30;
  export const Rcx: usize = 0x38;
  export const Rdx: usize = 0x40;
  export const Rbx: usize = 0x48;
  export const DefaultResultRax: usize = 0x50;
  export const DefaultResultRcx: usize = 0x58;
  export const DefaultResultRdx: usize = 0x60;
  export const DefaultResultRbx: usize = 0x68;
}

/** VpException of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace VpExceptionExit {
  export const InstructionByteCount: usize = 0x30;
  export const InstructionBytes: usize = 0x34;
  export const ExceptionInfo: usize = 0x44;
  export const ExceptionType: usize = 0x48;
  export const ErrorCode: usize = 0x4c;
  export const ExceptionParameter: usize = 0x50;
}

/** InterruptWindow of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace InterruptWindowExit {
  export const DeliverableType: usize = 0x30;
}

/** UnsupportedFeature of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace UnsupportedFeatureExit {
  export const FeatureCode: usize = 0x30;
  export const FeatureParameter: usize = 0x38;
}

/** CancelReason of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace CancelReasonExit {
  export const CancelReason: usize = 0x30;
}

/** ApicEoi of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace ApicEoiExit {
  export const InterruptVector: usize = 0x30;
}

/** ReadTsc of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace ReadTscExit {
  export const TscAux: usize = 0x30;
  export const VirtualOffset: usize = 0x38;
  export const Tsc: usize = 0x40;
  export const ReferenceTime: usize = 0x48;
  export const RdtscInfo: usize = 0x50;
}

/** ApicSmi of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace ApicSmiExit {
  export const ApicIcr: usize = 0x30;
}

/** Hypercall of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace HypercallExit {
  export const Rax: usize = 0x30;
  export const Rbx: usize = 0x38;
  export const Rcx: usize = 0x40;
  export const Rdx: usize = 0x48;
  export const R8: usize = 0x50;
  export const Rsi: usize = 0x58;
  export const Rdi: usize = 0x60;
  export const XmmRegisters: usize = 0x70;
}

/** ApicInitSipi of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace ApicInitSipiExit {
  export const ApicIcr: usize = 0x30;
}

/** ApicWrite of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace ApicWriteExit {
  export const Type: usize = 0x30;
  export const WriteValue: usize = 0x38;
}

/** SynicSintDeliverable of WHV_RUN_VP_EXIT_CONTEXT, from its beginning. */
export namespace SynicSintDeliverableExit {
  export const DeliverableSints: usize = 0x30;
}

/** WHV_X64_VP_EXECUTION_STATE. */
export namespace ExecutionState {
  export const Cpl: u32 = 0x3;
  export const Cr0Pe: u32 = 0x4;
  export const Cr0Am: u32 = 0x8;
  export const EferLma: u32 = 0x10;
  export const DebugActive: u32 = 0x20;
  export const InterruptionPending: u32 = 0x40;
  export const InterruptShadow: u32 = 0x1000;
}

/** WHV_MEMORY_ACCESS_INFO. */
export namespace MemoryAccessInfo {
  export const AccessType: u32 = 0x3;
  export const GpaUnmapped: u32 = 0x4;
  export const GvaValid: u32 = 0x8;
}

/** WHV_X64_IO_PORT_ACCESS_INFO. */
export namespace IoPortAccessInfo {
  export const IsWrite: u32 = 0x1;
  export const AccessSize: u32 = 0xe;
  export const StringOp: u32 = 0x10;
  export const RepPrefix: u32 = 0x20;
}

/** WHV_VP_EXCEPTION_INFO. */
export namespace ExceptionInfo {
  export const ErrorCodeValid: u32 = 0x1;
  export const SoftwareException: u32 = 0x2;
}

/** WHV_X64_PENDING_INTERRUPTION_REGISTER. */
export namespace PendingInterruption {
  export const InterruptionPending: u32 = 0x1;
  export const InterruptionType: u32 = 0xe;
  export const DeliverErrorCode: u32 = 0x10;
  export const InstructionLength: u32 = 0x1e0;
  export const NestedEvent: u32 = 0x200;
  export const InterruptionVector: u32 = 0xffff0000;
}

/** WHV_X64_PENDING_EXCEPTION_EVENT. */
export namespace PendingException {
  export const EventPending: u32 = 0x1;
  export const EventType: u32 = 0xe;
  export const DeliverErrorCode: u32 = 0x100;
  export const Vector: u32 = 0xffff0000;
}

/** WHV_X64_DELIVERABILITY_NOTIFICATIONS_REGISTER. */
export namespace Notification {
  export const NmiNotification: u32 = 0x1;
  export const InterruptNotification: u32 = 0x2;
  export const InterruptPriority: u32 = 0x3c;
}

/** WHV_INTERNAL_ACTIVITY_REGISTER. */
export namespace InternalActivity {
  export const StartupSuspend: u32 = 0x1;
  export const HaltSuspend: u32 = 0x2;
  export const IdleSuspend: u32 = 0x4;
}

/** ICEBP_ACCESS. */
export namespace DeviceAccess {
  export const Address: usize = 0x0;
  export const Data: usize = 0x8;
  export const Size: usize = 0x10;
  export const IsWrite: usize = 0x11;
  export const IsPort: usize = 0x12;
  export const IsFirst: usize = 0x13;
  export const BYTES: usize = 0x18;
}

/** Its bytes from Size on, as one number. */
export namespace AccessKind {
  export const IsWrite: u32 = 0x100;
  export const IsPort: u32 = 0x10000;
  export const IsFirst: u32 = 0x1000000;
}

/** ICEBP_DEBUG_HIT. */
export namespace DebugHit {
  export const Identifier: usize = 0x0;
  export const Access: usize = 0x4;
  export const Address: usize = 0x8;
  export const Bytes: usize = 0x10;
  export const Before: usize = 0x18;
  export const After: usize = 0x20;
  export const BYTES: usize = 0x28;
}

/** ICEBP_COMPLETION. */
export namespace Completion {
  export const Outcome: usize = 0x0;
  export const AccessCount: usize = 0x4;
  export const CarriedOut: usize = 0x8;
  export const Address: usize = 0x10;
}

/** WHV_PROCESSOR_ACTIVITY_COUNTERS: which of its counters. */
export namespace Activity {
  export const PageInvalidations: u32 = 0x0;
  export const ControlRegisterAccesses: u32 = 0x1;
  export const IoInstructions: u32 = 0x2;
  export const HaltInstructions: u32 = 0x3;
  export const CpuidInstructions: u32 = 0x4;
  export const MsrAccesses: u32 = 0x5;
  export const OtherIntercepts: u32 = 0x6;
  export const PendingInterrupts: u32 = 0x7;
  export const EmulatedInstructions: u32 = 0x8;
  export const DebugRegisterAccesses: u32 = 0x9;
  export const PageFaultIntercepts: u32 = 0xa;
  export const NestedPageFaultIntercepts: u32 = 0xb;
  export const Hypercalls: u32 = 0xc;
  export const RdpmcInstructions: u32 = 0xd;
  export const COUNT: u32 = 0xe;
}

/** WHV_PROCESSOR_GUEST_EVENT_COUNTERS: which of its counters. */
export namespace GuestEvent {
  export const PageFaultCount: u32 = 0x0;
  export const ExceptionCount: u32 = 0x1;
  export const InterruptCount: u32 = 0x2;
  export const COUNT: u32 = 0x3;
}

/** WHV_PROCESSOR_APIC_COUNTERS: which of its counters. */
export namespace ApicUse {
  export const MmioAccessCount: u32 = 0x0;
  export const EoiAccessCount: u32 = 0x1;
  export const TprAccessCount: u32 = 0x2;
  export const SentIpiCount: u32 = 0x3;
  export const SelfIpiCount: u32 = 0x4;
  export const COUNT: u32 = 0x5;
}
