// MOV in all general forms, MOVNTI, LEA, MOVZX MOVSX MOVSXD (and ARPL, MOVSXD's
// opcode outside 64-bit code) (SDM vol. 2). MOV to a segment register and MOV
// to CR and DR are elsewhere.
import { raise } from "../../cpu/fault";
import { CODEKEY, FAULT, RAX, SEG_SEL, SEGS } from "../../layout";
import {
  def,
  grp,
  hm,
  hr,
  IMM_B,
  IMM_MOFFS,
  IMM_V,
  IMM_Z,
  M_0F,
  M_ONE,
  MEMONLY,
  MODRM,
  OPREG,
  P_NONE,
  REG8,
  RM8,
  SZ_B,
  SZ_V,
  SZ_Y,
  v3m,
  v3r,
} from "../../code/optable";
import {
  EAK_64,
  rDisp,
  rEak,
  REC,
  rImm,
  rImm8,
  rModrm,
  rReg,
  rRm,
  setReg,
} from "../../code/record";
import { hostOf, readHit, tlbEntry, writeHit } from "../../memory/span";
import { arpl } from "../system/descriptor";
import { getReg, getRm, putReg, putRm } from "../regs";
import { eaOffset, eaSum, ldm, stm } from "../../code/operand";
import { Vector } from "../../x86/vectors";
import { KEY_64 } from "../../shared";

// --- MOV

function loadSlow<T>(p: usize, to: usize): usize {
  const v = ldm<T>(p);
  if (load<u32>(FAULT)) return 0;
  setReg<T>(to, v);
  return p + REC;
}
@inline
function movLoad<T>(p: usize, to: usize): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (readHit<T>(e, at)) {
      setReg<T>(to, load<T>(hostOf(e, at)));
      return p + REC;
    }
  }
  return loadSlow<T>(p, to);
}
function storeSlow<T>(p: usize, v: T): usize {
  stm<T>(p, v);
  return load<u32>(FAULT) ? 0 : p + REC;
}
@inline
function movStore<T>(p: usize, v: T): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (writeHit<T>(e, at)) {
      store<T>(hostOf(e, at), v);
      return p + REC;
    }
  }
  return storeSlow<T>(p, v);
}
@inline
function movToRm<T>(p: usize): usize {
  putRm<T>(p, getReg<T>(p));
  return p + REC;
}
@inline
function movToReg<T>(p: usize): usize {
  putReg<T>(p, getRm<T>(p));
  return p + REC;
}
@inline
function movRI<T>(p: usize, to: usize, v: u64): usize {
  setReg<T>(to, <T> v);
  return p + REC;
}

function registerMov(): void {
  def(M_ONE, 0x88, MODRM | SZ_B | REG8 | RM8);
  hr(0, (p) => movToRm<u8>(p));
  hm(0, (p) => movStore<u8>(p, getReg<u8>(p)));
  def(M_ONE, 0x89, MODRM | SZ_V);
  v3r(
    (p) => movToRm<u16>(p),
    (p) => movToRm<u32>(p),
    (p) => movToRm<u64>(p),
  );
  v3m(
    (p) => movStore<u16>(p, getReg<u16>(p)),
    (p) => movStore<u32>(p, getReg<u32>(p)),
    (p) => movStore<u64>(p, getReg<u64>(p)),
  );
  def(M_ONE, 0x8a, MODRM | SZ_B | REG8 | RM8);
  hr(0, (p) => movToReg<u8>(p));
  hm(0, (p) => movLoad<u8>(p, rReg(p)));
  def(M_ONE, 0x8b, MODRM | SZ_V);
  v3r(
    (p) => movToReg<u16>(p),
    (p) => movToReg<u32>(p),
    (p) => movToReg<u64>(p),
  );
  v3m(
    (p) => movLoad<u16>(p, rReg(p)),
    (p) => movLoad<u32>(p, rReg(p)),
    (p) => movLoad<u64>(p, rReg(p)),
  );
  for (let r: u32 = 0; r < 8; r++) {
    def(M_ONE, 0xb0 + r, SZ_B | OPREG | REG8 | IMM_B);
    hr(0, (p) => movRI<u8>(p, rReg(p), rImm8(p)));
    def(M_ONE, 0xb8 + r, SZ_V | OPREG | IMM_V);
    v3r(
      (p) => movRI<u16>(p, rReg(p), rDisp(p)),
      (p) => movRI<u32>(p, rReg(p), rDisp(p)),
      (p) => movRI<u64>(p, rReg(p), rDisp(p)),
    );
  }
  grp(M_ONE, 0xc6, 0, SZ_B | RM8 | IMM_B);
  hr(0, (p) => movRI<u8>(p, rRm(p), rImm8(p)));
  hm(0, (p) => movStore<u8>(p, <u8> rImm8(p)));
  grp(M_ONE, 0xc7, 0, SZ_V | IMM_Z);
  v3r(
    (p) => movRI<u16>(p, rRm(p), rImm(p)),
    (p) => movRI<u32>(p, rRm(p), rImm(p)),
    (p) => movRI<u64>(p, rRm(p), rImm(p)),
  );
  v3m(
    (p) => movStore<u16>(p, <u16> rImm(p)),
    (p) => movStore<u32>(p, <u32> rImm(p)),
    (p) => movStore<u64>(p, <u64> rImm(p)),
  );
  def(M_ONE, 0xa0, SZ_B | IMM_MOFFS);
  hm(0, (p) => movLoad<u8>(p, RAX));
  def(M_ONE, 0xa1, SZ_V | IMM_MOFFS);
  v3m(
    (p) => movLoad<u16>(p, RAX),
    (p) => movLoad<u32>(p, RAX),
    (p) => movLoad<u64>(p, RAX),
  );
  def(M_ONE, 0xa2, SZ_B | IMM_MOFFS);
  hm(0, (p) => movStore<u8>(p, load<u8>(RAX)));
  def(M_ONE, 0xa3, SZ_V | IMM_MOFFS);
  v3m(
    (p) => movStore<u16>(p, load<u16>(RAX)),
    (p) => movStore<u32>(p, load<u32>(RAX)),
    (p) => movStore<u64>(p, load<u64>(RAX)),
  );
  // MOV r/m, Sreg: 16 bits to memory, zero-extended to a wider register
  def(M_ONE, 0x8c, MODRM | SZ_V);
  v3r(
    (p) => movSegR<u16>(p),
    (p) => movSegR<u32>(p),
    (p) => movSegR<u64>(p),
  );
  v3m((p) => movSegM(p), (p) => movSegM(p), (p) => movSegM(p));
  // MOVNTI
  def(M_0F, 0xc3, MODRM | SZ_Y | MEMONLY | P_NONE);
  hm(2, (p) => movStore<u32>(p, getReg<u32>(p)));
  hm(3, (p) => movStore<u64>(p, getReg<u64>(p)));
}

