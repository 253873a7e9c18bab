/**
 * Where an instruction that is stepped with TF saves the flags: TF is taken out of there,
 * so that the guest never sees it.
 */
import { Reg } from "../../../ffi/registers.ts";
import { RegisterBatch } from "../../machine/batch.ts";
import { SYSTEM_32_BIT } from "../../x86/segments.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { VirtualMemory } from "../guest/vmemory.ts";
import type { Needs } from "./needs.ts";

/** Where a task's flags are in its TSS (Intel SDM volume 3, "Task-State Segment"). */
const TSS32_EFLAGS = 0x24n, TSS16_FLAG = 0x10n;

/** TR: which task runs. */
export interface TaskState {
  readonly selector: number;
  readonly base: bigint;
  /** Whether it is a 32-bit TSS. */
  readonly wide: boolean;
}

export class SavedFlags {
  readonly #memory: VirtualMemory;
  readonly #image = new Uint8Array(1);
  readonly #task = new RegisterBatch(Reg.Tr);

  constructor(memory: VirtualMemory) {
    this.#memory = memory;
  }

  /** The task state that the instruction at `v` may leave for another one's; null if it
   * cannot. */
  taskLeft(v: Vcpu, { switchesTask }: Needs): TaskState | null {
    if (!switchesTask || !v.protectedMode || v.longMode) return null;
    return this.#taskOf(v);
  }

  #taskOf(v: Vcpu): TaskState {
    const task = this.#task;
    task.read(v);
    return {
      selector: task.selector(0),
      base: task.base(0),
      wide: (task.attributes(0) & SYSTEM_32_BIT) !== 0,
    };
  }

  /** A task switch, if there was one, has saved EFLAGS with TF. */
  clearInTask(v: Vcpu, { selector, base, wide }: TaskState): void {
    if (this.#taskOf(v).selector === selector) return;
    this.#clear(v, base + (wide ? TSS32_EFLAGS : TSS16_FLAG));
  }

  /** PUSHF has pushed TF. */
  clearPushed(v: Vcpu): void {
    this.#clear(v, v.stack);
  }

  /** Clears TF in an image of the flags: bit 8, which is in its second byte. */
  #clear(v: Vcpu, image: bigint): void {
    const at = image + 1n;
    if (this.#memory.read(v, at, this.#image) < 1) return;
    this.#image[0] &= ~1;
    this.#memory.write(v, at, this.#image);
  }
}
