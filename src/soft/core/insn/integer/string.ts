// MOVS CMPS SCAS LODS STOS and their REP forms (SDM vol. 2). A REP executes at
// most BATCH iterations, then ends "at itself" so that interrupts get their
// turn; with TF set, or while an access of it is completed
// (system/complete.ts), one. When an iteration faults, RCX, RSI and RDI are
// those of that iteration. MOVS, STOS, CMPS and SCAS take whole runs inside
// pages that the TLB has (memory/span.ts), the last two upwards.
import { flagsSub } from "../../cpu/flags";
import {
  EFL,
  FAULT,
  MODE,
  MODE_LONG,
  RAX,
  RCX,
  RDI,
  RSI,
  S_ES,
} from "../../layout";
import { rd, wr } from "../../memory/access";
import { def, hr, M_ONE, SZ_B, SZ_V, v3r } from "../../code/optable";
import {
  addrMask,
  EAK_64,
  rEak,
  REC,
  RF_REP,
  RF_REPNE,
  rFlags,
  rSeg,
  setReg,
} from "../../code/record";
import { spanToRead, spanToWrite } from "../../memory/span";
import { again } from "../../code/ip";
import { linear } from "../../code/operand";
import { RFLAGS_DF, RFLAGS_TF } from "../../x86/flags";
import { stepping } from "../../points/pass";
import { allow, cutsRepeat, judging, stuckRepeat } from "../../points/repeat";
import { LISTS, way } from "../../system/way";

const BATCH: u32 = 4096;

// --- registers of the address size

@inline
function setAddr(cell: usize, mask: u64, v: u64): void {
  if (mask == 0xffff) store<u16>(cell, <u16> v);
  else store<u64>(cell, v & mask);
}

@inline
export function stringStep(bytes: u32): u64 {
  return load<u32>(EFL) & RFLAGS_DF ? 0 - <u64> bytes : bytes;
}

export function advance(cell: usize, mask: u64, by: u64): void {
  setAddr(cell, mask, load<u64>(cell) + by);
}

/** Linear address of the source element at offset `off`. */
@inline
export function sourceAt(p: usize, off: u64, bytes: u32): u64 {
  if (rEak(p) == EAK_64) return off;
  return linear(rSeg(p), off, bytes, false);
}

/** Linear address of the destination element, always in ES. */
@inline
export function destAt(off: u64, bytes: u32, write: bool): u64 {
  if (load<u8>(MODE) == MODE_LONG) return off;
  return linear(S_ES, off, bytes, write);
}

/** How many iterations one execution may do. */
@inline
export function batch(): u32 {
  const one = load<u32>(EFL) & RFLAGS_TF || stepping() || way == LISTS;
  return allow(one ? 1 : BATCH);
}

/** How many of n iterations, of which `left` may be done, are done at once. */
@inline
function atOnce(n: u64, left: u32): u32 {
  return judging() ? 1 : n < <u64> left ? <u32> n : left;
}

/**
 * Elements from `at` (linear) in the direction of DF that lie inside its page.
 */
function inPage(at: u64, bytes: u32, down: bool): u32 {
  const off = <u32> at & 0xfff;
  if (down) return off + bytes > 0x1000 ? 0 : off / bytes + 1;
  return (0x1000 - off) / bytes;
}

/** Elements from offset `off` that do not wrap around the address size. */
function unwrapped(off: u64, mask: u64, bytes: u32, down: bool): u64 {
  return down ? off / bytes + 1 : (mask - off) / bytes;
}

/**
 * Cuts n to what one run of a source or destination may have; 0 when there is
 * none.
 */
function runOf(n: u32, at: u64, off: u64, mask: u64, bytes: u32): u32 {
  const down = (load<u32>(EFL) & RFLAGS_DF) != 0;
  const k = inPage(at, bytes, down);
  if (k < n) n = k;
  if (mask != ~<u64> 0) {
    const u = unwrapped(off, mask, bytes, down);
    if (u < <u64> n) n = <u32> u;
  }
  return n;
}

/**
 * Whether [off, off + bytes) passes the segment's checks; never leaves a fault.
 */
function runAllowed(seg: u32, off: u64, bytes: u32, write: bool): bool {
  if (load<u8>(MODE) == MODE_LONG) return true;
  linear(seg, off, bytes, write);
  if (!load<u32>(FAULT)) return true;
  store<u32>(FAULT, 0);
  return false;
}

// --- MOVS

/**
 * The pages of the last element that was moved singly: page (linear; odd for
 * none) and what makes a host address of a linear one. When source and
 * destination share a place in the TLB it never has both, but within an
 * instruction what was found stays true.
 */
