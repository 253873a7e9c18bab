// WHvTranslateGva: the processor's own page walk for somebody else.
import { MapFlag, TranslateFlag, TranslateResult } from "./names";
import { CPL, CR0, CR4, EFL, IOBUF } from "../layout";
import { switchTo } from "../cpu/vps";
import {
  markWalk,
  translate,
  Translation,
  TRANSLATION_BYTES,
  WHY_UNMAPPED,
  WHY_UNREADABLE,
} from "../memory/walk";
import { whvCheckVp } from "./state";
import { CR0_WP, CR4_SMAP, CR4_SMEP } from "../x86/control_registers";
import { RFLAGS_AC } from "../x86/flags";
import { ENTRY, ENTRY_NO_EXECUTE, PageFault } from "../x86/paging";

const ASKED: usize = memory.data(TRANSLATION_BYTES, 8);

/**
 * Whether the page that the walk found allows what the flags ask to validate.
 */
function permitted(rights: u64, flags: u32): bool {
  const exempt = (flags & TranslateFlag.PrivilegeExempt) != 0;
  const user = !exempt && load<u8>(CPL) == 3;
  const userPage = (rights & ENTRY.User) != 0;
  if (
    user && !userPage &&
    flags &
      (TranslateFlag.ValidateRead | TranslateFlag.ValidateWrite |
        TranslateFlag.ValidateExecute)
  ) return false;
  if (flags & TranslateFlag.ValidateExecute) {
    if (rights & ENTRY_NO_EXECUTE) return false;
    if (!user && !exempt && userPage && load<u64>(CR4) & CR4_SMEP) return false;
  }
  if (
    flags & TranslateFlag.ValidateWrite && !(rights & ENTRY.Write) &&
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

function failure(why: u32): u32 {
  if (why == WHY_UNMAPPED) return TranslateResult.GpaUnmapped;
  if (why == WHY_UNREADABLE) return TranslateResult.GpaNoReadAccess;
  return why & PageFault.Reserved
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
  const found = changetype<Translation>(ASKED);
  let code = TranslateResult.Success;
  if (!translate(found, gva, 0, false, false, true)) code = failure(found.why);
  else if (!permitted(found.rights, flags)) {
    code = TranslateResult.PrivilegeViolation;
  } else if (flags & TranslateFlag.SetPageTableBits) {
    if (found.tables & MapFlag.Write) {
      markWalk(found, (flags & TranslateFlag.ValidateWrite) != 0);
    } else code = TranslateResult.GpaNoWriteAccess;
  }
  store<u64>(IOBUF, <u64> code);
  store<u64>(IOBUF, code == TranslateResult.Success ? found.gpa : 0, 8);
  return 0;
}
