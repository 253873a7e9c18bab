// Debian's kernel for the tests: fetched once, and a folder for each test.
import {
  type DebianGuest,
  fetchDebian,
  fetchShared,
  GuestFetchError,
  type SharedPrograms,
} from "../guests/debian.ts";
import { requireTool } from "../util/tools.ts";

const ready = requireTool("apt-get", "apt-cache", "dpkg-deb");
let fetched: Promise<DebianGuest | null> | undefined;
let sharing: Promise<SharedPrograms | null> | undefined;

/** Null, said on the console, for what cannot be fetched. */
function orSkip<T>(what: string, fetching: Promise<T>): Promise<T | null> {
  return fetching.catch((error) => {
    if (!(error instanceof GuestFetchError)) throw error;
    console.warn(`SKIPPED: tests with ${what}: ${error.message}`);
    return null;
  });
}

/** The guest; null where it cannot be fetched. */
function guest(): Promise<DebianGuest | null> {
  fetched ??= orSkip("Debian's kernel", fetchDebian(undefined, console.log));
  return fetched;
}

/** Programs that share libc; null where they cannot be fetched. */
export function sharedPrograms(): Promise<SharedPrograms | null> {
  sharing ??= orSkip("Debian's libc", fetchShared(undefined, console.log));
  return sharing;
}

/** Runs `fn` with the guest and a folder of its own. */
export function linuxTest(
  name: string,
  fn: (guest: DebianGuest, folder: string) => Promise<void>,
  wanted = true,
): void {
  Deno.test({
    name,
    ignore: !ready || !wanted,
    fn: async () => {
      const found = await guest();
      if (found === null) return;
      const folder = await Deno.makeTempDir();
      try {
        await fn(found, folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
