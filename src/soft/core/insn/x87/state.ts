// The x87 register stack as instructions see it: TOP, tags, stack faults,
// status and the pointers to the last instruction. Every x87 instruction opens
// with `ready` (or `readyNoWait`), computes with fp/*, and closes with
// `settle`.
//
// With CR0.NE = 0 a pending exception asserts FERR#, which a PC routes to IRQ
// 13; no such wire leaves the platform, and the processor goes on as it does
// with IGNNE# asserted. The status word still tells (ES). Source: Intel SDM
// volume 1, 8.1 and 8.7; volume 2, each instruction.
import {
  flags,
  IE,
  masks,
  OE,
  roundedUp,
  UE,
  x87Begin,
  x87Stores,
} from "../../fp/state";
import { raise } from "../../cpu/fault";
import {
  CR0,
  FAULT,
  FCS,
  FCW,
  FDP,
  FDS,
  FIP,
  FOP,
  FPR,
  FSW,
  FTW,
  MODE,
  MODE_LONG,
  S_CS,
  SEG_SEL,
  SEGS,
} from "../../layout";
import { probe, rd, wr } from "../../memory/access";
import { EAK_16, rEak, rModrm, rOpcode, rSeg } from "../../code/record";
import { ipOf } from "../../code/ip";
import { eaLinear, eaOffset, eaPart } from "../../code/operand";
import { ACC_WRITE } from "../../memory/walk";
import { CR0_EM, CR0_NE, CR0_TS } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";

/** Status word bits. */
const SW_SF: u32 = 0x40;
const SW_ES: u32 = 0x80;
export const C0: u32 = 0x100;
export const C1: u32 = 0x200;
export const C2: u32 = 0x400;
export const C3: u32 = 0x4000;
const SW_B: u32 = 0x8000;

/** #NM: false with FAULT set. */
export function readyNoWait(): bool {
  if (load<u32>(CR0) & (CR0_EM | CR0_TS)) {
    raise(Vector.NM);
    return false;
  }
  return true;
}

/**
 * Raises #MF if an unmasked exception is pending: false with FAULT set. Asks
 * the flags and masks, which ES sums up, since a caller of the platform may
 * have written a status word in which it does not.
 */
export function nonePending(): bool {
  if (
    <u32> load<u16>(FSW) & 0x3f & ~<u32> load<u16>(FCW) &&
    load<u32>(CR0) & CR0_NE
  ) {
    raise(Vector.MF);
    return false;
  }
  return true;
}

/** #NM and pending exceptions; opens the environment. False with FAULT set. */
export function ready(): bool {
  if (load<u32>(CR0) & (CR0_EM | CR0_TS)) {
    raise(Vector.NM);
    return false;
  }
  if (!nonePending()) return false;
  x87Begin(load<u16>(FCW));
  stackFaults = 0;
  return true;
}

/** SF and C1 as stack faults of the current instruction set them. */
let stackFaults: u32 = 0;

export function top(): u32 {
  return (load<u16>(FSW) >> 11) & 7;
}

/** Address of ST(i). */
export function st(i: u32): usize {
  return FPR + (((top() + i) & 7) << 4);
}

export function isEmpty(i: u32): bool {
  return ((<u32> load<u8>(FTW) >> ((top() + i) & 7)) & 1) == 0;
}

function setFull(i: u32): void {
  store<u8>(FTW, <u8> (<u32> load<u8>(FTW) | (<u32> 1 << ((top() + i) & 7))));
}

export function setEmpty(i: u32): void {
  store<u8>(FTW, <u8> (<u32> load<u8>(FTW) & ~(<u32> 1 << ((top() + i) & 7))));
}

export function setTop(t: u32): void {
  store<u16>(FSW, (load<u16>(FSW) & 0xc7ff) | ((t & 7) << 11));
}

export function seOf(cell: usize): u32 {
  return load<u16>(cell, 8);
}

export function mOf(cell: usize): u64 {
  return load<u64>(cell);
}

/** Writes ST(i) and tags it. */
export function put(i: u32, se: u32, m: u64): void {
  const c = st(i);
  store<u64>(c, m);
  store<u16>(c, <u16> se, 8);
  setFull(i);
}

/** Pushes a number: no check. */
export function pushRaw(se: u32, m: u64): void {
  setTop(top() - 1);
  put(0, se, m);
}

/** Pops: tags ST(0) empty and moves TOP. */
export function popStack(): void {
  setEmpty(0);
  setTop(top() + 1);
}

/** Notes a stack underflow; true when IE is masked (store indefinites). */
export function underflow(): bool {
  stackFaults = SW_SF | IE;
  return (masks & IE) != 0;
}

/** Notes a stack overflow; true when IE is masked. */
export function overflow(): bool {
  stackFaults = SW_SF | IE | C1;
  return (masks & IE) != 0;
}

/** Writes the QNaN indefinite to ST(i). */
export function putIndefinite(i: u32): void {
  put(i, 0xffff, 0xc000000000000000);
}

/** Whether a value may be stored to memory after its rounding. */
export function storable(): bool {
  return x87Stores() && (flags & (OE | UE) & ~masks) == 0;
}

/** Sets ES and B from the exception flags and masks. */
export function updateES(): void {
  const sw = load<u16>(FSW);
  if (sw & 0x3f & ~load<u16>(FCW)) store<u16>(FSW, sw | SW_ES | SW_B);
  else store<u16>(FSW, sw & ~(SW_ES | SW_B));
}

