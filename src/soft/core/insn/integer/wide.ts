// 128-bit products and quotients of 64-bit integers, from 32-bit digits (the
// schoolbook methods; Knuth, TAOCP vol. 2, 4.3.1).

/** The high half of the unsigned product a * b. */
export function mulHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const mid = ah * bl + ((al * bl) >> 32);
  const mid2 = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (mid2 >> 32);
}

/** The high half of the signed product a * b. */
export function mulHighSigned(a: i64, b: i64): u64 {
  return mulHigh(<u64> a, <u64> b) - (a < 0 ? <u64> b : 0) -
    (b < 0 ? <u64> a : 0);
}

/** (high:low) / d for high < d; the remainder is low less that times d. */
export function divide(high: u64, low: u64, d: u64): u64 {
  if (high == 0) return low / d;
  // normalize so that the divisor's top bit is set; then two digits of 32 bits
  const s = clz<u64>(d);
  if (s != 0) {
    d <<= s;
    high = (high << s) | (low >> (64 - s));
    low <<= s;
  }
  const dh = d >> 32;
  const dl = d & 0xffffffff;
  const q1 = digit(high, low >> 32, dh, dl);
  const rest = ((high << 32) | (low >> 32)) - q1 * d;
  const q0 = digit(rest, low & 0xffffffff, dh, dl);
  return (q1 << 32) | q0;
}

/**
 * One quotient digit of (high:next) / (dh:dl), high a 64-bit number below the
 * divisor.
 */
function digit(high: u64, next: u64, dh: u64, dl: u64): u64 {
  let q = high / dh;
  let r = high - q * dh;
  while (q > 0xffffffff || q * dl > ((r << 32) | next)) {
    q--;
    r += dh;
    if (r > 0xffffffff) break;
  }
  return q;
}
