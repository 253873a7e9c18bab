// Snapshots that are made on the way to where a debugger goes: they change nothing of
// what is there.

import { assert, assertEquals } from "@std/assert";
import { History } from "../../src/history/history.ts";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { digest } from "./digest.ts";
import { WORK } from "./work.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft" ||
  Deno.env.get("ICEBP_TEST_BREAKPOINTS") === "memory";

for (const cpus of [1, 2]) {
  Deno.test({
    name: `back from places whose way has a snapshot: ${cpus} processors`,
    ignore,
    async fn() {
      const guest = await LongMode.start(WORK, cpus);
      const history = new History(guest.machine, { bytes: 512 << 20 });
      guest.debugger.keepHistory(history);
      const look = setInterval(() => {
        if (history.now().instructions > 9_000_000n) {
          guest.debugger.interrupt();
        }
      }, 1);
      await guest.run();
      clearInterval(look);
      const end = await digest(guest.machine);
      // More places than such snapshots are kept.
      const places = Array.from(
        { length: 10 },
        (_, i) => 500_000n + BigInt(i * 7 % 10) * 830_003n,
      );
      const seen = new Map<bigint, string>();
      const visit = async (at: bigint, near: boolean) => {
        await history.goTo(at, near);
        assertEquals(history.now().instructions, at);
        const now = await digest(guest.machine);
        assertEquals(now, seen.get(at) ?? now, `${at}`);
        seen.set(at, now);
      };
      const back = [0n, 1n, 2n, 777n, 19_000n, 30_000n];
      for (const place of places) {
        for (const by of back) await visit(place - by, false);
      }
      const before = history.snapshots;
      for (const place of places) {
        for (const by of back) await visit(place - by, true);
        const close = history.before(place);
        assert(close !== null && place - close <= 60_000n, `${close} ${place}`);
      }
      assert(history.snapshots <= before + 8);
      // In another order, and through what was taken away again.
      for (const place of places.toReversed()) {
        for (const by of back.toReversed()) await visit(place - by, false);
      }
      await history.goTo(0n);
      await history.replay(history.end().instructions, () => "go on");
      assertEquals(await digest(guest.machine), end);
      guest.close();
    },
  });
}
