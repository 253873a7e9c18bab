// How handlers report that an instruction did not complete. A handler raises
// and returns 0; the loop (run.ts) sees FAULT, leaves RIP at the instruction
// and acts.
import { F_EXC, FADDR, FAULT, FERR } from "../layout";
import { Vector } from "../x86/vectors";

/**
 * Raises an exception without error code (or with 0, where the vector has one).
 * Returns 0.
 */
export function raise(vector: u32): usize {
  store<u32>(FAULT, F_EXC | vector);
  store<u32>(FERR, 0);
  return 0;
}

/** Raises an exception with an error code. Returns 0. */
export function raiseErr(vector: u32, error: u32): usize {
  store<u32>(FAULT, F_EXC | vector);
  store<u32>(FERR, error);
  return 0;
}

export function raisePF(linear: u64, error: u32): void {
  store<u32>(FAULT, F_EXC | Vector.PF);
  store<u32>(FERR, error);
  store<u64>(FADDR, linear);
}

/** Raises #GP(err). Returns false. */
export function gp(err: u32): bool {
  raiseErr(Vector.GP, err);
  return false;
}

/** Raises #GP(0). Returns 0. */
export function gp0(): usize {
  return raiseErr(Vector.GP, 0);
}