@inline
function movSegR<T>(p: usize): usize {
  const s = (rModrm(p) >> 3) & 7;
  if (s > 5) return raise(Vector.UD);
  setReg<T>(rRm(p), <T> load<u16>(SEGS + (<usize> s << 5), SEG_SEL));
  return p + REC;
}
function movSegM(p: usize): usize {
  const s = (rModrm(p) >> 3) & 7;
  if (s > 5) return raise(Vector.UD);
  stm<u16>(p, load<u16>(SEGS + (<usize> s << 5), SEG_SEL));
  return load<u32>(FAULT) ? 0 : p + REC;
}

// --- LEA

@inline
function lea<T>(p: usize): usize {
  if (rEak(p) == EAK_64) putReg<T>(p, <T> eaSum(p));
  else putReg<T>(p, <T> eaOffset(p));
  return p + REC;
}

// --- extensions: S is the source type (signed or not), T the destination

@inline
function extR<T, S>(p: usize): usize {
  putReg<T>(p, <T> getRm<S>(p));
  return p + REC;
}
function extSlow<T, S, U>(p: usize): usize {
  const v = ldm<U>(p);
  if (load<u32>(FAULT)) return 0;
  putReg<T>(p, <T> <S> v);
  return p + REC;
}
@inline
function extM<T, S, U>(p: usize): usize {
  if (sizeof<T>() != 2 && load<u8>(p, 10) == EAK_64) {
    const at = eaSum(p);
    const e = tlbEntry(at);
    if (readHit<U>(e, at)) {
      putReg<T>(p, <T> load<S>(hostOf(e, at)));
      return p + REC;
    }
  }
  return extSlow<T, S, U>(p);
}

function registerExtend(): void {
  def(M_ONE, 0x8d, MODRM | SZ_V | MEMONLY);
  v3m((p) => lea<u16>(p), (p) => lea<u32>(p), (p) => lea<u64>(p));
  def(M_ONE, 0x63, MODRM | SZ_V);
  v3r(
    (p) => movsxdR<u16, u16>(p),
    (p) => movsxdR<u32, u32>(p),
    (p) => movsxdR<u64, i32>(p),
  );
  v3m(
    (p) => movsxdM<u16, u16, u16>(p),
    (p) => movsxdM<u32, u32, u32>(p),
    (p) => movsxdM<u64, i32, u32>(p),
  );
  def(M_0F, 0xb6, MODRM | SZ_V | RM8);
  v3r(
    (p) => extR<u16, u8>(p),
    (p) => extR<u32, u8>(p),
    (p) => extR<u64, u8>(p),
  );
  v3m(
    (p) => extM<u16, u8, u8>(p),
    (p) => extM<u32, u8, u8>(p),
    (p) => extM<u64, u8, u8>(p),
  );
  def(M_0F, 0xb7, MODRM | SZ_V);
  v3r(
    (p) => extR<u16, u16>(p),
    (p) => extR<u32, u16>(p),
    (p) => extR<u64, u16>(p),
  );
  v3m(
    (p) => extM<u16, u16, u16>(p),
    (p) => extM<u32, u16, u16>(p),
    (p) => extM<u64, u16, u16>(p),
  );
  def(M_0F, 0xbe, MODRM | SZ_V | RM8);
  v3r(
    (p) => extR<u16, i8>(p),
    (p) => extR<u32, i8>(p),
    (p) => extR<u64, i8>(p),
  );
  v3m(
    (p) => extM<u16, i8, u8>(p),
    (p) => extM<u32, i8, u8>(p),
    (p) => extM<u64, i8, u8>(p),
  );
  def(M_0F, 0xbf, MODRM | SZ_V);
  v3r(
    (p) => extR<u16, i16>(p),
    (p) => extR<u32, i16>(p),
    (p) => extR<u64, i16>(p),
  );
  v3m(
    (p) => extM<u16, i16, u16>(p),
    (p) => extM<u32, i16, u16>(p),
    (p) => extM<u64, i16, u16>(p),
  );
}

// --- 63: MOVSXD in 64-bit code, ARPL elsewhere

@inline
function movsxdR<T, S>(p: usize): usize {
  return load<u8>(CODEKEY) == KEY_64 ? extR<T, S>(p) : arpl(p);
}

@inline
function movsxdM<T, S, U>(p: usize): usize {
  return load<u8>(CODEKEY) == KEY_64 ? extM<T, S, U>(p) : arpl(p);
}

export function registerMove(): void {
  registerMov();
  registerExtend();
}
