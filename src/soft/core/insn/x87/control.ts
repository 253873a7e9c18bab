// x87 control: control and status words, environments, FSAVE and FRSTOR,
// FNINIT, FNCLEX, WAIT. Source: Intel SDM volume 1, 8.1.10 and figures 8-9 to
// 8-12; volume 2, each instruction.
import { raise } from "../../cpu/fault";
import { classify, NORMAL, ZERO } from "../../fp/f80";
import {
  CR0,
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
  MODE_PROT,
  RAX,
} from "../../layout";
import { rd, wr } from "../../memory/access";
import { REC, rOsz } from "../../code/record";
import {
  advance,
  nonePending,
  operand,
  read80,
  readM,
  readSe,
  ready,
  readyNoWait,
  st,
  top,
  updateES,
  writable,
  write80,
} from "./state";
import { ldm, stm } from "../../code/operand";
import { CR0_MP, CR0_TS } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";

/** Control word bits that exist; bit 6 always reads as 1. */
const FCW_MASK: u32 = 0x1f3f;

/** FNINIT's state. */
export function initFpu(): void {
  store<u16>(FCW, 0x37f);
  store<u16>(FSW, 0);
  store<u8>(FTW, 0);
  store<u16>(FOP, 0);
  store<u64>(FIP, 0);
  store<u64>(FDP, 0);
  store<u16>(FCS, 0);
  store<u16>(FDS, 0);
}

/** The tag word of FSTENV: 2 bits a physical register. */
function fullTags(): u32 {
  let tags: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    const r = FPR + (<usize> i << 4);
    let tag: u32 = 3;
    if ((load<u8>(FTW) >> i) & 1) {
      const c = classify(load<u16>(r, 8), load<u64>(r));
      tag = c == NORMAL ? 0 : c == ZERO ? 1 : 2;
    }
    tags |= tag << (i << 1);
  }
  return tags;
}

/** Sets the tags from a full tag word: only empty or not is kept. */
function setFullTags(tags: u32): void {
  let w: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if (((tags >> (i << 1)) & 3) != 3) w |= 1 << i;
  }
  store<u8>(FTW, <u8> w);
}

export function setControl(cw: u32): void {
  store<u16>(FCW, <u16> ((cw & FCW_MASK) | 0x40));
}

/** FNINIT. */
export function finit(p: usize): usize {
  if (!readyNoWait()) return 0;
  initFpu();
  return p + REC;
}

/** FNCLEX. */
export function fclex(p: usize): usize {
  if (!readyNoWait()) return 0;
  store<u16>(FSW, load<u16>(FSW) & 0x7f00);
  return p + REC;
}

/** FENI, FDISI, FSETPM: once something to a coprocessor. */
export function nothing(p: usize): usize {
  if (!readyNoWait()) return 0;
  return p + REC;
}

/** FNOP. */
export function fnop(p: usize): usize {
  if (!ready()) return 0;
  return p + REC;
}

