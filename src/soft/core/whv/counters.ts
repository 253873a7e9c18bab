// What WHvGetVirtualProcessorCounters tells: exits by reason, events delivered,
// uses of the APIC. Fourteen, three and five u64 a processor, in the order of
// the structures of winhvplatformdefs.h (WHV_PROCESSOR_ACTIVITY_COUNTERS has a
// time beside each).
import { CounterSet } from "./names";
import { ICOUNT, IOBUF, SIZE } from "../layout";
import { fieldOf } from "../cpu/vps";
import { E_INVALIDARG, S_OK, WHV_E_INSUFFICIENT_BUFFER } from "./hresult";
import { NO_RUNTIME, variant } from "./variants";
import { TICKS } from "../system/time";
import { APIC, cells, EVENTS } from "../system/counters";
import { whvCheckVp } from "./state";
import { Activity } from "./structures";

/** Nanoseconds that times are told in. */
const UNIT: u64 = 100;

/** What an exit is taken to cost the hypervisor, in these units. */
const EXIT_TIME: u64 = 1;

/**
 * WHV_PROCESSOR_RUNTIME_COUNTERS to IOBUF, in guest time: it repeats itself.
 */
function putRuntime(instructions: u64, counters: usize): void {
  if (variant(NO_RUNTIME)) return;
  let exits: u64 = 0;
  for (let i: u32 = 0; i < Activity.COUNT; i++) {
    exits += load<u64>(counters + (<usize> i << 3));
  }
  const guest = (instructions * TICKS + UNIT - 1) / UNIT;
  store<u64>(IOBUF, guest + exits * EXIT_TIME);
  store<u64>(IOBUF, exits * EXIT_TIME, 8);
}

/** A counter set of a VP to IOBUF; its size to SIZE. */
export function whvGetVpCounters(vp: u32, set: u32, room: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  memory.fill(IOBUF, 0, 224);
  const from = cells(vp);
  let bytes: u32 = 0;
  switch (set) {
    case CounterSet.Runtime: // runtime: all of it, the hypervisor's
      bytes = 16;
      putRuntime(load<u64>(fieldOf(vp, ICOUNT)), from);
      break;
    case CounterSet.Intercepts: // intercepts: how many, how long
      bytes = Activity.COUNT << 4;
      for (let i: u32 = 0; i < Activity.COUNT; i++) {
        const n = load<u64>(from + (<usize> i << 3));
        store<u64>(IOBUF + (<usize> i << 4), n);
        store<u64>(IOBUF + (<usize> i << 4), n * EXIT_TIME, 8);
      }
      break;
    case CounterSet.Events: // guest events
      bytes = 24;
      memory.copy(IOBUF, from + (EVENTS << 3), bytes);
      break;
    case CounterSet.Apic: // APIC
      bytes = 40;
      memory.copy(IOBUF, from + (APIC << 3), bytes);
      break;
    case CounterSet.SyntheticFeatures: // synthetic features: there are none
      bytes = 48;
      break;
    default:
      return E_INVALIDARG;
  }
  store<u32>(SIZE, bytes);
  return room < bytes ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}
