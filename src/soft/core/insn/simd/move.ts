// MMX and SSE data movement: MOVxx, masks, inserts and extracts of whole
// scalars. Source: SDM vol. 2.
import { FAULT, FTW, RDI } from "../../layout";
import { probe, wr } from "../../memory/access";
import {
  all,
  allrm,
  def,
  hm,
  hr,
  M_0F,
  M_0F38,
  MEMONLY,
  MODRM,
  P_66,
  P_F2,
  P_F3,
  P_NONE,
  REGONLY,
  SZ_Y,
} from "../../code/optable";
import {
  addrMask,
  isMem,
  REC,
  rReg,
  rRm,
  rSeg,
  setReg,
} from "../../code/record";
import {
  copy16,
  memory16,
  memory16u,
  mmReg,
  mmRm,
  mmxDone,
  mmxOpen,
  source16,
  source8,
  sourcePart,
  sseReady,
  store16,
  store16u,
  xmmReg,
  xmmRm,
} from "./operands";
import { mmxUsed } from "../x87/state";
import { ldm, ldmI, linear, stm, stmI } from "../../code/operand";
import { ACC_WRITE } from "../../memory/walk";

function moveReg(p: usize): usize {
  if (!sseReady()) return 0;
  copy16(xmmReg(p), xmmRm(p));
  return p + REC;
}
function moveBack(p: usize): usize {
  if (!sseReady()) return 0;
  copy16(xmmRm(p), xmmReg(p));
  return p + REC;
}

/** MOVAPS, MOVAPD, MOVDQA loads. */
function loadAligned(p: usize): usize {
  if (!sseReady()) return 0;
  const s = memory16(p);
  if (s == 0) return 0;
  copy16(xmmReg(p), s);
  return p + REC;
}

/** MOVUPS, MOVUPD, MOVDQU, LDDQU loads. */
function loadUnaligned(p: usize): usize {
  if (!sseReady()) return 0;
  const s = memory16u(p);
  if (s == 0) return 0;
  copy16(xmmReg(p), s);
  return p + REC;
}

function storeAligned(p: usize): usize {
  if (!sseReady()) return 0;
  return store16(p, xmmReg(p));
}

function storeUnaligned(p: usize): usize {
  if (!sseReady()) return 0;
  return store16u(p, xmmReg(p));
}

/** MOVSS, MOVSD: memory zeroes the rest, a register leaves it. */
function scalarReg<T>(p: usize): usize {
  if (!sseReady()) return 0;
  store<T>(xmmReg(p), load<T>(xmmRm(p)));
  return p + REC;
}
function scalarBack<T>(p: usize): usize {
  if (!sseReady()) return 0;
  store<T>(xmmRm(p), load<T>(xmmReg(p)));
  return p + REC;
}
/** The same for MOVD, MOVQ. */
function loadScalar<T>(p: usize): usize {
  if (!sseReady()) return 0;
  const v = ldmI<T>(p);
  if (load<u32>(FAULT)) return 0;
  const d = xmmReg(p);
  store<u64>(d, <u64> v);
  store<u64>(d, 0, 8);
  return p + REC;
}
function storeScalar<T>(p: usize): usize {
  if (!sseReady()) return 0;
  stmI<T>(p, load<T>(xmmReg(p)));
  return load<u32>(FAULT) ? 0 : p + REC;
}

/**
 * MOVLPS/MOVLPD (half 0) and MOVHPS/MOVHPD (half 8); register forms MOVHLPS and
 * MOVLHPS.
 */
@inline
function halfReg(p: usize, half: usize): usize {
  if (!sseReady()) return 0;
  store<u64>(xmmReg(p) + half, load<u64>(xmmRm(p) + (8 - half)));
  return p + REC;
}
@inline
function loadHalf(p: usize, half: usize): usize {
  if (!sseReady()) return 0;
  const v = ldmI<u64>(p);
  if (load<u32>(FAULT)) return 0;
  store<u64>(xmmReg(p) + half, v);
  return p + REC;
}
@inline
function storeHalf(p: usize, half: usize): usize {
  if (!sseReady()) return 0;
  stmI<u64>(p, load<u64>(xmmReg(p) + half));
  return load<u32>(FAULT) ? 0 : p + REC;
}

