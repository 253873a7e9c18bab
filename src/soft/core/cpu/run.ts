// The loop: executes the current VP until its slice ends, it exits or it waits.
//
// The inner loop calls a record's handler and goes on with the record it
// returns. Everything else (boundary.ts, exceptions.ts) happens between
// instructions, and only when a handler returned 0 or the chunk was used up. A
// chunk never runs past the next APIC timer event, so time is exact.
import { cacheFlush } from "../code/cache";
import { inner, innerCur, innerLeft } from "../code/inner";
import {
  ACTIVITY,
  DBGPEND,
  DR7,
  EFL,
  F_EXIT,
  F_POINT,
  F_SYNC,
  FAULT,
  HIT_COUNT,
  LATE,
  P_INT,
  PASS,
  PENDING,
  RIP,
  SHADOW,
  SHADOWNEW,
} from "../layout";
import { flagsChanged } from "./mode";
import { isRepeated, isRepeatedInMemory, REC } from "../code/record";
import { sample, sampling } from "../code/regions";
import { forgetSpun, spun } from "./spin";
import { ipOf } from "../code/ip";
import { recheck, setRecheck } from "./recheck";
import { followClock, setSynced, ticks, time } from "../system/time";
import { enter } from "../code/lookup";
import { boundary, setSingle, single, timerDue } from "./boundary";
import {
  allowStepTrap,
  noStepTrap,
  onFault,
  onLateFault,
  setFaulting,
} from "./exceptions";
import { beginSlice, settle, settleOne, sliceLeft } from "./slice";
import { RUN_EXIT, RUN_SLICE, RUN_SPUN } from "../shared";
import {
  answering,
  beginAsking,
  declined,
  leaving,
  setLeaving,
} from "../system/access";
import { RFLAGS_RF, RFLAGS_TF } from "../x86/flags";
import { DR6_BS, DR7_ENABLES } from "../x86/debug_registers";
import { PASS_NONE, PASSING, pointsSlice, stepping } from "../points/pass";
import { withoutPoint } from "../points/code";
import { pointExit } from "../points/hits";
import { resumeRepeat } from "../points/repeat";
import { watching } from "../points/data";

let endIndex: u32 = 0;
let staleIndex: u32 = 0;

export function runInit(end: u32, stale: u32): void {
  endIndex = end;
  staleIndex = stale;
}

/** Instructions in which a sample waits for a branch to be taken. */
const MAX_TO_BRANCH: i32 = 128;

/** The next record that is entered is a sample. */
let sampleNext: bool = false;

/**
 * Instructions until the next sample: counted on over chunks that end early,
 * for some guests' all do.
 */
let untilSample: i32 = 1;

/** After an instruction that was passed, unless it is a REP's and goes on. */
function passDone(): void {
  if (load<u8>(PASS) & PASSING) store<u8>(PASS, PASS_NONE);
  flagsChanged();
}

/** After an instruction that ran alone: its shadow, its trap. */
export function afterInstruction(tf: bool): void {
  const shadow = load<u8>(SHADOWNEW);
  if (shadow != load<u8>(SHADOW)) {
    store<u8>(SHADOW, shadow);
    flagsChanged();
  }
  store<u8>(SHADOWNEW, 0);
  if (tf && !noStepTrap && shadow != 2) {
    store<u64>(DBGPEND, load<u64>(DBGPEND) | DR6_BS);
    flagsChanged();
  }
}

/** The instruction that was to be made alone has been, or an event instead. */
function stepDone(): u32 {
  pointExit();
  return RUN_EXIT;
}

/**
 * Executes the instruction of record `cur` with time up to date; what its
 * handler returns.
 */
function alone(cur: usize): usize {
  setSynced(true);
  beginAsking(
    answering && !single && !watching && !(load<u64>(DR7) & DR7_ENABLES) &&
      !isRepeated(cur),
  );
  let p = call_indirect<usize>(load<u16>(cur), cur);
  if (declined) {
    store<u32>(FAULT, 0);
    beginAsking(false);
    p = call_indirect<usize>(load<u16>(cur), cur);
  }
  beginAsking(false);
  setSynced(false);
  return p;
}

