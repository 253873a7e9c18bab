// How handlers report that an instruction did not complete. A handler raises
// and returns 0; the loop (run.ts) sees FAULT, leaves RIP at the instruction
// and acts.
import { F_EXC, FADDR, FAULT, FERR } from "../layout";

export const DE: u32 = 0;
export const DB: u32 = 1;
export const NMI: u32 = 2;
export const BP: u32 = 3;
export const OF_: u32 = 4;
export const BR: u32 = 5;
export const UD: u32 = 6;
export const NM: u32 = 7;
export const DFAULT: u32 = 8;
export const TS: u32 = 10;
export const NP: u32 = 11;
export const SS_: u32 = 12;
export const GP: u32 = 13;
export const PF_: u32 = 14;
export const MF: u32 = 16;
export const AC_: u32 = 17;
export const XM: u32 = 19;

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
  store<u32>(FAULT, F_EXC | PF_);
  store<u32>(FERR, error);
  store<u64>(FADDR, linear);
}

/** Raises #GP(err). Returns false. */
export function gp(err: u32): bool {
  raiseErr(GP, err);
  return false;
}

/** Raises #GP(0). Returns 0. */
export function gp0(): usize {
  return raiseErr(GP, 0);
}
