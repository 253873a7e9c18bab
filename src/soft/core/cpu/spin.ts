// Instructions that wait for another processor: PAUSE, and locked ones that did
// not change their word. Who executes many of them in its turn is better off
// when the others run, so the turn ends there; what a guest sees are the same
// instructions.
import { REC } from "../code/record";
import { leave } from "../code/ip";
import { CALLS, way } from "../system/way";

/** How many more of them the turn has; 0 is no end. */
let left: u32 = 0;
/** They are used up: the VP is to return before its next instruction. */
export let spun: bool = false;

/** A turn begins, or goes on, with `n` of them, or any number if that is 0. */
export function allowSpins(n: u32): void {
  left = n;
  spun = false;
}

/** For snapshots: what is left, and whether they are used up. */
export function spinState(): u64 {
  return (<u64> left << 1) | <u64> spun;
}
export function setSpinState(s: u64): void {
  left = <u32> (s >> 1);
  spun = (s & 1) != 0;
}

/** The turn has ended for it. */
export function forgetSpun(): void {
  spun = false;
}

/** The end of the handler of one of them. */
export function spin(p: usize): usize {
  if (left == 0 || way == CALLS || --left != 0) return p + REC;
  spun = true;
  return leave(p);
}
