// The platform's instruction emulator, for what an exit does not carry whole:
// string I/O and memory-mapped devices. Registers and page tables are the
// virtual processor's own; the caller supplies ports and memory.

import type { CallbackHandle, WinHvPlatform } from "../../ffi/mod.ts";
import {
  WHV_EMULATOR_CALLBACKS as CALLBACKS,
  WHV_EMULATOR_IO_ACCESS_INFO as IO,
  WHV_EMULATOR_MEMORY_ACCESS_INFO as MEMORY,
  WHV_EMULATOR_STATUS as STATUS,
} from "../../ffi/emulator.ts";
import { TranslateGvaResult } from "../../ffi/enums.ts";
import { HResult } from "../../ffi/hresult.ts";
import { check, PlatformError } from "./errors.ts";
import type { IoPortExit, MemoryExit } from "./exits.ts";
import { VALUE_SIZE, type VirtualProcessor } from "./virtual_processor.ts";

/** A port access of an emulated instruction. */
export interface EmulatedIo {
  /** Whose instruction it is. */
  readonly vp: VirtualProcessor;
  /** The port. */
  readonly port: number;
  /** Bytes: 1, 2 or 4. */
  readonly size: number;
  /** True for an output. */
  readonly isWrite: boolean;
  /** What is written; a read's handler sets it. */
  data: number;
}

/** A memory access of an emulated instruction. */
export interface EmulatedMemory {
  /** Whose instruction it is. */
  readonly vp: VirtualProcessor;
  /** The guest-physical address. */
  readonly gpa: bigint;
  /** Bytes: 1 to 8. */
  readonly size: number;
  /** True for a write. */
  readonly isWrite: boolean;
  /** `size` bytes: what is written; a read's handler fills it. */
  readonly data: Uint8Array;
}

/** Who carries out the accesses; what one throws comes out of `tryIo`. */
export interface EmulatorHandlers {
  /** Reads or writes a port. */
  ioPort(access: EmulatedIo): void;
  /** Reads or writes memory of the caller's. */
  memory(access: EmulatedMemory): void;
}

class Io implements EmulatedIo {
  view!: DataView;
  constructor(public vp: VirtualProcessor) {}
  get port(): number {
    return IO.Port.get(this.view);
  }
  get size(): number {
    return IO.AccessSize.get(this.view);
  }
  get isWrite(): boolean {
    return IO.Direction.get(this.view) !== 0;
  }
  get data(): number {
    return IO.Data.get(this.view);
  }
  set data(value: number) {
    IO.Data.set(this.view, value);
  }
}

class Memory implements EmulatedMemory {
  view!: DataView;
  constructor(public vp: VirtualProcessor) {}
  get gpa(): bigint {
    return MEMORY.GpaAddress.get(this.view);
  }
  get size(): number {
    return MEMORY.AccessSize.get(this.view);
  }
  get isWrite(): boolean {
    return MEMORY.Direction.get(this.view) !== 0;
  }
  get data(): Uint8Array {
    return MEMORY.Data.get(this.view).subarray(0, this.size);
  }
}

/** One emulator; only one instruction at a time. */
export class Emulator {
  readonly #provider: WinHvPlatform;
  readonly #handle: bigint;
  readonly #callbacks: CallbackHandle[];
  readonly #status = new Uint8Array(STATUS.size);
  readonly #statusView = new DataView(this.#status.buffer);
  #vp: VirtualProcessor | undefined;
  #thrown: { error: unknown } | undefined;

