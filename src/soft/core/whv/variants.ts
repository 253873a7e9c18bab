// Where hosts differ. What the core does by itself is what current Windows
// does, as programs that run there report it; each bit here is one thing that
// other versions do. The native library's quirks (tests/native/README.md) set
// them, before there is a partition.

/** An MSR that the host does not have is #GP unless a bitmap asks for it. */
export const MSR_FAULTS: u32 = 1;
/** An ExtInt event wakes a halted processor. */
export const EXTINT_WAKES: u32 = 2;
/** InternalActivityState can be written without the platform's APIC, too. */
export const ACTIVITY_ALWAYS: u32 = 4;
/** A write to a page without Write has its instruction's length and bytes. */
export const WRITE_IS_TOLD: u32 = 8;
/** CPUID tells of a hypervisor though nobody asked for one. */
export const HYPERVISOR_BIT: u32 = 0x10;
/** ApicTpr cannot be read. */
export const NO_APIC_TPR: u32 = 0x20;
/** MsrMtrrCap can be read. */
export const MTRR_CAP: u32 = 0x40;
/** Counters of runtime stay 0. */
export const NO_RUNTIME: u32 = 0x80;
/** The emulator fails where an instruction's operand is an XMM register. */
export const NO_SSE_MMIO: u32 = 0x100;
/** An exit takes back the caller's request for an interrupt window. */
export const WINDOW_LOST: u32 = 0x200;
/** A halted processor does not exit for an interrupt window. */
export const NO_HALT_WINDOW: u32 = 0x400;
/**
 * INT1 is the guest's also where #DB is intercepted (SVM has an intercept of
 * its own for it).
 */
export const INT1_IS_GUESTS: u32 = 0x1000;
/** CPUID 0x15 and 0x16 say nothing, as on AMD and many Intel processors. */
export const NO_TSC_LEAVES: u32 = 0x2000;
/** CPUID says that the processor is AMD's. */
export const AMD: u32 = 0x4000;

let variants: u32 = 0;

/** Has the core do what the bits say. */
export function setVariants(bits: u32): void {
  variants = bits;
}

/** Whether the core is to do what a bit says. */
@inline
export function variant(bit: u32): bool {
  return (variants & bit) != 0;
}
