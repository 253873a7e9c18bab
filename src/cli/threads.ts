/** How many processors can run at once on a platform of threads. */
import { UsageError } from "./values.ts";

/** Threads that stay free for files and doorbells. */
const OTHER_THREADS = 4;
/** Threads that Deno has for nonblocking calls; on Windows so many for each logical
 * processor. */
const POOL = 32, WINDOWS_POOL = 4;

/** The most processors that a host with `logical` processors runs: one that is in the
 * platform's run call, be it halted, holds a thread. */
export function mostProcessors(os: string, logical: number): number {
  const threads = os === "windows" ? WINDOWS_POOL * logical : POOL;
  return Math.max(threads - OTHER_THREADS, 1);
}

/** Throws a UsageError for more processors than can wait at a time. */
export function refuseTooMany(
  cpus: number,
  os: string = Deno.build.os,
  logical: number = navigator.hardwareConcurrency,
): void {
  const most = mostProcessors(os, logical);
  if (cpus <= most) return;
  throw new UsageError(
    `--cpus ${cpus}: this platform runs ${most} processors at most, for each ` +
      "holds a thread of Deno's; --platform soft runs 64",
  );
}
