// What every MMX and SSE handler needs: availability checks, operand addresses,
// the commit of an MMX result. Vector operands are handled in place, by
// address: the destination is the register's cell, the source another cell or
// OPERAND, where memory operands are brought. Source: SDM vol. 2, vol. 3
// "System Programming for Instruction Set Extensions".
import { raise, raiseErr } from "../../cpu/fault";
import { CR0, CR4, FAULT, FPR, OPERAND, XMM } from "../../layout";
import { rd, rd128, wr128 } from "../../memory/access";
import { EAK_64, isMem, rEak, REC, rSeg } from "../../code/record";
import { segOf } from "../../cpu/segment";
import { hostOf, tlbEntry } from "../../memory/span";
import { mmxReady, mmxUsed } from "../x87/state";
import { eaLinear, eaOffset, eaSum } from "../../code/operand";
import { CR0_EM, CR0_TS, CR4_OSFXSR } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";

function sseRefused(): bool {
  raise(
    load<u32>(CR0) & CR0_EM || !(load<u32>(CR4) & CR4_OSFXSR)
      ? Vector.UD
      : Vector.NM,
  );
  return false;
}

/** SSE may be used: false with #UD or #NM raised. */
@inline
export function sseReady(): bool {
  return ((load<u32>(CR0) & (CR0_EM | CR0_TS)) |
        (~load<u32>(CR4) & CR4_OSFXSR)) == 0 ||
    sseRefused();
}

/** MMX may be used: false with #UD, #NM or #MF raised. */
export function mmxOpen(): bool {
  const cr0 = load<u32>(CR0);
  if (cr0 & (CR0_EM | CR0_TS)) {
    raise(cr0 & CR0_EM ? Vector.UD : Vector.NM);
    return false;
  }
  return mmxReady();
}

@inline
export function xmmReg(p: usize): usize {
  return XMM + (<usize> load<u8>(p, 4) << 1);
}

@inline
export function xmmRm(p: usize): usize {
  return XMM + (<usize> load<u8>(p, 5) << 1);
}

@inline
export function mmReg(p: usize): usize {
  return FPR + ((<usize> load<u8>(p, 4) << 1) & 0x70);
}

@inline
export function mmRm(p: usize): usize {
  return FPR + ((<usize> load<u8>(p, 5) << 1) & 0x70);
}

@inline
export function copy16(d: usize, s: usize): void {
  const lo = load<u64>(s);
  const hi = load<u64>(s, 8);
  store<u64>(d, lo);
  store<u64>(d, hi, 8);
}

// --- 16 bytes of memory. A TLB hit gives the host address itself: one compare
// says
// that the page is there and, its low four bits kept, that the operand is
// aligned.

/**
 * Linear address of a 16-byte operand that must be aligned; FAULT set if it is
 * not or may not be used.
 */
function alignedLinear(p: usize, write: bool): u64 {
  // alignment comes before the segment's limit: #GP for SS, too, as silicon has
  // it
  const base = rEak(p) == EAK_64 ? 0 : load<u64>(segOf(rSeg(p)));
  if ((eaOffset(p) + base) & 15) {
    raiseErr(Vector.GP, 0);
    return 0;
  }
  return eaLinear(p, 16, write);
}

function slow16(p: usize, aligned: bool): usize {
  const a = aligned ? alignedLinear(p, false) : eaLinear(p, 16, false);
  if (load<u32>(FAULT)) return 0;
  rd128(a, OPERAND);
  return load<u32>(FAULT) ? 0 : OPERAND;
}

/**
 * Address of the bytes of a 16-byte memory source that must be aligned; 0 with
 * FAULT set.
 */
@inline
export function memory16(p: usize): usize {
  if (rEak(p) == EAK_64) {
    const a = eaSum(p);
    const e = tlbEntry(a);
    if (load<u64>(e) == (a & ~0xff0)) return hostOf(e, a);
  }
  return slow16(p, true);
}

/** The same without an alignment rule. */
@inline
export function memory16u(p: usize): usize {
  if (rEak(p) == EAK_64) {
    const a = eaSum(p);
    const e = tlbEntry(a);
    if (load<u64>(e) == ((a + 15) & ~0xfff)) return hostOf(e, a);
  }
  return slow16(p, false);
}

/**
 * Address of the 16-byte source: the register's cell or memory's bytes
 * (aligned). 0 with FAULT set.
 */
export function source16(p: usize): usize {
  return isMem(p) ? memory16(p) : xmmRm(p);
}

/** The same without an alignment rule. */
export function source16u(p: usize): usize {
  return isMem(p) ? memory16u(p) : xmmRm(p);
}

function storeSlow16(p: usize, s: usize, aligned: bool): usize {
  const a = aligned ? alignedLinear(p, true) : eaLinear(p, 16, true);
  if (load<u32>(FAULT)) return 0;
  wr128(a, load<u64>(s), load<u64>(s, 8));
  return load<u32>(FAULT) ? 0 : p + REC;
}

/**
 * Ends an instruction that stores the 16 bytes at s to its aligned memory
 * operand.
 */
@inline
export function store16(p: usize, s: usize): usize {
  if (rEak(p) == EAK_64) {
    const a = eaSum(p);
    const e = tlbEntry(a);
    if (load<u64>(e, 8) == (a & ~0xff0)) {
      copy16(hostOf(e, a), s);
      return p + REC;
    }
  }
  return storeSlow16(p, s, true);
}

/** The same without an alignment rule. */
@inline
export function store16u(p: usize, s: usize): usize {
  if (rEak(p) == EAK_64) {
    const a = eaSum(p);
    const e = tlbEntry(a);
    if (load<u64>(e, 8) == ((a + 15) & ~0xfff)) {
      copy16(hostOf(e, a), s);
      return p + REC;
    }
  }
  return storeSlow16(p, s, false);
}

/**
 * Address of an XMM source of which `bytes` (2, 4 or 8) are used; memory's are
 * zero-extended.
 */
export function sourcePart(p: usize, bytes: u32): usize {
  if (!isMem(p)) return xmmRm(p);
  const a = eaLinear(p, bytes, false);
  if (load<u32>(FAULT)) return 0;
  const v = bytes == 8
    ? rd<u64>(a)
    : bytes == 4
    ? <u64> rd<u32>(a)
    : <u64> rd<u16>(a);
  if (load<u32>(FAULT)) return 0;
  store<u64>(OPERAND, v);
  store<u64>(OPERAND, 0, 8);
  return OPERAND;
}

/** Address of an 8-byte MMX source. 0 with FAULT set. */
export function source8(p: usize): usize {
  if (!isMem(p)) return mmRm(p);
  const a = eaLinear(p, 8, false);
  if (load<u32>(FAULT)) return 0;
  const v = rd<u64>(a);
  if (load<u32>(FAULT)) return 0;
  store<u64>(OPERAND, v);
  return OPERAND;
}

/** Ends an MMX instruction that wrote the register cell `d`. */
export function mmxDone(d: usize): void {
  store<u16>(d, 0xffff, 8);
  mmxUsed();
}