/** Executes the current VP for at most `budget` instructions. RUN_*. */
export function execute(budget: i32): u32 {
  followClock();
  beginSlice(budget);
  store<u32>(FAULT, 0);
  store<u32>(PENDING, load<u32>(PENDING) | P_INT);
  setRecheck(true);
  setLeaving(false);
  pointsSlice();
  const step = stepping();
  if (load<u32>(LATE)) {
    const r = onLateFault();
    if (r) return r;
  }
  while (true) {
    if (leaving) return RUN_SLICE;
    if (recheck || load<u32>(PENDING) || load<u8>(ACTIVITY)) {
      const r = boundary();
      if (r) return r;
      if (step && !load<u8>(PASS)) return stepDone();
    } else setSingle(false);
    if (sliceLeft <= 0) return RUN_SLICE;
    if (spun) {
      forgetSpun();
      return RUN_SPUN;
    }
    if (time >= timerDue) {
      setRecheck(true);
      continue;
    }
    const flags = load<u32>(EFL);
    const tf = (flags & RFLAGS_TF) != 0;
    allowStepTrap();
    let p = enter(load<u64>(RIP));
    if (p == 0) {
      if (load<u32>(FAULT) == F_SYNC) {
        store<u32>(FAULT, 0);
        cacheFlush();
        continue;
      }
      setFaulting(0);
      const r = onFault();
      if (r) return r;
      continue;
    }
    if (sampleNext) {
      sampleNext = false;
      sample(p);
    }
    const passed = load<u8>(PASS);
    if (passed) store<u8>(PASS, passed | PASSING);
    let chunk = sliceLeft;
    if (single) {
      chunk = 1;
      if (flags & RFLAGS_RF) store<u32>(EFL, flags & ~RFLAGS_RF);
    } else {
      // up to the instruction behind which the timer is due, not one more:
      // where chunks end must not say when it fires
      const room = timerDue - time;
      if (room < <u64> chunk * ticks) {
        chunk = <i32> ((room + ticks - 1) / ticks);
      }
    }
    let cur: usize;
    let left: i32;
    if (sampling && chunk > untilSample) {
      // a chunk that ends before a region that is too long for what is left of
      // it, or with a branch taken, soon after it has been long enough
      const most = chunk;
      chunk = untilSample;
      p = inner(p, chunk, true);
      if (p != 0 && innerLeft == chunk) {
        // nothing was executed
        chunk = most - chunk > MAX_TO_BRANCH ? chunk + MAX_TO_BRANCH : most;
        p = inner(p, chunk, false);
      }
      cur = innerCur;
      left = innerLeft;
      let more = most - chunk;
      if (more > MAX_TO_BRANCH) more = MAX_TO_BRANCH;
      while (p != 0 && p == cur + REC && more > 0) {
        more--;
        chunk++;
        p = inner(p, 1, false);
        cur = innerCur;
        left = innerLeft;
      }
      untilSample = sampling;
      if (p != 0) sample(p);
      else if (load<u32>(FAULT) == 0 && load<u16>(cur) == endIndex) {
        sampleNext = true; // straight code: its next block
      } else untilSample = max(left, 1);
    } else {
      p = inner(p, chunk, false);
      cur = innerCur;
      left = innerLeft;
      untilSample = max(untilSample - (chunk - left), 1);
    }
    let completed = true;
    if (p != 0) {
      store<u64>(RIP, ipOf(p));
      settle(chunk - left);
    } else if (load<u32>(FAULT) == 0) {
      const h = load<u16>(cur);
      if (h == endIndex || h == staleIndex) {
        settle(chunk - left);
        if (passed) store<u8>(PASS, passed);
        if (flags & RFLAGS_RF && single) {
          store<u32>(EFL, load<u32>(EFL) | RFLAGS_RF);
        }
        continue;
      }
      settle(chunk - left + 1);
    } else {
      settle(chunk - left);
      store<u64>(RIP, ipOf(cur));
      if (load<u32>(FAULT) == F_POINT) {
        store<u32>(FAULT, 0);
        if (flags & RFLAGS_RF && single) {
          store<u32>(EFL, load<u32>(EFL) | RFLAGS_RF);
        }
        pointExit();
        return RUN_EXIT;
      }
      if (load<u32>(FAULT) == F_SYNC) {
        store<u32>(FAULT, 0);
        followClock();
        const hits = load<u64>(DBGPEND);
        const noted = load<u32>(HIT_COUNT);
        resumeRepeat(isRepeatedInMemory(withoutPoint(cur)));
        p = alone(cur);
        resumeRepeat(false);
        if (load<u32>(FAULT) == 0) {
          if (p != 0) store<u64>(RIP, ipOf(p));
          settleOne();
        } else if (load<u32>(FAULT) != F_EXIT) {
          // data breakpoints trap after their instruction: this one has no
          // after
          store<u64>(DBGPEND, hits);
          store<u32>(HIT_COUNT, noted);
          flagsChanged();
        }
      }
      if (load<u32>(FAULT)) {
        completed = false;
        setFaulting(cur);
        // who completes it is to know that it is a step's
        if (step && load<u32>(FAULT) == F_EXIT) store<u8>(PASS, passed);
        else if (passed) passDone();
        if (flags & RFLAGS_RF && single) {
          store<u32>(EFL, load<u32>(EFL) | RFLAGS_RF);
        }
        const r = onFault();
        if (r) return r;
      }
    }
    if (completed) {
      if (passed) passDone();
      if (single || load<u8>(SHADOWNEW)) {
        afterInstruction(tf);
        if (single && flags & RFLAGS_RF) flagsChanged();
      }
    }
    if (step) return stepDone();
  }
}
