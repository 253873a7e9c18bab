// What one local APIC does with interrupts: priorities, acceptance into IRR,
// acknowledge, end of interrupt, the local vector table, LINT inputs and
// errors. Source: Intel SDM vol. 3, APIC chapter, "Handling Local Interrupts",
// "Handling Interrupts", "Error Handling", "Spurious Interrupt".

import {
  LAPIC_ESR,
  LAPIC_IRR,
  LAPIC_ISR,
  LAPIC_LEVEL_EOI,
  LAPIC_LVT_ERROR,
  LAPIC_LVT_LINT0,
  LAPIC_LVT_LINT1,
  LAPIC_LVT_PERFORMANCE,
  LAPIC_LVT_TIMER,
  LAPIC_MODE_DISABLED,
  LAPIC_OK,
  LAPIC_PENDING_INIT,
  LAPIC_PENDING_NMI,
  LAPIC_PENDING_SIPI,
  LAPIC_RECHECK,
  LAPIC_SVR,
  LAPIC_TMR,
  LAPIC_TPR,
  LAPIC_X_ESR,
  LAPIC_X_LINES,
  LAPIC_X_PENDING,
  LAPIC_X_SIPI_VECTOR,
  lapicAssign,
  lapicEnabled,
  lapicField,
  lapicHighest,
  lapicMode,
  lapicPending,
  lapicSetField,
  lapicSetPending,
  lapicTest,
  lapicWaitsForSipi,
  LVT_MASKED,
  SVR_DIRECTED_EOI,
} from "./state";

// Error status register.
export const ESR_SEND_ILLEGAL_VECTOR: u32 = 1 << 5;
const ESR_RECEIVE_ILLEGAL_VECTOR: u32 = 1 << 6;
export const ESR_ILLEGAL_REGISTER: u32 = 1 << 7;
const ESR_BITS: u32 = 0xff;
/** In LAPIC_X_ESR: the error interrupt waits for a write of ESR. */
const ESR_SENT: u32 = 1 << 31;

// Delivery modes of the ICR, the LVT and the messages on the bus.
export const DELIVER_FIXED: u32 = 0;
export const DELIVER_LOWEST: u32 = 1;
export const DELIVER_NMI: u32 = 4;
export const DELIVER_INIT: u32 = 5;
export const DELIVER_SIPI: u32 = 6;
const DELIVER_EXTINT: u32 = 7;

// Local vector table.
const LVT_REMOTE_IRR: u32 = 1 << 14;
const LVT_LEVEL: u32 = 1 << 15;

/** Vectors below this are reserved for exceptions. */
export const FIRST_VECTOR: u32 = 16;

function highestClass(base: usize, map: u32): u32 {
  const vector = lapicHighest(base, map);
  return vector < 0 ? 0 : <u32> vector & 0xf0;
}

/** The processor priority register. */
export function lapicPpr(base: usize): u32 {
  const tpr = lapicField(base, LAPIC_TPR) & 0xff;
  const service = highestClass(base, LAPIC_ISR);
  return (tpr & 0xf0) >= service ? tpr : service;
}

/** The arbitration priority register (xAPIC mode's only). */
export function lapicApr(base: usize): u32 {
  const tpr = lapicField(base, LAPIC_TPR) & 0xff;
  const service = highestClass(base, LAPIC_ISR);
  const request = highestClass(base, LAPIC_IRR);
  const task = tpr & 0xf0;
  if (task >= request && task > service) return tpr;
  return max(task & service, request);
}

/**
 * The vector to interrupt the processor with: the highest in IRR if its
 * class is above the processor priority, else -1.
 */
export function lapicHighestPending(base: usize): i32 {
  if (lapicMode(base) == LAPIC_MODE_DISABLED) return -1;
  const vector = lapicHighest(base, LAPIC_IRR);
  if (vector < 0) return -1;
  return (<u32> vector & 0xf0) > (lapicPpr(base) & 0xf0) ? vector : -1;
}

/**
 * The processor takes an interrupt: moves the vector from IRR to ISR. When
 * nothing is deliverable any more (the priority was raised meanwhile) it is
 * the spurious vector, which is never in service; -1 without an APIC.
 */
