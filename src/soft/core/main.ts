// The software platform's module: starts the instruction table and exports what
// src/soft/*.ts and the native library call.
import { setAnswering } from "./access";
import {
  cacheInit,
  hostMayWrite,
  hostWrote,
  statDecoded,
  statFlushes,
  statInvalidated,
} from "./cache";
import { decodeInit } from "./decode";
import { raise, UD } from "./fault";
import {
  apicMode,
  beginExit,
  EXIT_CANCELED,
  finishExit,
  followClock,
  ipOf,
  setTicks,
  setTime,
  suspended,
  time,
} from "./hooks";
import { registerFxsave } from "./insn/fxsave";
import { registerX87 } from "./insn/x87";
import { registerFar } from "./insn/far";
import { registerRet } from "./insn/ret";
import { registerControl } from "./insn/control";
import { registerDescriptor } from "./insn/descriptor";
import { registerSyscall } from "./insn/syscall";
import { registerSystem } from "./insn/system";
import { registerAlu } from "./insn/alu";
import { registerAtomic } from "./insn/atomic";
import { registerBcd } from "./insn/bcd";
import { registerBits } from "./insn/bits";
import { registerBmi } from "./insn/bmi";
import { registerData } from "./insn/data";
import { registerFlags } from "./insn/flagsops";
import { registerFlow } from "./insn/flow";
import { registerIo } from "./insn/io";
import { registerMove } from "./insn/mov";
import { registerMulDiv } from "./insn/muldiv";
import { registerShifts } from "./insn/shift";
import { registerSimdFloat } from "./insn/simd_float";
import { registerSimdConvert } from "./insn/simd_convert";
import { registerSimdScalar } from "./insn/simd_scalar";
import { registerSimdSelect } from "./insn/simd_select";
import { registerSimdText } from "./insn/simd_text";
import { registerSimdCrypto } from "./insn/simd_crypto";
import { registerFast } from "./inner";
import { registerSegmentLoads } from "./insn/segload";
import { registerSimdInt } from "./insn/simd_int";
import { registerSimdMove } from "./insn/simd_move";
import { registerSimdShuffle } from "./insn/simd_shuffle";
import { registerStack } from "./insn/stack";
import { registerStrings } from "./insn/string";
import { lapicTimerDue } from "./lapic";
import { ICOUNT, lapicOf, RIP } from "./layout";
import {
  setDoorbells,
  statBesideCode,
  statTlbFlushes,
  statTlbMisses,
} from "./mem";
import { Handler, indexOf } from "./optable";
import { mapsHost } from "./phys";
import { pointReached, pointsInit, pointsTrim } from "./points";
import {
  leftByHandler,
  leftForOther,
  leftForRegion,
  ranTranslated,
  tooShort,
} from "./regions";
import { execute, RUN_EXIT, runInit, statEvents, total } from "./run";
import { allowSpins } from "./spin";
import { fieldOf, nextTimer, switchTo, vpDeaf, vpReady } from "./vps";
import { countExit } from "./whv_counters";
import { checkState } from "./whv_valid";

import { created } from "./whv_partition";

export { whvGetVpCounters } from "./whv_counters";
export {
  hostReleased,
  takeDirty,
  whvAdviseGpaRange,
  whvCheckDirty,
  whvGetMemoryCounters,
  whvMapGpaRange,
  whvReadGpaRange,
  whvUnmapGpaRange,
  whvWriteGpaRange,
} from "./whv_memory";
export {
  whvCheckVp,
  whvCreatePartition,
  whvDeletePartition,
  whvResetPartition,
  whvResumeTime,
  whvSetupPartition,
  whvSuspendTime,
} from "./whv_partition";
export {
  whvCreateVirtualProcessor,
  whvDeleteVirtualProcessor,
  whvGetApic,
  whvGetCpuid,
  whvGetRegisters,
  whvRequestInterrupt,
  whvRunBegin,
  whvRunEnd,
  whvSetApic,
  whvSetRegisters,
} from "./whv_processor";
export {
  whvGetCapability,
  whvGetPartitionProperty,
  whvSetPartitionProperty,
} from "./whv_properties";
export {
  whvClearDebugPoint,
  whvPassDebugPoints,
  whvSetDebugPoint,
  whvTakeDebugHits,
} from "./whv_points";
export { setVariants } from "./whv_variants";
export { setTranslation } from "./regions";
export { whvGetXsave, whvSetXsave } from "./whv_xsave";
export { whvTranslateGva } from "./whv_translate";
export { whvCompleteAccess } from "./complete";
export { emulate, emulateOnce } from "./emulate";
export { stateLoad, stateSave, withholdWrites } from "./snapshot";

