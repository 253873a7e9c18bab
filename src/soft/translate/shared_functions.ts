// The functions that all regions share, in a module of their own: flags that were put off,
// the TLB, and 80-bit arithmetic.

import "../number_types.ts";
import {
  CHANGED,
  GUEST,
  LP_ADDEND,
  LP_ROOM,
  TLB_ENTRIES,
  TLBB,
} from "../core/layout.ts";
import { WATCHED } from "../core/shared.ts";
import { PAGE_BYTES } from "../../x86/paging.ts";
import { Lazy } from "./lazy.ts";
import { Code, I32, I64, moduleBytes, Op } from "./wasm.ts";
import { ARITHMETIC, ROUNDING, x87Functions } from "./x87_arithmetic.ts";

/** Types of functions, by their numbers. */
export const T_HANDLER = 0, T_REGION = 1;
const T_FLAGS = 2, T_LOOKUP = 3, T_UNWATCHED = 4;
const T_ARITHMETIC = 5, T_ROUNDING = 6;
export const TYPES = [
  { params: [I32], results: [I32] },
  { params: [I32, I32, I32], results: [I32] },
  { params: [I32, I64, I64, I64, I64], results: [I64, I64, I64, I64] },
  { params: [I64, I64, I32], results: [I32] },
  { params: [I64, I64, I32], results: [I64] },
  ARITHMETIC,
  ROUNDING,
] as const;
/** Functions that all regions share (sharedModule()), by their numbers. */
export const SHARED = [
  { type: T_FLAGS, name: "flags" },
  { type: T_LOOKUP, name: "readable" },
  { type: T_LOOKUP, name: "writable" },
  { type: T_ARITHMETIC, name: "sum" },
  { type: T_ARITHMETIC, name: "product" },
  { type: T_ARITHMETIC, name: "quotient" },
] as const;
export const F_FLAGS = 0, F_READABLE = 1, F_WRITABLE = 2;
/** 80-bit arithmetic (x87_arithmetic.ts). */
export const F_SUM = 3, F_PRODUCT = 4, F_QUOTIENT = 5;
/** What those import: unwatched() of the core. */
const SHARED_IMPORTS = [{ type: T_UNWATCHED, name: "unwatched" }] as const;
const F_UNWATCHED = 0;
/** Behind those that are shared, one that they alone call. */
const F_ROUNDING = SHARED_IMPORTS.length + SHARED.length;

const PAGE = BigInt(PAGE_BYTES);
/** The module of the functions that regions import. */
export function sharedModule(): Uint8Array {
  const codes = [
    flagsFunction(),
    lookupFunction(0),
    lookupFunction(8),
    ...x87Functions(F_ROUNDING),
  ];
  const names = [...SHARED, { type: T_ROUNDING, name: "rounding" }];
  const functions = codes.map((code, n) => ({ ...names[n], code }));
  return moduleBytes(TYPES, SHARED_IMPORTS, functions, GUEST / 65536);
}

/** The function that computes the flags' cells: (kind, a, b, r, c) to FC (core/cpu/flags.ts). */
function flagsFunction(): Code {
  const c = new Code(5);
  const kind = 0, a = 1, b = 2, r = 3, carry = 4;
  const z = c.local(I64), x = c.local(I64), shift = c.local(I64);
  const top = c.local(I64);
  // operands' bits, from their size
  c.i64(64n);
  c.i64(8n);
  c.get(kind);
  c.i32(3);
  c.op(Op.i32_and);
  c.op(Op.i64_extend_i32_u);
  c.op(Op.i64_shl);
  c.op(Op.i64_sub);
  c.set(shift);
  const signExtend = () => {
    c.get(shift);
    c.op(Op.i64_shl);
    c.get(shift);
    c.op(Op.i64_shr_s);
  };
  c.get(r);
  signExtend();
  c.set(z);
  c.i64(1n);
  c.i64(63n);
  c.get(shift);
  c.op(Op.i64_sub);
  c.op(Op.i64_shl);
  c.set(top);
  const is = (lazy: Lazy) => {
    c.get(kind);
    c.i32(2);
    c.op(Op.i32_shr_u);
    c.i32(lazy);
    c.op(Op.i32_eq);
    c.if_();
  };
  const done = () => {
    c.get(z);
    c.get(z);
    c.get(x);
    c.get(carry);
    c.return_();
    c.end();
  };
  const carries = () => {
    c.get(a);
    c.get(b);
    c.op(Op.i64_xor);
    c.get(r);
    c.op(Op.i64_xor);
    signExtend();
    c.i64(-0x7fff_ffff_ffff_fff0n);
    c.op(Op.i64_and);
    c.set(x);
  };
  const less = (one: number, other: number) => {
    c.get(one);
    c.get(other);
    c.op(Op.i64_lt_u);
    c.op(Op.i64_extend_i32_u);
    c.set(carry);
  };
  is(Lazy.ADD);
  carries();
  less(r, a);
  done();
  is(Lazy.SUB);
  carries();
  less(a, b);
  done();
  is(Lazy.LOGIC);
  c.i64(0n);
  c.set(carry);
  done();
  is(Lazy.SET);
  c.get(a);
  c.get(b);
  c.op(Op.i64_xor);
  c.i64(63n);
  c.op(Op.i64_shl);
  c.set(x);
  c.get(a);
  c.set(carry);
  done();
  // INC and DEC: OF where the result, or the operand, has the top bit alone
  c.get(a);
  c.get(r);
  c.op(Op.i64_xor);
  c.i64(1n);
  c.op(Op.i64_xor);
  c.i64(0x10n);
  c.op(Op.i64_and);
  c.get(r);
  c.get(a);
  c.get(kind);
  c.i32(2);
  c.op(Op.i32_shr_u);
  c.i32(Lazy.INC);
  c.op(Op.i32_eq);
  c.op(Op.select);
  c.get(top);
  c.op(Op.i64_eq);
  c.op(Op.i64_extend_i32_u);
  c.get(carry);
  c.op(Op.i64_xor);
  c.i64(63n);
  c.op(Op.i64_shl);
  c.op(Op.i64_or);
  c.set(x);
  c.get(z);
  c.get(z);
  c.get(x);
  c.get(carry);
  c.complete();
  return c;
}

