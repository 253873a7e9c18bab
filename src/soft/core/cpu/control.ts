// Writes of control and debug registers with the rules of MOV CR and MOV DR.
// Source: Intel SDM vol. 3, "Control Registers", "Debug Registers". Each write*
// function returns false, with #GP(0) raised and nothing changed, for a value
// that the register does not take.
import { raiseErr } from "./fault";
import { lapicSetCr8 } from "../lapic/interrupt";
import {
  CR0,
  CR3,
  CR4,
  CR8,
  DR0,
  DR6,
  DR7,
  EFER,
  lapicOf,
  M_MISC,
  MODE,
  MODE_LONG,
  S_CS,
  S_TR,
  SEG_ATTR,
  VPINDEX,
} from "../layout";
import { flagsChanged, updateMode } from "./mode";
import { physHost } from "../memory/phys";
import { segOf } from "./segment";
import { apicResult } from "../system/apic";
import { apicMode } from "../system/processors";
import { tlbFlush, tlbFlushLocal } from "../memory/tlb";
import { MAXPHYADDR } from "../memory/walk";
import {
  CR0_BITS,
  CR0_CD,
  CR0_ET,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_PVI,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  CR4_VME,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
} from "../x86/control_registers";
import {
  DR6_CLEAR,
  DR6_STATUS,
  DR7_FIXED,
  DR7_WRITABLE,
} from "../x86/debug_registers";
import { ENTRY, PDPTE_RESERVED } from "../x86/paging";
import { Vector } from "../x86/vectors";
import { LONG, SYSTEM_32_BIT } from "../x86/segments";
import { MISC_ENABLE_NO_XD } from "../x86/msrs";

/** Those that this processor has. */
export const CR4_BITS: u64 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE |
  CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
  CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP;
/** Translations depend on them. */
const CR4_PAGING: u64 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP |
  CR4_SMAP;
export const EFER_BITS: u64 = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

const PHYSICAL_ADDRESS: u64 = ((<u64> 1) << MAXPHYADDR) - 1;

function refuse(): bool {
  raiseErr(Vector.GP, 0);
  return false;
}

/**
 * Whether the four PDPTEs that PAE paging would load have no reserved bits set.
 */
function pdptesValid(cr3: u64): bool {
  const host = physHost(cr3 & 0xffffffe0);
  if (host == 0) return true;
  for (let i: u32 = 0; i < 32; i += 8) {
    const e = load<u64>(host + i);
    if (e & ENTRY.Present && e & (PDPTE_RESERVED | ~PHYSICAL_ADDRESS)) {
      return false;
    }
  }
  return true;
}

export function writeCr0(v: u64): bool {
  const old = load<u64>(CR0);
  const efer = load<u64>(EFER);
  const cr4 = load<u64>(CR4);
  if (v >> 32) return refuse();
  v = (v & CR0_BITS) | CR0_ET;
  if ((v & CR0_PG && !(v & CR0_PE)) || (v & CR0_NW && !(v & CR0_CD))) {
    return refuse();
  }
  let next = efer;
  if (v & CR0_PG && !(old & CR0_PG)) {
    if (efer & EFER_LME) {
      const cs = load<u16>(segOf(S_CS), SEG_ATTR);
      const tr = load<u16>(segOf(S_TR), SEG_ATTR);
      // not from a segment that is 64-bit already, nor with a 16-bit TSS
      if (!(cr4 & CR4_PAE) || cs & LONG || !(tr & SYSTEM_32_BIT)) {
        return refuse();
      }
      next |= EFER_LMA;
    } else if (cr4 & CR4_PAE && !pdptesValid(load<u64>(CR3))) return refuse();
  } else if (!(v & CR0_PG) && old & CR0_PG) {
    if (load<u8>(MODE) == MODE_LONG || cr4 & CR4_PCIDE) return refuse();
    next &= ~EFER_LMA;
  }
  store<u64>(CR0, v);
  store<u64>(EFER, next);
  if ((v ^ old) & (CR0_PG | CR0_PE | CR0_WP)) tlbFlush();
  updateMode();
  return true;
}

export function writeCr3(v: u64): bool {
  const long = (load<u64>(EFER) & EFER_LMA) != 0;
  const cr4 = load<u64>(CR4);
  if (long) {
    // bit 63 with PCIDs: keep translations, which flushing does no harm to
    if (cr4 & CR4_PCIDE) v &= ~((<u64> 1) << 63);
    if (v & ~PHYSICAL_ADDRESS) return refuse();
  } else if (
    load<u64>(CR0) & CR0_PG && cr4 & CR4_PAE && !pdptesValid(v)
  ) return refuse();
  store<u64>(CR3, v);
  tlbFlushLocal();
  return true;
}

export function writeCr4(v: u64): bool {
  const old = load<u64>(CR4);
  const long = (load<u64>(EFER) & EFER_LMA) != 0;
  if (v & ~CR4_BITS) return refuse();
  if (long && !(v & CR4_PAE)) return refuse();
  if (v & CR4_PCIDE && !(old & CR4_PCIDE)) {
    if (!long || load<u64>(CR3) & 0xfff) return refuse();
  }
  if (
    !long && v & CR4_PAE && (v ^ old) & CR4_PAGING &&
    load<u64>(CR0) & CR0_PG && !pdptesValid(load<u64>(CR3))
  ) return refuse();
  store<u64>(CR4, v);
  if ((v ^ old) & CR4_PAGING) tlbFlush();
  updateMode();
  return true;
}

/** CR8; with the platform's APIC its TPR. Needs time in step. */
export function writeCr8(v: u64): bool {
  if (v > 15) return refuse();
  store<u64>(CR8, v);
  if (apicMode) {
    apicResult(lapicSetCr8(lapicOf(load<u32>(VPINDEX)), <u32> v));
  } else flagsChanged();
  return true;
}

/** Whether NX is offered, and EFER.NXE can be set. */
export function noExecute(): bool {
  return (load<u64>(M_MISC) & MISC_ENABLE_NO_XD) == 0;
}

export function writeEfer(v: u64): bool {
  const old = load<u64>(EFER);
  if (v & ~EFER_BITS) return refuse();
  if (v & ~old & EFER_NXE && !noExecute()) return refuse();
  if ((v ^ old) & EFER_LME && load<u64>(CR0) & CR0_PG) return refuse();
  v = (v & ~EFER_LMA) | (old & EFER_LMA);
  store<u64>(EFER, v);
  if ((v ^ old) & EFER_NXE) tlbFlush();
  updateMode();
  return true;
}

/** Debug register 0-3, 6 or 7. */
export function writeDr(n: u32, v: u64): bool {
  if (n >= 4 && v >> 32) return refuse();
  if (n == 6) store<u64>(DR6, (v & DR6_STATUS) | DR6_CLEAR);
  else if (n == 7) store<u64>(DR7, (v & DR7_WRITABLE) | DR7_FIXED);
  else store<u64>(DR0 + (<usize> n << 3), v);
  if (n != 6) {
    // pages with a data breakpoint have no TLB entries
    tlbFlush();
    flagsChanged();
  }
  return true;
}

/** Value of debug register 0-3, 6 or 7. */
export function readDr(n: u32): u64 {
  if (n == 6) return load<u64>(DR6);
  return n == 7 ? load<u64>(DR7) : load<u64>(DR0 + (<usize> n << 3));
}
