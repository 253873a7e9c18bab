// The partition's properties and the platform's capabilities. Values come at
// IOBUF and go back there, with their size at SIZE. Numbers:
// winhvplatformdefs.h.
import {
  Capability,
  CapabilityFeatures,
  ExtendedVmExits,
  MsrExit,
  ProcessorFeatures,
  ProcessorFeatures1,
  ProcessorVendor,
  Property,
} from "./names";
import { lapicTrapInitSipi } from "../lapic/ipi";
import { IOBUF, MAX_VPS, SIZE, WHV } from "../layout";
import {
  E_INVALIDARG,
  S_OK,
  WHV_E_INSUFFICIENT_BUFFER,
  WHV_E_INVALID_VP_STATE,
  WHV_E_UNKNOWN_CAPABILITY,
  WHV_E_UNKNOWN_PROPERTY,
} from "./hresult";
import { cpuidExits, isList, putList, takeList } from "./lists";
import { time } from "../system/time";
import { setExceptionBitmap } from "../cpu/exceptions";
import { exists, ready, running } from "./state";
import { EXCEPTIONS } from "../x86/vectors";

// Scalar properties: code u32, size u32, value u64 each, at WHV
const PROPS: usize = WHV;

/** Extended VM exits that this platform has. */
const EXT_ALL: u64 = ExtendedVmExits.X64CpuidExit | ExtendedVmExits.X64MsrExit |
  ExtendedVmExits.ExceptionExit | ExtendedVmExits.X64RdtscExit |
  ExtendedVmExits.X64ApicInitSipiExitTrap;
const MSR_EXITS: u64 = MsrExit.UnhandledMsrs | MsrExit.TscMsrWrite |
  MsrExit.TscMsrRead | MsrExit.ApicBaseMsrWrite | MsrExit.MiscEnableMsrRead |
  MsrExit.McUpdatePatchLevelMsrRead;
const FEATURES: u64 = CapabilityFeatures.PartialUnmap |
  CapabilityFeatures.LocalApicEmulation | CapabilityFeatures.Xsave |
  CapabilityFeatures.DirtyPageTracking;
/** WHV_PROCESSOR_FEATURES of this CPU (bank 0). */
const FEATURES0: u64 = ProcessorFeatures.Sse3Support |
  ProcessorFeatures.LahfSahfSupport | ProcessorFeatures.Ssse3Support |
  ProcessorFeatures.Sse4_1Support | ProcessorFeatures.Sse4_2Support |
  ProcessorFeatures.PopCntSupport | ProcessorFeatures.Cmpxchg16bSupport |
  ProcessorFeatures.Page1GbSupport | ProcessorFeatures.AesSupport |
  ProcessorFeatures.PclmulqdqSupport | ProcessorFeatures.PcidSupport |
  ProcessorFeatures.RdRandSupport | ProcessorFeatures.RdWrFsGsSupport |
  ProcessorFeatures.SmepSupport | ProcessorFeatures.Bmi1Support |
  ProcessorFeatures.Bmi2Support | ProcessorFeatures.MovbeSupport |
  ProcessorFeatures.RdSeedSupport | ProcessorFeatures.AdxSupport |
  ProcessorFeatures.SmapSupport | ProcessorFeatures.RdtscpSupport |
  ProcessorFeatures.ClflushoptSupport | ProcessorFeatures.ClwbSupport |
  ProcessorFeatures.InvpcidSupport | ProcessorFeatures.UmipSupport;
/** Bank 1. */
const FEATURES1: u64 = ProcessorFeatures1.TscInvariantSupport |
  ProcessorFeatures1.TscDeadlineTmrSupport |
  ProcessorFeatures1.TscAdjustSupport;
/** WHV_PROCESSOR_XSAVE_FEATURES: XSAVE alone; no XSAVEOPT, XSAVEC, XSAVES. */
const XSAVE_FEATURES: u64 = 1;
const CLFLUSH_SIZE: u64 = 6; // log2 of 64 bytes
const FREQUENCY: u64 = 1000000000;
/** WHV_ADVISE_GPA_RANGE_POPULATE_FLAGS: both are taken. */
const POPULATE_FLAGS: u64 = 3;

/** WHvPartitionPropertyCodeExtendedVmExits. */
export let extendedExits: u64 = 0;
/** WHvPartitionPropertyCodeX64MsrExitBitmap. */
export let msrExits: u64 = 0;
/** Whether the caller has set X64MsrExitBitmap. */
export let msrExitsGiven: bool = false;
/** WHvPartitionPropertyCodeUnimplementedMsrAction. */
export let msrUnknown: u32 = 0;

function property(code: u32): usize {
  for (let p = PROPS; load<u32>(p) != 0; p += 16) {
    if (load<u32>(p) == code) return p;
  }
  return 0;
}

let end: usize = PROPS;
function add(code: u32, size: u32, value: u64): void {
  store<u32>(end, code);
  store<u32>(end, size, 4);
  store<u64>(end, value, 8);
  end += 16;
  store<u32>(end, 0);
}

