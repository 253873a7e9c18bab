// The 64-bit sets of flags of winhvplatformdefs.h (unions of one-bit fields and
// AsUINT64), as masks to combine with | and test with &.

/** WHV_CAPABILITY_FEATURES. */
export const CapabilityFeatures = {
  PartialUnmap: 1n << 0n,
  LocalApicEmulation: 1n << 1n,
  Xsave: 1n << 2n,
  DirtyPageTracking: 1n << 3n,
  SpeculationControl: 1n << 4n,
  ApicRemoteRead: 1n << 5n,
  IdleSuspend: 1n << 6n,
  VirtualPciDeviceSupport: 1n << 7n,
  IommuSupport: 1n << 8n,
  VpHotAddRemove: 1n << 9n,
} as const;

/**
 * WHV_EXTENDED_VM_EXITS.
 *
 * @example
 * ```ts
 * import { ExtendedVmExits, openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setExtendedVmExits(ExtendedVmExits.X64CpuidExit);
 * partition.setCpuidExitList([0]);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0xa2], 0xfff0); // cpuid
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 0n);
 * const exit = await vp.run();
 * if (exit.reason !== "cpuid") throw new Error(exit.reason);
 * assertEquals(exit.leaf, 0);
 * ```
 */
export const ExtendedVmExits = {
  X64CpuidExit: 1n << 0n,
  X64MsrExit: 1n << 1n,
  ExceptionExit: 1n << 2n,
  X64RdtscExit: 1n << 3n,
  X64ApicSmiExitTrap: 1n << 4n,
  HypercallExit: 1n << 5n,
  X64ApicInitSipiExitTrap: 1n << 6n,
  X64ApicWriteLint0ExitTrap: 1n << 7n,
  X64ApicWriteLint1ExitTrap: 1n << 8n,
  X64ApicWriteSvrExitTrap: 1n << 9n,
  UnknownSynicConnection: 1n << 10n,
  RetargetUnknownVpciDevice: 1n << 11n,
  X64ApicWriteLdrExitTrap: 1n << 12n,
  X64ApicWriteDfrExitTrap: 1n << 13n,
  GpaAccessFaultExit: 1n << 14n,
} as const;

/** WHV_PROCESSOR_FEATURES. */
export const ProcessorFeatures = {
  Sse3Support: 1n << 0n,
  LahfSahfSupport: 1n << 1n,
  Ssse3Support: 1n << 2n,
  Sse4_1Support: 1n << 3n,
  Sse4_2Support: 1n << 4n,
  Sse4aSupport: 1n << 5n,
  XopSupport: 1n << 6n,
  PopCntSupport: 1n << 7n,
  Cmpxchg16bSupport: 1n << 8n,
  Altmovcr8Support: 1n << 9n,
  LzcntSupport: 1n << 10n,
  MisAlignSseSupport: 1n << 11n,
  MmxExtSupport: 1n << 12n,
  Amd3DNowSupport: 1n << 13n,
  ExtendedAmd3DNowSupport: 1n << 14n,
  Page1GbSupport: 1n << 15n,
  AesSupport: 1n << 16n,
  PclmulqdqSupport: 1n << 17n,
  PcidSupport: 1n << 18n,
  Fma4Support: 1n << 19n,
  F16CSupport: 1n << 20n,
  RdRandSupport: 1n << 21n,
  RdWrFsGsSupport: 1n << 22n,
  SmepSupport: 1n << 23n,
  EnhancedFastStringSupport: 1n << 24n,
  Bmi1Support: 1n << 25n,
  Bmi2Support: 1n << 26n,
  MovbeSupport: 1n << 29n,
  Npiep1Support: 1n << 30n,
  DepX87FPUSaveSupport: 1n << 31n,
  RdSeedSupport: 1n << 32n,
  AdxSupport: 1n << 33n,
  IntelPrefetchSupport: 1n << 34n,
  SmapSupport: 1n << 35n,
  HleSupport: 1n << 36n,
  RtmSupport: 1n << 37n,
  RdtscpSupport: 1n << 38n,
  ClflushoptSupport: 1n << 39n,
  ClwbSupport: 1n << 40n,
  ShaSupport: 1n << 41n,
  X87PointersSavedSupport: 1n << 42n,
  InvpcidSupport: 1n << 43n,
  IbrsSupport: 1n << 44n,
  StibpSupport: 1n << 45n,
  IbpbSupport: 1n << 46n,
  SsbdSupport: 1n << 48n,
  FastShortRepMovSupport: 1n << 49n,
  RdclNo: 1n << 51n,
  IbrsAllSupport: 1n << 52n,
  SsbNo: 1n << 54n,
  RsbANo: 1n << 55n,
  RdPidSupport: 1n << 57n,
  UmipSupport: 1n << 58n,
  MdsNoSupport: 1n << 59n,
  MdClearSupport: 1n << 60n,
  TaaNoSupport: 1n << 61n,
  TsxCtrlSupport: 1n << 62n,
} as const;

