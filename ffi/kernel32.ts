// The part of kernel32.dll that doorbells need: event objects. The prototypes are
// those of synchapi.h and handleapi.h.

/** The exports of kernel32.dll that are used. */
export const kernel32 = {
  /** Returns the event's HANDLE, 0 on failure. */
  CreateEventW: {
    parameters: [
      "buffer", // LPSECURITY_ATTRIBUTES lpEventAttributes
      "i32", // WINBOOL bManualReset
      "i32", // WINBOOL bInitialState
      "buffer", // LPCWSTR lpName
    ],
    result: "u64",
  },
  /** Returns 0 on failure. */
  SetEvent: {
    parameters: [
      "u64", // HANDLE hEvent
    ],
    result: "i32",
  },
  /** Returns WAIT_OBJECT_0, that is 0, when the event was set. */
  WaitForSingleObject: {
    parameters: [
      "u64", // HANDLE hHandle
      "u32", // DWORD dwMilliseconds
    ],
    result: "u32",
    nonblocking: true,
  },
  /** Returns 0 on failure. */
  CloseHandle: {
    parameters: [
      "u64", // HANDLE hObject
    ],
    result: "i32",
  },
} as const;

/** INFINITE of winbase.h: no time-out. */
export const INFINITE = 0xffffffff;

/**
 * The functions, as the library's or another's of the same meaning.
 *
 * @example
 * ```ts
 * import { type EventFunctions, openSoft } from "@icebp/icebp";
 * import { assertEquals } from "@std/assert";
 *
 * // Who has doorbells has events for them.
 * const { events } = await openSoft({ memoryBytes: 65536 });
 * const made = (functions: EventFunctions | null): boolean =>
 *   functions !== null && functions.CreateEventW(null, 0, 0, null) !== 0n;
 * assertEquals(made(events), false);
 * ```
 */
export interface EventFunctions {
  /** A new event's HANDLE; 0 on failure. */
  CreateEventW(
    attributes: null,
    manualReset: number,
    initialState: number,
    name: null,
  ): bigint;
  /** Lets one wait for it end; 0 on failure. */
  SetEvent(event: bigint): number;
  /** Resolves with 0 when the event was set. */
  WaitForSingleObject(event: bigint, milliseconds: number): Promise<number>;
  /** Releases it; 0 on failure. */
  CloseHandle(event: bigint): number;
}
