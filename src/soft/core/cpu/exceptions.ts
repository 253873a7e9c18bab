// Exceptions: exits for those that the caller wants to see, delivery, and what
// delivery raises.
import { ExitReason, MemoryAccessType } from "../whv/names";
import { linearIp } from "../code/ip";
import { isMem, rLen, rSeg } from "../code/record";
import { deliverEvent } from "./interrupt";
import { flagsChanged } from "./mode";
import { settleOne } from "./slice";
import { RUN_EXIT } from "../shared";
import {
  A_SHUTDOWN,
  ACTIVITY,
  CR2,
  DBGPEND,
  DR6,
  DR7,
  EXITBUF,
  F_EXIT,
  F_NONCANON,
  FADDR,
  FAULT,
  FERR,
  LATE,
  LATEADDR,
  LATEERR,
  LATELEN,
  PASS,
  PEND_INT,
  RIP,
  S_SS,
} from "../layout";
import { physHost } from "../memory/phys";
import {
  ACC_READ,
  translate,
  Translation,
  TRANSLATION_BYTES,
} from "../memory/walk";
import { countEvent } from "../system/counters";
import { beginExit, finishExit } from "../system/exit";
import { setSynced, synced } from "../system/time";
import { INT1_IS_GUESTS, variant, WRITE_IS_TOLD } from "../whv/variants";
import { EventType } from "../x86/events";
import { Vector } from "../x86/vectors";
import { DR6_CLEAR, DR6_HITS, DR7_GD } from "../x86/debug_registers";
import {
  ExceptionInfo,
  MemoryAccessExit,
  MemoryAccessInfo,
  PendingInterruption,
  VpExceptionExit,
} from "../whv/structures";
import { PASS_NONE } from "../points/pass";

/**
 * WHvPartitionPropertyCodeExceptionExitBitmap, or 0 while exception exits are
 * off.
 */
let exceptionBitmap: u64 = 0;

export function setExceptionBitmap(b: u64): void {
  exceptionBitmap = b;
}

/** The record that a fault belongs to, or 0 for a fetch. */
let faulting: usize = 0;

export function setFaulting(p: usize): void {
  faulting = p;
}

/**
 * Set by what must not be followed by a single-step trap (event delivery,
 * SYSCALL).
 */
export let noStepTrap: bool = false;

export function setNoStepTrap(): void {
  noStepTrap = true;
}

/** Before an instruction: it may be followed by one. */
export function allowStepTrap(): void {
  noStepTrap = false;
}

/** Exceptions and interrupts delivered, for --stats. */
export let statEvents: u64 = 0;

/** Counts an event that was delivered. */
export function delivered(vector: u32, type: u32): void {
  statEvents++;
  countEvent(vector, type);
}

const FETCHED: usize = memory.data(TRANSLATION_BYTES, 8);

/**
 * Copies the instruction bytes at RIP to `to` (count at `count`), without side
 * effects.
 */
function putInstruction(count: usize, to: usize): void {
  const found = changetype<Translation>(FETCHED);
  const ip = load<u64>(RIP);
  let lin = linearIp(ip);
  let n: u32 = 0;
  while (n < 16) {
    if (!translate(found, lin, ACC_READ, false, true, true)) break;
    const host = physHost(found.gpa);
    if (host == 0) break;
    do {
      store<u8>(to + n, load<u8>(host + (<u32> lin & 0xfff) - (host & 0xfff)));
      n++;
      lin++;
    } while (n < 16 && (lin & 0xfff) != 0);
  }
  store<u8>(count, <u8> n);
}

function hasErrorCode(vector: u32): bool {
  return vector == Vector.DF || (vector >= Vector.TS && vector <= Vector.PF) ||
    vector == Vector.AC;
}

function exceptionExit(
  vector: u32,
  type: u32,
  err: u32,
  param: u64,
  length: u32,
): u32 {
  beginExit(ExitReason.Exception);
  putInstruction(
    EXITBUF + VpExceptionExit.InstructionByteCount,
    EXITBUF + VpExceptionExit.InstructionBytes,
  );
  store<u32>(
    EXITBUF,
    (hasErrorCode(vector) ? ExceptionInfo.ErrorCodeValid : 0) |
      (type >= EventType.SoftwareInterrupt
        ? ExceptionInfo.SoftwareException
        : 0),
    VpExceptionExit.ExceptionInfo,
  );
  store<u8>(EXITBUF, <u8> vector, VpExceptionExit.ExceptionType);
  store<u32>(EXITBUF, err, VpExceptionExit.ErrorCode);
  store<u64>(EXITBUF, param, VpExceptionExit.ExceptionParameter);
  finishExit(length, false);
  return RUN_EXIT;
}

@inline
function intercepted(vector: u32): bool {
  return vector < 32 && ((exceptionBitmap >> vector) & 1) != 0;
}

function contributory(v: u32): bool {
  return v == Vector.DE || (v >= Vector.TS && v <= Vector.GP);
}

export function tripleFault(): u32 {
  store<u8>(ACTIVITY, <u8> A_SHUTDOWN);
  beginExit(ExitReason.UnrecoverableException);
  finishExit(0, false);
  return RUN_EXIT;
}

/**
 * Delivers an event, and what its delivery raises. 0, or RUN_EXIT.
 * Combination rules: SDM vol. 3, "Double Fault Exception".
 */
