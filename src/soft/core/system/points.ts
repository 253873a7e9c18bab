// Debug points: instruction addresses and data ranges that a debugger wants to
// hear of (ICEBP_DEBUG_POINT, ffi/debug_points.ts). They are kept here and
// nowhere else: not in guest memory, not in DR0-7, so the guest has nothing to
// find and nothing to lose.
//
// Code. A page (linear or physical) with instruction points has blocks of its
// own, by its variant, in which a record with the point handler precedes each
// instruction that has one (code/decode.ts). Everywhere else nothing is
// different. An address once put into blocks stays there when its point goes,
// so that the same set coming and going, as with every stop of a debugger,
// decodes nothing anew.
//
// Data. A TLB entry of a page with a watched byte has WATCHED in its tags, so
// that every access misses the fast path, and the page's 128-byte lines that
// are watched as a bitmap (memory/resolve.ts). An access to one is noted with
// the values before and after, and exits behind its instruction.
import { cacheFlush } from "../code/cache";
import {
  CR3,
  EXITBUF,
  F_POINT,
  FAULT,
  HIT_COUNT,
  HITS,
  IOBUF,
  MODE,
  MODE_LONG,
  P_PASS,
  P_POINT,
  PASS,
  PENDING,
  POINT_ADDRESSES,
  POINT_DATA,
  POINT_PAGES,
  POINTS,
  RIP,
  S_CS,
  SEG_BASE,
  SEGS,
  TLB_VP,
  TLBS,
} from "../layout";
import { physHost } from "../memory/phys";
import { isRepeated, REC, rOpcode } from "../code/record";
import { ipOf } from "../code/ip";
import { beginExit, finishExit } from "./exit";
import { vpCount } from "./processors";
import { flushJumps } from "../code/jumps";
import { setChanged } from "../memory/marks";
import { WITHHELD } from "../memory/tlb";
import { CR3_TABLE } from "../x86/control_registers";
import {
  DEBUG_POINT,
  DebugAccess,
  DebugSpace,
  MAX_DEBUG_HITS,
  MAX_DEBUG_POINTS,
} from "../whv/names";
import { DebugHit } from "../whv/structures";
import { WATCHED } from "../shared";

// A point: address u64, length u64, CR3 u64, access u32 (0: unused), space u32,
// next identifier + 1 of the same instruction address u32, host address u32.
const POINT_BYTES: usize = 40;

const P_ADDRESS: usize = 0;
const P_LENGTH: usize = 8;
const P_CR3: usize = 16;
const P_ACCESS: usize = 24;
const P_SPACE: usize = 28;
const P_NEXT: usize = 32;
const P_HOST: usize = 36;

// Open hash tables of 16-byte slots: key u64 (0 is a key), value u32, used u32.
const ADDRESS_SLOTS: u32 = 131072;

const PAGE_SLOTS: u32 = 131072;

/**
 * Keys of physical addresses, which here are the module's own: no canonical
 * address has this bit without the one above.
 */
const PHYSICAL: u64 = <u64> 1 << 62;

/** Instruction addresses that blocks know, live or not. */
let addresses: u32 = 0;

/** Whether any block is to have points. */
export let anyCode: bool = false;

let physicalCode: u32 = 0;

/** Data points: identifiers at POINT_DATA. */
let dataCount: u32 = 0;

/** Whether any data is watched. */
export let watching: bool = false;

export let physicalData: u32 = 0;

/** The last variant given to a page; 16 bits. */
let variants: u32 = 0;

let pointHandler: u32 = 0;

/** Whether there has been a point. */
let used: bool = false;

export function pointsInit(handler: u32): void {
  pointHandler = handler;
}

@inline
function pointOf(id: u32): usize {
  return POINTS + <usize> id * POINT_BYTES;
}

/** The slot of a key: the one that has it, or a free one. */
function find(table: usize, slots: u32, key: u64): usize {
  let i = <u32> ((key * 0x9e3779b97f4a7c15) >> 40) & (slots - 1);
  while (true) {
    const s = table + (<usize> i << 4);
    if (!load<u32>(s, 12) || load<u64>(s) == key) return s;
    i = (i + 1) & (slots - 1);
  }
}

// --- instruction addresses

/** What blocks of a page are made anew for: 0, or its variant. */
function pageVariant(key: u64): u32 {
  const s = find(POINT_PAGES, PAGE_SLOTS, key);
  return load<u32>(s, 12) ? load<u32>(s, 8) : 0;
}

/**
 * The variant of the blocks of a page with code at `host` that is run at
 * `linear`: the same number, the same points in the same places.
 */
