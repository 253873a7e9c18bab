// The local APIC's state block: one page per virtual processor, laid out as
// the xAPIC register page (which is also what
// WHvGet/SetVirtualProcessorInterruptControllerState2 exchange), with private
// fields from 0x400 on. Register names and reset values: Intel SDM vol. 3,
// chapter "Advanced Programmable Interrupt Controller (APIC)".
//
// Everything here works on a base pointer into linear memory; nothing is
// allocated.

import { lapicOf } from "../layout";
import { LapicRegister, Lvt, Svr } from "../x86/lapic";
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLED,
  APIC_BASE_PAGE_AT_RESET,
  APIC_BASE_X2,
} from "../x86/apic_base";

let count: u32 = 1;

/** Sets the number of virtual processors that messages can reach. */
export function lapicSetVpCount(value: u32): void {
  count = value;
}

/** The number of virtual processors that messages can reach. */
export function lapicVpCount(): u32 {
  return count;
}

export const LAPIC_STATE_BYTES: u32 = 4096;
/** Bytes of the block that are architectural registers. */
export const LAPIC_REGISTER_BYTES: u32 = 0x400;

// Private fields.
/** u64: IA32_APIC_BASE. */
export const LAPIC_X_APIC_BASE: u32 = 0x400;
/** u64: guest time at which the count in LAPIC_X_START_COUNT held. */
export const LAPIC_X_START_TIME: u32 = 0x408;
/** u64: IA32_TSC_DEADLINE, 0 when disarmed. */
export const LAPIC_X_DEADLINE: u32 = 0x410;
/** i64: this processor's TSC minus guest time. */
export const LAPIC_X_TSC_OFFSET: u32 = 0x418;
/** u32: LAPIC_PENDING_* flags. */
export const LAPIC_X_PENDING: u32 = 0x420;
/** u32: vector of the pending SIPI. */
export const LAPIC_X_SIPI_VECTOR: u32 = 0x424;
/** u32: 1 while the processor waits for a SIPI. */
const LAPIC_X_WAIT_FOR_SIPI: u32 = 0x428;
/** u32: errors since the last write of ESR, and ESR_SENT. */
export const LAPIC_X_ESR: u32 = 0x42c;
/** u32: LAPIC_FEATURE_* flags. */
export const LAPIC_X_FEATURES: u32 = 0x430;
/** u32: the initial (x2APIC) ID, all 32 bits. */
const LAPIC_X_ID: u32 = 0x434;
/** u32: timer count at the start time; 0 while the timer is stopped. */
export const LAPIC_X_START_COUNT: u32 = 0x438;
/** u32: levels of the LINT0 (bit 0) and LINT1 (bit 1) inputs. */
export const LAPIC_X_LINES: u32 = 0x43c;
/** u32, used in VP 0's block only: VP that won the last arbitration. */
const LAPIC_X_LAST_WINNER: u32 = 0x440;

export const LAPIC_PENDING_NMI: u32 = 1;
export const LAPIC_PENDING_INIT: u32 = 2;
export const LAPIC_PENDING_SIPI: u32 = 4;

export const LAPIC_FEATURE_X2APIC: u32 = 1;
/** SVR bit 12, EOI broadcast suppression, exists. */
export const LAPIC_FEATURE_DIRECTED_EOI: u32 = 2;

/** The APIC's mode, from IA32_APIC_BASE's EN and EXTD. */
export const LAPIC_MODE_DISABLED: u32 = 0;
export const LAPIC_MODE_XAPIC: u32 = 1;
export const LAPIC_MODE_X2APIC: u32 = 2;

// What the functions that change state answer: flags for the core.
export const LAPIC_OK: i32 = 0;
/** This processor's deliverable interrupts may have changed. */
export const LAPIC_RECHECK: i32 = 0x100;
/** Any processor's pending events may have changed. */
export const LAPIC_RECHECK_ALL: i32 = 0x200;
/** A level-triggered vector ended: ApicEoi exit. */
export const LAPIC_LEVEL_EOI: i32 = 0x400;
/** lapicTimerDue may have changed. */
export const LAPIC_TIMER: i32 = 0x800;
/** IA32_APIC_BASE changed: mode or address of the register page. */
export const LAPIC_MODE: i32 = 0x1000;
/** The access raises #GP(0); nothing changed. */
export const LAPIC_GP: i32 = 0x2000;
/** The request is not one that can be made; nothing changed. */
export const LAPIC_ILLEGAL: i32 = 0x4000;
/** An INIT or SIPI was not sent but is the caller's: lapicTrappedIcr(). */
export const LAPIC_TRAP: i32 = 0x8000;