/** MOVDDUP, MOVSLDUP (which = 0), MOVSHDUP (which = 4). */
function dupDouble(p: usize): usize {
  if (!sseReady()) return 0;
  const s = sourcePart(p, 8);
  if (s == 0) return 0;
  const v = load<u64>(s);
  const d = xmmReg(p);
  store<u64>(d, v);
  store<u64>(d, v, 8);
  return p + REC;
}
function dupSingle(p: usize, which: usize): usize {
  if (!sseReady()) return 0;
  const s = source16(p);
  if (s == 0) return 0;
  const a = load<u32>(s + which);
  const b = load<u32>(s + which + 8);
  const d = xmmReg(p);
  store<u32>(d, a);
  store<u32>(d, a, 4);
  store<u32>(d, b, 8);
  store<u32>(d, b, 12);
  return p + REC;
}

// --- MOVD, MOVQ

function mmFromGpr<T>(p: usize): usize {
  if (!mmxOpen()) return 0;
  const v = isMem(p) ? ldm<T>(p) : load<T>(rRm(p));
  if (load<u32>(FAULT)) return 0;
  const d = mmReg(p);
  store<u64>(d, <u64> v);
  mmxDone(d);
  return p + REC;
}
function mmToGpr<T>(p: usize): usize {
  if (!mmxOpen()) return 0;
  const v = load<T>(mmReg(p));
  if (isMem(p)) {
    stm<T>(p, v);
    if (load<u32>(FAULT)) return 0;
  } else setReg<T>(rRm(p), v);
  mmxUsed();
  return p + REC;
}
function xmmFromGpr<T>(p: usize): usize {
  if (!sseReady()) return 0;
  const d = xmmReg(p);
  store<u64>(d, <u64> load<T>(rRm(p)));
  store<u64>(d, 0, 8);
  return p + REC;
}
function xmmToGpr<T>(p: usize): usize {
  if (!sseReady()) return 0;
  setReg<T>(rRm(p), load<T>(xmmReg(p)));
  return p + REC;
}
function mmLoad(p: usize): usize {
  if (!mmxOpen()) return 0;
  const s = source8(p);
  if (s == 0) return 0;
  const d = mmReg(p);
  store<u64>(d, load<u64>(s));
  mmxDone(d);
  return p + REC;
}
function mmStore(p: usize): usize {
  if (!mmxOpen()) return 0;
  const v = load<u64>(mmReg(p));
  if (isMem(p)) {
    stm<u64>(p, v);
    if (load<u32>(FAULT)) return 0;
    mmxUsed();
    return p + REC;
  }
  const d = mmRm(p);
  store<u64>(d, v);
  mmxDone(d);
  return p + REC;
}
/** MOVQ xmm, xmm. */
function quadReg(p: usize): usize {
  if (!sseReady()) return 0;
  const d = xmmReg(p);
  store<u64>(d, load<u64>(xmmRm(p)));
  store<u64>(d, 0, 8);
  return p + REC;
}
function quadBack(p: usize): usize {
  if (!sseReady()) return 0;
  const d = xmmRm(p);
  store<u64>(d, load<u64>(xmmReg(p)));
  store<u64>(d, 0, 8);
  return p + REC;
}
/** MOVQ2DQ and MOVDQ2Q. */
function mmToXmm(p: usize): usize {
  if (!sseReady() || !mmxOpen()) return 0;
  const d = xmmReg(p);
  store<u64>(d, load<u64>(mmRm(p)));
  store<u64>(d, 0, 8);
  mmxUsed();
  return p + REC;
}
function xmmToMm(p: usize): usize {
  if (!sseReady() || !mmxOpen()) return 0;
  const d = mmReg(p);
  store<u64>(d, load<u64>(xmmRm(p)));
  mmxDone(d);
  return p + REC;
}

// --- masks

