// Virtual processors for the caller: create, delete, run, registers, interrupts
// and the APIC's page. Arguments that are buffers lie at IOBUF; a call that
// fails changes nothing.
import { Reg } from "./names";
import { cpuid } from "../cpu/cpuid";
import { lapicExport, lapicImport } from "../lapic/page";
import { LAPIC_ILLEGAL } from "../lapic/state";
import { lapicRequest } from "../lapic/ipi";
import {
  CPL,
  IOBUF,
  lapicOf,
  MAX_VPS,
  S_SS,
  SEG_ATTR,
  SEGS,
  SUSPECT,
  VALUES,
} from "../layout";
import { updateMode } from "../cpu/mode";
import { resetVp } from "../cpu/reset";
import { switchTo } from "../cpu/vps";
import {
  E_INVALIDARG,
  S_OK,
  STATUS_HV_INVALID_PARAMETER,
  STATUS_HV_OPERATION_DENIED,
  WHV_E_INSUFFICIENT_BUFFER,
  WHV_E_INVALID_VP_REGISTER_NAME,
  WHV_E_INVALID_VP_STATE,
  WHV_E_VP_ALREADY_EXISTS,
  WHV_E_VP_DOES_NOT_EXIST,
} from "./hresult";
import {
  canSetRegister,
  getRegister,
  refusalOf,
  setRegister,
} from "./registers";
import { setRecheck, wantInterrupts } from "../cpu/recheck";
import { apicMode, vpCount } from "../system/processors";
import { resumeTime, time } from "../system/time";
import {
  created,
  exists,
  ready,
  running,
  setCreated,
  setRunning,
  whvCheckVp,
} from "./state";

@inline
function noVp(vp: u32): bool {
  return vp >= MAX_VPS || !((created >> vp) & 1);
}

export function whvCreateVirtualProcessor(vp: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (vp >= vpCount) return E_INVALIDARG;
  if ((created >> vp) & 1) return WHV_E_VP_ALREADY_EXISTS;
  setCreated(created | (<u64> 1 << vp));
  switchTo(vp);
  resetVp(vp);
  return S_OK;
}

export function whvDeleteVirtualProcessor(vp: u32): i32 {
  if (!exists) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if ((running >> vp) & 1) return WHV_E_INVALID_VP_STATE;
  setCreated(created & ~(<u64> 1 << vp));
  return S_OK;
}

/** Whether WHvRunVirtualProcessor may begin; time that stands goes on then. */
export function whvRunBegin(vp: u32, bytes: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if ((running >> vp) & 1) return WHV_E_INVALID_VP_STATE;
  if (bytes < 144) return WHV_E_INSUFFICIENT_BUFFER;
  setRunning(running | (<u64> 1 << vp));
  resumeTime();
  return S_OK;
}

export function whvRunEnd(vp: u32): void {
  setRunning(running & ~(<u64> 1 << vp));
}

/** Names (u32) at IOBUF, values (16 bytes) to VALUES; at most 256. */
export function whvGetRegisters(vp: u32, n: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if (n > 256) return E_INVALIDARG;
  switchTo(vp);
  for (let i: u32 = 0; i < n; i++) {
    if (
      !getRegister(
        load<u32>(IOBUF + (<usize> i << 2)),
        VALUES + (<usize> i << 4),
      )
    ) return WHV_E_INVALID_VP_REGISTER_NAME;
  }
  return S_OK;
}

/** As whvGetRegisters; all or none are written. */
export function whvSetRegisters(vp: u32, n: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if (n > 256) return E_INVALIDARG;
  switchTo(vp);
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    const v = VALUES + (<usize> i << 4);
    if (!canSetRegister(name, v)) return refusalOf(name);
  }
  // the x87 status word first: ST(i) is relative to its TOP
  let modes = false;
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    if (name == Reg.FpControlStatus) {
      setRegister(name, VALUES + (<usize> i << 4));
    }
    if ((name >= Reg.Rflags && name <= Reg.Cr4) || name == Reg.Efer) {
      modes = true;
    }
  }
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    if (name != Reg.FpControlStatus) {
      setRegister(name, VALUES + (<usize> i << 4));
    }
  }
  store<u8>(SUSPECT, 1);
  if (modes) {
    // whatever the order was: CPL is SS.DPL, modes follow from all of them
    const ss = load<u16>(SEGS + (<usize> S_SS << 5), SEG_ATTR);
    store<u8>(CPL, <u8> ((ss >> 5) & 3));
    updateMode();
  }
  return S_OK;
}

/** WHV_INTERRUPT_CONTROL's fields. */
export function whvRequestInterrupt(
  type: u32,
  logical: u32,
  level: u32,
  destination: u32,
  vector: u32,
): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (!apicMode) return STATUS_HV_OPERATION_DENIED;
  const r = lapicRequest(
    type,
    logical != 0,
    level != 0,
    destination,
    vector,
  );
  if (r & LAPIC_ILLEGAL) return STATUS_HV_INVALID_PARAMETER;
  wantInterrupts();
  return S_OK;
}

/** The xAPIC register page: 4096 bytes at IOBUF. */
export function whvGetApic(vp: u32): i32 {
  if (!exists || !ready || !apicMode) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  lapicExport(lapicOf(vp), IOBUF, time);
  return S_OK;
}

export function whvSetApic(vp: u32): i32 {
  if (!exists || !ready || !apicMode) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  const r = lapicImport(lapicOf(vp), IOBUF, time);
  if (r & LAPIC_ILLEGAL) return E_INVALIDARG;
  setRecheck(true);
  return S_OK;
}

/** CPUID's result for a VP: EAX, EBX, ECX, EDX to IOBUF. */
export function whvGetCpuid(vp: u32, leaf: u32, index: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  const result = cpuid(leaf, index);
  store<u32>(IOBUF, result.eax);
  store<u32>(IOBUF, result.ebx, 4);
  store<u32>(IOBUF, result.ecx, 8);
  store<u32>(IOBUF, result.edx, 12);
  return S_OK;
}
