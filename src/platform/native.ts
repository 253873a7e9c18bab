// Opens a library that exports the platform's functions: Windows' own, or one
// named by its path.

import {
  type CallbackHandle,
  type DebugPointFilter,
  debugPoints,
  type EmulatorCallbackKind,
  type EmulatorCallbacks,
  emulatorCallbacks,
  icebp,
  type IcebpFunctions,
  winhvemulation,
  type WinHvEmulationFunctions,
  type WinHvPlatform,
  winhvplatform,
  type WinHvPlatformFunctions,
} from "../../ffi/mod.ts";
import { type EventFunctions, kernel32 } from "../../ffi/kernel32.ts";
import {
  WHV_EMULATOR_IO_ACCESS_INFO,
  WHV_EMULATOR_MEMORY_ACCESS_INFO,
} from "../../ffi/emulator.ts";
import { debugPointFilter } from "../../ffi/debug_points.ts";
import { standstillCallback } from "../../ffi/icebp.ts";
import { HResult } from "../../ffi/hresult.ts";
import { readCapabilities } from "./capabilities.ts";
import { ENABLE_PLATFORM, PlatformError } from "./errors.ts";
import { TimerPeriod } from "./timer_period.ts";
import { VALUE_SIZE } from "./virtual_processor.ts";

/** The name that stands for Windows' own libraries. */
export const WHP = "whp";

/**
 * Opens `whp`, which is WinHvPlatform.dll and WinHvEmulation.dll, or a library
 * by its path; the emulator's functions may be in the same library or in one
 * beside it with Emulation for Platform in its name. Needs --allow-ffi.
 *
 * @throws {PlatformError} The library is missing or lacks a function, or there
 * is no hypervisor.
 *
 * @example
 * ```ts
 * import { openNative, PlatformError } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // Falls back where the platform is not there.
 * const platform = (() => {
 *   try {
 *     return openNative("/nowhere/libWinHvPlatform.so");
 *   } catch (error) {
 *     if (error instanceof PlatformError) return null;
 *     throw error;
 *   }
 * })();
 * assertEquals(platform, null);
 * ```
 */
export function openNative(
  name: string,
  arch: string = Deno.build.arch,
): WinHvPlatform {
  if (name === WHP && arch !== "x86_64") {
    // Windows on Arm has a platform of the same name, for Arm guests.
    throw new PlatformError("dlopen", HResult.E_NOTIMPL, {
      detail: "WinHvPlatform.dll",
      meaning: `this host is ${arch}, its platform runs no x86-64 guests`,
      remedy: "use --platform soft",
    });
  }
  const paths = name === WHP
    ? { platform: "WinHvPlatform.dll", emulation: ["WinHvEmulation.dll"] }
    : { platform: name, emulation: [name, beside(name)] };
  const platform = open(
    paths.platform,
    { ...winhvplatform, ...icebp, ...debugPoints },
    name,
  );
  let emulation;
  try {
    emulation = openFirst(paths.emulation, name);
  } catch (error) {
    platform.close();
    throw error;
  }
  const native = new NativePlatform(
    name,
    platform,
    emulation,
    openEvents(paths.platform),
  );
  try {
    requireHypervisor(native);
  } catch (error) {
    native.close();
    throw error;
  }
  return native;
}

function requireHypervisor(native: WinHvPlatform): void {
  if (readCapabilities(native).hypervisorPresent) return;
  throw new PlatformError(
    "WHvGetCapability",
    HResult.WHV_E_UNSUPPORTED_HYPERVISOR_CONFIG,
    {
      detail: "HypervisorPresent",
      meaning: "no hypervisor is running",
      remedy: ENABLE_PLATFORM,
    },
  );
}

/** `dir/libWinHvPlatform.so` has `dir/libWinHvEmulation.so` beside it. */
function beside(path: string): string {
  const slash = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  return path.slice(0, slash) + path.slice(slash).replace(
    /platform/i,
    (word) => word[0] === "P" ? "Emulation" : "emulation",
  );
}

function open<S extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: S,
  provider: string,
): Deno.DynamicLibrary<S> {
  try {
    return Deno.dlopen(path, symbols);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw new PlatformError("dlopen", HResult.E_NOTIMPL, {
      detail: path,
      // Windows ends its messages with a line break.
      meaning: (error instanceof Error ? error.message : String(error))
        .replaceAll(/\s+/g, " ").replace(/[. ]+$/, ""),
      remedy: provider === WHP
        ? ENABLE_PLATFORM
        : "check the path and that the library exports the functions of " +
          "winhvplatform.h and winhvemulation.h",
      cause: error,
    });
  }
}

