// Between two instructions: interrupts, traps and what the caller asked for.
import { linearIp } from "../code/ip";
import { ExitReason, PendingEvent } from "../whv/names";
import { debugException, inject, raised, tripleFault } from "./exceptions";
import { flagsChanged, virtualInterrupts } from "./mode";
import { recheck, setRecheck } from "./recheck";
import { initVp, sipiVp } from "./reset";
import { settle } from "./slice";
import { RUN_EXIT, RUN_IDLE } from "../shared";
import {
  lapicAcknowledge,
  lapicCr8,
  lapicHighestPending,
} from "../lapic/interrupt";
import { lapicTrappedIcr } from "../lapic/ipi";
import {
  LAPIC_PENDING_INIT,
  LAPIC_PENDING_NMI,
  LAPIC_PENDING_SIPI,
  lapicPending,
  lapicTakeNmi,
  lapicTakeSipi,
  lapicWaitsForSipi,
} from "../lapic/state";
import { lapicTimerDue, lapicTimerTick } from "../lapic/timer";
import {
  A_HALT,
  A_RUN,
  A_SHUTDOWN,
  ACTIVITY,
  CR2,
  CR8,
  DBGPEND,
  DELIVER,
  EFL,
  EXITBUF,
  lapicOf,
  NMIMASK,
  P_EXECBP,
  P_INT,
  P_PASS,
  P_POINT,
  P_RF,
  P_SHADOW,
  P_TF,
  P_VIRTUAL,
  PASS,
  PEND_EVENT,
  PEND_INT,
  PENDING,
  RIP,
  SHADOW,
  VPINDEX,
} from "../layout";
import { execBreakpoints } from "../memory/breakpoints";
import { eoiVector, ipiTrapped, setEoi, setIpiTrapped } from "../system/apic";
import { beginExit, finishExit } from "../system/exit";
import { apicMode } from "../system/processors";
import { time } from "../system/time";
import { EXTINT_WAKES, NO_HALT_WINDOW, variant } from "../whv/variants";
import { EventType } from "../x86/events";
import { Vector } from "../x86/vectors";
import { RFLAGS_IF, RFLAGS_RF } from "../x86/flags";
import {
  ApicEoiExit,
  ApicInitSipiExit,
  InterruptWindowExit,
  Notification,
  PendingException,
  PendingInterruption,
} from "../whv/structures";
import { PASS_NEXT, PASS_STEP } from "../points/pass";
import { pointExit } from "../points/hits";

export let timerDue: u64 = ~<u64> 0;
export let single: bool = false;

export function setSingle(s: bool): void {
  single = s;
}

function takeInit(): void {
  initVp();
  setRecheck(true);
}

/** Whether an instruction comes next that no interrupt may come before. */
function passing(): bool {
  const pass = load<u8>(PASS);
  return (pass == PASS_NEXT || pass == PASS_STEP) &&
    load<u8>(ACTIVITY) == A_RUN;
}

