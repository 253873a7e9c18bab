// What WHvRunVirtualProcessor writes: WHV_RUN_VP_EXIT_CONTEXT and its parts
// (winhvplatformdefs.h). Reserved members are left out.

import { Bits, Bytes, nested, struct, U16, U32, U64, U8 } from "./layout.ts";
import { WHV_X64_SEGMENT_REGISTER } from "./values.ts";

/** WHV_SYNIC_SINT_DELIVERABLE_CONTEXT. */
export const WHV_SYNIC_SINT_DELIVERABLE_CONTEXT = struct(8, {
  DeliverableSints: new U16(0),
});

/** WHV_X64_VP_EXECUTION_STATE. */
export const WHV_X64_VP_EXECUTION_STATE = struct(2, {
  Cpl: new Bits(0, 0, 2),
  Cr0Pe: new Bits(0, 2, 1),
  Cr0Am: new Bits(0, 3, 1),
  EferLma: new Bits(0, 4, 1),
  DebugActive: new Bits(0, 5, 1),
  InterruptionPending: new Bits(0, 6, 1),
  InterruptShadow: new Bits(1, 4, 1),
  AsUINT16: new U16(0),
});

/** WHV_VP_EXIT_CONTEXT. */
export const WHV_VP_EXIT_CONTEXT = struct(40, {
  ExecutionState: nested(0, WHV_X64_VP_EXECUTION_STATE),
  InstructionLength: new Bits(2, 0, 4),
  Cr8: new Bits(2, 4, 4),
  Cs: nested(8, WHV_X64_SEGMENT_REGISTER),
  Rip: new U64(24),
  Rflags: new U64(32),
});

/** WHV_MEMORY_ACCESS_INFO. */
export const WHV_MEMORY_ACCESS_INFO = struct(4, {
  AccessType: new Bits(0, 0, 2),
  GpaUnmapped: new Bits(0, 2, 1),
  GvaValid: new Bits(0, 3, 1),
  AsUINT32: new U32(0),
});

/** WHV_MEMORY_ACCESS_CONTEXT. */
export const WHV_MEMORY_ACCESS_CONTEXT = struct(40, {
  InstructionByteCount: new U8(0),
  InstructionBytes: new Bytes(4, 16),
  AccessInfo: nested(20, WHV_MEMORY_ACCESS_INFO),
  Gpa: new U64(24),
  Gva: new U64(32),
});

/** WHV_X64_IO_PORT_ACCESS_INFO. */
export const WHV_X64_IO_PORT_ACCESS_INFO = struct(4, {
  IsWrite: new Bits(0, 0, 1),
  AccessSize: new Bits(0, 1, 3),
  StringOp: new Bits(0, 4, 1),
  RepPrefix: new Bits(0, 5, 1),
  AsUINT32: new U32(0),
});

/** WHV_X64_IO_PORT_ACCESS_CONTEXT. */
export const WHV_X64_IO_PORT_ACCESS_CONTEXT = struct(96, {
  InstructionByteCount: new U8(0),
  InstructionBytes: new Bytes(4, 16),
  AccessInfo: nested(20, WHV_X64_IO_PORT_ACCESS_INFO),
  PortNumber: new U16(24),
  Rax: new U64(32),
  Rcx: new U64(40),
  Rsi: new U64(48),
  Rdi: new U64(56),
  Ds: nested(64, WHV_X64_SEGMENT_REGISTER),
  Es: nested(80, WHV_X64_SEGMENT_REGISTER),
});

/** WHV_X64_MSR_ACCESS_INFO. */
export const WHV_X64_MSR_ACCESS_INFO = struct(4, {
  IsWrite: new Bits(0, 0, 1),
  AsUINT32: new U32(0),
});

/** WHV_X64_MSR_ACCESS_CONTEXT. */
export const WHV_X64_MSR_ACCESS_CONTEXT = struct(24, {
  AccessInfo: nested(0, WHV_X64_MSR_ACCESS_INFO),
  MsrNumber: new U32(4),
  Rax: new U64(8),
  Rdx: new U64(16),
});

/** WHV_X64_CPUID_ACCESS_CONTEXT. */
export const WHV_X64_CPUID_ACCESS_CONTEXT = struct(64, {
  Rax: new U64(0),
  Rcx: new U64(8),
  Rdx: new U64(16),
  Rbx: new U64(24),
  DefaultResultRax: new U64(32),
  DefaultResultRcx: new U64(40),
  DefaultResultRdx: new U64(48),
  DefaultResultRbx: new U64(56),
});

/** WHV_VP_EXCEPTION_INFO. */
export const WHV_VP_EXCEPTION_INFO = struct(4, {
  ErrorCodeValid: new Bits(0, 0, 1),
  SoftwareException: new Bits(0, 1, 1),
  AsUINT32: new U32(0),
});

