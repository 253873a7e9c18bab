// Element-wise vector arithmetic: d = d op s over n bytes (8 or 16), in place.
// Each element of the result depends only on the same elements of d and s. The
// hot ones work on 64 bits at a time.

export const L_PADDB: u32 = 0;
export const L_PADDW: u32 = 1;
export const L_PADDD: u32 = 2;
export const L_PADDQ: u32 = 3;
export const L_PSUBB: u32 = 4;
export const L_PSUBW: u32 = 5;
export const L_PSUBD: u32 = 6;
export const L_PSUBQ: u32 = 7;
export const L_PADDSB: u32 = 8;
export const L_PADDSW: u32 = 9;
export const L_PADDUSB: u32 = 10;
export const L_PADDUSW: u32 = 11;
export const L_PSUBSB: u32 = 12;
export const L_PSUBSW: u32 = 13;
export const L_PSUBUSB: u32 = 14;
export const L_PSUBUSW: u32 = 15;
export const L_PCMPEQB: u32 = 16;
export const L_PCMPEQW: u32 = 17;
export const L_PCMPEQD: u32 = 18;
export const L_PCMPEQQ: u32 = 19;
export const L_PCMPGTB: u32 = 20;
export const L_PCMPGTW: u32 = 21;
export const L_PCMPGTD: u32 = 22;
export const L_PCMPGTQ: u32 = 23;
export const L_PMINUB: u32 = 24;
export const L_PMINSW: u32 = 25;
export const L_PMAXUB: u32 = 26;
export const L_PMAXSW: u32 = 27;
export const L_PMINSB: u32 = 28;
export const L_PMINSD: u32 = 29;
export const L_PMINUW: u32 = 30;
export const L_PMINUD: u32 = 31;
export const L_PMAXSB: u32 = 32;
export const L_PMAXSD: u32 = 33;
export const L_PMAXUW: u32 = 34;
export const L_PMAXUD: u32 = 35;
export const L_PAND: u32 = 36;
export const L_PANDN: u32 = 37;
export const L_POR: u32 = 38;
export const L_PXOR: u32 = 39;
export const L_PAVGB: u32 = 40;
export const L_PAVGW: u32 = 41;
export const L_PMULLW: u32 = 42;
export const L_PMULHW: u32 = 43;
export const L_PMULHUW: u32 = 44;
export const L_PMULUDQ: u32 = 45;
export const L_PMADDWD: u32 = 46;
export const L_PSADBW: u32 = 47;
export const L_PMULHRSW: u32 = 48;
export const L_PMADDUBSW: u32 = 49;
export const L_PSIGNB: u32 = 50;
export const L_PSIGNW: u32 = 51;
export const L_PSIGND: u32 = 52;
export const L_PABSB: u32 = 53;
export const L_PABSW: u32 = 54;
export const L_PABSD: u32 = 55;
export const L_PMULDQ: u32 = 56;
export const L_PMULLD: u32 = 57;

const H8: u64 = 0x8080808080808080;
const H16: u64 = 0x8000800080008000;
const H32: u64 = 0x8000000080000000;

// SWAR: operations on all elements of 64 bits at once. h has the top bit of
// every element; bits is the elements' width. (Warren, Hacker's Delight, 2-18.)

@inline
function addSplit(a: u64, b: u64, h: u64): u64 {
  return ((a & ~h) + (b & ~h)) ^ ((a ^ b) & h);
}

@inline
function subSplit(a: u64, b: u64, h: u64): u64 {
  return ((a | h) - (b & ~h)) ^ ((a ^ ~b) & h);
}

/** All ones in each element whose top bit is in m (which has no others). */
@inline
function spread(m: u64, bits: u64): u64 {
  return (m - (m >> (bits - 1))) | m;
}

/** All ones in each element that is equal. */
@inline
function equalSplit(a: u64, b: u64, h: u64, bits: u64): u64 {
  const x = a ^ b;
  return spread(~(((x & ~h) + ~h) | x) & h, bits);
}

/** All ones in each element where a is below b, unsigned. */
@inline
function belowSplit(a: u64, b: u64, h: u64, bits: u64): u64 {
  return spread(((~a & b) | (~(a ^ b) & subSplit(a, b, h))) & h, bits);
}

/** All ones in each element where a is less than b, signed. */
@inline
function lessSplit(a: u64, b: u64, h: u64, bits: u64): u64 {
  return belowSplit(a ^ h, b ^ h, h, bits);
}

/** a where the mask is ones, else b. */
@inline
function choose(mask: u64, a: u64, b: u64): u64 {
  return b ^ ((a ^ b) & mask);
}

/** Unsigned sum, all ones where it overflows. */
@inline
function addSaturated(a: u64, b: u64, h: u64, bits: u64): u64 {
  const sum = addSplit(a, b, h);
  return sum | spread(((a & b) | ((a | b) & ~sum)) & h, bits);
}