/** WHV_PROCESSOR_FEATURES1. */
export const ProcessorFeatures1 = {
  ACountMCountSupport: 1n << 0n,
  TscInvariantSupport: 1n << 1n,
  ClZeroSupport: 1n << 2n,
  RdpruSupport: 1n << 3n,
  NestedVirtSupport: 1n << 6n,
  PsfdSupport: 1n << 7n,
  CetSsSupport: 1n << 8n,
  CetIbtSupport: 1n << 9n,
  VmxExceptionInjectSupport: 1n << 10n,
  UmwaitTpauseSupport: 1n << 12n,
  MovdiriSupport: 1n << 13n,
  Movdir64bSupport: 1n << 14n,
  CldemoteSupport: 1n << 15n,
  SerializeSupport: 1n << 16n,
  TscDeadlineTmrSupport: 1n << 17n,
  TscAdjustSupport: 1n << 18n,
  FZLRepMovsb: 1n << 19n,
  FSRepStosb: 1n << 20n,
  FSRepCmpsb: 1n << 21n,
} as const;

/** WHV_SYNTHETIC_PROCESSOR_FEATURES. */
export const SyntheticProcessorFeatures = {
  HypervisorPresent: 1n << 0n,
  Hv1: 1n << 1n,
  AccessVpRunTimeReg: 1n << 2n,
  AccessPartitionReferenceCounter: 1n << 3n,
  AccessSynicRegs: 1n << 4n,
  AccessSyntheticTimerRegs: 1n << 5n,
  AccessIntrCtrlRegs: 1n << 6n,
  AccessHypercallRegs: 1n << 7n,
  AccessVpIndex: 1n << 8n,
  AccessPartitionReferenceTsc: 1n << 9n,
  AccessGuestIdleReg: 1n << 10n,
  AccessFrequencyRegs: 1n << 11n,
  EnableExtendedGvaRangesForFlushVirtualAddressList: 1n << 15n,
  FastHypercallOutput: 1n << 18n,
  DirectSyntheticTimers: 1n << 22n,
  ExtendedProcessorMasks: 1n << 24n,
  TbFlushHypercalls: 1n << 25n,
  SyntheticClusterIpi: 1n << 26n,
  NotifyLongSpinWait: 1n << 27n,
  QueryNumaDistance: 1n << 28n,
  SignalEvents: 1n << 29n,
  RetargetDeviceInterrupt: 1n << 30n,
} as const;

/** WHV_PROCESSOR_XSAVE_FEATURES. */
export const ProcessorXsaveFeatures = {
  XsaveSupport: 1n << 0n,
  XsaveoptSupport: 1n << 1n,
  AvxSupport: 1n << 2n,
  Avx2Support: 1n << 3n,
  FmaSupport: 1n << 4n,
  MpxSupport: 1n << 5n,
  Avx512Support: 1n << 6n,
  Avx512DQSupport: 1n << 7n,
  Avx512CDSupport: 1n << 8n,
  Avx512BWSupport: 1n << 9n,
  Avx512VLSupport: 1n << 10n,
  XsaveCompSupport: 1n << 11n,
  XsaveSupervisorSupport: 1n << 12n,
  Xcr1Support: 1n << 13n,
  Avx512BitalgSupport: 1n << 14n,
  Avx512IfmaSupport: 1n << 15n,
  Avx512VBmiSupport: 1n << 16n,
  Avx512VBmi2Support: 1n << 17n,
  Avx512VnniSupport: 1n << 18n,
  GfniSupport: 1n << 19n,
  VaesSupport: 1n << 20n,
  Avx512VPopcntdqSupport: 1n << 21n,
  VpclmulqdqSupport: 1n << 22n,
  Avx512Bf16Support: 1n << 23n,
  Avx512Vp2IntersectSupport: 1n << 24n,
  Avx512Fp16Support: 1n << 25n,
  XfdSupport: 1n << 26n,
  AmxTileSupport: 1n << 27n,
  AmxBf16Support: 1n << 28n,
  AmxInt8Support: 1n << 29n,
  AvxVnniSupport: 1n << 30n,
} as const;

/** WHV_PROCESSOR_PERFMON_FEATURES. */
export const ProcessorPerfmonFeatures = {
  PmuSupport: 1n << 0n,
  LbrSupport: 1n << 1n,
} as const;

/** WHV_X64_MSR_EXIT_BITMAP. */
export const X64MsrExitBitmap = {
  UnhandledMsrs: 1n << 0n,
  TscMsrWrite: 1n << 1n,
  TscMsrRead: 1n << 2n,
  ApicBaseMsrWrite: 1n << 3n,
  MiscEnableMsrRead: 1n << 4n,
  McUpdatePatchLevelMsrRead: 1n << 5n,
} as const;

/** WHV_SCHEDULER_FEATURES. */
export const SchedulerFeatures = {
  CpuReserve: 1n << 0n,
  CpuCap: 1n << 1n,
  CpuWeight: 1n << 2n,
  CpuGroupId: 1n << 3n,
  DisableSmt: 1n << 4n,
} as const;
