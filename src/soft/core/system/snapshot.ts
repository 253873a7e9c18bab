// What TypeScript needs to copy the machine's state out of linear memory and
// back (src/soft/time_travel.ts): the state is in the banks, local APICs, TLBs
// and counters, and the few globals that outlive a run go through IOBUF. What
// the partition was set up with, its mappings and its debug points are no part
// of it. Code that was decoded from pages that are other ones now is dropped by
// hostWrote().
import { flushAllJumps } from "../code/jumps";
import { randomState, seedRandom } from "../cpu/random";
import { setTotal, total } from "../cpu/slice";
import { setSpinState, spinState } from "../cpu/spin";
import { banksChanged, fillBank } from "../cpu/vps";
import { bankOf, HIT_COUNT, IOBUF, P_POINT, PENDING, STATE } from "../layout";
import { withholdWrites } from "../memory/tlb";
import { eoiVector, ipiTrapped, setEoi, setIpiTrapped } from "./apic";
import { vpCount } from "./processors";
import { setTime, time } from "./time";
import { retag } from "../points/data";

/** Brings the banks up to date and puts the globals to IOBUF: 6 u64. */
export function stateSave(): void {
  fillBank();
  store<u64>(IOBUF, time);
  store<u64>(IOBUF, total, 8);
  store<i64>(IOBUF, eoiVector, 16);
  store<u64>(IOBUF, <u64> ipiTrapped, 24);
  store<u64>(IOBUF, spinState(), 32);
  store<u64>(IOBUF, randomState(), 40);
}

/**
 * Takes the globals from IOBUF; banks, APICs, TLBs and guest memory are other
 * ones.
 */
export function stateLoad(): void {
  setTime(load<u64>(IOBUF));
  setTotal(load<u64>(IOBUF, 8));
  setEoi(<i32> load<i64>(IOBUF, 16));
  setIpiTrapped(load<u64>(IOBUF, 24) != 0);
  setSpinState(load<u64>(IOBUF, 32));
  seedRandom(load<u64>(IOBUF, 40));
  for (let vp: u32 = 0; vp < vpCount; vp++) {
    // hits that were noted are of points that there were then
    const bank = bankOf(vp);
    store<u32>(bank + (HIT_COUNT - STATE), 0);
    const pending = bank + (PENDING - STATE);
    store<u32>(pending, load<u32>(pending) & ~P_POINT);
  }
  banksChanged();
  flushAllJumps();
  withholdWrites();
  retag();
}
