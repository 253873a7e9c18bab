// A partition: its properties, its memory map and its virtual processors.

import { getLogger } from "@logtape/logtape";
import type {
  AccessCallback,
  DebugPointFilter,
  WinHvPlatform,
  WinHvPlatformFunctions,
} from "../../ffi/mod.ts";
import { ICEBP_DEBUG_POINT } from "../../ffi/debug_points.ts";
import { PartitionPropertyCode } from "../../ffi/enums.ts";
import {
  WHV_INTERRUPT_CONTROL,
  WHV_X64_CPUID_RESULT,
  WHV_X64_CPUID_RESULT2,
} from "../../ffi/structures.ts";
import { HResult } from "../../ffi/hresult.ts";
import { PAGE_BYTES } from "../x86/paging.ts";
import { alignedBytes, viewOf } from "./aligned.ts";
import { check, PlatformError } from "./errors.ts";
import { LOST, need } from "./optional.ts";
import {
  type PartitionOfProcessor,
  VirtualProcessor,
} from "./virtual_processor.ts";

const log = getLogger(["icebp", "platform"]);

/** What platforms were said to lack. */
const missing = new WeakMap<WinHvPlatform, Set<string>>();

/**
 * What CPUID answers for one leaf, instead of the platform's own answer.
 *
 * @example
 * ```ts
 * import { type CpuidResult, openSoft, Partition, Reg } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * const result: CpuidResult = {
 *   leaf: 0x40000000,
 *   eax: 0x40000000,
 *   ebx: 0x12345678,
 *   ecx: 0,
 *   edx: 0,
 * };
 * partition.setCpuidResultList([result]);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0xa2, 0xe6, 0x80], 0xfff0); // cpuid; out
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 0x40000000n);
 * await vp.run();
 * assertEquals(vp.get(Reg.Rbx), 0x12345678n);
 * ```
 */
export interface CpuidResult {
  /** EAX going in. */
  readonly leaf: number;
  /** EAX coming out. */
  readonly eax: number;
  /** EBX coming out. */
  readonly ebx: number;
  /** ECX coming out. */
  readonly ecx: number;
  /** EDX coming out. */
  readonly edx: number;
}

/**
 * What CPUID answers in some bits of one leaf, whatever the subleaf.
 *
 * @example
 * ```ts
 * import {
 *   type MaskedCpuidResult,
 *   openSoft,
 *   Partition,
 *   Reg,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * // CPUID.1:ECX[31]: there is a hypervisor.
 * const result: MaskedCpuidResult = {
 *   leaf: 1,
 *   output: [0, 0, 2 ** 31, 0],
 *   mask: [0, 0, 2 ** 31, 0],
 * };
 * partition.setCpuidResultList2([result]);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x0f, 0xa2, 0xe6, 0x80], 0xfff0); // cpuid; out
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * vp.set(Reg.Rax, 1n);
 * await vp.run();
 * assertEquals(vp.get(Reg.Rcx) >> 31n & 1n, 1n);
 * ```
 */
export interface MaskedCpuidResult {
  /** EAX going in. */
  readonly leaf: number;
  /** EAX, EBX, ECX, EDX coming out, where `mask` has ones. */
  readonly output: readonly [number, number, number, number];
  /** The bits of each that are not the platform's own. */
  readonly mask: readonly [number, number, number, number];
}

/**
 * An interrupt for the platform's local APICs to deliver.
 *
 * @example
 * ```ts
 * import {
 *   type InterruptRequest,
 *   openSoft,
 *   Partition,
 *   Reg,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setLocalApicEmulationMode(1); // xAPIC
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xfb, 0xf4], 0xfff0); // sti; hlt
 * platform.guestMemory.set([0xe6, 0x80], 0x200); // out 0x80, al
 * platform.guestMemory.set([0x00, 0x02, 0x00, 0xf0], 4 * 0x40); // F000:0200
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * partition.mapGpaRange(platform.guestMemory, 0xf0000, 7);
 * vp.setTable(Reg.Idtr, { base: 0xf0000n, limit: 0x3ff });
 * vp.setSegment(Reg.Ss, {
 *   base: 0xffff0000n,
 *   limit: 0xffff,
 *   selector: 0xf000,
 *   attributes: 0x93,
 * });
 * vp.set(Reg.Rsp, 0x8000n);
 * const lapic = vp.getLapic();
 * lapic[0xf1] |= 1; // SVR: enabled by software
 * vp.setLapic(lapic);
 * const request: InterruptRequest = {
 *   type: 0, // fixed
 *   destinationMode: 0, // physical
 *   triggerMode: 0, // edge
 *   destination: 0,
 *   vector: 0x40,
 * };
 * partition.requestInterrupt(request);
 * const exit = await vp.run();
 * assertEquals([exit.reason, vp.get(Reg.Rip)], ["ioPort", 0x200n]);
 * ```
 */
