// Breakpoints in code that is not mapped when the guest starts.

import { assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const PML4 = 0x1000, PDPT = 0x10000, PD = 0x3000;
const HIGH = 0xffffffff80000000n;

/** Maps itself high up after a while, goes there, and ends after some seconds. */
const GUEST = `
        mov $30000000, %ecx
1:      loop 1b
        movq $${PDPT | 3}, ${PML4 + 511 * 8}
        movq $${PD | 3}, ${PDPT + 510 * 8}
        movabs $${HIGH}, %rdx
        lea high(%rip), %rcx
        add %rdx, %rcx
        mov $100000000, %ebx
2:      call *%rcx
        dec %ebx
        jnz 2b
        out %al, $0xf4
high:   nop
        ret
`;

Deno.test({
  name: "more breakpoints wait for their code than there are debug registers",
  ignore,
  async fn() {
    const guest = await LongMode.start(GUEST);
    const high = HIGH + BigInt(guest.symbol("high"));
    for (let i = 0n; i < 8n; i++) guest.break(HIGH + 0x200000n + i * 0x1000n);
    guest.break(high);
    for (let turn = 0; turn < 2; turn++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.reg(Reg.Rip), high);
    }
    guest.close();
  },
});
