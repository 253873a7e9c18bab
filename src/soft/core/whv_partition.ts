// The partition: its life, properties, memory and processors, as WHP.md promises.
// Arguments that are buffers lie at IOBUF; results are HRESULTs. A call that fails
// changes nothing.
import { cacheFlush, flushJumps, hostWrote } from "./cache";
import {
  apicMode,
  apicResult,
  setApicMode,
  setEoi,
  setRecheck,
  setTime,
  setVpCount,
  time,
  vpCount,
  wantInterrupts,
} from "./hooks";
import {
  LAPIC_ILLEGAL,
  lapicExport,
  lapicImport,
  lapicRequest,
  lapicSetVpCount,
  lapicTrapInitSipi,
} from "./lapic";
import {
  bankOf,
  CPL,
  GUEST,
  IOBUF,
  lapicOf,
  MAX_VPS,
  S_SS,
  SEG_ATTR,
  SEGS,
  STATE,
  STATE_SIZE,
  TLB_VP,
  TLBS,
  VPINDEX,
  WHV,
} from "./layout";
import { MAXPHYADDR, tlbFlush } from "./mem";
import { updateMode } from "./mode";
import {
  clearDirty,
  isDirty,
  mapAdd,
  mapCovers,
  mapFlags,
  mapRemove,
  mapsReset,
  physHost,
} from "./phys";
import { seedRandom } from "./random";
import { resetVp } from "./reset";
import {
  exceptionBitmap,
  setExceptionBitmap,
  setSuspended,
  suspended,
} from "./run";
import { switchTo, vpsReset } from "./vps";
import { canSetRegister, getRegister, setRegister } from "./whv_registers";

export const S_OK: i32 = 0;
export const E_NOTIMPL: i32 = <i32> 0x80004001;
export const E_INVALIDARG: i32 = <i32> 0x80070057;
export const E_OUTOFMEMORY: i32 = <i32> 0x8007000e;
export const WHV_E_UNKNOWN_CAPABILITY: i32 = <i32> 0x80370300;
export const WHV_E_INSUFFICIENT_BUFFER: i32 = <i32> 0x80370301;
export const WHV_E_UNKNOWN_PROPERTY: i32 = <i32> 0x80370302;
export const WHV_E_INVALID_PARTITION_CONFIG: i32 = <i32> 0x80370304;
export const WHV_E_GPA_RANGE_NOT_FOUND: i32 = <i32> 0x80370305;
export const WHV_E_VP_ALREADY_EXISTS: i32 = <i32> 0x80370306;
export const WHV_E_VP_DOES_NOT_EXIST: i32 = <i32> 0x80370307;
export const WHV_E_INVALID_VP_STATE: i32 = <i32> 0x80370308;
export const WHV_E_INVALID_VP_REGISTER_NAME: i32 = <i32> 0x80370309;

let exists: bool = false;
let ready: bool = false; // WHvSetupPartition succeeded
let created: u64 = 0; // VPs that exist, one bit each
let running: u64 = 0; // VPs inside WHvRunVirtualProcessor

// Scalar properties: code u32, size u32, value u64 each, at WHV
const PROPS: usize = WHV;
const CPUID_EXITS: usize = WHV + 0x800; // u32 leaves
const CPUID_RESULTS: usize = WHV + 0x1000; // 32 bytes each: function, 3 reserved, eax ebx ecx edx
let cpuidExitCount: u32 = 0;
let cpuidResultCount: u32 = 0;
const MAX_LIST: u32 = 256;

export const EXT_CPUID: u64 = 1;
export const EXT_MSR: u64 = 2;
export const EXT_EXCEPTION: u64 = 4;
export const EXT_RDTSC: u64 = 8;
export const EXT_INITSIPI: u64 = 64;
/** Extended VM exits that this platform has. */
export const EXT_ALL: u64 = EXT_CPUID | EXT_MSR | EXT_EXCEPTION | EXT_RDTSC |
  EXT_INITSIPI;
/** Exceptions that can be intercepted: all architectural ones. */
export const EXCEPTIONS: u64 = 0xf7dfb;

const PP_EXT: u32 = 1;
const PP_EXC: u32 = 2;
const PP_MSR: u32 = 5;
const PP_CPUID_EXITS: u32 = 0x1003;
const PP_CPUID_RESULTS: u32 = 0x1004;
const PP_APIC: u32 = 0x1005;
const PP_COUNT: u32 = 0x1fff;

