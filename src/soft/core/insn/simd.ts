// What every MMX and SSE handler needs: availability checks, operand addresses, the
// commit of an MMX result. Vector operands are handled in place, by address: the
// destination is the register's cell, the source another cell or OPERAND, where memory
// operands are brought. Source: SDM vol. 2, vol. 3 "System Programming for
// Instruction Set Extensions".
import { GP, NM, raise, raiseErr, UD } from "../fault";
import { CR0, CR4, FAULT, FPR, XMM } from "../layout";
import { rd, rd128 } from "../mem";
import { eaLinear, isMem, rSeg } from "../record";
import { mmxReady, mmxUsed } from "./x87_state";

/** 16 bytes for a memory operand, 16 for an intermediate result. */
export const OPERAND: usize = 0x3c00;
export const TEMP: usize = 0x3c10;

/** SSE may be used: false with #UD or #NM raised. */
export function sseReady(): bool {
  const cr0 = load<u32>(CR0);
  if (!(cr0 & 12) && load<u32>(CR4) & 0x200) return true;
  raise(cr0 & 4 || !(load<u32>(CR4) & 0x200) ? UD : NM);
  return false;
}

/** MMX may be used: false with #UD, #NM or #MF raised. */
export function mmxOpen(): bool {
  const cr0 = load<u32>(CR0);
  if (cr0 & 12) {
    raise(cr0 & 4 ? UD : NM);
    return false;
  }
  return mmxReady();
}

// @ts-ignore: decorator
@inline
export function xmmReg(p: usize): usize {
  return XMM + (<usize> load<u8>(p, 4) << 1);
}

// @ts-ignore: decorator
@inline
export function xmmRm(p: usize): usize {
  return XMM + (<usize> load<u8>(p, 5) << 1);
}

// @ts-ignore: decorator
@inline
export function mmReg(p: usize): usize {
  return FPR + ((<usize> load<u8>(p, 4) << 1) & 0x70);
}

// @ts-ignore: decorator
@inline
export function mmRm(p: usize): usize {
  return FPR + ((<usize> load<u8>(p, 5) << 1) & 0x70);
}

/** Linear address of a 16-byte operand that must be aligned; FAULT set if it is not or may not be used. */
export function alignedLinear(p: usize, write: bool): u64 {
  const a = eaLinear(p, 16, write);
  if (load<u32>(FAULT)) return 0;
  if (a & 15) raiseErr(GP, 0);
  return a;
}

/** Address of the 16-byte source: the register's cell, or OPERAND with memory's bytes (aligned). 0 with FAULT set. */
export function source16(p: usize): usize {
  if (!isMem(p)) return xmmRm(p);
  const a = alignedLinear(p, false);
  if (load<u32>(FAULT)) return 0;
  rd128(a, OPERAND);
  return load<u32>(FAULT) ? 0 : OPERAND;
}

/** The same without an alignment rule. */
export function source16u(p: usize): usize {
  if (!isMem(p)) return xmmRm(p);
  const a = eaLinear(p, 16, false);
  if (load<u32>(FAULT)) return 0;
  rd128(a, OPERAND);
  return load<u32>(FAULT) ? 0 : OPERAND;
}

/** Address of an XMM source of which `bytes` (2, 4 or 8) are used. */
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
