// Written from src/x86/msrs.ts by `deno task build`.
// deno-lint-ignore-file no-namespace
export const MISC_ENABLE_AT_RESET: u64 = 0x1801;
export const MISC_ENABLE_IGNORED: u64 = 0x80;
export const MISC_ENABLE_KNOWN: u64 = 0x400c51889;
export const MISC_ENABLE_LIMIT_CPUID: u64 = 0x400000;
export const MISC_ENABLE_NO_XD: u64 = 0x400000000;
export const MISC_ENABLE_READ_ONLY: u64 = 0x1800;
export const MISC_ENABLE_WRITABLE: u64 = 0x400c50009;
export const PAT_AT_RESET: u64 = 0x7040600070406;

/** Msr of src/x86. */
export namespace Msr {
  export const Tsc: u32 = 0x10;
  export const PlatformId: u32 = 0x17;
  export const ApicBase: u32 = 0x1b;
  export const EblCrPoweron: u32 = 0x2a;
  export const SmiCount: u32 = 0x34;
  export const FeatureControl: u32 = 0x3a;
  export const TscAdjust: u32 = 0x3b;
  export const BiosUpdtTrig: u32 = 0x79;
  export const BiosSignId: u32 = 0x8b;
  export const PlatformInfo: u32 = 0xce;
  export const MtrrCap: u32 = 0xfe;
  export const ArchCapabilities: u32 = 0x10a;
  export const MiscFeaturesEnables: u32 = 0x140;
  export const SysenterCs: u32 = 0x174;
  export const SysenterEsp: u32 = 0x175;
  export const SysenterEip: u32 = 0x176;
  export const McgCap: u32 = 0x179;
  export const McgStatus: u32 = 0x17a;
  export const PerfEvtSel0: u32 = 0x186;
  export const PerfStatus: u32 = 0x198;
  export const PerfCtl: u32 = 0x199;
  export const ClockModulation: u32 = 0x19a;
  export const ThermStatus: u32 = 0x19c;
  export const MiscEnable: u32 = 0x1a0;
  export const EnergyPerfBias: u32 = 0x1b0;
  export const DebugCtl: u32 = 0x1d9;
  export const MtrrPhysBase0: u32 = 0x200;
  export const MtrrFix64k00000: u32 = 0x250;
  export const MtrrFix16k80000: u32 = 0x258;
  export const MtrrFix16kA0000: u32 = 0x259;
  export const MtrrFix4kC0000: u32 = 0x268;
  export const MtrrFix4kF8000: u32 = 0x26f;
  export const Pat: u32 = 0x277;
  export const MtrrDefType: u32 = 0x2ff;
  export const TscDeadline: u32 = 0x6e0;
  export const Efer: u32 = 0xc0000080;
  export const Star: u32 = 0xc0000081;
  export const Lstar: u32 = 0xc0000082;
  export const Cstar: u32 = 0xc0000083;
  export const Sfmask: u32 = 0xc0000084;
  export const FsBase: u32 = 0xc0000100;
  export const GsBase: u32 = 0xc0000101;
  export const KernelGsBase: u32 = 0xc0000102;
  export const TscAux: u32 = 0xc0000103;
}