let sourcePage: u64 = 1;
let sourceAdd: u32 = 0;
let destPage: u64 = 1;
let destAdd: u32 = 0;

function holdSource(at: u64): void {
  const host = spanToRead(at);
  sourcePage = host ? at & ~0xfff : 1;
  sourceAdd = <u32> host - <u32> at;
}

function holdDest(at: u64): void {
  const host = spanToWrite(at);
  destPage = host ? at & ~0xfff : 1;
  destAdd = <u32> host - <u32> at;
}

/**
 * Moves a run of at most n elements; returns how many it moved (0: go singly).
 */
function moveRun<T>(p: usize, mask: u64, n: u32): u32 {
  const size: u32 = sizeof<T>();
  const down = (load<u32>(EFL) & RFLAGS_DF) != 0;
  const si = load<u64>(RSI) & mask;
  const di = load<u64>(RDI) & mask;
  let s = sourceAt(p, si, size);
  let d = destAt(di, size, true);
  if (load<u32>(FAULT)) {
    store<u32>(FAULT, 0);
    return 0;
  }
  n = runOf(n, s, si, mask, size);
  n = runOf(n, d, di, mask, size);
  if (n < 2) return 0;
  const bytes = n * size;
  const back: u64 = down ? bytes - size : 0;
  if (!runAllowed(rSeg(p), si - back, bytes, false)) return 0;
  if (!runAllowed(S_ES, di - back, bytes, true)) return 0;
  s -= back;
  d -= back;
  let from = spanToRead(s);
  if (!from && (s & ~0xfff) == sourcePage) from = <usize> (<u32> s + sourceAdd);
  let to = spanToWrite(d);
  if (!to && (d & ~0xfff) == destPage) to = <usize> (<u32> d + destAdd);
  if (!from || !to) return 0;
  if (!down && to > from && to < from + bytes) {
    // each element may be read after it was written: repeat the pattern
    for (let i: u32 = 0; i < bytes; i += size) {
      store<T>(to + i, load<T>(from + i));
    }
  } else if (down && from > to && from < to + bytes) {
    for (let i = bytes; i > 0; i -= size) {
      store<T>(to + i - size, load<T>(from + i - size));
    }
  } else memory.copy(to, from, bytes);
  return n;
}

/** Moves one element; with `hold` its pages are noted for moveRun(). */
@inline
function moveOne<T>(p: usize, mask: u64, hold: bool): bool {
  const s = sourceAt(p, load<u64>(RSI) & mask, sizeof<T>());
  if (load<u32>(FAULT)) return false;
  const v = rd<T>(s);
  if (load<u32>(FAULT)) return false;
  if (hold) holdSource(s);
  const d = destAt(load<u64>(RDI) & mask, sizeof<T>(), true);
  if (load<u32>(FAULT)) return false;
  wr<T>(d, v);
  if (load<u32>(FAULT)) return false;
  if (hold) holdDest(d);
  return true;
}

function movs<T>(p: usize): usize {
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  if (!(rFlags(p) & (RF_REP | RF_REPNE))) {
    if (!moveOne<T>(p, mask, false)) return 0;
    advance(RSI, mask, step);
    advance(RDI, mask, step);
    return p + REC;
  }
  let n = load<u64>(RCX) & mask;
  let left = batch();
  sourcePage = destPage = 1;
  while (n != 0) {
    if (left == 0) return again(p);
    const most = atOnce(n, left);
    let k: u32 = most > 1 ? moveRun<T>(p, mask, most) : 0;
    if (k == 0) {
      if (!moveOne<T>(p, mask, true)) return stuckRepeat(left);
      k = 1;
    }
    advance(RSI, mask, step * k);
    advance(RDI, mask, step * k);
    n -= k;
    left -= k;
    setAddr(RCX, mask, n);
    if (n != 0 && cutsRepeat(left)) return again(p);
  }
  return p + REC;
}

// --- STOS

function fillRun<T>(mask: u64, n: u32): u32 {
  const size: u32 = sizeof<T>();
  const di = load<u64>(RDI) & mask;
  let d = destAt(di, size, true);
  if (load<u32>(FAULT)) {
    store<u32>(FAULT, 0);
    return 0;
  }
  n = runOf(n, d, di, mask, size);
  if (n < 2) return 0;
  const bytes = n * size;
  const back: u64 = load<u32>(EFL) & RFLAGS_DF ? bytes - size : 0;
  if (!runAllowed(S_ES, di - back, bytes, true)) return 0;
  d -= back;
  const to = spanToWrite(d);
  if (!to) return 0;
  const v = load<T>(RAX);
  if (v == 0 || sizeof<T>() == 1) memory.fill(to, <u8> v, bytes);
  else {
    for (let i: u32 = 0; i < bytes; i += size) store<T>(to + i, v);
  }
  return n;
}