/** Unsigned difference, 0 where it is negative. */
@inline
function subSaturated(a: u64, b: u64, h: u64, bits: u64): u64 {
  return subSplit(a, b, h) & ~belowSplit(a, b, h, bits);
}

@inline
export function clamp(v: i32, lo: i32, hi: i32): i32 {
  return v < lo ? lo : v > hi ? hi : v;
}

/**
 * The operations that are expressed on 64 bits; inlined with a constant k, one
 * of them.
 */
@inline
export function wide(k: u32, a: u64, b: u64): u64 {
  switch (k) {
    case L_PADDB:
      return addSplit(a, b, H8);
    case L_PADDW:
      return addSplit(a, b, H16);
    case L_PADDD:
      return addSplit(a, b, H32);
    case L_PADDQ:
      return a + b;
    case L_PSUBB:
      return subSplit(a, b, H8);
    case L_PSUBW:
      return subSplit(a, b, H16);
    case L_PSUBD:
      return subSplit(a, b, H32);
    case L_PSUBQ:
      return a - b;
    case L_PCMPEQB:
      return equalSplit(a, b, H8, 8);
    case L_PCMPEQW:
      return equalSplit(a, b, H16, 16);
    case L_PCMPEQD:
      return equalSplit(a, b, H32, 32);
    case L_PCMPEQQ:
      return a == b ? ~<u64> 0 : 0;
    case L_PCMPGTQ:
      return <i64> a > <i64> b ? ~<u64> 0 : 0;
    case L_PCMPGTB:
      return lessSplit(b, a, H8, 8);
    case L_PCMPGTW:
      return lessSplit(b, a, H16, 16);
    case L_PCMPGTD:
      return lessSplit(b, a, H32, 32);
    case L_PMINUB:
      return choose(belowSplit(a, b, H8, 8), a, b);
    case L_PMINUW:
      return choose(belowSplit(a, b, H16, 16), a, b);
    case L_PMINUD:
      return choose(belowSplit(a, b, H32, 32), a, b);
    case L_PMAXUB:
      return choose(belowSplit(a, b, H8, 8), b, a);
    case L_PMAXUW:
      return choose(belowSplit(a, b, H16, 16), b, a);
    case L_PMAXUD:
      return choose(belowSplit(a, b, H32, 32), b, a);
    case L_PMINSB:
      return choose(lessSplit(a, b, H8, 8), a, b);
    case L_PMINSW:
      return choose(lessSplit(a, b, H16, 16), a, b);
    case L_PMINSD:
      return choose(lessSplit(a, b, H32, 32), a, b);
    case L_PMAXSB:
      return choose(lessSplit(a, b, H8, 8), b, a);
    case L_PMAXSW:
      return choose(lessSplit(a, b, H16, 16), b, a);
    case L_PMAXSD:
      return choose(lessSplit(a, b, H32, 32), b, a);
    case L_PADDUSB:
      return addSaturated(a, b, H8, 8);
    case L_PADDUSW:
      return addSaturated(a, b, H16, 16);
    case L_PSUBUSB:
      return subSaturated(a, b, H8, 8);
    case L_PSUBUSW:
      return subSaturated(a, b, H16, 16);
    case L_PAND:
      return a & b;
    case L_PANDN:
      return ~a & b;
    case L_POR:
      return a | b;
    case L_PXOR:
      return a ^ b;
    case L_PMULUDQ:
      return (a & 0xffffffff) * (b & 0xffffffff);
    default: // L_PMULDQ
      return <u64> (<i64> <i32> a * <i64> <i32> b);
  }
}

/** One unsigned byte of an element-wise operation. */
function byteOf(k: u32, a: u32, b: u32): u32 {
  const sa = <i32> <i8> a;
  const sb = <i32> <i8> b;
  switch (k) {
    case L_PADDSB:
      return <u32> clamp(sa + sb, -128, 127);
    case L_PSUBSB:
      return <u32> clamp(sa - sb, -128, 127);
    case L_PAVGB:
      return (a + b + 1) >> 1;
    case L_PSIGNB:
      return sb < 0 ? <u32> -sa : sb == 0 ? 0 : a;
    default: // L_PABSB
      return sb < 0 ? <u32> -sb : b;
  }
}

/** One 16-bit element. */
function wordOf(k: u32, a: u32, b: u32): u32 {
  const sa = <i32> <i16> a;
  const sb = <i32> <i16> b;
  switch (k) {
    case L_PADDSW:
      return <u32> clamp(sa + sb, -32768, 32767);
    case L_PSUBSW:
      return <u32> clamp(sa - sb, -32768, 32767);
    case L_PAVGW:
      return (a + b + 1) >> 1;
    case L_PMULLW:
      return <u32> (sa * sb);
    case L_PMULHW:
      return <u32> ((sa * sb) >> 16);
    case L_PMULHUW:
      return (a * b) >> 16;
    case L_PMULHRSW:
      return <u32> ((((sa * sb) >> 14) + 1) >> 1);
    case L_PMADDUBSW: {
      const lo = <i32> (a & 0xff) * <i32> <i8> b;
      const hi = <i32> (a >> 8) * <i32> <i8> (b >> 8);
      return <u32> clamp(lo + hi, -32768, 32767);
    }
    case L_PSIGNW:
      return sb < 0 ? <u32> -sa : sb == 0 ? 0 : a;
    default: // L_PABSW
      return sb < 0 ? <u32> -sb : b;
  }
}