/** WHvPartitionPropertyCodeExtendedVmExits. */
export let extendedExits: u64 = 0;
/** WHvPartitionPropertyCodeX64MsrExitBitmap. */
export let msrExits: u64 = 0;

function property(code: u32): usize {
  for (let p = PROPS; load<u32>(p) != 0; p += 16) {
    if (load<u32>(p) == code) return p;
  }
  return 0;
}

let propsEnd: usize = PROPS;
function addProperty(code: u32, size: u32, value: u64): void {
  store<u32>(propsEnd, code);
  store<u32>(propsEnd, size, 4);
  store<u64>(propsEnd, value, 8);
  propsEnd += 16;
  store<u32>(propsEnd, 0);
}

/** A new partition with every property at its default. */
export function whvCreatePartition(): i32 {
  if (exists) return E_OUTOFMEMORY; // one partition for one module
  memory.fill(WHV, 0, 0x4000);
  propsEnd = PROPS;
  addProperty(PP_EXT, 8, 0);
  addProperty(PP_EXC, 8, 0);
  addProperty(3, 4, 0);
  addProperty(4, 4, 0);
  addProperty(PP_MSR, 8, 0);
  addProperty(PP_APIC, 4, 0);
  addProperty(0x1001, 8, capFeatures0);
  addProperty(0x1002, 1, 6);
  addProperty(0x1006, 8, capXsave);
  addProperty(0x1007, 8, 1000000000);
  addProperty(0x1008, 8, 1000000000);
  addProperty(PP_COUNT, 4, 0);
  cpuidExitCount = 0;
  cpuidResultCount = 0;
  mapsReset();
  cacheFlush();
  exists = true;
  ready = false;
  created = 0;
  running = 0;
  setTime(0);
  seedRandom(0);
  setSuspended(false);
  apply();
  return S_OK;
}

/** WHV_PROCESSOR_FEATURES of this CPU (bank 0), for WHvGetCapability. */
export const capFeatures0: u64 = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 3) |
  (1 << 4) | (1 << 7) | (1 << 8) | (1 << 15) | (1 << 16) | (1 << 17) |
  (1 << 18) | (1 << 21) | (1 << 22) | (1 << 23) | (1 << 25) | (1 << 26) |
  (1 << 29) | (<u64> 1 << 32) | (<u64> 1 << 33) | (<u64> 1 << 35) |
  (<u64> 1 << 38) | (<u64> 1 << 39) | (<u64> 1 << 43) | (<u64> 1 << 58);
/** WHV_PROCESSOR_XSAVE_FEATURES: XSAVE and XSAVEOPT, XSAVEC, XSAVES absent. */
export const capXsave: u64 = 1;

/** Takes over properties that the core looks at. */
function apply(): void {
  extendedExits = load<u64>(property(PP_EXT), 8);
  msrExits = load<u64>(property(PP_MSR), 8);
  setExceptionBitmap(
    extendedExits & EXT_EXCEPTION ? load<u64>(property(PP_EXC), 8) : 0,
  );
  lapicTrapInitSipi((extendedExits & EXT_INITSIPI) != 0);
}

export function whvSetupPartition(): i32 {
  if (!exists || ready) return WHV_E_INVALID_PARTITION_CONFIG;
  const n = load<u32>(property(PP_COUNT), 8);
  if (n == 0 || n > MAX_VPS) return WHV_E_INVALID_PARTITION_CONFIG;
  ready = true;
  setVpCount(n);
  lapicSetVpCount(n);
  setApicMode(load<u32>(property(PP_APIC), 8));
  vpsReset();
  setEoi(-1);
  setRecheck(true);
  flushJumps();
  return S_OK;
}

export function whvDeletePartition(): i32 {
  if (!exists) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  exists = false;
  ready = false;
  created = 0;
  return S_OK;
}

/** All processors back to power-up; mappings stay. */
export function whvResetPartition(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  for (let i: u32 = 0; i < vpCount; i++) {
    if (!((created >> i) & 1)) continue;
    switchTo(i);
    resetVp(i);
  }
  return S_OK;
}

