// WHvGet/SetVirtualProcessorRegisters: WHV_REGISTER_NAME to the state's cells.
// Values are 16 bytes. Numbers: winhvplatformdefs.h.
import { ApicMode, PendingEvent, Reg } from "./names";
import { getFlags, setFlagsRaw } from "../cpu/flags";
import {
  LAPIC_GP,
  lapicField,
  lapicSetWaitsForSipi,
  lapicWaitsForSipi,
} from "../lapic/state";
import { lapicCr8, lapicSetCr8 } from "../lapic/interrupt";
import {
  lapicReadDeadline,
  lapicSetTscOffset,
  lapicWriteDeadline,
} from "../lapic/timer";
import { lapicApicBase, lapicWriteApicBase } from "../lapic/msr";
import {
  A_HALT,
  A_RUN,
  ACTIVITY,
  CPL,
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  DBGPEND,
  DELIVER,
  DR0,
  DR6,
  DR7,
  EFER,
  FCW,
  FDP,
  FIP,
  FOP,
  FPR,
  FSW,
  FTW,
  GDTR,
  IDTR,
  lapicOf,
  LATE,
  M_CSTAR,
  M_KGSBASE,
  M_LSTAR,
  M_MTRR,
  M_MTRRDEF,
  M_PAT,
  M_SFMASK,
  M_SPEC,
  M_STAR,
  M_SYSCS,
  M_SYSEIP,
  M_SYSESP,
  M_TSCADJ,
  M_TSCAUX,
  M_TSCOFF,
  MXCSR,
  NMIMASK,
  PEND_EVENT,
  PEND_INT,
  REGS,
  RIP,
  S_CS,
  S_SS,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
  SHADOW,
  SIZE,
  VPINDEX,
  XCR0,
  XMM,
  XSS,
} from "../layout";
import { setControl } from "../insn/x87/control";
import { updateES } from "../insn/x87/state";
import { flagsChanged, updateMode } from "../cpu/mode";
import { MTRRCAP_VALUE } from "../cpu/msr";
import { apicPageChanged } from "../cpu/vps";
import {
  E_INVALIDARG,
  STATUS_HV_ACCESS_DENIED,
  WHV_E_INVALID_VP_REGISTER_NAME,
} from "./hresult";
import { ACTIVITY_ALWAYS, MTRR_CAP, NO_APIC_TPR, variant } from "./variants";
import { setRecheck, wantInterrupts } from "../cpu/recheck";
import { apicMode } from "../system/processors";
import { time } from "../system/time";
import { flushJumps } from "../code/jumps";
import { tlbFlush } from "../memory/tlb";
import { MAXPHYADDR } from "../memory/walk";
import { LapicRegister } from "../x86/lapic";
import { APIC_BASE_ENABLED, APIC_BASE_X2 } from "../x86/apic_base";
import { DR7_FIXED } from "../x86/debug_registers";
import { MXCSR_BITS } from "../x86/flags";
import { InternalActivity, PendingException } from "./structures";
import { pointPassNone } from "../points/pass";

/** The name that the APIC's first 16 bytes would have. */
const APIC: u32 = Reg.ApicId - (LapicRegister.Id >> 4);

/** Cell of a register that is plainly 64 bits wide and free to write, or 0. */
function plainCell(name: u32): usize {
  if (name <= Reg.R15) return REGS + (name << 3);
  if (name >= Reg.Dr0 && name <= Reg.Dr3) return DR0 + ((name - Reg.Dr0) << 3);
  if (name >= Reg.MsrMtrrPhysBase0 && name <= Reg.MsrMtrrPhysBase7) {
    return M_MTRR + ((name - Reg.MsrMtrrPhysBase0) << 4);
  }
  if (name >= Reg.MsrMtrrPhysMask0 && name <= Reg.MsrMtrrPhysMask7) {
    return M_MTRR + ((name - Reg.MsrMtrrPhysMask0) << 4) + 8;
  }
  if (name >= Reg.MsrMtrrFix64k00000 && name <= Reg.MsrMtrrFix4kF8000) {
    return M_MTRR + 128 + ((name - Reg.MsrMtrrFix64k00000) << 3);
  }
  switch (name) {
    case Reg.Rip:
      return RIP;
    case Reg.Cr2:
      return CR2;
    case Reg.Dr6:
      return DR6;
    case Reg.KernelGsBase:
      return M_KGSBASE;
    case Reg.Pat:
      return M_PAT;
    case Reg.SysenterCs:
      return M_SYSCS;
    case Reg.SysenterEip:
      return M_SYSEIP;
    case Reg.SysenterEsp:
      return M_SYSESP;
    case Reg.Star:
      return M_STAR;
    case Reg.Lstar:
      return M_LSTAR;
    case Reg.Cstar:
      return M_CSTAR;
    case Reg.Sfmask:
      return M_SFMASK;
    case Reg.MsrMtrrDefType:
      return M_MTRRDEF;
    case Reg.TscAux:
      return M_TSCAUX;
    case Reg.SpecCtrl:
      return M_SPEC;
    case Reg.Xss:
      return XSS;
    case Reg.TscAdjust:
      return M_TSCADJ;
    case Reg.PendingInterruption:
      return PEND_INT;
    case Reg.DeliverabilityNotifications:
      return DELIVER;
    default:
      return 0;
  }
}

