// Accesses to pages with data points (points/data.ts).
import { FAULT } from "../layout";
import { physHost } from "./phys";
import {
  firstPart,
  loadBytes,
  readAny,
  storeBytes,
  wrap,
  writeAny,
} from "./slow";
import { entry } from "./tlb";
import {
  ACC_READ,
  ACC_WRITE,
  translate,
  Translation,
  TRANSLATION_BYTES,
} from "./walk";
import { needSync, synced } from "../system/time";
import { setChanged } from "./marks";
import { WATCHED } from "../shared";
import { CALLS, way } from "../system/way";
import {
  linesOf,
  noteAccess,
  physicalData,
  watches,
  watching,
} from "../points/data";

const PEEKED: usize = memory.data(TRANSLATION_BYTES, 8);

/**
 * Memory behind a byte that an access may touch, or 0; nothing changes by
 * asking.
 */
function quietHost(linear: u64, acc: u32, user: bool, implicit: bool): u32 {
  const found = changetype<Translation>(PEEKED);
  return translate(found, linear, acc, user, implicit, true)
    ? physHost(found.gpa)
    : 0;
}

/** What is there, as far as it is memory. */
function peek(linear: u64, bytes: u32, user: bool, implicit: bool): u64 {
  const n = firstPart(linear, bytes);
  const h = quietHost(linear, ACC_READ, user, implicit);
  let v = h ? loadBytes(h, n) : 0;
  if (n < bytes) {
    const w = quietHost(wrap(linear + n), ACC_READ, user, implicit);
    if (w) v |= loadBytes(w, bytes - n) << (n * 8);
  }
  return v;
}

/** Whether an access touches watched data. */
export function touches(
  acc: u32,
  linear: u64,
  bytes: u32,
  user: bool,
  implicit: bool,
): bool {
  const n = firstPart(linear, bytes);
  let h = physicalData ? quietHost(linear, ACC_READ, user, implicit) : 0;
  if (watches(acc, linear, n, h)) return true;
  if (n == bytes) return false;
  const next = wrap(linear + n);
  h = physicalData ? quietHost(next, ACC_READ, user, implicit) : 0;
  return watches(acc, next, bytes - n, h);
}

/**
 * Notes an access that touched watched data, for the exit behind its
 * instruction.
 */
export function note(
  acc: u32,
  linear: u64,
  bytes: u32,
  before: u64,
  after: u64,
  user: bool,
  implicit: bool,
): void {
  const n = firstPart(linear, bytes);
  let h = physicalData ? quietHost(linear, ACC_READ, user, implicit) : 0;
  noteAccess(acc, linear, bytes, linear, n, h, before, after);
  if (n == bytes) return;
  const next = wrap(linear + n);
  h = physicalData ? quietHost(next, ACC_READ, user, implicit) : 0;
  noteAccess(acc, linear, bytes, next, bytes - n, h, before, after);
}

/** Reads with regard to data points; `set` is the TLB set for the access. */
export function readAt(
  set: usize,
  linear: u64,
  bytes: u32,
  user: bool,
  implicit: bool,
): u64 {
  if (!watching || way == CALLS) return readAny(linear, bytes, user, implicit);
  const e = entry(set, linear);
  const known = load<u64>(e) == (((linear + bytes - 1) & ~0xfff) | WATCHED);
  const h = <usize> (<u32> linear + load<u32>(e, 16));
  if (known && !(load<u32>(e, 20) & linesOf(linear, bytes))) {
    return loadBytes(h, bytes);
  }
  const hit = touches(ACC_READ, linear, bytes, user, implicit);
  if (hit && !synced) {
    needSync();
    return 0;
  }
  const v = known
    ? loadBytes(h, bytes)
    : readAny(linear, bytes, user, implicit);
  if (hit && !load<u32>(FAULT)) {
    note(ACC_READ, linear, bytes, v, v, user, implicit);
  }
  return v;
}

/** Writes with regard to data points. */
export function writeAt(
  set: usize,
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  if (!watching || way == CALLS) {
    writeAny(linear, bytes, v, user, implicit);
    return;
  }
  const e = entry(set, linear);
  const known = load<u64>(e, 8) == (((linear + bytes - 1) & ~0xfff) | WATCHED);
  const h = <usize> (<u32> linear + load<u32>(e, 16));
  if (known) setChanged(<u32> h);
  if (known && !(load<u32>(e, 20) & linesOf(linear, bytes))) {
    storeBytes(h, bytes, v);
    return;
  }
  const hit = touches(ACC_WRITE, linear, bytes, user, implicit);
  if (hit && !synced) {
    needSync();
    return;
  }
  const before = hit ? peek(linear, bytes, user, implicit) : 0;
  if (known) storeBytes(h, bytes, v);
  else writeAny(linear, bytes, v, user, implicit);
  if (hit && !load<u32>(FAULT)) {
    note(ACC_WRITE, linear, bytes, before, v, user, implicit);
  }
}
