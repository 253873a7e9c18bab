// What lies between data points, for translated code, which looks a page up
// once for many accesses.
import { dataPointFirst, dataPointLast, dataPoints } from "./data";

/**
 * Where the bytes next to an access, of `more` bytes beside its first one,
 * begin and end that no data point is for: offsets in the page, in the low and
 * the high half. 0: there is a point for the access.
 */
export function unwatched(linear: u64, more: u64, host: u32): u64 {
  let begin: u64 = 0;
  let end: u64 = 0x1000;
  const count = dataPoints();
  for (let n: u32 = 0; n < count; n++) {
    const first = dataPointFirst(n, linear, host);
    const last = dataPointLast(n, linear, host);
    if (last < linear) {
      if (last >= (linear & ~0xfff)) {
        const behind = (last & 0xfff) + 1;
        if (behind > begin) begin = behind;
      }
    } else if (first > linear + more) {
      if (first <= (linear | 0xfff)) {
        const before = first & 0xfff;
        if (before < end) end = before;
      }
    } else return 0;
  }
  return begin | (end << 32);
}
