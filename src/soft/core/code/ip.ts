// Instruction pointers of records, and how a handler ends with one.
import { rLen, rOff } from "./record";
import {
  CODEBASE,
  MODE,
  MODE_LONG,
  RIP,
  S_CS,
  SEG_BASE,
  SEGS,
} from "../layout";

@inline
function cut(ip: u64): u64 {
  return load<u8>(MODE) == MODE_LONG ? ip : ip & 0xffffffff;
}

/** The linear address of the instruction at `ip`. */
@inline
export function linearIp(ip: u64): u64 {
  return load<u8>(MODE) == MODE_LONG
    ? ip
    : (ip + load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE)) & 0xffffffff;
}

/** RIP of the instruction of record p. */
export function ipOf(p: usize): u64 {
  return cut(load<u64>(CODEBASE) + rOff(p));
}

/** RIP of the instruction after that of record p. */
export function nextIp(p: usize): u64 {
  return cut(load<u64>(CODEBASE) + rOff(p) + rLen(p));
}

/** Completes the instruction and lets the loop look at what it changed. */
export function leave(p: usize): usize {
  store<u64>(RIP, nextIp(p));
  return 0;
}

/** Stays at this instruction (an interruptible REP); counts as completed. */
export function again(p: usize): usize {
  store<u64>(RIP, ipOf(p));
  return 0;
}
