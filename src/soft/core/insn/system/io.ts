// IN OUT INS OUTS (SDM vol. 2; permission: vol. 1, "I/O Permission Bit Map"). A
// port access ends in an exit with RIP at the instruction. While the
// instruction is completed afterwards (system/complete.ts), or WinHvEmulation
// carries it out, the data goes to the caller; that of IN and OUT at once where
// the caller answers (system/access.ts).
import {
  CPL,
  EFL,
  FAULT,
  MODE,
  MODE_PROT,
  MODE_REAL,
  RAX,
  RCX,
  RDI,
  RDX,
  RSI,
  S_TR,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEGS,
} from "../../layout";
import { rd, rdSys, wr } from "../../memory/access";
import { def, hr, IMM_B, M_ONE, SZ_B, SZ_V, v3r } from "../../code/optable";
import {
  addrMask,
  REC,
  RF_REP,
  RF_REPNE,
  rFlags,
  rImm8,
  setReg,
} from "../../code/record";
import {
  advance,
  batch,
  destAt,
  sourceAt,
  stringStep,
} from "../integer/string";
import { again } from "../../code/ip";
import { exitIo, portRead, portWrite } from "../../system/ports";
import { needSync, synced } from "../../system/time";
import { gp0 } from "../../cpu/fault";
import { RFLAGS_IOPL } from "../../x86/flags";
import { IoPortAccessInfo } from "../../whv/structures";
import { CALLS, EXITS, LISTS, way } from "../../system/way";

/**
 * Whether IOPL or the TSS's bitmap allow the ports; else #GP(0) or the bitmap's
 * fault.
 */
function allowed(port: u32, bytes: u32): bool {
  const mode = load<u8>(MODE);
  if (way == CALLS || mode == MODE_REAL) return true;
  if (
    mode >= MODE_PROT && load<u8>(CPL) <= (load<u32>(EFL) & RFLAGS_IOPL) >> 12
  ) return true;
  const tr = SEGS + (<usize> S_TR << 5);
  const attr = load<u16>(tr, SEG_ATTR);
  const limit = load<u32>(tr, SEG_LIMIT);
  // only a 32-bit (or 64-bit) TSS has a bitmap
  if (!(attr & 0x80) || (attr & 13) != 9 || limit < 103) {
    gp0();
    return false;
  }
  const base = load<u64>(tr, SEG_BASE);
  const map = <u32> rdSys<u16>(base + 102);
  if (load<u32>(FAULT)) return false;
  const at = map + (port >> 3);
  if (at + 1 > limit) {
    gp0();
    return false;
  }
  const word = <u32> rdSys<u16>(base + at);
  if (load<u32>(FAULT)) return false;
  if ((word >> (port & 7)) & (((<u32> 1) << bytes) - 1)) {
    gp0();
    return false;
  }
  return true;
}

@inline
function in_<T>(p: usize, port: u32): usize {
  if (!synced) return needSync();
  if (!allowed(port, sizeof<T>())) return 0;
  if (way == EXITS) return exitIo(port, sizeof<T>(), 0);
  const v = <T> portRead(port, sizeof<T>());
  if (load<u32>(FAULT)) return 0;
  setReg<T>(RAX, v);
  return p + REC;
}

@inline
function out<T>(p: usize, port: u32): usize {
  if (!synced) return needSync();
  if (!allowed(port, sizeof<T>())) return 0;
  if (way == EXITS) {
    return exitIo(port, sizeof<T>(), IoPortAccessInfo.IsWrite);
  }
  const v = <u32> load<T>(RAX);
  return portWrite(port, sizeof<T>(), v) ? p + REC : 0;
}

@inline
function dx(): u32 {
  return load<u16>(RDX);
}

/**
 * What INS and OUTS share: permission, a REP of nothing, the exit. 0 means go
 * on.
 */
function stringExit(p: usize, bytes: u32, flags: u32): usize {
  const rep = rFlags(p) & (RF_REP | RF_REPNE);
  if (!allowed(dx(), bytes)) return 0;
  if (rep && !(load<u64>(RCX) & addrMask(p))) return p + REC;
  // several accesses, or one and memory: nobody is asked about them
  if (way == LISTS || way == CALLS) return 0;
  return exitIo(
    dx(),
    bytes,
    flags | IoPortAccessInfo.StringOp | (rep ? IoPortAccessInfo.RepPrefix : 0),
  );
}

