// Written from ffi/ by `deno task build`.
// deno-lint-ignore-file no-namespace
export const ANY_VP: u32 = 0xffffffff;
export const READ_WRITE_GPA_RANGE_MAX_SIZE: u32 = 0x10;
export const ICEBP_MAX_ACCESSES: u32 = 0x100;
export const DEBUG_POINT: u32 = 0x1ceb0001;
export const MAX_DEBUG_POINTS: u32 = 0x10000;
export const MAX_DEBUG_HITS: u32 = 0x4;

/** WHV_REGISTER_NAME. */
export namespace Reg {
  export const Rax: u32 = 0x0;
  export const Rcx: u32 = 0x1;
  export const Rdx: u32 = 0x2;
  export const Rbx: u32 = 0x3;
  export const Rsp: u32 = 0x4;
  export const Rbp: u32 = 0x5;
  export const Rsi: u32 = 0x6;
  export const Rdi: u32 = 0x7;
  export const R8: u32 = 0x8;
  export const R9: u32 = 0x9;
  export const R10: u32 = 0xa;
  export const R11: u32 = 0xb;
  export const R12: u32 = 0xc;
  export const R13: u32 = 0xd;
  export const R14: u32 = 0xe;
  export const R15: u32 = 0xf;
  export const Rip: u32 = 0x10;
  export const Rflags: u32 = 0x11;
  export const Es: u32 = 0x12;
  export const Cs: u32 = 0x13;
  export const Ss: u32 = 0x14;
  export const Ds: u32 = 0x15;
  export const Fs: u32 = 0x16;
  export const Gs: u32 = 0x17;
  export const Ldtr: u32 = 0x18;
  export const Tr: u32 = 0x19;
  export const Idtr: u32 = 0x1a;
  export const Gdtr: u32 = 0x1b;
  export const Cr0: u32 = 0x1c;
  export const Cr2: u32 = 0x1d;
  export const Cr3: u32 = 0x1e;
  export const Cr4: u32 = 0x1f;
  export const Cr8: u32 = 0x20;
  export const Dr0: u32 = 0x21;
  export const Dr1: u32 = 0x22;
  export const Dr2: u32 = 0x23;
  export const Dr3: u32 = 0x24;
  export const Dr6: u32 = 0x25;
  export const Dr7: u32 = 0x26;
  export const XCr0: u32 = 0x27;
  export const VirtualCr0: u32 = 0x28;
  export const VirtualCr3: u32 = 0x29;
  export const VirtualCr4: u32 = 0x2a;
  export const VirtualCr8: u32 = 0x2b;
  export const Xmm0: u32 = 0x1000;
  export const Xmm1: u32 = 0x1001;
  export const Xmm2: u32 = 0x1002;
  export const Xmm3: u32 = 0x1003;
  export const Xmm4: u32 = 0x1004;
  export const Xmm5: u32 = 0x1005;
  export const Xmm6: u32 = 0x1006;
  export const Xmm7: u32 = 0x1007;
  export const Xmm8: u32 = 0x1008;
  export const Xmm9: u32 = 0x1009;
  export const Xmm10: u32 = 0x100a;
  export const Xmm11: u32 = 0x100b;
  export const Xmm12: u32 = 0x100c;
  export const Xmm13: u32 = 0x100d;
  export const Xmm14: u32 = 0x100e;
  export const Xmm15: u32 = 0x100f;
  export const FpMmx0: u32 = 0x1010;
  export const FpMmx1: u32 = 0x1011;
  export const FpMmx2: u32 = 0x1012;
  export const FpMmx3: u32 = 0x1013;
  export const FpMmx4: u32 = 0x1014;
  export const FpMmx5: u32 = 0x1015;
  export const FpMmx6: u32 = 0x1016;
  export const FpMmx7: u32 = 0x1017;
  export const FpControlStatus: u32 = 0x1018;
  export const XmmControlStatus: u32 = 0x1019;
  export const Tsc: u32 = 0x2000;
  export const Efer: u32 = 0x2001;
  export const KernelGsBase: u32 = 0x2002;
  export const ApicBase: u32 = 0x2003;
  export const Pat: u32 = 0x2004;
  export const SysenterCs: u32 = 0x2005;
  export const SysenterEip: u32 = 0x2006;
  export const SysenterEsp: u32 = 0x2007;
  export const Star: u32 = 0x2008;
  export const Lstar: u32 = 0x2009;
  export const Cstar: u32 = 0x200a;
  export const Sfmask: u32 = 0x200b;
  export const InitialApicId: u32 = 0x200c;
  export const MsrMtrrCap: u32 = 0x200d;
  export const MsrMtrrDefType: u32 = 0x200e;
  export const MsrMtrrPhysBase0: u32 = 0x2010;
  export const MsrMtrrPhysBase1: u32 = 0x2011;
  export const MsrMtrrPhysBase2: u32 = 0x2012;
  export const MsrMtrrPhysBase3: u32 = 0x2013;
  export const MsrMtrrPhysBase4: u32 = 0x2014;
  export const MsrMtrrPhysBase5: u32 = 0x2015;
  export const MsrMtrrPhysBase6: u32 = 0x2016;
  export const MsrMtrrPhysBase7: u32 = 0x2017;
  export const MsrMtrrPhysBase8: u32 = 0x2018;
  export const MsrMtrrPhysBase9: u32 = 0x2019;
  export const MsrMtrrPhysBaseA: u32 = 0x201a;
  export const MsrMtrrPhysBaseB: u32 = 0x201b;
  export const MsrMtrrPhysBaseC: u32 = 0x201c;
  export const MsrMtrrPhysBaseD: u32 = 0x201d;
  export const MsrMtrrPhysBaseE: u32 = 0x201e;
  export const MsrMtrrPhysBaseF: u32 = 0x201f;
  export const MsrMtrrPhysMask0: u32 = 0x2040;
  export const MsrMtrrPhysMask1: u32 = 0x2041;
  export const MsrMtrrPhysMask2: u32 = 0x2042;
  export const MsrMtrrPhysMask3: u32 = 0x2043;
  export const MsrMtrrPhysMask4: u32 = 0x2044;
  export const MsrMtrrPhysMask5: u32 = 0x2045;
  export const MsrMtrrPhysMask6: u32 = 0x2046;
  export const MsrMtrrPhysMask7: u32 = 0x2047;
  export const MsrMtrrPhysMask8: u32 = 0x2048;
  export const MsrMtrrPhysMask9: u32 = 0x2049;
  export const MsrMtrrPhysMaskA: u32 = 0x204a;
  export const MsrMtrrPhysMaskB: u32 = 0x204b;
  export const MsrMtrrPhysMaskC: u32 = 0x204c;
  export const MsrMtrrPhysMaskD: u32 = 0x204d;
  export const MsrMtrrPhysMaskE: u32 = 0x204e;
  export const MsrMtrrPhysMaskF: u32 = 0x204f;
  export const MsrMtrrFix64k00000: u32 = 0x2070;
  export const MsrMtrrFix16k80000: u32 = 0x2071;
  export const MsrMtrrFix16kA0000: u32 = 0x2072;
  export const MsrMtrrFix4kC0000: u32 = 0x2073;
  export const MsrMtrrFix4kC8000: u32 = 0x2074;
  export const MsrMtrrFix4kD0000: u32 = 0x2075;
  export const MsrMtrrFix4kD8000: u32 = 0x2076;
  export const MsrMtrrFix4kE0000: u32 = 0x2077;
  export const MsrMtrrFix4kE8000: u32 = 0x2078;
  export const MsrMtrrFix4kF0000: u32 = 0x2079;
  export const MsrMtrrFix4kF8000: u32 = 0x207a;
  export const TscAux: u32 = 0x207b;
  export const Bndcfgs: u32 = 0x207c;
  export const MCount: u32 = 0x207e;
  export const ACount: u32 = 0x207f;
  export const SpecCtrl: u32 = 0x2084;
  export const PredCmd: u32 = 0x2085;
  export const TscVirtualOffset: u32 = 0x2087;
  export const TsxCtrl: u32 = 0x2088;
  export const Xss: u32 = 0x208b;
  export const UCet: u32 = 0x208c;
  export const SCet: u32 = 0x208d;
  export const Ssp: u32 = 0x208e;
  export const Pl0Ssp: u32 = 0x208f;
  export const Pl1Ssp: u32 = 0x2090;
  export const Pl2Ssp: u32 = 0x2091;
  export const Pl3Ssp: u32 = 0x2092;
  export const InterruptSspTableAddr: u32 = 0x2093;
  export const TscDeadline: u32 = 0x2095;
  export const TscAdjust: u32 = 0x2096;
  export const UmwaitControl: u32 = 0x2098;
  export const Xfd: u32 = 0x2099;
  export const XfdErr: u32 = 0x209a;
  export const ApicId: u32 = 0x3002;
  export const ApicVersion: u32 = 0x3003;
  export const ApicTpr: u32 = 0x3008;
  export const ApicPpr: u32 = 0x300a;
  export const ApicEoi: u32 = 0x300b;
  export const ApicLdr: u32 = 0x300d;
  export const ApicSpurious: u32 = 0x300f;
  export const ApicIsr0: u32 = 0x3010;
  export const ApicIsr1: u32 = 0x3011;
  export const ApicIsr2: u32 = 0x3012;
  export const ApicIsr3: u32 = 0x3013;
  export const ApicIsr4: u32 = 0x3014;
  export const ApicIsr5: u32 = 0x3015;
  export const ApicIsr6: u32 = 0x3016;
  export const ApicIsr7: u32 = 0x3017;
  export const ApicTmr0: u32 = 0x3018;
  export const ApicTmr1: u32 = 0x3019;
  export const ApicTmr2: u32 = 0x301a;
  export const ApicTmr3: u32 = 0x301b;
  export const ApicTmr4: u32 = 0x301c;
  export const ApicTmr5: u32 = 0x301d;
  export const ApicTmr6: u32 = 0x301e;
  export const ApicTmr7: u32 = 0x301f;
  export const ApicIrr0: u32 = 0x3020;
  export const ApicIrr1: u32 = 0x3021;
  export const ApicIrr2: u32 = 0x3022;
  export const ApicIrr3: u32 = 0x3023;
  export const ApicIrr4: u32 = 0x3024;
  export const ApicIrr5: u32 = 0x3025;
  export const ApicIrr6: u32 = 0x3026;
  export const ApicIrr7: u32 = 0x3027;
  export const ApicEse: u32 = 0x3028;
  export const ApicIcr: u32 = 0x3030;
  export const ApicLvtTimer: u32 = 0x3032;
  export const ApicLvtThermal: u32 = 0x3033;
  export const ApicLvtPerfmon: u32 = 0x3034;
  export const ApicLvtLint0: u32 = 0x3035;
  export const ApicLvtLint1: u32 = 0x3036;
  export const ApicLvtError: u32 = 0x3037;
  export const ApicInitCount: u32 = 0x3038;
  export const ApicCurrentCount: u32 = 0x3039;
  export const ApicDivide: u32 = 0x303e;
  export const ApicSelfIpi: u32 = 0x303f;
  export const Sint0: u32 = 0x4000;
  export const Sint1: u32 = 0x4001;
  export const Sint2: u32 = 0x4002;
  export const Sint3: u32 = 0x4003;
  export const Sint4: u32 = 0x4004;
  export const Sint5: u32 = 0x4005;
  export const Sint6: u32 = 0x4006;
  export const Sint7: u32 = 0x4007;
  export const Sint8: u32 = 0x4008;
  export const Sint9: u32 = 0x4009;
  export const Sint10: u32 = 0x400a;
  export const Sint11: u32 = 0x400b;
  export const Sint12: u32 = 0x400c;
  export const Sint13: u32 = 0x400d;
  export const Sint14: u32 = 0x400e;
  export const Sint15: u32 = 0x400f;
  export const Scontrol: u32 = 0x4010;
  export const Sversion: u32 = 0x4011;
  export const Siefp: u32 = 0x4012;
  export const Simp: u32 = 0x4013;
  export const Eom: u32 = 0x4014;
  export const VpRuntime: u32 = 0x5000;
  export const Hypercall: u32 = 0x5001;
  export const GuestOsId: u32 = 0x5002;
  export const VpAssistPage: u32 = 0x5013;
  export const ReferenceTsc: u32 = 0x5017;
  export const ReferenceTscSequence: u32 = 0x501a;
  export const PendingInterruption: u32 = 0x80000000;
  export const InterruptState: u32 = 0x80000001;
  export const PendingEvent: u32 = 0x80000002;
  export const DeliverabilityNotifications: u32 = 0x80000004;
  export const InternalActivityState: u32 = 0x80000005;
  export const PendingDebugException: u32 = 0x80000006;
}

