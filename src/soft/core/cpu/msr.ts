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
import { MSR_DEFAULT, MSR_IGNORE, msrAction } from "../whv/lists";
import {
  EXT_MSR,
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

export const MSR_OK: u32 = 0;
export const MSR_GP: u32 = 1;
export const MSR_EXIT: u32 = 2;

// WHV_X64_MSR_EXIT_BITMAP.
const EXIT_UNHANDLED: u64 = 1;
const EXIT_TSC_WRITE: u64 = 2;
const EXIT_TSC_READ: u64 = 4;
const EXIT_APIC_BASE_WRITE: u64 = 8;
const EXIT_MISC_ENABLE_READ: u64 = 16;
const EXIT_PATCH_LEVEL_READ: u64 = 32;

const TSC: u32 = 0x10;
const APIC_BASE: u32 = 0x1b;
const FEATURE_CONTROL: u32 = 0x3a;
const TSC_ADJUST: u32 = 0x3b;
const BIOS_UPDT_TRIG: u32 = 0x79;
const BIOS_SIGN_ID: u32 = 0x8b;
const MTRRCAP: u32 = 0xfe;
const ARCH_CAPABILITIES: u32 = 0x10a;
const SYSENTER_CS: u32 = 0x174;
const SYSENTER_ESP: u32 = 0x175;
const SYSENTER_EIP: u32 = 0x176;
const MCG_CAP: u32 = 0x179;
const MCG_STATUS: u32 = 0x17a;
const MISC_ENABLE: u32 = 0x1a0;
const MTRR_PHYSBASE0: u32 = 0x200;
const PAT: u32 = 0x277;
const MTRR_DEF_TYPE: u32 = 0x2ff;
const TSC_DEADLINE: u32 = 0x6e0;
const X2APIC_FIRST: u32 = 0x800;
const X2APIC_LAST: u32 = 0x8ff;
const MSR_EFER: u32 = 0xc0000080;
const STAR: u32 = 0xc0000081;
const LSTAR: u32 = 0xc0000082;
const CSTAR: u32 = 0xc0000083;
const SFMASK: u32 = 0xc0000084;
const FS_BASE: u32 = 0xc0000100;
const GS_BASE: u32 = 0xc0000101;
const KERNEL_GS_BASE: u32 = 0xc0000102;
const TSC_AUX: u32 = 0xc0000103;

// Not vulnerable: RDCL, L1D flush, SSB, MDS, page-size change, TAA, SBDR,
// FBSDP, PSDP, BHI, PBRSB, GDS, RFDS. Nothing is speculated here.
const ARCH_CAPABILITIES_VALUE: u64 = 0xd10e179;
/** 8 variable ranges, fixed ranges, write-combining. */
export const MTRRCAP_VALUE: u64 = 0x508;
const MTRR_VARIABLE: u32 = 16;

// IA32_MISC_ENABLE. Fast strings, thermal control, SpeedStep, the monitor, the
// limit of CPUID, xTPR messages off, execute-disable off.
const MISC_WRITABLE: u64 = 0x400c50009;
const MISC_IGNORED: u64 = 1 << 7; // performance monitoring available (R)
const MISC_READ_ONLY: u64 = 0x1800; // BTS and PEBS unavailable (RO)
const MISC_REFUSED: u64 = u64.MAX_VALUE;

/** What msrRead() read. */
export let msrValue: u64 = 0;

function ok(v: u64): u32 {
  msrValue = v;
  return MSR_OK;
}

function wanted(bit: u64): bool {
  return (extendedExits & EXT_MSR) != 0 && (msrExits & bit) != 0;
}

/**
 * What becomes of an access that the caller decided about: ignored, or an exit.
 */
function decided(action: u32): u32 {
  msrValue = 0;
  return action == MSR_IGNORE ? MSR_OK : MSR_EXIT;
}

function unhandled(): u32 {
  if (wanted(EXIT_UNHANDLED)) return MSR_EXIT;
  if (msrUnknown != MSR_DEFAULT) return decided(msrUnknown);
  // without a bitmap X64MsrExit alone asks for all of them
  return extendedExits & EXT_MSR && !msrExitsGiven && !variant(MSR_FAULTS)
    ? MSR_EXIT
    : MSR_GP;
}

@inline
function apic(): usize {
  return lapicOf(load<u32>(VPINDEX));
}

/** Cell of an MTRR (8 pairs, then the 11 fixed ranges), or 0. */
function mtrr(index: u32): usize {
  if (index >= MTRR_PHYSBASE0 && index < MTRR_PHYSBASE0 + MTRR_VARIABLE) {
    return M_MTRR + (<usize> (index - MTRR_PHYSBASE0) << 3);
  }
  let fixed: u32;
  if (index == 0x250) fixed = 0;
  else if (index == 0x258 || index == 0x259) fixed = index - 0x257;
  else if (index >= 0x268 && index <= 0x26f) fixed = index - 0x265;
  else return 0;
  return M_MTRR + (<usize> (MTRR_VARIABLE + fixed) << 3);
}

/** Cell of an MSR that is just a number, or 0. */
function cellOf(index: u32): usize {
  switch (index) {
    case SYSENTER_CS:
      return M_SYSCS;
    case SYSENTER_ESP:
      return M_SYSESP;
    case SYSENTER_EIP:
      return M_SYSEIP;
    case PAT:
      return M_PAT;
    case MTRR_DEF_TYPE:
      return M_MTRRDEF;
    case STAR:
      return M_STAR;
    case LSTAR:
      return M_LSTAR;
    case CSTAR:
      return M_CSTAR;
    case SFMASK:
      return M_SFMASK;
    case FS_BASE:
      return segOf(S_FS);
    case GS_BASE:
      return segOf(S_GS);
    case KERNEL_GS_BASE:
      return M_KGSBASE;
    case TSC_AUX:
      return M_TSCAUX;
    case TSC_ADJUST:
      return M_TSCADJ;
    case MISC_ENABLE:
      return M_MISC;
    case MSR_EFER:
      return EFER;
    default:
      return mtrr(index);
  }
}

/**
 * Reads an MSR into msrValue: MSR_OK, MSR_GP or MSR_EXIT. Needs time in step.
 */
export function msrRead(index: u32): u32 {
  const action = msrAction(index, false);
  if (action != MSR_DEFAULT) return decided(action);
  if (index == TSC && wanted(EXIT_TSC_READ)) return MSR_EXIT;
  if (index == MISC_ENABLE && wanted(EXIT_MISC_ENABLE_READ)) return MSR_EXIT;
  if (index == BIOS_SIGN_ID && wanted(EXIT_PATCH_LEVEL_READ)) return MSR_EXIT;
  const cell = cellOf(index);
  if (cell) return ok(load<u64>(cell));
  if (index >= X2APIC_FIRST && index <= X2APIC_LAST && apicMode) {
    countApic((index & 0xff) << 4, false, false, 0);
    if (lapicRdmsr(apic(), index, time, BOUNCE)) return MSR_GP;
    return ok(load<u64>(BOUNCE));
  }
  switch (index) {
    case TSC:
      return ok(time + load<u64>(M_TSCOFF));
    case APIC_BASE:
      return apicBaseRead();
    case TSC_DEADLINE:
      return apicMode ? ok(lapicReadDeadline(apic(), time)) : unhandled();
    case FEATURE_CONTROL:
      return ok(1); // locked, nothing enabled
    case BIOS_SIGN_ID:
    case MCG_CAP:
    case MCG_STATUS:
      return ok(0);
    case MTRRCAP:
      return ok(MTRRCAP_VALUE);
    case ARCH_CAPABILITIES:
      return ok(ARCH_CAPABILITIES_VALUE);
    default:
      return unhandled();
  }
}

/** What IA32_MISC_ENABLE becomes: (R) bits stay, changing (RO) ones and setting
 * reserved ones is refused (SDM vol. 4, table 2-2). */
function miscEnable(old: u64, v: u64): u64 {
  if ((v ^ old) & MISC_READ_ONLY) return MISC_REFUSED;
  if (v & ~(MISC_WRITABLE | MISC_IGNORED | MISC_READ_ONLY)) return MISC_REFUSED;
  return (v & MISC_WRITABLE) | (old & ~MISC_WRITABLE);
}

/** Without the platform's APIC the register only tells where one would be. */
function apicBaseRead(): u32 {
  if (apicMode) return ok(lapicApicBase(apic()));
  return ok(load<u32>(VPINDEX) ? 0xfee00800 : 0xfee00900);
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
  if (index >= MTRR_PHYSBASE0 + MTRR_VARIABLE) return memoryTypes(v, false);
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
  if (action != MSR_DEFAULT) return decided(action);
  switch (index) {
    case TSC: {
      if (wanted(EXIT_TSC_WRITE)) return MSR_EXIT;
      const change = v - (time + load<u64>(M_TSCOFF));
      store<u64>(M_TSCADJ, load<u64>(M_TSCADJ) + change);
      setTscOffset(v - time);
      return MSR_OK;
    }
    case TSC_ADJUST: {
      const change = v - load<u64>(M_TSCADJ);
      store<u64>(M_TSCADJ, v);
      setTscOffset(load<u64>(M_TSCOFF) + change);
      return MSR_OK;
    }
    case APIC_BASE:
      return apicBaseWrite(v);
    case TSC_DEADLINE:
      if (!apicMode) return unhandled();
      apicResult(lapicWriteDeadline(apic(), v, time));
      return MSR_OK;
    case MSR_EFER:
      if (writeEfer(v)) return MSR_OK;
      store<u32>(FAULT, 0); // the caller raises
      return MSR_GP;
    case LSTAR:
    case CSTAR:
    case FS_BASE:
    case GS_BASE:
    case KERNEL_GS_BASE:
    case SYSENTER_ESP:
    case SYSENTER_EIP:
      if (!canonical(v)) return MSR_GP;
      break;
    case TSC_AUX:
    case SFMASK:
      if (v >> 32) return MSR_GP;
      break;
    case SYSENTER_CS:
      v &= 0xffffffff;
      break;
    case PAT:
      if (!memoryTypes(v, true)) return MSR_GP;
      break;
    case MTRR_DEF_TYPE:
      if (v & ~<u64> 0xcff || !memoryType(v & 0xff)) return MSR_GP;
      break;
    case MISC_ENABLE:
      v = miscEnable(load<u64>(M_MISC), v);
      if (v == MISC_REFUSED) return MSR_GP;
      break;
    case BIOS_UPDT_TRIG:
    case BIOS_SIGN_ID:
    case MCG_STATUS:
      return MSR_OK; // accepted without effect
    case MCG_CAP:
    case MTRRCAP:
    case ARCH_CAPABILITIES:
    case FEATURE_CONTROL:
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
  if (wanted(EXIT_APIC_BASE_WRITE)) return MSR_EXIT;
  if (!apicMode) return unhandled();
  const r = lapicWriteApicBase(apic(), v, MAXPHYADDR);
  if (r & LAPIC_GP) return MSR_GP;
  apicPageChanged();
  tlbFlush();
  wantInterrupts();
  return MSR_OK;
}
