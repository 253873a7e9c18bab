/**
 * Which platform runs the guest, and what belongs to it: the memory that guests
 * live in, guest time, and whom to tell that the host wrote to that memory.
 */
import { getLogger } from "@logtape/logtape";
import type { WinHvPlatform } from "../../ffi/mod.ts";
import type { Clock } from "../machine/device.ts";
import type { HostFacts } from "../machine/host.ts";
import { askHost } from "../machine/probe.ts";
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
const WASM_PAGE = 65536;

/** An opened platform. */
export interface OpenedPlatform {
  readonly platform: WinHvPlatform;
  readonly guestMemory: Uint8Array;
  readonly clock: Clock;
  /** The software platform itself, where it is one. */
  readonly soft?: SoftPlatform;
  /** What its host does, where it is not the software platform. */
  readonly host?: HostFacts;
  /** Opens what is to be used instead if an error says that this platform cannot be; else
   * throws the error. */
  readonly instead?: (error: unknown) => Promise<OpenedPlatform>;
  onHostWrite?(gpa: number, length: number, offset: number): void;
}

/** What --platform left open means, where it can be used. */
const PREFERRED: string | undefined = Deno.build.os === "windows"
  ? WHP
  : undefined;

/**
 * Opens what --platform names. Left open that is `preferred`, and software where that
 * cannot be used, which is said. Throws a PlatformError, or a RangeError for memory that
 * cannot be had.
 */
export async function openChosen(
  choice: string | undefined,
  memoryBytes: number,
  clock: ClockChoice,
  translate?: TranslateMode,
  preferred: string | undefined = PREFERRED,
): Promise<OpenedPlatform> {
  if (choice !== undefined || preferred === undefined) {
    return await openPlatform(choice ?? SOFT, memoryBytes, clock, translate);
  }
  const instead = (error: unknown) => {
    const unfit = error instanceof PlatformError ||
      error instanceof Deno.errors.NotCapable;
    if (!unfit) throw error;
    log.warn("running in software: {why} ('icebp doctor' says more)", {
      why: error.message,
    });
    return openPlatform(SOFT, memoryBytes, clock, translate);
  };
  try {
    return { ...await openLibrary(preferred, memoryBytes), instead };
  } catch (error) {
    return await instead(error);
  }
}

/** Makes something on an opened platform, or where that cannot be on the one that is to
 * be used instead of it; returns the platform with it. */
export async function makeOn<T>(
  opened: OpenedPlatform,
  make: (opened: OpenedPlatform) => T,
): Promise<[T, OpenedPlatform]> {
  try {
    return [make(opened), opened];
  } catch (error) {
    if (opened.instead === undefined) throw error;
    const other = await opened.instead(error);
    opened.platform.close();
    return [make(other), other];
  }
}

/** Opens the platform of a name. Throws as openChosen(). */
export async function openPlatform(
  name: string,
  memoryBytes: number,
  clock: ClockChoice,
  translate?: TranslateMode,
): Promise<OpenedPlatform> {
  if (name !== SOFT) return await openLibrary(name, memoryBytes);
  const soft = await openSoft({ memoryBytes, clock, translate });
  return {
    platform: soft,
    guestMemory: soft.guestMemory,
    clock: soft.clock,
    soft,
    onHostWrite: (_gpa, length, offset) => soft.hostWrote(offset, length),
  };
}

async function openLibrary(
  name: string,
  memoryBytes: number,
): Promise<OpenedPlatform> {
  const platform = openNative(name);
  let host: HostFacts;
  try {
    host = await askHost(platform);
  } catch (error) {
    platform.close();
    throw error;
  }
  const pages = Math.ceil(memoryBytes / WASM_PAGE);
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
    host,
  };
}
