// Where memory accesses and instructions leave the plain path: time, exits, the
// local APIC's page, and the emulator's callbacks.
import { completing, deviceRead, deviceWrite } from "./device";
import { hostClock, hostIoPort, hostMemory, hostTranslate } from "./host";
import { lapicRead, lapicWrite } from "../lapic/page";
import { LAPIC_LEVEL_EOI, LAPIC_TRAP } from "../lapic/state";
import {
  CODEBASE,
  CPL,
  CR0,
  CR4,
  CR8,
  DBGPEND,
  DELIVER,
  DR0,
  DR7,
  EFER,
  EXITBUF,
  F_EXIT,
  F_SYNC,
  FAULT,
  FETCH,
  IOBUF,
  lapicOf,
  MODE,
  MODE_LONG,
  P_DEBUG,
  P_INT,
  PENDING,
  RAX,
  RCX,
  RDI,
  RIP,
  RSI,
  S_CS,
  S_DS,
  S_ES,
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SEL,
  SEGS,
  SHADOW,
  VPINDEX,
} from "../layout";
import { getFlags } from "../cpu/flags";
import { rLen, rOff } from "../code/record";
import { countApic } from "../whv/counters";
import { variant, WINDOW_LOST } from "../whv/variants";

// --- processors

export let vpCount: u32 = 0;
export function setVpCount(n: u32): void {
  vpCount = n;
}
/** LocalApicEmulationMode: 0 none, 1 xAPIC, 2 x2APIC. */
export let apicMode: u32 = 0;
export function setApicMode(m: u32): void {
  apicMode = m;
}
/**
 * GPA page number of the current VP's xAPIC registers, or one that no access
 * has.
 */
export let apicPage: u64 = ~<u64> 0;
export function setApicPage(page: u64): void {
  apicPage = page;
}

// --- time

/** Guest time (ns) that one instruction is taken to last. */
export const TICKS: u64 = 10;
/**
 * By how much an instruction advances guest time; 0 where that follows the
 * host's clock.
 */
export let ticks: u64 = TICKS;
/** Guest time in ns; exact whenever `synced` or outside the inner loop. */
export let time: u64 = 0;
export function setTime(t: u64): void {
  time = t;
}
/** Whether guest time stands still (WHvSuspendPartitionTime). */
export let suspended: bool = false;
/** What the host's clock showed at guest time 0. */
let epoch: u64 = 0;

/** Sets what guest time is made of, before there is a partition. */
export function setTicks(n: u64): void {
  ticks = n;
}
/** Where guest time follows the host's clock: brings it up to date. */
@inline
export function followClock(): void {
  if (ticks == 0 && !suspended) time = hostClock() - epoch;
}
export function suspendTime(): void {
  followClock();
  suspended = true;
}
/** Guest time goes on from where it stands. */
export function resumeTime(): void {
  if (!suspended) return;
  if (ticks == 0) epoch = hostClock() - time;
  suspended = false;
}
/** Guest time begins. */
export function startTime(): void {
  time = 0;
  suspended = true;
  resumeTime();
}
/** True while a handler runs with time up to date. */
export let synced: bool = false;
export function setSynced(s: bool): void {
  synced = s;
}
/** What a time-dependent handler returns when time is not up to date. */
export function needSync(): usize {
  store<u32>(FAULT, F_SYNC);
  return 0;
}
/**
 * Something about interrupts, timers or other VPs changed: the loop looks
 * again.
 */
export let recheck: bool = false;
export function setRecheck(r: bool): void {
  recheck = r;
}
export function wantInterrupts(): void {
  recheck = true;
  store<u32>(PENDING, load<u32>(PENDING) | P_INT);
}

// --- instruction pointers

@inline
function cut(ip: u64): u64 {
  return load<u8>(MODE) == MODE_LONG ? ip : ip & 0xffffffff;
}
/** RIP of the instruction of record p. */
export function ipOf(p: usize): u64 {
  return cut(load<u64>(CODEBASE) + rOff(p));
}
/** RIP of the instruction after that of record p. */
export function nextIp(p: usize): u64 {
  return cut(load<u64>(CODEBASE) + rOff(p) + rLen(p));
}
/** Completes the instruction and lets the loop look at what it changed. */
export function leave(p: usize): usize {
  store<u64>(RIP, nextIp(p));
  return 0;
}
/** Stays at this instruction (an interruptible REP); counts as completed. */
export function again(p: usize): usize {
  store<u64>(RIP, ipOf(p));
  return 0;
}

// --- exits (WHV_RUN_VP_EXIT_CONTEXT at EXITBUF; layout tested against the C
// headers)

