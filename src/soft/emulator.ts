// WinHvEmulation.dll's functions over the module (src/soft/core/system/emulate.ts): the
// module executes, the caller's callbacks supply registers, memory and ports.

import type {
  CallbackHandle,
  EmulatorCallbackKind,
  EmulatorCallbacks,
  WinHvEmulationFunctions,
} from "../../ffi/mod.ts";
import { WHV_EMULATOR_CALLBACKS as CALLBACKS } from "../../ffi/emulator.ts";
import { TranslateGvaResult } from "../../ffi/enums.ts";
import { HResult } from "../../ffi/hresult.ts";
import { Reg } from "../../ffi/registers.ts";
import { PAGE_OFFSET } from "../x86/paging.ts";
import { FETCH, IOBUF, VALUES } from "./core/layout.ts";
import { type HostFunctions, type Instance } from "./module.ts";

/** What emulate() expects at VALUES, in order. */
const NAMES: number[] = [];
for (let i = 0; i < 16; i++) NAMES.push(Reg.Rax + i);
NAMES.push(Reg.Rip, Reg.Rflags);
for (let i = 0; i < 6; i++) NAMES.push(Reg.Es + i);
NAMES.push(Reg.Cr0, Reg.Cr3, Reg.Cr4, Reg.Efer);
for (let i = 0; i < 16; i++) NAMES.push(Reg.Xmm0 + i);
/** General registers, RIP, RFLAGS: what most instructions may change. */
const INTEGER_RESULTS = 18;
const WITHOUT_XMM = 28;

const STATUS_SUCCESS = 1;
const STATUS_GET_FAILED = 64;
const STATUS_SET_FAILED = 128;

interface Emulator {
  readonly ioPort: EmulatorCallbacks["ioPort"];
  readonly memory: EmulatorCallbacks["memory"];
  readonly getRegisters: EmulatorCallbacks["getRegisters"];
  readonly setRegisters: EmulatorCallbacks["setRegisters"];
  readonly translateGvaPage: EmulatorCallbacks["translateGvaPage"];
}

/** The software platform's emulators and the callbacks that were given addresses. */
export class SoftEmulator {
  /** Who answers accesses to devices (Scheduler.access). */
  access: ((vp: number) => number) | null = null;
  readonly #callbacks = new Map<bigint, unknown>();
  #nextAddress = 0x1000n;
  readonly #emulators = new Map<bigint, Emulator>();
  #nextHandle = 1n;
  #memory!: Uint8Array;
  #view!: DataView;
  #current: Emulator | null = null;
  #context = 0n;
  readonly #io = new Uint8Array(12);
  readonly #ioView = new DataView(this.#io.buffer);
  readonly #access = new Uint8Array(24);
  readonly #accessView = new DataView(this.#access.buffer);
  readonly #code = new Uint8Array(4);
  readonly #codeView = new DataView(this.#code.buffer);
  readonly #gpa = new Uint8Array(8);
  readonly #names = new Uint8Array(new Uint32Array(NAMES).buffer);
  readonly #values = new Uint8Array(NAMES.length * 16);

  /** What the module calls while it emulates. */
  readonly host: HostFunctions = {
    clock: () => {
      throw new Error("guest time is counted instructions: there is no clock");
    },
    translate: (gva, flags) => {
      const hresult = this.#current!.translateGvaPage(
        this.#context,
        gva & ~PAGE_OFFSET,
        flags,
        this.#code,
        this.#gpa,
      );
      if (hresult < 0) return -1;
      this.#memory.set(this.#gpa, IOBUF);
      return this.#codeView.getUint32(0, true) === TranslateGvaResult.Success
        ? 0
        : 1;
    },
    memory: (gpa, bytes, write) => {
      const a = this.#accessView;
      a.setBigUint64(0, gpa, true);
      a.setUint8(8, write);
      a.setUint8(9, bytes);
      if (write) {
        this.#access.set(this.#memory.subarray(IOBUF, IOBUF + 8), 10);
      } else this.#access.fill(0, 10, 18);
      const hresult = this.#current!.memory(this.#context, this.#access);
      if (!write) this.#memory.set(this.#access.subarray(10, 18), IOBUF);
      return hresult < 0 ? 1 : 0;
    },
    ioPort: (port, bytes, write) => {
      const a = this.#ioView;
      a.setUint8(0, write);
      a.setUint16(2, port, true);
      a.setUint16(4, bytes, true);
      a.setUint32(8, write ? this.#view.getUint32(IOBUF, true) : 0, true);
      const hresult = this.#current!.ioPort(this.#context, this.#io);
      if (!write) this.#view.setUint32(IOBUF, a.getUint32(8, true), true);
      return hresult < 0 ? 1 : 0;
    },
    // Exits cost little here.
    doorbell: () => 0,
    access: (vp) => this.access!(vp),
  };