function countDown(p: usize, mask: u64): usize {
  if (!(rFlags(p) & (RF_REP | RF_REPNE))) return p + REC;
  const n = (load<u64>(RCX) - 1) & mask;
  if (mask == 0xffff) store<u16>(RCX, <u16> n);
  else store<u64>(RCX, n);
  return n != 0 ? 0 : p + REC;
}

function ins<T>(p: usize): usize {
  if (!synced) return needSync();
  const r = stringExit(p, sizeof<T>(), 0);
  if (r != 0 || load<u32>(FAULT)) return r;
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  for (let left = batch(); left > 0; left--) {
    const to = destAt(load<u64>(RDI) & mask, sizeof<T>(), true);
    if (load<u32>(FAULT)) return 0;
    const v = <T> portRead(dx(), sizeof<T>());
    if (load<u32>(FAULT)) return 0;
    wr<T>(to, v);
    if (load<u32>(FAULT)) return 0;
    advance(RDI, mask, step);
    const done = countDown(p, mask);
    if (done) return done;
  }
  return again(p);
}

function outs<T>(p: usize): usize {
  if (!synced) return needSync();
  const r = stringExit(p, sizeof<T>(), IoPortAccessInfo.IsWrite);
  if (r != 0 || load<u32>(FAULT)) return r;
  const mask = addrMask(p);
  const step = stringStep(sizeof<T>());
  for (let left = batch(); left > 0; left--) {
    const from = sourceAt(p, load<u64>(RSI) & mask, sizeof<T>());
    if (load<u32>(FAULT)) return 0;
    const v = rd<T>(from);
    if (load<u32>(FAULT)) return 0;
    if (!portWrite(dx(), sizeof<T>(), <u32> v)) return 0;
    advance(RSI, mask, step);
    const done = countDown(p, mask);
    if (done) return done;
  }
  return again(p);
}

export function registerIo(): void {
  def(M_ONE, 0xe4, SZ_B | IMM_B);
  hr(0, (p) => in_<u8>(p, rImm8(p)));
  def(M_ONE, 0xe5, SZ_V | IMM_B);
  v3r(
    (p) => in_<u16>(p, rImm8(p)),
    (p) => in_<u32>(p, rImm8(p)),
    (p) => in_<u32>(p, rImm8(p)),
  );
  def(M_ONE, 0xe6, SZ_B | IMM_B);
  hr(0, (p) => out<u8>(p, rImm8(p)));
  def(M_ONE, 0xe7, SZ_V | IMM_B);
  v3r(
    (p) => out<u16>(p, rImm8(p)),
    (p) => out<u32>(p, rImm8(p)),
    (p) => out<u32>(p, rImm8(p)),
  );
  def(M_ONE, 0xec, SZ_B);
  hr(0, (p) => in_<u8>(p, dx()));
  def(M_ONE, 0xed, SZ_V);
  v3r(
    (p) => in_<u16>(p, dx()),
    (p) => in_<u32>(p, dx()),
    (p) => in_<u32>(p, dx()),
  );
  def(M_ONE, 0xee, SZ_B);
  hr(0, (p) => out<u8>(p, dx()));
  def(M_ONE, 0xef, SZ_V);
  v3r(
    (p) => out<u16>(p, dx()),
    (p) => out<u32>(p, dx()),
    (p) => out<u32>(p, dx()),
  );
  def(M_ONE, 0x6c, SZ_B);
  hr(0, (p) => ins<u8>(p));
  def(M_ONE, 0x6d, SZ_V);
  v3r((p) => ins<u16>(p), (p) => ins<u32>(p), (p) => ins<u32>(p));
  def(M_ONE, 0x6e, SZ_B);
  hr(0, (p) => outs<u8>(p));
  def(M_ONE, 0x6f, SZ_V);
  v3r((p) => outs<u16>(p), (p) => outs<u32>(p), (p) => outs<u32>(p));
}
