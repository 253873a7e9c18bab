// A provider with no guest: it keeps what it is told, answers with what a test
// prepares, and can be made to fail or to lack a function.

import type {
  CallbackHandle,
  EmulatorCallbackKind,
  EmulatorCallbacks,
  WinHvEmulationFunctions,
  WinHvPlatform,
  WinHvPlatformFunctions,
} from "../../ffi/mod.ts";
import { noExtensions } from "../../ffi/mod.ts";
import { winhvplatform } from "../../ffi/winhvplatform.ts";
import { WHV_EMULATOR_CALLBACKS } from "../../ffi/emulator.ts";
import { HResult } from "../../ffi/hresult.ts";

type Name = keyof WinHvPlatformFunctions;

/** The bytes behind any view. */
export function bytesOf(view: ArrayBufferView | null): Uint8Array {
  if (view === null) throw new Error("a null pointer");
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function put(view: ArrayBufferView | null, value: bigint, size: number): void {
  const bytes = bytesOf(view);
  for (let i = 0; i < size; i++) {
    bytes[i] = Number(value >> BigInt(8 * i) & 0xffn);
  }
}

export const PARTITION = 0x7fff_1234_5678n;
export const EMULATOR = 0x55n;

export class FakePlatform implements WinHvPlatform {
  readonly name = "fake";
  /** Every call, as its name. */
  readonly calls: string[] = [];
  /** Results other than S_OK, by function. */
  readonly results = new Map<string, number>();
  /** Optional functions that this provider has. */
  readonly present = new Set<Name>();
  readonly properties = new Map<number, Uint8Array>();
  readonly capabilities = new Map<number, bigint>();
  readonly maps: {
    source: Uint8Array;
    gpa: bigint;
    bytes: bigint;
    flags: number;
  }[] = [];
  /** 16 bytes a register. */
  readonly registers = new Map<number, Uint8Array>();
  /** What runs write, in turn; a run without one stays pending. */
  readonly exits: Uint8Array[] = [];
  /** The buffers that runs wrote to. */
  readonly contexts = new Set<ArrayBufferView | null>();
  readonly callbacks: { [K in EmulatorCallbackKind]?: EmulatorCallbacks[K] } =
    {};
  openCallbacks = 0;
  emulate: (
    callbacks: Required<FakePlatform["callbacks"]>,
    context: bigint,
  ) => number = () => 1;
  translation = { code: 0, gpa: 0n };
  interrupt = new Uint8Array(0);
  lapic = new Uint8Array(4096);
  xsave = new Uint8Array(576);
  xsaveAlignment = -1;
  dirty = 0n;
  readonly pending: { resolve: (hresult: number) => void }[] = [];

  readonly platform: WinHvPlatformFunctions;
  readonly emulation: WinHvEmulationFunctions;
  readonly extensions = noExtensions;
  readonly events = null;

  constructor() {
    this.platform = this.#functions();
    this.emulation = {
      WHvEmulatorCreateEmulator: (callbacks, emulator) =>
        this.#call("WHvEmulatorCreateEmulator", () => {
          const size = bytesOf(callbacks).length;
          if (size !== WHV_EMULATOR_CALLBACKS.size) throw new Error("size");
          put(emulator, EMULATOR, 8);
        }),
      WHvEmulatorDestroyEmulator: () =>
        this.#call("WHvEmulatorDestroyEmulator"),
      WHvEmulatorTryIoEmulation: (_emulator, context, _vp, _io, status) =>
        this.#call("WHvEmulatorTryIoEmulation", () => {
          put(status, BigInt(this.#emulate(context)), 4);
        }),
      WHvEmulatorTryMmioEmulation: (_emulator, context, _vp, _mmio, status) =>
        this.#call("WHvEmulatorTryMmioEmulation", () => {
          put(status, BigInt(this.#emulate(context)), 4);
        }),
    };
  }

  #emulate(context: bigint): number {
    return this.emulate(
      this.callbacks as Required<FakePlatform["callbacks"]>,
      context,
    );
  }

  #call(name: string, effect?: () => void): number {
    this.calls.push(name);
    const result = this.results.get(name) ?? HResult.S_OK;
    if (result >= 0) effect?.();
    return result;
  }

  #functions(): WinHvPlatformFunctions {
    const absent = Object.fromEntries(
      Object.keys(winhvplatform).map((name) => [name, null]),
    ) as unknown as WinHvPlatformFunctions;
    const all: WinHvPlatformFunctions = {
      ...absent,
      WHvGetCapability: (code, into, size, written) => {
        const value = this.capabilities.get(code);
        if (value === undefined) return HResult.WHV_E_UNKNOWN_CAPABILITY;
        return this.#call("WHvGetCapability", () => {
          put(into, value, Math.min(size, 8));
          put(written, 8n, 4);
        });
      },
      WHvCreatePartition: (handle) =>
        this.#call("WHvCreatePartition", () => put(handle, PARTITION, 8)),
      WHvSetupPartition: () => this.#call("WHvSetupPartition"),
      WHvDeletePartition: () => this.#call("WHvDeletePartition"),
      WHvSetPartitionProperty: (_handle, code, value, size) =>
        this.#call("WHvSetPartitionProperty", () => {
          this.properties.set(code, bytesOf(value).slice(0, size));
        }),
      WHvGetPartitionProperty: (_handle, code, into, _size, written) =>
        this.#call("WHvGetPartitionProperty", () => {
          const value = this.properties.get(code) ?? new Uint8Array(0);
          bytesOf(into).set(value);
          put(written, BigInt(value.length), 4);
        }),
      WHvMapGpaRange: (_handle, source, gpa, bytes, flags) =>
        this.#call("WHvMapGpaRange", () => {
          this.maps.push({ source: bytesOf(source), gpa, bytes, flags });
        }),
      WHvUnmapGpaRange: () => this.#call("WHvUnmapGpaRange"),
      WHvTranslateGva: (_handle, _vp, _gva, _flags, result, gpa) =>
        this.#call("WHvTranslateGva", () => {
          put(result, BigInt(this.translation.code), 8);
          put(gpa, this.translation.gpa, 8);
        }),
      WHvCreateVirtualProcessor: () => this.#call("WHvCreateVirtualProcessor"),
      WHvDeleteVirtualProcessor: () => this.#call("WHvDeleteVirtualProcessor"),
      WHvCancelRunVirtualProcessor: () =>
        this.#call("WHvCancelRunVirtualProcessor"),
      WHvRunVirtualProcessor: (_handle, _vp, context) => {
        this.contexts.add(context);
        const exit = this.exits.shift();
        if (exit === undefined) {
          return new Promise((resolve) => this.pending.push({ resolve }));
        }
        return Promise.resolve(
          this.#call("WHvRunVirtualProcessor", () => {
            bytesOf(context).set(exit);
          }),
        );
      },
      WHvGetVirtualProcessorRegisters: (_handle, _vp, names, count, values) =>
        this.#call("WHvGetVirtualProcessorRegisters", () => {
          const view = new DataView(bytesOf(names).slice().buffer);
          for (let i = 0; i < count; i++) {
            bytesOf(values).set(
              this.registers.get(view.getUint32(i * 4, true)) ??
                new Uint8Array(16),
              i * 16,
            );
          }
        }),
      WHvSetVirtualProcessorRegisters: (_handle, _vp, names, count, values) =>
        this.#call("WHvSetVirtualProcessorRegisters", () => {
          const view = new DataView(bytesOf(names).slice().buffer);
          for (let i = 0; i < count; i++) {
            this.registers.set(
              view.getUint32(i * 4, true),
              bytesOf(values).slice(i * 16, i * 16 + 16),
            );
          }
        }),
      WHvSuspendPartitionTime: () => this.#call("WHvSuspendPartitionTime"),
      WHvResumePartitionTime: () => this.#call("WHvResumePartitionTime"),
      WHvRequestInterrupt: (
        _handle: bigint,
        control: ArrayBufferView | null,
        size: number,
      ) =>
        this.#call("WHvRequestInterrupt", () => {
          this.interrupt = bytesOf(control).slice(0, size);
        }),
      WHvQueryGpaRangeDirtyBitmap: (
        _handle: bigint,
        _gpa: bigint,
        _bytes: bigint,
        bitmap: ArrayBufferView | null,
        size: number,
      ) =>
        this.#call("WHvQueryGpaRangeDirtyBitmap", () => {
          put(bitmap, this.dirty, size);
        }),
      WHvGetVirtualProcessorInterruptControllerState2: (
        _handle: bigint,
        _vp: number,
        state: ArrayBufferView | null,
      ) =>
        this.#call(
          "WHvGetVirtualProcessorInterruptControllerState2",
          () => {
            bytesOf(state).set(this.lapic);
          },
        ),
      WHvSetVirtualProcessorInterruptControllerState: (
        _handle: bigint,
        _vp: number,
        state: ArrayBufferView | null,
      ) =>
        this.#call("WHvSetVirtualProcessorInterruptControllerState", () => {
          this.lapic = bytesOf(state).slice();
        }),
      WHvGetVirtualProcessorInterruptControllerState: (
        _handle: bigint,
        _vp: number,
        state: ArrayBufferView | null,
      ) =>
        this.#call("WHvGetVirtualProcessorInterruptControllerState", () => {
          bytesOf(state).set(this.lapic);
        }),
      WHvGetVirtualProcessorXsaveState: (
        _handle: bigint,
        _vp: number,
        state: ArrayBufferView | null,
        size: number,
        written: ArrayBufferView | null,
      ) => {
        put(written, BigInt(this.xsave.length), 4);
        if (size < this.xsave.length) return HResult.WHV_E_INSUFFICIENT_BUFFER;
        return this.#call("WHvGetVirtualProcessorXsaveState", () => {
          this.xsaveAlignment = state!.byteOffset % 4096;
          bytesOf(state).set(this.xsave);
        });
      },
      WHvSetVirtualProcessorXsaveState: (
        _handle: bigint,
        _vp: number,
        state: ArrayBufferView | null,
        size: number,
      ) =>
        this.#call("WHvSetVirtualProcessorXsaveState", () => {
          this.xsave = bytesOf(state).slice(0, size);
        }),
    };
    // Optional functions are there only if the test has said so.
    return new Proxy(all, {
      get: (target, name) =>
        "optional" in (winhvplatform[name as Name] ?? {}) &&
          !this.present.has(name as Name)
          ? null
          : target[name as Name],
    });
  }

  callback<K extends EmulatorCallbackKind>(
    kind: K,
    fn: EmulatorCallbacks[K],
  ): CallbackHandle {
    Object.assign(this.callbacks, { [kind]: fn });
    this.openCallbacks++;
    return { address: 1n, close: () => void this.openCallbacks-- };
  }

  close(): void {}
}
