// Repeated string instructions, stepped: an iteration a step, as the trap flag has it.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Each with its iterations: scan and compare end by what they find. */
const REPEATED: readonly (readonly [instruction: string, steps: number])[] = [
  ["rep movsb", 9],
  ["rep movsq", 9],
  ["std; rep movsw; cld", 9],
  ["rep stosb", 9],
  ["rep stosl", 9],
  ["rep lodsb", 9],
  ["repe scasb", 9],
  ["repne scasb", 1],
  ["repe cmpsb", 9],
  ["repne cmpsw", 1],
];

for (const [instruction, steps] of REPEATED) {
  Deno.test({
    name: `stepped: ${instruction}, an iteration each`,
    ignore,
    async fn() {
      const before = instruction.startsWith("std") ? "std" : "nop";
      const own = instruction.replace(/^std; |; cld$/g, "");
      const guest = await LongMode.start(`
        xor %eax, %eax
        mov $0x181000, %esi
        mov $0x182000, %edi
        mov $9, %ecx
        ${before}
place:  ${own}
after:  cld
        jmp after
`);
      try {
        // Also where a breakpoint is.
        guest.break("place");
        await guest.run();
        for (let n = 1; n <= steps; n++) {
          assertEquals(guest.rip(), guest.symbol("place"));
          await guest.resume("step");
          assertEquals(guest.reg(Reg.Rcx), BigInt(9 - n));
        }
        assertEquals(guest.rip(), guest.symbol("after"));
      } finally {
        guest.close();
      }
    },
  });
}
