// What makes the loop look again before the next instruction.
import { P_INT, PENDING } from "../layout";

/**
 * Something about interrupts, timers or other VPs changed: the loop looks
 * again.
 */
export let recheck: bool = false;

export function setRecheck(r: bool): void {
  recheck = r;
}

export function wantInterrupts(): void {
  recheck = true;
  store<u32>(PENDING, load<u32>(PENDING) | P_INT);
}
