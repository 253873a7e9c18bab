// Accesses of any size and place: page by page, to memory, the local APIC and
// devices.
import { codeWritten } from "../code/cache";
import { CODELINES, EFER, F_NONCANON, FAULT, MODE, MODE_LONG } from "../layout";
import { hole, hostFor } from "./resolve";
import { ACC_READ, ACC_WRITE } from "./walk";
import { apicRead, apicWrite } from "../system/apic";
import { hostDoorbell } from "../system/host";
import { EFER_LMA } from "../x86/control_registers";
import { HOLE_APIC, HOLE_EXIT } from "./hole";
import { reachRead, reachWrite } from "../system/reach";

export function loadBytes(h: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(h);
  if (bytes == 4) return load<u32>(h);
  let v: u64 = 0;
  for (let i = bytes; i-- > 0;) v = (v << 8) | load<u8>(h + i);
  return v;
}

function partRead(linear: u64, bytes: u32, user: bool, implicit: bool): u64 {
  const h = hostFor(linear, ACC_READ, user, implicit);
  if (h != 0) return loadBytes(h, bytes);
  if (load<u32>(FAULT)) return 0;
  const gpa = hole().gpa;
  if (hole().kind == HOLE_APIC) return apicRead(<u32> gpa & 0xfff, bytes);
  return reachRead(gpa, bytes, false);
}

export function storeBytes(h: usize, bytes: u32, v: u64): void {
  if (bytes == 8) store<u64>(h, v);
  else if (bytes == 4) store<u32>(h, <u32> v);
  else if (bytes == 2) store<u16>(h, <u16> v);
  else if (bytes == 1) store<u8>(h, <u8> v);
  else {
    for (let i: u32 = 0; i < bytes; i++) {
      store<u8>(h + i, <u8> v);
      v >>= 8;
    }
  }
}

/** Whether there are doorbells (hostDoorbell). */
let doorbells: bool = false;

export function setDoorbells(there: bool): void {
  doorbells = there;
}

/**
 * A write that would make a memory access exit is done if a doorbell takes it.
 */
function ring(bytes: u32, v: u64): void {
  if (hole().kind == HOLE_EXIT && hostDoorbell(hole().gpa, bytes, v)) {
    store<u32>(FAULT, 0);
  }
}

function partWrite(
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  const h = hostFor(linear, ACC_WRITE, user, implicit);
  if (h != 0) {
    if (load<u64>(CODELINES + (<usize> (h >> 12) << 3))) codeWritten(h, bytes);
    storeBytes(h, bytes, v);
    return;
  }
  if (load<u32>(FAULT)) {
    if (doorbells) ring(bytes, v);
    return;
  }
  const gpa = hole().gpa;
  if (hole().kind == HOLE_APIC) apicWrite(<u32> gpa & 0xfff, bytes, v);
  else reachWrite(gpa, bytes, v, false);
}

/** Bytes of the access before the page boundary; all when it does not cross. */
@inline
export function firstPart(linear: u64, bytes: u32): u32 {
  const room: u32 = 0x1000 - (<u32> linear & 0xfff);
  return room < bytes ? room : bytes;
}

/** In 32-bit address spaces the second part of an access wraps at 4 GiB. */
@inline
export function wrap(linear: u64): u64 {
  return load<u64>(EFER) & EFER_LMA ? linear : linear & 0xffffffff;
}

/**
 * True (with FAULT set) when the access runs out of the canonical addresses.
 */
export function runsOut(linear: u64, bytes: u32): bool {
  if (load<u8>(MODE) != MODE_LONG) return false;
  const last = linear + bytes - 1;
  if (<i64> (last << 16) >> 16 == <i64> last) return false;
  store<u32>(FAULT, F_NONCANON);
  return true;
}

export function readAny(
  linear: u64,
  bytes: u32,
  user: bool,
  implicit: bool,
): u64 {
  const n = firstPart(linear, bytes);
  if (n < bytes && runsOut(linear, bytes)) return 0;
  let v = partRead(linear, n, user, implicit);
  if (n < bytes && !load<u32>(FAULT)) {
    const w = partRead(wrap(linear + n), bytes - n, user, implicit);
    v |= w << (n * 8);
  }
  return v;
}

export function writeAny(
  linear: u64,
  bytes: u32,
  v: u64,
  user: bool,
  implicit: bool,
): void {
  const n = firstPart(linear, bytes);
  if (n < bytes) {
    if (runsOut(linear, bytes)) return;
    // both pages must allow the write before either changes
    hostFor(linear, ACC_WRITE, user, implicit);
    if (load<u32>(FAULT)) return;
    hostFor(wrap(linear + n), ACC_WRITE, user, implicit);
    if (load<u32>(FAULT)) return;
    partWrite(linear, n, v, user, implicit);
    if (load<u32>(FAULT)) return;
    partWrite(wrap(linear + n), bytes - n, v >> (n * 8), user, implicit);
    return;
  }
  partWrite(linear, bytes, v, user, implicit);
}