/** WHV_PARTITION_PROPERTY_CODE. */
export namespace Property {
  export const ExtendedVmExits: u32 = 0x1;
  export const ExceptionExitBitmap: u32 = 0x2;
  export const SeparateSecurityDomain: u32 = 0x3;
  export const NestedVirtualization: u32 = 0x4;
  export const X64MsrExitBitmap: u32 = 0x5;
  export const PrimaryNumaNode: u32 = 0x6;
  export const CpuReserve: u32 = 0x7;
  export const CpuCap: u32 = 0x8;
  export const CpuWeight: u32 = 0x9;
  export const CpuGroupId: u32 = 0xa;
  export const ProcessorFrequencyCap: u32 = 0xb;
  export const AllowDeviceAssignment: u32 = 0xc;
  export const DisableSmt: u32 = 0xd;
  export const ProcessorFeatures: u32 = 0x1001;
  export const ProcessorClFlushSize: u32 = 0x1002;
  export const CpuidExitList: u32 = 0x1003;
  export const CpuidResultList: u32 = 0x1004;
  export const LocalApicEmulationMode: u32 = 0x1005;
  export const ProcessorXsaveFeatures: u32 = 0x1006;
  export const ProcessorClockFrequency: u32 = 0x1007;
  export const InterruptClockFrequency: u32 = 0x1008;
  export const ApicRemoteReadSupport: u32 = 0x1009;
  export const ProcessorFeaturesBanks: u32 = 0x100a;
  export const ReferenceTime: u32 = 0x100b;
  export const SyntheticProcessorFeaturesBanks: u32 = 0x100c;
  export const CpuidResultList2: u32 = 0x100d;
  export const ProcessorPerfmonFeatures: u32 = 0x100e;
  export const MsrActionList: u32 = 0x100f;
  export const UnimplementedMsrAction: u32 = 0x1010;
  export const ProcessorCount: u32 = 0x1fff;
}

