// Where instructions are fetched from.
import { TLBB } from "../layout";
import { hostFor, isUser } from "./resolve";
import { entry, GLOBAL } from "./tlb";
import { ACC_EXEC } from "./walk";

/** Whether the page that code was just fetched from is known to be global. */
export function isGlobal(linear: u64): bool {
  const e = entry(load<u32>(TLBB), linear);
  return load<u64>(e, 24) == ((linear & ~0xfff) | GLOBAL);
}

/** Host address to fetch code from, or 0 with FAULT set. */
export function fetchHost(linear: u64): u32 {
  const e = entry(load<u32>(TLBB), linear);
  if ((load<u64>(e, 24) & ~GLOBAL) == (linear & ~0xfff)) {
    return <u32> linear + load<u32>(e, 16);
  }
  const h = hostFor(linear, ACC_EXEC, isUser(), false);
  return h;
}