export const EXIT_MEMORY: u32 = 1;
export const EXIT_IO: u32 = 2;
export const EXIT_UNRECOVERABLE: u32 = 4;
export const EXIT_INVALID: u32 = 5;
export const EXIT_WINDOW: u32 = 7;
export const EXIT_HALT: u32 = 8;
export const EXIT_EOI: u32 = 9;
export const EXIT_MSR: u32 = 0x1000;
export const EXIT_CPUID: u32 = 0x1001;
export const EXIT_EXCEPTION: u32 = 0x1002;
export const EXIT_RDTSC: u32 = 0x1003;
export const EXIT_INITSIPI: u32 = 0x1006;
export const EXIT_CANCELED: u32 = 0x2001;
/** A debug point (ffi/debug_points.ts): no reason of WinHvPlatform's. */
export const EXIT_POINT: u32 = 0x1ceb0001;

function putSegment(to: usize, seg: u32): void {
  const s = SEGS + (<usize> seg << 5);
  store<u64>(to, load<u64>(s, SEG_BASE));
  store<u32>(to, load<u32>(s, SEG_LIMIT), 8);
  store<u16>(to, load<u16>(s, SEG_SEL), 12);
  store<u16>(to, load<u16>(s, SEG_ATTR), 14);
}

/**
 * Begins an exit description; the loop adds RIP and the VP context
 * (finishExit).
 */
export function beginExit(reason: u32): void {
  memory.fill(EXITBUF, 0, 224);
  store<u32>(EXITBUF, reason);
}

/** Fills WHV_VP_EXIT_CONTEXT: RIP must be in its cell. */
export function finishExit(length: u32, interruptionPending: bool): void {
  let state: u32 = load<u8>(CPL);
  if (load<u64>(CR0) & 1) state |= 4;
  if (load<u64>(CR0) & 0x40000) state |= 8; // Cr0Am
  if (load<u64>(EFER) & 0x400) state |= 0x10;
  if (interruptionPending) state |= 0x40;
  if (load<u8>(SHADOW)) state |= 0x1000;
  store<u16>(EXITBUF, <u16> state, 8);
  store<u8>(EXITBUF, <u8> ((length & 15) | (load<u32>(CR8) << 4)), 10);
  putSegment(EXITBUF + 16, S_CS);
  store<u64>(EXITBUF, load<u64>(RIP), 32);
  store<u64>(EXITBUF, <u64> getFlags(), 40);
  if (variant(WINDOW_LOST)) store<u64>(DELIVER, 0);
}

/** Describes a memory access exit; sets FAULT. */
export function exitMemory(
  gpa: u64,
  linear: u64,
  acc: u32,
  unmapped: bool,
  _bytes: u32,
): void {
  beginExit(EXIT_MEMORY);
  const type: u32 = acc & 4 ? 2 : acc & 2 ? 1 : 0;
  // AccessType 2 bits, GpaUnmapped, GvaValid
  store<u32>(EXITBUF, type | (unmapped ? 4 : 0) | 8, 68);
  store<u64>(EXITBUF, gpa, 72);
  store<u64>(EXITBUF, linear, 80);
  store<u32>(FAULT, F_EXIT);
}

// IO access info bits
export const IO_WRITE: u32 = 1;
export const IO_STRING: u32 = 0x10;
export const IO_REP: u32 = 0x20;

/** An I/O port instruction's exit. */
export function exitIo(port: u32, bytes: u32, flags: u32): usize {
  if (!synced) return needSync();
  beginExit(EXIT_IO);
  store<u32>(EXITBUF, flags | (bytes << 1), 68);
  store<u16>(EXITBUF, <u16> port, 72);
  store<u64>(EXITBUF, load<u64>(RAX), 80);
  store<u64>(EXITBUF, load<u64>(RCX), 88);
  store<u64>(EXITBUF, load<u64>(RSI), 96);
  store<u64>(EXITBUF, load<u64>(RDI), 104);
  putSegment(EXITBUF + 112, S_DS);
  putSegment(EXITBUF + 128, S_ES);
  ioBreakpoints(port, bytes);
  store<u32>(FAULT, F_EXIT);
  return 0;
}

/**
 * With CR4.DE, debug registers of type 2 name ports. The access is the caller's
 * to complete; the trap is pending and comes when it runs the VP again.
 */
function ioBreakpoints(port: u32, bytes: u32): void {
  const dr7 = <u32> load<u64>(DR7);
  if (!(dr7 & 0xff) || !(load<u64>(CR4) & 8)) return;
  for (let i: u32 = 0; i < 4; i++) {
    if (((dr7 >> (16 + i * 4)) & 3) != 2 || !(dr7 & (3 << (i * 2)))) continue;
    const l = (dr7 >> (18 + i * 4)) & 3;
    const size: u32 = l == 2 ? 8 : l + 1;
    const first = load<u32>(DR0 + i * 8) & ~(size - 1);
    if (port < first + size && first < port + bytes) {
      store<u64>(DBGPEND, load<u64>(DBGPEND) | <u64> 1 << i);
      store<u32>(PENDING, load<u32>(PENDING) | P_DEBUG);
    }
  }
}

/**
 * Reads a port while emulating or completing an instruction; 0 with FAULT set
 * on failure.
 */
