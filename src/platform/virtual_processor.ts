// A virtual processor: run it, cancel it, read and write its registers.

import type { WinHvPlatform, WinHvPlatformFunctions } from "../../ffi/mod.ts";
import {
  WHV_RUN_VP_EXIT_CONTEXT,
  WHV_VP_EXIT_CONTEXT,
} from "../../ffi/exits.ts";
import {
  DebugPass,
  ICEBP_DEBUG_POINT_CONTEXT,
} from "../../ffi/debug_points.ts";
import { HResult } from "../../ffi/hresult.ts";
import { WHV_TRANSLATE_GVA_RESULT } from "../../ffi/structures.ts";
import type { Segment, Table } from "../x86/segments.ts";
import { alignedBytes, alignedPages, isAligned, viewOf } from "./aligned.ts";
import { type DebugHit, debugHits } from "./debug_exits.ts";
import { PlatformError } from "./errors.ts";
import { type Exit, ExitDecoder } from "./exits.ts";
import {
  readSegment,
  readTable,
  writeSegment,
  writeTable,
} from "./segments.ts";
import { REASON_OFFSET } from "./vp_exit.ts";
import { VpState } from "./vp_state.ts";

/** Bytes of a register's value. */
export const VALUE_SIZE = 16;

/**
 * What {@linkcode VirtualProcessor.translateGva} found.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, type Translation } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * // Without paging an address is its own translation.
 * const translation: Translation = vp.translateGva(0xffff1234n, 1);
 * assertEquals(translation, { code: 0, gpa: 0xffff1234n });
 * ```
 */
export interface Translation {
  /** A TranslateGvaResult; 0 is success. */
  readonly code: number;
  /** The guest-physical address if `code` is 0. */
  readonly gpa: bigint;
}

/**
 * What a processor knows of its partition.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, type PartitionOfProcessor } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * const vp = partition.createVirtualProcessor(0);
 * const its: PartitionOfProcessor = vp.partition;
 * assertEquals([its.functions, its.handle], [platform, partition.handle]);
 * ```
 */
export interface PartitionOfProcessor {
  /** Whose partition it is. */
  readonly functions: WinHvPlatform;
  /** The WHV_PARTITION_HANDLE. */
  readonly handle: bigint;
  /** Goes up with every call that may change a processor's state. */
  changes: number;
}

/**
 * A virtual processor of a partition; made by the partition.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x40, 0xe6, 0x80], 0xfff0); // inc ax; out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 41n);
 * const exit = await vp.run();
 * assertEquals([exit.reason, vp.get(Reg.Rax)], ["ioPort", 42n]);
 * ```
 */
export class VirtualProcessor {
  /** The partition it belongs to. */
  readonly partition: PartitionOfProcessor;
  /** Its number, from 0. */
  readonly index: number;
  /** The last exit's WHV_VP_EXIT_CONTEXT, for the emulator. */
  readonly vpContext: Uint8Array;
  /** The last exit's own part, for the emulator. */
  readonly exitReasonContext: Uint8Array;

  readonly #provider: WinHvPlatform;
  readonly #functions: WinHvPlatformFunctions;
  readonly #handle: bigint;
  readonly #context = alignedBytes(WHV_RUN_VP_EXIT_CONTEXT.size);
  readonly #decoder = new ExitDecoder(this.#context);
  readonly #hits = new Uint8Array(ICEBP_DEBUG_POINT_CONTEXT.size);
  readonly #hitsView = new DataView(this.#hits.buffer);
  readonly #name = new Uint32Array(1);
  readonly #value = alignedBytes(VALUE_SIZE);
  readonly #valueView = viewOf(this.#value);
  readonly #result = alignedBytes(16);
  readonly #resultView = viewOf(this.#result);
  readonly #state: VpState;
  #running = false;

