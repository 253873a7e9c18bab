/** IA32_APIC_BASE (Intel SDM volume 3, 10.4.4 and 10.12.1). */

/** The bootstrap processor's. */
export const APIC_BASE_BSP = 1n << 8n;
/** In x2APIC mode: its registers are MSRs. */
export const APIC_BASE_X2 = 1n << 10n;
export const APIC_BASE_ENABLED = 1n << 11n;
/** Where its page is, with 52 bits of physical address. */
export const APIC_BASE_PAGE = 0xffffffffff000n;
/** Where it is after RESET. */
export const APIC_BASE_PAGE_AT_RESET = 0xfee00000n;
/** After RESET, but for the bootstrap processor's bit. */
export const APIC_BASE_AT_RESET = APIC_BASE_PAGE_AT_RESET | APIC_BASE_ENABLED;