/** Property value (scalars and the two CPUID lists) from `bytes` bytes at IOBUF. */
export function whvSetPartitionProperty(code: u32, bytes: u32): i32 {
  if (!exists) return E_INVALIDARG;
  if (code == PP_CPUID_EXITS) {
    if (bytes & 3 || bytes >> 2 > MAX_LIST) return E_INVALIDARG;
    memory.copy(CPUID_EXITS, IOBUF, bytes);
    cpuidExitCount = bytes >> 2;
    return S_OK;
  }
  if (code == PP_CPUID_RESULTS) {
    if (ready) return E_INVALIDARG;
    if (bytes & 31 || bytes >> 5 > MAX_LIST) return E_INVALIDARG;
    memory.copy(CPUID_RESULTS, IOBUF, bytes);
    cpuidResultCount = bytes >> 5;
    return S_OK;
  }
  if (code == 0x100a) {
    // processor feature banks: count, reserved, two banks
    if (ready) return E_INVALIDARG;
    if (bytes < 16) return WHV_E_INSUFFICIENT_BUFFER;
    if (load<u64>(IOBUF, 8) & ~capFeatures0) return E_INVALIDARG;
    store<u64>(property(0x1001), load<u64>(IOBUF, 8), 8);
    return S_OK;
  }
  const p = property(code);
  if (p == 0) return WHV_E_UNKNOWN_PROPERTY;
  const size = load<u32>(p, 4);
  if (bytes < size) return WHV_E_INSUFFICIENT_BUFFER;
  const v = size == 8
    ? load<u64>(IOBUF)
    : size == 4
    ? <u64> load<u32>(IOBUF)
    : <u64> load<u8>(IOBUF);
  if (ready && code != PP_EXT && code != PP_EXC && code != PP_MSR) {
    return E_INVALIDARG;
  }
  switch (code) {
    case PP_EXT:
      if (v & ~EXT_ALL) return E_INVALIDARG;
      break;
    case PP_EXC:
      if (v & ~EXCEPTIONS) return E_INVALIDARG;
      if (running) return WHV_E_INVALID_VP_STATE;
      break;
    case PP_MSR:
      if (v & ~<u64> 0x3f) return E_INVALIDARG;
      break;
    case PP_APIC:
      if (v > 2) return E_INVALIDARG;
      break;
    case PP_COUNT:
      if (v == 0 || v > MAX_VPS) return E_INVALIDARG;
      break;
    case 4:
      if (v) return E_INVALIDARG; // no nested virtualization
      break;
    case 0x1001:
      if (v & ~capFeatures0) return E_INVALIDARG;
      break;
    case 0x1006:
      if (v & ~capXsave) return E_INVALIDARG;
      break;
    case 0x1002:
    case 0x1007:
    case 0x1008:
      if (v != load<u64>(p, 8)) return E_INVALIDARG;
      break;
  }
  store<u64>(p, v, 8);
  apply();
  return S_OK;
}

/** Writes the value to IOBUF and its size to IOBUF + 0x1000. */
export function whvGetPartitionProperty(code: u32, bytes: u32): i32 {
  if (!exists) return E_INVALIDARG;
  let size: u32;
  if (code == PP_CPUID_EXITS) {
    size = cpuidExitCount << 2;
    memory.copy(IOBUF, CPUID_EXITS, size);
  } else if (code == PP_CPUID_RESULTS) {
    size = cpuidResultCount << 5;
    memory.copy(IOBUF, CPUID_RESULTS, size);
  } else if (code == 0x100a) {
    size = 24;
    memory.fill(IOBUF, 0, 24);
    store<u32>(IOBUF, 2);
    store<u64>(IOBUF, load<u64>(property(0x1001), 8), 8);
    store<u64>(IOBUF, capFeatures1, 16);
  } else if (code == 0x100b) {
    size = 8;
    store<u64>(IOBUF, time / 100);
  } else {
    const p = property(code);
    if (p == 0) return WHV_E_UNKNOWN_PROPERTY;
    size = load<u32>(p, 4);
    store<u64>(IOBUF, load<u64>(p, 8));
  }
  store<u32>(IOBUF, size, 0x1800);
  return bytes < size ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}
/** WHV_PROCESSOR_FEATURES1: invariant TSC, TSC deadline, TSC_ADJUST. */
export const capFeatures1: u64 = 2 | (1 << 17) | (1 << 18);

