// Completes the instruction that a VP exited at for a device, with the VP's own
// state: what is no device's works as it does in any instruction, debug
// registers, faults and traps too. What the caller has to do is a list of
// accesses (device.ts).
import { ExitReason, ICEBP_MAX_ACCESSES, Outcome } from "../whv/names";
import { cacheFlush } from "../code/cache";
import { accesses, asked, beginAccesses, carriedOut, full } from "./device";
import {
  A_RUN,
  ACTIVITY,
  DBGPEND,
  EFL,
  EXITBUF,
  F_EXC,
  F_EXIT,
  F_NONCANON,
  F_SYNC,
  FADDR,
  FAULT,
  FERR,
  HIT_COUNT,
  LATE,
  LATEADDR,
  LATEERR,
  LATELEN,
  PEND_EVENT,
  PEND_INT,
  RIP,
  S_SS,
  SHADOW,
  SHADOWNEW,
  SIZE,
} from "../layout";
import { flagsChanged } from "../cpu/mode";
import { isMem, isRepeated, rLen, rSeg } from "../code/record";
import { afterInstruction } from "../cpu/run";
import { switchTo } from "../cpu/vps";
import { E_INVALIDARG, S_OK, WHV_E_INVALID_VP_STATE } from "../whv/hresult";
import { isException } from "../whv/registers";
import { checkState } from "../whv/valid";
import { ipOf } from "../code/ip";
import { recheck } from "../cpu/recheck";
import { followClock, setSynced } from "./time";
import { enter } from "../code/lookup";
import { allowStepTrap } from "../cpu/exceptions";
import { running, whvCheckVp } from "../whv/state";
import { Vector } from "../x86/vectors";
import { RFLAGS_RF, RFLAGS_TF } from "../x86/flags";
import {
  Completion,
  MemoryAccessExit,
  PendingInterruption,
} from "../whv/structures";
import { LISTS, setWay } from "./way";
import { withoutPoint } from "../points/code";
import { pointPassNone, stepping } from "../points/pass";

/**
 * The list's first `known` accesses, at IOBUF, have been carried out. Leaves
 * the outcome at SIZE, and the rest of ICEBP_COMPLETION (ffi/icebp.ts) behind
 * it.
 */
export function whvCompleteAccess(vp: u32, known: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  if (known > ICEBP_MAX_ACCESSES) return E_INVALIDARG;
  if ((running >> vp) & 1) return WHV_E_INVALID_VP_STATE;
  switchTo(vp);
  if (
    load<u8>(ACTIVITY) != A_RUN ||
    load<u64>(PEND_INT) & PendingInterruption.InterruptionPending ||
    isException(load<u64>(PEND_EVENT)) || load<u32>(LATE) || !checkState()
  ) return WHV_E_INVALID_VP_STATE;
  followClock();
  // what the attempt that exited met of breakpoints: this one meets it again
  if (load<u8>(SHADOW) != 2) store<u64>(DBGPEND, 0);
  store<u32>(HIT_COUNT, 0);
  const before = setWay(LISTS);
  let outcome: u32;
  do {
    outcome = attempt(known);
    // an iteration that wrote nothing needs nobody
    known = 0;
  } while (outcome == Outcome.Again && accesses == carriedOut);
  setWay(before);
  store<u32>(SIZE, outcome, Completion.Outcome);
  store<u32>(SIZE, accesses, Completion.AccessCount);
  store<u32>(SIZE, carriedOut, Completion.CarriedOut);
  store<u64>(
    SIZE,
    outcome == Outcome.Tables ? load<u64>(EXITBUF, MemoryAccessExit.Gpa) : 0,
    Completion.Address,
  );
  return S_OK;
}

/** One try at the instruction, or at one iteration of it. */
function attempt(known: u32): u32 {
  beginAccesses(known);
  store<u32>(FAULT, 0);
  const ip = load<u64>(RIP);
  let cur = enter(ip);
  if (cur == 0 && load<u32>(FAULT) == F_SYNC) {
    store<u32>(FAULT, 0);
    cacheFlush();
    cur = enter(ip);
  }
  if (cur == 0) {
    // it is not there any more: for a run to find out
    store<u32>(FAULT, 0);
    return Outcome.Run;
  }
  cur = withoutPoint(cur);
  const noted = load<u32>(HIT_COUNT);
  const flags = load<u32>(EFL);
  const hits = load<u64>(DBGPEND);
  store<u32>(EFL, flags & ~RFLAGS_RF);
  allowStepTrap();
  setSynced(true);
  const p = call_indirect<usize>(load<u16>(cur), cur);
  setSynced(false);
  if (load<u32>(FAULT)) {
    store<u64>(RIP, ip);
    store<u32>(EFL, load<u32>(EFL) | (flags & RFLAGS_RF));
    store<u64>(DBGPEND, hits);
    store<u32>(HIT_COUNT, noted);
    store<u8>(SHADOWNEW, 0);
    flagsChanged();
    return failed(cur);
  }
  if (p != 0) store<u64>(RIP, ipOf(p));
  const more = p == 0 && load<u64>(RIP) == ip && isRepeated(cur);
  if (more) store<u32>(EFL, load<u32>(EFL) | (flags & RFLAGS_RF));
  const before = load<u8>(SHADOW);
  afterInstruction((flags & RFLAGS_TF) != 0);
  if (stepping()) {
    pointPassNone();
    return Outcome.Done;
  }
  flagsChanged();
  // interrupts get their turn between iterations
  return more && !before && !recheck && !load<u64>(DBGPEND) &&
      !load<u32>(HIT_COUNT)
    ? Outcome.Again
    : Outcome.Done;
}

/** Nothing has changed; FAULT says why. */
function failed(p: usize): u32 {
  const f = load<u32>(FAULT);
  store<u32>(FAULT, 0);
  if (asked) return Outcome.Data;
  if (f == F_EXIT) {
    return !full && load<u32>(EXITBUF) == ExitReason.MemoryAccess
      ? Outcome.Tables
      : Outcome.Run;
  }
  // the next run begins with it, and so with its exit if it is to make one
  if (f == F_NONCANON) {
    const vector = isMem(p) && rSeg(p) == S_SS ? Vector.SS : Vector.GP;
    store<u32>(LATE, F_EXC | vector);
    store<u32>(LATEERR, 0);
  } else {
    store<u32>(LATE, f);
    store<u32>(LATEERR, load<u32>(FERR));
  }
  store<u64>(LATEADDR, load<u64>(FADDR));
  store<u32>(LATELEN, rLen(p));
  return Outcome.Run;
}
