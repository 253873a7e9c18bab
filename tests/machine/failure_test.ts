// Setting a machine up when the platform refuses: one error that names the
// call, and nothing of the partition is left.

import { assert, assertEquals } from "@std/assert";
import { PlatformError } from "../../src/platform/errors.ts";
import { Machine } from "../../src/machine/machine.ts";
import { ToyPlatform } from "../debug/toy_platform.ts";

function make(platform: ToyPlatform): Machine {
  return new Machine({
    platform,
    guestMemory: platform.memory,
    clock: { now: () => 0n, setAlarm() {} },
    entropy: { fill() {} },
    cpus: 2,
    ramBytes: platform.memory.length,
  });
}

/** What a machine can do without: said in the log, and not an error. */
const OPTIONAL = 4; // X64MsrExitBitmap, CpuidResultList2, suspend, resume

Deno.test("any call that fails while a machine is made is told and undone", () => {
  const whole = new ToyPlatform(0x10000);
  make(whole).close();
  const setUp = whole.calls.indexOf("WHvDeleteVirtualProcessor");
  assert(setUp > 10);
  assertEquals(whole.calls.at(-1), "WHvDeletePartition");
  let survived = 0;
  for (let n = 0; n < setUp; n++) {
    const platform = new ToyPlatform(0x10000);
    platform.failIn = n;
    try {
      make(platform);
      survived++;
    } catch (error) {
      assert(error instanceof PlatformError, `call ${n}: ${error}`);
      assertEquals(error.call, platform.failed);
      const last = platform.calls.at(-1);
      assertEquals(
        last,
        n === 0 ? "WHvCreatePartition" : "WHvDeletePartition",
        `call ${n}, ${platform.failed}`,
      );
    }
  }
  assertEquals(survived, OPTIONAL);
});
