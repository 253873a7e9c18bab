// Whether an instruction that changes flags and privilege may go on at the next
// one itself: there is nothing that the loop would have to do between them.
import { lapicHighestPending } from "../lapic/interrupt";
import { LAPIC_PENDING_NMI, lapicPending } from "../lapic/state";
import {
  DBGPEND,
  DELIVER,
  EFL,
  lapicOf,
  PEND_EVENT,
  PENDING,
  SHADOW,
  SHADOWNEW,
  VPINDEX,
} from "../layout";
import { apicMode } from "../system/processors";
import { PendingException } from "../whv/structures";
import { RFLAGS_IF, RFLAGS_RF, RFLAGS_TF, RFLAGS_VIP } from "../x86/flags";
import { recheck } from "./recheck";

/**
 * Whether nothing comes between this instruction, which has set EFL, and the
 * next: no trap, no interrupt, nothing that the caller asked for.
 */
export function quiet(): bool {
  const flags = load<u32>(EFL);
  if (
    load<u32>(PENDING) || recheck || load<u64>(DBGPEND) ||
    load<u8>(SHADOW) || load<u8>(SHADOWNEW) ||
    flags & (RFLAGS_TF | RFLAGS_RF | RFLAGS_VIP)
  ) return false;
  if (!(flags & RFLAGS_IF)) return true;
  if (
    load<u64>(DELIVER) ||
    load<u64>(PEND_EVENT) & PendingException.EventPending
  ) return false;
  if (!apicMode) return true;
  const base = lapicOf(load<u32>(VPINDEX));
  return !(lapicPending(base) & LAPIC_PENDING_NMI) &&
    lapicHighestPending(base) < 0;
}
