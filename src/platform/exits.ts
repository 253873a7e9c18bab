// Exits: what a virtual processor's run ended with. Each reason has a class
// whose getters read the bytes the platform wrote, when asked; the objects are
// made once per processor and used again, so an exit allocates nothing.

import {
  WHV_RUN_VP_EXIT_CONTEXT as CONTEXT,
  WHV_VP_EXIT_CONTEXT,
} from "../../ffi/exits.ts";
import { ExitReason } from "../../ffi/enums.ts";
import { type Segment, SegmentView } from "./segments.ts";

const VP = CONTEXT.VpContext;
const STATE = VP.ExecutionState;

/** Where the reason's own part starts in the exit context. */
export const REASON_OFFSET = VP.offset + WHV_VP_EXIT_CONTEXT.size;

const TWO_32 = 0x1_0000_0000;

/** What every exit carries: where the virtual processor stopped. */
export abstract class VpExit {
  /** The exit context, as the platform wrote it. */
  protected readonly view: DataView;
  /** CS, valid until the processor runs again. */
  readonly cs: Segment;

  constructor(view: DataView) {
    this.view = view;
    this.cs = new SegmentView(view, VP.Cs.offset);
  }

  /** The address of the instruction that caused the exit. */
  get rip(): bigint {
    return VP.Rip.get(this.view);
  }
  /** RFLAGS. */
  get rflags(): bigint {
    return VP.Rflags.get(this.view);
  }
  /** Bytes of the instruction; 0 if the platform does not know. */
  get instructionLength(): number {
    return VP.InstructionLength.get(this.view);
  }
  /** CR8, the task priority. */
  get cr8(): number {
    return VP.Cr8.get(this.view);
  }
  /** All of WHV_X64_VP_EXECUTION_STATE. */
  get executionState(): number {
    return STATE.AsUINT16.get(this.view);
  }
  /** Current privilege level. */
  get cpl(): number {
    return STATE.Cpl.get(this.view);
  }
  /** CR0.PE: protected mode. */
  get cr0Pe(): boolean {
    return STATE.Cr0Pe.get(this.view) !== 0;
  }
  /** CR0.AM. */
  get cr0Am(): boolean {
    return STATE.Cr0Am.get(this.view) !== 0;
  }
  /** EFER.LMA: long mode is active. */
  get eferLma(): boolean {
    return STATE.EferLma.get(this.view) !== 0;
  }
  /** A debug register is enabled. */
  get debugActive(): boolean {
    return STATE.DebugActive.get(this.view) !== 0;
  }
  /** The processor was delivering an event: no instruction is to be emulated. */
  get interruptionPending(): boolean {
    return STATE.InterruptionPending.get(this.view) !== 0;
  }
  /** STI or MOV SS holds interrupts off for one instruction. */
  get interruptShadow(): boolean {
    return STATE.InterruptShadow.get(this.view) !== 0;
  }
}

const IO = CONTEXT.IoPortAccess;

/** IN, OUT, INS or OUTS. */
export class IoPortExit extends VpExit {
  readonly reason = "ioPort";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = IO.InstructionBytes.get(this.view);
  /** DS, for OUTS. */
  readonly ds: Segment = new SegmentView(this.view, IO.Ds.offset);
  /** ES, for INS. */
  readonly es: Segment = new SegmentView(this.view, IO.Es.offset);

  get instructionByteCount(): number {
    return IO.InstructionByteCount.get(this.view);
  }
  get port(): number {
    return IO.PortNumber.get(this.view);
  }
  /** Bytes: 1, 2 or 4. */
  get size(): number {
    return IO.AccessInfo.AccessSize.get(this.view);
  }
  get isWrite(): boolean {
    return IO.AccessInfo.IsWrite.get(this.view) !== 0;
  }
  /** INS or OUTS: to be emulated. */
  get isString(): boolean {
    return IO.AccessInfo.StringOp.get(this.view) !== 0;
  }
  get isRep(): boolean {
    return IO.AccessInfo.RepPrefix.get(this.view) !== 0;
  }
  get rax(): bigint {
    return IO.Rax.get(this.view);
  }
  /** The low half of RAX: what OUT writes, without a bigint. */
  get eax(): number {
    return this.view.getUint32(IO.Rax.offset, true);
  }
  get rcx(): bigint {
    return IO.Rcx.get(this.view);
  }
  get rsi(): bigint {
    return IO.Rsi.get(this.view);
  }
  get rdi(): bigint {
    return IO.Rdi.get(this.view);
  }
}

const MEMORY = CONTEXT.MemoryAccess;

