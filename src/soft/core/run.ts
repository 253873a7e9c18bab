// The loop: executes the current VP until its slice ends, it exits or it waits.
//
// The inner loop calls a record's handler and goes on with the record it returns.
// Everything else (interrupts, traps, faults, time) happens here, between
// instructions, and only when a handler returned 0 or the chunk was used up. A
// chunk never runs past the next APIC timer event, so time is exact.
import {
  answering,
  beginAsking,
  declined,
  leaving,
  setLeaving,
} from "./access";
import { cacheFlush, enter, poolFull } from "./cache";
import { raiseErr } from "./fault";
import { GP, PF_, SS_ } from "./fault";
import { getFlags, IF, RF, TF } from "./flags";
import {
  apicMode,
  beginExit,
  eoiVector,
  EXIT_EOI,
  EXIT_EXCEPTION,
  EXIT_HALT,
  EXIT_INITSIPI,
  EXIT_IO,
  EXIT_MEMORY,
  EXIT_UNRECOVERABLE,
  EXIT_WINDOW,
  finishExit,
  followClock,
  ipiTrapped,
  ipOf,
  leave,
  needSync,
  nextIp,
  recheck,
  setEoi,
  setIpiTrapped,
  setRecheck,
  setSynced,
  setTime,
  suspended,
  synced,
  ticks,
  time,
} from "./hooks";
import { inner, innerCur, innerLeft } from "./inner";
import { deliverEvent } from "./interrupt";
import {
  LAPIC_PENDING_INIT,
  LAPIC_PENDING_NMI,
  LAPIC_PENDING_SIPI,
  lapicAcknowledge,
  lapicCr8,
  lapicHighestPending,
  lapicPending,
  lapicTakeNmi,
  lapicTakeSipi,
  lapicTimerDue,
  lapicTimerTick,
  lapicTrappedIcr,
  lapicWaitsForSipi,
} from "./lapic";
import {
  A_HALT,
  A_RUN,
  A_SHUTDOWN,
  ACTIVITY,
  CODEBASE,
  CPL,
  CR2,
  CR8,
  DBGPEND,
  DELIVER,
  DR0,
  DR6,
  DR7,
  EFL,
  EXITBUF,
  F_EXIT,
  F_NONCANON,
  F_POINT,
  F_SYNC,
  FADDR,
  FAULT,
  FERR,
  HIT_COUNT,
  ICOUNT,
  LATE,
  LATEADDR,
  LATEERR,
  LATELEN,
  lapicOf,
  MODE,
  MODE_LONG,
  NMIMASK,
  P_DEBUG,
  P_EXECBP,
  P_INT,
  P_PASS,
  P_POINT,
  P_RF,
  P_SHADOW,
  P_TF,
  P_VIRTUAL,
  PEND_EVENT,
  PEND_INT,
  PASS,
  PENDING,
  RIP,
  S_CS,
  S_SS,
  SEG_BASE,
  SEGS,
  SHADOW,
  SHADOWNEW,
  VPINDEX,
} from "./layout";
import { ACC_READ, translate, xGpa } from "./mem";
import { flagsChanged, virtualInterrupts } from "./mode";
import { physHost } from "./phys";
import {
  PASS_NEXT,
  PASS_NONE,
  PASSING,
  pointExit,
  pointsSlice,
  watching,
} from "./points";
import { isMem, isRepeated, REC, rLen, rSeg } from "./record";
import { sample, sampling } from "./regions";
import { initVp, sipiVp } from "./reset";
import { forgetSpun, spun } from "./spin";
import { countEvent } from "./whv_counters";
import {
  EXTINT_WAKES,
  INT1_IS_GUESTS,
  NO_HALT_WINDOW,
  variant,
  WRITE_IS_TOLD,
} from "./whv_variants";

export { again, ipOf, leave, needSync, nextIp, synced } from "./hooks";

export const RUN_SLICE: u32 = 0;
export const RUN_EXIT: u32 = 1;
export const RUN_IDLE: u32 = 2;
export const RUN_SPUN: u32 = 3;

/** WHvPartitionPropertyCodeExceptionExitBitmap, or 0 while exception exits are off. */
export let exceptionBitmap: u64 = 0;
export function setExceptionBitmap(b: u64): void {
  exceptionBitmap = b;
}

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

