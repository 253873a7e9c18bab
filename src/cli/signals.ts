/** Signals that ask the program to end. */

/** Exit codes as shells have them: 128 and the signal's number. */
const SIGNALS: Partial<Record<Deno.Signal, number>> =
  Deno.build.os === "windows"
    ? { SIGINT: 130, SIGBREAK: 149 }
    : { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Calls `end` with an exit code when one comes, until closed. */
export function signalsEnd(end: (code: number) => void): { close(): void } {
  const listeners = Object.entries(SIGNALS).map(([signal, code]) => {
    const listener = () => end(code);
    Deno.addSignalListener(signal as Deno.Signal, listener);
    return () => Deno.removeSignalListener(signal as Deno.Signal, listener);
  });
  return { close: () => listeners.forEach((remove) => remove()) };
}
