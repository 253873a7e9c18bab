// Guest time: what it is made of, and whether it is exact where an instruction
// asks for it.
import { TICK } from "../shared";
import { F_SYNC, FAULT } from "../layout";
import { hostClock } from "./host";

/** Guest time (ns) that one instruction is taken to last. */
export const TICKS: u64 = <u64> TICK;

/**
 * By how much an instruction advances guest time; 0 where that follows the
 * host's clock.
 */
export let ticks: u64 = TICKS;

/** Guest time in ns; exact whenever `synced` or outside the inner loop. */
export let time: u64 = 0;

export function setTime(t: u64): void {
  time = t;
}

/** Whether guest time stands still (WHvSuspendPartitionTime). */
export let suspended: bool = false;

/** What the host's clock showed at guest time 0. */
let epoch: u64 = 0;

/** Sets what guest time is made of, before there is a partition. */
export function setTicks(n: u64): void {
  ticks = n;
}

/** Where guest time follows the host's clock: brings it up to date. */
@inline
export function followClock(): void {
  if (ticks == 0 && !suspended) time = hostClock() - epoch;
}

export function suspendTime(): void {
  followClock();
  suspended = true;
}

/** Guest time goes on from where it stands. */
export function resumeTime(): void {
  if (!suspended) return;
  if (ticks == 0) epoch = hostClock() - time;
  suspended = false;
}

/** Guest time begins. */
export function startTime(): void {
  time = 0;
  suspended = true;
  resumeTime();
}

/** True while a handler runs with time up to date. */
export let synced: bool = false;

export function setSynced(s: bool): void {
  synced = s;
}

/** What a time-dependent handler returns when time is not up to date. */
export function needSync(): usize {
  store<u32>(FAULT, F_SYNC);
  return 0;
}