/**
 * Reads register `name` of the current VP to 16 bytes at `to`; false when there
 * is none such.
 */
export function getRegister(name: u32, to: usize): bool {
  store<u64>(to, 0);
  store<u64>(to, 0, 8);
  const cell = plainCell(name);
  if (cell) {
    store<u64>(to, load<u64>(cell));
    return true;
  }
  if (name >= Reg.Es && name <= Reg.Tr) {
    const s = SEGS + (<usize> (name - Reg.Es) << 5);
    store<u64>(to, load<u64>(s, SEG_BASE));
    store<u32>(to, load<u32>(s, SEG_LIMIT), 8);
    store<u16>(to, load<u16>(s, SEG_SEL), 12);
    store<u16>(to, load<u16>(s, SEG_ATTR), 14);
    return true;
  }
  if (name == Reg.Idtr || name == Reg.Gdtr) {
    const t = name == Reg.Idtr ? IDTR : GDTR;
    store<u16>(to, load<u16>(t, 8), 6);
    store<u64>(to, load<u64>(t), 8);
    return true;
  }
  if (name >= Reg.Xmm0 && name <= Reg.Xmm15) {
    memory.copy(to, XMM + ((name - Reg.Xmm0) << 4), 16);
    return true;
  }
  if (name >= Reg.FpMmx0 && name <= Reg.FpMmx7) {
    // ST(i): relative to TOP
    const r = FPR + (stIndex(name - Reg.FpMmx0) << 4);
    store<u64>(to, load<u64>(r));
    store<u16>(to, load<u16>(r, 8), 8);
    return true;
  }
  const base = lapicOf(load<u32>(VPINDEX));
  switch (name) {
    case Reg.Rflags:
      store<u64>(to, <u64> getFlags());
      return true;
    case Reg.Cr0:
      store<u64>(to, load<u64>(CR0));
      return true;
    case Reg.Cr3:
      store<u64>(to, load<u64>(CR3));
      return true;
    case Reg.Cr4:
      store<u64>(to, load<u64>(CR4));
      return true;
    case Reg.Cr8:
      store<u64>(to, apicMode ? lapicCr8(base) : load<u64>(CR8));
      return true;
    case Reg.Dr7:
      store<u64>(to, load<u64>(DR7));
      return true;
    case Reg.XCr0:
      store<u64>(to, load<u64>(XCR0));
      return true;
    case Reg.FpControlStatus:
      store<u16>(to, load<u16>(FCW));
      store<u16>(to, load<u16>(FSW), 2);
      store<u8>(to, load<u8>(FTW), 4);
      store<u16>(to, load<u16>(FOP), 6);
      store<u64>(to, load<u64>(FIP), 8);
      return true;
    case Reg.XmmControlStatus:
      store<u64>(to, load<u64>(FDP));
      store<u32>(to, load<u32>(MXCSR), 8);
      store<u32>(to, 0xffff, 12);
      return true;
    case Reg.Tsc:
      store<u64>(to, time + load<u64>(M_TSCOFF));
      return true;
    case Reg.Efer:
      store<u64>(to, load<u64>(EFER));
      return true;
    case Reg.ApicBase:
      store<u64>(to, apicMode ? lapicApicBase(base) : 0);
      return true;
    case Reg.InitialApicId:
      store<u64>(to, <u64> load<u32>(VPINDEX));
      return true;
    case Reg.MsrMtrrCap:
      if (!variant(MTRR_CAP)) return false;
      store<u64>(to, MTRRCAP_VALUE);
      return true;
    case Reg.TscVirtualOffset:
      store<u64>(to, load<u64>(M_TSCOFF));
      return true;
    case Reg.TscDeadline:
      if (!apicMode) return false;
      store<u64>(to, lapicReadDeadline(base, time));
      return true;
    case Reg.InterruptState:
      store<u64>(to, (load<u8>(SHADOW) ? 1 : 0) | (load<u8>(NMIMASK) ? 2 : 0));
      return true;
    case Reg.PendingEvent:
      memory.copy(to, PEND_EVENT, 16);
      return true;
    case Reg.InternalActivityState:
      store<u64>(
        to,
        (load<u8>(ACTIVITY) == A_HALT ? InternalActivity.HaltSuspend : 0) |
          (apicMode && lapicWaitsForSipi(lapicOf(load<u32>(VPINDEX)))
            ? InternalActivity.StartupSuspend
            : 0),
      );
      return true;
    case Reg.PendingDebugException: {
      const d = load<u64>(DBGPEND);
      // Breakpoint0-3 bits 0-3, SingleStep bit 4
      store<u64>(to, (d & 15) | (d & 0x4000 ? 16 : 0));
      return true;
    }
  }
  if (name == Reg.ApicTpr && variant(NO_APIC_TPR)) return false;
  if (apicMode && name >= Reg.ApicId && name <= Reg.ApicSelfIpi) {
    // an APIC register: its name counts 16 bytes
    store<u64>(to, <u64> lapicField(base, (name - APIC) << 4));
    if (name == Reg.ApicIcr) {
      store<u32>(to, lapicField(base, LapicRegister.IcrHigh), 4);
    }
    return true;
  }
  return false;
}

