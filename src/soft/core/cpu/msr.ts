// Model-specific registers: which exist, what they take, and which the caller
// of the platform wants to see (X64MsrExitBitmap). Source: Intel SDM vol. 4,
// tables "IA-32 Architectural MSRs"; WHV_X64_MSR_EXIT_BITMAP.
import { writeEfer } from "./control";
import { LAPIC_GP } from "../lapic/state";
import {
  lapicReadDeadline,
  lapicSetTscOffset,
  lapicWriteDeadline,
} from "../lapic/timer";
import {
  lapicApicBase,
  lapicRdmsr,
  lapicWriteApicBase,
  lapicWrmsr,
} from "../lapic/msr";
import {
  BOUNCE,
  EFER,
  FAULT,
  lapicOf,
  M_CSTAR,
  M_KGSBASE,
  M_LSTAR,
  M_MISC,
  M_MTRR,
  M_MTRRDEF,
  M_PAT,
  M_SFMASK,
  M_STAR,
  M_SYSCS,
  M_SYSEIP,
  M_SYSESP,
  M_TSCADJ,
  M_TSCAUX,
  M_TSCOFF,
  S_FS,
  S_GS,
  VPINDEX,
} from "../layout";
import { canonical, segOf } from "./segment";
import { apicPageChanged } from "./vps";
import { msrAction } from "../whv/lists";
import {
  extendedExits,
  msrExits,
  msrExitsGiven,
  msrUnknown,
} from "../whv/properties";
import { MSR_FAULTS, variant } from "../whv/variants";
import { wantInterrupts } from "./recheck";
import { apicResult } from "../system/apic";
import { apicMode } from "../system/processors";
import { time } from "../system/time";
import { tlbFlush } from "../memory/tlb";
import { MAXPHYADDR } from "../memory/walk";
import { countApic } from "../system/counters";
import {
  MISC_ENABLE_KNOWN,
  MISC_ENABLE_READ_ONLY,
  MISC_ENABLE_WRITABLE,
  Msr,
} from "../x86/msrs";
import { X2APIC_FIRST, X2APIC_LAST } from "../x86/lapic";
import { APIC_BASE_AT_RESET, APIC_BASE_BSP } from "../x86/apic_base";
import { ExtendedVmExits, MsrAction, MsrExit } from "../whv/names";

export const MSR_OK: u32 = 0;
export const MSR_GP: u32 = 1;
export const MSR_EXIT: u32 = 2;

// Not vulnerable: RDCL, L1D flush, SSB, MDS, page-size change, TAA, SBDR,
// FBSDP, PSDP, BHI, PBRSB, GDS, RFDS. Nothing is speculated here.
const ARCH_CAPABILITIES_VALUE: u64 = 0xd10e179;
/** 8 variable ranges, fixed ranges, write-combining. */
export const MTRRCAP_VALUE: u64 = 0x508;
const MTRR_VARIABLE: u32 = 16;

/** Instead of a value of IA32_MISC_ENABLE. */
const MISC_REFUSED: u64 = u64.MAX_VALUE;

function ok(to: usize, v: u64): u32 {
  store<u64>(to, v);
  return MSR_OK;
}

function wanted(bit: u64): bool {
  return (extendedExits & ExtendedVmExits.X64MsrExit) != 0 &&
    (msrExits & bit) != 0;
}

/**
 * What becomes of an access that the caller decided about: ignored, or an exit.
 */
function decided(action: u32): u32 {
  return action == MsrAction.IgnoreWriteReadZero ? MSR_OK : MSR_EXIT;
}

function unhandled(): u32 {
  if (wanted(MsrExit.UnhandledMsrs)) return MSR_EXIT;
  if (msrUnknown != MsrAction.ArchitectureDefault) return decided(msrUnknown);
  // without a bitmap X64MsrExit alone asks for all of them
  return extendedExits & ExtendedVmExits.X64MsrExit && !msrExitsGiven &&
      !variant(MSR_FAULTS)
    ? MSR_EXIT
    : MSR_GP;
}

@inline
function apic(): usize {
  return lapicOf(load<u32>(VPINDEX));
}

