// The software platform's module: starts the instruction table and exports what
// src/soft/*.ts and the native library call.
import { ExitReason } from "./whv/names";
import {
  cacheInit,
  statDecoded,
  statFlushes,
  statInvalidated,
} from "./code/cache";
import { decodeInit } from "./code/decode";
import { raise } from "./cpu/fault";
import { registerFxsave } from "./insn/x87/fxsave";
import { registerX87 } from "./insn/x87/table";
import { registerFar } from "./insn/system/far";
import { registerRet } from "./insn/system/ret";
import { registerControl } from "./insn/system/control";
import { registerDescriptor } from "./insn/system/descriptor";
import { registerSyscall } from "./insn/system/syscall";
import { registerSystem } from "./insn/system/misc";
import { registerAlu } from "./insn/integer/alu";
import { registerAtomic } from "./insn/integer/atomic";
import { registerBcd } from "./insn/integer/bcd";
import { registerBits } from "./insn/integer/bits";
import { registerBmi } from "./insn/integer/bmi";
import { registerData } from "./insn/integer/data";
import { registerFlags } from "./insn/integer/flags";
import { registerFlow } from "./insn/integer/flow";
import { registerIo } from "./insn/system/io";
import { registerMove } from "./insn/integer/mov";
import { registerMulDiv } from "./insn/integer/muldiv";
import { registerShifts } from "./insn/integer/shift";
import { registerSimdFloat } from "./insn/simd/float";
import { registerSimdConvert } from "./insn/simd/convert";
import { registerSimdScalar } from "./insn/simd/scalar";
import { registerSimdSelect } from "./insn/simd/select";
import { registerSimdText } from "./insn/simd/text";
import { registerSimdCrypto } from "./insn/simd/crypto";
import { registerFast } from "./code/inner";
import { registerSegmentLoads } from "./insn/system/segload";
import { registerSimdInt } from "./insn/simd/int";
import { registerSimdMove } from "./insn/simd/move";
import { registerSimdShuffle } from "./insn/simd/shuffle";
import { registerStack } from "./insn/integer/stack";
import { registerStrings } from "./insn/integer/string";
import { lapicTimerDue } from "./lapic/timer";
import {
  COUNTER_BESIDE_CODE,
  COUNTER_CACHE_FLUSHES,
  COUNTER_DECODED,
  COUNTER_EVENTS,
  COUNTER_INVALIDATED,
  COUNTER_LEFT_BY_HANDLER,
  COUNTER_LEFT_FOR_OTHER,
  COUNTER_LEFT_FOR_REGION,
  COUNTER_PASSED,
  COUNTER_TLB_FLUSHES,
  COUNTER_TLB_MISSES,
  COUNTER_TRANSLATED,
  RUN_EXIT,
} from "./shared";
import { ICOUNT, lapicOf } from "./layout";
import { Handler, indexOf } from "./code/optable";
import { conditionLoad } from "./points/conditions";
export { unwatched } from "./points/data";
import { execute, runInit } from "./cpu/run";
import { fieldOf, nextTimer, switchTo } from "./cpu/vps";
import { checkState } from "./whv/valid";
import { again } from "./code/ip";
import { beginExit, finishExit } from "./system/exit";
import { apicMode } from "./system/processors";
import { followClock, setTime, suspended, time } from "./system/time";
import { statEvents } from "./cpu/exceptions";
import { total } from "./cpu/slice";
import { statBesideCode, statTlbMisses } from "./memory/resolve";
import { statTlbFlushes } from "./memory/tlb";
import { countExit } from "./system/counters";
import {
  leftByHandler,
  leftForOther,
  leftForRegion,
  ranTranslated,
  tooShort,
} from "./code/regions";
import { created } from "./whv/state";
import { Vector } from "./x86/vectors";
import { pointReached, pointsInit } from "./points/code";
import { passed } from "./points/addresses";
export { limitRepeat, takeRepeatCut, waitRepeats } from "./points/repeat";
export { blockOf, hostMayWrite, hostWrote } from "./code/cache";
export { setTranslation } from "./code/regions";
export { allowSpins } from "./cpu/spin";
export { vpDeaf, vpReady } from "./cpu/vps";
export { mapsHost } from "./memory/phys";
export { setDoorbells } from "./memory/slow";
export { whvCompleteAccess } from "./system/complete";
export { setAnswering } from "./system/access";
export { stateLoad, stateSave } from "./system/snapshot";
export { withholdWrites } from "./memory/tlb";
export { emulate, emulateOnce } from "./system/emulate";
export { setTicks } from "./system/time";
export { whvGetVpCounters } from "./whv/counters";
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
} from "./whv/memory";
export {
  whvCreatePartition,
  whvDeletePartition,
  whvResetPartition,
  whvResumeTime,
  whvSetupPartition,
  whvSuspendTime,
} from "./whv/partition";
export {
  whvClearDebugPoint,
  whvPassDebugPoints,
  whvSetDebugPoint,
  whvSetDebugPointCondition,
  whvTakeDebugHits,
} from "./whv/points";
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
} from "./whv/processor";
export {
  whvGetCapability,
  whvGetPartitionProperty,
  whvSetPartitionProperty,
} from "./whv/properties";
export { whvCheckVp } from "./whv/state";
export { whvTranslateGva } from "./whv/translate";
export { setVariants } from "./whv/variants";
export { whvGetXsave, whvSetXsave } from "./whv/xsave";