/** One 32-bit register or field of the block. */
export function lapicField(base: usize, offset: u32): u32 {
  return load<u32>(base + offset);
}

/** Sets one 32-bit register or field of the block. */
export function lapicSetField(base: usize, offset: u32, value: u32): void {
  store<u32>(base + offset, value);
}

/** One of the LAPIC_MODE_* modes. */
export function lapicMode(base: usize): u32 {
  const apicBase = load<u64>(base + LAPIC_X_APIC_BASE);
  if ((apicBase & APIC_BASE_ENABLED) == 0) return LAPIC_MODE_DISABLED;
  return (apicBase & APIC_BASE_X2) != 0 ? LAPIC_MODE_X2APIC : LAPIC_MODE_XAPIC;
}

/** Enabled in IA32_APIC_BASE and in the SVR: accepts fixed interrupts. */
export function lapicEnabled(base: usize): bool {
  return lapicMode(base) != LAPIC_MODE_DISABLED &&
    (lapicField(base, LapicRegister.Svr) & Svr.Enabled) != 0;
}

/** Whether `vector` is set in the 256-bit register at `map`. */
export function lapicTest(base: usize, map: u32, vector: u32): bool {
  const word = load<u32>(base + map + ((vector >> 5) << 4));
  return (word & (1 << (vector & 31))) != 0;
}

/** Sets or clears `vector` in the 256-bit register at `map`. */
export function lapicAssign(
  base: usize,
  map: u32,
  vector: u32,
  on: bool,
): void {
  const at = base + map + ((vector >> 5) << 4);
  const bit: u32 = 1 << (vector & 31);
  const word = load<u32>(at);
  store<u32>(at, on ? word | bit : word & ~bit);
}

/** The highest vector set in the 256-bit register at `map`, or -1. */
export function lapicHighest(base: usize, map: u32): i32 {
  for (let i: i32 = 7; i >= 0; --i) {
    const word = load<u32>(base + map + (<u32> i << 4));
    if (word != 0) return (i << 5) + 31 - <i32> clz<u32>(word);
  }
  return -1;
}

/**
 * The LDR that x2APIC mode derives from the ID: cluster in the upper half,
 * one bit of sixteen in the lower.
 */
export function lapicLogicalId(id: u32): u32 {
  return ((id >> 4) << 16) | (1 << (id & 15));
}

/** Puts ID and LDR into the format of the current mode. */
export function lapicFormatId(base: usize): void {
  const id = lapicField(base, LAPIC_X_ID);
  if (lapicMode(base) == LAPIC_MODE_X2APIC) {
    lapicSetField(base, LapicRegister.Id, id);
    lapicSetField(base, LapicRegister.Ldr, lapicLogicalId(id));
  } else {
    lapicSetField(base, LapicRegister.Id, id << 24);
    lapicSetField(base, LapicRegister.Ldr, 0);
  }
}

/**
 * The registers' state after power-up, INIT, or a disable in IA32_APIC_BASE:
 * everything but the ID, the mode and the processor-level pending events.
 */
export function lapicResetRegisters(base: usize): void {
  memory.fill(base, 0, LAPIC_REGISTER_BYTES);
  const features = lapicField(base, LAPIC_X_FEATURES);
  // Six LVT entries; 0x15 tells that the x2APIC interface exists.
  let version: u32 = (features & LAPIC_FEATURE_X2APIC) != 0 ? 0x50015 : 0x50014;
  if ((features & LAPIC_FEATURE_DIRECTED_EOI) != 0) version |= 1 << 24;
  lapicSetField(base, LapicRegister.Version, version);
  lapicFormatId(base);
  lapicSetField(base, LapicRegister.Dfr, 0xffffffff);
  lapicSetField(base, LapicRegister.Svr, 0xff);
  for (
    let lvt = LapicRegister.LvtTimer;
    lvt <= LapicRegister.LvtError;
    lvt += 0x10
  ) {
    lapicSetField(base, lvt, Lvt.Masked);
  }
  lapicSetField(base, LAPIC_X_ESR, 0);
  lapicSetField(base, LAPIC_X_START_COUNT, 0);
  store<u64>(base + LAPIC_X_START_TIME, 0);
  store<u64>(base + LAPIC_X_DEADLINE, 0);
}

