/** The guest under the debugger: its processors, and its memory as they see it. */
import type { Machine } from "../../machine/machine.ts";
import { kernelSpace } from "../linux/kernel.ts";
import { Vcpu } from "./vcpu.ts";
import { VirtualMemory } from "./vmemory.ts";
import { PageWalker, type Paging } from "../paging/walk.ts";

export class Guest {
  readonly machine: Machine;
  readonly vcpus: readonly Vcpu[];
  readonly walker: PageWalker;
  readonly memory: VirtualMemory;
  /** The processor that the last stop was told of. */
  lookedAt = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.vcpus = machine.processors.map((processor) => new Vcpu(processor));
    this.walker = new PageWalker(machine.memory);
    this.memory = new VirtualMemory(machine.memory, this.walker);
  }

  /** The address spaces that processors are in, that of the last stop first, and the
   * kernels' behind them. */
  spaces(): Paging[] {
    const looked = this.vcpus[this.lookedAt];
    const spaces: Paging[] = [
      looked,
      ...this.vcpus.filter((v) => v !== looked),
    ];
    for (const v of this.vcpus) {
      if (!v.processor.inRun) v.read();
      const kernel = kernelSpace(this.machine.memory, v);
      if (kernel !== null) spaces.push(kernel);
    }
    return spaces;
  }

  /** What was read of the processors is old. */
  changed(): void {
    this.machine.partition.changes++;
  }
}
