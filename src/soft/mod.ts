// The software platform: WinHvPlatform.dll's and WinHvEmulation.dll's functions,
// implemented by a WebAssembly module (src/soft/core). Deterministic, needs nothing
// installed and no permission.

import type {
  AccessCallback,
  CallbackHandle,
  DebugPointFilter,
  EmulatorCallbackKind,
  EmulatorCallbacks,
  IcebpFunctions,
  PlatformTimeTravel,
  WinHvEmulationFunctions,
  WinHvPlatform,
  WinHvPlatformFunctions,
} from "../../ffi/mod.ts";
import { SoftEmulator } from "./emulator.ts";
import { softExtensions } from "./extensions.ts";
import { softFunctions } from "./functions.ts";
import { GUEST } from "./core/layout.ts";
import {
  COUNTER_BESIDE_CODE,
  COUNTER_CACHE_FLUSHES,
  COUNTER_DECODED,
  COUNTER_EVENTS,
  COUNTER_INVALIDATED,
  COUNTER_LEFT_BY_HANDLER,
  COUNTER_LEFT_FOR_OTHER,
  COUNTER_LEFT_FOR_REGION,
  COUNTER_PASSED,
  COUNTER_TLB_FLUSHES,
  COUNTER_TLB_MISSES,
  COUNTER_TOO_SHORT,
  COUNTER_TRANSLATED,
} from "./core/shared.ts";
import { type Instance, instantiate, MAX_GUEST_BYTES } from "./module.ts";
import { type ClockMode, Scheduler } from "./scheduler.ts";
import { SoftTimeTravel } from "./time_travel.ts";
import { type TranslateMode, Translator } from "./translate/translator.ts";

export { CORE_IDENTITY as SOFT_FORMAT, MAX_GUEST_BYTES } from "./module.ts";
export type { ClockMode } from "./scheduler.ts";
export type { TranslateMode } from "./translate/translator.ts";

/**
 * How to open the software platform.
 *
 * @example
 * ```ts
 * import {
 *   openSoft,
 *   type SoftOptions,
 *   type TranslateMode,
 * } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const translate: TranslateMode = "never";
 * const options: SoftOptions = { memoryBytes: 1 << 20, translate };
 * const platform = await openSoft(options);
 * assertEquals(platform.effort(), []); // nothing is translated
 * ```
 */
export interface SoftOptions {
  /** Bytes of guest memory; rounded up to 64 KiB. At most MAX_GUEST_BYTES. */
  readonly memoryBytes: number;
  /** What happens to guest time while all processors wait; default "virtual". */
  readonly clock?: ClockMode;
  /** Whether hot guest code becomes WebAssembly; default "auto". */
  readonly translate?: TranslateMode;
  /** Most translated regions that are kept at a time; default 4,096. */
  readonly regions?: number;
}

/**
 * How often the core did what costs.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, type SoftCounters } from "@icebp/icebp";
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
 * await vp.run();
 * const counters: SoftCounters = platform.counters();
 * assertEquals(counters.events, 0n); // no interrupt, no exception
 * ```
 */
export interface SoftCounters {
  /** Instructions decoded. */
  readonly decoded: bigint;
  /** Decoded ones thrown away because their bytes changed. */
  readonly invalidated: bigint;
  /** The cache of decoded ones emptied. */
  readonly cacheFlushes: bigint;
  /** Accesses that missed the TLB; one that crosses a page misses both. */
  readonly tlbMisses: bigint;
  /** TLBs emptied. */
  readonly tlbFlushes: bigint;
  /** Interrupts and exceptions delivered. */
  readonly events: bigint;
  /** Debug points passed without an exit because their condition was 0. */
  readonly passed: bigint;
  /** Of the misses: writes to pages that hold decoded code. They always miss, for the
   * code may change by them. */
  readonly besideCode: bigint;
  /** Instructions that translated code executed. */
  readonly translated: bigint;
  /** How often translated code was left for other translated code. */
  readonly leftForRegion: bigint;
  /** For code that is interpreted. */
  readonly leftForOther: bigint;
  /** By an instruction's handler, which had the loop look at something. */
  readonly leftByHandler: bigint;
  /** Not entered: the turn had fewer instructions left than have to run at once. */
  readonly tooShort: bigint;
}