/** What the caller asked to inject (pending registers). 0, or RUN_EXIT. */
function injectPending(): u32 {
  const pi = load<u64>(PEND_INT);
  if (pi & PendingInterruption.InterruptionPending) {
    store<u64>(PEND_INT, 0);
    store<u8>(ACTIVITY, <u8> A_RUN);
    const type = <u32> (pi >> 1) & 7;
    const vector = <u32> (pi >> 16) & 0xffff;
    if (type == EventType.Nmi) store<u8>(NMIMASK, 1);
    const length = (pi >> 5) & 15;
    return inject(
      vector & 0xff,
      type,
      (pi & PendingInterruption.DeliverErrorCode) != 0,
      <u32> (pi >> 32),
      load<u64>(RIP) + (type >= EventType.SoftwareInterrupt ? length : 0),
    );
  }
  const pe = load<u64>(PEND_EVENT);
  if (pe & PendingException.EventPending) {
    const type = <u32> (pe >> 1) & 7;
    if (type == PendingEvent.ExtInt) {
      // ExtInt: waits like any maskable interrupt, and for the end of a halt
      if (!(load<u32>(EFL) & RFLAGS_IF) || load<u8>(SHADOW) || passing()) {
        return 0;
      }
      if (load<u8>(ACTIVITY) == A_HALT && !variant(EXTINT_WAKES)) return 0;
      store<u64>(PEND_EVENT, 0);
      store<u8>(ACTIVITY, <u8> A_RUN);
      return inject(
        <u32> (pe >> 8) & 0xff,
        EventType.Interrupt,
        false,
        0,
        load<u64>(RIP),
      );
    }
    const vector = <u32> (pe >> 16) & 0xffff;
    const param = load<u64>(PEND_EVENT, 8);
    store<u64>(PEND_EVENT, 0);
    store<u8>(ACTIVITY, <u8> A_RUN);
    if (vector == Vector.PF) store<u64>(CR2, param);
    return inject(
      vector & 0xff,
      EventType.Exception,
      (pe & PendingException.DeliverErrorCode) != 0,
      <u32> (pe >> 32),
      load<u64>(RIP),
    );
  }
  return 0;
}

/** The APIC's timer, and its TPR as CR8, when they may have changed. */
function followApic(base: usize): void {
  setRecheck(false);
  timerDue = ~<u64> 0;
  if (!apicMode) return;
  timerDue = lapicTimerDue(base);
  if (time >= timerDue) {
    lapicTimerTick(base, time);
    timerDue = lapicTimerDue(base);
    store<u32>(PENDING, load<u32>(PENDING) | P_INT);
  }
  store<u64>(CR8, lapicCr8(base));
}

/** The end of a level-triggered interrupt, or a trapped IPI: its exit. */
function apicExit(base: usize): bool {
  if (eoiVector >= 0) {
    beginExit(ExitReason.X64ApicEoi);
    store<u32>(EXITBUF, <u32> eoiVector, ApicEoiExit.InterruptVector);
    setEoi(-1);
  } else if (ipiTrapped) {
    beginExit(ExitReason.X64ApicInitSipiTrap);
    store<u64>(EXITBUF, lapicTrappedIcr(base), ApicInitSipiExit.ApicIcr);
    setIpiTrapped(false);
  } else return false;
  finishExit(0, false);
  return true;
}

/** INIT, a SIPI, and what the caller asked to inject. 0, or RUN_*. */
function comes(base: usize): u32 {
  if (apicMode) {
    if (lapicPending(base) & LAPIC_PENDING_INIT) takeInit();
    if (lapicWaitsForSipi(base)) {
      if (!(lapicPending(base) & LAPIC_PENDING_SIPI)) return RUN_IDLE;
      sipiVp(<u32> lapicTakeSipi(base));
      setRecheck(true);
    }
  }
  return injectPending();
}

/** Events that the caller wants to be told of when they can be delivered. */
const WINDOWS: u64 = Notification.NmiNotification |
  Notification.InterruptNotification;

/** Whether the caller is to be told that events can be delivered: the exit. */
function windowOpens(): u32 {
  const notify = load<u64>(DELIVER);
  if (!(notify & WINDOWS)) return 0;
  const priority = (notify >> 2) & 15;
  if (
    notify & Notification.InterruptNotification &&
    (load<u32>(EFL) & RFLAGS_IF) != 0 && !load<u8>(SHADOW) &&
    !(load<u8>(ACTIVITY) == A_HALT && variant(NO_HALT_WINDOW)) &&
    (priority == 0 || priority > load<u64>(CR8)) &&
    !(load<u64>(PEND_EVENT) & PendingException.EventPending)
  ) {
    store<u64>(DELIVER, notify & ~(<u64> Notification.InterruptNotification));
    return windowExit(EventType.Interrupt);
  }
  if (
    notify & Notification.NmiNotification && !load<u8>(NMIMASK) &&
    !load<u8>(SHADOW)
  ) {
    store<u64>(DELIVER, notify & ~(<u64> Notification.NmiNotification));
    return windowExit(EventType.Nmi);
  }
  return 0;
}

