// RFLAGS: the six arithmetic flags are kept lazily in four cells (layout.ts):
//   ZF = FZ == 0        SF = FS < 0, PF = even parity of FS's low byte
//   AF = FX bit 4       CF = FC        OF = (FX < 0) ^ FC
// FX is the carry-in vector a ^ b ^ r, sign-extended, so FX's sign is the carry
// into the operand's top bit and CF the carry out of it. Every operation stores
// sign-extended 64-bit values, so no reader needs to know the operand size.
import { EFL, FC, FS, FX, FZ } from "../layout";
import {
  RFLAGS_AF,
  RFLAGS_ARITHMETIC,
  RFLAGS_CLEAR,
  RFLAGS_PF,
  RFLAGS_SF,
  RFLAGS_ZF,
} from "../x86/flags";

@inline
export function getCF(): u64 {
  return load<u64>(FC);
}
@inline
export function getZF(): bool {
  return load<u64>(FZ) == 0;
}
@inline
function getSF(): bool {
  return load<i64>(FS) < 0;
}
@inline
export function getOF(): bool {
  return ((load<u64>(FX) >> 63) ^ load<u64>(FC)) != 0;
}
@inline
export function getPF(): bool {
  return (popcnt(load<u32>(FS) & 0xff) & 1) == 0;
}
@inline
export function getAF(): bool {
  return (load<u32>(FX) & 0x10) != 0;
}

/** The arithmetic flags as RFLAGS bits. */
export function arithFlags(): u32 {
  return <u32> load<u64>(FC) | (<u32> getPF() << 2) |
    (load<u32>(FX) & 0x10) | (<u32> getZF() << 6) | (<u32> getSF() << 7) |
    (<u32> getOF() << 11);
}

/** Sets all six arithmetic flags from RFLAGS bits. */
export function setArith(f: u32): void {
  const c: u64 = f & 1;
  store<u64>(FC, c);
  store<u64>(FZ, f & RFLAGS_ZF ? 0 : 1);
  // sign bit from SF; low byte 0 (even parity) or 1 (odd)
  store<u64>(FS, (f & RFLAGS_SF ? <u64> 1 << 63 : 0) | (f & RFLAGS_PF ? 0 : 1));
  store<u64>(FX, (((<u64> (f >> 11) & 1) ^ c) << 63) | (f & RFLAGS_AF));
}

/** RFLAGS as the architecture shows it. */
@inline
export function getFlags(): u32 {
  return load<u32>(EFL) | arithFlags() | 2;
}

/**
 * Writes all of RFLAGS without any privilege rule; the caller calls
 * flagsChanged() (mode.ts).
 */
export function setFlagsRaw(f: u32): void {
  setArith(f);
  store<u32>(EFL, (f & ~RFLAGS_ARITHMETIC) | RFLAGS_CLEAR);
}

/** Condition code cc (0..15, as in Jcc). */
export function cond(cc: u32): bool {
  let r: bool;
  switch (cc >> 1) {
    case 0:
      r = getOF();
      break;
    case 1:
      r = getCF() != 0;
      break;
    case 2:
      r = getZF();
      break;
    case 3:
      r = getCF() != 0 || getZF();
      break;
    case 4:
      r = getSF();
      break;
    case 5:
      r = getPF();
      break;
    case 6:
      r = getSF() != getOF();
      break;
    default:
      r = getZF() || getSF() != getOF();
  }
  return r != ((cc & 1) != 0);
}

// --- results of operations; T is the operand type (u8, u16, u32, u64)

@inline
export function sx<T>(v: T): u64 {
  if (sizeof<T>() == 1) return <u64> <i64> <i8> v;
  if (sizeof<T>() == 2) return <u64> <i64> <i16> v;
  if (sizeof<T>() == 4) return <u64> <i64> <i32> v;
  return <u64> v;
}

@inline
export function flagsLogic<T>(r: T): void {
  const v = sx<T>(r);
  store<u64>(FZ, v);
  store<u64>(FS, v);
  store<u64>(FX, 0);
  store<u64>(FC, 0);
}

@inline
function flagsResult<T>(r: T, x: T, c: u64): void {
  const v = sx<T>(r);
  store<u64>(FZ, v);
  store<u64>(FS, v);
  store<u64>(FX, sx<T>(x) & 0x8000000000000010);
  store<u64>(FC, c);
}

@inline
export function flagsAdd<T>(a: T, b: T, r: T): void {
  flagsResult<T>(r, <T> (a ^ b ^ r), <u64> (r < a));
}

@inline
export function flagsSub<T>(a: T, b: T, r: T): void {
  flagsResult<T>(r, <T> (a ^ b ^ r), <u64> (a < b));
}

/** ADC: c is the carry that was added (0 or 1). */
@inline
export function flagsAdc<T>(a: T, b: T, r: T, c: u64): void {
  flagsResult<T>(
    r,
    <T> (a ^ b ^ r),
    c ? <u64> (r <= a) : <u64> (r < a),
  );
}

/** SBB: c is the borrow that was subtracted (0 or 1). */
@inline
export function flagsSbb<T>(a: T, b: T, r: T, c: u64): void {
  flagsResult<T>(
    r,
    <T> (a ^ b ^ r),
    c ? <u64> (a <= b) : <u64> (a < b),
  );
}

/** Sets ZF, SF, PF from r, AF 0, and CF and OF as given. */
@inline
export function flagsSet<T>(r: T, cf: u64, o: u64): void {
  const v = sx<T>(r);
  store<u64>(FZ, v);
  store<u64>(FS, v);
  store<u64>(FC, cf);
  store<u64>(FX, (o ^ cf) << 63);
}

/** Replaces CF and leaves OF (and the rest) as it is. */
@inline
export function setCF(c: u64): void {
  store<u64>(FX, load<u64>(FX) ^ ((c ^ load<u64>(FC)) << 63));
  store<u64>(FC, c);
}

/** Replaces CF and OF, leaving ZF SF PF AF. */
@inline
export function setCFOF(c: u64, o: u64): void {
  store<u64>(FX, (load<u64>(FX) & 0x10) | ((c ^ o) << 63));
  store<u64>(FC, c);
}

/** Replaces ZF alone. */
export function setZF(z: bool): void {
  // FS holds SF and PF apart from FZ, so only FZ changes
  store<u64>(FZ, z ? 0 : 1);
}
