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
export function mulHigh(a: u64, b: u64): u64 {
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

/** What divStep() left. */
let remHi: u64 = 0;
let remLo: u64 = 0;

/**
 * The next 64 bits of a quotient: floor((rem:next) / d) for remHi:remLo < d,
 * and the new remainder. d has its top bit set.
 */
function divStep(next: u64, dh: u64, dl: u64): u64 {
  let q: u64;
  let r: u64;
  let small = true; // r is below 2^64
  if (remHi < dh) {
    q = divWide(remHi, remLo, dh);
    r = wRem;
  } else {
    q = ~(<u64> 0);
    r = remLo + dh;
    small = r >= dh;
  }
  if (dl == 0) {
    remHi = r;
    remLo = next;
    return q;
  }
  // at most 2 too great
  mulWide(q, dl);
  while (small && (wHi > r || (wHi == r && wLo > next))) {
    q--;
    r += dh;
    small = r >= dh;
    if (wLo < dl) wHi--;
    wLo -= dl;
  }
  remHi = r - wHi - u64(next < wLo);
  remLo = next - wLo;
  return q;
}

/**
 * wHi:wLo = floor(n * 2^127 / d) for 128-bit n < 2 d, d with its top bit set;
 * the last bit is set when the division is inexact.
 */
export function divFraction(nh: u64, nl: u64, dh: u64, dl: u64): void {
  remHi = nh >> 1;
  remLo = (nh << 63) | (nl >> 1);
  const qh = divStep(nl << 63, dh, dl);
  const ql = divStep(0, dh, dl);
  wHi = qh;
  wLo = ql | u64((remHi | remLo) != 0);
}

/** Sets the result pair. */
export function wSet(hi: u64, lo: u64): void {
  wHi = hi;
  wLo = lo;
}
