// The local APIC as its processor sees it: the register page (xAPIC mode),
// and the page's transfer to and from the caller of the platform. The other
// parts: lapic_state (the block), lapic_interrupt (acceptance, LVT, EOI),
// lapic_ipi (ICR, destinations), lapic_timer, lapic_msr (x2APIC,
// IA32_APIC_BASE); all are exported from here.
// Source: Intel SDM vol. 3, APIC chapter, "The Local APIC Block Diagram".

import {
  LAPIC_FEATURE_DIRECTED_EOI,
  LAPIC_MODE_X2APIC,
  LAPIC_OK,
  LAPIC_RECHECK,
  LAPIC_REGISTER_BYTES,
  LAPIC_STATE_BYTES,
  LAPIC_TIMER,
  LAPIC_X_DEADLINE,
  LAPIC_X_ESR,
  LAPIC_X_FEATURES,
  LAPIC_X_START_COUNT,
  LAPIC_X_START_TIME,
  lapicField,
  lapicLogicalId,
  lapicMode,
  lapicSetField,
} from "./state";
import {
  ESR_ILLEGAL_REGISTER,
  lapicApr,
  lapicEndOfInterrupt,
  lapicError,
  lapicLatchErrors,
  lapicLint0Level,
  lapicPpr,
} from "./interrupt";
import { lapicSendIpi } from "./ipi";
import {
  lapicCurrentCount,
  lapicTimerTick,
  lapicWriteDivide,
  lapicWriteInitialCount,
  lapicWriteTimerLvt,
} from "./timer";
import { LapicRegister, Lvt, Svr } from "../x86/lapic";

/** Bits of the SVR that can be written. */
export function lapicSvrMask(base: usize): u32 {
  const features = lapicField(base, LAPIC_X_FEATURES);
  return (features & LAPIC_FEATURE_DIRECTED_EOI) != 0
    ? 0x3ff | Svr.DirectedEoi
    : 0x3ff;
}

/** Bits of the LVT entry at `lvt` that can be written; 0 if not an entry. */
export function lapicLvtMask(lvt: u32): u32 {
  if (lvt == LapicRegister.LvtTimer) return 0x700ff;
  if (lvt == LapicRegister.LvtThermal || lvt == LapicRegister.LvtPerfmon) {
    return 0x107ff;
  }
  if (lvt == LapicRegister.LvtLint0 || lvt == LapicRegister.LvtLint1) {
    return 0x1a7ff;
  }
  return lvt == LapicRegister.LvtError ? 0x100ff : 0;
}

function isRegister(offset: u32): bool {
  return offset == LapicRegister.Id || offset == LapicRegister.Version ||
    (offset >= LapicRegister.Tpr && offset <= LapicRegister.Esr) ||
    (offset >= LapicRegister.IcrLow && offset <= LapicRegister.CurrentCount) ||
    offset == LapicRegister.DivideConfiguration;
}

/**
 * Reads the 32-bit register at `offset` of the page (a multiple of 16; other
 * offsets read 0). A reserved one reads 0 and notes an error, which can raise
 * the error interrupt: recheck after a read, too.
 */
export function lapicRead(base: usize, offset: u32, now: u64): u32 {
  if ((offset & 15) != 0) return 0;
  if (!isRegister(offset)) {
    lapicError(base, ESR_ILLEGAL_REGISTER);
    return 0;
  }
  if (offset == LapicRegister.CurrentCount) return lapicCurrentCount(base, now);
  if (offset == LapicRegister.Ppr) return lapicPpr(base);
  if (offset == LapicRegister.Apr) return lapicApr(base);
  // EOI and RRD hold nothing.
  return lapicField(base, offset);
}

function writeSvr(base: usize, value: u32, now: u64): i32 {
  // What expired while the entries were unmasked still counts.
  const settled = lapicTimerTick(base, now);
  lapicSetField(base, LapicRegister.Svr, value & lapicSvrMask(base));
  if ((value & Svr.Enabled) != 0) return settled;
  for (
    let lvt = LapicRegister.LvtTimer;
    lvt <= LapicRegister.LvtError;
    lvt += 0x10
  ) {
    lapicSetField(base, lvt, lapicField(base, lvt) | Lvt.Masked);
  }
  return settled | LAPIC_RECHECK | LAPIC_TIMER;
}

function writeLvt(base: usize, lvt: u32, value: u32, now: u64): i32 {
  const mask = lapicLvtMask(lvt);
  // Delivery status and remote IRR are the APIC's own.
  let entry = (value & mask) | (lapicField(base, lvt) & ~mask);
  if ((lapicField(base, LapicRegister.Svr) & Svr.Enabled) == 0) {
    entry |= Lvt.Masked;
  }
  if (lvt == LapicRegister.LvtTimer) {
    return lapicWriteTimerLvt(base, entry, now);
  }
  lapicSetField(base, lvt, entry);
  return lvt == LapicRegister.LvtLint0
    ? lapicLint0Level(base) | LAPIC_RECHECK
    : LAPIC_OK;
}

/**
 * Writes the 32-bit register at `offset` of the page. Flags: LAPIC_RECHECK,
 * LAPIC_RECHECK_ALL, LAPIC_TIMER, LAPIC_LEVEL_EOI with the vector. Writes of
 * read-only registers and misaligned ones do nothing; one of a reserved
 * register notes an error.
 */