/** An access to a guest-physical address that is not mapped, or not so. */
export class MemoryExit extends VpExit {
  readonly reason = "memory";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = MEMORY.InstructionBytes.get(
    this.view,
  );

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
  get gvaValid(): boolean {
    return MEMORY.AccessInfo.GvaValid.get(this.view) !== 0;
  }
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

/** RDMSR or WRMSR. */
export class MsrExit extends VpExit {
  readonly reason = "msr";
  get isWrite(): boolean {
    return MSR.AccessInfo.IsWrite.get(this.view) !== 0;
  }
  get msr(): number {
    return MSR.MsrNumber.get(this.view);
  }
  get rax(): bigint {
    return MSR.Rax.get(this.view);
  }
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

/** CPUID, with what the platform would have answered. */
export class CpuidExit extends VpExit {
  readonly reason = "cpuid";
  /** The leaf: EAX. */
  get leaf(): number {
    return this.view.getUint32(CPUID.Rax.offset, true);
  }
  /** The subleaf: ECX. */
  get subleaf(): number {
    return this.view.getUint32(CPUID.Rcx.offset, true);
  }
  get rax(): bigint {
    return CPUID.Rax.get(this.view);
  }
  get rbx(): bigint {
    return CPUID.Rbx.get(this.view);
  }
  get rcx(): bigint {
    return CPUID.Rcx.get(this.view);
  }
  get rdx(): bigint {
    return CPUID.Rdx.get(this.view);
  }
  get defaultRax(): bigint {
    return CPUID.DefaultResultRax.get(this.view);
  }
  get defaultRbx(): bigint {
    return CPUID.DefaultResultRbx.get(this.view);
  }
  get defaultRcx(): bigint {
    return CPUID.DefaultResultRcx.get(this.view);
  }
  get defaultRdx(): bigint {
    return CPUID.DefaultResultRdx.get(this.view);
  }
}

const EXCEPTION = CONTEXT.VpException;

/** An exception whose vector is in the exception exit bitmap. */
export class ExceptionExit extends VpExit {
  readonly reason = "exception";
  /** Sixteen bytes, of which `instructionByteCount` are the instruction's. */
  readonly instructionBytes: Uint8Array = EXCEPTION.InstructionBytes.get(
    this.view,
  );
  get instructionByteCount(): number {
    return EXCEPTION.InstructionByteCount.get(this.view);
  }
  /** The exception's vector. */
  get vector(): number {
    return EXCEPTION.ExceptionType.get(this.view);
  }
  get errorCodeValid(): boolean {
    return EXCEPTION.ExceptionInfo.ErrorCodeValid.get(this.view) !== 0;
  }
  /** INT3, INTO or INT1, not a fault. */
  get softwareException(): boolean {
    return EXCEPTION.ExceptionInfo.SoftwareException.get(this.view) !== 0;
  }
  get errorCode(): number {
    return EXCEPTION.ErrorCode.get(this.view);
  }
  /** #PF: the faulting address. #DB: what DR6 would get. */
  get parameter(): bigint {
    return EXCEPTION.ExceptionParameter.get(this.view);
  }
}

/** An interrupt can be delivered now, as asked for. */
export class InterruptWindowExit extends VpExit {
  readonly reason = "interruptWindow";
  /** A PendingInterruption: what can be delivered. */
  get deliverableType(): number {
    return CONTEXT.InterruptWindow.DeliverableType.get(this.view);
  }
}

/** HLT, when the platform does not emulate the APIC. */
export class HaltExit extends VpExit {
  readonly reason = "halt";
}

/** The end of a level-triggered interrupt. */
export class ApicEoiExit extends VpExit {
  readonly reason = "apicEoi";
  get vector(): number {
    return CONTEXT.ApicEoi.InterruptVector.get(this.view);
  }
}

/** The run was canceled. */
export class CanceledExit extends VpExit {
  readonly reason = "canceled";
  /** A CancelReason. */
  get cancelReason(): number {
    return CONTEXT.CancelReason.CancelReason.get(this.view);
  }
}

/** A triple fault. */
export class UnrecoverableExit extends VpExit {
  readonly reason = "unrecoverable";
}

/** A register's value is not one the processor can run with. */
export class InvalidStateExit extends VpExit {
  readonly reason = "invalidState";
}

/** The guest used what the platform does not support. */
export class UnsupportedFeatureExit extends VpExit {
  readonly reason = "unsupportedFeature";
  /** An UnsupportedFeature. */
  get feature(): number {
    return CONTEXT.UnsupportedFeature.FeatureCode.get(this.view);
  }
  get parameter(): bigint {
    return CONTEXT.UnsupportedFeature.FeatureParameter.get(this.view);
  }
}

const HYPERCALL = CONTEXT.Hypercall;

/** A hypercall. */
export class HypercallExit extends VpExit {
  readonly reason = "hypercall";
  /** XMM0-5, sixteen bytes each. */
  readonly xmm: Uint8Array = HYPERCALL.XmmRegisters.get(this.view);
  get rax(): bigint {
    return HYPERCALL.Rax.get(this.view);
  }
  get rbx(): bigint {
    return HYPERCALL.Rbx.get(this.view);
  }
  get rcx(): bigint {
    return HYPERCALL.Rcx.get(this.view);
  }
  get rdx(): bigint {
    return HYPERCALL.Rdx.get(this.view);
  }
  get r8(): bigint {
    return HYPERCALL.R8.get(this.view);
  }
  get rsi(): bigint {
    return HYPERCALL.Rsi.get(this.view);
  }
  get rdi(): bigint {
    return HYPERCALL.Rdi.get(this.view);
  }
}

/** RDTSC or RDTSCP. */
export class RdtscExit extends VpExit {
  readonly reason = "rdtsc";
  get isRdtscp(): boolean {
    return CONTEXT.ReadTsc.RdtscInfo.IsRdtscp.get(this.view) !== 0;
  }
  get tsc(): bigint {
    return CONTEXT.ReadTsc.Tsc.get(this.view);
  }
  get tscAux(): bigint {
    return CONTEXT.ReadTsc.TscAux.get(this.view);
  }
  get virtualOffset(): bigint {
    return CONTEXT.ReadTsc.VirtualOffset.get(this.view);
  }
  /** In units of 100 ns. */
  get referenceTime(): bigint {
    return CONTEXT.ReadTsc.ReferenceTime.get(this.view);
  }
}

/** An INIT or SIPI written to the APIC's ICR. */
export class InitSipiExit extends VpExit {
  readonly reason = "initSipi";
  get icr(): bigint {
    return CONTEXT.ApicInitSipi.ApicIcr.get(this.view);
  }
}

/** An SMI written to the APIC's ICR. */
export class SmiExit extends VpExit {
  readonly reason = "smi";
  get icr(): bigint {
    return CONTEXT.ApicSmi.ApicIcr.get(this.view);
  }
}

/** A write to an APIC register that is trapped. */
export class ApicWriteExit extends VpExit {
  readonly reason = "apicWrite";
  /** An ApicWriteType. */
  get type(): number {
    return CONTEXT.ApicWrite.Type.get(this.view);
  }
  get value(): bigint {
    return CONTEXT.ApicWrite.WriteValue.get(this.view);
  }
}

/** A synthetic interrupt source can take a message. */
export class SynicExit extends VpExit {
  readonly reason = "synic";
  /** A bit for every source. */
  get deliverableSints(): number {
    return CONTEXT.SynicSintDeliverable.DeliverableSints.get(this.view);
  }
}

/** A reason that this version does not know, or none. */
export class UnknownExit extends VpExit {
  readonly reason = "unknown";
  /** The ExitReason as written. */
  get code(): number {
    return CONTEXT.ExitReason.get(this.view);
  }
}

/** Why a run ended; `reason` tells which. */
export type Exit =
  | IoPortExit
  | MemoryExit
  | MsrExit
  | CpuidExit
  | ExceptionExit
  | InterruptWindowExit
  | HaltExit
  | ApicEoiExit
  | CanceledExit
  | UnrecoverableExit
  | InvalidStateExit
  | UnsupportedFeatureExit
  | HypercallExit
  | RdtscExit
  | InitSipiExit
  | SmiExit
  | ApicWriteExit
  | SynicExit
  | UnknownExit;

/** Finds the exit object for the bytes in one virtual processor's context. */
export class ExitDecoder {
  readonly #view: DataView;
  readonly #exits: ReadonlyMap<number, Exit>;
  readonly #ioPort: IoPortExit;
  readonly #memory: MemoryExit;
  readonly #unknown: UnknownExit;