function undefinedInstruction(_p: usize): usize {
  return raise(Vector.UD);
}

/** Prepares the module; once. */
export function init(): void {
  // A record of a block that was dropped, and the end of one: look up again.
  const stale: Handler = (p) => again(p);
  const end: Handler = (p) => again(p);
  const ud: Handler = (p) => undefinedInstruction(p);
  decodeInit(indexOf(ud), indexOf(end));
  runInit(indexOf(end), indexOf(stale));
  cacheInit(indexOf(stale));
  const point: Handler = (p) => pointReached(p);
  pointsInit(indexOf(point));
  register();
}

/**
 * Runs VP `vp` for at most `budget` instructions: 0 slice over, 1 exit at
 * EXITBUF, 2 waiting, 3 as many spins made as were allowed.
 */
export function vpRun(vp: u32, budget: i32): u32 {
  switchTo(vp);
  last = 0;
  if (!checkState()) return RUN_EXIT;
  const before = total;
  const r = execute(budget);
  if (r == RUN_EXIT) countExit();
  last = <i32> (total - before);
  return r;
}

/** Where the table has conditionLoad(). */
export function conditionLoader(): u32 {
  return load<u32>(changetype<usize>(conditionLoad));
}

/** Describes a canceled exit of VP `vp` at EXITBUF. */
export function vpCanceled(vp: u32): void {
  switchTo(vp);
  beginExit(ExitReason.Canceled);
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

/**
 * Counter `n` (COUNTER_*) of all VPs together.
 */
export function counter(n: u32): u64 {
  switch (n) {
    case COUNTER_DECODED:
      return statDecoded;
    case COUNTER_INVALIDATED:
      return statInvalidated;
    case COUNTER_CACHE_FLUSHES:
      return statFlushes;
    case COUNTER_TLB_MISSES:
      return statTlbMisses;
    case COUNTER_TLB_FLUSHES:
      return statTlbFlushes;
    case COUNTER_EVENTS:
      return statEvents;
    case COUNTER_PASSED:
      return passed;
    case COUNTER_BESIDE_CODE:
      return statBesideCode;
    case COUNTER_TRANSLATED:
      return ranTranslated;
    case COUNTER_LEFT_FOR_REGION:
      return leftForRegion;
    case COUNTER_LEFT_FOR_OTHER:
      return leftForOther;
    case COUNTER_LEFT_BY_HANDLER:
      return leftByHandler;
    default: // COUNTER_TOO_SHORT
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