/** Cell of an MTRR (8 pairs, then the 11 fixed ranges), or 0. */
function mtrr(index: u32): usize {
  if (index >= Msr.MtrrPhysBase0 && index < Msr.MtrrPhysBase0 + MTRR_VARIABLE) {
    return M_MTRR + (<usize> (index - Msr.MtrrPhysBase0) << 3);
  }
  let fixed: u32;
  if (index == Msr.MtrrFix64k00000) fixed = 0;
  else if (index == Msr.MtrrFix16k80000 || index == Msr.MtrrFix16kA0000) {
    fixed = index - Msr.MtrrFix16k80000 + 1;
  } else if (index >= Msr.MtrrFix4kC0000 && index <= Msr.MtrrFix4kF8000) {
    fixed = index - Msr.MtrrFix4kC0000 + 3;
  } else return 0;
  return M_MTRR + (<usize> (MTRR_VARIABLE + fixed) << 3);
}

/** Cell of an MSR that is just a number, or 0. */
function cellOf(index: u32): usize {
  switch (index) {
    case Msr.SysenterCs:
      return M_SYSCS;
    case Msr.SysenterEsp:
      return M_SYSESP;
    case Msr.SysenterEip:
      return M_SYSEIP;
    case Msr.Pat:
      return M_PAT;
    case Msr.MtrrDefType:
      return M_MTRRDEF;
    case Msr.Star:
      return M_STAR;
    case Msr.Lstar:
      return M_LSTAR;
    case Msr.Cstar:
      return M_CSTAR;
    case Msr.Sfmask:
      return M_SFMASK;
    case Msr.FsBase:
      return segOf(S_FS);
    case Msr.GsBase:
      return segOf(S_GS);
    case Msr.KernelGsBase:
      return M_KGSBASE;
    case Msr.TscAux:
      return M_TSCAUX;
    case Msr.TscAdjust:
      return M_TSCADJ;
    case Msr.MiscEnable:
      return M_MISC;
    case Msr.Efer:
      return EFER;
    default:
      return mtrr(index);
  }
}

/**
 * Reads an MSR to `to` (u64): MSR_OK, MSR_GP or MSR_EXIT. Needs time in step.
 */
export function msrRead(index: u32, to: usize): u32 {
  store<u64>(to, 0);
  const action = msrAction(index, false);
  if (action != MsrAction.ArchitectureDefault) return decided(action);
  if (index == Msr.Tsc && wanted(MsrExit.TscMsrRead)) return MSR_EXIT;
  if (index == Msr.MiscEnable && wanted(MsrExit.MiscEnableMsrRead)) {
    return MSR_EXIT;
  }
  if (index == Msr.BiosSignId && wanted(MsrExit.McUpdatePatchLevelMsrRead)) {
    return MSR_EXIT;
  }
  const cell = cellOf(index);
  if (cell) return ok(to, load<u64>(cell));
  if (index >= X2APIC_FIRST && index <= X2APIC_LAST && apicMode) {
    countApic((index & 0xff) << 4, false, false, 0);
    if (lapicRdmsr(apic(), index, time, BOUNCE)) return MSR_GP;
    return ok(to, load<u64>(BOUNCE));
  }
  switch (index) {
    case Msr.Tsc:
      return ok(to, time + load<u64>(M_TSCOFF));
    case Msr.ApicBase:
      return ok(to, apicBaseRead());
    case Msr.TscDeadline:
      return apicMode ? ok(to, lapicReadDeadline(apic(), time)) : unhandled();
    case Msr.FeatureControl:
      return ok(to, 1); // locked, nothing enabled
    case Msr.BiosSignId:
    case Msr.McgCap:
    case Msr.McgStatus:
      return ok(to, 0);
    case Msr.MtrrCap:
      return ok(to, MTRRCAP_VALUE);
    case Msr.ArchCapabilities:
      return ok(to, ARCH_CAPABILITIES_VALUE);
    default:
      return unhandled();
  }
}

/** What IA32_MISC_ENABLE becomes: (R) bits stay, changing (RO) ones and setting
 * reserved ones is refused (SDM vol. 4, table 2-2). */
function miscEnable(old: u64, v: u64): u64 {
  if ((v ^ old) & MISC_ENABLE_READ_ONLY) return MISC_REFUSED;
  if (
    v & ~MISC_ENABLE_KNOWN
  ) return MISC_REFUSED;
  return (v & MISC_ENABLE_WRITABLE) | (old & ~MISC_ENABLE_WRITABLE);
}

/** Without the platform's APIC the register only tells where one would be. */
function apicBaseRead(): u64 {
  if (apicMode) return lapicApicBase(apic());
  return load<u32>(VPINDEX)
    ? APIC_BASE_AT_RESET
    : APIC_BASE_AT_RESET | APIC_BASE_BSP;
}

function memoryType(t: u64): bool {
  return t <= 1 || (t >= 4 && t <= 6);
}

