// A kernel that, as it starts, looks at its own code before it patches it.

import { assert, assertEquals } from "@std/assert";
import { AgentExpression } from "../../src/debug/breakpoints/agent.ts";
import { registerNumber } from "../../src/debug/guest/registers.ts";
import { Reg } from "../../ffi/registers.ts";
import { requireTool } from "../util/tools.ts";
import { LongMode } from "./long_mode.ts";

const ignore = !requireTool("gcc", "ld", "nm", "objcopy");

const PML4 = 0x1000, PDPT = 0x10000, PD = 0x3000;
const HIGH = 0xffffffff80000000n;

/** A line that looks at code with a breakpoint; R9 counts where that is not as expected. */
const LINE = `
        test %rdi, %rdi
        jnz spin
        lea line(%rip), %rcx
        movabs $${HIGH}, %rdx
        add %rdx, %rcx
        xor %r9d, %r9d
        mov $3000, %r8d
        jmp *%rcx
line:   cmpb $0x90, site(%rip)
        je same
        inc %r9
same:   dec %r8
        jnz line
end:    jmp end
spin:   pause
        jmp spin
site:   nop
`;

/** R8 counts the turns, R9 those in which the code was not as expected. */
const GUEST = `
        lea loop(%rip), %rcx
        movabs $${HIGH}, %rdx
        add %rdx, %rcx
        jmp *%rcx
loop:   cmpb $0x90, site(%rip)
        je same
        inc %r9
same:   call site
        inc %r8
        jmp loop
site:   nop
        ret
`;

async function start(
  cpus: number,
  options: Parameters<typeof LongMode.start>[2] = {},
  source = GUEST,
): Promise<LongMode> {
  const guest = await LongMode.start(source, cpus, options);
  const entry = (at: number, value: number) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    guest.machine.memory.write(at, bytes);
  };
  entry(PML4 + 511 * 8, PDPT | 3);
  entry(PDPT + 510 * 8, PD | 3);
  return guest;
}

const at = (guest: LongMode, name: string) => HIGH + BigInt(guest.symbol(name));

const software = (address: bigint, ...conditions: AgentExpression[]) =>
  ({ kind: "software", address, length: 1, conditions }) as const;

for (const cpus of [1, 2]) {
  Deno.test({
    name: `a kernel that can write its code sees no 0xF1, ${cpus} processors`,
    ignore,
    async fn() {
      const guest = await start(cpus);
      const site = at(guest, "site");
      guest.debugger.insertBreakpoint(software(site));
      // On a real platform one processor may be much faster than the other.
      const all = () =>
        Array.from({ length: cpus }, (_, i) => guest.reg(Reg.R8, i));
      for (let stops = 0; stops < 50 || all().includes(0n); stops++) {
        assert(stops < 1000, `turns: ${all()}`);
        const { reason, processor } = await guest.run();
        assertEquals(reason, { kind: "breakpoint" });
        assertEquals(guest.reg(Reg.Rip, processor), site);
      }
      for (let i = 0; i < cpus; i++) {
        assertEquals(guest.reg(Reg.R9, i), 0n);
      }
      guest.close();
    },
  });
}

Deno.test({
  name: "its breakpoints are stepped to, from and over, and have conditions",
  ignore,
  async fn() {
    const guest = await start(1);
    const { debugger: target } = guest;
    const site = at(guest, "site"), same = at(guest, "same");
    target.insertBreakpoint(software(site));
    await guest.run();
    assertEquals((await guest.resume("step")).reason, { kind: "step" });
    assertEquals(guest.reg(Reg.Rip), site + 1n);
    while (guest.reg(Reg.Rip) !== site) await guest.resume("step");
    const turns = guest.reg(Reg.R8);
    // Stepped to is told already; the next one is a turn away.
    await guest.run();
    assertEquals([guest.reg(Reg.Rip), guest.reg(Reg.R8)], [site, turns + 1n]);
    // A range with the breakpoint inside.
    const loop = at(guest, "loop");
    await guest.resume({ kind: "range", start: loop, end: site + 2n });
    assertEquals([guest.reg(Reg.Rip), guest.reg(Reg.R8)], [site, turns + 2n]);
    assert(target.removeBreakpoint(software(site)));
    // reg r8; const16 1000; equal; end
    const r8 = registerNumber("r8");
    const thousandth = new AgentExpression(
      Uint8Array.of(
        0x26,
        r8 >> 8,
        r8 & 0xff,
        0x23,
        1000 >> 8,
        1000 & 255,
        0x13,
        0x27,
      ),
    );
    target.insertBreakpoint(software(same, thousandth));
    await guest.run();
    assertEquals([guest.reg(Reg.Rip), guest.reg(Reg.R8)], [same, 1000n]);
    assertEquals(guest.reg(Reg.R9), 0n);
    guest.close();
  },
});

for (const cpus of [1, 2]) {
  Deno.test({
    name: `a range step of it sees no 0xF1, ${cpus} processors`,
    ignore,
    async fn() {
      const guest = await start(cpus, {}, LINE);
      const line = at(guest, "line");
      while (guest.reg(Reg.Rip) !== line) await guest.resume("step");
      guest.debugger.insertBreakpoint(software(at(guest, "site")));
      const end = at(guest, "end");
      const { reason } = await guest.resume(
        { kind: "range", start: line, end },
        ...(cpus === 2 ? ["continue" as const] : []),
      );
      assertEquals(reason, { kind: "step" });
      assertEquals(guest.reg(Reg.Rip), end);
      assertEquals(guest.reg(Reg.R9), 0n);
      guest.close();
    },
  });
}

Deno.test({
  name: "with all debug registers taken its breakpoints are 0xF1 as ever",
  ignore,
  async fn() {
    const guest = await start(1, { breakpoints: "memory" });
    const { debugger: target } = guest;
    guest.takeDebugRegisters();
    target.insertBreakpoint(software(at(guest, "site")));
    for (let turn = 0; turn < 3; turn++) {
      assertEquals((await guest.run()).reason, { kind: "breakpoint" });
      assertEquals(guest.reg(Reg.Rip), at(guest, "site"));
    }
    assert(guest.reg(Reg.R9) > 0n);
    guest.close();
  },
});
