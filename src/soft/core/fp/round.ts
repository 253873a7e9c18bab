// Rounding of the kernel's result into the formats, with every flag, masked
// and unmasked. Tininess is detected after rounding, as x86 does.
// Source: Intel SDM volume 1, 4.9.1 and 8.5.
import { kExp, kHi, kLo, kSign } from "./kernel";
import { shiftRightSticky, wHi, wLo } from "./wide";
import {
  ftz,
  masks,
  OE,
  PE,
  raise,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
  rounding,
  setRoundedUp,
  UE,
} from "./state";

/** The 80-bit result: sign and exponent word, significand. */
export let f80Se: u32 = 0;
export let f80M: u64 = 0;

/** What `roundBits` found. */
export let rInexact: bool = false;
export let rUp: bool = false;
let rCarry: bool = false;

/** Sets the 80-bit result. */
export function f80Set(se: u32, m: u64): void {
  f80Se = se;
  f80M = m;
}

/**
 * Rounds hi:lo to the upper p bits of hi (0 < p <= 64; the rest is cleared).
 * rCarry: the sum left 64 bits and is 0 (then it stands for 2^64).
 */
export function roundBits(sign: bool, hi: u64, lo: u64, p: i32): u64 {
  const unit: u64 = u64(1) << (64 - p);
  const rest = hi & (unit - 1);
  rUp = false;
  rCarry = false;
  rInexact = (rest | lo) != 0;
  if (!rInexact) return hi;
  const kept = hi - rest;
  let up: bool;
  if (rounding == ROUND_NEAREST) {
    if (p == 64) {
      up = lo > 0x8000000000000000 ||
        (lo == 0x8000000000000000 && (hi & 1) != 0);
    } else {
      const half = unit >> 1;
      up = rest > half ||
        (rest == half && (lo != 0 || (kept & unit) != 0));
    }
  } else if (rounding == ROUND_ZERO) up = false;
  else up = (rounding == ROUND_UP) != sign;
  if (!up) return kept;
  rUp = true;
  const sum = kept + unit;
  rCarry = sum == 0;
  return sum;
}

function overflowsToInfinity(sign: bool): bool {
  return rounding == ROUND_NEAREST ||
    (rounding == ROUND_UP && !sign) || (rounding == ROUND_DOWN && sign);
}

/**
 * Rounds the kernel's (non-zero) result to p bits into f80Se:f80M, with the
 * x87 responses: unmasked overflow and underflow give the result with its
 * exponent moved by 24576.
 */
export function roundF80(p: i32): void {
  const sign = kSign;
  const signBit: u32 = sign ? 0x8000 : 0;
  let m = roundBits(sign, kHi, kLo, p);
  let e = kExp + 16383;
  if (rCarry) {
    m = 0x8000000000000000;
    e++;
  }
  if (e > 0 && e < 0x7fff) {
    if (rInexact) raise(PE);
    setRoundedUp(rUp);
    f80Se = signBit | e;
    f80M = m;
    return;
  }
  if (e > 0) {
    raise(OE);
    if ((masks & OE) == 0) {
      e -= 24576;
      if (e < 0x7fff) {
        if (rInexact) raise(PE);
        setRoundedUp(rUp);
        f80Se = signBit | e;
        f80M = m;
        return;
      }
    }
    raise(PE);
    if ((masks & OE) == 0 || overflowsToInfinity(sign)) {
      setRoundedUp(true);
      f80Se = signBit | 0x7fff;
      f80M = 0x8000000000000000;
    } else {
      setRoundedUp(false);
      f80Se = signBit | 0x7ffe;
      f80M = ~((u64(1) << (64 - p)) - 1);
    }
    return;
  }
  if ((masks & UE) == 0) {
    raise(UE);
    e += 24576;
    if (e > 0) {
      if (rInexact) raise(PE);
      setRoundedUp(rUp);
      f80Se = signBit | e;
      f80M = m;
    } else {
      raise(PE);
      setRoundedUp(false);
      f80Se = signBit;
      f80M = 0;
    }
    return;
  }
  shiftRightSticky(kHi, kLo, -16382 - kExp);
  m = roundBits(sign, wHi, wLo, p);
  if (rInexact) raise(UE | PE);
  setRoundedUp(rUp);
  f80Se = signBit | u32(m >> 63);
  f80M = m;
}

/**
 * Rounds the kernel's (non-zero) result to f64 bits. When an overflow or
 * underflow is unmasked the value returned is not to be stored; FST (`fst`)
 * then raises no PE.
 */
export function roundF64(fst: bool): u64 {
  return roundPacked(53, 11, fst);
}

/** Rounds the kernel's (non-zero) result to f32 bits; see `roundF64`. */
export function roundF32(fst: bool): u32 {
  return u32(roundPacked(24, 8, fst));
}

function roundPacked(p: i32, expBits: i32, fst: bool): u64 {
  const sign = kSign;
  const bias = (1 << (expBits - 1)) - 1;
  const emax = 2 * bias + 1;
  const signBit = u64(sign) << (p + expBits - 1);
  let m = roundBits(sign, kHi, kLo, p);
  let e = kExp + bias;
  if (rCarry) {
    m = 0x8000000000000000;
    e++;
  }
  if (e >= emax) {
    raise(OE);
    if ((masks & OE) == 0) {
      if (rInexact && !fst) raise(PE);
      return 0;
    }
    raise(PE);
    const infinite = overflowsToInfinity(sign);
    setRoundedUp(infinite);
    const inf = u64(emax) << (p - 1);
    return signBit | (infinite ? inf : inf - 1);
  }
  if (e <= 0) {
    if ((masks & UE) == 0) {
      raise(UE);
      if (rInexact && !fst) raise(PE);
      return 0;
    }
    if (ftz) {
      raise(UE | PE);
      return signBit;
    }
    shiftRightSticky(kHi, kLo, 1 - bias - kExp);
    m = roundBits(sign, wHi, wLo, p);
    if (rInexact) raise(UE | PE);
    setRoundedUp(rUp);
    return signBit | (m >> (64 - p));
  }
  if (rInexact) raise(PE);
  setRoundedUp(rUp);
  return signBit | (u64(e) << (p - 1)) |
    ((m & 0x7fffffffffffffff) >> (64 - p));
}
