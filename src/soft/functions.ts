// WinHvPlatform.dll's functions over the module: this file only moves bytes between
// the caller's buffers and the module's memory.

import type { WinHvPlatformFunctions } from "../../ffi/mod.ts";
import { HResult } from "../../ffi/hresult.ts";
import { type Instance, IOBUF, IOBUF_BYTES, SIZE, VALUES } from "./module.ts";
import type { Scheduler } from "./scheduler.ts";

/** The one partition's handle. */
const HANDLE = 1n;
const MAX_REGISTERS = 256;

function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array
    ? view
    : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** The platform's functions; what later Windows added and this platform lacks is null. */
export function softFunctions(
  { core, memory, view }: Instance,
  scheduler: Scheduler,
): WinHvPlatformFunctions {
  const invalid = HResult.E_INVALIDARG;

  /** Copies what a call left at IOBUF to the caller, with its size. */
  function out(
    hresult: number,
    buffer: ArrayBufferView | null,
    bytes: number,
    written: ArrayBufferView | null,
  ): number {
    if (
      hresult !== HResult.S_OK && hresult !== HResult.WHV_E_INSUFFICIENT_BUFFER
    ) return hresult;
    const size = view.getUint32(SIZE, true);
    if (written) {
      new DataView(written.buffer, written.byteOffset).setUint32(
        0,
        size,
        true,
      );
    }
    if (hresult === HResult.S_OK && buffer) {
      bytesOf(buffer).set(
        memory.subarray(IOBUF, IOBUF + Math.min(size, bytes)),
      );
    }
    return hresult;
  }

  /** Brings a caller's buffer to IOBUF; false if it is too large or shorter than said. */
  function take(buffer: ArrayBufferView | null, bytes: number): boolean {
    if (!buffer || bytes > IOBUF_BYTES || buffer.byteLength < bytes) {
      return false;
    }
    memory.set(bytesOf(buffer).subarray(0, bytes), IOBUF);
    return true;
  }

  function takeNames(names: ArrayBufferView | null, count: number): boolean {
    if (count > MAX_REGISTERS || !names || names.byteLength < count * 4) {
      return false;
    }
    memory.set(bytesOf(names).subarray(0, count * 4), IOBUF);
    return true;
  }

  /** Address in the module's memory of a caller's buffer, or -1: only that memory can be mapped. */
  function addressOf(buffer: ArrayBufferView | null, bytes: bigint): number {
    if (!buffer || buffer.buffer !== memory.buffer) return -1;
    if (bytes > BigInt(buffer.byteLength)) return -1;
    return buffer.byteOffset;
  }

  function map(
    partition: bigint,
    source: ArrayBufferView | null,
    gpa: bigint,
    bytes: bigint,
    flags: number,
  ): number {
    if (partition !== HANDLE) return invalid;
    const address = addressOf(source, bytes);
    if (address < 0) return invalid;
    return core.whvMapGpaRange(address, gpa, bytes, flags);
  }

  function getApic(
    partition: bigint,
    vp: number,
    state: ArrayBufferView | null,
    bytes: number,
    written: ArrayBufferView | null,
  ): number {
    if (partition !== HANDLE) return invalid;
    const hresult = core.whvGetApic(vp);
    if (hresult) return hresult;
    view.setUint32(SIZE, 4096, true);
    return out(
      bytes < 4096 ? HResult.WHV_E_INSUFFICIENT_BUFFER : hresult,
      state,
      bytes,
      written,
    );
  }

  function setApic(
    partition: bigint,
    vp: number,
    state: ArrayBufferView | null,
    bytes: number,
  ): number {
    if (partition !== HANDLE || bytes < 4096) return invalid;
    if (!take(state, 4096)) return invalid;
    const hresult = core.whvSetApic(vp);
    scheduler.kick();
    return hresult;
  }

  return {
    WHvGetCapability: (code, buffer, bytes, written) =>
      out(core.whvGetCapability(code, bytes), buffer, bytes, written),
    WHvCreatePartition: (handle) => {
      const hresult = core.whvCreatePartition();
      if (!hresult) {
        new DataView(handle!.buffer, handle!.byteOffset)
          .setBigUint64(0, HANDLE, true);
      }
      return hresult;
    },
    WHvSetupPartition: (p) => p === HANDLE ? core.whvSetupPartition() : invalid,
    WHvResetPartition: (p) => p === HANDLE ? core.whvResetPartition() : invalid,
    WHvDeletePartition: (p) =>
      p === HANDLE ? core.whvDeletePartition() : invalid,
    WHvGetPartitionProperty: (p, code, buffer, bytes, written) =>
      p === HANDLE
        ? out(
          core.whvGetPartitionProperty(code, bytes),
          buffer,
          bytes,
          written,
        )
        : invalid,
    WHvSetPartitionProperty: (p, code, buffer, bytes) =>
      p === HANDLE && take(buffer, bytes)
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
    WHvTranslateGva: (p, vp, gva, flags, result, gpa) => {
      if (p !== HANDLE || !result || !gpa) return invalid;
      const hresult = core.whvTranslateGva(vp, gva, flags);
      if (hresult) return hresult;
      bytesOf(result).set(memory.subarray(IOBUF, IOBUF + 8));
      bytesOf(gpa).set(memory.subarray(IOBUF + 8, IOBUF + 16));
      return hresult;
    },
    WHvCreateVirtualProcessor: (p, vp, _flags) =>
      p === HANDLE ? core.whvCreateVirtualProcessor(vp) : invalid,
    WHvCreateVirtualProcessor2: (p, vp, _properties, _count) =>
      p === HANDLE ? core.whvCreateVirtualProcessor(vp) : invalid,
    WHvDeleteVirtualProcessor: (p, vp) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvDeleteVirtualProcessor(vp);
      if (!hresult) scheduler.forget(vp);
      return hresult;
    },
    WHvRunVirtualProcessor: (p, vp, context, bytes) => {
      if (p !== HANDLE || !context || context.byteLength < bytes) {
        return Promise.resolve(invalid);
      }
      const hresult = core.whvRunBegin(vp, bytes);
      if (hresult) return Promise.resolve(hresult);
      return scheduler.run(vp, bytesOf(context));
    },
    WHvCancelRunVirtualProcessor: (p, vp, _flags) => {
      if (p !== HANDLE) return invalid;
      const hresult = core.whvCheckVp(vp);
      if (!hresult) scheduler.cancel(vp);
      return hresult;
    },
    WHvGetVirtualProcessorRegisters: (p, vp, names, count, values) => {
      if (p !== HANDLE || !takeNames(names, count)) return invalid;
      if (!values || values.byteLength < count * 16) return invalid;
      const hresult = core.whvGetRegisters(vp, count);
      if (!hresult) {
        bytesOf(values).set(memory.subarray(VALUES, VALUES + count * 16));
      }
      return hresult;
    },
    WHvSetVirtualProcessorRegisters: (p, vp, names, count, values) => {
      if (p !== HANDLE || !takeNames(names, count)) return invalid;
      if (!values || values.byteLength < count * 16) return invalid;
      memory.set(bytesOf(values).subarray(0, count * 16), VALUES);
      const hresult = core.whvSetRegisters(vp, count);
      scheduler.kick();
      return hresult;
    },
    WHvGetVirtualProcessorInterruptControllerState: getApic,
    WHvSetVirtualProcessorInterruptControllerState: setApic,
    WHvGetVirtualProcessorInterruptControllerState2: getApic,
    WHvSetVirtualProcessorInterruptControllerState2: setApic,
    WHvRequestInterrupt: (p, interrupt, bytes) => {
      if (p !== HANDLE || !interrupt || bytes < 16) return invalid;
      const v = new DataView(interrupt.buffer, interrupt.byteOffset, 16);
      const bits = v.getUint32(0, true);
      const hresult = core.whvRequestInterrupt(
        bits & 0xff,
        (bits >> 8) & 15,
        (bits >> 12) & 15,
        v.getUint32(8, true),
        v.getUint32(12, true),
      );
      scheduler.kick();
      return hresult;
    },
    WHvQueryGpaRangeDirtyBitmap: (p, gpa, range, bitmap, bytes) => {
      if (p !== HANDLE || bytes > IOBUF_BYTES) return invalid;
      const hresult = core.whvQueryDirty(gpa, range, bitmap ? bytes >> 3 : 0);
      if (!hresult && bitmap) {
        bytesOf(bitmap).set(memory.subarray(IOBUF, IOBUF + bytes));
      }
      return hresult;
    },
    WHvGetVirtualProcessorXsaveState: null,
    WHvSetVirtualProcessorXsaveState: null,
    WHvGetPartitionCounters: null,
    WHvGetVirtualProcessorCounters: null,
    WHvRegisterPartitionDoorbellEvent: null,
    WHvUnregisterPartitionDoorbellEvent: null,
    WHvAdviseGpaRange: null,
    WHvReadGpaRange: null,
    WHvWriteGpaRange: null,
    WHvSignalVirtualProcessorSynicEvent: null,
    WHvGetVirtualProcessorState: null,
    WHvSetVirtualProcessorState: null,
    WHvAllocateVpciResource: null,
    WHvCreateVpciDevice: null,
    WHvDeleteVpciDevice: null,
    WHvGetVpciDeviceProperty: null,
    WHvGetVpciDeviceNotification: null,
    WHvMapVpciDeviceMmioRanges: null,
    WHvUnmapVpciDeviceMmioRanges: null,
    WHvSetVpciDevicePowerState: null,
    WHvReadVpciDeviceRegister: null,
    WHvWriteVpciDeviceRegister: null,
    WHvMapVpciDeviceInterrupt: null,
    WHvUnmapVpciDeviceInterrupt: null,
    WHvRetargetVpciDeviceInterrupt: null,
    WHvRequestVpciDeviceInterrupt: null,
    WHvGetVpciDeviceInterruptTarget: null,
    WHvCreateTrigger: null,
    WHvUpdateTriggerParameters: null,
    WHvDeleteTrigger: null,
    WHvCreateNotificationPort: null,
    WHvSetNotificationPortProperty: null,
    WHvDeleteNotificationPort: null,
    WHvPostVirtualProcessorSynicMessage: null,
    WHvGetVirtualProcessorCpuidOutput: null,
    WHvGetInterruptTargetVpSet: null,
    WHvStartPartitionMigration: null,
    WHvCancelPartitionMigration: null,
    WHvCompletePartitionMigration: null,
    WHvAcceptPartitionMigration: null,
  };
}
