// The local APIC's timer: one-shot, periodic and TSC-deadline. Its bus clock
// is 1 GHz, so a count is one nanosecond of guest time before the divider.
// Nothing runs in the background: the state is a start time and the count it
// had then, and every access first settles what has expired by `now`.
// Source: Intel SDM vol. 3, APIC chapter, "APIC Timer".

import {
  LAPIC_OK,
  LAPIC_TIMER,
  LAPIC_X_DEADLINE,
  LAPIC_X_START_COUNT,
  LAPIC_X_START_TIME,
  LAPIC_X_TSC_OFFSET,
  lapicField,
  lapicSetField,
} from "./state";
import { lapicLocalInterrupt } from "./interrupt";
import { LapicRegister, Lvt } from "../x86/lapic";

const MODE_PERIODIC: u32 = 1;
const MODE_DEADLINE: u32 = 2;
const MODE_RESERVED: u32 = 3;

function modeOf(lvt: u32): u32 {
  return (lvt >> 17) & 3;
}

// log2 of the divider: 000b is 2 ... 110b is 128, 111b is 1; bit 2 of the
// register is not part of it.
function shift(base: usize): u64 {
  const config = lapicField(base, LapicRegister.DivideConfiguration);
  return ((config & 3) | ((config & 8) >> 1)) + 1 & 7;
}

function elapsed(base: usize, now: u64): u64 {
  const start = load<u64>(base + LAPIC_X_START_TIME);
  return now > start ? (now - start) >> shift(base) : 0;
}

function start(base: usize, now: u64, count: u32): void {
  store<u64>(base + LAPIC_X_START_TIME, now);
  lapicSetField(base, LAPIC_X_START_COUNT, count);
}

function tsc(base: usize, now: u64): u64 {
  return now + load<u64>(base + LAPIC_X_TSC_OFFSET);
}

/**
 * Lets the timer expire if it is due at guest time `now`. Periods that passed
 * unserved give one interrupt. LAPIC_RECHECK if it delivered one.
 */
export function lapicTimerTick(base: usize, now: u64): i32 {
  const mode = modeOf(lapicField(base, LapicRegister.LvtTimer));
  if (mode == MODE_DEADLINE) {
    const deadline = load<u64>(base + LAPIC_X_DEADLINE);
    if (deadline == 0 || tsc(base, now) < deadline) return LAPIC_OK;
    store<u64>(base + LAPIC_X_DEADLINE, 0);
    return lapicLocalInterrupt(base, LapicRegister.LvtTimer);
  }
  const count = lapicField(base, LAPIC_X_START_COUNT);
  if (count == 0) return LAPIC_OK;
  const ticks = elapsed(base, now);
  if (ticks < count) return LAPIC_OK;
  if (mode == MODE_PERIODIC) {
    const period: u64 = lapicField(base, LapicRegister.InitialCount);
    const whole = count + (ticks - count) / period * period;
    const began = load<u64>(base + LAPIC_X_START_TIME);
    start(base, began + (whole << shift(base)), <u32> period);
  } else {
    lapicSetField(base, LAPIC_X_START_COUNT, 0);
  }
  return lapicLocalInterrupt(base, LapicRegister.LvtTimer);
}

/**
 * Guest time at which the timer next delivers an interrupt, u64.MAX_VALUE if
 * never. While masked it still counts, but there is nothing to wake up for.
 */
export function lapicTimerDue(base: usize): u64 {
  const lvt = lapicField(base, LapicRegister.LvtTimer);
  if ((lvt & Lvt.Masked) != 0) return u64.MAX_VALUE;
  if (modeOf(lvt) == MODE_DEADLINE) {
    const deadline = load<u64>(base + LAPIC_X_DEADLINE);
    if (deadline == 0) return u64.MAX_VALUE;
    const offset = load<i64>(base + LAPIC_X_TSC_OFFSET);
    if (offset >= 0) {
      return deadline > <u64> offset ? deadline - <u64> offset : 0;
    }
    const due = deadline - <u64> offset;
    return due < deadline ? u64.MAX_VALUE : due;
  }
  const count: u64 = lapicField(base, LAPIC_X_START_COUNT);
  if (count == 0) return u64.MAX_VALUE;
  return load<u64>(base + LAPIC_X_START_TIME) + (count << shift(base));
}