export function variantOf(host: u32, linear: u64): u32 {
  let variant = pageVariant(linear >> 12);
  if (physicalCode) variant |= pageVariant(PHYSICAL | (host >> 12)) << 16;
  return variant;
}

/** Whether the blocks of a variant have a point before the instruction. */
export function pointAt(host: u32, linear: u64): bool {
  if (load<u32>(find(POINT_ADDRESSES, ADDRESS_SLOTS, linear), 12)) return true;
  return physicalCode != 0 &&
    load<u32>(find(POINT_ADDRESSES, ADDRESS_SLOTS, PHYSICAL | host), 12) != 0;
}

/**
 * Moves the instruction's record from p to p + REC and puts a point in its
 * place.
 */
export function makePoint(p: usize, host: u32): void {
  memory.copy(p + REC, p, REC);
  store<u16>(p, <u16> pointHandler);
  store<u8>(p, 0, 3);
  store<u32>(p, host, 24);
}

/** Has blocks know an instruction address. */
function know(key: u64): usize {
  let s = find(POINT_ADDRESSES, ADDRESS_SLOTS, key);
  if (load<u32>(s, 12)) return s;
  if (addresses + 1 > ADDRESS_SLOTS / 2) {
    forgetDead();
    s = find(POINT_ADDRESSES, ADDRESS_SLOTS, key);
  }
  addresses++;
  store<u64>(s, key);
  store<u32>(s, 0, 8);
  store<u32>(s, 1, 12);
  const page = key >> 62 == 1
    ? PHYSICAL | ((key & ~PHYSICAL) >> 12)
    : key >> 12;
  const t = find(POINT_PAGES, PAGE_SLOTS, page);
  if (!load<u32>(t, 12)) {
    store<u64>(t, page);
    store<u32>(t, 1, 12);
  }
  if (variants == 0xffff) {
    // every page gets a number again, and no block has an old one
    cacheFlush();
    variants = 0;
    for (let i: u32 = 0; i < PAGE_SLOTS; i++) {
      const u = POINT_PAGES + (<usize> i << 4);
      if (load<u32>(u, 12)) store<u32>(u, ++variants, 8);
    }
  }
  store<u32>(t, ++variants, 8);
  anyCode = true;
  flushJumps();
  return s;
}

/** Takes addresses without a point out of the tables. */
function forgetDead(): void {
  clearTables();
  for (let id: u32 = 0; id < MAX_DEBUG_POINTS; id++) {
    if (load<u32>(pointOf(id), P_ACCESS) & DebugAccess.Execute) link(id);
  }
}

function clearTables(): void {
  addresses = 0;
  anyCode = false;
  memory.fill(POINT_ADDRESSES, 0, <usize> ADDRESS_SLOTS << 4);
  memory.fill(POINT_PAGES, 0, <usize> PAGE_SLOTS << 4);
}

function keyOf(p: usize): u64 {
  return load<u32>(p, P_SPACE) == DebugSpace.Physical
    ? PHYSICAL | load<u32>(p, P_HOST)
    : load<u64>(p, P_ADDRESS);
}

function link(id: u32): void {
  const p = pointOf(id);
  const s = know(keyOf(p));
  store<u32>(p, load<u32>(s, 8), P_NEXT);
  store<u32>(s, id + 1, 8);
}

function unlink(id: u32): void {
  const p = pointOf(id);
  const s = find(POINT_ADDRESSES, ADDRESS_SLOTS, keyOf(p));
  let at: usize = s + 8;
  while (load<u32>(at) != id + 1) at = pointOf(load<u32>(at) - 1) + P_NEXT;
  store<u32>(at, load<u32>(p, P_NEXT));
}

@inline
function inSpace(p: usize): bool {
  return load<u32>(p, P_SPACE) != DebugSpace.One ||
    ((load<u64>(p, P_CR3) ^ load<u64>(CR3)) & CR3_TABLE) == 0;
}

/**
 * Identifier + 1 of a live point among those of a key that counts here, or 0.
 */
function liveAt(key: u64): u32 {
  const s = find(POINT_ADDRESSES, ADDRESS_SLOTS, key);
  if (!load<u32>(s, 12)) return 0;
  for (let id = load<u32>(s, 8); id; id = load<u32>(pointOf(id - 1), P_NEXT)) {
    if (inSpace(pointOf(id - 1))) return id;
  }
  return 0;
}

/**
 * The record of the instruction itself, where p may be of the point before it.
 */
