// What WHvGetVirtualProcessorCounters tells: exits by reason, events delivered, uses of
// the APIC. Fourteen, three and five u64 a processor, in the order of the structures
// of winhvplatformdefs.h (WHV_PROCESSOR_ACTIVITY_COUNTERS has a time beside each).
import {
  EXIT_CPUID,
  EXIT_EXCEPTION,
  EXIT_HALT,
  EXIT_IO,
  EXIT_MEMORY,
  EXIT_MSR,
  EXIT_WINDOW,
  TICKS,
} from "./hooks";
import { EXITBUF, ICOUNT, IOBUF, VPINDEX, WHV } from "./layout";
import { fieldOf } from "./vps";
import {
  E_INVALIDARG,
  S_OK,
  WHV_E_INSUFFICIENT_BUFFER,
} from "./whv_hresult";
import { whvCheckVp } from "./whv_partition";
import { NO_RUNTIME, variant } from "./whv_variants";

const COUNTERS: usize = WHV + 0x8000;
const ACTIVITIES: u32 = 14;
const EVENTS: u32 = 14;
const APIC: u32 = 17;

/** Nanoseconds that times are told in. */
const UNIT: u64 = 100;
/** What an exit is taken to cost the hypervisor, in these units. */
const EXIT_TIME: u64 = 1;

// Indices of WHV_PROCESSOR_ACTIVITY_COUNTERS
const IO_INSTRUCTIONS: u32 = 2;
const HALT_INSTRUCTIONS: u32 = 3;
const CPUID_INSTRUCTIONS: u32 = 4;
const MSR_ACCESSES: u32 = 5;
const OTHER_INTERCEPTS: u32 = 6;
const PENDING_INTERRUPTS: u32 = 7;
const PAGE_FAULT_INTERCEPTS: u32 = 10;
const NESTED_PAGE_FAULTS: u32 = 11;
// Registers of the APIC
const TPR: u32 = 0x80;
const EOI: u32 = 0xb0;
const ICR: u32 = 0x300;
const SELF_IPI: u32 = 0x3f0;

function cells(vp: u32): usize {
  return COUNTERS + (<usize> vp << 8);
}

function count(i: u32): void {
  const at = cells(load<u32>(VPINDEX)) + (<usize> i << 3);
  store<u64>(at, load<u64>(at) + 1);
}

/** Counts the exit at EXITBUF. */
export function countExit(): void {
  switch (load<u32>(EXITBUF)) {
    case EXIT_MEMORY:
      return count(NESTED_PAGE_FAULTS);
    case EXIT_IO:
      return count(IO_INSTRUCTIONS);
    case EXIT_HALT:
      return count(HALT_INSTRUCTIONS);
    case EXIT_CPUID:
      return count(CPUID_INSTRUCTIONS);
    case EXIT_MSR:
      return count(MSR_ACCESSES);
    case EXIT_WINDOW:
      return count(PENDING_INTERRUPTS);
    case EXIT_EXCEPTION:
      return count(
        load<u8>(EXITBUF, 72) == 14 ? PAGE_FAULT_INTERCEPTS : OTHER_INTERCEPTS,
      );
    default:
      return count(OTHER_INTERCEPTS);
  }
}

/** Counts an access that made no exit as the exit that it stands for. */
export function countAccess(port: bool): void {
  count(port ? IO_INSTRUCTIONS : NESTED_PAGE_FAULTS);
}

/** Counts an event that was delivered; type as deliverEvent's. */
export function countEvent(vector: u32, type: u32): void {
  if (type == 0 || type == 2) count(EVENTS + 2);
  else {
    if (type == 3 && vector == 14) count(EVENTS);
    count(EVENTS + 1);
  }
}

/** Counts an access to the APIC's register at `offset`; `v` is what is written. */
export function countApic(offset: u32, write: bool, mmio: bool, v: u32): void {
  if (mmio) count(APIC);
  if (offset == TPR) count(APIC + 2);
  if (!write) return;
  if (offset == EOI) count(APIC + 1);
  else if (offset == SELF_IPI) count(APIC + 4);
  else if (offset == ICR) {
    // the shorthand "self" is not sent to anybody
    count(((v >> 18) & 3) == 1 ? APIC + 4 : APIC + 3);
  }
}

/** WHV_PROCESSOR_RUNTIME_COUNTERS to IOBUF, in guest time: it repeats itself. */
function putRuntime(instructions: u64, counters: usize): void {
  if (variant(NO_RUNTIME)) return;
  let exits: u64 = 0;
  for (let i: u32 = 0; i < ACTIVITIES; i++) {
    exits += load<u64>(counters + (<usize> i << 3));
  }
  const guest = (instructions * TICKS + UNIT - 1) / UNIT;
  store<u64>(IOBUF, guest + exits * EXIT_TIME);
  store<u64>(IOBUF, exits * EXIT_TIME, 8);
}

/** A counter set of a VP to IOBUF; its size to IOBUF + 0x1800. */
export function whvGetVpCounters(vp: u32, set: u32, room: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  memory.fill(IOBUF, 0, 224);
  const from = cells(vp);
  let bytes: u32 = 0;
  switch (set) {
    case 0: // runtime: all of it, the hypervisor's
      bytes = 16;
      putRuntime(load<u64>(fieldOf(vp, ICOUNT)), from);
      break;
    case 1: // intercepts: how many, how long
      bytes = ACTIVITIES << 4;
      for (let i: u32 = 0; i < ACTIVITIES; i++) {
        const n = load<u64>(from + (<usize> i << 3));
        store<u64>(IOBUF + (<usize> i << 4), n);
        store<u64>(IOBUF + (<usize> i << 4), n * EXIT_TIME, 8);
      }
      break;
    case 2: // guest events
      bytes = 24;
      memory.copy(IOBUF, from + (EVENTS << 3), bytes);
      break;
    case 3: // APIC
      bytes = 40;
      memory.copy(IOBUF, from + (APIC << 3), bytes);
      break;
    case 4: // synthetic features: there are none
      bytes = 48;
      break;
    default:
      return E_INVALIDARG;
  }
  store<u32>(IOBUF + 0x1800, bytes);
  return room < bytes ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}
