// Range steps over lines with gates in every mode: they end where the line does, in the
// frame that began it, whatever else runs the same line meanwhile.

import { assert, assertEquals } from "@std/assert";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { gateIn, GATES, GATES_ALONE, LineGuest, MODES } from "./line_guest.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

/** Instructions before and behind. */
const PLACES = [[1, 30], [13, 5], [0, 0], [11, 1], [12, 0], [30, 30]] as const;

function nops(count: number): string {
  return "nop\n".repeat(count);
}

const SETTINGS = {
  "alone": {},
  "with a timer whose handler runs the line": { ticking: true },
  "with another processor on the line": { ticking: true, cpus: 2 },
};

for (const mode of MODES) {
  for (const [setting, options] of Object.entries(SETTINGS)) {
    Deno.test({
      name: `lines of ${mode} with gates, ${setting}`,
      ignore,
      async fn(t) {
        const names = Object.keys(GATES);
        if (setting === "alone") names.push(...Object.keys(GATES_ALONE));
        for (const name of names) {
          const gate = gateIn(mode, name);
          if (gate === null) continue;
          await t.step(name, async () => {
            const places = setting === "alone" ? PLACES : PLACES.slice(2);
            const lines = places.map(([before, after]) =>
              `${nops(before)}${gate}\n${nops(after)}`
            );
            const guest = await LineGuest.start(mode, lines, options);
            try {
              for (let i = 0; i < lines.length; i++) {
                await guest.to(i);
                const stack = guest.guest.reg(Reg.Rsp);
                const { reason, processor } = await guest.range(i);
                const where = `line ${i}`;
                assertEquals({ reason, processor }, {
                  reason: { kind: "step" },
                  processor: 0,
                }, where);
                assertEquals(guest.guest.rip(), guest.offset(`end${i}`), where);
                assertEquals(guest.depth(), 0, where);
                assertEquals(guest.guest.reg(Reg.Rsp), stack, where);
              }
              if ("ticking" in options) {
                assert(
                  guest.ticks() > 0 || !name.includes("loop"),
                  "interrupts came",
                );
              }
            } finally {
              guest.close();
            }
          });
        }
      },
    });
  }
}

Deno.test({
  name: "HLT behind STI is stepped, and an interrupt wakes from it",
  ignore,
  async fn() {
    // The local APIC's timer, once.
    const guest = await LongMode.start(`
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0x30, 0x320(%rsi)
        movl $11, 0x3e0(%rsi)
        movl $1000, 0x380(%rsi)
        sti
        hlt
woken:  jmp woken
vector48: inc %rcx
        movl $0, 0xb0(%rsi)
        iretq
`);
    guest.machine.processors[0].vp.set(Reg.Rcx, 0n);
    for (let step = 0; step < 7; step++) await guest.resume("step");
    guest.break("woken");
    assertEquals((await guest.run()).reason.kind, "breakpoint");
    assertEquals(guest.reg(Reg.Rcx), 1n);
    guest.close();
  },
});
