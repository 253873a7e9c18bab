// What an access finds where no memory is (hostFor() of resolve.ts).

/** What lies there, and where. */
@unmanaged
export class Hole {
  /** The guest physical address; of no meaning while emulating. */
  gpa: u64 = 0;
  /** HOLE_*. */
  kind: u32 = 0;
}

/** Nothing, or not looked at: FAULT says why. */
export const HOLE_NONE: u32 = 0;
/** An exit at the address itself: FAULT is F_EXIT. */
export const HOLE_EXIT: u32 = 1;
/** The local APIC's page. */
export const HOLE_APIC: u32 = 2;
/** A device of an instruction that is emulated or completed, or asks. */
export const HOLE_DEVICE: u32 = 3;