  /** Gives a callback an address. */
  callback<K extends EmulatorCallbackKind>(
    _kind: K,
    fn: EmulatorCallbacks[K],
  ): CallbackHandle {
    return this.register(fn);
  }

  /** Gives any function an address. */
  register(fn: unknown): CallbackHandle {
    const address = this.#nextAddress++;
    this.#callbacks.set(address, fn);
    return { address, close: () => void this.#callbacks.delete(address) };
  }

  /** The function that was given an address, if it was. */
  called(address: bigint): unknown {
    return this.#callbacks.get(address);
  }

  /** WinHvEmulation.dll's functions. */
  functions(instance: Instance): WinHvEmulationFunctions {
    this.#memory = instance.memory;
    this.#view = instance.view;
    const emulate = (
      handle: bigint,
      context: bigint,
      access: ArrayBufferView | null,
      status: ArrayBufferView | null,
    ): number => {
      const emulator = this.#emulators.get(handle);
      if (!emulator || !access || !status) return HResult.E_INVALIDARG;
      const result = this.#run(
        instance,
        emulator,
        context,
        new Uint8Array(access.buffer, access.byteOffset, 20),
      );
      new DataView(status.buffer, status.byteOffset).setUint32(
        0,
        result,
        true,
      );
      return HResult.S_OK;
    };
    return {
      WHvEmulatorCreateEmulator: (callbacks, out) => {
        if (!callbacks || !out) return HResult.E_POINTER;
        const table = new DataView(
          callbacks.buffer,
          callbacks.byteOffset,
          callbacks.byteLength,
        );
        const at = (field: { get(v: DataView): bigint }) =>
          this.#callbacks.get(field.get(table));
        const emulator = {
          ioPort: at(CALLBACKS.WHvEmulatorIoPortCallback),
          memory: at(CALLBACKS.WHvEmulatorMemoryCallback),
          getRegisters: at(CALLBACKS.WHvEmulatorGetVirtualProcessorRegisters),
          setRegisters: at(CALLBACKS.WHvEmulatorSetVirtualProcessorRegisters),
          translateGvaPage: at(CALLBACKS.WHvEmulatorTranslateGvaPage),
        };
        if (Object.values(emulator).some((f) => f === undefined)) {
          return HResult.E_INVALIDARG;
        }
        const handle = this.#nextHandle++;
        this.#emulators.set(handle, emulator as Emulator);
        new DataView(out.buffer, out.byteOffset).setBigUint64(0, handle, true);
        return HResult.S_OK;
      },
      WHvEmulatorDestroyEmulator: (handle) =>
        this.#emulators.delete(handle) ? HResult.S_OK : HResult.E_INVALIDARG,
      WHvEmulatorTryIoEmulation: (handle, context, _vp, access, status) =>
        emulate(handle, context, access, status),
      WHvEmulatorTryMmioEmulation: (handle, context, _vp, access, status) =>
        emulate(handle, context, access, status),
    };
  }

  /** One emulation; the access context begins with the instruction's bytes. WHV_EMULATOR_STATUS. */
  #run(
    { core, memory }: Instance,
    emulator: Emulator,
    context: bigint,
    access: Uint8Array,
  ): number {
    const bytes = Math.min(access[0], 16);
    const values = this.#values;
    // XMM registers only matter to instructions of the 0F map
    const count = bytes && !access.subarray(4, 4 + bytes).includes(0x0f)
      ? WITHOUT_XMM
      : NAMES.length;
    const names = this.#names;
    if (emulator.getRegisters(context, names, count, values) < 0) {
      return STATUS_GET_FAILED;
    }
    memory.set(values.subarray(0, count * 16), VALUES);
    memory.set(access.subarray(4, 4 + bytes), FETCH);
    const outer = this.#current;
    const outerContext = this.#context;
    this.#current = emulator;
    this.#context = context;
    let status: number;
    try {
      status = core.emulate(bytes);
    } finally {
      this.#current = outer;
      this.#context = outerContext;
    }
    if (!(status & STATUS_SUCCESS)) return status;
    values.set(memory.subarray(VALUES, VALUES + count * 16));
    let failed = emulator.setRegisters(
      context,
      names,
      INTEGER_RESULTS,
      values,
    ) < 0;
    if (count > WITHOUT_XMM) {
      failed ||= emulator.setRegisters(
        context,
        names.subarray(WITHOUT_XMM * 4),
        16,
        values.subarray(WITHOUT_XMM * 16),
      ) < 0;
    }
    return failed ? STATUS_SET_FAILED : status;
  }
}
