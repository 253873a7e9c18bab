// The TLB looked at without going further (access.ts has the accesses that do):
// the hit that hot handlers inline, and runs of bytes inside one page, for
// instructions that move many (MOVS, STOS): the host address when the TLB
// already allows the access, else 0 and the caller goes one element at a time,
// which fills the TLB or faults as it must.
import { TLB_ENTRIES, TLBB } from "../layout";

@inline
function entryOf(linear: u64): usize {
  return <usize> load<u32>(TLBB) +
    ((<usize> (linear >> 12) & (TLB_ENTRIES - 1)) << 5);
}

@inline
export function tlbEntry(linear: u64): usize {
  return entryOf(linear);
}
/** Whether the entry allows reading a T at `linear`. */
@inline
export function readHit<T>(e: usize, linear: u64): bool {
  return load<u64>(e) == ((linear + (sizeof<T>() - 1)) & ~0xfff);
}
/** Whether the entry allows writing (and reading) a T at `linear`. */
@inline
export function writeHit<T>(e: usize, linear: u64): bool {
  return load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff);
}
/** Host address of `linear` under an entry that hit. */
@inline
export function hostOf(e: usize, linear: u64): usize {
  return <usize> (<u32> linear + load<u32>(e, 16));
}

/** Host address of `linear` for reading to the end of its page, or 0. */
@inline
export function spanToRead(linear: u64): usize {
  const e = entryOf(linear);
  if (load<u64>(e) != (linear & ~0xfff)) return 0;
  return <usize> (<u32> linear + load<u32>(e, 16));
}

/** Host address of `linear` for writing to the end of its page, or 0. */
@inline
export function spanToWrite(linear: u64): usize {
  const e = entryOf(linear);
  if (load<u64>(e, 8) != (linear & ~0xfff)) return 0;
  return <usize> (<u32> linear + load<u32>(e, 16));
}
