// WHvTranslateGva: the processor's own page walk for somebody else.
import { MapFlag, TranslateFlag, TranslateResult } from "./names";
import { CPL, CR0, CR4, EFL, IOBUF } from "../layout";
import { switchTo } from "../cpu/vps";
import {
  markWalk,
  translate,
  xGpa,
  xRights,
  xTables,
  XW_UNMAPPED,
  XW_UNREADABLE,
  xWhy,
} from "../memory/walk";
import { whvCheckVp } from "./state";
import { CR0_WP, CR4_SMAP, CR4_SMEP } from "../x86/control_registers";
import { RFLAGS_AC } from "../x86/flags";
import { ENTRY, ENTRY_NO_EXECUTE, PageFault } from "../x86/paging";

/**
 * Whether the page that the walk found allows what the flags ask to validate.
 */
function permitted(flags: u32): bool {
  const exempt = (flags & TranslateFlag.PrivilegeExempt) != 0;
  const user = !exempt && load<u8>(CPL) == 3;
  const userPage = (xRights & ENTRY.User) != 0;
  if (
    user && !userPage &&
    flags &
      (TranslateFlag.ValidateRead | TranslateFlag.ValidateWrite |
        TranslateFlag.ValidateExecute)
  ) return false;
  if (flags & TranslateFlag.ValidateExecute) {
    if (xRights & ENTRY_NO_EXECUTE) return false;
    if (!user && !exempt && userPage && load<u64>(CR4) & CR4_SMEP) return false;
  }
  if (
    flags & TranslateFlag.ValidateWrite && !(xRights & ENTRY.Write) &&
    (user || load<u64>(CR0) & CR0_WP)
  ) return false;
  if (
    flags & (TranslateFlag.ValidateRead | TranslateFlag.ValidateWrite) &&
    !user && !exempt && userPage &&
    load<u64>(CR4) & CR4_SMAP
  ) {
    if (flags & TranslateFlag.OverrideSmap) return true;
    return !(flags & TranslateFlag.EnforceSmap) &&
      (load<u32>(EFL) & RFLAGS_AC) != 0;
  }
  return true;
}

function failure(): u32 {
  if (xWhy == XW_UNMAPPED) return TranslateResult.GpaUnmapped;
  if (xWhy == XW_UNREADABLE) return TranslateResult.GpaNoReadAccess;
  return xWhy & PageFault.Reserved
    ? TranslateResult.InvalidPageTableFlags
    : TranslateResult.PageNotPresent;
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
  let code = TranslateResult.Success;
  if (!translate(gva, 0, false, false, true)) code = failure();
  else if (!permitted(flags)) code = TranslateResult.PrivilegeViolation;
  else if (flags & TranslateFlag.SetPageTableBits) {
    if (xTables & MapFlag.Write) {
      markWalk((flags & TranslateFlag.ValidateWrite) != 0);
    } else code = TranslateResult.GpaNoWriteAccess;
  }
  store<u64>(IOBUF, <u64> code);
  store<u64>(IOBUF, code == TranslateResult.Success ? xGpa : 0, 8);
  return 0;
}
