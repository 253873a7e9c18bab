// Watchpoints on memory that a device reads and writes by itself.

import { assertEquals } from "@std/assert";
import type { WatchAccess } from "../../src/debug/target.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

for (const way of ["memory", undefined] as const) {
  Deno.test({
    name: `a device's DMA hits watchpoints, breakpoints ${
      way === undefined ? "as the platform has them" : "in memory"
    }`,
    ignore,
    async fn() {
      const guest = await LongMode.start(
        `
loop:   mov $1, %al
        out %al, $0xd8
wrote:  mov $0, %al
        out %al, $0xd8
read:   jmp loop
        .align 4096
        .skip 24
word:   .quad 0
`,
        1,
        { breakpoints: way },
      );
      const { machine, debugger: target } = guest;
      const word = guest.symbol("word");
      const dma = machine.dma("disk9");
      // Some bytes more on either side, as a sector is.
      machine.ports.claim(0xd8, 1, {
        readPort: () => 0,
        writePort: (_port, _size, value) => {
          if (value === 1) dma.write(word - 16, new Uint8Array(64).fill(7));
          else dma.read(word - 16, new Uint8Array(64));
        },
      }, "starter");
      const kinds: [WatchAccess, string[]][] = [
        ["write", ["wrote", "wrote"]],
        ["access", ["read", "wrote", "read"]],
      ];
      for (const [kind, stops] of kinds) {
        const watch = {
          kind,
          address: BigInt(word),
          length: 8,
          conditions: [],
        };
        target.insertBreakpoint(watch);
        for (const stop of stops) {
          assertEquals((await guest.run()).reason, {
            kind: "watchpoint",
            access: kind,
            address: BigInt(word),
            device: "disk9",
          });
          assertEquals(guest.rip(), guest.symbol(stop));
        }
        target.removeBreakpoint(watch);
      }
      guest.close();
    },
  });
}
