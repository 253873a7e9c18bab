/** Runs a processor, with regard to those who hold others, and to what it starts. */
import type { Return } from "../../machine/processor.ts";
import type { HardwareBreakpoints } from "../breakpoints/hardware.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { Arming } from "./arming.ts";
import type { Course } from "./course.ts";
import type { Exclusive } from "./exclusive.ts";
import type { Startups } from "./startups.ts";

/** What running needs. */
export interface Running {
  readonly course: Course;
  readonly exclusive: Exclusive;
  readonly startups: Startups;
  readonly arming: Arming;
}

export class Runner {
  readonly #parts: Running;
  readonly #hardware: HardwareBreakpoints;

  constructor(parts: Running, hardware: HardwareBreakpoints) {
    this.#parts = parts;
    this.#hardware = hardware;
  }

  /** Runs a processor, unless somebody holds it. `single`: as Processor.run() has it. */
  async run(v: Vcpu, single: boolean): Promise<Return> {
    const { course, exclusive, startups, arming } = this.#parts;
    for (;;) {
      if (this.#hardware.crowded && !exclusive.holds(v.index)) {
        await arming.sync();
      }
      // From here to the platform's run nothing is waited for.
      while (exclusive.blocks(v.index)) {
        if (!course.goesOn) return "canceled";
        await exclusive.wait();
      }
      let why: Return;
      try {
        why = await v.processor.run(single);
      } finally {
        exclusive.returned(v.index);
      }
      if (why !== "startup") return why;
      await startups.send(v);
      if (single) return "completed";
    }
  }
}