/** WHV_CAPABILITY_CODE. */
export namespace Capability {
  export const HypervisorPresent: u32 = 0x0;
  export const Features: u32 = 0x1;
  export const ExtendedVmExits: u32 = 0x2;
  export const ExceptionExitBitmap: u32 = 0x3;
  export const X64MsrExitBitmap: u32 = 0x4;
  export const GpaRangePopulateFlags: u32 = 0x5;
  export const SchedulerFeatures: u32 = 0x6;
  export const ProcessorVendor: u32 = 0x1000;
  export const ProcessorFeatures: u32 = 0x1001;
  export const ProcessorClFlushSize: u32 = 0x1002;
  export const ProcessorXsaveFeatures: u32 = 0x1003;
  export const ProcessorClockFrequency: u32 = 0x1004;
  export const InterruptClockFrequency: u32 = 0x1005;
  export const ProcessorFeaturesBanks: u32 = 0x1006;
  export const ProcessorFrequencyCap: u32 = 0x1007;
  export const SyntheticProcessorFeaturesBanks: u32 = 0x1008;
  export const ProcessorPerfmonFeatures: u32 = 0x1009;
}

/** WHV_CAPABILITY_FEATURES. */
export namespace CapabilityFeatures {
  export const PartialUnmap: u64 = 0x1;
  export const LocalApicEmulation: u64 = 0x2;
  export const Xsave: u64 = 0x4;
  export const DirtyPageTracking: u64 = 0x8;
  export const SpeculationControl: u64 = 0x10;
  export const ApicRemoteRead: u64 = 0x20;
  export const IdleSuspend: u64 = 0x40;
  export const VirtualPciDeviceSupport: u64 = 0x80;
  export const IommuSupport: u64 = 0x100;
  export const VpHotAddRemove: u64 = 0x200;
}

