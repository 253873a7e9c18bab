// Turns of processors: no loop of a guest is always cut at the same place.

import { assertEquals } from "@std/assert";
import { LongMode } from "../debug/long_mode.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy") ||
  testPlatform() !== "soft";

Deno.test({
  name: "a lock that is free for a moment is got, wherever turns begin",
  ignore,
  async fn() {
    // Processor 0 holds the lock for 198 of the 200 instructions of its loop.
    for (let before = 0; before < 200; before += 25) {
      const guest = await LongMode.start(
        `
        cmp $0, %edi
        jne 3f
        mov $${before}, %ecx
0:      dec %ecx
        jns 0b
1:      lock btsl $0, lock
        jc 1b
        mov $97, %ecx
2:      dec %ecx
        jnz 2b
        nop
        movl $0, lock
        jmp 1b
3:      lock btsl $0, lock
        jc 3b
        mov $16, %al
        out %al, $0xf4
        .align 64
lock:   .long 0
`,
        2,
      );
      const limit = setTimeout(() => guest.debugger.interrupt(), 20_000);
      const { reason } = await guest.run();
      clearTimeout(limit);
      assertEquals(reason, { kind: "exited", code: 33 });
      guest.close();
    }
  },
});
