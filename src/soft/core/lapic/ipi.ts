// Interrupt messages between local APICs: the ICR, destinations and lowest-
// priority arbitration, and messages from outside (WHvRequestInterrupt).
// Source: Intel SDM vol. 3, APIC chapter, "Issuing Interprocessor Interrupts"
// and "Determining IPI Destination"; WHV_INTERRUPT_CONTROL.

import { lapicOf } from "../layout";
import {
  LAPIC_ILLEGAL,
  LAPIC_MODE_DISABLED,
  LAPIC_MODE_X2APIC,
  LAPIC_OK,
  LAPIC_PENDING_NMI,
  LAPIC_RECHECK,
  LAPIC_RECHECK_ALL,
  LAPIC_TRAP,
  lapicEnabled,
  lapicField,
  lapicLastWinner,
  lapicMode,
  lapicSetLastWinner,
  lapicSetPending,
  lapicVpCount,
} from "./state";
import {
  ESR_SEND_ILLEGAL_VECTOR,
  FIRST_VECTOR,
  lapicAccept,
  lapicAcceptInit,
  lapicAcceptSipi,
  lapicError,
  lapicLint1Edge,
  lapicPpr,
} from "./interrupt";
import { DeliveryMode, Icr, IcrShorthand, LapicRegister } from "../x86/lapic";
import { InterruptType } from "../whv/names";

// Who a message is for.
const TO_PHYSICAL: u32 = 0;
const TO_LOGICAL: u32 = 1;
const TO_ALL: u32 = 2;
const TO_OTHERS: u32 = 3;

let trapping: bool = false;

/** Whether INIT and start-up IPIs are trapped (X64ApicInitSipiExitTrap). */
export function lapicTrapInitSipi(on: bool): void {
  trapping = on;
}

/** The ICR of the IPI that LAPIC_TRAP reported; `base` is the sender's. */
export function lapicTrappedIcr(base: usize): u64 {
  return (<u64> lapicField(base, LapicRegister.IcrHigh) << 32) |
    lapicField(base, LapicRegister.IcrLow);
}

function matchesLogical(base: usize, destination: u32): bool {
  const ldr = lapicField(base, LapicRegister.Ldr);
  if (lapicMode(base) == LAPIC_MODE_X2APIC) {
    return ldr >> 16 == destination >> 16 &&
      (ldr & destination & 0xffff) != 0;
  }
  if (destination > 0xff) return false;
  const id = ldr >> 24;
  const model = lapicField(base, LapicRegister.Dfr) >> 28;
  if (model == 15) return (id & destination) != 0;
  if (model != 0) return false;
  return id >> 4 == destination >> 4 && (id & destination & 15) != 0;
}

function matches(
  base: usize,
  sender: usize,
  to: u32,
  destination: u32,
): bool {
  if (to == TO_ALL) return true;
  if (to == TO_OTHERS) return base != sender;
  if (to == TO_LOGICAL) return matchesLogical(base, destination);
  const id = lapicField(base, LapicRegister.Id);
  return destination ==
    (lapicMode(base) == LAPIC_MODE_X2APIC ? id : id >> 24);
}

// Lowest processor priority wins; among equals the next one after the last
// winner, so that the load spreads the same way in every run.
function arbitrate(sender: usize, to: u32, destination: u32): i32 {
  const count = lapicVpCount();
  let winner: i32 = -1;
  let lowest: u32 = 0x100;
  let vp = lapicLastWinner();
  for (let i: u32 = 0; i < count; ++i) {
    vp = vp + 1 < count ? vp + 1 : 0;
    const base = lapicOf(vp);
    if (!lapicEnabled(base) || !matches(base, sender, to, destination)) {
      continue;
    }
    const priority = lapicPpr(base);
    if (priority >= lowest) continue;
    lowest = priority;
    winner = <i32> vp;
  }
  if (winner >= 0) lapicSetLastWinner(<u32> winner);
  return winner;
}

function deliver(base: usize, mode: u32, vector: u32, level: bool): void {
  if (mode == DeliveryMode.Fixed || mode == DeliveryMode.LowestPriority) {
    lapicAccept(base, vector, level);
  } else if (mode == DeliveryMode.Nmi) {
    lapicSetPending(base, LAPIC_PENDING_NMI);
  } else if (mode == DeliveryMode.Init) {
    lapicAcceptInit(base);
  } else if (mode == DeliveryMode.Sipi) {
    lapicAcceptSipi(base, vector);
  } else if (mode == InterruptType.LocalInt1) {
    lapicLint1Edge(base);
  }
}