  /** Use {@linkcode Partition.createVirtualProcessor}. */
  constructor(partition: PartitionOfProcessor, index: number) {
    this.partition = partition;
    this.index = index;
    this.#provider = partition.functions;
    this.#functions = partition.functions.platform;
    this.#handle = partition.handle;
    this.vpContext = this.#context.subarray(
      WHV_RUN_VP_EXIT_CONTEXT.VpContext.offset,
      WHV_RUN_VP_EXIT_CONTEXT.VpContext.offset + WHV_VP_EXIT_CONTEXT.size,
    );
    this.exitReasonContext = this.#context.subarray(REASON_OFFSET);
    this.#state = new VpState(this.#functions, this.#handle, this);
  }

  /** True from the call of {@linkcode run} until its promise settles. */
  get running(): boolean {
    return this.#running;
  }

  /**
   * Runs until the next exit. The exit's object is the processor's own and
   * valid until the next run.
   *
   * @throws {PlatformError} By the promise: it is running, or the platform fails.
   */
  run(): Promise<Exit> {
    if (this.#running) {
      return Promise.reject(
        new PlatformError(
          "WHvRunVirtualProcessor",
          HResult.WHV_E_INVALID_VP_STATE,
          { detail: `VP ${this.index} is running` },
        ),
      );
    }
    this.#running = true;
    this.partition.changes++;
    // No async function: this is the way of every exit.
    return this.#functions.WHvRunVirtualProcessor(
      this.#handle,
      this.index,
      this.#context,
      WHV_RUN_VP_EXIT_CONTEXT.size,
    ).then(this.#returned, this.#refused);
  }

  readonly #returned = (hresult: number): Exit => {
    this.#running = false;
    this.partition.changes++;
    if (hresult < 0) this.#fail("WHvRunVirtualProcessor", hresult);
    return this.#decoder.decode();
  };

  readonly #refused = (error: unknown): never => {
    this.#running = false;
    throw error;
  };

  /**
   * Makes the current run, or the next one, return a canceled exit.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  cancel(): void {
    this.#check(
      this.#functions.WHvCancelRunVirtualProcessor(this.#handle, this.index, 0),
      "WHvCancelRunVirtualProcessor",
    );
  }

  /**
   * Tells the platform whether this processor is about to be run, now and after every
   * exit. Where all processors run on one thread the others wait for one that is
   * expected, and do not for one that stays away: until its next run. Who waits for
   * another processor stays away meanwhile. Other platforms need not know.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  expectRun(expected: boolean): void {
    const call = "IcebpExpectRun";
    const hresult = this.#provider.extensions[call]?.(
      this.#handle,
      this.index,
      expected ? 1 : 0,
    );
    if (hresult !== undefined && hresult < 0) this.#fail(call, hresult);
  }

  /**
   * Has the next instruction not be stopped at by a debug point; `how` is a DebugPass.
   * Setting RIP takes that back.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  passDebugPoints(how: number = DebugPass.Next): void {
    const call = "IcebpPassDebugPoints";
    const hresult = this.#provider.extensions[call]!(
      this.#handle,
      this.index,
      how,
    );
    if (hresult < 0) this.#fail(call, hresult);
  }

  /**
   * Takes the hits of debug points that the next run would return with at once; the
   * object is the processor's own, valid until the next call.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  takeDebugHits(): readonly DebugHit[] {
    const call = "IcebpTakeDebugHits";
    const { size } = ICEBP_DEBUG_POINT_CONTEXT;
    const hresult = this.#provider.extensions[call]!(
      this.#handle,
      this.index,
      this.#hits,
      size,
    );
    if (hresult < 0) this.#fail(call, hresult);
    return debugHits(this.#hitsView, 0);
  }

  /**
   * Reads many registers: 16 bytes a value, little endian, in names' order.
   *
   * @throws {PlatformError} The platform fails or refuses the call, or `values` is
   * too short for `names`.
   */
  getRegisters(names: Uint32Array, values: Uint8Array): void {
    this.#room(names, values, "WHvGetVirtualProcessorRegisters");
    const aligned = isAligned(values) ? values : alignedPages(values.length);
    const hresult = this.#functions.WHvGetVirtualProcessorRegisters(
      this.#handle,
      this.index,
      names,
      names.length,
      aligned,
    );
    if (hresult < 0) this.#fail("WHvGetVirtualProcessorRegisters", hresult);
    if (aligned !== values) {
      values.set(aligned.subarray(0, names.length * VALUE_SIZE));
    }
  }

  /**
   * Writes many registers: 16 bytes a value, little endian, in names' order.
   *
   * @throws {PlatformError} The platform fails or refuses the call, or `values` is
   * too short for `names`.
   */
  setRegisters(names: Uint32Array, values: Uint8Array): void {
    this.#room(names, values, "WHvSetVirtualProcessorRegisters");
    this.partition.changes++;
    let aligned = values;
    if (!isAligned(values)) {
      aligned = alignedPages(values.length);
      aligned.set(values);
    }
    const hresult = this.#functions.WHvSetVirtualProcessorRegisters(
      this.#handle,
      this.index,
      names,
      names.length,
      aligned,
    );
    if (hresult < 0) this.#fail("WHvSetVirtualProcessorRegisters", hresult);
  }

  /**
   * One register; of a wider one, the low 64 bits.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  get(name: number): bigint {
    this.#read(name);
    return this.#valueView.getBigUint64(0, true);
  }

  /**
   * Sets one register; of a wider one, the upper bits become 0.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  set(name: number, value: bigint): void {
    this.#valueView.setBigUint64(0, value, true);
    this.#valueView.setBigUint64(8, 0n, true);
    this.#write(name);
  }

  /**
   * One 128-bit register.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  get128(name: number): bigint {
    this.#read(name);
    return (this.#valueView.getBigUint64(8, true) << 64n) |
      this.#valueView.getBigUint64(0, true);
  }

  /**
   * Sets one 128-bit register.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  set128(name: number, value: bigint): void {
    this.#valueView.setBigUint64(0, value, true);
    this.#valueView.setBigUint64(8, value >> 64n, true);
    this.#write(name);
  }

  /**
   * One segment register.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  getSegment(name: number): Segment {
    this.#read(name);
    return readSegment(this.#valueView);
  }

  /**
   * Sets one segment register.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setSegment(name: number, segment: Segment): void {
    writeSegment(this.#valueView, segment);
    this.#write(name);
  }

  /**
   * GDTR or IDTR.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  getTable(name: number): Table {
    this.#read(name);
    return readTable(this.#valueView);
  }

  /**
   * Sets GDTR or IDTR.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setTable(name: number, table: Table): void {
    writeTable(this.#valueView, table);
    this.#write(name);
  }

  /**
   * Walks the guest's page tables; `flags` are TranslateGvaFlag bits.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  translateGva(gva: bigint, flags: number): Translation {
    this.#check(
      this.#functions.WHvTranslateGva(
        this.#handle,
        this.index,
        gva,
        flags,
        this.#result.subarray(0, 8),
        this.#result.subarray(8),
      ),
      "WHvTranslateGva",
    );
    return {
      code: WHV_TRANSLATE_GVA_RESULT.ResultCode.get(this.#resultView),
      gpa: this.#resultView.getBigUint64(8, true),
    };
  }

  /**
   * The local APIC's registers as a page (APIC_STATE).
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  getLapic(): Uint8Array {
    return this.#state.getLapic();
  }

  /**
   * Sets the local APIC's registers from a page (APIC_STATE).
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setLapic(state: Uint8Array): void {
    this.partition.changes++;
    this.#state.setLapic(state);
  }

  /**
   * The XSAVE state, in the compacted format.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  getXsave(): Uint8Array {
    return this.#state.getXsave();
  }

  /**
   * Sets the XSAVE state, in the compacted format.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setXsave(state: Uint8Array): void {
    this.partition.changes++;
    this.#state.setXsave(state);
  }

  /**
   * Deletes the virtual processor; it is not running and is not used again.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  delete(): void {
    this.#check(
      this.#functions.WHvDeleteVirtualProcessor(this.#handle, this.index),
      "WHvDeleteVirtualProcessor",
    );
  }

  /** For messages: the provider's name and the processor's index. */
  toString(): string {
    return `${this.#provider.name} VP ${this.index}`;
  }

  #read(name: number): void {
    this.#name[0] = name;
    this.getRegisters(this.#name, this.#value);
  }

  #write(name: number): void {
    this.#name[0] = name;
    this.setRegisters(this.#name, this.#value);
  }

  /** The platform would read or write past the end of too short a buffer. */
  #room(names: Uint32Array, values: Uint8Array, call: string): void {
    if (values.length >= names.length * VALUE_SIZE) return;
    throw new PlatformError(call, HResult.E_INVALIDARG, {
      detail: `${values.length} bytes for ${names.length} registers`,
    });
  }

  #check(hresult: number, call: string): void {
    if (hresult < 0) this.#fail(call, hresult);
  }

  #fail(call: string, hresult: number): never {
    throw new PlatformError(call, hresult, { detail: `VP ${this.index}` });
  }
}