function signs8(v: u64): u32 {
  // gathers the top bit of each byte into the low byte
  return <u32> (((v & 0x8080808080808080) * 0x0002040810204081) >> 56) & 0xff;
}
function mmMask(p: usize): usize {
  if (!mmxOpen()) return 0;
  store<u64>(rReg(p), signs8(load<u64>(mmRm(p))));
  mmxUsed();
  return p + REC;
}
function xmmMask(p: usize): usize {
  if (!sseReady()) return 0;
  const s = xmmRm(p);
  store<u64>(rReg(p), signs8(load<u64>(s)) | (signs8(load<u64>(s, 8)) << 8));
  return p + REC;
}
function maskSingle(p: usize): usize {
  if (!sseReady()) return 0;
  const s = xmmRm(p);
  store<u64>(
    rReg(p),
    (load<u32>(s) >> 31) | ((load<u32>(s, 4) >> 31) << 1) |
      ((load<u32>(s, 8) >> 31) << 2) | ((load<u32>(s, 12) >> 31) << 3),
  );
  return p + REC;
}
function maskDouble(p: usize): usize {
  if (!sseReady()) return 0;
  const s = xmmRm(p);
  store<u64>(rReg(p), (load<u64>(s) >> 63) | ((load<u64>(s, 8) >> 63) << 1));
  return p + REC;
}

/**
 * MASKMOVQ, MASKMOVDQU: bytes of `s` whose mask byte is negative go to [rDI].
 */
function maskedStore(p: usize, s: usize, m: usize, n: u32): bool {
  const off = load<u64>(RDI) & addrMask(p);
  const a = linear(rSeg(p), off, n, true);
  if (load<u32>(FAULT)) return false;
  if (!probe(a, n, ACC_WRITE)) return false;
  for (let i: u32 = 0; i < n; i++) {
    if (load<i8>(m + i) < 0) {
      wr<u8>(a + i, load<u8>(s + i));
      if (load<u32>(FAULT)) return false;
    }
  }
  return true;
}

/** EMMS: the x87 registers are empty again. */
function emms(p: usize): usize {
  if (!mmxOpen()) return 0;
  store<u8>(FTW, 0);
  return p + REC;
}

/** MOVNTQ. */
function storeMm(p: usize): usize {
  if (!mmxOpen()) return 0;
  stm<u64>(p, load<u64>(mmReg(p)));
  if (load<u32>(FAULT)) return 0;
  mmxUsed();
  return p + REC;
}