export function lapicWrite(
  base: usize,
  offset: u32,
  value: u32,
  now: u64,
): i32 {
  if ((offset & 15) != 0) return LAPIC_OK;
  if (lapicLvtMask(offset) != 0) return writeLvt(base, offset, value, now);
  switch (offset) {
    case LapicRegister.Tpr:
      lapicSetField(base, LapicRegister.Tpr, value & 0xff);
      return LAPIC_RECHECK;
    case LapicRegister.Eoi:
      return lapicEndOfInterrupt(base);
    case LapicRegister.Ldr:
      lapicSetField(base, LapicRegister.Ldr, value & 0xff000000);
      return LAPIC_OK;
    case LapicRegister.Dfr:
      lapicSetField(base, LapicRegister.Dfr, value | 0x0fffffff);
      return LAPIC_OK;
    case LapicRegister.Svr:
      return writeSvr(base, value, now);
    case LapicRegister.Esr:
      lapicLatchErrors(base);
      return LAPIC_OK;
    case LapicRegister.IcrLow:
      // Delivery status reads idle: sending takes no time.
      lapicSetField(base, LapicRegister.IcrLow, value & 0xccfff & ~(1 << 12));
      return lapicSendIpi(
        base,
        value,
        lapicField(base, LapicRegister.IcrHigh) >> 24,
      );
    case LapicRegister.IcrHigh:
      lapicSetField(base, LapicRegister.IcrHigh, value & 0xff000000);
      return LAPIC_OK;
    case LapicRegister.InitialCount:
      return lapicWriteInitialCount(base, value, now);
    case LapicRegister.DivideConfiguration:
      return lapicWriteDivide(base, value, now);
    default:
      if (isRegister(offset)) return LAPIC_OK;
      lapicError(base, ESR_ILLEGAL_REGISTER);
      return LAPIC_RECHECK;
  }
}

/**
 * Copies the register page, current count, PPR and APR included, to `to`
 * (LAPIC_STATE_BYTES; the private part is zero there).
 */
export function lapicExport(base: usize, to: usize, now: u64): void {
  memory.copy(to, base, LAPIC_REGISTER_BYTES);
  memory.fill(
    to + LAPIC_REGISTER_BYTES,
    0,
    LAPIC_STATE_BYTES - LAPIC_REGISTER_BYTES,
  );
  store<u32>(to + LapicRegister.CurrentCount, lapicCurrentCount(base, now));
  store<u32>(to + LapicRegister.Ppr, lapicPpr(base));
  if (lapicMode(base) != LAPIC_MODE_X2APIC) {
    store<u32>(to + LapicRegister.Apr, lapicApr(base));
  }
}

function import32(base: usize, from: usize, offset: u32, mask: u32): void {
  store<u32>(base + offset, load<u32>(from + offset) & mask);
}

/**
 * Takes over a register page from `from`: everything software could have
 * brought about; ID, version and reserved bits stay ours. The timer goes on
 * from the page's current count.
 */
export function lapicImport(base: usize, from: usize, now: u64): i32 {
  import32(base, from, LapicRegister.Tpr, 0xff);
  import32(base, from, LapicRegister.Svr, lapicSvrMask(base));
  import32(base, from, LapicRegister.Esr, 0xff);
  import32(base, from, LapicRegister.InitialCount, 0xffffffff);
  import32(base, from, LapicRegister.DivideConfiguration, 0xb);
  import32(base, from, LapicRegister.IcrLow, 0xcefff);
  if (lapicMode(base) == LAPIC_MODE_X2APIC) {
    import32(base, from, LapicRegister.IcrHigh, 0xffffffff);
    lapicSetField(
      base,
      LapicRegister.Ldr,
      lapicLogicalId(lapicField(base, LapicRegister.Id)),
    );
  } else {
    import32(base, from, LapicRegister.IcrHigh, 0xff000000);
    import32(base, from, LapicRegister.Ldr, 0xff000000);
    import32(base, from, LapicRegister.Dfr, 0xf0000000);
    lapicSetField(
      base,
      LapicRegister.Dfr,
      lapicField(base, LapicRegister.Dfr) | 0x0fffffff,
    );
  }
  for (let map = LapicRegister.Isr; map < LapicRegister.Esr; map += 0x10) {
    // Vectors 0-15 can be neither requested nor in service.
    const first = (map & 0x70) == 0;
    import32(base, from, map, first ? 0xffff0000 : 0xffffffff);
  }
  const masked: u32 = (lapicField(base, LapicRegister.Svr) & Svr.Enabled) == 0
    ? Lvt.Masked
    : 0;
  for (
    let lvt = LapicRegister.LvtTimer;
    lvt <= LapicRegister.LvtError;
    lvt += 0x10
  ) {
    const remote: u32 = lvt == LapicRegister.LvtLint0 ? 1 << 14 : 0;
    import32(base, from, lvt, lapicLvtMask(lvt) | remote);
    lapicSetField(base, lvt, lapicField(base, lvt) | masked);
  }
  lapicSetField(base, LAPIC_X_ESR, 0);
  store<u64>(base + LAPIC_X_START_TIME, now);
  const count = load<u32>(from + LapicRegister.CurrentCount);
  const initial = lapicField(base, LapicRegister.InitialCount);
  lapicSetField(base, LAPIC_X_START_COUNT, min(count, initial));
  const deadline = ((lapicField(base, LapicRegister.LvtTimer) >> 17) & 3) == 2;
  if (!deadline) store<u64>(base + LAPIC_X_DEADLINE, 0);
  return LAPIC_RECHECK | LAPIC_TIMER;
}
