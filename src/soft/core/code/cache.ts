// Decoded code. A block is a run of records (record.ts) decoded from one host
// page, behind a 32-byte header: host u32 (of its first byte), next block of
// the page u32, record count u8, code size u8 (KEY_*), offset in the page
// behind its last byte u16, next block of its slot u32; in the page's newest
// block also the hash of the page's lines of code u64 and generation u32; and
// the variant u32, which tells blocks with debug points (points/addresses.ts).
// Blocks are found by host address, code size and variant (BHASH), from linear
// addresses through JCACHE, and from a branch in the same page through its
// record's link. Blocks of a page die together, so links need no check.
//
// A host that writes guest memory without saying so (hostMayWrite) begins a new
// generation: before a block is used, its page is compared with memory by the
// hash.
//
// Records of a dead block stay where they are with the STALE handler until the
// pool is emptied, so a pointer to one is never dangling: executing it leads
// back to a look-up.
import {
  BH_ENTRIES,
  BHASH,
  CODE_DROPS,
  CODELINES,
  PAGEBLK,
  PAGECOPY,
  POOL,
  POOL_END,
} from "../layout";
import { REC } from "./record";
import { regionCell } from "./regions";
import { flushAllJumps } from "./jumps";
import { dropWriteTags } from "../memory/tlb";
import { setChanged } from "../memory/marks";

/** Next free byte of the pool. */
export let poolAt: usize = POOL;

let staleHandler: u32 = 0;

/** Counters for --stats. */
export let statDecoded: u64 = 0;

export let statFlushes: u32 = 0;
export let statInvalidated: u64 = 0;

export function cacheInit(stale: u32): void {
  staleHandler = stale;
  cacheFlush();
}

/**
 * Goes up when the host may have written; 0 while it announces every write
 * (hostWrote).
 */
let generation: u32 = 0;

/**
 * The host may have written guest memory anywhere: code is compared before it
 * is used again.
 */
export function hostMayWrite(): void {
  if (++generation == 0) generation = 1;
  flushAllJumps();
}

/**
 * Hash of the 64 bytes at `from`, a page's line `l`. Not linear: a breakpoint
 * that moves from one line to the same place of another must not leave the sum
 * as it was.
 */
function hashLine(from: usize, l: u64): u64 {
  let h = l;
  for (let i: usize = 0; i < 64; i += 8) {
    h = rotl<u64>(h ^ load<u64>(from + i), 29) * 0xbf58476d1ce4e5b9;
  }
  return h;
}

/**
 * Sum of the hashes of the lines of code, one bit each, of a page whose bytes
 * are at `from`.
 */
function hashLines(from: usize, lines: u64): u64 {
  let sum: u64 = 0;
  for (; lines != 0; lines &= lines - 1) {
    const l = ctz<u64>(lines);
    sum += hashLine(from + (<usize> l << 6), l);
  }
  return sum;
}

/** Drops a page's blocks unless they are what the bytes at `from` are. */
export function compare(page: usize, from: usize): void {
  const newest = <usize> load<u32>(PAGEBLK + (page << 2));
  if (newest == 0) return;
  const lines = load<u64>(CODELINES + (page << 3));
  if (load<u64>(newest, 16) != hashLines(from, lines)) dropPage(page);
  else store<u32>(newest, generation, 24);
}

/** Whether a page's blocks may have been overtaken by writes of the host. */
@inline
export function doubtful(page: usize): bool {
  if (generation == 0) return false;
  const newest = <usize> load<u32>(PAGEBLK + (page << 2));
  return newest != 0 && load<u32>(newest, 24) != generation;
}

/**
 * Where to decode code of a page from. A host that does not announce its writes
 * may write while code is decoded, and write again: what is decoded is a copy,
 * which all of the page's blocks agree with.
 */
export function bytesOf(page: usize): usize {
  if (generation == 0) return page << 12;
  memory.copy(PAGECOPY, page << 12, 0x1000);
  compare(page, PAGECOPY);
  return PAGECOPY;
}

/** Empties the pool. Never while a block executes. */
export function cacheFlush(): void {
  for (let at: usize = POOL; at < poolAt;) {
    const host = load<u32>(at);
    const n = load<u8>(at, 8);
    const page = <usize> (host >> 12);
    store<u32>(PAGEBLK + (page << 2), 0);
    store<u64>(CODELINES + (page << 3), 0);
    at += (<usize> n + 1) * REC;
  }
  memory.fill(regionCell(POOL), 0, regionCell(poolAt) - regionCell(POOL));
  store<u32>(CODE_DROPS, load<u32>(CODE_DROPS) + 1);
  poolAt = POOL;
  memory.fill(BHASH, 0, <usize> BH_ENTRIES << 2);
  flushAllJumps();
  statFlushes++;
}

/** Whether there is room for one more block of any size. */
export function poolFull(): bool {
  return poolAt + 512 * REC > POOL_END;
}

@inline
function slot(host: u32, key: u32, variant: u32): usize {
  const h = (host ^ (host >> 13)) + (key << 7) + variant * 0x9e3779b1;
  return BHASH + (<usize> (h & (BH_ENTRIES - 1)) << 2);
}