/** Value to IOBUF, its size to IOBUF + 0x1800. */
export function whvGetCapability(code: u32, bytes: u32): i32 {
  let size: u32 = 8;
  let v: u64 = 0;
  switch (code) {
    case 0:
      size = 4;
      v = 1;
      break;
    case 1:
      v = 1 | 2 | 4 | 8; // partial unmap, local APIC, XSAVE, dirty page tracking
      break;
    case 2:
      v = EXT_ALL;
      break;
    case 3:
      v = EXCEPTIONS;
      break;
    case 4:
      v = 0x3f;
      break;
    case 0x1000:
      size = 4;
      v = 1;
      break;
    case 0x1001:
      v = capFeatures0;
      break;
    case 0x1002:
      size = 1;
      v = 6;
      break;
    case 0x1003:
      v = capXsave;
      break;
    case 0x1004:
    case 0x1005:
      v = 1000000000;
      break;
    case 0x1006:
      size = 24;
      store<u32>(IOBUF, 2);
      store<u32>(IOBUF, 0, 4);
      store<u64>(IOBUF, capFeatures0, 8);
      store<u64>(IOBUF, capFeatures1, 16);
      break;
    default:
      return WHV_E_UNKNOWN_CAPABILITY;
  }
  if (size <= 8) store<u64>(IOBUF, v);
  store<u32>(IOBUF, size, 0x1800);
  return bytes < size ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}

// --- CPUID lists, for the CPUID instruction

export function cpuidExitWanted(leaf: u32): bool {
  if (!(extendedExits & EXT_CPUID)) return false;
  for (let i: u32 = 0; i < cpuidExitCount; i++) {
    if (load<u32>(CPUID_EXITS + (<usize> i << 2)) == leaf) return true;
  }
  return false;
}

/** The caller's result for a leaf: address of eax ebx ecx edx, or 0. */
export function cpuidResult(leaf: u32): usize {
  for (let i: u32 = 0; i < cpuidResultCount; i++) {
    const r = CPUID_RESULTS + (<usize> i << 5);
    if (load<u32>(r) == leaf) return r + 16;
  }
  return 0;
}

// --- memory

function flushAll(): void {
  memory.fill(TLBS, 0xff, <usize> vpCount * TLB_VP);
  flushJumps();
}

/** Maps `bytes` at linear-memory address `host` to `gpa`. */
export function whvMapGpaRange(
  host: u32,
  gpa: u64,
  bytes: u64,
  flags: u32,
): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if ((host | <u32> gpa | <u32> bytes) & 0xfff || bytes == 0) {
    return E_INVALIDARG;
  }
  if (flags & ~15 || gpa + bytes < gpa || (gpa + bytes) >> MAXPHYADDR > 1) {
    return E_INVALIDARG;
  }
  if (gpa + bytes > <u64> 1 << MAXPHYADDR) return E_INVALIDARG;
  if (<usize> host < GUEST || <u64> host + bytes > <u64> memory.size() << 16) {
    return E_INVALIDARG;
  }
  if (!mapAdd(gpa, bytes, host, flags)) return E_OUTOFMEMORY;
  flushAll();
  return S_OK;
}

export function whvUnmapGpaRange(gpa: u64, bytes: u64): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if ((<u32> gpa | <u32> bytes) & 0xfff || bytes == 0 || gpa + bytes < gpa) {
    return E_INVALIDARG;
  }
  if (!mapCovers(gpa, bytes)) return WHV_E_GPA_RANGE_NOT_FOUND;
  if (!mapRemove(gpa, bytes)) return E_OUTOFMEMORY;
  flushAll();
  return S_OK;
}

/** Dirty bits of a range: one bit a page, into `words` u64 at IOBUF; clears them. */
export function whvQueryDirty(gpa: u64, bytes: u64, words: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if ((<u32> gpa | <u32> bytes) & 0xfff || bytes == 0) return E_INVALIDARG;
  if (!mapCovers(gpa, bytes)) return WHV_E_GPA_RANGE_NOT_FOUND;
  const pages = bytes >> 12;
  if ((pages + 63) >> 6 > words) return WHV_E_INSUFFICIENT_BUFFER;
  if (words) memory.fill(IOBUF, 0, <usize> words << 3);
  for (let i: u64 = 0; i < pages; i++) {
    const host = physHost(gpa + (i << 12));
    if (!(mapFlags & 8)) return E_INVALIDARG;
    if (isDirty(host)) {
      if (words) {
        const w = IOBUF + (<usize> (i >> 6) << 3);
        store<u64>(w, load<u64>(w) | <u64> 1 << (i & 63));
      }
      clearDirty(host);
    }
  }
  flushAll();
  return S_OK;
}

// --- processors

// @ts-ignore: decorator
@inline
function noVp(vp: u32): bool {
  return vp >= MAX_VPS || !((created >> vp) & 1);
}