function stIndex(i: u32): u32 {
  return (i + (load<u16>(FSW) >> 11)) & 7;
}

/** Whether `name` may be written at all, and with this value. */
export function canSetRegister(name: u32, from: usize): bool {
  if (plainCell(name)) return true;
  if (name >= Reg.Es && name <= Reg.Gdtr) return true;
  if (name >= Reg.Xmm0 && name <= Reg.XmmControlStatus) return true;
  const v = load<u64>(from);
  switch (name) {
    case Reg.Rflags:
      return v >> 32 == 0;
    case Reg.Cr0:
      return v >> 32 == 0;
    case Reg.Cr3:
    case Reg.Cr4:
    case Reg.Dr7:
    case Reg.Tsc:
    case Reg.Efer:
    case Reg.TscVirtualOffset:
    case Reg.InterruptState:
    case Reg.PendingEvent:
    case Reg.PendingDebugException:
      return true;
    case Reg.InternalActivityState:
      return apicMode != 0 || variant(ACTIVITY_ALWAYS);
    case Reg.Cr8:
      return v < 16;
    case Reg.XCr0:
      // x87 always, SSE perhaps: CPUID offers no more
      return v == 1 || v == 3;
    case Reg.ApicBase:
      return apicMode != 0 && isApicBase(v);
    case Reg.TscDeadline:
      return apicMode != 0;
  }
  return false;
}

/** The HRESULT for a register that canSetRegister() refused. */
export function refusalOf(name: u32): i32 {
  if (name == Reg.InternalActivityState) return STATUS_HV_ACCESS_DENIED;
  return getRegister(name, SIZE)
    ? E_INVALIDARG
    : WHV_E_INVALID_VP_REGISTER_NAME;
}

/**
 * Whether IA32_APIC_BASE can have a value: no reserved bits, x2APIC only where
 * it is offered.
 */
function isApicBase(v: u64): bool {
  if (v >> MAXPHYADDR || v & 0x2ff) return false;
  return !(v & APIC_BASE_X2) ||
    (apicMode == ApicMode.X2Apic && (v & APIC_BASE_ENABLED) != 0);
}

/**
 * The caller goes from any mode to any: where a guest must not, by way of
 * disabled.
 */
function setApicBase(base: usize, v: u64): void {
  if (!(lapicWriteApicBase(base, v, MAXPHYADDR) & LAPIC_GP)) return;
  lapicWriteApicBase(base, v & ~(APIC_BASE_ENABLED | APIC_BASE_X2), MAXPHYADDR);
  lapicWriteApicBase(base, v & ~APIC_BASE_X2, MAXPHYADDR);
  lapicWriteApicBase(base, v, MAXPHYADDR);
}

/**
 * Whether a value of WHvRegisterPendingEvent injects an exception; ExtInt
 * waits.
 */
export function isException(event: u64): bool {
  return (event & PendingException.EventPending) != 0 &&
    ((event >> 1) & 7) != PendingEvent.ExtInt;
}

