// The seam: what one provider of the platform's functions looks like. Nothing
// above this folder can tell WinHvPlatform.dll from the software platform or
// from another library with the same exports.

import type { EventFunctions } from "./kernel32.ts";
import { debugPoints } from "./debug_points.ts";
import { icebp } from "./icebp.ts";
import type { PlatformTimeTravel } from "./time_travel.ts";
import type { winhvplatform } from "./winhvplatform.ts";
import type {
  EmulatorCallbackKind,
  EmulatorCallbacks,
  winhvemulation,
} from "./winhvemulation.ts";

export * from "./enums.ts";
export * from "./flags.ts";
export { HResult, hresultName } from "./hresult.ts";
export type { HResultName } from "./hresult.ts";
export { Reg } from "./registers.ts";
export type { RegName } from "./registers.ts";
export type { EventFunctions } from "./kernel32.ts";
export { debugPoints, icebp };
export { winhvplatform } from "./winhvplatform.ts";
export { emulatorCallbacks, winhvemulation } from "./winhvemulation.ts";
export type {
  EmulatorCallbackKind,
  EmulatorCallbacks,
} from "./winhvemulation.ts";

export type {
  PlatformTimeTravel,
  ProcessorsState,
  Replay,
  ReplayOptions,
  ScheduleEntry,
  ScheduleLog,
} from "./time_travel.ts";

/**
 * One C parameter as a JavaScript value.
 *
 * @example
 * ```ts
 * import type { Argument } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const handle: Argument<"u64"> = 1n;
 * const index: Argument<"u32"> = 0;
 * const buffer: Argument<"buffer"> = new Uint8Array(8);
 * assertEquals([handle, index, buffer?.byteLength], [1n, 0, 8]);
 * ```
 */
export type Argument<T> = T extends "buffer" ? ArrayBufferView | null
  : T extends "u64" ? bigint
  : number;

/**
 * The parameters of a C function.
 *
 * @example
 * ```ts
 * import type { Arguments } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const args: Arguments<["u64", "u32", "buffer"]> = [1n, 0, null];
 * assertEquals(args.length, 3);
 * ```
 */
export type Arguments<P extends readonly unknown[]> = {
  -readonly [I in keyof P]: Argument<P[I]>;
};

/**
 * An HRESULT, or a promise of one if the call is nonblocking.
 *
 * @example
 * ```ts
 * import type { Result } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const done: Result<{ result: "i32" }> = 0;
 * const later: Result<{ result: "i32"; nonblocking: true }> = Promise.resolve(0);
 * assertEquals(await later, done);
 * ```
 */
export type Result<D> = D extends { nonblocking: true } ? Promise<number>
  : number;

/**
 * A C function of a symbol table.
 *
 * @example
 * ```ts
 * import type { CFunction } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const table = {
 *   Add: { parameters: ["u32", "u32"], result: "i32" },
 * } as const;
 * const add: CFunction<typeof table.Add> = (a, b) => a + b;
 * assertEquals(add(1, 2), 3);
 * ```
 */
export type CFunction<D> = D extends
  { parameters: infer P extends readonly unknown[] }
  ? (...args: Arguments<P>) => Result<D>
  : never;

/**
 * The functions of a symbol table; the optional ones may be null.
 *
 * @example
 * ```ts
 * import type { Functions } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const table = {
 *   Add: { parameters: ["u32", "u32"], result: "i32" },
 *   Halve: { parameters: ["u32"], result: "i32", optional: true },
 * } as const;
 * const functions: Functions<typeof table> = {
 *   Add: (a, b) => a + b,
 *   Halve: null, // this library has none
 * };
 * assertEquals(functions.Halve?.(4) ?? functions.Add(1, 1), 2);
 * ```
 */
export type Functions<Table> = {
  readonly [N in keyof Table]: Table[N] extends { optional: true }
    ? CFunction<Table[N]> | null
    : CFunction<Table[N]>;
};

/**
 * The functions of WinHvPlatform.dll; null are those that this provider's
 * version lacks. The result is an HRESULT. A caller keeps a reference to every
 * buffer that a pending `WHvRunVirtualProcessor` writes to.
 *
 * @example
 * ```ts
 * import { openSoft, type WinHvPlatformFunctions } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const functions: WinHvPlatformFunctions =
 *   (await openSoft({ memoryBytes: 65536 })).platform;
 * const handle = new BigUint64Array(1);
 * assertEquals(functions.WHvCreatePartition(handle), 0); // S_OK
 * ```
 */
export type WinHvPlatformFunctions = Functions<typeof winhvplatform>;

/**
 * The functions of WinHvEmulation.dll. The result is an HRESULT.
 *
 * @example
 * ```ts
 * import { openSoft, type WinHvEmulationFunctions } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const functions: WinHvEmulationFunctions =
 *   (await openSoft({ memoryBytes: 65536 })).emulation;
 * assertEquals(functions.WHvEmulatorDestroyEmulator(99n) < 0, true);
 * ```
 */
export type WinHvEmulationFunctions = Functions<typeof winhvemulation>;