/** Every property at its default. */
export function propertiesReset(): void {
  end = PROPS;
  msrExitsGiven = false;
  add(Property.ExtendedVmExits, 8, 0);
  add(Property.ExceptionExitBitmap, 8, 0);
  add(Property.SeparateSecurityDomain, 4, 0);
  add(Property.NestedVirtualization, 4, 0);
  add(Property.X64MsrExitBitmap, 8, 0);
  add(Property.PrimaryNumaNode, 2, 0);
  add(Property.CpuReserve, 4, 0);
  add(Property.CpuCap, 4, 0);
  add(Property.CpuWeight, 4, 100);
  add(Property.CpuGroupId, 8, 0);
  add(Property.ProcessorFrequencyCap, 4, 0);
  add(Property.AllowDeviceAssignment, 4, 0);
  add(Property.DisableSmt, 4, 0);
  add(Property.LocalApicEmulationMode, 4, 0);
  add(Property.ProcessorFeatures, 8, FEATURES0);
  add(Property.ProcessorClFlushSize, 1, CLFLUSH_SIZE);
  add(Property.ProcessorXsaveFeatures, 8, XSAVE_FEATURES);
  add(Property.ProcessorClockFrequency, 8, FREQUENCY);
  add(Property.InterruptClockFrequency, 8, FREQUENCY);
  add(Property.ApicRemoteReadSupport, 4, 0);
  add(Property.ProcessorPerfmonFeatures, 8, 0);
  add(Property.UnimplementedMsrAction, 4, 0);
  add(Property.ProcessorCount, 4, 0);
  apply();
}

/** WHvPartitionPropertyCodeProcessorCount. */
export function countProperty(): u32 {
  return load<u32>(property(Property.ProcessorCount), 8);
}
/** WHvPartitionPropertyCodeLocalApicEmulationMode. */
export function apicProperty(): u32 {
  return load<u32>(property(Property.LocalApicEmulationMode), 8);
}

/** Takes over properties that the core looks at. */
function apply(): void {
  extendedExits = load<u64>(property(Property.ExtendedVmExits), 8);
  msrExits = load<u64>(property(Property.X64MsrExitBitmap), 8);
  msrUnknown = load<u32>(property(Property.UnimplementedMsrAction), 8);
  setExceptionBitmap(
    extendedExits & ExtendedVmExits.ExceptionExit
      ? load<u64>(property(Property.ExceptionExitBitmap), 8)
      : 0,
  );
  lapicTrapInitSipi(
    (extendedExits & ExtendedVmExits.X64ApicInitSipiExitTrap) != 0,
  );
}

/** Feature banks: their number, reserved, the banks. */
function setBanks(bytes: u32): i32 {
  if (ready) return E_INVALIDARG;
  if (bytes < 16) return WHV_E_INSUFFICIENT_BUFFER;
  const banks = load<u32>(IOBUF);
  if (banks == 0 || banks > 2) return E_INVALIDARG;
  if (bytes < 8 + banks * 8) return WHV_E_INSUFFICIENT_BUFFER;
  if (load<u64>(IOBUF, 8) & ~FEATURES0) return E_INVALIDARG;
  if (banks == 2 && load<u64>(IOBUF, 16) & ~FEATURES1) return E_INVALIDARG;
  store<u64>(property(Property.ProcessorFeatures), load<u64>(IOBUF, 8), 8);
  return S_OK;
}

/** There are no synthetic features to choose. */
function setSynthetic(bytes: u32): i32 {
  if (ready) return E_INVALIDARG;
  if (bytes < 16) return WHV_E_INSUFFICIENT_BUFFER;
  return load<u32>(IOBUF) != 1 || load<u64>(IOBUF, 8) ? E_INVALIDARG : S_OK;
}

/** Whether a property takes a value. */
function allowed(code: u32, v: u64, now: u64): bool {
  switch (code) {
    case Property.ExtendedVmExits:
      return (v & ~EXT_ALL) == 0;
    case Property.ExceptionExitBitmap:
      return (v & ~EXCEPTIONS) == 0;
    case Property.X64MsrExitBitmap:
      return (v & ~MSR_EXITS) == 0;
    case Property.LocalApicEmulationMode:
    case Property.UnimplementedMsrAction:
      return v <= 2;
    case Property.ProcessorCount:
      return v != 0 && v <= MAX_VPS;
    case Property.ProcessorFeatures:
      return (v & ~FEATURES0) == 0;
    case Property.ProcessorXsaveFeatures:
      return (v & ~XSAVE_FEATURES) == 0;
    // about host processors, of which there are none to share
    case Property.SeparateSecurityDomain:
    case Property.PrimaryNumaNode:
    case Property.CpuReserve:
    case Property.CpuCap:
    case Property.CpuWeight:
    case Property.CpuGroupId:
    case Property.ProcessorFrequencyCap:
    case Property.DisableSmt:
      return true;
    default:
      // nested virtualization, devices, clocks and the like are as they are
      return v == now;
  }
}

