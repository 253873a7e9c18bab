// Accesses by linear address: what the TLB serves at once, and what then has to
// be looked at. Privilege, alignment and breakpoints are checked here; what
// lies at an address is resolve.ts's.
import { raise } from "../cpu/fault";
import {
  BKIND,
  BLIN,
  BOUNCE,
  BSIZE,
  CODELINES,
  CR0,
  DR7,
  EFL,
  FAULT,
  TLBB,
} from "../layout";
import { needSync, synced } from "../system/time";
import { checkWatch, watchAlone } from "./breakpoints";
import { hostFor, isUser } from "./resolve";
import { firstPart, readAny, runsOut, wrap } from "./slow";
import { entry, setOf } from "./tlb";
import { ACC_READ, ACC_WRITE } from "./walk";
import { note, readAt, touches, writeAt } from "./watched";
import { setChanged } from "./marks";
import { CR0_AM } from "../x86/control_registers";
import { Vector } from "../x86/vectors";
import { RFLAGS_AC } from "../x86/flags";
import { DR7_ENABLES } from "../x86/debug_registers";
import { WATCHED } from "../shared";
import { CALLS, way } from "../system/way";
import { linesOf, watching } from "../points/data";

/**
 * True (with #AC raised) when alignment checking forbids the access. A
 * non-canonical address is for the translation to refuse.
 */
function misaligned(linear: u64, bytes: u32): bool {
  if (
    isUser() && (load<u64>(CR0) & CR0_AM) != 0 &&
    (load<u32>(EFL) & RFLAGS_AC) != 0 && linear & (bytes - 1) &&
    <i64> (linear << 16) >> 16 == <i64> linear
  ) {
    raise(Vector.AC);
    return true;
  }
  return false;
}

function rdSlow(linear: u64, bytes: u32): u64 {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, false)) return 0;
  const v = readAt(load<u32>(TLBB), linear, bytes, isUser(), false);
  if (load<u64>(DR7) & DR7_ENABLES && !load<u32>(FAULT)) {
    checkWatch(linear, bytes, false);
  }
  return v;
}

function wrSlow(linear: u64, bytes: u32, v: u64): void {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, true)) return;
  writeAt(load<u32>(TLBB), linear, bytes, v, isUser(), false);
  if (load<u64>(DR7) & DR7_ENABLES && !load<u32>(FAULT)) {
    checkWatch(linear, bytes, true);
  }
}

/** Prepares a read-modify-write: see rw(). */
function rwSlow(linear: u64, bytes: u32): usize {
  if (misaligned(linear, bytes) || watchAlone(linear, bytes, true)) return 0;
  const user = isUser();
  let hit = false;
  if (watching && way != CALLS) {
    const e = entry(load<u32>(TLBB), linear);
    if (
      load<u64>(e, 8) == (((linear + bytes - 1) & ~0xfff) | WATCHED) &&
      !(load<u32>(e, 20) & linesOf(linear, bytes))
    ) {
      store<u32>(BKIND, 0);
      setChanged(<u32> linear + load<u32>(e, 16));
      return <usize> (<u32> linear + load<u32>(e, 16));
    }
    hit = touches(ACC_READ | ACC_WRITE, linear, bytes, user, false);
    if (hit && !synced) return needSync();
  }
  const n = firstPart(linear, bytes);
  if (n < bytes && runsOut(linear, bytes)) return 0;
  const h = hostFor(linear, ACC_WRITE, user, false);
  if (load<u32>(FAULT)) return 0;
  if (
    n == bytes && h != 0 && !(load<u64>(DR7) & DR7_ENABLES) && !hit &&
    !load<u64>(CODELINES + (<usize> (h >> 12) << 3))
  ) {
    store<u32>(BKIND, 0);
    return h;
  }
  if (n < bytes) {
    hostFor(wrap(linear + n), ACC_WRITE, user, false);
    if (load<u32>(FAULT)) return 0;
  }
  const v = readAny(linear, bytes, user, false);
  if (load<u32>(FAULT)) return 0;
  if (hit) note(ACC_READ, linear, bytes, v, v, user, false);
  store<u64>(BOUNCE, v);
  store<u64>(BLIN, linear);
  store<u32>(BSIZE, bytes);
  store<u32>(BKIND, 1);
  return BOUNCE;
}

/**
 * Whether `bytes` (at most 16) at `linear` can be written with the current
 * privilege, which no device notices; false with FAULT set.
 */
export function writable(linear: u64, bytes: u32): bool {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (bytes - 1)) & ~0xfff)) return true;
  if (misaligned(linear, bytes)) return false;
  if (firstPart(linear, bytes) < bytes && runsOut(linear, bytes)) return false;
  return probe(linear, bytes, ACC_WRITE);
}