export function portRead(port: u32, bytes: u32): u32 {
  if (completing) {
    const v = <u32> deviceRead(port, bytes, true);
    if (!load<u32>(FAULT)) ioBreakpoints(port, bytes);
    return v;
  }
  store<u32>(IOBUF, 0);
  if (hostIoPort(port, bytes, 0) == 0) return load<u32>(IOBUF);
  emuFailed(EMU_IO_FAILED);
  return 0;
}

/**
 * Writes a port while emulating or completing an instruction; false with FAULT
 * set on failure.
 */
export function portWrite(port: u32, bytes: u32, v: u32): bool {
  if (completing) {
    deviceWrite(port, bytes, v, true);
    if (load<u32>(FAULT)) return false;
    ioBreakpoints(port, bytes);
    return true;
  }
  store<u32>(IOBUF, v);
  if (hostIoPort(port, bytes, 1) == 0) return true;
  emuFailed(EMU_IO_FAILED);
  return false;
}

// --- the local APIC's registers

export function apicRead(offset: u32, _bytes: u32): u64 {
  if (!synced) {
    needSync();
    return 0;
  }
  countApic(offset & 0xff0, false, true, 0);
  const v = <u64> lapicRead(
    lapicOf(load<u32>(VPINDEX)),
    offset & 0xff0,
    time,
  );
  return v >> ((offset & 3) << 3);
}

/** EOI of a level-triggered vector that must be reported, or -1. */
export let eoiVector: i32 = -1;
export function setEoi(v: i32): void {
  eoiVector = v;
}

export function apicWrite(offset: u32, _bytes: u32, v: u64): void {
  if (!synced) {
    needSync();
    return;
  }
  if (offset & 15) return; // only aligned 32-bit registers exist
  countApic(offset, true, true, <u32> v);
  apicResult(
    lapicWrite(lapicOf(load<u32>(VPINDEX)), offset, <u32> v, time),
  );
}

/** An INIT or SIPI was written that the caller wants to see. */
export let ipiTrapped: bool = false;
export function setIpiTrapped(t: bool): void {
  ipiTrapped = t;
}

/**
 * What an APIC register write asks of the loop (result codes of lapic/page.ts).
 */
export function apicResult(r: i32): void {
  if (r & LAPIC_LEVEL_EOI) eoiVector = r & 0xff;
  if (r & LAPIC_TRAP) ipiTrapped = true;
  wantInterrupts();
}

// --- emulation (WinHvEmulation): every data access goes through callbacks

export let emulating: bool = false;
export function setEmulating(e: bool): void {
  emulating = e;
}
/** WHV_EMULATOR_STATUS bits of the last emulation's failure. */
export let emuStatus: u32 = 0;
export function setEmuStatus(s: u32): void {
  emuStatus = s;
}
export const EMU_SUCCESS: u32 = 1;
export const EMU_INTERNAL: u32 = 2;
const EMU_IO_FAILED: u32 = 4;
const EMU_MEM_FAILED: u32 = 8;
const EMU_TRANSLATE_FAILED: u32 = 16;
const EMU_TRANSLATE_NOTGRANTED: u32 = 32;
/** Not of WHV_EMULATOR_STATUS: an iteration is done, the instruction is not. */
export const EMU_AGAIN: u32 = 0x10000;

function emuFailed(status: u32): void {
  emuStatus |= status;
  store<u32>(FAULT, F_EXIT);
}

let emuGpa: u64 = 0;

/** Translates through the callback; false with FAULT set. */
export function emuTranslate(linear: u64, acc: u32): bool {
  const r = hostTranslate(linear, acc);
  if (r == 0) {
    emuGpa = (load<u64>(IOBUF) & ~0xfff) | (linear & 0xfff);
    return true;
  }
  emuFailed(r < 0 ? EMU_TRANSLATE_FAILED : EMU_TRANSLATE_NOTGRANTED);
  return false;
}

/**
 * Fetches up to 15 instruction bytes through the callbacks to FETCH; how many.
 */
export function emuFetch(linear: u64): u32 {
  let n: u32 = 0;
  let translated = false;
  while (n < 15) {
    const at = linear + n;
    if (!translated || !(at & 0xfff)) {
      if (hostTranslate(at, 4) != 0) {
        if (n == 0) emuFailed(EMU_TRANSLATE_FAILED);
        return n;
      }
      translated = true;
      emuGpa = load<u64>(IOBUF) & ~0xfff;
    }
    if (hostMemory(emuGpa | (at & 0xfff), 1, 0) != 0) {
      if (n == 0) emuFailed(EMU_MEM_FAILED);
      return n;
    }
    store<u8>(FETCH + n, load<u8>(IOBUF));
    n++;
  }
  return n;
}

export function mmioRead(_gpa: u64, bytes: u32): u64 {
  store<u64>(IOBUF, 0);
  if (hostMemory(emuGpa, bytes, 0) != 0) {
    emuFailed(EMU_MEM_FAILED);
    return 0;
  }
  return load<u64>(IOBUF);
}

export function mmioWrite(_gpa: u64, bytes: u32, v: u64): void {
  store<u64>(IOBUF, v);
  if (hostMemory(emuGpa, bytes, 1) != 0) emuFailed(EMU_MEM_FAILED);
}
