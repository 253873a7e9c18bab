// States that no processor can run with: the caller wrote registers that
// contradict each other. Source: Intel SDM volume 3, "Checks on the Guest State
// Area", what does not depend on the intercepts in use.
import { ExitReason, PendingEvent } from "./names";
import { CR4_BITS, EFER_BITS } from "../cpu/control";
import {
  CR0,
  CR3,
  CR4,
  EFER,
  EFL,
  GDTR,
  IDTR,
  PEND_EVENT,
  RIP,
  S_CS,
  S_FS,
  S_GS,
  S_TR,
  SEG_ATTR,
  SEG_BASE,
  SEGS,
  SUSPECT,
} from "../layout";
import { canonical } from "../cpu/segment";
import { beginExit, finishExit } from "../system/exit";
import { apicMode } from "../system/processors";
import { MAXPHYADDR } from "../memory/walk";
import {
  CR0_PE,
  CR0_PG,
  CR4_PAE,
  CR4_PCIDE,
  EFER_LMA,
  EFER_LME,
} from "../x86/control_registers";
import { RFLAGS_VM } from "../x86/flags";
import { BIG, CODE, LONG } from "../x86/segments";
import { PendingException } from "./structures";

// of a segment's attributes
const TYPE: u32 = 15;
const DATA_RW: u32 = 3;
const S_AND_P: u32 = 0x90;

/** An ExtInt is the platform's own APIC's to deliver. */
function extIntWithoutApic(): bool {
  const event = load<u64>(PEND_EVENT);
  return !apicMode && (event & PendingException.EventPending) != 0 &&
    ((event >> 1) & 7) == PendingEvent.ExtInt;
}

function valid(): bool {
  if (extIntWithoutApic()) return false;
  const cr0 = load<u64>(CR0);
  const cr4 = load<u64>(CR4);
  const efer = load<u64>(EFER);
  const paging = (cr0 & CR0_PG) != 0;
  const long = (efer & EFER_LMA) != 0;
  if (cr0 >> 32 || cr4 & ~CR4_BITS || efer & ~EFER_BITS) return false;
  if (paging && !(cr0 & CR0_PE)) return false;
  if (long != (paging && (efer & EFER_LME) != 0)) return false;
  if (long ? !(cr4 & CR4_PAE) : (cr4 & CR4_PCIDE) != 0) return false;
  if (load<u64>(CR3) >> MAXPHYADDR) return false;
  const v86 = (load<u32>(EFL) & RFLAGS_VM) != 0;
  if (v86 && (long || !(cr0 & CR0_PE))) return false;
  const cs = <u32> load<u16>(SEGS + (<usize> S_CS << 5), SEG_ATTR);
  if ((cs & S_AND_P) != S_AND_P) return false;
  if (!(cs & CODE) && (cs & TYPE) != DATA_RW) return false;
  const code64 = long && (cs & LONG) != 0;
  if (code64 && cs & BIG) return false;
  const rip = load<u64>(RIP);
  if (code64 ? !canonical(rip) : (rip >> 32) != 0) return false;
  return canonical(load<u64>(GDTR)) && canonical(load<u64>(IDTR)) &&
    canonicalBase(S_FS) && canonicalBase(S_GS) && canonicalBase(S_TR);
}

function canonicalBase(segment: u32): bool {
  return canonical(load<u64>(SEGS + (<usize> segment << 5), SEG_BASE));
}

/**
 * After registers were written from outside: false, with the exit described,
 * for a state that cannot run.
 */
export function checkState(): bool {
  if (!load<u8>(SUSPECT)) return true;
  if (valid()) {
    store<u8>(SUSPECT, 0);
    return true;
  }
  beginExit(ExitReason.InvalidVpRegisterValue);
  finishExit(0, false);
  return false;
}
