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

/** One C parameter as a JavaScript value. */
export type Argument<T> = T extends "buffer" ? ArrayBufferView | null
  : T extends "u64" ? bigint
  : number;

/** The parameters of a C function. */
export type Arguments<P extends readonly unknown[]> = {
  -readonly [I in keyof P]: Argument<P[I]>;
};

/** An HRESULT, or a promise of one if the call is nonblocking. */
export type Result<D> = D extends { nonblocking: true } ? Promise<number>
  : number;

/** A C function of a symbol table. */
export type CFunction<D> = D extends
  { parameters: infer P extends readonly unknown[] }
  ? (...args: Arguments<P>) => Result<D>
  : never;

/** The functions of a symbol table; the optional ones may be null. */
export type Functions<Table> = {
  readonly [N in keyof Table]: Table[N] extends { optional: true }
    ? CFunction<Table[N]> | null
    : CFunction<Table[N]>;
};

/**
 * The functions of WinHvPlatform.dll; null are those that this provider's
 * version lacks. The result is an HRESULT. A caller keeps a reference to every
 * buffer that a pending `WHvRunVirtualProcessor` writes to.
 */
export type WinHvPlatformFunctions = Functions<typeof winhvplatform>;

/** The functions of WinHvEmulation.dll. The result is an HRESULT. */
export type WinHvEmulationFunctions = Functions<typeof winhvemulation>;

/** What only this project's own implementations have; null is what this
 * provider lacks. The result is an HRESULT. */
export type IcebpFunctions = Functions<typeof icebp & typeof debugPoints>;

/** Of a provider that has nothing of its own. */
export const noExtensions: IcebpFunctions = Object.fromEntries(
  Object.keys({ ...icebp, ...debugPoints }).map((name) => [name, null]),
) as unknown as IcebpFunctions;

/** Asked at an instruction point: 0 to go on, without an exit. The processor's registers
 * may be read; nothing may be changed. */
export type DebugPointFilter = (vp: number, identifier: number) => number;

/** Asked about an access of a processor to a device (ICEBP_ACCESS); an IcebpAnswer. The
 * processor's registers may be read, RIP is the instruction's; devices may do what they
 * do in an exit. */
export type AccessCallback = (vp: number, access: DataView) => number;

/** A C function that calls into JavaScript, until it is closed. */
export interface CallbackHandle {
  /** What goes into WHV_EMULATOR_CALLBACKS. */
  readonly address: bigint;
  /** Releases the function; nothing calls it any more. */
  close(): void;
}

/** One provider of the platform's functions. */
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
  /** What it did to run the guest quicker, and how often, for people; absent where that
   * is not known. */
  effort?(): readonly (readonly [name: string, count: string])[];
  /** Going back in time, where that can be. */
  readonly timeTravel?: PlatformTimeTravel;
  /** Releases the library; no call is pending and none follows. */
  close(): void;
}
