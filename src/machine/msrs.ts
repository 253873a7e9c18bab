/**
 * Model specific registers that the platform leaves to the caller. A few are
 * read or written by every kernel without asking CPUID first: they read as
 * below and ignore writes, but for IA32_MISC_ENABLE. All others raise #GP, as on a
 * processor without them. (Intel SDM volume 4; AMD APM volume 2, appendix A.)
 */
import {
  MISC_ENABLE_AT_RESET,
  MISC_ENABLE_KNOWN,
  MISC_ENABLE_READ_ONLY,
  MISC_ENABLE_WRITABLE,
  Msr,
} from "../x86/msrs.ts";

import { big, record } from "./state.ts";

/** What RDMSR gives, by MSR number. */
const BENIGN: ReadonlyMap<number, bigint> = new Map([
  [Msr.PlatformId, 0n],
  [Msr.EblCrPoweron, 0n],
  [Msr.SmiCount, 0n],
  [Msr.FeatureControl, 1n], // locked, nothing enabled
  [Msr.BiosUpdtTrig, 0n],
  [Msr.BiosSignId, 0n], // no microcode update
  [Msr.PlatformInfo, 0n],
  [Msr.MiscFeaturesEnables, 0n],
  [Msr.McgCap, 0n], // no banks
  [Msr.McgStatus, 0n],
  [Msr.PerfEvtSel0, 0n],
  [Msr.PerfStatus, 0n],
  [Msr.PerfCtl, 0n],
  [Msr.ClockModulation, 0n],
  [Msr.ThermStatus, 0n],
  [Msr.EnergyPerfBias, 0n],
  [Msr.DebugCtl, 0n],
  [0xc0010010, 0n], // SYSCFG
  [0xc0010015, 0n], // HWCR
  [0xc001001f, 0n], // NB_CFG
  [0xc0010055, 0n], // Interrupt pending message
  [0xc0011022, 0n], // DC_CFG
  [0xc0011023, 0n], // IC_CFG
  [0xc0011029, 0n], // DE_CFG
]);

/** What can change of them. */
export const MSRS = record({ miscEnable: big(MISC_ENABLE_AT_RESET) });

/** Those registers of one processor. */
export class Msrs {
  state = MSRS.initial();

  /** RESET. */
  reset(): void {
    this.state = MSRS.initial();
  }

  /** What RDMSR gives; undefined if it faults. */
  read(msr: number): bigint | undefined {
    return msr === Msr.MiscEnable ? this.state.miscEnable : BENIGN.get(msr);
  }

  /** WRMSR; false if it faults. */
  write(msr: number, value: bigint): boolean {
    if (msr !== Msr.MiscEnable) return BENIGN.has(msr);
    const old = this.state.miscEnable;
    if ((value ^ old) & MISC_ENABLE_READ_ONLY) return false;
    if (value & ~MISC_ENABLE_KNOWN) return false;
    this.state.miscEnable = (value & MISC_ENABLE_WRITABLE) |
      (old & ~MISC_ENABLE_WRITABLE);
    return true;
  }
}