/** The current-count register at `now`. */
export function lapicCurrentCount(base: usize, now: u64): u32 {
  const count = lapicField(base, LAPIC_X_START_COUNT);
  if (count == 0) return 0;
  const ticks = elapsed(base, now);
  if (ticks < count) return <u32> (count - ticks);
  if (modeOf(lapicField(base, LapicRegister.LvtTimer)) != MODE_PERIODIC) {
    return 0;
  }
  const period: u64 = lapicField(base, LapicRegister.InitialCount);
  return <u32> (period - (ticks - count) % period);
}

/** Writes the initial count: starts the timer, 0 stops it. */
export function lapicWriteInitialCount(
  base: usize,
  value: u32,
  now: u64,
): i32 {
  if (modeOf(lapicField(base, LapicRegister.LvtTimer)) == MODE_DEADLINE) {
    return LAPIC_OK;
  }
  const settled = lapicTimerTick(base, now);
  lapicSetField(base, LapicRegister.InitialCount, value);
  start(base, now, value);
  return settled | LAPIC_TIMER;
}

/** Writes the divide configuration: the count goes on at the new speed. */
export function lapicWriteDivide(base: usize, value: u32, now: u64): i32 {
  const settled = lapicTimerTick(base, now);
  const count = lapicCurrentCount(base, now);
  lapicSetField(base, LapicRegister.DivideConfiguration, value & 0xb);
  start(base, now, count);
  return settled | LAPIC_TIMER;
}

/**
 * Writes the timer's LVT entry. Entering or leaving TSC-deadline mode
 * disarms the timer; a switch between one-shot and periodic lets it count on.
 */
export function lapicWriteTimerLvt(base: usize, value: u32, now: u64): i32 {
  const settled = lapicTimerTick(base, now);
  const before = modeOf(lapicField(base, LapicRegister.LvtTimer));
  const after = modeOf(value);
  lapicSetField(base, LapicRegister.LvtTimer, value);
  if (
    (before == MODE_DEADLINE) != (after == MODE_DEADLINE) ||
    after == MODE_RESERVED
  ) {
    store<u64>(base + LAPIC_X_DEADLINE, 0);
    lapicSetField(base, LapicRegister.InitialCount, 0);
    start(base, now, 0);
  }
  return settled | LAPIC_TIMER;
}

/** Reads IA32_TSC_DEADLINE: 0 in the other modes and once it has passed. */
export function lapicReadDeadline(base: usize, now: u64): u64 {
  const deadline = load<u64>(base + LAPIC_X_DEADLINE);
  return tsc(base, now) < deadline ? deadline : 0;
}

/**
 * Writes IA32_TSC_DEADLINE, in TSC ticks: 0 disarms, a value that has passed
 * fires at once. Ignored in the other modes.
 */
export function lapicWriteDeadline(base: usize, value: u64, now: u64): i32 {
  if (modeOf(lapicField(base, LapicRegister.LvtTimer)) != MODE_DEADLINE) {
    return LAPIC_OK;
  }
  const settled = lapicTimerTick(base, now);
  store<u64>(base + LAPIC_X_DEADLINE, value);
  return settled | lapicTimerTick(base, now) | LAPIC_TIMER;
}

/** The processor's TSC is guest time plus `offset` from now on. */
export function lapicSetTscOffset(base: usize, offset: i64, now: u64): i32 {
  const settled = lapicTimerTick(base, now);
  store<i64>(base + LAPIC_X_TSC_OFFSET, offset);
  return settled | lapicTimerTick(base, now) | LAPIC_TIMER;
}