/** WHV_VP_EXCEPTION_CONTEXT. */
export const WHV_VP_EXCEPTION_CONTEXT = struct(40, {
  InstructionByteCount: new U8(0),
  InstructionBytes: new Bytes(4, 16),
  ExceptionInfo: nested(20, WHV_VP_EXCEPTION_INFO),
  ExceptionType: new U8(24),
  ErrorCode: new U32(28),
  ExceptionParameter: new U64(32),
});

/** WHV_X64_UNSUPPORTED_FEATURE_CONTEXT. */
export const WHV_X64_UNSUPPORTED_FEATURE_CONTEXT = struct(16, {
  FeatureCode: new U32(0),
  FeatureParameter: new U64(8),
});

/** WHV_RUN_VP_CANCELED_CONTEXT. */
export const WHV_RUN_VP_CANCELED_CONTEXT = struct(4, {
  CancelReason: new U32(0),
});

/** WHV_X64_INTERRUPTION_DELIVERABLE_CONTEXT. */
export const WHV_X64_INTERRUPTION_DELIVERABLE_CONTEXT = struct(4, {
  DeliverableType: new U32(0),
});

/** WHV_X64_APIC_EOI_CONTEXT. */
export const WHV_X64_APIC_EOI_CONTEXT = struct(4, {
  InterruptVector: new U32(0),
});

/** WHV_X64_RDTSC_INFO. */
export const WHV_X64_RDTSC_INFO = struct(8, {
  IsRdtscp: new Bits(0, 0, 1),
  AsUINT64: new U64(0),
});

/** WHV_X64_RDTSC_CONTEXT. */
export const WHV_X64_RDTSC_CONTEXT = struct(40, {
  TscAux: new U64(0),
  VirtualOffset: new U64(8),
  Tsc: new U64(16),
  ReferenceTime: new U64(24),
  RdtscInfo: nested(32, WHV_X64_RDTSC_INFO),
});

/** WHV_X64_APIC_SMI_CONTEXT. */
export const WHV_X64_APIC_SMI_CONTEXT = struct(8, {
  ApicIcr: new U64(0),
});

/** WHV_HYPERCALL_CONTEXT. */
export const WHV_HYPERCALL_CONTEXT = struct(176, {
  Rax: new U64(0),
  Rbx: new U64(8),
  Rcx: new U64(16),
  Rdx: new U64(24),
  R8: new U64(32),
  Rsi: new U64(40),
  Rdi: new U64(48),
  XmmRegisters: new Bytes(64, 96),
});

/** WHV_X64_APIC_INIT_SIPI_CONTEXT. */
export const WHV_X64_APIC_INIT_SIPI_CONTEXT = struct(8, {
  ApicIcr: new U64(0),
});

/** WHV_X64_APIC_WRITE_CONTEXT. */
export const WHV_X64_APIC_WRITE_CONTEXT = struct(16, {
  Type: new U32(0),
  WriteValue: new U64(8),
});

/** WHV_RUN_VP_EXIT_CONTEXT. */
export const WHV_RUN_VP_EXIT_CONTEXT = struct(224, {
  ExitReason: new U32(0),
  VpContext: nested(8, WHV_VP_EXIT_CONTEXT),
  MemoryAccess: nested(48, WHV_MEMORY_ACCESS_CONTEXT),
  IoPortAccess: nested(48, WHV_X64_IO_PORT_ACCESS_CONTEXT),
  MsrAccess: nested(48, WHV_X64_MSR_ACCESS_CONTEXT),
  CpuidAccess: nested(48, WHV_X64_CPUID_ACCESS_CONTEXT),
  VpException: nested(48, WHV_VP_EXCEPTION_CONTEXT),
  InterruptWindow: nested(48, WHV_X64_INTERRUPTION_DELIVERABLE_CONTEXT),
  UnsupportedFeature: nested(48, WHV_X64_UNSUPPORTED_FEATURE_CONTEXT),
  CancelReason: nested(48, WHV_RUN_VP_CANCELED_CONTEXT),
  ApicEoi: nested(48, WHV_X64_APIC_EOI_CONTEXT),
  ReadTsc: nested(48, WHV_X64_RDTSC_CONTEXT),
  ApicSmi: nested(48, WHV_X64_APIC_SMI_CONTEXT),
  Hypercall: nested(48, WHV_HYPERCALL_CONTEXT),
  ApicInitSipi: nested(48, WHV_X64_APIC_INIT_SIPI_CONTEXT),
  ApicWrite: nested(48, WHV_X64_APIC_WRITE_CONTEXT),
  SynicSintDeliverable: nested(48, WHV_SYNIC_SINT_DELIVERABLE_CONTEXT),
});
