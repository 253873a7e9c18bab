// The processor's way to its local APIC's registers, and what they ask of the
// loop.
import { wantInterrupts } from "../cpu/recheck";
import { lapicRead, lapicWrite } from "../lapic/page";
import { LAPIC_LEVEL_EOI, LAPIC_TRAP } from "../lapic/state";
import { lapicOf, VPINDEX } from "../layout";
import { needSync, synced, time } from "./time";
import { countApic } from "./counters";

/**
 * GPA page number of the current VP's xAPIC registers, or one that no access
 * has.
 */
export let apicPage: u64 = ~<u64> 0;

export function setApicPage(page: u64): void {
  apicPage = page;
}

export function apicRead(offset: u32, _bytes: u32): u64 {
  if (!synced) {
    needSync();
    return 0;
  }
  countApic(offset & 0xff0, false, true, 0);
  const v = <u64> lapicRead(
    lapicOf(load<u32>(VPINDEX)),
    offset & 0xff0,
    time,
  );
  return v >> ((offset & 3) << 3);
}

/** EOI of a level-triggered vector that must be reported, or -1. */
export let eoiVector: i32 = -1;

export function setEoi(v: i32): void {
  eoiVector = v;
}

export function apicWrite(offset: u32, _bytes: u32, v: u64): void {
  if (!synced) {
    needSync();
    return;
  }
  if (offset & 15) return; // only aligned 32-bit registers exist
  countApic(offset, true, true, <u32> v);
  apicResult(
    lapicWrite(lapicOf(load<u32>(VPINDEX)), offset, <u32> v, time),
  );
}

/** An INIT or SIPI was written that the caller wants to see. */
export let ipiTrapped: bool = false;

export function setIpiTrapped(t: bool): void {
  ipiTrapped = t;
}

/**
 * What an APIC register write asks of the loop (result codes of lapic/page.ts).
 */
export function apicResult(r: i32): void {
  if (r & LAPIC_LEVEL_EOI) eoiVector = r & 0xff;
  if (r & LAPIC_TRAP) ipiTrapped = true;
  wantInterrupts();
}