export interface InterruptRequest {
  /** An InterruptType. */
  readonly type: number;
  /** An InterruptDestinationMode. */
  readonly destinationMode: number;
  /** An InterruptTriggerMode. */
  readonly triggerMode: number;
  /** An APIC ID, or a logical destination. */
  readonly destination: number;
  /** 16 to 255. */
  readonly vector: number;
}

/**
 * What a processor is to return for (ICEBP_DEBUG_POINT).
 *
 * @example
 * ```ts
 * import {
 *   DebugAccess,
 *   type DebugPoint,
 *   DebugSpace,
 *   openSoft,
 *   Partition,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x90, 0xe6, 0x80], 0xfff0); // nop; out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const point: DebugPoint = {
 *   identifier: 7,
 *   access: DebugAccess.Execute,
 *   space: DebugSpace.All,
 *   address: 0xfffffff1n,
 *   length: 1n,
 *   cr3: 0n,
 * };
 * partition.setDebugPoint(point);
 * const exit = await vp.run();
 * assertEquals([exit.reason, exit.rip], ["debugPoint", 0xfff1n]);
 * ```
 */
export interface DebugPoint {
  /** Below MAX_DEBUG_POINTS; what exits name. */
  readonly identifier: number;
  /** DebugAccess bits. */
  readonly access: number;
  /** A DebugSpace. */
  readonly space: number;
  /** Linear or guest physical address. */
  readonly address: bigint;
  /** Bytes of data. */
  readonly length: bigint;
  /** For DebugSpace.One, else 0. */
  readonly cr3: bigint;
}

/**
 * A virtual machine as the platform has it.
 *
 * @example
 * ```ts
 * import { openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xe6, 0x80], 0xfff0); // out 0x80, al
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const exit = await vp.run();
 * assertEquals(exit.reason, "ioPort");
 * partition.delete();
 * ```
 */
export class Partition implements PartitionOfProcessor {
  /** Whose partition it is. */
  readonly functions: WinHvPlatform;
  /** The WHV_PARTITION_HANDLE. */
  readonly handle: bigint;

  /** Goes up with every call that may change a processor's state: what was read
   * before and not since is still true. */
  changes = 0;

  readonly #calls: WinHvPlatformFunctions;
  readonly #value = alignedBytes(8);
  readonly #valueView = viewOf(this.#value);
  readonly #interrupt = alignedBytes(WHV_INTERRUPT_CONTROL.size);
  readonly #interruptView = viewOf(this.#interrupt);
  readonly #point = alignedBytes(ICEBP_DEBUG_POINT.size);
  readonly #pointView = viewOf(this.#point);

  private constructor(functions: WinHvPlatform, handle: bigint) {
    this.functions = functions;
    this.#calls = functions.platform;
    this.handle = handle;
  }

