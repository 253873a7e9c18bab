// Exits for what happened to the virtual processor: interrupts, halts, faults
// beyond repair, and what the APIC and the synthetic devices report.

import { WHV_RUN_VP_EXIT_CONTEXT as CONTEXT } from "../../ffi/exits.ts";
import { VpExit } from "./vp_exit.ts";

/** An interrupt can be delivered now, as asked for. */
export class InterruptWindowExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "interruptWindow";
  /** A PendingInterruption: what can be delivered. */
  get deliverableType(): number {
    return CONTEXT.InterruptWindow.DeliverableType.get(this.view);
  }
}

/** HLT, when the platform does not emulate the APIC. */
export class HaltExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "halt";
}

/** The end of a level-triggered interrupt. */
export class ApicEoiExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "apicEoi";
  /** The interrupt's vector. */
  get vector(): number {
    return CONTEXT.ApicEoi.InterruptVector.get(this.view);
  }
}

/** The run was canceled. */
export class CanceledExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "canceled";
  /** A CancelReason. */
  get cancelReason(): number {
    return CONTEXT.CancelReason.CancelReason.get(this.view);
  }
}

/** A triple fault. */
export class UnrecoverableExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "unrecoverable";
}

/** A register's value is not one the processor can run with. */
export class InvalidStateExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "invalidState";
}

/** The guest used what the platform does not support. */
export class UnsupportedFeatureExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "unsupportedFeature";
  /** An UnsupportedFeature. */
  get feature(): number {
    return CONTEXT.UnsupportedFeature.FeatureCode.get(this.view);
  }
  /** More about it; depends on `feature`. */
  get parameter(): bigint {
    return CONTEXT.UnsupportedFeature.FeatureParameter.get(this.view);
  }
}

const HYPERCALL = CONTEXT.Hypercall;

/** A hypercall. */
export class HypercallExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "hypercall";
  /** XMM0-5, sixteen bytes each. */
  readonly xmm: Uint8Array = HYPERCALL.XmmRegisters.get(this.view);
  /** RAX before the instruction. */
  get rax(): bigint {
    return HYPERCALL.Rax.get(this.view);
  }
  /** RBX before the instruction. */
  get rbx(): bigint {
    return HYPERCALL.Rbx.get(this.view);
  }
  /** RCX before the instruction. */
  get rcx(): bigint {
    return HYPERCALL.Rcx.get(this.view);
  }
  /** RDX before the instruction. */
  get rdx(): bigint {
    return HYPERCALL.Rdx.get(this.view);
  }
  /** R8 before the instruction. */
  get r8(): bigint {
    return HYPERCALL.R8.get(this.view);
  }
  /** RSI before the instruction. */
  get rsi(): bigint {
    return HYPERCALL.Rsi.get(this.view);
  }
  /** RDI before the instruction. */
  get rdi(): bigint {
    return HYPERCALL.Rdi.get(this.view);
  }
}

/** RDTSC or RDTSCP. */
export class RdtscExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "rdtsc";
  /** RDTSCP, which also reads TSC_AUX. */
  get isRdtscp(): boolean {
    return CONTEXT.ReadTsc.RdtscInfo.IsRdtscp.get(this.view) !== 0;
  }
  /** What RDTSC would give. */
  get tsc(): bigint {
    return CONTEXT.ReadTsc.Tsc.get(this.view);
  }
  /** What RDTSCP would give in ECX. */
  get tscAux(): bigint {
    return CONTEXT.ReadTsc.TscAux.get(this.view);
  }
  /** What is added to the host TSC. */
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
  /** Which exit this is. */
  readonly reason = "initSipi";
  /** The value written to ICR. */
  get icr(): bigint {
    return CONTEXT.ApicInitSipi.ApicIcr.get(this.view);
  }
}

/** An SMI written to the APIC's ICR. */
export class SmiExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "smi";
  /** The value written to ICR. */
  get icr(): bigint {
    return CONTEXT.ApicSmi.ApicIcr.get(this.view);
  }
}

/** A write to an APIC register that is trapped. */
export class ApicWriteExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "apicWrite";
  /** An ApicWriteType. */
  get type(): number {
    return CONTEXT.ApicWrite.Type.get(this.view);
  }
  /** The value written. */
  get value(): bigint {
    return CONTEXT.ApicWrite.WriteValue.get(this.view);
  }
}

/** A synthetic interrupt source can take a message. */
export class SynicExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "synic";
  /** A bit for every source. */
  get deliverableSints(): number {
    return CONTEXT.SynicSintDeliverable.DeliverableSints.get(this.view);
  }
}

/** A reason that this version does not know, or none. */
export class UnknownExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "unknown";
  /** The ExitReason as written. */
  get code(): number {
    return CONTEXT.ExitReason.get(this.view);
  }
}