/**
 * Merges the flags and C1 of the instruction into the status word, and
 * `conditions` into the condition codes that `mask` names.
 */
function merge(mask: u32, conditions: u32): void {
  let sw: u32 = load<u16>(FSW) & ~(C1 | SW_ES | SW_B | mask);
  sw |= conditions | <u32> flags | stackFaults;
  if (roundedUp && stackFaults == 0) sw |= C1;
  if (sw & 0x3f & ~<u32> load<u16>(FCW)) sw |= SW_ES | SW_B;
  store<u16>(FSW, <u16> sw);
}

/** Notes where the instruction of record p is. */
function track(p: usize): void {
  store<u64>(FIP, ipOf(p));
  store<u16>(FCS, load<u16>(SEGS + (<usize> S_CS << 5), SEG_SEL));
  store<u16>(FOP, <u16> (((rOpcode(p) & 7) << 8) | rModrm(p)));
}

/** Closes an instruction without a memory operand. */
export function settle(p: usize): void {
  merge(0, 0);
  track(p);
}

/** Closes an instruction with a memory operand. */
export function settleMem(p: usize): void {
  merge(0, 0);
  track(p);
  store<u64>(FDP, eaOffset(p));
  store<u16>(FDS, load<u16>(SEGS + (<usize> rSeg(p) << 5), SEG_SEL));
}

/**
 * Closes an instruction that leaves all condition codes but for stack faults.
 */
export function settleKeepingC1(p: usize): void {
  const c1 = stackFaults == 0 ? load<u16>(FSW) & C1 : 0;
  merge(0, c1);
  track(p);
}

/** Closes an instruction that sets condition codes. */
export function settleConditions(p: usize, mask: u32, codes: u32): void {
  merge(mask, codes);
  track(p);
}

/** The same with a memory operand. */
export function settleConditionsMem(p: usize, mask: u32, codes: u32): void {
  settleConditions(p, mask, codes);
  store<u64>(FDP, eaOffset(p));
  store<u16>(FDS, load<u16>(SEGS + (<usize> rSeg(p) << 5), SEG_SEL));
}

// --- memory operands wider than 8 bytes

/** Bytes of the operand before its 16-bit offset wraps to 0. */
let wrapsAfter: u64 = ~<u64> 0;

/**
 * Linear address of a memory operand of several parts, for advance(): where a
 * 16-bit offset wraps between two of them (of `part` bytes), both sides are
 * checked.
 */
export function operand(
  p: usize,
  bytes: u32,
  part: u32,
  write: bool,
): u64 {
  wrapsAfter = ~<u64> 0;
  if (rEak(p) == EAK_16) {
    const room = <u32> (0x10000 - eaOffset(p));
    const whole = (room + part - 1) / part * part;
    if (whole < bytes) {
      const a = eaPart(p, 0, whole, write);
      if (load<u32>(FAULT)) return 0;
      eaPart(p, whole, bytes - whole, write);
      wrapsAfter = whole;
      return a;
    }
  }
  return eaLinear(p, bytes, write);
}

/** linear + n, wrapped in 32-bit address spaces and where operand() says. */
export function advance(linear: u64, n: u64): u64 {
  const a = linear + n - (n >= wrapsAfter ? 0x10000 : 0);
  return load<u8>(MODE) == MODE_LONG ? a : a & 0xffffffff;
}

/** For a store that an unmasked exception stops: its address faults anyway. */
export function checkWritable(p: usize, bytes: u32): bool {
  const a = operand(p, bytes, 8, true);
  return !load<u32>(FAULT) && probeParts(a, bytes);
}

/**
 * Whether an operand that operand() gave can be written; false with FAULT set.
 */
function probeParts(a: u64, bytes: u32): bool {
  if (<u64> bytes <= wrapsAfter) return probe(a, bytes, ACC_WRITE);
  const first = <u32> wrapsAfter;
  return probe(a, first, ACC_WRITE) &&
    probe(advance(a, first), bytes - first, ACC_WRITE);
}

/** The linear address of a memory operand of any size that can be written. */
export function writable(p: usize, bytes: u32, part: u32): u64 {
  const a = operand(p, bytes, part, true);
  if (load<u32>(FAULT)) return 0;
  if ((<u32> a & 0xfff) + bytes > 0x1000) probeParts(a, bytes);
  return a;
}

/** What `read80` read. */
export let readSe: u32 = 0;
export let readM: u64 = 0;

/**
 * Reads the 10 bytes that are `n` behind a linear address; FAULT set on
 * failure.
 */
export function read80(linear: u64, n: u64): void {
  const m = rd<u64>(advance(linear, n));
  if (load<u32>(FAULT)) return;
  const se = rd<u16>(advance(linear, n + 8));
  readM = m;
  readSe = se;
}

/** Writes 10 bytes, `n` behind a linear address that `writable` prepared. */
export function write80(linear: u64, n: u64, se: u32, m: u64): void {
  wr<u64>(advance(linear, n), m);
  if (load<u32>(FAULT)) return;
  wr<u16>(advance(linear, n + 8), <u16> se);
}

// --- MMX on the x87 registers

/** Opens an MMX instruction: #NM (#UD with EM) is the caller's; #MF here. */
export function mmxReady(): bool {
  return nonePending();
}

/** What every MMX instruction but EMMS does: TOP = 0, all tags valid. */
export function mmxUsed(): void {
  setTop(0);
  store<u8>(FTW, 0xff);
}