export function withoutPoint(p: usize): usize {
  return load<u16>(p) == <u16> pointHandler ? p + REC : p;
}

/** What a VP passes without an exit (PASS). */
export const PASS_NONE: u8 = 0;

/** The next instruction, before any interrupt. */
export const PASS_NEXT: u8 = 1;

/** The next iteration of the REP that is under way. */
const PASS_REP: u8 = 2;

/**
 * As PASS_NEXT, with interrupts as ever: nobody wants to be told (the filter).
 */
const PASS_UNTOLD: u8 = 3;

/**
 * As PASS_UNTOLD, and again at the same JMP to itself: until an event comes, or
 * the slice ends, nothing can change that anybody would want to be told.
 */
const PASS_SPIN: u8 = 4;

/**
 * Together with one of them: the instruction is being executed (cpu/run.ts).
 */
export const PASSING: u8 = 0x80;

function passOn(pass: u8): void {
  store<u8>(PASS, pass);
  store<u32>(PENDING, load<u32>(PENDING) | P_PASS);
}

/**
 * The handler of a record that makePoint made: exits, or executes the
 * instruction.
 */
export function pointReached(p: usize): usize {
  const ip = ipOf(p);
  if (!load<u8>(PASS)) {
    const lin = load<u8>(MODE) == MODE_LONG
      ? ip
      : (ip + load<u64>(SEGS + (<usize> S_CS << 5), SEG_BASE)) & 0xffffffff;
    let id = liveAt(lin);
    if (!id && physicalCode) id = liveAt(PHYSICAL | load<u32>(p, 24));
    if (id) {
      noteHit(id - 1, DebugAccess.Execute, lin, 0, 0, 0);
      store<u32>(FAULT, F_POINT);
      return 0;
    }
  }
  const own = p + REC;
  const pass = load<u8>(PASS) & ~PASSING;
  const next = call_indirect<usize>(load<u16>(own), own);
  if (load<u32>(FAULT)) return next;
  if (next == 0 && isRepeated(own)) passOn(PASS_REP);
  else if (
    pass >= PASS_UNTOLD && (rOpcode(own) | 2) == 0xeb &&
    (next == p || (next == 0 && load<u64>(RIP) == ip))
  ) passOn(PASS_SPIN);
  return next;
}

// --- hits: at most MAX_HITS of one instruction

/**
 * Notes that point `id` was hit; several accesses of one instruction are one
 * hit.
 */
function noteHit(
  id: u32,
  access: u32,
  linear: u64,
  bytes: u32,
  before: u64,
  after: u64,
): void {
  const n = load<u32>(HIT_COUNT);
  for (let i: u32 = 0; i < n; i++) {
    const h = HITS + <usize> i * DebugHit.BYTES;
    if (load<u32>(h) != id) continue;
    store<u32>(h, load<u32>(h, DebugHit.Access) | access, DebugHit.Access);
    if (load<u64>(h, DebugHit.Address) == linear) {
      store<u64>(h, after, DebugHit.After);
    }
    return;
  }
  if (n == MAX_DEBUG_HITS) return;
  const h = HITS + <usize> n * DebugHit.BYTES;
  store<u32>(h, id);
  store<u32>(h, access, DebugHit.Access);
  store<u64>(h, linear, DebugHit.Address);
  store<u32>(h, bytes, DebugHit.Bytes);
  store<u32>(h, 0, DebugHit.Bytes + 4);
  store<u64>(h, before, DebugHit.Before);
  store<u64>(h, after, DebugHit.After);
  store<u32>(HIT_COUNT, n + 1);
  store<u32>(PENDING, load<u32>(PENDING) | P_POINT);
}

/** Moves the current VP's hits to `to`: count u32, 4 bytes, then the hits. */
function takeHits(to: usize): void {
  const n = load<u32>(HIT_COUNT);
  store<u64>(to, n);
  memory.copy(to + 8, HITS, <usize> n * DebugHit.BYTES);
  store<u32>(HIT_COUNT, 0);
  store<u32>(PENDING, load<u32>(PENDING) & ~P_POINT);
}

/** Describes the exit for the hits; RIP is in its cell. */
export function pointExit(): void {
  beginExit(DEBUG_POINT);
  takeHits(EXITBUF + 48);
  finishExit(0, false);
}

// --- data

/** The lines of a page, of 128 bytes, that an access inside it touches. */
@inline
export function linesOf(linear: u64, bytes: u32): u32 {
  const first = (<u32> linear >> 7) & 31;
  const last = ((<u32> linear + bytes - 1) >> 7) & 31;
  return ((<u32> 2 << last) - 1) & ~((<u32> 1 << first) - 1);
}

