// How a VP passes the point that it is at.
import { A_HALT, A_RUN, ACTIVITY, P_PASS, PASS, PENDING } from "../layout";

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
 * As PASS_NEXT, and an exit behind it: behind one iteration of a REP, or at the
 * handler of an exception that comes first or instead.
 */
export const PASS_STEP: u8 = 5;

/** As PASS_STEP, with interrupts as ever: at the handler of one, then. */
const PASS_STEP_OPEN: u8 = 6;

/**
 * Together with one of them: the instruction is being executed (cpu/run.ts).
 */
export const PASSING: u8 = 0x80;

/** The VP in STATE passes that. */
export function passOn(pass: u8): void {
  store<u8>(PASS, pass);
  store<u32>(PENDING, load<u32>(PENDING) | P_PASS);
}

/** The next instruction of the VP in STATE is not stopped at: PASS_NEXT. */
export function pointPass(): void {
  passOn(PASS_NEXT);
}

/** Nobody wants to be told of the point that the VP in STATE is at. */
export function pointUntold(): void {
  passOn(PASS_UNTOLD);
}

/** The VP in STATE exits behind its next instruction; a halted one goes on. */
export function pointStep(open: bool): void {
  if (load<u8>(ACTIVITY) == A_HALT) store<u8>(ACTIVITY, <u8> A_RUN);
  passOn(open ? PASS_STEP_OPEN : PASS_STEP);
}

/** Takes back what the VP in STATE was to pass. */
export function pointPassNone(): void {
  store<u8>(PASS, PASS_NONE);
  store<u32>(PENDING, load<u32>(PENDING) & ~P_PASS);
}

/** Whether the VP in STATE is to exit behind its next instruction. */
export function stepping(): bool {
  return <u8> (load<u8>(PASS) & ~PASSING) >= PASS_STEP;
}

/** A slice begins: who spins is asked about again. */
export function pointsSlice(): void {
  if (load<u8>(PASS) == PASS_SPIN) pointPassNone();
}