  /** Makes an emulator of the provider's. */
  constructor(provider: WinHvPlatform, handlers: EmulatorHandlers) {
    this.#provider = provider;
    const callbacks = [
      provider.callback("ioPort", (_context, access) =>
        this.#guard((vp) => {
          const io = new Io(vp);
          io.view = viewOf(access);
          handlers.ioPort(io);
        })),
      provider.callback("memory", (_context, access) =>
        this.#guard((vp) => {
          const memory = new Memory(vp);
          memory.view = viewOf(access);
          handlers.memory(memory);
        })),
      provider.callback(
        "getRegisters",
        (_context, names, count, values) =>
          this.#guard((vp) => {
            vp.getRegisters(namesOf(names, count), values);
          }),
      ),
      provider.callback(
        "setRegisters",
        (_context, names, count, values) =>
          this.#guard((vp) => {
            vp.setRegisters(
              namesOf(names, count),
              values.subarray(0, count * VALUE_SIZE),
            );
          }),
      ),
      provider.callback(
        "translateGvaPage",
        (_context, gva, flags, code, gpa) =>
          this.#guard((vp) => {
            const found = vp.translateGva(gva, flags);
            viewOf(code).setUint32(0, found.code, true);
            if (found.code === TranslateGvaResult.Success) {
              viewOf(gpa).setBigUint64(0, found.gpa, true);
            }
          }),
      ),
    ];
    this.#callbacks = callbacks;
    const table = new Uint8Array(CALLBACKS.size);
    const view = new DataView(table.buffer);
    CALLBACKS.Size.set(view, CALLBACKS.size);
    CALLBACKS.WHvEmulatorIoPortCallback.set(view, callbacks[0].address);
    CALLBACKS.WHvEmulatorMemoryCallback.set(view, callbacks[1].address);
    CALLBACKS.WHvEmulatorGetVirtualProcessorRegisters.set(
      view,
      callbacks[2].address,
    );
    CALLBACKS.WHvEmulatorSetVirtualProcessorRegisters.set(
      view,
      callbacks[3].address,
    );
    CALLBACKS.WHvEmulatorTranslateGvaPage.set(view, callbacks[4].address);
    const handle = new BigUint64Array(1);
    const hresult = provider.emulation.WHvEmulatorCreateEmulator(table, handle);
    if (hresult < 0) callbacks.forEach((callback) => callback.close());
    check(hresult, "WHvEmulatorCreateEmulator");
    this.#handle = handle[0];
  }

  /** Carries out the instruction of a port exit and advances RIP. */
  tryIo(vp: VirtualProcessor, _exit: IoPortExit): void {
    this.#try(vp, "WHvEmulatorTryIoEmulation");
  }

  /** Carries out the instruction of a memory exit and advances RIP. */
  tryMmio(vp: VirtualProcessor, _exit: MemoryExit): void {
    this.#try(vp, "WHvEmulatorTryMmioEmulation");
  }

  /** Releases the emulator and its callbacks. */
  close(): void {
    check(
      this.#provider.emulation.WHvEmulatorDestroyEmulator(this.#handle),
      "WHvEmulatorDestroyEmulator",
    );
    this.#callbacks.forEach((callback) => callback.close());
  }

  #try(
    vp: VirtualProcessor,
    call: "WHvEmulatorTryIoEmulation" | "WHvEmulatorTryMmioEmulation",
  ): void {
    this.#vp = vp;
    this.#thrown = undefined;
    let hresult: number;
    try {
      hresult = this.#provider.emulation[call](
        this.#handle,
        BigInt(vp.index),
        vp.vpContext,
        vp.exitReasonContext,
        this.#status,
      );
    } finally {
      this.#vp = undefined;
    }
    const thrown = this.#thrown as { error: unknown } | undefined;
    this.#thrown = undefined;
    if (thrown !== undefined) throw thrown.error;
    check(hresult, call, `VP ${vp.index}`);
    if (STATUS.EmulationSuccessful.get(this.#statusView) === 0) {
      throw new PlatformError(call, HResult.E_FAIL, {
        detail: `VP ${vp.index}`,
        meaning: `the instruction was not emulated: ${this.#statusNames()}`,
        remedy: "",
      });
    }
  }

  #statusNames(): string {
    const names: string[] = [];
    for (const [name, member] of Object.entries(STATUS)) {
      if (typeof member === "number" || member.width !== 1) continue;
      if (member.get(this.#statusView) !== 0) names.push(name);
    }
    return names.join(", ") || "no reason given";
  }

  /** An exception cannot cross the C caller: it is kept, and thrown after. */
  #guard(handle: (vp: VirtualProcessor) => void): number {
    if (this.#vp === undefined) return HResult.E_UNEXPECTED;
    try {
      handle(this.#vp);
      return HResult.S_OK;
    } catch (error) {
      this.#thrown ??= { error };
      return HResult.E_FAIL;
    }
  }
}

const views = new WeakMap<Uint8Array, DataView>();

/** A provider that hands out the same bytes again gets the same view. */
function viewOf(bytes: Uint8Array): DataView {
  let view = views.get(bytes);
  if (view === undefined) {
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    views.set(bytes, view);
  }
  return view;
}

/** The memory of a callback may not be aligned for a view of numbers. */
function namesOf(bytes: Uint8Array, count: number): Uint32Array {
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, count)
    : new Uint32Array(bytes.slice(0, count * 4).buffer);
}
