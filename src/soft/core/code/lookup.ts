// From an instruction pointer to the record there, decoding it when needed.
import {
  addBlock,
  blockOf,
  bytesOf,
  compare,
  doubtful,
  poolAt,
  poolFull,
} from "./cache";
import { decodeBlock } from "./decode";
import { isJump, jumpSlot, jumpTo, noteJump } from "./jumps";
import { linearIp } from "./ip";
import { REC } from "./record";
import { raiseErr } from "../cpu/fault";
import {
  CODEBASE,
  CODEKEY,
  F_SYNC,
  FAULT,
  MODE,
  MODE_LONG,
  P_EXECBP,
  PENDING,
  POOL,
  RIP,
  S_CS,
  SEG_LIMIT,
  SEGS,
} from "../layout";
import { execBreakpoints } from "../memory/breakpoints";
import { fetchHost, isGlobal } from "../memory/fetch";
import { Vector } from "../x86/vectors";
import { codePoints, variantOf } from "../points/addresses";

/**
 * The first record of the block at a host address, decoding it when needed; 0
 * with FAULT set.
 */
function blockAt(host: u32, linear: u64): usize {
  const key = <u32> load<u8>(CODEKEY);
  const variant = codePoints ? variantOf(host, linear) : 0;
  const page = <usize> (host >> 12);
  if (doubtful(page)) compare(page, page << 12);
  const r = blockOf(host, key, variant);
  if (r != 0) return r;
  // decode
  const first = poolAt + REC;
  const bytes = bytesOf(page);
  const n = decodeBlock(host, linear, bytes, first, variant);
  if (n == 0) return 0;
  if (n & 0x80000000) return n & 0x7fffffff; // not cacheable: crosses a page
  return addBlock(host, key, variant, bytes, n);
}

/**
 * The record to execute at instruction pointer `ip`, and CODEBASE for it. 0
 * with FAULT set when the fetch faults; RIP is then `ip`.
 */
export function enter(ip: u64): usize {
  if (
    load<u8>(MODE) != MODE_LONG &&
    ip > <u64> load<u32>(SEGS + (<usize> S_CS << 5), SEG_LIMIT)
  ) {
    store<u64>(RIP, ip);
    return raiseErr(Vector.GP, 0);
  }
  const lin = linearIp(ip);
  const j = jumpSlot(lin);
  if (isJump(j, lin)) {
    store<u64>(CODEBASE, ip - (lin & 0xfff));
    return load<u32>(j, 12);
  }
  store<u64>(RIP, ip);
  const host = fetchHost(lin);
  if (host == 0) return 0;
  if (poolFull()) {
    store<u32>(FAULT, F_SYNC); // the loop empties the pool and comes back
    return 0;
  }
  const r = blockAt(host, lin);
  if (r == 0) return 0;
  store<u64>(CODEBASE, ip - (lin & 0xfff));
  // what the look-up has is jumped to past the loop, which sees breakpoints
  const broken = load<u32>(PENDING) & P_EXECBP &&
    execBreakpoints(lin, ~<u64> 0xfff) != 0;
  if (r >= POOL && !broken) {
    noteJump(j, lin, r, isGlobal(lin));
  }
  return r;
}

/**
 * A direct branch of record p to `ip`: the target record, remembered in p's
 * link when it lies in p's own page; or 0 with RIP set.
 */
export function branchTo(p: usize, ip: u64): usize {
  const same = ip - load<u64>(CODEBASE) < 0x1000;
  let t = jumpTo(ip);
  if (t == 0 && same && !poolFull()) {
    t = enter(ip);
    if (t == 0) {
      // let the loop meet the fault at the target, after this instruction ended
      store<u32>(FAULT, 0);
      store<u64>(RIP, ip);
      return 0;
    }
  }
  if (same && t >= POOL && p >= POOL) store<u32>(p, <u32> t, 28);
  return t;
}
