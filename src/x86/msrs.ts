/** Model specific registers (Intel SDM volume 4, tables 2-2 and 2-3). */

/** Their numbers. */
export const Msr = {
  Tsc: 0x10,
  PlatformId: 0x17,
  ApicBase: 0x1b,
  EblCrPoweron: 0x2a,
  SmiCount: 0x34,
  FeatureControl: 0x3a,
  TscAdjust: 0x3b,
  BiosUpdtTrig: 0x79,
  BiosSignId: 0x8b,
  PlatformInfo: 0xce,
  MtrrCap: 0xfe,
  ArchCapabilities: 0x10a,
  MiscFeaturesEnables: 0x140,
  SysenterCs: 0x174,
  SysenterEsp: 0x175,
  SysenterEip: 0x176,
  McgCap: 0x179,
  McgStatus: 0x17a,
  PerfEvtSel0: 0x186,
  PerfStatus: 0x198,
  PerfCtl: 0x199,
  ClockModulation: 0x19a,
  ThermStatus: 0x19c,
  MiscEnable: 0x1a0,
  EnergyPerfBias: 0x1b0,
  DebugCtl: 0x1d9,
  MtrrPhysBase0: 0x200,
  MtrrFix64k00000: 0x250,
  MtrrFix16k80000: 0x258,
  MtrrFix16kA0000: 0x259,
  MtrrFix4kC0000: 0x268,
  MtrrFix4kF8000: 0x26f,
  Pat: 0x277,
  MtrrDefType: 0x2ff,
  TscDeadline: 0x6e0,
  Efer: 0xc0000080,
  Star: 0xc0000081,
  Lstar: 0xc0000082,
  Cstar: 0xc0000083,
  Sfmask: 0xc0000084,
  FsBase: 0xc0000100,
  GsBase: 0xc0000101,
  KernelGsBase: 0xc0000102,
  TscAux: 0xc0000103,
} as const;

/** IA32_MISC_ENABLE: what holds what is written to it: fast strings, thermal control,
 * SpeedStep, the monitor, the limit of CPUID, xTPR messages off, execute-disable
 * off. */
export const MISC_ENABLE_WRITABLE = 0x400c50009n;
/** What stays as it is, whatever is written (R): performance monitoring. */
export const MISC_ENABLE_IGNORED = 1n << 7n;
/** What is refused to be changed (RO): neither BTS nor PEBS are there. */
export const MISC_ENABLE_READ_ONLY = 0x1800n;
/** All others are reserved: setting them is refused. */
export const MISC_ENABLE_KNOWN = MISC_ENABLE_WRITABLE | MISC_ENABLE_IGNORED |
  MISC_ENABLE_READ_ONLY;
/** The last leaf of CPUID is 2. */
export const MISC_ENABLE_LIMIT_CPUID = 1n << 22n;
/** There is no execute-disable. */
export const MISC_ENABLE_NO_XD = 1n << 34n;
/** After RESET: with fast strings. */
export const MISC_ENABLE_AT_RESET = MISC_ENABLE_READ_ONLY | 1n;

/** The page attribute table after RESET (SDM volume 3, table 11-12). */
export const PAT_AT_RESET = 0x0007040600070406n;
