// The local APIC's model-specific registers: IA32_APIC_BASE with its mode
// transitions, and the x2APIC registers 0x800-0x8ff. Source: Intel SDM
// vol. 3, APIC chapter, "Extended XAPIC (x2APIC)": table "Local APIC Register
// Address Map Supported by x2APIC", "x2APIC State Transitions".

import {
  LAPIC_FEATURE_X2APIC,
  LAPIC_GP,
  LAPIC_MODE,
  LAPIC_MODE_DISABLED,
  LAPIC_MODE_X2APIC,
  LAPIC_OK,
  LAPIC_RECHECK,
  LAPIC_TIMER,
  LAPIC_X_APIC_BASE,
  LAPIC_X_FEATURES,
  lapicField,
  lapicFormatId,
  lapicMode,
  lapicResetRegisters,
  lapicSetField,
} from "./state";
import { lapicSelfIpi, lapicSendIpi } from "./ipi";
import { lapicLvtMask, lapicRead, lapicSvrMask, lapicWrite } from "./page";
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLED,
  APIC_BASE_X2,
} from "../x86/apic_base";
import { LapicRegister, X2APIC_FIRST } from "../x86/lapic";

// ICR bits that are reserved in x2APIC mode: there is no delivery status.
const ICR_RESERVED: u32 = 0xfff33000;

function isReadable(offset: u32): bool {
  return offset == LapicRegister.Id || offset == LapicRegister.Version ||
    offset == LapicRegister.Tpr || offset == LapicRegister.Ppr ||
    offset == LapicRegister.Ldr ||
    (offset >= LapicRegister.Svr && offset <= LapicRegister.Esr) ||
    offset == LapicRegister.IcrLow ||
    (offset >= LapicRegister.LvtTimer &&
      offset <= LapicRegister.CurrentCount) ||
    offset == LapicRegister.DivideConfiguration;
}

/**
 * RDMSR of 0x800-0x8ff: the value to `out` (u64) and LAPIC_OK, or LAPIC_GP:
 * not in x2APIC mode, reserved or write-only.
 */
export function lapicRdmsr(
  base: usize,
  msr: u32,
  now: u64,
  out: usize,
): i32 {
  const offset = (msr - X2APIC_FIRST) << 4;
  if (lapicMode(base) != LAPIC_MODE_X2APIC || !isReadable(offset)) {
    return LAPIC_GP;
  }
  let value: u64 = lapicRead(base, offset, now);
  if (offset == LapicRegister.IcrLow) {
    value |= <u64> lapicField(base, LapicRegister.IcrHigh) << 32;
  }
  store<u64>(out, value);
  return LAPIC_OK;
}

// The bits of a 32-bit register that a WRMSR may have set; for a register
// that cannot be written, -1.
function writable(base: usize, offset: u32): i64 {
  const lvt = lapicLvtMask(offset);
  if (lvt != 0) {
    // Delivery status and remote IRR are read-only, not reserved.
    const lint = offset == LapicRegister.LvtLint0 ||
      offset == LapicRegister.LvtLint1;
    return lvt | (1 << 12) | (lint ? 1 << 14 : 0);
  }
  switch (offset) {
    case LapicRegister.Tpr:
    case LapicRegister.SelfIpi:
      return 0xff;
    case LapicRegister.Eoi:
    case LapicRegister.Esr:
      return 0;
    case LapicRegister.Svr:
      return lapicSvrMask(base);
    case LapicRegister.InitialCount:
      return 0xffffffff;
    case LapicRegister.DivideConfiguration:
      return 0xb;
    default:
      return -1;
  }
}

/**
 * WRMSR of 0x800-0x8ff: the flags of lapicWrite, or LAPIC_GP: not in x2APIC
 * mode, reserved register or bits, read-only, EOI or ESR with a value
 * other than 0.
 */
export function lapicWrmsr(
  base: usize,
  msr: u32,
  value: u64,
  now: u64,
): i32 {
  if (lapicMode(base) != LAPIC_MODE_X2APIC) return LAPIC_GP;
  const offset = (msr - X2APIC_FIRST) << 4;
  const low = <u32> value;
  const high = <u32> (value >> 32);
  if (offset == LapicRegister.IcrLow) {
    if ((low & ICR_RESERVED) != 0) return LAPIC_GP;
    lapicSetField(base, LapicRegister.IcrLow, low);
    lapicSetField(base, LapicRegister.IcrHigh, high);
    return lapicSendIpi(base, low, high);
  }
  const mask = writable(base, offset);
  if (mask < 0 || (value & ~<u64> mask) != 0) return LAPIC_GP;
  return offset == LapicRegister.SelfIpi
    ? lapicSelfIpi(base, low)
    : lapicWrite(base, offset, low, now);
}

/** IA32_APIC_BASE. */
export function lapicApicBase(base: usize): u64 {
  return load<u64>(base + LAPIC_X_APIC_BASE);
}

/**
 * Writes IA32_APIC_BASE; `physicalBits` is MAXPHYADDR. LAPIC_GP for reserved
 * bits and for mode transitions that do not exist: to EXTD without EN, from
 * disabled to x2APIC, from x2APIC to xAPIC.
 */
export function lapicWriteApicBase(
  base: usize,
  value: u64,
  physicalBits: u32,
): i32 {
  const features = lapicField(base, LAPIC_X_FEATURES);
  let allowed: u64 = ((<u64> 1 << physicalBits) - 1) & ~(<u64> 0xfff);
  allowed |= APIC_BASE_BSP | APIC_BASE_ENABLED;
  if ((features & LAPIC_FEATURE_X2APIC) != 0) allowed |= APIC_BASE_X2;
  if ((value & ~allowed) != 0) return LAPIC_GP;
  const extended = (value & APIC_BASE_X2) != 0;
  const enabled = (value & APIC_BASE_ENABLED) != 0;
  const before = lapicMode(base);
  if (extended && (!enabled || before == LAPIC_MODE_DISABLED)) return LAPIC_GP;
  if (before == LAPIC_MODE_X2APIC && enabled && !extended) return LAPIC_GP;
  store<u64>(base + LAPIC_X_APIC_BASE, value);
  const after = lapicMode(base);
  if (after == before) return LAPIC_MODE;
  if (after == LAPIC_MODE_X2APIC) {
    // All other registers carry over; ICR's upper half changes its format.
    lapicFormatId(base);
    lapicSetField(base, LapicRegister.IcrHigh, 0);
    return LAPIC_MODE;
  }
  // A disabled APIC comes back as after a reset.
  lapicResetRegisters(base);
  return LAPIC_MODE | LAPIC_RECHECK | LAPIC_TIMER;
}
