// Completing a read-modify-write of memory.
import { BKIND, FAULT } from "../layout";
import { rwCommit } from "../memory/access";

function commitFailed(): bool {
  rwCommit();
  return load<u32>(FAULT) != 0;
}

/**
 * After storing to the address rwm() gave: completes the write; true when it
 * faulted.
 */
@inline
export function rmwFailed(): bool {
  return load<u32>(BKIND) != 0 && commitFailed();
}
