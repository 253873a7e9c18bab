// How a VP passes the point that it is at.
import { P_PASS, PASS, PENDING } from "../layout";

/** What a VP passes without an exit (PASS). */
export const PASS_NONE: u8 = 0;

/** The next instruction, before any interrupt. */
export const PASS_NEXT: u8 = 1;

/** The next iteration of the REP that is under way. */
export const PASS_REP: u8 = 2;

/**
 * As PASS_NEXT, with interrupts as ever: nobody wants to be told (the filter).
 */
export const PASS_UNTOLD: u8 = 3;

/**
 * As PASS_UNTOLD, and again at the same JMP to itself: until an event comes, or
 * the slice ends, nothing can change that anybody would want to be told.
 */
export const PASS_SPIN: u8 = 4;

/**
 * Together with one of them: the instruction is being executed (cpu/run.ts).
 */
export const PASSING: u8 = 0x80;

/** The VP in STATE passes that. */
export function passOn(pass: u8): void {
  store<u8>(PASS, pass);
  store<u32>(PENDING, load<u32>(PENDING) | P_PASS);
}

/**
 * The next instruction of the VP in STATE is not stopped at, and comes before
 * any interrupt.
 */
export function pointPass(): void {
  passOn(PASS_NEXT);
}

/** Nobody wants to be told of the point that the VP in STATE is at. */
export function pointUntold(): void {
  passOn(PASS_UNTOLD);
}

/** A slice begins: who spins is asked about again. */
export function pointsSlice(): void {
  if (load<u8>(PASS) != PASS_SPIN) return;
  store<u8>(PASS, PASS_NONE);
  store<u32>(PENDING, load<u32>(PENDING) & ~P_PASS);
}