/** Whether each byte of `v` is a memory type (PAT also has 7, UC-). */
function memoryTypes(v: u64, pat: bool): bool {
  for (let i = 0; i < 8; i++) {
    const t = v & 0xff;
    if (!memoryType(t) && !(pat && t == 7)) return false;
    v >>= 8;
  }
  return true;
}

function validMtrr(index: u32, v: u64): bool {
  if (index >= Msr.MtrrPhysBase0 + MTRR_VARIABLE) return memoryTypes(v, false);
  if (v >> MAXPHYADDR) return false;
  if (index & 1) return (v & 0x7ff) == 0;
  return (v & 0xf00) == 0 && memoryType(v & 0xff);
}

/** The processor's TSC becomes guest time plus `offset`. */
function setTscOffset(offset: u64): void {
  store<u64>(M_TSCOFF, offset);
  if (apicMode) {
    apicResult(lapicSetTscOffset(apic(), <i64> offset, time));
  }
}

/** Writes an MSR: MSR_OK, MSR_GP or MSR_EXIT. Needs time in step. */
export function msrWrite(index: u32, v: u64): u32 {
  const action = msrAction(index, true);
  if (action != MsrAction.ArchitectureDefault) return decided(action);
  switch (index) {
    case Msr.Tsc: {
      if (wanted(MsrExit.TscMsrWrite)) return MSR_EXIT;
      const change = v - (time + load<u64>(M_TSCOFF));
      store<u64>(M_TSCADJ, load<u64>(M_TSCADJ) + change);
      setTscOffset(v - time);
      return MSR_OK;
    }
    case Msr.TscAdjust: {
      const change = v - load<u64>(M_TSCADJ);
      store<u64>(M_TSCADJ, v);
      setTscOffset(load<u64>(M_TSCOFF) + change);
      return MSR_OK;
    }
    case Msr.ApicBase:
      return apicBaseWrite(v);
    case Msr.TscDeadline:
      if (!apicMode) return unhandled();
      apicResult(lapicWriteDeadline(apic(), v, time));
      return MSR_OK;
    case Msr.Efer:
      if (writeEfer(v)) return MSR_OK;
      store<u32>(FAULT, 0); // the caller raises
      return MSR_GP;
    case Msr.Lstar:
    case Msr.Cstar:
    case Msr.FsBase:
    case Msr.GsBase:
    case Msr.KernelGsBase:
    case Msr.SysenterEsp:
    case Msr.SysenterEip:
      if (!canonical(v)) return MSR_GP;
      break;
    case Msr.TscAux:
    case Msr.Sfmask:
      if (v >> 32) return MSR_GP;
      break;
    case Msr.SysenterCs:
      v &= 0xffffffff;
      break;
    case Msr.Pat:
      if (!memoryTypes(v, true)) return MSR_GP;
      break;
    case Msr.MtrrDefType:
      if (v & ~<u64> 0xcff || !memoryType(v & 0xff)) return MSR_GP;
      break;
    case Msr.MiscEnable:
      v = miscEnable(load<u64>(M_MISC), v);
      if (v == MISC_REFUSED) return MSR_GP;
      break;
    case Msr.BiosUpdtTrig:
    case Msr.BiosSignId:
    case Msr.McgStatus:
      return MSR_OK; // accepted without effect
    case Msr.McgCap:
    case Msr.MtrrCap:
    case Msr.ArchCapabilities:
    case Msr.FeatureControl:
      return MSR_GP; // read-only
    default:
      if (index >= X2APIC_FIRST && index <= X2APIC_LAST && apicMode) {
        countApic((index & 0xff) << 4, true, false, <u32> v);
        const r = lapicWrmsr(apic(), index, v, time);
        if (r & LAPIC_GP) return MSR_GP;
        apicResult(r);
        return MSR_OK;
      }
      if (mtrr(index) && !validMtrr(index, v)) return MSR_GP;
  }
  const cell = cellOf(index);
  if (!cell) return unhandled();
  store<u64>(cell, v);
  return MSR_OK;
}

function apicBaseWrite(v: u64): u32 {
  if (wanted(MsrExit.ApicBaseMsrWrite)) return MSR_EXIT;
  if (!apicMode) return unhandled();
  const r = lapicWriteApicBase(apic(), v, MAXPHYADDR);
  if (r & LAPIC_GP) return MSR_GP;
  apicPageChanged();
  tlbFlush();
  wantInterrupts();
  return MSR_OK;
}
