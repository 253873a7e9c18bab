// What follows from control registers, segments and flags: execution mode, code
// and stack width, TLB set, and the PENDING bits that the loop looks at.
import {
  CODEKEY,
  CPL,
  CR0,
  CR4,
  DBGPEND,
  DR7,
  EFER,
  EFL,
  HIT_COUNT,
  MODE,
  MODE_COMPAT,
  MODE_LONG,
  MODE_PROT,
  MODE_REAL,
  MODE_V86,
  P_DEBUG,
  P_EXECBP,
  P_INT,
  P_PASS,
  P_POINT,
  P_RF,
  P_SHADOW,
  P_TF,
  P_VIRTUAL,
  PASS,
  PENDING,
  S_CS,
  S_SS,
  SEG_ATTR,
  SEGS,
  SHADOW,
  STACKW,
  TLBB,
} from "../layout";
import { flushJumps, switchJumps } from "../code/jumps";
import { selectTlb } from "../memory/tlb";
import { CR0_PE, CR4_PVI, CR4_VME, EFER_LMA } from "../x86/control_registers";
import {
  RFLAGS_IOPL,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VIF,
  RFLAGS_VIP,
  RFLAGS_VM,
} from "../x86/flags";
import { BIG, LONG } from "../x86/segments";
import { KEY_16, KEY_32, KEY_64 } from "../shared";

/**
 * Derives MODE, CODEKEY, STACKW and the TLB set. CPL is its own cell (far
 * transfers set it), except that real mode is 0 and virtual-8086 mode 3.
 */
export function updateMode(): void {
  const cs = load<u16>(SEGS + (<usize> S_CS << 5), SEG_ATTR);
  const ss = load<u16>(SEGS + (<usize> S_SS << 5), SEG_ATTR);
  let mode: u32;
  let key: u32 = cs & BIG ? KEY_32 : KEY_16;
  let stack: u32 = ss & BIG ? 2 : 1;
  if (!(load<u64>(CR0) & CR0_PE)) {
    mode = MODE_REAL;
    store<u8>(CPL, 0);
  } else if (load<u64>(EFER) & EFER_LMA) {
    mode = cs & LONG ? MODE_LONG : MODE_COMPAT;
    if (mode == MODE_LONG) {
      key = KEY_64;
      stack = 3;
    }
  } else if (load<u32>(EFL) & RFLAGS_VM) {
    mode = MODE_V86;
    store<u8>(CPL, 3);
  } else mode = MODE_PROT;
  if (mode != load<u8>(MODE) || key != load<u8>(CODEKEY)) flushJumps();
  store<u8>(MODE, <u8> mode);
  store<u8>(CODEKEY, <u8> key);
  store<u8>(STACKW, <u8> stack);
  const before = load<u32>(TLBB);
  selectTlb();
  if (load<u32>(TLBB) == before) return;
  // elsewhere another level's code segment may have another limit, too
  if (mode == MODE_LONG) switchJumps();
  else flushJumps();
}

/**
 * Recomputes the PENDING bits that derive from state. P_INT is always set: IF
 * or the NMI mask may be what changed, and the loop clears it after one look.
 */
export function flagsChanged(): void {
  let p = P_INT;
  const f = load<u32>(EFL);
  if (f & RFLAGS_TF) p |= P_TF;
  if (f & RFLAGS_RF) p |= P_RF;
  if ((f & (RFLAGS_VIF | RFLAGS_VIP)) == (RFLAGS_VIF | RFLAGS_VIP)) {
    p |= P_VIRTUAL;
  }
  if (load<u8>(SHADOW)) p |= P_SHADOW;
  if (load<u64>(DBGPEND)) p |= P_DEBUG;
  if (load<u8>(PASS)) p |= P_PASS;
  if (load<u32>(HIT_COUNT)) p |= P_POINT;
  const dr7 = <u32> load<u64>(DR7);
  for (let i: u32 = 0; i < 4; i++) {
    if (dr7 & (3 << (i * 2)) && !((dr7 >> (16 + i * 4)) & 3)) p |= P_EXECBP;
  }
  store<u32>(PENDING, p);
}

/**
 * Whether VIF stands for IF, which is not the code's to change: in virtual-8086
 * mode by VME, in ring 3 by PVI (SDM vol. 3, 20.3.2 and 20.4).
 */
export function virtualInterrupts(): bool {
  if ((load<u32>(EFL) & RFLAGS_IOPL) == RFLAGS_IOPL) return false;
  const mode = load<u8>(MODE);
  const cr4 = load<u64>(CR4);
  if (mode == MODE_V86) return (cr4 & CR4_VME) != 0;
  return mode >= MODE_PROT && load<u8>(CPL) == 3 && (cr4 & CR4_PVI) != 0;
}

/** The AC flag selects another TLB set; call after it changed. */
export function acChanged(): void {
  const before = load<u32>(TLBB);
  selectTlb();
  if (load<u32>(TLBB) != before) switchJumps();
}
