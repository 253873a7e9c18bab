// Counts what WHvGetVirtualProcessorCounters tells: exits by reason, events
// delivered, uses of the APIC. Fourteen, three and five u64 a processor, in the
// order of the structures.
import { ExitReason } from "../whv/names";
import { COUNTERS, EXITBUF, VPINDEX } from "../layout";
import { Vector } from "../x86/vectors";
import { EventType } from "../x86/events";
import { IcrShorthand, LapicRegister } from "../x86/lapic";
import {
  Activity,
  ApicUse,
  GuestEvent,
  VpExceptionExit,
} from "../whv/structures";

/** The first of WHV_PROCESSOR_GUEST_EVENT_COUNTERS. */
export const EVENTS: u32 = Activity.COUNT;
/** The first of WHV_PROCESSOR_APIC_COUNTERS. */
export const APIC: u32 = EVENTS + GuestEvent.COUNT;

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
      return count(Activity.NestedPageFaultIntercepts);
    case ExitReason.X64IoPortAccess:
      return count(Activity.IoInstructions);
    case ExitReason.X64Halt:
      return count(Activity.HaltInstructions);
    case ExitReason.X64Cpuid:
      return count(Activity.CpuidInstructions);
    case ExitReason.X64MsrAccess:
      return count(Activity.MsrAccesses);
    case ExitReason.X64InterruptWindow:
      return count(Activity.PendingInterrupts);
    case ExitReason.Exception:
      return count(
        load<u8>(EXITBUF, VpExceptionExit.ExceptionType) == Vector.PF
          ? Activity.PageFaultIntercepts
          : Activity.OtherIntercepts,
      );
    default:
      return count(Activity.OtherIntercepts);
  }
}

/** Counts an access that made no exit as the exit that it stands for. */
export function countAccess(port: bool): void {
  count(port ? Activity.IoInstructions : Activity.NestedPageFaultIntercepts);
}

/** Counts an event that was delivered; `type` is an EventType. */
export function countEvent(vector: u32, type: u32): void {
  if (type == EventType.Interrupt || type == EventType.Nmi) {
    count(EVENTS + GuestEvent.InterruptCount);
  } else {
    if (type == EventType.Exception && vector == Vector.PF) {
      count(EVENTS + GuestEvent.PageFaultCount);
    }
    count(EVENTS + GuestEvent.ExceptionCount);
  }
}

/**
 * Counts an access to the APIC's register at `offset`; `v` is what is written.
 */
export function countApic(offset: u32, write: bool, mmio: bool, v: u32): void {
  if (mmio) count(APIC + ApicUse.MmioAccessCount);
  if (offset == LapicRegister.Tpr) count(APIC + ApicUse.TprAccessCount);
  if (!write) return;
  if (offset == LapicRegister.Eoi) count(APIC + ApicUse.EoiAccessCount);
  else if (offset == LapicRegister.SelfIpi) count(APIC + ApicUse.SelfIpiCount);
  else if (offset == LapicRegister.IcrLow) {
    // the shorthand "self" is not sent to anybody
    count(
      ((v >> 18) & 3) == IcrShorthand.Self
        ? APIC + ApicUse.SelfIpiCount
        : APIC + ApicUse.SentIpiCount,
    );
  }
}