  /** `context` is a WHV_RUN_VP_EXIT_CONTEXT. */
  constructor(context: Uint8Array) {
    const view = new DataView(
      context.buffer,
      context.byteOffset,
      context.byteLength,
    );
    this.#view = view;
    this.#ioPort = new IoPortExit(view);
    this.#memory = new MemoryExit(view);
    this.#unknown = new UnknownExit(view);
    this.#exits = new Map<number, Exit>([
      [ExitReason.UnrecoverableException, new UnrecoverableExit(view)],
      [ExitReason.InvalidVpRegisterValue, new InvalidStateExit(view)],
      [ExitReason.UnsupportedFeature, new UnsupportedFeatureExit(view)],
      [ExitReason.X64InterruptWindow, new InterruptWindowExit(view)],
      [ExitReason.X64Halt, new HaltExit(view)],
      [ExitReason.X64ApicEoi, new ApicEoiExit(view)],
      [ExitReason.SynicSintDeliverable, new SynicExit(view)],
      [ExitReason.X64MsrAccess, new MsrExit(view)],
      [ExitReason.X64Cpuid, new CpuidExit(view)],
      [ExitReason.Exception, new ExceptionExit(view)],
      [ExitReason.X64Rdtsc, new RdtscExit(view)],
      [ExitReason.X64ApicSmiTrap, new SmiExit(view)],
      [ExitReason.Hypercall, new HypercallExit(view)],
      [ExitReason.X64ApicInitSipiTrap, new InitSipiExit(view)],
      [ExitReason.X64ApicWriteTrap, new ApicWriteExit(view)],
      [ExitReason.Canceled, new CanceledExit(view)],
    ]);
  }

  /** The object for the exit that the context holds now. */
  decode(): Exit {
    const code = CONTEXT.ExitReason.get(this.#view);
    // The two frequent reasons go without a look-up.
    if (code === ExitReason.X64IoPortAccess) return this.#ioPort;
    if (code === ExitReason.MemoryAccess) return this.#memory;
    return this.#exits.get(code) ?? this.#unknown;
  }
}
