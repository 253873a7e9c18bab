// Which virtual processor is in STATE, and what all of them wait for.
import {
  LAPIC_MODE_XAPIC,
  LAPIC_PENDING_INIT,
  LAPIC_PENDING_NMI,
  LAPIC_PENDING_SIPI,
  lapicMode,
  lapicPending,
  lapicWaitsForSipi,
} from "../lapic/state";
import { lapicHighestPending } from "../lapic/interrupt";
import { lapicTimerDue } from "../lapic/timer";
import { lapicApicBase } from "../lapic/msr";
import {
  A_RUN,
  ACTIVITY,
  bankOf,
  DBGPEND,
  DELIVER,
  EFL,
  lapicOf,
  PEND_EVENT,
  PEND_INT,
  STATE,
  STATE_SIZE,
} from "../layout";
import { EXTINT_WAKES, NO_HALT_WINDOW, variant } from "../whv/variants";
import { setRecheck } from "./recheck";
import { setApicPage } from "../system/apic";
import { apicMode, vpCount } from "../system/processors";
import { time } from "../system/time";
import { switchJumpsVp } from "../code/jumps";
import { RFLAGS_IF } from "../x86/flags";
import {
  Notification,
  PendingException,
  PendingInterruption,
} from "../whv/structures";
import { PendingEvent } from "../whv/names";

let current: u32 = 0;

/** Makes `vp` the one in STATE. */
export function switchTo(vp: u32): void {
  if (vp == current) return;
  memory.copy(bankOf(current), STATE, STATE_SIZE);
  memory.copy(STATE, bankOf(vp), STATE_SIZE);
  switchJumpsVp(current, vp);
  current = vp;
  setRecheck(true);
  apicPageChanged();
}

/** Every VP's state is in its bank, that of the one in STATE, too. */
export function fillBank(): void {
  memory.copy(bankOf(current), STATE, STATE_SIZE);
}

/** The banks have other states now: VP 0 becomes the one in STATE. */
export function banksChanged(): void {
  current = 0;
  memory.copy(STATE, bankOf(0), STATE_SIZE);
  setRecheck(true);
  apicPageChanged();
}

/** The current VP's APIC mode or base changed (or the VP did). */
export function apicPageChanged(): void {
  const base = lapicOf(current);
  setApicPage(
    apicMode && lapicMode(base) == LAPIC_MODE_XAPIC
      ? (lapicApicBase(base) & 0xfffffff000) >> 12
      : ~<u64> 0,
  );
}

/** Address of a VP's field, given the field's address in STATE. */
export function fieldOf(vp: u32, field: usize): usize {
  return vp == current ? field : bankOf(vp) + (field - STATE);
}

/** Without the platform's APIC no ExtInt is taken: the run says so. */
function extIntWakes(): bool {
  return !apicMode || variant(EXTINT_WAKES);
}

/**
 * Whether running `vp` would execute an instruction, exit or deliver something.
 */
export function vpReady(vp: u32): bool {
  const a = load<u8>(fieldOf(vp, ACTIVITY));
  const base = lapicOf(vp);
  if (apicMode) {
    const p = lapicPending(base);
    if (p & LAPIC_PENDING_INIT) return true;
    if (lapicWaitsForSipi(base)) return (p & LAPIC_PENDING_SIPI) != 0;
  }
  if (a == A_RUN) return true;
  if (
    load<u64>(fieldOf(vp, PEND_INT)) & PendingInterruption.InterruptionPending
  ) return true;
  if (load<u64>(fieldOf(vp, DBGPEND))) return true;
  const open = (load<u32>(fieldOf(vp, EFL)) & RFLAGS_IF) != 0;
  const event = load<u64>(fieldOf(vp, PEND_EVENT));
  if (
    event & PendingException.EventPending &&
    (((event >> 1) & 7) != PendingEvent.ExtInt || (open && extIntWakes()))
  ) return true;
  const windows: u32 = open && !variant(NO_HALT_WINDOW)
    ? Notification.NmiNotification | Notification.InterruptNotification
    : Notification.NmiNotification;
  if (load<u64>(fieldOf(vp, DELIVER)) & windows) return true;
  if (!apicMode) return true; // a halt exit is due
  if (lapicPending(base) & LAPIC_PENDING_NMI) return true;
  if (open && lapicHighestPending(base) >= 0) return true;
  return time >= lapicTimerDue(base);
}

/** Whether `vp`, which is not ready, takes no interrupts. */
export function vpDeaf(vp: u32): bool {
  return (apicMode && lapicWaitsForSipi(lapicOf(vp))) ||
    !(load<u32>(fieldOf(vp, EFL)) & RFLAGS_IF);
}

/** Guest time of the next APIC timer event of any VP, or the maximum. */
export function nextTimer(): u64 {
  let due: u64 = ~<u64> 0;
  if (!apicMode) return due;
  for (let i: u32 = 0; i < vpCount; i++) {
    const d = lapicTimerDue(lapicOf(i));
    if (d < due) due = d;
  }
  return due;
}

/** Forgets which VP is loaded (a new partition). */
export function vpsReset(): void {
  current = 0;
}