/** Which of the module's counters each is. */
const COUNTERS: Record<keyof SoftCounters, number> = {
  decoded: COUNTER_DECODED,
  invalidated: COUNTER_INVALIDATED,
  cacheFlushes: COUNTER_CACHE_FLUSHES,
  tlbMisses: COUNTER_TLB_MISSES,
  tlbFlushes: COUNTER_TLB_FLUSHES,
  events: COUNTER_EVENTS,
  passed: COUNTER_PASSED,
  besideCode: COUNTER_BESIDE_CODE,
  translated: COUNTER_TRANSLATED,
  leftForRegion: COUNTER_LEFT_FOR_REGION,
  leftForOther: COUNTER_LEFT_FOR_OTHER,
  leftByHandler: COUNTER_LEFT_BY_HANDLER,
  tooShort: COUNTER_TOO_SHORT,
};

/**
 * Guest time: counted instructions.
 *
 * @example
 * ```ts
 * import { openSoft, Partition, type SoftClock } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 0x10000 });
 * const partition = Partition.create(platform);
 * partition.setProcessorCount(1);
 * partition.setup();
 * // Processors begin at 0xFFFFFFF0, the last 16 bytes below 4 GiB.
 * platform.guestMemory.set([0x90, 0x90, 0xe6, 0x80], 0xfff0); // 2 nop; out
 * partition.mapGpaRange(platform.guestMemory, 0xffff0000, 7);
 * const vp = partition.createVirtualProcessor(0);
 * await vp.run();
 * const clock: SoftClock = platform.clock;
 * assertEquals(clock.instructions(), 3n);
 * ```
 */
export class SoftClock {
  readonly #instance: Instance;
  readonly #scheduler: Scheduler;

  /** Use {@linkcode openSoft}. */
  constructor(instance: Instance, scheduler: Scheduler) {
    this.#instance = instance;
    this.#scheduler = scheduler;
  }

  /** Guest time in ns. */
  now(): bigint {
    return this.#instance.core.guestTime();
  }

  /** Instructions that all processors together have completed. */
  instructions(): bigint {
    return this.#instance.core.instructions();
  }

  /** Calls `fn` once when guest time has reached `ns`; null disarms. One alarm exists. */
  setAlarm(ns: bigint | null, fn: () => void): void {
    this.#scheduler.setAlarm(ns, fn);
  }

  /** Whether idle time is skipped or slept through. */
  set mode(mode: ClockMode) {
    this.#scheduler.mode = mode;
  }
}

/**
 * The software platform as a provider of the seam.
 *
 * @example
 * ```ts
 * import { openSoft, type SoftPlatform } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform: SoftPlatform = await openSoft({ memoryBytes: 1 << 20 });
 * assertEquals(platform.name, "soft");
 * assertEquals(platform.guestMemory.length, 1 << 20);
 * platform.close();
 * ```
 */
export class SoftPlatform implements WinHvPlatform {
  readonly name = "soft";
  readonly platform: WinHvPlatformFunctions;
  readonly emulation: WinHvEmulationFunctions;
  readonly extensions: IcebpFunctions;
  readonly events = null;
  /** Snapshots and replays. */
  readonly timeTravel: PlatformTimeTravel;
  /** Guest time. */
  readonly clock: SoftClock;
  /** The memory that WHvMapGpaRange can map; page aligned. */
  readonly guestMemory: Uint8Array;
  readonly #instance: Instance;
  readonly #scheduler: Scheduler;
  readonly #emulator: SoftEmulator;