/** The lines of the page at `base` that [from, from + length) has a part in. */
function linesIn(from: u64, length: u64, base: u64): u32 {
  const last = from + length - 1;
  if (last < base || from > base + 0xfff) return 0;
  const a = from < base ? base : from;
  const b = last > base + 0xfff ? base + 0xfff : last;
  return linesOf(a, <u32> (b - a) + 1);
}

/**
 * The watched lines of the page that `linear` is in, whose memory is at `host`.
 */
export function watchedLines(linear: u64, host: u32): u32 {
  let lines: u32 = 0;
  for (let i: u32 = 0; i < dataCount; i++) {
    const p = pointOf(load<u32>(POINT_DATA + (<usize> i << 2)));
    const length = load<u64>(p, P_LENGTH);
    if (load<u32>(p, P_SPACE) == DebugSpace.Physical) {
      const at = load<u32>(p, P_HOST);
      if (at) lines |= linesIn(at, length, host & ~0xfff);
    } else lines |= linesIn(load<u64>(p, P_ADDRESS), length, linear & ~0xfff);
  }
  return lines;
}

/** Whether the data point of identifier `id` counts for an access. */
function hits(
  id: u32,
  access: u32,
  linear: u64,
  bytes: u32,
  host: u32,
): bool {
  const p = pointOf(id);
  if (!(load<u32>(p, P_ACCESS) & access) || !inSpace(p)) return false;
  const length = load<u64>(p, P_LENGTH);
  let at = load<u64>(p, P_ADDRESS);
  if (load<u32>(p, P_SPACE) == DebugSpace.Physical) {
    at = load<u32>(p, P_HOST);
    if (!at || !host) return false;
    linear = host;
  }
  return linear <= at + length - 1 && at <= linear + bytes - 1;
}

/** Whether an access inside one page touches watched data. */
export function watches(
  access: u32,
  linear: u64,
  bytes: u32,
  host: u32,
): bool {
  for (let i: u32 = 0; i < dataCount; i++) {
    const id = load<u32>(POINT_DATA + (<usize> i << 2));
    if (hits(id, access, linear, bytes, host)) return true;
  }
  return false;
}

/**
 * Notes what an access of `bytes` at `linear` has touched with its `part` bytes
 * at `at`, which are in one page, at `host` if that is memory.
 */
export function noteAccess(
  access: u32,
  linear: u64,
  bytes: u32,
  at: u64,
  part: u32,
  host: u32,
  before: u64,
  after: u64,
): void {
  for (let i: u32 = 0; i < dataCount; i++) {
    const id = load<u32>(POINT_DATA + (<usize> i << 2));
    if (hits(id, access, at, part, host)) {
      noteHit(id, access, linear, bytes, before, after);
    }
  }
}

/** Data points changed: every TLB entry that is there gets its lines. */
export function retag(): void {
  const end = TLBS + <usize> vpCount * TLB_VP;
  for (let e = TLBS; e < end; e += 32) {
    const read = load<u64>(e);
    const write = load<u64>(e, 8);
    if (read & write & 1) continue;
    const page = (read & 1 ? write : read) & ~0xfff;
    const host = <u32> page + load<u32>(e, 16);
    const lines = watching ? watchedLines(page, host) : 0;
    const mark = lines ? WATCHED : 0;
    if (!(read & 1)) store<u64>(e, page | mark);
    if (!(write & 1)) {
      const withheld = write & WITHHELD;
      if (!withheld) setChanged(host);
      store<u64>(e, page | mark | withheld, 8);
    }
    store<u32>(e, lines, 20);
  }
}

// --- the caller's side

/**
 * Instructions after which blocks forget addresses that no point has any more.
 */
const TRIM_AFTER: u64 = 1_000_000;

let liveCode: u32 = 0;

/** The number of instructions when the last instruction point went. */
let lastLive: u64 = 0;

/**
 * Before a VP runs: blocks without points, once there have been none for a
 * while.
 */
export function pointsTrim(total: u64): void {
  if (!anyCode) return;
  // a snapshot may have brought an earlier time back
  if (liveCode || total < lastLive) lastLive = total;
  else if (total - lastLive > TRIM_AFTER) {
    clearTables();
    flushJumps();
  }
}

/** No points (a new partition). */
export function pointsReset(): void {
  if (anyCode) clearTables();
  if (used) memory.fill(POINTS, 0, <usize> MAX_DEBUG_POINTS * POINT_BYTES);
  used = false;
  liveCode = 0;
  physicalCode =
    physicalData =
    dataCount =
    variants =
      0;
  watching = false;
}

