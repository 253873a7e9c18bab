// The software platform's WebAssembly module: its exports, and how it is started. The
// addresses in its linear memory are in core/layout.ts.

import { crc32 } from "node:zlib";
import "./number_types.ts";
import { GUEST } from "./core/layout.ts";
import bytes from "./core.wasm" with { type: "bytes" };

/** Tells this module from others, whose memory may be laid out otherwise. */
export const CORE_IDENTITY = `soft-${crc32(bytes).toString(16)}`;

/** WebAssembly has 32-bit addresses. */
export const MAX_GUEST_BYTES = 0x1_0000_0000 - GUEST;

/** What the module asks of its host; see src/soft/core/system/host.ts. */
export interface HostFunctions {
  clock(): bigint;
  translate(gva: bigint, flags: number): number;
  memory(gpa: bigint, bytes: number, write: number): number;
  ioPort(port: number, bytes: number, write: number): number;
  doorbell(gpa: bigint, bytes: number, value: bigint): number;
  access(vp: number): number;
}

/** The module's exports (src/soft/core/main.ts). Results named whv... are HRESULTs. */
export interface Core {
  init(): void;
  vpRun(vp: number, budget: number): number;
  /** Spins (src/soft/core/cpu/spin.ts) until vpRun returns RUN_SPUN; 0: it never does. */
  allowSpins(n: number): void;
  vpReady(vp: number): number;
  /** How many VPs there are. */
  vpsCreated(): number;
  /** Whether a VP that is not ready takes no interrupts. */
  vpDeaf(vp: number): number;
  vpCanceled(vp: number): void;
  /** Guest time of the next APIC timer event in ns; infinite if there is none. */
  nextTimerNumber(): number;
  guestTime(): bigint;
  guestTimeNumber(): number;
  /** Instructions of the last vpRun. */
  executed(): number;
  skipTime(to: bigint): void;
  instructions(): bigint;
  instructionsNumber(): number;
  vpInstructions(vp: number): bigint;
  counter(n: number): bigint;
  hostWrote(address: number, bytes: number): void;
  /** Whether the host's access() is to be asked. */
  setAnswering(on: number): void;
  /** Brings the banks up to date and puts the globals to IOBUF. */
  stateSave(): void;
  /** Takes the globals from IOBUF, and what else has been written to memory. */
  stateLoad(): void;
  /** Every page counts as unchanged. */
  withholdWrites(): void;
  emulate(bytes: number): number;
  whvGetCapability(code: number, bytes: number): number;
  whvCreatePartition(): number;
  whvSetupPartition(): number;
  whvResetPartition(): number;
  whvDeletePartition(): number;
  whvGetPartitionProperty(code: number, bytes: number): number;
  whvSetPartitionProperty(code: number, bytes: number): number;
  whvMapGpaRange(
    host: number,
    gpa: bigint,
    bytes: bigint,
    flags: number,
  ): number;
  whvUnmapGpaRange(gpa: bigint, bytes: bigint): number;
  /** Whether {@linkcode takeDirty} may be called for the range. */
  whvCheckDirty(gpa: bigint, bytes: bigint, words: number): number;
  takeDirty(gpa: bigint, pages: number): void;
  whvReadGpaRange(
    vp: number,
    gpa: bigint,
    controls: bigint,
    bytes: number,
  ): number;
  whvWriteGpaRange(
    vp: number,
    gpa: bigint,
    controls: bigint,
    bytes: number,
  ): number;
  whvAdviseGpaRange(count: number, advice: number, bytes: number): number;
  whvGetMemoryCounters(): number;
  whvTranslateGva(vp: number, gva: bigint, flags: number): number;
  whvCreateVirtualProcessor(vp: number): number;
  whvDeleteVirtualProcessor(vp: number): number;
  whvRunBegin(vp: number, bytes: number): number;
  whvRunEnd(vp: number): void;
  whvCheckVp(vp: number): number;
  whvGetRegisters(vp: number, count: number): number;
  whvSetRegisters(vp: number, count: number): number;
  whvRequestInterrupt(
    type: number,
    logical: number,
    level: number,
    destination: number,
    vector: number,
  ): number;
  whvGetApic(vp: number): number;
  whvSetApic(vp: number): number;
  whvGetXsave(vp: number, bytes: number): number;
  whvSetXsave(vp: number, bytes: number): number;
  whvGetCpuid(vp: number, leaf: number, index: number): number;
  whvGetVpCounters(vp: number, set: number, bytes: number): number;
  /** An ICEBP_DEBUG_POINT at IOBUF. */
  whvSetDebugPoint(): number;
  /** The table's index of its condition; 0: none. */
  whvSetDebugPointCondition(id: number, condition: number): number;
  /** Where the table has what conditions read memory with: (linear, bytes) => value. */
  conditionLoader(): number;
  /** The record of the block at a host address that was decoded as `key` says
   * (core/code/cache.ts); 0: there is none. */
  blockOf(host: number, key: number, variant: number): number;
  /** For translated code: what no data point is for next to an access
   * (core/points/data.ts). */
  unwatched(linear: bigint, more: bigint, host: number): bigint;
  whvClearDebugPoint(id: number): number;
  whvPassDebugPoints(vp: number, how: number): number;
  /** How far debug points cut a REP short (core/points/repeat.ts). */
  takeRepeatCut(): number;
  limitRepeat(iterations: number): void;
  waitRepeats(on: boolean): void;
  /** An ICEBP_DEBUG_POINT_CONTEXT to IOBUF. */
  whvTakeDebugHits(vp: number): number;
  /** `carriedOut` accesses are at IOBUF; the completion is left at SIZE. */
  whvCompleteAccess(vp: number, carriedOut: number): number;
  whvSuspendTime(): number;
  whvResumeTime(): number;
  /** Has hot records be looked for each `every` instructions; 0: not at all. */
  setTranslation(every: number, heat: number): void;
}

/** A module with its memory. */
export interface Instance {
  readonly core: Core;
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly wasmMemory: WebAssembly.Memory;
  /** The module's functions: handlers of instructions, and translated code. */
  readonly table: WebAssembly.Table;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** Starts a module with `guestBytes` (a multiple of 64 KiB) of guest memory. */
export async function instantiate(
  guestBytes: number,
  host: HostFunctions,
): Promise<Instance> {
  compiled ??= WebAssembly.compile(bytes as BufferSource);
  const pages = (GUEST + guestBytes) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const instance = await WebAssembly.instantiate(await compiled, {
    env: { memory },
    host: { ...host },
  });
  const core = instance.exports as unknown as Core;
  core.init();
  return {
    core,
    memory: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
    wasmMemory: memory,
    table: instance.exports.table as WebAssembly.Table,
  };
}
