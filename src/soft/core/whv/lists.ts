// The lists that a partition takes: CPUID leaves that exit, CPUID results, and
// what becomes of single MSRs. They come at IOBUF and go back there.
import { CpuidResult2Flag, MsrAction, Property } from "./names";
import { IOBUF, VPINDEX, WHV } from "../layout";

/** WHvPartitionPropertyCode... of the lists. */

const EXITS: usize = WHV + 0x800; // u32 leaves
/** WHV_X64_CPUID_RESULT: function, 3 reserved, eax ebx ecx edx */
const RESULTS: usize = WHV + 0x1000;
/** WHV_X64_CPUID_RESULT2: function, index, VP, flags, output, mask */
const RESULTS2: usize = WHV + 0x3000;
/** WHV_MSR_ACTION_ENTRY: index, u8 read, u8 write */
const ACTIONS: usize = WHV + 0x5000;
const RESULT: u32 = 32;
const RESULT2: u32 = 48;

let exits: u32 = 0;
let results: u32 = 0;
let results2: u32 = 0;
let actions: u32 = 0;

/** Empties all lists. */
export function listsReset(): void {
  exits = 0;
  results = 0;
  results2 = 0;
  actions = 0;
}

/** Whether `code` is a list's property. */
export function isList(code: u32): bool {
  return code == Property.CpuidExitList || code == Property.CpuidResultList ||
    code == Property.CpuidResultList2 || code == Property.MsrActionList;
}

function validResults2(bytes: u32): bool {
  for (let at = IOBUF; at < IOBUF + bytes; at += RESULT2) {
    if (
      load<u32>(at, 12) &
      ~(CpuidResult2Flag.SubleafSpecific | CpuidResult2Flag.VpSpecific)
    ) return false;
  }
  return true;
}

function validActions(bytes: u32): bool {
  for (let at = IOBUF; at < IOBUF + bytes; at += 8) {
    if (load<u8>(at, 4) > MsrAction.Exit || load<u8>(at, 5) > MsrAction.Exit) {
      return false;
    }
  }
  return true;
}

/** Takes a list of `bytes` bytes from IOBUF; false for one that cannot be. */
export function takeList(code: u32, bytes: u32): bool {
  switch (code) {
    case Property.CpuidExitList:
      if (bytes & 3 || bytes > 0x400) return false;
      memory.copy(EXITS, IOBUF, bytes);
      exits = bytes >> 2;
      return true;
    case Property.CpuidResultList:
      if (bytes % RESULT || bytes > 0x1800) return false;
      memory.copy(RESULTS, IOBUF, bytes);
      results = bytes / RESULT;
      return true;
    case Property.CpuidResultList2:
      if (bytes % RESULT2 || bytes > 0x1800 || !validResults2(bytes)) {
        return false;
      }
      memory.copy(RESULTS2, IOBUF, bytes);
      results2 = bytes / RESULT2;
      return true;
    default:
      if (bytes & 7 || bytes > 0x1800 || !validActions(bytes)) return false;
      memory.copy(ACTIONS, IOBUF, bytes);
      actions = bytes >> 3;
      return true;
  }
}

/** Copies a list to IOBUF; its size in bytes. */
export function putList(code: u32): u32 {
  let from = ACTIONS;
  let bytes = actions << 3;
  if (code == Property.CpuidExitList) {
    from = EXITS;
    bytes = exits << 2;
  } else if (code == Property.CpuidResultList) {
    from = RESULTS;
    bytes = results * RESULT;
  } else if (code == Property.CpuidResultList2) {
    from = RESULTS2;
    bytes = results2 * RESULT2;
  }
  memory.copy(IOBUF, from, bytes);
  return bytes;
}

/** Whether a leaf is in the list of those that exit. */
export function cpuidExits(leaf: u32): bool {
  for (let i: u32 = 0; i < exits; i++) {
    if (load<u32>(EXITS + (<usize> i << 2)) == leaf) return true;
  }
  return false;
}

/** The caller's result for a leaf: address of eax ebx ecx edx, or 0. */
export function cpuidResult(leaf: u32): usize {
  for (let i: u32 = 0; i < results; i++) {
    const r = RESULTS + <usize> (i * RESULT);
    if (load<u32>(r) == leaf) return r + 16;
  }
  return 0;
}

/**
 * The caller's masked result for a leaf: address of four outputs, then four
 * masks, or 0.
 */
export function cpuidMasked(leaf: u32, index: u32): usize {
  for (let i: u32 = 0; i < results2; i++) {
    const r = RESULTS2 + <usize> (i * RESULT2);
    const flags = load<u32>(r, 12);
    if (
      load<u32>(r) == leaf &&
      (!(flags & CpuidResult2Flag.SubleafSpecific) ||
        load<u32>(r, 4) == index) &&
      (!(flags & CpuidResult2Flag.VpSpecific) ||
        load<u32>(r, 8) == load<u32>(VPINDEX))
    ) return r + 16;
  }
  return 0;
}

/** What the list says about an access to an MSR: MSR_*. */
export function msrAction(index: u32, write: bool): u32 {
  for (let i: u32 = 0; i < actions; i++) {
    const a = ACTIONS + (<usize> i << 3);
    if (load<u32>(a) == index) return write ? load<u8>(a, 5) : load<u8>(a, 4);
  }
  return MsrAction.ArchitectureDefault;
}
