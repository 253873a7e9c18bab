// Software interrupts, CPUID, time stamps, random numbers, MSRs and the FS/GS
// base instructions. Source: Intel SDM vol. 2.
import { ExitReason, ExtendedVmExits } from "../../whv/names";
import { cpuid } from "../../cpu/cpuid";
import { gp0, raise } from "../../cpu/fault";
import { getOF, setArith } from "../../cpu/flags";
import {
  CPL,
  CR4,
  EXITBUF,
  F_EXC,
  F_EXIT,
  FAULT,
  FERR,
  M_TSCAUX,
  M_TSCOFF,
  MODE,
  MODE_LONG,
  RAX,
  RBX,
  RCX,
  RDX,
  RIP,
  S_FS,
  S_GS,
} from "../../layout";
import { MSR_EXIT, MSR_GP, MSR_OK, msrRead, msrWrite } from "../../cpu/msr";
import {
  all,
  def,
  END,
  grp,
  IMM_B,
  INV64,
  M_0F,
  M_ONE,
  ONLY64,
  P_66,
  P_F3,
  P_NONE,
  REGONLY,
  SZ_V,
  SZ_Y,
} from "../../code/optable";
import { random } from "../../cpu/random";
import { REC, rImm8, rOsz, rRm } from "../../code/record";
import { canonical, segOf } from "../../cpu/segment";
import { cpuidExitWanted, extendedExits } from "../../whv/properties";
import { leave, nextIp } from "../../code/ip";
import { jumpTo } from "../../code/jumps";
import { delivered } from "../../cpu/exceptions";
import { deliverEvent } from "../../cpu/interrupt";
import { flagsChanged } from "../../cpu/mode";
import { quiet } from "../../cpu/quiet";
import { beginExit } from "../../system/exit";
import { needSync, synced, time } from "../../system/time";
import { EventType } from "../../x86/events";
import { CR4_FSGSBASE, CR4_TSD } from "../../x86/control_registers";
import { Vector } from "../../x86/vectors";
import {
  CpuidAccessExit,
  MsrAccessExit,
  ReadTscExit,
} from "../../whv/structures";

/**
 * INT n of 64-bit code, if nothing comes between it and its handler: the record
 * there, or 0 with RIP set. Else 0 with FAULT set, for the loop to do it.
 */
function interrupt(p: usize): usize {
  const vector = rImm8(p);
  const type = EventType.SoftwareInterrupt;
  if (load<u8>(MODE) == MODE_LONG && quiet()) {
    if (deliverEvent(vector, type, false, 0, nextIp(p))) {
      delivered(vector, type);
      if (quiet()) return jumpTo(load<u64>(RIP));
      flagsChanged();
      return 0;
    }
    // as if it had not been tried
    store<u32>(FAULT, 0);
  }
  return software(vector, type);
}

/** Raises a software event of `type` (EventType). */
function software(vector: u32, type: u32): usize {
  store<u32>(FAULT, F_EXC | vector | (type << 16));
  store<u32>(FERR, 0);
  return 0;
}

function into(p: usize): usize {
  return getOF() ? software(Vector.OF, EventType.SoftwareException) : p + REC;
}

function doCpuid(p: usize): usize {
  const leaf = load<u32>(RAX);
  const result = cpuid(leaf, load<u32>(RCX));
  if (cpuidExitWanted(leaf)) {
    if (!synced) return needSync();
    beginExit(ExitReason.X64Cpuid);
    store<u64>(EXITBUF, load<u64>(RAX), CpuidAccessExit.Rax);
    store<u64>(EXITBUF, load<u64>(RCX), CpuidAccessExit.Rcx);
    store<u64>(EXITBUF, load<u64>(RDX), CpuidAccessExit.Rdx);
    store<u64>(EXITBUF, load<u64>(RBX), CpuidAccessExit.Rbx);
    store<u64>(EXITBUF, result.eax, CpuidAccessExit.DefaultResultRax);
    store<u64>(EXITBUF, result.ecx, CpuidAccessExit.DefaultResultRcx);
    store<u64>(EXITBUF, result.edx, CpuidAccessExit.DefaultResultRdx);
    store<u64>(EXITBUF, result.ebx, CpuidAccessExit.DefaultResultRbx);
    store<u32>(FAULT, F_EXIT);
    return 0;
  }
  store<u64>(RAX, result.eax);
  store<u64>(RBX, result.ebx);
  store<u64>(RCX, result.ecx);
  store<u64>(RDX, result.edx);
  return p + REC;
}

// --- time stamps

/** Whether RDTSC or RDTSCP may not go on: #GP, an exit, or time out of step. */
function tscRefused(scp: bool): bool {
  if (load<u8>(CPL) && load<u64>(CR4) & CR4_TSD) {
    gp0();
    return true;
  }
  if (!synced) {
    needSync();
    return true;
  }
  if (!(extendedExits & ExtendedVmExits.X64RdtscExit)) return false;
  beginExit(ExitReason.X64Rdtsc);
  store<u64>(EXITBUF, load<u64>(M_TSCAUX), ReadTscExit.TscAux);
  store<u64>(EXITBUF, load<u64>(M_TSCOFF), ReadTscExit.VirtualOffset);
  store<u64>(EXITBUF, time + load<u64>(M_TSCOFF), ReadTscExit.Tsc);
  store<u64>(EXITBUF, time / 100, ReadTscExit.ReferenceTime);
  store<u64>(EXITBUF, scp ? 1 : 0, ReadTscExit.RdtscInfo);
  store<u32>(FAULT, F_EXIT);
  return true;
}

