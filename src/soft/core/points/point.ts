// A point as it is kept: what the caller set (ICEBP_DEBUG_POINT).
import { CR3, POINTS } from "../layout";
import { DebugSpace } from "../whv/names";
import { CR3_TABLE } from "../x86/control_registers";

// A point: address u64, length u64, CR3 u64, access u32 (0: unused), space u32,
// next identifier + 1 of the same instruction address u32, host address u32.
export const POINT_BYTES: usize = 40;

export const P_ADDRESS: usize = 0;
export const P_LENGTH: usize = 8;
/** Of an instruction point, in place of a length: its condition's function. */
export const P_CONDITION: usize = P_LENGTH;
export const P_CR3: usize = 16;
export const P_ACCESS: usize = 24;
export const P_SPACE: usize = 28;
export const P_NEXT: usize = 32;
export const P_HOST: usize = 36;

@inline
export function pointOf(id: u32): usize {
  return POINTS + <usize> id * POINT_BYTES;
}

/** Whether it counts with the CR3 that there is. */
@inline
export function inSpace(p: usize): bool {
  return load<u32>(p, P_SPACE) != DebugSpace.One ||
    ((load<u64>(p, P_CR3) ^ load<u64>(CR3)) & CR3_TABLE) == 0;
}
