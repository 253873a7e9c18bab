/**
 * What a step is, as QEMU's stub has it chosen (`Qqemu.sstep`).
 * Source of facts: QEMU's documentation of its stub, "Changing single-stepping
 * behaviour".
 */
import type { Action } from "../debug/target.ts";

/** A step is one instruction; else it runs on. */
const ENABLE = 1;
/** Interrupts wait while it is made. */
const NOIRQ = 2;
/** So do timers. */
const NOTIMER = 4;

/** All that can be chosen, and what is without. */
export const SSTEP_ALL = ENABLE | NOIRQ | NOTIMER;

/** What a step does. The guest's clocks go on in any case: what waits is what timers
 * interrupt for. */
export function stepAction(sstep: number): Action {
  if ((sstep & ENABLE) === 0) return { kind: "continue" };
  if ((sstep & NOIRQ) !== 0) return { kind: "step" };
  return {
    kind: "step",
    interrupts: true,
    holdTimers: (sstep & NOTIMER) !== 0,
  };
}
