// XCHG, CMOVcc, SETcc, BSWAP, MOVBE, XLAT, SALC, the CBW and CWD families, NOP
// and its kin, and fences, which order nothing here (SDM vol. 2).
import { cond } from "../../cpu/flags";
import { FAULT, RAX, RBX, RDX } from "../../layout";
import { rd } from "../../memory/access";
import {
  all,
  def,
  grp,
  hm,
  hr,
  INV64,
  LOCKOK,
  M_0F,
  M_0F38,
  M_ONE,
  MEMONLY,
  MODRM,
  OPREG,
  P_66,
  P_F3,
  P_NONE,
  REG8,
  REGONLY,
  RM8,
  SZ_B,
  SZ_V,
  v3m,
  v3r,
} from "../../code/optable";
import {
  addrMask,
  REC,
  rOpcode,
  rReg,
  rRm,
  rSeg,
  setReg,
} from "../../code/record";
import { spin } from "../../cpu/spin";
import { rmwFailed } from "../rmw";
import { ldm, linear, rwm, stm } from "../../code/operand";

// --- XCHG

@inline
function xchgR<T>(p: usize, x: usize, y: usize): usize {
  const a = load<T>(x);
  setReg<T>(x, load<T>(y));
  setReg<T>(y, a);
  return p + REC;
}

@inline
function xchgM<T>(p: usize): usize {
  const h = rwm<T>(p);
  if (!h) return 0;
  const a = load<T>(h);
  const b = load<T>(rReg(p));
  store<T>(h, b);
  if (rmwFailed()) return 0;
  // the same value, too: a 32-bit register's upper half becomes 0
  setReg<T>(rReg(p), a);
  return a == b ? spin(p) : p + REC;
}

/** 90+r: with rAX itself it is NOP and clears no upper half. */
@inline
function xchgA<T>(p: usize): usize {
  if (rReg(p) == RAX) return p + REC;
  return xchgR<T>(p, RAX, rReg(p));
}

// --- conditions

@inline
function cmovR<T>(p: usize): usize {
  const to = rReg(p);
  // a 32-bit destination is zero-extended even when the condition is false
  if (cond(rOpcode(p) & 15)) setReg<T>(to, load<T>(rRm(p)));
  else if (sizeof<T>() == 4) setReg<T>(to, load<T>(to));
  return p + REC;
}

@inline
function cmovM<T>(p: usize): usize {
  const v = ldm<T>(p);
  if (load<u32>(FAULT)) return 0;
  const to = rReg(p);
  if (cond(rOpcode(p) & 15)) setReg<T>(to, v);
  else if (sizeof<T>() == 4) setReg<T>(to, load<T>(to));
  return p + REC;
}
function setccR(p: usize): usize {
  store<u8>(rRm(p), <u8> cond(rOpcode(p) & 15));
  return p + REC;
}
function setccM(p: usize): usize {
  stm<u8>(p, <u8> cond(rOpcode(p) & 15));
  return load<u32>(FAULT) ? 0 : p + REC;
}

// --- byte order

@inline
function swapped<T>(v: T): T {
  if (sizeof<T>() == 2) return <T> (((<u32> v & 0xff) << 8) | (<u32> v >> 8));
  return bswap<T>(v);
}

@inline
function movbeLoad<T>(p: usize): usize {
  const v = ldm<T>(p);
  if (load<u32>(FAULT)) return 0;
  setReg<T>(rReg(p), swapped<T>(v));
  return p + REC;
}

@inline
function movbeStore<T>(p: usize): usize {
  stm<T>(p, swapped<T>(load<T>(rReg(p))));
  return load<u32>(FAULT) ? 0 : p + REC;
}
/** BSWAP of a 16-bit register is undefined; silicon clears it. */
function bswap16(p: usize): usize {
  store<u16>(rReg(p), 0);
  return p + REC;
}

@inline
function bswapR<T>(p: usize): usize {
  setReg<T>(rReg(p), bswap<T>(load<T>(rReg(p))));
  return p + REC;
}

// --- XLAT

function xlat(p: usize): usize {
  const off = (load<u64>(RBX) + load<u8>(RAX)) & addrMask(p);
  const a = linear(rSeg(p), off, 1, false);
  if (load<u32>(FAULT)) return 0;
  const v = rd<u8>(a);
  if (load<u32>(FAULT)) return 0;
  store<u8>(RAX, v);
  return p + REC;
}

/** F3 90; with REX.B it is XCHG. */
@inline
function pause<T>(p: usize): usize {
  return rReg(p) == RAX ? spin(p) : xchgR<T>(p, RAX, rReg(p));
}

function nop(p: usize): usize {
  return p + REC;
}