/** The first record of the block at a host address; 0 if there is none. */
export function blockOf(host: u32, key: u32, variant: u32): usize {
  let b = <usize> load<u32>(slot(host, key, variant));
  while (b != 0) {
    if (
      load<u32>(b) == host && load<u8>(b, 9) == key &&
      load<u32>(b, 28) == variant
    ) return b + REC;
    b = <usize> load<u32>(b, 12);
  }
  return 0;
}

/**
 * Adds a block of `n` records, decoded behind poolAt's header from a page's
 * bytes at `bytes`. Returns its first record.
 */
export function addBlock(
  host: u32,
  key: u32,
  variant: u32,
  bytes: usize,
  n: u32,
): usize {
  const header = poolAt;
  const first = header + REC;
  const page = <usize> (host >> 12);
  const s = slot(host, key, variant);
  store<u32>(header, host);
  store<u8>(header, <u8> n, 8);
  store<u8>(header, <u8> key, 9);
  store<u32>(header, load<u32>(s), 12);
  store<u32>(s, <u32> header);
  store<u32>(header, variant, 28);
  const pb = PAGEBLK + (page << 2);
  const older = <usize> load<u32>(pb);
  store<u32>(header, <u32> older, 4);
  store<u32>(pb, <u32> header);
  if (load<u64>(CODELINES + (page << 3)) == 0) dropWriteTags(host >> 12);
  // mark the lines that were decoded
  const last = first + <usize> (n - 1) * REC;
  const from = host & 0xfff;
  let to = <u32> load<u16>(last, 12) + (load<u8>(last, 2) & 15);
  if (to > 0x1000) to = 0x1000;
  store<u16>(header, <u16> to, 10);
  const lines = CODELINES + (page << 3);
  const before = load<u64>(lines);
  let bits = before;
  for (let l = from >> 6; l <= (to - 1) >> 6; l++) bits |= <u64> 1 << l;
  store<u64>(lines, bits);
  if (generation) {
    const sum = older ? load<u64>(older, 16) : 0;
    store<u64>(header, sum + hashLines(bytes, bits & ~before), 16);
    store<u32>(header, generation, 24);
  }
  poolAt = first + <usize> n * REC;
  statDecoded += n;
  return first;
}

/** Bytes of a host page that holds decoded code are about to change. */
export function codeWritten(host: u32, bytes: u32): void {
  const page = <usize> (host >> 12);
  const lines = CODELINES + (page << 3);
  const bits = load<u64>(lines);
  const from = (host & 0xfff) >> 6;
  let to = ((host & 0xfff) + bytes - 1) >> 6;
  if (to > 63) to = 63;
  let touched: u64 = 0;
  for (let l = from; l <= to; l++) touched |= <u64> 1 << l;
  if (!(bits & touched)) return;
  // data beside code is common in small kernels: only what was decoded counts
  const end = host + bytes;
  let b = <usize> load<u32>(PAGEBLK + (page << 2));
  while (b != 0) {
    const blockEnd = (<u32> page << 12) + load<u16>(b, 10);
    if (load<u32>(b) < end && host < blockEnd) {
      dropPage(page);
      return;
    }
    b = <usize> load<u32>(b, 4);
  }
}

/** Takes a block out of its slot. */
function forget(block: usize): void {
  const host = load<u32>(block);
  // the cell that leads to it: the slot, or that of the block before it
  let cell = slot(host, load<u8>(block, 9), load<u32>(block, 28));
  while (load<u32>(cell) != <u32> block) cell = <usize> load<u32>(cell) + 12;
  store<u32>(cell, load<u32>(block, 12));
}

function dropPage(page: usize): void {
  let b = <usize> load<u32>(PAGEBLK + (page << 2));
  while (b != 0) {
    const n = load<u8>(b, 8);
    forget(b);
    let r = b + REC;
    for (let i: u32 = 0; i < n; i++) {
      store<u16>(r, <u16> staleHandler);
      store<u8>(r, 0, 3);
      store<u32>(regionCell(r), 0);
      r += REC;
    }
    statInvalidated += n;
    b = <usize> load<u32>(b, 4);
  }
  store<u32>(PAGEBLK + (page << 2), 0);
  store<u64>(CODELINES + (page << 3), 0);
  store<u32>(CODE_DROPS, load<u32>(CODE_DROPS) + 1);
  flushAllJumps();
}

/**
 * The host wrote guest memory (a debugger, a device): decoded code there is
 * stale.
 */
export function hostWrote(host: u32, bytes: u32): void {
  if (bytes == 0) return;
  const end = <u64> host + bytes;
  let at = <u64> host;
  while (at < end) {
    let n = 0x1000 - (at & 0xfff);
    if (at + n > end) n = end - at;
    setChanged(<u32> at);
    if (load<u64>(CODELINES + (<usize> (at >> 12) << 3))) {
      codeWritten(<u32> at, <u32> n);
    }
    at += n;
  }
}
