// The inner loop, with the instructions that guests execute most written into
// it: no call, no fault check. Such a case does the whole instruction or
// nothing: when a TLB or link look-up misses it calls the instruction's
// ordinary handler, which knows every rule. A spec's fast number (optable.ts)
// says which case is its.
//
// The cases are only ever chosen where their assumptions hold: memory operands
// of 64-bit code without segment base (the decoder checks), stack operations of
// 64-bit code (their size is 8 nowhere else).
import { flagsAdd, flagsLogic, flagsSet, flagsSub, sx } from "../cpu/flags";
import {
  CODEBASE,
  FC,
  FS,
  FX,
  FZ,
  JC_ENTRIES,
  JCACHE,
  JGEN,
  RAX,
  REGION_LAST,
  REGION_LEFT,
  REGS,
  RSP,
  TLB_ENTRIES,
  TLBB,
} from "../layout";
// deno-lint-ignore no-unused-vars -- fuse() is for the pairs
import { fuse, M_0F, M_ONE, opCell, setFast } from "./optable";
import { rDisp, REC, rImm, rImm8, rOff, setReg } from "./record";
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
function jumpSlot(ip: u64): usize {
  return JCACHE + (<usize> (<u32> ip & (JC_ENTRIES - 1)) << 4);
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

const MOV_RR32: u32 = 1;
const MOV_RR64: u32 = 2;
const MOV_RM8: u32 = 3;
const MOV_RM32: u32 = 4;
const MOV_RM64: u32 = 5;
const MOV_MR8: u32 = 6;
const MOV_MR16: u32 = 7;
const MOV_MR32: u32 = 8;
const MOV_MR64: u32 = 9;
const MOV_MI8: u32 = 10;
const MOV_MI32: u32 = 11;
const MOV_MI64: u32 = 12;
const MOV_RI32: u32 = 13;
const MOV_RI64: u32 = 14;
const LEA64: u32 = 15;
const LEA32: u32 = 16;
const MOVZX_RR8: u32 = 17;
const MOVZX_RM8: u32 = 18;
const MOVZX_RR16: u32 = 19;
const MOVZX_RM16: u32 = 20;
const MOVSXD_RR: u32 = 21;
const MOVSXD_RM: u32 = 22;
const CDQE: u32 = 23;
const ADD_RR32: u32 = 24;
const ADD_RI32: u32 = 25;
const ADD_RM32: u32 = 26;
const ADD_RR64: u32 = 27;
const ADD_RI64: u32 = 28;
const ADD_RM64: u32 = 29;
const OR_RR32: u32 = 30;
const OR_RI32: u32 = 31;
const OR_RM32: u32 = 32;
const OR_RR64: u32 = 33;
const OR_RI64: u32 = 34;
const OR_RM64: u32 = 35;
const AND_RR32: u32 = 36;
const AND_RI32: u32 = 37;
const AND_RM32: u32 = 38;
const AND_RR64: u32 = 39;
const AND_RI64: u32 = 40;
const AND_RM64: u32 = 41;
const SUB_RR32: u32 = 42;
const SUB_RI32: u32 = 43;
const SUB_RM32: u32 = 44;
const SUB_RR64: u32 = 45;
const SUB_RI64: u32 = 46;
const SUB_RM64: u32 = 47;
const XOR_RR32: u32 = 48;
const XOR_RI32: u32 = 49;
const XOR_RM32: u32 = 50;
const XOR_RR64: u32 = 51;
const XOR_RI64: u32 = 52;
const XOR_RM64: u32 = 53;
const CMP_RR32: u32 = 54;
const CMP_RI32: u32 = 55;
const CMP_RM32: u32 = 56;
const CMP_RR64: u32 = 57;
const CMP_RI64: u32 = 58;
const CMP_RM64: u32 = 59;
const CMP_MI8: u32 = 60;
const CMP_MR8: u32 = 61;
const CMP_MI32: u32 = 62;
const CMP_MR32: u32 = 63;
const CMP_MI64: u32 = 64;
const CMP_MR64: u32 = 65;
const CMP_RI8: u32 = 66;
const CMP_AI8: u32 = 67;
const TEST_RR8: u32 = 68;
const TEST_RR32: u32 = 69;
const TEST_RR64: u32 = 70;
const TEST_RI8: u32 = 71;
const TEST_AI8: u32 = 72;
const TEST_MI8: u32 = 73;
const INC_R32: u32 = 74;
const DEC_R32: u32 = 75;
const INC_R64: u32 = 76;
const DEC_R64: u32 = 77;
const SHL_RI32: u32 = 78;
const SHR_RI32: u32 = 79;
const SHL_RI64: u32 = 80;
const SHR_RI64: u32 = 81;
const J0: u32 = 82;
const J1: u32 = 83;
const J2: u32 = 84;
const J3: u32 = 85;
const J4: u32 = 86;
const J5: u32 = 87;
const J6: u32 = 88;
const J7: u32 = 89;
const J8: u32 = 90;
const J9: u32 = 91;
const JC: u32 = 92;
const JD: u32 = 93;
const JE: u32 = 94;
const JF: u32 = 95;
const JMP: u32 = 96;
const CALL: u32 = 97;
const RET: u32 = 98;
const PUSH64: u32 = 99;
const POP64: u32 = 100;
const NOP: u32 = 101;
// Pairs that follow each other often; the second keeps its own case for jumps
// to it.

// pairs: constants (src/soft/build/pairs.ts)

/**
 * Executes from record p until a handler returns 0 or `left` instructions were
 * tried. Returns the next record or 0; innerCur and innerLeft say where it
 * ended.
 */
export function inner(p: usize, left: i32): usize {
  let cur: usize;
  let w: u64;
  let a: u64;
  let e: usize;
  let h: usize;
  do {
    cur = p;
    w = load<u64>(p);
    switch (<u32> (w >> 24) & 0xff) {
      case MOV_RR32:
        store<u64>(rm(w), <u64> load<u32>(reg(w)));
        p += REC;
        break;
      case MOV_RR64:
        store<u64>(rm(w), load<u64>(reg(w)));
        p += REC;
        break;
      case MOV_RM8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u8>(reg(w), load<u8>(h));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(reg(w), <u64> load<u32>(h));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(reg(w), load<u64>(h));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MR8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u8>(h, load<u8>(reg(w)));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MR16:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 1) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u16>(h, load<u16>(reg(w)));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MR32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u32>(h, load<u32>(reg(w)));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MR64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(h, load<u64>(reg(w)));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MI8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u8>(h, <u8> rImm(p));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MI32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u32>(h, <u32> rImm(p));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_MI64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(h, <u64> rImm(p));
          p += REC;
        } else p = slow(p);
        break;
      case MOV_RI32:
        store<u64>(reg(w), <u64> <u32> rDisp(p));
        p += REC;
        break;
      case MOV_RI64:
        store<u64>(rm(w), <u64> rImm(p));
        p += REC;
        break;
      case LEA64:
        store<u64>(reg(w), sum(w, p));
        p += REC;
        break;
      case LEA32:
        store<u64>(reg(w), sum(w, p) & 0xffffffff);
        p += REC;
        break;
      case MOVZX_RR8:
        store<u64>(reg(w), <u64> load<u8>(rm(w)));
        p += REC;
        break;
      case MOVZX_RM8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(reg(w), <u64> load<u8>(h));
          p += REC;
        } else p = slow(p);
        break;
      case MOVZX_RR16:
        store<u64>(reg(w), <u64> load<u16>(rm(w)));
        p += REC;
        break;
      case MOVZX_RM16:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 1) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(reg(w), <u64> load<u16>(h));
          p += REC;
        } else p = slow(p);
        break;
      case MOVSXD_RR:
        store<u64>(reg(w), <u64> <i64> load<i32>(rm(w)));
        p += REC;
        break;
      case MOVSXD_RM:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          store<u64>(reg(w), <u64> <i64> load<i32>(h));
          p += REC;
        } else p = slow(p);
        break;
      case CDQE:
        store<u64>(RAX, <u64> <i64> load<i32>(RAX));
        p += REC;
        break;
      case ADD_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x + y);
          setReg<u32>(rm(w), r);
          flagsAdd<u32>(x, y, r);
        }
        p += REC;
        break;
      case ADD_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x + y);
          setReg<u32>(rm(w), r);
          flagsAdd<u32>(x, y, r);
        }
        p += REC;
        break;
      case ADD_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x + y);
            setReg<u32>(reg(w), r);
            flagsAdd<u32>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case ADD_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x + y);
          setReg<u64>(rm(w), r);
          flagsAdd<u64>(x, y, r);
        }
        p += REC;
        break;
      case ADD_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x + y);
          setReg<u64>(rm(w), r);
          flagsAdd<u64>(x, y, r);
        }
        p += REC;
        break;
      case ADD_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x + y);
            setReg<u64>(reg(w), r);
            flagsAdd<u64>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case OR_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x | y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case OR_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x | y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case OR_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x | y);
            setReg<u32>(reg(w), r);
            flagsLogic<u32>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case OR_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x | y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case OR_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x | y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case OR_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x | y);
            setReg<u64>(reg(w), r);
            flagsLogic<u64>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case AND_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x & y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case AND_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x & y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case AND_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x & y);
            setReg<u32>(reg(w), r);
            flagsLogic<u32>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case AND_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x & y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case AND_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x & y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case AND_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x & y);
            setReg<u64>(reg(w), r);
            flagsLogic<u64>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case SUB_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x - y);
          setReg<u32>(rm(w), r);
          flagsSub<u32>(x, y, r);
        }
        p += REC;
        break;
      case SUB_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x - y);
          setReg<u32>(rm(w), r);
          flagsSub<u32>(x, y, r);
        }
        p += REC;
        break;
      case SUB_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x - y);
            setReg<u32>(reg(w), r);
            flagsSub<u32>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case SUB_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x - y);
          setReg<u64>(rm(w), r);
          flagsSub<u64>(x, y, r);
        }
        p += REC;
        break;
      case SUB_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x - y);
          setReg<u64>(rm(w), r);
          flagsSub<u64>(x, y, r);
        }
        p += REC;
        break;
      case SUB_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x - y);
            setReg<u64>(reg(w), r);
            flagsSub<u64>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case XOR_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x ^ y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case XOR_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x ^ y);
          setReg<u32>(rm(w), r);
          flagsLogic<u32>(r);
        }
        p += REC;
        break;
      case XOR_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x ^ y);
            setReg<u32>(reg(w), r);
            flagsLogic<u32>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case XOR_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x ^ y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case XOR_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x ^ y);
          setReg<u64>(rm(w), r);
          flagsLogic<u64>(r);
        }
        p += REC;
        break;
      case XOR_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x ^ y);
            setReg<u64>(reg(w), r);
            flagsLogic<u64>(r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_RR32:
        {
          const x = load<u32>(rm(w));
          const y = load<u32>(reg(w));
          const r = <u32> (x - y);
          flagsSub<u32>(x, y, r);
        }
        p += REC;
        break;
      case CMP_RI32:
        {
          const x = load<u32>(rm(w));
          const y = <u32> rImm(p);
          const r = <u32> (x - y);
          flagsSub<u32>(x, y, r);
        }
        p += REC;
        break;
      case CMP_RM32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(reg(w));
            const y = load<u32>(h);
            const r = <u32> (x - y);
            flagsSub<u32>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_RR64:
        {
          const x = load<u64>(rm(w));
          const y = load<u64>(reg(w));
          const r = <u64> (x - y);
          flagsSub<u64>(x, y, r);
        }
        p += REC;
        break;
      case CMP_RI64:
        {
          const x = load<u64>(rm(w));
          const y = <u64> rImm(p);
          const r = <u64> (x - y);
          flagsSub<u64>(x, y, r);
        }
        p += REC;
        break;
      case CMP_RM64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(reg(w));
            const y = load<u64>(h);
            const r = <u64> (x - y);
            flagsSub<u64>(x, y, r);
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MI8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u8>(h);
            const y = <u8> rImm(p);
            flagsSub<u8>(x, y, <u8> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MR8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u8>(h);
            const y = load<u8>(reg(w));
            flagsSub<u8>(x, y, <u8> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MI32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(h);
            const y = <u32> rImm(p);
            flagsSub<u32>(x, y, <u32> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MR32:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 3) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u32>(h);
            const y = load<u32>(reg(w));
            flagsSub<u32>(x, y, <u32> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MI64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(h);
            const y = <u64> rImm(p);
            flagsSub<u64>(x, y, <u64> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_MR64:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          {
            const x = load<u64>(h);
            const y = load<u64>(reg(w));
            flagsSub<u64>(x, y, <u64> (x - y));
          }
          p += REC;
        } else p = slow(p);
        break;
      case CMP_RI8:
        {
          const x = load<u8>(rm(w));
          const y = <u8> rImm(p);
          flagsSub<u8>(x, y, <u8> (x - y));
        }
        p += REC;
        break;
      case CMP_AI8:
        {
          const x = load<u8>(RAX);
          const y = <u8> rImm(p);
          flagsSub<u8>(x, y, <u8> (x - y));
        }
        p += REC;
        break;
      case TEST_RR8:
        flagsLogic<u8>(<u8> (load<u8>(rm(w)) & load<u8>(reg(w))));
        p += REC;
        break;
      case TEST_RR32:
        flagsLogic<u32>(<u32> (load<u32>(rm(w)) & load<u32>(reg(w))));
        p += REC;
        break;
      case TEST_RR64:
        flagsLogic<u64>(<u64> (load<u64>(rm(w)) & load<u64>(reg(w))));
        p += REC;
        break;
      case TEST_RI8:
        flagsLogic<u8>(<u8> (load<u8>(rm(w)) & <u8> rImm(p)));
        p += REC;
        break;
      case TEST_AI8:
        flagsLogic<u8>(<u8> (load<u8>(RAX) & <u8> rImm(p)));
        p += REC;
        break;
      case TEST_MI8:
        a = sum(w, p);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 0) & ~0xfff)) {
          h = <usize> (<u32> a + load<u32>(e, 16));
          flagsLogic<u8>(<u8> (load<u8>(h) & <u8> rImm(p)));
          p += REC;
        } else p = slow(p);
        break;
      case INC_R32:
        {
          const x = load<u32>(rm(w));
          const r = <u32> (x + 1);
          setReg<u32>(rm(w), r);
          const v = sx<u32>(r);
          store<u64>(FZ, v);
          store<u64>(FS, v);
          store<u64>(
            FX,
            (<u64> (<u32> x ^ <u32> r ^ 1) & 0x10) |
              ((<u64> (r == 0x80000000) ^ load<u64>(FC)) << 63),
          );
        }
        p += REC;
        break;
      case DEC_R32:
        {
          const x = load<u32>(rm(w));
          const r = <u32> (x - 1);
          setReg<u32>(rm(w), r);
          const v = sx<u32>(r);
          store<u64>(FZ, v);
          store<u64>(FS, v);
          store<u64>(
            FX,
            (<u64> (<u32> x ^ <u32> r ^ 1) & 0x10) |
              ((<u64> (x == 0x80000000) ^ load<u64>(FC)) << 63),
          );
        }
        p += REC;
        break;
      case INC_R64:
        {
          const x = load<u64>(rm(w));
          const r = <u64> (x + 1);
          setReg<u64>(rm(w), r);
          const v = sx<u64>(r);
          store<u64>(FZ, v);
          store<u64>(FS, v);
          store<u64>(
            FX,
            (<u64> (<u32> x ^ <u32> r ^ 1) & 0x10) |
              ((<u64> (r == 0x8000000000000000) ^ load<u64>(FC)) << 63),
          );
        }
        p += REC;
        break;
      case DEC_R64:
        {
          const x = load<u64>(rm(w));
          const r = <u64> (x - 1);
          setReg<u64>(rm(w), r);
          const v = sx<u64>(r);
          store<u64>(FZ, v);
          store<u64>(FS, v);
          store<u64>(
            FX,
            (<u64> (<u32> x ^ <u32> r ^ 1) & 0x10) |
              ((<u64> (x == 0x8000000000000000) ^ load<u64>(FC)) << 63),
          );
        }
        p += REC;
        break;
      case SHL_RI32:
        {
          const c = <u32> (rImm8(p) & 31);
          const x = load<u32>(rm(w));
          const r = <u32> (x << c);
          setReg<u32>(rm(w), r);
          if (c) {
            const cf = <u64> ((x >> <u32> (32 - c)) & 1);
            flagsSet<u32>(r, cf, <u64> (r >> 31) ^ cf);
          }
        }
        p += REC;
        break;
      case SHR_RI32:
        {
          const c = <u32> (rImm8(p) & 31);
          const x = load<u32>(rm(w));
          const r = <u32> (x >> c);
          setReg<u32>(rm(w), r);
          if (c) {
            const cf = <u64> ((x >> <u32> (c - 1)) & 1);
            flagsSet<u32>(r, cf, <u64> (r >> 31) ^ <u64> ((r >> 30) & 1));
          }
        }
        p += REC;
        break;
      case SHL_RI64:
        {
          const c = <u64> (rImm8(p) & 63);
          const x = load<u64>(rm(w));
          const r = <u64> (x << c);
          setReg<u64>(rm(w), r);
          if (c) {
            const cf = <u64> ((x >> <u64> (64 - c)) & 1);
            flagsSet<u64>(r, cf, <u64> (r >> 63) ^ cf);
          }
        }
        p += REC;
        break;
      case SHR_RI64:
        {
          const c = <u64> (rImm8(p) & 63);
          const x = load<u64>(rm(w));
          const r = <u64> (x >> c);
          setReg<u64>(rm(w), r);
          if (c) {
            const cf = <u64> ((x >> <u64> (c - 1)) & 1);
            flagsSet<u64>(r, cf, <u64> (r >> 63) ^ <u64> ((r >> 62) & 1));
          }
        }
        p += REC;
        break;
      case J0:
        if (((load<u64>(FX) >> 63) ^ load<u64>(FC)) != 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J1:
        if (((load<u64>(FX) >> 63) ^ load<u64>(FC)) == 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J2:
        if (load<u32>(FC) != 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J3:
        if (load<u32>(FC) == 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J4:
        if (load<u64>(FZ) == 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J5:
        if (load<u64>(FZ) != 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J6:
        if (load<u32>(FC) != 0 || load<u64>(FZ) == 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J7:
        if (load<u32>(FC) == 0 && load<u64>(FZ) != 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J8:
        if (load<i64>(FS) < 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case J9:
        if (load<i64>(FS) >= 0) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case JC:
        if (less()) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case JD:
        if (!less()) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case JE:
        if (load<u64>(FZ) == 0 || less()) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case JF:
        if (load<u64>(FZ) != 0 && !less()) {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        } else p += REC;
        break;
      case JMP:
        {
          const l = load<u32>(p, 28);
          p = l ? l : slow(p);
        }
        break;
      case CALL:
        {
          const l = load<u32>(p, 28);
          a = load<u64>(RSP) - 8;
          e = entryOf(a);
          if (l && load<u64>(e, 8) == ((a + 7) & ~0xfff)) {
            store<u64>(
              <usize> (<u32> a + load<u32>(e, 16)),
              load<u64>(CODEBASE) + rOff(p) + ((w >> 16) & 15),
            );
            store<u64>(RSP, a);
            p = l;
          } else p = slow(p);
        }
        break;
      case RET:
        a = load<u64>(RSP);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          const ip = load<u64>(<usize> (<u32> a + load<u32>(e, 16)));
          const j = jumpSlot(ip);
          if (load<u64>(j) == ip && load<u32>(j, 8) == load<u32>(JGEN)) {
            store<u64>(RSP, a + 8);
            store<u64>(CODEBASE, ip - (ip & 0xfff));
            p = load<u32>(j, 12);
          } else p = slow(p);
        } else p = slow(p);
        break;
      case PUSH64:
        a = load<u64>(RSP) - 8;
        e = entryOf(a);
        if (load<u64>(e, 8) == ((a + 7) & ~0xfff)) {
          store<u64>(
            <usize> (<u32> a + load<u32>(e, 16)),
            load<u64>(reg(w)),
          );
          store<u64>(RSP, a);
          p += REC;
        } else p = slow(p);
        break;
      case POP64:
        a = load<u64>(RSP);
        e = entryOf(a);
        if (load<u64>(e) == ((a + 7) & ~0xfff)) {
          const v = load<u64>(<usize> (<u32> a + load<u32>(e, 16)));
          store<u64>(RSP, a + 8);
          store<u64>(reg(w), v);
          p += REC;
        } else p = slow(p);
        break;
      case NOP:
        p += REC;
        break;
      // --- the first, then at once the second if the chunk has room for it

      // pairs: cases
      case REGION:
        {
          const cell = load<u32>(regionCell(p));
          const next = call_indirect<usize>(
            cell & 0xfffff,
            p,
            (cell >> 20) & 0x7ff,
            left,
          );
          const rest = load<i32>(REGION_LEFT);
          // the chunk is too short for it
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
  mark(MOV_RR32, M_ONE, 0x89, -1, 2, false);
  mark(MOV_RR64, M_ONE, 0x89, -1, 3, false);
  mark(MOV_RM8, M_ONE, 0x8a, -1, 0, true);
  mark(MOV_RM32, M_ONE, 0x8b, -1, 2, true);
  mark(MOV_RM64, M_ONE, 0x8b, -1, 3, true);
  mark(MOV_MR8, M_ONE, 0x88, -1, 0, true);
  mark(MOV_MR16, M_ONE, 0x89, -1, 1, true);
  mark(MOV_MR32, M_ONE, 0x89, -1, 2, true);
  mark(MOV_MR64, M_ONE, 0x89, -1, 3, true);
  mark(MOV_MI8, M_ONE, 0xc6, 0, 0, true);
  mark(MOV_MI32, M_ONE, 0xc7, 0, 2, true);
  mark(MOV_MI64, M_ONE, 0xc7, 0, 3, true);
  mark(MOV_RI32, M_ONE, 0xb8, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xb9, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xba, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xbb, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xbc, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xbd, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xbe, -1, 2, false);
  mark(MOV_RI32, M_ONE, 0xbf, -1, 2, false);
  mark(MOV_RI64, M_ONE, 0xc7, 0, 3, false);
  mark(LEA64, M_ONE, 0x8d, -1, 3, true);
  mark(LEA32, M_ONE, 0x8d, -1, 2, true);
  mark(MOVZX_RR8, M_0F, 0xb6, -1, 2, false);
  mark(MOVZX_RR8, M_0F, 0xb6, -1, 3, false);
  mark(MOVZX_RM8, M_0F, 0xb6, -1, 2, true);
  mark(MOVZX_RM8, M_0F, 0xb6, -1, 3, true);
  mark(MOVZX_RR16, M_0F, 0xb7, -1, 2, false);
  mark(MOVZX_RR16, M_0F, 0xb7, -1, 3, false);
  mark(MOVZX_RM16, M_0F, 0xb7, -1, 2, true);
  mark(MOVZX_RM16, M_0F, 0xb7, -1, 3, true);
  mark(MOVSXD_RR, M_ONE, 0x63, -1, 3, false);
  mark(MOVSXD_RM, M_ONE, 0x63, -1, 3, true);
  mark(CDQE, M_ONE, 0x98, -1, 3, false);
  mark(ADD_RR32, M_ONE, 0x1, -1, 2, false);
  mark(ADD_RI32, M_ONE, 0x81, 0, 2, false);
  mark(ADD_RI32, M_ONE, 0x83, 0, 2, false);
  mark(ADD_RM32, M_ONE, 0x3, -1, 2, true);
  mark(ADD_RR64, M_ONE, 0x1, -1, 3, false);
  mark(ADD_RI64, M_ONE, 0x81, 0, 3, false);
  mark(ADD_RI64, M_ONE, 0x83, 0, 3, false);
  mark(ADD_RM64, M_ONE, 0x3, -1, 3, true);
  mark(OR_RR32, M_ONE, 0x9, -1, 2, false);
  mark(OR_RI32, M_ONE, 0x81, 1, 2, false);
  mark(OR_RI32, M_ONE, 0x83, 1, 2, false);
  mark(OR_RM32, M_ONE, 0xb, -1, 2, true);
  mark(OR_RR64, M_ONE, 0x9, -1, 3, false);
  mark(OR_RI64, M_ONE, 0x81, 1, 3, false);
  mark(OR_RI64, M_ONE, 0x83, 1, 3, false);
  mark(OR_RM64, M_ONE, 0xb, -1, 3, true);
  mark(AND_RR32, M_ONE, 0x21, -1, 2, false);
  mark(AND_RI32, M_ONE, 0x81, 4, 2, false);
  mark(AND_RI32, M_ONE, 0x83, 4, 2, false);
  mark(AND_RM32, M_ONE, 0x23, -1, 2, true);
  mark(AND_RR64, M_ONE, 0x21, -1, 3, false);
  mark(AND_RI64, M_ONE, 0x81, 4, 3, false);
  mark(AND_RI64, M_ONE, 0x83, 4, 3, false);
  mark(AND_RM64, M_ONE, 0x23, -1, 3, true);
  mark(SUB_RR32, M_ONE, 0x29, -1, 2, false);
  mark(SUB_RI32, M_ONE, 0x81, 5, 2, false);
  mark(SUB_RI32, M_ONE, 0x83, 5, 2, false);
  mark(SUB_RM32, M_ONE, 0x2b, -1, 2, true);
  mark(SUB_RR64, M_ONE, 0x29, -1, 3, false);
  mark(SUB_RI64, M_ONE, 0x81, 5, 3, false);
  mark(SUB_RI64, M_ONE, 0x83, 5, 3, false);
  mark(SUB_RM64, M_ONE, 0x2b, -1, 3, true);
  mark(XOR_RR32, M_ONE, 0x31, -1, 2, false);
  mark(XOR_RI32, M_ONE, 0x81, 6, 2, false);
  mark(XOR_RI32, M_ONE, 0x83, 6, 2, false);
  mark(XOR_RM32, M_ONE, 0x33, -1, 2, true);
  mark(XOR_RR64, M_ONE, 0x31, -1, 3, false);
  mark(XOR_RI64, M_ONE, 0x81, 6, 3, false);
  mark(XOR_RI64, M_ONE, 0x83, 6, 3, false);
  mark(XOR_RM64, M_ONE, 0x33, -1, 3, true);
  mark(CMP_RR32, M_ONE, 0x39, -1, 2, false);
  mark(CMP_RI32, M_ONE, 0x81, 7, 2, false);
  mark(CMP_RI32, M_ONE, 0x83, 7, 2, false);
  mark(CMP_RM32, M_ONE, 0x3b, -1, 2, true);
  mark(CMP_RR64, M_ONE, 0x39, -1, 3, false);
  mark(CMP_RI64, M_ONE, 0x81, 7, 3, false);
  mark(CMP_RI64, M_ONE, 0x83, 7, 3, false);
  mark(CMP_RM64, M_ONE, 0x3b, -1, 3, true);
  mark(CMP_MI8, M_ONE, 0x80, 7, 0, true);
  mark(CMP_MR8, M_ONE, 0x38, -1, 0, true);
  mark(CMP_MI32, M_ONE, 0x81, 7, 2, true);
  mark(CMP_MI32, M_ONE, 0x83, 7, 2, true);
  mark(CMP_MR32, M_ONE, 0x39, -1, 2, true);
  mark(CMP_MI64, M_ONE, 0x81, 7, 3, true);
  mark(CMP_MI64, M_ONE, 0x83, 7, 3, true);
  mark(CMP_MR64, M_ONE, 0x39, -1, 3, true);
  mark(CMP_RI8, M_ONE, 0x80, 7, 0, false);
  mark(CMP_AI8, M_ONE, 0x3c, -1, 0, false);
  mark(TEST_RR8, M_ONE, 0x84, -1, 0, false);
  mark(TEST_RR32, M_ONE, 0x85, -1, 2, false);
  mark(TEST_RR64, M_ONE, 0x85, -1, 3, false);
  mark(TEST_RI8, M_ONE, 0xf6, 0, 0, false);
  mark(TEST_AI8, M_ONE, 0xa8, -1, 0, false);
  mark(TEST_MI8, M_ONE, 0xf6, 0, 0, true);
  mark(INC_R32, M_ONE, 0xff, 0, 2, false);
  mark(DEC_R32, M_ONE, 0xff, 1, 2, false);
  mark(INC_R64, M_ONE, 0xff, 0, 3, false);
  mark(DEC_R64, M_ONE, 0xff, 1, 3, false);
  mark(SHL_RI32, M_ONE, 0xc1, 4, 2, false);
  mark(SHR_RI32, M_ONE, 0xc1, 5, 2, false);
  mark(SHL_RI64, M_ONE, 0xc1, 4, 3, false);
  mark(SHR_RI64, M_ONE, 0xc1, 5, 3, false);
  mark(J0, M_ONE, 0x70, -1, 1, false);
  mark(J0, M_ONE, 0x70, -1, 2, false);
  mark(J0, M_ONE, 0x70, -1, 3, false);
  mark(J0, M_0F, 0x80, -1, 1, false);
  mark(J0, M_0F, 0x80, -1, 2, false);
  mark(J0, M_0F, 0x80, -1, 3, false);
  mark(J1, M_ONE, 0x71, -1, 1, false);
  mark(J1, M_ONE, 0x71, -1, 2, false);
  mark(J1, M_ONE, 0x71, -1, 3, false);
  mark(J1, M_0F, 0x81, -1, 1, false);
  mark(J1, M_0F, 0x81, -1, 2, false);
  mark(J1, M_0F, 0x81, -1, 3, false);
  mark(J2, M_ONE, 0x72, -1, 1, false);
  mark(J2, M_ONE, 0x72, -1, 2, false);
  mark(J2, M_ONE, 0x72, -1, 3, false);
  mark(J2, M_0F, 0x82, -1, 1, false);
  mark(J2, M_0F, 0x82, -1, 2, false);
  mark(J2, M_0F, 0x82, -1, 3, false);
  mark(J3, M_ONE, 0x73, -1, 1, false);
  mark(J3, M_ONE, 0x73, -1, 2, false);
  mark(J3, M_ONE, 0x73, -1, 3, false);
  mark(J3, M_0F, 0x83, -1, 1, false);
  mark(J3, M_0F, 0x83, -1, 2, false);
  mark(J3, M_0F, 0x83, -1, 3, false);
  mark(J4, M_ONE, 0x74, -1, 1, false);
  mark(J4, M_ONE, 0x74, -1, 2, false);
  mark(J4, M_ONE, 0x74, -1, 3, false);
  mark(J4, M_0F, 0x84, -1, 1, false);
  mark(J4, M_0F, 0x84, -1, 2, false);
  mark(J4, M_0F, 0x84, -1, 3, false);
  mark(J5, M_ONE, 0x75, -1, 1, false);
  mark(J5, M_ONE, 0x75, -1, 2, false);
  mark(J5, M_ONE, 0x75, -1, 3, false);
  mark(J5, M_0F, 0x85, -1, 1, false);
  mark(J5, M_0F, 0x85, -1, 2, false);
  mark(J5, M_0F, 0x85, -1, 3, false);
  mark(J6, M_ONE, 0x76, -1, 1, false);
  mark(J6, M_ONE, 0x76, -1, 2, false);
  mark(J6, M_ONE, 0x76, -1, 3, false);
  mark(J6, M_0F, 0x86, -1, 1, false);
  mark(J6, M_0F, 0x86, -1, 2, false);
  mark(J6, M_0F, 0x86, -1, 3, false);
  mark(J7, M_ONE, 0x77, -1, 1, false);
  mark(J7, M_ONE, 0x77, -1, 2, false);
  mark(J7, M_ONE, 0x77, -1, 3, false);
  mark(J7, M_0F, 0x87, -1, 1, false);
  mark(J7, M_0F, 0x87, -1, 2, false);
  mark(J7, M_0F, 0x87, -1, 3, false);
  mark(J8, M_ONE, 0x78, -1, 1, false);
  mark(J8, M_ONE, 0x78, -1, 2, false);
  mark(J8, M_ONE, 0x78, -1, 3, false);
  mark(J8, M_0F, 0x88, -1, 1, false);
  mark(J8, M_0F, 0x88, -1, 2, false);
  mark(J8, M_0F, 0x88, -1, 3, false);
  mark(J9, M_ONE, 0x79, -1, 1, false);
  mark(J9, M_ONE, 0x79, -1, 2, false);
  mark(J9, M_ONE, 0x79, -1, 3, false);
  mark(J9, M_0F, 0x89, -1, 1, false);
  mark(J9, M_0F, 0x89, -1, 2, false);
  mark(J9, M_0F, 0x89, -1, 3, false);
  mark(JC, M_ONE, 0x7c, -1, 1, false);
  mark(JC, M_ONE, 0x7c, -1, 2, false);
  mark(JC, M_ONE, 0x7c, -1, 3, false);
  mark(JC, M_0F, 0x8c, -1, 1, false);
  mark(JC, M_0F, 0x8c, -1, 2, false);
  mark(JC, M_0F, 0x8c, -1, 3, false);
  mark(JD, M_ONE, 0x7d, -1, 1, false);
  mark(JD, M_ONE, 0x7d, -1, 2, false);
  mark(JD, M_ONE, 0x7d, -1, 3, false);
  mark(JD, M_0F, 0x8d, -1, 1, false);
  mark(JD, M_0F, 0x8d, -1, 2, false);
  mark(JD, M_0F, 0x8d, -1, 3, false);
  mark(JE, M_ONE, 0x7e, -1, 1, false);
  mark(JE, M_ONE, 0x7e, -1, 2, false);
  mark(JE, M_ONE, 0x7e, -1, 3, false);
  mark(JE, M_0F, 0x8e, -1, 1, false);
  mark(JE, M_0F, 0x8e, -1, 2, false);
  mark(JE, M_0F, 0x8e, -1, 3, false);
  mark(JF, M_ONE, 0x7f, -1, 1, false);
  mark(JF, M_ONE, 0x7f, -1, 2, false);
  mark(JF, M_ONE, 0x7f, -1, 3, false);
  mark(JF, M_0F, 0x8f, -1, 1, false);
  mark(JF, M_0F, 0x8f, -1, 2, false);
  mark(JF, M_0F, 0x8f, -1, 3, false);
  mark(JMP, M_ONE, 0xeb, -1, 3, false);
  mark(JMP, M_ONE, 0xe9, -1, 3, false);
  mark(CALL, M_ONE, 0xe8, -1, 3, false);
  mark(RET, M_ONE, 0xc3, -1, 3, false);
  mark(PUSH64, M_ONE, 0x50, -1, 3, false);
  mark(PUSH64, M_ONE, 0x51, -1, 3, false);
  mark(PUSH64, M_ONE, 0x52, -1, 3, false);
  mark(PUSH64, M_ONE, 0x53, -1, 3, false);
  mark(PUSH64, M_ONE, 0x54, -1, 3, false);
  mark(PUSH64, M_ONE, 0x55, -1, 3, false);
  mark(PUSH64, M_ONE, 0x56, -1, 3, false);
  mark(PUSH64, M_ONE, 0x57, -1, 3, false);
  mark(POP64, M_ONE, 0x58, -1, 3, false);
  mark(POP64, M_ONE, 0x59, -1, 3, false);
  mark(POP64, M_ONE, 0x5a, -1, 3, false);
  mark(POP64, M_ONE, 0x5b, -1, 3, false);
  mark(POP64, M_ONE, 0x5c, -1, 3, false);
  mark(POP64, M_ONE, 0x5d, -1, 3, false);
  mark(POP64, M_ONE, 0x5e, -1, 3, false);
  mark(POP64, M_ONE, 0x5f, -1, 3, false);
  mark(NOP, M_0F, 0x1f, -1, 1, false);
  mark(NOP, M_0F, 0x1f, -1, 1, true);
  mark(NOP, M_0F, 0x1f, -1, 2, false);
  mark(NOP, M_0F, 0x1f, -1, 2, true);
  mark(NOP, M_0F, 0x1f, -1, 3, false);
  mark(NOP, M_0F, 0x1f, -1, 3, true);

  // pairs: registration
}