let sliceLeft: i32 = 0;
let timerDue: u64 = ~<u64> 0;
let single: bool = false;
/** The record that a fault belongs to, or 0 for a fetch. */
let faulting: usize = 0;
/** Set by what must not be followed by a single-step trap (event delivery, SYSCALL). */
export let noStepTrap: bool = false;
export function setNoStepTrap(): void {
  noStepTrap = true;
}
/** Before an instruction: it may be followed by one. */
export function allowStepTrap(): void {
  noStepTrap = false;
}

/** All instructions that all VPs completed. */
export let total: u64 = 0;
export function setTotal(n: u64): void {
  total = n;
}
/** Exceptions and interrupts delivered, for --stats. */
export let statEvents: u64 = 0;

function settle(n: i32): void {
  if (!suspended) setTime(time + <u64> n * ticks);
  store<u64>(ICOUNT, load<u64>(ICOUNT) + n);
  total += n;
  sliceLeft -= n;
}

/** Whether the instruction that runs has been counted. */
let counted: bool = false;

/** Counts the instruction that runs, for a device that it accesses; true the first time. */
export function countEarly(): bool {
  if (counted) return false;
  counted = true;
  settle(1);
  return true;
}

/** Counts the instruction that has run, completed or not. */
function settleOne(): void {
  if (counted) counted = false;
  else settle(1);
}

