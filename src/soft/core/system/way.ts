// How the instruction that runs reaches devices.

/** An access makes an exit. */
export const EXITS: u32 = 0;
/** The caller answers in the middle of the instruction (access.ts). */
export const ASKS: u32 = 1;
/** It is completed with a list of accesses (device.ts). */
export const LISTS: u32 = 2;
/** WinHvEmulation carries it out with callbacks (emulation.ts). */
export const CALLS: u32 = 3;

/** One of them. */
export let way: u32 = EXITS;

/** Changes it; what it was. */
export function setWay(to: u32): u32 {
  const was = way;
  way = to;
  return was;
}