/** One 32-bit element. */
function dwordOf(k: u32, a: u32, b: u32): u32 {
  const sa = <i32> a;
  const sb = <i32> b;
  switch (k) {
    case L_PMADDWD:
      return <u32> (<i32> <i16> a * <i32> <i16> b + (sa >> 16) * (sb >> 16));
    case L_PMULLD:
      return a * b;
    case L_PSIGND:
      return sb < 0 ? <u32> -sa : sb == 0 ? 0 : a;
    default: // L_PABSD
      return sb < 0 ? <u32> -sb : b;
  }
}

/** The same for any k, once in the module. */
function anyWide(k: u32, a: u64, b: u64): u64 {
  return wide(k, a, b);
}

/** Sum of absolute differences of 8 bytes. */
function sad(d: usize, s: usize): u64 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const a = <i32> load<u8>(d + i);
    const b = <i32> load<u8>(s + i);
    sum += a > b ? a - b : b - a;
  }
  return sum;
}

/**
 * Element width in bytes of operation k when it is not one of wide()'s; 8 for
 * those.
 */
function widthOf(k: u32): u32 {
  switch (k) {
    case L_PADDSB:
    case L_PSUBSB:
    case L_PAVGB:
    case L_PSIGNB:
    case L_PABSB:
      return 1;
    case L_PADDSW:
    case L_PSUBSW:
    case L_PAVGW:
    case L_PMULLW:
    case L_PMULHW:
    case L_PMULHUW:
    case L_PMULHRSW:
    case L_PMADDUBSW:
    case L_PSIGNW:
    case L_PABSW:
      return 2;
    case L_PMADDWD:
    case L_PMULLD:
    case L_PSIGND:
    case L_PABSD:
      return 4;
    default:
      return 8;
  }
}

/** d = d op s over n bytes. */
export function lanes(k: u32, d: usize, s: usize, n: u32): void {
  const w = widthOf(k);
  for (let i: u32 = 0; i < n; i += w) {
    const a = d + i;
    const b = s + i;
    if (w == 8) {
      store<u64>(
        a,
        k == L_PSADBW ? sad(a, b) : anyWide(k, load<u64>(a), load<u64>(b)),
      );
    } else if (w == 1) {
      store<u8>(a, <u8> byteOf(k, load<u8>(a), load<u8>(b)));
    } else if (w == 2) {
      store<u16>(a, <u16> wordOf(k, load<u16>(a), load<u16>(b)));
    } else store<u32>(a, dwordOf(k, load<u32>(a), load<u32>(b)));
  }
}

export const SH_RLW: u32 = 0; // shift right logical, words
export const SH_RLD: u32 = 1;
export const SH_RLQ: u32 = 2;
export const SH_RAW: u32 = 3; // right arithmetic
export const SH_RAD: u32 = 4;
export const SH_LLW: u32 = 5; // left
export const SH_LLD: u32 = 6;
export const SH_LLQ: u32 = 7;

/**
 * Shifts every element of d (n bytes) by `count`; counts beyond the width give
 * 0 or the sign.
 */
@inline
export function shiftLanes(k: u32, d: usize, n: u32, count: u64): void {
  for (let i: u32 = 0; i < n; i += 8) {
    const a = d + i;
    switch (k) {
      case SH_RLQ:
        store<u64>(a, count > 63 ? 0 : load<u64>(a) >> count);
        break;
      case SH_LLQ:
        store<u64>(a, count > 63 ? 0 : load<u64>(a) << count);
        break;
      case SH_RLD:
      case SH_LLD:
      case SH_RAD:
        for (let j: u32 = 0; j < 8; j += 4) {
          const v = load<u32>(a + j);
          store<u32>(
            a + j,
            k == SH_RAD
              ? <u32> (<i32> v >> <i32> (count > 31 ? 31 : count))
              : count > 31
              ? 0
              : k == SH_RLD
              ? v >> <u32> count
              : v << <u32> count,
          );
        }
        break;
      default:
        for (let j: u32 = 0; j < 8; j += 2) {
          const v = <u32> load<u16>(a + j);
          store<u16>(
            a + j,
            <u16> (k == SH_RAW
              ? <i32> <i16> v >> <i32> (count > 15 ? 15 : count)
              : count > 15
              ? 0
              : k == SH_RLW
              ? v >> <u32> count
              : v << <u32> count),
          );
        }
    }
  }
}
