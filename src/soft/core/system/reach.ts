// Accesses to devices of an instruction that makes no exit for them, whatever
// way it has.
import { askRead, askWrite } from "./access";
import { deviceRead, deviceWrite } from "./device";
import { callRead, callWrite } from "./emulation";
import { ASKS, LISTS, way } from "./way";

/**
 * Reads a device at a guest physical address or a port; 0 with FAULT set where
 * it is not answered.
 */
export function reachRead(address: u64, bytes: u32, port: bool): u64 {
  if (way == LISTS) return deviceRead(address, bytes, port);
  if (way == ASKS) return askRead(address, bytes, port);
  return callRead(address, bytes, port);
}

/** Writes to a device; FAULT is set where it is not answered. */
export function reachWrite(
  address: u64,
  bytes: u32,
  v: u64,
  port: bool,
): void {
  if (way == LISTS) deviceWrite(address, bytes, v, port);
  else if (way == ASKS) askWrite(address, bytes, v, port);
  else callWrite(address, bytes, v, port);
}