/** Executes the instruction of record `cur` with time up to date; what its handler returns. */
function alone(cur: usize): usize {
  setSynced(true);
  beginAsking(
    answering && !single && !watching && !(load<u64>(DR7) & 0xff) &&
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

/** Copies the instruction bytes at RIP to `to` (count at `count`), without side effects. */
function putInstruction(count: usize, to: usize): void {
  const ip = load<u64>(RIP);
  let lin = load<u8>(MODE) == MODE_LONG
    ? ip
    : (ip + load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE)) & 0xffffffff;
  let n: u32 = 0;
  while (n < 16) {
    if (!translate(lin, ACC_READ, false, true, true)) break;
    const host = physHost(xGpa);
    if (host == 0) break;
    do {
      store<u8>(to + n, load<u8>(host + (<u32> lin & 0xfff) - (host & 0xfff)));
      n++;
      lin++;
    } while (n < 16 && (lin & 0xfff) != 0);
  }
  store<u8>(count, <u8> n);
}

// --- exceptions

function hasErrorCode(vector: u32): bool {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

function exceptionExit(
  vector: u32,
  type: u32,
  err: u32,
  param: u64,
  length: u32,
): u32 {
  beginExit(EXIT_EXCEPTION);
  putInstruction(EXITBUF + 48, EXITBUF + 52);
  store<u32>(
    EXITBUF,
    (hasErrorCode(vector) ? 1 : 0) | (type >= 4 ? 2 : 0),
    68,
  );
  store<u8>(EXITBUF, <u8> vector, 72);
  store<u32>(EXITBUF, err, 76);
  store<u64>(EXITBUF, param, 80);
  finishExit(length, false);
  return RUN_EXIT;
}

// @ts-ignore: decorator
@inline
function intercepted(vector: u32): bool {
  return vector < 32 && ((exceptionBitmap >> vector) & 1) != 0;
}

function contributory(v: u32): bool {
  return v == 0 || (v >= 10 && v <= 13);
}

function tripleFault(): u32 {
  store<u8>(ACTIVITY, <u8> A_SHUTDOWN);
  beginExit(EXIT_UNRECOVERABLE);
  finishExit(0, false);
  return RUN_EXIT;
}

/**
 * Delivers an event, and what its delivery raises. 0, or RUN_EXIT.
 * Combination rules: SDM vol. 3, "Double Fault Exception".
 */
function inject(
  vector: u32,
  type: u32,
  hasErr: bool,
  err: u32,
  retIp: u64,
): u32 {
  const ip = load<u64>(RIP);
  // it is the handler now that comes next
  if (load<u8>(PASS)) store<u8>(PASS, PASS_NONE);
  if (vector == 1 && type == 5) {
    // INT1 behind MOV SS: one #DB has what MOV SS held back, too
    store<u64>(DR6, load<u64>(DR6) | (load<u64>(DBGPEND) & 15));
    store<u64>(DBGPEND, 0);
  }
  while (true) {
    if (vector == 1 && type == 3) store<u64>(DR7, load<u64>(DR7) & ~0x2000);
    // nothing runs that would have to be alone
    const before = synced;
    setSynced(true);
    const delivered = deliverEvent(vector, type, hasErr, err, retIp);
    setSynced(before);
    if (delivered) {
      statEvents++;
      countEvent(vector, type);
      noStepTrap = true;
      flagsChanged();
      return 0;
    }
    const f = load<u32>(FAULT);
    store<u32>(FAULT, 0);
    if (f == F_EXIT) {
      // a paging structure or stack outside memory: the caller sees the event pending
      store<u64>(
        PEND_INT,
        1 | (<u64> type << 1) | (<u64> hasErr << 4) | (<u64> vector << 16) |
          (<u64> err << 32) |
          (type >= 4 ? ((retIp - ip) & 15) << 5 : 0),
      );
      finishExit(0, true);
      return RUN_EXIT;
    }
    if (vector == 8) return tripleFault();
    const v2: u32 = f == F_NONCANON ? SS_ : f & 0xff;
    const first = type == 3;
    if (
      first &&
      ((contributory(vector) && contributory(v2)) ||
        (vector == PF_ && (contributory(v2) || v2 == PF_)))
    ) {
      vector = 8;
      err = 0;
    } else {
      vector = v2;
      err = f == F_NONCANON ? 0 : load<u32>(FERR);
    }
    type = 3;
    hasErr = hasErrorCode(vector);
    retIp = ip;
    if (intercepted(vector)) {
      return exceptionExit(
        vector,
        3,
        err,
        vector == PF_ ? load<u64>(FADDR) : 0,
        0,
      );
    }
    if (vector == PF_) store<u64>(CR2, load<u64>(FADDR));
  }
}

/** A debug exception: DR6 bits, then the exit or delivery. RIP is where it returns to. */
function debugException(bits: u64): u32 {
  store<u64>(DR6, (load<u64>(DR6) & ~<u64> 15) | bits | 0xffff0ff0);
  if (intercepted(1)) {
    return exceptionExit(1, 3, 0, load<u64>(DR6), 0);
  }
  return inject(1, 3, false, 0, load<u64>(RIP));
}

/** Whether the exit at EXITBUF is a write to memory mapped without Write. */
function isWriteToRom(): bool {
  // MemoryAccess' AccessInfo: AccessType write, GpaUnmapped clear
  return load<u32>(EXITBUF) == EXIT_MEMORY && (load<u32>(EXITBUF, 68) & 7) == 1;
}

/** An instruction did not complete: RIP is at it, FAULT says why. 0, or RUN_EXIT. */
function onFault(): u32 {
  const f = load<u32>(FAULT);
  store<u32>(FAULT, 0);
  settleOne();
  const length = faulting ? rLen(faulting) : 0;
  if (f == F_EXIT) {
    const told = !isWriteToRom() || variant(WRITE_IS_TOLD);
    if (told && load<u32>(EXITBUF) <= EXIT_IO) {
      putInstruction(EXITBUF + 48, EXITBUF + 52);
    }
    finishExit(told ? length : 0, false);
    return RUN_EXIT;
  }
  if (f == F_NONCANON) {
    const inStack = faulting && isMem(faulting) && rSeg(faulting) == S_SS;
    return raised(inStack ? SS_ : GP, 0, length);
  }
  return raised(f, load<u32>(FERR), length);
}

/** The instruction at RIP raises `f` (as FAULT has it, with FADDR). 0, or RUN_EXIT. */
function raised(f: u32, err: u32, length: u32): u32 {
  const vector = f & 0xff;
  let type = (f >> 16) & 7;
  if (type == 0) type = 3;
  if (vector == 1 && type == 3) return debugException(load<u64>(FADDR));
  const guests = type == 4 || (type == 5 && variant(INT1_IS_GUESTS));
  if (intercepted(vector) && !guests) {
    return exceptionExit(
      vector,
      type,
      err,
      vector == PF_ ? load<u64>(FADDR) : 0,
      length,
    );
  }
  if (vector == PF_) store<u64>(CR2, load<u64>(FADDR));
  const ip = load<u64>(RIP);
  return inject(
    vector,
    type,
    type == 3 && hasErrorCode(vector),
    err,
    type >= 4 ? ip + length : ip,
  );
}

/** What completing an instruction came to (complete.ts). 0, or RUN_EXIT. */
function onLateFault(): u32 {
  const f = load<u32>(LATE);
  store<u32>(LATE, 0);
  store<u64>(FADDR, load<u64>(LATEADDR));
  return raised(f, load<u32>(LATEERR), load<u32>(LATELEN));
}

// --- between instructions

function takeInit(base: usize): void {
  initVp();
  setRecheck(true);
}

/** What the caller asked to inject (pending registers). 0, or RUN_EXIT. */
function injectPending(): u32 {
  const pi = load<u64>(PEND_INT);
  if (pi & 1) {
    store<u64>(PEND_INT, 0);
    store<u8>(ACTIVITY, <u8> A_RUN);
    const type = <u32> (pi >> 1) & 7;
    const vector = <u32> (pi >> 16) & 0xffff;
    if (type == 2) store<u8>(NMIMASK, 1);
    const length = (pi >> 5) & 15;
    return inject(
      vector & 0xff,
      type,
      (pi & 16) != 0,
      <u32> (pi >> 32),
      load<u64>(RIP) + (type >= 4 ? length : 0),
    );
  }
  const pe = load<u64>(PEND_EVENT);
  if (pe & 1) {
    const type = <u32> (pe >> 1) & 7;
    if (type == 5) {
      // ExtInt: waits like any maskable interrupt, and for the end of a halt
      if (!(load<u32>(EFL) & IF) || load<u8>(SHADOW)) return 0;
      if (load<u8>(ACTIVITY) == A_HALT && !variant(EXTINT_WAKES)) return 0;
      store<u64>(PEND_EVENT, 0);
      store<u8>(ACTIVITY, <u8> A_RUN);
      return inject(<u32> (pe >> 8) & 0xff, 0, false, 0, load<u64>(RIP));
    }
    const vector = <u32> (pe >> 16) & 0xffff;
    const param = load<u64>(PEND_EVENT, 8);
    store<u64>(PEND_EVENT, 0);
    store<u8>(ACTIVITY, <u8> A_RUN);
    if (vector == PF_) store<u64>(CR2, param);
    return inject(
      vector & 0xff,
      3,
      (pe & 0x100) != 0,
      <u32> (pe >> 32),
      load<u64>(RIP),
    );
  }
  return 0;
}

/** DR6 bits of enabled instruction breakpoints at a linear address. */
function execBreakpoints(lin: u64, mask: u64): u64 {
  const dr7 = <u32> load<u64>(DR7);
  let hits: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (!(dr7 & (3 << (i * 2))) || (dr7 >> (16 + i * 4)) & 3) continue;
    if (((load<u64>(DR0 + i * 8) ^ lin) & mask) == 0) hits |= <u64> 1 << i;
  }
  return hits;
}

/** Everything between two instructions, in the order of SDM vol. 3 table "Priority Among Concurrent Events". */
function boundary(): u32 {
  single = false;
  if (load<u32>(PENDING) & P_POINT) {
    pointExit();
    return RUN_EXIT;
  }
  const vp = load<u32>(VPINDEX);
  const base = lapicOf(vp);
  if (recheck) {
    setRecheck(false);
    timerDue = ~<u64> 0;
    if (apicMode) {
      timerDue = lapicTimerDue(base);
      if (time >= timerDue) {
        lapicTimerTick(base, time);
        timerDue = lapicTimerDue(base);
        store<u32>(PENDING, load<u32>(PENDING) | P_INT);
      }
      store<u64>(CR8, lapicCr8(base));
    }
  }
  if (eoiVector >= 0) {
    beginExit(EXIT_EOI);
    store<u32>(EXITBUF, <u32> eoiVector, 48);
    setEoi(-1);
    finishExit(0, false);
    return RUN_EXIT;
  }
  if (ipiTrapped) {
    beginExit(EXIT_INITSIPI);
    store<u64>(EXITBUF, lapicTrappedIcr(base), 48);
    setIpiTrapped(false);
    finishExit(0, false);
    return RUN_EXIT;
  }
  if (load<u8>(ACTIVITY) == A_SHUTDOWN) return tripleFault();
  let pend = load<u32>(PENDING);
  if (pend & P_INT) {
    if (apicMode) {
      const lp = lapicPending(base);
      if (lp & LAPIC_PENDING_INIT) takeInit(base);
      if (lapicWaitsForSipi(base)) {
        if (!(lapicPending(base) & LAPIC_PENDING_SIPI)) return RUN_IDLE;
        sipiVp(<u32> lapicTakeSipi(base));
        setRecheck(true);
      }
    }
    const r = injectPending();
    if (r) return r;
  }
  const shadow = load<u8>(SHADOW);
  if (load<u64>(DBGPEND) && shadow != 2) {
    const bits = load<u64>(DBGPEND);
    store<u64>(DBGPEND, 0);
    flagsChanged();
    store<u8>(ACTIVITY, <u8> A_RUN);
    const r = debugException(bits);
    if (r) return r;
  }
  pend = load<u32>(PENDING);
  const passing = pend & P_PASS && load<u8>(PASS) == PASS_NEXT &&
    load<u8>(ACTIVITY) == A_RUN;
  if (pend & P_INT && !passing) {
    let keep = false;
    if (apicMode && lapicPending(base) & LAPIC_PENDING_NMI) {
      if (load<u8>(NMIMASK) || shadow) keep = shadow != 0;
      else {
        lapicTakeNmi(base);
        store<u8>(NMIMASK, 1);
        store<u8>(ACTIVITY, <u8> A_RUN);
        const r = inject(2, 2, false, 0, load<u64>(RIP));
        if (r) return r;
      }
    }
    const open = (load<u32>(EFL) & IF) != 0 && !shadow;
    if (apicMode && lapicHighestPending(base) >= 0) {
      if (open) {
        const v = lapicAcknowledge(base);
        store<u8>(ACTIVITY, <u8> A_RUN);
        const r = inject(<u32> v, 0, false, 0, load<u64>(RIP));
        if (r) return r;
        keep = true;
      } else keep = shadow != 0;
    }
    const notify = load<u64>(DELIVER);
    if (notify & 3) {
      const priority = (notify >> 2) & 15;
      if (
        notify & 2 && (load<u32>(EFL) & IF) != 0 && !load<u8>(SHADOW) &&
        !(load<u8>(ACTIVITY) == A_HALT && variant(NO_HALT_WINDOW)) &&
        (priority == 0 || priority > load<u64>(CR8)) &&
        !(load<u64>(PEND_EVENT) & 1)
      ) {
        store<u64>(DELIVER, notify & ~2);
        return windowExit(0);
      }
      if (notify & 1 && !load<u8>(NMIMASK) && !load<u8>(SHADOW)) {
        store<u64>(DELIVER, notify & ~1);
        return windowExit(2);
      }
      if (shadow) keep = true;
    }
    if (load<u64>(PEND_EVENT) & 1 && shadow) keep = true;
    if (!keep) store<u32>(PENDING, load<u32>(PENDING) & ~P_INT);
  }
  if (load<u8>(ACTIVITY) == A_HALT) {
    if (apicMode) return RUN_IDLE;
    store<u8>(ACTIVITY, <u8> A_RUN);
    beginExit(EXIT_HALT);
    finishExit(0, false);
    return RUN_EXIT;
  }
  pend = load<u32>(PENDING);
  if (pend & P_POINT) {
    // by an event's delivery
    pointExit();
    return RUN_EXIT;
  }
  if (pend & (P_TF | P_SHADOW | P_RF | P_PASS)) single = true;
  if (pend & P_EXECBP) {
    const ip = load<u64>(RIP);
    const lin = load<u8>(MODE) == MODE_LONG
      ? ip
      : (ip + load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE)) & 0xffffffff;
    // MOV SS and POP SS hold instruction breakpoints off, too (SDM vol. 3, 6.8.3)
    if (!(load<u32>(EFL) & RF) && load<u8>(SHADOW) != 2) {
      const hits = execBreakpoints(lin, ~<u64> 0);
      if (hits) {
        const r = debugException(hits);
        if (r) return r;
        return boundary();
      }
    }
    // blocks do not leave their page, but linked blocks stay inside it for long
    if (execBreakpoints(lin, ~<u64> 0xfff)) single = true;
  }
  // VIF and VIP at an instruction's beginning (SDM vol. 3, 20.3.2): whatever brings
  // code here with both has left the loop
  if (pend & P_VIRTUAL && virtualInterrupts()) {
    settle(1);
    const r = raised(GP, 0, 0);
    if (r) return r;
    return boundary();
  }
  return 0;
}

