// The floating-point environment one operation runs in: rounding, precision,
// exception masks and the flags it raises. Shared by x87 and SSE: an
// instruction opens it with `x87Begin` or `sseBegin`, calls operations, and
// reads `flags`. Source: Intel SDM volume 1, chapters 4.9, 8.1 and 10.2.

/** Exception flags, in the bit order of the x87 status word and MXCSR. */
export const IE: i32 = 0x01;
export const DE: i32 = 0x02;
export const ZE: i32 = 0x04;
export const OE: i32 = 0x08;
export const UE: i32 = 0x10;
export const PE: i32 = 0x20;
/** The exceptions found before a result is computed. */
const PRE: i32 = IE | DE | ZE;

export const ROUND_NEAREST: i32 = 0;
export const ROUND_DOWN: i32 = 1;
export const ROUND_UP: i32 = 2;
export const ROUND_ZERO: i32 = 3;

/** Exceptions raised since the environment was opened. */
export let flags: i32 = 0;
/** Masked exceptions: a set bit means the masked response. */
export let masks: i32 = 0x3f;
/** ROUND_*: the RC field. */
export let rounding: i32 = ROUND_NEAREST;
/** Significand bits of x87 arithmetic results: 24, 53 or 64. */
export let precision: i32 = 64;
/** C1 of the last x87 result: the magnitude was rounded up. */
export let roundedUp: bool = false;
/** SSE denormals-are-zeros and flush-to-zero (always false for x87). */
export let daz: bool = false;
export let ftz: bool = false;
/**
 * SSE with round to nearest and everything masked: native arithmetic may be
 * used, and `flags` starts with MXCSR's own flags.
 */
export let native: bool = false;

/** Opens the environment for an x87 instruction under a control word. */
export function x87Begin(controlWord: u32): void {
  flags = 0;
  roundedUp = false;
  masks = controlWord & 0x3f;
  rounding = (controlWord >> 10) & 3;
  const pc = (controlWord >> 8) & 3;
  precision = pc == 0 ? 24 : pc == 2 ? 53 : 64;
  daz = false;
  ftz = false;
}

/** Opens the environment for an SSE instruction under MXCSR. */
export function sseBegin(mxcsr: u32): void {
  native = (mxcsr & 0x7f80) == 0x1f80;
  flags = native ? mxcsr & 0x3f : 0;
  masks = (mxcsr >> 7) & 0x3f;
  rounding = (mxcsr >> 13) & 3;
  daz = (mxcsr & 0x40) != 0;
  ftz = (mxcsr & 0x8000) != 0;
}

/**
 * Closes an SSE instruction: returns MXCSR with the new flags. `flags` is left
 * with what was raised, so that `sseFaults` can be asked.
 */
export function sseEnd(mxcsr: u32): u32 {
  const unmaskedPre = flags & PRE & ~masks;
  if (unmaskedPre != 0) flags &= PRE;
  return mxcsr | flags;
}

/** Whether the instruction must raise #XM instead of writing its result. */
export function sseFaults(): bool {
  return (flags & ~masks) != 0;
}

/**
 * Closes an x87 computation: whether a result is to be stored. An unmasked
 * exception on the operands leaves the destination alone and hides the
 * flags of rounding.
 */
export function x87Stores(): bool {
  if ((flags & PRE & ~masks) == 0) return true;
  flags &= PRE;
  roundedUp = false;
  return false;
}

export function raise(f: i32): void {
  flags |= f;
}

export function setRoundedUp(up: bool): void {
  roundedUp = up;
}

/** Sets the rounding mode alone (ROUNDxx immediates, truncating forms). */
export function setRounding(mode: i32): void {
  rounding = mode;
}