/** WHV_PROCESSOR_FEATURES. */
export namespace ProcessorFeatures {
  export const Sse3Support: u64 = 0x1;
  export const LahfSahfSupport: u64 = 0x2;
  export const Ssse3Support: u64 = 0x4;
  export const Sse4_1Support: u64 = 0x8;
  export const Sse4_2Support: u64 = 0x10;
  export const Sse4aSupport: u64 = 0x20;
  export const XopSupport: u64 = 0x40;
  export const PopCntSupport: u64 = 0x80;
  export const Cmpxchg16bSupport: u64 = 0x100;
  export const Altmovcr8Support: u64 = 0x200;
  export const LzcntSupport: u64 = 0x400;
  export const MisAlignSseSupport: u64 = 0x800;
  export const MmxExtSupport: u64 = 0x1000;
  export const Amd3DNowSupport: u64 = 0x2000;
  export const ExtendedAmd3DNowSupport: u64 = 0x4000;
  export const Page1GbSupport: u64 = 0x8000;
  export const AesSupport: u64 = 0x10000;
  export const PclmulqdqSupport: u64 = 0x20000;
  export const PcidSupport: u64 = 0x40000;
  export const Fma4Support: u64 = 0x80000;
  export const F16CSupport: u64 = 0x100000;
  export const RdRandSupport: u64 = 0x200000;
  export const RdWrFsGsSupport: u64 = 0x400000;
  export const SmepSupport: u64 = 0x800000;
  export const EnhancedFastStringSupport: u64 = 0x1000000;
  export const Bmi1Support: u64 = 0x2000000;
  export const Bmi2Support: u64 = 0x4000000;
  export const MovbeSupport: u64 = 0x20000000;
  export const Npiep1Support: u64 = 0x40000000;
  export const DepX87FPUSaveSupport: u64 = 0x80000000;
  export const RdSeedSupport: u64 = 0x100000000;
  export const AdxSupport: u64 = 0x200000000;
  export const IntelPrefetchSupport: u64 = 0x400000000;
  export const SmapSupport: u64 = 0x800000000;
  export const HleSupport: u64 = 0x1000000000;
  export const RtmSupport: u64 = 0x2000000000;
  export const RdtscpSupport: u64 = 0x4000000000;
  export const ClflushoptSupport: u64 = 0x8000000000;
  export const ClwbSupport: u64 = 0x10000000000;
  export const ShaSupport: u64 = 0x20000000000;
  export const X87PointersSavedSupport: u64 = 0x40000000000;
  export const InvpcidSupport: u64 = 0x80000000000;
  export const IbrsSupport: u64 = 0x100000000000;
  export const StibpSupport: u64 = 0x200000000000;
  export const IbpbSupport: u64 = 0x400000000000;
  export const SsbdSupport: u64 = 0x1000000000000;
  export const FastShortRepMovSupport: u64 = 0x2000000000000;
  export const RdclNo: u64 = 0x8000000000000;
  export const IbrsAllSupport: u64 = 0x10000000000000;
  export const SsbNo: u64 = 0x40000000000000;
  export const RsbANo: u64 = 0x80000000000000;
  export const RdPidSupport: u64 = 0x200000000000000;
  export const UmipSupport: u64 = 0x400000000000000;
  export const MdsNoSupport: u64 = 0x800000000000000;
  export const MdClearSupport: u64 = 0x1000000000000000;
  export const TaaNoSupport: u64 = 0x2000000000000000;
  export const TsxCtrlSupport: u64 = 0x4000000000000000;
}

