// Descriptor-table registers and descriptor checks: LGDT LIDT SGDT SIDT, LLDT
// SLDT LTR STR, LAR LSL VERR VERW, ARPL. Source: Intel SDM vol. 2.
import { gp0, raise, raiseErr } from "../../cpu/fault";
import { setZF } from "../../cpu/flags";
import {
  CPL,
  CR4,
  FAULT,
  GDTR,
  IDTR,
  MODE,
  MODE_LONG,
  MODE_PROT,
  S_LDTR,
  S_TR,
  SEG_LIMIT,
  SEG_SEL,
} from "../../layout";
import { rd, wr } from "../../memory/access";
import { all, def, grp, M_0F, MEMONLY, MODRM, SZ_V } from "../../code/optable";
import { isMem, REC, rOsz, rReg, rRm, setReg } from "../../code/record";
import {
  canonical,
  longActive,
  putNull,
  putSeg,
  segOf,
  selErr,
} from "../../cpu/segment";
import { eaPart, ldm, ldRM, stm } from "../../code/operand";
import { CR4_UMIP } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import {
  CODE,
  CODE_OR_DATA,
  CONFORMING_OR_DOWN,
  READ_OR_WRITE,
  SystemType,
  TABLE_INDICATOR,
  TSS_BUSY,
} from "../../x86/segments";
import {
  Descriptor,
  DESCRIPTOR_BYTES,
  readDescriptor,
  readUpper,
  setBusy,
  tryDescriptor,
} from "../../cpu/descriptor";

/** Whether UMIP keeps the instruction from user code (raises #GP(0)). */
export function umip(): bool {
  if (load<u8>(CPL) == 0 || !(load<u64>(CR4) & CR4_UMIP)) return false;
  gp0();
  return true;
}

/** Writes a system value to the rm operand: 16 bits to memory, else by size. */
export function stWord(p: usize, v: u64): usize {
  if (isMem(p)) {
    stm<u16>(p, <u16> v);
    return load<u32>(FAULT) ? 0 : p + REC;
  }
  const size = rOsz(p);
  if (size == 1) store<u16>(rRm(p), <u16> v);
  else store<u64>(rRm(p), size == 2 ? v & 0xffffffff : v);
  return p + REC;
}

function storeTable(p: usize, table: usize): usize {
  if (umip()) return 0;
  const long = load<u8>(MODE) == MODE_LONG;
  const at = eaPart(p, 0, 2, true);
  if (load<u32>(FAULT)) return 0;
  const second = eaPart(p, 2, long ? 8 : 4, true);
  if (load<u32>(FAULT)) return 0;
  wr<u16>(at, <u16> load<u32>(table, SEG_LIMIT));
  if (load<u32>(FAULT)) return 0;
  if (long) wr<u64>(second, load<u64>(table));
  else wr<u32>(second, <u32> load<u64>(table));
  return load<u32>(FAULT) ? 0 : p + REC;
}

function loadTable(p: usize, table: usize): usize {
  if (load<u8>(CPL)) return gp0();
  const long = load<u8>(MODE) == MODE_LONG;
  const at = eaPart(p, 0, 2, false);
  if (load<u32>(FAULT)) return 0;
  const limit = rd<u16>(at);
  if (load<u32>(FAULT)) return 0;
  const second = eaPart(p, 2, long ? 8 : 4, false);
  if (load<u32>(FAULT)) return 0;
  let base = long ? rd<u64>(second) : <u64> rd<u32>(second);
  if (load<u32>(FAULT)) return 0;
  if (long) {
    if (!canonical(base)) return gp0();
  } else if (rOsz(p) == 1) base &= 0xffffff;
  store<u64>(table, base);
  store<u32>(table, limit, SEG_LIMIT);
  return p + REC;
}

function storeSystemSeg(p: usize, seg: u32): usize {
  if (load<u8>(MODE) < MODE_PROT) return raise(Vector.UD);
  if (umip()) return 0;
  return stWord(p, load<u16>(segOf(seg), SEG_SEL));
}