function undefinedInstruction(_p: usize): usize {
  return raise(UD);
}

/** A record of a block that was dropped, or the end of a block: look up again. */
function lookAgain(p: usize): usize {
  store<u64>(RIP, ipOf(p));
  return 0;
}
function blockEnd(p: usize): usize {
  store<u64>(RIP, ipOf(p));
  return 0;
}

/** Prepares the module; once. */
export function init(): void {
  const stale: Handler = (p) => lookAgain(p);
  const end: Handler = (p) => blockEnd(p);
  const ud: Handler = (p) => undefinedInstruction(p);
  decodeInit(indexOf(ud), indexOf(end));
  runInit(indexOf(end), indexOf(stale));
  cacheInit(indexOf(stale));
  const point: Handler = (p) => pointReached(p);
  pointsInit(indexOf(point));
  register();
}

/** Runs VP `vp` for at most `budget` instructions: 0 slice over, 1 exit at EXITBUF, 2 waiting,
 * 3 as many spins made as were allowed. */
export function vpRun(vp: u32, budget: i32): u32 {
  switchTo(vp);
  last = 0;
  pointsTrim(total);
  if (!checkState()) return RUN_EXIT;
  const before = total;
  const r = execute(budget);
  if (r == RUN_EXIT) countExit();
  last = <i32> (total - before);
  return r;
}

/** Describes a canceled exit of VP `vp` at EXITBUF. */
export function vpCanceled(vp: u32): void {
  switchTo(vp);
  beginExit(EXIT_CANCELED);
  finishExit(0, false);
}

/** How many VPs there are. */
export function vpsCreated(): u32 {
  return <u32> popcnt<u64>(created);
}

/** Instructions that VP `vp` completed. */
export function vpInstructions(vp: u32): u64 {
  return load<u64>(fieldOf(vp, ICOUNT));
}

export {
  allowSpins,
  hostMayWrite,
  hostWrote,
  mapsHost,
  setAnswering,
  setDoorbells,
  setTicks,
  vpDeaf,
  vpReady,
};

let last: i32 = 0;
/** Instructions of the last vpRun. */
export function executed(): i32 {
  return last;
}

/** Guest time of the next APIC timer event in ns; infinite if there is none. */
export function nextTimerNumber(): f64 {
  const t = nextTimer();
  return t == ~<u64> 0 ? Infinity : <f64> t;
}
/** Guest time of VP `vp`'s next APIC timer event in ns; ~0 if there is none. */
export function vpTimer(vp: u32): u64 {
  return apicMode ? lapicTimerDue(lapicOf(vp)) : ~<u64> 0;
}
export function guestTimeNumber(): f64 {
  return <f64> time;
}

/** Guest time in ns. */
export function guestTime(): u64 {
  return time;
}
/** Brings guest time up to date where it follows the host's clock. */
export function updateTime(): void {
  followClock();
}
/** Whether guest time stands still. */
export function timeStands(): bool {
  return suspended;
}
/** Moves guest time forward while no VP can run. */
export function skipTime(to: u64): void {
  if (to > time) setTime(to);
}
/** Instructions completed by all VPs. */
export function instructions(): u64 {
  return total;
}

/** instructions() as a number. */
export function instructionsNumber(): f64 {
  return <f64> total;
}

/** Counter `n` of all VPs together, in the order of SoftCounters (src/soft/mod.ts). */
export function counter(n: u32): u64 {
  switch (n) {
    case 0:
      return statDecoded;
    case 1:
      return statInvalidated;
    case 2:
      return statFlushes;
    case 3:
      return statTlbMisses;
    case 4:
      return statTlbFlushes;
    case 5:
      return statEvents;
    case 6:
      return statBesideCode;
    case 7:
      return ranTranslated;
    case 8:
      return leftForRegion;
    case 9:
      return leftForOther;
    case 10:
      return leftByHandler;
    default:
      return tooShort;
  }
}

function register(): void {
  registerAlu();
  registerAtomic();
  registerBcd();
  registerBits();
  registerBmi();
  registerData();
  registerFlags();
  registerFlow();
  registerIo();
  registerMove();
  registerMulDiv();
  registerShifts();
  registerStack();
  registerStrings();
  registerX87();
  registerFxsave();
  registerSimdInt();
  registerSimdMove();
  registerSimdShuffle();
  registerSimdSelect();
  registerFar();
  registerRet();
  registerControl();
  registerDescriptor();
  registerSyscall();
  registerSystem();
  registerSimdFloat();
  registerSimdScalar();
  registerSimdConvert();
  registerSimdText();
  registerSimdCrypto();
  registerSegmentLoads();
  registerFast();
}