export function registerSimdMove(): void {
  def(M_0F, 0x10, MODRM | P_NONE | P_66);
  allrm((p) => moveReg(p), (p) => loadUnaligned(p));
  def(M_0F, 0x10, MODRM | P_F3);
  allrm((p) => scalarReg<u32>(p), (p) => loadScalar<u32>(p));
  def(M_0F, 0x10, MODRM | P_F2);
  allrm((p) => scalarReg<u64>(p), (p) => loadScalar<u64>(p));
  def(M_0F, 0x11, MODRM | P_NONE | P_66);
  allrm((p) => moveBack(p), (p) => storeUnaligned(p));
  def(M_0F, 0x11, MODRM | P_F3);
  allrm((p) => scalarBack<u32>(p), (p) => storeScalar<u32>(p));
  def(M_0F, 0x11, MODRM | P_F2);
  allrm((p) => scalarBack<u64>(p), (p) => storeScalar<u64>(p));
  def(M_0F, 0x12, MODRM | P_NONE);
  allrm((p) => halfReg(p, 0), (p) => loadHalf(p, 0));
  def(M_0F, 0x12, MODRM | MEMONLY | P_66);
  all((p) => loadHalf(p, 0));
  def(M_0F, 0x12, MODRM | P_F2);
  all((p) => dupDouble(p));
  def(M_0F, 0x12, MODRM | P_F3);
  all((p) => dupSingle(p, 0));
  def(M_0F, 0x13, MODRM | MEMONLY | P_NONE | P_66);
  all((p) => storeHalf(p, 0));
  def(M_0F, 0x16, MODRM | P_NONE);
  allrm((p) => halfReg(p, 8), (p) => loadHalf(p, 8));
  def(M_0F, 0x16, MODRM | MEMONLY | P_66);
  all((p) => loadHalf(p, 8));
  def(M_0F, 0x16, MODRM | P_F3);
  all((p) => dupSingle(p, 4));
  def(M_0F, 0x17, MODRM | MEMONLY | P_NONE | P_66);
  all((p) => storeHalf(p, 8));
  def(M_0F, 0x28, MODRM | P_NONE | P_66);
  allrm((p) => moveReg(p), (p) => loadAligned(p));
  def(M_0F, 0x29, MODRM | P_NONE | P_66);
  allrm((p) => moveBack(p), (p) => storeAligned(p));
  def(M_0F, 0x2b, MODRM | MEMONLY | P_NONE | P_66);
  all((p) => storeAligned(p));
  def(M_0F, 0x50, MODRM | REGONLY | P_NONE);
  all((p) => maskSingle(p));
  def(M_0F, 0x50, MODRM | REGONLY | P_66);
  all((p) => maskDouble(p));
  def(M_0F, 0x6e, MODRM | SZ_Y | P_NONE);
  hr(2, (p) => mmFromGpr<u32>(p));
  hm(2, (p) => mmFromGpr<u32>(p));
  hr(3, (p) => mmFromGpr<u64>(p));
  hm(3, (p) => mmFromGpr<u64>(p));
  def(M_0F, 0x6e, MODRM | SZ_Y | P_66);
  hr(2, (p) => xmmFromGpr<u32>(p));
  hm(2, (p) => loadScalar<u32>(p));
  hr(3, (p) => xmmFromGpr<u64>(p));
  hm(3, (p) => loadScalar<u64>(p));
  def(M_0F, 0x7e, MODRM | SZ_Y | P_NONE);
  hr(2, (p) => mmToGpr<u32>(p));
  hm(2, (p) => mmToGpr<u32>(p));
  hr(3, (p) => mmToGpr<u64>(p));
  hm(3, (p) => mmToGpr<u64>(p));
  def(M_0F, 0x7e, MODRM | SZ_Y | P_66);
  hr(2, (p) => xmmToGpr<u32>(p));
  hm(2, (p) => storeScalar<u32>(p));
  hr(3, (p) => xmmToGpr<u64>(p));
  hm(3, (p) => storeScalar<u64>(p));
  def(M_0F, 0x7e, MODRM | P_F3);
  allrm((p) => quadReg(p), (p) => loadScalar<u64>(p));
  def(M_0F, 0x6f, MODRM | P_NONE);
  all((p) => mmLoad(p));
  def(M_0F, 0x6f, MODRM | P_66);
  allrm((p) => moveReg(p), (p) => loadAligned(p));
  def(M_0F, 0x6f, MODRM | P_F3);
  allrm((p) => moveReg(p), (p) => loadUnaligned(p));
  def(M_0F, 0x7f, MODRM | P_NONE);
  all((p) => mmStore(p));
  def(M_0F, 0x7f, MODRM | P_66);
  allrm((p) => moveBack(p), (p) => storeAligned(p));
  def(M_0F, 0x7f, MODRM | P_F3);
  allrm((p) => moveBack(p), (p) => storeUnaligned(p));
  def(M_0F, 0xd6, MODRM | P_66);
  allrm((p) => quadBack(p), (p) => storeScalar<u64>(p));
  def(M_0F, 0xd6, MODRM | REGONLY | P_F3);
  all((p) => mmToXmm(p));
  def(M_0F, 0xd6, MODRM | REGONLY | P_F2);
  all((p) => xmmToMm(p));
  def(M_0F, 0xd7, MODRM | REGONLY | P_NONE);
  all((p) => mmMask(p));
  def(M_0F, 0xd7, MODRM | REGONLY | P_66);
  all((p) => xmmMask(p));
  def(M_0F, 0xe7, MODRM | MEMONLY | P_NONE);
  all((p) => storeMm(p));
  def(M_0F, 0xe7, MODRM | MEMONLY | P_66);
  all((p) => storeAligned(p));
  def(M_0F, 0xf0, MODRM | MEMONLY | P_F2);
  all((p) => loadUnaligned(p));
  def(M_0F38, 0x2a, MODRM | MEMONLY | P_66);
  all((p) => loadAligned(p));
  def(M_0F, 0xf7, MODRM | REGONLY | P_NONE);
  all((p) => {
    if (!mmxOpen()) return 0;
    if (!maskedStore(p, mmReg(p), mmRm(p), 8)) return 0;
    mmxUsed();
    return p + REC;
  });
  def(M_0F, 0xf7, MODRM | REGONLY | P_66);
  all((p) => {
    if (!sseReady()) return 0;
    return maskedStore(p, xmmReg(p), xmmRm(p), 16) ? p + REC : 0;
  });
  def(M_0F, 0x77, P_NONE);
  all((p) => emms(p));
}
