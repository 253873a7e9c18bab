// WHvTranslateGva: the processor's own page walk for somebody else.
import { AC } from "../cpu/flags";
import { CPL, CR0, CR4, EFL, IOBUF } from "../layout";
import { MAP_WRITE } from "../memory/phys";
import { switchTo } from "../cpu/vps";
import {
  markWalk,
  PT_NX,
  PT_USER,
  PT_WRITE,
  translate,
  xGpa,
  xRights,
  xTables,
  XW_UNMAPPED,
  XW_UNREADABLE,
  xWhy,
} from "../memory/walk";
import { whvCheckVp } from "./state";

// WHV_TRANSLATE_GVA_FLAGS
const READ: u32 = 1;
const WRITE: u32 = 2;
const EXECUTE: u32 = 4;
const PRIVILEGE_EXEMPT: u32 = 8;
const SET_PAGE_TABLE_BITS: u32 = 0x10;
const ENFORCE_SMAP: u32 = 0x100;
const OVERRIDE_SMAP: u32 = 0x200;
// WHV_TRANSLATE_GVA_RESULT_CODE
const SUCCESS: u32 = 0;
const PAGE_NOT_PRESENT: u32 = 1;
const PRIVILEGE_VIOLATION: u32 = 2;
const INVALID_PAGE_TABLE_FLAGS: u32 = 3;
const GPA_UNMAPPED: u32 = 4;
const GPA_NO_READ_ACCESS: u32 = 5;
const GPA_NO_WRITE_ACCESS: u32 = 6;

const CR0_WP: u64 = 0x10000;
const CR4_SMEP: u64 = 0x100000;
const CR4_SMAP: u64 = 0x200000;
/** A page fault's error code: reserved bits. */
const ERR_RSVD: u32 = 8;

/**
 * Whether the page that the walk found allows what the flags ask to validate.
 */
function permitted(flags: u32): bool {
  const exempt = (flags & PRIVILEGE_EXEMPT) != 0;
  const user = !exempt && load<u8>(CPL) == 3;
  const userPage = (xRights & PT_USER) != 0;
  if (user && !userPage && flags & (READ | WRITE | EXECUTE)) return false;
  if (flags & EXECUTE) {
    if (xRights & PT_NX) return false;
    if (!user && !exempt && userPage && load<u64>(CR4) & CR4_SMEP) return false;
  }
  if (
    flags & WRITE && !(xRights & PT_WRITE) && (user || load<u64>(CR0) & CR0_WP)
  ) return false;
  if (
    flags & (READ | WRITE) && !user && !exempt && userPage &&
    load<u64>(CR4) & CR4_SMAP
  ) {
    if (flags & OVERRIDE_SMAP) return true;
    return !(flags & ENFORCE_SMAP) && (load<u32>(EFL) & AC) != 0;
  }
  return true;
}

function failure(): u32 {
  if (xWhy == XW_UNMAPPED) return GPA_UNMAPPED;
  if (xWhy == XW_UNREADABLE) return GPA_NO_READ_ACCESS;
  return xWhy & ERR_RSVD ? INVALID_PAGE_TABLE_FLAGS : PAGE_NOT_PRESENT;
}

/**
 * The result code (u32) to IOBUF, the physical address (u64) to IOBUF + 8. What
 * lies at that address, if anything, does not matter: the emulator translates
 * for devices.
 */
export function whvTranslateGva(vp: u32, gva: u64, flags: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  let code = SUCCESS;
  if (!translate(gva, 0, false, false, true)) code = failure();
  else if (!permitted(flags)) code = PRIVILEGE_VIOLATION;
  else if (flags & SET_PAGE_TABLE_BITS) {
    if (xTables & MAP_WRITE) markWalk((flags & WRITE) != 0);
    else code = GPA_NO_WRITE_ACCESS;
  }
  store<u64>(IOBUF, <u64> code);
  store<u64>(IOBUF, code == SUCCESS ? xGpa : 0, 8);
  return 0;
}