function putPair(v: u64): void {
  store<u64>(RAX, v & 0xffffffff);
  store<u64>(RDX, v >> 32);
}

function rdtsc(p: usize): usize {
  if (tscRefused(false)) return 0;
  putPair(time + load<u64>(M_TSCOFF));
  return p + REC;
}

export function rdtscp(p: usize): usize {
  if (tscRefused(true)) return 0;
  putPair(time + load<u64>(M_TSCOFF));
  store<u64>(RCX, load<u32>(M_TSCAUX));
  return p + REC;
}

/** RDPMC: there are no counters. */
function rdpmc(_p: usize): usize {
  return gp0();
}

// --- random numbers: always ready, CF set and the other flags clear

function rdrand(p: usize): usize {
  const v = random();
  const size = rOsz(p);
  if (size == 1) store<u16>(rRm(p), <u16> v);
  else store<u64>(rRm(p), size == 2 ? v & 0xffffffff : v);
  setArith(1);
  return p + REC;
}

// --- MSRs

/** u64: what RDMSR reads. */
const MSR: usize = memory.data(8, 8);

function msrExit(index: u32, write: bool): usize {
  beginExit(ExitReason.X64MsrAccess);
  store<u32>(EXITBUF, write ? 1 : 0, MsrAccessExit.AccessInfo);
  store<u32>(EXITBUF, index, MsrAccessExit.MsrNumber);
  store<u64>(EXITBUF, load<u64>(RAX), MsrAccessExit.Rax);
  store<u64>(EXITBUF, load<u64>(RDX), MsrAccessExit.Rdx);
  store<u32>(FAULT, F_EXIT);
  return 0;
}

function rdmsr(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  if (!synced) return needSync();
  const index = load<u32>(RCX);
  const r = msrRead(index, MSR);
  if (r == MSR_EXIT) return msrExit(index, false);
  if (r == MSR_GP) return gp0();
  putPair(load<u64>(MSR));
  return p + REC;
}

function wrmsr(p: usize): usize {
  if (load<u8>(CPL)) return gp0();
  if (!synced) return needSync();
  const index = load<u32>(RCX);
  const v = (<u64> load<u32>(RDX) << 32) | load<u32>(RAX);
  const r = msrWrite(index, v);
  if (r == MSR_EXIT) return msrExit(index, true);
  return r == MSR_OK ? leave(p) : gp0();
}

// --- FS and GS bases

function readBase(p: usize, seg: u32): usize {
  if (!(load<u64>(CR4) & CR4_FSGSBASE)) return raise(Vector.UD);
  const base = load<u64>(segOf(seg));
  store<u64>(rRm(p), rOsz(p) == 3 ? base : base & 0xffffffff);
  return p + REC;
}

function writeBase(p: usize, seg: u32): usize {
  if (!(load<u64>(CR4) & CR4_FSGSBASE)) return raise(Vector.UD);
  const v = rOsz(p) == 3 ? load<u64>(rRm(p)) : <u64> load<u32>(rRm(p));
  if (!canonical(v)) return gp0();
  store<u64>(segOf(seg), v);
  return p + REC;
}

export function registerSystem(): void {
  def(M_ONE, 0xcc, END);
  all((_p) => software(Vector.BP, EventType.SoftwareException));
  def(M_ONE, 0xcd, IMM_B | END);
  all((p) => interrupt(p));
  def(M_ONE, 0xce, INV64);
  all((p) => into(p));
  def(M_ONE, 0xf1, END);
  all((_p) => software(Vector.DB, EventType.PrivilegedSoftwareException));
  def(M_0F, 0xa2, 0);
  all((p) => doCpuid(p));
  def(M_0F, 0x31, 0);
  all((p) => rdtsc(p));
  def(M_0F, 0x33, 0);
  all((p) => rdpmc(p));
  def(M_0F, 0x32, 0);
  all((p) => rdmsr(p));
  def(M_0F, 0x30, 0);
  all((p) => wrmsr(p));
  grp(M_0F, 0xc7, 6, REGONLY | SZ_V | P_NONE | P_66);
  all((p) => rdrand(p));
  grp(M_0F, 0xc7, 7, REGONLY | SZ_V | P_NONE | P_66);
  all((p) => rdrand(p));
  grp(M_0F, 0xae, 0, REGONLY | SZ_Y | ONLY64 | P_F3);
  all((p) => readBase(p, S_FS));
  grp(M_0F, 0xae, 1, REGONLY | SZ_Y | ONLY64 | P_F3);
  all((p) => readBase(p, S_GS));
  grp(M_0F, 0xae, 2, REGONLY | SZ_Y | ONLY64 | P_F3);
  all((p) => writeBase(p, S_FS));
  grp(M_0F, 0xae, 3, REGONLY | SZ_Y | ONLY64 | P_F3);
  all((p) => writeBase(p, S_GS));
}
