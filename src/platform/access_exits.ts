// Exits for an access that the caller carries out, or an exception that it
// judges: ports, memory, MSRs, CPUID, exceptions.

import { WHV_RUN_VP_EXIT_CONTEXT as CONTEXT } from "../../ffi/exits.ts";
import type { Segment } from "../x86/segments.ts";
import { SegmentView } from "./segments.ts";
import { VpExit } from "./vp_exit.ts";

const TWO_32 = 0x1_0000_0000;

const IO = CONTEXT.IoPortAccess;

/**
 * IN, OUT, INS or OUTS.
 *
 * @example
 * ```ts
 * import { openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xe6, 0x80], 0xfff0); // out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * if (exit.reason !== "ioPort") throw new Error(exit.reason);
 * assertEquals([exit.port, exit.size, exit.isWrite], [0x80, 1, true]);
 * ```
 */
export class IoPortExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "ioPort";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = IO.InstructionBytes.get(this.view);
  /** DS, for OUTS. */
  readonly ds: Segment = new SegmentView(this.view, IO.Ds.offset);
  /** ES, for INS. */
  readonly es: Segment = new SegmentView(this.view, IO.Es.offset);

  /** How many bytes of the instruction are known; may be 0. */
  get instructionByteCount(): number {
    return IO.InstructionByteCount.get(this.view);
  }
  /** The port. */
  get port(): number {
    return IO.PortNumber.get(this.view);
  }
  /** Bytes: 1, 2 or 4. */
  get size(): number {
    return IO.AccessInfo.AccessSize.get(this.view);
  }
  /** True for a write. */
  get isWrite(): boolean {
    return IO.AccessInfo.IsWrite.get(this.view) !== 0;
  }
  /** INS or OUTS: to be emulated. */
  get isString(): boolean {
    return IO.AccessInfo.StringOp.get(this.view) !== 0;
  }
  /** With a REP prefix. */
  get isRep(): boolean {
    return IO.AccessInfo.RepPrefix.get(this.view) !== 0;
  }
  /** RAX before the instruction. */
  get rax(): bigint {
    return IO.Rax.get(this.view);
  }
  /** The low half of RAX: what OUT writes, without a bigint. */
  get eax(): number {
    return this.view.getUint32(IO.Rax.offset, true);
  }
  /** RCX before the instruction. */
  get rcx(): bigint {
    return IO.Rcx.get(this.view);
  }
  /** RSI before the instruction. */
  get rsi(): bigint {
    return IO.Rsi.get(this.view);
  }
  /** RDI before the instruction. */
  get rdi(): bigint {
    return IO.Rdi.get(this.view);
  }
}

const MEMORY = CONTEXT.MemoryAccess;

/**
 * An access to a guest-physical address that is not mapped, or not so.
 *
 * @example
 * ```ts
 * import { openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xa0, 0x34, 0x12], 0xfff0); // mov al, [0x1234]
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * if (exit.reason !== "memory") throw new Error(exit.reason);
 * assertEquals([exit.gpa, exit.gpaUnmapped], [0x1234n, true]);
 * ```
 */
export class MemoryExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "memory";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = MEMORY.InstructionBytes.get(
    this.view,
  );

  /** How many bytes of the instruction are known; may be 0. */
  get instructionByteCount(): number {
    return MEMORY.InstructionByteCount.get(this.view);
  }
  /** A MemoryAccessType: Read, Write or Execute. */
  get access(): number {
    return MEMORY.AccessInfo.AccessType.get(this.view);
  }
  /** Nothing is mapped there; if false, what is mapped forbids the access. */
  get gpaUnmapped(): boolean {
    return MEMORY.AccessInfo.GpaUnmapped.get(this.view) !== 0;
  }
  /** `gva` is known. */
  get gvaValid(): boolean {
    return MEMORY.AccessInfo.GvaValid.get(this.view) !== 0;
  }
  /** The guest-physical address. */
  get gpa(): bigint {
    return MEMORY.Gpa.get(this.view);
  }
  /** The guest-physical address (below 2^53), without a bigint. */
  get gpaNumber(): number {
    const at = MEMORY.Gpa.offset;
    return this.view.getUint32(at + 4, true) * TWO_32 +
      this.view.getUint32(at, true);
  }
  /** The guest-virtual address; only if `gvaValid`. */
  get gva(): bigint {
    return MEMORY.Gva.get(this.view);
  }
}

const MSR = CONTEXT.MsrAccess;