/** Writes a register that canSetRegister() accepted. */
export function setRegister(name: u32, from: usize): void {
  if (name == Reg.Rip) {
    // what was to be passed was where RIP has been
    pointPassNone();
  }
  const v = load<u64>(from);
  const cell = plainCell(name);
  if (cell) {
    store<u64>(cell, v);
    if (cell == RIP || cell == PEND_INT) store<u32>(LATE, 0);
    if (name >= Reg.Dr0 && name <= Reg.Dr3) {
      tlbFlush();
      flagsChanged();
    } else if (name >= Reg.PendingInterruption) wantInterrupts();
    return;
  }
  if (name >= Reg.Es && name <= Reg.Tr) {
    const s = SEGS + (<usize> (name - Reg.Es) << 5);
    store<u64>(s, v, SEG_BASE);
    store<u32>(s, load<u32>(from, 8), SEG_LIMIT);
    store<u16>(s, load<u16>(from, 12), SEG_SEL);
    store<u16>(s, load<u16>(from, 14), SEG_ATTR);
    const i = name - Reg.Es;
    if (i == S_SS) store<u8>(CPL, <u8> (load<u16>(from, 14) >> 5) & 3);
    if (i == S_CS || i == S_SS) {
      flushJumps();
      updateMode();
    }
    return;
  }
  if (name == Reg.Idtr || name == Reg.Gdtr) {
    const t = name == Reg.Idtr ? IDTR : GDTR;
    store<u64>(t, load<u64>(from, 8));
    store<u32>(t, load<u16>(from, 6), 8);
    return;
  }
  if (name >= Reg.Xmm0 && name <= Reg.Xmm15) {
    memory.copy(XMM + ((name - Reg.Xmm0) << 4), from, 16);
    return;
  }
  if (name >= Reg.FpMmx0 && name <= Reg.FpMmx7) {
    const r = FPR + (stIndex(name - Reg.FpMmx0) << 4);
    store<u64>(r, v);
    store<u16>(r, load<u16>(from, 8), 8);
    return;
  }
  const base = lapicOf(load<u32>(VPINDEX));
  switch (name) {
    case Reg.Rflags:
      setFlagsRaw(<u32> v);
      updateMode();
      flagsChanged();
      break;
    case Reg.Cr0:
      store<u64>(CR0, v);
      tlbFlush();
      updateMode();
      break;
    case Reg.Cr3:
      store<u64>(CR3, v);
      tlbFlush();
      break;
    case Reg.Cr4:
      store<u64>(CR4, v);
      tlbFlush();
      updateMode();
      break;
    case Reg.Cr8:
      store<u64>(CR8, v & 15);
      if (apicMode) lapicSetCr8(base, <u32> v);
      wantInterrupts();
      break;
    case Reg.Dr7:
      store<u64>(DR7, v | DR7_FIXED);
      tlbFlush();
      flagsChanged();
      break;
    case Reg.XCr0:
      store<u64>(XCR0, v);
      break;
    case Reg.FpControlStatus:
      setControl(load<u16>(from));
      store<u16>(FSW, load<u16>(from, 2));
      updateES();
      store<u8>(FTW, load<u8>(from, 4));
      store<u16>(FOP, load<u16>(from, 6) & 0x7ff);
      store<u64>(FIP, load<u64>(from, 8));
      break;
    case Reg.XmmControlStatus:
      store<u64>(FDP, v);
      store<u32>(MXCSR, load<u32>(from, 8) & MXCSR_BITS);
      break;
    case Reg.Tsc:
      store<u64>(M_TSCOFF, v - time);
      if (apicMode) lapicSetTscOffset(base, <i64> (v - time), time);
      setRecheck(true);
      break;
    case Reg.TscVirtualOffset:
      store<u64>(M_TSCOFF, v);
      if (apicMode) lapicSetTscOffset(base, <i64> v, time);
      setRecheck(true);
      break;
    case Reg.Efer:
      store<u64>(EFER, v);
      tlbFlush();
      updateMode();
      break;
    case Reg.ApicBase:
      setApicBase(base, v);
      apicPageChanged();
      tlbFlush();
      wantInterrupts();
      break;
    case Reg.TscDeadline:
      lapicWriteDeadline(base, v, time);
      wantInterrupts();
      break;
    case Reg.InterruptState:
      store<u8>(SHADOW, <u8> (v & 1));
      store<u8>(NMIMASK, <u8> ((v >> 1) & 1));
      flagsChanged();
      break;
    case Reg.PendingEvent:
      memory.copy(PEND_EVENT, from, 16);
      if (isException(v)) store<u32>(LATE, 0);
      wantInterrupts();
      break;
    case Reg.InternalActivityState:
      store<u8>(
        ACTIVITY,
        <u8> (v & InternalActivity.HaltSuspend ? A_HALT : A_RUN),
      );
      if (apicMode) {
        lapicSetWaitsForSipi(
          lapicOf(load<u32>(VPINDEX)),
          (v & InternalActivity.StartupSuspend) != 0,
        );
      }
      wantInterrupts();
      break;
    case Reg.PendingDebugException:
      store<u64>(DBGPEND, (v & 15) | (v & 16 ? 0x4000 : 0));
      flagsChanged();
      break;
  }
}