function send(
  sender: usize,
  to: u32,
  destination: u32,
  mode: u32,
  vector: u32,
  level: bool,
): i32 {
  if (mode == DeliveryMode.LowestPriority) {
    const winner = arbitrate(sender, to, destination);
    if (winner < 0) return LAPIC_OK;
    deliver(lapicOf(<u32> winner), mode, vector, level);
    return LAPIC_RECHECK_ALL;
  }
  let reached = LAPIC_OK;
  for (let vp: u32 = 0; vp < lapicVpCount(); ++vp) {
    const base = lapicOf(vp);
    // LINT1 is a pin: it is NMI even where the APIC takes no messages.
    const deaf = lapicMode(base) == LAPIC_MODE_DISABLED &&
      mode != InterruptType.LocalInt1;
    if (deaf || !matches(base, sender, to, destination)) continue;
    deliver(base, mode, vector, level);
    reached = LAPIC_RECHECK_ALL;
  }
  return reached;
}

function isDeliveryMode(mode: u32): bool {
  return mode == DeliveryMode.Fixed || mode == DeliveryMode.LowestPriority ||
    mode == DeliveryMode.Nmi || mode == DeliveryMode.Init ||
    mode == DeliveryMode.Sipi;
}

/**
 * A write of ICR's low half: sends the IPI. `destination` is 8 bits wide in
 * xAPIC mode, 32 in x2APIC mode. SMI, reserved modes and combinations that
 * the manual calls invalid send nothing.
 */
export function lapicSendIpi(
  sender: usize,
  icr: u32,
  destination: u32,
): i32 {
  const mode = (icr >> 8) & 7;
  const vector = icr & 0xff;
  const shorthand = (icr >> 18) & 3;
  if (!isDeliveryMode(mode)) return LAPIC_OK;
  if (mode <= DeliveryMode.LowestPriority && vector < FIRST_VECTOR) {
    lapicError(sender, ESR_SEND_ILLEGAL_VECTOR);
    return LAPIC_RECHECK;
  }
  // The level de-assert of INIT only synchronised arbitration IDs of old.
  const asserted = (icr & (Icr.Assert | Icr.Level)) != Icr.Level;
  if (mode == DeliveryMode.Init && !asserted) return LAPIC_OK;
  if (shorthand == IcrShorthand.Self) {
    return mode == DeliveryMode.Fixed ? lapicSelfIpi(sender, vector) : LAPIC_OK;
  }
  if (trapping && (mode == DeliveryMode.Init || mode == DeliveryMode.Sipi)) {
    return LAPIC_TRAP;
  }
  let to = (icr & Icr.Logical) != 0 ? TO_LOGICAL : TO_PHYSICAL;
  const everyone: u32 = lapicMode(sender) == LAPIC_MODE_X2APIC
    ? 0xffffffff
    : 0xff;
  if (shorthand == IcrShorthand.All) {
    if (mode != DeliveryMode.Fixed) return LAPIC_OK;
    to = TO_ALL;
  } else if (shorthand == IcrShorthand.Others) {
    to = TO_OTHERS;
  } else if (destination == everyone) {
    to = TO_ALL;
  }
  // IPIs are edge-triggered whatever the trigger mode bit says.
  return send(sender, to, destination, mode, vector, false);
}

/** Sends a fixed interrupt to the sender itself. */
export function lapicSelfIpi(sender: usize, vector: u32): i32 {
  if (vector < FIRST_VECTOR) lapicError(sender, ESR_SEND_ILLEGAL_VECTOR);
  else lapicAccept(sender, vector, false);
  return LAPIC_RECHECK;
}

/**
 * A message from outside, as WHV_INTERRUPT_CONTROL describes it: `type`
 * Fixed 0, LowestPriority 1, Nmi 4, Init 5, Sipi 6, LocalInt1 9. Destination
 * 0xff and 0xffffffff reach every processor. LAPIC_ILLEGAL for another type,
 * a vector above 255, or a vector 0-15 of type Fixed or LowestPriority.
 */
export function lapicRequest(
  type: u32,
  logical: bool,
  level: bool,
  destination: u32,
  vector: u32,
): i32 {
  if (!isDeliveryMode(type) && type != InterruptType.LocalInt1) {
    return LAPIC_ILLEGAL;
  }
  if (vector > 0xff) return LAPIC_ILLEGAL;
  if (type <= DeliveryMode.LowestPriority && vector < FIRST_VECTOR) {
    return LAPIC_ILLEGAL;
  }
  let to = logical ? TO_LOGICAL : TO_PHYSICAL;
  if (destination == 0xff || destination == 0xffffffff) to = TO_ALL;
  return send(0, to, destination, type, vector, level);
}