/**
 * RDMSR or WRMSR.
 *
 * @example
 * ```ts
 * import { ExtendedVmExits, openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setExtendedVmExits(ExtendedVmExits.X64MsrExit);
 * partition.setX64MsrExitBitmap(1n); // registers that the platform lacks
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0x32], 0xfff0); // rdmsr
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rcx, 0x1234n);
 * const exit = await vp.run();
 * if (exit.reason !== "msr") throw new Error(exit.reason);
 * assertEquals([exit.msr, exit.isWrite], [0x1234, false]);
 * ```
 */
export class MsrExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "msr";
  /** True for a write. */
  get isWrite(): boolean {
    return MSR.AccessInfo.IsWrite.get(this.view) !== 0;
  }
  /** The number of the register. */
  get msr(): number {
    return MSR.MsrNumber.get(this.view);
  }
  /** RAX before the instruction. */
  get rax(): bigint {
    return MSR.Rax.get(this.view);
  }
  /** RDX before the instruction. */
  get rdx(): bigint {
    return MSR.Rdx.get(this.view);
  }
  /** EDX:EAX: what WRMSR writes. */
  get value(): bigint {
    return (BigInt(this.view.getUint32(MSR.Rdx.offset, true)) << 32n) |
      BigInt(this.view.getUint32(MSR.Rax.offset, true));
  }
}

const CPUID = CONTEXT.CpuidAccess;

/**
 * CPUID, with what the platform would have answered.
 *
 * @example
 * ```ts
 * import { ExtendedVmExits, openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setExtendedVmExits(ExtendedVmExits.X64CpuidExit);
 * partition.setCpuidExitList([7]);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0xa2], 0xfff0); // cpuid
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 7n);
 * const exit = await vp.run();
 * if (exit.reason !== "cpuid") throw new Error(exit.reason);
 * assertEquals([exit.leaf, exit.subleaf], [7, 0]);
 * ```
 */
export class CpuidExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "cpuid";
  /** The leaf: EAX. */
  get leaf(): number {
    return this.view.getUint32(CPUID.Rax.offset, true);
  }
  /** The subleaf: ECX. */
  get subleaf(): number {
    return this.view.getUint32(CPUID.Rcx.offset, true);
  }
  /** RAX before the instruction. */
  get rax(): bigint {
    return CPUID.Rax.get(this.view);
  }
  /** RBX before the instruction. */
  get rbx(): bigint {
    return CPUID.Rbx.get(this.view);
  }
  /** RCX before the instruction. */
  get rcx(): bigint {
    return CPUID.Rcx.get(this.view);
  }
  /** RDX before the instruction. */
  get rdx(): bigint {
    return CPUID.Rdx.get(this.view);
  }
  /** What RAX would become. */
  get defaultRax(): bigint {
    return CPUID.DefaultResultRax.get(this.view);
  }
  /** What RBX would become. */
  get defaultRbx(): bigint {
    return CPUID.DefaultResultRbx.get(this.view);
  }
  /** What RCX would become. */
  get defaultRcx(): bigint {
    return CPUID.DefaultResultRcx.get(this.view);
  }
  /** What RDX would become. */
  get defaultRdx(): bigint {
    return CPUID.DefaultResultRdx.get(this.view);
  }
}

const EXCEPTION = CONTEXT.VpException;

/**
 * An exception whose vector is in the exception exit bitmap.
 *
 * @example
 * ```ts
 * import { ExtendedVmExits, openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setExtendedVmExits(ExtendedVmExits.ExceptionExit);
 * partition.setExceptionExitBitmap(1n << 6n); // #UD
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0x0b], 0xfff0); // ud2
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * if (exit.reason !== "exception") throw new Error(exit.reason);
 * assertEquals([exit.vector, exit.errorCodeValid], [6, false]);
 * ```
 */
export class ExceptionExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "exception";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = EXCEPTION.InstructionBytes.get(
    this.view,
  );
  /** How many bytes of the instruction are known; may be 0. */
  get instructionByteCount(): number {
    return EXCEPTION.InstructionByteCount.get(this.view);
  }
  /** The exception's vector. */
  get vector(): number {
    return EXCEPTION.ExceptionType.get(this.view);
  }
  /** The exception has an error code. */
  get errorCodeValid(): boolean {
    return EXCEPTION.ExceptionInfo.ErrorCodeValid.get(this.view) !== 0;
  }
  /** INT3, INTO or INT1, not a fault. */
  get softwareException(): boolean {
    return EXCEPTION.ExceptionInfo.SoftwareException.get(this.view) !== 0;
  }
  /** The error code; only if `errorCodeValid`. */
  get errorCode(): number {
    return EXCEPTION.ErrorCode.get(this.view);
  }
  /** #PF: the faulting address. #DB: what DR6 would get. */
  get parameter(): bigint {
    return EXCEPTION.ExceptionParameter.get(this.view);
  }
}