  /**
   * Creates a partition; set its properties, then call `setup`.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  static create(functions: WinHvPlatform): Partition {
    const handle = new BigUint64Array(1);
    check(
      functions.platform.WHvCreatePartition(handle),
      "WHvCreatePartition",
    );
    return new Partition(functions, handle[0]);
  }

  /**
   * How many virtual processors there can be. Before setup only.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setProcessorCount(n: number): void {
    this.#setUint32("ProcessorCount", n);
  }

  /**
   * A LocalApicEmulationMode. Before setup only.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setLocalApicEmulationMode(mode: number): void {
    this.#setUint32("LocalApicEmulationMode", mode);
  }

  /**
   * ExtendedVmExits bits.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setExtendedVmExits(bits: bigint): void {
    this.#setUint64("ExtendedVmExits", bits);
  }

  /**
   * A bit for every vector that exits. Only while no processor runs.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setExceptionExitBitmap(mask: bigint): void {
    this.#setUint64("ExceptionExitBitmap", mask);
  }

  /**
   * X64MsrExitBitmap bits.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setX64MsrExitBitmap(bits: bigint): void {
    this.#setUint64("X64MsrExitBitmap", bits);
  }

  /**
   * The CPUID leaves that exit.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setCpuidExitList(leaves: readonly number[]): void {
    const list = new Uint32Array(leaves);
    this.setProperty("CpuidExitList", new Uint8Array(list.buffer));
  }

  /**
   * What CPUID answers. Before setup only.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setCpuidResultList(results: readonly CpuidResult[]): void {
    const { size, Function, Eax, Ebx, Ecx, Edx } = WHV_X64_CPUID_RESULT;
    const list = new Uint8Array(results.length * size);
    const view = new DataView(list.buffer);
    results.forEach((result, i) => {
      Function.set(view, result.leaf, i * size);
      Eax.set(view, result.eax, i * size);
      Ebx.set(view, result.ebx, i * size);
      Ecx.set(view, result.ecx, i * size);
      Edx.set(view, result.edx, i * size);
    });
    this.setProperty("CpuidResultList", list);
  }

  /**
   * What CPUID answers in some bits; the others stay as the platform has them.
   * Before setup only; older hosts do not know it.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setCpuidResultList2(results: readonly MaskedCpuidResult[]): void {
    const { size, Function, Output, Mask } = WHV_X64_CPUID_RESULT2;
    const list = new Uint8Array(results.length * size);
    const view = new DataView(list.buffer);
    results.forEach(({ leaf, output, mask }, i) => {
      const at = i * size;
      Function.set(view, leaf, at);
      for (let k = 0; k < 4; k++) {
        view.setUint32(at + Output.offset + 4 * k, output[k], true);
        view.setUint32(at + Mask.offset + 4 * k, mask[k], true);
      }
    });
    this.setProperty("CpuidResultList2", list);
  }

  /**
   * Sets any property from its bytes.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setProperty(
    name: keyof typeof PartitionPropertyCode,
    value: Uint8Array,
  ): void {
    check(
      this.#calls.WHvSetPartitionProperty(
        this.handle,
        PartitionPropertyCode[name],
        value,
        value.length,
      ),
      "WHvSetPartitionProperty",
      name,
    );
  }

  /**
   * Reads any property into `into`; returns the bytes written.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  getProperty(
    name: keyof typeof PartitionPropertyCode,
    into: Uint8Array,
  ): number {
    const written = new Uint32Array(1);
    check(
      this.#calls.WHvGetPartitionProperty(
        this.handle,
        PartitionPropertyCode[name],
        into,
        into.length,
        written,
      ),
      "WHvGetPartitionProperty",
      name,
    );
    return written[0];
  }

  /**
   * Makes the partition ready for memory and processors.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setup(): void {
    check(this.#calls.WHvSetupPartition(this.handle), "WHvSetupPartition");
  }

  /**
   * Deletes the partition; no processor runs, and nothing of it is used.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  delete(): void {
    check(this.#calls.WHvDeletePartition(this.handle), "WHvDeletePartition");
  }

  /**
   * Maps memory at a guest-physical address. Everything is page aligned;
   * `flags` are MapGpaRangeFlag bits. `source` stays where it is.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  mapGpaRange(source: Uint8Array, gpa: number | bigint, flags: number): void {
    check(
      this.#calls.WHvMapGpaRange(
        this.handle,
        source,
        BigInt(gpa),
        BigInt(source.length),
        flags,
      ),
      "WHvMapGpaRange",
      range(gpa, source.length),
    );
  }

  /**
   * Unmaps guest-physical memory.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  unmapGpaRange(gpa: number | bigint, bytes: number | bigint): void {
    check(
      this.#calls.WHvUnmapGpaRange(this.handle, BigInt(gpa), BigInt(bytes)),
      "WHvUnmapGpaRange",
      range(gpa, bytes),
    );
  }

  /**
   * Which pages of a range, mapped with TrackDirtyPages, were written since the
   * last query: one bit a page, from the lowest.
   *
   * @throws {PlatformError} The platform lacks the call, fails or refuses it.
   */
  queryGpaRangeDirtyBitmap(
    gpa: number | bigint,
    bytes: number | bigint,
  ): BigUint64Array {
    const call = "WHvQueryGpaRangeDirtyBitmap";
    const query = need(this.#calls[call], call);
    const pages = Math.ceil(Number(bytes) / PAGE_BYTES);
    const bitmap = new BigUint64Array(Math.ceil(pages / 64));
    check(
      query(
        this.handle,
        BigInt(gpa),
        BigInt(bytes),
        bitmap,
        bitmap.byteLength,
      ),
      call,
      range(gpa, bytes),
    );
    return bitmap;
  }

  /**
   * Creates the virtual processor `index`, from 0.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  createVirtualProcessor(index: number): VirtualProcessor {
    check(
      this.#calls.WHvCreateVirtualProcessor(this.handle, index, 0),
      "WHvCreateVirtualProcessor",
      `VP ${index}`,
    );
    return new VirtualProcessor(this, index);
  }

  /**
   * Has the platform's local APICs deliver an interrupt.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  requestInterrupt(request: InterruptRequest): void {
    const call = "WHvRequestInterrupt";
    const fn = need(this.#calls[call], call);
    const view = this.#interruptView;
    WHV_INTERRUPT_CONTROL.Type.set(view, request.type);
    WHV_INTERRUPT_CONTROL.DestinationMode.set(view, request.destinationMode);
    WHV_INTERRUPT_CONTROL.TriggerMode.set(view, request.triggerMode);
    WHV_INTERRUPT_CONTROL.Destination.set(view, request.destination);
    WHV_INTERRUPT_CONTROL.Vector.set(view, request.vector);
    this.changes++;
    const hresult = fn(this.handle, this.#interrupt, this.#interrupt.length);
    if (hresult < 0) check(hresult, call, `vector ${request.vector}`);
  }

  /** Whether processors can have debug points (ffi/debug_points.ts). */
  get hasDebugPoints(): boolean {
    return this.functions.extensions.IcebpSetDebugPoint !== null;
  }

  /**
   * Sets a debug point, in place of the one with the same identifier; no processor
   * runs.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setDebugPoint(point: DebugPoint): void {
    const call = "IcebpSetDebugPoint";
    const view = this.#pointView;
    ICEBP_DEBUG_POINT.Identifier.set(view, point.identifier);
    ICEBP_DEBUG_POINT.Access.set(view, point.access);
    ICEBP_DEBUG_POINT.Space.set(view, point.space);
    ICEBP_DEBUG_POINT.Address.set(view, point.address);
    ICEBP_DEBUG_POINT.Length.set(view, point.length);
    ICEBP_DEBUG_POINT.Cr3.set(view, point.cr3);
    const set = this.functions.extensions[call];
    if (set === null) {
      throw new PlatformError(call, HResult.E_NOTIMPL, {
        meaning: `${this.functions.name} has no debug points`,
      });
    }
    const hresult = set(this.handle, this.#point, this.#point.length);
    if (hresult < 0) check(hresult, call, `0x${point.address.toString(16)}`);
  }

  /**
   * Takes a debug point away; no processor runs.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  clearDebugPoint(identifier: number): void {
    const call = "IcebpClearDebugPoint";
    const hresult = this.functions.extensions[call]!(
      this.handle,
      identifier,
    );
    if (hresult < 0) check(hresult, call, `point ${identifier}`);
  }

  /**
   * Gives an instruction point a condition (ConditionOp), or with none takes it away; no
   * processor runs. False if the platform cannot judge it: the point has none then.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setDebugPointCondition(identifier: number, condition: Uint8Array): boolean {
    const call = "IcebpSetDebugPointCondition";
    const set = this.functions.extensions[call];
    if (set === null) return false;
    const hresult = set(this.handle, identifier, condition, condition.length);
    if (hresult === HResult.E_NOTIMPL) return false;
    if (hresult < 0) check(hresult, call, `point ${identifier}`);
    return true;
  }

  /**
   * Has instruction points ask `filter` before they make an exit: 0 is to go on. Returns
   * what takes it back.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setDebugPointFilter(filter: DebugPointFilter): () => void {
    const call = "IcebpSetDebugPointFilter";
    const callback = this.functions.debugPointFilter!(filter);
    const set = this.functions.extensions[call]!;
    check(set(this.handle, callback.address), call);
    return () => {
      check(set(this.handle, 0n), call);
      callback.close();
    };
  }

  /**
   * Has `fn` called whenever all processors that run are halted with interrupts masked,
   * or wait for a SIPI; never where the platform cannot tell. Returns what takes it
   * back.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  onStandstill(fn: () => void): () => void {
    const call = "IcebpSetStandstillCallback";
    const set = this.functions.extensions[call];
    if (set === null) return () => {};
    const callback = this.functions.standstillCallback!(fn);
    check(set(this.handle, callback.address), call);
    return () => {
      check(set(this.handle, 0n), call);
      callback.close();
    };
  }

  /**
   * Has accesses of running processors to devices ask `answer` first (AccessCallback), as
   * far as the platform does; never where it cannot. Returns what takes it back.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  setAccessCallback(answer: AccessCallback): () => void {
    const call = "IcebpSetAccessCallback";
    const set = this.functions.extensions[call];
    if (set === null || this.functions.accessCallback === undefined) {
      return () => {};
    }
    const callback = this.functions.accessCallback(answer);
    check(set(this.handle, callback.address), call);
    return () => {
      check(set(this.handle, 0n), call);
      callback.close();
    };
  }

  /** Whether writes can signal events. */
  get hasDoorbells(): boolean {
    return this.#calls.WHvRegisterPartitionDoorbellEvent !== null;
  }

  /**
   * Has writes that fit a WHV_DOORBELL_MATCH_DATA signal an event object, by its
   * HANDLE, instead of making an exit.
   *
   * @throws {PlatformError} The platform fails or refuses the call.
   */
  registerDoorbell(match: Uint8Array, event: bigint): void {
    const call = "WHvRegisterPartitionDoorbellEvent";
    check(need(this.#calls[call], call)(this.handle, match, event), call);
  }

  /**
   * Stops the partition's clocks; no processor runs. Where the platform lacks
   * the function or it fails they run on, which is logged once: false then.
   */
  suspendTime(): boolean {
    return this.#callIfThere("WHvSuspendPartitionTime");
  }

  /** Starts the partition's clocks again, which a run does by itself, too; false
   * where they never stopped. */
  resumeTime(): boolean {
    return this.#callIfThere("WHvResumePartitionTime");
  }

  #callIfThere(
    call: "WHvSuspendPartitionTime" | "WHvResumePartitionTime",
  ): boolean {
    const fn = this.#calls[call];
    const hresult = fn === null ? null : fn(this.handle);
    if (hresult !== null && hresult >= 0) return true;
    const said = missing.get(this.functions) ?? new Set();
    missing.set(this.functions, said);
    if (said.has(call)) return false;
    said.add(call);
    log.warn("{what}: {lost}", {
      what: hresult === null
        ? `${this.functions.name} lacks ${call}`
        : new PlatformError(call, hresult, { remedy: "" }).message,
      lost: LOST[call],
    });
    return false;
  }

  #setUint32(name: keyof typeof PartitionPropertyCode, value: number): void {
    this.#valueView.setUint32(0, value, true);
    this.setProperty(name, this.#value.subarray(0, 4));
  }

  #setUint64(name: keyof typeof PartitionPropertyCode, value: bigint): void {
    this.#valueView.setBigUint64(0, value, true);
    this.setProperty(name, this.#value);
  }
}

function range(gpa: number | bigint, bytes: number | bigint): string {
  return `gpa 0x${gpa.toString(16)}, 0x${bytes.toString(16)} bytes`;
}
