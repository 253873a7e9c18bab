/** Runs a processor, with regard to those who hold others, and to what it starts. */
import { CANCELED, COMPLETED, type Return } from "../../machine/outcome.ts";
import type { Breakpoints } from "../breakpoints/breakpoints.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { Arming } from "./arming.ts";
import type { Course } from "./course.ts";
import { awayUntil, type Exclusive } from "./exclusive.ts";
import type { Startups } from "./startups.ts";

/** What running needs. */
export interface Running {
  readonly breakpoints: Breakpoints;
  readonly course: Course;
  readonly exclusive: Exclusive;
  readonly startups: Startups;
  readonly arming: Arming;
}

export class Runner {
  readonly #parts: Running;

  constructor(parts: Running) {
    this.#parts = parts;
  }

  /** Runs a processor, unless somebody holds it. `single`: as Processor.run() has it. */
  async run(v: Vcpu, single: boolean): Promise<Return> {
    const { course, exclusive, startups, arming } = this.#parts;
    const { hardware } = this.#parts.breakpoints;
    for (;;) {
      if (hardware.crowded && !exclusive.holds(v.index)) {
        await awayUntil(v, arming.sync());
      }
      // From here to the platform's run nothing is waited for.
      while (exclusive.blocks(v.index)) {
        if (!course.goesOn) return CANCELED;
        await exclusive.wait(v.index);
      }
      let why: Return;
      try {
        why = await v.processor.run(single);
      } finally {
        exclusive.returned(v.index);
      }
      if (why.kind !== "startup") return why;
      await startups.send(v, why);
      if (single) return COMPLETED;
    }
  }
}