/** Sets a property from `bytes` bytes at IOBUF. */
export function whvSetPartitionProperty(code: u32, bytes: u32): i32 {
  if (!exists) return E_INVALIDARG;
  if (isList(code)) {
    if (ready && code != Property.CpuidExitList) return E_INVALIDARG;
    return takeList(code, bytes) ? S_OK : E_INVALIDARG;
  }
  if (code == Property.ProcessorFeaturesBanks) return setBanks(bytes);
  if (code == Property.SyntheticProcessorFeaturesBanks) {
    return setSynthetic(bytes);
  }
  // guest time is counted
  if (code == Property.ReferenceTime) return E_INVALIDARG;
  const p = property(code);
  if (p == 0) return WHV_E_UNKNOWN_PROPERTY;
  const size = load<u32>(p, 4);
  if (bytes < size) return WHV_E_INSUFFICIENT_BUFFER;
  // little endian: the value's bytes, the others 0
  const unused = 64 - (size << 3);
  const v = (load<u64>(IOBUF) << unused) >> unused;
  if (
    ready && code != Property.ExtendedVmExits &&
    code != Property.ExceptionExitBitmap && code != Property.X64MsrExitBitmap
  ) {
    return E_INVALIDARG;
  }
  if (!allowed(code, v, load<u64>(p, 8))) return E_INVALIDARG;
  if (code == Property.ExceptionExitBitmap && running) {
    return WHV_E_INVALID_VP_STATE;
  }
  store<u64>(p, v, 8);
  if (code == Property.X64MsrExitBitmap) msrExitsGiven = true;
  apply();
  return S_OK;
}

function done(size: u32, bytes: u32): i32 {
  store<u32>(SIZE, size);
  return bytes < size ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}

function putBanks(first: u64): u32 {
  store<u64>(IOBUF, 2);
  store<u64>(IOBUF, first, 8);
  store<u64>(IOBUF, FEATURES1, 16);
  return 24;
}

function putSynthetic(): u32 {
  store<u64>(IOBUF, 1);
  store<u64>(IOBUF, 0, 8);
  return 16;
}

/** Writes a property's value to IOBUF and its size to SIZE. */
export function whvGetPartitionProperty(code: u32, bytes: u32): i32 {
  if (!exists) return E_INVALIDARG;
  if (isList(code)) return done(putList(code), bytes);
  if (code == Property.ProcessorFeaturesBanks) {
    return done(
      putBanks(load<u64>(property(Property.ProcessorFeatures), 8)),
      bytes,
    );
  }
  if (code == Property.SyntheticProcessorFeaturesBanks) {
    return done(putSynthetic(), bytes);
  }
  if (code == Property.ReferenceTime) {
    store<u64>(IOBUF, time / 100);
    return done(8, bytes);
  }
  const p = property(code);
  if (p == 0) return WHV_E_UNKNOWN_PROPERTY;
  store<u64>(IOBUF, load<u64>(p, 8));
  return done(load<u32>(p, 4), bytes);
}

/** Value to IOBUF, its size to SIZE. */
export function whvGetCapability(code: u32, bytes: u32): i32 {
  let size: u32 = 8;
  let v: u64 = 0;
  switch (code) {
    case Capability.HypervisorPresent:
      size = 4;
      v = 1;
      break;
    case Capability.Features:
      v = FEATURES;
      break;
    case Capability.ExtendedVmExits:
      v = EXT_ALL;
      break;
    case Capability.ExceptionExitBitmap:
      v = EXCEPTIONS;
      break;
    case Capability.X64MsrExitBitmap:
      v = MSR_EXITS;
      break;
    case Capability.GpaRangePopulateFlags:
      size = 4;
      v = POPULATE_FLAGS;
      break;
    case Capability.SchedulerFeatures:
    case Capability.ProcessorPerfmonFeatures:
      break;
    case Capability.ProcessorVendor:
      size = 4;
      v = ProcessorVendor.Intel;
      break;
    case Capability.ProcessorFeatures:
      v = FEATURES0;
      break;
    case Capability.ProcessorClFlushSize:
      size = 1;
      v = CLFLUSH_SIZE;
      break;
    case Capability.ProcessorXsaveFeatures:
      v = XSAVE_FEATURES;
      break;
    case Capability.ProcessorClockFrequency:
    case Capability.InterruptClockFrequency:
      v = FREQUENCY;
      break;
    case Capability.ProcessorFeaturesBanks:
      return done(putBanks(FEATURES0), bytes);
    case Capability.ProcessorFrequencyCap: // no frequency cap
      memory.fill(IOBUF, 0, 20);
      return done(20, bytes);
    case Capability.SyntheticProcessorFeaturesBanks:
      return done(putSynthetic(), bytes);
    default:
      return WHV_E_UNKNOWN_CAPABILITY;
  }
  store<u64>(IOBUF, v);
  return done(size, bytes);
}

/** Whether CPUID with this leaf exits. */
export function cpuidExitWanted(leaf: u32): bool {
  return (extendedExits & ExtendedVmExits.X64CpuidExit) != 0 &&
    cpuidExits(leaf);
}
