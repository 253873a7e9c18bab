// Breakpoints in programs, with more than one of them at an address, in memory and in
// debug registers.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import type { LongMode } from "./long_mode.ts";
import { PROGRAM, SECOND, twoPrograms } from "./two_programs.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");
const memory = { breakpoints: "memory" } as const;

const inSecond = (guest: LongMode) => guest.reg(Reg.Cr3) === BigInt(SECOND);

for (const rights of [3, 7]) {
  Deno.test({
    name:
      `debug registers stop in a program that comes later, rights ${rights}`,
    ignore,
    async fn() {
      const guest = await twoPrograms(
        "mov $0xa, %ebx; nop; ret",
        "mov $0xb, %ebx; nop; ret",
        rights,
        memory,
      );
      guest.break(PROGRAM + 5);
      for (const rbx of [0xan, 0xbn, 0xan, 0xbn]) {
        assertEquals((await guest.run()).reason, { kind: "breakpoint" });
        assertEquals([guest.rip(), guest.reg(Reg.Rbx)], [PROGRAM + 5, rbx]);
      }
      guest.close();
    },
  });
}

Deno.test({
  name: "in memory a breakpoint is in the programs that are the same there",
  ignore,
  async fn() {
    const guest = await twoPrograms(
      "mov $0xa, %ebx; nop; ret; .fill 64, 1, 0x90",
      "mov $0xb, %ebx; nop; ret; .fill 64, 1, 0x90",
      7,
      memory,
    );
    guest.takeDebugRegisters();
    guest.break(PROGRAM + 5);
    guest.break("turn");
    // The second space has not been seen in the first turn.
    const seen: bigint[] = [];
    for (let stops = 0; stops < 8; stops++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      if (guest.rip() === PROGRAM + 5) seen.push(guest.reg(Reg.Rbx));
    }
    assertEquals(seen, [0xan, 0xan, 0xbn, 0xan, 0xbn]);
    guest.close();
  },
});

Deno.test({
  name: "in memory it changes no byte of another program, whoever is stopped",
  ignore,
  async fn() {
    // The breakpoint's address is inside of the second one's instruction.
    const guest = await twoPrograms(
      "mov $0xa, %ebx; nop; ret",
      "mov $0x1122334455667788, %rbx; mov %rbx, %rdx; ret",
      7,
      memory,
    );
    guest.takeDebugRegisters();
    guest.break(PROGRAM + 5);
    guest.break("turn");
    await guest.run();
    assertEquals(guest.rip(), PROGRAM + 5);
    for (let turn = 0; turn < 3; turn++) {
      await guest.run();
      assertEquals(guest.rip(), guest.symbol("turn"));
      assert(inSecond(guest));
      assertEquals(guest.reg(Reg.Rdx), 0x1122334455667788n);
      // As gdb does it at every stop.
      for (const at of [PROGRAM + 5, "turn"] as const) {
        assert(guest.unbreak(at));
        guest.break(at);
      }
      await guest.run();
      assertEquals([guest.rip(), guest.reg(Reg.Rbx)], [PROGRAM + 5, 0xan]);
    }
    const lines = await guest.debugger.monitor("breakpoints", 0);
    assertMatch(lines, /INT[13] at physical 0x101005,/);
    guest.close();
  },
});

Deno.test({
  name: "steps into a program end where they do, breakpoint of another or not",
  ignore,
  async fn() {
    const guest = await twoPrograms(
      "mov $0xa, %ebx; nop; ret",
      "mov $0x77, %ebx; int3; ret",
      7,
      memory,
    );
    guest.takeDebugRegisters();
    guest.break(PROGRAM);
    guest.break("second");
    await guest.run();
    await guest.run();
    assertEquals(guest.rip(), guest.symbol("second"));
    for (const rip of [PROGRAM, PROGRAM + 5]) {
      assertEquals((await guest.resume("step")).reason, { kind: "step" });
      assertEquals(guest.rip(), rip);
    }
    assertEquals(guest.reg(Reg.Rbx), 0x77n);
    guest.close();
  },
});
