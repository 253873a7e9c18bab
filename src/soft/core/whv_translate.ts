// WHvTranslateGva: the processor's own page walk for somebody else.
import { CPL, IOBUF } from "./layout";
import { ACC_READ, translate, xGpa } from "./mem";
import { switchTo } from "./vps";
import { whvCheckVp } from "./whv_partition";

// WHV_TRANSLATE_GVA_FLAGS; the validation bits are ACC_READ, ACC_WRITE, ACC_EXEC
const VALIDATE: u32 = 7;
const PRIVILEGE_EXEMPT: u32 = 8;
const SET_PAGE_TABLE_BITS: u32 = 16;
// WHV_TRANSLATE_GVA_RESULT_CODE
const SUCCESS: u32 = 0;
const PAGE_NOT_PRESENT: u32 = 1;
const PRIVILEGE_VIOLATION: u32 = 2;

/** The result code (u32) to IOBUF, the physical address (u64) to IOBUF + 8. */
export function whvTranslateGva(vp: u32, gva: u64, flags: u32): i32 {
  const hresult = whvCheckVp(vp);
  if (hresult) return hresult;
  switchTo(vp);
  const exempt = (flags & PRIVILEGE_EXEMPT) != 0;
  let acc = flags & VALIDATE;
  // who is exempt may read whatever is present
  if (exempt) acc &= ~ACC_READ;
  const user = !exempt && load<u8>(CPL) == 3;
  store<u64>(IOBUF, SUCCESS);
  if (translate(gva, acc, user, false, true)) {
    if (flags & SET_PAGE_TABLE_BITS) translate(gva, acc, user, false, false);
    store<u64>(IOBUF, xGpa, 8);
    return 0;
  }
  store<u64>(IOBUF, 0, 8);
  store<u32>(
    IOBUF,
    translate(gva, 0, false, false, true)
      ? PRIVILEGE_VIOLATION
      : PAGE_NOT_PRESENT,
  );
  return 0;
}