function windowExit(type: u32): u32 {
  beginExit(EXIT_WINDOW);
  store<u32>(EXITBUF, type, 48);
  finishExit(0, false);
  return RUN_EXIT;
}

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
    store<u64>(DBGPEND, load<u64>(DBGPEND) | 0x4000);
    flagsChanged();
  }
}

/** Executes the current VP for at most `budget` instructions. RUN_*. */
export function execute(budget: i32): u32 {
  followClock();
  sliceLeft = budget;
  store<u32>(FAULT, 0);
  store<u32>(PENDING, load<u32>(PENDING) | P_INT);
  setRecheck(true);
  setLeaving(false);
  pointsSlice();
  if (load<u32>(LATE)) {
    const r = onLateFault();
    if (r) return r;
  }
  while (true) {
    if (leaving) return RUN_SLICE;
    if (recheck || load<u32>(PENDING) || load<u8>(ACTIVITY)) {
      const r = boundary();
      if (r) return r;
    } else single = false;
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
    const tf = (flags & TF) != 0;
    noStepTrap = false;
    let p = enter(load<u64>(RIP));
    if (p == 0) {
      if (load<u32>(FAULT) == F_SYNC) {
        store<u32>(FAULT, 0);
        cacheFlush();
        continue;
      }
      faulting = 0;
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
      if (flags & RF) store<u32>(EFL, flags & ~RF);
    } else {
      const room = timerDue - time;
      if (room < <u64> chunk * ticks) chunk = <i32> (room / ticks) + 1;
    }
    let cur: usize;
    let left: i32;
    if (sampling && chunk > sampling) {
      // a chunk that ends with a branch taken, soon after it has been long enough
      let more = chunk - sampling;
      if (more > MAX_TO_BRANCH) more = MAX_TO_BRANCH;
      chunk = sampling;
      p = inner(p, chunk);
      cur = innerCur;
      left = innerLeft;
      while (p != 0 && p == cur + REC && more > 0) {
        more--;
        chunk++;
        p = inner(p, 1);
        cur = innerCur;
        left = innerLeft;
      }
      if (p != 0) sample(p);
      else if (load<u32>(FAULT) == 0 && load<u16>(cur) == endIndex) {
        sampleNext = true; // straight code: its next block
      }
    } else {
      p = inner(p, chunk);
      cur = innerCur;
      left = innerLeft;
    }
    let completed = true;
    if (p != 0) {
      store<u64>(RIP, ipOf(p));
      settle(chunk);
    } else if (load<u32>(FAULT) == 0) {
      const h = load<u16>(cur);
      if (h == endIndex || h == staleIndex) {
        settle(chunk - left);
        if (passed) store<u8>(PASS, passed);
        if (flags & RF && single) store<u32>(EFL, load<u32>(EFL) | RF);
        continue;
      }
      settle(chunk - left + 1);
    } else {
      settle(chunk - left);
      store<u64>(RIP, ipOf(cur));
      if (load<u32>(FAULT) == F_POINT) {
        store<u32>(FAULT, 0);
        if (flags & RF && single) store<u32>(EFL, load<u32>(EFL) | RF);
        pointExit();
        return RUN_EXIT;
      }
      if (load<u32>(FAULT) == F_SYNC) {
        store<u32>(FAULT, 0);
        followClock();
        const hits = load<u64>(DBGPEND);
        const noted = load<u32>(HIT_COUNT);
        p = alone(cur);
        if (load<u32>(FAULT) == 0) {
          if (p != 0) store<u64>(RIP, ipOf(p));
          settleOne();
        } else if (load<u32>(FAULT) != F_EXIT) {
          // data breakpoints trap after their instruction: this one has no after
          store<u64>(DBGPEND, hits);
          store<u32>(HIT_COUNT, noted);
          flagsChanged();
        }
      }
      if (load<u32>(FAULT)) {
        completed = false;
        faulting = cur;
        if (passed) passDone();
        if (flags & RF && single) store<u32>(EFL, load<u32>(EFL) | RF);
        const r = onFault();
        if (r) return r;
      }
    }
    if (completed) {
      if (passed) passDone();
      if (single || load<u8>(SHADOWNEW)) {
        afterInstruction(tf);
        if (single && flags & RF) flagsChanged();
      }
    }
  }
}