/** Where the physical points are in memory, when mappings have changed. */
export function pointsRemap(): void {
  if (!physicalCode && !physicalData) return;
  for (let id: u32 = 0; id < MAX_DEBUG_POINTS; id++) {
    const p = pointOf(id);
    if (
      !load<u32>(p, P_ACCESS) || load<u32>(p, P_SPACE) != DebugSpace.Physical
    ) continue;
    const access = load<u32>(p, P_ACCESS);
    if (access & DebugAccess.Execute) unlink(id);
    store<u32>(p, 0, P_ACCESS);
    store<u32>(p, physHost(load<u64>(p, P_ADDRESS)), P_HOST);
    if (access & DebugAccess.Execute) link(id);
    store<u32>(p, access, P_ACCESS);
  }
  retag();
}

/** Takes a point away; nothing where there is none. */
function remove(id: u32): void {
  const p = pointOf(id);
  const access = load<u32>(p, P_ACCESS);
  if (!access) return;
  const physical = load<u32>(p, P_SPACE) == DebugSpace.Physical;
  if (access & DebugAccess.Execute) {
    unlink(id);
    liveCode--;
    if (physical) physicalCode--;
  } else {
    let i: u32 = 0;
    while (load<u32>(POINT_DATA + (<usize> i << 2)) != id) i++;
    dataCount--;
    store<u32>(
      POINT_DATA + (<usize> i << 2),
      load<u32>(POINT_DATA + (<usize> dataCount << 2)),
    );
    if (physical) physicalData--;
    watching = dataCount != 0;
  }
  store<u32>(p, 0, P_ACCESS);
}

/**
 * Sets the point that is described at IOBUF (ICEBP_DEBUG_POINT); false if it is
 * not valid.
 */
export function pointSet(): bool {
  const id = load<u32>(IOBUF);
  const access = load<u32>(IOBUF, 4);
  const space = load<u32>(IOBUF, 8);
  const address = load<u64>(IOBUF, 16);
  const length = load<u64>(IOBUF, 24);
  if (
    id >= MAX_DEBUG_POINTS || access == 0 || access > DebugAccess.Execute ||
    space > DebugSpace.Physical
  ) return false;
  if (
    access != DebugAccess.Execute &&
    (length == 0 || address + length - 1 < address)
  ) {
    return false;
  }
  const p = pointOf(id);
  const data = (load<u32>(p, P_ACCESS) & 3) != 0 ||
    access != DebugAccess.Execute;
  used = true;
  remove(id);
  store<u64>(p, address, P_ADDRESS);
  store<u64>(p, length, P_LENGTH);
  store<u64>(p, load<u64>(IOBUF, 32), P_CR3);
  store<u32>(p, space, P_SPACE);
  store<u32>(p, 0, P_NEXT);
  const physical = space == DebugSpace.Physical;
  store<u32>(p, physical ? physHost(address) : 0, P_HOST);
  if (access == DebugAccess.Execute) {
    if (physical) physicalCode++;
    liveCode++;
    link(id);
  } else {
    store<u32>(POINT_DATA + (<usize> dataCount << 2), id);
    dataCount++;
    if (physical) physicalData++;
    watching = true;
  }
  // last: what is linked anew meanwhile is all the others
  store<u32>(p, access, P_ACCESS);
  if (data) retag();
  return true;
}

/** Takes a point away; false if there is none. */
export function pointClear(id: u32): bool {
  if (id >= MAX_DEBUG_POINTS || !load<u32>(pointOf(id), P_ACCESS)) return false;
  const data = !(load<u32>(pointOf(id), P_ACCESS) & DebugAccess.Execute);
  remove(id);
  if (data) retag();
  return true;
}

/**
 * The next instruction of the VP in STATE is not stopped at, and comes before
 * any interrupt.
 */
export function pointPass(): void {
  passOn(PASS_NEXT);
}

/** Nobody wants to be told of the point that the VP in STATE is at. */
export function pointUntold(): void {
  passOn(PASS_UNTOLD);
}

/** A slice begins: who spins is asked about again. */
export function pointsSlice(): void {
  if (load<u8>(PASS) != PASS_SPIN) return;
  store<u8>(PASS, PASS_NONE);
  store<u32>(PENDING, load<u32>(PENDING) & ~P_PASS);
}

/** The hits that wait for the VP in STATE to be run again, to IOBUF. */
export function pointHits(): void {
  takeHits(IOBUF);
}
