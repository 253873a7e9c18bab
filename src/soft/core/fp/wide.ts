// 128-bit unsigned arithmetic on pairs of u64, results in wHi:wLo. WebAssembly
// has no 64x64->128 multiplication nor 128/64 division.

/** The result pair of the last operation here. */
export let wHi: u64 = 0;
export let wLo: u64 = 0;
/** The remainder of the last division. */
export let wRem: u64 = 0;

const M32: u64 = 0xffffffff;

/** wHi:wLo = a * b. */
export function mulWide(a: u64, b: u64): void {
  const al = a & M32, ah = a >> 32;
  const bl = b & M32, bh = b >> 32;
  const ll = al * bl, lh = al * bh, hl = ah * bl;
  const mid = (ll >> 32) + (lh & M32) + hl;
  wHi = ah * bh + (lh >> 32) + (mid >> 32);
  wLo = (mid << 32) | (ll & M32);
}

/** The high 64 bits of a * b. */
function mulHigh(a: u64, b: u64): u64 {
  const al = a & M32, ah = a >> 32;
  const bl = b & M32, bh = b >> 32;
  const lh = al * bh, hl = ah * bl;
  const mid = ((al * bl) >> 32) + (lh & M32) + hl;
  return ah * bh + (lh >> 32) + (mid >> 32);
}

/**
 * wHi:wLo = the high 128 bits of a * b, at most 3 units in the last place low.
 */
export function mulFraction(ah: u64, al: u64, bh: u64, bl: u64): void {
  const x = mulHigh(ah, bl), y = mulHigh(al, bh);
  mulWide(ah, bh);
  let lo = wLo + x;
  if (lo < x) wHi++;
  lo += y;
  if (lo < y) wHi++;
  wLo = lo;
}

/**
 * floor(nh:nl / d), remainder in wRem; d has its top bit set and nh < d.
 * Knuth's algorithm D with 32-bit digits.
 */
export function divWide(nh: u64, nl: u64, d: u64): u64 {
  const dh = d >> 32, dl = d & M32;
  const n1 = nl >> 32, n0 = nl & M32;
  let q1 = nh / dh;
  let r = nh - q1 * dh;
  while (q1 > M32 || q1 * dl > ((r << 32) | n1)) {
    q1--;
    r += dh;
    if (r > M32) break;
  }
  const mid = ((nh << 32) | n1) - q1 * d;
  let q0 = mid / dh;
  r = mid - q0 * dh;
  while (q0 > M32 || q0 * dl > ((r << 32) | n0)) {
    q0--;
    r += dh;
    if (r > M32) break;
  }
  wRem = ((mid << 32) | n0) - q0 * d;
  return (q1 << 32) | q0;
}

/** wHi:wLo = hi:lo >> n, any bit lost kept as the lowest bit. */
export function shiftRightSticky(hi: u64, lo: u64, n: i32): void {
  if (n == 0) {
    wHi = hi;
    wLo = lo;
  } else if (n < 64) {
    wHi = hi >> n;
    wLo = (hi << (64 - n)) | (lo >> n) | u64((lo << (64 - n)) != 0);
  } else if (n == 64) {
    wHi = 0;
    wLo = hi | u64(lo != 0);
  } else if (n < 128) {
    wHi = 0;
    wLo = (hi >> (n - 64)) | u64(((hi << (128 - n)) | lo) != 0);
  } else {
    wHi = 0;
    wLo = u64((hi | lo) != 0);
  }
}

/**
 * wHi:wLo = floor(n * 2^127 / d) for 128-bit n < 2 d, d != 0; the last bit is
 * set when the division is inexact. Restoring division, a bit a turn.
 */
export function divFraction(nh: u64, nl: u64, dh: u64, dl: u64): void {
  let qh: u64 = 0, ql: u64 = 0;
  let carry: u64 = 0;
  for (let i = 0; i < 128; i++) {
    qh = (qh << 1) | (ql >> 63);
    ql <<= 1;
    if (carry != 0 || nh > dh || (nh == dh && nl >= dl)) {
      nh = nh - dh - u64(nl < dl);
      nl -= dl;
      ql |= 1;
    }
    carry = nh >> 63;
    nh = (nh << 1) | (nl >> 63);
    nl <<= 1;
  }
  if ((nh | nl | carry) != 0) ql |= 1;
  wHi = qh;
  wLo = ql;
}

/** Sets the result pair. */
export function wSet(hi: u64, lo: u64): void {
  wHi = hi;
  wLo = lo;
}