/** SALC: AL = CF ? FF : 0 (not in Intel's manual, in every processor). */
function salc(p: usize): usize {
  store<u8>(RAX, cond(2) ? 0xff : 0);
  return p + REC;
}

export function registerData(): void {
  def(M_ONE, 0x86, MODRM | SZ_B | REG8 | RM8 | LOCKOK);
  hr(0, (p) => xchgR<u8>(p, rReg(p), rRm(p)));
  hm(0, (p) => xchgM<u8>(p));
  def(M_ONE, 0x87, MODRM | SZ_V | LOCKOK);
  v3r(
    (p) => xchgR<u16>(p, rReg(p), rRm(p)),
    (p) => xchgR<u32>(p, rReg(p), rRm(p)),
    (p) => xchgR<u64>(p, rReg(p), rRm(p)),
  );
  v3m((p) => xchgM<u16>(p), (p) => xchgM<u32>(p), (p) => xchgM<u64>(p));
  for (let r: u32 = 0; r < 8; r++) {
    def(M_ONE, 0x90 + r, SZ_V | OPREG);
    v3r((p) => xchgA<u16>(p), (p) => xchgA<u32>(p), (p) => xchgA<u64>(p));
    if (r == 0) {
      def(M_ONE, 0x90, SZ_V | OPREG | P_F3);
      v3r((p) => pause<u16>(p), (p) => pause<u32>(p), (p) => pause<u64>(p));
    }
    def(M_0F, 0xc8 + r, SZ_V | OPREG);
    v3r((p) => bswap16(p), (p) => bswapR<u32>(p), (p) => bswapR<u64>(p));
  }
  for (let c: u32 = 0; c < 16; c++) {
    def(M_0F, 0x40 + c, MODRM | SZ_V);
    v3r((p) => cmovR<u16>(p), (p) => cmovR<u32>(p), (p) => cmovR<u64>(p));
    v3m((p) => cmovM<u16>(p), (p) => cmovM<u32>(p), (p) => cmovM<u64>(p));
    def(M_0F, 0x90 + c, MODRM | SZ_B | RM8);
    hr(0, setccR);
    hm(0, setccM);
  }
  def(M_0F38, 0xf0, MODRM | SZ_V | MEMONLY | P_NONE | P_66);
  v3m(
    (p) => movbeLoad<u16>(p),
    (p) => movbeLoad<u32>(p),
    (p) => movbeLoad<u64>(p),
  );
  def(M_0F38, 0xf1, MODRM | SZ_V | MEMONLY | P_NONE | P_66);
  v3m(
    (p) => movbeStore<u16>(p),
    (p) => movbeStore<u32>(p),
    (p) => movbeStore<u64>(p),
  );
  def(M_ONE, 0xd7, SZ_B);
  hr(0, xlat);
  def(M_ONE, 0xd6, SZ_B | INV64);
  hr(0, salc);
  // CBW CWDE CDQE, CWD CDQ CQO
  def(M_ONE, 0x98, SZ_V);
  v3r(
    (p) => {
      store<u16>(RAX, <u16> load<i8>(RAX));
      return p + REC;
    },
    (p) => {
      store<u64>(RAX, <u64> <u32> <i32> load<i16>(RAX));
      return p + REC;
    },
    (p) => {
      store<u64>(RAX, <u64> <i64> load<i32>(RAX));
      return p + REC;
    },
  );
  def(M_ONE, 0x99, SZ_V);
  v3r(
    (p) => {
      store<u16>(RDX, <u16> (load<i16>(RAX) >> 15));
      return p + REC;
    },
    (p) => {
      store<u64>(RDX, <u64> <u32> (load<i32>(RAX) >> 31));
      return p + REC;
    },
    (p) => {
      store<u64>(RDX, <u64> (load<i64>(RAX) >> 63));
      return p + REC;
    },
  );
  // prefetches, reserved hints (ENDBR among them) and the long NOP
  def(M_0F, 0x0d, MODRM);
  all(nop);
  for (let op: u32 = 0x18; op < 0x20; op++) {
    def(M_0F, op, MODRM);
    all(nop);
  }
  registerFences();
}

/**
 * CLFLUSH CLFLUSHOPT CLWB: nothing is cached, but the address is checked like a
 * read.
 */
function cacheLine(p: usize): usize {
  ldm<u8>(p);
  return load<u32>(FAULT) ? 0 : p + REC;
}

function registerFences(): void {
  for (let n: u32 = 5; n < 8; n++) {
    grp(M_0F, 0xae, n, P_NONE | REGONLY);
    all(nop);
  }
  grp(M_0F, 0xae, 7, P_NONE | P_66 | MEMONLY);
  all(cacheLine);
  grp(M_0F, 0xae, 6, P_66 | MEMONLY);
  all(cacheLine);
}