@inline
function fillOne<T>(mask: u64): bool {
  const d = destAt(load<u64>(RDI) & mask, sizeof<T>(), true);
  if (load<u32>(FAULT)) return false;
  wr<T>(d, load<T>(RAX));
  return load<u32>(FAULT) == 0;
}

function stos<T>(p: usize): usize {
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  if (!(rFlags(p) & (RF_REP | RF_REPNE))) {
    if (!fillOne<T>(mask)) return 0;
    advance(RDI, mask, step);
    return p + REC;
  }
  let n = load<u64>(RCX) & mask;
  let left = batch();
  while (n != 0) {
    if (left == 0) return again(p);
    const most = atOnce(n, left);
    let k: u32 = most > 1 ? fillRun<T>(mask, most) : 0;
    if (k == 0) {
      if (!fillOne<T>(mask)) return stuckRepeat(left);
      k = 1;
    }
    advance(RDI, mask, step * k);
    n -= k;
    left -= k;
    setAddr(RCX, mask, n);
    if (n != 0 && cutsRepeat(left)) return again(p);
  }
  return p + REC;
}

// --- LODS

function lods<T>(p: usize): usize {
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  const rep = (rFlags(p) & (RF_REP | RF_REPNE)) != 0;
  let n: u64 = rep ? load<u64>(RCX) & mask : 1;
  let left = batch();
  while (n != 0) {
    if (left == 0) return again(p);
    const s = sourceAt(p, load<u64>(RSI) & mask, sizeof<T>());
    if (load<u32>(FAULT)) return stuckRepeat(left);
    const v = rd<T>(s);
    if (load<u32>(FAULT)) return stuckRepeat(left);
    setReg<T>(RAX, v);
    advance(RSI, mask, step);
    n--;
    left--;
    if (rep) setAddr(RCX, mask, n);
    if (n != 0 && cutsRepeat(left)) return again(p);
  }
  return p + REC;
}

// --- CMPS SCAS: flags are those of the last comparison, also when the next one
// faults

/**
 * A faulting iteration: the flags of the one before it, if there was one.
 * Returns 0.
 */
@inline
function cut<T>(left: u32, compared: bool, a: T, b: T): usize {
  if (compared) flagsSub<T>(a, b, <T> (a - b));
  return stuckRepeat(left);
}

/**
 * Host address of at most n elements upwards from offset `off` of a segment,
 * whose first one is at `at` and allowed, or 0; how many there are in
 * runElements.
 */
let runElements: u32 = 0;
@inline
function runToRead(
  seg: u32,
  at: u64,
  off: u64,
  mask: u64,
  size: u32,
  n: u32,
): usize {
  runElements = runOf(n, at, off, mask, size);
  if (runElements < 2) return 0;
  if (!runAllowed(seg, off, runElements * size, false)) return 0;
  return spanToRead(at);
}

/** Elements of a SCAS, at most n, that do not end it. */
function scanRun<T>(mask: u64, n: u32, equal: bool): u32 {
  const size: u32 = sizeof<T>();
  if (load<u32>(EFL) & RFLAGS_DF) return 0;
  const di = load<u64>(RDI) & mask;
  const d = destAt(di, size, false);
  if (load<u32>(FAULT)) {
    store<u32>(FAULT, 0);
    return 0;
  }
  const from = runToRead(S_ES, d, di, mask, size, n);
  if (!from) return 0;
  const a = load<T>(RAX);
  const most = runElements;
  let k: u32 = 0;
  while (k < most && (load<T>(from + k * size) == a) == equal) k++;
  return k;
}

/** Elements of a CMPS, at most n, that do not end it. */
function compareRun<T>(p: usize, mask: u64, n: u32, equal: bool): u32 {
  const size: u32 = sizeof<T>();
  if (load<u32>(EFL) & RFLAGS_DF) return 0;
  const si = load<u64>(RSI) & mask;
  const di = load<u64>(RDI) & mask;
  const s = sourceAt(p, si, size);
  const d = destAt(di, size, false);
  if (load<u32>(FAULT)) {
    store<u32>(FAULT, 0);
    return 0;
  }
  const one = runToRead(rSeg(p), s, si, mask, size, n);
  if (!one) return 0;
  const other = runToRead(S_ES, d, di, mask, size, runElements);
  if (!other) return 0;
  const most = runElements;
  let k: u32 = 0;
  while (
    k < most &&
    (load<T>(one + k * size) == load<T>(other + k * size)) == equal
  ) k++;
  return k;
}

