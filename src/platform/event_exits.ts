// Exits for what happened to the virtual processor: interrupts, halts, faults
// beyond repair, and what the APIC and the synthetic devices report.

import { WHV_RUN_VP_EXIT_CONTEXT as CONTEXT } from "../../ffi/exits.ts";
import { VpExit } from "./vp_exit.ts";

/**
 * An interrupt can be delivered now, as asked for.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xfb, 0x90, 0x90], 0xfff0); // sti; nop; nop
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.DeliverabilityNotifications, 2n); // InterruptNotification
 * const exit = await vp.run();
 * if (exit.reason !== "interruptWindow") throw new Error(exit.reason);
 * assertEquals(exit.rip, 0xfff2n); // behind the shadow of STI
 * ```
 */
export class InterruptWindowExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "interruptWindow";
  /** A PendingInterruption: what can be delivered. */
  get deliverableType(): number {
    return CONTEXT.InterruptWindow.DeliverableType.get(this.view);
  }
}

/**
 * HLT, when the platform does not emulate the APIC.
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
 * platform.guestMemory.set([0xf4], 0xfff0); // hlt
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * if (exit.reason !== "halt") throw new Error(exit.reason);
 * assertEquals(exit.rflags & 0x200n, 0n); // nothing will wake it
 * ```
 */
export class HaltExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "halt";
}

/**
 * The end of a level-triggered interrupt.
 *
 * @example
 * ```ts
 * import type { ApicEoiExit, Exit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: ApicEoiExit): string => `EOI of vector ${exit.vector}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "apicEoi" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "apicEoi", vector: 49 } as Exit), "EOI of vector 49");
 * ```
 */
export class ApicEoiExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "apicEoi";
  /** The interrupt's vector. */
  get vector(): number {
    return CONTEXT.ApicEoi.InterruptVector.get(this.view);
  }
}

/**
 * The run was canceled.
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
 * platform.guestMemory.set([0xeb, 0xfe], 0xfff0); // jmp to itself
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * setTimeout(() => vp.cancel());
 * const exit = await vp.run();
 * if (exit.reason !== "canceled") throw new Error(exit.reason);
 * assertEquals(exit.cancelReason, 0); // by the user
 * ```
 */
export class CanceledExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "canceled";
  /** A CancelReason. */
  get cancelReason(): number {
    return CONTEXT.CancelReason.CancelReason.get(this.view);
  }
}

/**
 * A triple fault.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0x0b], 0xfff0); // ud2
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * // No vector fits: the fault and the double fault cannot be delivered.
 * vp.setTable(Reg.Idtr, { base: 0n, limit: 0 });
 * const exit = await vp.run();
 * if (exit.reason !== "unrecoverable") throw new Error(exit.reason);
 * assertEquals(exit.rip, 0xfff0n);
 * ```
 */
export class UnrecoverableExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "unrecoverable";
}

/**
 * A register's value is not one the processor can run with.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x90], 0xfff0); // nop
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Cr0, 0x8000_0000n); // PG without PE
 * const exit = await vp.run();
 * if (exit.reason !== "invalidState") throw new Error(exit.reason);
 * assertEquals(vp.get(Reg.Cr0), 0x8000_0000n);
 * ```
 */
export class InvalidStateExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "invalidState";
}

/**
 * The guest used what the platform does not support.
 *
 * @example
 * ```ts
 * import type { Exit, UnsupportedFeatureExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: UnsupportedFeatureExit): string => `feature ${exit.feature}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "unsupportedFeature" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "unsupportedFeature", feature: 1 } as Exit), "feature 1");
 * ```
 */
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

/**
 * A hypercall.
 *
 * @example
 * ```ts
 * import type { Exit, HypercallExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: HypercallExit): string => `call ${exit.rcx & 0xffffn}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "hypercall" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "hypercall", rcx: 0x1_0002n } as Exit), "call 2");
 * ```
 */
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

/**
 * RDTSC or RDTSCP.
 *
 * @example
 * ```ts
 * import { ExtendedVmExits, openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setExtendedVmExits(ExtendedVmExits.X64RdtscExit);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0x31], 0xfff0); // rdtsc
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * if (exit.reason !== "rdtsc") throw new Error(exit.reason);
 * assertEquals(exit.isRdtscp, false);
 * ```
 */
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

/**
 * An INIT or SIPI written to the APIC's ICR.
 *
 * @example
 * ```ts
 * import type { Exit, InitSipiExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: InitSipiExit): string => (exit.icr >> 8n & 7n) === 5n ? "INIT" : "SIPI";
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "initSipi" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "initSipi", icr: 0x4500n } as Exit), "INIT");
 * ```
 */
export class InitSipiExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "initSipi";
  /** The value written to ICR. */
  get icr(): bigint {
    return CONTEXT.ApicInitSipi.ApicIcr.get(this.view);
  }
}

/**
 * An SMI written to the APIC's ICR.
 *
 * @example
 * ```ts
 * import type { Exit, SmiExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: SmiExit): string => `ICR ${exit.icr}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "smi" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "smi", icr: 0x200n } as Exit), "ICR 512");
 * ```
 */
export class SmiExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "smi";
  /** The value written to ICR. */
  get icr(): bigint {
    return CONTEXT.ApicSmi.ApicIcr.get(this.view);
  }
}

/**
 * A write to an APIC register that is trapped.
 *
 * @example
 * ```ts
 * import type { ApicWriteExit, Exit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: ApicWriteExit): string => `${exit.type}: ${exit.value}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "apicWrite" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "apicWrite", type: 0xd0, value: 1n } as Exit), "208: 1");
 * ```
 */
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

/**
 * A synthetic interrupt source can take a message.
 *
 * @example
 * ```ts
 * import type { Exit, SynicExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: SynicExit): string => `SINTs ${exit.deliverableSints.toString(2)}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "synic" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "synic", deliverableSints: 5 } as Exit), "SINTs 101");
 * ```
 */
export class SynicExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "synic";
  /** A bit for every source. */
  get deliverableSints(): number {
    return CONTEXT.SynicSintDeliverable.DeliverableSints.get(this.view);
  }
}

/**
 * A reason that this version does not know, or none.
 *
 * @example
 * ```ts
 * import type { Exit, UnknownExit } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const note = (exit: UnknownExit): string => `reason ${exit.code}`;
 * const noteOf = (exit: Exit): string | null =>
 *   exit.reason === "unknown" ? note(exit) : null;
 * assertEquals(noteOf({ reason: "canceled" } as Exit), null);
 * assertEquals(noteOf({ reason: "unknown", code: 99 } as Exit), "reason 99");
 * ```
 */
export class UnknownExit extends VpExit {
  /** Which exit this is. */
  readonly reason = "unknown";
  /** The ExitReason as written. */
  get code(): number {
    return CONTEXT.ExitReason.get(this.view);
  }
}
