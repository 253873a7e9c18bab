// How far a run has come, and how it ends.
import { ICOUNT } from "../layout";
import { setTime, suspended, ticks, time } from "../system/time";

/** Instructions that the slice has left. */
export let sliceLeft: i32 = 0;

/** All instructions that all VPs completed. */
export let total: u64 = 0;
export function setTotal(n: u64): void {
  total = n;
}

export function beginSlice(budget: i32): void {
  sliceLeft = budget;
}

/** Accounts for n completed instructions. */
export function settle(n: i32): void {
  if (!suspended) setTime(time + <u64> n * ticks);
  store<u64>(ICOUNT, load<u64>(ICOUNT) + n);
  total += n;
  sliceLeft -= n;
}

/** Whether the instruction that runs has been counted. */
let counted: bool = false;

/**
 * Counts the instruction that runs, for a device that it accesses; true the
 * first time.
 */
export function countEarly(): bool {
  if (counted) return false;
  counted = true;
  settle(1);
  return true;
}

/** Counts the instruction that has run, completed or not. */
export function settleOne(): void {
  if (counted) counted = false;
  else settle(1);
}