/** WAIT: #NM needs MP as well as TS. */
export function fwait(p: usize): usize {
  if ((load<u32>(CR0) & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
    return raise(Vector.NM);
  }
  if (!nonePending()) return 0;
  return p + REC;
}

/** FLDCW. */
export function fldcw(p: usize): usize {
  if (!ready()) return 0;
  const v = ldm<u16>(p);
  if (load<u32>(FAULT)) return 0;
  setControl(v);
  updateES();
  return p + REC;
}

/** FNSTCW. */
export function fnstcw(p: usize): usize {
  if (!readyNoWait()) return 0;
  stm<u16>(p, load<u16>(FCW));
  if (load<u32>(FAULT)) return 0;
  return p + REC;
}

/** FNSTSW m16. */
export function fnstswMem(p: usize): usize {
  if (!readyNoWait()) return 0;
  stm<u16>(p, load<u16>(FSW));
  if (load<u32>(FAULT)) return 0;
  return p + REC;
}

/** FNSTSW AX. */
export function fnstswAx(p: usize): usize {
  if (!readyNoWait()) return 0;
  store<u16>(RAX, load<u16>(FSW));
  return p + REC;
}

// --- environments

function put16(a: u64, at: u64, v: u32): void {
  if (!load<u32>(FAULT)) wr<u16>(advance(a, at), <u16> v);
}

/** A word in a 32-bit environment, its upper half all ones. */
function putLow(a: u64, at: u64, v: u32): void {
  put32(a, at, v | 0xffff0000);
}

function put32(a: u64, at: u64, v: u32): void {
  if (!load<u32>(FAULT)) wr<u32>(advance(a, at), v);
}

/** Writes the environment (28 bytes, 14 with 16-bit operands). */
function putEnvironment(a: u64, wide: bool): void {
  const cw = load<u16>(FCW), sw = load<u16>(FSW), tags = fullTags();
  const fop = <u32> load<u16>(FOP) & 0x7ff;
  const ip = <u32> load<u64>(FIP), dp = <u32> load<u64>(FDP);
  const cs = <u32> load<u16>(FCS), ds = <u32> load<u16>(FDS);
  const protected_ = load<u8>(MODE) >= MODE_PROT;
  const lip = ip + (cs << 4), ldp = dp + (ds << 4);
  if (wide) {
    putLow(a, 0, cw);
    putLow(a, 4, sw);
    putLow(a, 8, tags);
    if (protected_) {
      put32(a, 12, ip);
      put32(a, 16, cs | (fop << 16));
      put32(a, 20, dp);
      putLow(a, 24, ds);
    } else {
      putLow(a, 12, lip & 0xffff);
      put32(a, 16, ((lip >> 16) << 12) | fop);
      putLow(a, 20, ldp & 0xffff);
      put32(a, 24, (ldp >> 16) << 12);
    }
    return;
  }
  put16(a, 0, cw);
  put16(a, 2, sw);
  put16(a, 4, tags);
  if (protected_) {
    put16(a, 6, ip);
    put16(a, 8, cs);
    put16(a, 10, dp);
    put16(a, 12, ds);
  } else {
    put16(a, 6, lip);
    put16(a, 8, ((lip >> 4) & 0xf000) | fop);
    put16(a, 10, ldp);
    put16(a, 12, (ldp >> 4) & 0xf000);
  }
}

/** What `getEnvironment` read. */
let eCw: u32 = 0;
let eSw: u32 = 0;
let eTags: u32 = 0;
let eIp: u32 = 0;
let eCs: u32 = 0;
let eDp: u32 = 0;
let eDs: u32 = 0;
let eFop: u32 = 0;

function get(a: u64, index: u64, wide: bool): u32 {
  if (load<u32>(FAULT)) return 0;
  return wide
    ? rd<u32>(advance(a, index << 2))
    : rd<u16>(advance(a, index << 1));
}

/** Reads an environment; false with FAULT set. */
function getEnvironment(a: u64, wide: bool): bool {
  eCw = get(a, 0, wide) & 0xffff;
  eSw = get(a, 1, wide) & 0xffff;
  eTags = get(a, 2, wide) & 0xffff;
  const w3 = get(a, 3, wide), w4 = get(a, 4, wide);
  const w5 = get(a, 5, wide), w6 = get(a, 6, wide);
  if (load<u32>(FAULT)) return false;
  if (load<u8>(MODE) >= MODE_PROT) {
    eIp = w3;
    eCs = w4 & 0xffff;
    eFop = (w4 >> 16) & 0x7ff;
    eDp = w5;
    eDs = w6 & 0xffff;
  } else {
    eFop = w4 & 0x7ff;
    eCs = 0;
    eDs = 0;
    if (wide) {
      eIp = (w3 & 0xffff) | (((w4 >> 12) & 0xffff) << 16);
      eDp = (w5 & 0xffff) | (((w6 >> 12) & 0xffff) << 16);
    } else {
      eIp = w3 | ((w4 >> 12) << 16);
      eDp = w5 | ((w6 >> 12) << 16);
    }
  }
  return true;
}

function applyEnvironment(): void {
  setControl(eCw);
  store<u16>(FSW, <u16> eSw);
  updateES();
  setFullTags(eTags);
  store<u64>(FIP, eIp);
  store<u64>(FDP, eDp);
  store<u16>(FCS, <u16> eCs);
  store<u16>(FDS, <u16> eDs);
  store<u16>(FOP, <u16> eFop);
}

function isWide(p: usize): bool {
  return rOsz(p) != 1;
}

/** FNSTENV: then masks all exceptions. */
export function fnstenv(p: usize): usize {
  if (!readyNoWait()) return 0;
  const wide = isWide(p);
  const a = writable(p, wide ? 28 : 14, wide ? 4 : 2);
  if (load<u32>(FAULT)) return 0;
  putEnvironment(a, wide);
  if (load<u32>(FAULT)) return 0;
  store<u16>(FCW, load<u16>(FCW) | 0x3f);
  updateES();
  return p + REC;
}

/** FLDENV. */
export function fldenv(p: usize): usize {
  if (!ready()) return 0;
  const wide = isWide(p);
  const a = operand(p, wide ? 28 : 14, wide ? 4 : 2, false);
  if (load<u32>(FAULT)) return 0;
  if (!getEnvironment(a, wide)) return 0;
  applyEnvironment();
  return p + REC;
}

/** FNSAVE: environment, then ST(0) to ST(7); then as FNINIT. */
export function fnsave(p: usize): usize {
  if (!readyNoWait()) return 0;
  const wide = isWide(p);
  const size: u64 = wide ? 28 : 14;
  const a = writable(p, <u32> size + 80, 2);
  if (load<u32>(FAULT)) return 0;
  putEnvironment(a, wide);
  for (let i: u32 = 0; i < 8; i++) {
    if (load<u32>(FAULT)) return 0;
    const r = st(i);
    write80(a, size + i * 10, load<u16>(r, 8), load<u64>(r));
  }
  if (load<u32>(FAULT)) return 0;
  initFpu();
  return p + REC;
}

/** Registers read before any is changed. */
const STAGE: usize = memory.data(128, 16);

/** FRSTOR. */
export function frstor(p: usize): usize {
  if (!ready()) return 0;
  const wide = isWide(p);
  const size: u64 = wide ? 28 : 14;
  const a = operand(p, <u32> size + 80, 2, false);
  if (load<u32>(FAULT)) return 0;
  if (!getEnvironment(a, wide)) return 0;
  for (let i: u32 = 0; i < 8; i++) {
    read80(a, size + i * 10);
    if (load<u32>(FAULT)) return 0;
    const r = STAGE + (<usize> i << 4);
    store<u64>(r, readM);
    store<u64>(r, readSe, 8);
  }
  applyEnvironment();
  for (let i: u32 = 0; i < 8; i++) {
    memory.copy(
      FPR + (((top() + i) & 7) << 4),
      STAGE + (<usize> i << 4),
      16,
    );
  }
  return p + REC;
}
