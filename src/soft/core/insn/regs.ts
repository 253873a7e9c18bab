// The registers that a record names, read and written with the state's address
// as the constant offset of the access: what hot handlers use.
import { REGS } from "../layout";

/** The ModRM.reg (or opcode-embedded) register. */
@inline
export function getReg<T>(p: usize): T {
  return load<T>(<usize> load<u8>(p, 4), REGS);
}
/** The ModRM.rm register (mod = 3). */
@inline
export function getRm<T>(p: usize): T {
  return load<T>(<usize> load<u8>(p, 5), REGS);
}
/** Writes the ModRM.reg register; 32 bits clear the upper half. */
@inline
export function putReg<T>(p: usize, v: T): void {
  if (sizeof<T>() == 4) store<u64>(<usize> load<u8>(p, 4), <u64> <u32> v, REGS);
  else store<T>(<usize> load<u8>(p, 4), v, REGS);
}
/** Writes the ModRM.rm register. */
@inline
export function putRm<T>(p: usize, v: T): void {
  if (sizeof<T>() == 4) store<u64>(<usize> load<u8>(p, 5), <u64> <u32> v, REGS);
  else store<T>(<usize> load<u8>(p, 5), v, REGS);
}
