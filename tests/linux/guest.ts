// Debian's kernel for the tests: fetched once, and a folder for each test.
import {
  type DebianGuest,
  fetchDebian,
  GuestFetchError,
} from "../guests/debian.ts";
import { requireTool } from "../util/tools.ts";

const ready = requireTool("apt-get", "apt-cache", "dpkg-deb");
let fetched: Promise<DebianGuest | null> | undefined;

/** The guest; null, said on the console, where it cannot be fetched. */
function guest(): Promise<DebianGuest | null> {
  fetched ??= fetchDebian(undefined, console.log).catch((error) => {
    if (!(error instanceof GuestFetchError)) throw error;
    console.warn(`SKIPPED: tests with Debian's kernel: ${error.message}`);
    return null;
  });
  return fetched;
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
