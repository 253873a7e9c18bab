/**
 * Model specific registers that the platform leaves to the caller. A few are
 * read or written by every kernel without asking CPUID first: they read as
 * below and ignore writes, but for IA32_MISC_ENABLE. All others raise #GP, as on a
 * processor without them. (Intel SDM volume 4; AMD APM volume 2, appendix A.)
 */

import { big, record } from "./state.ts";

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

const MISC_ENABLE = 0x1a0;
/** Its bits (SDM volume 4, table 2-2): those that hold what is written, those where
 * that is ignored (R), and those that cannot be changed (RO). */
const MiscEnable = {
  writable: 0x400c50009n,
  ignored: 1n << 7n,
  readOnly: 0x1800n,
  /** Fast strings; neither BTS nor PEBS. */
  atReset: 0x1801n,
} as const;

/** What can change of them. */
export const MSRS = record({ miscEnable: big(MiscEnable.atReset) });

/** Those registers of one processor. */
export class Msrs {
  state = MSRS.initial();

  /** RESET. */
  reset(): void {
    this.state = MSRS.initial();
  }

  /** What RDMSR gives; undefined if it faults. */
  read(msr: number): bigint | undefined {
    return msr === MISC_ENABLE ? this.state.miscEnable : BENIGN.get(msr);
  }

  /** WRMSR; false if it faults. */
  write(msr: number, value: bigint): boolean {
    if (msr !== MISC_ENABLE) return BENIGN.has(msr);
    const { writable, ignored, readOnly } = MiscEnable;
    const old = this.state.miscEnable;
    if ((value ^ old) & readOnly) return false;
    if (value & ~(writable | ignored | readOnly)) return false;
    this.state.miscEnable = (value & writable) | (old & ~writable);
    return true;
  }
}