/**
 * Power-up reset. `features` are LAPIC_FEATURE_* flags (true = x2APIC). A
 * processor that is not the BSP then waits for a SIPI.
 */
export function lapicReset(
  base: usize,
  apicId: u32,
  features: u32,
  isBsp: bool,
): void {
  memory.fill(base, 0, LAPIC_STATE_BYTES);
  lapicSetField(base, LAPIC_X_ID, apicId);
  lapicSetField(base, LAPIC_X_FEATURES, features);
  store<u64>(
    base + LAPIC_X_APIC_BASE,
    APIC_BASE_PAGE_AT_RESET | APIC_BASE_ENABLED | (isBsp ? APIC_BASE_BSP : 0),
  );
  lapicSetField(base, LAPIC_X_WAIT_FOR_SIPI, isBsp ? 0 : 1);
  lapicResetRegisters(base);
}

/**
 * INIT reset: ID and IA32_APIC_BASE stay. Ends the pending INIT; the BSP
 * starts over, another processor waits for a SIPI (one that came after the
 * INIT is still pending).
 */
export function lapicInit(base: usize): void {
  if (lapicMode(base) != LAPIC_MODE_DISABLED) lapicResetRegisters(base);
  const isBsp = (load<u64>(base + LAPIC_X_APIC_BASE) & APIC_BASE_BSP) != 0;
  const pending = lapicField(base, LAPIC_X_PENDING);
  lapicSetField(
    base,
    LAPIC_X_PENDING,
    isBsp ? 0 : pending & LAPIC_PENDING_SIPI,
  );
  lapicSetField(base, LAPIC_X_WAIT_FOR_SIPI, isBsp ? 0 : 1);
}

/** The LAPIC_PENDING_* flags: NMI, INIT, SIPI. */
export function lapicPending(base: usize): u32 {
  return lapicField(base, LAPIC_X_PENDING);
}

/** Whether the processor waits for a SIPI (executes nothing). */
export function lapicWaitsForSipi(base: usize): bool {
  return lapicField(base, LAPIC_X_WAIT_FOR_SIPI) != 0;
}

/** Puts the processor into or out of the wait for a SIPI. */
export function lapicSetWaitsForSipi(base: usize, waits: bool): void {
  lapicSetField(base, LAPIC_X_WAIT_FOR_SIPI, waits ? 1 : 0);
}

/** Sets LAPIC_PENDING_* flags. */
export function lapicSetPending(base: usize, flags: u32): void {
  lapicSetField(base, LAPIC_X_PENDING, lapicPending(base) | flags);
}

function takePending(base: usize, flag: u32): bool {
  const pending = lapicPending(base);
  lapicSetField(base, LAPIC_X_PENDING, pending & ~flag);
  return (pending & flag) != 0;
}

/** Takes the pending NMI; false if there is none. */
export function lapicTakeNmi(base: usize): bool {
  return takePending(base, LAPIC_PENDING_NMI);
}

/** Takes the pending SIPI and ends the wait; its vector, or -1 if none. */
export function lapicTakeSipi(base: usize): i32 {
  if (!takePending(base, LAPIC_PENDING_SIPI)) return -1;
  lapicSetField(base, LAPIC_X_WAIT_FOR_SIPI, 0);
  return <i32> lapicField(base, LAPIC_X_SIPI_VECTOR);
}

/** VP that won the last lowest-priority arbitration. */
export function lapicLastWinner(): u32 {
  return lapicField(lapicOf(0), LAPIC_X_LAST_WINNER);
}

/** Notes the winner of a lowest-priority arbitration. */
export function lapicSetLastWinner(vp: u32): void {
  lapicSetField(lapicOf(0), LAPIC_X_LAST_WINNER, vp);
}