/** WHV_PROCESSOR_FEATURES1. */
export namespace ProcessorFeatures1 {
  export const ACountMCountSupport: u64 = 0x1;
  export const TscInvariantSupport: u64 = 0x2;
  export const ClZeroSupport: u64 = 0x4;
  export const RdpruSupport: u64 = 0x8;
  export const NestedVirtSupport: u64 = 0x40;
  export const PsfdSupport: u64 = 0x80;
  export const CetSsSupport: u64 = 0x100;
  export const CetIbtSupport: u64 = 0x200;
  export const VmxExceptionInjectSupport: u64 = 0x400;
  export const UmwaitTpauseSupport: u64 = 0x1000;
  export const MovdiriSupport: u64 = 0x2000;
  export const Movdir64bSupport: u64 = 0x4000;
  export const CldemoteSupport: u64 = 0x8000;
  export const SerializeSupport: u64 = 0x10000;
  export const TscDeadlineTmrSupport: u64 = 0x20000;
  export const TscAdjustSupport: u64 = 0x40000;
  export const FZLRepMovsb: u64 = 0x80000;
  export const FSRepStosb: u64 = 0x100000;
  export const FSRepCmpsb: u64 = 0x200000;
}

/** WHV_PROCESSOR_VENDOR. */
export namespace ProcessorVendor {
  export const Amd: u32 = 0x0;
  export const Intel: u32 = 0x1;
  export const Hygon: u32 = 0x2;
}

