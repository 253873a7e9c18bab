// The FXSAVE image and what writes and reads it: FXSAVE, FXRSTOR, XSAVE, XRSTOR
// (components x87 and SSE, standard format), and LDMXCSR, STMXCSR.
// Source: Intel SDM volume 1, 10.5 and 13; volume 2, those instructions.
import { gp0, raise } from "../../cpu/fault";
import {
  CR0,
  CR4,
  FAULT,
  FCS,
  FCW,
  FDP,
  FDS,
  FIP,
  FOP,
  FPR,
  FSW,
  FTW,
  MODE,
  MODE_LONG,
  MXCSR,
  RAX,
  RDX,
  XCR0,
  XMM,
} from "../../layout";
import { rd, wr } from "../../memory/access";
import { grp, hm, M_0F, MEMONLY, P_NONE } from "../../code/optable";
import { REC, RF_REXW, rFlags } from "../../code/record";
import { advance, operand, readyNoWait, st, updateES, writable } from "./state";
import { initFpu, setControl } from "./control";
import { ldm, stm } from "../../code/operand";
import {
  CR0_EM,
  CR0_TS,
  CR4_OSFXSR,
  CR4_OSXSAVE,
} from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import { MXCSR_BITS } from "../../x86/flags";

/** XSAVE state components. */
export const X87: u64 = 1;
export const SSE: u64 = 2;

/**
 * An image on its way: built or read here whole, so that faults change nothing.
 */
const STAGE: usize = memory.data(576, 16);

export const AT_MXCSR: usize = 24;
const AT_ST: usize = 32;
export const AT_XMM: usize = 160;
export const AT_HEADER: usize = 512;

/** XMM registers of the current mode, in bytes. */
function xmmBytes(): usize {
  return load<u8>(MODE) == MODE_LONG ? 256 : 128;
}

/** Builds the x87 part (but MXCSR) of an image at `to`. */
export function buildX87(to: usize, rexW: bool): void {
  store<u16>(to, load<u16>(FCW));
  store<u16>(to, load<u16>(FSW), 2);
  store<u16>(to, <u16> load<u8>(FTW), 4);
  store<u16>(to, load<u16>(FOP), 6);
  if (rexW) {
    store<u64>(to, load<u64>(FIP), 8);
    store<u64>(to, load<u64>(FDP), 16);
  } else {
    store<u32>(to, load<u32>(FIP), 8);
    store<u32>(to, <u32> load<u16>(FCS), 12);
    store<u32>(to, load<u32>(FDP), 16);
    store<u32>(to, <u32> load<u16>(FDS), 20);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const at = to + (<usize> i << 4);
    store<u64>(at, load<u64>(st(i)), AT_ST);
    store<u64>(at, <u64> load<u16>(st(i), 8), AT_ST + 8);
  }
}

/** Takes the x87 part of an image at `from`. */
export function applyX87(from: usize, rexW: bool): void {
  setControl(load<u16>(from));
  store<u16>(FSW, load<u16>(from, 2));
  updateES();
  store<u8>(FTW, load<u8>(from, 4));
  store<u16>(FOP, load<u16>(from, 6) & 0x7ff);
  if (rexW) {
    store<u64>(FIP, load<u64>(from, 8));
    store<u64>(FDP, load<u64>(from, 16));
    store<u16>(FCS, 0);
    store<u16>(FDS, 0);
  } else {
    store<u64>(FIP, <u64> load<u32>(from, 8));
    store<u16>(FCS, load<u16>(from, 12));
    store<u64>(FDP, <u64> load<u32>(from, 16));
    store<u16>(FDS, load<u16>(from, 20));
  }
  for (let i: u32 = 0; i < 8; i++) {
    const at = from + (<usize> i << 4);
    store<u64>(st(i), load<u64>(at, AT_ST));
    store<u64>(st(i), load<u64>(at, AT_ST + 8) & 0xffff, 8);
  }
}

/**
 * Writes bytes of the stage, from and to multiples of 8; false with FAULT set.
 */
function putStage(a: u64, from: usize, to: usize): bool {
  for (let i = from; i < to; i += 8) {
    wr<u64>(advance(a, i), load<u64>(STAGE + i));
    if (load<u32>(FAULT)) return false;
  }
  return true;
}

/** Fills bytes of the stage; false with FAULT set. */
function getStage(a: u64, from: usize, to: usize): bool {
  for (let i = from; i < to; i += 8) {
    const v = rd<u64>(advance(a, i));
    if (load<u32>(FAULT)) return false;
    store<u64>(STAGE + i, v);
  }
  return true;
}

function rexW(p: usize): bool {
  return (rFlags(p) & RF_REXW) != 0;
}

function fxsave(p: usize): usize {
  if (!readyNoWait()) return 0;
  const a = writable(p, 512, 8);
  if (load<u32>(FAULT)) return 0;
  if (a & 15) return gp0();
  buildX87(STAGE, rexW(p));
  store<u32>(STAGE, load<u32>(MXCSR), AT_MXCSR);
  store<u32>(STAGE, MXCSR_BITS, AT_MXCSR + 4);
  let end = AT_XMM;
  if (load<u32>(CR4) & CR4_OSFXSR) {
    end += xmmBytes();
    memory.copy(STAGE + AT_XMM, XMM, xmmBytes());
  }
  return putStage(a, 0, end) ? p + REC : 0;
}

