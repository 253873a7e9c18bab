// Loads of segment registers: MOV Sreg, POP Sreg, LDS LES LFS LGS LSS. The
// checks are cpu/segment.ts's. Source: SDM vol. 2.
import {
  FAULT,
  RSP,
  S_DS,
  S_ES,
  S_FS,
  S_GS,
  S_SS,
  SHADOWNEW,
} from "../../layout";
import { rd } from "../../memory/access";
import {
  all,
  def,
  INV64,
  M_0F,
  M_ONE,
  MEMONLY,
  MODRM,
  SZ_D64,
  SZ_V,
  v3m,
} from "../../code/optable";
import { REC, rModrm, rOsz, rReg, setReg } from "../../code/record";
import { raise } from "../../cpu/fault";
import { loadSegment } from "../../cpu/segment";
import { getSP, setSP, stackGetV } from "../../cpu/stack";
import { leave } from "../../code/ip";
import { eaPart, ldRM } from "../../code/operand";
import { Vector } from "../../x86/vectors";

/**
 * After SS changed, interrupts and debug traps wait for the next instruction.
 */
function loaded(p: usize, seg: u32): usize {
  if (seg != S_SS) return p + REC;
  store<u8>(SHADOWNEW, 2);
  return leave(p);
}

function movSeg(p: usize): usize {
  const seg = (rModrm(p) >> 3) & 7;
  if (seg == 1 || seg > 5) return raise(Vector.UD);
  const sel = <u32> ldRM<u16>(p);
  if (load<u32>(FAULT)) return 0;
  return loadSegment(seg, sel) ? loaded(p, seg) : 0;
}

function popSeg(p: usize, seg: u32): usize {
  const size = rOsz(p);
  const sp = getSP();
  const sel = <u32> stackGetV(size, sp) & 0xffff;
  if (load<u32>(FAULT)) return 0;
  // RSP moves by the width of the stack that was popped from, also when SS is
  // loaded
  const before = load<u64>(RSP);
  setSP(sp + ((<u64> 1) << size));
  if (!loadSegment(seg, sel)) {
    store<u64>(RSP, before);
    return 0;
  }
  return loaded(p, seg);
}

/** A far pointer in memory to a segment and a general register. */
function loadFar<T>(p: usize, seg: u32): usize {
  const a = eaPart(p, 0, sizeof<T>(), false);
  if (load<u32>(FAULT)) return 0;
  const off = rd<T>(a);
  if (load<u32>(FAULT)) return 0;
  const b = eaPart(p, sizeof<T>(), 2, false);
  if (load<u32>(FAULT)) return 0;
  const sel = <u32> rd<u16>(b);
  if (load<u32>(FAULT)) return 0;
  if (!loadSegment(seg, sel)) return 0;
  setReg<T>(rReg(p), off);
  return loaded(p, seg);
}

export function registerSegmentLoads(): void {
  def(M_ONE, 0x8e, MODRM);
  all((p) => movSeg(p));
  def(M_ONE, 0x07, INV64 | SZ_V);
  all((p) => popSeg(p, S_ES));
  def(M_ONE, 0x17, INV64 | SZ_V);
  all((p) => popSeg(p, S_SS));
  def(M_ONE, 0x1f, INV64 | SZ_V);
  all((p) => popSeg(p, S_DS));
  def(M_0F, 0xa1, SZ_D64);
  all((p) => popSeg(p, S_FS));
  def(M_0F, 0xa9, SZ_D64);
  all((p) => popSeg(p, S_GS));
  def(M_ONE, 0xc4, MODRM | MEMONLY | SZ_V | INV64);
  v3m(
    (p) => loadFar<u16>(p, S_ES),
    (p) => loadFar<u32>(p, S_ES),
    (p) => loadFar<u64>(p, S_ES),
  );
  def(M_ONE, 0xc5, MODRM | MEMONLY | SZ_V | INV64);
  v3m(
    (p) => loadFar<u16>(p, S_DS),
    (p) => loadFar<u32>(p, S_DS),
    (p) => loadFar<u64>(p, S_DS),
  );
  def(M_0F, 0xb2, MODRM | MEMONLY | SZ_V);
  v3m(
    (p) => loadFar<u16>(p, S_SS),
    (p) => loadFar<u32>(p, S_SS),
    (p) => loadFar<u64>(p, S_SS),
  );
  def(M_0F, 0xb4, MODRM | MEMONLY | SZ_V);
  v3m(
    (p) => loadFar<u16>(p, S_FS),
    (p) => loadFar<u32>(p, S_FS),
    (p) => loadFar<u64>(p, S_FS),
  );
  def(M_0F, 0xb5, MODRM | MEMONLY | SZ_V);
  v3m(
    (p) => loadFar<u16>(p, S_GS),
    (p) => loadFar<u32>(p, S_GS),
    (p) => loadFar<u64>(p, S_GS),
  );
}
