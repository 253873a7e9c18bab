// WinHvPlatform.dll's functions over the module: this file only moves bytes between
// the caller's buffers and the module's memory.

import type { WinHvPlatformFunctions } from "../../ffi/mod.ts";
import {
  PartitionCounterSet,
  VirtualProcessorPropertyCode,
  VirtualProcessorStateType,
} from "../../ffi/enums.ts";
import { APIC_STATE_SIZE } from "../../ffi/apic.ts";
import { HResult } from "../../ffi/hresult.ts";
import { WHV_VIRTUAL_PROCESSOR_PROPERTY } from "../../ffi/structures.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { absent } from "./absent.ts";
import { type Buffer, Buffers, has, viewOf } from "./buffers.ts";
import { IOBUF_BYTES } from "./core/layout.ts";
import { type Instance } from "./module.ts";
import type { Scheduler } from "./scheduler.ts";

/** The one partition's handle. */
export const HANDLE = 1n;
const MAX_REGISTERS = 256;
const MEMORY_COUNTERS_BYTES = 24;
const PAGE = BigInt(PAGE_BYTES);
/** Pages whose dirty bits fill IOBUF. */
const DIRTY_PAGES = IOBUF_BYTES * 8;

/** The platform's functions; what later Windows added and this platform lacks is null. */
export function softFunctions(
  instance: Instance,
  scheduler: Scheduler,
): WinHvPlatformFunctions {
  const { core } = instance;
  const buffers = new Buffers(instance);
  const invalid = HResult.E_INVALIDARG;

  /** Registers' names to IOBUF; false without room for their values. */
  function takeNames(names: Buffer, count: number, values: Buffer): boolean {
    return count <= MAX_REGISTERS && has(values, count * 16) &&
      buffers.takeWords(names, count);
  }

  function map(
    partition: bigint,
    source: Buffer,
    gpa: bigint,
    bytes: bigint,
    flags: number,
  ): number {
    if (partition !== HANDLE) return invalid;
    const address = buffers.addressOf(source, bytes);
    if (address < 0) return invalid;
    return core.whvMapGpaRange(address, gpa, bytes, flags);
  }

  function getApic(
    partition: bigint,
    vp: number,
    state: Buffer,
    bytes: number,
    written: Buffer,
  ): number {
    if (partition !== HANDLE) return invalid;
    return buffers.out(
      () => core.whvGetApic(vp) || buffers.sized(APIC_STATE_SIZE, bytes),
      state,
      bytes,
      written,
    );
  }

  function setApic(
    partition: bigint,
    vp: number,
    state: Buffer,
    bytes: number,
  ): number {
    if (partition !== HANDLE || bytes < APIC_STATE_SIZE || !has(state, bytes)) {
      return invalid;
    }
    buffers.take(state, APIC_STATE_SIZE);
    const hresult = core.whvSetApic(vp);
    scheduler.changed();
    return hresult;
  }

  function getXsave(
    partition: bigint,
    vp: number,
    state: Buffer,
    bytes: number,
    written: Buffer,
  ): number {
    if (partition !== HANDLE) return invalid;
    return buffers.out(
      () => core.whvGetXsave(vp, bytes),
      state,
      bytes,
      written,
    );
  }

  function setXsave(
    partition: bigint,
    vp: number,
    state: Buffer,
    bytes: number,
  ): number {
    if (partition !== HANDLE || !buffers.take(state, bytes)) return invalid;
    scheduler.changed();
    return core.whvSetXsave(vp, bytes);
  }

  /** Takes and clears dirty bits, as many at a time as IOBUF holds. */
  function queryDirty(
    gpa: bigint,
    range: bigint,
    bitmap: Buffer,
    bytes: number,
  ): number {
    if (bitmap && (bytes < 8 || !has(bitmap, bytes))) return invalid;
    const hresult = core.whvCheckDirty(gpa, range, bitmap ? bytes >> 3 : 0);
    if (hresult) return hresult;
    let left = Number(range / PAGE);
    for (let first = 0; left > 0; first += DIRTY_PAGES) {
      const pages = Math.min(left, DIRTY_PAGES);
      core.takeDirty(gpa + BigInt(first) * PAGE, pages);
      if (bitmap) {
        const to = new Uint8Array(
          bitmap.buffer,
          bitmap.byteOffset + first / 8,
        );
        buffers.put(to, Math.ceil(pages / 64) * 8);
      }
      left -= pages;
    }
    return HResult.S_OK;
  }

  function createVirtualProcessor(partition: bigint, vp: number): number {
    return partition === HANDLE ? core.whvCreateVirtualProcessor(vp) : invalid;
  }

  /** Where memory is near to: the only property that there is, and a hint. */
  function areHints(properties: Buffer, count: number): boolean {
    if (count === 0) return true;
    const { size, PropertyCode } = WHV_VIRTUAL_PROCESSOR_PROPERTY;
    if (!has(properties, count * size)) return false;
    const view = viewOf(properties);
    for (let at = 0; at < count * size; at += size) {
      const code = PropertyCode.get(view, at);
      if (code !== VirtualProcessorPropertyCode.NumaNode) return false;
    }
    return true;
  }

  return {
    ...absent,
    WHvGetCapability: (code, buffer, bytes, written) =>
      buffers.out(
        () => core.whvGetCapability(code, bytes),
        buffer,
        bytes,
        written,
      ),
    WHvCreatePartition: (handle) => {
      if (!has(handle, 8)) return invalid;
      const hresult = core.whvCreatePartition();
      if (!hresult) viewOf(handle).setBigUint64(0, HANDLE, true);
      return hresult;
    },
    WHvSetupPartition: (p) => p === HANDLE ? core.whvSetupPartition() : invalid,
    WHvResetPartition: (p) => p === HANDLE ? core.whvResetPartition() : invalid,
    WHvDeletePartition: (p) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvDeletePartition();
      if (!hresult) scheduler.forgetAll();
      return hresult;
    },
    WHvGetPartitionProperty: (p, code, buffer, bytes, written) =>
      p === HANDLE
        ? buffers.out(
          () => core.whvGetPartitionProperty(code, bytes),
          buffer,
          bytes,
          written,
        )
        : invalid,
    WHvSetPartitionProperty: (p, code, buffer, bytes) =>
      p === HANDLE && buffers.take(buffer, bytes)
        ? core.whvSetPartitionProperty(code, bytes)
        : invalid,
    WHvSuspendPartitionTime: (p) =>
      p === HANDLE ? core.whvSuspendTime() : invalid,
    WHvResumePartitionTime: (p) =>
      p === HANDLE ? core.whvResumeTime() : invalid,
    WHvMapGpaRange: map,
    WHvMapGpaRange2: (p, _process, source, gpa, bytes, flags) =>
      map(p, source, gpa, bytes, flags),
    WHvUnmapGpaRange: (p, gpa, bytes) =>
      p === HANDLE ? core.whvUnmapGpaRange(gpa, bytes) : invalid,
    WHvAdviseGpaRange: (p, ranges, count, advice, argument, bytes) => {
      if (p !== HANDLE || !buffers.take(ranges, count * 16)) return invalid;
      if (bytes > 0 && !has(argument, bytes)) return invalid;
      return core.whvAdviseGpaRange(count, advice, bytes);
    },
    WHvReadGpaRange: (p, vp, gpa, controls, data, bytes) => {
      if (p !== HANDLE || !has(data, bytes)) return invalid;
      const hresult = core.whvReadGpaRange(vp, gpa, controls, bytes);
      if (!hresult) buffers.put(data, bytes);
      return hresult;
    },
    WHvWriteGpaRange: (p, vp, gpa, controls, data, bytes) => {
      if (p !== HANDLE || !buffers.take(data, bytes)) return invalid;
      scheduler.changed();
      return core.whvWriteGpaRange(vp, gpa, controls, bytes);
    },
    WHvQueryGpaRangeDirtyBitmap: (p, gpa, range, bitmap, bytes) =>
      p === HANDLE ? queryDirty(gpa, range, bitmap, bytes) : invalid,
    WHvTranslateGva: (p, vp, gva, flags, result, gpa) => {
      if (p !== HANDLE || !has(result, 8) || !has(gpa, 8)) return invalid;
      const hresult = core.whvTranslateGva(vp, gva, flags);
      if (hresult) return hresult;
      buffers.put(result, 8);
      buffers.put(gpa, 8, 8);
      return hresult;
    },
    WHvCreateVirtualProcessor: (p, vp, _flags) => createVirtualProcessor(p, vp),
    WHvCreateVirtualProcessor2: (p, vp, properties, count) =>
      areHints(properties, count) ? createVirtualProcessor(p, vp) : invalid,
    WHvDeleteVirtualProcessor: (p, vp) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvDeleteVirtualProcessor(vp);
      if (!hresult) scheduler.forget(vp);
      return hresult;
    },
    WHvRunVirtualProcessor: (p, vp, context, bytes) => {
      if (p !== HANDLE || !has(context, bytes)) {
        return Promise.resolve(invalid);
      }
      const hresult = core.whvRunBegin(vp, bytes);
      if (hresult) return Promise.resolve(hresult);
      return scheduler.run(
        vp,
        new Uint8Array(context.buffer, context.byteOffset, context.byteLength),
      );
    },
    WHvCancelRunVirtualProcessor: (p, vp, _flags) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvCheckVp(vp);
      if (!hresult) scheduler.cancel(vp);
      return hresult;
    },
    WHvGetVirtualProcessorRegisters: (p, vp, names, count, values) => {
      if (p !== HANDLE || !takeNames(names, count, values)) return invalid;
      const hresult = core.whvGetRegisters(vp, count);
      if (!hresult) buffers.putValues(values!, count * 16);
      return hresult;
    },
    WHvSetVirtualProcessorRegisters: (p, vp, names, count, values) => {
      if (p !== HANDLE || !takeNames(names, count, values)) return invalid;
      buffers.takeValues(values!, count * 16);
      const hresult = core.whvSetRegisters(vp, count);
      scheduler.changed();
      return hresult;
    },
    WHvGetVirtualProcessorInterruptControllerState: getApic,
    WHvSetVirtualProcessorInterruptControllerState: setApic,
    WHvGetVirtualProcessorInterruptControllerState2: getApic,
    WHvSetVirtualProcessorInterruptControllerState2: setApic,
    WHvGetVirtualProcessorXsaveState: getXsave,
    WHvSetVirtualProcessorXsaveState: setXsave,
    WHvGetVirtualProcessorState: (p, vp, type, state, bytes, written) => {
      switch (type) {
        case VirtualProcessorStateType.InterruptControllerState2:
          return getApic(p, vp, state, bytes, written);
        case VirtualProcessorStateType.XsaveState:
          return getXsave(p, vp, state, bytes, written);
        default:
          return invalid;
      }
    },
    WHvSetVirtualProcessorState: (p, vp, type, state, bytes) => {
      switch (type) {
        case VirtualProcessorStateType.InterruptControllerState2:
          return setApic(p, vp, state, bytes);
        case VirtualProcessorStateType.XsaveState:
          return setXsave(p, vp, state, bytes);
        default:
          return invalid;
      }
    },
    WHvGetVirtualProcessorCpuidOutput: (p, vp, eax, ecx, output) => {
      if (p !== HANDLE || !has(output, 16)) return invalid;
      const hresult = core.whvGetCpuid(vp, eax, ecx);
      if (!hresult) buffers.put(output, 16);
      return hresult;
    },
    WHvGetPartitionCounters: (p, set, buffer, bytes, written) =>
      p === HANDLE && set === PartitionCounterSet.Memory
        ? buffers.out(
          () =>
            core.whvGetMemoryCounters() ||
            buffers.sized(MEMORY_COUNTERS_BYTES, bytes),
          buffer,
          bytes,
          written,
        )
        : invalid,
    WHvGetVirtualProcessorCounters: (p, vp, set, buffer, bytes, written) =>
      p === HANDLE
        ? buffers.out(
          () => core.whvGetVpCounters(vp, set, bytes),
          buffer,
          bytes,
          written,
        )
        : invalid,
    WHvRequestInterrupt: (p, interrupt, bytes) => {
      if (p !== HANDLE || bytes < 16 || !has(interrupt, bytes)) return invalid;
      const v = viewOf(interrupt);
      const bits = v.getUint32(0, true);
      const hresult = core.whvRequestInterrupt(
        bits & 0xff,
        (bits >> 8) & 15,
        (bits >> 12) & 15,
        v.getUint32(8, true),
        v.getUint32(12, true),
      );
      scheduler.changed();
      return hresult;
    },
  };
}
