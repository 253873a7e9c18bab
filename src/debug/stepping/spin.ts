/**
 * A JMP to itself waits for an interrupt: one turn of it and a million are the same.
 * Stepped with interrupts held off, as by a debugger that judges a condition there
 * by itself, it would wait for ever.
 */
import type { Return } from "../../machine/outcome.ts";
import type { MemoryBreakpoints } from "../breakpoints/memory.ts";
import type { Vcpu } from "../guest/vcpu.ts";
import type { StepControl } from "./control.ts";
import type { StepResult } from "./results.ts";
import type { Watched } from "./watched.ts";

/** Host time that a step waits for an interrupt, and that it is given to come out of its
 * handler. */
const SPIN_MS = 1;
const HANDLER_MS = 100;
/** Interrupt vectors. */
const VECTORS = 256;

/** What stepping a JMP to itself needs. */
export interface Spinning {
  readonly control: StepControl;
  readonly inMemory: MemoryBreakpoints;
  readonly watched: Watched;
  /** Runs a processor freely. */
  run(v: Vcpu): Promise<Return>;
}

export class Spin {
  readonly #parts: Spinning;

  constructor(parts: Spinning) {
    this.#parts = parts;
  }

  /** Steps `v` (read), which is at one: up to an interrupt's handler, if one comes soon,
   * and out of it again if that takes not too long. Others may be held meanwhile. */
  async step(v: Vcpu): Promise<StepResult> {
    const { control, inMemory } = this.#parts;
    const { gates, course, breakpoints: { hardware } } = control;
    const at = v.linear;
    const handlers = new Set<bigint>();
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = gates.handler(v, vector);
      if (handler === null || handler === at || handlers.has(handler)) continue;
      if (inMemory.plant(handler, [v])) handlers.add(handler);
    }
    hardware.lift(v, at);
    try {
      const why = await this.#runFor(v, SPIN_MS, () => v.linear !== at);
      if (why !== "done" || v.linear === at || !course.goesOn) return why;
    } finally {
      for (const handler of handlers) inMemory.pull(handler);
      hardware.refresh(v);
    }
    // Whoever steps over the breakpoint there has lifted it.
    const own = inMemory.at(at);
    if (own !== undefined) inMemory.settle(own);
    if (!inMemory.plant(at, [v])) return "done";
    try {
      return await this.#runFor(v, HANDLER_MS, () => v.linear === at);
    } finally {
      inMemory.pull(at);
    }
  }

  /** Lets a processor run for some host time at most, until it has stopped and is `there`
   * or wants to be told something. */
  async #runFor(
    v: Vcpu,
    ms: number,
    there: () => boolean,
  ): Promise<StepResult> {
    const { control: { course, meaning }, watched } = this.#parts;
    const { processor } = v;
    let over = false;
    // Again and again: another one's step takes a request back.
    const timer = setInterval(() => {
      over = true;
      processor.requestReturn();
    }, ms);
    try {
      for (;;) {
        const why = await this.#parts.run(v);
        if (why.kind === "power") return why;
        if (course.goesOn && over) processor.clearRequest();
        const found = why.kind === "exception" ? meaning.of(v, why) : "go on";
        v.read();
        if (typeof found === "object" && "kind" in found) {
          if (found.kind === "watchpoint") watched.reason = found;
          return "done";
        }
        if (there() || over || !course.goesOn) return "done";
        // A breakpoint's, for whoever runs it next to judge.
        if (found !== "go on") return "done";
      }
    } finally {
      clearInterval(timer);
    }
  }
}
