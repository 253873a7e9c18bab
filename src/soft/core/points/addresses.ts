// Where blocks have points: the instruction addresses that there are points of,
// and the pages that have blocks of their own for it while any of their points
// lives. An address once put into such blocks stays there when its point goes,
// so that the same set coming and going, as with every stop of a debugger,
// decodes nothing anew.
import { POINT_ADDRESSES, POINT_PAGES } from "../layout";
import { DebugAccess, DebugSpace, MAX_DEBUG_POINTS } from "../whv/names";
import { cacheFlush } from "../code/cache";
import { flushJumps } from "../code/jumps";
import {
  inSpace,
  P_ACCESS,
  P_ADDRESS,
  P_CONDITION,
  P_HOST,
  P_NEXT,
  P_SPACE,
  pointOf,
} from "./point";

// Open hash tables of 16-byte slots: key u64 (0 is a key), value u32, and u32:
// 0 if the slot is free, else 1, of a page 1 more than it has points.
const ADDRESS_SLOTS: u32 = 131072;

const PAGE_SLOTS: u32 = 131072;

/**
 * Keys of physical addresses, which here are the module's own: no canonical
 * address has this bit without the one above.
 */
const PHYSICAL: u64 = <u64> 1 << 62;

/** Instruction addresses that blocks know, live or not. */
let addresses: u32 = 0;

/** Instruction points. */
export let codePoints: u32 = 0;

/** Instruction points by physical address. */
export let physicalCode: u32 = 0;

/** The last variant given to a page; 16 bits. */
let variants: u32 = 0;

/** The slot of a key: the one that has it, or a free one. */
function find(table: usize, slots: u32, key: u64): usize {
  let i = <u32> ((key * 0x9e3779b97f4a7c15) >> 40) & (slots - 1);
  while (true) {
    const s = table + (<usize> i << 4);
    if (!load<u32>(s, 12) || load<u64>(s) == key) return s;
    i = (i + 1) & (slots - 1);
  }
}

/** A page's variant, or 0 if it has no points. */
function pageVariant(key: u64): u32 {
  const s = find(POINT_PAGES, PAGE_SLOTS, key);
  return load<u32>(s, 12) > 1 ? load<u32>(s, 8) : 0;
}

/** The page of an address' key. */
function pageOf(key: u64): u64 {
  return key >> 62 == 1 ? PHYSICAL | ((key & ~PHYSICAL) >> 12) : key >> 12;
}

/** A page that is known has one point more (1) or less (-1). */
function countOnPage(key: u64, by: i32): void {
  const s = find(POINT_PAGES, PAGE_SLOTS, pageOf(key));
  const before = load<u32>(s, 12);
  store<u32>(s, before + by, 12);
  codePoints += by;
  // its first one or its last one: its blocks are others
  if (before == 1 || before + by == 1) flushJumps();
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
  const page = pageOf(key);
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

/** Blocks know no address. */
function clearTables(): void {
  addresses = codePoints = 0;
  memory.fill(POINT_ADDRESSES, 0, <usize> ADDRESS_SLOTS << 4);
  memory.fill(POINT_PAGES, 0, <usize> PAGE_SLOTS << 4);
}

function keyOf(p: usize): u64 {
  return load<u32>(p, P_SPACE) == DebugSpace.Physical
    ? PHYSICAL | load<u32>(p, P_HOST)
    : load<u64>(p, P_ADDRESS);
}

/** Point `id` is one of its address. */
export function link(id: u32): void {
  const p = pointOf(id);
  const key = keyOf(p);
  const s = know(key);
  store<u32>(p, load<u32>(s, 8), P_NEXT);
  store<u32>(s, id + 1, 8);
  countOnPage(key, 1);
}

/** Undoes link(). */
export function unlink(id: u32): void {
  const p = pointOf(id);
  const key = keyOf(p);
  let at: usize = find(POINT_ADDRESSES, ADDRESS_SLOTS, key) + 8;
  while (load<u32>(at) != id + 1) at = pointOf(load<u32>(at) - 1) + P_NEXT;
  store<u32>(at, load<u32>(p, P_NEXT));
  countOnPage(key, -1);
}

/**
 * Hits whose condition was 0; and whether that is so of one at the instruction
 * that liveAt() looked at last.
 */
export let passed: u64 = 0;
let isUntold: bool = false;

/** Whether a point's condition holds, or cannot be told. */
@inline
function holds(p: usize): bool {
  const condition = <u32> load<u64>(p, P_CONDITION);
  return condition == 0 || call_indirect<u32>(condition) != 0;
}

/**
 * Identifier + 1 of a live point among those of a key that counts here and
 * holds, or 0.
 */
function liveOf(key: u64): u32 {
  const s = find(POINT_ADDRESSES, ADDRESS_SLOTS, key);
  if (!load<u32>(s, 12)) return 0;
  for (let id = load<u32>(s, 8); id; id = load<u32>(pointOf(id - 1), P_NEXT)) {
    if (!inSpace(pointOf(id - 1))) continue;
    if (holds(pointOf(id - 1))) return id;
    isUntold = true;
  }
  return 0;
}

/** liveAt()'s answer where all points there have conditions that are 0. */
export const UNTOLD: u32 = 0xffffffff;

/**
 * As liveOf(), for an instruction at a linear address whose memory is at
 * `host`; UNTOLD, and counted, if only conditions keep it from being one.
 */
export function liveAt(linear: u64, host: u32): u32 {
  isUntold = false;
  let id = liveOf(linear);
  if (!id && physicalCode) id = liveOf(PHYSICAL | host);
  if (id || !isUntold) return id;
  passed++;
  return UNTOLD;
}

/** An instruction point by physical address comes (1) or goes (-1). */
export function countPhysicalCode(by: i32): void {
  physicalCode += by;
}

/** No points: pages are numbered anew. */
export function addressesReset(): void {
  if (addresses) clearTables();
  physicalCode = variants = 0;
}