/** LLDT and LTR up to the descriptor: its selector, or -1 with FAULT set. */
function systemSelector(p: usize): i32 {
  if (load<u8>(MODE) < MODE_PROT) {
    raise(Vector.UD);
    return -1;
  }
  if (load<u8>(CPL)) {
    gp0();
    return -1;
  }
  const sel = <u32> ldRM<u16>(p);
  if (load<u32>(FAULT)) return -1;
  if (sel & TABLE_INDICATOR && selErr(sel)) {
    raiseErr(Vector.GP, selErr(sel));
    return -1;
  }
  return sel;
}

const NAMED: usize = memory.data(DESCRIPTOR_BYTES, 8);

/** Base of an LDT or TSS; 0 with FAULT set on failure. */
function systemBase(d: Descriptor, sel: u32): u64 {
  let base = d.base;
  if (longActive()) {
    const upper = readUpper(d, sel, Vector.GP, selErr(sel));
    if (load<u32>(FAULT)) return 0;
    base |= upper << 32;
    if (!canonical(base)) gp0();
  }
  return base;
}

function lldt(p: usize): usize {
  const sel = systemSelector(p);
  if (sel < 0) return 0;
  const err = selErr(sel);
  if (!err) {
    putNull(S_LDTR, sel);
    return p + REC;
  }
  const d = changetype<Descriptor>(NAMED);
  if (!readDescriptor(d, sel, Vector.GP, err)) return 0;
  if (d.attributes & CODE_OR_DATA || d.type != SystemType.Ldt) {
    return raiseErr(Vector.GP, err);
  }
  if (!d.present) return raiseErr(Vector.NP, err);
  const base = systemBase(d, sel);
  if (load<u32>(FAULT)) return 0;
  putSeg(S_LDTR, sel, base, d.limit, d.attributes);
  return p + REC;
}

function ltr(p: usize): usize {
  const sel = systemSelector(p);
  if (sel < 0) return 0;
  const err = selErr(sel);
  if (!err) return gp0();
  const d = changetype<Descriptor>(NAMED);
  if (!readDescriptor(d, sel, Vector.GP, err)) return 0;
  const type = d.type;
  const fits = type == SystemType.Tss32 ||
    (type == SystemType.Tss16 && !longActive());
  if (d.attributes & CODE_OR_DATA || !fits) return raiseErr(Vector.GP, err);
  if (!d.present) return raiseErr(Vector.NP, err);
  const base = systemBase(d, sel);
  if (load<u32>(FAULT)) return 0;
  if (!setBusy(d.address, true)) return 0;
  putSeg(S_TR, sel, base, d.limit, d.attributes | TSS_BUSY);
  return p + REC;
}

// --- LAR, LSL, VERR, VERW: ZF tells, nothing faults but the operand

const PROBED: usize = memory.data(DESCRIPTOR_BYTES, 8);

/** No descriptor has the operand's selector. */
const NO_DESCRIPTOR: i32 = -1;

/**
 * Reads the rm operand's descriptor: its selector, or NO_DESCRIPTOR, or less
 * with FAULT set.
 */
function probeSelector(d: Descriptor, p: usize): i32 {
  if (load<u8>(MODE) < MODE_PROT) {
    raise(Vector.UD);
    return -2;
  }
  const selector = <u32> ldRM<u16>(p);
  if (load<u32>(FAULT)) return -2;
  if (tryDescriptor(d, selector)) return selector;
  return load<u32>(FAULT) ? -2 : NO_DESCRIPTOR;
}

/** Whether CPL and RPL may see the descriptor. */
function visible(d: Descriptor, selector: u32): bool {
  if (
    (d.attributes & (CODE_OR_DATA | CODE | CONFORMING_OR_DOWN)) ==
      (CODE_OR_DATA | CODE | CONFORMING_OR_DOWN)
  ) return true;
  return d.dpl >= <u32> load<u8>(CPL) && d.dpl >= (selector & 3);
}

