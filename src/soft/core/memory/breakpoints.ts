// Breakpoints of the debug registers.
import { DBGPEND, DR0, DR7, P_DEBUG, PENDING } from "../layout";
import { needSync, synced } from "../system/time";
import { DR7_ENABLES } from "../x86/debug_registers";

/**
 * DR6 bits of enabled instruction breakpoints at a linear address, or in its
 * page (`mask` says what counts).
 */
export function execBreakpoints(linear: u64, mask: u64): u64 {
  const dr7 = <u32> load<u64>(DR7);
  let hits: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if (!(dr7 & (3 << (i * 2))) || (dr7 >> (16 + i * 4)) & 3) continue;
    if (((load<u64>(DR0 + i * 8) ^ linear) & mask) == 0) hits |= <u64> 1 << i;
  }
  return hits;
}

/** True when a data breakpoint lies in the page. */
export function watched(linear: u64): bool {
  const dr7 = <u32> load<u64>(DR7);
  if (!(dr7 & <u32> DR7_ENABLES)) return false;
  for (let i: u32 = 0; i < 4; i++) {
    if (!(dr7 & (3 << (i * 2))) || !((dr7 >> (16 + i * 4)) & 1)) continue;
    if ((load<u64>(DR0 + i * 8) ^ linear) >> 12 == 0) return true;
  }
  return false;
}

/**
 * DR6 bits of the data breakpoints that an access touches; 0 when none of them
 * is enabled.
 */
function watchHits(linear: u64, bytes: u32, write: bool): u64 {
  const dr7 = <u32> load<u64>(DR7);
  let hits: u64 = 0;
  let armed = false;
  for (let i: u32 = 0; i < 4; i++) {
    const rw = (dr7 >> (16 + i * 4)) & 3;
    if (rw == 0 || rw == 2 || (rw == 1 && !write)) continue;
    const l = (dr7 >> (18 + i * 4)) & 3;
    const len: u64 = l == 2 ? 8 : l + 1;
    const a = load<u64>(DR0 + i * 8) & ~(len - 1);
    if (linear < a + len && a < linear + bytes) {
      hits |= (<u64> 1) << i;
      if (dr7 & (3 << (i * 2))) armed = true;
    }
  }
  return armed ? hits : 0;
}

/** After a data access: notes matching data breakpoints. */
export function checkWatch(linear: u64, bytes: u32, write: bool): void {
  if (!(load<u64>(DR7) & DR7_ENABLES)) return;
  const hits = watchHits(linear, bytes, write);
  if (hits) {
    store<u64>(DBGPEND, load<u64>(DBGPEND) | hits);
    store<u32>(PENDING, load<u32>(PENDING) | P_DEBUG);
  }
}

/**
 * A data breakpoint traps after its instruction, so the instruction has to run
 * alone: true with F_SYNC raised when it does not yet.
 */
export function watchAlone(linear: u64, bytes: u32, write: bool): bool {
  if (
    !(load<u64>(DR7) & DR7_ENABLES) || synced ||
    !watchHits(linear, bytes, write)
  ) {
    return false;
  }
  needSync();
  return true;
}