export function lapicAcknowledge(base: usize): i32 {
  if (lapicMode(base) == LAPIC_MODE_DISABLED) return -1;
  const vector = lapicHighestPending(base);
  if (vector < 0) return <i32> (lapicField(base, LAPIC_SVR) & 0xff);
  lapicAssign(base, LAPIC_IRR, vector, false);
  lapicAssign(base, LAPIC_ISR, vector, true);
  return vector;
}

/**
 * Accepts a fixed interrupt message: sets IRR, and TMR for a level-triggered
 * one. False when refused: APIC disabled, or vector 0-15 (noted in ESR).
 */
export function lapicAccept(base: usize, vector: u32, level: bool): bool {
  if (!lapicEnabled(base)) return false;
  if (vector < FIRST_VECTOR) {
    lapicError(base, ESR_RECEIVE_ILLEGAL_VECTOR);
    return false;
  }
  lapicAssign(base, LAPIC_IRR, vector, true);
  lapicAssign(base, LAPIC_TMR, vector, level);
  return true;
}

/** INIT arrives: cancels an earlier SIPI. */
export function lapicAcceptInit(base: usize): void {
  const pending = lapicPending(base) & ~LAPIC_PENDING_SIPI;
  lapicSetField(base, LAPIC_X_PENDING, pending | LAPIC_PENDING_INIT);
}

/**
 * A start-up IPI arrives: kept when the processor waits for one or is about
 * to (INIT pending), dropped otherwise. The first of two counts.
 */
export function lapicAcceptSipi(base: usize, vector: u32): void {
  const pending = lapicPending(base);
  if ((pending & LAPIC_PENDING_SIPI) != 0) return;
  if (!lapicWaitsForSipi(base) && (pending & LAPIC_PENDING_INIT) == 0) return;
  lapicSetField(base, LAPIC_X_SIPI_VECTOR, vector & 0xff);
  lapicSetPending(base, LAPIC_PENDING_SIPI);
}

/** CR8: the task priority class. */
export function lapicCr8(base: usize): u32 {
  return (lapicField(base, LAPIC_TPR) >> 4) & 15;
}

/** Writes CR8: sets the task priority class, and its sub-class to 0. */
export function lapicSetCr8(base: usize, value: u32): i32 {
  lapicSetField(base, LAPIC_TPR, (value & 15) << 4);
  return LAPIC_RECHECK;
}

/**
 * End of interrupt: the highest vector in service ends. For a level-triggered
 * one LAPIC_LEVEL_EOI with the vector, unless the SVR suppresses broadcasts.
 */
export function lapicEndOfInterrupt(base: usize): i32 {
  const vector = lapicHighest(base, LAPIC_ISR);
  if (vector < 0) return LAPIC_OK;
  lapicAssign(base, LAPIC_ISR, vector, false);
  if (!lapicTest(base, LAPIC_TMR, vector)) return LAPIC_RECHECK;
  const lint0 = lapicField(base, LAPIC_LVT_LINT0);
  if ((lint0 & LVT_REMOTE_IRR) != 0 && (lint0 & 0xff) == <u32> vector) {
    lapicSetField(base, LAPIC_LVT_LINT0, lint0 & ~LVT_REMOTE_IRR);
    lapicLint0Level(base);
  }
  if ((lapicField(base, LAPIC_SVR) & SVR_DIRECTED_EOI) != 0) {
    return LAPIC_RECHECK;
  }
  return LAPIC_RECHECK | LAPIC_LEVEL_EOI | vector;
}

/**
 * Notes errors for ESR and raises the error interrupt, once until ESR is
 * written.
 */
export function lapicError(base: usize, bits: u32): void {
  const noted = lapicField(base, LAPIC_X_ESR) | bits;
  lapicSetField(base, LAPIC_X_ESR, noted);
  const lvt = lapicField(base, LAPIC_LVT_ERROR);
  if ((noted & ESR_SENT) != 0 || (lvt & LVT_MASKED) != 0) return;
  // Noted as sent first: an illegal vector in the entry is itself an error.
  lapicSetField(base, LAPIC_X_ESR, noted | ESR_SENT);
  lapicAccept(base, lvt & 0xff, false);
}

/** A write of ESR: shows the errors noted since the last one. */
export function lapicLatchErrors(base: usize): void {
  lapicSetField(base, LAPIC_ESR, lapicField(base, LAPIC_X_ESR) & ESR_BITS);
  lapicSetField(base, LAPIC_X_ESR, 0);
}