  /** Use {@linkcode openSoft}. */
  constructor(
    instance: Instance,
    emulator: SoftEmulator,
    mode: ClockMode,
    translate: TranslateMode,
    regions?: number,
  ) {
    this.#instance = instance;
    this.#scheduler = new Scheduler(instance);
    this.#scheduler.mode = mode;
    if (translate !== "never") {
      this.#scheduler.translator = new Translator(
        instance,
        translate,
        regions,
      );
    }
    this.#emulator = emulator;
    emulator.access = (vp) => this.#scheduler.access(vp);
    this.platform = softFunctions(instance, this.#scheduler);
    this.emulation = emulator.functions(instance);
    this.extensions = softExtensions(
      instance,
      this.#scheduler,
      (address) => emulator.called(address),
    );
    this.timeTravel = new SoftTimeTravel(instance, this.#scheduler);
    this.clock = new SoftClock(instance, this.#scheduler);
    this.guestMemory = instance.memory.subarray(GUEST);
  }

  /** Gives a JavaScript function an address for WHvEmulatorCreateEmulator. */
  callback<K extends EmulatorCallbackKind>(
    kind: K,
    fn: EmulatorCallbacks[K],
  ): CallbackHandle {
    return this.#emulator.callback(kind, fn);
  }

  /** Gives a JavaScript function an address for IcebpSetDebugPointFilter. */
  debugPointFilter(fn: DebugPointFilter): CallbackHandle {
    return this.#emulator.register(fn);
  }

  /** Gives a JavaScript function an address for IcebpSetStandstillCallback. */
  standstillCallback(fn: () => void): CallbackHandle {
    return this.#emulator.register(fn);
  }

  /** Gives a JavaScript function an address for IcebpSetAccessCallback. */
  accessCallback(fn: AccessCallback): CallbackHandle {
    return this.#emulator.register(fn);
  }

  /** To be called after the host wrote guestMemory: decoded code there is stale. */
  hostWrote(offset: number, bytes: number): void {
    this.#instance.core.hostWrote(GUEST + offset, bytes);
    this.#scheduler.changes++;
  }

  /** What the core has counted since the start. */
  counters(): SoftCounters {
    const { core } = this.#instance;
    return Object.fromEntries(
      Object.entries(COUNTERS).map(([name, n]) => [name, core.counter(n)]),
    ) as unknown as SoftCounters;
  }

  /** Debug points passed without an exit because their condition was 0. */
  passedPoints(): number {
    return Number(this.#instance.core.counter(COUNTER_PASSED));
  }

  /** What translation did (translate/translator.ts); nothing where there is none. */
  effort(): readonly (readonly [name: string, count: string])[] {
    const made = this.#scheduler.translator?.counters();
    const counters = this.counters();
    if (made === undefined) return [];
    const all = Number(this.clock.instructions());
    const ran = Number(counters.translated);
    const percent = all === 0 ? 0 : ran / all * 100;
    return [
      ["ran translated", `${ran} (${percent.toFixed(1)} %)`],
      ["regions", `${made.regions} of ${made.translated} made`],
      [
        "in them",
        `${made.translatedInstructions} instructions, ` +
        `${Math.ceil(made.translatedBytes / 1024)} KiB`,
      ],
      ["left for others", String(counters.leftForRegion)],
      ["left for interpreted code", String(counters.leftForOther)],
      ["left by a handler", String(counters.leftByHandler)],
      ["not entered, turn too short", String(counters.tooShort)],
      [
        "time translating",
        `${(made.translatingMs / 1000).toFixed(2)} s, at most ` +
        `${made.longestMs.toFixed(1)} ms at once`,
      ],
    ];
  }

  /** Instructions that one processor has completed. */
  instructionsOf(vp: number): bigint {
    return this.#instance.core.vpInstructions(vp);
  }

  /** Releases timers; no call is pending. */
  close(): void {
    this.#scheduler.close();
  }
}

let defaultTranslation: TranslateMode = "auto";

/** What openSoft() takes where nobody says; tests run with each. */
export function setDefaultTranslation(mode: TranslateMode): void {
  defaultTranslation = mode;
}

/**
 * Opens the software platform.
 *
 * @throws {RangeError} For memory that it cannot have.
 *
 * @example
 * ```ts
 * import { openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * const platform = await openSoft({ memoryBytes: 100_000 });
 * assertEquals(platform.guestMemory.length, 2 * 65536);
 * platform.close();
 * ```
 */
export async function openSoft(options: SoftOptions): Promise<SoftPlatform> {
  const bytes = Math.ceil(options.memoryBytes / 65536) * 65536;
  if (!(bytes > 0) || bytes > MAX_GUEST_BYTES) {
    throw new RangeError(
      `guest memory of ${options.memoryBytes} bytes: the software platform has ` +
        `room for ${MAX_GUEST_BYTES / 2 ** 20} MiB at most`,
    );
  }
  const emulator = new SoftEmulator();
  const instance = await instantiate(bytes, emulator.host);
  return new SoftPlatform(
    instance,
    emulator,
    options.clock ?? "virtual",
    options.translate ?? defaultTranslation,
    options.regions,
  );
}
