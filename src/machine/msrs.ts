/**
 * Model specific registers that the platform leaves to the caller. A few are
 * read or written by every kernel without asking CPUID first; they read as
 * below and ignore writes. All others raise #GP, as on a processor without
 * them. (Intel SDM volume 4; AMD APM volume 2, appendix A.)
 */

/** What RDMSR gives, by MSR number. */
const BENIGN: ReadonlyMap<number, bigint> = new Map([
  [0x017, 0n], // IA32_PLATFORM_ID
  [0x02a, 0n], // EBL_CR_POWERON
  [0x034, 0n], // SMI_COUNT
  [0x03a, 1n], // IA32_FEATURE_CONTROL: locked, nothing enabled
  [0x079, 0n], // IA32_BIOS_UPDT_TRIG
  [0x08b, 0n], // IA32_BIOS_SIGN_ID: no microcode update
  [0x0ce, 0n], // MSR_PLATFORM_INFO
  [0x140, 0n], // MISC_FEATURES_ENABLES
  [0x179, 0n], // IA32_MCG_CAP: no banks
  [0x17a, 0n], // IA32_MCG_STATUS
  [0x186, 0n], // IA32_PERFEVTSEL0
  [0x198, 0n], // IA32_PERF_STATUS
  [0x199, 0n], // IA32_PERF_CTL
  [0x19a, 0n], // IA32_CLOCK_MODULATION
  [0x19c, 0n], // IA32_THERM_STATUS
  [0x1a0, 1n], // IA32_MISC_ENABLE: fast strings
  [0x1b0, 0n], // IA32_ENERGY_PERF_BIAS
  [0x1d9, 0n], // IA32_DEBUGCTL
  [0xc0010010, 0n], // SYSCFG
  [0xc0010015, 0n], // HWCR
  [0xc001001f, 0n], // NB_CFG
  [0xc0010055, 0n], // Interrupt pending message
  [0xc0011022, 0n], // DC_CFG
  [0xc0011023, 0n], // IC_CFG
  [0xc0011029, 0n], // DE_CFG
]);

/** What RDMSR gives; undefined if it faults. */
export function readMsr(msr: number): bigint | undefined {
  return BENIGN.get(msr);
}

/** True if WRMSR is ignored, false if it faults. */
export function writeMsr(msr: number): boolean {
  return BENIGN.has(msr);
}