function fxrstor(p: usize): usize {
  if (!readyNoWait()) return 0;
  const a = operand(p, 512, 8, false);
  if (load<u32>(FAULT)) return 0;
  if (a & 15) return gp0();
  const sse = (load<u32>(CR4) & CR4_OSFXSR) != 0;
  if (!getStage(a, 0, AT_XMM + (sse ? xmmBytes() : 0))) return 0;
  const mxcsr = load<u32>(STAGE, AT_MXCSR);
  if (mxcsr & ~MXCSR_BITS) return gp0();
  applyX87(STAGE, rexW(p));
  store<u32>(MXCSR, mxcsr);
  if (sse) memory.copy(XMM, STAGE + AT_XMM, xmmBytes());
  return p + REC;
}

/** #UD without OSXSAVE, #NM under TS; false with FAULT set. */
function xsaveReady(): bool {
  if (!(load<u32>(CR4) & CR4_OSXSAVE)) {
    raise(Vector.UD);
    return false;
  }
  if (load<u32>(CR0) & CR0_TS) {
    raise(Vector.NM);
    return false;
  }
  return true;
}

/** The components an instruction is asked for. */
function requested(): u64 {
  const mask = (load<u64>(RAX) & 0xffffffff) | (load<u64>(RDX) << 32);
  return mask & load<u64>(XCR0);
}

function xsave(p: usize): usize {
  if (!xsaveReady()) return 0;
  const a = writable(p, 576, 8);
  if (load<u32>(FAULT)) return 0;
  if (a & 63) return gp0();
  const which = requested();
  const bv = rd<u64>(advance(a, AT_HEADER));
  if (load<u32>(FAULT)) return 0;
  if (which & X87) {
    buildX87(STAGE, rexW(p));
    if (!putStage(a, 0, AT_MXCSR)) return 0;
    if (!putStage(a, AT_ST, AT_XMM)) return 0;
  }
  if (which & SSE) {
    store<u32>(STAGE, load<u32>(MXCSR), AT_MXCSR);
    store<u32>(STAGE, MXCSR_BITS, AT_MXCSR + 4);
    if (!putStage(a, AT_MXCSR, AT_ST)) return 0;
    memory.copy(STAGE + AT_XMM, XMM, xmmBytes());
    if (!putStage(a, AT_XMM, AT_XMM + xmmBytes())) return 0;
  }
  wr<u64>(advance(a, AT_HEADER), (bv & ~which) | (which & (X87 | SSE)));
  return load<u32>(FAULT) ? 0 : p + REC;
}

function xrstor(p: usize): usize {
  if (!xsaveReady()) return 0;
  const a = operand(p, 576, 8, false);
  if (load<u32>(FAULT)) return 0;
  if (a & 63) return gp0();
  if (!getStage(a, 0, AT_XMM + xmmBytes())) return 0;
  if (!getStage(a, AT_HEADER, AT_HEADER + 24)) return 0;
  const bv = load<u64>(STAGE, AT_HEADER);
  // Only the standard format exists here: XCOMP_BV and what follows are 0.
  if (
    (bv & ~load<u64>(XCR0)) != 0 ||
    (load<u64>(STAGE, AT_HEADER + 8) | load<u64>(STAGE, AT_HEADER + 16)) != 0
  ) return gp0();
  const which = requested();
  const mxcsr = load<u32>(STAGE, AT_MXCSR);
  if (which & SSE && mxcsr & ~MXCSR_BITS) return gp0();
  if (which & X87) {
    if (bv & X87) applyX87(STAGE, rexW(p));
    else {
      initFpu();
      memory.fill(FPR, 0, 128);
    }
  }
  if (which & SSE) {
    store<u32>(MXCSR, mxcsr);
    if (bv & SSE) memory.copy(XMM, STAGE + AT_XMM, xmmBytes());
    else memory.fill(XMM, 0, xmmBytes());
  }
  return p + REC;
}

/** #UD and #NM of SSE instructions; false with FAULT set. */
function sseReady(): bool {
  if (load<u32>(CR0) & CR0_EM || !(load<u32>(CR4) & CR4_OSFXSR)) {
    raise(Vector.UD);
    return false;
  }
  if (load<u32>(CR0) & CR0_TS) {
    raise(Vector.NM);
    return false;
  }
  return true;
}

function ldmxcsr(p: usize): usize {
  if (!sseReady()) return 0;
  const v = ldm<u32>(p);
  if (load<u32>(FAULT)) return 0;
  if (v & ~MXCSR_BITS) return gp0();
  store<u32>(MXCSR, v);
  return p + REC;
}

function stmxcsr(p: usize): usize {
  if (!sseReady()) return 0;
  stm<u32>(p, load<u32>(MXCSR));
  return load<u32>(FAULT) ? 0 : p + REC;
}

/** Registers 0F AE /0 to /5 with memory. */
export function registerFxsave(): void {
  grp(M_0F, 0xae, 0, MEMONLY | P_NONE);
  hm(2, (p) => fxsave(p));
  grp(M_0F, 0xae, 1, MEMONLY | P_NONE);
  hm(2, (p) => fxrstor(p));
  grp(M_0F, 0xae, 2, MEMONLY | P_NONE);
  hm(2, (p) => ldmxcsr(p));
  grp(M_0F, 0xae, 3, MEMONLY | P_NONE);
  hm(2, (p) => stmxcsr(p));
  grp(M_0F, 0xae, 4, MEMONLY | P_NONE);
  hm(2, (p) => xsave(p));
  grp(M_0F, 0xae, 5, MEMONLY | P_NONE);
  hm(2, (p) => xrstor(p));
}