/** NMI, interrupts, and the notifications of their windows. 0, or RUN_EXIT. */
function interrupts(base: usize, shadow: u32): u32 {
  let keep = false;
  if (apicMode && lapicPending(base) & LAPIC_PENDING_NMI) {
    if (load<u8>(NMIMASK) || shadow) keep = shadow != 0;
    else {
      lapicTakeNmi(base);
      store<u8>(NMIMASK, 1);
      store<u8>(ACTIVITY, <u8> A_RUN);
      const r = inject(Vector.NMI, EventType.Nmi, false, 0, load<u64>(RIP));
      if (r) return r;
    }
  }
  const open = (load<u32>(EFL) & RFLAGS_IF) != 0 && !shadow;
  if (apicMode && lapicHighestPending(base) >= 0) {
    if (open) {
      const v = <u32> lapicAcknowledge(base);
      store<u8>(ACTIVITY, <u8> A_RUN);
      const r = inject(v, EventType.Interrupt, false, 0, load<u64>(RIP));
      if (r) return r;
      keep = true;
    } else keep = shadow != 0;
  }
  const r = windowOpens();
  if (r) return r;
  const waits = load<u64>(DELIVER) & WINDOWS ||
    load<u64>(PEND_EVENT) & PendingException.EventPending;
  if (waits && shadow) keep = true;
  if (!keep) store<u32>(PENDING, load<u32>(PENDING) & ~P_INT);
  return 0;
}

/** DR6 bits of the instruction breakpoints at RIP; `single` near others. */
function breakpointsHere(): u64 {
  const ip = load<u64>(RIP);
  const lin = linearIp(ip);
  // MOV SS and POP SS hold instruction breakpoints off, too (SDM vol. 3,
  // 6.8.3)
  if (!(load<u32>(EFL) & RFLAGS_RF) && load<u8>(SHADOW) != 2) {
    const hits = execBreakpoints(lin, ~<u64> 0);
    if (hits) return hits;
  }
  // blocks do not leave their page, but linked blocks stay inside it for
  // long; no other way into this one misses this place (enter())
  if (execBreakpoints(lin, ~<u64> 0xfff)) single = true;
  return 0;
}

/**
 * Everything between two instructions, in the order of SDM vol. 3 table
 * "Priority Among Concurrent Events".
 */
export function boundary(): u32 {
  single = false;
  if (load<u32>(PENDING) & P_POINT) {
    pointExit();
    return RUN_EXIT;
  }
  const base = lapicOf(load<u32>(VPINDEX));
  if (recheck) followApic(base);
  if (apicExit(base)) return RUN_EXIT;
  if (load<u8>(ACTIVITY) == A_SHUTDOWN) return tripleFault();
  if (load<u32>(PENDING) & P_INT) {
    const r = comes(base);
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
  let pend = load<u32>(PENDING);
  if (pend & P_INT && !passing()) {
    const r = interrupts(base, shadow);
    if (r) return r;
  }
  if (load<u8>(ACTIVITY) == A_HALT) {
    if (apicMode) return RUN_IDLE;
    store<u8>(ACTIVITY, <u8> A_RUN);
    beginExit(ExitReason.X64Halt);
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
    const hits = breakpointsHere();
    if (hits) {
      const r = debugException(hits);
      return r ? r : boundary();
    }
  }
  // VIF and VIP at an instruction's beginning (SDM vol. 3, 20.3.2): whatever
  // brings code here with both has left the loop
  if (pend & P_VIRTUAL && virtualInterrupts()) {
    settle(1);
    const r = raised(Vector.GP, 0, 0);
    return r ? r : boundary();
  }
  return 0;
}

function windowExit(type: u32): u32 {
  beginExit(ExitReason.X64InterruptWindow);
  store<u32>(EXITBUF, type, InterruptWindowExit.DeliverableType);
  finishExit(0, false);
  return RUN_EXIT;
}
