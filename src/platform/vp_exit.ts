// What every exit has in common: where the virtual processor stopped.

import {
  WHV_RUN_VP_EXIT_CONTEXT as CONTEXT,
  WHV_VP_EXIT_CONTEXT,
} from "../../ffi/exits.ts";
import type { Segment } from "../x86/segments.ts";
import { SegmentView } from "./segments.ts";

const VP = CONTEXT.VpContext;
const STATE = VP.ExecutionState;

/** Where the reason's own part starts in the exit context. */
export const REASON_OFFSET: number = VP.offset + WHV_VP_EXIT_CONTEXT.size;

/**
 * What every exit carries: where the virtual processor stopped.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, type VpExit } from "@icebp/icebp";
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
 * const linear = (exit: VpExit) => exit.cs.base + exit.rip;
 * assertEquals(linear(await vp.run()), 0xfffffff0n);
 * ```
 */
export abstract class VpExit {
  /** The exit context, as the platform wrote it. */
  protected readonly view: DataView;
  /** CS, valid until the processor runs again. */
  readonly cs: Segment;

  /** `view` is of the exit context. */
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
