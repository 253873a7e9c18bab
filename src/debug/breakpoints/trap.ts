/**
 * The one-byte instruction that breakpoints in memory are, and the exception that it
 * exits with. INT1 is nobody else's; but a host may give it to the guest where #DB is
 * intercepted (probe.ts finds out): SVM has an intercept of its own for it.
 */
import { Vector } from "../../x86/vectors.ts";

export interface Trap {
  readonly name: "INT1" | "INT3";
  readonly opcode: number;
  readonly vector: number;
  /** Whether guests use it themselves: debug registers come first then. */
  readonly isGuests: boolean;
}

export const INT1: Trap = {
  name: "INT1",
  opcode: 0xf1,
  vector: Vector.DB,
  isGuests: false,
};

/** The guest's own are intercepted with ours, and given back (Gates.ownInt3). */
export const INT3: Trap = {
  name: "INT3",
  opcode: 0xcc,
  vector: Vector.BP,
  isGuests: true,
};

/** Whether an exception is of the debugger's making, or may be: a debug exception, or the
 * one that breakpoints in memory exit with. */
export function isTrap(
  vector: number,
  inMemory: { readonly trap: Trap } | null,
): boolean {
  return vector === Vector.DB || vector === inMemory?.trap.vector;
}