/** Iterations of a REP before its last one, at most. */
@inline
function before(n: u64, left: u32): u32 {
  return atOnce(n, left) - 1;
}

function cmps<T>(p: usize): usize {
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  const rep = rFlags(p) & (RF_REP | RF_REPNE);
  let n: u64 = rep ? load<u64>(RCX) & mask : 1;
  let left = batch();
  let compared = false;
  let a: T = 0;
  let b: T = 0;
  while (n != 0) {
    const k = rep ? compareRun<T>(p, mask, before(n, left), rep == RF_REP) : 0;
    if (k != 0) {
      advance(RSI, mask, step * k);
      advance(RDI, mask, step * k);
      n -= k;
      left -= k;
      setAddr(RCX, mask, n);
      // what was compared last, should the next one fault
      a = rd<T>(sourceAt(p, (load<u64>(RSI) - step) & mask, sizeof<T>()));
      b = rd<T>(destAt((load<u64>(RDI) - step) & mask, sizeof<T>(), false));
      compared = true;
    }
    // DS:RSI's fault comes first, as in newer processors (older AMD ones:
    // ES:RDI's)
    const s = sourceAt(p, load<u64>(RSI) & mask, sizeof<T>());
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    const x = rd<T>(s);
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    const d = destAt(load<u64>(RDI) & mask, sizeof<T>(), false);
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    const y = rd<T>(d);
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    a = x;
    b = y;
    compared = true;
    advance(RSI, mask, step);
    advance(RDI, mask, step);
    n--;
    left--;
    if (rep) setAddr(RCX, mask, n);
    const on = n != 0 && (a == b) == (rep == RF_REP);
    if (judging()) flagsSub<T>(a, b, <T> (a - b));
    if (!on || left == 0 || cutsRepeat(left)) {
      flagsSub<T>(a, b, <T> (a - b));
      return on ? again(p) : p + REC;
    }
  }
  return p + REC;
}

function scas<T>(p: usize): usize {
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  const rep = rFlags(p) & (RF_REP | RF_REPNE);
  let n: u64 = rep ? load<u64>(RCX) & mask : 1;
  let left = batch();
  let compared = false;
  let b: T = 0;
  const a = load<T>(RAX);
  while (n != 0) {
    const k = rep ? scanRun<T>(mask, before(n, left), rep == RF_REP) : 0;
    if (k != 0) {
      advance(RDI, mask, step * k);
      n -= k;
      left -= k;
      setAddr(RCX, mask, n);
      // what was compared last, should the next one fault
      b = rd<T>(destAt((load<u64>(RDI) - step) & mask, sizeof<T>(), false));
      compared = true;
    }
    const d = destAt(load<u64>(RDI) & mask, sizeof<T>(), false);
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    const y = rd<T>(d);
    if (load<u32>(FAULT)) return cut<T>(left, compared, a, b);
    b = y;
    compared = true;
    advance(RDI, mask, step);
    n--;
    left--;
    if (rep) setAddr(RCX, mask, n);
    const on = n != 0 && (a == b) == (rep == RF_REP);
    if (judging()) flagsSub<T>(a, b, <T> (a - b));
    if (!on || left == 0 || cutsRepeat(left)) {
      flagsSub<T>(a, b, <T> (a - b));
      return on ? again(p) : p + REC;
    }
  }
  return p + REC;
}

export function registerStrings(): void {
  def(M_ONE, 0xa4, SZ_B);
  hr(0, (p) => movs<u8>(p));
  def(M_ONE, 0xa5, SZ_V);
  v3r((p) => movs<u16>(p), (p) => movs<u32>(p), (p) => movs<u64>(p));
  def(M_ONE, 0xa6, SZ_B);
  hr(0, (p) => cmps<u8>(p));
  def(M_ONE, 0xa7, SZ_V);
  v3r((p) => cmps<u16>(p), (p) => cmps<u32>(p), (p) => cmps<u64>(p));
  def(M_ONE, 0xaa, SZ_B);
  hr(0, (p) => stos<u8>(p));
  def(M_ONE, 0xab, SZ_V);
  v3r((p) => stos<u16>(p), (p) => stos<u32>(p), (p) => stos<u64>(p));
  def(M_ONE, 0xac, SZ_B);
  hr(0, (p) => lods<u8>(p));
  def(M_ONE, 0xad, SZ_V);
  v3r((p) => lods<u16>(p), (p) => lods<u32>(p), (p) => lods<u64>(p));
  def(M_ONE, 0xae, SZ_B);
  hr(0, (p) => scas<u8>(p));
  def(M_ONE, 0xaf, SZ_V);
  v3r((p) => scas<u16>(p), (p) => scas<u32>(p), (p) => scas<u64>(p));
}