export function inject(
  vector: u32,
  type: u32,
  hasErr: bool,
  err: u32,
  retIp: u64,
): u32 {
  const ip = load<u64>(RIP);
  // it is the handler now that comes next
  if (load<u8>(PASS)) store<u8>(PASS, PASS_NONE);
  if (vector == Vector.DB && type == EventType.PrivilegedSoftwareException) {
    // INT1 behind MOV SS: one #DB has what MOV SS held back, too
    store<u64>(DR6, load<u64>(DR6) | (load<u64>(DBGPEND) & DR6_HITS));
    store<u64>(DBGPEND, 0);
  }
  while (true) {
    if (vector == Vector.DB && type == EventType.Exception) {
      store<u64>(DR7, load<u64>(DR7) & ~DR7_GD);
    }
    // nothing runs that would have to be alone
    const before = synced;
    setSynced(true);
    const done = deliverEvent(vector, type, hasErr, err, retIp);
    setSynced(before);
    if (done) {
      delivered(vector, type);
      noStepTrap = true;
      flagsChanged();
      return 0;
    }
    const f = load<u32>(FAULT);
    store<u32>(FAULT, 0);
    if (f == F_EXIT) {
      // a paging structure or stack outside memory: the caller sees the event
      // pending
      store<u64>(
        PEND_INT,
        PendingInterruption.InterruptionPending | (<u64> type << 1) |
          (hasErr ? PendingInterruption.DeliverErrorCode : 0) |
          (<u64> vector << 16) |
          (<u64> err << 32) |
          (type >= EventType.SoftwareInterrupt ? ((retIp - ip) & 15) << 5 : 0),
      );
      finishExit(0, true);
      return RUN_EXIT;
    }
    if (vector == Vector.DF) return tripleFault();
    const v2: u32 = f == F_NONCANON ? Vector.SS : f & 0xff;
    const first = type == EventType.Exception;
    if (
      first &&
      ((contributory(vector) && contributory(v2)) ||
        (vector == Vector.PF && (contributory(v2) || v2 == Vector.PF)))
    ) {
      vector = Vector.DF;
      err = 0;
    } else {
      vector = v2;
      err = f == F_NONCANON ? 0 : load<u32>(FERR);
    }
    type = EventType.Exception;
    hasErr = hasErrorCode(vector);
    retIp = ip;
    if (intercepted(vector)) {
      return exceptionExit(
        vector,
        EventType.Exception,
        err,
        vector == Vector.PF ? load<u64>(FADDR) : 0,
        0,
      );
    }
    if (vector == Vector.PF) store<u64>(CR2, load<u64>(FADDR));
  }
}

/**
 * A debug exception: DR6 bits, then the exit or delivery. RIP is where it
 * returns to.
 */
export function debugException(bits: u64): u32 {
  store<u64>(DR6, (load<u64>(DR6) & ~DR6_HITS) | bits | DR6_CLEAR);
  if (intercepted(Vector.DB)) {
    return exceptionExit(Vector.DB, EventType.Exception, 0, load<u64>(DR6), 0);
  }
  return inject(Vector.DB, EventType.Exception, false, 0, load<u64>(RIP));
}

/** Whether the exit at EXITBUF is a write to memory mapped without Write. */
function isWriteToRom(): bool {
  const kind = MemoryAccessInfo.AccessType | MemoryAccessInfo.GpaUnmapped;
  return load<u32>(EXITBUF) == ExitReason.MemoryAccess &&
    (load<u32>(EXITBUF, MemoryAccessExit.AccessInfo) & kind) ==
      MemoryAccessType.Write;
}

/**
 * An instruction did not complete: RIP is at it, FAULT says why. 0, or
 * RUN_EXIT.
 */
export function onFault(): u32 {
  const f = load<u32>(FAULT);
  store<u32>(FAULT, 0);
  settleOne();
  const length = faulting ? rLen(faulting) : 0;
  if (f == F_EXIT) {
    const told = !isWriteToRom() || variant(WRITE_IS_TOLD);
    if (told && load<u32>(EXITBUF) <= ExitReason.X64IoPortAccess) {
      // an I/O port's exit has them at the same place
      putInstruction(
        EXITBUF + MemoryAccessExit.InstructionByteCount,
        EXITBUF + MemoryAccessExit.InstructionBytes,
      );
    }
    finishExit(told ? length : 0, false);
    return RUN_EXIT;
  }
  if (f == F_NONCANON) {
    const inStack = faulting && isMem(faulting) && rSeg(faulting) == S_SS;
    return raised(inStack ? Vector.SS : Vector.GP, 0, length);
  }
  return raised(f, load<u32>(FERR), length);
}

/**
 * The instruction at RIP raises `f` (as FAULT has it, with FADDR). 0, or
 * RUN_EXIT.
 */
export function raised(f: u32, err: u32, length: u32): u32 {
  const vector = f & 0xff;
  let type = (f >> 16) & 7;
  if (type == 0) type = EventType.Exception;
  if (vector == Vector.DB && type == EventType.Exception) {
    return debugException(load<u64>(FADDR));
  }
  const guests = type == EventType.SoftwareInterrupt ||
    (type == EventType.PrivilegedSoftwareException && variant(INT1_IS_GUESTS));
  if (intercepted(vector) && !guests) {
    return exceptionExit(
      vector,
      type,
      err,
      vector == Vector.PF ? load<u64>(FADDR) : 0,
      length,
    );
  }
  if (vector == Vector.PF) store<u64>(CR2, load<u64>(FADDR));
  const ip = load<u64>(RIP);
  return inject(
    vector,
    type,
    type == EventType.Exception && hasErrorCode(vector),
    err,
    type >= EventType.SoftwareInterrupt ? ip + length : ip,
  );
}

/**
 * What completing an instruction came to (system/complete.ts). 0, or RUN_EXIT.
 */
export function onLateFault(): u32 {
  const f = load<u32>(LATE);
  store<u32>(LATE, 0);
  store<u64>(FADDR, load<u64>(LATEADDR));
  return raised(f, load<u32>(LATEERR), load<u32>(LATELEN));
}