/**
 * Pushes the tag, at offset `tag`, that the TLB has where the page of an access's first byte
 * would be. `address` is that byte's; `addMore` adds, to what is pushed, how much further on
 * the last one is. `page` becomes the tag that is to match, the last byte's: nothing that
 * goes across two pages does. `entry` becomes the entry.
 */
export function pushTag(
  c: Code,
  { address, page, entry }: {
    readonly address: number;
    readonly page: number;
    readonly entry: number;
  },
  tag: 0 | 8,
  addMore: () => void,
): void {
  c.get(address);
  addMore();
  c.i64(-PAGE);
  c.op(Op.i64_and);
  c.set(page);
  c.get(address);
  c.i64(7n);
  c.op(Op.i64_shr_u);
  c.op(Op.i32_wrap_i64);
  c.i32((TLB_ENTRIES - 1) << 5);
  c.op(Op.i32_and);
  c.i32(0);
  c.memory(Op.i32_load, TLBB);
  c.op(Op.i32_add);
  c.tee(entry);
  c.memory(Op.i64_load, tag);
}

/**
 * The function that looks a page up in the TLB: (linear address, what its last byte is
 * further on, where to remember the page, as LAST_PAGES has it) to 1, or 0 if it is not there.
 * `tag` is the offset of the entry's tag that is to match. Of a page with a data point, what
 * is found is what lies between those next to the access; a write there changes the page, as
 * in core/memory/watched.ts.
 */
function lookupFunction(tag: 0 | 8): Code {
  const c = new Code(3);
  const address = 0, more = 1, last = 2;
  const page = c.local(I64), between = c.local(I64);
  const entry = c.local(I32), host = c.local(I32), byte = c.local(I32);
  const nothing = () => {
    c.i32(0);
    c.return_();
  };
  const remember = (pushPage: () => void, pushRoom: () => void) => {
    c.get(last);
    pushPage();
    c.memory(Op.i64_store);
    c.get(last);
    pushRoom();
    c.get(more);
    c.op(Op.i64_sub);
    c.memory(Op.i64_store, LP_ROOM);
    c.get(last);
    c.get(entry);
    c.memory(Op.i32_load, 16);
    c.memory(Op.i32_store, LP_ADDEND);
    c.i32(1);
  };
  pushTag(c, { address, page, entry }, tag, () => {
    c.get(more);
    c.op(Op.i64_add);
  });
  c.get(page);
  c.op(Op.i64_eq);
  c.if_();
  remember(() => c.get(page), () => c.i64(PAGE));
  c.return_();
  c.end();
  c.get(entry);
  c.memory(Op.i64_load, tag);
  c.get(page);
  c.i64(BigInt(WATCHED));
  c.op(Op.i64_or);
  c.op(Op.i64_ne);
  c.if_();
  nothing();
  c.end();
  c.get(address);
  c.op(Op.i32_wrap_i64);
  c.get(entry);
  c.memory(Op.i32_load, 16);
  c.op(Op.i32_add);
  c.set(host);
  c.get(address);
  c.get(more);
  c.get(host);
  c.call(F_UNWATCHED);
  c.tee(between);
  c.op(Op.i64_eqz);
  c.if_();
  nothing();
  c.end();
  if (tag === 8) {
    c.get(host);
    c.i32(15);
    c.op(Op.i32_shr_u);
    c.tee(byte);
    c.get(byte);
    c.memory(Op.i32_load8_u, CHANGED);
    c.i32(1);
    c.get(host);
    c.i32(12);
    c.op(Op.i32_shr_u);
    c.i32(7);
    c.op(Op.i32_and);
    c.op(Op.i32_shl);
    c.op(Op.i32_or);
    c.memory(Op.i32_store8, CHANGED);
  }
  // from its low half to its high half
  const low = () => {
    c.get(between);
    c.i64(0xffff_ffffn);
    c.op(Op.i64_and);
  };
  remember(() => {
    c.get(page);
    low();
    c.op(Op.i64_add);
  }, () => {
    c.get(between);
    c.i64(32n);
    c.op(Op.i64_shr_u);
    low();
    c.op(Op.i64_sub);
  });
  c.complete();
  return c;
}
