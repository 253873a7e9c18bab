// What conditions of debug points look at (src/soft/conditions.ts makes functions
// of them).
import { F_POINT, FAULT } from "../layout";
import { MAP_READ, mapFlags, physHost } from "../memory/phys";
import { ACC_READ, translate, xGpa } from "../memory/walk";

/**
 * `bytes` of memory at a linear address, without side effects; FAULT is set
 * where there are none.
 */
export function conditionLoad(linear: u64, bytes: u32): u64 {
  let value: u64 = 0;
  let host: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const at = linear + i;
    if (i == 0 || (at & 0xfff) == 0) {
      host = translate(at, ACC_READ, false, true, true) ? physHost(xGpa) : 0;
      if (!host || !(mapFlags & MAP_READ)) {
        store<u32>(FAULT, F_POINT);
        return 0;
      }
    }
    value |= <u64> load<u8>(host) << (i << 3);
    host++;
  }
  return value;
}
