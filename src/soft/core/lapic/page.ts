// The local APIC as its processor sees it: the register page (xAPIC mode),
// and the page's transfer to and from the caller of the platform. The other
// parts: lapic_state (the block), lapic_interrupt (acceptance, LVT, EOI),
// lapic_ipi (ICR, destinations), lapic_timer, lapic_msr (x2APIC,
// IA32_APIC_BASE); all are exported from here.
// Source: Intel SDM vol. 3, APIC chapter, "The Local APIC Block Diagram".

import {
  LAPIC_APR,
  LAPIC_CURRENT_COUNT,
  LAPIC_DFR,
  LAPIC_DIVIDE,
  LAPIC_EOI,
  LAPIC_ESR,
  LAPIC_FEATURE_DIRECTED_EOI,
  LAPIC_ICR_HIGH,
  LAPIC_ICR_LOW,
  LAPIC_ID,
  LAPIC_INITIAL_COUNT,
  LAPIC_ISR,
  LAPIC_LDR,
  LAPIC_LVT_ERROR,
  LAPIC_LVT_LINT0,
  LAPIC_LVT_LINT1,
  LAPIC_LVT_PERFORMANCE,
  LAPIC_LVT_THERMAL,
  LAPIC_LVT_TIMER,
  LAPIC_MODE_X2APIC,
  LAPIC_OK,
  LAPIC_PPR,
  LAPIC_RECHECK,
  LAPIC_REGISTER_BYTES,
  LAPIC_STATE_BYTES,
  LAPIC_SVR,
  LAPIC_TIMER,
  LAPIC_TPR,
  LAPIC_VERSION,
  LAPIC_X_DEADLINE,
  LAPIC_X_ESR,
  LAPIC_X_FEATURES,
  LAPIC_X_START_COUNT,
  LAPIC_X_START_TIME,
  lapicField,
  lapicLogicalId,
  lapicMode,
  lapicSetField,
  LVT_MASKED,
  SVR_DIRECTED_EOI,
  SVR_ENABLE,
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

/** Bits of the SVR that can be written. */
export function lapicSvrMask(base: usize): u32 {
  const features = lapicField(base, LAPIC_X_FEATURES);
  return (features & LAPIC_FEATURE_DIRECTED_EOI) != 0
    ? 0x3ff | SVR_DIRECTED_EOI
    : 0x3ff;
}

/** Bits of the LVT entry at `lvt` that can be written; 0 if not an entry. */
export function lapicLvtMask(lvt: u32): u32 {
  if (lvt == LAPIC_LVT_TIMER) return 0x700ff;
  if (lvt == LAPIC_LVT_THERMAL || lvt == LAPIC_LVT_PERFORMANCE) return 0x107ff;
  if (lvt == LAPIC_LVT_LINT0 || lvt == LAPIC_LVT_LINT1) return 0x1a7ff;
  return lvt == LAPIC_LVT_ERROR ? 0x100ff : 0;
}

function isRegister(offset: u32): bool {
  return offset == LAPIC_ID || offset == LAPIC_VERSION ||
    (offset >= LAPIC_TPR && offset <= LAPIC_ESR) ||
    (offset >= LAPIC_ICR_LOW && offset <= LAPIC_CURRENT_COUNT) ||
    offset == LAPIC_DIVIDE;
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
  if (offset == LAPIC_CURRENT_COUNT) return lapicCurrentCount(base, now);
  if (offset == LAPIC_PPR) return lapicPpr(base);
  if (offset == LAPIC_APR) return lapicApr(base);
  // EOI and RRD hold nothing.
  return lapicField(base, offset);
}

function writeSvr(base: usize, value: u32, now: u64): i32 {
  // What expired while the entries were unmasked still counts.
  const settled = lapicTimerTick(base, now);
  lapicSetField(base, LAPIC_SVR, value & lapicSvrMask(base));
  if ((value & SVR_ENABLE) != 0) return settled;
  for (let lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 0x10) {
    lapicSetField(base, lvt, lapicField(base, lvt) | LVT_MASKED);
  }
  return settled | LAPIC_RECHECK | LAPIC_TIMER;
}

function writeLvt(base: usize, lvt: u32, value: u32, now: u64): i32 {
  const mask = lapicLvtMask(lvt);
  // Delivery status and remote IRR are the APIC's own.
  let entry = (value & mask) | (lapicField(base, lvt) & ~mask);
  if ((lapicField(base, LAPIC_SVR) & SVR_ENABLE) == 0) entry |= LVT_MASKED;
  if (lvt == LAPIC_LVT_TIMER) return lapicWriteTimerLvt(base, entry, now);
  lapicSetField(base, lvt, entry);
  return lvt == LAPIC_LVT_LINT0
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
    case LAPIC_TPR:
      lapicSetField(base, LAPIC_TPR, value & 0xff);
      return LAPIC_RECHECK;
    case LAPIC_EOI:
      return lapicEndOfInterrupt(base);
    case LAPIC_LDR:
      lapicSetField(base, LAPIC_LDR, value & 0xff000000);
      return LAPIC_OK;
    case LAPIC_DFR:
      lapicSetField(base, LAPIC_DFR, value | 0x0fffffff);
      return LAPIC_OK;
    case LAPIC_SVR:
      return writeSvr(base, value, now);
    case LAPIC_ESR:
      lapicLatchErrors(base);
      return LAPIC_OK;
    case LAPIC_ICR_LOW:
      // Delivery status reads idle: sending takes no time.
      lapicSetField(base, LAPIC_ICR_LOW, value & 0xccfff & ~(1 << 12));
      return lapicSendIpi(
        base,
        value,
        lapicField(base, LAPIC_ICR_HIGH) >> 24,
      );
    case LAPIC_ICR_HIGH:
      lapicSetField(base, LAPIC_ICR_HIGH, value & 0xff000000);
      return LAPIC_OK;
    case LAPIC_INITIAL_COUNT:
      return lapicWriteInitialCount(base, value, now);
    case LAPIC_DIVIDE:
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
  store<u32>(to + LAPIC_CURRENT_COUNT, lapicCurrentCount(base, now));
  store<u32>(to + LAPIC_PPR, lapicPpr(base));
  if (lapicMode(base) != LAPIC_MODE_X2APIC) {
    store<u32>(to + LAPIC_APR, lapicApr(base));
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
  import32(base, from, LAPIC_TPR, 0xff);
  import32(base, from, LAPIC_SVR, lapicSvrMask(base));
  import32(base, from, LAPIC_ESR, 0xff);
  import32(base, from, LAPIC_INITIAL_COUNT, 0xffffffff);
  import32(base, from, LAPIC_DIVIDE, 0xb);
  import32(base, from, LAPIC_ICR_LOW, 0xcefff);
  if (lapicMode(base) == LAPIC_MODE_X2APIC) {
    import32(base, from, LAPIC_ICR_HIGH, 0xffffffff);
    lapicSetField(base, LAPIC_LDR, lapicLogicalId(lapicField(base, LAPIC_ID)));
  } else {
    import32(base, from, LAPIC_ICR_HIGH, 0xff000000);
    import32(base, from, LAPIC_LDR, 0xff000000);
    import32(base, from, LAPIC_DFR, 0xf0000000);
    lapicSetField(base, LAPIC_DFR, lapicField(base, LAPIC_DFR) | 0x0fffffff);
  }
  for (let map = LAPIC_ISR; map < LAPIC_ESR; map += 0x10) {
    // Vectors 0-15 can be neither requested nor in service.
    const first = (map & 0x70) == 0;
    import32(base, from, map, first ? 0xffff0000 : 0xffffffff);
  }
  const masked: u32 = (lapicField(base, LAPIC_SVR) & SVR_ENABLE) == 0
    ? LVT_MASKED
    : 0;
  for (let lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 0x10) {
    const remote: u32 = lvt == LAPIC_LVT_LINT0 ? 1 << 14 : 0;
    import32(base, from, lvt, lapicLvtMask(lvt) | remote);
    lapicSetField(base, lvt, lapicField(base, lvt) | masked);
  }
  lapicSetField(base, LAPIC_X_ESR, 0);
  store<u64>(base + LAPIC_X_START_TIME, now);
  const count = load<u32>(from + LAPIC_CURRENT_COUNT);
  const initial = lapicField(base, LAPIC_INITIAL_COUNT);
  lapicSetField(base, LAPIC_X_START_COUNT, min(count, initial));
  const deadline = ((lapicField(base, LAPIC_LVT_TIMER) >> 17) & 3) == 2;
  if (!deadline) store<u64>(base + LAPIC_X_DEADLINE, 0);
  return LAPIC_RECHECK | LAPIC_TIMER;
}