/** WHV_EXTENDED_VM_EXITS. */
export namespace ExtendedVmExits {
  export const X64CpuidExit: u64 = 0x1;
  export const X64MsrExit: u64 = 0x2;
  export const ExceptionExit: u64 = 0x4;
  export const X64RdtscExit: u64 = 0x8;
  export const X64ApicSmiExitTrap: u64 = 0x10;
  export const HypercallExit: u64 = 0x20;
  export const X64ApicInitSipiExitTrap: u64 = 0x40;
  export const X64ApicWriteLint0ExitTrap: u64 = 0x80;
  export const X64ApicWriteLint1ExitTrap: u64 = 0x100;
  export const X64ApicWriteSvrExitTrap: u64 = 0x200;
  export const UnknownSynicConnection: u64 = 0x400;
  export const RetargetUnknownVpciDevice: u64 = 0x800;
  export const X64ApicWriteLdrExitTrap: u64 = 0x1000;
  export const X64ApicWriteDfrExitTrap: u64 = 0x2000;
  export const GpaAccessFaultExit: u64 = 0x4000;
}

/** WHV_X64_MSR_EXIT_BITMAP. */
export namespace MsrExit {
  export const UnhandledMsrs: u64 = 0x1;
  export const TscMsrWrite: u64 = 0x2;
  export const TscMsrRead: u64 = 0x4;
  export const ApicBaseMsrWrite: u64 = 0x8;
  export const MiscEnableMsrRead: u64 = 0x10;
  export const McUpdatePatchLevelMsrRead: u64 = 0x20;
}

/** WHV_MSR_ACTION. */
export namespace MsrAction {
  export const ArchitectureDefault: u32 = 0x0;
  export const IgnoreWriteReadZero: u32 = 0x1;
  export const Exit: u32 = 0x2;
}

/** WHV_X64_CPUID_RESULT2_FLAGS. */
export namespace CpuidResult2Flag {
  export const SubleafSpecific: u32 = 0x1;
  export const VpSpecific: u32 = 0x2;
}

/** WHV_X64_LOCAL_APIC_EMULATION_MODE. */
export namespace ApicMode {
  export const None: u32 = 0x0;
  export const XApic: u32 = 0x1;
  export const X2Apic: u32 = 0x2;
}

/** WHV_MAP_GPA_RANGE_FLAGS. */
export namespace MapFlag {
  export const None: u32 = 0x0;
  export const Read: u32 = 0x1;
  export const Write: u32 = 0x2;
  export const Execute: u32 = 0x4;
  export const TrackDirtyPages: u32 = 0x8;
}

/** WHV_ADVISE_GPA_RANGE_CODE. */
export namespace Advice {
  export const Populate: u32 = 0x0;
  export const Pin: u32 = 0x1;
  export const Unpin: u32 = 0x2;
}

/** WHV_RUN_VP_EXIT_REASON. */
export namespace ExitReason {
  export const None: u32 = 0x0;
  export const MemoryAccess: u32 = 0x1;
  export const X64IoPortAccess: u32 = 0x2;
  export const UnrecoverableException: u32 = 0x4;
  export const InvalidVpRegisterValue: u32 = 0x5;
  export const UnsupportedFeature: u32 = 0x6;
  export const X64InterruptWindow: u32 = 0x7;
  export const X64Halt: u32 = 0x8;
  export const X64ApicEoi: u32 = 0x9;
  export const SynicSintDeliverable: u32 = 0xa;
  export const X64MsrAccess: u32 = 0x1000;
  export const X64Cpuid: u32 = 0x1001;
  export const Exception: u32 = 0x1002;
  export const X64Rdtsc: u32 = 0x1003;
  export const X64ApicSmiTrap: u32 = 0x1004;
  export const Hypercall: u32 = 0x1005;
  export const X64ApicInitSipiTrap: u32 = 0x1006;
  export const X64ApicWriteTrap: u32 = 0x1007;
  export const Canceled: u32 = 0x2001;
}

