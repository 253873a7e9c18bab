/**
 * Which platform runs the guest, and what belongs to it: the memory that guests
 * live in, guest time, and whom to tell that the host wrote to that memory.
 */
import { getLogger } from "@logtape/logtape";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import type { Clock } from "../machine/device.ts";
import { WASM_PAGE_BYTES } from "../platform/aligned.ts";
import { openNative, PlatformError, WHP } from "../platform/mod.ts";
import {
  openSoft,
  type SoftPlatform,
  type TranslateMode,
} from "../soft/mod.ts";
import { HostClock } from "./host_clock.ts";
import type { ClockChoice } from "./options.ts";

const log = getLogger(["icebp", "cli"]);

/** The name that stands for the software platform. */
export const SOFT = "soft";

/** An opened platform. */
export interface OpenedPlatform {
  readonly platform: WinHvPlatform;
  readonly guestMemory: Uint8Array;
  readonly clock: Clock;
  /** The software platform itself, where it is one. */
  readonly soft?: SoftPlatform;
  onHostWrite?(gpa: number, length: number, offset: number): void;
}

/**
 * Opens what --platform names, or the best there is. Throws a PlatformError, or
 * a RangeError for memory that cannot be had.
 */
export async function openPlatform(
  choice: string | undefined,
  memoryBytes: number,
  clock: ClockChoice,
  translate?: TranslateMode,
): Promise<OpenedPlatform> {
  if (choice === undefined && Deno.build.os === "windows") {
    try {
      return openLibrary(WHP, memoryBytes);
    } catch (error) {
      const absent = error instanceof PlatformError ||
        error instanceof Deno.errors.NotCapable;
      if (!absent) throw error;
      log.warn("running in software: {why} ('icebp doctor' says more)", {
        why: error.message,
      });
    }
  }
  if (choice === undefined || choice === SOFT) {
    const soft = await openSoft({ memoryBytes, clock, translate });
    return {
      platform: soft,
      guestMemory: soft.guestMemory,
      clock: soft.clock,
      soft,
      onHostWrite: (_gpa, length, offset) => soft.hostWrote(offset, length),
    };
  }
  return openLibrary(choice, memoryBytes);
}

function openLibrary(name: string, memoryBytes: number): OpenedPlatform {
  const platform = openNative(name);
  const pages = Math.ceil(memoryBytes / WASM_PAGE_BYTES);
  let memory: WebAssembly.Memory;
  try {
    // Never grown, so that the platform may keep its address.
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    platform.close();
    throw new RangeError(`no ${memoryBytes} bytes of guest memory`, {
      cause: error,
    });
  }
  return {
    platform,
    guestMemory: new Uint8Array(memory.buffer),
    clock: new HostClock(),
  };
}
