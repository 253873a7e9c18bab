// The part of winmm.dll that asks for exact timers. The prototypes are those of
// timeapi.h.

/** The exports of winmm.dll that are used. */
export const winmm = {
  /** Returns TIMERR_NOERROR, that is 0, or why not. */
  timeBeginPeriod: {
    parameters: [
      "u32", // UINT uPeriod
    ],
    result: "u32",
  },
  /** Takes back timeBeginPeriod() with the same period. */
  timeEndPeriod: {
    parameters: [
      "u32", // UINT uPeriod
    ],
    result: "u32",
  },
} as const;