/** Whether LAR (`gates`: with gates) or LSL knows the descriptor's type. */
function knownType(d: Descriptor, gates: bool): bool {
  if (!d.system) return true;
  const type = d.type;
  const long = longActive();
  if (type == SystemType.Ldt || (type & ~TSS_BUSY) == SystemType.Tss32) {
    return true;
  }
  if ((type & ~TSS_BUSY) == SystemType.Tss16) return !long;
  if (!gates) return false;
  if (type == SystemType.CallGate32) return true;
  return !long &&
    (type == SystemType.CallGate16 || type == SystemType.TaskGate);
}

function putBySize(p: usize, v: u32): void {
  if (rOsz(p) == 1) store<u16>(rReg(p), <u16> v);
  else setReg<u32>(rReg(p), v);
}

function lar(p: usize): usize {
  const d = changetype<Descriptor>(PROBED);
  const found = probeSelector(d, p);
  if (found < NO_DESCRIPTOR) return 0;
  const ok = found >= 0 && knownType(d, true) && visible(d, found);
  if (ok) putBySize(p, d.high & 0xffff00); // 19:16 undefined: as processors do
  setZF(ok);
  return p + REC;
}

function lsl(p: usize): usize {
  const d = changetype<Descriptor>(PROBED);
  const found = probeSelector(d, p);
  if (found < NO_DESCRIPTOR) return 0;
  const ok = found >= 0 && knownType(d, false) && visible(d, found);
  if (ok) putBySize(p, d.limit);
  setZF(ok);
  return p + REC;
}

function verify(p: usize, write: bool): usize {
  const d = changetype<Descriptor>(PROBED);
  const found = probeSelector(d, p);
  if (found < NO_DESCRIPTOR) return 0;
  let ok = found >= 0 && !d.system && visible(d, found);
  if (ok) {
    const code = (d.attributes & CODE) != 0;
    const rw = (d.attributes & READ_OR_WRITE) != 0;
    ok = write ? !code && rw : !code || rw;
  }
  setZF(ok);
  return p + REC;
}

/**
 * ARPL; insn/integer/mov.ts defines its opcode, which is MOVSXD's in 64-bit
 * code.
 */
export function arpl(p: usize): usize {
  if (load<u8>(MODE) < MODE_PROT) return raise(Vector.UD);
  const source = <u32> load<u16>(rReg(p)) & 3;
  if (!isMem(p)) {
    const target = <u32> load<u16>(rRm(p));
    const lower = (target & 3) < source;
    if (lower) store<u16>(rRm(p), <u16> ((target & ~3) | source));
    setZF(lower);
    return p + REC;
  }
  const target = <u32> ldm<u16>(p);
  if (load<u32>(FAULT)) return 0;
  const lower = (target & 3) < source;
  // written only when it changes, as processors do
  if (lower) {
    stm<u16>(p, <u16> ((target & ~3) | source));
    if (load<u32>(FAULT)) return 0;
  }
  setZF(lower);
  return p + REC;
}

export function registerDescriptor(): void {
  grp(M_0F, 0x00, 0, SZ_V);
  all((p) => storeSystemSeg(p, S_LDTR));
  grp(M_0F, 0x00, 1, SZ_V);
  all((p) => storeSystemSeg(p, S_TR));
  grp(M_0F, 0x00, 2, SZ_V);
  all((p) => lldt(p));
  grp(M_0F, 0x00, 3, SZ_V);
  all((p) => ltr(p));
  grp(M_0F, 0x00, 4, SZ_V);
  all((p) => verify(p, false));
  grp(M_0F, 0x00, 5, SZ_V);
  all((p) => verify(p, true));
  grp(M_0F, 0x01, 0, SZ_V | MEMONLY);
  all((p) => storeTable(p, GDTR));
  grp(M_0F, 0x01, 1, SZ_V | MEMONLY);
  all((p) => storeTable(p, IDTR));
  grp(M_0F, 0x01, 2, SZ_V | MEMONLY);
  all((p) => loadTable(p, GDTR));
  grp(M_0F, 0x01, 3, SZ_V | MEMONLY);
  all((p) => loadTable(p, IDTR));
  def(M_0F, 0x02, MODRM | SZ_V);
  all((p) => lar(p));
  def(M_0F, 0x03, MODRM | SZ_V);
  all((p) => lsl(p));
}