/**
 * Completes a read-modify-write whose rw() address was not plain memory (BKIND
 * != 0).
 */
export function rwCommit(): void {
  store<u32>(BKIND, 0);
  wrSlow(load<u64>(BLIN), load<u32>(BSIZE), load<u64>(BOUNCE));
}

// --- the fast paths

/**
 * Reads a T at a linear address with the current privilege. On a fault: FAULT
 * set, 0.
 */
@inline
export function rd<T>(linear: u64): T {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return load<T>(<usize> (<u32> linear + load<u32>(e, 16)));
  }
  return <T> rdSlow(linear, sizeof<T>());
}

/**
 * Writes a T at a linear address with the current privilege. On a fault: FAULT
 * set, nothing written.
 */
@inline
export function wr<T>(linear: u64, v: T): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    store<T>(<usize> (<u32> linear + load<u32>(e, 16)), v);
    return;
  }
  wrSlow(linear, sizeof<T>(), <u64> v);
}

/**
 * Host address of a T to read and then write at a linear address, or 0 with
 * FAULT set. After storing there, see
 * rmwFailed() (insn/rmw.ts).
 */
@inline
export function rw<T>(linear: u64): usize {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return <usize> (<u32> linear + load<u32>(e, 16));
  }
  return rwSlow(linear, sizeof<T>());
}

// --- system accesses: descriptor tables, TSS, interrupt stacks

/** Reads a T as the supervisor, whatever CPL is (GDT, LDT, IDT, TSS). */
export function rdSys<T>(linear: u64): T {
  const set = setOf(0);
  const e = entry(set, linear);
  if (load<u64>(e) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    return load<T>(<usize> (<u32> linear + load<u32>(e, 16)));
  }
  return <T> readAt(set, wrap(linear), sizeof<T>(), false, true);
}

/** Writes a T as the supervisor, whatever CPL is. */
export function wrSys<T>(linear: u64, v: T): void {
  const set = setOf(0);
  const e = entry(set, linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    store<T>(<usize> (<u32> linear + load<u32>(e, 16)), v);
    return;
  }
  writeAt(set, wrap(linear), sizeof<T>(), <u64> v, false, true);
}

/** Writes a T with the privilege of level `cpl` (stack switches). */
export function wrAs<T>(linear: u64, v: T, cpl: u32): void {
  const set = setOf(cpl);
  const e = entry(set, linear);
  if (load<u64>(e, 8) == ((linear + (sizeof<T>() - 1)) & ~0xfff)) {
    store<T>(<usize> (<u32> linear + load<u32>(e, 16)), v);
    return;
  }
  writeAt(set, wrap(linear), sizeof<T>(), <u64> v, cpl == 3, false);
}

/**
 * Makes sure that `bytes` (any number) at `linear` can be accessed; false with
 * FAULT set.
 */
export function probe(linear: u64, bytes: u32, acc: u32): bool {
  let at = linear;
  const user = isUser();
  let left = <i64> bytes;
  while (left > 0) {
    hostFor(wrap(at), acc, user, false);
    if (load<u32>(FAULT)) return false;
    const step = <i64> (0x1000 - (at & 0xfff));
    at += step;
    left -= step;
  }
  return true;
}

/**
 * 16-byte accesses: into and out of a 16-byte cell. On a fault nothing changes.
 */
export function rd128(linear: u64, to: usize): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e) == ((linear + 15) & ~0xfff)) {
    const h = <usize> (<u32> linear + load<u32>(e, 16));
    store<u64>(to, load<u64>(h));
    store<u64>(to, load<u64>(h, 8), 8);
    return;
  }
  const lo = rdSlow(linear, 8);
  if (load<u32>(FAULT)) return;
  const hi = rdSlow(wrap(linear + 8), 8);
  if (load<u32>(FAULT)) return;
  store<u64>(to, lo);
  store<u64>(to, hi, 8);
}

export function wr128(linear: u64, lo: u64, hi: u64): void {
  const e = entry(load<u32>(TLBB), linear);
  if (load<u64>(e, 8) == ((linear + 15) & ~0xfff)) {
    const h = <usize> (<u32> linear + load<u32>(e, 16));
    store<u64>(h, lo);
    store<u64>(h, hi, 8);
    return;
  }
  if ((linear & 0xfff) > 0xff0 && !probe(linear, 16, ACC_WRITE)) return;
  wrSlow(linear, 8, lo);
  if (load<u32>(FAULT)) return;
  wrSlow(wrap(linear + 8), 8, hi);
}
