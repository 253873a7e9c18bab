// What conditions of debug points look at (src/soft/conditions.ts makes
// functions of them).
import { F_POINT, FAULT } from "../layout";
import {
  ACC_READ,
  translate,
  Translation,
  TRANSLATION_BYTES,
} from "../memory/walk";
import { MapFlag } from "../whv/names";
import { physRange, rangeFlags, rangeHost } from "../memory/phys";

const LOOKED_AT: usize = memory.data(TRANSLATION_BYTES, 8);

/**
 * `bytes` of memory at a linear address, without side effects; FAULT is set
 * where there are none.
 */
export function conditionLoad(linear: u64, bytes: u32): u64 {
  const found = changetype<Translation>(LOOKED_AT);
  let value: u64 = 0;
  let host: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const at = linear + i;
    if (i == 0 || (at & 0xfff) == 0) {
      const there = translate(found, at, ACC_READ, false, true, true);
      const range = there ? physRange(found.gpa) : 0;
      host = rangeHost(range, found.gpa);
      if (!(rangeFlags(range) & MapFlag.Read)) {
        store<u32>(FAULT, F_POINT);
        return 0;
      }
    }
    value |= <u64> load<u8>(host) << (i << 3);
    host++;
  }
  return value;
}