/** WHV_MEMORY_ACCESS_TYPE. */
export namespace MemoryAccessType {
  export const Read: u32 = 0x0;
  export const Write: u32 = 0x1;
  export const Execute: u32 = 0x2;
}

/** WHV_X64_PENDING_EVENT_TYPE. */
export namespace PendingEvent {
  export const Exception: u32 = 0x0;
  export const ExtInt: u32 = 0x5;
}

/** WHV_INTERRUPT_TYPE. */
export namespace InterruptType {
  export const Fixed: u32 = 0x0;
  export const LowestPriority: u32 = 0x1;
  export const Nmi: u32 = 0x4;
  export const Init: u32 = 0x5;
  export const Sipi: u32 = 0x6;
  export const LocalInt1: u32 = 0x9;
}

/** WHV_PROCESSOR_COUNTER_SET. */
export namespace CounterSet {
  export const Runtime: u32 = 0x0;
  export const Intercepts: u32 = 0x1;
  export const Events: u32 = 0x2;
  export const Apic: u32 = 0x3;
  export const SyntheticFeatures: u32 = 0x4;
}

/** WHV_TRANSLATE_GVA_FLAGS. */
export namespace TranslateFlag {
  export const None: u32 = 0x0;
  export const ValidateRead: u32 = 0x1;
  export const ValidateWrite: u32 = 0x2;
  export const ValidateExecute: u32 = 0x4;
  export const PrivilegeExempt: u32 = 0x8;
  export const SetPageTableBits: u32 = 0x10;
  export const EnforceSmap: u32 = 0x100;
  export const OverrideSmap: u32 = 0x200;
}

/** WHV_TRANSLATE_GVA_RESULT_CODE. */
export namespace TranslateResult {
  export const Success: u32 = 0x0;
  export const PageNotPresent: u32 = 0x1;
  export const PrivilegeViolation: u32 = 0x2;
  export const InvalidPageTableFlags: u32 = 0x3;
  export const GpaUnmapped: u32 = 0x4;
  export const GpaNoReadAccess: u32 = 0x5;
  export const GpaNoWriteAccess: u32 = 0x6;
  export const GpaIllegalOverlayAccess: u32 = 0x7;
  export const Intercept: u32 = 0x8;
}

/** WHV_EMULATOR_STATUS. */
export namespace EmulatorStatus {
  export const EmulationSuccessful: u32 = 0x1;
  export const InternalEmulationFailure: u32 = 0x2;
  export const IoPortCallbackFailed: u32 = 0x4;
  export const MemoryCallbackFailed: u32 = 0x8;
  export const TranslateGvaPageCallbackFailed: u32 = 0x10;
  export const TranslateGvaPageCallbackGpaIsNotAligned: u32 = 0x20;
  export const GetVirtualProcessorRegistersCallbackFailed: u32 = 0x40;
  export const SetVirtualProcessorRegistersCallbackFailed: u32 = 0x80;
  export const InterruptCausedIntercept: u32 = 0x100;
  export const GuestCannotBeFaulted: u32 = 0x200;
}

/** IcebpAnswer. */
export namespace Answer {
  export const Exit: u32 = 0x0;
  export const Done: u32 = 0x1;
  export const Return: u32 = 0x2;
}

/** IcebpOutcome. */
export namespace Outcome {
  export const Done: u32 = 0x0;
  export const Data: u32 = 0x1;
  export const Again: u32 = 0x2;
  export const Run: u32 = 0x3;
  export const Tables: u32 = 0x4;
}

/** DebugAccess. */
export namespace DebugAccess {
  export const Read: u32 = 0x1;
  export const Write: u32 = 0x2;
  export const Execute: u32 = 0x4;
}

/** DebugSpace. */
export namespace DebugSpace {
  export const All: u32 = 0x0;
  export const One: u32 = 0x1;
  export const Physical: u32 = 0x2;
}

/** DebugPass. */
export namespace DebugPass {
  export const Next: u32 = 0x0;
  export const Spin: u32 = 0x1;
  export const None: u32 = 0x2;
  export const Step: u32 = 0x3;
  export const StepOpen: u32 = 0x4;
}
