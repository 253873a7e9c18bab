// The inner loop, with the instructions that guests execute most written into
// it: no call, no fault check. Such a case does the whole instruction or
// nothing: when a TLB or link look-up misses it calls the instruction's
// ordinary handler, which knows every rule. A spec's fast number (optable.ts)
// says which case is its.
//
// The cases are written by src/soft/build/inner.ts from the instructions' table
// (src/soft/instructions/table.ts), at the lines marked "table:". They are only
// ever chosen where their assumptions hold: memory operands of 64-bit code
// without segment base (the decoder checks), stack operations of 64-bit code
// (their size is 8 nowhere else).
// deno-lint-ignore-file no-unused-vars -- much here is for the cases
import { flagsAdd, flagsLogic, flagsSet, flagsSub, sx } from "../cpu/flags";
import {
  CODEBASE,
  FC,
  FS,
  FX,
  FZ,
  RAX,
  REGION_LAST,
  REGION_LEFT,
  REGS,
  RSP,
  TLB_ENTRIES,
  TLBB,
} from "../layout";
import { isJump, jumpSlot } from "./jumps";
import { fuse, opCell, setFast } from "./optable";
import { rDisp, REC, rImm, rImm8, rOff } from "./record";
import { regionCell, regionLeft, regionTooLong } from "./regions";
import { REGION } from "../shared";

/** The last record executed, and what is left of the chunk after it. */
export let innerCur: usize = 0;
export let innerLeft: i32 = 0;

@inline
function slow(p: usize): usize {
  return call_indirect<usize>(load<u16>(p), p);
}

@inline
function entryOf(a: u64): usize {
  return load<u32>(TLBB) +
    ((<usize> (a >> 12) & (<usize> TLB_ENTRIES - 1)) << 5);
}

@inline
function less(): bool {
  return (((load<u64>(FS) ^ load<u64>(FX)) >> 63) ^ load<u64>(FC)) != 0;
}

// --- the record's first 8 bytes, loaded once

@inline
function reg(w: u64): usize {
  return REGS + (<usize> (w >> 32) & 0xff);
}
@inline
function rm(w: u64): usize {
  return REGS + (<usize> (w >> 40) & 0xff);
}
/** The address of a memory operand (operand.ts eaSum). */
@inline
function sum(w: u64, p: usize): u64 {
  return load<u64>(REGS + (<usize> (w >> 48) & 0xff)) +
    (load<u64>(REGS + <usize> (w >> 56)) << ((w >> 22) & 3)) +
    load<u64>(p, 16);
}

// table: numbers

/**
 * Executes from record p until a handler returns 0 or `left` instructions were
 * tried; with `early`, or until a region wants to execute more than are left.
 * Returns the next record or 0; innerCur and innerLeft say where it ended.
 */
export function inner(p: usize, left: i32, early: bool): usize {
  let cur: usize;
  let w: u64;
  let a: u64;
  let e: usize;
  let h: usize;
  do {
    cur = p;
    w = load<u64>(p);
    switch (<u32> (w >> 24) & 0xff) {
      // table: cases
      case REGION:
        {
          // the chunk is too short for its block, as that's header has it
          if (<i32> load<u8>(p - REC, 8) > left) {
            if (early) {
              innerCur = cur;
              innerLeft = left;
              return p;
            }
            regionTooLong();
            p = slow(p);
            break;
          }
          const cell = load<u32>(regionCell(p));
          const next = call_indirect<usize>(
            cell & 0xfffff,
            p,
            (cell >> 20) & 0x7ff,
            left,
          );
          const rest = load<i32>(REGION_LEFT);
          // it wants something else first
          if (next == p && rest == left) {
            regionTooLong();
            p = slow(p);
          } else {
            regionLeft(next, left - rest);
            p = next;
            left = rest;
            if (p != 0) left++;
            else cur = load<u32>(REGION_LAST);
          }
        }
        break;
      default:
        p = slow(p);
    }
  } while (p != 0 && --left > 0);
  innerCur = cur;
  innerLeft = left;
  return p;
}

/**
 * Gives the spec of an opcode (digit: ModRM.reg of a group, or -1) its fast
 * number.
 */
function mark(
  id: u32,
  map: u32,
  opcode: u32,
  digit: i32,
  size: u32,
  mem: bool,
): void {
  let s = <usize> load<u32>(opCell(map, 0, opcode));
  if (digit >= 0) {
    const t = <usize> load<u32>(s, 24);
    s = load<u32>(t + (mem ? 0 : 32) + (<usize> digit << 2));
  }
  setFast(s, size, mem, id);
}

/** After every family is registered. */
export function registerFast(): void {
  // table: marks
}
