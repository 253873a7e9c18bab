// Debug points: instruction addresses and data ranges that a debugger wants to
// hear of (ICEBP_DEBUG_POINT, ffi/debug_points.ts). They are kept here and
// nowhere else: not in guest memory, not in DR0-7, so the guest has nothing to
// find and nothing to lose. A page (linear or physical) with instruction points
// has blocks of its own; everywhere else nothing is different.
import { IOBUF, POINTS } from "../layout";
import { DebugAccess, DebugSpace, MAX_DEBUG_POINTS } from "../whv/names";
import { physHost } from "../memory/phys";
import {
  P_ACCESS,
  P_ADDRESS,
  P_CONDITION,
  P_CR3,
  P_HOST,
  P_LENGTH,
  P_NEXT,
  P_SPACE,
  POINT_BYTES,
  pointOf,
} from "./point";
import {
  addressesReset,
  countPhysicalCode,
  link,
  physicalCode,
  unlink,
} from "./addresses";
import { addData, dataReset, physicalData, removeData, retag } from "./data";

/** Whether there has been a point. */
let used: bool = false;

/** No points (a new partition). */
export function pointsReset(): void {
  addressesReset();
  dataReset();
  if (used) memory.fill(POINTS, 0, <usize> MAX_DEBUG_POINTS * POINT_BYTES);
  used = false;
}

/** Where the physical points are in memory, when mappings have changed. */
export function pointsRemap(): void {
  if (!physicalCode && !physicalData) return;
  for (let id: u32 = 0; id < MAX_DEBUG_POINTS; id++) {
    const p = pointOf(id);
    if (
      !load<u32>(p, P_ACCESS) || load<u32>(p, P_SPACE) != DebugSpace.Physical
    ) continue;
    const access = load<u32>(p, P_ACCESS);
    if (access & DebugAccess.Execute) unlink(id);
    store<u32>(p, 0, P_ACCESS);
    store<u32>(p, physHost(load<u64>(p, P_ADDRESS)), P_HOST);
    if (access & DebugAccess.Execute) link(id);
    store<u32>(p, access, P_ACCESS);
  }
  retag();
}

/** Takes a point away; nothing where there is none. */
function remove(id: u32): void {
  const p = pointOf(id);
  const access = load<u32>(p, P_ACCESS);
  if (!access) return;
  const physical = load<u32>(p, P_SPACE) == DebugSpace.Physical;
  if (access & DebugAccess.Execute) {
    unlink(id);
    if (physical) countPhysicalCode(-1);
  } else removeData(id, physical);
  store<u32>(p, 0, P_ACCESS);
}

/**
 * Sets the point that is described at IOBUF (ICEBP_DEBUG_POINT); false if it is
 * not valid.
 */
export function pointSet(): bool {
  const id = load<u32>(IOBUF);
  const access = load<u32>(IOBUF, 4);
  const space = load<u32>(IOBUF, 8);
  const address = load<u64>(IOBUF, 16);
  const length = load<u64>(IOBUF, 24);
  if (
    id >= MAX_DEBUG_POINTS || access == 0 || access > DebugAccess.Execute ||
    space > DebugSpace.Physical
  ) return false;
  if (
    access != DebugAccess.Execute &&
    (length == 0 || address + length - 1 < address)
  ) {
    return false;
  }
  const p = pointOf(id);
  const data = (load<u32>(p, P_ACCESS) & 3) != 0 ||
    access != DebugAccess.Execute;
  used = true;
  remove(id);
  store<u64>(p, address, P_ADDRESS);
  store<u64>(p, access == DebugAccess.Execute ? 0 : length, P_LENGTH);
  store<u64>(p, load<u64>(IOBUF, 32), P_CR3);
  store<u32>(p, space, P_SPACE);
  store<u32>(p, 0, P_NEXT);
  const physical = space == DebugSpace.Physical;
  store<u32>(p, physical ? physHost(address) : 0, P_HOST);
  if (access == DebugAccess.Execute) {
    if (physical) countPhysicalCode(1);
    link(id);
  } else addData(id, physical);
  // last: what is linked anew meanwhile is all the others
  store<u32>(p, access, P_ACCESS);
  if (data) retag();
  return true;
}

/** Takes a point away; false if there is none. */
export function pointClear(id: u32): bool {
  if (id >= MAX_DEBUG_POINTS || !load<u32>(pointOf(id), P_ACCESS)) return false;
  const data = !(load<u32>(pointOf(id), P_ACCESS) & DebugAccess.Execute);
  remove(id);
  if (data) retag();
  return true;
}

/**
 * Gives an instruction point the function of its condition, or 0; false if
 * there is no such point.
 */
export function pointCondition(id: u32, condition: u32): bool {
  if (id >= MAX_DEBUG_POINTS) return false;
  const p = pointOf(id);
  if (!(load<u32>(p, P_ACCESS) & DebugAccess.Execute)) return false;
  store<u64>(p, condition, P_CONDITION);
  return true;
}
