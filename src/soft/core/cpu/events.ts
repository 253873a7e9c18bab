// Types of events that are delivered, as VMX and
// WHV_X64_PENDING_INTERRUPTION_TYPE number them (SDM vol. 3, "VM-Entry Controls
// for Event Injection"). From SOFTWARE on, an instruction asked for the event
// and RIP goes on behind it.

export const EXTERNAL: u32 = 0;
export const NMI_EVENT: u32 = 2;
/** A hardware exception. */
export const EXCEPTION: u32 = 3;
export const INT_N: u32 = 4;
export const INT1: u32 = 5;
/** INT3 and INTO. */
export const INT3: u32 = 6;
export const SOFTWARE: u32 = INT_N;

/** WHV_X64_PENDING_EVENT_TYPE of an interrupt of the caller's own PIC. */
export const PENDING_EXT_INT: u32 = 5;