export function whvCreateVirtualProcessor(vp: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (vp >= vpCount) return E_INVALIDARG;
  if ((created >> vp) & 1) return WHV_E_VP_ALREADY_EXISTS;
  created |= <u64> 1 << vp;
  switchTo(vp);
  resetVp(vp);
  return S_OK;
}

export function whvDeleteVirtualProcessor(vp: u32): i32 {
  if (!exists) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if ((running >> vp) & 1) return WHV_E_INVALID_VP_STATE;
  created &= ~(<u64> 1 << vp);
  return S_OK;
}

/** Whether WHvRunVirtualProcessor may begin. */
export function whvRunBegin(vp: u32, bytes: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if ((running >> vp) & 1) return WHV_E_INVALID_VP_STATE;
  if (bytes < 144) return WHV_E_INSUFFICIENT_BUFFER;
  running |= <u64> 1 << vp;
  return S_OK;
}

export function whvRunEnd(vp: u32): void {
  running &= ~(<u64> 1 << vp);
}

/** Whether a VP exists. */
export function whvCheckVp(vp: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  return noVp(vp) ? WHV_E_VP_DOES_NOT_EXIST : S_OK;
}

/** Names (u32) at IOBUF, values (16 bytes) to IOBUF + 0x400; at most 256. */
export function whvGetRegisters(vp: u32, n: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if (n > 256) return E_INVALIDARG;
  switchTo(vp);
  for (let i: u32 = 0; i < n; i++) {
    if (
      !getRegister(
        load<u32>(IOBUF + (<usize> i << 2)),
        IOBUF + 0x400 + (<usize> i << 4),
      )
    ) return WHV_E_INVALID_VP_REGISTER_NAME;
  }
  return S_OK;
}

/** As whvGetRegisters; all or none are written. */
export function whvSetRegisters(vp: u32, n: u32): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  if (n > 256) return E_INVALIDARG;
  switchTo(vp);
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    const v = IOBUF + 0x400 + (<usize> i << 4);
    if (!canSetRegister(name, v)) {
      return getRegister(name, IOBUF + 0x1800)
        ? E_INVALIDARG
        : WHV_E_INVALID_VP_REGISTER_NAME;
    }
  }
  // the x87 status word first: ST(i) is relative to its TOP
  let modes = false;
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    if (name == 0x1018) setRegister(name, IOBUF + 0x400 + (<usize> i << 4));
    if (name >= 0x11 && name <= 0x1f || name == 0x2001) modes = true;
  }
  for (let i: u32 = 0; i < n; i++) {
    const name = load<u32>(IOBUF + (<usize> i << 2));
    if (name != 0x1018) setRegister(name, IOBUF + 0x400 + (<usize> i << 4));
  }
  if (modes) {
    // whatever the order was: CPL is SS.DPL, modes follow from all of them
    const ss = load<u16>(SEGS + (<usize> S_SS << 5), SEG_ATTR);
    store<u8>(CPL, <u8> ((ss >> 5) & 3));
    updateMode();
  }
  return S_OK;
}

/** WHV_INTERRUPT_CONTROL's fields. */
export function whvRequestInterrupt(
  type: u32,
  logical: u32,
  level: u32,
  destination: u32,
  vector: u32,
): i32 {
  if (!exists || !ready || !apicMode) return E_INVALIDARG;
  const r = lapicRequest(
    type,
    logical != 0,
    level != 0,
    destination,
    vector,
  );
  if (r & LAPIC_ILLEGAL) return E_INVALIDARG;
  wantInterrupts();
  return S_OK;
}

/** The xAPIC register page: 4096 bytes at IOBUF. */
export function whvGetApic(vp: u32): i32 {
  if (!exists || !ready || !apicMode) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  lapicExport(lapicOf(vp), IOBUF, time);
  return S_OK;
}

export function whvSetApic(vp: u32): i32 {
  if (!exists || !ready || !apicMode) return E_INVALIDARG;
  if (noVp(vp)) return WHV_E_VP_DOES_NOT_EXIST;
  const r = lapicImport(lapicOf(vp), IOBUF, time);
  if (r & LAPIC_ILLEGAL) return E_INVALIDARG;
  setRecheck(true);
  return S_OK;
}

export function whvSuspendTime(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  if (running) return WHV_E_INVALID_VP_STATE;
  setSuspended(true);
  return S_OK;
}

export function whvResumeTime(): i32 {
  if (!exists || !ready) return E_INVALIDARG;
  setSuspended(false);
  return S_OK;
}
