// Written from src/x86/apic_base.ts by `deno task build`.
export const APIC_BASE_AT_RESET: u64 = 0xfee00800;
export const APIC_BASE_BSP: u64 = 0x100;
export const APIC_BASE_ENABLED: u64 = 0x800;
export const APIC_BASE_PAGE: u64 = 0xffffffffff000;
export const APIC_BASE_PAGE_AT_RESET: u64 = 0xfee00000;
export const APIC_BASE_X2: u64 = 0x400;