function openFirst(
  paths: readonly string[],
  provider: string,
): Deno.DynamicLibrary<typeof winhvemulation> {
  let first: unknown;
  for (const path of paths) {
    try {
      return open(path, winhvemulation, provider);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

/** The system's event objects; elsewhere the library may have such. */
function openEvents(path: string): EventLibrary | null {
  const library = Deno.build.os === "windows" ? "kernel32.dll" : path;
  try {
    return Deno.dlopen(library, kernel32);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return null;
  }
}

type EventLibrary = Deno.DynamicLibrary<typeof kernel32>;

class NativePlatform implements WinHvPlatform {
  readonly name: string;
  readonly platform: WinHvPlatformFunctions;
  readonly emulation: WinHvEmulationFunctions;
  readonly extensions: IcebpFunctions;
  readonly events: EventFunctions | null;
  readonly timerMs: number | null;
  readonly #timerPeriod = TimerPeriod.ask();
  readonly #libraries: { close(): void }[];

  constructor(
    name: string,
    platform: Deno.DynamicLibrary<
      typeof winhvplatform & typeof icebp & typeof debugPoints
    >,
    emulation: Deno.DynamicLibrary<typeof winhvemulation>,
    events: EventLibrary | null,
  ) {
    this.name = name;
    // Deno's types want views of unshared memory only; ours are, but the seam
    // does not spell it out.
    this.platform = platform.symbols as unknown as WinHvPlatformFunctions;
    this.extensions = platform.symbols as unknown as IcebpFunctions;
    this.emulation = emulation.symbols as unknown as WinHvEmulationFunctions;
    this.events = events === null
      ? null
      : events.symbols as unknown as EventFunctions;
    this.timerMs = this.#timerPeriod?.ms ?? null;
    this.#libraries = [emulation, platform];
    if (events !== null) this.#libraries.push(events);
  }

  debugPointFilter(fn: DebugPointFilter): CallbackHandle {
    return handleOf(new Deno.UnsafeCallback(debugPointFilter, fn));
  }

  standstillCallback(fn: () => void): CallbackHandle {
    return handleOf(new Deno.UnsafeCallback(standstillCallback, fn));
  }

  callback<K extends EmulatorCallbackKind>(
    kind: K,
    fn: EmulatorCallbacks[K],
  ): CallbackHandle {
    return callbackMakers[kind](fn);
  }

  close(): void {
    this.#timerPeriod?.end();
    for (const library of this.#libraries) library.close();
  }
}

/** `bytes` of the memory at `pointer`, while the callback runs. */
function viewAt(pointer: Deno.PointerValue, bytes: number): Uint8Array {
  if (pointer === null) return new Uint8Array(0);
  return new Uint8Array(
    Deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
  );
}

function handleOf(callback: {
  readonly pointer: Deno.PointerValue;
  close(): void;
}): CallbackHandle {
  return {
    address: BigInt(Deno.UnsafePointer.value(callback.pointer)),
    close: () => callback.close(),
  };
}

/** For each kind, how the C parameters become the JavaScript ones. */
const callbackMakers: {
  [K in EmulatorCallbackKind]: (fn: EmulatorCallbacks[K]) => CallbackHandle;
} = {
  ioPort: (fn) =>
    handleOf(
      new Deno.UnsafeCallback(
        emulatorCallbacks.ioPort,
        (context, access) =>
          fn(context, viewAt(access, WHV_EMULATOR_IO_ACCESS_INFO.size)),
      ),
    ),
  memory: (fn) =>
    handleOf(
      new Deno.UnsafeCallback(
        emulatorCallbacks.memory,
        (context, access) =>
          fn(context, viewAt(access, WHV_EMULATOR_MEMORY_ACCESS_INFO.size)),
      ),
    ),
  getRegisters: (fn) =>
    handleOf(
      new Deno.UnsafeCallback(
        emulatorCallbacks.getRegisters,
        (context, names, count, values) =>
          fn(
            context,
            viewAt(names, count * 4),
            count,
            viewAt(values, count * VALUE_SIZE),
          ),
      ),
    ),
  setRegisters: (fn) =>
    handleOf(
      new Deno.UnsafeCallback(
        emulatorCallbacks.setRegisters,
        (context, names, count, values) =>
          fn(
            context,
            viewAt(names, count * 4),
            count,
            viewAt(values, count * VALUE_SIZE),
          ),
      ),
    ),
  translateGvaPage: (fn) =>
    handleOf(
      new Deno.UnsafeCallback(
        emulatorCallbacks.translateGvaPage,
        (context, gva, flags, code, gpa) =>
          fn(context, gva, flags, viewAt(code, 4), viewAt(gpa, 8)),
      ),
    ),
};
