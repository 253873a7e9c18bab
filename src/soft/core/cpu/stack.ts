// The stack as instructions see it: pushes and pops of one value with SS's
// checks, at the stack pointer's width (SDM vol. 1, "Stacks"). For transfers of
// several values that must all succeed, stackPut and stackGet work at an offset
// without moving RSP; setSP at the end makes it final.
import { raiseErr } from "./fault";
import { F_NONCANON, FAULT, RSP, S_SS, STACKW } from "../layout";
import { rd, wr, writable } from "../memory/access";
import { linear } from "../code/operand";
import { Vector } from "../x86/vectors";

/** Mask of the stack offsets that the stack pointer's width can name. */
@inline
export function stackMask(): u64 {
  const w = load<u8>(STACKW);
  return w == 3 ? ~<u64> 0 : w == 2 ? 0xffffffff : 0xffff;
}

/** The stack pointer, cut to its width. */
export function getSP(): u64 {
  return load<u64>(RSP) & stackMask();
}

/** Sets the stack pointer; bits that a 16-bit stack leaves out stay. */
export function setSP(v: u64): void {
  const w = load<u8>(STACKW);
  if (w == 3) store<u64>(RSP, v);
  else if (w == 2) store<u64>(RSP, v & 0xffffffff);
  else store<u16>(RSP, <u16> v);
}

/**
 * A failed stack access: a non-canonical stack address is #SS(0). Returns 0.
 */
export function stackFault(): usize {
  if (load<u32>(FAULT) == F_NONCANON) raiseErr(Vector.SS, 0);
  return 0;
}

/** Writes at a stack offset, RSP unchanged; false with FAULT set. */
function stackPut<T>(off: u64, v: T): bool {
  const a = linear(S_SS, off & stackMask(), sizeof<T>(), true);
  if (load<u32>(FAULT)) return false;
  wr<T>(a, v);
  if (load<u32>(FAULT)) {
    stackFault();
    return false;
  }
  return true;
}

/** Reads at a stack offset, RSP unchanged; 0 with FAULT set. */
function stackGet<T>(off: u64): T {
  const a = linear(S_SS, off & stackMask(), sizeof<T>(), false);
  if (load<u32>(FAULT)) return 0;
  const v = rd<T>(a);
  if (load<u32>(FAULT)) {
    stackFault();
    return 0;
  }
  return v;
}

/**
 * Whether 2, 4 or 8 bytes (size = log2) at a stack offset can be written; false
 * with FAULT set.
 */
export function stackWritable(size: u32, off: u64): bool {
  const a = linear(S_SS, off & stackMask(), (<u32> 1) << size, true);
  if (load<u32>(FAULT)) return false;
  if (writable(a, (<u32> 1) << size)) return true;
  stackFault();
  return false;
}

/** Pushes a T; false with FAULT set and nothing changed. */
export function push<T>(v: T): bool {
  const sp = load<u64>(RSP) - sizeof<T>();
  if (!stackPut<T>(sp, v)) return false;
  setSP(sp);
  return true;
}

/** Pops a T; 0 with FAULT set and nothing changed. */
export function pop<T>(): T {
  const sp = load<u64>(RSP);
  const v = stackGet<T>(sp);
  if (load<u32>(FAULT)) return 0;
  setSP(sp + sizeof<T>());
  return v;
}

/**
 * Pushes a value of 2, 4 or 8 bytes (size = log2: 1, 2, 3); false with FAULT
 * set.
 */
export function pushV(size: u32, v: u64): bool {
  if (size == 3) return push<u64>(v);
  if (size == 2) return push<u32>(<u32> v);
  return push<u16>(<u16> v);
}

/**
 * Pops a value of 2, 4 or 8 bytes (size = log2), zero-extended; 0 with FAULT
 * set.
 */
export function popV(size: u32): u64 {
  if (size == 3) return pop<u64>();
  if (size == 2) return pop<u32>();
  return pop<u16>();
}

/** stackPut for a size given as log2 of bytes. */
export function stackPutV(size: u32, off: u64, v: u64): bool {
  if (size == 3) return stackPut<u64>(off, v);
  if (size == 2) return stackPut<u32>(off, <u32> v);
  return stackPut<u16>(off, <u16> v);
}

/** stackGet for a size given as log2 of bytes, zero-extended. */
export function stackGetV(size: u32, off: u64): u64 {
  if (size == 3) return stackGet<u64>(off);
  if (size == 2) return stackGet<u32>(off);
  return stackGet<u16>(off);
}
