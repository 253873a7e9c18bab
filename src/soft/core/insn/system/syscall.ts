// Fast system calls: SYSCALL SYSRET SYSENTER SYSEXIT SWAPGS. They load fixed
// segments, whatever the descriptor tables hold. Source: Intel SDM vol. 2.
import { gp0, raise } from "../../cpu/fault";
import { getFlags, setFlagsRaw } from "../../cpu/flags";
import {
  CPL,
  EFER,
  EFL,
  M_KGSBASE,
  M_LSTAR,
  M_SFMASK,
  M_STAR,
  M_SYSCS,
  M_SYSEIP,
  M_SYSESP,
  MODE,
  MODE_LONG,
  MODE_REAL,
  R11,
  RCX,
  RDX,
  RIP,
  RSP,
  S_CS,
  S_GS,
  S_SS,
} from "../../layout";
import { flagsChanged, updateMode } from "../../cpu/mode";
import { all, def, END, grp, M_0F, REGONLY, SZ_V } from "../../code/optable";
import { REC, RF_REXW, rFlags, rModrm } from "../../code/record";
import { canonical, longActive, putSeg, segOf } from "../../cpu/segment";
import { rdtscp } from "./misc";
import { nextIp } from "../../code/ip";
import { jumpTo } from "../../code/jumps";
import { quiet } from "../../cpu/quiet";
import { setNoStepTrap } from "../../cpu/exceptions";
import { EFER_SCE } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import {
  RFLAGS_BITS,
  RFLAGS_CLEAR,
  RFLAGS_IF,
  RFLAGS_RF,
  RFLAGS_TF,
  RFLAGS_VM,
} from "../../x86/flags";
import { Attributes, PRIVILEGE } from "../../x86/segments";

const FLAT: u32 = 0xffffffff;

/** Loads flat CS and SS; `ring` is 0 or 3. */
function flatSegments(cs: u32, ss: u32, code: u32, ring: u32): void {
  const dpl = ring ? PRIVILEGE : 0;
  putSeg(S_CS, (cs & 0xfffc) | ring, 0, FLAT, code | dpl);
  putSeg(S_SS, (ss & 0xfffc) | ring, 0, FLAT, Attributes.data32 | dpl);
  store<u8>(CPL, <u8> ring);
}

function enter(ip: u64): usize {
  updateMode();
  if (quiet()) return jumpTo(ip);
  store<u64>(RIP, ip);
  flagsChanged();
  return 0;
}

function syscall(p: usize): usize {
  if (load<u8>(MODE) != MODE_LONG || !(load<u64>(EFER) & EFER_SCE)) {
    return raise(Vector.UD);
  }
  const flags = getFlags() & ~RFLAGS_RF;
  store<u64>(RCX, nextIp(p));
  store<u64>(R11, flags);
  const left = flags & ~load<u32>(M_SFMASK);
  setFlagsRaw(left);
  // a TF that the mask takes away traps no more
  if (!(left & RFLAGS_TF)) setNoStepTrap();
  const star = load<u32>(M_STAR, 4) & 0xffff;
  flatSegments(star, star + 8, Attributes.code64, 0);
  return enter(load<u64>(M_LSTAR));
}

function sysret(p: usize): usize {
  if (load<u8>(MODE) != MODE_LONG || !(load<u64>(EFER) & EFER_SCE)) {
    return raise(Vector.UD);
  }
  if (load<u8>(CPL)) return gp0();
  const wide = (rFlags(p) & RF_REXW) != 0;
  const ip = load<u64>(RCX);
  if (wide && !canonical(ip)) return gp0();
  const star = load<u32>(M_STAR, 4) >> 16;
  setFlagsRaw(
    (load<u32>(R11) & RFLAGS_BITS & ~(RFLAGS_RF | RFLAGS_VM)) | RFLAGS_CLEAR,
  );
  flatSegments(
    wide ? star + 16 : star,
    star + 8,
    wide ? Attributes.code64 : Attributes.code32,
    3,
  );
  return enter(wide ? ip : ip & 0xffffffff);
}

function sysenter(_p: usize): usize {
  const cs = load<u32>(M_SYSCS) & 0xfffc;
  if (load<u8>(MODE) == MODE_REAL || !cs) return gp0();
  const long = longActive();
  store<u32>(EFL, load<u32>(EFL) & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF));
  flatSegments(cs, cs + 8, long ? Attributes.code64 : Attributes.code32, 0);
  const mask: u64 = long ? ~<u64> 0 : 0xffffffff;
  store<u64>(RSP, load<u64>(M_SYSESP) & mask);
  return enter(load<u64>(M_SYSEIP) & mask);
}

function sysexit(p: usize): usize {
  const cs = load<u32>(M_SYSCS) & 0xfffc;
  if (load<u8>(MODE) == MODE_REAL || !cs || load<u8>(CPL)) return gp0();
  const wide = (rFlags(p) & RF_REXW) != 0;
  const ip = load<u64>(RDX);
  const sp = load<u64>(RCX);
  if (wide && !(canonical(ip) && canonical(sp))) return gp0();
  const first: u32 = wide ? cs + 32 : cs + 16;
  flatSegments(
    first,
    first + 8,
    wide ? Attributes.code64 : Attributes.code32,
    3,
  );
  store<u64>(RSP, wide ? sp : sp & 0xffffffff);
  return enter(wide ? ip : ip & 0xffffffff);
}

/** 0F 01 /7 with a register: SWAPGS, RDTSCP. */
function group7(p: usize): usize {
  const rm = rModrm(p) & 7;
  if (rm == 1) return rdtscp(p);
  if (rm != 0 || load<u8>(MODE) != MODE_LONG) return raise(Vector.UD);
  if (load<u8>(CPL)) return gp0();
  const gs = segOf(S_GS);
  const base = load<u64>(gs);
  store<u64>(gs, load<u64>(M_KGSBASE));
  store<u64>(M_KGSBASE, base);
  return p + REC;
}

export function registerSyscall(): void {
  def(M_0F, 0x05, END);
  all((p) => syscall(p));
  def(M_0F, 0x07, SZ_V | END);
  all((p) => sysret(p));
  def(M_0F, 0x34, END);
  all((p) => sysenter(p));
  def(M_0F, 0x35, SZ_V | END);
  all((p) => sysexit(p));
  grp(M_0F, 0x01, 7, REGONLY);
  all((p) => group7(p));
}
