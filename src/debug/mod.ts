/** Debugging a machine from outside the guest: breakpoints, steps, registers, memory. */
import type { Machine } from "../machine/machine.ts";
import { Debugger } from "./debugger.ts";
import type { DebugTarget } from "./target.ts";

export type * from "./target.ts";

/** A debugger for a machine: what a protocol such as gdb's needs of it. */
export function attachDebugger(machine: Machine): DebugTarget {
  return new Debugger(machine);
}