/**
 * The source of the LVT entry at `lvt` fires (timer, thermal sensor,
 * performance counter overflow, a LINT edge).
 */
export function lapicLocalInterrupt(base: usize, lvt: u32): i32 {
  const entry = lapicField(base, lvt);
  if ((entry & LVT_MASKED) != 0) return LAPIC_OK;
  // The entry masks itself: software unmasks it when the counter is served.
  if (lvt == LAPIC_LVT_PERFORMANCE) {
    lapicSetField(base, lvt, entry | LVT_MASKED);
  }
  const mode = lvt == LAPIC_LVT_TIMER ? DELIVER_FIXED : (entry >> 8) & 7;
  if (mode == DELIVER_FIXED) {
    lapicAccept(base, entry & 0xff, false);
  } else if (mode == DELIVER_NMI) {
    lapicSetPending(base, LAPIC_PENDING_NMI);
  } else if (mode == DELIVER_INIT) {
    lapicAcceptInit(base);
  } else {
    // SMI has no meaning here; ExtINT follows the line (lapicExtInt).
    return LAPIC_OK;
  }
  return LAPIC_RECHECK;
}

/**
 * Delivers a level-sensitive LINT0 whose line is asserted, unless the last
 * delivery still waits for its EOI.
 */
export function lapicLint0Level(base: usize): i32 {
  if ((lapicField(base, LAPIC_X_LINES) & 1) == 0) return LAPIC_OK;
  const entry = lapicField(base, LAPIC_LVT_LINT0);
  const unfit = LVT_MASKED | LVT_REMOTE_IRR | 0x700;
  if ((entry & (unfit | LVT_LEVEL)) != LVT_LEVEL) return LAPIC_OK;
  if (lapicAccept(base, entry & 0xff, true)) {
    lapicSetField(base, LAPIC_LVT_LINT0, entry | LVT_REMOTE_IRR);
  }
  return LAPIC_RECHECK;
}

/** The LINT0 (`pin` 0) or LINT1 input changes; `asserted` after polarity. */
export function lapicSetLint(base: usize, pin: u32, asserted: bool): i32 {
  const lines = lapicField(base, LAPIC_X_LINES);
  const bit: u32 = 1 << pin;
  if (((lines & bit) != 0) == asserted) return LAPIC_OK;
  lapicSetField(base, LAPIC_X_LINES, lines ^ bit);
  if (pin == 1) return asserted ? lapicLint1Edge(base) : LAPIC_OK;
  if (lapicMode(base) == LAPIC_MODE_DISABLED) return LAPIC_RECHECK;
  const entry = lapicField(base, LAPIC_LVT_LINT0);
  const mode = (entry >> 8) & 7;
  if (mode == DELIVER_EXTINT) return LAPIC_RECHECK;
  if (!asserted) return LAPIC_OK;
  return mode == DELIVER_FIXED && (entry & LVT_LEVEL) != 0
    ? lapicLint0Level(base)
    : lapicLocalInterrupt(base, LAPIC_LVT_LINT0);
}

/** A rising edge of LINT1, which is the NMI pin while the APIC is disabled. */
export function lapicLint1Edge(base: usize): i32 {
  if (lapicMode(base) != LAPIC_MODE_DISABLED) {
    return lapicLocalInterrupt(base, LAPIC_LVT_LINT1);
  }
  lapicSetPending(base, LAPIC_PENDING_NMI);
  return LAPIC_RECHECK;
}

/**
 * Whether LINT0 asks for an interrupt of the external controller: the INTR
 * pin while the APIC is disabled, else an unmasked ExtINT entry.
 */
export function lapicExtInt(base: usize): bool {
  if ((lapicField(base, LAPIC_X_LINES) & 1) == 0) return false;
  if (lapicMode(base) == LAPIC_MODE_DISABLED) return true;
  return lapicPassesExtInt(base);
}

/** Whether LINT0's entry lets an ExtINT through. */
function lapicPassesExtInt(base: usize): bool {
  const entry = lapicField(base, LAPIC_LVT_LINT0);
  return (entry & (LVT_MASKED | 0x700)) == DELIVER_EXTINT << 8;
}
