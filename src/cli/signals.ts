/** Signals that ask the program to end. */

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Calls `end` when one comes, until closed. */
export function signalsEnd(end: () => void): { close(): void } {
  const listeners = SIGNALS.map((signal) => {
    Deno.addSignalListener(signal, end);
    return () => Deno.removeSignalListener(signal, end);
  });
  return { close: () => listeners.forEach((remove) => remove()) };
}
