// Counts what WHvGetVirtualProcessorCounters tells: exits by reason, events
// delivered, uses of the APIC. Fourteen, three and five u64 a processor, in the
// order of the structures.
import { ExitReason } from "../whv/names";
import { COUNTERS, EXITBUF, VPINDEX } from "../layout";
import { Vector } from "../x86/vectors";
import { EventType } from "../x86/events";
import { LapicRegister } from "../x86/lapic";

export const EVENTS: u32 = 14;
export const APIC: u32 = 17;

// Indices of WHV_PROCESSOR_ACTIVITY_COUNTERS
const IO_INSTRUCTIONS: u32 = 2;

const HALT_INSTRUCTIONS: u32 = 3;
const CPUID_INSTRUCTIONS: u32 = 4;
const MSR_ACCESSES: u32 = 5;
const OTHER_INTERCEPTS: u32 = 6;
const PENDING_INTERRUPTS: u32 = 7;
const PAGE_FAULT_INTERCEPTS: u32 = 10;
const NESTED_PAGE_FAULTS: u32 = 11;

export function cells(vp: u32): usize {
  return COUNTERS + (<usize> vp << 8);
}

function count(i: u32): void {
  const at = cells(load<u32>(VPINDEX)) + (<usize> i << 3);
  store<u64>(at, load<u64>(at) + 1);
}

/** Counts the exit at EXITBUF. */
export function countExit(): void {
  switch (load<u32>(EXITBUF)) {
    case ExitReason.MemoryAccess:
      return count(NESTED_PAGE_FAULTS);
    case ExitReason.X64IoPortAccess:
      return count(IO_INSTRUCTIONS);
    case ExitReason.X64Halt:
      return count(HALT_INSTRUCTIONS);
    case ExitReason.X64Cpuid:
      return count(CPUID_INSTRUCTIONS);
    case ExitReason.X64MsrAccess:
      return count(MSR_ACCESSES);
    case ExitReason.X64InterruptWindow:
      return count(PENDING_INTERRUPTS);
    case ExitReason.Exception:
      return count(
        load<u8>(EXITBUF, 72) == Vector.PF
          ? PAGE_FAULT_INTERCEPTS
          : OTHER_INTERCEPTS,
      );
    default:
      return count(OTHER_INTERCEPTS);
  }
}

/** Counts an access that made no exit as the exit that it stands for. */
export function countAccess(port: bool): void {
  count(port ? IO_INSTRUCTIONS : NESTED_PAGE_FAULTS);
}

/** Counts an event that was delivered; `type` is an EventType. */
export function countEvent(vector: u32, type: u32): void {
  if (type == EventType.Interrupt || type == EventType.Nmi) count(EVENTS + 2);
  else {
    if (type == EventType.Exception && vector == Vector.PF) count(EVENTS);
    count(EVENTS + 1);
  }
}

/**
 * Counts an access to the APIC's register at `offset`; `v` is what is written.
 */
export function countApic(offset: u32, write: bool, mmio: bool, v: u32): void {
  if (mmio) count(APIC);
  if (offset == LapicRegister.Tpr) count(APIC + 2);
  if (!write) return;
  if (offset == LapicRegister.Eoi) count(APIC + 1);
  else if (offset == LapicRegister.SelfIpi) count(APIC + 4);
  else if (offset == LapicRegister.IcrLow) {
    // the shorthand "self" is not sent to anybody
    count(((v >> 18) & 3) == 1 ? APIC + 4 : APIC + 3);
  }
}