/**
 * What only this project's own implementations have; null is what this
 * provider lacks. The result is an HRESULT.
 *
 * @example
 * ```ts
 * import { type IcebpFunctions, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const functions: IcebpFunctions =
 *   (await openSoft({ memoryBytes: 65536 })).extensions;
 * assertEquals(functions.IcebpSetDebugPoint !== null, true);
 * ```
 */
export type IcebpFunctions = Functions<typeof icebp & typeof debugPoints>;

/** Of a provider that has nothing of its own. */
export const noExtensions: IcebpFunctions = Object.fromEntries(
  Object.keys({ ...icebp, ...debugPoints }).map((name) => [name, null]),
) as unknown as IcebpFunctions;

/**
 * Asked at an instruction point: 0 to go on, without an exit. The processor's registers
 * may be read; nothing may be changed.
 *
 * @example
 * ```ts
 * import {
 *   DebugAccess,
 *   type DebugPointFilter,
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
 * const asked: number[] = [];
 * const filter: DebugPointFilter = (_vp, identifier) => {
 *   asked.push(identifier);
 *   return 0; // go on
 * };
 * partition.setDebugPointFilter(filter);
 * partition.setDebugPoint({
 *   identifier: 7,
 *   access: DebugAccess.Execute,
 *   space: DebugSpace.All,
 *   address: 0xfffffff1n,
 *   length: 1n,
 *   cr3: 0n,
 * });
 * const exit = await vp.run();
 * assertEquals([exit.reason, asked], ["ioPort", [7]]);
 * ```
 */
export type DebugPointFilter = (vp: number, identifier: number) => number;

/**
 * Asked about an access of a processor to a device (ICEBP_ACCESS); an IcebpAnswer. The
 * processor's registers may be read, RIP is the instruction's; devices may do what they
 * do in an exit.
 *
 * @example
 * ```ts
 * import { type AccessCallback, openSoft, Partition } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0xe6, 0x80, 0xf4], 0xfff0); // out 0x80, al; hlt
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * const ports: bigint[] = [];
 * const answer: AccessCallback = (_vp, access) => {
 *   ports.push(access.getBigUint64(0, true)); // ICEBP_ACCESS.Address
 *   return 1; // done
 * };
 * partition.setAccessCallback(answer);
 * const exit = await vp.run();
 * assertEquals([exit.reason, ports], ["halt", [0x80n]]);
 * ```
 */
export type AccessCallback = (vp: number, access: DataView) => number;

/**
 * A C function that calls into JavaScript, until it is closed.
 *
 * @example
 * ```ts
 * import { type CallbackHandle, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 65536 });
 * const callback: CallbackHandle = platform.callback("ioPort", () => 0);
 * assertEquals(callback.address !== 0n, true);
 * callback.close();
 * ```
 */
export interface CallbackHandle {
  /** What goes into WHV_EMULATOR_CALLBACKS. */
  readonly address: bigint;
  /** Releases the function; nothing calls it any more. */
  close(): void;
}

/**
 * One provider of the platform's functions.
 *
 * @example
 * ```ts
 * import { openSoft, type WinHvPlatform } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const hasDoorbells = ({ platform }: WinHvPlatform): boolean =>
 *   platform.WHvRegisterPartitionDoorbellEvent !== null;
 * assertEquals(hasDoorbells(await openSoft({ memoryBytes: 65536 })), false);
 * ```
 */
export interface WinHvPlatform {
  /** `whp`, `soft` or the library's path. */
  readonly name: string;
  /** WinHvPlatform.dll. */
  readonly platform: WinHvPlatformFunctions;
  /** WinHvEmulation.dll. */
  readonly emulation: WinHvEmulationFunctions;
  /** Beyond both. */
  readonly extensions: IcebpFunctions;
  /** The event objects that its doorbells signal; null if it has none. */
  readonly events: EventFunctions | null;
  /** How exact the system has made its timers for it, ms; null or absent where it was
   * not asked, or refused. */
  readonly timerMs?: number | null;
  /** Makes something with an address that the emulator can call. */
  callback<K extends EmulatorCallbackKind>(
    kind: K,
    fn: EmulatorCallbacks[K],
  ): CallbackHandle;
  /** As callback(), for IcebpSetDebugPointFilter; where there are debug points. */
  debugPointFilter?(fn: DebugPointFilter): CallbackHandle;
  /** As callback(), for IcebpSetStandstillCallback; where that is. Registers may be read
   * in it; nothing may be changed. */
  standstillCallback?(fn: () => void): CallbackHandle;
  /** As callback(), for IcebpSetAccessCallback; where that is. */
  accessCallback?(fn: AccessCallback): CallbackHandle;
  /** How many debug points were passed without an exit because their condition was 0. */
  passedPoints?(): number;
  /** What it did to run the guest quicker, and how often, for people; absent where that
   * is not known. */
  effort?(): readonly (readonly [name: string, count: string])[];
  /** Going back in time, where that can be. */
  readonly timeTravel?: PlatformTimeTravel;
  /** Releases the library; no call is pending and none follows. */
  close(): void;
}
