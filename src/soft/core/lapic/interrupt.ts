// What one local APIC does with interrupts: priorities, acceptance into IRR,
// acknowledge, end of interrupt, the local vector table, LINT inputs and
// errors. Source: Intel SDM vol. 3, APIC chapter, "Handling Local Interrupts",
// "Handling Interrupts", "Error Handling", "Spurious Interrupt".

import {
  LAPIC_LEVEL_EOI,
  LAPIC_MODE_DISABLED,
  LAPIC_OK,
  LAPIC_PENDING_INIT,
  LAPIC_PENDING_NMI,
  LAPIC_PENDING_SIPI,
  LAPIC_RECHECK,
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
} from "./state";
import { DeliveryMode, LapicRegister, Lvt, Svr } from "../x86/lapic";

// Error status register.
export const ESR_SEND_ILLEGAL_VECTOR: u32 = 1 << 5;
const ESR_RECEIVE_ILLEGAL_VECTOR: u32 = 1 << 6;
export const ESR_ILLEGAL_REGISTER: u32 = 1 << 7;
const ESR_BITS: u32 = 0xff;
/** In LAPIC_X_ESR: the error interrupt waits for a write of ESR. */
const ESR_SENT: u32 = 1 << 31;

/** Vectors below this are reserved for exceptions. */
export const FIRST_VECTOR: u32 = 16;

function highestClass(base: usize, map: u32): u32 {
  const vector = lapicHighest(base, map);
  return vector < 0 ? 0 : <u32> vector & 0xf0;
}

/** The processor priority register. */
export function lapicPpr(base: usize): u32 {
  const tpr = lapicField(base, LapicRegister.Tpr) & 0xff;
  const service = highestClass(base, LapicRegister.Isr);
  return (tpr & 0xf0) >= service ? tpr : service;
}

/** The arbitration priority register (xAPIC mode's only). */
export function lapicApr(base: usize): u32 {
  const tpr = lapicField(base, LapicRegister.Tpr) & 0xff;
  const service = highestClass(base, LapicRegister.Isr);
  const request = highestClass(base, LapicRegister.Irr);
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
  const vector = lapicHighest(base, LapicRegister.Irr);
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
  if (vector < 0) return <i32> (lapicField(base, LapicRegister.Svr) & 0xff);
  lapicAssign(base, LapicRegister.Irr, vector, false);
  lapicAssign(base, LapicRegister.Isr, vector, true);
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
  lapicAssign(base, LapicRegister.Irr, vector, true);
  lapicAssign(base, LapicRegister.Tmr, vector, level);
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
  return (lapicField(base, LapicRegister.Tpr) >> 4) & 15;
}

/** Writes CR8: sets the task priority class, and its sub-class to 0. */
export function lapicSetCr8(base: usize, value: u32): i32 {
  lapicSetField(base, LapicRegister.Tpr, (value & 15) << 4);
  return LAPIC_RECHECK;
}

/**
 * End of interrupt: the highest vector in service ends. For a level-triggered
 * one LAPIC_LEVEL_EOI with the vector, unless the SVR suppresses broadcasts.
 */
export function lapicEndOfInterrupt(base: usize): i32 {
  const vector = lapicHighest(base, LapicRegister.Isr);
  if (vector < 0) return LAPIC_OK;
  lapicAssign(base, LapicRegister.Isr, vector, false);
  if (!lapicTest(base, LapicRegister.Tmr, vector)) return LAPIC_RECHECK;
  const lint0 = lapicField(base, LapicRegister.LvtLint0);
  if ((lint0 & Lvt.RemoteIrr) != 0 && (lint0 & 0xff) == <u32> vector) {
    lapicSetField(base, LapicRegister.LvtLint0, lint0 & ~Lvt.RemoteIrr);
    lapicLint0Level(base);
  }
  if ((lapicField(base, LapicRegister.Svr) & Svr.DirectedEoi) != 0) {
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
  const lvt = lapicField(base, LapicRegister.LvtError);
  if ((noted & ESR_SENT) != 0 || (lvt & Lvt.Masked) != 0) return;
  // Noted as sent first: an illegal vector in the entry is itself an error.
  lapicSetField(base, LAPIC_X_ESR, noted | ESR_SENT);
  lapicAccept(base, lvt & 0xff, false);
}

/** A write of ESR: shows the errors noted since the last one. */
export function lapicLatchErrors(base: usize): void {
  lapicSetField(
    base,
    LapicRegister.Esr,
    lapicField(base, LAPIC_X_ESR) & ESR_BITS,
  );
  lapicSetField(base, LAPIC_X_ESR, 0);
}

/**
 * The source of the LVT entry at `lvt` fires (timer, thermal sensor,
 * performance counter overflow, a LINT edge).
 */
export function lapicLocalInterrupt(base: usize, lvt: u32): i32 {
  const entry = lapicField(base, lvt);
  if ((entry & Lvt.Masked) != 0) return LAPIC_OK;
  // The entry masks itself: software unmasks it when the counter is served.
  if (lvt == LapicRegister.LvtPerfmon) {
    lapicSetField(base, lvt, entry | Lvt.Masked);
  }
  const mode = lvt == LapicRegister.LvtTimer
    ? DeliveryMode.Fixed
    : (entry >> 8) & 7;
  if (mode == DeliveryMode.Fixed) {
    lapicAccept(base, entry & 0xff, false);
  } else if (mode == DeliveryMode.Nmi) {
    lapicSetPending(base, LAPIC_PENDING_NMI);
  } else if (mode == DeliveryMode.Init) {
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
  const entry = lapicField(base, LapicRegister.LvtLint0);
  const unfit = Lvt.Masked | Lvt.RemoteIrr | 0x700;
  if ((entry & (unfit | Lvt.Level)) != Lvt.Level) return LAPIC_OK;
  if (lapicAccept(base, entry & 0xff, true)) {
    lapicSetField(base, LapicRegister.LvtLint0, entry | Lvt.RemoteIrr);
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
  const entry = lapicField(base, LapicRegister.LvtLint0);
  const mode = (entry >> 8) & 7;
  if (mode == DeliveryMode.ExtInt) return LAPIC_RECHECK;
  if (!asserted) return LAPIC_OK;
  return mode == DeliveryMode.Fixed && (entry & Lvt.Level) != 0
    ? lapicLint0Level(base)
    : lapicLocalInterrupt(base, LapicRegister.LvtLint0);
}

/** A rising edge of LINT1, which is the NMI pin while the APIC is disabled. */
export function lapicLint1Edge(base: usize): i32 {
  if (lapicMode(base) != LAPIC_MODE_DISABLED) {
    return lapicLocalInterrupt(base, LapicRegister.LvtLint1);
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
  const entry = lapicField(base, LapicRegister.LvtLint0);
  return (entry & (Lvt.Masked | 0x700)) == DeliveryMode.ExtInt << 8;
}
