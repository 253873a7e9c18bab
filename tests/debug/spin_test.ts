// A JMP to itself that waits for interrupts, with a breakpoint on it: it gets on, and
// every interrupt is seen.

import { assert, assertEquals } from "@std/assert";
import { AgentExpression } from "../../src/debug/breakpoints/agent.ts";
import { testPlatform } from "../util/platform.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** The local APIC timer's count. Where guest time is the host's, the next interrupt must
 * not be there before the last one has been looked at. */
const COUNT = testPlatform() === "soft" ? 600_000 : 6_000_000;

const GUEST = `
        mov $0xfee00000, %ebp
        movl $0x1ff, 0xf0(%rbp)
        movl $3, 0x3e0(%rbp)
        movl $0x20040, 0x320(%rbp)
        movl $${COUNT}, 0x380(%rbp)
        sti
idle:   jmp idle
vector64: incq ticks
        push %rax
        mov $200, %eax
1:      dec %eax
        jnz 1b
        pop %rax
        movl $0, 0xb0(%rbp)
        iretq
        .align 8
ticks:  .quad 0
`;

/** Whether the counter is `n`. */
function ticksAre(guest: LongMode, n: number): AgentExpression {
  const at = guest.symbol("ticks");
  const address = [24, 16, 8, 0].map((shift) => (at >> shift) & 255);
  // const32 ticks; ref64; const8 n; equal; end
  return new AgentExpression(
    Uint8Array.of(0x24, ...address, 0x1a, 0x22, n, 0x13, 0x27),
  );
}

for (
  const [name, breakpoints, inMemory] of [
    ["in debug registers", "memory", false],
    ["in memory", "memory", true],
    ["the platform's way", undefined, false],
  ] as const
) {
  Deno.test({
    name: `a condition at a JMP to itself comes true, ${name}`,
    ignore,
    async fn() {
      const guest = await LongMode.start(GUEST, 1, { breakpoints });
      if (inMemory) guest.takeDebugRegisters();
      for (const kind of ["software", "hardware"] as const) {
        if (inMemory && kind === "hardware") continue;
        const first = Number(guest.quad("ticks"));
        for (let n = first + 3; n < first + 9; n += 3) {
          const point = {
            kind,
            address: BigInt(guest.symbol("idle")),
            length: 1,
            conditions: [ticksAre(guest, n)],
          };
          guest.debugger.insertBreakpoint(point);
          const { reason } = await guest.run();
          assertEquals(
            reason.kind,
            kind === "software" ? "breakpoint" : "hardwareBreakpoint",
          );
          assertEquals(
            [guest.rip(), guest.quad("ticks")],
            [guest.symbol("idle"), BigInt(n)],
          );
          assert(guest.debugger.removeBreakpoint(point));
        }
      }
      guest.close();
    },
  });

  Deno.test({
    name: `a JMP to itself that is stepped sees each interrupt, ${name}`,
    ignore,
    async fn() {
      const guest = await LongMode.start(GUEST, 1, { breakpoints });
      if (inMemory) guest.takeDebugRegisters();
      guest.break("idle");
      await guest.run();
      let before = guest.quad("ticks");
      const end = before + 5n;
      let turns = 0;
      for (let steps = 0; before < end; steps++) {
        assert(steps < 5000, `${before} ticks`);
        assertEquals((await guest.resume("step")).reason, { kind: "step" });
        // On a host that is busy it may have no time to come out of the handler.
        if (guest.rip() === guest.symbol("idle")) turns++;
        const now = guest.quad("ticks");
        assert(now - before <= 1n, `from ${before} to ${now}`);
        before = now;
      }
      assert(turns > 3, `${turns} turns`);
      guest.close();
    },
  });
}
